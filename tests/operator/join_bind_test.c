/* tests/operator/join_bind_test.c: what a join binds: columns, types, keys, sides, needs; and its
 * books and refused rows. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "operator/join_plan.h"
#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(join_bind, .init = setup, .fini = teardown);

static tm_batch *left, *right;

static void make_tables(const char *left_ddl, const char *right_ddl) {
  rows_random random = rows_seed(7);
  rows_flavour flavour = {.distinct = 5, .null_percent = 20};
  left = rows_random_table(budget, rows_schema(&arena, left_ddl), 20, &random, flavour);
  right = rows_random_table(budget, rows_schema(&arena, right_ddl), 15, &random, flavour);
}

static void free_tables(void) {
  tm_batch_release(left);
  tm_batch_release(right);
}

static harness_case case_of(tm_value options) {
  return (harness_case){.verb = "join", .role = TM_ROLE_STEP, .input_count = 2,
                        .inputs = {left, right}, .options = options, .ordinals = true};
}

static tm_bind bind_of(tm_value options) {
  harness_case c = case_of(options);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  return bind;
}

static const char *output_of(tm_value options) {
  return tm_schema_text(&arena, bind_of(options).output);
}

Test(join_bind, columns_and_types_by_kind) {
  make_tables("id int32 not null, a int64 not null, b string",
              "id int64 not null, c bool not null, d date");
  tm_value on = v_text("id");
  static const char *const outputs[][2] = {
    {"inner", "id int32 not null, a int64 not null, b string, c bool not null, d date"},
    {"left", "id int32 not null, a int64 not null, b string, c bool, d date"},
    {"right", "id int64 not null, a int64, b string, c bool not null, d date"},
    {"full", "id int64 not null, a int64, b string, c bool, d date"},
    {"semi", "id int32 not null, a int64 not null, b string"},
    {"anti", "id int32 not null, a int64 not null, b string"},
  };
  for (size_t i = 0; i < 6; i++) {
    tm_value options = V_TABLE(&arena, {"on", on}, {"kind", v_text(outputs[i][0])});
    cr_expect_str_eq(output_of(options), outputs[i][1], "%s", outputs[i][0]);
  }
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", on})), outputs[0][1], "inner is the default");
  free_tables();
}

Test(join_bind, keys_of_other_names_both_stay) {
  make_tables("id int32, a int64", "key int32, c bool");
  tm_value pairs = V_TABLE(&arena, {"id", v_text("key")});
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", pairs})),
                   "id int32, a int64, key int32, c bool");
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", pairs}, {"kind", v_text("full")})),
                   "id int32, a int64, key int32, c bool");
  free_tables();
}

Test(join_bind, take_and_prefix) {
  make_tables("id int32, name string", "id int32, name string, city string, zip int32");
  tm_value renamed = V_TABLE(&arena, {"name", v_text("town")}, {"from", v_text("city")});
  tm_value on = v_text("id");
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", on}, {"take", V_LIST(&arena, renamed)})),
                   "id int32, name string, town string");
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", on}, {"take", v_text("zip")})),
                   "id int32, name string, zip int32");
  tm_value take = V_LIST(&arena, v_text("id"), v_text("zip"));
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", on}, {"take", take})),
                   "id int32, name string, zip int32", "a shared key is there already");
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", on}, {"prefix", v_text("r_")})),
                   "id int32, name string, r_name string, r_city string, r_zip int32");
  cr_expect_str_eq(output_of(V_TABLE(&arena, {"on", on}, {"prefix", v_text("r_")},
                                     {"take", V_LIST(&arena, v_text("city"))})),
                   "id int32, name string, r_city string");
  free_tables();
}

Test(join_bind, a_taken_key_comes_with_a_name_of_its_own) {
  make_tables("id int32, a int64", "id int32, c bool");
  tm_value copy = V_TABLE(&arena, {"name", v_text("other")}, {"from", v_text("id")});
  tm_value options = V_TABLE(&arena, {"on", v_text("id")}, {"take", V_LIST(&arena, copy)},
                             {"kind", v_text("left")});
  cr_expect_str_eq(output_of(options), "id int32, a int64, other int32");
  harness_case c = case_of(options);
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 100};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0);
  for (size_t i = 0; i < r.rows.count; i++) { /* the same value, or none */
    const char *row = r.rows.texts[i], *last = strrchr(row, '|') + 1;
    size_t size = strcspn(row, "|");
    bool same = strlen(last) == size && memcmp(last, row, size) == 0;
    cr_expect(same || strcmp(last, "null") == 0, "%s", row);
  }
  harness_result_clear(&r);
  free_tables();
}

