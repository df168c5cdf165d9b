/* operator/agg_plan.h: what agg knows before it runs: keys, inputs, filters, aggregates. */
#ifndef TM_OPERATOR_AGG_PLAN_H
#define TM_OPERATOR_AGG_PLAN_H

#include "expr/function.h"
#include "operator/window_plan.h"
#include "state/window_slices.h"

/* What some aggregate is of: a column of the row, or a function's value, for which rows. */
typedef struct tm_agg_input {
  int32_t column; /* -1: a function */
  const tm_function_source *source;
  tm_function *function;
  int32_t filter; /* a function is evaluated only where the filter holds; -1: everywhere */
  tm_type type;
} tm_agg_input;

typedef struct tm_agg_filter {
  const tm_function_source *source;
  tm_function *function;
} tm_agg_filter;

/* What event time has to do with groups. */
typedef enum tm_agg_time {
  TM_AGG_TIMELESS,   /* nothing: a group is of all times */
  TM_AGG_WINDOWED,   /* the option `window`: a group is of one window */
  TM_AGG_OF_WINDOWS, /* keys hold a window's column: all rows of a group have one time */
} tm_agg_time;

typedef struct tm_agg_plan {
  tm_group_plan groups;
  uint32_t *keys; /* columns of the row; a time that is a key has none */
  tm_agg_time time;
  tm_window_plan window; /* WINDOWED */
  tm_window_shape shape; /* where a table holds the groups of one time */
  tm_agg_input *inputs;
  tm_agg_filter *filters;
  uint32_t input_count, filter_count;
} tm_agg_plan;

/* Of groups of all times. */
int tm_agg_bind(tm_bind *bind, tm_error *err);
/* Of windows, too. time_key: windows (their starts) or times are one more key, `timed` in the plan;
 * else a table holds groups of one time. */
int tm_agg_bind_in_time(tm_bind *bind, bool time_key, tm_error *err);
/* Whether keys hold a window's column by which groups are final. */
bool tm_agg_is_of_windows(const tm_bind *bind);
void tm_agg_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);

/* Which inputs and filters a run has to compute, a byte each: those of the aggregates that somebody
 * needs, and those that may refuse rows. `needed` is bind->needed. */
void tm_agg_used(const tm_agg_plan *plan, const uint8_t *needed, uint8_t *inputs, uint8_t *filters);

#endif
