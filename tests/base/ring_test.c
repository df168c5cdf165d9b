/* Rings keep order and count, block where full or empty, and drain after close. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "base/env.h"
#include "base/ring.h"

enum { PRODUCERS = 3, CONSUMERS = 2, ITEMS = 20000 };

static void *item(uintptr_t n) { return (void *)n; }

Test(ring, is_first_in_first_out_and_bounded) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_ring *ring = tm_ring_create(budget, 3);
  cr_expect_null(tm_ring_try_pop(ring));
  for (uintptr_t round = 0; round < 10; round++) {
    for (uintptr_t i = 1; i <= 3; i++) cr_expect(tm_ring_try_push(ring, item(round * 3 + i)));
    cr_expect_not(tm_ring_try_push(ring, item(99)), "full");
    cr_expect_eq(tm_ring_count(ring), 3);
    cr_expect_eq(tm_ring_pop(ring), item(round * 3 + 1));
    cr_expect(tm_ring_push(ring, item(100)));
    cr_expect_eq(tm_ring_try_pop(ring), item(round * 3 + 2));
    cr_expect_eq(tm_ring_try_pop(ring), item(round * 3 + 3));
    cr_expect_eq(tm_ring_try_pop(ring), item(100));
  }
  tm_ring_destroy(ring);
  tm_ring_destroy(NULL);
  tm_budget_destroy(budget);
}

Test(ring, after_close_what_is_in_comes_out) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_ring *ring = tm_ring_create(budget, 2);
  cr_expect(tm_ring_push(ring, item(1)));
  cr_expect_not(tm_ring_closed(ring));
  tm_ring_close(ring);
  cr_expect(tm_ring_closed(ring));
  cr_expect_not(tm_ring_push(ring, item(2)));
  cr_expect_not(tm_ring_try_push(ring, item(2)));
  cr_expect_eq(tm_ring_pop(ring), item(1));
  cr_expect_null(tm_ring_pop(ring));
  tm_ring_destroy(ring);
  tm_budget_destroy(budget);
}

Test(ring, a_wait_has_a_deadline) {
  const tm_env *env = tm_env_get();
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_ring *ring = tm_ring_create(budget, 1);
  int64_t deadline_us = env->monotonic_us() + 2000;
  cr_expect_null(tm_ring_pop_until(ring, deadline_us));
  cr_expect_geq(env->monotonic_us(), deadline_us);
  tm_ring_destroy(ring);
  tm_budget_destroy(budget);
}

static tm_ring *shared;
typedef struct part {
  tm_thread thread;
  uintptr_t name, last[PRODUCERS], count;
  bool ordered;
} part;

static void produce(void *context) {
  part *self = context;
  for (uintptr_t i = 1; i <= ITEMS; i++) tm_ring_push(shared, item(i * PRODUCERS + self->name));
}

static void consume(void *context) {
  part *self = context;
  self->ordered = true;
  for (void *next; (next = tm_ring_pop(shared)) != NULL; self->count++) {
    uintptr_t from = (uintptr_t)next % PRODUCERS;
    if ((uintptr_t)next <= self->last[from]) self->ordered = false;
    self->last[from] = (uintptr_t)next;
  }
}

Test(ring, threads_lose_and_double_nothing) {
  const tm_env *env = tm_env_get();
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  shared = tm_ring_create(budget, 4);
  part producers[PRODUCERS] = {0}, consumers[CONSUMERS] = {0};
  for (uintptr_t i = 0; i < PRODUCERS; i++) {
    producers[i].name = i;
    cr_assert_eq(env->thread_create(&producers[i].thread, produce, &producers[i]), 0);
  }
  for (int i = 0; i < CONSUMERS; i++) {
    cr_assert_eq(env->thread_create(&consumers[i].thread, consume, &consumers[i]), 0);
  }
  for (int i = 0; i < PRODUCERS; i++) env->thread_join(&producers[i].thread);
  tm_ring_close(shared);
  uintptr_t count = 0;
  for (int i = 0; i < CONSUMERS; i++) {
    env->thread_join(&consumers[i].thread);
    cr_expect(consumers[i].ordered, "each producer's items come in its order");
    count += consumers[i].count;
  }
  cr_expect_eq(count, PRODUCERS * ITEMS);
  tm_ring_destroy(shared);
  tm_budget_destroy(budget);
}
