/* tests/expr/evaluate_test.c: values of trees over batches, against the same in plain C. */
#include <math.h>

#include "expr/probe.h"
#include "kernel/pattern.h"
#include "tests/expr/expr_fixture.h"

static expr_fixture f;
static void open(void) { expr_fixture_open(&f); }
static void close(void) { expr_fixture_close(&f); }
TestSuite(evaluate, .init = open, .fini = close);

static const tm_expr *integer(int64_t value) { return tm_expr_int(&f.pool, value); }
static const tm_expr *required(uint32_t index) {
  return tm_expr_require(&f.pool, column(&f, index));
}
static const tm_expr *above(const tm_expr *a, int64_t value) {
  return binary(&f, TM_X_GT, TM_BOOL, a, integer(value));
}

static tm_column evaluate(tm_expr_run *run, const tm_expr *tree) {
  tm_column out = {0};
  tm_error err = {0};
  tm_expr_share(&tree, 1);
  cr_assert_eq(tm_expr_evaluate(run, &tree, 1, &out, &err), 0);
  return out;
}

/* Sizes around slices and selections of every density. */
static const uint32_t sizes[] = {1, 7, 8, 64, 2047, 2048, 2049, 5000};
static const uint32_t steps[] = {1, 2, 3, 17};
#define EACH_BATCH(BATCH)                                                                   \
  for (size_t size_ = 0; size_ < sizeof sizes / sizeof *sizes; size_++)                     \
    for (size_t step_ = 0; step_ < sizeof steps / sizeof *steps; step_++)                   \
      for (tm_batch *BATCH = make(sizes[size_], steps[step_]); BATCH != NULL;               \
           tm_batch_release(BATCH), BATCH = NULL)

static tm_batch *make(uint32_t rows, uint32_t step) {
  tm_batch *batch = expr_fixture_batch(&f, rows);
  if (step > 1) select_every(batch, step);
  return batch;
}

Test(evaluate, arithmetic_over_selections) {
  const tm_expr *k = column(&f, COLUMN_K);
  const tm_expr *triple = binary(&f, TM_X_MUL, TM_INT64, k, integer(3));
  const tm_expr *tree = binary(&f, TM_X_SUB, TM_INT64, triple, integer(1));
  EACH_BATCH(batch) {
    tm_expr_run run = {.batch = batch, .arena = &f.arena};
    tm_column out = evaluate(&run, tree);
    cr_expect_eq(run.missed_count, 0);
    cr_expect_null(out.valid);
    for (uint32_t n = 0; n < batch->selected; n++) {
      uint32_t row = tm_batch_row(batch, n);
      cr_expect_eq(((int64_t *)out.data)[row], (int64_t)row * 3 - 1);
    }
  }
}

Test(evaluate, nulls_miss_and_are_handed_back_in_order) {
  const tm_expr *tree = binary(&f, TM_X_ADD, TM_INT64, required(COLUMN_I), integer(1));
  EACH_BATCH(batch) {
    tm_expr_run run = {.batch = batch, .arena = &f.arena};
    tm_column out = evaluate(&run, tree);
    uint32_t at = 0;
    for (uint32_t n = 0; n < batch->selected; n++) {
      uint32_t row = tm_batch_row(batch, n);
      if (row % 5 == 0) {
        cr_assert_lt(at, run.missed_count);
        cr_expect_eq(run.missed[at++], row);
      } else {
        cr_expect_eq(((int64_t *)out.data)[row], (int64_t)row + 1);
      }
    }
    cr_expect_eq(at, run.missed_count);
  }
}

