/* script/convert.c: see the header. */
#include "script/convert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/power.h"
#include "kernel/utf8.h"
#include "script/value_parts.h"

/* ------------------------------------------------------------------ refusing */

static int refuse(tm_convert_fault *fault, tm_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(tm_convert_fault *fault, tm_reason reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)vsnprintf(fault->message, sizeof fault->message, format, args);
  va_end(args);
  fault->reason = reason;
  return TM_CONVERT_REFUSED;
}

/* "'qty' is int64, but the function returned a string" */
static int refuse_type(lua_State *L, int index, const tm_field *field, tm_convert_fault *fault) {
  char type[TM_TYPE_TEXT_MAX];
  tm_type plain = field->type;
  plain.not_null = 0;
  if (field->name == NULL) {
    return refuse(fault, TM_REASON_TYPE, "the result is %s, but the function returned %s",
                  tm_type_text(plain, type), tm_values_a_type_name(L, index));
  }
  return refuse(fault, TM_REASON_TYPE, "'%.60s' is %s, but the function returned %s", field->name,
                tm_type_text(plain, type), tm_values_a_type_name(L, index));
}

static const char *name_of(const tm_field *field) {
  return field->name == NULL ? "result" : field->name;
}

/* ------------------------------------------------------------------ numbers */

static int read_integer(lua_State *L, int index, const tm_field *field, int64_t *out,
                        tm_convert_fault *fault) {
  if (lua_isinteger(L, index)) {
    *out = lua_tointeger(L, index);
    return TM_CONVERT_OK;
  }
  if (lua_type(L, index) != LUA_TNUMBER) return refuse_type(L, index, field, fault);
  double number = lua_tonumber(L, index);
  if (number != floor(number) || isinf(number)) return refuse_type(L, index, field, fault);
  if (number < -0x1p63 || number >= 0x1p63) {
    return refuse(fault, TM_REASON_RANGE, "%.17g is out of range for '%.60s'", number,
                  name_of(field));
  }
  *out = (int64_t)number;
  return TM_CONVERT_OK;
}

static int store_int32(lua_State *L, int index, const tm_field *field, int32_t *out,
                       tm_convert_fault *fault) {
  int64_t value;
  int status = read_integer(L, index, field, &value, fault);
  if (status != TM_CONVERT_OK) return status;
  if (value < INT32_MIN || value > INT32_MAX) {
    return refuse(fault, TM_REASON_RANGE, "%lld is out of range for '%.60s', which is int32",
                  (long long)value, name_of(field));
  }
  *out = (int32_t)value;
  return TM_CONVERT_OK;
}

/* To the column's scale, exactly: digits that would be lost refuse the row. */
static bool rescale(__int128 value, int from, int to, __int128 *out) {
  if (to >= from) {
    if (to - from > TM_DECIMAL_MAX) return value == 0;
    return !__builtin_mul_overflow(value, (__int128)tm_power_u128(to - from), out);
  }
  __int128 unit = (__int128)tm_power_u128(from - to);
  *out = value / unit;
  return value % unit == 0;
}

static int store_decimal(lua_State *L, int index, const tm_field *field, tm_column *column,
                         uint32_t row, tm_convert_fault *fault) {
  const tm_lua_decimal *d = tm_values_decimal(L, index);
  __int128 value, result = 0;
  int scale = 0;
  if (d != NULL) {
    value = d->value;
    scale = d->scale;
  } else if (lua_isinteger(L, index)) {
    value = lua_tointeger(L, index);
  } else {
    return refuse_type(L, index, field, fault);
  }
  __int128 limit = (__int128)tm_power_u128(field->type.precision);
  if (!rescale(value, scale, field->type.scale, &result) || result >= limit || result <= -limit) {
    char type[TM_TYPE_TEXT_MAX];
    tm_type plain = field->type;
    plain.not_null = 0;
    return refuse(fault, TM_REASON_DECIMAL, "'%.60s' is %s, which cannot hold what the function "
                  "returned; tm.round gives it fewer digits", name_of(field),
                  tm_type_text(plain, type));
  }
  if (field->type.precision <= TM_DECIMAL_SHORT) ((int64_t *)column->data)[row] = (int64_t)result;
  else ((__int128 *)column->data)[row] = result;
  return TM_CONVERT_OK;
}

/* ------------------------------------------------------------------ the rest */

