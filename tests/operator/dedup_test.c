/* tests/operator/dedup_test.c: dedup and once, against a reference that goes through all rows. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/changes.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_driver.h"
#include "tests/support/values.h"

TestSuite(dedup, .init = setup, .fini = teardown);

static const char ddl[] = "at timestamp not null, k int32, s string, v int64";

/* Times that rise by 10 a row, moved back by up to 200. */
static tm_batch *table_of(uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                                      (rows_flavour){.distinct = 3, .null_percent = 20});
  for (uint32_t i = 0; i < rows; i++) {
    ((int64_t *)table->columns[0].data)[i] = (int64_t)i * 10 - rows_below(&random, 21) * 10;
  }
  return table;
}

static harness_case case_of(const tm_batch *table, const char *verb, tm_value options) {
  return (harness_case){.verb = verb, .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                        .options = options, .times = "at", .out_of_order_us = 200};
}

/* ---------------------------------------------------------------- the reference */

typedef struct rule {
  uint32_t keys[2], key_count;
  int64_t within_us; /* -1: for ever */
  bool last;
} rule;

static bool same_key(const tm_batch *table, const rule *rule, uint32_t a, uint32_t b) {
  bool same = true;
  for (uint32_t i = 0; i < rule->key_count; i++) {
    const tm_column *column = &table->columns[rule->keys[i]];
    char *x = rows_cell_text(column, a), *y = rows_cell_text(column, b);
    same &= strcmp(x, y) == 0 && strcmp(x, "null") != 0;
    free(x);
    free(y);
  }
  return same;
}

static bool near(const tm_batch *table, const rule *rule, uint32_t a, uint32_t b) {
  const int64_t *times = table->columns[0].data;
  return rule->within_us < 0 || times[b] - times[a] <= rule->within_us;
}

/* Of rows in order, those that stay. */
static void expected_rows(const tm_batch *table, const rule *rule, const uint32_t *rows,
                          uint32_t count, rows_list *out) {
  uint8_t *kept = calloc(count + 1, 1);
  for (uint32_t i = 0; i < count; i++) {
    kept[i] = 1;
    if (rule->last) {
      uint32_t next = i + 1;
      while (next < count && !same_key(table, rule, rows[i], rows[next])) next++;
      kept[i] = next == count || !near(table, rule, rows[i], rows[next]);
    } else {
      for (uint32_t k = 0; k < i; k++) {
        if (!kept[k] || !same_key(table, rule, rows[k], rows[i])) continue;
        if (near(table, rule, rows[k], rows[i])) kept[i] = 0;
      }
    }
  }
  for (uint32_t i = 0; i < count; i++) {
    if (kept[i]) rows_list_add(out, rows_text(table, rows[i], NULL));
  }
  free(kept);
}

static void check(harness_case c, const rule *rule, bool ordered, const char *label) {
  for (int stream = 0; stream < 2; stream++) {
    rows_list rows = {0};
    uint32_t *order;
    c.stream = stream;
    uint32_t count = harness_time_ordered(&c, 0, NULL, &order);
    expected_rows(c.inputs[0], rule, order, count, &rows);
    free(order);
    c.changelog = !ordered && stream;
    harness_expected e = {.rows = &rows, .ordered = ordered || !stream, .label = label};
    if (c.inputs[0]->rows < 100) harness_sweep(&c, &e);
    else harness_check(&c, &e);
    rows_list_clear(&rows);
  }
}

/* ---------------------------------------------------------------- keep the first */

Test(dedup, keeps_the_first_by_event_time) {
  tm_batch *table = table_of(60, 1);
  check(case_of(table, "dedup", V_TABLE(&arena, {"key", v_text("k")})),
        &(rule){.keys = {1}, .key_count = 1, .within_us = -1}, true, "for ever");
  check(case_of(table, "dedup", V_TABLE(&arena, {"key", V_LIST(&arena, v_text("k"), v_text("s"))},
                                        {"keep", v_text("first")})),
        &(rule){.keys = {1, 2}, .key_count = 2, .within_us = -1}, true, "two columns");
  tm_batch_release(table);
}

Test(dedup, within_counts_from_the_last_kept_row_and_ends_at_equality) {
  static const char *const spans[] = {"0us", "10us", "30us", "100us", "1s"};
  static const int64_t spans_us[] = {0, 10, 30, 100, 1000000};
  for (uint32_t i = 0; i < 5; i++) {
    tm_batch *table = table_of(i < 3 ? 60 : 1500, i + 5);
    tm_value options = V_TABLE(&arena, {"key", v_text("s")}, {"within", v_text(spans[i])});
    check(case_of(table, "dedup", options),
          &(rule){.keys = {2}, .key_count = 1, .within_us = spans_us[i]}, true, spans[i]);
    tm_batch_release(table);
  }
}

