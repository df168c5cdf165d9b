/* tests/expr/tree_test.c: nodes are made once, in simplest form, and know what they may do. */
#include "tests/expr/expr_fixture.h"

static expr_fixture f;
static void open(void) { expr_fixture_open(&f); }
static void close(void) { expr_fixture_close(&f); }
TestSuite(tree, .init = open, .fini = close);

static const tm_expr *k(void) { return column(&f, COLUMN_K); }
static const tm_expr *i(void) { return column(&f, COLUMN_I); }
static const tm_expr *integer(int64_t value) { return tm_expr_int(&f.pool, value); }
static const tm_expr *add(const tm_expr *a, const tm_expr *b) {
  return binary(&f, TM_X_ADD, TM_INT64, a, b);
}
static const tm_expr *above(const tm_expr *a, int64_t value) {
  return binary(&f, TM_X_GT, TM_BOOL, a, integer(value));
}

static void expect_text(const tm_expr *x, const char *text) {
  tm_bytes out;
  tm_expr_names names = {.inputs = {f.schema}};
  tm_bytes_init(&out, f.budget);
  cr_assert(tm_expr_print(x, &names, &out));
  cr_expect_str_eq(tm_bytes_c_string(&out), text);
  tm_bytes_deinit(&out);
}

Test(tree, equal_nodes_are_one) {
  cr_expect_eq(add(k(), integer(1)), add(k(), integer(1)));
  cr_expect_neq(add(k(), integer(1)), add(k(), integer(2)));
  cr_expect_neq(add(k(), i()), add(i(), k()));
  cr_expect_neq(tm_expr_float(&f.pool, 0.0), tm_expr_float(&f.pool, -0.0), "0 is not -0");
  cr_expect_eq(tm_expr_float(&f.pool, NAN), tm_expr_float(&f.pool, NAN));
  cr_expect_eq(tm_expr_string(&f.pool, "a long text, not inline", 23),
               tm_expr_string(&f.pool, "a long text, not inline", 23));
  cr_expect_neq(tm_expr_string(&f.pool, "ab", 2), tm_expr_string(&f.pool, "a\0", 2));
  for (int64_t n = 0; n < 3000; n++) (void)add(k(), integer(n)); /* beyond the first buckets */
  cr_expect_eq(add(k(), integer(17)), add(k(), integer(17)));
}

Test(tree, constants_are_folded) {
  cr_expect_eq(add(integer(2), integer(3)), integer(5));
  cr_expect_eq(binary(&f, TM_X_IDIV, TM_INT64, integer(-7), integer(2)), integer(-4));
  cr_expect_eq(binary(&f, TM_X_LT, TM_BOOL, integer(1), integer(2)), tm_expr_bool(&f.pool, true));
  const tm_expr *zero = binary(&f, TM_X_IDIV, TM_INT64, integer(1), integer(0));
  cr_expect_eq(zero->op, TM_X_IDIV, "what misses is left to the VM");
  cr_expect(zero->may_miss);
  cr_expect_eq(tm_expr_unary(&f.pool, TM_X_TO_FLOAT, tm_type_of(TM_FLOAT64), integer(3)),
               tm_expr_float(&f.pool, 3.0));
}

Test(tree, nodes_know_nulls_and_misses) {
  cr_expect_not(k()->nullable);
  cr_expect(i()->nullable);
  cr_expect_not(add(k(), integer(1))->may_miss);
  cr_expect_eq(tm_expr_require(&f.pool, k()), k());
  const tm_expr *required = tm_expr_require(&f.pool, i());
  cr_expect(required->misses && !required->nullable && required->type.not_null);
  cr_expect(add(required, k())->may_miss);
  cr_expect_not(add(required, k())->misses, "only what is below misses");
  cr_expect_not(binary(&f, TM_X_MOD, TM_INT64, k(), integer(3))->may_miss);
  cr_expect(binary(&f, TM_X_MOD, TM_INT64, k(), k())->may_miss);
  cr_expect_not(binary(&f, TM_X_EQ, TM_BOOL, i(), k())->may_miss);
}

