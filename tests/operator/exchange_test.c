/* tests/operator/exchange_test.c: the rows of all lanes come together in lane 0. */
#include <criterion/criterion.h>

#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"

TestSuite(exchange, .init = setup, .fini = teardown);

static tm_batch *table_of(uint32_t rows) {
  rows_random random = rows_seed(rows);
  return rows_random_table(budget, rows_schema(&arena, "a int64, s string"), rows, &random,
                           (rows_flavour){.distinct = 50, .null_percent = 20, .odd = true});
}

static harness_case case_of(const tm_batch *table, bool ordered) {
  return (harness_case){.verb = "exchange", .role = TM_ROLE_STEP, .input_count = 1,
                        .inputs = {table}, .ordered_input = ordered, .ordinals = true};
}

static rows_list all_of(const tm_batch *table) {
  rows_list list = {0};
  rows_list_add_batch(&list, table, NULL);
  return list;
}

Test(exchange, in_the_order_of_the_source) {
  tm_batch *table = table_of(60);
  harness_case c = case_of(table, true);
  rows_list expected = all_of(table);
  harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "ordered"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

Test(exchange, in_any_order) {
  tm_batch *table = table_of(61);
  harness_case c = case_of(table, false);
  rows_list expected = all_of(table);
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "unordered"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

/* Many more batches than a queue holds, on threads: who is ahead has to wait. */
Test(exchange, keeps_the_order_of_many_batches) {
  tm_batch *table = table_of(4000);
  rows_list expected = all_of(table);
  for (uint64_t seed = 1; seed <= 6; seed++) {
    harness_case c = case_of(table, seed % 2);
    harness_mode mode = {.seed = seed, .lanes = 4, .batch_rows = 3, .threads = seed <= 4};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0);
    if (seed % 2) rows_list_expect(&r.rows, &expected, "ordered");
    else rows_list_expect_set(&r.rows, &expected, "unordered");
    cr_expect_eq(r.ledger.passed, 4000);
    harness_result_clear(&r);
  }
  rows_list_clear(&expected);
  tm_batch_release(table);
}
