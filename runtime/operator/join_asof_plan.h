/* operator/join_asof_plan.h: what join_asof knows before it runs, in batches and streams.
 *
 * A left row takes, of the right rows of its key, the latest at or before it: by event time, or by
 * a column of each side. Of several of one value it takes the last in the order in which time_order
 * would have them: by the needed columns, nulls first. */
#ifndef TM_OPERATOR_JOIN_ASOF_PLAN_H
#define TM_OPERATOR_JOIN_ASOF_PLAN_H

#include "operator/join_live.h"
#include "state/sorter.h"

typedef struct asof_plan {
  join_plan join;       /* first: the parts of a join take it for one */
  bool by_time;         /* event time */
  uint32_t by[2];       /* else the column of each side */
  tm_join_order order;  /* of the right side's rows */
  tm_sort_spec ties;
  tm_sort_key *tie_keys;
  bool exact;           /* words tell all of a value */
  int64_t tolerance_us; /* a right row further back does not count; -1: any does */
} asof_plan;

extern const tm_option tm_join_asof_options[];

/* Everything but where it runs. NULL with err. */
asof_plan *tm_join_asof_plan(tm_bind *bind, tm_error *err);
void tm_join_asof_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);
/* In microseconds what is a day in a column of dates. */
int64_t tm_join_asof_unit(const asof_plan *plan);

#endif
