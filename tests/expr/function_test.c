/* tests/expr/function_test.c: rows that trees hand back are run by call, and come back in place. */
#include "expr/function.h"
#include "tests/expr/expr_fixture.h"

static expr_fixture f;
static void open(void) { expr_fixture_open(&f); }
static void close(void) { expr_fixture_close(&f); }
TestSuite(function, .init = open, .fini = close);

typedef struct caller {
  tm_function function; /* first */
  uint32_t calls, rows;
  bool fails;
} caller;

/* Stands for the VM: -row in each column, null where a multiple of 10, refused at row 15. */
static int call(const tm_function *function, void *worker, const tm_batch *batch,
                const uint32_t *rows, uint32_t count, tm_result *result, tm_error *err) {
  caller *c = (caller *)function;
  (void)worker;
  c->calls++;
  c->rows += count;
  if (c->fails) return tm_fail(err, TM_E_TIMEOUT, "too slow");
  for (uint32_t column = 0; column < function->result->count; column++) {
    tm_column *out = &result->columns[column];
    bool truth = function->shape == TM_SHAPE_TRUTH;
    if (out->data == NULL) {
      out->type = function->result->fields[column].type;
      out->data = tm_arena_zero(result->arena, batch->rows * 8);
      if (!truth) out->valid = tm_arena_zero(result->arena, batch->rows);
    }
    for (uint32_t n = 0; n < count; n++) {
      if (n > 0) cr_expect_lt(rows[n - 1], rows[n]);
      if (truth) {
        ((uint8_t *)out->data)[rows[n]] = rows[n] % 2 == 0;
        continue;
      }
      cr_assert_not_null(out->valid, "a column that may be null can be set to null");
      ((int64_t *)out->data)[rows[n]] = -(int64_t)rows[n];
      out->valid[rows[n]] = rows[n] % 10 != 0;
    }
  }
  for (uint32_t n = 0; n < count; n++) {
    if (result->keep != NULL) result->keep[rows[n]] = rows[n] % 4 != 0;
    if (rows[n] == 15 &&
        tm_result_refuse(result, 15, TM_REASON_LUA, 7, "no fifteen") != 0) return -1;
  }
  return 0;
}

static tm_schema *int_columns(uint32_t count) {
  tm_schema *schema = tm_schema_create(&f.arena, count);
  for (uint32_t i = 0; i < count; i++) {
    schema->fields[i] = (tm_field){.name = "x", .type = tm_type_of(TM_INT64)};
  }
  return schema;
}

/* i + 1, and i itself: rows where i is null (multiples of 5) miss. */
static caller sums(const tm_expr **trees) {
  static const uint32_t columns[] = {COLUMN_I};
  const tm_expr *i = column(&f, COLUMN_I);
  trees[0] = binary(&f, TM_X_ADD, TM_INT64, tm_expr_require(&f.pool, i), tm_expr_int(&f.pool, 1));
  trees[1] = i;
  return (caller){.function = {.shape = TM_SHAPE_VALUE, .result = int_columns(2), .trees = trees,
                               .columns = columns, .column_count = 1, .call = call}};
}

Test(function, missed_rows_are_called_and_written_in_place) {
  const tm_expr *trees[2];
  caller c = sums(trees);
  for (uint32_t step = 1; step < 4; step++) {
    tm_batch *batch = expr_fixture_batch(&f, 3000);
    if (step > 1) select_every(batch, step);
    tm_column columns[2];
  memset(columns, 0, sizeof columns);
    tm_result result = {.arena = &f.arena, .columns = columns};
    tm_error err = {0};
    c.calls = c.rows = 0;
    cr_assert_eq(tm_function_evaluate(&c.function, NULL, batch, &result, &err), 0);
    cr_expect_eq(c.calls, 1);
    cr_expect_neq(columns[1].data, batch->columns[COLUMN_I].data, "the input is not written to");
    for (uint32_t n = 0; n < batch->selected; n++) {
      uint32_t row = tm_batch_row(batch, n);
      bool called = row % 5 == 0;
      cr_expect_eq(tm_column_is_null(&columns[0], row), called && row % 10 == 0);
      if (called && row % 10 == 0) continue;
      cr_expect_eq(((int64_t *)columns[0].data)[row], called ? -(int64_t)row : (int64_t)row + 1);
      cr_expect_eq(((int64_t *)columns[1].data)[row], called ? -(int64_t)row : (int64_t)row);
    }
    cr_expect_eq(((int64_t *)batch->columns[COLUMN_I].data)[5], 5);
    cr_expect_eq(result.pins, batch);
    bool has_15 = 15 % step == 0;
    cr_assert_eq(result.error_count, has_15);
    if (has_15) cr_expect_str_eq(result.errors[0].message, "no fifteen");
    tm_batch_release(batch);
  }
}

