/* tests/state/key_clear_test.c: key tables that are cleared and used again, against fresh ones. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "state/key_table.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(key_clear, .init = setup, .fini = teardown);

/* Rows of the first columns of a random table go into both; they must give the same numbers. */
static void insert_both(tm_key_table *used, tm_key_table *fresh, const tm_batch *table,
                        uint32_t columns, uint32_t first, uint32_t count) {
  enum { ROWS = 4000 };
  const tm_column *each[8];
  uint32_t rows[ROWS], a[ROWS], b[ROWS];
  cr_assert_leq(count, (uint32_t)ROWS);
  for (uint32_t c = 0; c < columns; c++) each[c] = &table->columns[c];
  for (uint32_t i = 0; i < count; i++) rows[i] = first + i;
  cr_assert_eq(tm_key_table_insert(used, each, rows, count, NULL, a), 0);
  cr_assert_eq(tm_key_table_insert(fresh, each, rows, count, NULL, b), 0);
  cr_assert_eq(tm_key_table_count(used), tm_key_table_count(fresh));
  tm_key_table_find(used, each, rows, count, NULL, b);
  cr_assert_eq(memcmp(a, b, count * sizeof *a), 0);
}

/* The keys as text, in any order: numbers of several columns need not agree. */
static void expect_same_keys(const tm_key_table *a, const tm_key_table *b,
                             const tm_schema *schema) {
  rows_list lists[2] = {{0}, {0}};
  const tm_key_table *tables[] = {a, b};
  for (int i = 0; i < 2; i++) {
    uint32_t count = tm_key_table_count(tables[i]);
    tm_batch *out = tm_batch_create(budget, schema, count);
    for (uint32_t c = 0; c < schema->count; c++) {
      cr_assert_eq(tm_key_table_read(tables[i], c, 0, NULL, count, out, c), 0);
    }
    rows_list_add_batch(&lists[i], out, NULL);
    tm_batch_release(out);
  }
  rows_list_expect_set(&lists[0], &lists[1], "keys");
  rows_list_clear(&lists[0]);
  rows_list_clear(&lists[1]);
}

static void check(const char *ddl, uint32_t distinct, bool small, uint64_t seed) {
  enum { ROWS = 20000 };
  rows_random random = rows_seed(seed);
  tm_schema *schema = rows_schema(&arena, ddl);
  tm_batch *table = rows_random_table(budget, schema, ROWS, &random,
                                      (rows_flavour){.distinct = distinct, .null_percent = 5,
                                                     .odd = seed % 3 == 0});
  tm_type types[8];
  for (uint32_t c = 0; c < schema->count; c++) types[c] = schema->fields[c].type;
  tm_key_table *used = tm_key_table_create(budget, types, schema->count);
  if (small) tm_key_table_start_small(used);
  for (int round = 0; round < 12; round++) {
    tm_key_table *fresh = tm_key_table_create(budget, types, schema->count);
    for (int batch = 0; batch < 1 + round % 4; batch++) {
      uint32_t count = round % 3 == 0 ? rows_below(&random, 20) : rows_below(&random, 4000);
      insert_both(used, fresh, table, schema->count, rows_below(&random, ROWS - 4000), count);
      if (round % 2 == 0 && tm_key_table_wants_growth(used)) {
        cr_assert_geq(tm_key_table_grow_step(used), 0); /* and perhaps not to its end */
        if (batch < round % 4) while (tm_key_table_grow_step(used) > 0) continue;
      }
    }
    expect_same_keys(used, fresh, schema);
    tm_key_table_destroy(fresh);
    cr_assert(tm_key_table_clear(used));
    cr_assert_eq(tm_key_table_count(used), 0);
  }
  tm_key_table_destroy(used);
  tm_batch_release(table);
}

Test(key_clear, as_if_it_were_new) {
  static const char *const ddls[] = {"a int32", "a int64", "a float64", "a string", "a bool",
                                     "a string, b int32", "a decimal(30,2)", "a int64, b date"};
  for (size_t i = 0; i < sizeof ddls / sizeof *ddls; i++) {
    for (uint64_t seed = 1; seed < 4; seed++) {
      check(ddls[i], 50, seed % 2, seed);
      check(ddls[i], 100000, seed % 2, seed);
    }
  }
}

Test(key_clear, without_columns) {
  tm_key_table *table = tm_key_table_create(budget, NULL, 0);
  uint32_t id;
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(tm_key_table_insert(table, NULL, NULL, 1, NULL, &id), 0);
    cr_assert_eq(tm_key_table_count(table), 1);
    cr_assert(tm_key_table_clear(table));
    cr_assert_eq(tm_key_table_count(table), 0);
  }
  tm_key_table_destroy(table);
}

/* A batch that reads strings keeps them. */
Test(key_clear, strings_stay_with_who_holds_them) {
  tm_schema *schema = rows_schema(&arena, "a string");
  tm_batch *table = rows_batch(budget, schema, "'a string that is not short'\n");
  const tm_column *each[] = {&table->columns[0]};
  tm_type type = tm_type_of(TM_STRING);
  tm_key_table *keys = tm_key_table_create(budget, &type, 1);
  uint32_t id;
  cr_assert_eq(tm_key_table_insert(keys, each, NULL, 1, NULL, &id), 0);
  tm_batch *out = tm_batch_create(budget, schema, 1);
  cr_assert_eq(tm_key_table_read(keys, 0, 0, NULL, 1, out, 0), 0);
  cr_assert(tm_key_table_clear(keys));
  char *text = rows_text(out, 0, NULL);
  cr_expect_str_eq(text, "'a string that is not short'");
  free(text);
  tm_key_table_destroy(keys);
  tm_batch_release(out);
  tm_batch_release(table);
}

Test(key_clear, small_tables_are_small) {
  tm_type types[] = {tm_type_of(TM_INT64), tm_type_of(TM_INT64)};
  for (uint32_t columns = 1; columns <= 2; columns++) {
    uint64_t before = tm_budget_used(budget);
    tm_key_table *table = tm_key_table_create(budget, types, columns);
    tm_key_table_start_small(table);
    int64_t values[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    tm_column column = {.type = types[0], .data = values};
    const tm_column *each[] = {&column, &column};
    uint32_t ids[10];
    cr_assert_eq(tm_key_table_insert(table, each, NULL, 10, NULL, ids), 0);
    cr_expect_leq(tm_budget_used(budget) - before, 4096u);
    tm_key_table_destroy(table);
  }
}
