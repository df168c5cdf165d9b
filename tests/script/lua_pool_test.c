/* tests/script/lua_pool_test.c: blocks keep their bytes, limits hold, everything is given back. */
#include "script/lua_pool.h"

#include "script_fixture.h"

TestSuite(script_lua_pool, .init = fixture_setup, .fini = fixture_teardown);

enum { BLOCKS = 400, STEPS = 20000 };

static void fill(uint8_t *block, size_t size, uint8_t mark) { memset(block, mark, size); }

static bool holds(const uint8_t *block, size_t size, uint8_t mark) {
  for (size_t i = 0; i < size; i++) {
    if (block[i] != mark) return false;
  }
  return true;
}

Test(script_lua_pool, random_traffic_keeps_bytes) {
  tm_lua_pool pool;
  uint8_t *blocks[BLOCKS] = {0};
  size_t sizes[BLOCKS] = {0};
  rows_random random = rows_seed(5);
  tm_lua_pool_init(&pool, fixture_budget, 1 << 26);
  for (int step = 0; step < STEPS; step++) {
    uint32_t i = rows_below(&random, BLOCKS);
    size_t size = rows_chance(&random, 20) ? 0 : rows_chance(&random, 10)
                      ? rows_below(&random, 5000) : rows_below(&random, 530);
    size_t kept = size < sizes[i] ? size : sizes[i];
    uint8_t *block = tm_lua_pool_alloc(&pool, blocks[i], blocks[i] == NULL ? 5 : sizes[i], size);
    cr_assert_eq(block == NULL, size == 0);
    cr_assert_eq((uintptr_t)block % 16, 0);
    if (block != NULL) cr_assert(holds(block, kept, (uint8_t)i));
    blocks[i] = block;
    sizes[i] = size;
    if (block != NULL) fill(block, size, (uint8_t)i);
  }
  for (uint32_t i = 0; i < BLOCKS; i++) {
    if (blocks[i] == NULL) continue;
    cr_assert(holds(blocks[i], sizes[i], (uint8_t)i));
    tm_lua_pool_alloc(&pool, blocks[i], sizes[i], 0);
  }
  tm_lua_pool_deinit(&pool);
  cr_expect_eq(tm_budget_used(fixture_budget), 0);
}

Test(script_lua_pool, limits) {
  tm_lua_pool pool;
  tm_lua_pool_init(&pool, fixture_budget, 100000);
  void *block = tm_lua_pool_alloc(&pool, NULL, 0, 60000);
  cr_assert(block != NULL);
  cr_expect(tm_lua_pool_alloc(&pool, NULL, 0, 60000) == NULL);
  cr_expect_eq(pool.refusal, TM_LUA_POOL_OWN_LIMIT);
  cr_expect(tm_lua_pool_alloc(&pool, block, 60000, 150000) == NULL);
  void *grown = tm_lua_pool_alloc(&pool, block, 60000, 90000);
  cr_assert(grown != NULL);
  cr_expect(tm_lua_pool_alloc(&pool, NULL, 0, 16) == NULL, "a slab does not fit");
  grown = tm_lua_pool_alloc(&pool, grown, 90000, 20000);
  cr_assert(grown != NULL);
  void *small = tm_lua_pool_alloc(&pool, NULL, 0, 16);
  cr_expect(small != NULL);
  cr_expect(tm_lua_pool_alloc(&pool, NULL, 0, SIZE_MAX) == NULL);
  tm_lua_pool_alloc(&pool, small, 16, 0);
  tm_lua_pool_alloc(&pool, grown, 20000, 0);
  tm_lua_pool_deinit(&pool);
}

Test(script_lua_pool, a_budget_that_refuses_is_told_apart) {
  tm_lua_pool pool;
  tm_budget *small = tm_budget_create(fixture_budget, "small", 10000);
  tm_lua_pool_init(&pool, small, 1 << 20);
  cr_expect(tm_lua_pool_alloc(&pool, NULL, 0, 20000) == NULL);
  cr_expect_eq(pool.refusal, TM_LUA_POOL_BUDGET);
  tm_lua_pool_deinit(&pool);
  tm_budget_destroy(small);
}
