/* tests/operator/window_agg_test.c: aggregates in fixed windows, in batches and streams, against a
 * reference that gives each row once to each window that is open to it: rows and late rows. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/agg_cases.h"
#include "tests/support/stage_harness.h"
#include "tests/support/fixture.h"

TestSuite(window_agg, .init = setup, .fini = teardown);

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

typedef void (*checker)(const harness_case *c, const harness_expected *expected);

/* ---------------------------------------------------------------- tables */

/* Each row has a time of its own, so that first and last are told by time alone: they ascend by
 * `step`, but each is up to `jitter` earlier. */
static tm_batch *table_of(uint32_t rows, uint64_t seed, uint32_t distinct, int64_t step,
                          int64_t jitter) {
  rows_random random = rows_seed(seed);
  const char *ddl = "k string, n int32, i int32, f float64, e decimal(30,3), s string, "
                    "at timestamp not null";
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                                      (rows_flavour){.distinct = distinct, .null_percent = 20});
  int64_t *times = table->columns[6].data;
  for (uint32_t i = 0; i < rows; i++) {
    int64_t early = jitter == 0 ? 0 : (int64_t)(rows_next(&random) % (uint64_t)jitter);
    times[i] = 1700000003 * SECOND + i * step - early / 1000 * 1000 + i % 1000;
    double *f = (double *)table->columns[3].data + i;
    *f = (*f * 37 - 111) / 8 + 1.0 / 3;
  }
  return table;
}

static const agg_spec plain[] = {
  {.agg = "count"}, {.agg = "sum", .of = "i", .as = "s1"}, {.agg = "sum", .of = "f", .as = "s2"},
  {.agg = "avg", .of = "e", .as = "a1"}, {.agg = "variance", .of = "i", .as = "v1"},
};

static const agg_spec values[] = {
  {.agg = "count", .of = "s", .as = "c1"}, {.agg = "min", .of = "f", .as = "m1"},
  {.agg = "max", .of = "s", .as = "m2"}, {.agg = "max", .of = "e", .as = "m3"},
  {.agg = "first", .of = "s", .as = "p1"}, {.agg = "last", .of = "i", .as = "p2"},
  {.agg = "arg_min", .of = "s", .by = "f", .as = "p3"},
  {.agg = "arg_max", .of = "i", .by = "s", .as = "p4"},
  {.agg = "count_distinct", .of = "s", .as = "d1"}, {.agg = "median", .of = "f", .as = "q1"},
};

/* ---------------------------------------------------------------- running */

static harness_case case_of(const tm_batch *table, const char *const *keys, uint32_t key_count,
                            const agg_spec *specs, uint32_t spec_count,
                            const window_shape *shape) {
  tm_value early = v_nil(), lateness = v_nil();
  if (shape->early_us > 0) {
    early = v_text(tm_arena_format(&arena, "early %ldus", (long)shape->early_us));
  }
  if (shape->lateness_us > 0) {
    lateness = v_text(tm_arena_format(&arena, "%ldus", (long)shape->lateness_us));
  }
  return (harness_case){
    .verb = "agg", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
    .options = V_TABLE(&arena, {"keys", agg_keys_value(&arena, keys, key_count)},
                       {"aggs", agg_specs_value(&arena, specs, spec_count)},
                       {"window", window_value(&arena, shape)}, {"emit", early},
                       {"lateness", lateness}),
    .times = shape->time, .stream = shape->stream, .out_of_order_us = shape->out_of_order_us,
    .changelog = !shape->final_only && (shape->early_us > 0 || shape->lateness_us > 0),
    .final_only = shape->final_only,
  };
}

