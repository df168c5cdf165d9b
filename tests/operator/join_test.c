/* tests/operator/join_test.c: hash joins against two nested loops: every kind, either side built,
 * unique and repeated keys, nulls, several keys, wider types, a condition. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/join_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(join, .init = setup, .fini = teardown);

typedef join_wish wish;

/* ---------------------------------------------------------------- cases */

static harness_case case_of(const wish *w, uint32_t build) {
  return (harness_case){
    .verb = "join", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {w->left, w->right},
    .input_rows = {10, build == 0 ? 100 : 10}, .ordinals = true,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"kind", v_text(join_kinds[w->kind])},
                       {"where", join_where(w)}),
  };
}

static void check_kinds(wish w, bool sweep) {
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    for (uint32_t build = 0; build < 2; build++) {
      char label[64];
      (void)snprintf(label, sizeof label, "%s, %s built", join_kinds[w.kind],
                     build ? "right" : "left");
      harness_case c = case_of(&w, build);
      rows_list expected = join_expect(&w, join_output(&c, &arena));
      harness_expected e = {.rows = &expected, .label = label};
      if (sweep) harness_sweep(&c, &e);
      else harness_check(&c, &e);
      rows_list_clear(&expected);
    }
  }
}

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed, rows_flavour flavour) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
}

static void release(wish *w) {
  tm_batch_release((tm_batch *)w->left);
  tm_batch_release((tm_batch *)w->right);
}

/* ---------------------------------------------------------------- tests */

Test(join, every_kind_in_every_mode) {
  rows_flavour flavour = {.distinct = 9, .null_percent = 20};
  wish w = {.left = table_of("id int64, n int32, s string", 24, 1, flavour),
            .right = table_of("id int64, m int32, t string", 20, 2, flavour),
            .keys = {{"id", "id"}}};
  check_kinds(w, true);
  release(&w);
}

Test(join, with_a_condition_in_every_mode) {
  rows_flavour flavour = {.distinct = 6, .null_percent = 10};
  wish w = {.left = table_of("id string, n int32", 20, 3, flavour),
            .right = table_of("m int32, id string", 22, 4, flavour),
            .keys = {{"id", "id"}}, .where = true};
  check_kinds(w, true);
  release(&w);
}

Test(join, larger_tables_of_few_and_of_many_keys) {
  const uint32_t distinct[] = {1, 3, 40, 2000};
  for (uint64_t i = 0; i < 8; i++) {
    rows_flavour flavour = {.distinct = distinct[i / 2], .null_percent = 10};
    wish w = {.left = table_of("id int32, n int32, long string", 160, 10 + i, flavour),
              .right = table_of("key int32, m int32, other string", 140, 30 + i, flavour),
              .keys = {{"id", "key"}}, .where = i % 2};
    check_kinds(w, false);
    release(&w);
  }
}

Test(join, several_keys_some_of_one_name) {
  rows_flavour flavour = {.distinct = 4, .null_percent = 15};
  wish w = {.left = table_of("a int64, b string, c date, n int32", 90, 50, flavour),
            .right = table_of("z string, c date, a int64, m int32", 80, 51, flavour),
            .keys = {{"a", "a"}, {"b", "z"}, {"c", "c"}}};
  check_kinds(w, false);
  w.where = true;
  check_kinds(w, false);
  release(&w);
}

/* Keys of different types compare as the wider of both, and come out as it where both may. */
Test(join, widens_keys) {
  static const char *const types[][2] = {
    {"int32", "int64"}, {"int64", "int32"}, {"int64", "float64"}, {"float64", "int32"},
    {"decimal(10,2)", "decimal(14,4)"}, {"decimal(10,2)", "int32"}, {"int64", "decimal(12,3)"},
    {"decimal(30,2)", "decimal(5,0)"}, {"int32 not null", "int64"}, {"int64", "int32 not null"},
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char left[64], right[64];
    (void)snprintf(left, sizeof left, "k %s, n int32", types[i][0]);
    (void)snprintf(right, sizeof right, "m int32, k %s", types[i][1]);
    rows_flavour flavour = {.distinct = 12, .null_percent = 15};
    wish w = {.left = table_of(left, 60, 60 + i, flavour),
              .right = table_of(right, 50, 80 + i, flavour), .keys = {{"k", "k"}}};
    check_kinds(w, false);
    release(&w);
  }
}

/* NaN equals NaN, 0 equals -0; extremes and odd text. */
Test(join, odd_values_as_keys) {
  static const char *const types[] = {"float64", "string", "int64", "decimal(38,5)", "bool",
                                      "timestamp", "bytes", "decimal(18,2)", "date"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char left[64], right[64];
    (void)snprintf(left, sizeof left, "k %s, n int32", types[i]);
    (void)snprintf(right, sizeof right, "key %s, m int32", types[i]);
    rows_flavour flavour = {.distinct = 15, .null_percent = 15, .odd = true};
    wish w = {.left = table_of(left, 50, 100 + i, flavour),
              .right = table_of(right, 50, 120 + i, flavour), .keys = {{"k", "key"}}};
    check_kinds(w, false);
    release(&w);
  }
}

