/* script/sandbox.c: the library of a state, cut down and made deterministic.
 *
 * Lua's own functions stay where they are harmless. Replaced are those that show addresses
 * (tostring, string.format), that would swallow an abort (pcall, xpcall), that run C loops which
 * no hook can stop (string.rep, table.move, insert, remove) or finalizers (setmetatable: hooks are
 * off while those run). What is absent says so, with what to use instead. */
#include "script/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "base/env.h"
#include "script/host.h"
#include "script/lift_names.h"
#include "script/process_function.h"
#include "script/row_view.h"
#include "script/session.h"

enum { ELEMENTS_MAX = 1 << 26, GLOBAL_NAMES_MAX = 64 };

/* ------------------------------------------------------------------ text */

const char *tm_sandbox_text(lua_State *L, int index, size_t *out_size) {
  index = lua_absindex(L, index);
  if (luaL_callmeta(L, index, "__tostring")) {
    if (!lua_isstring(L, -1)) luaL_error(L, "'__tostring' must return a string");
  } else {
    switch (lua_type(L, index)) {
      case LUA_TNIL: case LUA_TBOOLEAN: case LUA_TNUMBER: case LUA_TSTRING:
        luaL_tolstring(L, index, NULL);
        break;
      default: lua_pushstring(L, luaL_typename(L, index)); break;
    }
  }
  return lua_tolstring(L, -1, out_size);
}

static int text_of(lua_State *L) {
  luaL_checkany(L, 1);
  tm_sandbox_text(L, 1, NULL);
  return 1;
}

/* To stderr, for stdout holds data; a worker that loads the script again stays silent. */
static int print(lua_State *L) {
  tm_host *host = tm_host_of(L);
  int count = lua_gettop(L);
  luaL_Buffer line;
  for (int i = 1; i <= count; i++) {
    tm_sandbox_text(L, i, NULL);
    lua_replace(L, i);
  }
  luaL_buffinit(L, &line);
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addchar(&line, '\t');
    lua_pushvalue(L, i);
    luaL_addvalue(&line);
  }
  luaL_addchar(&line, '\n');
  luaL_pushresult(&line);
  size_t size;
  const char *text = lua_tolstring(L, -1, &size);
  if (!(host->worker && host->phase == TM_HOST_LOAD)) (void)tm_env_write_all(2, text, size);
  return 0;
}

/* Upvalue 1: Lua's own string.format. Arguments whose text would be an address become names. */
static int format(lua_State *L) {
  const char *at = luaL_checkstring(L, 1);
  int count = lua_gettop(L);
  for (; *at != '\0'; at++) {
    if (*at != '%') continue;
    at++;
    if (*at == '%') continue;
    at += strspn(at, "-+ #0123456789.");
    if (*at == 'p') return luaL_error(L, "'%%p' is not available: addresses differ in every run");
    if (*at == '\0') break;
  }
  for (int i = 2; i <= count; i++) {
    if (lua_type(L, i) == LUA_TNIL || lua_type(L, i) == LUA_TBOOLEAN ||
        lua_type(L, i) == LUA_TNUMBER || lua_type(L, i) == LUA_TSTRING) {
      continue;
    }
    tm_sandbox_text(L, i, NULL);
    lua_replace(L, i);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, count, 1);
  return 1;
}

static int repeat(lua_State *L) {
  size_t size, between_size;
  const char *text = luaL_checklstring(L, 1, &size);
  lua_Integer times = luaL_checkinteger(L, 2);
  const char *between = luaL_optlstring(L, 3, "", &between_size);
  if (times <= 0 || size + between_size == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  if ((uint64_t)times > (uint64_t)PTRDIFF_MAX / 2 / (size + between_size)) {
    return luaL_error(L, "resulting string too large");
  }
  size_t total = (size_t)times * size + (size_t)(times - 1) * between_size;
  luaL_Buffer buffer;
  char *at = luaL_buffinitsize(L, &buffer, total);
  for (lua_Integer i = 0; i < times; i++) {
    memcpy(at, text, size);
    at += size;
    if (i + 1 == times) break;
    memcpy(at, between, between_size);
    at += between_size;
  }
  luaL_pushresultsize(&buffer, total);
  return 1;
}

/* ------------------------------------------------------------------ errors */

/* An abort, and the lack of memory, are for the wall alone. */
static void pass_on(lua_State *L, int status) {
  if (status == LUA_OK || status == LUA_YIELD) return;
  if (tm_host_of(L)->aborting || status == LUA_ERRMEM) lua_error(L);
}

static int protected_call(lua_State *L) {
  luaL_checkany(L, 1);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  pass_on(L, status);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

static int handled_call(lua_State *L) {
  int count = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_replace(L, 1); /* the handler, below what is called */
  lua_replace(L, 2);
  int status = lua_pcall(L, count - 2, LUA_MULTRET, 1);
  pass_on(L, status);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 1);
  return lua_gettop(L);
}

/* ------------------------------------------------------------------ tables */

/* Finalizers run with hooks off, where no limit reaches them. */
static int set_metatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
  if (lua_istable(L, 2)) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL) return luaL_error(L, "'__gc' is not available in a script");
    lua_pop(L, 1);
  }
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
    return luaL_error(L, "cannot change a protected metatable");
  }
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

