/* expr/evaluate_arithmetic.c: arithmetic of integers and floats, as Lua's VM does it.
 *
 * Integers wrap. Integer division and remainder floor, and a zero divisor is a miss. */
#include "expr/loops.h"

#include <math.h>

TM_INLINE uint64_t u(int64_t x) { return (uint64_t)x; }

TM_DEFINE_BINARY(add_i64, int64_t, int64_t, int64_t, u(x) + u(y))
TM_DEFINE_BINARY(sub_i64, int64_t, int64_t, int64_t, u(x) - u(y))
TM_DEFINE_BINARY(mul_i64, int64_t, int64_t, int64_t, u(x) * u(y))
TM_DEFINE_BINARY(and_i64, int64_t, int64_t, int64_t, x & y)
TM_DEFINE_BINARY(or_i64, int64_t, int64_t, int64_t, x | y)
TM_DEFINE_BINARY(xor_i64, int64_t, int64_t, int64_t, x ^ y)
TM_DEFINE_UNARY(neg_i64, int64_t, int64_t, 0 - u(x))
TM_DEFINE_UNARY(not_i64, int64_t, int64_t, ~x)

TM_DEFINE_BINARY(add_f64, double, double, double, x + y)
TM_DEFINE_BINARY(sub_f64, double, double, double, x - y)
TM_DEFINE_BINARY(mul_f64, double, double, double, x * y)
TM_DEFINE_BINARY(div_f64, double, double, double, x / y)
TM_DEFINE_UNARY(neg_f64, double, double, -x)

/* A dead row may hold a zero, and INT64_MIN // -1 must not trap. */
TM_INLINE int64_t floor_div(int64_t x, int64_t y) {
  if (y == -1 || y == 0) return (int64_t)(0 - u(x));
  int64_t quotient = x / y;
  return quotient - ((x ^ y) < 0 && quotient * y != x);
}
TM_INLINE int64_t floor_mod(int64_t x, int64_t y) {
  if (y == -1 || y == 0) return 0;
  int64_t rest = x % y;
  return rest != 0 && (rest ^ y) < 0 ? rest + y : rest;
}
TM_DEFINE_BINARY(idiv_i64, int64_t, int64_t, int64_t, floor_div(x, y))
TM_DEFINE_BINARY(mod_i64, int64_t, int64_t, int64_t, floor_mod(x, y))

/* Shifts by 64 bits or more give 0, by a negative count the other way. */
TM_INLINE int64_t shift_left(int64_t x, int64_t y) {
  if (y <= -64 || y >= 64) return 0;
  return (int64_t)(y >= 0 ? u(x) << y : u(x) >> -y);
}
TM_DEFINE_BINARY(shl_i64, int64_t, int64_t, int64_t, shift_left(x, y))
TM_DEFINE_BINARY(shr_i64, int64_t, int64_t, int64_t,
                 shift_left(x, y == INT64_MIN ? INT64_MAX : -y))

TM_INLINE double float_mod(double x, double y) {
  double rest = fmod(x, y);
  if (rest > 0 ? y < 0 : (rest < 0 && y > 0)) rest += y;
  return rest;
}
TM_INLINE double float_pow(double x, double y) { return y == 2 ? x * x : pow(x, y); }
TM_DEFINE_BINARY(idiv_f64, double, double, double, floor(x / y))
TM_DEFINE_BINARY(mod_f64, double, double, double, float_mod(x, y))
TM_DEFINE_BINARY(pow_f64, double, double, double, float_pow(x, y))

static tm_binary_loop *integer_loop(tm_expr_op op) {
  switch (op) {
    case TM_X_ADD: return add_i64;
    case TM_X_SUB: return sub_i64;
    case TM_X_MUL: return mul_i64;
    case TM_X_IDIV: return idiv_i64;
    case TM_X_MOD: return mod_i64;
    case TM_X_BAND: return and_i64;
    case TM_X_BOR: return or_i64;
    case TM_X_BXOR: return xor_i64;
    case TM_X_SHL: return shl_i64;
    case TM_X_SHR: return shr_i64;
    default: return NULL;
  }
}

static tm_binary_loop *float_loop(tm_expr_op op) {
  switch (op) {
    case TM_X_ADD: return add_f64;
    case TM_X_SUB: return sub_f64;
    case TM_X_MUL: return mul_f64;
    case TM_X_DIV: return div_f64;
    case TM_X_IDIV: return idiv_f64;
    case TM_X_MOD: return mod_f64;
    case TM_X_POW: return pow_f64;
    default: return NULL;
  }
}

/* Rows whose divisor is 0 are the VM's. */
static int miss_zeros(tm_eval *e, tm_rows *set, const tm_vec *divisor) {
  const int64_t *values = divisor->data;
  if (divisor->constant) return values[0] == 0 ? tm_eval_drop_all(e, set) : 0;
  uint8_t *zero = tm_eval_marks(e);
  if (zero == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    zero[row] = values[row] == 0;
  }
  return tm_eval_drop_marks(e, set, zero);
}

static int unary_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0};
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  tm_unary_loop *loop = x->op == TM_X_BNOT ? not_i64
                        : x->type.kind == TM_FLOAT64 ? neg_f64 : neg_i64;
  int status = tm_eval_unary_loop(e, loop, 8, set, &a, out);
  tm_vec_release(e, &a);
  return status;
}

/* Instants and durations: beyond int64 the VM raises. */
static int miss_overflows(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a,
                          const tm_vec *b) {
  const int64_t *left = a->data, *right = b->data;
  uint8_t *bad = tm_eval_marks(e);
  if (bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    int64_t p = left[a->constant ? 0 : row], q = right[b->constant ? 0 : row], sum;
    bad[row] = x->op == TM_X_ADD   ? __builtin_add_overflow(p, q, &sum)
               : x->op == TM_X_SUB ? __builtin_sub_overflow(p, q, &sum)
                                   : __builtin_mul_overflow(p, q, &sum);
  }
  return tm_eval_drop_marks(e, set, bad);
}

int tm_eval_arithmetic(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  if (x->child_count == 1) return unary_value(e, x, set, out);
  tm_vec a, b;
  if (tm_eval_operands(e, x, set, &a, &b) != 0) return -1;
  bool overflows = x->extra != 0;
  if (x->misses && overflows && miss_overflows(e, x, set, &a, &b) != 0) return -1;
  if (x->misses && !overflows && miss_zeros(e, set, &b) != 0) return -1;
  bool is_float = x->type.kind == TM_FLOAT64;
  tm_binary_loop *loop = is_float ? float_loop((tm_expr_op)x->op) : integer_loop((tm_expr_op)x->op);
  int status = tm_eval_binary_loop(e, loop, 8, 8, set, &a, &b, out);
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  return status;
}
