/* tests/operator/session_test.c: agg in sessions, against a reference that walks the rows of each
 * key. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/row_window_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_driver.h"

TestSuite(session, .init = setup, .fini = teardown);

static tm_value window_of(int64_t gap_us, int64_t max_us) {
  tm_value gap = v_text(tm_arena_format(&arena, "%lldus", (long long)gap_us));
  if (max_us == 0) return V_TABLE(&arena, {"kind", v_text("session")}, {"gap", gap});
  return V_TABLE(&arena, {"kind", v_text("session")}, {"gap", gap},
                 {"max", v_text(tm_arena_format(&arena, "%lldus", (long long)max_us))});
}

static const char *const by_k[] = {"k"}, *const by_two[] = {"k", "b"};

static harness_case case_of(const tm_batch *table, const char *const *keys, uint32_t key_count,
                            int64_t gap_us, int64_t max_us, const agg_spec *specs,
                            uint32_t spec_count) {
  return (harness_case){
    .verb = "agg", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table}, .times = "at",
    .options = row_window_options(&arena, window_of(gap_us, max_us), keys, key_count, specs,
                                  spec_count),
  };
}

static void check(const tm_batch *table, const char *const *keys, uint32_t key_count,
                  int64_t gap_us, int64_t max_us, const agg_spec *specs, uint32_t spec_count,
                  int64_t out_of_order_us) {
  for (int stream = 0; stream < 2; stream++) {
    harness_case c = case_of(table, keys, key_count, gap_us, max_us, specs, spec_count);
    c.out_of_order_us = out_of_order_us;
    c.stream = stream;
    rows_list rows = {0};
    row_window_sessions(&c, keys, key_count, gap_us, max_us, specs, spec_count, &rows);
    harness_expected e = {.rows = &rows, .label = stream ? "stream" : "batch"};
    if (table->rows <= 60) harness_sweep(&c, &e);
    else harness_check(&c, &e);
    rows_list_clear(&rows);
  }
}

Test(session, every_aggregate_of_every_session) {
  tm_batch *table = row_window_table(budget, &arena, 40, 10, 50, 4, false, 1);
  check(table, by_k, 1, 30, 0, row_window_specs, row_window_spec_count, 50);
  tm_batch_release(table);
  table = row_window_table(budget, &arena, 40, 1, 20, 4, true, 2);
  check(table, by_k, 1, 200, 0, row_window_picks, row_window_pick_count, 20 * 40);
  tm_batch_release(table);
}

Test(session, gaps_and_cuts_of_any_length) {
  static const int64_t gaps[] = {1, 10, 20, 100, 100000}, cuts[] = {0, 1, 25, 40, 1000};
  tm_batch *table = row_window_table(budget, &arena, 800, 10, 50, 5, false, 3);
  for (size_t g = 0; g < 5; g++) {
    for (size_t m = 0; m < 5; m++) {
      check(table, by_k, 1, gaps[g], cuts[m], row_window_specs, 4, 50);
    }
  }
  tm_batch_release(table);
}

Test(session, of_two_keys_or_none) {
  tm_batch *table = row_window_table(budget, &arena, 30, 10, 50, 4, false, 4);
  check(table, by_two, 2, 40, 100, row_window_specs, 6, 50);
  check(table, NULL, 0, 9, 0, row_window_specs, 6, 50);
  check(table, NULL, 0, 30, 45, row_window_specs, 6, 50);
  tm_batch_release(table);
}

Test(session, rows_beyond_the_disorder_are_not_there) {
  tm_batch *table = row_window_table(budget, &arena, 500, 10, 100, 4, false, 5);
  check(table, by_k, 1, 30, 0, row_window_specs, 6, 20);
  tm_batch_release(table);
}

Test(session, nothing_comes_of_nothing) {
  tm_batch *table = row_window_table(budget, &arena, 0, 10, 0, 4, false, 6);
  check(table, NULL, 0, 30, 0, row_window_specs, 6, 0);
  tm_batch_release(table);
}

/* Cell `nth` of a row as text. */
static const char *cell_of(const char *row, uint32_t nth, int *size) {
  for (; nth > 0; nth--) row = strchr(row, '|') + 1;
  *size = (int)strcspn(row, "|");
  return row;
}

