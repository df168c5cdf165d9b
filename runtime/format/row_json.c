/* format/row_json.c: see row_json.h. Not for bulk: the JSON lines writer has its own loops. */
#include "format/row_json.h"

#include <string.h>

#include "kernel/print.h"

static bool put_escape(tm_bytes *out, unsigned char c) {
  switch (c) {
    case '"': return tm_bytes_append(out, "\\\"", 2);
    case '\\': return tm_bytes_append(out, "\\\\", 2);
    case '\n': return tm_bytes_append(out, "\\n", 2);
    case '\r': return tm_bytes_append(out, "\\r", 2);
    case '\t': return tm_bytes_append(out, "\\t", 2);
    default: return tm_bytes_format(out, "\\u%04x", c);
  }
}

static bool put_string(tm_bytes *out, const char *text, size_t size) {
  if (!tm_bytes_append_byte(out, '"')) return false;
  size_t from = 0;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    if (!tm_bytes_append(out, text + from, i - from) || !put_escape(out, c)) return false;
    from = i + 1;
  }
  return tm_bytes_append(out, text + from, size - from) && tm_bytes_append_byte(out, '"');
}

static bool put_base64(tm_bytes *out, const char *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *in = (const unsigned char *)bytes;
  for (size_t i = 0; i < size; i += 3) {
    uint32_t n = (uint32_t)in[i] << 16 | (i + 1 < size ? (uint32_t)in[i + 1] << 8 : 0) |
                 (i + 2 < size ? in[i + 2] : 0);
    char group[4] = {digits[n >> 18], digits[n >> 12 & 63],
                     i + 1 < size ? digits[n >> 6 & 63] : '=', i + 2 < size ? digits[n & 63] : '='};
    if (!tm_bytes_append(out, group, 4)) return false;
  }
  return true;
}

static size_t print_time(char *out, int64_t us, const tm_zone *zone) {
  if (zone == NULL) return tm_print_timestamp(out, us, 0, true);
  return tm_print_timestamp(out, us, tm_zone_offset_at(zone, us), false);
}

static bool put_float(tm_bytes *out, double value) {
  char text[TM_PRINT_MAX];
  size_t size = tm_print_float64(text, value);
  if (value - value == 0) return tm_bytes_append(out, text, size);
  return put_string(out, text, size); /* NaN and infinities are strings */
}

static bool put_value(tm_bytes *out, const tm_column *c, uint32_t row) {
  char text[TM_PRINT_MAX];
  size_t size = 0;
  const tm_str *s = c->data;
  switch ((tm_kind)c->type.kind) {
    case TM_NULLTYPE: return tm_bytes_append(out, "null", 4);
    case TM_BOOL: return tm_bytes_append_text(out, ((uint8_t *)c->data)[row] ? "true" : "false");
    case TM_INT32: size = tm_print_int64(text, ((int32_t *)c->data)[row]); break;
    case TM_INT64: size = tm_print_int64(text, ((int64_t *)c->data)[row]); break;
    case TM_FLOAT64: return put_float(out, ((double *)c->data)[row]);
    case TM_DECIMAL:
      size = tm_print_decimal(text,
                              tm_type_width(c->type) == 8 ? (__int128)((int64_t *)c->data)[row]
                                                          : ((__int128 *)c->data)[row],
                              c->type.scale);
      break;
    case TM_STRING: return put_string(out, tm_str_bytes(&s[row]), s[row].size);
    case TM_BYTES:
      return tm_bytes_append_byte(out, '"') &&
             put_base64(out, tm_str_bytes(&s[row]), s[row].size) && tm_bytes_append_byte(out, '"');
    case TM_DATE:
      size = tm_print_date(text, ((int32_t *)c->data)[row]);
      return put_string(out, text, size);
    case TM_TIMESTAMP:
      size = print_time(text, ((int64_t *)c->data)[row], c->type.zone);
      return put_string(out, text, size);
  }
  return tm_bytes_append(out, text, size);
}

bool tm_row_json(tm_bytes *out, const tm_batch *batch, uint32_t row) {
  bool first = true;
  if (!tm_bytes_append_byte(out, '{')) return false;
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    const tm_column *c = &batch->columns[i];
    if (c->data == NULL) continue;
    const char *name = batch->schema->fields[i].name;
    if (!first && !tm_bytes_append_byte(out, ',')) return false;
    first = false;
    if (!put_string(out, name, strlen(name)) || !tm_bytes_append_byte(out, ':')) return false;
    bool done = tm_column_is_null(c, row) ? tm_bytes_append(out, "null", 4)
                                          : put_value(out, c, row);
    if (!done) return false;
  }
  return tm_bytes_append_byte(out, '}');
}
