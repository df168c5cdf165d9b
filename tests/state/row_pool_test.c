/* tests/state/row_pool_test.c: rows that come and go are what was put in; memory follows them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "state/row_pool.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(row_pool, .init = setup, .fini = teardown);

static const char *const ddl = "b bool, i int32 not null, n int64, w decimal(30,2), s string, "
                               "f float64, d date, z bytes not null";

enum { ROWS = 700, HEAD = 32 };

static tm_batch *table_of(uint64_t seed) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), ROWS, &random,
                           (rows_flavour){.distinct = 60, .null_percent = 20, .odd = true});
}

static void gather(const tm_row_pool *pool, const uint32_t *ids, uint32_t count,
                   const uint8_t *kept, bool may_miss, rows_list *out) {
  tm_batch *batch = tm_batch_create(budget, pool->schema, count);
  for (uint32_t i = 0; i < pool->schema->count; i++) {
    if (kept != NULL && !kept[i]) continue;
    cr_assert_eq(tm_row_pool_gather(pool, i, ids, NULL, count, may_miss, batch, i), 0);
  }
  rows_list_add_batch(out, batch, kept);
  tm_batch_release(batch);
}

/* What is in: where, which row of the table, and a number in the head. */
typedef struct model { uint32_t ids[20000], rows[20000], count; } model;

static void add_rows(tm_row_pool *pool, const tm_batch *table, model *m, uint32_t count,
                     rows_random *random) {
  for (uint32_t i = 0; i < count; i++) m->rows[m->count + i] = rows_below(random, ROWS);
  cr_assert_eq(tm_row_pool_insert(pool, table, m->rows + m->count, count, m->ids + m->count), 0);
  for (uint32_t i = m->count; i < m->count + count; i++) {
    int64_t *head = tm_row_pool_head(pool, m->ids[i]);
    for (int k = 0; k < HEAD / 8; k++) cr_assert_eq(head[k], 0, "a head begins as zeros");
    head[0] = m->rows[i];
    head[3] = ~m->rows[i];
  }
  m->count += count;
}

static void remove_rows(tm_row_pool *pool, model *m, uint32_t count, rows_random *random) {
  for (; count > 0 && m->count > 0; count--) {
    uint32_t at = rows_below(random, m->count);
    int64_t *head = tm_row_pool_head(pool, m->ids[at]);
    cr_assert(head[0] == m->rows[at] && head[3] == ~m->rows[at]);
    tm_row_pool_remove(pool, m->ids[at]);
    m->ids[at] = m->ids[--m->count];
    m->rows[at] = m->rows[m->count];
  }
}

Test(row_pool, rows_are_what_was_put_in) {
  tm_batch *table = table_of(1);
  uint8_t some[] = {0, 1, 0, 1, 1, 0, 0, 1};
  model *m = malloc(sizeof *m);
  for (int kept = 0; kept < 2; kept++) {
    tm_row_pool pool;
    rows_random random = rows_seed(2);
    m->count = 0;
    cr_assert_eq(tm_row_pool_init(&pool, budget, table->schema, kept ? some : NULL, HEAD), 0);
    for (int round = 0; round < 40; round++) {
      add_rows(&pool, table, m, rows_below(&random, 900), &random);
      remove_rows(&pool, m, rows_below(&random, round < 20 ? 500 : 1200), &random);
      cr_assert_eq(pool.rows, m->count);
      rows_list actual = {0}, expected = {0};
      gather(&pool, m->ids, m->count, kept ? some : NULL, false, &actual);
      for (uint32_t i = 0; i < m->count; i++) {
        rows_list_add(&expected, rows_text(table, m->rows[i], kept ? some : NULL));
      }
      rows_list_expect(&actual, &expected, "rows");
      rows_list_clear(&actual);
      rows_list_clear(&expected);
    }
    tm_row_pool_deinit(&pool);
  }
  free(m);
  tm_batch_release(table);
}

Test(row_pool, a_missing_row_is_null) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "a int64 not null, s string"),
                               "1|short\n2|a string that is long\n3|null");
  tm_row_pool pool;
  uint32_t ids[5], rows[] = {2, 0, 1};
  cr_assert_eq(tm_row_pool_init(&pool, budget, table->schema, NULL, 0), 0);
  cr_assert_eq(tm_row_pool_insert(&pool, table, rows, 3, ids), 0);
  cr_expect(ids[0] < ids[1] && ids[1] < ids[2], "ids ascend");
  ids[3] = TM_POOL_NONE;
  rows_list actual = {0}, expected = {0};
  gather(&pool, ids, 4, NULL, true, &actual);
  rows_list_add(&expected, strdup("3|null"));
  rows_list_add(&expected, strdup("1|'short'"));
  rows_list_add(&expected, strdup("2|'a string that is long'"));
  rows_list_add(&expected, strdup("null|null"));
  rows_list_expect(&actual, &expected, "missing");
  rows_list_clear(&actual);
  rows_list_clear(&expected);
  tm_row_pool_deinit(&pool);
  tm_batch_release(table);
}

Test(row_pool, memory_follows_the_rows) {
  tm_batch *table = table_of(3);
  uint64_t before = tm_budget_used(budget), most = 0;
  tm_row_pool pool;
  model *m = malloc(sizeof *m);
  rows_random random = rows_seed(4);
  m->count = 0;
  cr_assert_eq(tm_row_pool_init(&pool, budget, table->schema, NULL, HEAD), 0);
  add_rows(&pool, table, m, 15000, &random);
  uint64_t full = tm_budget_used(budget) - before;
  remove_rows(&pool, m, 14999, &random);
  cr_expect_lt(tm_budget_used(budget) - before, full / 10, "all but a row are gone");
  for (int round = 0; round < 2000; round++) { /* first in, first out */
    add_rows(&pool, table, m, 50, &random);
    for (int i = 0; m->count > 1000 && i < 50; i++) tm_row_pool_remove(&pool, m->ids[i]);
    if (m->count > 1000) {
      m->count -= 50;
      memmove(m->ids, m->ids + 50, m->count * sizeof *m->ids);
    }
    uint64_t used = tm_budget_used(budget) - before;
    if (used > most) most = used;
  }
  cr_expect_lt(most, full / 4, "a thousand of fifteen");
  free(m);
  tm_row_pool_deinit(&pool);
  tm_batch_release(table);
}

Test(row_pool, memory_that_is_refused_leaves_it_sound) {
  tm_batch *table = table_of(5);
  uint32_t rows[600], ids[600];
  for (uint32_t i = 0; i < 600; i++) rows[i] = i;
  for (uint64_t nth = 1; nth < 400; nth += 1 + nth / 20) {
    tm_row_pool pool;
    if (tm_row_pool_init(&pool, budget, table->schema, NULL, HEAD) < 0) cr_assert_fail("memory");
    cr_assert_eq(tm_row_pool_insert(&pool, table, rows, 10, ids), 0);
    tm_memory_fail_at(nth);
    int done = tm_row_pool_insert(&pool, table, rows + 10, 590, ids + 10);
    tm_memory_fail_at(0);
    cr_assert_eq(pool.rows, done == 0 ? 600 : 10);
    rows_list actual = {0}, expected = {0};
    gather(&pool, ids, 10, NULL, false, &actual);
    for (uint32_t i = 0; i < 10; i++) rows_list_add(&expected, rows_text(table, i, NULL));
    rows_list_expect(&actual, &expected, "those before");
    rows_list_clear(&actual);
    rows_list_clear(&expected);
    tm_row_pool_deinit(&pool);
  }
  tm_batch_release(table);
}
