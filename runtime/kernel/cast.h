/* kernel/cast.h: columns into wider types. */
#ifndef TM_KERNEL_CAST_H
#define TM_KERNEL_CAST_H

#include "column/batch.h"

/* Column `column` of `out` (its type is set, the same number of rows as `in`) becomes `in` in that
 * type: shared where the bytes are the same, else converted. Only what tm_type_unify widens to.
 * 0, or -1 when out of memory. */
int tm_cast_widen(tm_batch *out, uint32_t column, const tm_column *in);

/* Decimals of much scale and whole numbers of many digits may together have more than 38 digits.
 * Where that can be, a value that does not fit becomes TM_CAST_TOO_WIDE, which no value is. */
#define TM_CAST_TOO_WIDE ((__int128)((unsigned __int128)1 << 127))
bool tm_cast_may_overflow(tm_type from, tm_type to);

#endif
