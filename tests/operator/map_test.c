/* tests/operator/map_test.c: a new row from each row, none where nil is returned. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(map, .init = setup, .fini = teardown);

/* Drops nulls, refuses multiples of five. */
static void convert(row_call *c) {
  char text[64];
  if (row_is_null(c, 0)) {
    c->keep = false;
    return;
  }
  int64_t x = row_int(c, 0);
  if (x % 5 == 0) {
    c->refuse = "five";
    c->reason = TM_REASON_DECIMAL;
    return;
  }
  (void)snprintf(text, sizeof text, "%d comes with a long text", (int)x);
  row_set_text(c, 0, text);
  row_set_int(c, 1, x * x);
}

static tm_batch *table_of(uint32_t rows) {
  rows_random random = rows_seed(rows);
  return rows_random_table(budget, rows_schema(&arena, "s string, x int32"), rows, &random,
                           (rows_flavour){.distinct = 12, .null_percent = 25});
}

static harness_case case_of(const tm_batch *table, row_function *f) {
  return (harness_case){.verb = "map", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                        .ordered_input = true, .ordinals = true,
                        .options = V_TABLE(&arena, {"f", v_function(f)})};
}

Test(map, makes_rows_drops_and_refuses) {
  tm_batch *table = table_of(50);
  row_function f = row_function_make("x", "text string, square int64 not null", convert, true, 5);
  harness_case c = case_of(table, &f);
  rows_list rows = {0}, rejects = {0};
  uint64_t nulls = 0;
  for (uint32_t row = 0; row < table->rows; row++) {
    char line[256];
    int x = ((int32_t *)table->columns[1].data)[row];
    if (tm_column_is_null(&table->columns[1], row)) {
      nulls++;
    } else if (x % 5 != 0) {
      (void)snprintf(line, sizeof line, "'%d comes with a long text'|%d", x, x * x);
      rows_list_add(&rows, strdup(line));
    }
  }
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 9};
  harness_result r = harness_run(&c, &mode);
  cr_expect_eq(r.ledger.filtered, nulls);
  cr_expect_eq(r.ledger.rejected, 50 - nulls - rows.count);
  rows_list_append(&rejects, &r.rejects);
  harness_result_clear(&r);
  cr_assert_gt(rejects.count, 0);
  cr_expect(strncmp(rejects.texts[0], "decimal|five|", 13) == 0, "%s", rejects.texts[0]);
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "map"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  tm_batch_release(table);
}

static void nothing(row_call *c) { c->keep = false; }

Test(map, may_drop_every_row) {
  tm_batch *table = table_of(20);
  row_function f = row_function_make("", "a int64", nothing, false, 5);
  harness_case c = case_of(table, &f);
  rows_list none = {0};
  harness_sweep(&c, &(harness_expected){.rows = &none, .label = "none"});
  tm_batch_release(table);
}

Test(map, refuses_a_function_without_columns) {
  tm_batch *table = table_of(1);
  row_function f = row_function_make("x", NULL, convert, false, 5);
  harness_case c = case_of(table, &f);
  tm_bind bind;
  tm_error err = {0};
  cr_expect_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, TM_E_UNTYPED);
  c.options = (tm_value){.kind = TM_VALUE_NIL};
  err = (tm_error){0};
  cr_expect_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, TM_E_VALUE);
  tm_batch_release(table);
}
