/* script/lua_pool.h: the memory of one Lua state, charged to a budget and bounded.
 *
 * Row functions make many small objects that live for one call, so blocks up to 512 bytes come
 * from free lists over slabs; larger ones go straight to the budget. Slabs are given back only
 * when the pool goes. One thread at a time. */
#ifndef TM_SCRIPT_LUA_POOL_H
#define TM_SCRIPT_LUA_POOL_H

#include "base/memory.h"

enum {
  TM_LUA_POOL_STEP = 16,
  TM_LUA_POOL_SMALL_MAX = 512,
  TM_LUA_POOL_CLASSES = TM_LUA_POOL_SMALL_MAX / TM_LUA_POOL_STEP,
};

typedef enum tm_lua_pool_refusal {
  TM_LUA_POOL_GAVE = 0,
  TM_LUA_POOL_OWN_LIMIT, /* the state's own limit is reached */
  TM_LUA_POOL_BUDGET,    /* the budget above refused */
} tm_lua_pool_refusal;

typedef struct tm_lua_pool {
  tm_budget *budget;
  uint64_t used_bytes, limit_bytes; /* of what was taken from the budget */
  void *free[TM_LUA_POOL_CLASSES];
  void *slabs;                      /* newest first */
  tm_lua_pool_refusal refusal;      /* of the last request that was refused */
} tm_lua_pool;

void tm_lua_pool_init(tm_lua_pool *pool, tm_budget *budget, uint64_t limit_bytes);
/* Every block must have been given back (the state closed). */
void tm_lua_pool_deinit(tm_lua_pool *pool);
/* A lua_Alloc; context is the pool. */
void *tm_lua_pool_alloc(void *context, void *block, size_t old_bytes, size_t new_bytes);

#endif
