/* operator/window_rows.h: the rows of a batch into the tables of their slices, late ones out; for
 * window_agg.c. */
#ifndef TM_OPERATOR_WINDOW_ROWS_H
#define TM_OPERATOR_WINDOW_ROWS_H

#include "operator/agg_rows.h"
#include "operator/window_split.h"

typedef struct tm_window_rows {
  const tm_stage_env *env;
  const tm_agg_plan *plan;
  tm_agg_rows rows;
  tm_window_slices *slices; /* the stage's, and its judge */
  tm_window_judge *judge;
  tm_window_split split;
} tm_window_rows;

/* `env` lives as long. 0, or -1 with err: nothing is left. */
int tm_window_rows_init(tm_window_rows *rows, const tm_stage_env *env, tm_error *err);
void tm_window_rows_open(tm_window_rows *rows, tm_window_slices *slices);
void tm_window_rows_deinit(tm_window_rows *rows);

/* The batch (owned) into its slices; rows that are refused, or late, go to `out`. now_us: the time
 * of all rows, TM_TIME_NONE: they have their own. watermark_us is the stage's, for messages. 0 or
 * -1 with err. */
int tm_window_rows_add(tm_window_rows *rows, tm_batch *batch, int64_t now_us, int64_t watermark_us,
                       tm_out *out, tm_error *err);

#endif
