/* tests/operator/check_test.c: rows for which a condition does not hold are refused by name. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(check, .init = setup, .fini = teardown);

static void small(row_call *c) {
  if (row_is_null(c, 0)) c->refuse = "nil is not small";
  else row_set_int(c, 0, row_int(c, 0) < 6);
}

static tm_batch *table_of(uint32_t rows) {
  rows_random random = rows_seed(rows);
  return rows_random_table(budget, rows_schema(&arena, "x int32, n int32 not null"), rows, &random,
                           (rows_flavour){.distinct = 12, .null_percent = 25});
}

static harness_case case_of(const tm_batch *table, row_function *f, const char *name) {
  return (harness_case){.verb = "check", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                        .ordered_input = true, .ordinals = true,
                        .options = V_TABLE(&arena, {"f", v_function(f)}, {"name", v_text(name)})};
}

Test(check, refuses_by_name_and_where_it_raises) {
  tm_batch *table = table_of(40);
  row_function f = row_function_make("x", NULL, small, true, 9);
  harness_case c = case_of(table, &f, "x is small");
  rows_list rows = {0}, rejects = {0};
  for (uint32_t row = 0; row < table->rows; row++) {
    bool null = tm_column_is_null(&table->columns[0], row);
    int x = ((int32_t *)table->columns[0].data)[row], n = ((int32_t *)table->columns[1].data)[row];
    char line[256];
    if (!null && x < 6) {
      rows_list_add(&rows, rows_text(table, row, NULL));
      continue;
    }
    if (null) {
      (void)snprintf(line, sizeof line, "lua|nil is not small|%u|10|{\"x\":null,\"n\":%d}", row + 1,
                     n);
    } else {
      (void)snprintf(line, sizeof line, "check|x is small|%u|9|{\"x\":%d,\"n\":%d}", row + 1, x, n);
    }
    rows_list_add(&rejects, strdup(line));
  }
  cr_assert_gt(rows.count, 5);
  cr_assert_gt(rejects.count, 5);
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "check"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  tm_batch_release(table);
}

Test(check, wants_a_name_and_a_function) {
  tm_batch *table = table_of(1);
  row_function f = row_function_make("x", NULL, small, true, 9);
  harness_case c = case_of(table, &f, "name");
  tm_bind bind;
  tm_error err = {0};
  cr_expect_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect(bind.rejects);
  cr_expect_str_eq(bind.detail, "name");
  c.options = V_TABLE(&arena, {"f", v_function(&f)});
  cr_expect_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, TM_E_VALUE);
  err = (tm_error){0};
  c.options = V_TABLE(&arena, {"name", v_text("n")});
  cr_expect_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, TM_E_VALUE);
  tm_batch_release(table);
}
