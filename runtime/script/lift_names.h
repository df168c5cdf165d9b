/* script/lift_names.h: what host and lift agree on about the values that scripts see.
 *
 * Lift recognises a callee by identity, never by its name in the source. Before user code runs, the
 * host puts a table under TM_LIFT_REGISTRY into the Lua registry: function value → id text, for
 * every function of the list below that it offers. Whoever is not in that table is a plain Lua
 * function (inlined where pure) or unknown (the row function runs in the VM). Calls whose arguments
 * are all constants are folded at plan time by calling the function itself once.
 *
 * Userdata carry exactly the payloads below, under metatables made by luaL_newmetatable with the
 * names below. Dates are interned by the host; lift only reads `days`. */
#ifndef TM_SCRIPT_LIFT_NAMES_H
#define TM_SCRIPT_LIFT_NAMES_H

#include <stdint.h>

#define TM_LIFT_REGISTRY "tidemill.lift" /* registry key of the table function → id */

#define TM_LUA_DECIMAL "tidemill.decimal"   /* metatable of tm_lua_decimal */
#define TM_LUA_DATE "tidemill.date"         /* of tm_lua_date */
#define TM_LUA_DURATION "tidemill.duration" /* of tm_lua_duration */

typedef struct tm_lua_decimal {
  __int128 value; /* digits: 12.50 is 1250 with scale 2; at most 38 of them */
  int scale;      /* 0 to 38; of a column's value the scale of the column */
} tm_lua_decimal;

typedef struct tm_lua_date {
  int32_t days; /* since 1970-01-01 */
} tm_lua_date;

typedef struct tm_lua_duration {
  int64_t us;     /* tm.days(1) is 86,400,000,000 */
  int32_t months; /* of tm.months and tm.years, then us is 0 */
} tm_lua_duration;

/* Ids that lift knows. Lua's own functions are called as in the manual: */
#define TM_LIFT_LUA_IDS                                                                         \
  "string.sub", "string.lower", "string.upper", "string.len", "string.byte", "string.find",     \
  "string.format", "string.rep", "string.reverse", "string.match", "string.gsub",               \
  "math.floor", "math.ceil", "math.abs", "math.min", "math.max", "math.tointeger", "math.type", \
  "math.sqrt", "math.fmod", "math.exp", "math.log", "math.sin", "math.cos", "math.tan",         \
  "tonumber", "tostring", "type"

/* Those of `tm`. Durations take a count; the rest as reference.md says. */
#define TM_LIFT_TM_IDS                                                                         \
  "tm.day", "tm.dec", "tm.time", "tm.year", "tm.month", "tm.day_of_month", "tm.weekday",       \
  "tm.hour", "tm.minute", "tm.second", "tm.day_of", "tm.format", "tm.round", "tm.like",        \
  "tm.int", "tm.float", "tm.text", "tm.microseconds", "tm.milliseconds", "tm.seconds",         \
  "tm.minutes", "tm.hours", "tm.days", "tm.weeks", "tm.months", "tm.years", "tm.now"

/* How the VM side behaves where the pages leave room, so that both paths agree:
 * - A timestamp column is a Lua integer (microseconds), so tm.year(x) and the like take a date or
 *   an integer, and mean UTC unless a zone is named.
 * - date + tm.days(n), tm.weeks(n), tm.months(n), date - the same: a date; date - date: an integer.
 *   A duration that is no whole number of days raises with a date, one of months with a timestamp.
 * - integer + duration, integer - duration, duration + integer: an integer.
 * - date.year, .month, .day are integers; any other field of a date raises.
 * - decimal op integer promotes the integer (scale 0) for + - * / and < <= > >=; every other
 *   operand raises; -x works; // % ^ raise. x / y has scale max(scale x, scale y, 6), half-even.
 *   More than 38 digits raise. decimal == decimal compares values (1.0 == 1.00).
 * - A decimal, date or duration is never equal to a number or a string.
 * - tm.like(nil, p) raises, like every tm function that is given a nil it cannot use. */

#endif