Test(tree, decimals_keep_their_digits) {
  tm_type out;
  bool fits;
  tm_type price = tm_type_decimal(12, 2), rate = tm_type_decimal(4, 3);
  tm_type wide = tm_type_decimal(38, 4);
  cr_assert(tm_expr_decimal_result(TM_X_MUL, price, rate, &out, &fits));
  cr_expect(out.precision == 16 && out.scale == 5 && fits);
  cr_assert(tm_expr_decimal_result(TM_X_ADD, price, rate, &out, &fits));
  cr_expect(out.precision == 14 && out.scale == 3 && fits);
  cr_assert(tm_expr_decimal_result(TM_X_DIV, price, rate, &out, &fits));
  cr_expect(out.precision == 19 && out.scale == 6 && fits);
  cr_assert(tm_expr_decimal_result(TM_X_MUL, wide, price, &out, &fits));
  cr_expect(out.precision == 38 && out.scale == 6 && !fits);
  tm_type scaled = tm_type_decimal(38, 30);
  cr_expect_not(tm_expr_decimal_result(TM_X_MUL, scaled, scaled, &out, &fits), "scale 60");
}

Test(tree, control_is_simplified) {
  tm_expr_pool *pool = &f.pool;
  tm_type type = tm_type_of(TM_INT64);
  const tm_expr *a = above(k(), 1), *b = above(k(), 2), *c = above(k(), 3);
  const tm_expr *yes = tm_expr_bool(pool, true), *no = tm_expr_bool(pool, false);
  const tm_expr *x = integer(10), *y = integer(20);
  cr_expect_eq(tm_expr_if(pool, type, yes, x, y), x);
  cr_expect_eq(tm_expr_if(pool, type, a, x, x), x);
  cr_expect_eq(tm_expr_if(pool, tm_type_of(TM_BOOL), a, yes, no), a);
  cr_expect_eq(tm_expr_if(pool, tm_type_of(TM_BOOL), a, b, no), tm_expr_and(pool, a, b));
  cr_expect_eq(tm_expr_if(pool, tm_type_of(TM_BOOL), a, yes, b), tm_expr_or(pool, a, b));
  cr_expect_eq(tm_expr_if(pool, type, a, x, tm_expr_if(pool, type, b, x, y)),
               tm_expr_if(pool, type, tm_expr_or(pool, a, b), x, y));
  cr_expect_eq(tm_expr_if(pool, type, a, tm_expr_if(pool, type, b, x, y), y),
               tm_expr_if(pool, type, tm_expr_and(pool, a, b), x, y));
  /* (a or b) and c, as the bytecode meets it: c on two ways */
  const tm_expr *by_b = tm_expr_and(pool, b, c);
  cr_expect_eq(tm_expr_if(pool, tm_type_of(TM_BOOL), a, c, by_b),
               tm_expr_and(pool, tm_expr_or(pool, a, b), c));
  cr_expect_eq(tm_expr_not(pool, tm_expr_not(pool, a)), a);
  expect_text(tm_expr_not(pool, a), "k <= 1");
  expect_text(tm_expr_not(pool, tm_expr_or(pool, a, b)), "k <= 1 and k <= 2");
  const tm_expr *g = column(&f, COLUMN_G);
  const tm_expr *below = binary(&f, TM_X_LT, TM_BOOL, g, tm_expr_float(pool, 1));
  expect_text(tm_expr_not(pool, below), "not (g < 1.0)");
}

Test(tree, guards_go_where_they_are_covered) {
  tm_expr_pool *pool = &f.pool;
  const tm_expr *required = tm_expr_require(pool, i());
  const tm_expr *sum = add(required, k()), *other = add(k(), integer(1));
  cr_expect_eq(tm_expr_guard(pool, other, sum), sum, "a guard that cannot miss");
  cr_expect_eq(tm_expr_guard(pool, sum, sum), sum);
  cr_expect_eq(tm_expr_guard(pool, above(sum, 3), sum), sum, "all it may miss is evaluated");
  cr_expect_eq(tm_expr_guard(pool, sum, other)->op, TM_X_GUARD);
  const tm_expr *condition = above(k(), 5);
  tm_type type = tm_type_of(TM_INT64);
  const tm_expr *one = tm_expr_if(pool, type, condition, sum, other);
  cr_expect_not(tm_expr_covers(one, required), "only one branch evaluates it");
  const tm_expr *both = tm_expr_if(pool, type, condition, sum, add(required, integer(2)));
  cr_expect(tm_expr_covers(both, required));
  const tm_expr *late = tm_expr_and(pool, condition, above(sum, 0));
  cr_expect_not(tm_expr_covers(late, required), "the right side of `and` may not be evaluated");
}

