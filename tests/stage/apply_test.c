/* tests/stage/apply_test.c: functions over batches: columns, selections, refused rows. */
#include <criterion/criterion.h>
#include <string.h>

#include "stage/apply.h"
#include "tests/support/fixture.h"
#include "tests/support/row_function.h"
#include "tests/support/rows.h"

TestSuite(apply, .init = setup, .fini = teardown);

static int worker;

static tm_bind bind_over(const tm_batch *batch) {
  return (tm_bind){.arena = &arena, .budget = budget, .verb = "filter", .input_count = 1,
                   .inputs = {batch->schema}};
}

static tm_batch *five_rows(void) {
  tm_batch *batch = rows_batch(budget, rows_schema(&arena, "x int32, s string"),
                               "1|a\n2|b\nnull|c\n4|d\n5|e");
  uint64_t *ordinals = tm_batch_alloc(batch, 5 * sizeof *ordinals);
  for (uint64_t i = 0; i < 5; i++) ordinals[i] = 100 + i;
  batch->ordinals = ordinals;
  return batch;
}

static void odd_or_raise(row_call *c) {
  if (row_is_null(c, 0)) c->refuse = "nil";
  else row_set_int(c, 0, row_int(c, 0) % 2);
}

static void expect_selected(const tm_batch *batch, const uint32_t *rows, uint32_t count) {
  cr_assert_eq(batch->selected, count);
  for (uint32_t i = 0; i < count; i++) cr_expect_eq(tm_batch_row(batch, i), rows[i]);
}

Test(apply, select_keeps_marked_rows) {
  tm_batch *batch = five_rows();
  const uint8_t marks[] = {1, 0, 1, 1, 0};
  cr_expect_eq(tm_apply_select(batch, marks, 1), 2);
  expect_selected(batch, (const uint32_t[]){0, 2, 3}, 3);
  const uint8_t again[] = {9, 9, 1, 0, 9};
  cr_expect_eq(tm_apply_select(batch, again, 0), 2);
  expect_selected(batch, (const uint32_t[]){3}, 1);
  cr_expect_eq(tm_apply_select(batch, again, 0), 0, "nothing is dropped");
  expect_selected(batch, (const uint32_t[]){3}, 1);
  cr_expect_eq(tm_apply_select(batch, again, 1), 1);
  cr_expect_eq(batch->selected, 0);
  tm_batch_release(batch);
}

Test(apply, filter_drops_and_refuses) {
  tm_batch *batch = five_rows();
  row_function f = row_function_make("x", NULL, odd_or_raise, true, 8);
  f.worker = &worker;
  tm_bind bind = bind_over(batch);
  tm_error err = {0};
  tm_function *bound = tm_apply_bind(&bind, &f.source, TM_SHAPE_TRUTH, NULL, NULL, &err);
  cr_assert_not_null(bound);
  cr_expect(bind.rejects);
  cr_expect_eq(bind.function_count, 1);
  uint8_t needed[2] = {0};
  tm_apply_need(bound, needed);
  cr_expect(needed[0] == 1 && needed[1] == 0);
  tm_stage_env env = {.bind = &bind, .budget = budget, .worker = &worker};
  tm_out out = tm_out_make(&arena);
  cr_expect_eq(tm_apply_filter(&env, bound, batch, &out, &err), 2);
  expect_selected(batch, (const uint32_t[]){0, 4}, 2);
  cr_assert_eq(out.reject_count, 1);
  cr_expect_eq(out.rejects[0].ordinal, 102);
  cr_expect_eq(out.rejects[0].reason, TM_REASON_LUA);
  cr_expect_eq(out.rejects[0].script_line, 9);
  cr_expect(f.seen_worker);
  tm_batch_release(batch);
}

Test(apply, columns_are_made_and_refused_rows_leave_once) {
  tm_batch *batch = five_rows();
  row_function f = row_function_make("x", "y int64", odd_or_raise, true, 8);
  tm_bind bind = bind_over(batch);
  tm_error err = {0};
  tm_function *bound = tm_apply_bind(&bind, &f.source, TM_SHAPE_VALUE, NULL, "y", &err);
  cr_assert_not_null(bound);
  tm_stage_env env = {.bind = &bind, .budget = budget};
  tm_out out = tm_out_make(&arena);
  tm_column column = {0};
  cr_expect_eq(tm_apply(&env, bound, batch, &column, NULL, &batch->arena, &out, &err), 0);
  expect_selected(batch, (const uint32_t[]){0, 1, 3, 4}, 4);
  cr_expect_eq(column.type.kind, TM_INT64);
  cr_expect_eq(((int64_t *)column.data)[4], 1);
  cr_expect_eq(((int64_t *)column.data)[3], 0);
  cr_expect_eq(out.reject_count, 1);
  tm_batch_release(batch);
}

Test(apply, binding_tells_what_is_wrong) {
  tm_batch *batch = five_rows();
  tm_bind bind = bind_over(batch);
  tm_error err = {0};
  cr_expect_null(tm_apply_bind(&bind, NULL, TM_SHAPE_TRUTH, NULL, NULL, &err));
  cr_expect_eq(err.code, TM_E_VALUE);
  cr_expect_str_eq(err.message, "'filter' wants a function");
  err = (tm_error){0};
  row_function f = row_function_make("y", NULL, odd_or_raise, true, 8);
  cr_expect_null(tm_apply_bind(&bind, &f.source, TM_SHAPE_TRUTH, NULL, NULL, &err));
  cr_expect_eq(err.code, TM_E_FIELD);
  cr_expect_eq(bind.function_count, 0);
  tm_batch_release(batch);
}

Test(apply, notes_many_functions) {
  tm_batch *batch = five_rows();
  tm_bind bind = bind_over(batch);
  row_function f = row_function_make("x", NULL, odd_or_raise, false, 8);
  tm_error err = {0};
  for (uint32_t i = 0; i < 9; i++) {
    tm_function *bound = tm_apply_bind(&bind, &f.source, TM_SHAPE_TRUTH, NULL, NULL, &err);
    cr_assert_not_null(bound);
    cr_assert_eq(bind.function_count, i + 1);
    cr_assert_eq(bind.functions[i], bound);
  }
  cr_expect_not(bind.rejects, "none of them raises");
  tm_batch_release(batch);
}
