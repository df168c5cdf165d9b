/* format/cell_text.c: see cell_text.h. */
#include "format/cell_text.h"

#include <assert.h>

#include "format/base64.h"

static size_t print_time(int64_t us, const tm_zone *zone, char *out) {
  if (zone == NULL) return tm_print_timestamp(out, us, 0, true);
  return tm_print_timestamp(out, us, tm_zone_offset_at(zone, us), false);
}

static size_t print_decimal(const tm_column *c, uint32_t row, char *out) {
  __int128 value = c->type.precision <= TM_DECIMAL_SHORT ? ((const int64_t *)c->data)[row]
                                                         : ((const __int128 *)c->data)[row];
  return tm_print_decimal(out, value, c->type.scale);
}

size_t tm_cell_text_print(const tm_column *c, uint32_t row, char *out) {
  switch ((tm_kind)c->type.kind) {
    case TM_BOOL:
      if (((const uint8_t *)c->data)[row]) {
        memcpy(out, "true", 4);
        return 4;
      }
      memcpy(out, "false", 5);
      return 5;
    case TM_INT32: return tm_print_int64(out, ((const int32_t *)c->data)[row]);
    case TM_INT64: return tm_print_int64(out, ((const int64_t *)c->data)[row]);
    case TM_FLOAT64: return tm_print_float64(out, ((const double *)c->data)[row]);
    case TM_DECIMAL: return print_decimal(c, row, out);
    case TM_DATE: return tm_print_date(out, ((const int32_t *)c->data)[row]);
    case TM_TIMESTAMP: return print_time(((const int64_t *)c->data)[row], c->type.zone, out);
    case TM_NULLTYPE: return 0;
    case TM_STRING:
    case TM_BYTES: break;
  }
  assert(!"strings are not printed");
  return 0;
}

static bool append_base64(const tm_str *s, tm_bytes *out) {
  size_t size = tm_base64_encoded(s->size);
  if (!tm_bytes_reserve(out, size)) return false;
  tm_base64_encode(tm_str_bytes(s), s->size, (char *)out->data + out->size);
  out->size += size;
  return true;
}

bool tm_cell_text_append(const tm_column *c, uint32_t row, tm_bytes *out) {
  if (c->type.kind == TM_NULLTYPE || tm_column_is_null(c, row)) return true;
  const tm_str *s = c->data;
  if (c->type.kind == TM_STRING) return tm_bytes_append(out, tm_str_bytes(&s[row]), s[row].size);
  if (c->type.kind == TM_BYTES) return append_base64(&s[row], out);
  if (!tm_bytes_reserve(out, TM_PRINT_MAX)) return false;
  out->size += tm_cell_text_print(c, row, (char *)out->data + out->size);
  return true;
}