Test(join, an_empty_side) {
  rows_flavour flavour = {.distinct = 4, .null_percent = 10};
  for (int empty = 0; empty < 3; empty++) {
    wish w = {.left = table_of("id int32, n int32", empty == 1 ? 12 : 0, 130, flavour),
              .right = table_of("id int32, m int32", empty == 2 ? 12 : 0, 131, flavour),
              .keys = {{"id", "id"}}};
    check_kinds(w, true);
    release(&w);
  }
}

/* on = {}: at most one row on the right; without keys everything matches it. */
Test(join, one_row_on_the_right) {
  rows_flavour flavour = {.distinct = 5, .null_percent = 20};
  for (uint32_t rows = 0; rows < 2; rows++) {
    wish w = {.left = table_of("a int32, n int32", 30, 140, flavour),
              .right = table_of("b string, m int32", rows, 141, flavour)};
    check_kinds(w, false);
    w.where = true;
    check_kinds(w, false);
    release(&w);
  }
}

Test(join, more_than_one_row_on_the_right_is_an_error) {
  wish w = {.left = table_of("a int32, n int32", 5, 1, (rows_flavour){0}),
            .right = table_of("b int32, m int32", 2, 2, (rows_flavour){0})};
  for (uint32_t lanes = 1; lanes <= 3; lanes++) {
    harness_case c = case_of(&w, 1);
    harness_mode mode = {.seed = lanes, .lanes = lanes, .batch_rows = 1};
    harness_result r = harness_run(&c, &mode);
    cr_expect_eq(r.err.code, TM_E_SCALAR);
    cr_expect_str_eq(r.err.message,
                     "join with on = {} wants at most one row on the right, it has 2");
    harness_result_clear(&r);
  }
  release(&w);
}

/* One key with very many matches comes out slice by slice, within bounds of memory. */
Test(join, a_key_with_many_matches) {
  wish w = {.left = table_of("id int32, n int32", 40, 1, (rows_flavour){.distinct = 1}),
            .right = table_of("id int32, m int32", 900, 2, (rows_flavour){.distinct = 1}),
            .keys = {{"id", "id"}}};
  harness_case c = case_of(&w, 1);
  for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
    harness_mode mode = {.seed = 1, .lanes = lanes, .batch_rows = 64, .threads = lanes > 1};
    harness_result r = harness_run(&c, &mode);
    cr_expect_eq(r.err.code, 0);
    cr_expect_eq(r.rows.count, 36000);
    cr_expect_eq(r.ledger.produced, 36000 - 40);
    cr_expect_eq(r.ledger.absorbed, 900);
    harness_result_clear(&r);
  }
  release(&w);
}

/* Several chunks of rows on the kept side. */
Test(join, a_large_build_side) {
  enum { ROWS = 40000 };
  tm_batch *left = rows_blank(budget, rows_schema(&arena, "id int64 not null, n int32"), 3000);
  tm_batch *right = rows_blank(budget, rows_schema(&arena, "id int64 not null, s string"), ROWS);
  for (uint32_t i = 0; i < ROWS; i++) {
    char text[48];
    ((int64_t *)right->columns[0].data)[i] = i * 3;
    (void)snprintf(text, sizeof text, "this is row number %u", i);
    rows_set(right, 1, i, text);
  }
  for (uint32_t i = 0; i < 3000; i++) ((int64_t *)left->columns[0].data)[i] = i * 20;
  wish w = {.left = left, .right = right, .keys = {{"id", "id"}}};
  for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
    for (uint32_t build = 0; build < 2; build++) {
      w.kind = FULL;
      harness_case c = case_of(&w, build);
      harness_mode mode = {.seed = 1,
                           .lanes = lanes,
                           .batch_rows = 2000,
                           .save = lanes == 1 ? 4 : 0,
                           .threads = lanes == 3};
      harness_result r = harness_run(&c, &mode);
      cr_expect_eq(r.err.code, 0);
      cr_expect_eq(r.rows.count, ROWS + 3000 - 1000);
      for (size_t i = 0; i < r.rows.count; i++) {
        char expected[64];
        long long id = atoll(r.rows.texts[i]);
        if (id % 3 == 0 && id < 3 * ROWS) {
          (void)snprintf(expected, sizeof expected, "'this is row number %lld'", id / 3);
        } else {
          (void)snprintf(expected, sizeof expected, "null");
        }
        cr_assert_str_eq(strrchr(r.rows.texts[i], '|') + 1, expected);
      }
      harness_result_clear(&r);
    }
  }
  release(&w);
}
