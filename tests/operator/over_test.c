/* tests/operator/over_test.c: ranks, neighbours, running aggregates and frames, in batches and
 * streams, against a reference that looks at all rows again for each of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "over_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/values.h"

TestSuite(over, .init = setup, .fini = teardown);

static const char ddl[] = "k string, v int64, f float64, d decimal(9,2), s string, i int32, "
                          "w decimal(30,3), day date, at timestamp not null";

/* Times rise by about `step`, each moved back by up to `disorder`. */
static tm_batch *table_of(uint32_t rows, int64_t step, int64_t disorder, uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                                      (rows_flavour){.distinct = 7, .null_percent = 20});
  int64_t *times = table->columns[8].data;
  for (uint32_t i = 0; i < rows; i++) {
    times[i] = i * step - (int64_t)rows_below(&random, (uint32_t)disorder + 1);
    char text[40];
    snprintf(text, sizeof text, "text number %u that is long", rows_below(&random, 9));
    if (!tm_column_is_null(&table->columns[4], i)) rows_set(table, 4, i, text);
  }
  return table;
}

static harness_case case_of(const tm_batch *table, const over_case *o, bool timed, bool stream) {
  return (harness_case){.verb = "over", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                        .times = timed ? "at" : NULL, .out_of_order_us = 30, .stream = stream,
                        .ordered_input = o->by == NULL, .options = over_options(&arena, o)};
}

static void check(const tm_batch *table, const over_case *o, bool timed, bool stream, bool sweep,
                  const char *label) {
  harness_case c = case_of(table, o, timed, stream);
  rows_list rows = {0};
  over_expect(&c, o, &rows);
  bool leads = false;
  for (int i = 0; o->columns[i].fn != NULL; i++) leads |= strcmp(o->columns[i].fn, "lead") == 0;
  harness_expected e = {.rows = &rows, .ordered = !leads, .label = label};
  if (sweep) harness_sweep(&c, &e);
  else harness_check(&c, &e);
  rows_list_clear(&rows);
}

#define ALL(fn, of) {fn, of, 0, 0, -1}
#define ROWS(fn, of, n) {fn, of, 0, n, -1}
#define RANGE(fn, of, us) {fn, of, 0, 0, us}
#define AWAY(fn, of, n) {fn, of, n, 0, -1}

static const over_case running = {
  .per = "k", .columns = {ALL("row_number", NULL), ALL("rank", NULL), ALL("sum", "v"),
                          ALL("avg", "d"), ALL("min", "s"), ALL("max", "f"), ALL("first", "s"),
                          ALL("last", "w"), ALL("count", NULL), ALL("count", "f"),
                          ALL("sum", "w")},
};
static const over_case frames = {
  .per = "k i", .columns = {ROWS("sum", "f", 3), ROWS("avg", "v", 2), ROWS("min", "d", 4),
                            ROWS("max", "s", 3), ROWS("first", "s", 2), ROWS("last", "v", 2),
                            ROWS("count", NULL, 3), ROWS("count", "w", 1), ROWS("sum", "d", 5)},
};
static const over_case ranges = {
  .per = "s", .columns = {RANGE("sum", "v", 40), RANGE("avg", "f", 25), RANGE("min", "w", 60),
                          RANGE("max", "day", 33), RANGE("first", "v", 50), RANGE("last", "s", 10),
                          RANGE("count", NULL, 40), RANGE("avg", "w", 90)},
};
static const over_case neighbours = {
  .per = "k", .session_us = 20,
  .columns = {AWAY("lag", "v", 1), AWAY("lag", "s", 3), ALL("sum", "i"), RANGE("sum", "v", 40)},
};
static const over_case ahead = {
  .per = "k", .columns = {AWAY("lead", "v", 1), AWAY("lead", "s", 3), AWAY("lag", "f", 2),
                          ALL("row_number", NULL)},
};
static const over_case alone = {
  .columns = {ALL("row_number", NULL), ROWS("sum", "v", 3), AWAY("lead", "s", 2),
              ALL("rank", NULL)},
};

