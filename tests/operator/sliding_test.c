/* tests/operator/sliding_test.c: agg in a sliding window, against a reference that looks at all
 * rows for each. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/row_window_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_driver.h"

TestSuite(sliding, .init = setup, .fini = teardown);

static tm_value window_of(int64_t span_us) {
  return V_TABLE(&arena, {"kind", v_text("sliding")},
                 {"span", v_text(tm_arena_format(&arena, "%lldus", (long long)span_us))});
}

static const char *const by_k[] = {"k"}, *const by_two[] = {"k", "b"};

static harness_case case_of(const tm_batch *table, const char *const *keys, uint32_t key_count,
                            int64_t span_us, const agg_spec *specs, uint32_t spec_count) {
  return (harness_case){
    .verb = "agg", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table}, .times = "at",
    .options = row_window_options(&arena, window_of(span_us), keys, key_count, specs, spec_count),
  };
}

static void check(const tm_batch *table, const char *const *keys, uint32_t key_count,
                  int64_t span_us, const agg_spec *specs, uint32_t spec_count,
                  int64_t out_of_order_us) {
  for (int stream = 0; stream < 2; stream++) {
    harness_case c = case_of(table, keys, key_count, span_us, specs, spec_count);
    c.out_of_order_us = out_of_order_us;
    c.stream = stream;
    rows_list rows = {0};
    row_window_slides(&c, keys, key_count, span_us, specs, spec_count, &rows);
    harness_expected e = {.rows = &rows, .ordered = true, .label = stream ? "stream" : "batch"};
    if (table->rows <= 60) harness_sweep(&c, &e);
    else harness_check(&c, &e);
    rows_list_clear(&rows);
  }
}

Test(sliding, every_aggregate_of_every_row) {
  tm_batch *table = row_window_table(budget, &arena, 40, 10, 50, 4, false, 1);
  check(table, by_k, 1, 60, row_window_specs, row_window_spec_count, 50);
  tm_batch_release(table);
  table = row_window_table(budget, &arena, 40, 1, 20, 4, true, 2);
  check(table, by_k, 1, 300, row_window_picks, row_window_pick_count, 20 * 40);
  tm_batch_release(table);
}

Test(sliding, spans_of_any_length) {
  static const int64_t spans[] = {1, 10, 11, 100, 1000, INT64_C(1) << 60};
  tm_batch *table = row_window_table(budget, &arena, 400, 10, 50, 5, false, 3);
  for (size_t i = 0; i < 6; i++) {
    check(table, by_k, 1, spans[i], row_window_specs, row_window_spec_count, 50);
  }
  tm_batch_release(table);
}

Test(sliding, of_two_keys_or_none) {
  tm_batch *table = row_window_table(budget, &arena, 30, 10, 50, 4, false, 4);
  check(table, by_two, 2, 80, row_window_specs, 8, 50);
  check(table, NULL, 0, 25, row_window_specs, 8, 50);
  tm_batch_release(table);
  table = row_window_table(budget, &arena, 500, 10, 50, 4, false, 5);
  check(table, by_two, 2, 300, row_window_specs, row_window_spec_count, 50);
  check(table, NULL, 0, 100, row_window_specs, row_window_spec_count, 50);
  tm_batch_release(table);
}

Test(sliding, rows_beyond_the_disorder_are_not_there) {
  tm_batch *table = row_window_table(budget, &arena, 300, 10, 100, 4, false, 6);
  check(table, by_k, 1, 60, row_window_specs, 8, 20);
  tm_batch_release(table);
}

static void n_is_even(row_call *call) {
  row_set_int(call, 0, !row_is_null(call, 0) && row_int(call, 0) % 2 == 0);
}

static void twice_i(row_call *call) {
  if (row_is_null(call, 0)) row_set_null(call, 0);
  else row_set_int(call, 0, 2 * row_int(call, 0));
}

Test(sliding, functions_and_conditions_leave_with_their_row) {
  tm_batch *table = row_window_table(budget, &arena, 40, 10, 50, 4, false, 7);
  row_function even = row_function_make("n", NULL, n_is_even, false, 3);
  row_function twice = row_function_make("i", "v int64", twice_i, false, 4);
  const agg_spec specs[] = {
    {.agg = "count", .as = "c", .where = &even, .where_holds = n_is_even},
    {.agg = "sum", .of_function = &twice, .of_value = "i", .factor = 2, .as = "t"},
    {.agg = "max", .of = "s", .as = "m", .where = &even, .where_holds = n_is_even},
    {.agg = "count_distinct", .of = "s", .as = "ds", .where = &even, .where_holds = n_is_even},
    {.agg = "avg", .of = "f", .as = "a", .where = &even, .where_holds = n_is_even},
  };
  check(table, by_k, 1, 60, specs, 5, 50);
  tm_batch_release(table);
}

static const agg_spec count_only[] = {{.agg = "count"}};

Test(sliding, the_window_is_open_at_its_start_and_has_the_peers) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "at timestamp not null, k string"),
                               "100|a\n105|b\n109|a\n110|a\n110|a\n120|a\n120|b");
  harness_case c = case_of(table, by_k, 1, 10, count_only, 1);
  c.stream = c.shows_times = true;
  static const char *const texts[] = {
    "100|'a'|90|100|1 @100", "105|'b'|95|105|1 @105", "109|'a'|99|109|2 @109",
    "110|'a'|100|110|3 @110", "110|'a'|100|110|3 @110", "120|'a'|110|120|1 @120",
    "120|'b'|110|120|1 @120",
  };
  rows_list rows = {0};
  for (int i = 0; i < 7; i++) rows_list_add(&rows, strdup(texts[i]));
  harness_sweep(&c, &(harness_expected){.rows = &rows, .ordered = true, .label = "by hand"});
  rows_list_clear(&rows);
  tm_batch_release(table);
}

Test(sliding, only_what_is_needed_is_made) {
  tm_batch *table = row_window_table(budget, &arena, 30, 10, 0, 4, false, 8);
  harness_case c = case_of(table, by_k, 1, 50, row_window_specs, 4);
  c.needed = "n window_end s1";
  char *words = harness_needs(&c, 0);
  cr_expect_str_eq(words, "k n i");
  free(words);
  rows_list rows = {0}, all = {0};
  row_window_slides(&c, by_k, 1, 50, row_window_specs, 4, &all);
  for (size_t i = 0; i < all.count; i++) { /* ten columns, window_start, window_end, c … */
    const char *cells[16], *at = all.texts[i];
    int sizes[16];
    for (int k = 0; k < 16; k++) {
      cells[k] = at;
      sizes[k] = (int)strcspn(at, "|");
      at += sizes[k] + 1;
    }
    rows_list_add(&rows, strdup(tm_arena_format(
        &arena, "-|-|%.*s|-|-|-|-|-|-|-|-|%.*s|-|-|%.*s|-", sizes[2], cells[2], sizes[11],
        cells[11], sizes[14], cells[14])));
  }
  harness_sweep(&c, &(harness_expected){.rows = &rows, .label = "needed"});
  rows_list_clear(&rows);
  rows_list_clear(&all);
  tm_batch_release(table);
}

