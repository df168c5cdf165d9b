/* operator/window_plan.h: the option `window` and what goes with it, as agg and top read it. */
#ifndef TM_OPERATOR_WINDOW_PLAN_H
#define TM_OPERATOR_WINDOW_PLAN_H

#include "kernel/window_grid.h"
#include "stage/stage.h"

typedef struct tm_window_plan {
  tm_window_grid grid;
  tm_type type;         /* of window_start and window_end: the event time's, or of the zone asked */
  int64_t lateness_us;
  int64_t early_us;     /* emit = "early 10s"; 0: only at the end */
  bool processing;      /* time is when rows come */
  bool fill;            /* windows without rows come too */
  const char *text;     /* "tumbling 10s", for explain */
} tm_window_plan;

/* The kind of fixed window that the options ask for; -1: none, or one of another kind. */
int tm_window_plan_kind(const tm_value *options);
/* Whether windows without rows come, too. */
bool tm_window_plan_fills(const tm_value *options);
/* Reads options whose window is a fixed one. 0, or -1 with err. */
int tm_window_plan_read(const tm_bind *bind, tm_window_plan *out, tm_error *err);

/* Whether such windows can be in this job. 0, or -1 with err. */
int tm_window_plan_check_mode(const tm_bind *bind, const tm_window_plan *plan, tm_error *err);

/* Microseconds as a column of that type, for all rows of `out`. 0 or -1 (memory). */
int tm_window_plan_column(tm_type type, tm_batch *out, uint32_t column, const int64_t *us);
/* Columns window_start and window_end of a result, `column` and the next, where bind->needed wants
 * them, and its event times: the last instants of the windows. 0 or -1 with err. */
int tm_window_plan_stamp(const tm_window_plan *plan, const tm_bind *bind, tm_batch *out,
                         uint32_t column, const int64_t *starts, const int64_t *ends,
                         tm_error *err);

/* Options of stages that take fixed windows; an option table lists them behind its own. */
#define TM_WINDOW_OPTIONS                                                                       \
  {"window", "table", NULL, "the window: tm.tumbling, tm.hopping, tm.cumulate …", NULL},        \
  {"lateness", "text|duration", "0s", "so much longer late rows count, as an update", NULL},    \
  {"late", "flow", NULL, "endpoint of rows that came too late", NULL},                          \
  {"emit", "text", NULL, "\"early 10s\": updates before the end of the window", NULL},          \
  {"fill", "bool", "false", "windows without rows come too", NULL}

#endif
