/* expr/evaluate_decimal.c: exact arithmetic of decimals, in 64 bits wherever the values allow it.
 *
 * Static precision bounds the digits of a result, but real values are much smaller than their
 * types: price * (1 - discount) * (1 + tax) has 40 digits by type and 12 in life. So a vector
 * carries a bound on the bits of its values, first from the type, and where that is too much, from
 * a look at the values (one pass, cheaper than arithmetic). While the bounds add up to less than
 * 63 bits, loops run over int64; else over __int128, with a check of the 38 digits only where the
 * types do not exclude more. A row that fails the check misses. */
#include "expr/loops.h"

#include "kernel/decimal.h"

#include <assert.h>

enum { NARROW_BITS = 63 };

#define LIMIT_1E19 ((__int128)UINT64_C(10000000000000000000))
#define LIMIT (LIMIT_1E19 * LIMIT_1E19) /* 10^38: no decimal is as large */

static __int128 power_of_ten(int exponent) {
  __int128 power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

static int power_bits(int exponent) { return exponent == 0 ? 0 : exponent * 3322 / 1000 + 1; }

/* ---------------------------------------------------------------- bounds */

TM_CLONES static uint64_t all_bits(const int64_t *restrict values, uint32_t n) {
  uint64_t bits = 0;
  for (uint32_t i = 0; i < n; i++) bits |= (uint64_t)(values[i] ^ (values[i] >> 63));
  return bits;
}

int tm_decimal_bits(const tm_eval *e, const tm_rows *set, const int64_t *values) {
  (void)e;
  uint64_t bits = 0;
  if (set->rows == NULL) {
    bits = all_bits(values, set->count);
  } else {
    for (uint32_t k = 0; k < set->count; k++) {
      int64_t value = values[set->rows[k]];
      bits |= (uint64_t)(value ^ (value >> 63));
    }
  }
  /* -2^k has one bit more than its complement shows */
  return bits == 0 ? 1 : 65 - __builtin_clzll(bits);
}

static void tighten(tm_eval *e, const tm_expr *x, const tm_rows *set, tm_vec *vec) {
  if (vec->constant || vec->wide) return;
  int bits = tm_decimal_bits(e, set, vec->data);
  if (bits < vec->bits) vec->bits = (uint8_t)bits;
  /* Worth keeping, but only for what is remembered for these rows, not for more of them. */
  for (uint32_t i = e->scope; i < e->memo_count; i++) {
    if (e->memo_order[i] == x->slot) e->memo[x->slot].bits = vec->bits;
  }
}

/* ---------------------------------------------------------------- the two forms */

TM_DEFINE_UNARY(widen_loop, int64_t, __int128, x)
TM_DEFINE_UNARY(narrow_loop, __int128, int64_t, x)

void tm_decimal_widen(const tm_eval *e, const tm_rows *set, const tm_vec *from, __int128 *to) {
  bool dense = tm_rows_dense(e, set) && !from->constant;
  widen_loop(from->data, to, dense || from->constant ? NULL : set->rows,
             from->constant ? 1 : dense ? e->total : set->count);
}

void tm_decimal_narrow(const tm_eval *e, const tm_rows *set, const tm_vec *from, int64_t *to) {
  bool dense = tm_rows_dense(e, set) && !from->constant;
  narrow_loop(from->data, to, dense || from->constant ? NULL : set->rows,
              from->constant ? 1 : dense ? e->total : set->count);
}

static void replace_data(tm_eval *e, tm_vec *vec, void *data, uint8_t width) {
  if (vec->data_owned != 0) tm_eval_buffer_release(e, vec->data_owned, vec->data);
  vec->data = data;
  vec->data_owned = width;
}

static int make_wide(tm_eval *e, const tm_rows *set, tm_vec *vec) {
  if (vec->wide) return 0;
  __int128 *wide = tm_eval_buffer(e, 16);
  if (wide == NULL) return -1;
  tm_decimal_widen(e, set, vec, wide);
  replace_data(e, vec, wide, 16);
  vec->wide = 1;
  return 0;
}

/* ---------------------------------------------------------------- scaling */

TM_DEFINE_BINARY(scale_i64, int64_t, int64_t, int64_t, (uint64_t)x * (uint64_t)y)

static int scale_narrow(tm_eval *e, const tm_rows *set, int exponent, tm_vec *vec) {
  if (exponent == 0) return 0;
  int64_t factor = (int64_t)power_of_ten(exponent);
  int64_t *scaled = tm_eval_buffer(e, 8);
  if (scaled == NULL) return -1;
  bool dense = tm_rows_dense(e, set) && !vec->constant;
  scale_i64(vec->data, false, &factor, true, scaled, dense || vec->constant ? NULL : set->rows,
            vec->constant ? 1 : dense ? e->total : set->count);
  replace_data(e, vec, scaled, 8);
  vec->bits = (uint8_t)(vec->bits + power_bits(exponent));
  return 0;
}

/* bad[row] is set where the scaled value leaves 38 digits; NULL: it cannot. */
static int scale_wide(tm_eval *e, const tm_rows *set, int exponent, uint8_t *bad, tm_vec *vec) {
  if (make_wide(e, set, vec) != 0) return -1;
  if (exponent == 0) return 0;
  __int128 factor = power_of_ten(exponent), most = (LIMIT - 1) / factor;
  __int128 *scaled = tm_eval_buffer(e, 16);
  if (scaled == NULL) return -1;
  const __int128 *values = vec->data;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k), i = vec->constant ? 0 : row;
    __int128 value = values[i];
    bool fits = value <= most && value >= -most;
    scaled[i] = fits ? value * factor : 0;
    if (!fits && bad != NULL) bad[row] = 1;
  }
  replace_data(e, vec, scaled, 16);
  return 0;
}

