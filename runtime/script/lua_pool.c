/* script/lua_pool.c: free lists by size over slabs. Lua tells the size of every block that it gives
 * back, so blocks carry no header. A slab is never given back before the pool is: a state that
 * once needed that much is likely to need it again. */
#include "script/lua_pool.h"

#include <string.h>

enum { SLAB_BYTES = 16 * 1024 };

typedef struct slab {
  struct slab *next;
  uint64_t padding; /* keeps blocks 16-byte aligned */
} slab;

void tm_lua_pool_init(tm_lua_pool *pool, tm_budget *budget, uint64_t limit_bytes) {
  *pool = (tm_lua_pool){.budget = budget, .limit_bytes = limit_bytes};
}

void tm_lua_pool_deinit(tm_lua_pool *pool) {
  for (slab *s = pool->slabs; s != NULL;) {
    slab *next = s->next;
    tm_free(pool->budget, s, SLAB_BYTES);
    s = next;
  }
  pool->slabs = NULL;
}

static bool fits(tm_lua_pool *pool, size_t more) {
  if (more <= pool->limit_bytes && pool->used_bytes <= pool->limit_bytes - more) return true;
  pool->refusal = TM_LUA_POOL_OWN_LIMIT;
  return false;
}

static void *take_large(tm_lua_pool *pool, size_t bytes) {
  if (!fits(pool, bytes)) return NULL;
  void *block = tm_alloc(pool->budget, bytes);
  if (block == NULL) pool->refusal = TM_LUA_POOL_BUDGET;
  else pool->used_bytes += bytes;
  return block;
}

static void give_large(tm_lua_pool *pool, void *block, size_t bytes) {
  tm_free(pool->budget, block, bytes);
  pool->used_bytes -= bytes;
}

static void **class_of(tm_lua_pool *pool, size_t bytes) {
  return &pool->free[(bytes - 1) / TM_LUA_POOL_STEP];
}

/* Cuts a fresh slab into blocks of one size. */
static void *refill(tm_lua_pool *pool, size_t bytes) {
  size_t size = (bytes + TM_LUA_POOL_STEP - 1) / TM_LUA_POOL_STEP * TM_LUA_POOL_STEP;
  slab *s = take_large(pool, SLAB_BYTES);
  if (s == NULL) return NULL;
  s->next = pool->slabs;
  pool->slabs = s;
  void **list = class_of(pool, bytes);
  char *at = (char *)(s + 1), *end = (char *)s + SLAB_BYTES;
  void *first = at;
  for (at += size; (size_t)(end - at) >= size; at += size) {
    memcpy(at, list, sizeof *list);
    *list = at;
  }
  return first;
}

static inline void *take(tm_lua_pool *pool, size_t bytes) {
  if (bytes > TM_LUA_POOL_SMALL_MAX) return take_large(pool, bytes);
  void **list = class_of(pool, bytes);
  void *block = *list;
  if (block == NULL) return refill(pool, bytes);
  memcpy(list, block, sizeof *list);
  return block;
}

static inline void give(tm_lua_pool *pool, void *block, size_t bytes) {
  if (bytes > TM_LUA_POOL_SMALL_MAX) {
    give_large(pool, block, bytes);
    return;
  }
  void **list = class_of(pool, bytes);
  memcpy(block, list, sizeof *list);
  *list = block;
}

void *tm_lua_pool_alloc(void *context, void *block, size_t old_bytes, size_t new_bytes) {
  tm_lua_pool *pool = context;
  if (block == NULL) return new_bytes == 0 ? NULL : take(pool, new_bytes);
  if (new_bytes == 0) {
    give(pool, block, old_bytes);
    return NULL;
  }
  bool small = old_bytes <= TM_LUA_POOL_SMALL_MAX && new_bytes <= TM_LUA_POOL_SMALL_MAX;
  if (small && class_of(pool, old_bytes) == class_of(pool, new_bytes)) return block;
  if (old_bytes > TM_LUA_POOL_SMALL_MAX && new_bytes > TM_LUA_POOL_SMALL_MAX) {
    if (new_bytes > old_bytes && !fits(pool, new_bytes - old_bytes)) return NULL;
    void *moved = tm_realloc(pool->budget, block, old_bytes, new_bytes);
    if (moved == NULL) pool->refusal = TM_LUA_POOL_BUDGET;
    else pool->used_bytes += new_bytes - old_bytes;
    return moved;
  }
  void *copy = take(pool, new_bytes);
  if (copy == NULL) return NULL; /* Lua 5.4 takes that when shrinking, too: it raises */
  memcpy(copy, block, old_bytes < new_bytes ? old_bytes : new_bytes);
  give(pool, block, old_bytes);
  return copy;
}
