/* tests/operator/consolidate_test.c: of rows that come and go, those that stay, in order. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/changes.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(consolidate, .init = setup, .fini = teardown);

static tm_batch *table_of(uint32_t rows, uint64_t seed, uint32_t distinct) {
  rows_random random = rows_seed(seed);
  tm_schema *schema =
      rows_schema(&arena, "x int32, name string, f float64, d decimal(30,2), b bool");
  return rows_random_table(budget, schema, rows, &random,
                           (rows_flavour){.distinct = distinct, .null_percent = 25, .odd = true});
}

static harness_case case_of(const tm_batch *table, const int32_t *weights) {
  return (harness_case){.verb = "consolidate", .role = TM_ROLE_STEP, .input_count = 1,
                        .inputs = {table}, .weights = {weights}, .stream = true,
                        .ordered_input = true};
}

static void check(void (*run)(const harness_case *, const harness_expected *), const changes *all,
                  const char *label) {
  uint32_t count = all->table->rows;
  tm_batch *net = changes_net(budget, all, count);
  harness_case c = case_of(all->table, all->weights);
  rows_list expected = {0};
  rows_list_add_batch(&expected, net, NULL);
  run(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = label});
  rows_list_clear(&expected);
  tm_batch_release(net);
}

Test(consolidate, in_every_way_a_lane_may_go) {
  tm_batch *table = table_of(12, 1, 3);
  changes all = changes_make(budget, table, 30, 40, 1);
  check(harness_sweep, &all, "few");
  changes_clear(&all);
  tm_batch_release(table);
}

Test(consolidate, any_changes) {
  for (uint64_t seed = 1; seed < 12; seed++) {
    rows_random random = rows_seed(seed);
    uint32_t rows = 1 + rows_below(&random, 300);
    tm_batch *table = table_of(rows, seed, 1 + rows_below(&random, 20));
    changes all = changes_make(budget, table, rows_below(&random, 3000),
                               rows_below(&random, 50), seed);
    check(harness_check, &all, "changes");
    changes_clear(&all);
    tm_batch_release(table);
  }
}

/* More than one piece to move, and rows that come often. */
Test(consolidate, many_rows) {
  tm_batch *table = table_of(20000, 3, 9000);
  changes all = changes_make(budget, table, 4000, 10, 5);
  for (uint32_t i = 0; i < all.table->rows; i++) {
    if (i % 1000 == 0 && all.weights[i] > 0) all.weights[i] = 1;
  }
  check(harness_check, &all, "many");
  changes_clear(&all);
  tm_batch_release(table);
}

Test(consolidate, a_row_comes_as_often_as_its_weight_says) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "x int32, s string"),
                               "2|b\n1|a\n2|b\n7|gone\nnull|a\n7|gone");
  const int32_t weights[] = {3000, 2, -1, 4, 1, -4};
  harness_case c = case_of(table, weights);
  for (int save = 0; save <= 100; save += 50) {
    harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2, .save = save};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    cr_assert_eq(r.rows.count, 3002);
    for (size_t i = 0; i < r.rows.count; i++) {
      cr_assert_str_eq(r.rows.texts[i], i < 2 ? "1|'a'" : i < 3001 ? "2|'b'" : "null|'a'");
    }
    cr_expect_eq(r.ledger.absorbed, 6);
    cr_expect_eq(r.ledger.produced, 3002);
    harness_result_clear(&r);
  }
  tm_batch_release(table);
}

/* -0 and 0 are different rows: a changelog takes back what it gave. */
Test(consolidate, zeros_with_a_sign_are_rows_of_their_own) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "f float64"), "0\n-0\n-0\n0");
  ((double *)table->columns[0].data)[1] = -0.0;
  ((double *)table->columns[0].data)[2] = -0.0;
  const int32_t weights[] = {1, 1, 1, -1};
  harness_case c = case_of(table, weights);
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.rows.count, 2);
  cr_expect_str_eq(r.rows.texts[0], "-0.0");
  cr_expect_str_eq(r.rows.texts[1], "-0.0");
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(consolidate, a_row_that_never_came_fails_the_run) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "x int32"), "1\n2\n1");
  const int32_t weights[] = {1, 1, -2};
  harness_case c = case_of(table, weights);
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2};
  harness_result r = harness_run(&c, &mode);
  cr_expect_eq(r.err.code, TM_E_LEDGER);
  cr_expect(strstr(r.err.message, "more often than it was given") != NULL, "%s", r.err.message);
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(consolidate, the_plan_is_told_that_rows_are_final) {
  tm_batch *table = table_of(3, 1, 3);
  const int32_t weights[] = {1, 1, 1};
  harness_case c = case_of(table, weights);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect(bind.single && !bind.facts_out.changelog);
  cr_expect_eq(bind.order, TM_ORDER_MAKES);
  c.needed = "x";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "x name f d b");
  free(needs);
  tm_batch_release(table);
}
