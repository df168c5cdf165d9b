/* script/pattern_lib.c: string.find, match, gmatch and gsub over kernel/pattern, which bounds the
 * work of one call; beyond it they raise. Everything else is as in Lua's manual, to the byte. */
#include <lauxlib.h>
#include <string.h>

#include "kernel/substring.h"
#include "script/host.h"
#include "script/pattern_cache.h"
#include "script/sandbox.h"

#define STEPS_MAX UINT64_C(10000000)
enum { SCRATCH_KEPT = 1 << 20 };

static int refuse(lua_State *L, tm_pattern_status status, const char *error) {
  if (status == TM_PATTERN_LIMIT) {
    return luaL_error(L, "pattern needs more than %I steps for one text", (lua_Integer)STEPS_MAX);
  }
  if (status == TM_PATTERN_MEMORY) return tm_host_no_memory(L);
  return luaL_error(L, "%s", error);
}

/* ------------------------------------------------------------------ captures */

static void push_capture(lua_State *L, const char *text, const tm_pattern_match *match,
                         uint32_t at) {
  if (at >= match->count) { /* the whole match */
    lua_pushlstring(L, text + match->start, match->end - match->start);
    return;
  }
  const tm_pattern_capture *capture = &match->captures[at];
  if (capture->size == TM_PATTERN_POSITION) lua_pushinteger(L, (lua_Integer)capture->start + 1);
  else lua_pushlstring(L, text + capture->start, capture->size);
}

/* All captures, or the whole match where `whole` and there are none; how many. */
static int push_captures(lua_State *L, const char *text, tm_pattern_match *match, bool whole) {
  if (tm_pattern_check_captures(match) != TM_PATTERN_FOUND) {
    refuse(L, TM_PATTERN_ERROR, match->error);
  }
  uint32_t count = match->count == 0 && whole ? 1 : match->count;
  luaL_checkstack(L, (int)count, "too many captures");
  for (uint32_t i = 0; i < count; i++) push_capture(L, text, match, i);
  return (int)count;
}

/* ------------------------------------------------------------------ find and match */

static int find_plain(lua_State *L, const char *text, size_t size, size_t init) {
  size_t wanted_size;
  const char *wanted = lua_tolstring(L, 2, &wanted_size);
  const char *found = tm_substring_find(text + init, size - init, wanted, wanted_size);
  if (found == NULL) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)(found - text) + 1);
  lua_pushinteger(L, (lua_Integer)(found - text) + (lua_Integer)wanted_size);
  return 2;
}

static int search(lua_State *L, bool find) {
  size_t size, init;
  const char *text = luaL_checklstring(L, 1, &size);
  luaL_checkstring(L, 2);
  if (!tm_pattern_init(luaL_optinteger(L, 3, 1), size, &init)) {
    lua_pushnil(L);
    return 1;
  }
  if (find && lua_toboolean(L, 4)) return find_plain(L, text, size, init);
  tm_pattern_use use = find ? TM_PATTERN_FIND : TM_PATTERN_SEARCH;
  const tm_pattern *pattern = tm_pattern_cache_pattern(L, 2, use);
  tm_pattern_match match;
  tm_pattern_status status = tm_pattern_find(pattern, text, size, init, STEPS_MAX, &match);
  if (status < 0) return refuse(L, status, match.error);
  if (status == TM_PATTERN_NONE) {
    lua_pushnil(L);
    return 1;
  }
  if (!find) return push_captures(L, text, &match, true);
  lua_pushinteger(L, (lua_Integer)match.start + 1);
  lua_pushinteger(L, (lua_Integer)match.end);
  return 2 + push_captures(L, text, &match, false);
}

static int find(lua_State *L) { return search(L, true); }
static int match(lua_State *L) { return search(L, false); }

/* ------------------------------------------------------------------ gmatch */

/* Upvalues: text, pattern, cursor. The compiled pattern is asked for anew: the cache may forget. */
static int gmatch_next(lua_State *L) {
  tm_pattern_cursor *cursor = lua_touserdata(L, lua_upvalueindex(3));
  tm_pattern_match found;
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  cursor->pattern = tm_pattern_cache_pattern(L, 1, TM_PATTERN_EACH);
  tm_pattern_status status = tm_pattern_next(cursor, &found);
  if (status < 0) return refuse(L, status, found.error);
  if (status == TM_PATTERN_NONE) return 0;
  return push_captures(L, cursor->text, &found, true);
}