/* Keys come and go for a day; what is held is what is in the window. */
Test(sliding, memory_is_that_of_the_window) {
  const tm_schema *schema = rows_schema(&arena, "at timestamp not null, k int64, s string");
  tm_batch *table = rows_batch(budget, schema, "");
  static const agg_spec specs[] = {{.agg = "count"}, {.agg = "max", .of = "s", .as = "m"},
                                   {.agg = "median", .of = "k", .as = "q"},
                                   {.agg = "count_distinct", .of = "s", .as = "d"}};
  harness_case c = case_of(table, by_k, 1, 60000000, specs, 4);
  c.stream = true;
  stage_driver *d = stage_driver_open(&c);
  uint64_t most = 0;
  d->quiet = true;
  for (int64_t n = 0; n < 1440; n++) {
    tm_batch *batch = rows_blank(d->budget, schema, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
      ((int64_t *)batch->columns[0].data)[i] = n * 60000000 + i;
      ((int64_t *)batch->columns[1].data)[i] = n * 1000 + i / 2;
      rows_set(batch, 2, i, i % 2 == 0 ? "a text that is longer than twelve bytes" : "short");
    }
    stage_driver_push(d, batch, TM_TIME_NONE);
    stage_driver_advance(d, (n + 1) * 60000000);
    if (n % 500 == 0) stage_driver_restart(d);
    most = tm_budget_used(d->budget) > most ? tm_budget_used(d->budget) : most;
  }
  stage_driver_finish(d);
  cr_expect_eq(d->given, 1440000);
  cr_expect_lt(most, 4 << 20, "%llu bytes", (unsigned long long)most);
  stage_driver_close(d);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- bind */

Test(sliding, says_what_it_makes) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "v int32, at timestamp, k string"), "");
  harness_case c = case_of(table, by_k, 1, 30, count_only, 1);
  c.stream = true;
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  char text[1000] = "";
  for (uint32_t i = 0; i < bind.output->count; i++) {
    char type[TM_TYPE_TEXT_MAX];
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s, ",
                   bind.output->fields[i].name, tm_type_text(bind.output->fields[i].type, type));
  }
  cr_expect_str_eq(text, "v int32, at timestamp, k string, window_start timestamp not null, "
                         "window_end timestamp not null, count int64 not null, ");
  cr_expect_eq(bind.time_order, 1);
  cr_expect(bind.single);
  cr_expect(bind.chooses);
  cr_expect_not(bind.facts_out.in_time_order); /* of its own columns, in a batch and a stream */
  cr_expect_eq(bind.facts_out.window_start, 3);
  cr_expect_eq(bind.facts_out.window_end, 4);
  cr_expect_eq(bind.order, TM_ORDER_KEEPS);
  cr_expect_eq(bind.passes[0][2], 2);
  cr_expect_eq(bind.passes[0][3], -1);
  tm_batch_release(table);
}

