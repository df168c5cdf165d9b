/* base/memory.c: budgets, and arenas over pooled blocks.
 *
 * A charge walks from its node to the root, adding to one atomic counter a node; where a limit
 * refuses, the nodes below are credited again. Counters are exact at rest; while two threads
 * charge at once, neither can pass a limit, for a limited node is advanced by compare-and-swap.
 *
 * Arenas take blocks of 64 KiB from a pool of the thread that asks and give them to the pool of
 * the thread that frees; what a pool does not want goes back to the heap. Larger pieces get a block
 * of their own. Blocks are charged while an arena holds them, not while they lie in a pool.
 * Under AddressSanitizer the unused part of a block is poisoned. */
#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONED 1
#endif
#endif
#ifdef POISONED
#include <sanitizer/asan_interface.h>
#define poison(at, size) ASAN_POISON_MEMORY_REGION(at, size)
#define unpoison(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#else
#define poison(at, size) ((void)(at), (void)(size))
#define unpoison(at, size) ((void)(at), (void)(size))
#endif

enum {
  BLOCK_BYTES = 64 * 1024,      /* of data; the header comes on top */
  BLOCK_HEADER_BYTES = 64,      /* keeps data on a cache line */
  OWN_BLOCK_BYTES = 32 * 1024 + 1, /* from here on a piece gets a block of its own */
  POOL_BLOCKS_MAX = 64,         /* a thread: 4 MiB */
  ALIGN_SMALL = 16, ALIGN_LARGE = 64, LARGE_BYTES = 4096,
  NAME_BYTES = 48,
};

struct tm_budget {
  tm_budget *parent;
  uint64_t limit;
  _Atomic uint64_t used, peak;
  _Atomic uint32_t children;
  char name[NAME_BYTES];
};

/* ------------------------------------------------------------------ budgets */

tm_budget *tm_budget_create(tm_budget *parent, const char *name, uint64_t limit_bytes) {
  tm_budget *budget = calloc(1, sizeof *budget);
  if (budget == NULL) return NULL;
  budget->parent = parent;
  budget->limit = limit_bytes;
  (void)snprintf(budget->name, sizeof budget->name, "%s", name);
  if (parent != NULL) atomic_fetch_add(&parent->children, 1);
  return budget;
}

void tm_budget_destroy(tm_budget *budget) {
  if (budget == NULL) return;
  assert(atomic_load(&budget->used) == 0 && "budget destroyed while memory is charged to it");
  assert(atomic_load(&budget->children) == 0 && "budget destroyed before its children");
  if (budget->parent != NULL) atomic_fetch_sub(&budget->parent->children, 1);
  free(budget);
}

uint64_t tm_budget_used(const tm_budget *budget) {
  return atomic_load_explicit(&budget->used, memory_order_relaxed);
}

uint64_t tm_budget_peak(const tm_budget *budget) {
  return atomic_load_explicit(&budget->peak, memory_order_relaxed);
}

uint64_t tm_budget_limit(const tm_budget *budget) { return budget->limit; }
const char *tm_budget_name(const tm_budget *budget) { return budget->name; }

static bool charge_node(tm_budget *node, uint64_t bytes) {
  uint64_t now;
  if (node->limit == 0) {
    now = atomic_fetch_add_explicit(&node->used, bytes, memory_order_relaxed) + bytes;
  } else {
    uint64_t before = atomic_load_explicit(&node->used, memory_order_relaxed);
    do {
      if (bytes > node->limit || before > node->limit - bytes) return false;
      now = before + bytes;
    } while (!atomic_compare_exchange_weak_explicit(&node->used, &before, now,
                                                    memory_order_relaxed, memory_order_relaxed));
  }
  uint64_t peak = atomic_load_explicit(&node->peak, memory_order_relaxed);
  while (now > peak && !atomic_compare_exchange_weak_explicit(
                           &node->peak, &peak, now, memory_order_relaxed, memory_order_relaxed)) {
  }
  return true;
}

