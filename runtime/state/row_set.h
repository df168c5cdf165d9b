/* state/row_set.h: rows by what they hold: numbers different rows, and lets them go again.
 *
 * Rows are equal as keys are (key_words.h: null equals null, 0 equals -0, NaN equals NaN); in an
 * exact set -0 is not 0, for what a changelog takes back is what it gave, to the bit. A row has an
 * id as long as it is in; ids of rows that left are given again, so that they stay small and
 * whatever a caller keeps beside the rows may be arrays. Work goes a batch at a time. Rows are
 * copied in, strings too, and strings are copied out, so nobody holds memory of another. */
#ifndef TM_STATE_ROW_SET_H
#define TM_STATE_ROW_SET_H

#include "column/batch.h"
#include "state/record.h"

#define TM_ROW_SET_NONE UINT32_MAX
enum { TM_ROW_SET_MAX = 1 << 30 };

typedef struct tm_row_set tm_row_set;

/* column_count may be 0: then there is at most the one, empty row. NULL when out of memory. */
tm_row_set *tm_row_set_create(tm_budget *budget, const tm_type *types, uint32_t column_count,
                              bool exact);
void tm_row_set_destroy(tm_row_set *set); /* NULL is a no-op */
uint32_t tm_row_set_count(const tm_row_set *set); /* rows that are in */
uint32_t tm_row_set_end(const tm_row_set *set);   /* every id is less */
bool tm_row_set_has(const tm_row_set *set, uint32_t id);

/* ids[i] of row rows[i] (rows NULL: row i) for `count` rows; unknown rows come in. Columns may be
 * narrower than the set's (int32 for int64). 0, or -1 when memory is refused: the set can then only
 * be destroyed. */
int tm_row_set_insert(tm_row_set *set, const tm_column *const *columns, const uint32_t *rows,
                      uint32_t count, uint32_t *ids);
/* The same, with TM_ROW_SET_NONE for unknown rows; nothing comes in. */
void tm_row_set_find(tm_row_set *set, const tm_column *const *columns, const uint32_t *rows,
                     uint32_t count, uint32_t *ids);
void tm_row_set_remove(tm_row_set *set, uint32_t id);
/* A large set takes a while to grow: after each batch, until it says 0. 1: more to do, -1: memory.
 * Between the steps nothing may be called but save and destroy. Who does not call it waits within
 * an insert. */
int tm_row_set_settle_step(tm_row_set *set);

/* Rows ids[0 … count-1] into an output column of the set's type; TM_ROW_SET_NONE gives null where
 * may_miss. 0 or -1 (memory). */
int tm_row_set_read(const tm_row_set *set, uint32_t column, const uint32_t *ids, uint32_t count,
                    bool may_miss, tm_batch *out, uint32_t out_column);

void tm_row_set_save(const tm_row_set *set, tm_record_writer *writer);
/* Into an empty set; ids are as they were. 0 or -1 (memory); what does not fit is in
 * reader->failed. */
int tm_row_set_restore(tm_row_set *set, tm_record_reader *reader);

#endif
