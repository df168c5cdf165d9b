/* script/value_decimal.c: decimals in Lua, and the functions of `tm` on numbers and text. */
#include <string.h>

#include "kernel/parse.h"
#include "kernel/print.h"
#include "script/value_parts.h"

static int decimal_text(lua_State *L) {
  char text[TM_PRINT_MAX];
  const tm_lua_decimal *d = tm_values_decimal(L, 1);
  lua_pushlstring(L, text, tm_print_decimal(text, d->value, d->scale));
  return 1;
}

void tm_value_decimal_open(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"__tostring", decimal_text}, {"__concat", tm_values_concat}, {NULL, NULL},
  };
  tm_values_metatable(L, TM_LUA_DECIMAL, functions);
}

const luaL_Reg tm_value_decimal_functions[] = {{NULL, NULL}};
