/* operator/join_window_plan.h: verb join with a window: rows of equal keys that lie in one window.
 *
 * Columns of the result are the left ones, the right ones, window_start and window_end; its time is
 * the last instant of the window. */
#ifndef TM_OPERATOR_JOIN_WINDOW_PLAN_H
#define TM_OPERATOR_JOIN_WINDOW_PLAN_H

#include "operator/join_live.h"
#include "operator/window_plan.h"

typedef struct tm_join_window_plan {
  join_plan join; /* first: the parts of a join take it for one */
  tm_window_plan window;
  bool scalar;    /* on = {}: at most one row on the right in each window */
} tm_join_window_plan;

extern const tm_option tm_join_window_options[];

/* Everything but where it runs. inside: rows of both sides carry their window (join_plan.h). NULL
 * with err. */
tm_join_window_plan *tm_join_window_plan_create(tm_bind *bind, bool inside, tm_error *err);
/* Several rows on the right in one window, which on = {} does not want. */
int tm_join_window_fail_scalar(const tm_join_window_plan *plan, int64_t start_us, tm_error *err);

#endif
