/* tests/operator/join_time_test.c: the hash join over rows of event time: which time a row of the
 * result has; and in streams, where the right side is read first: every row comes as it comes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operator/join_plan.h"
#include "tests/operator/join_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(join_time, .init = setup, .fini = teardown);

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  rows_flavour flavour = {.distinct = 7, .null_percent = 15};
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
}

static harness_case case_of(const join_wish *w, uint32_t build, bool stream) {
  return (harness_case){
    .verb = "join", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {w->left, w->right},
    .input_rows = {10, build == 0 ? 100 : 10}, .times = "at", .out_of_order_us = 2,
    .stream = stream, .final_only = stream, .shows_times = true, .ordinals = true,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"kind", v_text(join_kinds[w->kind])},
                       {"where", join_where(w)}, {"prefix", v_text("r_")}),
  };
}

/* Results of some kinds have no event time, where a side has none. */
static bool has_time(const join_wish *w) {
  bool left = tm_schema_find(w->left->schema, "at") >= 0;
  bool right = tm_schema_find(w->right->schema, "at") >= 0;
  switch (w->kind) {
    case INNER: return left || right;
    case RIGHT: return right;
    case FULL: return left && right;
    default: return left;
  }
}

static void check_kinds(join_wish w, bool stream) {
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    for (uint32_t build = 0; build < 2; build++) {
      char label[64];
      (void)snprintf(label, sizeof label, "%s, %s built%s", join_kinds[w.kind],
                     build ? "right" : "left", stream ? ", a stream" : "");
      harness_case c = case_of(&w, build, stream);
      w.times = has_time(&w) ? "at" : NULL;
      rows_list expected = join_expect(&w, join_output(&c, &arena));
      harness_sweep(&c, &(harness_expected){.rows = &expected, .label = label});
      rows_list_clear(&expected);
    }
  }
}

static const char *const timed = "id int64, n int32, at timestamp not null";

/* Both sides, or one of them, have event time; which kinds then have it too. */
Test(join_time, the_later_of_two_times) {
  static const char *const lefts[] = {"id int64, n int32, at timestamp not null",
                                      "id int64, n int32"};
  static const char *const rights[] = {"id int64, at timestamp not null, m int32",
                                       "id int64, m int32"};
  for (int stream = 0; stream < 2; stream++) {
    for (int i = 0; i < 3; i++) {
      join_wish w = {.left = table_of(lefts[i & 1], 14, 1 + i), .keys = {{"id", "id"}},
                     .right = table_of(rights[i >> 1], 12, 11 + i), .where = i == 0};
      check_kinds(w, stream);
      tm_batch_release((tm_batch *)w.left);
      tm_batch_release((tm_batch *)w.right);
    }
  }
}

/* In a stream that goes on, the kinds that keep nothing of the left side: rows that are behind stay
 * in, with their marks; time goes on with the left side. */
Test(join_time, a_stream_past_a_table) {
  join_wish w = {.left = table_of(timed, 60, 5), .right = table_of("id int64, m int32", 12, 6),
                 .keys = {{"id", "id"}}};
  static const int kinds[] = {INNER, LEFT, SEMI, ANTI};
  for (int i = 0; i < 4; i++) {
    w.kind = kinds[i];
    w.times = "at";
    harness_case c = case_of(&w, 1, true);
    c.final_only = false;
    rows_list expected = join_expect(&w, join_output(&c, &arena));
    harness_sweep(&c, &(harness_expected){.rows = &expected, .label = join_kinds[w.kind]});
    harness_mode mode = {.seed = 3, .lanes = 1, .batch_rows = 7};
    harness_result r = harness_run(&c, &mode);
    cr_expect_gt(r.watermark_us, 0, "time went on");
    harness_result_clear(&r);
    rows_list_clear(&expected);
  }
  tm_batch_release((tm_batch *)w.left);
  tm_batch_release((tm_batch *)w.right);
}

/* A changelog flows past a table: weights go on. */
Test(join_time, changes_past_a_table) {
  join_wish w = {.left = table_of("id int64, n int32", 30, 7), .keys = {{"id", "id"}},
                 .right = table_of("id int64, m int32", 12, 8)};
  static const int kinds[] = {INNER, LEFT, SEMI, ANTI};
  int32_t *weights = malloc(30 * sizeof *weights);
  for (uint32_t i = 0; i < 30; i++) weights[i] = i % 3 == 0 ? 2 : 1;
  for (int i = 0; i < 4; i++) {
    w.kind = kinds[i];
    harness_case c = case_of(&w, 1, true);
    c.final_only = false;
    c.times = NULL;
    c.weights[0] = weights;
    c.changelog = true;
    rows_list net = {0};
    for (uint32_t l = 0; l < 30; l++) { /* each left row alone, as often as it weighs */
      uint8_t *late = malloc(30);
      memset(late, 1, 30);
      late[l] = 0;
      w.late[0] = late;
      rows_list one = join_expect(&w, join_output(&c, &arena));
      for (int32_t n = 0; n < weights[l]; n++) rows_list_append(&net, &one);
      rows_list_clear(&one);
      free(late);
    }
    harness_check(&c, &(harness_expected){.rows = &net, .label = join_kinds[w.kind]});
    rows_list_clear(&net);
  }
  free(weights);
  tm_batch_release((tm_batch *)w.left);
  tm_batch_release((tm_batch *)w.right);
}

