/* expr/evaluate_compare.c: comparisons, by physical form.
 *
 * An integer against a float is compared by value, exactly, as Lua does: neither is rounded to
 * the other. EQ and NE of nullable operands hold nulls equal to each other. */
#include "expr/loops.h"

#include <math.h>

#define COMPARISONS(NAME, T)                                \
  TM_DEFINE_BINARY(NAME##_eq, T, T, uint8_t, x == y)        \
  TM_DEFINE_BINARY(NAME##_ne, T, T, uint8_t, x != y)        \
  TM_DEFINE_BINARY(NAME##_lt, T, T, uint8_t, x < y)         \
  TM_DEFINE_BINARY(NAME##_le, T, T, uint8_t, x <= y)        \
  TM_DEFINE_BINARY(NAME##_gt, T, T, uint8_t, x > y)         \
  TM_DEFINE_BINARY(NAME##_ge, T, T, uint8_t, x >= y)        \
  static tm_binary_loop *const NAME##_loops[] = {           \
    NAME##_eq, NAME##_ne, NAME##_lt, NAME##_le, NAME##_gt, NAME##_ge,  \
  };
COMPARISONS(bytes, uint8_t)
COMPARISONS(i32, int32_t)
COMPARISONS(i64, int64_t)
COMPARISONS(f64, double)
COMPARISONS(i128, __int128)

/* -1, 0, 1, or 2 where the float is NaN. */
static int compare_exactly(int64_t i, double f) {
  if (f != f) return 2;
  if (f >= 0x1p63) return -1;
  if (f < -0x1p63) return 1;
  double whole = floor(f);
  int64_t truncated = (int64_t)whole;
  if (i != truncated) return i < truncated ? -1 : 1;
  return whole < f ? -1 : 0;
}

static bool holds(tm_expr_op op, int order) {
  switch (op) {
    case TM_X_EQ: return order == 0;
    case TM_X_NE: return order != 0;
    case TM_X_LT: return order < 0;
    case TM_X_LE: return order <= 0;
    case TM_X_GT: return order == 1;
    default: return order == 0 || order == 1;
  }
}

static tm_expr_op turned(tm_expr_op op) {
  switch (op) {
    case TM_X_LT: return TM_X_GT;
    case TM_X_LE: return TM_X_GE;
    case TM_X_GT: return TM_X_LT;
    case TM_X_GE: return TM_X_LE;
    default: return op;
  }
}

static void compare_mixed(tm_expr_op op, const tm_rows *set, const tm_vec *ints,
                          const tm_vec *floats, uint8_t *out) {
  const int64_t *a = ints->data;
  const double *b = floats->data;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    int64_t i = a[ints->constant ? 0 : row];
    out[row] = holds(op, compare_exactly(i, b[floats->constant ? 0 : row]));
  }
}

/* ---------------------------------------------------------------- strings */

/* With a short constant, 16 bytes decide, and no pointer is followed. */
static void equal_short(const tm_rows *set, bool dense, uint32_t total, const tm_str *a, tm_str b,
                        uint8_t equal, uint8_t *restrict out) {
  uint64_t first = b.words[0], second = b.words[1];
  if (dense) {
    for (uint32_t i = 0; i < total; i++) {
      uint8_t same = ((a[i].words[0] ^ first) | (a[i].words[1] ^ second)) == 0;
      out[i] = same == equal;
    }
    return;
  }
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t i = set->rows[k];
    uint8_t same = ((a[i].words[0] ^ first) | (a[i].words[1] ^ second)) == 0;
    out[i] = same == equal;
  }
}

/* valid is NULL or tells which rows have a text at all. */
static void compare_strings(tm_expr_op op, const tm_rows *set, const tm_vec *left,
                            const tm_vec *right, uint8_t *out) {
  const tm_str *a = left->data, *b = right->data;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    uint32_t i = left->constant ? 0 : row, j = right->constant ? 0 : row;
    bool there = (left->valid == NULL || left->valid[i]) &&
                 (right->valid == NULL || right->valid[j]);
    if (!there) {
      out[row] = 0; /* nulls are dealt with afterwards */
    } else if (op == TM_X_EQ || op == TM_X_NE) {
      out[row] = tm_str_equal(&a[i], &b[j]) == (op == TM_X_EQ);
    } else {
      int order = tm_str_compare(&a[i], &b[j]);
      out[row] = holds(op, order < 0 ? -1 : order > 0);
    }
  }
}

static int string_value(tm_eval *e, tm_expr_op op, const tm_rows *set, tm_vec *a, tm_vec *b,
                        tm_vec *out) {
  if (tm_vec_make(e, out, 1) == NULL) return -1;
  if (a->constant && !b->constant) {
    tm_vec swap = *a;
    *a = *b;
    *b = swap;
    op = turned(op);
  }
  const tm_str *right = b->data;
  bool equality = op == TM_X_EQ || op == TM_X_NE;
  if (equality && b->constant && !a->constant && right->size <= TM_STR_INLINE) {
    equal_short(set, tm_rows_dense(e, set), e->total, a->data, *right, op == TM_X_EQ, out->data);
  } else {
    compare_strings(op, set, a, b, out->data);
  }
  return 0;
}

/* ---------------------------------------------------------------- nulls */

static uint8_t valid_at(const tm_vec *vec, uint32_t row) {
  return vec->valid == NULL ? 1 : vec->valid[vec->constant ? 0 : row];
}

/* Where one side is null the answer is by the nulls alone. */
static void correct_nulls(tm_expr_op op, const tm_rows *set, const tm_vec *a, const tm_vec *b,
                          uint8_t *out) {
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    uint8_t left = valid_at(a, row), right = valid_at(b, row);
    if (!(left & right)) out[row] = (left == right) == (op == TM_X_EQ);
  }
}

static int compare_vectors(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b,
                           tm_vec *out) {
  tm_expr_op op = (tm_expr_op)x->op;
  tm_type left = x->children[0]->type, right = x->children[1]->type;
  if ((left.kind == TM_FLOAT64) != (right.kind == TM_FLOAT64)) {
    if (tm_vec_make(e, out, 1) == NULL) return -1;
    if (left.kind == TM_FLOAT64) {
      compare_mixed(turned(op), set, b, a, out->data);
    } else {
      compare_mixed(op, set, a, b, out->data);
    }
    return 0;
  }
  tm_binary_loop *const *loops = i64_loops;
  size_t width = 8;
  if (left.kind == TM_DECIMAL) {
    if (tm_decimal_align(e, x, set, a, b) != 0) return -1;
    if (a->wide) loops = i128_loops, width = 16;
  } else {
    switch (tm_type_physical(left)) {
      case TM_PHYSICAL_U8: loops = bytes_loops, width = 1; break;
      case TM_PHYSICAL_I32: loops = i32_loops, width = 4; break;
      case TM_PHYSICAL_F64: loops = f64_loops; break;
      case TM_PHYSICAL_STR: return string_value(e, op, set, a, b, out);
      default: break;
    }
  }
  return tm_eval_binary_loop(e, loops[op - TM_X_EQ], width, 1, set, a, b, out);
}

int tm_eval_compare(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a, b;
  if (tm_eval_operands(e, x, set, &a, &b) != 0) return -1;
  if (compare_vectors(e, x, set, &a, &b, out) != 0) return -1;
  if (a.valid != NULL || b.valid != NULL) {
    correct_nulls((tm_expr_op)x->op, set, &a, &b, out->data);
  }
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  return 0;
}
