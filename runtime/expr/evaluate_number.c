/* expr/evaluate_number.c: Lua's math functions, where the kind of their result is known. */
#include "expr/loops.h"

#include "kernel/decimal.h"

#include <math.h>

TM_INLINE uint64_t magnitude(int64_t x) { return x < 0 ? 0 - (uint64_t)x : (uint64_t)x; }

TM_DEFINE_UNARY(abs_i64, int64_t, int64_t, magnitude(x))
TM_DEFINE_UNARY(abs_f64, double, double, fabs(x))
TM_DEFINE_UNARY(sqrt_f64, double, double, sqrt(x))
/* The same library as Lua's, so the same bits. */
TM_DEFINE_UNARY(exp_f64, double, double, exp(x))
TM_DEFINE_UNARY(log_f64, double, double, log(x))
TM_DEFINE_UNARY(sin_f64, double, double, sin(x))
TM_DEFINE_UNARY(cos_f64, double, double, cos(x))
TM_DEFINE_UNARY(tan_f64, double, double, tan(x))
TM_DEFINE_UNARY(asin_f64, double, double, asin(x))
TM_DEFINE_UNARY(acos_f64, double, double, acos(x))
TM_DEFINE_UNARY(atan_f64, double, double, atan2(x, 1)) /* as math.atan with one argument */
static tm_unary_loop *const math_loops[] = {
  sqrt_f64, exp_f64, log_f64, sin_f64, cos_f64, tan_f64, asin_f64, acos_f64, atan_f64,
};
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
  uint8_t *bad = tm_eval_marks(e);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    double value = values[a->constant ? 0 : row];
    value = x->op == TM_X_FLOOR ? floor(value) : ceil(value);
    bool fits = value >= -0x1p63 && value < 0x1p63;
    to[row] = fits ? (int64_t)value : 0;
    bad[row] = !fits;
  }
  return tm_eval_drop_marks(e, set, bad);
}

static __int128 decimal_at(const tm_vec *vec, uint32_t row) {
  uint32_t i = vec->constant ? 0 : row;
  return vec->wide ? ((const __int128 *)vec->data)[i] : ((const int64_t *)vec->data)[i];
}

/* tm.int: towards 0, within int64. */
static bool truncate_row(const tm_expr *x, const tm_vec *a, uint32_t row, int64_t *out) {
  tm_type type = x->children[0]->type;
  if (type.kind == TM_DECIMAL) {
    return tm_decimal_to_int64(decimal_at(a, row), type.scale, TM_ROUND_DOWN, out) == 0;
  }
  double value = trunc(((const double *)a->data)[a->constant ? 0 : row]);
  bool fits = value >= -0x1p63 && value < 0x1p63;
  *out = fits ? (int64_t)value : 0;
  return fits;
}

/* tm.round of an integer (to tens, hundreds …) or a decimal, by way of decimals. */
static bool round_row(__int128 value, int scale, int digits, tm_rounding mode, __int128 *out) {
  if (tm_decimal_rescale(value, scale, digits, mode, out) != TM_DECIMAL_OK) return false;
  return digits >= 0 || tm_decimal_rescale(*out, digits, 0, TM_ROUND_DOWN, out) == TM_DECIMAL_OK;
}

/* tm.round of a float: its exact value, rounded once. To tens and the like is the VM's. */
static double round_float(double value, int digits, tm_rounding mode) {
  __int128 digits_of = 0;
  double rounded = value;
  if (tm_decimal_from_double(value, digits, mode, &digits_of) == TM_DECIMAL_OK) {
    rounded = tm_decimal_to_double(digits_of, digits);
  }
  return copysign(rounded, value);
}

static int round_rows(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, uint8_t *bad,
                      tm_vec *out) {
  tm_type type = x->children[0]->type;
  int digits = (int)(x->extra >> 8) - 64;
  tm_rounding mode = (tm_rounding)(x->extra & 0xff);
  out->wide = tm_type_physical(x->type) == TM_PHYSICAL_I128;
  out->bits = out->wide ? 127 : 63;
  void *to = tm_vec_make(e, out, tm_type_width(x->type));
  if (to == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    __int128 value = 0;
    if (type.kind == TM_FLOAT64) {
      ((double *)to)[row] = round_float(((const double *)a->data)[a->constant ? 0 : row], digits,
                                        mode);
      continue;
    }
    bad[row] = !round_row(decimal_at(a, row), type.scale, digits, mode, &value) ||
               (!out->wide && value != (int64_t)value);
    if (out->wide) ((__int128 *)to)[row] = value;
    else ((int64_t *)to)[row] = (int64_t)value;
  }
  return 0;
}

static int checked_number(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a,
                          tm_vec *out) {
  uint8_t *bad = tm_eval_marks(e);
  int status = 0;
  if (bad == NULL) return -1;
  if (x->op == TM_X_ROUND) {
    out->data = NULL;
    status = round_rows(e, x, set, a, bad, out);
  } else {
    int64_t *to = tm_vec_make(e, out, 8);
    if (to == NULL) return -1;
    for (uint32_t k = 0; k < set->count; k++) {
      uint32_t row = tm_rows_at(set, k);
      bad[row] = !truncate_row(x, a, row, &to[row]);
    }
  }
  return status == 0 ? tm_eval_drop_marks(e, set, bad) : -1;
}

static int unary_number(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  if (x->op == TM_X_FLOOR || x->op == TM_X_CEIL) return round_to_int(e, x, set, a, out);
  if (x->op == TM_X_ROUND || x->op == TM_X_TRUNCATE) return checked_number(e, x, set, a, out);
  tm_unary_loop *loop = x->op == TM_X_MATH ? math_loops[x->extra]
                        : x->type.kind == TM_FLOAT64 ? abs_f64 : abs_i64;
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
