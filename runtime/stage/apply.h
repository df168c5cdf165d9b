/* stage/apply.h: a row function over a batch, its refused rows on their way out. */
#ifndef TM_STAGE_APPLY_H
#define TM_STAGE_APPLY_H

#include "expr/function.h"
#include "stage/stage.h"

/* Evaluates `function` over the selected rows of `batch`, which the caller owns. Its columns go to
 * `columns` (function->result->count of them, allocated in `arena`). Rows that it refuses are
 * given to `out` and leave the selection. *keep is as in tm_result; may be NULL for shapes without.
 * 0, or -1 with err. */
int tm_apply(const tm_stage_env *env, const tm_function *function, tm_batch *batch,
             tm_column *columns, uint8_t **keep, tm_arena *arena, tm_out *out, tm_error *err);

/* Narrows the selection of `batch` (owned) to the rows for which a truth function holds; refused
 * rows go to `out`. The number of rows for which it does not hold, or -1 with err. */
int64_t tm_apply_filter(const tm_stage_env *env, const tm_function *function, tm_batch *batch,
                        tm_out *out, tm_error *err);

/* Narrows the selection of `batch` (owned) to the rows whose byte in `marks` equals `wanted`
 * (indexed by row). The number of rows dropped, or -1 when out of memory. */
int64_t tm_apply_select(tm_batch *batch, const uint8_t *marks, uint8_t wanted);

/* Marks the columns that a function reads. */
void tm_apply_need(const tm_function *function, uint8_t *needed);

/* Binds the function of an option over one input. NULL with err (absent, unknown field, …). */
tm_function *tm_apply_bind(tm_bind *bind, const tm_function_source *source, tm_shape shape,
                           const tm_schema *declared, const char *name, tm_error *err);

#endif