Test(dedup, once_is_the_same_per_key_or_of_all_rows) {
  tm_batch *table = table_of(60, 2);
  check(case_of(table, "once", V_TABLE(&arena, {"per", v_text("k")}, {"within", v_text("50us")})),
        &(rule){.keys = {1}, .key_count = 1, .within_us = 50}, true, "per k");
  check(case_of(table, "once", V_TABLE(&arena, {"within", v_text("70us")})),
        &(rule){.within_us = 70}, true, "of all");
  check(case_of(table, "once", V_TABLE(&arena, {"per", v_text("s")})),
        &(rule){.keys = {2}, .key_count = 1, .within_us = -1}, true, "for ever");
  tm_batch_release(table);
}

static void expect_in_order(harness_case *c, const rule *rule, const char *label) {
  rows_list rows = {0};
  uint32_t count = c->inputs[0]->rows, order[100];
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  expected_rows(c->inputs[0], rule, order, count, &rows);
  bool net = rule->last && c->stream;
  c->changelog = net;
  harness_sweep(c, &(harness_expected){.rows = &rows, .ordered = !net, .label = label});
  rows_list_clear(&rows);
}

Test(dedup, without_event_time_the_source_orders) {
  tm_batch *table = table_of(50, 3);
  for (int last = 0; last < 2; last++) {
    tm_value options = V_TABLE(&arena, {"key", v_text("k")},
                               {"keep", v_text(last ? "last" : "first")});
    harness_case c = case_of(table, "dedup", options);
    c.times = NULL;
    for (int stream = 0; stream < 2; stream++) {
      c.stream = stream;
      rule rule = {.keys = {1}, .key_count = 1, .within_us = -1, .last = last};
      expect_in_order(&c, &rule, "no time");
    }
  }
  tm_batch_release(table);
}

Test(dedup, by_arrival_rows_count_as_of_the_latest_time_so_far) {
  tm_batch *table = table_of(50, 4), *rising = table_of(50, 4);
  int64_t *times = rising->columns[0].data;
  for (uint32_t i = 1; i < 50; i++) times[i] = times[i] > times[i - 1] ? times[i] : times[i - 1];
  uint32_t order[50];
  for (uint32_t i = 0; i < 50; i++) order[i] = i;
  tm_value options = V_TABLE(&arena, {"key", v_text("s")}, {"within", v_text("40us")},
                             {"order", v_text("arrival")});
  harness_case c = case_of(table, "dedup", options);
  c.stream = true;
  rule rule = {.keys = {2}, .key_count = 1, .within_us = 40};
  /* The rows that stay, told by their place, as they look in the table. */
  rows_list by_rising = {0}, rows = {0};
  for (uint32_t i = 0; i < 50; i++) ((int64_t *)rising->columns[3].data)[i] = i;
  for (uint32_t i = 0; i < 50; i++) rising->columns[3].valid[i] = 1;
  expected_rows(rising, &rule, order, 50, &by_rising);
  for (size_t i = 0; i < by_rising.count; i++) {
    const char *place = strrchr(by_rising.texts[i], '|') + 1;
    rows_list_add(&rows, rows_text(table, (uint32_t)strtoul(place, NULL, 10), NULL));
  }
  harness_sweep(&c, &(harness_expected){.rows = &rows, .ordered = true, .label = "arrival"});
  rows_list_clear(&rows);
  rows_list_clear(&by_rising);
  tm_batch_release(table);
  tm_batch_release(rising);
}

/* ---------------------------------------------------------------- keep the last */

Test(dedup, dedup_last_gives_it_at_the_end_or_as_a_changelog) {
  tm_batch *table = table_of(60, 7);
  tm_value options = V_TABLE(&arena, {"key", v_text("k")}, {"keep", v_text("last")});
  harness_case c = case_of(table, "dedup", options);
  rule rule = {.keys = {1}, .key_count = 1, .within_us = -1, .last = true};
  check(c, &rule, false, "last");
  c.final_only = true;
  check(c, &rule, true, "last, final");
  tm_batch_release(table);
}