static int gmatch(lua_State *L) {
  size_t size, init;
  const char *text = luaL_checklstring(L, 1, &size);
  luaL_checkstring(L, 2);
  if (!tm_pattern_init(luaL_optinteger(L, 3, 1), size, &init)) init = size + 1;
  lua_settop(L, 2);
  tm_pattern_cursor *cursor = lua_newuserdatauv(L, sizeof *cursor, 0);
  const tm_pattern *pattern = tm_pattern_cache_pattern(L, 2, TM_PATTERN_EACH);
  tm_pattern_cursor_init(cursor, pattern, text, size, init <= size ? init : size, STEPS_MAX);
  if (init > size) cursor->done = true;
  lua_pushcclosure(L, gmatch_next, 3);
  return 1;
}

/* ------------------------------------------------------------------ gsub */

/* A text with %0 to %9 in it, for one match: the piece lies in the host's scratch. */
static void add_expanded(lua_State *L, luaL_Buffer *out, const char *text,
                         tm_pattern_match *found) {
  tm_bytes *scratch = &tm_host_of(L)->scratch;
  size_t size;
  const char *replacement = lua_tolstring(L, 3, &size);
  tm_bytes_clear(scratch);
  tm_pattern_status status = tm_pattern_expand(replacement, size, text, found, scratch);
  if (status < 0) refuse(L, status, found->error);
  if (scratch->size > 0) luaL_addlstring(out, (const char *)scratch->data, scratch->size);
  if (scratch->capacity > SCRATCH_KEPT) tm_bytes_deinit(scratch);
}

/* What a function or table gives for a match; false and nil keep it. Leaves one string. */
static void push_replacement(lua_State *L, const char *text, tm_pattern_match *found) {
  if (lua_isfunction(L, 3)) {
    lua_pushvalue(L, 3);
    lua_call(L, push_captures(L, text, found, true), 1);
  } else {
    if (found->count > 0 && found->captures[0].size == TM_PATTERN_UNFINISHED) {
      refuse(L, TM_PATTERN_ERROR, "unfinished capture");
    }
    push_capture(L, text, found, 0);
    lua_gettable(L, 3);
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, text + found->start, found->end - found->start);
  } else if (!lua_isstring(L, -1)) {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
}

static int replace(lua_State *L, const tm_pattern *pattern, const char *text, size_t size,
                   int64_t count_max) {
  bool expands = lua_type(L, 3) == LUA_TSTRING || lua_type(L, 3) == LUA_TNUMBER;
  tm_pattern_cache *cache = &tm_host_of(L)->patterns;
  tm_pattern_cursor cursor;
  tm_pattern_match found;
  lua_Integer count = 0;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  tm_pattern_cursor_init(&cursor, pattern, text, size, 0, STEPS_MAX);
  cache->users++;
  while (count_max < 0 || count < count_max) {
    size_t from = cursor.at;
    tm_pattern_status status = tm_pattern_next(&cursor, &found);
    if (status < 0) refuse(L, status, found.error);
    if (status == TM_PATTERN_NONE) {
      cursor.at = from;
      break;
    }
    luaL_addlstring(&out, text + from, found.start - from);
    if (expands) {
      add_expanded(L, &out, text, &found);
    } else {
      push_replacement(L, text, &found);
      luaL_addvalue(&out);
    }
    count++;
  }
  cache->users--;
  luaL_addlstring(&out, text + cursor.at, size - cursor.at);
  luaL_pushresult(&out);
  lua_pushinteger(L, count);
  return 2;
}

static int gsub(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  luaL_checkstring(L, 2);
  int type = lua_type(L, 3);
  luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                   type == LUA_TTABLE, 3, "string/function/table");
  int64_t count_max = lua_isnoneornil(L, 4) ? -1 : luaL_checkinteger(L, 4);
  if (!lua_isnoneornil(L, 4) && count_max < 0) count_max = 0;
  const tm_pattern *pattern = tm_pattern_cache_pattern(L, 2, TM_PATTERN_SEARCH);
  if (type == LUA_TNUMBER) (void)lua_tostring(L, 3); /* becomes a text, once */
  return replace(L, pattern, text, size, count_max);
}

void tm_pattern_lib_open(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"find", find}, {"match", match}, {"gmatch", gmatch}, {"gsub", gsub}, {NULL, NULL},
  };
  lua_getglobal(L, "string");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
