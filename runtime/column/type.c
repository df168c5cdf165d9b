/* column/type.c: types by value, and which of them go together. */
#include "column/type.h"

#include <assert.h>
#include <stdio.h>

static const char *const kind_names[] = {
  "null", "bool", "int32", "int64", "float64", "decimal", "string", "bytes", "date", "timestamp",
};

tm_type tm_type_of(tm_kind kind) {
  assert(kind != TM_DECIMAL);
  return (tm_type){.kind = (uint8_t)kind};
}

tm_type tm_type_decimal(int precision, int scale) {
  assert(precision >= 1 && precision <= TM_DECIMAL_MAX && scale >= 0 && scale <= precision);
  return (tm_type){.kind = TM_DECIMAL, .precision = (uint8_t)precision, .scale = (uint8_t)scale};
}

tm_physical tm_type_physical(tm_type type) {
  switch ((tm_kind)type.kind) {
    case TM_NULLTYPE:
    case TM_BOOL: return TM_PHYSICAL_U8;
    case TM_INT32:
    case TM_DATE: return TM_PHYSICAL_I32;
    case TM_INT64:
    case TM_TIMESTAMP: return TM_PHYSICAL_I64;
    case TM_FLOAT64: return TM_PHYSICAL_F64;
    case TM_DECIMAL:
      return type.precision <= TM_DECIMAL_SHORT ? TM_PHYSICAL_I64 : TM_PHYSICAL_I128;
    case TM_STRING:
    case TM_BYTES: return TM_PHYSICAL_STR;
  }
  assert(!"unknown kind");
  return TM_PHYSICAL_U8;
}

size_t tm_type_width(tm_type type) {
  static const uint8_t widths[] = {1, 4, 8, 8, 16, 16};
  return widths[tm_type_physical(type)];
}

bool tm_type_equal(tm_type a, tm_type b) {
  return a.kind == b.kind && a.precision == b.precision && a.scale == b.scale && a.zone == b.zone;
}

bool tm_type_is_integer(tm_type type) { return type.kind == TM_INT32 || type.kind == TM_INT64; }

bool tm_type_is_number(tm_type type) {
  return tm_type_is_integer(type) || type.kind == TM_FLOAT64 || type.kind == TM_DECIMAL;
}

const char *tm_type_text(tm_type type, char out[TM_TYPE_TEXT_MAX]) {
  const char *not_null = type.not_null ? " not null" : "";
  if (type.kind == TM_DECIMAL) {
    snprintf(out, TM_TYPE_TEXT_MAX, "decimal(%d,%d)%s", type.precision, type.scale, not_null);
  } else if (type.kind == TM_TIMESTAMP && type.zone != NULL) {
    snprintf(out, TM_TYPE_TEXT_MAX, "timestamp('%s')%s", tm_zone_name(type.zone), not_null);
  } else {
    snprintf(out, TM_TYPE_TEXT_MAX, "%s%s", kind_names[type.kind], not_null);
  }
  return out;
}

/* An integer column beside a decimal one counts as a decimal of its widest digits. */
static tm_type as_decimal(tm_type type) {
  if (type.kind == TM_INT32) return tm_type_decimal(10, 0);
  if (type.kind == TM_INT64) return tm_type_decimal(19, 0);
  return type;
}

static bool unify_decimals(tm_type a, tm_type b, tm_type *out) {
  a = as_decimal(a);
  b = as_decimal(b);
  int scale = a.scale > b.scale ? a.scale : b.scale;
  int whole_a = a.precision - a.scale, whole_b = b.precision - b.scale;
  int precision = (whole_a > whole_b ? whole_a : whole_b) + scale;
  if (precision > TM_DECIMAL_MAX) precision = TM_DECIMAL_MAX;
  *out = tm_type_decimal(precision, scale);
  return true;
}

bool tm_type_unify(tm_type a, tm_type b, tm_type *out) {
  uint8_t not_null = a.not_null && b.not_null;
  if (a.kind == TM_NULLTYPE || b.kind == TM_NULLTYPE) {
    *out = a.kind == TM_NULLTYPE ? b : a;
    out->not_null = 0;
    return true;
  }
  bool fits = true;
  if (tm_type_equal(a, b)) {
    *out = a;
  } else if (tm_type_is_integer(a) && tm_type_is_integer(b)) {
    *out = tm_type_of(TM_INT64);
  } else if (a.kind == TM_DECIMAL && (b.kind == TM_DECIMAL || tm_type_is_integer(b))) {
    fits = unify_decimals(a, b, out);
  } else if (b.kind == TM_DECIMAL && tm_type_is_integer(a)) {
    fits = unify_decimals(a, b, out);
  } else if (a.kind == TM_FLOAT64 && tm_type_is_integer(b)) {
    *out = a;
  } else if (b.kind == TM_FLOAT64 && tm_type_is_integer(a)) {
    *out = b;
  } else {
    return false;
  }
  out->not_null = not_null;
  return fits;
}
