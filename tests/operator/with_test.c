/* tests/operator/with_test.c: columns set by functions and constants. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(with, .init = setup, .fini = teardown);

static void twice(row_call *c) {
  if (row_is_null(c, 0)) row_set_null(c, 0);
  else row_set_int(c, 0, 2 * row_int(c, 0));
}

static void describe(row_call *c) {
  char text[64];
  if (row_is_null(c, 0)) row_set_null(c, 0);
  else {
    (void)snprintf(text, sizeof text, "the number %d, in words", (int)row_int(c, 0));
    row_set_text(c, 0, text);
  }
}

static void refuse_null(row_call *c) {
  if (row_is_null(c, 0)) c->refuse = "nil";
  else row_set_int(c, 0, row_int(c, 0) + 1);
}

static void refuse_even(row_call *c) {
  cr_assert(!row_is_null(c, 0), "it was refused before");
  if (row_int(c, 0) % 2 == 0) c->refuse = "even";
  else row_set_int(c, 0, 7);
}

static tm_batch *table_of(uint32_t rows) {
  rows_random random = rows_seed(rows);
  return rows_random_table(budget, rows_schema(&arena, "x int32, s string, y int64"), rows, &random,
                           (rows_flavour){.distinct = 12, .null_percent = 25});
}

static harness_case case_of(const tm_batch *table, tm_value fields) {
  return (harness_case){.verb = "with", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                        .ordered_input = true, .ordinals = true,
                        .options = V_TABLE(&arena, {"fields", fields})};
}

static char *output_of(const harness_case *c) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  return tm_schema_text(&arena, bind.output);
}

/* x doubled in place as int64, a text at the end, and constants of every kind. All functions see
 * the row as it came. */
Test(with, sets_in_place_and_at_the_end) {
  tm_batch *table = table_of(40);
  row_function f = row_function_make("x", "x int64", twice, false, 5);
  row_function g = row_function_make("x", "t string", describe, false, 6);
  tm_value nothing = V_LIST(&arena, v_nil(), v_text("date"));
  tm_value amount = {.kind = TM_VALUE_DECIMAL, .decimal = 1250, .scale = 2};
  harness_case c = case_of(table, V_TABLE(&arena, {"x", v_function(&f)}, {"t", v_function(&g)},
                                          {"k", v_int(3)}, {"none", nothing}, {"amount", amount},
                                          {"word", v_text("a constant that is long")}));
  cr_expect_str_eq(output_of(&c), "x int64, s string, y int64, amount decimal(4,2) not null, "
                                  "k int64 not null, none date, t string, word string not null");
  rows_list expected = {0};
  for (uint32_t row = 0; row < table->rows; row++) {
    char *s = rows_cell_text(&table->columns[1], row), *y = rows_cell_text(&table->columns[2], row);
    char line[512], x[32] = "null", t[64] = "null";
    if (!tm_column_is_null(&table->columns[0], row)) {
      int value = ((int32_t *)table->columns[0].data)[row];
      (void)snprintf(x, sizeof x, "%d", 2 * value);
      (void)snprintf(t, sizeof t, "'the number %d, in words'", value);
    }
    (void)snprintf(line, sizeof line, "%s|%s|%s|12.50|3|null|%s|'a constant that is long'", x, s, y,
                   t);
    rows_list_add(&expected, strdup(line));
    free(s);
    free(y);
  }
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "with"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

/* A row is refused once, by the first field (they come sorted by name) that raises. */
Test(with, a_row_is_refused_once) {
  tm_batch *table = table_of(40);
  row_function f = row_function_make("x", "a int64", refuse_null, true, 5);
  row_function g = row_function_make("x", "b int64", refuse_even, true, 6);
  harness_case c = case_of(table, V_TABLE(&arena, {"a", v_function(&f)}, {"b", v_function(&g)}));
  rows_list rows = {0}, rejects = {0};
  for (uint32_t row = 0; row < table->rows; row++) {
    bool null = tm_column_is_null(&table->columns[0], row);
    int value = ((int32_t *)table->columns[0].data)[row];
    char *s = rows_cell_text(&table->columns[1], row), *y = rows_cell_text(&table->columns[2], row);
    char line[512];
    if (!null && value % 2 != 0) {
      (void)snprintf(line, sizeof line, "%d|%s|%s|%d|7", value, s, y, value + 1);
      rows_list_add(&rows, strdup(line));
    }
    free(s);
    free(y);
  }
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 40};
  harness_result r = harness_run(&c, &mode);
  cr_expect_eq(r.ledger.rejected + rows.count, 40);
  cr_expect_eq(r.rejects.count, r.ledger.rejected);
  rows_list_append(&rejects, &r.rejects);
  harness_result_clear(&r);
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "refusing"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  tm_batch_release(table);
}

/* What nobody needs is not computed, unless it may refuse the row. */
Test(with, computes_what_is_needed_and_what_may_raise) {
  tm_batch *table = table_of(30);
  row_function f = row_function_make("x", "a int64", twice, false, 5);
  row_function g = row_function_make("y", "b int64", refuse_null, true, 6);
  harness_case c = case_of(table, V_TABLE(&arena, {"a", v_function(&f)}, {"b", v_function(&g)}));
  c.needed = "s";
  c.skip_rejects = true;
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "s y", "x is read by a function that cannot raise: %s", needs);
  free(needs);
  rows_list rows = {0}, rejects = {0};
  for (uint32_t row = 0; row < table->rows; row++) {
    if (tm_column_is_null(&table->columns[2], row)) continue;
    char *s = rows_cell_text(&table->columns[1], row), line[512];
    (void)snprintf(line, sizeof line, "-|%s|-|-|-", s);
    rows_list_add(&rows, strdup(line));
    free(s);
  }
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 40};
  harness_result r = harness_run(&c, &mode);
  rows_list_append(&rejects, &r.rejects);
  harness_result_clear(&r);
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "needed"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  tm_batch_release(table);
}

static void refuse(const tm_batch *table, tm_value fields, int code) {
  harness_case c = case_of(table, fields);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, code, "E%d %s", err.code, err.message);
}

Test(with, refuses_what_has_no_type) {
  tm_batch *table = table_of(1);
  row_function unknown = row_function_make("z", "a int64", twice, false, 5);
  row_function untyped = row_function_make("x", NULL, twice, false, 5);
  refuse(table, V_TABLE(&arena, {"a", v_nil()}), TM_E_UNTYPED);
  refuse(table, V_TABLE(&arena, {"a", V_LIST(&arena, v_int(1), v_text("nonsense"))}), TM_E_SCHEMA);
  refuse(table, V_TABLE(&arena, {"a", V_LIST(&arena, v_int(1), v_text("string"))}), TM_E_TYPE);
  refuse(table, V_TABLE(&arena, {"a", V_LIST(&arena, v_int(1))}), TM_E_VALUE);
  refuse(table, V_TABLE(&arena, {"a", v_function(&unknown)}), TM_E_FIELD);
  refuse(table, V_TABLE(&arena, {"a", v_function(&untyped)}), TM_E_UNTYPED);
  refuse(table, v_table(&arena, NULL, 0, NULL, 0), TM_E_VALUE);
  tm_batch_release(table);
}