static uint32_t built(uint64_t left_rows, uint64_t right_rows, tm_value options) {
  harness_case c = case_of(options);
  c.input_rows[0] = left_rows;
  c.input_rows[1] = right_rows;
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  return ((const join_plan *)bind.plan)->build;
}

Test(join_bind, builds_the_smaller_side) {
  make_tables("id int32", "id int32");
  tm_value on = V_TABLE(&arena, {"on", v_text("id")});
  cr_expect_eq(built(0, 0, on), 1);
  cr_expect_eq(built(10, 0, on), 1, "the right one where a size is unknown");
  cr_expect_eq(built(0, 10, on), 1);
  cr_expect_eq(built(10, 1000, on), 0);
  cr_expect_eq(built(1000, 10, on), 1);
  cr_expect_eq(built(10, 15, on), 1, "not for a small difference");
  tm_value scalar =
      V_TABLE(&arena, {"on", v_table(&arena, NULL, 0, NULL, 0)}, {"prefix", v_text("r")});
  cr_expect_eq(built(10, 1000, scalar), 1);
  free_tables();
}

static void refuse(tm_value options, int code, const char *message, const char *note) {
  harness_case c = case_of(options);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", message);
  cr_expect_eq(err.code, code);
  cr_expect_str_eq(err.message, message);
  cr_expect_str_eq(err.note, note);
}

Test(join_bind, refuses_what_cannot_be_joined) {
  make_tables("id int32, name string", "id int32, city string, born date");
  tm_value on = v_text("id");
  refuse(V_TABLE(&arena, {"kind", v_text("left")}), TM_E_VALUE,
         "join wants on = \"column\", a list, { left = \"right\" }, or {}", "");
  refuse(V_TABLE(&arena, {"on", on}, {"kind", v_text("lefft")}), TM_E_VALUE,
         "join: unknown kind 'lefft'", "did you mean 'left'?");
  refuse(V_TABLE(&arena, {"on", v_text("idd")}), TM_E_FIELD, "unknown column 'idd' (has: id, name)",
         "did you mean 'id'?");
  refuse(V_TABLE(&arena, {"on", V_TABLE(&arena, {"id", v_text("citty")})}), TM_E_FIELD,
         "unknown column 'citty' (has: id, city, born)", "did you mean 'city'?");
  refuse(V_TABLE(&arena, {"on", V_TABLE(&arena, {"name", v_text("born")})}), TM_E_TYPE,
         "join: 'name' is string, 'born' is date: they cannot be equal", "");
  refuse(V_TABLE(&arena, {"on", V_LIST(&arena, v_int(1))}), TM_E_VALUE,
         "join: 'on' lists names of columns", "");
  refuse(V_TABLE(&arena, {"on", on}, {"take", V_LIST(&arena, v_bool(true))}), TM_E_VALUE,
         "join: 'take' lists names of columns", "");
  refuse(V_TABLE(&arena, {"on", on}, {"ttl", v_text("never")}), TM_E_VALUE,
         "join: 'ttl' is a duration, as \"1d\"", "");
  free_tables();
}

Test(join_bind, needs_keys_and_what_the_condition_reads) {
  make_tables("id int32, a int32, b string", "id int32, c int32, d string");
  row_function f = row_function_make("a, r.c", NULL, NULL, false, 1);
  harness_case c = case_of(V_TABLE(&arena, {"on", v_text("id")}));
  c.needed = "b";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "id b");
  free(needs);
  needs = harness_needs(&c, 1);
  cr_expect_str_eq(needs, "id");
  free(needs);
  c.options = V_TABLE(&arena, {"on", v_text("id")}, {"where", v_function(&f)});
  c.needed = "d";
  needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "id a");
  free(needs);
  needs = harness_needs(&c, 1);
  cr_expect_str_eq(needs, "id c d");
  free(needs);
  free_tables();
}

/* Filters move by `passes`: a key that may come from either side passes from neither. */
Test(join_bind, passes_what_is_unchanged) {
  make_tables("id int32, a int32", "id int32, b int32");
  tm_bind inner = bind_of(V_TABLE(&arena, {"on", v_text("id")}));
  cr_expect(inner.passes[0][0] == 0 && inner.passes[0][1] == 1 && inner.passes[0][2] == -1);
  cr_expect(inner.passes[1][0] == -1 && inner.passes[1][2] == 1);
  tm_bind outer = bind_of(V_TABLE(&arena, {"on", v_text("id")}, {"kind", v_text("left")}));
  cr_expect(outer.passes[0][1] == 1 && outer.passes[1][2] == -1, "the right side may be null");
  tm_bind full = bind_of(V_TABLE(&arena, {"on", v_text("id")}, {"kind", v_text("full")}));
  cr_expect(full.passes[0][0] == -1 && full.passes[0][1] == -1 && full.passes[1][2] == -1);
  free_tables();
}

