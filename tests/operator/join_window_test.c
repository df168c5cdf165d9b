/* tests/operator/join_window_test.c: joins in windows against two nested loops, over random rows
 * that come out of order, in batches and streams: every kind of join and window, late rows, memory.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/join_driver.h"
#include "tests/operator/join_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(join_window, .init = setup, .fini = teardown);
TestSuite(join_window_live, .init = setup, .fini = teardown);

/* A window, and what is closed to a row: windows that end at or before its mark. */
typedef struct grid {
  const char *kind;      /* tumbling, hopping, cumulate */
  int64_t size, step;
  const int64_t *marks[2];
} grid;

static int64_t down_to(int64_t t, int64_t unit) { return t - ((t % unit) + unit) % unit; }

static uint32_t windows_of(const join_wish *w, int side, uint32_t row, join_span *out) {
  const grid *g = w->context;
  int64_t t = join_number(side == 0 ? w->left : w->right, "at", row);
  int64_t mark = g->marks[side] == NULL ? INT64_MIN : g->marks[side][row];
  uint32_t count = 0;
  bool hopping = strcmp(g->kind, "hopping") == 0;
  int64_t start = hopping ? down_to(t - g->size, g->step) : down_to(t, g->size);
  int64_t last = hopping ? t : start;
  for (; start <= last; start += hopping ? g->step : 1) {
    int64_t end = hopping || strcmp(g->kind, "tumbling") == 0 ? start + g->size : start + g->step;
    for (; end <= start + g->size; end += hopping ? INT64_MAX / 2 : g->step) {
      if (t < start || t >= end || end <= mark) continue;
      out[count++] = (join_span){start, end};
    }
  }
  return count;
}

static tm_value window_value(const grid *g) {
  char *size = tm_arena_format(&arena, "%lldus", (long long)g->size);
  char *step = tm_arena_format(&arena, "%lldus", (long long)g->step);
  return V_TABLE(&arena, {"kind", v_text(g->kind)}, {"size", v_text(size)},
                 {strcmp(g->kind, "hopping") == 0 ? "slide" : "step", v_text(step)});
}

static harness_case case_of(const join_wish *w, int64_t out_of_order_us, bool stream,
                            bool left_built) {
  return (harness_case){
    .verb = "join", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {w->left, w->right},
    .input_rows = {10, left_built ? 100 : 10}, .times = "at", .stream = stream,
    .out_of_order_us = out_of_order_us, .shows_times = true, .ordinals = true,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"kind", v_text(join_kinds[w->kind])},
                       {"window", window_value(w->context)}, {"where", join_where(w)},
                       {"prefix", v_text("r_")}),
  };
}

/* Times go on by up to `step` a row, and come up to `disorder` late. */
static tm_batch *stream_of(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct,
                           uint32_t step, uint32_t disorder) {
  rows_random random = rows_seed(seed);
  rows_flavour flavour = {.distinct = distinct, .null_percent = 12};
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
  int column = tm_schema_find(table->schema, "at");
  int64_t now = -40;
  for (uint32_t i = 0; i < rows; i++) {
    now += rows_below(&random, step + 1);
    ((int64_t *)table->columns[column].data)[i] = now - rows_below(&random, disorder + 1);
  }
  return table;
}

/* The watermark before each row; from malloc. */
static int64_t *marks_of(const tm_batch *table, int64_t out_of_order_us) {
  int64_t *marks = calloc(table->rows + 1, sizeof *marks), largest = INT64_MIN / 2;
  for (uint32_t i = 0; i < table->rows; i++) {
    int64_t t = join_number(table, "at", i);
    marks[i] = largest - out_of_order_us;
    if (t > largest) largest = t;
  }
  return marks;
}

static uint64_t count_late(const join_wish *w) {
  uint64_t late = 0;
  join_span windows[JOIN_WINDOWS_MAX];
  for (int side = 0; side < 2; side++) {
    uint32_t rows = side == 0 ? w->left->rows : w->right->rows;
    for (uint32_t i = 0; i < rows; i++) late += windows_of(w, side, i, windows) == 0;
  }
  return late;
}

/* Late rows are refused one by one, so the whole list is not compared here. */
static void check_late_stream(const harness_case *c, const rows_list *expected, uint64_t late,
                              const char *label) {
  for (uint64_t seed = 0; seed < 6; seed++) {
    harness_mode m = {.seed = seed, .lanes = 1 + seed % 2, .batch_rows = 1 + seed * 3,
                      .odd_batches = true, .save = seed % 3 * 40};
    harness_result r = harness_run(c, &m);
    cr_assert_eq(r.err.code, 0, "%s: %s", label, r.err.message);
    rows_list_expect_set(&r.rows, expected, label);
    cr_expect_eq(r.ledger.late, late, "%s: %llu of %llu late", label,
                 (unsigned long long)r.ledger.late, (unsigned long long)late);
    harness_result_clear(&r);
  }
}