static const struct { const over_case *o; const char *label; } cases[] = {
  {&running, "running"}, {&frames, "frames of rows"}, {&ranges, "ranges"},
  {&neighbours, "lag and session"}, {&ahead, "lead"}, {&alone, "one partition"},
};
enum { CASES = sizeof cases / sizeof *cases };

Test(over, by_event_time_in_a_batch) {
  tm_batch *small = table_of(25, 8, 40, 1), *large = table_of(700, 3, 400, 2);
  for (int i = 0; i < CASES; i++) {
    check(small, cases[i].o, true, false, true, cases[i].label);
    check(large, cases[i].o, true, false, false, cases[i].label);
  }
  tm_batch_release(small);
  tm_batch_release(large);
}

Test(over, by_event_time_in_a_stream) {
  tm_batch *small = table_of(25, 8, 50, 3), *large = table_of(700, 3, 60, 4);
  for (int i = 0; i < CASES; i++) {
    check(small, cases[i].o, true, true, true, cases[i].label);
    check(large, cases[i].o, true, true, false, cases[i].label);
  }
  tm_batch_release(small);
  tm_batch_release(large);
}

Test(over, in_source_order_without_event_time) {
  static const over_case o = {
    .per = "k", .columns = {ALL("row_number", NULL), ALL("rank", NULL), ROWS("sum", "v", 3),
                            AWAY("lag", "s", 1), AWAY("lead", "v", 2), ALL("first", "s")},
  };
  tm_batch *small = table_of(25, 8, 40, 5);
  check(small, &o, false, false, true, "batch");
  check(small, &o, false, true, false, "stream");
  tm_batch_release(small);
}

/* ------------------------------------------------------------------ orders of a batch */

Test(over, over_sorted_by_columns_in_a_batch) {
  static const over_case orders[] = {
    {.per = "k", .by = "v -s", .columns = {ALL("row_number", NULL), ALL("rank", NULL),
                                           ROWS("sum", "d", 3), AWAY("lag", "s", 1),
                                           AWAY("lead", "v", 1), ALL("max", "f")}},
    {.by = "-f", .columns = {ALL("rank", NULL), ALL("sum", "v"), ALL("first", "s")}},
    {.per = "k", .by = "at", .session_us = 30, .columns = {RANGE("sum", "v", 50),
                                                           ALL("rank", NULL)}},
    {.per = "k", .by = "-at", .session_us = 30, .columns = {RANGE("sum", "v", 50),
                                                            AWAY("lead", "s", 2)}},
    {.per = "s", .by = "day", .session_us = INT64_C(86400000000),
     .columns = {RANGE("count", NULL, INT64_C(172800000000)), RANGE("last", "v", 1)}},
  };
  tm_batch *small = table_of(25, 8, 40, 6), *large = table_of(700, 3, 400, 7);
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    check(small, &orders[i], i % 2 == 0, false, true, orders[i].by);
    check(large, &orders[i], i % 2 == 0, false, false, orders[i].by);
  }
  tm_batch_release(small);
  tm_batch_release(large);
}

Test(over, a_stream_may_name_its_event_time) {
  static const over_case o = {.per = "k", .by = "at", .columns = {ALL("row_number", NULL),
                                                                  RANGE("sum", "v", 50)}};
  tm_batch *table = table_of(200, 3, 60, 8);
  check(table, &o, true, true, false, "at");
  tm_batch_release(table);
}

/* ------------------------------------------------------------------ floats, large sums */

static harness_result run_once(const harness_case *c) {
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2};
  return harness_run(c, &mode);
}

