/* Budgets balance to the byte, arenas align, pool and charge as memory.h says. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/env.h"
#include "base/memory.h"

enum { BLOCK = 64 * 1024 };

Test(memory, a_charge_reaches_every_level_and_balances) {
  tm_budget *process = tm_budget_create(NULL, "process", 0);
  tm_budget *job = tm_budget_create(process, "job", 1000);
  tm_budget *step = tm_budget_create(job, "step", 0);
  void *block = tm_alloc(step, 600);
  cr_assert_not_null(block);
  cr_expect_eq(tm_budget_used(step), 600);
  cr_expect_eq(tm_budget_used(job), 600);
  cr_expect_eq(tm_budget_used(process), 600);
  block = tm_realloc(step, block, 600, 100);
  cr_expect_eq(tm_budget_used(process), 100);
  tm_free(step, block, 100);
  cr_expect_eq(tm_budget_used(process), 0);
  cr_expect_eq(tm_budget_peak(process), 600);
  cr_expect_eq(tm_budget_limit(job), 1000);
  cr_expect_str_eq(tm_budget_name(job), "job");
  tm_budget_destroy(step);
  tm_budget_destroy(job);
  tm_budget_destroy(process);
}

Test(memory, a_refused_charge_leaves_no_trace) {
  tm_budget *process = tm_budget_create(NULL, "process", 1000);
  tm_budget *one = tm_budget_create(process, "one", 0);
  tm_budget *two = tm_budget_create(process, "two", 500);
  void *block = tm_alloc(one, 700);
  cr_expect_null(tm_alloc(two, 400), "the process has only 300 left");
  cr_expect_eq(tm_budget_used(two), 0);
  cr_expect_eq(tm_budget_used(process), 700);
  cr_expect_null(tm_alloc(two, 501), "beyond its own limit");
  cr_expect_null(tm_alloc(two, SIZE_MAX), "no wrap-around");
  void *exact = tm_alloc(two, 300);
  cr_expect_not_null(exact, "up to the limit is allowed");
  cr_expect_null(tm_realloc(two, exact, 300, 301));
  cr_expect_eq(tm_budget_used(two), 300, "the old block stays charged");
  tm_free(two, exact, 300);
  tm_free(one, block, 700);
  tm_budget_destroy(two);
  tm_budget_destroy(one);
  tm_budget_destroy(process);
}

Test(memory, no_bytes_are_a_block_too_and_zero_is_zero) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  void *a = tm_alloc(budget, 0), *b = tm_alloc(budget, 0);
  cr_expect_neq(a, b);
  cr_expect_eq((uintptr_t)a % 16, 0);
  tm_free(budget, a, 0);
  tm_free(budget, b, 0);
  tm_free(budget, NULL, 77);
  unsigned char *zero = tm_alloc_zero(budget, 999);
  for (int i = 0; i < 999; i++) cr_assert_eq(zero[i], 0);
  tm_free(budget, zero, 999);
  tm_budget_destroy(budget);
}

Test(memory, the_planted_failure_strikes_once) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_memory_fail_at(2);
  void *a = tm_alloc(budget, 10);
  cr_expect_not_null(a);
  cr_expect_null(tm_alloc(budget, 10));
  void *b = tm_alloc(budget, 10);
  cr_expect_not_null(b);
  cr_expect_eq(tm_budget_used(budget), 20);
  tm_free(budget, a, 10);
  tm_free(budget, b, 10);
  tm_budget_destroy(budget);
}

/* ---- threads: the sum of what was charged is never above the limit, and nothing is lost */

enum { THREADS = 4, ROUNDS = 20000, PIECE = 64, LIMIT = 3 * PIECE };
static tm_budget *shared;

static void charge_and_release(void *context) {
  uint64_t *granted = context;
  tm_budget *own = tm_budget_create(shared, "thread", 0);
  for (int i = 0; i < ROUNDS; i++) {
    if (!tm_budget_charge(own, PIECE)) continue;
    ++*granted;
    tm_budget_release(own, PIECE);
  }
  tm_budget_destroy(own);
}

