/* format/json_text.h: values as JSON text. */
#ifndef TM_FORMAT_JSON_TEXT_H
#define TM_FORMAT_JSON_TEXT_H

#include "base/bytes.h"
#include "column/batch.h"

/* In quotes, escaped; bytes beyond ASCII as they are. false: out of memory, as below. */
bool tm_json_text_string(tm_bytes *out, const char *text, size_t size);
/* Any value; null where the row is null. */
bool tm_json_text_value(tm_bytes *out, const tm_column *column, uint32_t row);

#endif
