/* script/values.c: making and telling apart tidemill's values, and the metatables of dates,
 * durations, secrets and null. Decimals have value_decimal.c, the functions on times value_time.c.
 *
 * Dates are interned: one userdata a day and state, in a weak table, so that they are keys. */
#include "script/values.h"

#include <lauxlib.h>
#include <string.h>

#include "kernel/calendar.h"
#include "kernel/print.h"
#include "script/host.h"
#include "script/sandbox.h"
#include "script/value_parts.h"

static const char null_key; /* its address is the payload of tm.null */

/* ------------------------------------------------------------------ making and telling apart */

static void *push(lua_State *L, size_t size, int metatable) {
  void *payload = lua_newuserdatauv(L, size, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, metatable);
  lua_setmetatable(L, -2);
  return payload;
}

void tm_values_push_decimal(lua_State *L, __int128 value, int scale) {
  tm_lua_decimal *d = push(L, sizeof *d, tm_host_of(L)->decimal_metatable);
  d->value = value;
  d->scale = scale;
}

void tm_values_push_date(lua_State *L, int32_t days) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, tm_host_of(L)->dates);
  if (lua_rawgeti(L, -1, days) == LUA_TNIL) {
    lua_pop(L, 1);
    tm_lua_date *date = push(L, sizeof *date, tm_host_of(L)->date_metatable);
    date->days = days;
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, days);
  }
  lua_remove(L, -2);
}

void tm_values_push_duration(lua_State *L, int64_t us, int32_t months) {
  tm_lua_duration *d = push(L, sizeof *d, tm_host_of(L)->duration_metatable);
  d->us = us;
  d->months = months;
}

void tm_values_push_null(lua_State *L) { lua_pushlightuserdata(L, (void *)&null_key); }

bool tm_values_is_null(lua_State *L, int index) {
  return lua_islightuserdata(L, index) && lua_touserdata(L, index) == &null_key;
}

static const void *payload(lua_State *L, int index, const void *type) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
  bool same = lua_topointer(L, -1) == type;
  lua_pop(L, 1);
  return same ? lua_touserdata(L, index) : NULL;
}

const tm_lua_decimal *tm_values_decimal(lua_State *L, int index) {
  return payload(L, index, tm_host_of(L)->decimal_type);
}

const tm_lua_date *tm_values_date(lua_State *L, int index) {
  return payload(L, index, tm_host_of(L)->date_type);
}

const tm_lua_duration *tm_values_duration(lua_State *L, int index) {
  return payload(L, index, tm_host_of(L)->duration_type);
}

const char *tm_values_type_name(lua_State *L, int index) {
  if (tm_values_decimal(L, index) != NULL) return "decimal";
  if (tm_values_date(L, index) != NULL) return "date";
  if (tm_values_duration(L, index) != NULL) return "duration";
  if (tm_values_is_null(L, index)) return "tm.null";
  if (lua_type(L, index) == LUA_TNUMBER) return lua_isinteger(L, index) ? "integer" : "float";
  if (luaL_testudata(L, index, TM_LUA_SECRET) != NULL) return "secret";
  return luaL_typename(L, index);
}

const char *tm_values_a_type_name(lua_State *L, int index) {
  const char *name = tm_values_type_name(L, index);
  return lua_pushfstring(L, "%s %s", strchr("aeiou", name[0]) != NULL ? "an" : "a", name);
}

/* ------------------------------------------------------------------ dates and durations */

static int refuse(lua_State *L, const char *verb) {
  const char *a = tm_values_a_type_name(L, 1), *b = tm_values_a_type_name(L, 2);
  return luaL_error(L, "attempt to %s %s and %s", verb, a, b);
}

static int64_t negated(lua_State *L, int64_t value) {
  if (value == INT64_MIN) luaL_error(L, "duration is out of range");
  return -value;
}

static int push_moved_date(lua_State *L, int32_t days, int64_t us, int64_t months) {
  int32_t moved = days;
  if (us % TM_CALENDAR_DAY_US != 0) {
    return luaL_error(L, "a date moves by whole days, as tm.days(1), or months");
  }
  if (months != 0 && tm_calendar_add_months(days, months, &moved) < 0) {
    return luaL_error(L, "date is out of range");
  }
  int64_t sum = (int64_t)moved + us / TM_CALENDAR_DAY_US;
  if (sum < TM_CALENDAR_DAY_MIN || sum > TM_CALENDAR_DAY_MAX) {
    return luaL_error(L, "date is out of range");
  }
  tm_values_push_date(L, (int32_t)sum);
  return 1;
}

