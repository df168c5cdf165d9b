/* script/host.c: creating a state, entering it, and turning what it throws into a tm_error.
 *
 * The message handler runs where the error was raised, so it still sees the frames: it finds the
 * script's line and writes host->caught; behind the wall only out-of-memory is left to tell. */
#include "script/host.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "script/sandbox.h"
#include "script/session.h"

#define ERROR_METATABLE "tidemill.error"
#define EMBEDDED_PREFIX "=(tidemill"

tm_host *tm_host_of(lua_State *L) {
  tm_host *host;
  memcpy(&host, lua_getextraspace(L), sizeof host);
  return host;
}

/* ------------------------------------------------------------------ errors inside Lua */

tm_error *tm_host_error_at(lua_State *L, int index) {
  return luaL_testudata(L, index, ERROR_METATABLE);
}

static int error_text(lua_State *L) {
  tm_error *e = luaL_checkudata(L, 1, ERROR_METATABLE);
  lua_pushstring(L, e->message);
  return 1;
}

static int error_field(lua_State *L) {
  tm_error *e = luaL_checkudata(L, 1, ERROR_METATABLE);
  const char *name = luaL_checkstring(L, 2);
  if (strcmp(name, "message") == 0) lua_pushstring(L, e->message);
  else if (strcmp(name, "line") == 0) lua_pushinteger(L, e->script_line);
  else if (strcmp(name, "code") == 0) lua_pushfstring(L, "E%d", e->code);
  else lua_pushnil(L);
  return 1;
}

tm_error *tm_host_error_push(lua_State *L) {
  tm_error *e = lua_newuserdatauv(L, sizeof *e, 0);
  memset(e, 0, sizeof *e);
  if (luaL_newmetatable(L, ERROR_METATABLE)) {
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, error_field);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, -2);
  return e;
}

static bool is_embedded(const lua_Debug *frame) {
  return strncmp(frame->source, EMBEDDED_PREFIX, sizeof EMBEDDED_PREFIX - 1) == 0;
}

static void set_place(tm_error *out, const char *source, int line) {
  (void)snprintf(out->script, sizeof out->script, "%s", source + 1);
  out->script_line = line;
}

int tm_host_where(lua_State *L, bool main_only, tm_error *out) {
  const tm_script *script = tm_host_of(L)->script;
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0 || is_embedded(&frame)) continue;
    if (frame.source[0] != '@' && frame.source[0] != '=') continue;
    if (main_only && strcmp(frame.source, script->chunk) != 0) continue;
    set_place(out, frame.source, frame.currentline);
    return 0;
  }
  (void)snprintf(out->script, sizeof out->script, "%s", script->name);
  out->script_line = 0;
  return -1;
}

int tm_host_throw(lua_State *L) {
  tm_host *host = tm_host_of(L);
  tm_error *e = tm_host_error_at(L, -1);
  assert(e != NULL && e->code != TM_E_NONE);
  if (e->script[0] == '\0') {
    int line = e->script_line;
    tm_host_where(L, false, e);
    if (line > 0) e->script_line = line;
  }
  if (host->phase == TM_HOST_ROWS && !host->aborting) {
    host->aborting = true;
    host->aborted = *e;
  }
  return lua_error(L);
}

int tm_host_raise(lua_State *L, tm_error_code code, const char *format, ...) {
  tm_error *e = tm_host_error_push(L);
  va_list args;
  va_start(args, format);
  (void)vsnprintf(e->message, sizeof e->message, format, args);
  va_end(args);
  e->code = (int)code;
  return tm_host_throw(L);
}

/* ------------------------------------------------------------------ limits */

static const char *phase_subject(tm_host_phase phase) {
  switch (phase) {
    case TM_HOST_LOAD: return "the script";
    case TM_HOST_HOOK: return "on_done";
    case TM_HOST_IDLE:
    case TM_HOST_PLAN:
    case TM_HOST_ROWS: break;
  }
  return "the row function";
}

static tm_error_code phase_limit_code(tm_host_phase phase) {
  if (phase == TM_HOST_LOAD) return TM_E_LOAD_LIMIT;
  return phase == TM_HOST_HOOK ? TM_E_HOOK : TM_E_ROW_LIMIT;
}