static bool scaled_fits(const tm_vec *vec, int exponent) {
  return !vec->wide && vec->bits + power_bits(exponent) <= NARROW_BITS - 1 && exponent <= 18;
}

static void tighten_pair(tm_eval *e, const tm_expr *x, const tm_rows *set, tm_vec *a, tm_vec *b) {
  tighten(e, x->children[0], set, a);
  tighten(e, x->children[1], set, b);
}

/* Both operands at the larger scale; narrow where both are. Rows that do not fit are in bad. */
static int align(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b, uint8_t *bad) {
  int scale_a = x->children[0]->type.scale, scale_b = x->children[1]->type.scale;
  int up_a = scale_a < scale_b ? scale_b - scale_a : 0;
  int up_b = scale_b < scale_a ? scale_a - scale_b : 0;
  if (!a->wide && !b->wide && !(scaled_fits(a, up_a) && scaled_fits(b, up_b))) {
    tighten_pair(e, x, set, a, b);
  }
  if (scaled_fits(a, up_a) && scaled_fits(b, up_b)) {
    if (scale_narrow(e, set, up_a, a) != 0) return -1;
    return scale_narrow(e, set, up_b, b);
  }
  if (scale_wide(e, set, up_a, bad, a) != 0) return -1;
  return scale_wide(e, set, up_b, bad, b);
}

/* bad NULL: no row can miss. */
static int drop_bad(tm_eval *e, tm_rows *set, uint8_t *bad) {
  return bad == NULL ? 0 : tm_eval_drop_marks(e, set, bad);
}

int tm_decimal_align(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b) {
  /* Values that are equally scaled need no room to grow. */
  if (x->children[0]->type.scale == x->children[1]->type.scale && a->wide == b->wide) return 0;
  uint8_t *bad = x->misses ? tm_eval_marks(e) : NULL;
  if (x->misses && bad == NULL) return -1;
  if (align(e, x, set, a, b, bad) != 0) return -1;
  return drop_bad(e, set, bad);
}

/* ---------------------------------------------------------------- operators */

TM_DEFINE_BINARY(add_narrow, int64_t, int64_t, int64_t, (uint64_t)x + (uint64_t)y)
TM_DEFINE_BINARY(sub_narrow, int64_t, int64_t, int64_t, (uint64_t)x - (uint64_t)y)
TM_DEFINE_BINARY(add_wide, __int128, __int128, __int128,
                 (unsigned __int128)x + (unsigned __int128)y)
TM_DEFINE_BINARY(sub_wide, __int128, __int128, __int128,
                 (unsigned __int128)x - (unsigned __int128)y)
TM_DEFINE_BINARY(mul_wide, __int128, __int128, __int128,
                 (unsigned __int128)x * (unsigned __int128)y)
TM_DEFINE_BINARY(mul_to_wide, int64_t, int64_t, __int128, (__int128)x * y)
TM_DEFINE_UNARY(neg_narrow, int64_t, int64_t, 0 - (uint64_t)x)
TM_DEFINE_UNARY(neg_wide, __int128, __int128, 0 - (unsigned __int128)x)

static bool too_large(__int128 value) { return value >= LIMIT || value <= -LIMIT; }

/* Results that may leave 38 digits; __int128 itself holds any sum of two such. */
static void check_sums(const tm_rows *set, const tm_vec *out, uint8_t *bad) {
  const __int128 *values = out->data;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    bad[row] |= too_large(values[row]);
  }
}

static int sum_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b,
                     tm_vec *out) {
  bool add = x->op == TM_X_ADD;
  uint8_t *bad = x->misses ? tm_eval_marks(e) : NULL;
  if ((x->misses && bad == NULL) || align(e, x, set, a, b, bad) != 0) return -1;
  out->wide = a->wide;
  out->bits = (uint8_t)((a->bits > b->bits ? a->bits : b->bits) + 1);
  size_t width = a->wide ? 16 : 8;
  tm_binary_loop *loop = a->wide ? (add ? add_wide : sub_wide) : (add ? add_narrow : sub_narrow);
  if (tm_eval_binary_loop(e, loop, width, width, set, a, b, out) != 0) return -1;
  if (bad != NULL && out->wide) check_sums(set, out, bad);
  return drop_bad(e, set, bad);
}

