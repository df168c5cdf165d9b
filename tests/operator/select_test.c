/* tests/operator/select_test.c: select, drop and rename. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(select, .init = setup, .fini = teardown);

static tm_batch *table_of(uint32_t rows) {
  rows_random random = rows_seed(rows);
  return rows_random_table(budget, rows_schema(&arena, "a int64, b string, c float64, d bool"),
                           rows, &random, (rows_flavour){.null_percent = 20, .odd = true});
}

static tm_value renamed(const char *name, const char *from) {
  return V_TABLE(&arena, {"name", v_text(name)}, {"from", v_text(from)});
}

static harness_case case_of(const char *verb, const tm_batch *table, tm_value columns) {
  return (harness_case){.verb = verb, .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                        .ordered_input = true, .options = V_TABLE(&arena, {"columns", columns})};
}

static char *output_of(const harness_case *c) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  return tm_schema_text(&arena, bind.output);
}

static void expect_rows(const harness_case *c, const tm_batch *table, const uint32_t *from,
                        uint32_t count) {
  rows_list expected = {0};
  for (uint32_t row = 0; row < table->rows; row++) {
    char *line = calloc(1, 4096);
    for (uint32_t i = 0; i < count; i++) {
      char *cell = rows_cell_text(&table->columns[from[i]], row);
      if (i > 0) strcat(line, "|");
      strncat(line, cell, 1000);
      free(cell);
    }
    rows_list_add(&expected, line);
  }
  harness_sweep(c, &(harness_expected){.rows = &expected, .label = c->verb});
  rows_list_clear(&expected);
}

Test(select, chooses_and_names) {
  tm_batch *table = table_of(30);
  tm_value columns = V_LIST(&arena, v_text("c"), renamed("first", "a"), v_text("a"));
  harness_case c = case_of("select", table, columns);
  cr_expect_str_eq(output_of(&c), "c float64, first int64, a int64");
  expect_rows(&c, table, (const uint32_t[]){2, 0, 0}, 3);
  c.needed = "first";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "a");
  free(needs);
  tm_batch_release(table);
}

Test(select, drop_keeps_the_rest) {
  tm_batch *table = table_of(31);
  harness_case c = case_of("drop", table, V_LIST(&arena, v_text("c"), v_text("a")));
  cr_expect_str_eq(output_of(&c), "b string, d bool");
  expect_rows(&c, table, (const uint32_t[]){1, 3}, 2);
  tm_batch_release(table);
}

Test(select, rename_keeps_the_order) {
  tm_batch *table = table_of(32);
  harness_case c = case_of("rename", table, V_LIST(&arena, renamed("b", "a"), renamed("a", "b")));
  cr_expect_str_eq(output_of(&c), "b int64, a string, c float64, d bool");
  expect_rows(&c, table, (const uint32_t[]){0, 1, 2, 3}, 4);
  tm_batch_release(table);
}

Test(select, leaves_what_nobody_needs) {
  tm_batch *table = table_of(20);
  harness_case c = case_of("select", table, V_LIST(&arena, v_text("d"), v_text("b")));
  c.needed = "b";
  rows_list expected = {0};
  for (uint32_t row = 0; row < table->rows; row++) {
    char *line = calloc(1, 4096), *cell = rows_cell_text(&table->columns[1], row);
    strcat(line, "-|");
    strncat(line, cell, 1000);
    free(cell);
    rows_list_add(&expected, line);
  }
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "needed"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

static void refuse(const char *verb, const tm_batch *table, tm_value columns, int code,
                   const char *message) {
  harness_case c = case_of(verb, table, columns);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, code);
  cr_expect_str_eq(err.message, message);
}

Test(select, refuses_what_is_no_column) {
  tm_batch *table = table_of(1);
  refuse("select", table, V_LIST(&arena, v_text("e")), TM_E_FIELD,
         "unknown column 'e' (has: a, b, c, d)");
  refuse("rename", table, V_LIST(&arena, renamed("x", "y")), TM_E_FIELD,
         "unknown column 'y' (has: a, b, c, d)");
  refuse("select", table, V_LIST(&arena, v_int(1)), TM_E_VALUE,
         "select wants names of columns, not a integer");
  refuse("drop", table, V_LIST(&arena, v_text("a"), v_text("b"), v_text("c"), v_text("d")),
         TM_E_COLUMNS, "drop leaves no column");
  refuse("select", table, v_table(&arena, NULL, 0, NULL, 0), TM_E_VALUE,
         "select wants names of columns");
  tm_batch_release(table);
}
