/* state/live_groups.h: groups and their aggregates that can be read after every batch, and what the
 * batch changed: the heart of an aggregate without a window in a stream.
 *
 * Rows come with weights: -1 takes back a row that was given before. Counts, sums, averages and
 * moments subtract exactly; what cannot (least, first, median …) keeps all values of a group where
 * rows can be taken back, and the best one where they cannot. For each batch come the groups that
 * it changed: the row as it was with weight -1, as it is with +1. A group of which no row is left
 * is gone; without keys there is one group, always. */
#ifndef TM_STATE_LIVE_GROUPS_H
#define TM_STATE_LIVE_GROUPS_H

#include "state/aggregate.h"

typedef struct tm_live_groups tm_live_groups;

typedef struct tm_live_options {
  bool retracts;  /* weights may be negative */
  bool timed;     /* rows have event time: first and last go by it, else by arrival */
  /* Rows that are taken back, or come in no order, and have no time: the columns of a row, left to
   * right, say which of them is first. */
  const tm_type *order;
  uint32_t order_count;
} tm_live_options;

/* Rows of a batch: keys and inputs are by the plan's indexes. An input that no aggregate in use
 * needs may be anything. */
typedef struct tm_live_rows {
  const tm_column *const *keys;
  const tm_column *const *inputs;
  const tm_column *const *order;  /* order_count of them */
  const uint32_t *rows;           /* NULL: 0 … count-1 */
  uint32_t count;
  uint32_t row_count;             /* of the columns */
  const uint8_t *const *holds;    /* for each function of the filters: a byte a row */
  const int32_t *weights;         /* by row; NULL: all 1 */
  const int64_t *times;           /* by row, where the options say so */
} tm_live_rows;

/* needed: a byte an aggregate, NULL: all; what is not needed is not computed. The plan and the
 * options live as long as the groups. NULL with err. */
tm_live_groups *tm_live_groups_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, const tm_live_options *options,
                                      tm_error *err);
void tm_live_groups_destroy(tm_live_groups *groups); /* NULL is a no-op */
uint32_t tm_live_groups_count(const tm_live_groups *groups);

/* Takes in the rows and gives what they changed: a batch of `schema` (keys, then aggregates) with
 * weights, NULL: nothing. Without keys the first call, also one of no rows, gives the row as it
 * then is. 0, or -1 with err (TM_E_LEDGER: a row was taken back that never came). */
int tm_live_groups_add(tm_live_groups *groups, const tm_live_rows *rows, const tm_schema *schema,
                       tm_budget *budget, tm_batch **out, tm_error *err);
/* A bounded piece of the work that growth leaves behind, after each batch: 1: call again, 0: done,
 * -1 with err. */
int tm_live_groups_settle_step(tm_live_groups *groups, tm_error *err);

void tm_live_groups_save(const tm_live_groups *groups, tm_record_writer *writer);
/* Into new groups of the same plan, need and options. 0, or -1 with err. */
int tm_live_groups_restore(tm_live_groups *groups, tm_record_reader *reader, tm_error *err);

#endif
