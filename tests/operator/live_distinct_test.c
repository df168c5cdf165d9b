/* tests/operator/live_distinct_test.c: each different row once, of rows that come, and that go. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/changes.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(live_distinct, .init = setup, .fini = teardown);

extern const tm_stage tm_stage_live_distinct;

static tm_batch *table_of(uint32_t rows, uint64_t seed, uint32_t distinct) {
  rows_random random = rows_seed(seed);
  tm_schema *schema =
      rows_schema(&arena, "x int32, name string, f float64, d decimal(30,2), b bool");
  return rows_random_table(budget, schema, rows, &random,
                           (rows_flavour){.distinct = distinct, .null_percent = 25, .odd = true});
}

static harness_case case_of(const tm_batch *table, const int32_t *weights, tm_value columns) {
  return (harness_case){.stage = &tm_stage_live_distinct, .input_count = 1, .inputs = {table},
                        .weights = {weights}, .stream = true, .ordered_input = true,
                        .changelog = weights != NULL,
                        .options = V_TABLE(&arena, {"columns", columns})};
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

static const uint32_t whole[] = {0, 1, 2, 3, 4}, some[] = {2, 0};

typedef void (*checker)(const harness_case *c, const harness_expected *expected);

static void check(checker run, const changes *all, bool final) {
  uint32_t count = all->table->rows;
  tm_batch *net = changes_net(budget, all, count);
  const int32_t *weights = final ? NULL : all->weights;
  const tm_batch *rest = final ? all->table : net;
  rows_list expected = different(rest, whole, 5);
  harness_case c = case_of(all->table, weights, v_nil());
  run(&c, &(harness_expected){.rows = &expected, .label = "whole rows"});
  rows_list_clear(&expected);
  expected = different(rest, some, 2);
  c = case_of(all->table, weights, V_LIST(&arena, v_text("f"), v_text("x")));
  run(&c, &(harness_expected){.rows = &expected, .label = "f, x"});
  rows_list_clear(&expected);
  tm_batch_release(net);
}

Test(live_distinct, in_every_way_a_lane_may_go) {
  tm_batch *table = table_of(16, 1, 2);
  changes all = changes_make(budget, table, 30, 40, 1);
  check(harness_sweep, &all, true);
  check(harness_sweep, &all, false);
  changes_clear(&all);
  tm_batch_release(table);
}

Test(live_distinct, many_rows_and_any_changes) {
  for (uint64_t seed = 1; seed < 8; seed++) {
    rows_random random = rows_seed(seed);
    tm_batch *table = table_of(1 + rows_below(&random, 500), seed, 1 + rows_below(&random, 9));
    changes all = changes_make(budget, table, rows_below(&random, 4000),
                               rows_below(&random, 50), seed);
    check(harness_check, &all, true);
    check(harness_check, &all, false);
    changes_clear(&all);
    tm_batch_release(table);
  }
}

static void expect_lines(const harness_case *c, const char *const *lines, size_t count,
                         const tm_ledger *books) {
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2};
  harness_case as_it_comes = *c;
  as_it_comes.changelog = false;
  harness_result r = harness_run(&as_it_comes, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_assert_eq(r.rows.count, count, "%zu rows", r.rows.count);
  for (size_t i = 0; i < count; i++) cr_expect_str_eq(r.rows.texts[i], lines[i]);
  cr_expect_eq(r.ledger.duplicate, books->duplicate);
  cr_expect_eq(r.ledger.absorbed, books->absorbed);
  cr_expect_eq(r.ledger.produced, books->produced);
  harness_result_clear(&r);
}

Test(live_distinct, the_first_passes_and_the_last_takes_it_back) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "k string"), "a\nb\na\na\nb\na\na");
  const int32_t weights[] = {1, 1, 1, -1, -1, -1, 1};
  harness_case c = case_of(table, NULL, v_nil());
  expect_lines(&c, (const char *const[]){"'a'", "'b'"}, 2, &(tm_ledger){.duplicate = 5});
  c = case_of(table, weights, v_nil());
  expect_lines(&c, (const char *const[]){"+1 'a'", "+1 'b'", "-1 'b'", "-1 'a'", "+1 'a'"}, 5,
               &(tm_ledger){.absorbed = 7, .produced = 5});
  tm_batch_release(table);
}

Test(live_distinct, what_never_came_cannot_be_taken_back) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "k string"), "a\nb");
  const int32_t weights[] = {1, -1};
  harness_case c = case_of(table, weights, v_nil());
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 1};
  harness_result r = harness_run(&c, &mode);
  cr_expect_eq(r.err.code, TM_E_LEDGER, "%s", r.err.message);
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(live_distinct, what_the_plan_is_told) {
  tm_batch *table = table_of(3, 1, 3);
  const int32_t weights[] = {1, 1, 1};
  harness_case c = case_of(table, NULL, V_LIST(&arena, v_text("f"), v_text("x")));
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(tm_schema_text(&arena, bind.output), "f float64, x int32");
  cr_expect(bind.single && !bind.facts_out.changelog);
  cr_expect_eq(bind.facts_out.time.kind, TM_NULLTYPE);
  c.weights[0] = weights;
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect(bind.facts_out.changelog);
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "x f");
  free(needs);
  tm_batch_release(table);
}

/* A stream whose sinks want only what is left at its end takes the stage of batches. */
Test(live_distinct, one_stage_serves) {
  tm_job_info job = {.stream = true};
  tm_bind bind = {.job = &job, .input_count = 1};
  const tm_stage *live = &tm_stage_live_distinct;
  cr_expect_eq(tm_stage_find_for("distinct", TM_ROLE_STEP, &bind), live);
  bind.final_only = true;
  cr_expect_neq(tm_stage_find_for("distinct", TM_ROLE_STEP, &bind), live);
  bind.facts_in[0].changelog = true;
  cr_expect_eq(tm_stage_find_for("distinct", TM_ROLE_STEP, &bind), live);
  job.stream = bind.facts_in[0].changelog = false;
  cr_expect_neq(tm_stage_find_for("distinct", TM_ROLE_STEP, &bind), live);
}
