/* format/block.c: see block.h. Free blocks are kept, for fresh memory costs a page fault each 4
 * KiB.
 *
 * The pool counts itself and every block that is out; the last of them to go frees it. */
#include "format/block.h"

#include <assert.h>
#include <string.h>

#include "base/env.h"

enum { KEEP_MAX = 64 };

struct tm_block_pool {
  tm_budget *budget;
  tm_mutex mutex;
  size_t capacity;
  uint32_t keep, free_count;
  uint32_t out; /* blocks that are out, and the owner */
  tm_block *free[KEEP_MAX];
};

tm_block_pool *tm_block_pool_create(tm_budget *budget, size_t capacity, uint32_t keep) {
  tm_block_pool *pool = tm_alloc_zero(budget, sizeof *pool);
  if (pool == NULL) return NULL;
  pool->budget = budget;
  pool->capacity = capacity;
  pool->keep = keep < KEEP_MAX ? keep : KEEP_MAX;
  pool->out = 1;
  tm_env_get()->mutex_init(&pool->mutex);
  return pool;
}

static void block_free(tm_budget *budget, tm_block *block) {
  tm_free(budget, block->buffer, block->capacity + TM_BLOCK_PAD);
  tm_free(budget, block, sizeof *block);
}

static void pool_free(tm_block_pool *pool) {
  for (uint32_t i = 0; i < pool->free_count; i++) block_free(pool->budget, pool->free[i]);
  tm_env_get()->mutex_deinit(&pool->mutex);
  tm_free(pool->budget, pool, sizeof *pool);
}

void tm_block_pool_destroy(tm_block_pool *pool) {
  if (pool == NULL) return;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&pool->mutex);
  pool->keep = 0;
  bool last = --pool->out == 0;
  env->mutex_unlock(&pool->mutex);
  if (last) pool_free(pool);
}

static tm_block *take_free(tm_block_pool *pool, size_t capacity) {
  const tm_env *env = tm_env_get();
  tm_block *block = NULL;
  env->mutex_lock(&pool->mutex);
  pool->out++;
  if (pool->free_count > 0 && capacity <= pool->capacity) block = pool->free[--pool->free_count];
  env->mutex_unlock(&pool->mutex);
  return block;
}

static tm_block *make(tm_block_pool *pool, size_t capacity) {
  tm_block *block = tm_alloc(pool->budget, sizeof *block);
  if (block == NULL) return NULL;
  block->buffer = tm_alloc(pool->budget, capacity + TM_BLOCK_PAD);
  if (block->buffer == NULL) {
    tm_free(pool->budget, block, sizeof *block);
    return NULL;
  }
  block->capacity = capacity;
  return block;
}

tm_block *tm_block_create(tm_block_pool *pool, size_t capacity) {
  if (capacity < pool->capacity) capacity = pool->capacity;
  tm_block *block = take_free(pool, capacity);
  if (block == NULL) block = make(pool, capacity);
  if (block == NULL) {
    const tm_env *env = tm_env_get();
    env->mutex_lock(&pool->mutex);
    pool->out--;
    env->mutex_unlock(&pool->mutex);
    return NULL;
  }
  char *buffer = block->buffer;
  capacity = block->capacity;
  *block = (tm_block){
      .references = 1, .pool = pool, .buffer = buffer, .capacity = capacity, .data = buffer};
  return block;
}

int tm_block_grow(tm_block *block, size_t used, size_t capacity) {
  assert(block->references == 1 && used <= block->capacity && capacity >= used);
  char *buffer = tm_alloc(block->pool->budget, capacity + TM_BLOCK_PAD);
  if (buffer == NULL) return -1;
  memcpy(buffer, block->buffer, used);
  tm_free(block->pool->budget, block->buffer, block->capacity + TM_BLOCK_PAD);
  block->data = buffer + (block->data - block->buffer);
  block->buffer = buffer;
  block->capacity = capacity;
  return 0;
}

tm_block *tm_block_retain(tm_block *block) {
  __atomic_add_fetch(&block->references, 1, __ATOMIC_RELAXED);
  return block;
}

void tm_block_release(tm_block *block) {
  if (block == NULL) return;
  if (__atomic_sub_fetch(&block->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  tm_block_pool *pool = block->pool;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&pool->mutex);
  if (pool->free_count < pool->keep && block->capacity == pool->capacity) {
    pool->free[pool->free_count++] = block;
    block = NULL;
  }
  bool last = --pool->out == 0;
  env->mutex_unlock(&pool->mutex);
  if (block != NULL) block_free(pool->budget, block);
  if (last) pool_free(pool);
}

void tm_block_unpin(void *block) { tm_block_release(block); }
