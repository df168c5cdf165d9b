/* tests/operator/top_test.c: the first rows of groups, against sorting and counting. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/top_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(top, .init = setup, .fini = teardown);

typedef top_wish wish;

static rows_list expect(const wish *w) { return top_reference(w); }

static tm_batch *table_of(uint32_t rows, uint64_t seed, uint32_t distinct, bool odd) {
  rows_random random = rows_seed(seed);
  tm_schema *schema = rows_schema(&arena, "g string, f float64, i int32, d decimal(20,2)");
  return rows_random_table(budget, schema, rows, &random,
                           (rows_flavour){.distinct = distinct, .null_percent = 15, .odd = odd});
}

static harness_case case_of(const tm_batch *table, tm_value options) {
  return (harness_case){.verb = "top", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                        .options = options};
}

Test(top, of_all_rows) {
  tm_batch *table = table_of(60, 1, 9, true);
  const reference_key keys[] = {{1, true}};
  for (int64_t n = 1; n <= 64; n = n * 3 + 1) {
    harness_case c = case_of(table, V_TABLE(&arena, {"n", v_int(n)}, {"by", v_text("-f")}));
    rows_list expected = expect(&(wish){.table = table, .n = n, .keys = keys, .count = 1});
    cr_assert_eq(expected.count, n < 60 ? (size_t)n : 60);
    harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "all"});
    rows_list_clear(&expected);
  }
  tm_batch_release(table);
}

Test(top, of_groups_with_ties_and_ranks) {
  tm_batch *table = table_of(70, 2, 6, true);
  const reference_key keys[] = {{0, false}, {3, true}, {2, false}};
  for (int kind = 0; kind < 4; kind++) {
    bool ties = kind & 1, ranked = kind >> 1;
    tm_value options = V_TABLE(
        &arena, {"n", v_int(3)}, {"per", v_text("g")},
        {"by", V_LIST(&arena, v_text("-d"), v_text("i"))},
        {"ties", ties ? v_text("all") : v_nil()}, {"rank", ranked ? v_text("place") : v_nil()});
    harness_case c = case_of(table, options);
    rows_list expected = expect(&(wish){.table = table, .n = 3, .keys = keys, .per = 1, .count = 3,
                                        .all_ties = ties, .ranked = ranked});
    cr_assert_gt(expected.count, 8);
    harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "groups"});
    rows_list_clear(&expected);
  }
  tm_batch_release(table);
}

/* Everything ties: the rank of all is 1, and ties = "all" keeps every row. */
Test(top, when_all_rows_tie) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "g string, f float64, i int32"),
                               "a|1|3\na|1|1\na|1|2\na|1|1");
  harness_case c = case_of(table, V_TABLE(&arena, {"n", v_int(2)}, {"by", v_text("f")},
                                          {"ties", v_text("all")}, {"rank", v_text("r")}));
  rows_list expected = {0};
  rows_list_add(&expected, strdup("'a'|1.0|1|1"));
  rows_list_add(&expected, strdup("'a'|1.0|1|1"));
  rows_list_add(&expected, strdup("'a'|1.0|2|1"));
  rows_list_add(&expected, strdup("'a'|1.0|3|1"));
  harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "ties"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

/* Many runs, so that rows are dropped before they are copied. */
Test(top, of_many_rows) {
  enum { ROWS = 120000 };
  tm_schema *schema = rows_schema(&arena, "n int64 not null, s string");
  tm_batch *table = rows_blank(budget, schema, ROWS);
  rows_random random = rows_seed(4);
  for (uint32_t i = 0; i < ROWS; i++) {
    char text[32];
    ((int64_t *)table->columns[0].data)[i] = rows_below(&random, 5000);
    (void)snprintf(text, sizeof text, "row number %u", i);
    rows_set(table, 1, i, text);
  }
  for (int ties = 0; ties < 2; ties++) {
    harness_case c = case_of(table, V_TABLE(&arena, {"n", v_int(40)}, {"by", v_text("-n")},
                                            {"ties", ties ? v_text("all") : v_nil()}));
    rows_list first = {0};
    for (uint32_t lanes = 1; lanes <= 3; lanes++) {
      harness_mode mode = {.seed = lanes, .lanes = lanes, .batch_rows = 500, .threads = lanes == 3,
                           .save = lanes == 2 ? 5 : 0};
      harness_result r = harness_run(&c, &mode);
      cr_assert_eq(r.err.code, 0, "%s", r.err.message);
      cr_assert_eq(r.ledger.filtered, ROWS - r.rows.count);
      if (lanes == 1) rows_list_append(&first, &r.rows);
      rows_list_expect(&r.rows, &first, "lanes");
      for (size_t i = 0; i < r.rows.count; i++) {
        long value = strtol(r.rows.texts[i], NULL, 10);
        uint32_t greater = 0;
        for (uint32_t k = 0; k < ROWS; k++) {
          greater += ((const int64_t *)table->columns[0].data)[k] > value;
        }
        cr_assert_lt(greater, 40, "%s is not among the first", r.rows.texts[i]);
      }
      harness_result_clear(&r);
    }
    cr_assert(ties ? first.count >= 40 : first.count == 40);
    rows_list_clear(&first);
  }
  tm_batch_release(table);
}

static void refuse(const tm_batch *table, tm_value options, int code, const char *message) {
  harness_case c = case_of(table, options);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, code, "E%d %s", err.code, err.message);
  cr_expect_str_eq(err.message, message);
}

Test(top, refuses_what_it_cannot_do) {
  tm_batch *table = table_of(1, 5, 3, false);
  refuse(table, V_TABLE(&arena, {"n", v_int(0)}, {"by", v_text("f")}), TM_E_VALUE,
         "top wants 1 row or more, not 0");
  refuse(table, V_TABLE(&arena, {"n", v_int(2)}), TM_E_VALUE,
         "top wants by = \"column\" or \"-column\"");
  refuse(table, V_TABLE(&arena, {"n", v_int(2)}, {"by", v_text("f")}, {"per", v_text("-g")}),
         TM_E_VALUE, "top: 'per' takes plain column names");
  refuse(table, V_TABLE(&arena, {"n", v_int(2)}, {"by", v_text("f")}, {"ties", v_text("some")}),
         TM_E_VALUE, "top: ties is \"all\" or absent, not \"some\"");
  refuse(table, V_TABLE(&arena, {"n", v_int(2)}, {"by", v_text("x")}), TM_E_FIELD,
         "unknown column 'x' (has: g, f, i, d)");
  tm_batch_release(table);
}

/* A list longer than the columns there are must not pass the end of anything. */
Test(top, takes_long_lists_of_columns) {
  tm_batch *table = table_of(5, 6, 3, false);
  enum { KEYS = 700 };
  tm_value *items = tm_arena_zero(&arena, KEYS * sizeof *items);
  for (int i = 0; i < KEYS; i++) items[i] = v_text(i % 2 ? "f" : "-i");
  tm_value by = v_table(&arena, items, KEYS, NULL, 0);
  harness_case c = case_of(table, V_TABLE(&arena, {"n", v_int(5)}, {"by", by}, {"per", by}));
  tm_bind bind;
  tm_error err = {0};
  cr_expect_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0, "per takes no '-'");
  c.options = V_TABLE(&arena, {"n", v_int(5)}, {"by", by});
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 10};
  harness_result r = harness_run(&c, &mode);
  cr_expect_eq(r.err.code, 0);
  cr_expect_eq(r.rows.count, 5);
  harness_result_clear(&r);
  tm_batch_release(table);
}