Test(evaluate, branches_do_not_evaluate_what_they_do_not_take) {
  /* if k > 100 then k // (k - 3) else nil: 3 // 0 is never asked for */
  const tm_expr *k = column(&f, COLUMN_K);
  const tm_expr *divisor = binary(&f, TM_X_SUB, TM_INT64, k, integer(3));
  const tm_expr *quotient = binary(&f, TM_X_IDIV, TM_INT64, k, divisor);
  tm_type type = tm_type_of(TM_INT64);
  const tm_expr *tree = tm_expr_if(&f.pool, type, above(k, 100), quotient,
                                   tm_expr_null(&f.pool, type));
  EACH_BATCH(batch) {
    tm_expr_run run = {.batch = batch, .arena = &f.arena};
    tm_column out = evaluate(&run, tree);
    cr_expect_eq(run.missed_count, 0);
    for (uint32_t n = 0; n < batch->selected; n++) {
      uint32_t row = tm_batch_row(batch, n);
      cr_expect_eq(tm_column_is_null(&out, row), row <= 100, "row %u", row);
      if (row > 100) cr_expect_eq(((int64_t *)out.data)[row], row / (row - 3));
    }
  }
}

static void expect_selected(const tm_batch *batch, const tm_expr *tree, bool (*holds)(uint32_t),
                            bool (*misses)(uint32_t)) {
  uint32_t *rows = tm_arena_alloc(&f.arena, (batch->selected + 1) * sizeof *rows), count, at = 0;
  tm_expr_run run = {.batch = batch, .arena = &f.arena};
  tm_error err = {0};
  cr_assert_eq(tm_expr_select(&run, tree, rows, &count, &err), 0);
  uint32_t missed = 0;
  for (uint32_t n = 0; n < batch->selected; n++) {
    uint32_t row = tm_batch_row(batch, n);
    if (misses != NULL && misses(row)) {
      cr_assert_lt(missed, run.missed_count);
      cr_expect_eq(run.missed[missed++], row);
    } else if (holds(row)) {
      cr_assert_lt(at, count, "row %u is missing", row);
      cr_expect_eq(rows[at++], row);
    }
  }
  cr_expect_eq(at, count);
  cr_expect_eq(missed, run.missed_count);
}

static bool in_range(uint32_t row) { return row > 3 && row <= 1000 && row % 5 != 0 && row != 8; }
static bool tail_misses(uint32_t row) { return row > 3 && row <= 1000 && row % 5 == 0; }
static bool either(uint32_t row) { return row > 1000 || (row & 1 && row % 3 != 0); }
static bool not_either(uint32_t row) { return !either(row); }

Test(evaluate, selections_narrow) {
  tm_expr_pool *pool = &f.pool;
  const tm_expr *k = column(&f, COLUMN_K);
  const tm_expr *cheap = tm_expr_and(pool, above(k, 3), binary(&f, TM_X_LE, TM_BOOL, k,
                                                              integer(1000)));
  const tm_expr *rest = binary(&f, TM_X_NE, TM_BOOL, required(COLUMN_I), integer(8));
  const tm_expr *chain = tm_expr_and(pool, cheap, rest);
  const tm_expr *any = tm_expr_or(pool, above(k, 1000), tm_expr_truth(pool, column(&f, COLUMN_B)));
  EACH_BATCH(batch) {
    expect_selected(batch, chain, in_range, tail_misses);
    expect_selected(batch, any, either, NULL);
    expect_selected(batch, tm_expr_not(pool, any), not_either, NULL);
    expect_selected(batch, tm_expr_if(pool, tm_type_of(TM_BOOL), above(k, 1000), above(k, 0),
                                      tm_expr_truth(pool, column(&f, COLUMN_B))), either, NULL);
  }
}

static bool is_twelve(uint32_t row) { return row == 12; }
static bool below_2(uint32_t row) { return row < 2 || (row >= 10 && row < 20); }
static bool row_7s(uint32_t row) { return row % 7 == 0; }

Test(evaluate, strings_beyond_the_inline_size) {
  const tm_expr *s = column(&f, COLUMN_S);
  const tm_expr *twelve = tm_expr_string(&f.pool, "the number 12", 13);
  const tm_expr *two = tm_expr_string(&f.pool, "the number 2", 12);
  EACH_BATCH(batch) {
    if (batch->rows > 100) continue;
    expect_selected(batch, binary(&f, TM_X_EQ, TM_BOOL, s, twelve), is_twelve, NULL);
    expect_selected(batch, binary(&f, TM_X_LT, TM_BOOL, required(COLUMN_S), two), below_2, row_7s);
  }
}

