/* tests/operator/limit_test.c: the first rows, and no more than those. */
#include <criterion/criterion.h>

#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(limit, .init = setup, .fini = teardown);

static tm_batch *table_of(uint32_t rows) {
  rows_random random = rows_seed(rows);
  return rows_random_table(budget, rows_schema(&arena, "a int64, s string"), rows, &random,
                           (rows_flavour){.null_percent = 20, .odd = true});
}

Test(limit, keeps_the_first_rows) {
  tm_batch *table = table_of(40);
  for (uint32_t n = 0; n <= 50; n += 10) {
    harness_case c = {.verb = "limit", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                      .ordered_input = true, .options = V_TABLE(&arena, {"n", v_int(n)})};
    rows_list expected = {0};
    for (uint32_t i = 0; i < n && i < 40; i++) rows_list_add(&expected, rows_text(table, i, NULL));
    harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "limit"});
    rows_list_clear(&expected);
  }
  tm_batch_release(table);
}

Test(limit, is_bound_to_see_all_rows_in_order) {
  tm_batch *table = table_of(3);
  harness_case c = {.verb = "limit", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .options = V_TABLE(&arena, {"n", v_int(2)})};
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect(bind.single);
  cr_expect(bind.chooses);
  cr_expect_eq(bind.order, TM_ORDER_KEEPS);
  tm_batch_release(table);
}

Test(limit, refuses_what_is_no_number_of_rows) {
  tm_batch *table = table_of(3);
  const tm_value wrong[] = {v_int(-1), v_nil(), v_text("3"), v_float(2.5)};
  for (size_t i = 0; i < 4; i++) {
    harness_case c = {.verb = "limit", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                      .options = V_TABLE(&arena, {"n", wrong[i]})};
    tm_bind bind;
    tm_error err = {0};
    cr_assert_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
    cr_expect_eq(err.code, TM_E_VALUE);
  }
  tm_batch_release(table);
}