static void check(checker run, const tm_batch *table, const char *const *keys, uint32_t key_count,
                  const agg_spec *specs, uint32_t spec_count, const window_shape *shape) {
  static const char *const kinds[] = {"tumbling", "hopping", "cumulate"};
  const char *all_keys[8];
  char label[100];
  rows_list expected = {0}, late = {0};
  for (uint32_t i = 0; i < key_count; i++) all_keys[i] = keys[i];
  all_keys[key_count] = "window_start";
  all_keys[key_count + 1] = "window_end";
  harness_case c = case_of(table, keys, key_count, specs, spec_count, shape);
  char *needed = harness_needs(&c, 0);
  tm_batch *expanded = window_reference_expand(table, shape, &arena, needed, &late);
  if (expanded->rows > 0) {
    agg_reference(expanded, all_keys, key_count + 2, specs, spec_count, &expected);
  }
  (void)snprintf(label, sizeof label, "%s %ld by %ld, %u keys, %s, %u late, %ld early",
                 kinds[shape->kind], (long)shape->size_us, (long)shape->step_us, key_count,
                 shape->stream ? "stream" : "batch", (unsigned)late.count, (long)shape->early_us);
  run(&c, &(harness_expected){.rows = &expected, .lates = &late, .label = label});
  free(needed);
  rows_list_clear(&late);
  rows_list_clear(&expected);
  tm_batch_release(expanded);
}

static const char *const no_keys[1], *const by_k[] = {"k"}, *const by_two[] = {"k", "n"};

static const window_shape shapes[] = {
  {"at", TM_WINDOW_TUMBLING, 10 * SECOND, 0, NULL, false, 0, 0, 0, false},
  {"at", TM_WINDOW_HOPPING, 10 * SECOND, 2 * SECOND, NULL, false, 0, 0, 0, false},
  {"at", TM_WINDOW_HOPPING, 9 * SECOND, 6 * SECOND, NULL, false, 0, 0, 0, false},
  {"at", TM_WINDOW_CUMULATE, 12 * SECOND, 3 * SECOND, NULL, false, 0, 0, 0, false},
};

typedef struct manner { /* of a run over all shapes */
  bool stream, final_only;
  int64_t out_of_order_us, lateness_us, early_us;
} manner;

static void check_shapes(checker run, const tm_batch *table, const manner *m,
                         const agg_spec *specs, uint32_t spec_count) {
  for (size_t i = 0; i < COUNT(shapes); i++) {
    window_shape shape = shapes[i];
    shape.stream = m->stream;
    shape.final_only = m->final_only;
    shape.out_of_order_us = m->out_of_order_us;
    shape.lateness_us = m->lateness_us;
    shape.early_us = m->early_us;
    check(run, table, by_k, 1, specs, spec_count, &shape);
    if (run == harness_sweep) continue;
    check(run, table, by_two, 2, specs, spec_count, &shape);
    check(run, table, no_keys, 0, specs, spec_count, &shape);
  }
}

static void check_both(checker run, const tm_batch *table, const manner *m) {
  check_shapes(run, table, m, plain, COUNT(plain));
  check_shapes(run, table, m, values, COUNT(values));
}

Test(window_agg, batch) {
  for (uint64_t seed = 1; seed < 4; seed++) {
    tm_batch *table = table_of(2000, seed, 7, SECOND / 20, seed * 10 * SECOND);
    check_both(harness_check, table, &(manner){.stream = false});
    tm_batch_release(table);
  }
}

Test(window_agg, stream) {
  for (uint64_t seed = 1; seed < 4; seed++) {
    tm_batch *table = table_of(1500, seed, 7, SECOND / 20, seed * 4 * SECOND);
    check_both(harness_check, table, &(manner){.stream = true, .out_of_order_us = 4 * SECOND});
    tm_batch_release(table);
  }
}

Test(window_agg, stream_with_rows_that_are_late) {
  for (uint64_t seed = 1; seed < 4; seed++) {
    tm_batch *table = table_of(1500, seed, 7, SECOND / 20, 30 * SECOND);
    manner m = {.stream = true, .out_of_order_us = (int64_t)seed * 3 * SECOND};
    check_both(harness_check, table, &m);
    tm_batch_release(table);
  }
}

Test(window_agg, lateness_tells_windows_anew) {
  for (uint64_t seed = 1; seed < 4; seed++) {
    tm_batch *table = table_of(1000, seed, 7, SECOND / 20, 30 * SECOND);
    manner m = {.stream = true, .out_of_order_us = (int64_t)seed * 2 * SECOND,
                .lateness_us = (int64_t)seed * 5 * SECOND};
    check_both(harness_check, table, &m);
    m.final_only = true; /* then they wait */
    check_both(harness_check, table, &m);
    tm_batch_release(table);
  }
}