Test(evaluate, a_column_is_not_copied) {
  tm_batch *batch = expr_fixture_batch(&f, 100);
  tm_expr_run run = {.batch = batch, .arena = &f.arena};
  tm_column out = evaluate(&run, column(&f, COLUMN_I));
  cr_expect_eq(out.data, batch->columns[COLUMN_I].data);
  cr_expect_eq(out.valid, batch->columns[COLUMN_I].valid);
  cr_expect(run.borrows);
  tm_expr_run other = {.batch = batch, .arena = &f.arena};
  out = evaluate(&other, binary(&f, TM_X_ADD, TM_INT64, column(&f, COLUMN_K), integer(1)));
  cr_expect_not(other.borrows);
  tm_batch_release(batch);
}

Test(evaluate, kept_rows_alone_are_evaluated) {
  const tm_expr *k = column(&f, COLUMN_K);
  const tm_expr *quotient = binary(&f, TM_X_IDIV, TM_INT64, integer(100), k);
  EACH_BATCH(batch) {
    tm_expr_run run = {.batch = batch, .arena = &f.arena, .keep = above(k, 0)};
    tm_column out = evaluate(&run, quotient);
    cr_expect_eq(run.missed_count, 0, "100 // 0 is not asked for");
    for (uint32_t n = 0; n < batch->selected; n++) {
      uint32_t row = tm_batch_row(batch, n);
      cr_expect_eq(run.kept[row], row > 0);
      if (row > 0) cr_expect_eq(((int64_t *)out.data)[row], 100 / row);
    }
  }
}

/* ---------------------------------------------------------------- decimals */

static __int128 digit_at(const tm_column *column, uint32_t row) {
  return tm_type_width(column->type) == 16 ? ((__int128 *)column->data)[row]
                                           : ((int64_t *)column->data)[row];
}

Test(evaluate, decimals_in_narrow_and_wide_form) {
  static const int64_t extremes[] = {0, 1, -1, 99, 999999999999, -999999999999, 5, 123456789};
  enum { ROWS = 256 };
  tm_batch *batch = expr_fixture_batch(&f, ROWS);
  int64_t *p = batch->columns[COLUMN_P].data;
  const tm_expr *x = column(&f, COLUMN_P);
  tm_type square, cube;
  bool fits;
  cr_assert(tm_expr_decimal_result(TM_X_MUL, x->type, x->type, &square, &fits));
  const tm_expr *product = tm_expr_binary(&f.pool, TM_X_MUL, square, x, x);
  cr_assert(tm_expr_decimal_result(TM_X_MUL, square, x->type, &cube, &fits));
  const tm_expr *more = tm_expr_binary(&f.pool, TM_X_MUL, cube, product, x);
  for (int pass = 0; pass < 2; pass++) { /* small values fit 64 bits, the extremes do not */
    for (uint32_t r = 0; r < ROWS; r++) p[r] = pass == 0 ? (int64_t)r : extremes[r % 8];
    tm_expr_run run = {.batch = batch, .arena = &f.arena};
    tm_column out = evaluate(&run, more);
    cr_expect_eq(run.missed_count, 0);
    for (uint32_t r = 0; r < ROWS; r++) {
      cr_expect(digit_at(&out, r) == (__int128)p[r] * p[r] * p[r], "row %u", r);
    }
  }
  tm_batch_release(batch);
}

Test(evaluate, decimals_beyond_38_digits_miss) {
  tm_batch *batch = expr_fixture_batch(&f, 8);
  int64_t *p = batch->columns[COLUMN_P].data;
  const tm_expr *x = column(&f, COLUMN_P);
  for (uint32_t r = 0; r < 8; r++) p[r] = r == 3 ? 999999999999 : 10;
  tm_type type = x->type;
  bool fits = true;
  for (int power = 0; power < 3; power++) { /* (10^12)^4 has 48 digits, 10^4 has 5 */
    tm_type next;
    cr_assert(tm_expr_decimal_result(TM_X_MUL, type, column(&f, COLUMN_P)->type, &next, &fits));
    x = tm_expr_binary(&f.pool, TM_X_MUL, next, x, column(&f, COLUMN_P));
    type = next;
  }
  cr_expect_not(fits);
  tm_expr_run run = {.batch = batch, .arena = &f.arena};
  tm_column out = evaluate(&run, x);
  cr_assert_eq(run.missed_count, 1);
  cr_expect_eq(run.missed[0], 3);
  cr_expect(digit_at(&out, 2) == 10000);
  tm_batch_release(batch);
}