/* Keys whose common type would need 39 digits: one that does not fit equals nothing; kinds that
 * would have to give it out are refused. */
Test(join_bind, keys_of_too_many_digits_match_nothing) {
  left = rows_batch(budget, rows_schema(&arena, "k decimal(38,0), a int32"),
                    "1|1\n99999999999999999999999999999999999999|2");
  right = rows_batch(budget, rows_schema(&arena, "k decimal(10,1), b int32"), "1|3\n0.5|4");
  harness_case c = case_of(V_TABLE(&arena, {"on", v_text("k")}, {"kind", v_text("left")}));
  rows_list rows = {0};
  rows_list_add(&rows, strdup("1|1|3"));
  rows_list_add(&rows, strdup("99999999999999999999999999999999999999|2|null"));
  harness_check(&c, &(harness_expected){.rows = &rows, .label = "digits"});
  rows_list_clear(&rows);
  refuse(V_TABLE(&arena, {"on", v_text("k")}, {"kind", v_text("full")}), TM_E_TYPE,
         "join: 'k' is decimal(38,0) and decimal(10,1): no column holds the keys of both", "");
  free_tables();
}

/* ---------------------------------------------------------------- books and refusals */

static tm_ledger books_of(const char *kind, uint32_t build, uint32_t lanes) {
  harness_case c = case_of(V_TABLE(&arena, {"on", v_text("id")}, {"kind", v_text(kind)}));
  c.input_rows[0] = 10;
  c.input_rows[1] = build == 0 ? 100 : 10;
  harness_mode mode = {.seed = 3, .lanes = lanes, .batch_rows = 2};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0);
  harness_result_clear(&r);
  return r.ledger;
}

/* Left: 1 matches twice, 2 once, 3 and null never. Right: 9 and null never. Whichever is built. */
Test(join_bind, books_do_not_depend_on_the_side) {
  left = rows_batch(budget, rows_schema(&arena, "id int32, a int32"), "1|0\n2|0\n3|0\nnull|0\n1|1");
  right = rows_batch(budget, rows_schema(&arena, "id int32, b int32"),
                     "1|0\n1|1\n2|2\n9|3\nnull|4");
  /* passed, produced, unmatched, filtered */
  static const struct {
    const char *kind;
    uint64_t passed, produced, unmatched, filtered;
  } books[] = {
      {"inner", 5, 2, 2, 0}, {"left", 7, 2, 0, 0}, {"right", 7, 4, 2, 0},
      {"full", 9, 4, 0, 0},  {"semi", 3, 0, 2, 0}, {"anti", 2, 0, 0, 3},
  };
  for (size_t i = 0; i < 6; i++) {
    for (uint32_t build = 0; build < 2; build++) {
      for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
        tm_ledger l = books_of(books[i].kind, build, lanes);
        cr_expect_eq(l.in, 10);
        cr_expect_eq(l.absorbed, 5, "%s: the right side is absorbed", books[i].kind);
        cr_expect_eq(l.passed, books[i].passed, "%s", books[i].kind);
        cr_expect_eq(l.produced, books[i].produced, "%s %u: %llu", books[i].kind, build,
                     (unsigned long long)l.produced);
        cr_expect_eq(l.unmatched, books[i].unmatched, "%s", books[i].kind);
        cr_expect_eq(l.filtered, books[i].filtered, "%s", books[i].kind);
      }
    }
  }
  free_tables();
}

static void raise_on_three(row_call *c) {
  if (row_int(c, 1) == 3) c->refuse = "three";
  else row_set_int(c, 0, 1);
}

/* A pair of which the condition raises is refused: with both rows, and the probing row's place. */
Test(join_bind, a_condition_that_raises_refuses_the_pair) {
  left = rows_batch(budget, rows_schema(&arena, "id int32, a int32"), "1|10\n2|20\n3|30");
  right = rows_batch(budget, rows_schema(&arena, "id int32, b int32"), "1|3\n1|4\n2|5");
  row_function f = row_function_make("a, r.b", NULL, raise_on_three, true, 20);
  harness_case c = case_of(V_TABLE(&arena, {"on", v_text("id")}, {"where", v_function(&f)},
                                   {"kind", v_text("left")}));
  rows_list rows = {0}, rejects = {0};
  rows_list_add(&rows, strdup("1|10|4"));
  rows_list_add(&rows, strdup("2|20|5"));
  rows_list_add(&rows, strdup("3|30|null"));
  rows_list_add(&rejects, strdup("lua|three|1|21|{\"id\":1,\"a\":10,\"id\":1,\"b\":3}"));
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "raising"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  free_tables();
}
