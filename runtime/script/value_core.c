/* script/value_core.c: what the front end needs of values: parsing parameters by type, tm.id. */
#include <string.h>

#include "base/hash.h"
#include "base/value.h"
#include "base/zone.h"
#include "column/schema.h"
#include "kernel/calendar.h"
#include "kernel/parse.h"
#include "script/value_parts.h"

/* Besides the types of columns. */
static const struct { const char *word, *type; } words[] = {
  {"text", "string"}, {"int", "int64"}, {"integer", "int64"}, {"float", "float64"},
  {"boolean", "bool"}, {"decimal", "decimal(38,0)"}, {"time", "timestamp"},
};

static bool find_type(const char *word, tm_type *out) {
  tm_error ignored = {0};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (strcmp(words[i].word, word) == 0) word = words[i].type;
  }
  return tm_type_parse(word, out, &ignored) == 0 && out->kind != TM_BYTES;
}

static int is_type(lua_State *L) {
  tm_type type;
  const char *word = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
  lua_pushboolean(L, strcmp(word, "duration") == 0 || find_type(word, &type));
  return 1;
}

static int is_size(lua_State *L) {
  size_t size;
  uint64_t bytes;
  const char *text = luaL_checklstring(L, 1, &size);
  lua_pushboolean(L, tm_size_parse(text, size, &bytes) == 0);
  return 1;
}

/* The scale that the text itself has. */
static int own_scale(const char *text, size_t size) {
  const char *point = memchr(text, '.', size);
  int digits = 0;
  if (point == NULL) return 0;
  for (const char *at = point + 1; at < text + size && *at >= '0' && *at <= '9'; at++) digits++;
  return digits;
}

bool tm_value_decimal_parse(const char *text, size_t size, tm_lua_decimal *out) {
  out->scale = own_scale(text, size);
  return out->scale <= TM_DECIMAL_MAX &&
         tm_parse_decimal128(text, size, TM_DECIMAL_MAX, out->scale, &out->value) == TM_PARSE_OK;
}

static bool push_timestamp(lua_State *L, tm_type type, const char *text, size_t size) {
  int64_t local_us, us;
  int offset;
  if (tm_parse_timestamp(text, size, &local_us, &offset) != TM_PARSE_OK) return false;
  if (offset != TM_PARSE_NO_OFFSET) {
    us = local_us - (int64_t)offset * TM_CALENDAR_SECOND_US;
  } else if (tm_zone_to_utc(type.zone != NULL ? type.zone : tm_zone_utc(), local_us, &us) ==
             TM_ZONE_GAP) {
    return false;
  }
  lua_pushinteger(L, us);
  return true;
}

static bool push_decimal(lua_State *L, const char *word, tm_type type, const char *text,
                         size_t size) {
  tm_lua_decimal d;
  if (strcmp(word, "decimal") == 0) {
    if (!tm_value_decimal_parse(text, size, &d)) return false;
  } else {
    d.scale = type.scale;
    if (tm_parse_decimal128(text, size, type.precision, type.scale, &d.value) != TM_PARSE_OK) {
      return false;
    }
  }
  tm_values_push_decimal(L, d.value, d.scale);
  return true;
}

static bool push_parsed(lua_State *L, const char *word, const char *text, size_t size) {
  tm_type type;
  int64_t integer;
  int32_t narrow;
  double number;
  bool truth;
  if (strcmp(word, "duration") == 0) {
    if (tm_duration_parse(text, size, &integer) < 0) return false;
    tm_values_push_duration(L, integer, 0);
    return true;
  }
  if (!find_type(word, &type)) return false;
  switch ((tm_kind)type.kind) {
    case TM_BOOL:
      if (tm_parse_bool(text, size, &truth) != TM_PARSE_OK) return false;
      lua_pushboolean(L, truth);
      return true;
    case TM_INT32:
      if (tm_parse_int32(text, size, &narrow) != TM_PARSE_OK) return false;
      lua_pushinteger(L, narrow);
      return true;
    case TM_INT64:
      if (tm_parse_int64(text, size, &integer) != TM_PARSE_OK) return false;
      lua_pushinteger(L, integer);
      return true;
    case TM_FLOAT64:
      if (tm_parse_float64(text, size, &number) != TM_PARSE_OK) return false;
      lua_pushnumber(L, number);
      return true;
    case TM_DATE:
      if (tm_parse_date(text, size, &narrow) != TM_PARSE_OK) return false;
      tm_values_push_date(L, narrow);
      return true;
    case TM_TIMESTAMP: return push_timestamp(L, type, text, size);
    case TM_DECIMAL: return push_decimal(L, word, type, text, size);
    case TM_STRING:
      lua_pushlstring(L, text, size);
      return true;
    case TM_BYTES: case TM_NULLTYPE: break;
  }
  return false;
}

/* parse(type, text): the value, nil where the text is none. */
static int parse(lua_State *L) {
  size_t size;
  const char *word = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &size);
  if (!push_parsed(L, word, text, size)) lua_pushnil(L);
  return 1;
}

/* ------------------------------------------------------------------ ids */

/* Each value with its type, so that 1 and "1" differ; equal values have one form. */
static uint64_t hash_value(lua_State *L, uint64_t hash) {
  size_t size;
  const char *text;
  const tm_lua_decimal *decimal = tm_values_decimal(L, -1);
  const tm_lua_date *date = tm_values_date(L, -1);
  if (decimal != NULL) {
    __int128 value = decimal->value;
    int scale = decimal->scale;
    for (; scale > 0 && value % 10 == 0; scale--) value /= 10;
    hash = tm_hash_combine(hash, (uint64_t)scale + 64);
    hash = tm_hash_combine(hash, (uint64_t)value);
    return tm_hash_combine(hash, (uint64_t)(value >> 64));
  }
  if (date != NULL) return tm_hash_combine(tm_hash_combine(hash, 2), (uint64_t)date->days);
  switch (lua_type(L, -1)) {
    case LUA_TNIL: return tm_hash_combine(hash, 3);
    case LUA_TBOOLEAN: return tm_hash_combine(hash, lua_toboolean(L, -1) ? 4 : 5);
    case LUA_TSTRING:
      text = lua_tolstring(L, -1, &size);
      return tm_hash_combine(tm_hash_combine(hash, 6), tm_hash_bytes(text, size));
    case LUA_TNUMBER: {
      if (lua_isinteger(L, -1)) {
        return tm_hash_combine(tm_hash_combine(hash, 7), (uint64_t)lua_tointeger(L, -1));
      }
      double number = lua_tonumber(L, -1);
      return tm_hash_combine(tm_hash_combine(hash, 8), tm_hash_bytes(&number, sizeof number));
    }
    default: luaL_error(L, "tm.id cannot take %s", tm_values_a_type_name(L, -1));
  }
  return hash;
}

/* id(count, values): 32 hexadecimal digits. */
static int id(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  uint64_t halves[2] = {TM_HASH_A, TM_HASH_B};
  char text[32];
  lua_Integer count = luaL_checkinteger(L, 1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    for (int half = 0; half < 2; half++) halves[half] = hash_value(L, halves[half]);
    lua_pop(L, 1);
  }
  for (int i = 0; i < 32; i++) text[i] = digits[halves[i / 16] >> (60 - i % 16 * 4) & 15];
  lua_pushlstring(L, text, sizeof text);
  return 1;
}

void tm_values_fill_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"is_type", is_type}, {"is_size", is_size}, {"parse", parse}, {"id", id}, {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  tm_values_push_null(L);
  lua_setfield(L, -2, "null");
}