/* ---------------------------------------------------------------- what is known of the rows */

static bool builds_first(const harness_case *c, tm_bind *bind) {
  tm_job_info job = {.stream = c->stream};
  *bind = (tm_bind){.job = &job, .options = &c->options, .final_only = c->final_only,
                    .input_count = 2};
  for (int i = 0; i < 2; i++) {
    bind->facts_in[i] = (tm_rows_facts){.bounded = !c->unbounded, .live = c->live,
                                        .changelog = c->weights[i] != NULL};
  }
  return tm_join_builds_first(bind);
}

Test(join_time, serves_where_one_side_ends_first) {
  join_wish w = {.left = table_of("id int64", 1, 1), .right = table_of("id int64", 1, 1),
                 .keys = {{"id", "id"}}};
  static const int32_t weights[1] = {1};
  tm_bind bind;
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    bool one_sided = w.kind != RIGHT && w.kind != FULL;
    harness_case c = case_of(&w, 1, false);
    cr_expect(builds_first(&c, &bind), "a batch");
    c.stream = true;
    cr_expect_eq(builds_first(&c, &bind), one_sided);
    c.final_only = true;
    cr_expect(builds_first(&c, &bind));
    c.weights[1] = weights;
    cr_expect_not(builds_first(&c, &bind), "the table changes");
    c.weights[1] = NULL;
    c.weights[0] = weights;
    cr_expect_eq(builds_first(&c, &bind), one_sided);
    c.weights[0] = NULL;
    c.live = true;
    cr_expect_not(builds_first(&c, &bind), "the table comes as it happens");
    c.live = false;
    c.unbounded = true;
    cr_expect_not(builds_first(&c, &bind), "the table does not end");
    c.unbounded = false;
    tm_pair pairs[3] = {{"ttl", v_text("1d")}, {"kind", v_text(join_kinds[w.kind])}};
    c.options = v_table(&arena, NULL, 0, pairs, 2);
    cr_expect_not(builds_first(&c, &bind), "state that expires");
    c.stream = false;
    cr_expect(builds_first(&c, &bind));
    pairs[0] = (tm_pair){"window", v_table(&arena, NULL, 0, NULL, 0)};
    c.options = v_table(&arena, NULL, 0, pairs, 2);
    cr_expect_not(builds_first(&c, &bind), "a window");
  }
  tm_batch_release((tm_batch *)w.left);
  tm_batch_release((tm_batch *)w.right);
}

static tm_rows_facts facts_of(const char *kind, const char *left_ddl, const char *right_ddl) {
  tm_batch *left = table_of(left_ddl, 3, 1), *right = table_of(right_ddl, 3, 2);
  tm_value options = V_TABLE(&arena, {"on", v_text("id")}, {"kind", v_text(kind)},
                             {"prefix", v_text("r_")});
  harness_case c = {.verb = "join", .role = TM_ROLE_STEP, .input_count = 2,
                    .inputs = {left, right}, .times = "at", .options = options,
                    .window_start = "s", .window_end = "e", .fixed_windows = true};
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  tm_batch_release(left);
  tm_batch_release(right);
  return bind.facts_out;
}

Test(join_time, the_type_of_the_time) {
  const char *none = "id int32", *stamp = "id int32, at timestamp not null";
  const char *day = "id int32, at date not null";
  const char *zoned = "id int32, at timestamp('Europe/Berlin') not null";
  cr_expect_eq(facts_of("inner", none, none).time.kind, TM_NULLTYPE);
  cr_expect_eq(facts_of("inner", day, none).time.kind, TM_DATE);
  cr_expect_eq(facts_of("inner", day, day).time.kind, TM_DATE);
  cr_expect_eq(facts_of("inner", none, day).time.kind, TM_DATE);
  cr_expect_eq(facts_of("inner", stamp, day).time.kind, TM_TIMESTAMP);
  cr_expect_eq(facts_of("inner", day, stamp).time.kind, TM_TIMESTAMP);
  cr_expect_not_null(facts_of("inner", day, zoned).time.zone);
  cr_expect_null(facts_of("inner", stamp, zoned).time.zone, "the left side's");
  cr_expect_eq(facts_of("semi", none, stamp).time.kind, TM_NULLTYPE);
  cr_expect_eq(facts_of("anti", day, stamp).time.kind, TM_DATE);
  cr_expect_eq(facts_of("left", none, stamp).time.kind, TM_NULLTYPE, "rows without a match");
  cr_expect_eq(facts_of("right", stamp, none).time.kind, TM_NULLTYPE);
  cr_expect_eq(facts_of("full", stamp, none).time.kind, TM_NULLTYPE);
  cr_expect_eq(facts_of("full", stamp, stamp).time.kind, TM_TIMESTAMP);
}

/* Columns of an upstream window stay what they are, but where the left side may be missing. */
Test(join_time, columns_of_windows_pass) {
  const char *left = "id int32, s timestamp, e timestamp", *right = "id int32, x int32";
  tm_rows_facts facts = facts_of("left", left, right);
  cr_expect(facts.window_start == 1 && facts.window_end == 2 && facts.fixed_windows);
  facts = facts_of("right", left, right);
  cr_expect(facts.window_start < 0 && facts.window_end < 0);
}