static void expect_rows(const char *schema, const char *text, const over_case *o,
                        const char *const *expected, size_t count) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, schema), text);
  harness_case c = {.verb = "over", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .ordered_input = true, .options = over_options(&arena, o)};
  rows_list rows = {0};
  for (size_t i = 0; i < count; i++) rows_list_add(&rows, strdup(expected[i]));
  harness_result r = run_once(&c);
  cr_assert_eq(r.err.code, TM_E_NONE, "%s", r.err.message);
  rows_list_expect(&r.rows, &rows, text);
  rows_list_clear(&rows);
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(over, sums_of_a_frame_are_exact) {
  static const over_case o = {.columns = {ROWS("sum", "x", 2), ROWS("avg", "x", 3),
                                          ALL("sum", "x")}};
  static const char *const expected[] = {
    "1e+300|1e+300|1e+300|1e+300", "1.0|1e+300|5e+299|1e+300",
    "-1e+300|-1e+300|0.3333333333333333|1.0",
    "0.1|-1e+300|-3.3333333333333335e+299|1.1", "NaN|NaN|NaN|NaN", "2.0|NaN|NaN|NaN",
    "3.0|5.0|NaN|NaN", "Infinity|Infinity|Infinity|NaN",
  };
  expect_rows("x float64", "1e300\n1\n-1e300\n0.1\nnan\n2\n3\ninf", &o, expected,
              sizeof expected / sizeof *expected);
}

Test(over, nan_is_greatest_and_zeros_have_signs) {
  static const over_case o = {.columns = {ROWS("min", "x", 2), ROWS("max", "x", 2), ALL("min", "x"),
                                          ALL("max", "x")}};
  static const char *const expected[] = {
    "0.0|0.0|0.0|0.0|0.0", "-0.0|-0.0|0.0|-0.0|0.0", "NaN|-0.0|NaN|-0.0|NaN",
    "5.0|5.0|NaN|-0.0|NaN", "-0.0|-0.0|5.0|-0.0|NaN",
  };
  expect_rows("x float64", "0\n-0\nnan\n5\n-0", &o, expected, sizeof expected / sizeof *expected);
}

Test(over, sums_that_do_not_fit_are_told) {
  static const over_case o = {.columns = {ALL("sum", "x")}};
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "x int64"),
                               "9223372036854775807\n-5\n5\n1");
  harness_case c = {.verb = "over", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .ordered_input = true, .options = over_options(&arena, &o)};
  harness_result r = run_once(&c);
  cr_expect_eq(r.err.code, TM_E_OVERFLOW);
  cr_expect_str_eq(r.err.message, "sum(x) (column 'c0') is more than int64 can hold");
  harness_result_clear(&r);
  tm_batch_release(table);
}

/* ------------------------------------------------------------------ functions */

static void doubled(row_call *c) {
  if (row_is_null(c, 0)) row_set_null(c, 0);
  else if (row_int(c, 0) == 3) c->refuse = "three";
  else row_set_int(c, 0, 2 * row_int(c, 0));
}

static void is_odd(row_call *c) {
  ((uint8_t *)c->results[0].data)[c->row] = !row_is_null(c, 0) && row_int(c, 0) % 2 == 1;
}

Test(over, of_functions_for_rows_that_count) {
  row_function f = row_function_make("v", "v int64", doubled, true, 5);
  row_function odd = row_function_make("v", NULL, is_odd, false, 6);
  tm_value sum = V_TABLE(&arena, {"as", v_text("twice")}, {"fn", v_text("sum")},
                         {"of", v_function(&f)});
  tm_value count = V_TABLE(&arena, {"as", v_text("odd")}, {"fn", v_text("count")},
                           {"where", v_function(&odd)});
  tm_value last = V_TABLE(&arena, {"as", v_text("last_odd")}, {"fn", v_text("last")},
                          {"of", v_text("v")}, {"where", v_function(&odd)}, {"rows", v_int(2)});
  tm_value options = V_TABLE(&arena, {"columns", V_LIST(&arena, sum, count, last)});
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "v int64"), "1\n2\nnull\n3\n5\n4\n6");
  harness_case c = {.verb = "over", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .ordered_input = true, .ordinals = true, .options = options};
  rows_list rows = {0}, rejects = {0};
  const char *expected[] = {"1|2|1|1", "2|6|1|1", "null|6|1|null", "5|16|2|5", "4|24|2|5",
                            "6|36|2|null"};
  for (size_t i = 0; i < 6; i++) rows_list_add(&rows, strdup(expected[i]));
  rows_list_add(&rejects, strdup("lua|three|4|6|{\"v\":3}"));
  harness_expected e = {.rows = &rows, .rejects = &rejects, .ordered = true, .label = "functions"};
  harness_sweep(&c, &e);
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  tm_batch_release(table);
}