Test(tree, null_tests_follow_branches) {
  tm_expr_pool *pool = &f.pool;
  tm_type type = tm_type_of(TM_INT64);
  const tm_expr *b = column(&f, COLUMN_B);
  cr_expect_eq(tm_expr_is_null(pool, k()), tm_expr_bool(pool, false));
  cr_expect_eq(tm_expr_is_null(pool, tm_expr_null(pool, type)), tm_expr_bool(pool, true));
  cr_expect_eq(tm_expr_truth(pool, k()), tm_expr_bool(pool, true), "0 is true");
  cr_expect_eq(tm_expr_truth(pool, tm_expr_null(pool, tm_type_of(TM_BOOL))),
               tm_expr_bool(pool, false));
  expect_text(tm_expr_truth(pool, i()), "i ~= nil");
  cr_expect_eq(tm_expr_truth(pool, b)->op, TM_X_TRUTH);
  const tm_expr *none = tm_expr_null(pool, type);
  const tm_expr *maybe = tm_expr_if(pool, type, above(k(), 1), integer(1), none);
  cr_expect_eq(tm_expr_truth(pool, maybe), above(k(), 1));
}

Test(tree, text_is_as_a_script_has_it) {
  tm_expr_pool *pool = &f.pool;
  const tm_expr *p = column(&f, COLUMN_P), *n = column(&f, COLUMN_N);
  tm_type type;
  bool fits;
  const tm_expr *one = tm_expr_decimal(pool, 1, 0);
  cr_assert(tm_expr_decimal_result(TM_X_SUB, one->type, p->type, &type, &fits));
  const tm_expr *rest = tm_expr_binary(pool, TM_X_SUB, type, one, p);
  cr_assert(tm_expr_decimal_result(TM_X_MUL, p->type, type, &type, &fits));
  expect_text(tm_expr_binary(pool, TM_X_MUL, type, p, rest), "p * (1 - p)");
  const tm_expr *wide = tm_expr_unary(pool, TM_X_TO_INT64, tm_type_of(TM_INT64), n);
  expect_text(binary(&f, TM_X_SUB, TM_INT64, add(k(), wide), add(k(), integer(-1))),
              "k + n - (k + -1)");
  expect_text(tm_expr_string(pool, "a\"b\n", 4), "\"a\\\"b\\x0a\"");
  expect_text(tm_expr_and(pool, above(k(), 1), tm_expr_or(pool, above(k(), 2), above(k(), 3))),
              "k > 1 and (k > 2 or k > 3)");
  expect_text(above(wide, 3), "n > 3");
}

Test(tree, memory_runs_out) {
  for (uint64_t nth = 1; nth < 400; nth++) {
    tm_arena arena;
    tm_expr_pool pool;
    tm_arena_init(&arena, f.budget);
    tm_expr_pool_init(&pool, &arena);
    tm_arena_pool_clear();
    tm_memory_fail_at(nth);
    const tm_expr *x = tm_expr_column(&pool, 0, f.schema->fields[0].type);
    for (int64_t n = 0; n < 200; n++) {
      x = tm_expr_binary(&pool, TM_X_ADD, tm_type_of(TM_INT64), x, tm_expr_int(&pool, n));
      x = tm_expr_guard(&pool, x, x);
    }
    cr_expect_not_null(x);
    tm_memory_fail_at(0);
    bool failed = pool.failed;
    tm_arena_deinit(&arena);
    if (!failed) return; /* the request was never reached: all before were */
  }
}