Test(dedup, keeps_the_last_of_each_burst) {
  static const char *const spans[] = {"0us", "10us", "40us", "1s"};
  static const int64_t spans_us[] = {0, 10, 40, 1000000};
  for (uint32_t i = 0; i < 4; i++) {
    tm_batch *table = table_of(i == 2 ? 1500 : 60, i + 8);
    tm_value options = V_TABLE(&arena, {"key", v_text("s")}, {"within", v_text(spans[i])},
                               {"keep", v_text("last")});
    rule rule = {.keys = {2}, .key_count = 1, .within_us = spans_us[i], .last = true};
    check(case_of(table, "dedup", options), &rule, true, spans[i]);
    tm_batch_release(table);
  }
}

/* ---------------------------------------------------------------- of a changelog */

/* Of the rows that are left, in the order of their columns, the last of each key. */
static void expected_of_changes(const changes *all, const rule *rule, rows_list *out) {
  tm_batch *net = changes_net(budget, all, all->table->rows);
  for (uint32_t i = 0; i < net->rows; i++) {
    uint32_t next = i + 1;
    while (next < net->rows && !same_key(net, rule, i, next)) next++;
    if (next == net->rows) rows_list_add(out, rows_text(net, i, NULL));
  }
  tm_batch_release(net);
}

Test(dedup, dedup_changes_keeps_the_last_of_rows_that_are_taken_back) {
  static const char types[] = "a int32, k int32, s string, f float64 not null, d decimal(30,1)";
  for (uint64_t seed = 1; seed <= 4; seed++) {
    rows_random random = rows_seed(seed);
    tm_batch *base = rows_random_table(budget, rows_schema(&arena, types), 30, &random,
                                       (rows_flavour){.distinct = 4, .null_percent = 20});
    changes all = changes_make(budget, base, seed < 3 ? 50 : 1500, 45, seed);
    rule rule = {.keys = {1, 2}, .key_count = 1 + seed % 2, .within_us = -1};
    tm_value key = seed % 2 == 0 ? V_LIST(&arena, v_text("k"))
                                 : V_LIST(&arena, v_text("k"), v_text("s"));
    harness_case c = {.verb = "dedup", .role = TM_ROLE_STEP, .input_count = 1, .stream = true,
                      .inputs = {all.table}, .weights = {all.weights}, .changelog = true,
                      .options = V_TABLE(&arena, {"key", key}, {"keep", v_text("last")})};
    rows_list rows = {0};
    expected_of_changes(&all, &rule, &rows);
    harness_expected e = {.rows = &rows, .label = "changes"};
    if (seed < 3) harness_sweep(&c, &e);
    else harness_check(&c, &e);
    rows_list_clear(&rows);
    changes_clear(&all);
    tm_batch_release(base);
  }
}

Test(dedup, a_row_that_never_came_cannot_be_taken_back) {
  tm_batch *table = table_of(1, 1);
  int32_t minus = -1;
  harness_case c = case_of(table, "dedup", V_TABLE(&arena, {"key", v_text("v")},
                                                   {"keep", v_text("last")}));
  table->columns[3].valid[0] = 1;
  c.weights[0] = &minus;
  c.stream = true;
  harness_mode m = {.seed = 1, .lanes = 1, .batch_rows = 1};
  harness_result r = harness_run(&c, &m);
  cr_expect_eq(r.err.code, TM_E_LEDGER);
  harness_result_clear(&r);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- books, memory, bind */

Test(dedup, counts_duplicates_alike_in_batch_and_stream) {
  tm_batch *table = table_of(60, 11);
  static const char *const keeps[] = {"first", "last"};
  for (int last = 0; last < 2; last++) {
    uint64_t duplicates[2];
    for (int stream = 0; stream < 2; stream++) {
      harness_case c = case_of(table, "dedup", V_TABLE(&arena, {"key", v_text("k")},
                                                       {"keep", v_text(keeps[last])}));
      c.stream = stream;
      c.changelog = last && stream;
      harness_mode m = {.seed = 1, .lanes = 1, .batch_rows = 7};
      harness_result r = harness_run(&c, &m);
      duplicates[stream] = r.ledger.duplicate;
      cr_expect_eq(r.rows.count, 60 - r.ledger.duplicate);
      harness_result_clear(&r);
    }
    cr_expect_eq(duplicates[0], duplicates[1]);
  }
  tm_batch_release(table);
}

/* A day of time, 100,000 keys that come and go; rows of an hour are known. */
static uint64_t most_of_a_day(const char *keep, uint64_t *given) {
  const tm_schema *schema = rows_schema(&arena, "at timestamp not null, k int64 not null");
  tm_batch *table = rows_batch(budget, schema, "");
  harness_case c = {.verb = "dedup", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .times = "at", .stream = true,
                    .options = V_TABLE(&arena, {"key", v_text("k")}, {"within", v_text("1h")},
                                       {"keep", v_text(keep)})};
  stage_driver *d = stage_driver_open(&c);
  rows_random random = rows_seed(5);
  const int64_t minute = INT64_C(60000000);
  uint64_t most = 0;
  d->quiet = true;
  for (int64_t n = 0; n < 24 * 60; n++) {
    tm_batch *batch = rows_blank(d->budget, schema, 2000);
    for (uint32_t i = 0; i < 2000; i++) {
      ((int64_t *)batch->columns[0].data)[i] = n * minute + i;
      ((int64_t *)batch->columns[1].data)[i] = n / 60 * 1000000 + rows_below(&random, 100000);
    }
    stage_driver_push(d, batch, TM_TIME_NONE);
    stage_driver_advance(d, (n + 1) * minute);
    most = tm_budget_used(d->budget) > most ? tm_budget_used(d->budget) : most;
  }
  stage_driver_finish(d);
  *given = d->given;
  stage_driver_close(d);
  tm_batch_release(table);
  return most;
}

Test(dedup, memory_is_that_of_the_keys_within) {
  uint64_t given, most = most_of_a_day("first", &given);
  cr_expect_gt(given, 1600000);
  cr_expect_lt(most, 16 << 20, "%llu bytes", (unsigned long long)most);
  most = most_of_a_day("last", &given);
  cr_expect_gt(given, 1600000);
  cr_expect_lt(most, 40 << 20, "%llu bytes", (unsigned long long)most);
}

static void expect_refused(const harness_case *c, int code, const char *words) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, code, "E%d %s", err.code, err.message);
  cr_expect_not_null(strstr(err.message, words), "%s", err.message);
}