static void expect_refused(const harness_case *c, int code, const char *words) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, code, "E%d %s", err.code, err.message);
  cr_expect_not_null(strstr(err.message, words), "%s", err.message);
}

Test(sliding, refuses_what_it_cannot_do) {
  tm_batch *table = row_window_table(budget, &arena, 3, 10, 0, 4, false, 9);
  int32_t weights[3] = {1, 1, 1};
  harness_case c = case_of(table, by_k, 1, 30, row_window_specs, 2);
  c.weights[0] = weights;
  expect_refused(&c, TM_E_JOB, "takes rows back");
  c.weights[0] = NULL;
  c.times = NULL;
  expect_refused(&c, TM_E_VALUE, "event time");
  c.times = "at";
  c.options = row_window_options(&arena, V_TABLE(&arena, {"kind", v_text("sliding")}), by_k, 1,
                                 row_window_specs, 2);
  expect_refused(&c, TM_E_VALUE, "wants its span");
  static const agg_spec clash[] = {{.agg = "sum", .of = "i"}};
  c.options = row_window_options(&arena, window_of(30), by_k, 1, clash, 1);
  expect_refused(&c, TM_E_COLUMNS, "two columns 'i'");
  tm_batch_release(table);
}

Test(sliding, a_sum_that_does_not_fit_fails) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "at timestamp not null, j int64"),
                               "1|9223372036854775807\n2|1");
  const agg_spec specs[] = {{.agg = "sum", .of = "j", .as = "s"}};
  harness_case c = case_of(table, NULL, 0, 10, specs, 1);
  harness_mode m = {.seed = 1, .lanes = 1, .batch_rows = 1};
  harness_result r = harness_run(&c, &m);
  cr_expect_eq(r.err.code, TM_E_OVERFLOW);
  harness_result_clear(&r);
  tm_batch_release(table);
}