/* ---------------------------------------------------------------- probes */

static const tm_expr *probe(const tm_expr *key, tm_kind kind, uint32_t count,
                            const tm_constant *keys) {
  tm_constant *values = tm_arena_zero(&f.arena, (count + 1) * sizeof *values);
  for (uint32_t n = 0; n < count; n++) values[n].i64 = (int64_t)n * 10;
  const tm_probe *table = tm_probe_create(&f.arena, tm_type_of(kind), tm_type_of(TM_INT64), "t",
                                          count, keys, values);
  cr_assert_not_null(table);
  return tm_expr_make(&f.pool, TM_X_PROBE, tm_type_of(TM_INT64), &key, 1, table, 0);
}

Test(evaluate, probes_find_integers) {
  static const int64_t spread[] = {0, 3, INT64_MAX, INT64_MIN, 1000000, 4};
  static const int64_t close_by[] = {5, 3, 40, -7, 0, 12};
  tm_batch *batch = expr_fixture_batch(&f, 3000);
  for (int pass = 0; pass < 2; pass++) {
    const int64_t *list = pass == 0 ? spread : close_by;
    tm_constant keys[6] = {{.i128 = 0}};
    for (int n = 0; n < 6; n++) keys[n].i64 = list[n];
    tm_expr_run run = {.batch = batch, .arena = &f.arena};
    tm_column out = evaluate(&run, probe(column(&f, COLUMN_K), TM_INT64, 6, keys));
    for (uint32_t r = 0; r < batch->rows; r++) {
      int64_t expected = -1;
      for (int n = 0; n < 6; n++) if (list[n] == r) expected = n * 10;
      int64_t found = tm_column_is_null(&out, r) ? -1 : ((int64_t *)out.data)[r];
      cr_expect_eq(found, expected, "row %u", r);
    }
  }
  tm_batch_release(batch);
}

Test(evaluate, probes_find_texts) {
  tm_batch *batch = expr_fixture_batch(&f, 300);
  tm_constant keys[100];
  for (int n = 0; n < 100; n++) {
    char *text = tm_arena_format(&f.arena, "the number %d", n * 2);
    keys[n].text = tm_str_make(text, strlen(text));
  }
  const tm_expr *key = required(COLUMN_S);
  tm_expr_run run = {.batch = batch, .arena = &f.arena};
  tm_column out = evaluate(&run, probe(key, TM_STRING, 100, keys));
  for (uint32_t r = 0; r < batch->rows; r++) {
    if (r % 7 == 0) continue; /* missed: the key is null */
    cr_expect_eq(tm_column_is_null(&out, r), r % 2 != 0 || r >= 200);
    if (r % 2 == 0 && r < 200) cr_expect_eq(((int64_t *)out.data)[r], r * 5);
  }
  cr_expect_eq(run.missed_count, 43);
  tm_constant none;
  tm_expr_run empty = {.batch = batch, .arena = &f.arena};
  out = evaluate(&empty, probe(key, TM_STRING, 0, &none));
  cr_expect(tm_column_is_null(&out, 1));
  tm_batch_release(batch);
}

/* ---------------------------------------------------------------- memory */

