/* tests/operator/filter_test.c: rows for which a condition holds, against a loop. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(filter, .init = setup, .fini = teardown);

/* x % 3 == 0; a null is not. */
static void third(row_call *c) {
  row_set_int(c, 0, !row_is_null(c, 0) && row_int(c, 0) % 3 == 0);
}

static void third_or_raise(row_call *c) {
  if (row_is_null(c, 0)) c->refuse = "attempt to perform arithmetic on a nil value";
  else third(c);
}

static tm_batch *table_of(uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_schema *schema = rows_schema(&arena, "x int32, name string, d decimal(30,2), at timestamp");
  return rows_random_table(budget, schema, rows, &random,
                           (rows_flavour){.distinct = 20, .null_percent = 30, .odd = true});
}

static harness_case case_of(row_function *f, const tm_batch *table) {
  return (harness_case){
    .verb = "filter", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table}, .ordinals = true,
    .ordered_input = true, .options = V_TABLE(&arena, {"f", v_function(f)}),
  };
}

static bool holds(const tm_batch *table, uint32_t row) {
  return !tm_column_is_null(&table->columns[0], row) &&
         ((const int32_t *)table->columns[0].data)[row] % 3 == 0;
}

Test(filter, keeps_the_rows_for_which_it_holds) {
  tm_batch *table = table_of(60, 1);
  row_function f = row_function_make("x", NULL, third, false, 9);
  harness_case c = case_of(&f, table);
  rows_list expected = {0};
  for (uint32_t i = 0; i < table->rows; i++) {
    if (holds(table, i)) rows_list_add(&expected, rows_text(table, i, NULL));
  }
  cr_assert_gt(expected.count, 5);
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "filter"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

Test(filter, refuses_the_rows_for_which_it_raises) {
  tm_batch *table = table_of(50, 2);
  row_function f = row_function_make("x", NULL, third_or_raise, true, 9);
  harness_case c = case_of(&f, table);
  rows_list rows = {0}, rejects = {0};
  harness_mode mode = {.seed = 4, .lanes = 3, .batch_rows = 7, .odd_batches = true};
  for (uint32_t i = 0; i < table->rows; i++) {
    if (holds(table, i)) rows_list_add(&rows, rows_text(table, i, NULL));
  }
  harness_result r = harness_run(&c, &mode);
  rows_list_expect_set(&r.rows, &rows, "rows");
  uint64_t nulls = 0;
  for (uint32_t i = 0; i < table->rows; i++) nulls += tm_column_is_null(&table->columns[0], i);
  cr_expect_eq(r.ledger.rejected, nulls);
  cr_expect_eq(r.ledger.filtered, 50 - nulls - rows.count);
  cr_assert_gt(r.rejects.count, 3);
  cr_expect(
      strncmp(r.rejects.texts[0], "lua|attempt to perform arithmetic on a nil value|", 49) == 0,
      "%s", r.rejects.texts[0]);
  rows_list_append(&rejects, &r.rejects);
  harness_result_clear(&r);
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "raising"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  tm_batch_release(table);
}
