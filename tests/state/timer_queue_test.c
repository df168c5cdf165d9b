/* Timers come by (time, key, name), whatever was set, moved and cancelled; against a plain list. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/timer_queue.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(timer_queue, .init = setup, .fini = teardown);

enum { KEYS = 6, NAMES = 5, ALL = KEYS * NAMES, STEPS = 20000 };

typedef struct plain { bool awake, processing; int64_t at_us; } plain;

static tm_key_entry *keys[KEYS];
static const char *const names[NAMES] = {"", "a", "ab", "b", "silence"};

static int compare(const plain *all, int a, int b) {
  if (all[a].at_us != all[b].at_us) return all[a].at_us < all[b].at_us ? -1 : 1;
  return a - b; /* keys and names are listed in order */
}

static int first_of(const plain *all, bool processing) {
  int first = -1;
  for (int i = 0; i < ALL; i++) {
    if (!all[i].awake || all[i].processing != processing) continue;
    if (first < 0 || compare(all, i, first) < 0) first = i;
  }
  return first;
}

static void expect_first(const tm_timer_queue *queue, const plain *all, bool processing) {
  const tm_timer *timer = tm_timer_queue_first(queue, processing);
  int first = first_of(all, processing);
  cr_assert_eq(timer == NULL, first < 0);
  if (timer == NULL) return;
  size_t size;
  const char *name = tm_timer_name(timer, &size);
  cr_assert_eq(timer->key, keys[first / NAMES]);
  cr_assert_eq(timer->at_us, all[first].at_us);
  cr_assert_eq(size, strlen(names[first % NAMES]));
  cr_assert_eq(memcmp(name, names[first % NAMES], size), 0);
}

static void step(tm_timer_queue *queue, plain *all, rows_random *random) {
  int which = (int)rows_below(random, ALL);
  tm_key_entry *key = keys[which / NAMES];
  const char *name = names[which % NAMES];
  tm_timer *timer = tm_timer_queue_find(queue, key, name, strlen(name));
  uint32_t act = rows_below(random, 10);
  if (all[which].awake) cr_assert_not_null(timer);
  if (act < 6) {
    timer = tm_timer_queue_insert(queue, key, name, strlen(name));
    cr_assert_not_null(timer);
    all[which] = (plain){true, rows_chance(random, 30), rows_below(random, 40)};
    tm_timer_queue_set(queue, timer, all[which].at_us, all[which].processing);
  } else if (timer != NULL) {
    if (act < 8) tm_timer_queue_cancel(queue, timer);
    else tm_timer_queue_remove(queue, timer);
    all[which].awake = false;
    if (act >= 8) cr_assert_null(tm_timer_queue_find(queue, key, name, strlen(name)));
  }
}

Test(timer_queue, the_next_one_first) {
  tm_key_map map;
  tm_timer_queue queue;
  plain all[ALL] = {0};
  rows_random random = rows_seed(5);
  tm_key_map_init(&map, budget, 0);
  tm_timer_queue_init(&queue, budget);
  for (int i = 0; i < KEYS; i++) {
    char name[8];
    size_t size = (size_t)snprintf(name, sizeof name, "key %d", i);
    keys[i] = tm_key_map_insert(&map, name, size, (uint64_t)i << 60);
  }
  for (int i = 0; i < STEPS; i++) {
    step(&queue, all, &random);
    expect_first(&queue, all, false);
    expect_first(&queue, all, true);
  }
  tm_timer_queue_deinit(&queue);
  tm_key_map_deinit(&map);
}

Test(timer_queue, many_come_out_in_order) {
  enum { COUNT = 20000 };
  tm_key_map map;
  tm_timer_queue queue;
  rows_random random = rows_seed(6);
  tm_key_map_init(&map, budget, 0);
  tm_timer_queue_init(&queue, budget);
  tm_key_entry *key = tm_key_map_insert(&map, "k", 1, 9);
  for (int i = 0; i < COUNT; i++) {
    char name[16];
    size_t size = (size_t)snprintf(name, sizeof name, "%d", i);
    tm_timer *timer = tm_timer_queue_insert(&queue, key, name, size);
    cr_assert_not_null(timer);
    tm_timer_queue_set(&queue, timer, rows_below(&random, 1000000), false);
  }
  int64_t last_us = -1;
  for (int i = 0; i < COUNT; i++) {
    tm_timer *timer = tm_timer_queue_first(&queue, false);
    cr_assert_not_null(timer);
    cr_assert_geq(timer->at_us, last_us);
    last_us = timer->at_us;
    tm_timer_queue_remove(&queue, timer);
  }
  cr_assert_null(tm_timer_queue_first(&queue, false));
  tm_timer_queue_deinit(&queue);
  tm_key_map_deinit(&map);
}
