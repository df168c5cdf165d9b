/* format/row_json.c: see row_json.h. Not for bulk: the JSON lines writer has its own loops. */
#include "format/row_json.h"

#include <string.h>

#include "format/json_text.h"

bool tm_row_json(tm_bytes *out, const tm_batch *batch, uint32_t row) {
  bool first = true;
  if (!tm_bytes_append_byte(out, '{')) return false;
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    const tm_column *c = &batch->columns[i];
    if (c->data == NULL && c->type.kind != TM_NULLTYPE) continue;
    const char *name = batch->schema->fields[i].name;
    if (!first && !tm_bytes_append_byte(out, ',')) return false;
    first = false;
    if (!tm_json_text_string(out, name, strlen(name)) || !tm_bytes_append_byte(out, ':') ||
        !tm_json_text_value(out, c, row)) {
      return false;
    }
  }
  return tm_bytes_append_byte(out, '}');
}
