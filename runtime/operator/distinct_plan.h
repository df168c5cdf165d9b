/* operator/distinct_plan.h: what distinct knows before it runs: the columns that count. Shared by
 * distinct.c, which waits for the end, and live_distinct.c, which does not. */
#ifndef TM_OPERATOR_DISTINCT_PLAN_H
#define TM_OPERATOR_DISTINCT_PLAN_H

#include "stage/stage.h"
#include "state/aggregate.h"

typedef struct tm_distinct_plan {
  tm_group_plan groups; /* keys, no aggregate */
  uint32_t *columns;    /* of the input */
} tm_distinct_plan;

extern const tm_option tm_distinct_options[];

/* Fills in the plan (zeroes before) and bind->output. 0, or -1 with err. */
int tm_distinct_bind(tm_bind *bind, tm_distinct_plan *plan, tm_error *err);
/* bind->plan begins with the plan. */
void tm_distinct_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);

#endif
