/* stage/constant.h: a value of the script as a column. */
#ifndef TM_STAGE_CONSTANT_H
#define TM_STAGE_CONSTANT_H

#include "base/value.h"
#include "column/batch.h"

/* The type of a constant; `wanted` is a declared one, or nulltype. 0, or -1 with err where it has
 * none (a nil without a declared type, a table) or does not fit the declared one. */
int tm_constant_type(const tm_value *value, const char *name, tm_type wanted, tm_type *out,
                     tm_error *err);
/* Fills a column of the batch (its type is set) with the constant. 0 or -1 with err. */
int tm_constant_column(const tm_value *value, tm_batch *batch, uint32_t column, tm_error *err);

#endif
