/* tests/operator/join_asof_test.c: as-of joins of batches against a look at all rows: by event time
 * and by columns of every type; ties, tolerance, order; and what is refused before any row. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/join_asof_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(join_asof, .init = setup, .fini = teardown);

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed, rows_flavour flavour) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
}

static harness_case case_of(const join_wish *w, bool by_time, const char *tolerance) {
  const asof_wish *a = w->context;
  tm_value by = V_TABLE(&arena, {"left", v_text(a->by[0])}, {"right", v_text(a->by[1])});
  return (harness_case){
    .verb = "join_asof", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {w->left, w->right},
    .times = by_time ? "at" : NULL, .shows_times = by_time, .ordinals = true,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"by", by_time ? v_nil() : by},
                       {"kind", w->kind == LEFT ? v_nil() : v_text(join_kinds[w->kind])},
                       {"tolerance", tolerance == NULL ? v_nil() : v_text(tolerance)},
                       {"prefix", v_text("r_")}),
  };
}

static void release(join_wish *w) {
  tm_batch_release((tm_batch *)w->left);
  tm_batch_release((tm_batch *)w->right);
}

static void check(join_wish *w, bool by_time, const char *tolerance, bool sweep) {
  static const int kinds[] = {LEFT, INNER};
  w->also = join_asof_takes;
  w->times = by_time ? "at" : NULL;
  for (int i = 0; i < 2; i++) {
    w->kind = kinds[i];
    harness_case c = case_of(w, by_time, tolerance);
    rows_list expected = join_expect(w, join_output(&c, &arena));
    harness_expected e = {.rows = &expected, .label = join_kinds[w->kind]};
    if (sweep) harness_sweep(&c, &e);
    else harness_check(&c, &e);
    rows_list_clear(&expected);
  }
}

Test(join_asof, by_event_time_in_every_mode) {
  rows_flavour flavour = {.distinct = 9, .null_percent = 15};
  asof_wish a = {.by = {"at", "at"}, .tolerance = -1};
  join_wish w = {.left = table_of("id int64, at timestamp not null, n int32", 24, 1, flavour),
                 .right = table_of("at timestamp not null, id int64, m int32, s string", 22, 2,
                                   flavour),
                 .keys = {{"id", "id"}}, .context = &a};
  for (uint32_t i = 0; i < 24; i++) ((int64_t *)w.left->columns[0].data)[i] %= 3;
  for (uint32_t i = 0; i < 22; i++) ((int64_t *)w.right->columns[1].data)[i] %= 3;
  check(&w, true, NULL, true);
  release(&w);
}

/* Times of days and of microseconds go together; a tolerance, met exactly. */
Test(join_asof, tolerance) {
  rows_flavour flavour = {.distinct = 30, .null_percent = 10};
  asof_wish a = {.by = {"at", "at"}, .tolerance = 2};
  join_wish w = {.left = table_of("id int32, at timestamp not null", 100, 3, flavour),
                 .right = table_of("id int32, at timestamp not null, m int32", 100, 4, flavour),
                 .keys = {{"id", "id"}}, .context = &a};
  for (uint32_t i = 0; i < 100; i++) {
    ((int32_t *)w.left->columns[0].data)[i] %= 4;
    ((int32_t *)w.right->columns[0].data)[i] %= 4;
  }
  check(&w, true, "2us", false);
  a.tolerance = 0;
  check(&w, true, "0us", false);
  release(&w);
  a = (asof_wish){.by = {"day", "since"}, .tolerance = 3};
  w.left = table_of("id int32, day date", 60, 5, flavour);
  w.right = table_of("id int32, since date, m int32", 60, 6, flavour);
  for (uint32_t i = 0; i < 60; i++) {
    ((int32_t *)w.left->columns[0].data)[i] %= 4;
    ((int32_t *)w.right->columns[0].data)[i] %= 4;
  }
  check(&w, false, "3d", false);
  release(&w);
}

