/* script/value_time.c: the functions of `tm` on dates, timestamps and durations.
 *
 * A timestamp is a Lua integer, microseconds since the epoch; functions that look at the clock on
 * the wall take a zone's name and mean UTC without one. A date alone is its midnight. */
#include <string.h>

#include "base/env.h"
#include "base/zone.h"
#include "kernel/calendar.h"
#include "kernel/parse.h"
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
  return luaL_error(L, "tm.%s takes %s, not a %s", name, wanted, tm_values_type_name(L, 1));
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

/* ------------------------------------------------------------------ format */

typedef struct moment {
  int64_t wall;      /* microseconds of the clock on the wall */
  int32_t days;
  tm_civil civil;
  int32_t offset_s;
  const char *zone;  /* its abbreviation */
} moment;

static void add_number(luaL_Buffer *out, int64_t value, int digits) {
  char text[24];
  int at = (int)sizeof text;
  uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
  for (int i = 0; i < digits || left > 0; i++) {
    text[--at] = (char)('0' + left % 10);
    left /= 10;
  }
  if (value < 0) text[--at] = '-';
  luaL_addlstring(out, text + at, sizeof text - (size_t)at);
}

static void add_offset(luaL_Buffer *out, int32_t offset_s) {
  int32_t minutes = offset_s / 60;
  luaL_addchar(out, minutes < 0 ? '-' : '+');
  if (minutes < 0) minutes = -minutes;
  add_number(out, minutes / 60, 2);
  add_number(out, minutes % 60, 2);
}

static void add_name(luaL_Buffer *out, const char *const *names, int32_t at, bool whole) {
  size_t size = strlen(names[at]);
  luaL_addlstring(out, names[at], whole || size < 3 ? size : 3);
}

/* One conversion; false where the letter is none. English names, whatever the locale. */
static bool add_part(luaL_Buffer *out, char letter, const moment *m) {
  static const char *const months[] = {
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  };
  static const char *const weekdays[] = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  };
  int64_t us = tm_calendar_time_of_us(m->wall);
  int32_t hours = tm_calendar_hour_of_us(m->wall), minutes = tm_calendar_minute_of_us(m->wall);
  switch (letter) {
    case 'Y': add_number(out, m->civil.year, 4); return true;
    case 'y': add_number(out, ((m->civil.year % 100) + 100) % 100, 2); return true;
    case 'm': add_number(out, m->civil.month, 2); return true;
    case 'd': add_number(out, m->civil.day, 2); return true;
    case 'j': add_number(out, m->days - tm_calendar_days(m->civil.year, 1, 1) + 1, 3); return true;
    case 'H': add_number(out, hours, 2); return true;
    case 'I': add_number(out, hours % 12 == 0 ? 12 : hours % 12, 2); return true;
    case 'M': add_number(out, minutes, 2); return true;
    case 'S': add_number(out, tm_calendar_second_of_us(m->wall), 2); return true;
    case 'f': add_number(out, us % TM_CALENDAR_SECOND_US, 6); return true;
    case 'p': luaL_addstring(out, hours < 12 ? "AM" : "PM"); return true;
    case 'u': add_number(out, tm_calendar_weekday(m->days), 1); return true;
    case 'A': add_name(out, weekdays, tm_calendar_weekday(m->days) - 1, true); return true;
    case 'a': add_name(out, weekdays, tm_calendar_weekday(m->days) - 1, false); return true;
    case 'B': add_name(out, months, m->civil.month - 1, true); return true;
    case 'b': add_name(out, months, m->civil.month - 1, false); return true;
    case 'z': add_offset(out, m->offset_s); return true;
    case 'Z': luaL_addstring(out, m->zone); return true;
    case '%': luaL_addchar(out, '%'); return true;
    default: return false;
  }
}

static void add_parts(luaL_Buffer *out, const char *letters, const moment *m,
                      char between) {
  for (const char *at = letters; *at != '\0'; at++) {
    if (at != letters) luaL_addchar(out, between);
    (void)add_part(out, *at, m);
  }
}

/* format(date or timestamp, text[, zone]): as strftime, with %f for microseconds. */
static int format(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  moment m = {.wall = wall_us(L, "format", 3), .zone = "UTC"};
  m.days = tm_calendar_day_of_us(m.wall);
  m.civil = tm_calendar_civil(m.days);
  if (!lua_isnoneornil(L, 3) && lua_isinteger(L, 1)) {
    const tm_zone *zone = zone_at(L, 3);
    m.offset_s = tm_zone_offset_at(zone, lua_tointeger(L, 1));
    m.zone = tm_zone_abbreviation_at(zone, lua_tointeger(L, 1));
  }
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (size_t i = 0; i < size; i++) {
    if (text[i] != '%') {
      luaL_addchar(&out, text[i]);
      continue;
    }
    char letter = text[++i];
    if (letter == 'F') add_parts(&out, "Ymd", &m, '-');
    else if (letter == 'T') add_parts(&out, "HMS", &m, ':');
    else if (!add_part(&out, letter, &m)) {
      return luaL_error(L, "'%%%c' is no part of a date (%%Y %%m %%d %%H %%M %%S %%f %%j %%y %%I "
                        "%%p %%u %%a %%A %%b %%B %%z %%Z %%F %%T %%%% are)", letter);
    }
  }
  luaL_pushresult(&out);
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
