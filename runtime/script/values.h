/* script/values.h: the values of tidemill inside Lua: decimals, dates, durations, secrets, null.
 *
 * Payloads and metatable names are in lift_names.h. All raise plain Lua errors, which in a row
 * function refuse the row. */
#ifndef TM_SCRIPT_VALUES_H
#define TM_SCRIPT_VALUES_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "script/lift_names.h"

#define TM_LUA_SECRET "tidemill.secret" /* userdata; user value 1 is the text, or nil where unset */

void tm_values_push_decimal(lua_State *L, __int128 value, int scale);
void tm_values_push_date(lua_State *L, int32_t days); /* the same value for the same day */
void tm_values_push_duration(lua_State *L, int64_t us, int32_t months);
/* tm.null: JSON's null, where nil cannot stand. */
void tm_values_push_null(lua_State *L);
bool tm_values_is_null(lua_State *L, int index);

/* NULL where the value is none. As fast as a type check and a comparison of metatables. */
const tm_lua_decimal *tm_values_decimal(lua_State *L, int index);
const tm_lua_date *tm_values_date(lua_State *L, int index);
const tm_lua_duration *tm_values_duration(lua_State *L, int index);

/* Helpers of the front end, into its core table on top of the stack. */
void tm_values_fill_core(lua_State *L);

#endif
