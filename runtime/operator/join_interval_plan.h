/* operator/join_interval_plan.h: what join_interval knows before it runs, in batches and streams.
 *
 * A left row matches the right rows of its key whose time is within [low, high], both included:
 * `from` and `to` are durations, added to the row's own time, or columns of the left side. */
#ifndef TM_OPERATOR_JOIN_INTERVAL_PLAN_H
#define TM_OPERATOR_JOIN_INTERVAL_PLAN_H

#include "operator/join_live.h"

typedef struct interval_bound {
  bool by_column;
  uint32_t column; /* of the left side: a timestamp or a date */
  int64_t us;      /* else this long after the row's own time */
} interval_bound;

typedef struct interval_plan {
  join_plan join; /* first: the parts of a join take it for one */
  interval_bound from, to;
} interval_plan;

extern const tm_option tm_join_interval_options[];

/* Everything but where it runs. NULL with err. */
interval_plan *tm_join_interval_plan(tm_bind *bind, tm_error *err);
void tm_join_interval_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);
/* Of a left row; low > high where nothing can match: a column is null. */
void tm_join_interval_range(const interval_plan *plan, const tm_batch *batch, uint32_t row,
                            int64_t *low, int64_t *high);
/* The left rows' times in which all matches of a right row of that time lie; where a bound is a
 * column, each one's own range must be looked at besides. */
void tm_join_interval_left_range(const interval_plan *plan, int64_t time_us, int64_t *low,
                                 int64_t *high);

static inline bool tm_join_interval_has_column(const interval_plan *plan) {
  return plan->from.by_column || plan->to.by_column;
}

#endif
