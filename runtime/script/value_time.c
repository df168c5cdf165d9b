/* script/value_time.c: the functions of `tm` on dates, timestamps and durations.
 *
 * A timestamp is a Lua integer, microseconds since the epoch; functions that look at the clock on
 * the wall take a zone's name and mean UTC without one. A date alone is its midnight. */
#include <string.h>

#include "base/env.h"
#include "base/zone.h"
#include "kernel/calendar.h"
#include "kernel/parse.h"
#include "kernel/time_format.h"
#include "script/host.h"
#include "script/value_parts.h"

/* The zone named at index, UTC where there is none; raises where it does not exist. */
static const tm_zone *zone_at(lua_State *L, int index) {
  if (lua_isnoneornil(L, index)) return tm_zone_utc();
  tm_error failure = {0};
  const tm_zone *zone = tm_zone_find(luaL_checkstring(L, index), &failure);
  if (zone == NULL) luaL_error(L, "%s", failure.message);
  return zone;
}

static int refuse(lua_State *L, const char *name, const char *wanted) {
  return luaL_error(L, "tm.%s takes %s, not %s", name, wanted, tm_values_a_type_name(L, 1));
}

/* Microseconds of the clock on the wall for a date or timestamp at index 1, zone at `zone`. */
static int64_t wall_us(lua_State *L, const char *name, int zone) {
  const tm_lua_date *date = tm_values_date(L, 1);
  if (date != NULL) return (int64_t)date->days * TM_CALENDAR_DAY_US;
  if (!lua_isinteger(L, 1)) refuse(L, name, "a date or a timestamp");
  int64_t us = lua_tointeger(L, 1);
  if (lua_isnoneornil(L, zone)) return us;
  int64_t offset = tm_zone_offset_at(zone_at(L, zone), us);
  return (int64_t)((uint64_t)us + (uint64_t)(offset * TM_CALENDAR_SECOND_US));
}

static tm_civil wall_civil(lua_State *L, const char *name) {
  return tm_calendar_civil(tm_calendar_day_of_us(wall_us(L, name, 2)));
}

static int give(lua_State *L, int64_t value) {
  lua_pushinteger(L, value);
  return 1;
}

static int year(lua_State *L) { return give(L, wall_civil(L, "year").year); }
static int month(lua_State *L) { return give(L, wall_civil(L, "month").month); }
static int day_of_month(lua_State *L) { return give(L, wall_civil(L, "day_of_month").day); }
static int weekday(lua_State *L) {
  return give(L, tm_calendar_weekday(tm_calendar_day_of_us(wall_us(L, "weekday", 2))));
}
static int hour(lua_State *L) { return give(L, tm_calendar_hour_of_us(wall_us(L, "hour", 2))); }
static int minute(lua_State *L) {
  return give(L, tm_calendar_minute_of_us(wall_us(L, "minute", 2)));
}
static int second(lua_State *L) {
  return give(L, tm_calendar_second_of_us(wall_us(L, "second", 2)));
}

static int day_of(lua_State *L) {
  if (tm_values_date(L, 1) != NULL) {
    lua_settop(L, 1);
    return 1;
  }
  tm_values_push_date(L, tm_calendar_day_of_us(wall_us(L, "day_of", 2)));
  return 1;
}

/* day(text): a date. */
static int day(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING) return refuse(L, "day", "a text as \"2026-03-14\"");
  size_t size;
  const char *text = lua_tolstring(L, 1, &size);
  int32_t days;
  if (tm_parse_date(text, size, &days) != TM_PARSE_OK) {
    return luaL_error(L, "'%s' is no date (YYYY-MM-DD)", text);
  }
  tm_values_push_date(L, days);
  return 1;
}

