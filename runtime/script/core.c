/* script/core.c: what the front end in lua/ asks of C: `local name, core = ...` in its files.
 *
 * Errors with a place in the script, places of calls, what stages the engine has, parameters and
 * the parsing of texts. Users never see this table. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "script/plan_builder.h"
#include "script/sandbox.h"
#include "script/value_parts.h"

enum { NAMES_MAX = 128 };

/* ------------------------------------------------------------------ errors and places */

static int code_of(lua_State *L, const char *name) {
  const tm_error_info *info;
  for (size_t i = 0; (info = tm_error_list(i)) != NULL; i++) {
    if (strcmp(info->name, name) == 0) return info->code;
  }
  return luaL_error(L, "no error code has the name '%s'", name);
}

static const char *option_text(lua_State *L, const char *name) {
  const char *text = lua_getfield(L, 3, name) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1); /* the table keeps it */
  return text;
}

static lua_Integer option_int(lua_State *L, const char *name) {
  lua_getfield(L, 3, name);
  lua_Integer value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value;
}

static void suggest(lua_State *L, tm_error *e, const char *token) {
  const char *names[NAMES_MAX];
  size_t count = 0;
  if (lua_getfield(L, 3, "names") == LUA_TTABLE) {
    lua_Integer length = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= length && count < NAMES_MAX; i++) {
      lua_rawgeti(L, -1, i);
      if (lua_type(L, -1) == LUA_TSTRING) names[count++] = lua_tostring(L, -1);
      lua_pop(L, 1);
    }
    tm_error_suggest(e, token, names, count);
  }
  lua_pop(L, 1);
}

/* A line that belongs to the main script gets more exact by the place and the token. */
static void refine(tm_error *e, const tm_script *script, uint32_t place) {
  if (place == 0 || strcmp(e->script, script->name) != 0) return;
  char quote = '\0';
  int line = 0;
  if (e->token[0] != '\0') line = tm_source_map_argument(script->map, place, e->token, &quote);
  if (quote != '\0' && strlen(e->token) + 2 < sizeof e->token) { /* "n" is not any n */
    char quoted[sizeof e->token];
    (void)snprintf(quoted, sizeof quoted, "%c%.61s%c", quote, e->token, quote);
    tm_error_token(e, quoted, NULL);
  }
  if (line == 0) line = tm_source_map_line(script->map, place);
  if (line > 0) e->script_line = line;
}

/* raise(code, message, {token, note, help, names, verb, line, place}): a did-you-mean for the token
 * out of names. `verb` finds the place of the call that is under way. */
static int core_raise(lua_State *L) {
  const tm_script *script = tm_host_of(L)->script;
  int code = code_of(L, luaL_checkstring(L, 1));
  const char *message = luaL_checkstring(L, 2);
  lua_settop(L, 3);
  if (lua_isnil(L, 3)) {
    lua_newtable(L);
    lua_replace(L, 3);
  }
  tm_error *e = tm_host_error_push(L);
  tm_fail(e, (tm_error_code)code, "%s", message);
  const char *token = option_text(L, "token"), *verb = option_text(L, "verb");
  const char *help = option_text(L, "help");
  if (token != NULL) {
    tm_error_token(e, token, option_text(L, "note"));
    suggest(L, e, token);
  }
  if (help != NULL) tm_error_help(e, "%s", help);
  uint32_t place = (uint32_t)option_int(L, "place");
  int line = (int)option_int(L, "line");
  if (line > 0 || place > 0) {
    (void)snprintf(e->script, sizeof e->script, "%s", script->name);
    e->script_line = line;
  } else {
    tm_host_where(L, false, e);
  }
  if (place == 0 && verb != NULL && script->map != NULL) {
    place = e->script_line > 0
                ? tm_source_map_call(script->map, verb, e->script_line,
                                     (uint32_t)option_int(L, "after"))
                : tm_source_map_last(script->map, verb);
  }
  if (script->map != NULL) refine(e, script, place);
  return tm_host_throw(L);
}