static void check_kinds(join_wish w, grid *g, int64_t disorder, bool sweep) {
  w.windows = windows_of;
  w.context = g;
  w.times = "at";
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    for (int mode = 0; mode < 4; mode++) {
      static const char *const names[] = {"a batch", "a stream", "a stream with late rows",
                                          "a batch, left built"};
      int64_t out_of_order = mode == 2 ? disorder / 4 : disorder;
      char label[80];
      (void)snprintf(label, sizeof label, "%s, %s, %s", join_kinds[w.kind], g->kind, names[mode]);
      harness_case c = case_of(&w, out_of_order, mode == 1 || mode == 2, mode == 3);
      g->marks[0] = mode == 2 ? marks_of(w.left, out_of_order) : NULL;
      g->marks[1] = mode == 2 ? marks_of(w.right, out_of_order) : NULL;
      rows_list expected = join_expect(&w, join_output(&c, &arena));
      harness_expected e = {.rows = &expected, .label = label};
      if (mode == 2) check_late_stream(&c, &expected, count_late(&w), label);
      else if (sweep) harness_sweep(&c, &e);
      else harness_check(&c, &e);
      rows_list_clear(&expected);
      free((void *)g->marks[0]);
      free((void *)g->marks[1]);
    }
  }
}

static void release(join_wish *w) {
  tm_batch_release((tm_batch *)w->left);
  tm_batch_release((tm_batch *)w->right);
}

static const char *const lefts = "id int64, n int32, at timestamp not null, s string";
static const char *const rights = "at timestamp not null, id int64, m int32, z string";

/* ---------------------------------------------------------------- tests */

Test(join_window, tumbling_in_every_mode) {
  grid g = {.kind = "tumbling", .size = 8, .step = 8};
  join_wish w = {.left = stream_of(lefts, 20, 1, 3, 2, 4), .keys = {{"id", "id"}},
                 .right = stream_of(rights, 18, 2, 3, 2, 4)};
  check_kinds(w, &g, 4, true);
  release(&w);
}

Test(join_window, hopping_in_every_mode) {
  grid g = {.kind = "hopping", .size = 8, .step = 4};
  join_wish w = {.left = stream_of(lefts, 14, 3, 3, 2, 4), .keys = {{"id", "id"}},
                 .right = stream_of(rights, 14, 4, 3, 2, 4), .where = true};
  check_kinds(w, &g, 4, true);
  release(&w);
}

Test(join_window_live, longer_streams_of_many_shapes) {
  static const grid grids[] = {
    {.kind = "tumbling", .size = 5, .step = 5}, {.kind = "tumbling", .size = 60, .step = 60},
    {.kind = "hopping", .size = 10, .step = 5}, {.kind = "hopping", .size = 10, .step = 4},
    {.kind = "hopping", .size = 30, .step = 3}, {.kind = "cumulate", .size = 12, .step = 3},
    {.kind = "cumulate", .size = 20, .step = 10},
  };
  for (size_t k = 0; k < sizeof grids / sizeof *grids; k++) {
    for (uint32_t distinct = 1; distinct < 50; distinct *= 8) {
      grid g = grids[k];
      join_wish w = {.left = stream_of(lefts, 110, 10 + k, distinct, 3, 8),
                     .right = stream_of(rights, 120, 30 + k, distinct, 3, 8),
                     .keys = {{"id", "id"}}, .where = k % 3 == 1};
      check_kinds(w, &g, 8, false);
      release(&w);
    }
  }
}

/* Keys of several columns and wider types, of one name and of two. */
Test(join_window, many_keys) {
  grid g = {.kind = "hopping", .size = 12, .step = 6};
  join_wish w = {.left = stream_of("a int32, b string, n int32, at timestamp not null", 80, 50, 3,
                                   2, 3),
                 .right = stream_of("c string, a int64, at timestamp not null, m int32", 80, 51, 3,
                                    2, 3),
                 .keys = {{"a", "a"}, {"b", "c"}}};
  check_kinds(w, &g, 3, false);
  g = (grid){.kind = "tumbling", .size = 12, .step = 12};
  check_kinds(w, &g, 3, false);
  release(&w);
}

/* Event time that is a date, in windows of days: their bounds are dates. */
Test(join_window, dates) {
  const int64_t day = INT64_C(86400000000);
  rows_random random = rows_seed(60);
  rows_flavour flavour = {.distinct = 20};
  grid g = {.kind = "tumbling", .size = 7 * day, .step = 7 * day};
  join_wish w = {.keys = {{"id", "id"}}, .windows = windows_of, .context = &g, .kind = FULL};
  w.left = rows_random_table(budget, rows_schema(&arena, "id int32, at date not null"), 40, &random,
                             flavour);
  w.right = rows_random_table(budget, rows_schema(&arena, "id int32, at date not null, m int32"),
                              40, &random, flavour);
  for (int stream = 0; stream < 2; stream++) {
    harness_case c = case_of(&w, 30 * day, stream, false);
    const tm_schema *output = join_output(&c, &arena);
    cr_expect_str_eq(tm_schema_text(&arena, output), "id int32, at date, r_at date, r_m int32, "
                                                     "window_start date not null, window_end date "
                                                     "not null");
    c.shows_times = false;
    grid days = {.kind = "tumbling", .size = 7, .step = 7}; /* `at` counts days */
    join_wish plain = w;
    plain.context = &days;
    rows_list expected = join_expect(&plain, rows_schema(&arena, "id int32, at date, r_at date, m "
                                                                 "int32, s int64, e int64"));
    harness_result r = harness_run(&c, &(harness_mode){.seed = 1, .lanes = 1, .batch_rows = 9});
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    rows_list_expect_set(&r.rows, &expected, "dates");
    harness_result_clear(&r);
    rows_list_clear(&expected);
  }
  release(&w);
}