/* Every request for memory fails in turn. */
static void expect_failures_of_memory(const tm_expr *tree, const tm_batch *batch) {
  tm_expr_share(&tree, 1);
  uint64_t used = tm_budget_used(f.budget);
  bool done = false;
  for (uint64_t nth = 1; nth < 500 && !done; nth++) {
    tm_arena arena;
    tm_column out = {0};
    tm_error err = {0};
    tm_arena_pool_clear();
    tm_arena_init(&arena, f.budget);
    tm_expr_run run = {.batch = batch, .arena = &arena};
    tm_memory_fail_at(nth);
    int status = tm_expr_evaluate(&run, &tree, 1, &out, &err);
    tm_memory_fail_at(0);
    done = status == 0;
    cr_expect(done || err.code == TM_E_MEMORY);
    tm_arena_deinit(&arena);
    cr_expect_eq(tm_budget_used(f.budget), used, "everything is given back");
  }
  cr_expect(done);
}

Test(evaluate, memory_runs_out) {
  tm_batch *batch = expr_fixture_batch(&f, 3000);
  const tm_expr *s = required(COLUMN_S), *k = column(&f, COLUMN_K);
  const tm_expr *upper = tm_expr_unary(&f.pool, TM_X_UPPER, tm_type_of(TM_STRING), s);
  const tm_expr *both = tm_expr_binary(&f.pool, TM_X_CONCAT, tm_type_of(TM_STRING), upper, s);
  expect_failures_of_memory(
      tm_expr_if(&f.pool, tm_type_of(TM_STRING), above(k, 50), both, upper), batch);
  tm_batch_release(batch);
}

/* ---------------------------------------------------------------- patterns */

static const tm_expr *pattern_node(tm_expr_op op, tm_kind kind, const char *pattern,
                                   const char *replacement, int64_t which) {
  const tm_expr *text = tm_expr_string(&f.pool, pattern, strlen(pattern));
  const tm_expr *parts[] = {required(COLUMN_S), text};
  const tm_pattern *compiled =
      tm_pattern_compile(pattern, strlen(pattern), TM_PATTERN_SEARCH, &f.arena);
  tm_expr_replace *replace = tm_arena_zero(&f.arena, sizeof *replace);
  cr_assert(compiled != NULL && replace != NULL);
  size_t size = replacement == NULL ? 0 : strlen(replacement);
  *replace = (tm_expr_replace){compiled, replacement, size};
  return tm_expr_make(&f.pool, op, tm_type_of(kind), parts, 2,
                      op == TM_X_REPLACE ? (const void *)replace : compiled, which);
}

Test(evaluate, replacing_without_memory) {
  tm_batch *batch = expr_fixture_batch(&f, 2500);
  expect_failures_of_memory(pattern_node(TM_X_REPLACE, TM_STRING, "%d", "<%0%0%0%0>", 0), batch);
  expect_failures_of_memory(pattern_node(TM_X_CAPTURE, TM_STRING, "e (.*)", NULL, 0), batch);
  tm_batch_release(batch);
}

/* A search of many steps is given back to the VM, which raises; the others are decided. */
Test(evaluate, too_much_work_misses) {
  static const tm_expr_op ops[] = {TM_X_CAPTURE, TM_X_CAPTURE, TM_X_REPLACED, TM_X_REPLACE};
  static const int64_t whichs[] = {TM_CAPTURE_WHOLE, TM_CAPTURE_END, 0, 0};
  enum { LONG = 3000 };
  tm_batch *batch = expr_fixture_batch(&f, 10);
  char *text = tm_batch_alloc(batch, LONG);
  memset(text, 'a', LONG);
  ((tm_str *)batch->columns[COLUMN_S].data)[3] = tm_str_make(text, LONG);
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    tm_kind kind = whichs[i] == TM_CAPTURE_END || ops[i] == TM_X_REPLACED ? TM_INT64 : TM_STRING;
    const tm_expr *tree = pattern_node(ops[i], kind, "a-a-a-a-[bu]", "", whichs[i]);
    tm_column out = {0};
    tm_error err = {0};
    tm_expr_run run = {.batch = batch, .arena = &batch->arena};
    cr_assert_eq(tm_expr_evaluate(&run, &tree, 1, &out, &err), 0);
    cr_assert_eq(run.missed_count, 3, "two nulls, and the long one");
    cr_expect_eq(run.missed[1], 3);
  }
  tm_batch_release(batch);
}