/* place(verb, after): line and place of the call under way in the main script; 0 where unknown. */
static int core_place(lua_State *L) {
  const tm_script *script = tm_host_of(L)->script;
  const char *verb = luaL_checkstring(L, 1);
  uint32_t after = (uint32_t)luaL_optinteger(L, 2, 0), place;
  tm_error where = {0};
  if (tm_host_where(L, true, &where) == 0) {
    place = tm_source_map_call(script->map, verb, where.script_line, after);
  } else {
    place = tm_source_map_last(script->map, verb);
  }
  int line = tm_source_map_line(script->map, place);
  lua_pushinteger(L, line > 0 ? line : where.script_line);
  lua_pushinteger(L, (lua_Integer)place);
  return 2;
}

/* ------------------------------------------------------------------ the engine */

static int core_has(lua_State *L) {
  static const char *const roles[] = {"source", "step", "sink", NULL};
  const char *verb = luaL_checkstring(L, 1);
  int role = luaL_checkoption(L, 2, NULL, roles);
  lua_pushboolean(L, tm_host_of(L)->script->find_stage(verb, (tm_stage_role)role) != NULL);
  return 1;
}

static int core_set_flow(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  tm_plan_builder_set_flow(L, 1);
  return 0;
}

/* Fills the functions of `tm` that are made in C into the table. */
static int core_values(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  tm_values_fill(L);
  return 0;
}

/* metatable(value): also where scripts may not see it. */
static int core_metatable(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_getmetatable(L, 1)) lua_pushnil(L);
  return 1;
}

/* kind(value): what messages call it: "string", "integer", "date", "flow". */
static int core_kind(lua_State *L) {
  if (lua_istable(L, 1) && luaL_getmetafield(L, 1, "__name") == LUA_TSTRING) return 1;
  lua_pushstring(L, tm_values_type_name(L, 1));
  return 1;
}

/* ------------------------------------------------------------------ what the run was given */

/* param(name): its text, or nil; from now on the script knows the name. */
static int core_param(lua_State *L) {
  tm_host *host = tm_host_of(L);
  tm_script *script = host->script;
  const char *name = luaL_checkstring(L, 1);
  if (!host->worker) {
    tm_declared *d = tm_arena_zero(&script->arena, sizeof *d);
    if (d != NULL) d->name = tm_arena_text(&script->arena, name, strlen(name));
    if (d == NULL || d->name == NULL) return luaL_error(L, "not enough memory");
    d->next = script->declared;
    script->declared = d;
  }
  for (size_t i = script->param_count; i > 0; i--) { /* the last one given wins */
    if (strcmp(script->params[i - 1].name, name) != 0) continue;
    lua_pushstring(L, script->params[i - 1].value);
    return 1;
  }
  return 0;
}

static int core_env(lua_State *L) {
  lua_pushstring(L, tm_env_get()->variable(luaL_checkstring(L, 1)));
  return 1;
}

static int core_date(lua_State *L) {
  tm_values_push_date(L, tm_host_of(L)->script->date_days);
  return 1;
}

static int core_script(lua_State *L) {
  lua_pushstring(L, tm_host_of(L)->script->name);
  return 1;
}

/* exists(path): is there a file? For modules that say what takes its place where there is none. */
static int core_exists(lua_State *L) {
  tm_file_info info;
  lua_pushboolean(L, tm_env_get()->stat(luaL_checkstring(L, 1), &info) == 0);
  return 1;
}

static int core_secret(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_newuserdatauv(L, 1, 1);
  lua_pushstring(L, tm_env_get()->variable(name));
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, TM_LUA_SECRET);
  return 1;
}

void tm_core_fill(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"raise", core_raise}, {"place", core_place}, {"has", core_has},
    {"set_flow", core_set_flow}, {"values", core_values}, {"param", core_param},
    {"env", core_env}, {"date", core_date}, {"script", core_script}, {"secret", core_secret},
    {"metatable", core_metatable}, {"kind", core_kind}, {"exists", core_exists},
    {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  tm_values_fill_core(L);
}
