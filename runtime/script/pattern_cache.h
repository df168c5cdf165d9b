/* script/pattern_cache.h: compiled patterns and formats of a Lua state, found by their text.
 *
 * A row function uses the same few patterns for every row. The cache is bounded: when it is full it
 * forgets everything, unless somebody is in the middle of using a pattern. */
#ifndef TM_SCRIPT_PATTERN_CACHE_H
#define TM_SCRIPT_PATTERN_CACHE_H

#include <lua.h>

#include "kernel/like.h"
#include "kernel/pattern.h"
#include "kernel/time_format.h"

enum { TM_PATTERN_CACHE_MAX = 256 };

typedef struct tm_pattern_cache {
  tm_arena arena;
  int tables;     /* registry reference: a table by kind, each text → compiled */
  int count;
  int users;      /* calls of gsub that run callbacks: what they use must stay */
} tm_pattern_cache;

/* The string at index, compiled; valid until the next call here, or longer while `users` is not 0.
 * Raises when out of memory. */
const tm_pattern *tm_pattern_cache_pattern(lua_State *L, int index, tm_pattern_use use);
const tm_like *tm_pattern_cache_like(lua_State *L, int index);
/* Raises for a directive that is none as well. */
const tm_time_format *tm_pattern_cache_format(lua_State *L, int index);

void tm_pattern_cache_init(tm_pattern_cache *cache, tm_budget *budget);
void tm_pattern_cache_deinit(tm_pattern_cache *cache);

#endif