Test(session, only_what_is_needed_is_made) {
  tm_batch *table = row_window_table(budget, &arena, 30, 10, 0, 4, false, 7);
  harness_case c = case_of(table, by_k, 1, 30, 0, row_window_specs, 4);
  rows_list all = {0}, rows = {0};
  row_window_sessions(&c, by_k, 1, 30, 0, row_window_specs, 4, &all);
  c.needed = "window_end s1";
  for (size_t i = 0; i < all.count; i++) { /* of k|window_start|window_end|count|c1|s1|s2 */
    int end_size, sum_size;
    const char *end = cell_of(all.texts[i], 2, &end_size), *sum = cell_of(all.texts[i], 5,
                                                                          &sum_size);
    rows_list_add(&rows, strdup(tm_arena_format(&arena, "-|-|%.*s|-|-|%.*s|-", end_size, end,
                                                sum_size, sum)));
  }
  harness_sweep(&c, &(harness_expected){.rows = &rows, .label = "needed"});
  char *words = harness_needs(&c, 0);
  cr_expect_str_eq(words, "k i");
  free(words);
  rows_list_clear(&rows);
  rows_list_clear(&all);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- moments */

static const agg_spec count_only[] = {{.agg = "count"}};

Test(session, it_fires_when_the_watermark_is_beyond_its_end) {
  const tm_schema *schema = rows_schema(&arena, "at timestamp not null, k string");
  tm_batch *table = rows_batch(budget, schema, "");
  harness_case c = case_of(table, by_k, 1, 10, 0, count_only, 1);
  c.stream = c.shows_times = true;
  stage_driver *d = stage_driver_open(&c);
  stage_driver_push(d, rows_batch(d->budget, schema, "100|a\n100|b\n105|a"), TM_TIME_NONE);
  stage_driver_advance(d, 110);
  cr_expect_eq(d->given, 0);
  cr_expect_eq(d->watermark_us, 109);
  stage_driver_restart(d);
  stage_driver_push(d, rows_batch(d->budget, schema, "110|b"), TM_TIME_NONE);
  stage_driver_advance(d, 115);
  cr_expect_eq(d->given, 0);
  stage_driver_advance(d, 116);
  cr_assert_eq(d->rows.count, 1);
  cr_expect_str_eq(d->rows.texts[0], "'a'|100|115|2 @114");
  cr_expect_eq(d->watermark_us, 115);
  stage_driver_advance(d, 121);
  cr_assert_eq(d->rows.count, 2);
  cr_expect_str_eq(d->rows.texts[1], "'b'|100|120|2 @119");
  stage_driver_close(d);
  tm_batch_release(table);
}

Test(session, a_cut_is_known_as_soon_as_time_is_there) {
  const tm_schema *schema = rows_schema(&arena, "at timestamp not null, k string");
  tm_batch *table = rows_batch(budget, schema, "");
  harness_case c = case_of(table, by_k, 1, 10, 25, count_only, 1);
  c.stream = c.shows_times = true;
  stage_driver *d = stage_driver_open(&c);
  stage_driver_push(d, rows_batch(d->budget, schema, "100|a\n110|a\n120|a\n124|a"), TM_TIME_NONE);
  stage_driver_advance(d, 124);
  cr_expect_eq(d->given, 0);
  stage_driver_advance(d, 125);
  cr_assert_eq(d->rows.count, 1);
  cr_expect_str_eq(d->rows.texts[0], "'a'|100|125|4 @124");
  stage_driver_push(d, rows_batch(d->budget, schema, "125|a"), TM_TIME_NONE);
  stage_driver_finish(d);
  cr_assert_eq(d->rows.count, 2);
  cr_expect_str_eq(d->rows.texts[1], "'a'|125|135|1 @134");
  stage_driver_close(d);
  tm_batch_release(table);
}

/* Keys come and go for a day; what is held is what is open. */
Test(session, memory_is_that_of_open_sessions) {
  const tm_schema *schema = rows_schema(&arena, "at timestamp not null, k int64, s string");
  tm_batch *table = rows_batch(budget, schema, "");
  static const agg_spec specs[] = {{.agg = "count"}, {.agg = "max", .of = "s", .as = "m"},
                                   {.agg = "median", .of = "k", .as = "q"},
                                   {.agg = "count_distinct", .of = "s", .as = "d"}};
  harness_case c = case_of(table, by_k, 1, 60000000, 0, specs, 4);
  c.stream = true;
  stage_driver *d = stage_driver_open(&c);
  uint64_t most = 0;
  d->quiet = true;
  for (int64_t n = 0; n < 1440; n++) {
    tm_batch *batch = rows_blank(d->budget, schema, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
      ((int64_t *)batch->columns[0].data)[i] = n * 60000000 + i;
      ((int64_t *)batch->columns[1].data)[i] = n * 1000 + i;
      rows_set(batch, 2, i, i % 2 == 0 ? "a text that is longer than twelve bytes" : "short");
    }
    stage_driver_push(d, batch, TM_TIME_NONE);
    stage_driver_advance(d, (n + 1) * 60000000 - 1);
    most = tm_budget_used(d->budget) > most ? tm_budget_used(d->budget) : most;
  }
  stage_driver_finish(d);
  cr_expect_eq(d->given, 1440000);
  cr_expect_lt(most, 4 << 20, "%llu bytes", (unsigned long long)most);
  stage_driver_close(d);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- bind */

Test(session, says_what_it_makes) {
  tm_batch *table = row_window_table(budget, &arena, 3, 10, 0, 4, false, 8);
  harness_case c = case_of(table, by_two, 2, 30, 0, row_window_specs, 2);
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
  cr_expect_str_eq(text, "k string, b bool, window_start timestamp not null, window_end timestamp "
                         "not null, count int64 not null, c1 int64 not null, ");
  cr_expect_eq(bind.time_order, 1);
  cr_expect(bind.single);
  cr_expect_eq(bind.facts_out.window_start, 2);
  cr_expect_eq(bind.facts_out.window_end, 3);
  cr_expect_eq(bind.facts_out.time.kind, TM_TIMESTAMP);
  cr_expect_not(bind.facts_out.in_time_order);
  cr_expect_str_eq(bind.detail, "in session windows by k, b: count(), count(f)");
  tm_batch_release(table);
}

static void expect_refused(const harness_case *c, int code, const char *words) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, code, "E%d %s", err.code, err.message);
  cr_expect_not_null(strstr(err.message, words), "%s", err.message);
}

