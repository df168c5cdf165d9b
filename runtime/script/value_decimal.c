/* script/value_decimal.c: decimals in Lua, and the functions of `tm` on numbers and text.
 *
 * Arithmetic is exact by kernel/decimal; integers promote, floats do not: their digits are not what
 * was written. Two decimals are equal by value, whatever their scales. */
#include <math.h>
#include <string.h>

#include "kernel/decimal.h"
#include "kernel/parse.h"
#include "kernel/print.h"
#include "script/host.h"
#include "script/value_parts.h"

/* ------------------------------------------------------------------ operands */

static int refuse(lua_State *L, const char *verb) {
  if (lua_type(L, 1) == LUA_TNUMBER || lua_type(L, 2) == LUA_TNUMBER) {
    return luaL_error(L, "attempt to %s a decimal and a float, which is not exact; write "
                      "tm.dec \"1.19\"", verb);
  }
  const char *a = tm_values_a_type_name(L, 1), *b = tm_values_a_type_name(L, 2);
  return luaL_error(L, "attempt to %s %s and %s", verb, a, b);
}

static tm_lua_decimal operand(lua_State *L, int index, const char *verb) {
  const tm_lua_decimal *d = tm_values_decimal(L, index);
  if (d != NULL) return *d;
  if (!lua_isinteger(L, index)) refuse(L, verb);
  return (tm_lua_decimal){.value = lua_tointeger(L, index)};
}

static int give(lua_State *L, int status, __int128 value, int scale) {
  if (status == TM_DECIMAL_BY_ZERO) return luaL_error(L, "decimal division by zero");
  if (status != TM_DECIMAL_OK) return luaL_error(L, "decimal has more than 38 digits");
  tm_values_push_decimal(L, value, scale);
  return 1;
}

/* ------------------------------------------------------------------ operators */

static int add(lua_State *L) {
  tm_lua_decimal a = operand(L, 1, "add"), b = operand(L, 2, "add");
  __int128 out = 0;
  int status = tm_decimal_add(a.value, a.scale, b.value, b.scale, &out);
  return give(L, status, out, a.scale > b.scale ? a.scale : b.scale);
}

static int subtract(lua_State *L) {
  tm_lua_decimal a = operand(L, 1, "subtract"), b = operand(L, 2, "subtract");
  __int128 out = 0;
  int status = tm_decimal_subtract(a.value, a.scale, b.value, b.scale, &out);
  return give(L, status, out, a.scale > b.scale ? a.scale : b.scale);
}

static int multiply(lua_State *L) {
  tm_lua_decimal a = operand(L, 1, "multiply"), b = operand(L, 2, "multiply");
  __int128 out = 0;
  int status = tm_decimal_multiply(a.value, a.scale, b.value, b.scale, &out);
  return give(L, status, out, a.scale + b.scale);
}

static int divide(lua_State *L) {
  tm_lua_decimal a = operand(L, 1, "divide"), b = operand(L, 2, "divide");
  int scale = tm_decimal_quotient_scale(a.scale, b.scale);
  __int128 out = 0;
  int status = tm_decimal_divide(a.value, a.scale, b.value, b.scale, scale, &out);
  return give(L, status, out, scale);
}

static int negate(lua_State *L) {
  const tm_lua_decimal *d = tm_values_decimal(L, 1);
  return give(L, TM_DECIMAL_OK, -d->value, d->scale);
}

static int no_operator(lua_State *L) {
  return luaL_error(L, "decimals have + - * / only; tm.int(x) is the whole part of one");
}

static int order(lua_State *L) {
  tm_lua_decimal a = operand(L, 1, "compare"), b = operand(L, 2, "compare");
  return tm_decimal_compare(a.value, a.scale, b.value, b.scale);
}

static int equal(lua_State *L) {
  const tm_lua_decimal *a = tm_values_decimal(L, 1), *b = tm_values_decimal(L, 2);
  lua_pushboolean(L, a != NULL && b != NULL &&
                  tm_decimal_compare(a->value, a->scale, b->value, b->scale) == 0);
  return 1;
}

static int less(lua_State *L) {
  lua_pushboolean(L, order(L) < 0);
  return 1;
}

static int less_equal(lua_State *L) {
  lua_pushboolean(L, order(L) <= 0);
  return 1;
}

static int decimal_text(lua_State *L) {
  char text[TM_PRINT_MAX];
  const tm_lua_decimal *d = tm_values_decimal(L, 1);
  lua_pushlstring(L, text, tm_print_decimal(text, d->value, d->scale));
  return 1;
}

