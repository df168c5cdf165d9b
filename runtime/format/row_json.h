/* format/row_json.h: one row as a JSON object, keys in schema order; for messages and refused rows.
 * Columns that nobody decoded are left out. */
#ifndef TM_FORMAT_ROW_JSON_H
#define TM_FORMAT_ROW_JSON_H

#include "base/bytes.h"
#include "column/batch.h"

/* Appends; false when out of memory. */
bool tm_row_json(tm_bytes *out, const tm_batch *batch, uint32_t row);

#endif