/* Upvalue 1: Lua's own table.insert or table.remove, which shift one by one. */
static int bounded_shift(lua_State *L) {
  if (lua_istable(L, 1) && luaL_len(L, 1) > ELEMENTS_MAX) return luaL_error(L, "table is too long");
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static int bounded_move(lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
  if (last >= first && (uint64_t)last - (uint64_t)first >= ELEMENTS_MAX) {
    return luaL_error(L, "too many elements to move");
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

static int bounded_concat(lua_State *L) {
  lua_Integer first = luaL_optinteger(L, 3, 1);
  lua_Integer last = lua_isnoneornil(L, 4) ? luaL_len(L, 1) : luaL_checkinteger(L, 4);
  if (last >= first && (uint64_t)last - (uint64_t)first >= ELEMENTS_MAX) {
    return luaL_error(L, "too many elements to join");
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

static void wrap(lua_State *L, const char *name, lua_CFunction function) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

/* ------------------------------------------------------------------ what is not there */

static const struct { const char *name, *instead; } absent[] = {
  {"io", "read with tm.csv, tm.jsonl or tm.lines, write with :to(…)"},
  {"debug", "use print, which writes to stderr"},
  {"coroutine", "row functions see one row at a time"},
  {"dofile", "use require, which loads a file of the script's folder once"},
  {"loadfile", "use require, which loads a file of the script's folder once"},
  {"collectgarbage", "memory is bounded by limits = { memory = \"…\" }"},
  {"os.time", "a result may not depend on the clock; the logical date is tm.date"},
  {"os.date", "a result may not depend on the clock; format with tm.format(x, \"%Y-%m-%d\")"},
  {"os.clock", "a result may not depend on the clock"},
  {"os.execute", "a script describes a job, it runs no programs"},
  {"os.exit", "raise with error(…)"},
  {"os.remove", "a script describes a job, it changes no files"},
  {"os.rename", "a script describes a job, it changes no files"},
  {"os.tmpname", "a script describes a job, it changes no files"},
  {"os.setlocale", "texts are sorted and compared by bytes"},
  {"math.random", "a row function gives the same result for the same row"},
  {"math.randomseed", "a row function gives the same result for the same row"},
  {"string.dump", "bytecode is neither written nor loaded"},
  {"package.loadlib", "native modules are found by require"},
};

static const char *instead_of(const char *name) {
  for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
    if (strcmp(absent[i].name, name) == 0) return absent[i].instead;
  }
  return NULL;
}

/* Upvalue 1: name of the library. A name that Lua has and a script has not raises; any other is
 * nil, as libraries look for extensions that way. */
static int library_index(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  lua_pushfstring(L, "%s.%s", lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, 2));
  const char *name = lua_tostring(L, -1);
  const char *instead = instead_of(name);
  if (instead == NULL) return 0;
  tm_error *e = tm_host_error_push(L);
  tm_fail(e, TM_E_GLOBAL, "'%s' is not available in a script", name);
  tm_error_token(e, lua_tostring(L, 2), "");
  tm_error_help(e, "%s", instead);
  return tm_host_throw(L);
}

/* Of the metatable on top: no script reaches it, for what one row changed others would see. */
static void close_metatable(lua_State *L) {
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

static void guard_library(lua_State *L, const char *name) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, name);
  lua_pushcclosure(L, library_index, 1);
  lua_setfield(L, -2, "__index");
  close_metatable(L);
  lua_setmetatable(L, -2);
}

static size_t global_names(lua_State *L, const char *names[GLOBAL_NAMES_MAX]) {
  size_t count = 0;
  lua_pushglobaltable(L);
  lua_pushnil(L);
  for (; lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING && count < GLOBAL_NAMES_MAX) {
      names[count++] = lua_tostring(L, -2);
    }
  }
  lua_pop(L, 1);
  return count;
}

static int global_index(lua_State *L) {
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
  const char *instead = instead_of(name);
  tm_error *e = tm_host_error_push(L);
  if (instead != NULL) {
    tm_fail(e, TM_E_GLOBAL, "'%s' is not available in a script", name);
    tm_error_token(e, name, "");
    tm_error_help(e, "%s", instead);
    return tm_host_throw(L);
  }
  const char *names[GLOBAL_NAMES_MAX];
  tm_fail(e, TM_E_GLOBAL, "use of an undeclared global '%.60s'", name);
  tm_error_suggest(e, name, names, global_names(L, names));
  if (strcmp(name, "tm") == 0) {
    tm_error_help(e, "begin the script with: local tm <const> = require \"tidemill\"");
  } else if (e->note[0] == '\0') {
    tm_error_help(e, "a name must be declared before its use: local %.60s = …", name);
  }
  return tm_host_throw(L);
}

static int global_newindex(lua_State *L) {
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
  tm_error *e = tm_host_error_push(L);
  tm_fail(e, TM_E_GLOBAL, "assignment to an undeclared global '%.60s'", name);
  tm_error_token(e, name, "");
  tm_error_help(e, "scripts have no globals: write local %.60s = …", name);
  return tm_host_throw(L);
}

/* ------------------------------------------------------------------ putting it together */

static int environment_variable(lua_State *L) {
  lua_pushstring(L, tm_env_get()->variable(luaL_checkstring(L, 1)));
  return 1;
}

static void open_base(lua_State *L) {
  static const char *const removed[] = {"collectgarbage", "dofile", "loadfile", "load", "next",
                                        "pairs", "warn"};
  luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
  for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++) {
    lua_pushnil(L);
    lua_setfield(L, -2, removed[i]);
  }
  static const luaL_Reg replaced[] = {
    {"tostring", text_of}, {"print", print}, {"pcall", protected_call},
    {"xpcall", handled_call}, {"setmetatable", set_metatable}, {NULL, NULL},
  };
  luaL_setfuncs(L, replaced, 0);
  lua_pop(L, 1);
}

