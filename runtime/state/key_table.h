/* state/key_table.h: numbers the distinct keys that it is shown: 0, 1, 2 … as they appear.
 *
 * A key is a tuple of values, equal as key_words.h has it (null equals null). The number, its id,
 * indexes whatever the caller keeps a key: sums, lists of rows, nothing. Work goes a batch at a
 * time. Keys are copied in, strings too, so nothing of a batch is held. Finding changes nothing: a
 * table that no longer grows may be shared by threads. Everything is charged to the budget. */
#ifndef TM_STATE_KEY_TABLE_H
#define TM_STATE_KEY_TABLE_H

#include "state/record.h"
#include "state/text_heap.h"

#define TM_KEY_NONE UINT32_MAX
enum { TM_KEY_COUNT_MAX = 1 << 30 };

typedef struct tm_key_table tm_key_table;

/* column_count may be 0: then there is at most the one, empty key. NULL when out of memory. */
tm_key_table *tm_key_table_create(tm_budget *budget, const tm_type *types, uint32_t column_count);
void tm_key_table_destroy(tm_key_table *table); /* NULL is a no-op */
uint32_t tm_key_table_count(const tm_key_table *table);
/* Before the first insert: there will be many tables of few keys; it begins with room for few. */
void tm_key_table_start_small(tm_key_table *table);
/* Takes all keys out, in time that goes by their number; the room stays. Strings that batches hold
 * stay with them. false when out of memory: it can then only be destroyed. */
bool tm_key_table_clear(tm_key_table *table);
/* Gives back what finding needs: from now on its keys are only read, or it is cleared. */
void tm_key_table_freeze(tm_key_table *table);

/* ids[i] of row rows[i] (rows NULL: row i) for `count` rows; unknown keys get the next ids, those
 * of several columns not always in the order of their rows. columns may be narrower or wider than
 * the table's (int32 for int64). hashes as tm_hash_rows makes them, or NULL. 0, or -1 when memory
 * is refused: the table stays sound, some keys may be in. */
int tm_key_table_insert(tm_key_table *table, const tm_column *const *columns, const uint32_t *rows,
                        uint32_t count, const uint64_t *hashes, uint32_t *ids);
/* The same, with TM_KEY_NONE for unknown keys. */
void tm_key_table_find(const tm_key_table *table, const tm_column *const *columns,
                       const uint32_t *rows, uint32_t count, const uint64_t *hashes,
                       uint32_t *ids);

/* A large table takes a while to grow. Who must not stop for long asks after each batch and, on
 * true, calls the step until it says 0, inserting nothing meanwhile. Others need not care. */
bool tm_key_table_wants_growth(const tm_key_table *table);
int tm_key_table_grow_step(tm_key_table *table); /* 1: more to do; 0: done; -1: out of memory */

/* Keys `first` to first+count-1, or of the ids given, into rows 0 … of an output column whose type
 * is the key's. Strings stay in the table's heap, which the batch pins. 0 or -1 (memory). */
int tm_key_table_read(const tm_key_table *table, uint32_t column, uint32_t first,
                      const uint32_t *ids, uint32_t count, tm_batch *out, uint32_t out_column);
/* A key column where it lies, by id: strings and long decimals as they are, anything else as int64
 * words in normal form. Good until the next insert. */
tm_column tm_key_table_view(const tm_key_table *table, uint32_t column);
/* Hashes of the keys of `count` ids from `first` on, as tm_hash_rows would have them. */
void tm_key_table_hashes(const tm_key_table *table, uint32_t first, uint32_t count,
                         uint64_t *hashes);
/* Inserts keys of another table of the same types, as tm_key_table_insert does. hashes[i] is of
 * from_ids[i]; NULL: they are computed. */
int tm_key_table_insert_from(tm_key_table *table, const tm_key_table *from,
                             const uint32_t *from_ids, uint32_t count, const uint64_t *hashes,
                             uint32_t *ids);

/* The same, with TM_KEY_NONE for keys that the table has not. 0, or -1 when out of memory. */
int tm_key_table_find_from(const tm_key_table *table, const tm_key_table *from,
                           const uint32_t *from_ids, uint32_t count, uint32_t *ids);

void tm_key_table_save(const tm_key_table *table, tm_record_writer *writer);
/* Into an empty table of the same types. 0, or -1 with err. */
int tm_key_table_restore(tm_key_table *table, tm_record_reader *reader, tm_error *err);

#endif