static tm_value with(tm_value options, const char *name, tm_value value) {
  tm_pair pairs[8];
  for (size_t i = 0; i < options.pair_count; i++) pairs[i] = options.pairs[i];
  pairs[options.pair_count] = (tm_pair){name, value};
  return v_table(&arena, NULL, 0, pairs, options.pair_count + 1);
}

Test(session, refuses_what_it_cannot_do) {
  tm_batch *table = row_window_table(budget, &arena, 3, 10, 0, 4, false, 9);
  int32_t weights[3] = {1, 1, 1};
  harness_case c = case_of(table, by_k, 1, 30, 0, row_window_specs, 2);
  const tm_value options = c.options;
  c.options = with(options, "lateness", v_text("1s"));
  expect_refused(&c, TM_E_VALUE, "'lateness' of window is for tumbling, hopping and cumulate");
  c.options = with(options, "fill", v_bool(true));
  expect_refused(&c, TM_E_VALUE, "'fill'");
  c.options = with(options, "emit", v_text("early 1s"));
  expect_refused(&c, TM_E_VALUE, "'emit'");
  c.options = options;
  c.weights[0] = weights;
  expect_refused(&c, TM_E_JOB, "takes rows back");
  c.weights[0] = NULL;
  c.times = NULL;
  expect_refused(&c, TM_E_VALUE, "event time");
  c.times = "at";
  c.options = row_window_options(&arena, V_TABLE(&arena, {"kind", v_text("session")}), by_k, 1,
                                 row_window_specs, 2);
  expect_refused(&c, TM_E_VALUE, "wants its gap");
  c.options = row_window_options(&arena, window_of(30, -1), by_k, 1, row_window_specs, 2);
  expect_refused(&c, TM_E_VALUE, "'max' of a window");
  static const agg_spec clash[] = {{.agg = "sum", .of = "i", .as = "window_end"}};
  c.options = row_window_options(&arena, window_of(30, 0), by_k, 1, clash, 1);
  expect_refused(&c, TM_E_COLUMNS, "'window_end'");
  tm_batch_release(table);
}

Test(session, of_dates_are_whole_days) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "at date not null, k string"),
                               "1|a\n2|a\n4|a\n5|b\n5|a\n9|a");
  const int64_t day = INT64_C(86400000000);
  harness_case c = case_of(table, by_k, 1, day, 0, count_only, 1);
  rows_list rows = {0};
  const char *const texts[] = {"'a'|1|3|2", "'a'|4|6|2", "'b'|5|6|1", "'a'|9|10|1"};
  for (int i = 0; i < 4; i++) rows_list_add(&rows, strdup(texts[i]));
  for (int stream = 0; stream < 2; stream++) {
    c.stream = stream;
    harness_sweep(&c, &(harness_expected){.rows = &rows, .label = "dates"});
  }
  rows_list_clear(&rows);
  c = case_of(table, by_k, 1, day + 1, 0, count_only, 1);
  expect_refused(&c, TM_E_VALUE, "whole days");
  tm_batch_release(table);
}
