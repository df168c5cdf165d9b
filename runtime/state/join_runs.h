/* state/join_runs.h: the rows of a join_table once more, each key's next to each other, in the
 * order of a value: of their event time, or of a column. So the rows of a key within a range of
 * values are found by halving.
 *
 * Each lane makes the part of the keys that are its, once they are in the table; then all read.
 * Rows whose value is null are in no run. */
#ifndef TM_STATE_JOIN_RUNS_H
#define TM_STATE_JOIN_RUNS_H

#include "state/join_table.h"
#include "state/sorter.h"

typedef struct tm_join_run { int64_t word; uint32_t id; uint32_t unused; } tm_join_run;

typedef struct tm_join_part {
  uint32_t *starts;      /* key id → first of its rows; one more at the end */
  tm_join_run *rows;
  uint32_t keys, count;
  uint32_t next_key, next_row; /* while it is made */
  tm_join_run *scratch;
  uint32_t scratch_count;
  bool done;
} tm_join_part;

typedef struct tm_join_runs {
  tm_budget *budget;
  const tm_join_table *table;
  const tm_join_order *order;
  uint32_t lanes;
  tm_join_part *parts;
} tm_join_runs;

/* The values of a column of a batch, by row, as words whose order is theirs: exact but for strings
 * and long decimals, whose beginnings they are. Rows that are null have any. 0 or -1 (memory). In
 * join_words.c. */
int tm_join_words(tm_budget *budget, const tm_join_order *order, const tm_batch *batch,
                  uint32_t column, int64_t *out);
static inline bool tm_join_words_exact(tm_type type) {
  tm_physical physical = tm_type_physical(type);
  return physical != TM_PHYSICAL_STR && physical != TM_PHYSICAL_I128;
}

int tm_join_runs_init(tm_join_runs *runs, tm_budget *budget, const tm_join_table *table,
                      const tm_join_order *order, tm_error *err);
/* A step of the lane's part: 1: more to do; 0: it is made; -1 with err. */
int tm_join_runs_step(tm_join_runs *runs, uint32_t lane, tm_error *err);
void tm_join_runs_deinit(tm_join_runs *runs);

/* The rows of a key of a part: *out_count of them. */
static inline const tm_join_run *tm_join_runs_of(const tm_join_runs *runs, uint32_t part,
                                                 uint32_t key, uint32_t *out_count) {
  const tm_join_part *p = &runs->parts[part];
  *out_count = p->starts[key + 1] - p->starts[key];
  return p->rows + p->starts[key];
}
/* How many of them have a word less than that. */
uint32_t tm_join_runs_below(const tm_join_run *rows, uint32_t count, int64_t word);

#endif
