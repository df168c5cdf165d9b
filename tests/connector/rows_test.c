/* tests/connector/rows_test.c: rows of the script: values, types, what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(rows, .init = setup, .fini = teardown);

static harness_case case_of(const char *ddl, tm_value rows) {
  return (harness_case){.verb = "rows", .ordinals = true,
                        .options = V_TABLE(&arena, {"schema", v_text(ddl)}, {"rows", rows})};
}

static tm_value decimal(int64_t digits, int scale) {
  return (tm_value){.kind = TM_VALUE_DECIMAL, .decimal = digits, .scale = scale};
}
static tm_value date(int64_t days) { return (tm_value){.kind = TM_VALUE_DATE, .integer = days}; }
static tm_value instant(int64_t us) { return (tm_value){.kind = TM_VALUE_TIMESTAMP, .integer =
                                                        us}; }

Test(rows, every_piece_comes_once) {
  tm_value items[50];
  rows_list expected = {0};
  for (int i = 0; i < 50; i++) {
    char text[80];
    bool null = i % 7 == 3;
    items[i] = V_TABLE(&arena, {"id", v_int(i)}, {"name", null ?
                                                  v_nil() : v_text("a name of more than twelve")});
    sprintf(text, null ? "%d|null" : "%d|'a name of more than twelve'", i);
    rows_list_add(&expected, strdup(text));
  }
  harness_case c = case_of("id int64 not null, name string", v_table(&arena, items, 50, NULL, 0));
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "rows"});
  rows_list_clear(&expected);
}

Test(rows, values_of_every_type) {
  rows_list expected = {0};
  rows_list_add(&expected, strdup("true|7|2.0|12.50|0.10|'s'|'b'|19000|1500000"));
  rows_list_add(&expected, strdup("false|-3|0.5|3.00|99.00|''|''|0|-1000000"));
  rows_list_add(&expected, strdup("null|null|null|null|null|null|null|null|null"));
  harness_case c = case_of(
      "a bool, b int32, c float64, d decimal(6,2), e decimal(30,2), f string, g bytes, h date, i "
          "timestamp",
      V_LIST(&arena,
             V_TABLE(&arena, {"a", v_bool(true)}, {"b", v_float(7.0)}, {"c", v_int(2)},
                     {"d", decimal(125, 1)}, {"e", v_text("0.1")},
                     {"f", v_text("s")}, {"g", v_text("b")}, {"h", date(19000)},
                         {"i", instant(1500000)}),
             V_TABLE(&arena, {"a", v_bool(false)}, {"b", v_int(-3)}, {"c", v_float(0.5)},
                     {"d", v_int(3)}, {"e", v_int(99)},
                     {"f", v_text("")}, {"g", v_text("")}, {"h", v_text("1970-01-01")},
                         {"i", v_text("1969-12-31T23:59:59Z")}),
             v_table(&arena, NULL, 0, NULL, 0)));
  harness_check(&c, &(harness_expected){.rows = &expected, .ordered = false, .label = "types"});
  rows_list_clear(&expected);
}

static void expect_refused(const char *ddl, tm_value row, tm_error_code code, const char *part) {
  harness_case c = case_of(ddl, V_LIST(&arena, v_table(&arena, NULL, 0, NULL, 0), row));
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 10, &bind, &err), -1, "%s", part);
  cr_expect_eq(err.code, (int)code, "%s", err.message);
  cr_expect_not_null(strstr(err.message, part), "'%s' is not in '%s'", part, err.message);
}

Test(rows, what_does_not_fit_is_told_with_its_row) {
  expect_refused("a int64", V_TABLE(&arena, {"a", v_text("x")}), TM_E_TYPE,
                 "row 2 of tm.rows: 'a' is a string, not int64");
  expect_refused("a int64", V_TABLE(&arena, {"a", v_float(1.5)}), TM_E_TYPE, "row 2");
  expect_refused("a int64", V_TABLE(&arena, {"a", v_float(1e300)}), TM_E_VALUE, "out of range");
  expect_refused("a int32", V_TABLE(&arena, {"a", v_int(INT64_C(3000000000))}), TM_E_VALUE,
                 "out of range for int32");
  expect_refused("a decimal(4,1)", V_TABLE(&arena, {"a", decimal(125, 2)}), TM_E_VALUE,
                 "more digits");
  expect_refused("a decimal(4,1)", V_TABLE(&arena, {"a", v_int(1000)}), TM_E_VALUE, "out of range");
  expect_refused("a decimal(4,1)", V_TABLE(&arena, {"a", v_float(1)}), TM_E_TYPE, "decimal(4,1)");
  expect_refused("a bool", V_TABLE(&arena, {"a", v_int(1)}), TM_E_TYPE, "bool");
  expect_refused("a string", V_TABLE(&arena, {"a", v_text("\xff")}), TM_E_VALUE, "UTF-8");
  expect_refused("a string", V_TABLE(&arena, {"a", v_int(1)}), TM_E_TYPE, "string");
  expect_refused("a date", V_TABLE(&arena, {"a", v_text("2026-02-30")}), TM_E_TYPE, "date");
  expect_refused("a timestamp('Europe/Berlin')",
                 V_TABLE(&arena, {"a", v_text("2026-03-29 02:30:00")}), TM_E_VALUE,
                     "does not exist");
  expect_refused("a int64", V_TABLE(&arena, {"b", v_int(1)}), TM_E_FIELD, "unknown column 'b'");
  expect_refused("a int64", v_int(1), TM_E_VALUE, "no table");
}

Test(rows, not_null_means_there) {
  harness_case c = case_of("a int64 not null",
                           V_LIST(&arena, V_TABLE(&arena, {"a", v_int(1)}),
                                  v_table(&arena, NULL, 0, NULL, 0)));
  tm_bind bind;
  tm_error err = {0};
  cr_expect_eq(harness_bind(&c, &arena, 10, &bind, &err), -1);
  cr_expect_str_eq(err.message, "row 2 of tm.rows: 'a' is missing, and is not null");
}

Test(rows, none_at_all) {
  rows_list expected = {0};
  harness_case c = case_of("a int64", V_LIST(&arena, v_nil()));
  c.options = V_TABLE(&arena, {"schema", v_text("a int64")});
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "none"});
}