static void open_libraries(lua_State *L) {
  luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
  lua_pushnil(L);
  lua_setfield(L, -2, "dump");
  wrap(L, "format", format);
  lua_pushcfunction(L, repeat);
  lua_setfield(L, -2, "rep");
  guard_library(L, LUA_STRLIBNAME);
  lua_pop(L, 1);
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_createtable(L, 0, 1); /* what getmetatable "" gives: a copy, so that none changes texts */
  lua_getfield(L, -2, "__index");
  lua_setfield(L, -2, "__index");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
  luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
  wrap(L, "insert", bounded_shift);
  wrap(L, "remove", bounded_shift);
  wrap(L, "move", bounded_move);
  wrap(L, "concat", bounded_concat);
  lua_pop(L, 1);
  luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
  lua_pushnil(L);
  lua_setfield(L, -2, "random");
  lua_pushnil(L);
  lua_setfield(L, -2, "randomseed");
  guard_library(L, LUA_MATHLIBNAME);
  lua_pop(L, 1);
  luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, environment_variable);
  lua_setfield(L, -2, "getenv");
  guard_library(L, LUA_OSLIBNAME);
  lua_setglobal(L, LUA_OSLIBNAME);
}

/* The table of lift_names.h, with Lua's own functions; those of tm come with tm_values_fill. */
static void fill_lift_names(lua_State *L) {
  static const char *const ids[] = {TM_LIFT_LUA_IDS};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    const char *dot = strchr(ids[i], '.');
    int top = lua_gettop(L);
    lua_pushglobaltable(L);
    if (dot != NULL) {
      lua_pushlstring(L, ids[i], (size_t)(dot - ids[i]));
      lua_rawget(L, -2);
    }
    lua_pushstring(L, dot == NULL ? ids[i] : dot + 1);
    if (lua_rawget(L, -2) == LUA_TFUNCTION) {
      lua_pushstring(L, ids[i]);
      lua_rawset(L, top);
    }
    lua_settop(L, top);
  }
  lua_setfield(L, LUA_REGISTRYINDEX, TM_LIFT_REGISTRY);
}

static void close_globals(lua_State *L) {
  static const luaL_Reg metamethods[] = {
    {"__index", global_index}, {"__newindex", global_newindex}, {NULL, NULL},
  };
  lua_pushglobaltable(L);
  luaL_newlib(L, metamethods);
  close_metatable(L);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

void tm_sandbox_open(lua_State *L) {
  open_base(L);
  open_libraries(L);
  tm_order_open(L);
  tm_pattern_lib_open(L);
  tm_loader_open(L);
  tm_values_open(L);
  tm_row_view_open(L);
  tm_process_function_open(L);
  fill_lift_names(L);
  close_globals(L);
}