static void release_below(tm_budget *from, const tm_budget *end, uint64_t bytes) {
  for (tm_budget *node = from; node != end; node = node->parent) {
    uint64_t before = atomic_fetch_sub_explicit(&node->used, bytes, memory_order_relaxed);
    assert(before >= bytes && "more given back to a budget than was charged");
    (void)before;
  }
}

bool tm_budget_charge(tm_budget *budget, size_t bytes) {
  assert(budget != NULL);
  for (tm_budget *node = budget; node != NULL; node = node->parent) {
    if (!charge_node(node, bytes)) {
      release_below(budget, node, bytes);
      return false;
    }
  }
  return true;
}

void tm_budget_release(tm_budget *budget, size_t bytes) { release_below(budget, NULL, bytes); }

/* ------------------------------------------------------------------ the heap */

/* Counts down to the allocation that a test wants to fail; 0: none. */
static _Atomic uint64_t fail_countdown;

void tm_memory_fail_at(uint64_t nth) { atomic_store(&fail_countdown, nth); }

static bool planted_failure(void) {
  if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0) return false;
  return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

void *tm_alloc(tm_budget *budget, size_t bytes) {
  if (planted_failure() || !tm_budget_charge(budget, bytes)) return NULL;
  void *block = malloc(bytes == 0 ? 1 : bytes);
  if (block == NULL) tm_budget_release(budget, bytes);
  return block;
}

void *tm_alloc_zero(tm_budget *budget, size_t bytes) {
  if (planted_failure() || !tm_budget_charge(budget, bytes)) return NULL;
  void *block = calloc(1, bytes == 0 ? 1 : bytes);
  if (block == NULL) tm_budget_release(budget, bytes);
  return block;
}

void *tm_realloc(tm_budget *budget, void *block, size_t old_bytes, size_t new_bytes) {
  assert(block != NULL || old_bytes == 0);
  if (new_bytes > old_bytes) {
    if (planted_failure() || !tm_budget_charge(budget, new_bytes - old_bytes)) return NULL;
  }
  void *moved = realloc(block, new_bytes == 0 ? 1 : new_bytes);
  if (moved == NULL) {
    if (new_bytes > old_bytes) tm_budget_release(budget, new_bytes - old_bytes);
    return NULL;
  }
  if (new_bytes < old_bytes) tm_budget_release(budget, old_bytes - new_bytes);
  return moved;
}

void tm_free(tm_budget *budget, void *block, size_t bytes) {
  if (block == NULL) return;
  free(block);
  tm_budget_release(budget, bytes);
}

/* ------------------------------------------------------------------ arenas */

struct tm_arena_block {
  tm_arena_block *next;
  size_t bytes; /* of data */
};

static _Thread_local struct { tm_arena_block *first; uint32_t count; } pool;

static char *block_data(tm_arena_block *block) { return (char *)block + BLOCK_HEADER_BYTES; }

static tm_arena_block *block_take(tm_budget *budget, size_t bytes) {
  if (planted_failure() || !tm_budget_charge(budget, bytes)) return NULL;
  tm_arena_block *block = NULL;
  if (bytes == BLOCK_BYTES && pool.first != NULL) {
    block = pool.first;
    pool.first = block->next;
    pool.count--;
  } else if (bytes <= SIZE_MAX - 2 * BLOCK_HEADER_BYTES) {
    size_t whole = (BLOCK_HEADER_BYTES + bytes + ALIGN_LARGE - 1) / ALIGN_LARGE * ALIGN_LARGE;
    block = aligned_alloc(ALIGN_LARGE, whole);
  }
  if (block == NULL) {
    tm_budget_release(budget, bytes);
    return NULL;
  }
  block->bytes = bytes;
  poison(block_data(block), bytes);
  return block;
}

