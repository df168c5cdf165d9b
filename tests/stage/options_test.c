/* tests/stage/options_test.c: options against their table, and the readers. */
#include <criterion/criterion.h>
#include <string.h>

#include "stage/options.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"
#include "tests/support/values.h"

TestSuite(options, .init = setup, .fini = teardown);

static const tm_option table[] = {
  {"delimiter", "text", ",", "one character", NULL},
  {"rows", "int", NULL, NULL, NULL},
  {"rate", "float", NULL, NULL, NULL},
  {"header", "bool", "true", NULL, NULL},
  {"idle", "duration", NULL, "how long", NULL},
  {"block", "size", NULL, NULL, NULL},
  {"columns", "text|list", NULL, NULL, NULL},
  {"f", "function", NULL, NULL, NULL},
  {"bad", "flow", NULL, NULL, NULL},
  {"fields", "table", NULL, NULL, NULL},
  {"anything", "any", NULL, NULL, NULL},
  {"window", "any", NULL, NULL, "windows come with streams"},
  {NULL, NULL, NULL, NULL, NULL},
};

static tm_error check(tm_value given) {
  tm_error err = {0};
  int done = tm_options_check(table, &given, "tm.csv", &err);
  cr_expect_eq(done < 0, err.code != TM_E_NONE);
  return err;
}

static tm_error check_one(const char *name, tm_value value) {
  value.script_line = 33;
  return check(V_TABLE(&arena, {name, value}));
}

Test(options, takes_what_fits) {
  tm_value duration = {.kind = TM_VALUE_DURATION, .integer = 5};
  tm_value secret = {.kind = TM_VALUE_SECRET, .text = "s", .size = 1};
  const struct { const char *name; tm_value value; } good[] = {
    {"delimiter", v_text(";")}, {"delimiter", secret}, {"rows", v_int(-3)}, {"rate", v_float(0.5)},
    {"rate", v_int(2)}, {"header", v_bool(false)}, {"idle", v_text("1h30m")}, {"idle", duration},
    {"block", v_text("64M")}, {"block", v_int(1)}, {"columns", v_text("a")},
    {"columns", V_LIST(&arena, v_text("a"))}, {"f", v_function(&arena)}, {"bad", v_node(3)},
    {"fields", V_TABLE(&arena, {"a", v_int(1)})}, {"anything", v_float(1)}, {"window", v_nil()},
    {"rows", v_nil()},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    tm_error err = check_one(good[i].name, good[i].value);
    cr_expect_eq(err.code, TM_E_NONE, "%s: %s", good[i].name, err.message);
  }
}

Test(options, refuses_what_does_not_fit) {
  tm_value date = {.kind = TM_VALUE_DATE, .integer = 5};
  const struct { const char *name; tm_value value; const char *message; } wrong[] = {
    {"delimiter", v_int(1), "option 'delimiter' of tm.csv is a text, not an integer"},
    {"rows", v_text("3"), "option 'rows' of tm.csv is an int, not \"3\""},
    {"rows", v_float(1.5), NULL}, {"header", v_text("yes"), NULL}, {"idle", v_text("soon"), NULL},
    {"idle", v_int(3), NULL}, {"block", v_int(0), NULL}, {"block", v_int(-1), NULL},
    {"block", v_text("much"), NULL}, {"columns", V_TABLE(&arena, {"a", v_int(1)}), NULL},
    {"f", v_text("f"), NULL}, {"bad", v_text("x.csv"), NULL}, {"fields", v_int(1), NULL},
    {"delimiter", date, NULL}, {"rate", v_text("1"), NULL},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    tm_error err = check_one(wrong[i].name, wrong[i].value);
    cr_expect_eq(err.code, TM_E_VALUE, "%s: %d %s", wrong[i].name, err.code, err.message);
    if (wrong[i].message != NULL) cr_expect_str_eq(err.message, wrong[i].message);
    cr_expect_str_eq(err.token, wrong[i].name);
    cr_expect_eq(err.script_line, 33);
  }
  cr_expect_str_eq(check_one("idle", v_text("soon")).help, "idle: how long");
}

Test(options, names_the_nearest_of_an_unknown_one) {
  tm_error err = check_one("delimeter", v_text(";"));
  cr_expect_eq(err.code, TM_E_OPTION);
  cr_expect_str_eq(err.message, "unknown option 'delimeter' of tm.csv");
  cr_expect_str_eq(err.note, "did you mean 'delimiter'?");
  cr_expect_str_eq(err.token, "delimeter");
  cr_expect_eq(err.script_line, 33);
  err = check_one("zzz", v_text(";"));
  cr_expect_eq(err.code, TM_E_OPTION);
  cr_expect_str_empty(err.note);
}

Test(options, refuses_what_comes_later_and_positional_entries) {
  tm_error err = check_one("window", v_text("1m"));
  cr_expect_eq(err.code, TM_E_UNSUPPORTED);
  cr_expect_str_eq(err.help, "windows come with streams");
  err = check(V_LIST(&arena, v_text("a")));
  cr_expect_eq(err.code, TM_E_OPTION);
}

Test(options, readers_convert_and_fall_back) {
  tm_value duration = {.kind = TM_VALUE_DURATION, .integer = 77};
  tm_value given = V_TABLE(&arena, {"header", v_bool(true)}, {"rows", v_int(9)},
                           {"idle", v_text("2s")}, {"none", v_nil()}, {"ttl", duration},
                           {"f", v_function(&arena)});
  cr_expect(tm_options_bool(&given, "header", false));
  cr_expect(tm_options_bool(&given, "missing", true));
  cr_expect_not(tm_options_bool(&given, "none", false));
  cr_expect_eq(tm_options_int(&given, "rows", 1), 9);
  cr_expect_eq(tm_options_int(&given, "none", 4), 4);
  cr_expect_eq(tm_options_duration(&given, "idle", 1), 2000000);
  cr_expect_eq(tm_options_duration(&given, "ttl", 1), 77);
  cr_expect_eq(tm_options_duration(&given, "missing", -5), -5);
  cr_expect_eq((const void *)tm_options_function(&given, "f"), &arena);
  cr_expect_null(tm_options_function(&given, "rows"));
}

Test(options, columns_are_found_in_the_schema) {
  tm_schema *schema = rows_schema(&arena, "a int32, price int64, c string");
  tm_value given =
      V_TABLE(&arena, {"one", v_text("price")}, {"empty", V_TABLE(&arena, {"x", v_int(1)})},
              {"two", V_LIST(&arena, v_text("c"), v_text("a"))},
              {"wrong", V_LIST(&arena, v_text("c"), v_text("prise"))},
              {"number", V_LIST(&arena, v_int(1))});
  uint32_t *columns;
  tm_error err = {0};
  cr_assert_eq(tm_options_columns(&given, "one", schema, &arena, &columns, &err), 1);
  cr_expect_eq(columns[0], 1);
  cr_assert_eq(tm_options_columns(&given, "two", schema, &arena, &columns, &err), 2);
  cr_expect(columns[0] == 2 && columns[1] == 0);
  cr_expect_eq(tm_options_columns(&given, "missing", schema, &arena, &columns, &err), 0);
  cr_expect_null(columns);
  cr_expect_lt(tm_options_columns(&given, "wrong", schema, &arena, &columns, &err), 0);
  cr_expect_eq(err.code, TM_E_FIELD);
  cr_expect_str_eq(err.note, "did you mean 'price'?");
  err = (tm_error){0};
  cr_expect_lt(tm_options_columns(&given, "number", schema, &arena, &columns, &err), 0);
  cr_expect_eq(err.code, TM_E_VALUE);
}