static void hook(lua_State *L, lua_Debug *frame) {
  (void)frame;
  tm_host *host = tm_host_of(L);
  if (!tm_guard_expired(&host->guard)) return;
  if (!host->aborting) {
    host->aborting = true;
    host->aborted = (tm_error){.code = (int)phase_limit_code(host->phase)};
    double seconds = (double)host->limit_us / 1e6;
    (void)snprintf(host->aborted.message, sizeof host->aborted.message,
                   "%s took longer than %g s%s", phase_subject(host->phase), seconds,
                   host->phase == TM_HOST_LOAD ? " to load" : "");
    if (host->phase == TM_HOST_ROWS) {
      tm_error_help(&host->aborted, "a job that needs longer says limits = { row = \"10s\" }");
    }
    tm_host_where(L, false, &host->aborted);
  }
  lua_pushlightuserdata(L, host);
  lua_error(L);
}

/* The budget above gave less than the state may have. */
static bool is_budget(const tm_host *host) {
  return host->pool.refusal == TM_LUA_POOL_BUDGET &&
         tm_budget_used(host->budget) < host->pool.limit_bytes;
}

static void describe_memory(const tm_host *host, tm_error *out) {
  if (is_budget(host)) {
    tm_fail(out, TM_E_MEMORY, "%s needs more memory than the budget allows",
            phase_subject(host->phase));
  } else {
    tm_fail(out, phase_limit_code(host->phase), "%s needs more than %llu MiB of memory%s",
            phase_subject(host->phase), (unsigned long long)(host->pool.limit_bytes >> 20),
            host->phase == TM_HOST_LOAD ? " to load" : "");
  }
  (void)snprintf(out->script, sizeof out->script, "%s", host->script->name);
}

int tm_host_no_memory(lua_State *L) {
  tm_host *host = tm_host_of(L);
  host->pool.refusal = TM_LUA_POOL_OWN_LIMIT;
  if (!host->aborting) {
    host->aborting = true;
    tm_error_clear(&host->aborted);
    describe_memory(host, &host->aborted);
    tm_host_where(L, false, &host->aborted);
  }
  lua_pushlightuserdata(L, host);
  return lua_error(L);
}

/* ------------------------------------------------------------------ the wall */

/* "orders.lua:7: text" of one of the frames: the place goes to out, the text is returned. */
static const char *strip_place(lua_State *L, const char *message, tm_error *out) {
  char prefix[LUA_IDSIZE + 16];
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0) continue;
    int size = snprintf(prefix, sizeof prefix, "%s:%d: ", frame.short_src, frame.currentline);
    if (strncmp(message, prefix, (size_t)size) != 0) continue;
    if (!is_embedded(&frame)) set_place(out, frame.source, frame.currentline);
    return message + size;
  }
  return message;
}

/* What Lua says of a variable, as "(field 'user')", is what to underline. */
static void find_token(tm_error *out) {
  const char *at = strrchr(out->message, '(');
  if (at == NULL) return;
  const char *open = strchr(at, '\''), *close = open == NULL ? NULL : strchr(open + 1, '\'');
  if (close == NULL || close[1] != ')' || close == open + 1) return;
  size_t size = (size_t)(close - open - 1);
  if (size >= sizeof out->token) return;
  memcpy(out->token, open + 1, size);
  out->token[size] = '\0';
}

static int describe(lua_State *L) {
  tm_host *host = tm_host_of(L);
  tm_error *out = &host->caught;
  tm_error_clear(out);
  tm_error *object = tm_host_error_at(L, 1);
  if (host->aborting) {
    *out = host->aborted;
  } else if (object != NULL) {
    *out = *object;
  } else {
    const char *message = tm_sandbox_text(L, 1, NULL);
    tm_fail(out, TM_E_ROW_FUNCTION, "%s", "");
    const char *text = strip_place(L, message, out);
    (void)snprintf(out->message, sizeof out->message, "%s", text);
    if (out->script_line == 0) tm_host_where(L, false, out);
    find_token(out);
  }
  lua_settop(L, 1);
  return 1;
}

