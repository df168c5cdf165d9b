/* tests/exec/balance_test.c: the books of a run over plans and counts made by hand: what does not
 * balance is told with the step and its figures, and is a failure of the run. */
#include <criterion/criterion.h>
#include <string.h>

#include "exec/balance.h"
#include "stage/stage.h"
#include "tests/support/fixture.h"

TestSuite(balance, .init = setup, .fini = teardown);

static const tm_stage source_stage = {.name = "csv", .inputs = 0};
static const tm_stage step_stage = {.name = "filter", .inputs = 1};
static const tm_stage sink_stage = {.name = "csv", .inputs = 1, .sink = true};

/* rows -> keep -> out, refused rows of the source -> bad. */
static tm_bind binds[4];
static tm_bind *nodes[] = {&binds[0], &binds[1], &binds[2], &binds[3]};
static tm_edge edges[] = {{.from = 0, .to = 1}, {.from = 1, .to = 2},
                          {.from = 0, .to = 3, .kind = TM_EDGE_REFUSED}};
static tm_ledger ledgers[4];
static tm_graph graph;
static tm_plan plan;
static tm_run_result result;

static void lay(void) {
  static const tm_ledger fine[] = {
    {.in = 10, .passed = 7, .rejected = 3}, {.in = 7, .passed = 5, .filtered = 2},
    {.in = 5, .passed = 5}, {.in = 3, .passed = 3},
  };
  memcpy(ledgers, fine, sizeof ledgers);
  memset(binds, 0, sizeof binds);
  binds[0] = (tm_bind){.stage = &source_stage, .name = "rows", .script_line = 2,
                       .rejects_to = &binds[3]};
  binds[1] = (tm_bind){.stage = &step_stage, .name = "keep", .script_line = 3, .input_count = 1};
  binds[2] = (tm_bind){.stage = &sink_stage, .name = "out", .script_line = 4, .input_count = 1};
  binds[3] = (tm_bind){.stage = &sink_stage, .name = "bad", .script_line = 2, .input_count = 1};
  graph = (tm_graph){.job = {.script = "job.lua"}};
  plan = (tm_plan){.arena = &arena, .graph = &graph, .nodes = nodes, .node_count = 4,
                   .edges = edges, .edge_count = 3};
  result = (tm_run_result){.nodes = ledgers, .node_count = 4};
}

Test(balance, books_that_balance) {
  lay();
  tm_error err = {0};
  cr_assert_eq(tm_balance_check(&plan, &result, &err), 0);
  cr_assert_eq(err.code, TM_E_NONE);
}

Test(balance, a_step_that_loses_a_row_is_named_with_its_figures) {
  lay();
  ledgers[1].filtered = 1;
  tm_error err = {0};
  cr_assert_eq(tm_balance_check(&plan, &result, &err), -1);
  cr_assert_eq(err.code, TM_E_LEDGER);
  cr_assert_eq(tm_error_exit(err.code), 1);
  cr_assert_str_eq(err.step, "keep");
  cr_assert_str_eq(err.script, "job.lua");
  cr_assert_eq(err.script_line, 3);
  cr_assert_not_null(strstr(err.message, "in 7 + produced 0 is not passed 5 + filtered 1"));
  cr_assert_not_null(strstr(err.help, "bug in tidemill"));
}

Test(balance, an_edge_that_loses_a_row_is_named) {
  lay();
  ledgers[2].in = ledgers[2].passed = 4;
  tm_error err = {0};
  cr_assert_eq(tm_balance_check(&plan, &result, &err), -1);
  cr_assert_eq(err.code, TM_E_LEDGER);
  cr_assert_str_eq(err.step, "out");
  cr_assert_str_eq(err.message, "5 rows left for this step, 4 came in");
}

Test(balance, a_refused_row_that_did_not_arrive_is_named) {
  lay();
  ledgers[3].in = ledgers[3].passed = 2;
  tm_error err = {0};
  cr_assert_eq(tm_balance_check(&plan, &result, &err), -1);
  cr_assert_str_eq(err.step, "bad");
}

Test(balance, the_total_follows_source_rows_and_leaves_rejects_out_of_the_output) {
  lay();
  tm_balance_total(&plan, &result);
  cr_assert_eq(result.rows_in, 10);
  cr_assert_eq(result.rows_out, 5);
  cr_assert_eq(result.total.in, 10);
  cr_assert_eq(result.total.passed, 5);
  cr_assert_eq(result.total.filtered, 2);
  cr_assert_eq(result.total.rejected, 3);
}

Test(balance, rows_behind_an_aggregate_are_not_counted_twice) {
  lay();
  ledgers[1] = (tm_ledger){.in = 7, .absorbed = 7, .produced = 5, .passed = 5};
  ledgers[2] = (tm_ledger){.in = 5, .passed = 5};
  tm_balance_total(&plan, &result);
  cr_assert_eq(result.total.passed, 7);
  cr_assert_eq(result.total.rejected, 3);
  cr_assert_eq(result.rows_out, 5);
}

Test(balance, what_a_cancelled_step_held_is_filtered) {
  lay();
  static const uint8_t cancelled[4] = {0, 1, 0, 0};
  ledgers[1] = (tm_ledger){.in = 7, .passed = 5};
  tm_balance_cancelled(&plan, cancelled, &result);
  cr_assert_eq(ledgers[1].filtered, 2);
  tm_error err = {0};
  cr_assert_eq(tm_balance_check(&plan, &result, &err), 0);
}

/* ------------------------------------------------------------------ max_bad */

static int judge(tm_value max_bad, tm_error *err) {
  lay();
  static tm_pair pair;
  static tm_value options;
  pair = (tm_pair){.name = "max_bad", .value = max_bad};
  options = (tm_value){.kind = TM_VALUE_TABLE, .pairs = &pair, .pair_count = 1};
  binds[0].options = &options;
  return tm_balance_max_bad(&plan, &result, err);
}

static tm_value text(const char *words) {
  return (tm_value){.kind = TM_VALUE_TEXT, .text = words, .size = strlen(words)};
}

Test(balance, strictly_more_bad_rows_than_allowed_fail) {
  tm_error err = {0};
  cr_assert_eq(judge((tm_value){.kind = TM_VALUE_INT, .integer = 3}, &err), 0);
  cr_assert_eq(judge(text("30%"), &err), 0);
  cr_assert_eq(judge((tm_value){0}, &err), 0);
  cr_assert_eq(judge((tm_value){.kind = TM_VALUE_INT, .integer = 2}, &err), -1);
  cr_assert_eq(err.code, TM_E_MAX_BAD);
  cr_assert_eq(tm_error_exit(err.code), 3);
  cr_assert_str_eq(err.message, "3 of 10 rows were refused, max_bad is 2");
  tm_error share = {0};
  cr_assert_eq(judge(text("29.9%"), &share), -1);
  cr_assert_str_eq(share.message, "3 of 10 rows were refused, max_bad is 29.9%");
  cr_assert_str_eq(share.step, "rows");
}