void tm_value_decimal_open(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"__add", add}, {"__sub", subtract}, {"__mul", multiply}, {"__div", divide},
    {"__unm", negate}, {"__eq", equal}, {"__lt", less}, {"__le", less_equal},
    {"__idiv", no_operator}, {"__mod", no_operator}, {"__pow", no_operator},
    {"__tostring", decimal_text}, {"__concat", tm_values_concat}, {NULL, NULL},
  };
  tm_values_metatable(L, TM_LUA_DECIMAL, functions);
}

/* ------------------------------------------------------------------ functions of tm */

static int wrong(lua_State *L, const char *name, const char *wanted) {
  return luaL_error(L, "tm.%s takes %s, not %s", name, wanted, tm_values_a_type_name(L, 1));
}

/* dec(text or integer) */
static int dec(lua_State *L) {
  size_t size;
  tm_lua_decimal d;
  if (tm_values_decimal(L, 1) != NULL) {
    lua_settop(L, 1);
    return 1;
  }
  if (lua_isinteger(L, 1)) return give(L, TM_DECIMAL_OK, lua_tointeger(L, 1), 0);
  if (lua_type(L, 1) == LUA_TNUMBER) {
    return luaL_error(L, "tm.dec takes a text: a float is not exact; write tm.dec \"1.19\"");
  }
  if (lua_type(L, 1) != LUA_TSTRING) return wrong(L, "dec", "a text as \"12.50\"");
  const char *text = lua_tolstring(L, 1, &size);
  if (!tm_value_decimal_parse(text, size, &d)) {
    return luaL_error(L, "'%s' is no decimal of at most 38 digits", text);
  }
  return give(L, TM_DECIMAL_OK, d.value, d.scale);
}

/* int(x): towards 0; a text must be one integer. */
static int to_int(lua_State *L) {
  const tm_lua_decimal *d = tm_values_decimal(L, 1);
  const tm_lua_duration *duration = tm_values_duration(L, 1);
  int64_t value = 0;
  size_t size;
  if (d != NULL) {
    if (tm_decimal_to_int64(d->value, d->scale, TM_ROUND_DOWN, &value) != TM_DECIMAL_OK) {
      return luaL_error(L, "decimal is out of range for an integer");
    }
  } else if (duration != NULL && duration->months == 0) {
    value = duration->us;
  } else if (lua_isinteger(L, 1)) {
    value = lua_tointeger(L, 1);
  } else if (lua_type(L, 1) == LUA_TNUMBER) {
    double number = trunc(lua_tonumber(L, 1));
    if (!(number >= -0x1p63 && number < 0x1p63)) {
      const char *says = isnan(number) ? "NaN is no integer" : "%f is out of range for an integer";
      return luaL_error(L, says, lua_tonumber(L, 1));
    }
    value = (int64_t)number;
  } else if (lua_type(L, 1) == LUA_TSTRING) {
    const char *text = lua_tolstring(L, 1, &size);
    if (tm_parse_int64(text, size, &value) != TM_PARSE_OK) {
      return luaL_error(L, "'%s' is no integer", text);
    }
  } else {
    return wrong(L, "int", "a number or a text");
  }
  lua_pushinteger(L, value);
  return 1;
}

/* float(x): the nearest one. */
static int to_float(lua_State *L) {
  const tm_lua_decimal *d = tm_values_decimal(L, 1);
  double value;
  size_t size;
  if (d != NULL) {
    value = tm_decimal_to_double(d->value, d->scale);
  } else if (lua_type(L, 1) == LUA_TNUMBER) {
    value = lua_tonumber(L, 1);
  } else if (lua_type(L, 1) == LUA_TSTRING) {
    const char *text = lua_tolstring(L, 1, &size);
    if (tm_parse_float64(text, size, &value) != TM_PARSE_OK) {
      return luaL_error(L, "'%s' is no number", text);
    }
  } else {
    return wrong(L, "float", "a number or a text");
  }
  lua_pushnumber(L, value);
  return 1;
}

