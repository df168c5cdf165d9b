/* script/pattern_cache.c: see the header. */
#include "script/pattern_cache.h"

#include <lauxlib.h>

#include "script/host.h"

enum {
  KIND_PATTERN = 1, /* + tm_pattern_use */
  KIND_LIKE = KIND_PATTERN + TM_PATTERN_EACH + 1,
  KIND_FORMAT,
  KINDS = KIND_FORMAT,
};

void tm_pattern_cache_init(tm_pattern_cache *cache, tm_budget *budget) {
  *cache = (tm_pattern_cache){.tables = LUA_NOREF};
  tm_arena_init(&cache->arena, budget);
}

void tm_pattern_cache_deinit(tm_pattern_cache *cache) { tm_arena_deinit(&cache->arena); }

/* Pushes the table of a kind. */
static void push_table(lua_State *L, tm_pattern_cache *cache, int kind) {
  if (cache->tables == LUA_NOREF) {
    lua_createtable(L, KINDS, 0);
    cache->tables = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, cache->tables);
  if (lua_rawgeti(L, -1, kind) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, kind);
  }
  lua_remove(L, -2);
}

static void forget(lua_State *L, tm_pattern_cache *cache) {
  luaL_unref(L, LUA_REGISTRYINDEX, cache->tables);
  cache->tables = LUA_NOREF;
  cache->count = 0;
  tm_arena_reset(&cache->arena);
}

static const void *compile(lua_State *L, int index, int kind, tm_arena *arena) {
  size_t size;
  const char *text = lua_tolstring(L, index, &size);
  const void *compiled;
  tm_error failure = {0};
  if (kind == KIND_LIKE) compiled = tm_like_compile(text, size, arena);
  else if (kind == KIND_FORMAT) compiled = tm_time_format_compile(text, size, arena, &failure);
  else compiled = tm_pattern_compile(text, size, (tm_pattern_use)(kind - KIND_PATTERN), arena);
  if (failure.code == TM_E_VALUE) luaL_error(L, "%s", failure.message);
  if (compiled == NULL) tm_host_no_memory(L);
  return compiled;
}

static const void *find(lua_State *L, int index, int kind) {
  tm_pattern_cache *cache = &tm_host_of(L)->patterns;
  index = lua_absindex(L, index);
  if (cache->count >= TM_PATTERN_CACHE_MAX && cache->users == 0) forget(L, cache);
  push_table(L, cache, kind);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  const void *compiled = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (compiled == NULL) {
    compiled = compile(L, index, kind, &cache->arena);
    cache->count++;
    lua_pushvalue(L, index);
    lua_pushlightuserdata(L, (void *)compiled);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
  return compiled;
}

const tm_pattern *tm_pattern_cache_pattern(lua_State *L, int index, tm_pattern_use use) {
  return find(L, index, KIND_PATTERN + (int)use);
}

const tm_like *tm_pattern_cache_like(lua_State *L, int index) { return find(L, index, KIND_LIKE); }

const tm_time_format *tm_pattern_cache_format(lua_State *L, int index) {
  return find(L, index, KIND_FORMAT);
}
