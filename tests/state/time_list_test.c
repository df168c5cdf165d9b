/* tests/state/time_list_test.c: lists of rows in order of time, and heaps, against sorted
 * arrays. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "state/time_heap.h"
#include "state/time_list.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(time_list, .init = setup, .fini = teardown);

enum { ROWS = 3000 };
typedef struct model { tm_time_entry rows[ROWS]; uint32_t count; } model;

static int compare(const void *left, const void *right) {
  const tm_time_entry *a = left, *b = right;
  if (a->time_us != b->time_us) return a->time_us < b->time_us ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

static void check(const tm_time_list *list, const model *m) {
  const tm_time_entry *items = tm_time_list_entries(list);
  uint32_t at = 0, gaps = 0;
  cr_assert_eq(tm_time_list_rows(list), m->count);
  for (uint32_t i = 0; i < list->count; i++) {
    gaps += items[i].gone;
    if (items[i].gone) continue;
    cr_assert(items[i].time_us == m->rows[at].time_us && items[i].id == m->rows[at].id);
    at++;
  }
  cr_assert_eq(gaps, list->gaps);
  cr_assert(list->count == 0 || (!items[0].gone && !items[list->count - 1].gone));
  cr_assert_leq(gaps * 2, list->count + 1, "gaps are at most half");
  for (int64_t t = -1; t < 40; t++) {
    uint32_t found = tm_time_list_find(list, t);
    cr_assert(found == list->count || items[found].time_us >= t);
    cr_assert(found == 0 || items[found - 1].time_us < t);
  }
}

static void add_batch(tm_time_list *lists, model *models, uint32_t *next, uint32_t rows,
                      int64_t now, rows_random *random) {
  tm_time_stray strays[64];
  uint32_t stray_count = 0;
  for (uint32_t i = 0; i < rows; i++) {
    uint32_t which = rows_below(random, 2), id = (*next)++;
    int64_t time = now - (rows_chance(random, 40) ? rows_below(random, 12) : 0);
    model *m = &models[which];
    m->rows[m->count++] = (tm_time_entry){.time_us = time, .id = id};
    int done = tm_time_list_append(&lists[which], budget, time, id);
    cr_assert_geq(done, 0);
    if (done == 1) continue;
    strays[stray_count++] = (tm_time_stray){&lists[which], {.time_us = time, .id = id}};
  }
  cr_assert_eq(tm_time_list_merge(strays, stray_count, budget), 0);
  for (int i = 0; i < 2; i++) {
    qsort(models[i].rows, models[i].count, sizeof(tm_time_entry), compare);
  }
}

static void remove_some(tm_time_list *list, model *m, uint32_t rows, rows_random *random) {
  for (; rows > 0 && m->count > 0; rows--) {
    uint32_t at = rows_chance(random, 60) ? 0 : rows_below(random, m->count);
    tm_time_list_remove(list, budget, m->rows[at].time_us, m->rows[at].id);
    memmove(&m->rows[at], &m->rows[at + 1], (--m->count - at) * sizeof *m->rows);
  }
}

Test(time_list, comes_and_goes) {
  model *models = calloc(2, sizeof *models);
  for (uint64_t seed = 0; seed < 30; seed++) {
    rows_random random = rows_seed(seed);
    tm_time_list lists[2] = {{.count = 0}, {.count = 0}};
    uint32_t next = 0;
    models[0].count = models[1].count = 0;
    for (int64_t now = 0; now < 40; now++) {
      add_batch(lists, models, &next, rows_below(&random, 64), now, &random);
      for (int i = 0; i < 2; i++) {
        remove_some(&lists[i], &models[i], rows_below(&random, now < 20 ? 20 : 60), &random);
        check(&lists[i], &models[i]);
      }
    }
    for (int i = 0; i < 2; i++) {
      remove_some(&lists[i], &models[i], ROWS, &random);
      cr_assert_eq(lists[i].count, 0);
    }
    cr_assert_eq(tm_budget_used(budget), 0, "an empty list holds no memory");
  }
  free(models);
}

/* An id that left comes again with the same time, while a gap still marks the old place. */
Test(time_list, an_id_comes_again) {
  tm_time_list list = {.count = 0};
  for (uint32_t id = 0; id < 10; id++) {
    cr_assert_eq(tm_time_list_append(&list, budget, 5, id), 1);
  }
  for (int round = 0; round < 5; round++) {
    tm_time_list_remove(&list, budget, 5, 4);
    tm_time_stray stray = {&list, {.time_us = 5, .id = 4}};
    cr_assert_eq(tm_time_list_append(&list, budget, 5, 4), 0, "out of order");
    cr_assert_eq(tm_time_list_merge(&stray, 1, budget), 0);
    cr_assert_eq(tm_time_list_rows(&list), 10);
  }
  for (uint32_t id = 0; id < 10; id++) tm_time_list_remove(&list, budget, 5, id);
  cr_assert_eq(list.count, 0);
}

/* One row costs nothing beside the list, and memory follows what is in it. */
Test(time_list, memory_follows_the_rows) {
  tm_time_list list = {.count = 0};
  cr_assert_eq(tm_time_list_append(&list, budget, 1, 1), 1);
  cr_expect_eq(tm_budget_used(budget), 0);
  for (uint32_t i = 2; i < 50000; i++) tm_time_list_append(&list, budget, i, i);
  uint64_t much = tm_budget_used(budget);
  for (uint32_t i = 1; i < 49000; i++) tm_time_list_remove(&list, budget, i, i);
  cr_expect_lt(tm_budget_used(budget), much / 8);
  uint64_t before = tm_budget_used(budget);
  for (uint32_t i = 50000; i < 500000; i++) { /* a window that moves */
    cr_assert_eq(tm_time_list_append(&list, budget, i, i), 1);
    tm_time_list_remove(&list, budget, i - 1000, i - 1000);
  }
  cr_expect_leq(tm_budget_used(budget), 2 * before);
  tm_time_list_deinit(&list, budget);
}

Test(time_list, a_heap_gives_the_earliest) {
  tm_time_heap heap = {.count = 0};
  rows_random random = rows_seed(9);
  for (int round = 0; round < 20; round++) {
    int64_t last = INT64_MIN;
    uint32_t in = rows_below(&random, 2000);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < in; i++) {
      sum += i;
      int64_t time = round % 2 == 0 ? i : rows_below(&random, 500);
      cr_assert_eq(tm_time_heap_push(&heap, budget, time, i), 0);
    }
    for (uint32_t i = 0; i < in; i++) {
      tm_time_place place = tm_time_heap_pop(&heap, budget);
      cr_assert_geq(place.time_us, last);
      last = place.time_us;
      sum -= place.id;
    }
    cr_assert_eq(sum, 0);
    cr_assert_eq(heap.count, 0);
  }
  cr_expect_leq(heap.capacity, 64);
  tm_time_heap_deinit(&heap, budget);
}