/* text(x): as files have it. */
static int to_text(lua_State *L) {
  char text[TM_PRINT_MAX];
  switch (lua_type(L, 1)) {
    case LUA_TSTRING: lua_settop(L, 1); return 1;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false"); return 1;
    case LUA_TNUMBER:
      if (lua_isinteger(L, 1)) {
        lua_pushlstring(L, text, tm_print_int64(text, lua_tointeger(L, 1)));
      } else {
        lua_pushlstring(L, text, tm_print_float64(text, lua_tonumber(L, 1)));
      }
      return 1;
    default: break;
  }
  if (tm_values_decimal(L, 1) == NULL && tm_values_date(L, 1) == NULL &&
      tm_values_duration(L, 1) == NULL) {
    return wrong(L, "text", "a value of a column");
  }
  luaL_tolstring(L, 1, NULL);
  return 1;
}

static int round_decimal(lua_State *L, __int128 value, int scale, int digits, tm_rounding mode) {
  __int128 out = 0;
  int status = tm_decimal_rescale(value, scale, digits, mode, &out);
  if (status == TM_DECIMAL_OK && digits < 0) {
    status = tm_decimal_rescale(out, digits, 0, TM_ROUND_DOWN, &out);
    digits = 0;
  }
  return give(L, status, out, digits);
}

static int round_integer(lua_State *L, int64_t value, int digits, tm_rounding mode) {
  __int128 out = value;
  if (digits < 0 &&
      (tm_decimal_rescale(value, 0, digits, mode, &out) != TM_DECIMAL_OK ||
       tm_decimal_rescale(out, digits, 0, TM_ROUND_DOWN, &out) != TM_DECIMAL_OK)) {
    return luaL_error(L, "integer is out of range");
  }
  if (out > INT64_MAX || out < INT64_MIN) return luaL_error(L, "integer is out of range");
  lua_pushinteger(L, (int64_t)out);
  return 1;
}

/* To tens, hundreds …: what lies behind the point only decides ties, so one digit stands for it. */
static bool round_tens(double value, int digits, tm_rounding mode, double *out) {
  __int128 whole = 0;
  if (tm_decimal_from_double(value, 0, TM_ROUND_DOWN, &whole) != TM_DECIMAL_OK) return false;
  bool rest = value != trunc(value);
  if (rest) whole = whole * 10 + (value < 0 ? -1 : 1); /* below 2^53 where there is a rest */
  if (tm_decimal_rescale(whole, rest, digits, mode, &whole) != TM_DECIMAL_OK ||
      tm_decimal_rescale(whole, digits, 0, TM_ROUND_DOWN, &whole) != TM_DECIMAL_OK) {
    return false;
  }
  *out = tm_decimal_to_double(whole, 0);
  return true;
}

/* The double's exact value, rounded once; one that has no such digits is its own result. */
static int round_float(lua_State *L, double value, int digits, tm_rounding mode) {
  __int128 out = 0;
  double rounded = value;
  if (digits >= 0) {
    if (tm_decimal_from_double(value, digits, mode, &out) == TM_DECIMAL_OK) {
      rounded = tm_decimal_to_double(out, digits);
    }
  } else {
    (void)round_tens(value, digits, mode, &rounded);
  }
  lua_pushnumber(L, copysign(rounded, value));
  return 1;
}

/* round(x, digits, mode): decimals get the scale `digits`, integers and floats stay such. */
static int round_number(lua_State *L) {
  static const char *const modes[] = {"half_up", "half_even", "up", "down", "floor", "ceil", NULL};
  const tm_lua_decimal *d = tm_values_decimal(L, 1);
  lua_Integer digits = luaL_optinteger(L, 2, 0);
  tm_rounding mode = (tm_rounding)luaL_checkoption(L, 3, "half_up", modes);
  if (digits < -38 || digits > 38) return luaL_error(L, "tm.round takes -38 to 38 digits");
  if (d != NULL) return round_decimal(L, d->value, d->scale, (int)digits, mode);
  if (lua_isinteger(L, 1)) return round_integer(L, lua_tointeger(L, 1), (int)digits, mode);
  if (lua_type(L, 1) == LUA_TNUMBER) {
    return round_float(L, lua_tonumber(L, 1), (int)digits, mode);
  }
  return wrong(L, "round", "a number");
}

static int like(lua_State *L) {
  size_t size;
  if (lua_type(L, 1) != LUA_TSTRING) return wrong(L, "like", "a text");
  if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "tm.like takes a pattern as a text");
  const char *text = lua_tolstring(L, 1, &size);
  lua_pushboolean(L, tm_like_match(tm_pattern_cache_like(L, 2), text, size));
  return 1;
}

const luaL_Reg tm_value_decimal_functions[] = {
  {"dec", dec}, {"int", to_int}, {"float", to_float}, {"text", to_text}, {"round", round_number},
  {"like", like}, {NULL, NULL},
};