/* Any column that orders; both sides may have types of their own; nulls find and are found by
 * nobody. */
Test(join_asof, by_columns_of_every_type) {
  static const char *const types[][2] = {
    {"int32", "int32"}, {"int32", "int64"}, {"int64", "float64"}, {"float64", "float64"},
    {"decimal(12,2)", "decimal(10,4)"}, {"decimal(10,2)", "int32"}, {"string", "string"},
    {"bytes", "bytes"}, {"date", "date"}, {"timestamp", "timestamp"}, {"bool", "bool"},
    {"decimal(38,4)", "decimal(38,4)"},
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    for (int odd = 0; odd < 2; odd++) {
      char left[64], right[64];
      (void)snprintf(left, sizeof left, "id int32, x %s, n int32", types[i][0]);
      (void)snprintf(right, sizeof right, "id int32, m string, y %s", types[i][1]);
      rows_flavour flavour = {.distinct = 14, .null_percent = 12, .odd = odd};
      asof_wish a = {.by = {"x", "y"}, .tolerance = -1};
      join_wish w = {.left = table_of(left, 70, 20 + i, flavour), .context = &a,
                     .right = table_of(right, 80, 40 + i, flavour), .keys = {{"id", "id"}}};
      for (uint32_t k = 0; k < 70; k++) ((int32_t *)w.left->columns[0].data)[k] &= 1;
      for (uint32_t k = 0; k < 80; k++) ((int32_t *)w.right->columns[0].data)[k] &= 1;
      check(&w, false, NULL, false);
      release(&w);
    }
  }
}

/* Without keys any row is a candidate. */
Test(join_asof, without_keys) {
  rows_flavour flavour = {.distinct = 40, .null_percent = 10};
  asof_wish a = {.by = {"at", "at"}, .tolerance = -1};
  join_wish w = {.left = table_of("at timestamp not null, n int32", 50, 60, flavour),
                 .right = table_of("at timestamp not null, m int32", 60, 61, flavour),
                 .context = &a};
  check(&w, true, NULL, false);
  release(&w);
}

/* Of several rows of one time, the last by the columns that somebody reads. */
Test(join_asof, ties_go_by_needed_columns) {
  tm_batch *left = rows_batch(budget, rows_schema(&arena, "at timestamp not null"), "5\n6\n7\n8");
  tm_schema *schema = rows_schema(&arena, "a int32, at timestamp not null, b string");
  tm_batch *right = rows_batch(budget, schema,
                               "1|5|z\n2|5|a\nnull|5|zz\n3|6|a\n3|6|c\n3|6|b\n4|7|null\n4|7|k");
  static const struct { const char *needed, *rows[4]; } cases[] = {
    {"at a", {"5|2|-|-", "6|3|-|-", "7|4|-|-", "8|4|-|-"}},
    {"at b", {"5|-|-|'zz'", "6|-|-|'c'", "7|-|-|'k'", "8|-|-|'k'"}},
    {"a b", {"-|2|-|'a'", "-|3|-|'c'", "-|4|-|'k'", "-|4|-|'k'"}},
  };
  for (int i = 0; i < 3; i++) {
    harness_case c = {
      .verb = "join_asof", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {left, right},
      .times = "at", .needed = cases[i].needed,
      .options = V_TABLE(&arena, {"on", v_table(&arena, NULL, 0, NULL, 0)},
                         {"take", V_LIST(&arena, v_text("a"),
                                         V_TABLE(&arena, {"name", v_text("r_at")},
                                                 {"from", v_text("at")}), v_text("b"))}),
    };
    rows_list expected = {0};
    for (int k = 0; k < 4; k++) rows_list_add(&expected, strdup(cases[i].rows[k]));
    harness_check(&c, &(harness_expected){.rows = &expected, .label = cases[i].needed});
    rows_list_clear(&expected);
  }
  tm_batch_release(left);
  tm_batch_release(right);
}

