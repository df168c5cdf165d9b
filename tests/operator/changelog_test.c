/* tests/operator/changelog_test.c: weights as a column; and what rows that are taken back mean to
 * steps that pass them on, and to those that cannot. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/changes.h"
#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(changelog, .init = setup, .fini = teardown);

static tm_batch *table_of(uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_schema *schema = rows_schema(&arena, "x int32, name string, f float64");
  return rows_random_table(budget, schema, rows, &random,
                           (rows_flavour){.distinct = 9, .null_percent = 25});
}

static harness_case case_of(const char *verb, const changes *all, tm_value options) {
  return (harness_case){.verb = verb, .role = TM_ROLE_STEP, .input_count = 1, .stream = true,
                        .inputs = {all->table}, .weights = {all->weights}, .options = options};
}

/* ---------------------------------------------------------------- the step changelog */

Test(changelog, weights_become_a_column) {
  tm_batch *table = table_of(40, 1);
  changes all = changes_make(budget, table, 30, 40, 1);
  harness_case c = case_of("changelog", &all, v_nil());
  rows_list rows = {0}, expected = {0};
  rows_list_add_batch(&rows, all.table, NULL);
  for (uint32_t i = 0; i < rows.count; i++) {
    char line[300];
    (void)snprintf(line, sizeof line, "%s|%d", rows.texts[i], all.weights[i]);
    rows_list_add(&expected, strdup(line));
  }
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "weights"});
  rows_list_clear(&expected);
  c.weights[0] = NULL; /* rows that are final */
  for (uint32_t i = 0; i < rows.count; i++) {
    char line[300];
    (void)snprintf(line, sizeof line, "%s|1", rows.texts[i]);
    rows_list_add(&expected, strdup(line));
  }
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "final rows"});
  c.stream = false;
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "a batch"});
  rows_list_clear(&expected);
  rows_list_clear(&rows);
  changes_clear(&all);
  tm_batch_release(table);
}

Test(changelog, what_the_plan_is_told) {
  tm_batch *table = table_of(3, 1);
  changes all = changes_make(budget, table, 3, 0, 1);
  harness_case c = case_of("changelog", &all, v_nil());
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(tm_schema_text(&arena, bind.output),
                   "x int32, name string, f float64, weight int32 not null");
  cr_expect_not(bind.facts_out.changelog);
  cr_expect_eq(bind.order, TM_ORDER_KEEPS);
  c.needed = "f";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "f");
  free(needs);
  tm_batch *other = rows_batch(budget, rows_schema(&arena, "weight float64"), "1");
  c.inputs[0] = other;
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), -1);
  cr_expect_eq(err.code, TM_E_COLUMNS);
  cr_expect(strstr(err.help, "rename") != NULL, "%s", err.help);
  tm_batch_release(other);
  changes_clear(&all);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- steps that pass weights on */

static void x_is_even(row_call *c) {
  row_set_int(c, 0, !row_is_null(c, 0) && row_int(c, 0) % 2 == 0);
}

static void make_x(row_call *c) {
  c->keep = row_is_null(c, 0) || row_int(c, 0) != 3;
  if (row_is_null(c, 0)) row_set_null(c, 0);
  else row_set_int(c, 0, row_int(c, 0) * 10);
}

/* What is left of what the step gives is what it gives of what is left. */
static void expect_linear(const harness_case *with_weights, const changes *all) {
  tm_batch *net = changes_net(budget, all, all->table->rows);
  harness_case of_rest = *with_weights, c = *with_weights;
  of_rest.inputs[0] = net;
  of_rest.weights[0] = NULL;
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 1000};
  harness_result r = harness_run(&of_rest, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_assert_gt(r.rows.count, 0);
  c.changelog = true;
  harness_check(&c, &(harness_expected){.rows = &r.rows, .label = c.verb});
  harness_result_clear(&r);
  tm_batch_release(net);
}