Test(window_agg, early_tells_windows_before_they_end) {
  for (uint64_t seed = 1; seed < 4; seed++) {
    tm_batch *table = table_of(1000, seed, 7, SECOND / 20, 10 * SECOND);
    manner m = {.stream = true, .out_of_order_us = 3 * SECOND,
                .early_us = (int64_t)seed * SECOND + 17};
    check_both(harness_check, table, &m);
    m.lateness_us = 4 * SECOND;
    check_both(harness_check, table, &m);
    m.final_only = true;
    check_shapes(harness_check, table, &m, plain, COUNT(plain));
    tm_batch_release(table);
  }
}

Test(window_agg, in_every_way_a_lane_may_go) {
  tm_batch *table = table_of(12, 5, 3, 4 * SECOND, 20 * SECOND);
  const agg_spec some[] = {plain[0], plain[2], values[2], values[4]};
  const agg_spec more[] = {values[8], values[9]};
  const manner stream = {.stream = true, .out_of_order_us = 5 * SECOND};
  const manner again = {.stream = true, .out_of_order_us = 2 * SECOND, .lateness_us = 9 * SECOND,
                        .early_us = 3 * SECOND};
  check_shapes(harness_sweep, table, &(manner){.stream = false}, some, COUNT(some));
  check_shapes(harness_sweep, table, &stream, some, COUNT(some));
  check_shapes(harness_sweep, table, &stream, more, COUNT(more));
  check_shapes(harness_sweep, table, &again, some, COUNT(some));
  tm_batch_release(table);
}