/* time(text[, zone]): a timestamp. */
static int time_of(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    return refuse(L, "time", "a text as \"2026-03-14 01:30:00\"");
  }
  size_t size;
  const char *text = lua_tolstring(L, 1, &size);
  int64_t local_us, us;
  int offset;
  if (tm_parse_timestamp(text, size, &local_us, &offset) != TM_PARSE_OK) {
    return luaL_error(L, "'%s' is no timestamp (YYYY-MM-DD HH:MM:SS)", text);
  }
  if (offset != TM_PARSE_NO_OFFSET) {
    return give(L, local_us - (int64_t)offset * TM_CALENDAR_SECOND_US);
  }
  const tm_zone *zone = zone_at(L, 2);
  if (tm_zone_to_utc(zone, local_us, &us) == TM_ZONE_GAP) {
    return luaL_error(L, "%s does not exist in %s: clocks jumped over it", text,
                      tm_zone_name(zone));
  }
  return give(L, us);
}

/* format(date or timestamp, text[, zone]): as strftime in English; see kernel/time_format.h. */
static int format(lua_State *L) {
  luaL_checkstring(L, 2);
  const tm_lua_date *date = tm_values_date(L, 1);
  if (date == NULL && !lua_isinteger(L, 1)) return refuse(L, "format", "a date or a timestamp");
  const tm_zone *zone = zone_at(L, 3);
  const tm_time_format *compiled = tm_pattern_cache_format(L, 2);
  luaL_Buffer out;
  tm_zone_hint hint = {0};
  char *at = luaL_buffinitsize(L, &out, tm_time_format_bytes_max(compiled));
  size_t size = date != NULL
                    ? tm_time_format_date(compiled, date->days, at)
                    : tm_time_format_timestamp(compiled, lua_tointeger(L, 1), zone, &hint, at);
  luaL_pushresultsize(&out, size);
  return 1;
}

/* Not replayable; explain marks the functions that call it. */
static int now(lua_State *L) {
  tm_host_of(L)->not_pure = true;
  return give(L, tm_env_get()->wall_us());
}

/* ------------------------------------------------------------------ durations */

static int duration(lua_State *L, const char *name, int64_t unit_us) {
  int64_t us;
  if (!lua_isinteger(L, 1)) return refuse(L, name, "a whole number");
  if (__builtin_mul_overflow((int64_t)lua_tointeger(L, 1), unit_us, &us)) {
    return luaL_error(L, "duration is out of range");
  }
  tm_values_push_duration(L, us, 0);
  return 1;
}

static int microseconds(lua_State *L) { return duration(L, "microseconds", 1); }
static int milliseconds(lua_State *L) { return duration(L, "milliseconds", 1000); }
static int seconds(lua_State *L) { return duration(L, "seconds", TM_CALENDAR_SECOND_US); }
static int minutes(lua_State *L) { return duration(L, "minutes", TM_CALENDAR_MINUTE_US); }
static int hours(lua_State *L) { return duration(L, "hours", TM_CALENDAR_HOUR_US); }
static int days(lua_State *L) { return duration(L, "days", TM_CALENDAR_DAY_US); }
static int weeks(lua_State *L) { return duration(L, "weeks", 7 * TM_CALENDAR_DAY_US); }

static int calendar_duration(lua_State *L, const char *name, int64_t unit) {
  int64_t count;
  if (!lua_isinteger(L, 1)) return refuse(L, name, "a whole number");
  if (__builtin_mul_overflow((int64_t)lua_tointeger(L, 1), unit, &count) || count > INT32_MAX ||
      count < INT32_MIN) {
    return luaL_error(L, "duration is out of range");
  }
  tm_values_push_duration(L, 0, (int32_t)count);
  return 1;
}

static int months(lua_State *L) { return calendar_duration(L, "months", 1); }
static int years(lua_State *L) { return calendar_duration(L, "years", 12); }

const luaL_Reg tm_value_time_functions[] = {
  {"day", day}, {"time", time_of}, {"day_of", day_of}, {"year", year}, {"month", month},
  {"day_of_month", day_of_month}, {"weekday", weekday}, {"hour", hour}, {"minute", minute},
  {"second", second}, {"format", format}, {"now", now}, {"microseconds", microseconds},
  {"milliseconds", milliseconds}, {"seconds", seconds}, {"minutes", minutes}, {"hours", hours},
  {"days", days}, {"weeks", weeks}, {"months", months}, {"years", years}, {NULL, NULL},
};
