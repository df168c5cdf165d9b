/* stage/constant.c: see constant.h. Conversions are those of a returned value: integers become
 * floats and decimals, integral floats integers. */
#include "stage/constant.h"

#include <math.h>
#include <string.h>

#include "kernel/decimal.h"
#include "kernel/utf8.h"

static tm_type natural_type(const tm_value *v) {
  switch (v->kind) {
    case TM_VALUE_BOOL: return tm_type_of(TM_BOOL);
    case TM_VALUE_INT:
    case TM_VALUE_DURATION: return tm_type_of(TM_INT64);
    case TM_VALUE_FLOAT: return tm_type_of(TM_FLOAT64);
    case TM_VALUE_TEXT: return tm_type_of(TM_STRING);
    case TM_VALUE_DECIMAL: {
      int digits = tm_decimal_digits(v->decimal);
      if (digits < v->scale) digits = v->scale;
      return tm_type_decimal(digits < 1 ? 1 : digits, v->scale);
    }
    case TM_VALUE_DATE: return tm_type_of(TM_DATE);
    case TM_VALUE_TIMESTAMP: return tm_type_of(TM_TIMESTAMP);
    default: return tm_type_of(TM_NULLTYPE);
  }
}

static bool fits_integer(const tm_value *v, tm_type natural, tm_type wanted) {
  if (natural.kind == TM_FLOAT64) {
    double most = wanted.kind == TM_INT32 ? 0x1p31 : 0x1p63;
    return v->number == floor(v->number) && v->number >= -most && v->number < most;
  }
  return natural.kind == TM_INT64 && (wanted.kind == TM_INT64 || (int32_t)v->integer == v->integer);
}

static bool converts(const tm_value *v, tm_type natural, tm_type wanted) {
  if (v->kind == TM_VALUE_NIL) return !wanted.not_null;
  if (natural.kind == wanted.kind) return true;
  if (tm_type_is_integer(wanted)) return fits_integer(v, natural, wanted);
  if (natural.kind == TM_INT64) {
    return wanted.kind == TM_FLOAT64 || wanted.kind == TM_DECIMAL || wanted.kind == TM_TIMESTAMP;
  }
  return natural.kind == TM_STRING && wanted.kind == TM_BYTES;
}

int tm_constant_type(const tm_value *v, const char *name, tm_type wanted, tm_type *out,
                     tm_error *err) {
  tm_type natural = natural_type(v);
  if (natural.kind == TM_NULLTYPE && v->kind != TM_VALUE_NIL) {
    return tm_fail(err, TM_E_VALUE, "'%s': a %s is no value of a column", name,
                   tm_value_kind_name(v->kind));
  }
  if (natural.kind == TM_NULLTYPE && wanted.kind == TM_NULLTYPE) {
    tm_fail(err, TM_E_UNTYPED, "'%s' is nil: its type must be said", name);
    return tm_error_help(err, "%s = { tm.null, \"string\" }", name);
  }
  if (v->kind == TM_VALUE_TEXT && wanted.kind != TM_BYTES && !tm_utf8_valid(v->text, v->size)) {
    return tm_fail(err, TM_E_VALUE, "'%s' is not valid UTF-8", name);
  }
  if (wanted.kind == TM_NULLTYPE) {
    *out = natural;
    out->not_null = 1;
    return 0;
  }
  if (!converts(v, natural, wanted)) {
    char want_text[TM_TYPE_TEXT_MAX];
    return tm_fail(err, TM_E_TYPE, "'%s': a %s does not fit %s", name, tm_value_kind_name(v->kind),
                   tm_type_text(wanted, want_text));
  }
  *out = wanted;
  return 0;
}

static int put_decimal(const tm_value *v, tm_type type, __int128 *out, tm_error *err) {
  __int128 value = v->kind == TM_VALUE_DECIMAL ? v->decimal : v->integer;
  int scale = v->kind == TM_VALUE_DECIMAL ? v->scale : 0;
  if (scale > type.scale ||
      tm_decimal_rescale(value, scale, type.scale, TM_ROUND_HALF_EVEN, out) < 0 ||
      tm_decimal_digits(*out) > type.precision) {
    char text[TM_TYPE_TEXT_MAX];
    return tm_fail(err, TM_E_TYPE, "a constant does not fit %s", tm_type_text(type, text));
  }
  return 0;
}

#define FILL(type_name, value)                                                                  \
  do {                                                                                          \
    type_name *to = c->data, filler = (value);                                                  \
    for (uint32_t i = 0; i < batch->rows; i++) to[i] = filler;                                  \
  } while (0)

int tm_constant_column(const tm_value *v, tm_batch *batch, uint32_t column, tm_error *err) {
  tm_column *c = &batch->columns[column];
  if (tm_batch_column(batch, column, v->kind == TM_VALUE_NIL) < 0) {
    return tm_fail(err, TM_E_MEMORY, "out of memory");
  }
  if (v->kind == TM_VALUE_NIL) {
    memset(c->valid, 0, batch->rows);
    return 0;
  }
  double number = v->kind == TM_VALUE_FLOAT ? v->number : (double)v->integer;
  int64_t integer = v->kind == TM_VALUE_FLOAT ? (int64_t)v->number : v->integer;
  __int128 decimal = 0;
  tm_str text = {0};
  if (c->type.kind == TM_DECIMAL && put_decimal(v, c->type, &decimal, err) < 0) return -1;
  if (v->kind == TM_VALUE_TEXT && !tm_batch_text(batch, v->text, v->size, &text)) {
    return tm_fail(err, TM_E_MEMORY, "out of memory");
  }
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: FILL(uint8_t, v->boolean); break;
    case TM_PHYSICAL_I32: FILL(int32_t, (int32_t)integer); break;
    case TM_PHYSICAL_I64:
      FILL(int64_t, c->type.kind == TM_DECIMAL ? (int64_t)decimal : integer);
      break;
    case TM_PHYSICAL_F64: FILL(double, number); break;
    case TM_PHYSICAL_I128: FILL(__int128, decimal); break;
    case TM_PHYSICAL_STR: FILL(tm_str, text); break;
  }
  return 0;
}