/* ------------------------------------------------------------------ memory */

Test(over, partitions_of_ranges_alone_are_forgotten) {
  static const over_case o = {.per = "k", .columns = {RANGE("sum", "v", 100)}};
  enum { ROWS = 20000 };
  tm_batch *table = rows_blank(
      budget, rows_schema(&arena, "k int64 not null, v int64 not null, at timestamp not null"),
      ROWS);
  for (int64_t i = 0; i < ROWS; i++) {
    for (int c = 0; c < 3; c++) ((int64_t *)table->columns[c].data)[i] = i;
  }
  tm_bind bind;
  tm_error err = {0};
  harness_case c = case_of(table, &o, true, true);
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  tm_ledger ledger = {0};
  tm_budget *own = tm_budget_create(NULL, "over", 0);
  tm_stage_env env = {.bind = &bind, .budget = own, .lanes = 1, .ledger = &ledger};
  void *self;
  cr_assert_eq(bind.stage->open(&env, &self, &err), 0);
  uint64_t most = 0;
  for (int64_t at = 0; at < ROWS; at += 100) {
    tm_batch *batch = rows_blank(budget, table->schema, 100);
    for (int k = 0; k < 3; k++) {
      memcpy(batch->columns[k].data, (int64_t *)table->columns[k].data + at, 800);
    }
    batch->times = batch->columns[2].data;
    tm_out out = tm_out_make(&arena);
    cr_assert_eq(bind.stage->push(self, 0, batch, &out, &err), TM_FLOW_INPUT);
    tm_batch_release(out.main);
    out = tm_out_make(&arena);
    cr_assert_eq(bind.stage->advance(self, 0, at + 100, &out, &err), TM_FLOW_INPUT);
    cr_assert_eq(out.watermark_us, at + 100);
    if (tm_budget_used(own) > most) most = tm_budget_used(own);
  }
  cr_expect_lt(most, 400000, "%llu bytes for 200 partitions", (unsigned long long)most);
  bind.stage->close(self);
  tm_budget_destroy(own);
  tm_batch_release(table);
}

/* ------------------------------------------------------------------ binding */

static void expect_error(tm_value options, bool timed, bool stream, const char *message,
                         const char *help) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, ddl), "");
  tm_bind bind;
  tm_error err = {0};
  harness_case c = {.verb = "over", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .times = timed ? "at" : NULL, .stream = stream, .options = options};
  cr_expect_eq(harness_bind(&c, &arena, 100, &bind, &err), -1);
  cr_expect_str_eq(err.message, message);
  cr_expect(strstr(err.help, help) != NULL, "%s: %s", err.message, err.help);
  tm_batch_release(table);
}

static tm_value options_of(const char *per, const char *by, over_column column) {
  over_case o = {.per = per, .by = by, .columns = {column}};
  return over_options(&arena, &o);
}

