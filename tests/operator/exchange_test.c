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
                        .inputs = {table}, .ordered_input = ordered, .ordinals = true,
                        .buffers = ordered && table->rows % 2 == 0};
}

static rows_list all_of(const tm_batch *table) {
  rows_list list = {0};
  rows_list_add_batch(&list, table, NULL);
  return list;
}

Test(exchange, in_the_order_of_the_source) {
  for (uint32_t rows = 60; rows < 62; rows++) { /* with and without buffers */
    tm_batch *table = table_of(rows);
    harness_case c = case_of(table, true);
    rows_list expected = all_of(table);
    harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "ordered"});
    rows_list_clear(&expected);
    tm_batch_release(table);
  }
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
  for (uint64_t seed = 1; seed <= 8; seed++) {
    harness_case c = case_of(table, seed % 2);
    c.buffers = seed % 4 == 1;
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

/* Where the plan lets it buffer, a lane that is far ahead never has to wait for one that has
 * nothing: here the other one begins only when the first has given everything. */
static void wake_nobody(void *waker) { (void)waker; }

static tm_batch *one_row(uint64_t sequence) {
  tm_batch *batch = rows_batch(budget, rows_schema(&arena, "a int64"), "7");
  batch->sequence = sequence;
  return batch;
}

Test(exchange, buffers_for_a_lane_that_is_awaited) {
  enum { BATCHES = 500 };
  const tm_stage *stage = tm_stage_find("exchange", TM_ROLE_STEP);
  tm_batch *table = one_row(0);
  harness_case c = case_of(table, true);
  tm_error err = {0};
  for (int buffers = 0; buffers < 2; buffers++) {
    tm_bind bind;
    void *shared, *selves[2];
    tm_ledger ledgers[2] = {{0}};
    cr_assert_eq(harness_bind(&c, &arena, 10, &bind, &err), 0);
    bind.buffers = buffers;
    cr_assert_eq(stage->share(&bind, 2, budget, &shared, &err), 0);
    for (uint32_t i = 0; i < 2; i++) {
      tm_stage_env env = {.bind = &bind, .budget = budget, .lane = i, .lanes = 2, .shared = shared,
                          .ledger = &ledgers[i], .wake = wake_nobody};
      cr_assert_eq(stage->open(&env, &selves[i], &err), 0);
    }
    tm_out out = tm_out_make(&arena);
    tm_flow flow = TM_FLOW_INPUT;
    uint64_t pushed = 0;
    while (flow == TM_FLOW_INPUT && pushed < BATCHES) {
      flow = stage->push(selves[1], 0, one_row(pushed++), &out, &err);
    }
    bool first_is_through = pushed == BATCHES;
    cr_expect_eq(first_is_through, buffers);
    cr_expect_eq(flow, buffers ? TM_FLOW_INPUT : TM_FLOW_BLOCKED);
    flow = stage->push(selves[0], 0, one_row(BATCHES), &out, &err); /* now the least is known */
    uint64_t came = 0, before = 0;
    for (; out.main != NULL; came++) {
      cr_expect_geq(out.main->sequence, before);
      before = out.main->sequence;
      tm_batch_release(out.main);
      out.main = NULL;
      if (flow == TM_FLOW_MORE) flow = stage->resume(selves[0], &out, &err);
    }
    cr_expect_eq(came, pushed, "all of the first came: %llu", (unsigned long long)came);
    for (uint32_t i = 0; i < 2; i++) stage->close(selves[i]);
    stage->unshare(shared);
  }
  tm_batch_release(table);
}
