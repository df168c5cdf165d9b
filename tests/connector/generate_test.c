/* tests/connector/generate_test.c: made up rows: by a function of their number, or at random. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/env.h"
#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(generate, .init = setup, .fini = teardown);

/* i, and its square in words; no row for multiples of 5; multiples of 7 raise. */
static void square(row_call *call) {
  int64_t i = row_int(call, 0);
  char text[40];
  if (i % 5 == 0) call->keep = false;
  if (i % 7 == 0) call->refuse = "seven";
  sprintf(text, "the square is %lld", (long long)(i * i));
  row_set_int(call, 0, i);
  row_set_text(call, 1, text);
}

Test(generate, rows_of_a_function) {
  row_function f = row_function_make("i", "n int64, s string", square, true, 3);
  rows_list rows = {0}, rejects = {0};
  for (int i = 1; i <= 60; i++) {
    char text[80];
    if (i % 7 == 0) {
      sprintf(text, "lua|seven|%d|4|{\"i\":%d}", i, i);
      rows_list_add(&rejects, strdup(text));
    } else if (i % 5 != 0) {
      sprintf(text, "%d|'the square is %d'", i, i * i);
      rows_list_add(&rows, strdup(text));
    }
  }
  harness_case c = {.verb = "generate", .options =
                    V_TABLE(&arena, {"rows", v_int(60)}, {"row", v_function(&f)})};
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "function"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
}

static const char ddl[] =
    "a bool, b int32, c int64, d float64, e decimal(5,2), f decimal(30,2), g date, h timestamp, "
        "i string, j bytes not null";

static rows_list random_rows(int64_t seed, uint32_t lanes, uint32_t batch_rows) {
  harness_case c = {.verb = "generate", .options =
                    V_TABLE(&arena, {"rows", v_int(50)}, {"schema", v_text(ddl)},
                            {"seed", v_int(seed)})};
  harness_result r = harness_run(&c,
                                 &(harness_mode){.seed = 1, .lanes = lanes, .batch_rows =
                                                 batch_rows});
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  rows_list rows = {0};
  rows_list_append(&rows, &r.rows);
  harness_result_clear(&r);
  return rows;
}

Test(generate, a_seed_gives_the_same_rows) {
  rows_list one = random_rows(1, 1, 7), same = random_rows(1, 3, 11), other = random_rows(2, 1, 7);
  cr_assert_eq(one.count, 50);
  rows_list_expect_set(&same, &one, "same seed");
  size_t equal = 0;
  for (size_t i = 0; i < 50; i++) equal += strcmp(one.texts[i], other.texts[i]) == 0;
  cr_expect_lt(equal, 5);
  harness_case c = {.verb = "generate", .options =
                    V_TABLE(&arena, {"rows", v_int(50)}, {"schema", v_text(ddl)},
                            {"seed", v_int(1)})};
  harness_sweep(&c, &(harness_expected){.rows = &one, .label = "random"});
  rows_list_clear(&one);
  rows_list_clear(&same);
  rows_list_clear(&other);
}

Test(generate, a_rate_changes_no_row) {
  rows_list plain = random_rows(1, 1, 7);
  harness_case c = {.verb = "generate", .stream = true, .options =
                    V_TABLE(&arena, {"rows", v_int(50)}, {"schema", v_text(ddl)},
                            {"seed", v_int(1)}, {"rate", v_text("100/ms")})};
  harness_sweep(&c, &(harness_expected){.rows = &plain, .ordered = true, .label = "paced"});
  rows_list_clear(&plain);
}

static int64_t asked_us;
static void wake(void *waker) { (void)waker; }
static void wake_at(void *waker, int64_t monotonic_us) {
  (void)waker;
  asked_us = monotonic_us;
}

/* Rows that come up to the end, sleeping as it says; none comes before it is due. */
Test(generate, rows_come_when_they_are_due) {
  const tm_env *env = tm_env_get();
  harness_case c = {.verb = "generate", .stream = true, .options =
                    V_TABLE(&arena, {"rows", v_int(21)}, {"schema", v_text("a int64")},
                            {"rate", v_text("12000/m")})};
  tm_bind bind;
  tm_error err = {0};
  tm_ledger ledger = {0};
  static const int draining = 0;
  void *shared = NULL, *self = NULL;
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_assert_eq(bind.stage->share(&bind, 1, budget, &shared, &err), 0);
  tm_stage_env stage_env = {.bind = &bind, .budget = budget, .lanes = 1, .shared = shared,
                            .ledger = &ledger, .draining = &draining, .wake = wake,
                            .wake_at = wake_at};
  cr_assert_eq(bind.stage->open(&stage_env, &self, &err), 0);
  int64_t begin_us = env->monotonic_us();
  uint32_t rows = 0, calls = 0;
  for (tm_flow flow = TM_FLOW_MORE; flow != TM_FLOW_FINISHED; calls++) {
    if (flow == TM_FLOW_BLOCKED) env->sleep_us(asked_us - env->monotonic_us());
    tm_out out = tm_out_make(&arena);
    flow = bind.stage->resume(self, &out, &err);
    cr_assert_neq(flow, TM_FLOW_FAILED);
    rows += out.main == NULL ? 0 : out.main->selected;
    tm_batch_release(out.main);
    cr_expect_leq(rows, (env->monotonic_us() - begin_us) / 5000 + 1);
  }
  cr_expect_eq(rows, 21);
  cr_expect_leq(calls, 50);
  bind.stage->close(self);
  bind.stage->unshare(shared);
}

Test(generate, rows_without_end) {
  harness_case c = {.verb = "generate", .stream = true, .options =
                    V_TABLE(&arena, {"schema", v_text("a int64")}, {"rate", v_int(10)})};
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 10, &bind, &err), 0, "%s", err.message);
  cr_expect_not(bind.facts_out.bounded);
  c.stream = false;
  cr_expect_eq(harness_bind(&c, &arena, 10, &bind, &err), -1);
  cr_expect_eq(err.code, TM_E_VALUE);
}

static int bind_code(tm_value options) {
  harness_case c = {.verb = "generate", .options = options};
  tm_bind bind;
  tm_error err = {0};
  return harness_bind(&c, &arena, 10, &bind, &err) < 0 ? err.code : 0;
}

Test(generate, what_is_refused) {
  row_function f = row_function_make("i", "n int64, s string", square, true, 3);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"schema", v_text("a int64")})), TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"rows", v_int(-1)}, {"schema", v_text("a int64")})),
               TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"rows", v_int(1)})), TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"rows", v_int(1)}, {"row", v_function(&f)},
                                 {"seed", v_int(1)})), TM_E_OPTION);
  static const char *const wrong[] = {"fast", "0", "-5/s", "10/x", "nan", "1e300"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    cr_expect_eq(bind_code(V_TABLE(&arena, {"rows", v_int(1)}, {"rate", v_text(wrong[i])},
                                   {"schema", v_text("a int64")})), TM_E_VALUE, "%s", wrong[i]);
  }
  cr_expect_eq(bind_code(V_TABLE(&arena, {"rows", v_int(0)}, {"schema", v_text("a int64")})), 0);
}