/* Left rows stay in their order. */
Test(join_asof, order_stays) {
  rows_flavour flavour = {.distinct = 20};
  asof_wish a = {.by = {"at", "at"}, .tolerance = -1};
  join_wish w = {.left = table_of("at timestamp not null, n int32", 90, 70, flavour),
                 .right = table_of("at timestamp not null, m int32", 30, 71, flavour),
                 .context = &a, .also = join_asof_takes, .kind = LEFT, .times = "at"};
  harness_case c = case_of(&w, true, NULL);
  c.ordered_input = true;
  rows_list expected = join_expect(&w, join_output(&c, &arena));
  for (uint32_t rows = 1; rows < 100; rows *= 4) {
    harness_mode mode = {.seed = rows, .lanes = 1, .batch_rows = rows, .odd_batches = true};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    rows_list_expect(&r.rows, &expected, "in order");
    harness_result_clear(&r);
  }
  rows_list_clear(&expected);
  release(&w);
}

/* ---------------------------------------------------------------- what is refused */

static void refuse(const harness_case *c, int code, const char *message) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(c, &arena, 2048, &bind, &err), 0, "%s", message);
  cr_expect_eq(err.code, code);
  cr_expect_str_eq(err.message, message);
}

Test(join_asof, refuses_what_it_cannot_do) {
  const char *ddl = "id int64, at timestamp not null, s string, w decimal(38,1)";
  tm_batch *left = rows_blank(budget, rows_schema(&arena, ddl), 0);
  ddl = "id int64, at timestamp not null, n int32, w decimal(12,1)";
  tm_batch *right = rows_blank(budget, rows_schema(&arena, ddl), 0);
  static const int32_t weights[1] = {1};
  tm_value on = v_text("id"), prefix = v_text("r_");
  harness_case c = {.verb = "join_asof", .role = TM_ROLE_STEP, .input_count = 2,
                    .inputs = {left, right}, .times = "at"};
  c.options = V_TABLE(&arena, {"on", on}, {"prefix", prefix}, {"kind", v_text("full")});
  refuse(&c, TM_E_VALUE, "join_asof: unknown kind 'full'");
  c.options = V_TABLE(&arena, {"on", on}, {"prefix", prefix}, {"tolerance", v_text("-1s")});
  refuse(&c, TM_E_VALUE, "join_asof: 'tolerance' is a duration, as \"5m\"");
  c.options = V_TABLE(&arena, {"on", on}, {"prefix", prefix}, {"by", v_text("s")});
  refuse(&c, TM_E_FIELD, "unknown column 's' (has: id, at, n, w)");
  c.options = V_TABLE(&arena, {"on", on}, {"prefix", prefix},
                      {"by", V_TABLE(&arena, {"s", v_text("n")})});
  refuse(&c, TM_E_TYPE, "join_asof: 's' is string, 'n' is int32: they have no common order");
  c.options = V_TABLE(&arena, {"on", on}, {"prefix", prefix}, {"by", v_text("w")});
  refuse(&c, TM_E_TYPE,
         "join_asof: 'w' is decimal(38,1), 'w' is decimal(12,1): they have no common order");
  c.options = V_TABLE(&arena, {"on", on}, {"prefix", prefix}, {"tolerance", v_text("1s")},
                      {"by", V_TABLE(&arena, {"left", v_text("id")}, {"right", v_text("n")})});
  refuse(&c, TM_E_VALUE, "join_asof: 'tolerance' is for times, and 'by' is none");
  c.options = V_TABLE(&arena, {"on", on}, {"prefix", prefix});
  c.weights[1] = weights;
  refuse(&c, TM_E_JOB, "join_asof: rows of the right side are taken back later");
  c.weights[1] = NULL;
  c.times = NULL;
  refuse(&c, TM_E_JOB, "join_asof: rows of the left side have no event time");
  tm_batch_release(left);
  tm_batch_release(right);
}
