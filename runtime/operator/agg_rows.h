/* operator/agg_rows.h: the rows of a batch as an aggregate wants them: keys, what its aggregates
 * are of, and for which rows their conditions hold.
 *
 * Functions are run before any row counts: a row that one of them refuses is in no aggregate. A
 * function of an aggregate with `where` sees only the rows for which that holds. */
#ifndef TM_OPERATOR_AGG_ROWS_H
#define TM_OPERATOR_AGG_ROWS_H

#include "operator/agg_plan.h"

typedef struct tm_agg_rows {
  const tm_stage_env *env;
  const tm_agg_plan *plan;
  tm_arena scratch;      /* of one batch: function results, lists of rows */
  uint8_t *used_inputs, *used_filters;
  tm_column *columns;    /* of inputs; those of functions in scratch */
  const tm_column **keys, **inputs;
  uint8_t **holds;       /* of filters: a byte a row */
  const uint32_t **filter_rows;
  uint32_t *filter_counts;
} tm_agg_rows;

/* `env` lives as long. 0, or -1 with err: nothing is left. */
int tm_agg_rows_init(tm_agg_rows *rows, const tm_stage_env *env, tm_error *err);
void tm_agg_rows_deinit(tm_agg_rows *rows);
/* Fills in keys, inputs and holds of the batch (owned); refused rows go to `out` and leave its
 * selection. 0, or -1 with err. */
int tm_agg_rows_open(tm_agg_rows *rows, tm_batch *batch, tm_out *out, tm_error *err);
/* And then the lists of rows for which the filters hold. 0 or -1 with err. */
int tm_agg_rows_list(tm_agg_rows *rows, const tm_batch *batch, tm_error *err);
/* Lets go of what was made for the batch. */
void tm_agg_rows_close(tm_agg_rows *rows);

#endif
