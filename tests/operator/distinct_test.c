/* tests/operator/distinct_test.c: each different row once, against sorting their texts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

static tm_budget *budget;
static tm_arena arena;

static void setup(void) {
  budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&arena, budget);
}

static void teardown(void) {
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}

TestSuite(distinct, .init = setup, .fini = teardown);

static tm_batch *table_of(uint32_t rows, uint64_t seed, uint32_t distinct) {
  rows_random random = rows_seed(seed);
  tm_schema *schema =
      rows_schema(&arena, "x int32, name string, f float64, d decimal(30,2), b bool");
  return rows_random_table(budget, schema, rows, &random,
                           (rows_flavour){.distinct = distinct, .null_percent = 25, .odd = true});
}

static harness_case case_of(const tm_batch *table, tm_value options) {
  return (harness_case){.verb = "distinct", .role = TM_ROLE_STEP, .input_count = 1,
                        .inputs = {table}, .options = options};
}

/* Texts of the columns, -0 as 0, without repetitions. */
static rows_list different(const tm_batch *table, const uint32_t *columns, uint32_t count) {
  rows_list all = {0}, out = {0};
  for (uint32_t row = 0; row < table->rows; row++) {
    char text[1024] = "";
    for (uint32_t i = 0; i < count; i++) {
      char *cell = rows_cell_text(&table->columns[columns[i]], row);
      bool zero = table->columns[columns[i]].type.kind == TM_FLOAT64 && strcmp(cell, "-0.0") == 0;
      size_t used = strlen(text);
      (void)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "|" : "",
                     zero ? "0.0" : cell);
      free(cell);
    }
    rows_list_add(&all, strdup(text));
  }
  rows_list_sort(&all);
  for (size_t i = 0; i < all.count; i++) {
    if (i == 0 || strcmp(all.texts[i], all.texts[i - 1]) != 0) {
      rows_list_add(&out, strdup(all.texts[i]));
    }
  }
  rows_list_clear(&all);
  return out;
}

Test(distinct, whole_rows) {
  const uint32_t all[] = {0, 1, 2, 3, 4};
  tm_batch *small = table_of(24, 1, 2), *large = table_of(9000, 2, 6);
  rows_list expected = different(small, all, 5);
  cr_assert_lt(expected.count, small->rows);
  harness_case c = case_of(small, V_TABLE(&arena, {"columns", v_nil()}));
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "whole rows"});
  rows_list_clear(&expected);
  expected = different(large, all, 5);
  c = case_of(large, V_TABLE(&arena, {"columns", v_nil()}));
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "many rows"});
  rows_list_clear(&expected);
  tm_batch_release(small);
  tm_batch_release(large);
}

Test(distinct, of_some_columns_only_those_stay) {
  const uint32_t some[] = {2, 0};
  tm_batch *table = table_of(300, 3, 12);
  rows_list expected = different(table, some, 2);
  harness_case c = case_of(
      table, V_TABLE(&arena, {"columns", V_LIST(&arena, v_text("f"), v_text("x"))}));
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "f, x"});
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "x f");
  free(needs);
  rows_list_clear(&expected);
  expected = different(table, some, 1);
  c = case_of(table, V_TABLE(&arena, {"columns", v_text("f")}));
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "f"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

Test(distinct, the_books_name_duplicates) {
  tm_batch *table = table_of(500, 4, 3);
  harness_case c = case_of(table, V_TABLE(&arena, {"columns", v_text("x")}));
  for (uint32_t lanes = 1; lanes <= 4; lanes++) {
    for (int save = 0; save <= 100; save += 50) {
      harness_mode mode = {.seed = lanes, .lanes = lanes, .batch_rows = 20, .save = save};
      harness_result r = harness_run(&c, &mode);
      cr_assert_eq(r.err.code, 0, "%s", r.err.message);
      cr_expect_eq(r.ledger.in, 500);
      cr_expect_eq(r.ledger.passed, r.rows.count);
      cr_expect_eq(r.ledger.duplicate, 500 - r.rows.count, "%u lanes, save %d", lanes, save);
      harness_result_clear(&r);
    }
  }
  tm_batch_release(table);
}

Test(distinct, many_keys_out_of_several_lanes) {
  tm_batch *table = table_of(40000, 5, 30000);
  const uint32_t name[] = {1}, x[] = {0};
  rows_list expected = different(table, name, 1);
  harness_case c = case_of(table, V_TABLE(&arena, {"columns", v_text("name")}));
  harness_mode mode = {.seed = 1, .lanes = 3, .batch_rows = 2048, .threads = true};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  rows_list_expect_set(&r.rows, &expected, "names");
  harness_result_clear(&r);
  rows_list_clear(&expected);
  expected = different(table, x, 1);
  c = case_of(table, V_TABLE(&arena, {"columns", v_text("x")}));
  r = harness_run(&c, &mode);
  rows_list_expect_set(&r.rows, &expected, "numbers");
  harness_result_clear(&r);
  rows_list_clear(&expected);
  tm_batch_release(table);
}

/* So many that each lane merges more than one part of the hashes. */
Test(distinct, more_keys_than_a_merged_table_takes) {
  enum { ROWS = 450000 };
  tm_batch *table = rows_blank(budget, rows_schema(&arena, "x int64 not null"), ROWS);
  int64_t *x = table->columns[0].data;
  for (uint32_t i = 0; i < ROWS; i++) x[i] = (int64_t)((i / 2) * UINT64_C(0x9e3779b97f4a7c15));
  harness_case c = case_of(table, V_TABLE(&arena, {"columns", v_text("x")}));
  harness_mode mode = {.seed = 1, .lanes = 3, .batch_rows = 2048};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_expect_eq(r.rows.count, ROWS / 2);
  cr_expect_eq(r.ledger.duplicate, ROWS / 2);
  rows_list_sort(&r.rows);
  for (size_t i = 1; i < r.rows.count; i++) {
    cr_assert_str_neq(r.rows.texts[i], r.rows.texts[i - 1]);
  }
  harness_result_clear(&r);
  tm_batch_release(table);
}

static void expect_refused(const tm_batch *table, tm_value columns, int code, const char *message) {
  harness_case c = case_of(table, V_TABLE(&arena, {"columns", columns}));
  tm_bind bind;
  tm_error err = {0};
  cr_expect_eq(harness_bind(&c, &arena, 100, &bind, &err), -1);
  cr_expect_eq(err.code, code);
  cr_expect(strstr(err.message, message) != NULL, "%s", err.message);
}

Test(distinct, refuses_what_is_no_column) {
  tm_batch *table = table_of(3, 6, 3);
  expect_refused(table, v_text("nmae"), TM_E_FIELD, "unknown column 'nmae'");
  expect_refused(table, V_LIST(&arena, v_text("x"), v_text("x")), TM_E_COLUMNS, "'x' twice");
  tm_batch_release(table);
}