static int store_text(lua_State *L, int index, const tm_field *field, tm_str *out,
                      tm_arena *arena, tm_convert_fault *fault) {
  size_t size;
  if (lua_type(L, index) != LUA_TSTRING) return refuse_type(L, index, field, fault);
  const char *text = lua_tolstring(L, index, &size);
  if (field->type.kind == TM_STRING && !tm_utf8_valid(text, size)) {
    return refuse(fault, TM_REASON_ENCODING, "'%.60s' is not valid UTF-8", name_of(field));
  }
  if (size > UINT32_MAX) {
    return refuse(fault, TM_REASON_TOO_LONG, "'%.60s' is longer than 4 GiB", name_of(field));
  }
  if (size > TM_STR_INLINE) {
    char *copy = tm_arena_alloc(arena, size);
    if (copy == NULL) return TM_CONVERT_NO_MEMORY;
    memcpy(copy, text, size);
    text = copy;
  }
  *out = tm_str_make(text, size);
  return TM_CONVERT_OK;
}

static int store_value(lua_State *L, int index, const tm_field *field, tm_column *column,
                       uint32_t row, tm_arena *arena, tm_convert_fault *fault) {
  const tm_lua_date *date;
  switch ((tm_kind)field->type.kind) {
    case TM_BOOL:
      if (!lua_isboolean(L, index)) break;
      ((uint8_t *)column->data)[row] = lua_toboolean(L, index) != 0;
      return TM_CONVERT_OK;
    case TM_INT32:
      return store_int32(L, index, field, &((int32_t *)column->data)[row], fault);
    case TM_INT64: case TM_TIMESTAMP:
      return read_integer(L, index, field, &((int64_t *)column->data)[row], fault);
    case TM_FLOAT64:
      if (lua_type(L, index) != LUA_TNUMBER) break;
      ((double *)column->data)[row] = lua_tonumber(L, index);
      return TM_CONVERT_OK;
    case TM_DECIMAL: return store_decimal(L, index, field, column, row, fault);
    case TM_STRING: case TM_BYTES:
      return store_text(L, index, field, &((tm_str *)column->data)[row], arena, fault);
    case TM_DATE:
      date = tm_values_date(L, index);
      if (date == NULL) break;
      ((int32_t *)column->data)[row] = date->days;
      return TM_CONVERT_OK;
    case TM_NULLTYPE: break;
  }
  return refuse_type(L, index, field, fault);
}

bool tm_convert_allocate(tm_column *column, tm_type type, uint32_t rows, tm_arena *arena) {
  if (column->data != NULL) return true;
  column->type = type;
  size_t width = type.kind == TM_NULLTYPE ? 1 : tm_type_width(type);
  column->data = tm_arena_alloc(arena, rows * width + 1);
  if (column->data == NULL) return false;
  if (type.not_null) return true;
  column->valid = tm_arena_alloc(arena, (size_t)rows + 1);
  if (column->valid == NULL) return false;
  memset(column->valid, 1, rows);
  return true;
}

int tm_convert_store(lua_State *L, int index, const tm_field *field, tm_column *column,
                     uint32_t row, uint32_t rows, tm_arena *arena, tm_convert_fault *fault) {
  if (!tm_convert_allocate(column, field->type, rows, arena)) return TM_CONVERT_NO_MEMORY;
  if (lua_isnil(L, index) || tm_values_is_null(L, index)) {
    if (field->type.not_null) {
      return refuse(fault, TM_REASON_NULL, "'%.60s' is not null, but the function returned nil",
                    name_of(field));
    }
    column->valid[row] = 0;
    return TM_CONVERT_OK;
  }
  int status = store_value(L, index, field, column, row, arena, fault);
  if (status == TM_CONVERT_OK && column->valid != NULL) column->valid[row] = 1;
  return status;
}

int tm_convert_guess(lua_State *L, int index, tm_type *out) {
  const tm_lua_decimal *d = tm_values_decimal(L, index);
  tm_kind kind;
  if (d != NULL) {
    *out = tm_type_decimal(d->scale > TM_DECIMAL_SHORT ? TM_DECIMAL_MAX : TM_DECIMAL_SHORT,
                           d->scale);
    return 0;
  }
  if (tm_values_date(L, index) != NULL) kind = TM_DATE;
  else if (tm_values_is_null(L, index)) kind = TM_NULLTYPE;
  else {
    switch (lua_type(L, index)) {
      case LUA_TNIL: kind = TM_NULLTYPE; break;
      case LUA_TBOOLEAN: kind = TM_BOOL; break;
      case LUA_TNUMBER: kind = lua_isinteger(L, index) ? TM_INT64 : TM_FLOAT64; break;
      case LUA_TSTRING: kind = TM_STRING; break;
      default: return -1;
    }
  }
  *out = tm_type_of(kind);
  return 0;
}
