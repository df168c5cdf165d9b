/* kernel/exact_memory.h: an arena or a budget as the memory of exact sums.
 *
 * From an arena nothing is given back before the arena goes; from a budget tm_exact_sum_deinit
 * gives it back. Neither is taken over: both outlive the sums. */
#ifndef TM_KERNEL_EXACT_MEMORY_H
#define TM_KERNEL_EXACT_MEMORY_H

#include "base/memory.h"
#include "kernel/exact_sum.h"

static inline void *tm_exact_memory_from_arena(void *arena, size_t bytes) {
  return tm_arena_alloc(arena, bytes);
}

static inline tm_exact_memory tm_exact_memory_arena(tm_arena *arena) {
  return (tm_exact_memory){.alloc = tm_exact_memory_from_arena, .context = arena};
}

static inline void *tm_exact_memory_from_budget(void *budget, size_t bytes) {
  return tm_alloc(budget, bytes);
}

static inline void tm_exact_memory_to_budget(void *budget, void *block, size_t bytes) {
  tm_free(budget, block, bytes);
}

static inline tm_exact_memory tm_exact_memory_budget(tm_budget *budget) {
  return (tm_exact_memory){tm_exact_memory_from_budget, tm_exact_memory_to_budget, budget};
}

#endif
