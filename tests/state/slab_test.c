/* tests/state/slab_test.c: blocks that come and go do not overlap, and are used again. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "state/slab.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(slab, .init = setup, .fini = teardown);

typedef struct block { uint8_t *at; size_t bytes; uint8_t mark; } block;

static bool is_whole(const block *b) {
  for (size_t i = 0; i < b->bytes; i++) {
    if (b->at[i] != b->mark) return false;
  }
  return true;
}

static size_t any_size(rows_random *random) {
  if (rows_chance(random, 3)) return 4000 + rows_below(random, 6000);
  return rows_below(random, rows_chance(random, 50) ? 70 : 600);
}

Test(slab, blocks_do_not_overlap) {
  enum { BLOCKS = 500, STEPS = 40000 };
  static block blocks[BLOCKS];
  rows_random random = rows_seed(1);
  tm_slab slab;
  tm_slab_init(&slab, budget);
  for (int step = 0; step < STEPS; step++) {
    block *b = &blocks[rows_below(&random, BLOCKS)];
    if (b->at != NULL) {
      cr_assert(is_whole(b), "a block of %zu bytes was written to", b->bytes);
      tm_slab_free(&slab, b->at, b->bytes);
      b->at = NULL;
      continue;
    }
    *b = (block){.bytes = any_size(&random), .mark = (uint8_t)step};
    b->at = tm_slab_alloc(&slab, b->bytes);
    cr_assert_not_null(b->at);
    cr_assert_eq((uintptr_t)b->at % 16, 0);
    memset(b->at, b->mark, b->bytes);
  }
  for (int i = 0; i < BLOCKS; i++) {
    if (blocks[i].at != NULL) cr_assert(is_whole(&blocks[i]));
  }
  tm_slab_deinit(&slab);
  cr_assert_eq(tm_budget_used(budget), 0);
}

Test(slab, what_is_given_back_is_used_again) {
  tm_slab slab;
  tm_slab_init(&slab, budget);
  for (size_t bytes = 1; bytes < 9000; bytes += 1 + bytes / 7) {
    void *first = tm_slab_alloc(&slab, bytes);
    tm_slab_free(&slab, first, bytes);
    uint64_t used = tm_budget_used(budget);
    for (int i = 0; i < 1000; i++) {
      void *again = tm_slab_alloc(&slab, bytes);
      cr_assert_not_null(again);
      memset(again, 1, bytes);
      tm_slab_free(&slab, again, bytes);
    }
    cr_assert_leq(tm_budget_used(budget), used, "blocks of %zu", bytes);
  }
  tm_slab_deinit(&slab);
}

Test(slab, a_block_of_each_size_is_as_large_as_it_says) {
  tm_slab slab;
  tm_slab_init(&slab, budget);
  uint8_t *before = NULL;
  size_t before_bytes = 0;
  for (size_t bytes = 1; bytes <= TM_SLAB_MAX + 3; bytes++) {
    uint8_t *block = tm_slab_alloc(&slab, bytes);
    memset(block, (int)bytes, bytes);
    if (before != NULL) cr_assert_eq(before[before_bytes - 1], (uint8_t)before_bytes);
    before = block;
    before_bytes = bytes;
  }
  tm_slab_deinit(&slab);
}

Test(slab, refused_memory) {
  tm_slab slab;
  tm_slab_init(&slab, budget);
  tm_memory_fail_at(1);
  cr_assert_null(tm_slab_alloc(&slab, 100));
  tm_memory_fail_at(1);
  cr_assert_null(tm_slab_alloc(&slab, 10000));
  tm_str out = {0}, in = tm_str_make("a string that is long enough", 28);
  tm_memory_fail_at(1);
  cr_assert_not(tm_slab_keep(&slab, &in, &out));
  cr_assert(tm_slab_keep(&slab, &in, &out));
  cr_assert(tm_str_equal(&in, &out) && in.pointer != out.pointer);
  tm_slab_drop(&slab, &out);
  tm_slab_deinit(&slab);
}
