/* state/sorter.h: rows in order: sorted runs, and their merge.
 *
 * Each lane fills a sorter of its own; a run of some ten thousand rows is sorted as soon as it is
 * full, so that no call takes long. The merge walks the runs of all lanes at once. Rows that are
 * equal by every key come in the order of their arrival (batch sequence, then position).
 * For top-N a sorter also drops, run by run, what cannot be among the first of its group. */
#ifndef TM_STATE_SORTER_H
#define TM_STATE_SORTER_H

#include "state/batch_record.h"

typedef struct tm_sort_key { uint32_t column; bool descending; } tm_sort_key;

typedef struct tm_sort_spec {
  const tm_schema *schema;
  const tm_sort_key *keys;
  uint32_t key_count;
  uint32_t nulls_first; /* from that key on nulls come first; 0: never */
  bool signs;      /* rows that are equal by all keys go by the signs of their zeros, -0 first */
  /* top-N only: the first `group_keys` keys name the group, those up to `rank_keys` decide ranks */
  uint32_t group_keys, rank_keys;
  uint64_t head;   /* rows kept of each group; 0: all */
  bool all_ties;   /* keep every row whose rank is <= head */
} tm_sort_spec;

/* Where a row lies. */
typedef struct tm_sort_place { const tm_batch *batch; uint32_t row; } tm_sort_place;

typedef struct tm_sort_row { uint64_t prefix; uint32_t batch, row; } tm_sort_row;

typedef struct tm_sort_run {
  tm_sort_row *rows;
  uint32_t count, capacity;
  uint32_t first_batch;
} tm_sort_run;

typedef struct tm_sorter {
  tm_budget *budget;
  const tm_sort_spec *spec;
  tm_batch **batches;
  uint32_t batch_count, batch_capacity;
  uint32_t run_batch;      /* first batch of the open run */
  tm_sort_run *runs;       /* the last one is open */
  uint32_t run_count, run_capacity;
  uint64_t rows, dropped;  /* kept so far; dropped by the head */
  bool prefix_is_exact;
  tm_sort_place bound;     /* top-N of all rows: nothing behind it can be among the first */
  uint64_t bound_prefix;
} tm_sorter;

void tm_sorter_init(tm_sorter *sorter, tm_budget *budget, const tm_sort_spec *spec);
/* Copies the selected rows and consumes `taken`. 0, or -1 with err. */
int tm_sorter_add(tm_sorter *sorter, tm_batch *taken, tm_error *err);
/* The same of a batch that owns its values and has all its rows selected; nothing is copied. */
int tm_sorter_adopt(tm_sorter *sorter, tm_batch *taken, tm_error *err);
/* Sorts the open run. 0, or -1 with err. */
int tm_sorter_seal(tm_sorter *sorter, tm_error *err);
void tm_sorter_deinit(tm_sorter *sorter);
/* In sorter_record.c. Restores into an empty sorter; 0, or -1 with err. */
void tm_sorter_save(const tm_sorter *sorter, tm_record_writer *writer);
int tm_sorter_restore(tm_sorter *sorter, tm_record_reader *reader, tm_arena *names,
                      tm_error *err);
/* One more batch, out of tm_batch_record_save(). 0, or -1 with err. */
int tm_sorter_restore_batch(tm_sorter *sorter, tm_record_reader *reader, tm_arena *names,
                            tm_error *err);

typedef struct tm_sort_merge {
  tm_budget *budget;
  const tm_sort_spec *spec;
  struct tm_sort_cursor *heap;
  uint32_t count, capacity;
} tm_sort_merge;

/* Over sealed sorters, which must outlive it. 0, or -1 with err. */
int tm_sort_merge_init(tm_sort_merge *merge, tm_budget *budget, const tm_sort_spec *spec,
                       tm_sorter *const *sorters, uint32_t count, tm_error *err);
/* The next rows in order; fewer than `max` only at the end. */
uint32_t tm_sort_merge_next(tm_sort_merge *merge, tm_sort_place *out, uint32_t max);
void tm_sort_merge_deinit(tm_sort_merge *merge);

/* Whether a row may hold a zero with a sign. */
bool tm_sort_has_signs(const tm_schema *schema);
/* Compares two rows by keys [from, to): <0, 0, >0. Nulls last, NaN greatest, strings by bytes, 0
 * equal to -0; up to the last key, `signs` counts too. */
int tm_sort_compare(const tm_sort_spec *spec, tm_sort_place a, tm_sort_place b, uint32_t from,
                    uint32_t to);
/* A batch of those rows (strings stay views into the sorters' batches). NULL: out of memory. */
tm_batch *tm_sort_gather(tm_budget *budget, const tm_schema *schema, const tm_sort_place *places,
                         uint32_t count);

#endif
