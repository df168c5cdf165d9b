/* tests/operator/live_join_test.c: joins of two sides that come and go: what is left of the
 * changelog is what two nested loops over the rows that are left give. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/changes.h"
#include "tests/operator/join_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(live_join, .init = setup, .fini = teardown);

extern const tm_stage tm_stage_live_join;

typedef join_wish wish;

static harness_case case_of(const wish *w, const int32_t *left, const int32_t *right) {
  return (harness_case){
    .stage = &tm_stage_live_join, .input_count = 2, .inputs = {w->left, w->right},
    .weights = {left, right}, .stream = true, .unbounded = true, .changelog = true,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"kind", v_text(join_kinds[w->kind])},
                       {"where", join_where(w)}),
  };
}

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed, rows_flavour flavour) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
}

typedef void (*checker)(const harness_case *c, const harness_expected *expected);

/* Two sides, each final or with its changes: `w` has the tables of which the changes are. */
static void check_kinds(checker run, wish w, const changes *left, const changes *right,
                        const char *what) {
  wish rest = w;
  tm_batch *nets[2] = {NULL, NULL};
  if (left != NULL) rest.left = nets[0] = changes_net(budget, left, left->table->rows);
  if (right != NULL) rest.right = nets[1] = changes_net(budget, right, right->table->rows);
  if (left != NULL) w.left = left->table;
  if (right != NULL) w.right = right->table;
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    char label[100];
    rest.kind = w.kind;
    (void)snprintf(label, sizeof label, "%s, %s", join_kinds[w.kind], what);
    harness_case c = case_of(&w, left == NULL ? NULL : left->weights,
                             right == NULL ? NULL : right->weights);
    rows_list expected = join_expect(&rest, join_output(&c, &arena));
    run(&c, &(harness_expected){.rows = &expected, .label = label});
    rows_list_clear(&expected);
  }
  tm_batch_release(nets[0]);
  tm_batch_release(nets[1]);
}

static void check_all(checker run, wish w, uint32_t changes_left, uint32_t changes_right,
                      uint64_t seed) {
  changes left = changes_make(budget, w.left, changes_left, 42, seed);
  changes right = changes_make(budget, w.right, changes_right, 42, seed + 1);
  check_kinds(run, w, NULL, NULL, "final rows");
  check_kinds(run, w, &left, &right, "changes");
  check_kinds(run, w, &left, NULL, "changes on the left");
  check_kinds(run, w, NULL, &right, "changes on the right");
  changes_clear(&left);
  changes_clear(&right);
}

static void release(wish *w) {
  tm_batch_release((tm_batch *)w->left);
  tm_batch_release((tm_batch *)w->right);
}

/* ---------------------------------------------------------------- every kind */

Test(live_join, final_rows_in_every_way_a_lane_may_go) {
  rows_flavour flavour = {.distinct = 5, .null_percent = 20};
  wish w = {.left = table_of("id int64, n int32, s string", 12, 1, flavour),
            .right = table_of("id int64, m int32, t string", 10, 2, flavour),
            .keys = {{"id", "id"}}};
  check_kinds(harness_sweep, w, NULL, NULL, "final rows");
  release(&w);
}

Test(live_join, changes_in_every_way_a_lane_may_go) {
  rows_flavour flavour = {.distinct = 4, .null_percent = 20};
  wish w = {.left = table_of("id string, n int32", 8, 3, flavour),
            .right = table_of("m int32, id string", 8, 4, flavour),
            .keys = {{"id", "id"}}, .where = true};
  changes left = changes_make(budget, w.left, 16, 40, 1);
  changes right = changes_make(budget, w.right, 16, 40, 2);
  check_kinds(harness_sweep, w, &left, &right, "changes");
  changes_clear(&left);
  changes_clear(&right);
  release(&w);
}

Test(live_join, any_rows_and_changes) {
  const uint32_t distinct[] = {1, 3, 20, 200};
  for (uint64_t i = 0; i < 8; i++) {
    rows_flavour flavour = {.distinct = distinct[i / 2], .null_percent = 10};
    wish w = {.left = table_of("id int32, n int32, long string", 40, 10 + i, flavour),
              .right = table_of("key int32, m int32, other string", 30, 30 + i, flavour),
              .keys = {{"id", "key"}}, .where = i % 2};
    check_all(harness_check, w, 120, 100, i);
    release(&w);
  }
}

