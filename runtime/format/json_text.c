/* format/json_text.c: see json_text.h. Strings are copied in one piece up to what needs escaping.
 * */
#include "format/json_text.h"

#include "format/cell_text.h"

static bool put_escape(tm_bytes *out, uint8_t c) {
  switch (c) {
    case '"': return tm_bytes_append(out, "\\\"", 2);
    case '\\': return tm_bytes_append(out, "\\\\", 2);
    case '\n': return tm_bytes_append(out, "\\n", 2);
    case '\r': return tm_bytes_append(out, "\\r", 2);
    case '\t': return tm_bytes_append(out, "\\t", 2);
    default: return tm_bytes_format(out, "\\u%04x", c);
  }
}

static bool is_plain(const char *text, size_t size) {
  uint8_t odd = 0;
  for (size_t i = 0; i < size; i++) {
    uint8_t c = (uint8_t)text[i];
    odd |= (c < 0x20) | (c == '"') | (c == '\\');
  }
  return odd == 0;
}

static bool put_escaped(tm_bytes *out, const char *text, size_t size) {
  size_t from = 0;
  for (size_t i = 0; i < size; i++) {
    uint8_t c = (uint8_t)text[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    if (!tm_bytes_append(out, text + from, i - from) || !put_escape(out, c)) return false;
    from = i + 1;
  }
  return tm_bytes_append(out, text + from, size - from);
}

bool tm_json_text_string(tm_bytes *out, const char *text, size_t size) {
  if (!tm_bytes_reserve(out, size + 2)) return false;
  out->data[out->size++] = '"';
  if (is_plain(text, size)) {
    memcpy(out->data + out->size, text, size);
    out->size += size;
  } else if (!put_escaped(out, text, size)) {
    return false;
  }
  return tm_bytes_append_byte(out, '"');
}

static bool put_printed(tm_bytes *out, const tm_column *c, uint32_t row, bool quoted) {
  if (!tm_bytes_reserve(out, TM_PRINT_MAX + 2)) return false;
  if (quoted) out->data[out->size++] = '"';
  out->size += tm_cell_text_print(c, row, (char *)out->data + out->size);
  if (quoted) out->data[out->size++] = '"';
  return true;
}

bool tm_json_text_value(tm_bytes *out, const tm_column *c, uint32_t row) {
  if (c->type.kind == TM_NULLTYPE || tm_column_is_null(c, row)) {
    return tm_bytes_append(out, "null", 4);
  }
  const tm_str *s = c->data;
  switch ((tm_kind)c->type.kind) {
    case TM_STRING: return tm_json_text_string(out, tm_str_bytes(&s[row]), s[row].size);
    case TM_BYTES:
      return tm_bytes_append_byte(out, '"') && tm_cell_text_append(c, row, out) &&
             tm_bytes_append_byte(out, '"');
    case TM_FLOAT64: { /* NaN and infinities are strings */
      double value = ((const double *)c->data)[row];
      return put_printed(out, c, row, value - value != 0);
    }
    case TM_DATE:
    case TM_TIMESTAMP: return put_printed(out, c, row, true);
    default: return put_printed(out, c, row, false);
  }
}