Test(memory, threads_cannot_pass_a_limit_together) {
  const tm_env *env = tm_env_get();
  shared = tm_budget_create(NULL, "shared", LIMIT);
  tm_thread threads[THREADS];
  uint64_t granted[THREADS] = {0}, all = 0;
  for (int i = 0; i < THREADS; i++) {
    cr_assert_eq(env->thread_create(&threads[i], charge_and_release, &granted[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) env->thread_join(&threads[i]), all += granted[i];
  cr_expect_gt(all, 0);
  cr_expect_eq(tm_budget_used(shared), 0);
  cr_expect_leq(tm_budget_peak(shared), LIMIT);
  tm_budget_destroy(shared);
}

/* ------------------------------------------------------------------ arenas */

Test(arena, pieces_are_aligned_and_apart) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  cr_expect_eq(tm_budget_used(budget), 0, "an empty arena costs nothing");
  uint64_t seed = 1;
  unsigned char *pieces[2000];
  size_t sizes[2000];
  for (int i = 0; i < 2000; i++) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    size_t size = (seed >> 33) % (i % 50 == 0 ? 3 * BLOCK : i % 7 == 0 ? 9000 : 100);
    pieces[i] = tm_arena_alloc(&arena, size);
    cr_assert_not_null(pieces[i]);
    cr_assert_eq((uintptr_t)pieces[i] % (size >= 4096 ? 64 : 16), 0, "size %zu", size);
    memset(pieces[i], i, size);
    sizes[i] = size;
  }
  for (int i = 0; i < 2000; i++) {
    for (size_t k = 0; k < sizes[i]; k++) cr_assert_eq(pieces[i][k], (unsigned char)i);
  }
  tm_arena_deinit(&arena);
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}

Test(arena, a_large_piece_does_not_end_the_current_block) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  char *small = tm_arena_alloc(&arena, 16);
  cr_expect_not_null(tm_arena_alloc(&arena, 10 * BLOCK));
  cr_expect_eq(tm_budget_used(budget), 11 * BLOCK);
  cr_expect_eq((char *)tm_arena_alloc(&arena, 16), small + 16, "the block is still in use");
  tm_arena_reset(&arena);
  cr_expect_eq(tm_budget_used(budget), BLOCK, "reset keeps one plain block");
  tm_arena_deinit(&arena);
  tm_arena_deinit(&arena);
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}

Test(arena, is_refused_where_its_budget_is) {
  tm_budget *budget = tm_budget_create(NULL, "b", BLOCK + 1000);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  cr_expect_not_null(tm_arena_alloc(&arena, 100));
  cr_expect_null(tm_arena_alloc(&arena, BLOCK));
  cr_expect_null(tm_arena_alloc(&arena, SIZE_MAX - 8));
  cr_expect_null(tm_arena_text(&arena, "x", SIZE_MAX));
  cr_expect_not_null(tm_arena_alloc(&arena, 100), "and goes on with what it has");
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
}

Test(arena, text_ends_with_a_nul_and_format_measures_first) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  cr_expect_str_eq(tm_arena_text(&arena, "abcdef", 3), "abc");
  cr_expect_str_eq(tm_arena_text(&arena, NULL, 0), "");
  cr_expect_str_eq(tm_arena_format(&arena, "%d of %s", 7, "nine"), "7 of nine");
  char *longer = tm_arena_format(&arena, "%0*d", 3 * BLOCK, 1);
  cr_expect_eq(strlen(longer), 3 * BLOCK);
  unsigned char *zero = tm_arena_zero(&arena, 5000);
  for (int i = 0; i < 5000; i++) cr_assert_eq(zero[i], 0);
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
  tm_arena_pool_clear();
}

Test(arena, blocks_are_used_again_by_the_next_arena) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_arena one, two;
  tm_arena_pool_clear();
  tm_arena_init(&one, budget);
  void *first = tm_arena_alloc(&one, 100);
  tm_arena_deinit(&one);
  tm_arena_init(&two, budget);
  cr_expect_eq(tm_arena_alloc(&two, 100), first);
  tm_arena_deinit(&two);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}