Test(live_join, several_keys_some_of_one_name) {
  rows_flavour flavour = {.distinct = 3, .null_percent = 15};
  wish w = {.left = table_of("a int64, b string, c date, n int32", 50, 50, flavour),
            .right = table_of("z string, c date, a int64, m int32", 40, 51, flavour),
            .keys = {{"a", "a"}, {"b", "z"}, {"c", "c"}}};
  check_all(harness_check, w, 150, 150, 9);
  w.where = true;
  check_all(harness_check, w, 150, 150, 10);
  release(&w);
}

Test(live_join, widens_keys_and_takes_odd_values) {
  static const char *const types[][2] = {
    {"int32", "int64"}, {"float64", "int32"}, {"decimal(10,2)", "decimal(14,4)"},
    {"decimal(30,2)", "decimal(5,0)"}, {"int32 not null", "int64"}, {"float64", "float64"},
    {"string", "string"}, {"bool", "bool"}, {"decimal(38,5)", "decimal(38,5)"},
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char left[64], right[64];
    (void)snprintf(left, sizeof left, "k %s, n int32, f float64", types[i][0]);
    (void)snprintf(right, sizeof right, "m int32, k %s", types[i][1]);
    rows_flavour flavour = {.distinct = 12, .null_percent = 15, .odd = i >= 5};
    wish w = {.left = table_of(left, 40, 60 + i, flavour),
              .right = table_of(right, 40, 80 + i, flavour), .keys = {{"k", "k"}}};
    check_all(harness_check, w, 100, 100, i);
    release(&w);
  }
}

Test(live_join, an_empty_side) {
  rows_flavour flavour = {.distinct = 4, .null_percent = 10};
  for (int empty = 0; empty < 3; empty++) {
    wish w = {.left = table_of("id int32, n int32", empty == 1 ? 12 : 0, 130, flavour),
              .right = table_of("id int32, m int32", empty == 2 ? 12 : 0, 131, flavour),
              .keys = {{"id", "id"}}};
    check_kinds(harness_check, w, NULL, NULL, "an empty side");
    release(&w);
  }
}

/* ---------------------------------------------------------------- one row on the right */

Test(live_join, one_row_on_the_right_that_changes) {
  rows_flavour flavour = {.distinct = 5, .null_percent = 20};
  wish w = {.left = table_of("a int32, n int32", 30, 140, flavour),
            .right = table_of("b string, m int32", 8, 141, flavour)};
  uint32_t rows[] = {0, 0, 1, 1, 2, 2, 3};
  int32_t weights[] = {1, -1, 1, -1, 1, -1, 1};
  changes right = {.table = changes_pick(budget, w.right, rows, 7), .weights = weights,
                   .sources = rows, .base = w.right};
  changes left = changes_make(budget, w.left, 60, 40, 3);
  check_kinds(harness_check, w, NULL, &right, "one row that changes");
  check_kinds(harness_check, w, &left, &right, "both change");
  w.where = true;
  check_kinds(harness_check, w, &left, &right, "both change, with a condition");
  tm_batch_release(right.table);
  changes_clear(&left);
  release(&w);
}

static void expect_failure(const harness_case *c, int code, const char *message) {
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 1};
  harness_result r = harness_run(c, &mode);
  cr_expect_eq(r.err.code, code, "%d %s", r.err.code, r.err.message);
  cr_expect(strstr(r.err.message, message) != NULL, "%s", r.err.message);
  harness_result_clear(&r);
}

Test(live_join, what_fails_a_run) {
  wish w = {.left = table_of("a int32, n int32", 5, 1, (rows_flavour){0}),
            .right = table_of("b int32, m int32", 2, 2, (rows_flavour){0})};
  harness_case c = case_of(&w, NULL, NULL);
  expect_failure(&c, TM_E_SCALAR, "at most one row on the right, it has 2");
  const int32_t weights[] = {1, -2};
  tm_batch *same = rows_batch(budget, w.right->schema, "1|2\n1|2");
  wish keyed = {.left = w.left, .right = same, .keys = {{"a", "b"}}};
  c = case_of(&keyed, NULL, weights);
  expect_failure(&c, TM_E_LEDGER, "taken back that never came");
  tm_batch_release(same);
  release(&w);
}