Test(changelog, row_wise_steps_keep_weights) {
  tm_batch *table = table_of(60, 2);
  changes all = changes_make(budget, table, 500, 40, 2);
  row_function even = row_function_make("x", NULL, x_is_even, false, 1);
  row_function map = row_function_make("x", "y int64", make_x, false, 2);
  row_function value = row_function_make("x", "y int64", make_x, false, 3);
  tm_value f = v_function(&even);
  harness_case c = case_of("filter", &all, V_TABLE(&arena, {"f", f}));
  expect_linear(&c, &all);
  c = case_of("map", &all, V_TABLE(&arena, {"f", v_function(&map)}));
  expect_linear(&c, &all);
  c = case_of("with", &all, V_TABLE(&arena, {"fields", V_TABLE(&arena, {"x", v_function(&value)},
                                                               {"z", v_int(1)})}));
  expect_linear(&c, &all);
  c = case_of("select", &all, V_TABLE(&arena, {"columns", V_LIST(&arena, v_text("name"))}));
  expect_linear(&c, &all);
  c = case_of("drop", &all, V_TABLE(&arena, {"columns", V_LIST(&arena, v_text("name"))}));
  expect_linear(&c, &all);
  tm_value renamed = V_TABLE(&arena, {"name", v_text("n")}, {"from", v_text("name")});
  c = case_of("rename", &all, V_TABLE(&arena, {"columns", V_LIST(&arena, renamed)}));
  expect_linear(&c, &all);
  changes_clear(&all);
  tm_batch_release(table);
}

/* A row that a check refuses is refused when it comes and when it goes. */
Test(changelog, checks_keep_weights) {
  tm_batch *table = table_of(60, 3);
  changes all = changes_make(budget, table, 300, 40, 3);
  row_function even = row_function_make("x", NULL, x_is_even, false, 1);
  harness_case c = case_of("check", &all, V_TABLE(&arena, {"name", v_text("even")},
                                                  {"f", v_function(&even)}));
  c.changelog = true;
  tm_batch *net = changes_net(budget, &all, 300);
  rows_list expected = {0};
  uint32_t *rows = calloc(net->rows + 1, sizeof *rows), count = 0;
  for (uint32_t i = 0; i < net->rows; i++) {
    bool null = tm_column_is_null(&net->columns[0], i);
    if (!null && ((int32_t *)net->columns[0].data)[i] % 2 == 0) rows[count++] = i;
  }
  tm_batch *kept = changes_pick(budget, net, rows, count);
  rows_list_add_batch(&expected, kept, NULL);
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 7, .odd_batches = true};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  rows_list_expect_set(&r.rows, &expected, "check");
  harness_result_clear(&r);
  rows_list_clear(&expected);
  free(rows);
  tm_batch_release(kept);
  tm_batch_release(net);
  changes_clear(&all);
  tm_batch_release(table);
}

Test(changelog, unions_keep_weights) {
  tm_batch *table = table_of(60, 4), *one = table_of(20, 5);
  changes a = changes_make(budget, table, 300, 40, 4), b = changes_make(budget, one, 200, 45, 5);
  tm_batch *net_a = changes_net(budget, &a, 300), *net_b = changes_net(budget, &b, 200);
  harness_case c = {.verb = "union", .role = TM_ROLE_STEP, .input_count = 3, .stream = true,
                    .inputs = {a.table, b.table, one}, .weights = {a.weights, b.weights, NULL},
                    .changelog = true};
  rows_list expected = {0};
  rows_list_add_batch(&expected, net_a, NULL);
  rows_list_add_batch(&expected, net_b, NULL);
  rows_list_add_batch(&expected, one, NULL);
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "union"});
  rows_list_clear(&expected);
  tm_batch_release(net_a);
  tm_batch_release(net_b);
  changes_clear(&a);
  changes_clear(&b);
  tm_batch_release(table);
  tm_batch_release(one);
}

/* ---------------------------------------------------------------- steps that cannot */

static void expect_refused(harness_case c, const char *message, const char *help) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), -1, "%s", c.verb);
  cr_expect_eq(err.code, TM_E_JOB);
  cr_expect(strstr(err.message, message) != NULL, "%s", err.message);
  cr_expect(strstr(err.help, help) != NULL, "%s", err.help);
}

Test(changelog, limit_and_sort_take_no_row_back) {
  tm_batch *table = table_of(5, 6);
  changes all = changes_make(budget, table, 5, 0, 6);
  harness_case limit = case_of("limit", &all, V_TABLE(&arena, {"n", v_int(3)}));
  harness_case sort = case_of("sort", &all, V_TABLE(&arena, {"by", v_text("x")}));
  expect_refused(limit, "limit: its input takes rows back", "put limit before that step");
  expect_refused(sort, "sort: its input takes rows back", "group in a window");
  limit.weights[0] = sort.weights[0] = NULL;
  sort.unbounded = limit.unbounded = true;
  expect_refused(sort, "sort waits for the last row, and the input has no end", "top(n");
  tm_bind bind;
  tm_error err = {0};
  cr_expect_eq(harness_bind(&limit, &arena, 100, &bind, &err), 0, "%s", err.message);
  sort.unbounded = false;
  cr_expect_eq(harness_bind(&sort, &arena, 100, &bind, &err), 0, "%s", err.message);
  changes_clear(&all);
  tm_batch_release(table);
}