static int checked_products(tm_eval *e, tm_rows *set, tm_vec *a, tm_vec *b, tm_vec *out) {
  const __int128 *left = a->data, *right = b->data;
  __int128 *to = tm_vec_make(e, out, 16);
  uint8_t *bad = tm_eval_marks(e);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    __int128 product;
    bool wraps = __builtin_mul_overflow(left[a->constant ? 0 : row], right[b->constant ? 0 : row],
                                        &product);
    to[row] = product;
    bad[row] = wraps || too_large(product);
  }
  return drop_bad(e, set, bad);
}

static int product_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b,
                         tm_vec *out) {
  if (!a->wide && !b->wide && a->bits + b->bits > NARROW_BITS) tighten_pair(e, x, set, a, b);
  int bits = a->bits + b->bits;
  out->bits = (uint8_t)(bits < 127 ? bits : 127);
  if (!a->wide && !b->wide) {
    out->wide = bits > NARROW_BITS; /* two int64 never leave __int128 nor 38 digits */
    return tm_eval_binary_loop(e, out->wide ? mul_to_wide : scale_i64, 8, out->wide ? 16 : 8, set,
                               a, b, out);
  }
  if (make_wide(e, set, a) != 0 || make_wide(e, set, b) != 0) return -1;
  out->wide = 1;
  if (x->misses) return checked_products(e, set, a, b, out);
  return tm_eval_binary_loop(e, mul_wide, 16, 16, set, a, b, out);
}

/* In 64 bits where numerator and divisor fit; tm_decimal_divide is for all. */
static bool divide_short(__int128 numerator, int64_t d, int64_t *out) {
  if (numerator != (int64_t)numerator || d == 0 || d == -1) return false;
  int64_t n = (int64_t)numerator, quotient = n / d, rest = n - quotient * d;
  uint64_t twice = 2 * (rest < 0 ? 0 - (uint64_t)rest : (uint64_t)rest);
  uint64_t whole = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
  bool away = twice > whole || (twice == whole && (quotient & 1));
  *out = away ? quotient + ((n < 0) == (d < 0) ? 1 : -1) : quotient;
  return true;
}

static int quotient_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b,
                          tm_vec *out) {
  int scale_a = x->children[0]->type.scale, scale_b = x->children[1]->type.scale;
  int scale = x->type.scale, up = scale - scale_a + scale_b;
  bool narrow = !a->wide && !b->wide && up <= 18;
  __int128 factor = narrow ? power_of_ten(up) : 0;
  if (!narrow && (make_wide(e, set, a) != 0 || make_wide(e, set, b) != 0)) return -1;
  out->wide = 1;
  out->bits = 127;
  __int128 *to = tm_vec_make(e, out, 16);
  uint8_t *bad = tm_eval_marks(e);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k), i = a->constant ? 0 : row, j = b->constant ? 0 : row;
    int64_t quotient;
    if (narrow) {
      int64_t n = ((const int64_t *)a->data)[i], d = ((const int64_t *)b->data)[j];
      if (divide_short(n * factor, d, &quotient)) {
        to[row] = quotient;
      } else {
        to[row] = 0;
        bad[row] = tm_decimal_divide(n, scale_a, d, scale_b, scale, &to[row]) != TM_DECIMAL_OK;
      }
    } else {
      __int128 n = ((const __int128 *)a->data)[i], d = ((const __int128 *)b->data)[j];
      to[row] = 0;
      bad[row] = tm_decimal_divide(n, scale_a, d, scale_b, scale, &to[row]) != TM_DECIMAL_OK;
    }
  }
  return drop_bad(e, set, bad);
}

/* A short decimal lies in int64, however it was computed. */
static int to_form_of_type(tm_eval *e, const tm_expr *x, const tm_rows *set, void *dest,
                           tm_vec *out) {
  if (!out->wide || tm_type_physical(x->type) == TM_PHYSICAL_I128) return 0;
  int64_t *narrow = dest != NULL ? dest : tm_eval_buffer(e, 8);
  if (narrow == NULL) return -1;
  tm_decimal_narrow(e, set, out, narrow);
  replace_data(e, out, narrow, dest != NULL ? 0 : 8);
  out->wide = 0;
  out->bits = NARROW_BITS;
  return 0;
}

int tm_eval_decimal(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0}, b = {0};
  void *dest = out->data; /* of int64, where a short decimal is wanted */
  out->data = NULL;
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  if (x->child_count > 1 && tm_eval_value(e, x->children[1], set, &b) != 0) return -1;
  int status;
  if (x->op == TM_X_NEG) {
    out->wide = a.wide;
    out->bits = a.bits;
    status = tm_eval_unary_loop(e, a.wide ? neg_wide : neg_narrow, a.wide ? 16 : 8, set, &a, out);
  } else if (x->op == TM_X_MUL) {
    status = product_value(e, x, set, &a, &b, out);
  } else if (x->op == TM_X_DIV) {
    status = quotient_value(e, x, set, &a, &b, out);
  } else {
    status = sum_value(e, x, set, &a, &b, out);
  }
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  return status == 0 ? to_form_of_type(e, x, set, dest, out) : -1;
}