Test(dedup, refuses_what_it_cannot_do) {
  tm_batch *table = table_of(3, 1);
  int32_t weights[3] = {1, 1, 1};
  harness_case c = case_of(table, "dedup", V_TABLE(&arena, {"key", v_text("k")}));
  c.weights[0] = weights;
  expect_refused(&c, TM_E_JOB, "its input takes rows back");
  c.options = V_TABLE(&arena, {"key", v_text("k")}, {"keep", v_text("last")},
                      {"within", v_text("1s")});
  expect_refused(&c, TM_E_JOB, "takes rows back");
  c.weights[0] = NULL;
  c.options = V_TABLE(&arena, {"key", v_text("k")}, {"keep", v_text("both")});
  expect_refused(&c, TM_E_VALUE, "\"first\" or the \"last\"");
  c.options = V_TABLE(&arena, {"key", v_text("key")});
  expect_refused(&c, TM_E_FIELD, "key");
  c.options = V_TABLE(&arena, {"keep", v_text("first")});
  expect_refused(&c, TM_E_VALUE, "wants the columns");
  c.options = V_TABLE(&arena, {"key", v_text("k")}, {"within", v_text("soon")});
  expect_refused(&c, TM_E_VALUE, "within");
  c.options = V_TABLE(&arena, {"key", v_text("k")}, {"within", v_text("-1s")});
  expect_refused(&c, TM_E_VALUE, "negative");
  c.options = V_TABLE(&arena, {"key", v_text("k")}, {"order", v_text("late")});
  expect_refused(&c, TM_E_VALUE, "arrival");
  c.times = NULL;
  c.options = V_TABLE(&arena, {"key", v_text("k")}, {"within", v_text("1s")});
  expect_refused(&c, TM_E_JOB, "needs rows that have one");
  c.verb = "once";
  c.options = V_TABLE(&arena, {"per", v_text("k")}, {"within", v_text("1s")});
  expect_refused(&c, TM_E_JOB, "once within a time");
  tm_batch_release(table);
}

Test(dedup, says_what_it_needs) {
  tm_batch *table = table_of(3, 1);
  harness_case c = case_of(table, "dedup", V_TABLE(&arena, {"key", v_text("k")}));
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(bind.time_order, 1);
  cr_expect(bind.single);
  cr_expect(bind.chooses);
  cr_expect(bind.facts_out.in_time_order);
  cr_expect_str_eq(bind.detail, "by k");
  c.needed = "v";
  char *words = harness_needs(&c, 0);
  cr_expect_str_eq(words, "k v");
  free(words);
  c.options = V_TABLE(&arena, {"key", v_text("k")}, {"order", v_text("arrival")});
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(bind.time_order, 0);
  cr_expect_not(bind.facts_out.in_time_order);
  cr_expect_str_eq(bind.detail, "by k, as rows arrive: not replayable");
  tm_batch_release(table);
}