static int push_moved_time(lua_State *L, lua_Integer time, int64_t us, int32_t months) {
  int64_t sum;
  if (months != 0) {
    return luaL_error(L, "months have no fixed length: move a date by them, not a timestamp");
  }
  if (__builtin_add_overflow((int64_t)time, us, &sum)) {
    return luaL_error(L, "timestamp is out of range");
  }
  lua_pushinteger(L, sum);
  return 1;
}

static int push_sum(lua_State *L, const tm_lua_duration *a, int64_t us, int64_t months) {
  int64_t us_sum, months_sum = a->months + months;
  if (__builtin_add_overflow(a->us, us, &us_sum) || months_sum > INT32_MAX ||
      months_sum < INT32_MIN) {
    return luaL_error(L, "duration is out of range");
  }
  if (us_sum != 0 && months_sum != 0) {
    return luaL_error(L, "months and days do not add up to one duration");
  }
  tm_values_push_duration(L, us_sum, (int32_t)months_sum);
  return 1;
}

static int time_add(lua_State *L) {
  int duration_at = tm_values_duration(L, 2) != NULL ? 2 : 1, at = 3 - duration_at;
  const tm_lua_duration *d = tm_values_duration(L, duration_at);
  const tm_lua_date *date = tm_values_date(L, at);
  const tm_lua_duration *other = tm_values_duration(L, at);
  if (d == NULL) return refuse(L, "add");
  if (date != NULL) return push_moved_date(L, date->days, d->us, d->months);
  if (other != NULL) return push_sum(L, other, d->us, d->months);
  if (lua_isinteger(L, at)) return push_moved_time(L, lua_tointeger(L, at), d->us, d->months);
  return refuse(L, "add");
}

static int time_subtract(lua_State *L) {
  const tm_lua_duration *d = tm_values_duration(L, 2), *other = tm_values_duration(L, 1);
  const tm_lua_date *date = tm_values_date(L, 1), *earlier = tm_values_date(L, 2);
  if (date != NULL && earlier != NULL) {
    lua_pushinteger(L, (lua_Integer)date->days - earlier->days);
    return 1;
  }
  if (d == NULL) return refuse(L, "subtract");
  int64_t us = negated(L, d->us);
  if (date != NULL) return push_moved_date(L, date->days, us, -(int64_t)d->months);
  if (other != NULL) return push_sum(L, other, us, -(int64_t)d->months);
  if (lua_isinteger(L, 1)) return push_moved_time(L, lua_tointeger(L, 1), us, d->months);
  return refuse(L, "subtract");
}

static int duration_multiply(lua_State *L) {
  const tm_lua_duration *d = tm_values_duration(L, 1);
  int factor_at = d != NULL ? 2 : 1;
  if (d == NULL) d = tm_values_duration(L, 2);
  if (d == NULL || !lua_isinteger(L, factor_at)) return refuse(L, "multiply");
  int64_t factor = lua_tointeger(L, factor_at), us, months;
  if (__builtin_mul_overflow(d->us, factor, &us) ||
      __builtin_mul_overflow((int64_t)d->months, factor, &months) || months > INT32_MAX ||
      months < INT32_MIN) {
    return luaL_error(L, "duration is out of range");
  }
  tm_values_push_duration(L, us, (int32_t)months);
  return 1;
}

static int duration_negate(lua_State *L) {
  const tm_lua_duration *d = tm_values_duration(L, 1);
  if (d->months == INT32_MIN) return luaL_error(L, "duration is out of range");
  tm_values_push_duration(L, negated(L, d->us), -d->months);
  return 1;
}

static int duration_equal(lua_State *L) {
  const tm_lua_duration *a = tm_values_duration(L, 1), *b = tm_values_duration(L, 2);
  lua_pushboolean(L, a != NULL && b != NULL && a->us == b->us && a->months == b->months);
  return 1;
}

/* -1, 0, 1; raises where two values have no order. The difference of two timestamps is an integer,
 * so integers compare with durations. */
static int time_order(lua_State *L) {
  const tm_lua_date *date = tm_values_date(L, 1), *other = tm_values_date(L, 2);
  if (date != NULL && other != NULL) return (date->days > other->days) - (date->days < other->days);
  int64_t us[2];
  for (int i = 0; i < 2; i++) {
    const tm_lua_duration *d = tm_values_duration(L, i + 1);
    if (d != NULL && d->months == 0) us[i] = d->us;
    else if (lua_isinteger(L, i + 1)) us[i] = lua_tointeger(L, i + 1);
    else return refuse(L, "compare");
  }
  return (us[0] > us[1]) - (us[0] < us[1]);
}

static int time_less(lua_State *L) {
  lua_pushboolean(L, time_order(L) < 0);
  return 1;
}

