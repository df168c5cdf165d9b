/* state/key_bytes.h: a key tuple as bytes that order as the keys do.
 *
 * Two keys are equal where their bytes are, and memcmp (the shorter first where one begins with the
 * other) orders them column by column: nulls first, NaN greatest, strings by bytes. Zeros have no
 * sign, all NaNs are one. For state that finds, orders and forgets keys one by one; tables that
 * only grow are quicker with key_table.h. */
#ifndef TM_STATE_KEY_BYTES_H
#define TM_STATE_KEY_BYTES_H

#include "base/bytes.h"
#include "column/batch.h"

/* Writes the key of a row behind what `out` holds. false: out of memory. */
bool tm_key_bytes_append(const tm_column *const *columns, uint32_t count, uint32_t row,
                         tm_bytes *out);
/* The same over what it held. */
bool tm_key_bytes_write(const tm_column *const *columns, uint32_t count, uint32_t row,
                        tm_bytes *out);
/* Whether those are the bytes of a key of such types: what was saved may be damaged. */
bool tm_key_bytes_check(const uint8_t *bytes, size_t size, const tm_type *types, uint32_t count);
/* Back into a row of the first `count` columns of `out`, which have data (and valid, unless not
 * null); the bytes are sound. 0, or -1: out of memory. */
int tm_key_bytes_read(const uint8_t *bytes, size_t size, uint32_t count, tm_batch *out,
                      uint32_t row);

#endif
