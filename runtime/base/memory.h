/* base/memory.h: the only door to the heap.
 *
 * A budget is a node of a tree (process > job > operator > Lua state); every allocation is charged
 * to one node and so to all above it, and is refused where one of them would pass its limit.
 * Sizes are given back on free, so that the books balance to the byte; destroy asserts that.
 * Budgets are thread-safe. Arenas belong to one thread at a time and free all at once. */
#ifndef TM_BASE_MEMORY_H
#define TM_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tm_budget tm_budget;

/* parent NULL makes a root. limit 0 means only the parents limit. NULL when out of memory. */
tm_budget *tm_budget_create(tm_budget *parent, const char *name, uint64_t limit_bytes);
/* Asserts that nothing is charged any more. NULL is a no-op. */
void tm_budget_destroy(tm_budget *budget);
uint64_t tm_budget_used(const tm_budget *budget);
uint64_t tm_budget_peak(const tm_budget *budget);
uint64_t tm_budget_limit(const tm_budget *budget);
const char *tm_budget_name(const tm_budget *budget);
/* Charges without allocating (for memory that a library allocates). false: refused. */
bool tm_budget_charge(tm_budget *budget, size_t bytes);
void tm_budget_release(tm_budget *budget, size_t bytes);

/* 16-byte aligned; NULL when refused or out of memory; bytes 0 gives a unique pointer too. */
void *tm_alloc(tm_budget *budget, size_t bytes);
void *tm_alloc_zero(tm_budget *budget, size_t bytes);
/* Like realloc; on NULL the old block stays. */
void *tm_realloc(tm_budget *budget, void *block, size_t old_bytes, size_t new_bytes);
void tm_free(tm_budget *budget, void *block, size_t bytes);

/* Tests: the nth request from now is refused (heap or arena block), once; 0 takes that back. */
void tm_memory_fail_at(uint64_t nth);

/* Blocks of arenas come from a small pool a thread, so that batches cost no malloc. */
typedef struct tm_arena_block tm_arena_block;
typedef struct tm_arena {
  tm_budget *budget;
  tm_arena_block *blocks; /* newest first */
  char *at, *end;
} tm_arena;

void tm_arena_init(tm_arena *arena, tm_budget *budget);
void tm_arena_deinit(tm_arena *arena);
/* Keeps nothing that was allocated, may keep a block. */
void tm_arena_reset(tm_arena *arena);
/* 16-byte aligned (64 where bytes >= 4096); NULL when refused. Contents undefined. */
void *tm_arena_alloc(tm_arena *arena, size_t bytes);
void *tm_arena_zero(tm_arena *arena, size_t bytes);
/* A copy that ends with a NUL. */
char *tm_arena_text(tm_arena *arena, const char *text, size_t size);
char *tm_arena_format(tm_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Gives the blocks in the calling thread's pool back to the heap; call before a thread ends. */
void tm_arena_pool_clear(void);

#endif