int tm_host_try(tm_host *host, lua_CFunction body, void *context) {
  lua_State *L = host->L;
  int top = lua_gettop(L);
  host->patterns.users = 0;
  if (!lua_checkstack(L, 8)) {
    tm_error_clear(&host->caught);
    describe_memory(host, &host->caught);
    return -1;
  }
  lua_pushcfunction(L, describe);
  lua_pushcfunction(L, body);
  lua_pushlightuserdata(L, context);
  int status = lua_pcall(L, 1, 0, top + 1);
  lua_settop(L, top);
  if (status == LUA_OK) return 0;
  if (host->aborting) {
    host->caught = host->aborted;
  } else if (status == LUA_ERRMEM) {
    tm_error_clear(&host->caught);
    describe_memory(host, &host->caught);
  } else if (status == LUA_ERRERR) {
    tm_error_clear(&host->caught);
    tm_fail(&host->caught, TM_E_ROW_FUNCTION, "error in the handling of an error");
  }
  host->aborting = false;
  return -1;
}

void tm_host_enter(tm_host *host, tm_host_phase phase, int64_t limit_us) {
  assert(host->phase == TM_HOST_IDLE);
  host->phase = phase;
  host->limit_us = limit_us;
  host->aborting = false;
  tm_guard_enter(&host->guard, limit_us);
}

void tm_host_leave(tm_host *host) {
  tm_guard_leave(&host->guard);
  host->phase = TM_HOST_IDLE;
}

int tm_host_call(tm_host *host, tm_host_phase phase, int64_t limit_us, lua_CFunction body,
                 void *context, tm_error *err) {
  tm_host_enter(host, phase, limit_us);
  int failed = tm_host_try(host, body, context);
  tm_host_leave(host);
  if (failed == 0) return 0;
  if (host->caught.code == TM_E_ROW_FUNCTION && phase != TM_HOST_ROWS) {
    host->caught.code = phase == TM_HOST_HOOK ? TM_E_HOOK : TM_E_SCRIPT;
  }
  if (err != NULL && err->code == TM_E_NONE) *err = host->caught;
  return -1;
}

/* ------------------------------------------------------------------ life */

/* Outside every protected call: a bug of this room. */
static int panic(lua_State *L) {
  const char *text = lua_tostring(L, -1);
  tm_log(TM_LOG_ERROR, "unprotected Lua error: %s", text == NULL ? "?" : text);
  abort();
}

static int open_body(lua_State *L) {
  tm_sandbox_open(L);
  return 0;
}

tm_host *tm_host_create(tm_script *script, bool worker, tm_error *err) {
  /* The pool bounds the state; what C functions need beside it (patterns) is bounded with it. */
  tm_budget *budget = tm_budget_create(script->budget, worker ? "lua worker" : "lua",
                                       2 * script->memory_bytes);
  if (budget == NULL) {
    tm_fail(err, TM_E_MEMORY, "out of memory");
    return NULL;
  }
  tm_host *host = tm_alloc_zero(budget, sizeof *host);
  if (host == NULL) {
    tm_budget_destroy(budget);
    tm_fail(err, TM_E_MEMORY, "out of memory for a Lua state");
    return NULL;
  }
  host->budget = budget;
  host->script = script;
  host->worker = worker;
  tm_lua_pool_init(&host->pool, budget, script->memory_bytes);
  tm_pattern_cache_init(&host->patterns, budget);
  tm_bytes_init(&host->scratch, budget);
  host->L = lua_newstate(tm_lua_pool_alloc, &host->pool);
  host->guard.lua = host->L;
  host->guard.hook = hook;
  if (host->L != NULL) {
    lua_atpanic(host->L, panic);
    memcpy(lua_getextraspace(host->L), &host, sizeof host);
    tm_watchdog_insert(script->watchdog, &host->guard);
  } else {
    tm_fail(err, TM_E_MEMORY, "out of memory for a Lua state");
  }
  if (host->L == NULL ||
      tm_host_call(host, TM_HOST_LOAD, script->load_us, open_body, NULL, err) < 0) {
    tm_host_destroy(host);
    return NULL;
  }
  return host;
}

void tm_host_destroy(tm_host *host) {
  if (host == NULL) return;
  tm_budget *budget = host->budget;
  if (host->L != NULL) {
    tm_watchdog_remove(host->script->watchdog, &host->guard);
    lua_close(host->L);
  }
  tm_lua_pool_deinit(&host->pool);
  tm_pattern_cache_deinit(&host->patterns);
  tm_bytes_deinit(&host->scratch);
  tm_free(budget, host, sizeof *host);
  tm_budget_destroy(budget);
}