static void block_give(tm_budget *budget, tm_arena_block *block) {
  tm_budget_release(budget, block->bytes);
  if (block->bytes == BLOCK_BYTES && pool.count < POOL_BLOCKS_MAX) {
    poison(block_data(block), block->bytes);
    block->next = pool.first;
    pool.first = block;
    pool.count++;
    return;
  }
  unpoison(block_data(block), block->bytes);
  free(block);
}

void tm_arena_pool_clear(void) {
  while (pool.first != NULL) {
    tm_arena_block *block = pool.first;
    pool.first = block->next;
    unpoison(block_data(block), block->bytes);
    free(block);
  }
  pool.count = 0;
}

void tm_arena_init(tm_arena *arena, tm_budget *budget) {
  *arena = (tm_arena){.budget = budget};
}

void tm_arena_deinit(tm_arena *arena) {
  while (arena->blocks != NULL) {
    tm_arena_block *block = arena->blocks;
    arena->blocks = block->next;
    block_give(arena->budget, block);
  }
  arena->at = arena->end = NULL;
}

void tm_arena_reset(tm_arena *arena) {
  tm_arena_block *kept = NULL;
  while (arena->blocks != NULL) {
    tm_arena_block *block = arena->blocks;
    arena->blocks = block->next;
    if (kept == NULL && block->bytes == BLOCK_BYTES) {
      kept = block;
    } else {
      block_give(arena->budget, block);
    }
  }
  arena->at = arena->end = NULL;
  if (kept != NULL) {
    kept->next = NULL;
    arena->blocks = kept;
    arena->at = block_data(kept);
    arena->end = arena->at + BLOCK_BYTES;
    poison(arena->at, BLOCK_BYTES);
  }
}

/* A piece that the current block has no room for. */
static void *arena_grow(tm_arena *arena, size_t bytes) {
  bool own = bytes >= OWN_BLOCK_BYTES;
  tm_arena_block *block = block_take(arena->budget, own ? bytes : BLOCK_BYTES);
  if (block == NULL) return NULL;
  char *data = block_data(block);
  unpoison(data, bytes);
  if (own && arena->blocks != NULL) { /* behind the current one, which stays in use */
    block->next = arena->blocks->next;
    arena->blocks->next = block;
    return data;
  }
  block->next = arena->blocks;
  arena->blocks = block;
  arena->at = data + bytes;
  arena->end = data + block->bytes;
  return data;
}

static void *arena_aligned(tm_arena *arena, size_t bytes, uintptr_t align) {
  uintptr_t at = ((uintptr_t)arena->at + align - 1) & ~(align - 1);
  uintptr_t end = (uintptr_t)arena->end;
  if (arena->at == NULL || at > end || bytes > end - at) return arena_grow(arena, bytes);
  char *piece = arena->at + (at - (uintptr_t)arena->at);
  unpoison(piece, bytes);
  arena->at = piece + bytes;
  return piece;
}

void *tm_arena_alloc(tm_arena *arena, size_t bytes) {
  return arena_aligned(arena, bytes, bytes >= LARGE_BYTES ? ALIGN_LARGE : ALIGN_SMALL);
}

void *tm_arena_zero(tm_arena *arena, size_t bytes) {
  void *piece = tm_arena_alloc(arena, bytes);
  return piece == NULL ? NULL : memset(piece, 0, bytes);
}

char *tm_arena_text(tm_arena *arena, const char *text, size_t size) {
  char *copy = size == SIZE_MAX ? NULL : arena_aligned(arena, size + 1, 1);
  if (copy == NULL) return NULL;
  if (size > 0) memcpy(copy, text, size);
  copy[size] = '\0';
  return copy;
}

char *tm_arena_format(tm_arena *arena, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int size = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *text = size < 0 ? NULL : arena_aligned(arena, (size_t)size + 1, 1);
  if (text != NULL) (void)vsnprintf(text, (size_t)size + 1, format, again);
  va_end(again);
  return text;
}