Test(over, binds_what_makes_sense) {
  const over_column number = ALL("row_number", NULL), range = RANGE("sum", "v", 5);
  expect_error(options_of("kk", NULL, number), true, false,
               "unknown column 'kk' (has: k, v, f, d, s, i, w, day, at)", "");
  expect_error(options_of(NULL, "-x", number), true, false,
               "unknown column 'x' (has: k, v, f, d, s, i, w, day, at)", "");
  expect_error(options_of(NULL, "v", number), true, true,
               "in a stream over goes by event time, and by nothing else", "leave out 'by'");
  expect_error(options_of(NULL, "-at", number), true, true,
               "in a stream over goes by event time, and by nothing else", "as a batch");
  expect_error(options_of(NULL, "at", number), false, true,
               "in a stream over goes by event time, and by nothing else", "time =");
  expect_error(options_of(NULL, "v", range), true, false,
               "over: range goes by time, and the rows do not come by one", "by = \"at\"");
  expect_error(options_of(NULL, NULL, range), false, false,
               "over: range goes by time, and the rows do not come by one", "time =");
  expect_error(V_TABLE(&arena, {"session", v_text("5m")}), false, false,
               "over: session goes by time, and the rows do not come by one", "time =");
  expect_error(V_TABLE(&arena, {"columns", V_LIST(&arena, v_int(5))}), true, false,
               "over takes columns as n = tm.row_number(), tm.sum \"x\"", "");
  expect_error(V_TABLE(&arena, {"per", v_text("k")}), true, false,
               "over needs a column or a session", "row_number");
  expect_error(options_of(NULL, NULL, (over_column)ALL("median", "v")), true, false,
               "tm.median in over is not in this version of tidemill yet", "count, sum");
  expect_error(options_of(NULL, NULL, (over_column)ALL("sum", "s")), true, false,
               "sum(s) wants numbers, not string", "");
  expect_error(options_of(NULL, NULL, (over_column)ALL("min", NULL)), true, false,
               "tm.min takes a column or a function", "");
  expect_error(options_of(NULL, NULL, (over_column)AWAY("lag", "v", 70000)), true, false,
               "tm.lag looks 1 to 65536 rows away", "");
}

Test(over, a_stream_that_goes_by_another_time_is_told) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "x timestamp, at timestamp not null"),
                               "5|5\n6|6\n8|7");
  over_case o = {.by = "x", .columns = {ALL("row_number", NULL)}};
  harness_case c = case_of(table, &o, true, true);
  harness_result r = run_once(&c);
  cr_expect_eq(r.err.code, TM_E_JOB);
  cr_expect_str_eq(r.err.message, "in a stream over goes by event time, and 'x' is another");
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(over, needs_what_it_looks_at) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, ddl), "");
  over_case o = {.per = "k", .by = "v", .columns = {ALL("sum", "d"), AWAY("lag", "s", 1)}};
  harness_case c = case_of(table, &o, true, false);
  c.needed = "i c0";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "k v d i");
  free(needs);
  tm_batch_release(table);
}

Test(over, what_nobody_needs_is_not_computed) {
  tm_batch *table = table_of(25, 8, 40, 9);
  over_case o = {.per = "k", .columns = {ALL("sum", "v"), AWAY("lead", "s", 1), ALL("max", "s")}};
  harness_case c = case_of(table, &o, true, false);
  rows_list all = {0}, rows = {0};
  over_expect(&c, &o, &all);
  c.needed = "k c0";
  for (size_t i = 0; i < all.count; i++) { /* k and c0 stay */
    char line[400] = "", *copy = strdup(all.texts[i]), *rest = copy;
    for (int n = 0; rest != NULL; n++) {
      const char *cell = strsep(&rest, "|");
      size_t used = strlen(line);
      snprintf(line + used, sizeof line - used, "%s%s", n > 0 ? "|" : "",
               n == 0 || n == 9 ? cell : "-");
    }
    rows_list_add(&rows, strdup(line));
    free(copy);
  }
  harness_expected e = {.rows = &rows, .label = "needed"};
  harness_sweep(&c, &e);
  rows_list_clear(&all);
  rows_list_clear(&rows);
  tm_batch_release(table);
}
