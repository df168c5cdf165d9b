/* operator/row_window.h: windows that follow the rows, sessions and sliding ones: what both make of
 * the options of agg. */
#ifndef TM_OPERATOR_ROW_WINDOW_H
#define TM_OPERATOR_ROW_WINDOW_H

#include "operator/agg_plan.h"
#include "state/live_states.h"

typedef struct tm_row_window {
  tm_agg_plan agg;        /* first: what agg_plan.c and agg_rows.c see */
  tm_live_options live;
  tm_type type;           /* of window_start and window_end: the event time's */
  uint32_t window_column; /* of the output: window_start, then window_end, then the aggregates */
} tm_row_window;

/* The option `window` is of that kind: "session", "sliding". */
bool tm_row_window_is(const tm_bind *bind, const char *kind);
/* A duration of the window, in *out; 0 where it is not given. 0, or -1 with err. */
int tm_row_window_length(const tm_bind *bind, const char *name, int64_t *out, tm_error *err);
/* Binds keys and aggregates. retracts: rows leave a window one by one. keeps_rows: the output has
 * the columns of the input, else the keys; then window_start, window_end and the aggregates. What
 * rows must bring, and what holds of the result, is answered, too; bind->plan is a tm_row_window.
 * 0, or -1 with err. */
int tm_row_window_bind(tm_bind *bind, bool retracts, bool keeps_rows, tm_error *err);

/* Microseconds as window_start (nth 0) or window_end (1) of a result, if somebody needs it; us has
 * an entry a row of `out`. 0 or -1 (memory). */
int tm_row_window_stamp(const tm_bind *bind, tm_batch *out, uint32_t nth, const int64_t *us);

#endif