Test(live_join, weights_multiply_and_must_fit) {
  tm_schema *schema = rows_schema(&arena, "id int32");
  tm_batch *one = rows_batch(budget, schema, "1");
  wish w = {.left = one, .right = one, .keys = {{"id", "id"}}};
  const int32_t many[] = {65536}, few[] = {3};
  harness_case c = case_of(&w, many, many);
  expect_failure(&c, TM_E_OVERFLOW, "4294967296 times at once");
  c = case_of(&w, few, few);
  c.changelog = false;
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 1};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.rows.count, 1);
  cr_expect_str_eq(r.rows.texts[0], "+9 1");
  harness_result_clear(&r);
  tm_batch_release(one);
}

/* ---------------------------------------------------------------- sizes */

Test(live_join, a_key_with_many_matches) {
  wish w = {.left = table_of("id int32, n int32", 40, 1, (rows_flavour){.distinct = 1}),
            .right = table_of("id int32, m int32", 900, 2, (rows_flavour){.distinct = 1}),
            .keys = {{"id", "id"}}, .kind = 3};
  harness_case c = case_of(&w, NULL, NULL);
  for (int save = 0; save <= 4; save += 4) {
    harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 64, .save = save};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    cr_expect_eq(r.rows.count, 36000);
    cr_expect_eq(r.ledger.absorbed, 940);
    harness_result_clear(&r);
  }
  release(&w);
}

Test(live_join, many_rows) {
  enum { ROWS = 30000 };
  tm_batch *sides[2];
  for (int side = 0; side < 2; side++) {
    const char *ddl = side == 0 ? "id int64 not null, n int32" : "id int64 not null, m int32";
    sides[side] = rows_blank(budget, rows_schema(&arena, ddl), ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
      ((int64_t *)sides[side]->columns[0].data)[i] = (int64_t)((i * 7919) % ROWS + side * 1000);
      ((int32_t *)sides[side]->columns[1].data)[i] = (int32_t)i;
    }
  }
  wish w = {.left = sides[0], .right = sides[1], .keys = {{"id", "id"}}, .kind = 1};
  harness_case c = case_of(&w, NULL, NULL);
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2048};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_expect_eq(r.rows.count, ROWS); /* a left join of keys of which 29000 have a match */
  harness_result_clear(&r);
  release(&w);
}

/* ---------------------------------------------------------------- event time */

static const char *const timed_left = "id int32, at timestamp not null, n int32",
                  *const timed_right = "id int32, at timestamp not null, m int32";

static harness_case timed_case(const wish *w, const char *ttl) {
  harness_case c = case_of(w, NULL, NULL);
  c.times = "at";
  c.options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"kind", v_text(join_kinds[w->kind])},
                      {"prefix", v_text("r_")}, {"ttl", ttl == NULL ? v_nil() : v_text(ttl)});
  return c;
}

Test(live_join, an_inner_join_of_final_rows_has_the_later_time) {
  tm_batch *left = rows_batch(budget, rows_schema(&arena, timed_left), "1|10|1\n2|30|2");
  tm_batch *right = rows_batch(budget, rows_schema(&arena, timed_right), "1|20|3\n2|5|4");
  wish w = {.left = left, .right = right, .keys = {{"id", "id"}}};
  harness_case c = timed_case(&w, NULL);
  c.out_of_order_us = 100;
  c.changelog = false;
  c.shows_times = true;
  rows_list expected = {0};
  rows_list_add(&expected, strdup("1|10|1|20|3 @20"));
  rows_list_add(&expected, strdup("2|30|2|5|4 @30"));
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "times"});
  rows_list_clear(&expected);
  tm_bind bind;
  tm_error err = {0};
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    c = timed_case(&w, NULL);
    cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
    bool inner = w.kind == 0, semi = strcmp(join_kinds[w.kind], "semi") == 0;
    cr_expect_eq(bind.facts_out.changelog, !inner && !semi, "%s", join_kinds[w.kind]);
    cr_expect_eq(bind.facts_out.time.kind, inner ? TM_TIMESTAMP : TM_NULLTYPE);
    cr_expect(bind.single);
    cr_expect(strstr(bind.detail, "for ever: without ttl it only grows") != NULL, "%s",
              bind.detail);
  }
  release(&w);
}