static int time_less_equal(lua_State *L) {
  lua_pushboolean(L, time_order(L) <= 0);
  return 1;
}

static int date_text(lua_State *L) {
  char text[TM_PRINT_MAX];
  lua_pushlstring(L, text, tm_print_date(text, tm_values_date(L, 1)->days));
  return 1;
}

static int date_field(lua_State *L) {
  tm_civil civil = tm_calendar_civil(tm_values_date(L, 1)->days);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
  if (strcmp(name, "year") == 0) lua_pushinteger(L, civil.year);
  else if (strcmp(name, "month") == 0) lua_pushinteger(L, civil.month);
  else if (strcmp(name, "day") == 0) lua_pushinteger(L, civil.day);
  else return luaL_error(L, "a date has no field '%s' (year, month and day it has)", name);
  return 1;
}

/* In the units of tm_duration_parse, the largest first. */
static int duration_text(lua_State *L) {
  static const struct { const char *name; int64_t us; } units[] = {
    {"d", TM_CALENDAR_DAY_US}, {"h", TM_CALENDAR_HOUR_US}, {"m", TM_CALENDAR_MINUTE_US},
    {"s", TM_CALENDAR_SECOND_US}, {"ms", 1000}, {"us", 1},
  };
  const tm_lua_duration *d = tm_values_duration(L, 1);
  if (d->months != 0) {
    lua_pushfstring(L, "%I months", (lua_Integer)d->months);
    return 1;
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  uint64_t left = d->us < 0 ? -(uint64_t)d->us : (uint64_t)d->us;
  if (d->us < 0) luaL_addchar(&text, '-');
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    uint64_t count = left / (uint64_t)units[i].us;
    left %= (uint64_t)units[i].us;
    if (count == 0) continue;
    lua_pushfstring(L, "%I%s", (lua_Integer)count, units[i].name);
    luaL_addvalue(&text);
  }
  if (d->us == 0) luaL_addstring(&text, "0s");
  luaL_pushresult(&text);
  return 1;
}

int tm_values_concat(lua_State *L) {
  for (int i = 1; i <= 2; i++) {
    if (lua_type(L, i) != LUA_TUSERDATA && !lua_isstring(L, i)) return refuse(L, "concatenate");
    tm_sandbox_text(L, i, NULL);
  }
  lua_concat(L, 2);
  return 1;
}

static int secret_text(lua_State *L) {
  lua_pushliteral(L, "***");
  return 1;
}

/* ------------------------------------------------------------------ putting it together */

void tm_values_metatable(lua_State *L, const char *name, const luaL_Reg *functions) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, functions, 0);
  lua_pushstring(L, strrchr(name, '.') + 1); /* what Lua's own messages call it */
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

void tm_values_open(lua_State *L) {
  static const luaL_Reg date[] = {
    {"__add", time_add}, {"__sub", time_subtract}, {"__lt", time_less}, {"__le", time_less_equal},
    {"__tostring", date_text}, {"__index", date_field}, {"__concat", tm_values_concat},
    {NULL, NULL},
  };
  static const luaL_Reg duration[] = {
    {"__add", time_add}, {"__sub", time_subtract}, {"__mul", duration_multiply},
    {"__unm", duration_negate}, {"__eq", duration_equal}, {"__lt", time_less},
    {"__le", time_less_equal}, {"__tostring", duration_text}, {"__concat", tm_values_concat},
    {NULL, NULL},
  };
  static const luaL_Reg secret[] = {{"__tostring", secret_text}, {NULL, NULL}};
  tm_host *host = tm_host_of(L);
  tm_values_metatable(L, TM_LUA_DATE, date);
  host->date_type = lua_topointer(L, -1);
  host->date_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
  tm_values_metatable(L, TM_LUA_DURATION, duration);
  host->duration_type = lua_topointer(L, -1);
  host->duration_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
  tm_value_decimal_open(L);
  host->decimal_type = lua_topointer(L, -1);
  host->decimal_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
  tm_values_metatable(L, TM_LUA_SECRET, secret);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  host->dates = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Into tm, on top of the stack, and under their ids into the table of lift_names.h. */
static void fill(lua_State *L, const luaL_Reg *functions) {
  lua_getfield(L, LUA_REGISTRYINDEX, TM_LIFT_REGISTRY);
  for (const luaL_Reg *f = functions; f->name != NULL; f++) {
    lua_pushcfunction(L, f->func);
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, f->name);
    lua_pushfstring(L, "tm.%s", f->name);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

void tm_values_fill(lua_State *L) {
  fill(L, tm_value_time_functions);
  fill(L, tm_value_decimal_functions);
  tm_values_push_null(L);
  lua_setfield(L, -2, "null");
}
