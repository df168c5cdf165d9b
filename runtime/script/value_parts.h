/* script/value_parts.h: what the files of values share. */
#ifndef TM_SCRIPT_VALUE_PARTS_H
#define TM_SCRIPT_VALUE_PARTS_H

#include <lauxlib.h>

#include "script/values.h"

extern const luaL_Reg tm_value_time_functions[];    /* of tm; value_time.c */
extern const luaL_Reg tm_value_decimal_functions[]; /* value_decimal.c */

void tm_value_decimal_open(lua_State *L); /* leaves its metatable on the stack */
/* A metatable that scripts cannot see; left on the stack. */
void tm_values_metatable(lua_State *L, const char *name, const luaL_Reg *functions);
int tm_values_concat(lua_State *L); /* __concat */

/* Digits with a point: its scale is how many stand behind it. */
bool tm_value_decimal_parse(const char *text, size_t size, tm_lua_decimal *out);

/* "decimal", "integer", "date" …: what messages call the value; and with "a " or "an ". */
const char *tm_values_type_name(lua_State *L, int index);
const char *tm_values_a_type_name(lua_State *L, int index);

#endif
