/* tests/support/fixture.h: a budget and an arena for each test of a suite, and the check that all
 * was given back: TestSuite(name, .init = setup, .fini = teardown). */
#ifndef TESTS_SUPPORT_FIXTURE_H
#define TESTS_SUPPORT_FIXTURE_H

#include "base/memory.h"

static tm_budget *budget;
static tm_arena arena;

static void setup(void) {
  budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&arena, budget);
}

static void teardown(void) {
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget); /* asserts that nothing is left */
}

#endif
