/* state/group_table.h: keys and the parts of their aggregates: grouping of one lane, and the
 * merging of several.
 *
 * Life: add rows → (settle after each batch) → seal → read. Between lanes: seal with buckets, then
 * a merged table takes in, bucket by bucket, what the sealed tables hold; these stay unchanged and
 * must outlive it. Without keys there is exactly the group 0, from the start.
 * Calls named step do a bounded piece of work: 1: call again, 0: done, -1 with err. */
#ifndef TM_STATE_GROUP_TABLE_H
#define TM_STATE_GROUP_TABLE_H

#include "state/aggregate.h"
#include "state/key_table.h"

enum { TM_GROUP_BUCKETS = 256 };

typedef struct tm_group_table tm_group_table;
typedef struct tm_group_scratch tm_group_scratch;

/* Rows of a batch: keys and inputs are by the plan's indexes. An input that no part in use needs
 * may be anything. */
typedef struct tm_group_rows {
  const tm_column *const *keys;
  const tm_column *const *inputs;
  const uint32_t *rows; /* NULL: 0 … count-1 */
  uint32_t count;
  uint32_t row_count;   /* of the columns */
  const uint32_t *const *filter_rows; /* for each function: those of `rows` for which it holds */
  const uint32_t *filter_counts;
  const int64_t *times;     /* by row: event time; NULL: rows count in the order of their source */
  const uint64_t *ordinals; /* by row; NULL: rows count in the order of their arrival */
  uint64_t place;           /* of the batch: source and file */
} tm_group_rows;

/* needed: a byte an aggregate, NULL: all; what is not needed is not computed. NULL with err. */
tm_group_table *tm_group_table_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, tm_error *err);
void tm_group_table_destroy(tm_group_table *table); /* NULL is a no-op */
uint32_t tm_group_table_count(const tm_group_table *table);

/* Where there are many tables, before the first row: they begin small, and share what only a call
 * of add() needs. The scratch outlives them; NULL when out of memory. */
void tm_group_table_start_small(tm_group_table *table);
tm_group_scratch *tm_group_scratch_create(tm_budget *budget, const tm_group_plan *plan);
void tm_group_scratch_destroy(tm_group_scratch *scratch); /* NULL is a no-op */
void tm_group_table_share_scratch(tm_group_table *table, tm_group_scratch *scratch);

/* As new, in time that goes by its groups; what it allocated stays. 0, or -1 with err: it can then
 * only be destroyed. */
int tm_group_table_clear(tm_group_table *table, tm_error *err);
/* Whether it has far more room than its groups need: not worth keeping. */
bool tm_group_table_is_roomy(const tm_group_table *table);
/* Sealed, and nothing is looked for in it any more: it takes less room. clear() ends that. */
void tm_group_table_freeze(tm_group_table *table);

int tm_group_table_add(tm_group_table *table, const tm_group_rows *rows, tm_error *err);
int tm_group_table_settle_step(tm_group_table *table, tm_error *err);
/* Nothing is added afterwards. `buckets` for tables that will be merged. */
int tm_group_table_seal_step(tm_group_table *table, bool buckets, tm_error *err);

/* Takes in more after all; of a table whose parts are all numbers of their own (counts, sums, least
 * and greatest of fixed width). */
void tm_group_table_reopen(tm_group_table *table);

/* Groups of a table sealed with buckets in buckets first … end-1. */
uint32_t tm_group_table_bucket_count(const tm_group_table *table, uint32_t first, uint32_t end);
/* Takes in those groups of `from`; the same arguments until it says 0. */
int tm_group_table_merge_step(tm_group_table *table, const tm_group_table *from, uint32_t first,
                              uint32_t end, tm_error *err);

/* Pieces of a merge, for who knows which groups meet; of plans that are `counted`. Keys ids[i] of
 * another key table join, as groups to[i]. 0 or -1 with err. */
int tm_group_table_join(tm_group_table *table, const tm_key_table *from, const uint32_t *ids,
                        uint32_t count, uint32_t *to, tm_error *err);
/* Groups ids[i] of `from`, sealed, into groups to[i]. */
int tm_group_table_take_in(tm_group_table *table, const tm_group_table *from, const uint32_t *ids,
                           const uint32_t *to, uint32_t count, tm_error *err);
const tm_key_table *tm_group_table_keys(const tm_group_table *table);
/* By the plan's numbers; NULL: not needed. */
tm_part *const *tm_group_table_parts(const tm_group_table *table);
/* How many rows each group has, of a plan that is `counted`. */
const int64_t *tm_group_table_rows(const tm_group_table *table);

/* Groups first … first+count-1 of a sealed table as a batch: keys, then aggregates, of `schema`;
 * the columns of a gap are left empty. The same arguments until it says 0 and *out is set. */
int tm_group_table_read_step(tm_group_table *table, uint32_t first, uint32_t count,
                             const tm_schema *schema, tm_budget *budget, tm_batch **out,
                             tm_error *err);

/* Only the keys, of any table, into the first columns of a batch of the caller's. 0 or -1
 * (memory). */
int tm_group_table_read_keys(const tm_group_table *table, uint32_t first, uint32_t count,
                             tm_batch *out);

/* Sealed or not, but never merged. Into a new table of the same plan and need. */
void tm_group_table_save(const tm_group_table *table, tm_record_writer *writer);
int tm_group_table_restore(tm_group_table *table, tm_record_reader *reader, tm_error *err);

#endif