Test(function, without_misses_nothing_is_called) {
  const tm_expr *trees[2];
  caller c = sums(trees);
  trees[0] = column(&f, COLUMN_K);
  tm_batch *batch = expr_fixture_batch(&f, 100);
  tm_column columns[2];
  memset(columns, 0, sizeof columns);
  tm_result result = {.arena = &f.arena, .columns = columns};
  tm_error err = {0};
  cr_assert_eq(tm_function_evaluate(&c.function, NULL, batch, &result, &err), 0);
  cr_expect_eq(c.calls, 0);
  cr_expect_eq(columns[0].data, batch->columns[COLUMN_K].data);
  tm_batch_release(batch);
}

Test(function, a_map_keeps_rows_by_tree_and_by_call) {
  const tm_expr *trees[2];
  caller c = sums(trees);
  c.function.shape = TM_SHAPE_ROW;
  c.function.keep = binary(&f, TM_X_GT, TM_BOOL, column(&f, COLUMN_K), tm_expr_int(&f.pool, 20));
  tm_batch *batch = expr_fixture_batch(&f, 60);
  tm_column columns[2];
  memset(columns, 0, sizeof columns);
  tm_result result = {.arena = &f.arena, .columns = columns};
  tm_error err = {0};
  cr_assert_eq(tm_function_evaluate(&c.function, NULL, batch, &result, &err), 0);
  cr_assert_not_null(result.keep);
  for (uint32_t row = 0; row < 60; row++) {
    bool called = row > 20 && row % 5 == 0; /* dropped rows cannot miss */
    cr_expect_eq(result.keep[row], called ? row % 4 != 0 : row > 20, "row %u", row);
  }
  cr_expect_eq(c.rows, 7);
  tm_batch_release(batch);
}

Test(function, selections_merge_what_call_found) {
  static const tm_expr *trees[1];
  tm_schema *schema = int_columns(1);
  schema->fields[0].type = tm_type_of(TM_BOOL);
  schema->fields[0].type.not_null = 1;
  trees[0] = binary(&f, TM_X_GT, TM_BOOL, tm_expr_require(&f.pool, column(&f, COLUMN_I)),
                    tm_expr_int(&f.pool, 12));
  caller c = {.function = {.shape = TM_SHAPE_TRUTH, .result = schema, .trees = trees,
                           .call = call}};
  for (int pass = 0; pass < 2; pass++) {
    tm_batch *batch = expr_fixture_batch(&f, 2500);
    uint32_t rows[2500], count = 0, at = 0;
    tm_result result = {.arena = &f.arena};
    tm_error err = {0};
    c.function.trees = pass == 0 ? trees : NULL; /* the VM alone: true for even rows */
    cr_assert_eq(tm_function_select(&c.function, NULL, batch, rows, &count, &result, &err), 0);
    for (uint32_t row = 0; row < 2500; row++) {
      bool by_call = pass == 1 || row % 5 == 0;
      bool holds = by_call ? row % 2 == 0 : row > 12;
      if (!holds) continue;
      cr_assert_lt(at, count);
      cr_assert_eq(rows[at++], row);
    }
    cr_expect_eq(at, count);
    cr_expect_eq(result.error_count, 1, "row 15 was refused, and is not selected");
    tm_batch_release(batch);
  }
}

Test(function, failures_of_call_are_passed_on) {
  const tm_expr *trees[2];
  caller c = sums(trees);
  c.fails = true;
  tm_batch *batch = expr_fixture_batch(&f, 10);
  tm_column columns[2];
  memset(columns, 0, sizeof columns);
  tm_result result = {.arena = &f.arena, .columns = columns};
  tm_error err = {0};
  cr_expect_eq(tm_function_evaluate(&c.function, NULL, batch, &result, &err), -1);
  cr_expect_eq(err.code, TM_E_TIMEOUT);
  tm_batch_release(batch);
}

Test(function, refusals_grow) {
  tm_result result = {.arena = &f.arena};
  for (uint32_t row = 0; row < 100; row++) {
    cr_assert_eq(tm_result_refuse(&result, row, TM_REASON_TYPE, (int)row, "what"), 0);
  }
  cr_expect_eq(result.error_count, 100);
  for (uint32_t row = 0; row < 100; row++) {
    cr_expect_eq(result.errors[row].row, row);
    cr_expect_eq(result.errors[row].script_line, (int)row);
    cr_expect_str_eq(result.errors[row].message, "what");
  }
}