/* on = {}: at most one row on the right in each window. */
Test(join_window, one_row_on_the_right) {
  tm_schema *left = rows_schema(&arena, "n int32, at timestamp not null");
  tm_schema *right = rows_schema(&arena, "at timestamp not null, m int32");
  grid g = {.kind = "tumbling", .size = 10, .step = 10};
  join_wish w = {.left = rows_batch(budget, left, "1|1\n2|5\n3|12\n4|33\n5|34"),
                 .right = rows_batch(budget, right, "4|1\n18|2\n25|3")};
  check_kinds(w, &g, 0, false);
  g = (grid){.kind = "cumulate", .size = 10, .step = 5};
  check_kinds(w, &g, 0, false);
  tm_batch_release((tm_batch *)w.right);
  w.right = rows_batch(budget, right, "4|1\n18|2\n15|3\n24|5\n26|7");
  w.windows = windows_of;
  w.context = &g;
  for (int i = 0; i < 4; i++) {
    g = (grid){.kind = i % 2 ? "tumbling" : "hopping", .size = 10, .step = i % 2 ? 10 : 5};
    harness_case c = case_of(&w, 10, i >= 2, false);
    for (uint64_t seed = 0; seed < 4; seed++) {
      harness_mode mode = {.seed = seed, .lanes = i < 2 ? 2 : 1, .batch_rows = 2};
      harness_result r = harness_run(&c, &mode);
      cr_expect_eq(r.err.code, TM_E_SCALAR);
      cr_expect_str_eq(r.err.message,
                       "join with on = {} wants at most one row on the right in each "
                       "window, and that of 1970-01-01T00:00:00.000010Z has more");
      harness_result_clear(&r);
    }
  }
  release(&w);
}

/* ---------------------------------------------------------------- facts, errors */

static void refuse(const harness_case *c, int code, const char *message) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(c, &arena, 2048, &bind, &err), 0, "%s", message);
  cr_expect_eq(err.code, code);
  cr_expect_str_eq(err.message, message);
}

Test(join_window, what_is_known_and_what_is_refused) {
  static const int32_t weights[1] = {1};
  grid g = {.kind = "cumulate", .size = 10, .step = 5};
  join_wish w = {.left = stream_of("id int64, at timestamp not null", 1, 1, 1, 1, 1),
                 .right = stream_of("id int64, at timestamp not null", 1, 1, 1, 1, 1),
                 .keys = {{"id", "id"}}, .context = &g};
  harness_case c = case_of(&w, 0, true, false);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(tm_schema_text(&arena, bind.output),
                   "id int64, at timestamp not null, r_at timestamp not null, window_start "
                   "timestamp not null, window_end timestamp not null");
  cr_expect(bind.facts_out.window_start == 3 && bind.facts_out.window_end == 4);
  cr_expect(!bind.facts_out.fixed_windows && bind.facts_out.time.kind == TM_TIMESTAMP);
  cr_expect_str_eq(bind.detail, "on 1 key, cumulate 10us by 5us");
  g = (grid){.kind = "tumbling", .size = 10, .step = 10};
  c = case_of(&w, 0, false, false);
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  cr_expect(bind.facts_out.fixed_windows);
  cr_expect_str_eq(bind.detail, "on 1 key, tumbling 10us");
  for (int stream = 0; stream < 2; stream++) {
    c = case_of(&w, 0, stream, false);
    c.weights[0] = weights;
    refuse(&c, TM_E_JOB, "join: rows of the left side are taken back later, and a window's rows "
                         "are final");
    c = case_of(&w, 0, stream, false);
    c.times = NULL;
    refuse(&c, TM_E_JOB, "join: a window wants event time, and rows of the left side have none");
    c = case_of(&w, 0, stream, false);
    c.options = V_TABLE(&arena, {"on", v_text("id")}, {"window", window_value(&g)},
                        {"ttl", v_text("1h")});
    refuse(&c, TM_E_VALUE, "join: with a window there is no 'ttl': rows go with their window");
    c.options = V_TABLE(&arena, {"on", v_text("id")},
                        {"window", V_TABLE(&arena, {"kind", v_text("tumbling")},
                                           {"processing", v_bool(true)}, {"size", v_text("1s")})});
    refuse(&c, TM_E_UNSUPPORTED,
           "join in a window of processing time is not in this version of tidemill yet");
  }
  release(&w);
}