/* Groups come and go: those that are gone are forgotten. */
Test(window_agg, of_many_keys_that_do_not_stay) {
  enum { ROWS = 12000 };
  tm_batch *table = table_of(ROWS, 8, 1000000, SECOND / 100, 3 * SECOND);
  int32_t *n = table->columns[1].data;
  for (int32_t i = 0; i < ROWS; i++) n[i] = i / 4;
  const char *const by_n[] = {"n"};
  const agg_spec some[] = {plain[0], values[1], values[2], values[5], values[8]};
  for (size_t i = 0; i < COUNT(shapes); i++) {
    window_shape shape = shapes[i];
    shape.stream = true;
    shape.out_of_order_us = 3 * SECOND;
    check(harness_check, table, by_n, 1, some, COUNT(some), &shape);
  }
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- filled windows */

static int64_t field_of(const char *text, int nth) {
  for (; nth > 0; nth--) text = strchr(text, '|') + 1;
  return strtoll(text, NULL, 10);
}

/* Adds the windows that each group has none in, from its first to the last of all: by the grid, of
 * rows "key|start|end|…". */
static void fill_rows(rows_list *rows, const window_shape *shape, bool keyed, const char *empty) {
  tm_window_grid grid;
  tm_window_regions regions = {{0}, {0}};
  tm_error err = {0};
  int64_t last = INT64_MIN;
  size_t count = rows->count;
  cr_assert_eq(tm_window_grid_init(&grid, shape->kind, shape->size_us, shape->step_us, NULL, &err),
               0);
  for (size_t i = 0; i < count; i++) {
    int64_t end = field_of(rows->texts[i], keyed + 1);
    last = end > last ? end : last;
  }
  for (size_t i = 0; i < count; i++) {
    const char *text = rows->texts[i], *bar = keyed ? strchr(text, '|') : text;
    int size = (int)(bar - text);
    tm_window w = {field_of(text, keyed), field_of(text, keyed + 1)};
    bool first = true;
    for (size_t k = 0; k < count; k++) {
      bool same = strncmp(rows->texts[k], text, (size_t)size + 1) == 0 || !keyed;
      if (same && field_of(rows->texts[k], keyed + 1) < w.end_us) first = false;
    }
    while (first && w.end_us < last) {
      char line[200];
      bool there = false;
      w = tm_window_grid_next(&grid, w, &regions);
      (void)snprintf(line, sizeof line, "%.*s%s%ld|%ld|", size, text, keyed ? "|" : "",
                     (long)w.start_us, (long)w.end_us);
      for (size_t k = 0; k < count; k++) {
        there |= strncmp(rows->texts[k], line, strlen(line)) == 0;
      }
      if (there) continue;
      (void)snprintf(line + strlen(line), sizeof line - strlen(line), "%s", empty);
      rows_list_add(rows, strdup(line));
    }
  }
}

static void check_filled(checker run, const tm_batch *table, bool keyed,
                         const window_shape *shape) {
  const agg_spec specs[] = {{.agg = "count"}, {.agg = "sum", .of = "i", .as = "s"},
                            {.agg = "max", .of = "f", .as = "m"},
                            {.agg = "median", .of = "f", .as = "q"},
                            {.agg = "count_distinct", .of = "s", .as = "d"},
                            {.agg = "first", .of = "s", .as = "p"}};
  const char *const keys[] = {"k", "window_start", "window_end"};
  rows_list expected = {0}, late = {0};
  tm_batch *expanded = window_reference_expand(table, shape, &arena, keyed ? "k i f s" : "i f s",
                                               &late);
  agg_reference(expanded, keys + !keyed, 2 + keyed, specs, COUNT(specs), &expected);
  fill_rows(&expected, shape, keyed, "0|null|null|null|0|null");
  harness_case c = case_of(table, by_k, keyed, specs, COUNT(specs), shape);
  c.options = V_TABLE(&arena, {"keys", agg_keys_value(&arena, keys, keyed)},
                      {"aggs", agg_specs_value(&arena, specs, COUNT(specs))},
                      {"window", window_value(&arena, shape)}, {"fill", v_bool(true)});
  run(&c, &(harness_expected){.rows = &expected, .lates = &late,
                              .label = shape->stream ? "filled, stream" : "filled, batch"});
  rows_list_clear(&expected);
  rows_list_clear(&late);
  tm_batch_release(expanded);
}

Test(window_agg, fill_gives_windows_without_rows) {
  for (uint64_t seed = 1; seed < 4; seed++) {
    tm_batch *table = table_of(60, seed, 3, 7 * SECOND, 20 * SECOND);
    for (size_t i = 0; i < COUNT(shapes); i++) {
      window_shape shape = shapes[i];
      for (int stream = 0; stream < 2; stream++) {
        shape.stream = stream == 1;
        shape.out_of_order_us = 9 * SECOND;
        check_filled(harness_check, table, true, &shape);
        check_filled(harness_check, table, false, &shape);
      }
    }
    tm_batch_release(table);
  }
}

/* ---------------------------------------------------------------- types and zones */

static const agg_spec counts[] = {{.agg = "count"}};

Test(window_agg, of_dates_are_dates) {
  rows_random random = rows_seed(9);
  tm_schema *schema = rows_schema(&arena, "k string, n int32, day date not null");
  tm_batch *table = rows_random_table(budget, schema, 300, &random,
                                      (rows_flavour){.distinct = 20, .null_percent = 20});
  for (uint32_t i = 0; i < 300; i++) ((int32_t *)table->columns[2].data)[i] -= 11;
  const window_shape days[] = {
    {"day", TM_WINDOW_TUMBLING, 3 * DAY, 0, NULL, false, 0, 0, 0, false},
    {"day", TM_WINDOW_HOPPING, 3 * DAY, DAY, NULL, true, 20 * DAY, 0, 0, false},
    {"day", TM_WINDOW_TUMBLING, DAY, 0, NULL, true, 3 * DAY, 0, 0, false},
  };
  for (size_t i = 0; i < COUNT(days); i++) {
    check(harness_check, table, by_k, 1, counts, 1, &days[i]);
  }
  harness_case c = case_of(table, by_k, 1, counts, 1, &days[0]);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(bind.output->fields[1].type.kind, TM_DATE);
  cr_expect_str_eq(bind.output->fields[2].name, "window_end");
  cr_expect_eq(bind.facts_out.window_start, 1);
  cr_expect_eq(bind.facts_out.window_end, 2);
  cr_expect(bind.facts_out.fixed_windows);
  cr_expect_eq(bind.facts_out.time.kind, TM_DATE);
  tm_batch_release(table);
}

Test(window_agg, of_a_zone_have_its_days) {
  tm_error err = {0};
  setenv("TZDIR", "tests/base/zoneinfo", 1);
  const tm_zone *zone = tm_zone_find("America/New_York", &err);
  cr_assert_not_null(zone);
  tm_batch *table = table_of(600, 3, 3, 3600 * SECOND, 0); /* 25 days of November 2023 */
  for (uint32_t i = 0; i < 600; i++) {
    ((int64_t *)table->columns[6].data)[i] -= 20 * DAY; /* and what comes before: clocks change */
  }
  const window_shape days[] = {
    {"at", TM_WINDOW_TUMBLING, DAY, 0, zone, false, 0, 0, 0, false},
    {"at", TM_WINDOW_TUMBLING, 7 * DAY, 0, zone, true, 0, 0, 0, false},
    {"at", TM_WINDOW_HOPPING, DAY, 6 * 3600 * SECOND, zone, true, 0, 0, 0, false},
    {"at", TM_WINDOW_CUMULATE, DAY, 6 * 3600 * SECOND, zone, false, 0, 0, 0, false},
  };
  for (size_t i = 0; i < COUNT(days); i++) {
    check(harness_check, table, by_k, 1, counts, 1, &days[i]);
  }
  harness_case c = case_of(table, by_k, 1, counts, 1, &days[0]);
  tm_bind bind;
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(bind.output->fields[1].type.zone, zone);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- what a result knows */

static tm_batch *table_from(const char *ddl, const char *text) {
  return rows_batch(budget, rows_schema(&arena, ddl), text);
}

static void expect_rows(const harness_case *c, const char *const *texts, size_t count) {
  rows_list expected = {0};
  for (size_t i = 0; i < count; i++) rows_list_add(&expected, strdup(texts[i]));
  harness_check(c, &(harness_expected){.rows = &expected, .label = "by hand"});
  rows_list_clear(&expected);
}

Test(window_agg, results_have_the_last_instant_of_their_window) {
  tm_batch *table = table_from("at timestamp not null, x int32", "5000000|1\n12000000|2\n");
  const window_shape tumbling = {.time = "at", .size_us = 10 * SECOND};
  const char *const expected[] = {"0|10000000|1 @9999999", "10000000|20000000|1 @19999999"};
  for (int stream = 0; stream < 2; stream++) {
    harness_case c = case_of(table, no_keys, 0, counts, 1, &tumbling);
    c.stream = stream == 1;
    c.shows_times = true;
    expect_rows(&c, expected, 2);
  }
  tm_batch_release(table);
}

/* At equal times the values decide, not who came first. */
Test(window_agg, picks_go_by_time_then_by_their_arguments) {
  tm_batch *table = table_from("at timestamp not null, v int32, b int32",
                               "7|3|1\n7|1|1\n5|9|2\n5|8|1\n9|2|2\n9|4|2\n9|null|2\n");
  const agg_spec specs[] = {
    {.agg = "first", .of = "v", .as = "first"}, {.agg = "last", .of = "v", .as = "last"},
    {.agg = "arg_min", .of = "v", .by = "b", .as = "least"},
    {.agg = "arg_max", .of = "v", .by = "b", .as = "most"},
  };
  const window_shape tumbling = {.time = "at", .size_us = 10};
  const char *const in_window[] = {"0|10|8|4|8|9"}, *const of_all[] = {"8|4|8|9"};
  for (int stream = 0; stream < 2; stream++) {
    harness_case c = case_of(table, no_keys, 0, specs, 4, &tumbling);
    c.stream = stream == 1;
    c.out_of_order_us = 100;
    expect_rows(&c, in_window, 1);
    c.options = V_TABLE(&arena, {"aggs", agg_specs_value(&arena, specs, 4)});
    c.final_only = stream == 1;
    expect_rows(&c, of_all, 1);
  }
  tm_batch_release(table);
}

/* A group of an upstream window is final with it, and keeps its time. */
Test(window_agg, groups_of_windows_made_above) {
  tm_batch *table = table_from(
      "k string, window_start timestamp not null, window_end timestamp not null, "
      "at timestamp not null, n int32",
      "a|0|10|9|1\nb|0|10|9|2\nc|0|10|9|4\na|5|15|14|8\nb|5|15|14|16\na|10|20|19|32\n");
  const agg_spec sums[] = {{.agg = "sum", .of = "n", .as = "s"}};
  static const struct { const char *key; bool fixed; const char *rows[3]; } cases[] = {
    {"window_end", false, {"10|7 @9", "15|24 @14", "20|32 @19"}},
    {"window_start", true, {"0|7 @9", "5|24 @14", "10|32 @19"}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (int stream = 0; stream < 2; stream++) {
      harness_case c = {
        .verb = "agg", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table}, .times = "at",
        .options = V_TABLE(&arena, {"keys", V_LIST(&arena, v_text(cases[i].key))},
                           {"aggs", agg_specs_value(&arena, sums, 1)}),
        .window_start = "window_start", .window_end = "window_end",
        .fixed_windows = cases[i].fixed, .stream = stream == 1, .shows_times = true,
      };
      expect_rows(&c, cases[i].rows, 3);
    }
  }
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- what is refused */

static void expect_refused(const char *ddl, const char *time, tm_value options, int code,
                           const char *text) {
  tm_batch *table = table_from(ddl, "");
  harness_case c = {.verb = "agg", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .times = time, .options = options};
  tm_bind bind;
  tm_error err = {0};
  cr_expect_eq(harness_bind(&c, &arena, 2048, &bind, &err), -1, "%s", text);
  cr_expect_eq(err.code, code);
  cr_expect(strstr(err.message, text) != NULL, "'%s' lacks '%s'", err.message, text);
  tm_batch_release(table);
}

static tm_value options_with(const char *size, const char *tz, tm_value more) {
  tm_value window = tz == NULL
      ? V_TABLE(&arena, {"kind", v_text("tumbling")}, {"size", v_text(size)})
      : V_TABLE(&arena, {"kind", v_text("tumbling")}, {"size", v_text(size)}, {"tz", v_text(tz)});
  return V_TABLE(&arena, {"aggs", agg_specs_value(&arena, counts, 1)}, {"window", window},
                 {"emit", more});
}

Test(window_agg, what_cannot_be_is_refused) {
  expect_refused("x int32", NULL, options_with("1h", NULL, v_nil()), TM_E_VALUE,
                 "a window wants rows with event time");
  expect_refused("day date", "day", options_with("1h", NULL, v_nil()), TM_E_VALUE,
                 "sizes are whole days");
  expect_refused("day date", "day", options_with("1d", "Europe/Berlin", v_nil()), TM_E_VALUE,
                 "'tz' is for timestamps");
  expect_refused("at timestamp", "at", options_with("1h", "Europe/Berlinn", v_nil()), TM_E_VALUE,
                 "unknown time zone");
  expect_refused("at timestamp", "at", options_with("0s", NULL, v_nil()), TM_E_VALUE,
                 "a window is longer than nothing");
  expect_refused("at timestamp", "at", options_with("1h", NULL, v_text("late 10s")), TM_E_VALUE,
                 "emit is \"early 10s\"");
  tm_value keyed = V_TABLE(&arena, {"keys", V_LIST(&arena, v_text("window_end"))},
                           {"aggs", agg_specs_value(&arena, counts, 1)},
                           {"window", V_TABLE(&arena, {"kind", v_text("tumbling")},
                                              {"size", v_text("1h")})});
  expect_refused("at timestamp, window_end timestamp", "at", keyed, TM_E_COLUMNS,
                 "agg makes two columns 'window_end'");
}

Test(window_agg, damaged_state_is_refused_or_harmless) {
  tm_batch *table = table_of(30, 5, 3, SECOND, 9 * SECOND);
  const manner again = {.stream = true, .out_of_order_us = 2 * SECOND, .lateness_us = 4 * SECOND,
                        .early_us = 3 * SECOND};
  check_shapes(harness_damage, table, &(manner){.stream = false}, plain, COUNT(plain));
  check_shapes(harness_damage, table, &(manner){.stream = true, .out_of_order_us = 4 * SECOND},
               plain, COUNT(plain));
  check_shapes(harness_damage, table, &again, plain, COUNT(plain));
  tm_batch_release(table);
}
