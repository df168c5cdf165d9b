/* expr/evaluate_number.c: Lua's math functions, where the kind of their result is known. */
#include "expr/loops.h"

#include <math.h>

TM_INLINE uint64_t magnitude(int64_t x) { return x < 0 ? 0 - (uint64_t)x : (uint64_t)x; }

TM_DEFINE_UNARY(abs_i64, int64_t, int64_t, magnitude(x))
TM_DEFINE_UNARY(abs_f64, double, double, fabs(x))
TM_DEFINE_UNARY(sqrt_f64, double, double, sqrt(x))
/* As math.max and math.min compare: with NaN the first one stays. */
TM_DEFINE_BINARY(max_i64, int64_t, int64_t, int64_t, x < y ? y : x)
TM_DEFINE_BINARY(min_i64, int64_t, int64_t, int64_t, y < x ? y : x)
TM_DEFINE_BINARY(max_f64, double, double, double, x < y ? y : x)
TM_DEFINE_BINARY(min_f64, double, double, double, y < x ? y : x)

/* The integer below or above; a float beyond int64 stays a float in Lua, so it is a miss. */
static int round_to_int(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a,
                        tm_vec *out) {
  const double *values = a->data;
  int64_t *to = tm_vec_make(e, out, 8);
  uint8_t *bad = tm_eval_buffer(e, 1);
  if (to == NULL || bad == NULL) return -1;
  memset(bad, 0, e->total);
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    double value = values[a->constant ? 0 : row];
    value = x->op == TM_X_FLOOR ? floor(value) : ceil(value);
    bool fits = value >= -0x1p63 && value < 0x1p63;
    to[row] = fits ? (int64_t)value : 0;
    bad[row] = !fits;
  }
  int status = tm_eval_drop(e, set, bad);
  tm_eval_buffer_release(e, 1, bad);
  return status;
}

static int unary_number(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  if (x->op == TM_X_FLOOR || x->op == TM_X_CEIL) return round_to_int(e, x, set, a, out);
  tm_unary_loop *loop = x->type.kind != TM_FLOAT64 ? abs_i64
                        : x->op == TM_X_SQRT ? sqrt_f64 : abs_f64;
  return tm_eval_unary_loop(e, loop, 8, set, a, out);
}

int tm_eval_number(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0}, b = {0};
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  int status;
  if (x->child_count == 1) {
    status = unary_number(e, x, set, &a, out);
  } else {
    if (tm_eval_value(e, x->children[1], set, &b) != 0) return -1;
    bool real = x->type.kind == TM_FLOAT64;
    tm_binary_loop *loop = x->op == TM_X_MAX ? (real ? max_f64 : max_i64)
                                             : (real ? min_f64 : min_i64);
    status = tm_eval_binary_loop(e, loop, 8, 8, set, &a, &b, out);
  }
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  return status;
}
