/* expr/evaluate_convert.c: from one type to another. Nulls stay null, what cannot be is a miss. */
#include "expr/loops.h"

#include "kernel/decimal.h"
#include "kernel/utf8.h"

#include <math.h>

TM_DEFINE_UNARY(i32_to_i64, int32_t, int64_t, x)
TM_DEFINE_UNARY(i64_to_i32, int64_t, int32_t, x)
TM_DEFINE_UNARY(i64_to_f64, int64_t, double, x)

static bool row_is_null(const tm_vec *vec, uint32_t row) {
  return vec->valid != NULL && !vec->valid[vec->constant ? 0 : row];
}

/* An integral float within int64. */
static int float_to_int(tm_eval *e, tm_rows *set, const tm_vec *a, tm_vec *out) {
  const double *values = a->data;
  int64_t *to = tm_vec_make(e, out, 8);
  uint8_t *bad = tm_eval_marks(e);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    if (row_is_null(a, row)) continue;
    double value = values[a->constant ? 0 : row];
    bool fits = value >= -0x1p63 && value < 0x1p63 && floor(value) == value;
    to[row] = fits ? (int64_t)value : 0;
    bad[row] = !fits;
  }
  return tm_eval_drop_marks(e, set, bad);
}

static int int_to_int32(tm_eval *e, tm_rows *set, const tm_vec *a, tm_vec *out) {
  const int64_t *values = a->data;
  uint8_t *bad = tm_eval_marks(e);
  if (bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    int64_t value = values[a->constant ? 0 : row];
    bad[row] = value != (int32_t)value && !row_is_null(a, row);
  }
  if (tm_eval_drop_marks(e, set, bad) != 0) return -1;
  return tm_eval_unary_loop(e, i64_to_i32, 4, set, a, out);
}

/* ---------------------------------------------------------------- decimals */

static __int128 power_of_ten(int exponent) {
  __int128 power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

static __int128 wide_at(const tm_vec *vec, uint32_t row) {
  uint32_t i = vec->constant ? 0 : row;
  return vec->wide ? ((const __int128 *)vec->data)[i] : ((const int64_t *)vec->data)[i];
}

/* Up: times a power of ten, within 10^precision. Down: exactly, or not at all. */
static bool rescale(__int128 value, int up, __int128 factor, __int128 limit, __int128 *out) {
  if (up >= 0) {
    __int128 most = (limit - 1) / factor;
    if (value > most || value < -most) return false;
    *out = value * factor;
    return true;
  }
  *out = value / factor;
  return *out * factor == value && *out < limit && *out > -limit;
}

static int rescale_rows(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, int up,
                        tm_vec *out) {
  bool wide = tm_type_physical(x->type) == TM_PHYSICAL_I128;
  __int128 factor = power_of_ten(up < 0 ? -up : up), limit = power_of_ten(x->type.precision);
  out->wide = wide;
  out->bits = wide ? 127 : 63;
  if (!wide && out->data == NULL && tm_vec_make(e, out, 8) == NULL) return -1;
  if (wide) out->data = NULL;
  if (wide && tm_vec_make(e, out, 16) == NULL) return -1;
  int64_t *narrow = out->data;
  __int128 *to = out->data;
  uint8_t *bad = tm_eval_marks(e);
  if (bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    if (row_is_null(a, row)) continue;
    __int128 value = 0;
    bad[row] = !rescale(wide_at(a, row), up, factor, limit, &value);
    if (bad[row]) value = 0;
    if (wide) to[row] = value;
    if (!wide) narrow[row] = (int64_t)value;
  }
  return tm_eval_drop_marks(e, set, bad);
}

static int to_decimal(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *out) {
  tm_type from = x->children[0]->type;
  if (from.kind == TM_INT32) {
    tm_vec wider = {0};
    if (tm_eval_unary_loop(e, i32_to_i64, 8, set, a, &wider) != 0) return -1;
    wider.valid = a->valid;
    wider.valid_owned = a->valid_owned;
    a->valid_owned = 0;
    tm_vec_release(e, a);
    *a = wider;
    a->bits = 32;
  } else if (from.kind == TM_INT64) {
    a->bits = 64;
  }
  int up = x->type.scale - (from.kind == TM_DECIMAL ? from.scale : 0);
  bool same_form = a->wide == (tm_type_physical(x->type) == TM_PHYSICAL_I128) || !a->wide;
  if (up == 0 && !x->misses && same_form) {
    *out = *a; /* the digits stay, in as few bits as they were */
    a->data_owned = a->valid_owned = 0;
    return 0;
  }
  return rescale_rows(e, x, set, a, up, out);
}

static int decimal_to_float(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a,
                            tm_vec *out) {
  int scale = x->children[0]->type.scale;
  double *to = tm_vec_make(e, out, 8);
  if (to == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    if (!row_is_null(a, row)) to[row] = tm_decimal_to_double(wide_at(a, row), scale);
  }
  return 0;
}

/* ---------------------------------------------------------------- strings */

static int miss_invalid_text(tm_eval *e, tm_rows *set, const tm_vec *a) {
  const tm_str *values = a->data;
  uint8_t *bad = tm_eval_marks(e);
  if (bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    if (row_is_null(a, row)) continue;
    const tm_str *value = &values[a->constant ? 0 : row];
    bool ascii = value->size <= TM_STR_INLINE &&
                 ((value->words[0] >> 32 | value->words[1]) & UINT64_C(0x8080808080808080)) == 0;
    bad[row] = !ascii && !tm_utf8_valid(tm_str_bytes(value), value->size);
  }
  return tm_eval_drop_marks(e, set, bad);
}

static int convert(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *out) {
  tm_kind from = (tm_kind)x->children[0]->type.kind;
  switch ((tm_expr_op)x->op) {
    case TM_X_TO_INT64:
      if (from == TM_FLOAT64) return float_to_int(e, set, a, out);
      return tm_eval_unary_loop(e, i32_to_i64, 8, set, a, out);
    case TM_X_TO_INT32: return int_to_int32(e, set, a, out);
    case TM_X_TO_FLOAT: return tm_eval_unary_loop(e, i64_to_f64, 8, set, a, out);
    case TM_X_TO_DECIMAL: return to_decimal(e, x, set, a, out);
    case TM_X_DECIMAL_FLOAT: return decimal_to_float(e, x, set, a, out);
    default: break;
  }
  if (x->op == TM_X_TO_STRING && miss_invalid_text(e, set, a) != 0) return -1;
  *out = *a; /* the same bits */
  a->data_owned = a->valid_owned = 0;
  return 0;
}

int tm_eval_convert(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0};
  bool same_bits = x->op == TM_X_TO_STRING || x->op == TM_X_RETYPE;
  if (same_bits) a.data = out->data;
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  if (convert(e, x, set, &a, out) != 0) return -1;
  if (!out->constant && out->valid == NULL && a.valid != NULL) {
    if (a.constant) {
      if (tm_vec_make_valid(e, out) == NULL) return -1;
      memset(out->valid, a.valid[0], e->total);
    } else {
      out->valid = a.valid;
      out->valid_owned = a.valid_owned;
      a.valid_owned = 0;
    }
  }
  tm_vec_release(e, &a);
  return 0;
}