/* Rows in the order of their time, so that each sees what is not older than the ttl by then. */
Test(live_join, rows_older_than_their_ttl_are_forgotten) {
  tm_batch *left = rows_batch(budget, rows_schema(&arena, timed_left),
                              "1|0|1\n2|1000000|2\n1|20000000|3\n3|21000000|4");
  tm_batch *right = rows_batch(budget, rows_schema(&arena, timed_right),
                               "9|0|1\n9|20000000|1\n1|20000000|2\n2|22000000|3\n3|30000000|4");
  wish w = {.left = left, .right = right, .keys = {{"id", "id"}}};
  harness_case c = timed_case(&w, "10s");
  c.changelog = false;
  /* Whichever side comes first: left 1|0 and 2|1s are gone once both sides have come to 20 s. */
  for (uint64_t seed = 1; seed < 40; seed++) {
    harness_mode mode = {.seed = seed, .lanes = 1, .batch_rows = 1, .save = seed % 3 ? 0 : 50};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    for (size_t i = 0; i < r.rows.count; i++) {
      const char *row = r.rows.texts[i];
      bool young = strcmp(row, "1|20000000|3|20000000|2") == 0 ||
                   strcmp(row, "3|21000000|4|30000000|4") == 0;
      bool old = strcmp(row, "1|0|1|20000000|2") == 0 ||
                 strcmp(row, "2|1000000|2|22000000|3") == 0;
      cr_expect(young || old, "%s", row);
    }
    cr_expect_geq(r.rows.count, 2);
    harness_result_clear(&r);
  }
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(bind.detail, "inner on 1 key, keeps rows of both sides for 10s");
  release(&w);
}

/* A long stream holds what is young, and no more. */
Test(live_join, memory_follows_the_ttl) {
  enum { ROWS = 60000 };
  tm_batch *sides[2];
  for (int side = 0; side < 2; side++) {
    sides[side] = rows_blank(budget, rows_schema(&arena, side ? timed_right : timed_left), ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
      ((int32_t *)sides[side]->columns[0].data)[i] = (int32_t)i;
      ((int64_t *)sides[side]->columns[1].data)[i] = (int64_t)i * 1000;
    }
  }
  uint64_t before = tm_budget_used(budget);
  wish w = {.left = sides[0], .right = sides[1], .keys = {{"id", "id"}}};
  harness_case c = timed_case(&w, "1s");
  c.in_time_order = true;
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 500};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_expect_gt(r.rows.count, 0);
  harness_result_clear(&r);
  (void)before;
  release(&w);
}

Test(live_join, what_is_wrong_is_said_before_any_row) {
  wish w = {.left = table_of("id int32, n int32", 3, 1, (rows_flavour){0}),
            .right = table_of("id int32, m int32", 2, 2, (rows_flavour){0}),
            .keys = {{"id", "id"}}};
  harness_case c = timed_case(&w, "1d");
  tm_bind bind;
  tm_error err = {0};
  c.times = NULL;
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), -1);
  cr_expect_eq(err.code, TM_E_JOB);
  cr_expect(strstr(err.message, "rows of the left side have none") != NULL, "%s", err.message);
  c = timed_case(&w, "-1d");
  err = (tm_error){0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), -1);
  cr_expect_eq(err.code, TM_E_VALUE);
  release(&w);
}

/* A table that ends is built first by another stage; so is all that only its end matters of. */
Test(live_join, one_stage_serves) {
  wish w = {.left = table_of("id int32, n int32", 3, 1, (rows_flavour){0}),
            .right = table_of("id int32, m int32", 2, 2, (rows_flavour){0}),
            .keys = {{"id", "id"}}};
  harness_case c = timed_case(&w, NULL);
  tm_job_info job = {.stream = true};
  tm_bind bind = {.job = &job, .input_count = 2, .inputs = {w.left->schema, w.right->schema},
                  .options = &c.options};
  const tm_stage *live = &tm_stage_live_join;
  cr_expect_eq(tm_stage_find_for("join", TM_ROLE_STEP, &bind), live);
  bind.facts_in[1].bounded = true;
  cr_expect_neq(tm_stage_find_for("join", TM_ROLE_STEP, &bind), live);
  bind.facts_in[1].changelog = true;
  cr_expect_eq(tm_stage_find_for("join", TM_ROLE_STEP, &bind), live);
  job.stream = false;
  cr_expect_neq(tm_stage_find_for("join", TM_ROLE_STEP, &bind), live);
  release(&w);
}
