/* expr/evaluate.c: evaluation of trees, slice by slice.
 *
 * A slice (2,048 rows) keeps all vectors in the cache. A set holds the rows that are still asked
 * for. Control splits it, so that a branch is computed for the rows that take it; what cannot miss
 * and costs next to nothing is computed for all rows and blended.
 *
 * Misses: an operator that cannot decide a row takes it out of the set that it was given and marks
 * it in e->missed. Whoever split a set afterwards refreshes the sets that it still uses. So behind
 * an operator, the values of all rows of its set are good, and nothing below must be asked twice.
 *
 * A node with a slot is computed once and remembered while the set, or a subset of it, is in
 * force: entries are dropped when control leaves the branch in which they were made. */
#include "expr/vector.h"

#include "expr/loops.h"

#include <assert.h>

static _Alignas(16) uint8_t no_value[16]; /* data and valid of the constant null */

/* ---------------------------------------------------------------- misses */

static int miss_rows(tm_eval *e, tm_rows *set, const uint8_t *mark, uint8_t miss_if) {
  if (e->missed == NULL) {
    e->missed = tm_eval_buffer(e, 1);
    if (e->missed == NULL) return -1;
    memset(e->missed, 0, e->total);
  }
  if (tm_rows_storage(e, set) == NULL) return -1;
  uint32_t kept = 0;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    if (mark == NULL || (mark[row] != 0) == miss_if) {
      e->missed_count += !e->missed[row];
      e->missed[row] = 1;
    } else {
      set->storage[kept++] = row;
    }
  }
  set->rows = set->storage;
  set->count = kept;
  return 0;
}

TM_CLONES static uint8_t all_or(const uint8_t *restrict bytes, uint32_t n) {
  uint8_t any = 0;
  for (uint32_t i = 0; i < n; i++) any |= bytes[i];
  return any;
}

TM_CLONES static uint8_t all_and(const uint8_t *restrict bytes, uint32_t n) {
  uint8_t all = 1;
  for (uint32_t i = 0; i < n; i++) all &= bytes[i];
  return all;
}

int tm_eval_drop(tm_eval *e, tm_rows *set, const uint8_t *bad) {
  if (set->rows == NULL) {
    if (!all_or(bad, set->count)) return 0;
  } else {
    uint8_t any = 0;
    for (uint32_t k = 0; k < set->count; k++) any |= bad[set->rows[k]];
    if (!any) return 0;
  }
  return miss_rows(e, set, bad, 1);
}

int tm_eval_drop_nulls(tm_eval *e, tm_rows *set, const uint8_t *valid) {
  if (valid == NULL) return 0;
  if (set->rows == NULL) {
    if (all_and(valid, set->count)) return 0;
  } else {
    uint8_t all = 1;
    for (uint32_t k = 0; k < set->count; k++) all &= valid[set->rows[k]];
    if (all) return 0;
  }
  return miss_rows(e, set, valid, 0);
}

int tm_eval_drop_all(tm_eval *e, tm_rows *set) { return miss_rows(e, set, NULL, 0); }

/* ---------------------------------------------------------------- what is remembered */

static void remember(tm_eval *e, const tm_expr *x, tm_vec *vec) {
  e->memo[x->slot] = *vec;
  e->memo_used[x->slot] = 1;
  e->memo_order[e->memo_count++] = x->slot;
  vec->data_owned = vec->valid_owned = 0;
}

/* A branch is evaluated between these two; returns what leave wants. */
static uint32_t enter_branch(tm_eval *e) {
  uint32_t outer = e->scope;
  e->scope = e->memo_count;
  return outer;
}

static void leave_branch(tm_eval *e, uint32_t outer) {
  while (e->memo_count > e->scope) {
    uint16_t slot = e->memo_order[--e->memo_count];
    tm_vec_release(e, &e->memo[slot]);
    e->memo_used[slot] = 0;
  }
  e->scope = outer;
}

/* ---------------------------------------------------------------- leaves */

static int digits_bits(int precision) { return precision * 3322 / 1000 + 1; }

static void column_value(tm_eval *e, const tm_expr *x, tm_vec *out) {
  const tm_column *column = &e->columns[x->column];
  out->data = (char *)column->data + e->base * tm_type_width(column->type);
  out->valid = column->valid == NULL ? NULL : column->valid + e->base;
  out->wide = tm_type_physical(column->type) == TM_PHYSICAL_I128;
  out->bits = (uint8_t)digits_bits(column->type.precision);
}

static void constant_value(const tm_expr *x, tm_vec *out) {
  out->constant = 1;
  if (x->nullable) {
    out->data = no_value;
    out->valid = no_value;
    return;
  }
  out->data = (void *)&x->value;
  out->wide = tm_type_physical(x->type) == TM_PHYSICAL_I128;
  if (x->type.kind != TM_DECIMAL) return;
  __int128 value = out->wide ? x->value.i128 : x->value.i64;
  if (value < 0) value = -value;
  for (out->bits = 0; value != 0; value >>= 1) out->bits++;
}

/* ---------------------------------------------------------------- control */

TM_DEFINE_BINARY(and_bytes, uint8_t, uint8_t, uint8_t, x & y)
/* (x or y) with a y that is not needed, and so may be anything, is x. */
TM_DEFINE_BINARY(or_bytes, uint8_t, uint8_t, uint8_t, (x | y) & 1)
TM_DEFINE_UNARY(not_byte, uint8_t, uint8_t, x ^ 1)

/* AND, OR and IF of bools as bytes, by way of the selection. */
static int bool_by_selection(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_rows yes = {0};
  uint32_t before = e->missed_count;
  uint8_t *bytes = tm_vec_make(e, out, 1);
  if (bytes == NULL || tm_eval_select(e, x, set, &yes, NULL) != 0) return -1;
  memset(bytes, 0, e->total);
  for (uint32_t k = 0; k < yes.count; k++) bytes[tm_rows_at(&yes, k)] = 1;
  tm_rows_release(e, &yes);
  if (e->missed_count != before) tm_rows_refresh(e, set);
  return 0;
}

static int logic_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  if (!x->cheap) return bool_by_selection(e, x, set, out);
  tm_vec a, b;
  if (tm_eval_operands(e, x, set, &a, &b) != 0) return -1;
  int status = tm_eval_binary_loop(e, x->op == TM_X_AND ? and_bytes : or_bytes, 1, 1, set, &a, &b,
                                   out);
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  return status;
}

static int not_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0};
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  int status = tm_eval_unary_loop(e, not_byte, 1, set, &a, out);
  tm_vec_release(e, &a);
  return status;
}

/* IS_NULL, TRUTH, REQUIRE and PRESENT: all that only looks at `valid`. */
static int null_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0};
  if (x->op == TM_X_REQUIRE || x->op == TM_X_PRESENT) a.data = out->data;
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  if (x->op == TM_X_REQUIRE || x->op == TM_X_PRESENT) {
    int status = 0;
    if (x->op == TM_X_REQUIRE) {
      status = a.constant && a.valid != NULL ? tm_eval_drop_all(e, set)
                                             : tm_eval_drop_nulls(e, set, a.valid);
    }
    if (a.valid_owned) tm_eval_buffer_release(e, 1, a.valid);
    a.valid = NULL;
    a.valid_owned = 0;
    *out = a;
    return status;
  }
  uint8_t *bytes = tm_vec_make(e, out, 1);
  if (bytes == NULL) return -1;
  if (a.constant) {
    const uint8_t *data = a.data;
    uint8_t there = a.valid == NULL ? 1 : a.valid[0];
    memset(bytes, x->op == TM_X_TRUTH ? data[0] & there : there ^ 1, e->total);
  } else if (x->op == TM_X_TRUTH) {
    const uint8_t *data = a.data;
    for (uint32_t i = 0; i < e->total; i++) bytes[i] = data[i];
    if (a.valid != NULL) {
      for (uint32_t i = 0; i < e->total; i++) bytes[i] &= a.valid[i];
    }
  } else if (a.valid == NULL) {
    memset(bytes, 0, e->total);
  } else {
    for (uint32_t i = 0; i < e->total; i++) bytes[i] = a.valid[i] ^ 1;
  }
  tm_vec_release(e, &a);
  return 0;
}

/* ---------------------------------------------------------------- if */

#define BLEND(NAME, T)                                                                          \
  TM_CLONES static void NAME(const uint8_t *restrict c, const void *a, bool ca, const void *b,  \
                             bool cb, void *to, uint32_t n) {                                   \
    const T *restrict x = a, *restrict y = b;                                                   \
    T *restrict out = to;                                                                       \
    if (ca && cb) {                                                                             \
      T one = x[0], other = y[0];                                                               \
      for (uint32_t i = 0; i < n; i++) out[i] = c[i] ? one : other;                             \
    } else if (ca) {                                                                            \
      T one = x[0];                                                                             \
      for (uint32_t i = 0; i < n; i++) out[i] = c[i] ? one : y[i];                              \
    } else if (cb) {                                                                            \
      T other = y[0];                                                                           \
      for (uint32_t i = 0; i < n; i++) out[i] = c[i] ? x[i] : other;                            \
    } else {                                                                                    \
      for (uint32_t i = 0; i < n; i++) out[i] = c[i] ? x[i] : y[i];                             \
    }                                                                                           \
  }
BLEND(blend_1, uint8_t)
BLEND(blend_4, uint32_t)
BLEND(blend_8, uint64_t)
BLEND(blend_16, __int128)

/* Both vectors of a decimal in one width: narrow where the type or both of them are. */
static int one_width(tm_eval *e, const tm_rows *set, tm_vec *a, tm_vec *b) {
  if (a->wide == b->wide) return 0;
  tm_vec *narrow = a->wide ? b : a;
  __int128 *wide = tm_eval_buffer(e, 16);
  if (wide == NULL) return -1;
  if (narrow->constant && narrow->valid != NULL) {
    wide[0] = 0;
  } else {
    tm_decimal_widen(e, set, narrow, wide);
  }
  tm_vec widened = *narrow;
  if (narrow->data_owned != 0) tm_eval_buffer_release(e, narrow->data_owned, narrow->data);
  widened.data = wide;
  widened.data_owned = 16;
  widened.wide = 1;
  *narrow = widened;
  return 0;
}

static size_t value_width(const tm_expr *x, const tm_vec *vec) {
  if (x->type.kind == TM_DECIMAL) return vec->wide ? 16 : 8;
  return tm_type_width(x->type);
}

static void blend(size_t width, const uint8_t *c, const tm_vec *a, const tm_vec *b, void *out,
                  uint32_t n) {
  if (width == 1) blend_1(c, a->data, a->constant, b->data, b->constant, out, n);
  if (width == 4) blend_4(c, a->data, a->constant, b->data, b->constant, out, n);
  if (width == 8) blend_8(c, a->data, a->constant, b->data, b->constant, out, n);
  if (width == 16) blend_16(c, a->data, a->constant, b->data, b->constant, out, n);
}

static int blend_values(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  static const uint8_t one = 1;
  tm_vec c = {0}, a = {0}, b = {0};
  if (tm_eval_value(e, x->children[0], set, &c) != 0 ||
      tm_eval_value(e, x->children[1], set, &a) != 0 ||
      tm_eval_value(e, x->children[2], set, &b) != 0) {
    return -1;
  }
  tm_rows all = {.count = e->total};
  if (one_width(e, &all, &a, &b) != 0) return -1;
  size_t width = value_width(x, &a);
  out->wide = a.wide;
  out->bits = a.bits > b.bits ? a.bits : b.bits;
  if (tm_vec_make(e, out, width) == NULL) return -1;
  blend(width, c.data, &a, &b, out->data, e->total);
  if (a.valid != NULL || b.valid != NULL) {
    tm_vec va = {.data = a.valid == NULL ? (void *)&one : a.valid,
                 .constant = a.valid == NULL || a.constant};
    tm_vec vb = {.data = b.valid == NULL ? (void *)&one : b.valid,
                 .constant = b.valid == NULL || b.constant};
    if (tm_vec_make_valid(e, out) == NULL) return -1;
    blend(1, c.data, &va, &vb, out->valid, e->total);
  }
  tm_vec_release(e, &c);
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  return 0;
}

static void scatter_valid(const tm_rows *rows, const tm_vec *from, uint8_t *to) {
  static const uint8_t one = 1;
  if (from->valid == NULL) {
    tm_rows_copy(rows, 1, &one, true, to);
  } else {
    tm_rows_copy(rows, 1, from->valid, from->constant, to);
  }
}

static int branch_value(tm_eval *e, const tm_expr *x, tm_rows *rows, tm_vec *out) {
  *out = (tm_vec){.constant = 1, .data = no_value};
  if (rows->count == 0) return 0; /* nobody looks at it */
  uint32_t outer = enter_branch(e);
  *out = (tm_vec){0};
  int status = tm_eval_value(e, x, rows, out);
  /* What is remembered goes with its branch, so the result takes over what it borrows of that. */
  for (uint32_t i = e->scope; i < e->memo_count && status == 0; i++) {
    tm_vec *memo = &e->memo[e->memo_order[i]];
    if (memo->data == out->data && memo->data_owned != 0) {
      out->data_owned = memo->data_owned;
      memo->data_owned = 0;
    }
    if (memo->valid == out->valid && memo->valid_owned) {
      out->valid_owned = 1;
      memo->valid_owned = 0;
    }
  }
  leave_branch(e, outer);
  return status;
}

static int if_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  if (x->cheap) return blend_values(e, x, set, out);
  uint32_t before = e->missed_count;
  tm_rows yes = {0}, no = {0};
  tm_vec a = {0}, b = {0};
  if (tm_eval_select(e, x->children[0], set, &yes, &no) != 0) return -1;
  if (branch_value(e, x->children[1], &yes, &a) != 0 ||
      branch_value(e, x->children[2], &no, &b) != 0) {
    return -1;
  }
  if (a.wide != b.wide) {
    tm_rows all = {.count = e->total};
    if (one_width(e, &all, &a, &b) != 0) return -1;
  }
  size_t width = value_width(x, &a);
  out->wide = a.wide;
  out->bits = a.bits > b.bits ? a.bits : b.bits;
  if (tm_vec_make(e, out, width) == NULL) return -1;
  tm_rows_copy(&yes, width, a.data, a.constant, out->data);
  tm_rows_copy(&no, width, b.data, b.constant, out->data);
  if (a.valid != NULL || b.valid != NULL) {
    if (tm_vec_make_valid(e, out) == NULL) return -1;
    scatter_valid(&yes, &a, out->valid);
    scatter_valid(&no, &b, out->valid);
  }
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  tm_rows_release(e, &yes);
  tm_rows_release(e, &no);
  if (e->missed_count != before) tm_rows_refresh(e, set);
  return 0;
}

static int guard_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec guard = {0};
  if (tm_eval_value(e, x->children[0], set, &guard) != 0) return -1;
  tm_vec_release(e, &guard);
  return tm_eval_value(e, x->children[1], set, out);
}

/* ---------------------------------------------------------------- selection */

static int select_steps(tm_eval *e, const tm_expr *x, tm_rows *set, tm_rows *yes) {
  const tm_expr *a = x->children[0], *b = x->children[1];
  tm_rows first = {0}, rest = {0}, second = {0};
  if (tm_eval_select(e, a, set, &first, x->op == TM_X_OR ? &rest : NULL) != 0) return -1;
  if (x->op == TM_X_AND && first.count == 0) {
    *yes = first;
    return 0;
  }
  uint32_t outer = enter_branch(e);
  if (x->op == TM_X_AND) {
    if (tm_eval_select(e, b, &first, yes, NULL) != 0) return -1;
  } else {
    if (tm_eval_select(e, b, &rest, &second, NULL) != 0) return -1;
    if (tm_rows_union(e, &first, &second, yes) != 0) return -1;
  }
  leave_branch(e, outer);
  tm_rows_release(e, &first);
  tm_rows_release(e, &rest);
  tm_rows_release(e, &second);
  return 0;
}

/* The terms of an AND chain up to the first that is not cheap, for all rows at once: a pass over
 * the slice costs less than a list of rows does. *rest: the terms behind; NULL: none. */
static int select_cheap_terms(tm_eval *e, const tm_expr *x, tm_rows *set, tm_rows *yes,
                              const tm_expr **rest) {
  tm_rows asked = {0};
  tm_vec mask = {0}, term = {0};
  const tm_expr *head = x->children[0];
  *rest = x->children[1];
  if (tm_rows_clone(e, set, &asked) != 0 || tm_eval_value(e, head, &asked, &mask) != 0) return -1;
  uint8_t *both = NULL;
  while (*rest != NULL) {
    bool chain = (*rest)->op == TM_X_AND && !(*rest)->cheap;
    head = chain ? (*rest)->children[0] : *rest;
    if (!head->cheap) break;
    if (both == NULL && (both = tm_eval_buffer(e, 1)) == NULL) return -1;
    if (tm_eval_value(e, head, &asked, &term) != 0) return -1;
    and_bytes(mask.data, mask.constant, term.data, term.constant, both, NULL, e->total);
    tm_vec_release(e, &term);
    tm_vec_release(e, &mask);
    mask = (tm_vec){.data = both, .data_owned = 1};
    both = NULL;
    term = (tm_vec){0};
    *rest = chain ? (*rest)->children[1] : NULL;
  }
  if (tm_vec_flatten(e, 1, &asked, &mask) != 0) return -1;
  int status = tm_rows_of_mask(e, &asked, mask.data, yes);
  tm_vec_release(e, &mask);
  tm_rows_release(e, &asked);
  return status;
}

static int select_chain(tm_eval *e, const tm_expr *x, tm_rows *set, tm_rows *yes) {
  tm_rows first = {0};
  const tm_expr *rest;
  if (select_cheap_terms(e, x, set, &first, &rest) != 0) return -1;
  if (rest == NULL || first.count == 0) {
    *yes = first;
    return 0;
  }
  uint32_t outer = enter_branch(e);
  if (tm_eval_select(e, rest, &first, yes, NULL) != 0) return -1;
  leave_branch(e, outer);
  tm_rows_release(e, &first);
  return 0;
}

static int select_if(tm_eval *e, const tm_expr *x, tm_rows *set, tm_rows *yes) {
  tm_rows then = {0}, otherwise = {0}, a = {0}, b = {0};
  if (tm_eval_select(e, x->children[0], set, &then, &otherwise) != 0) return -1;
  uint32_t outer = enter_branch(e);
  if (tm_eval_select(e, x->children[1], &then, &a, NULL) != 0) return -1;
  leave_branch(e, outer);
  outer = enter_branch(e);
  if (tm_eval_select(e, x->children[2], &otherwise, &b, NULL) != 0) return -1;
  leave_branch(e, outer);
  if (tm_rows_union(e, &a, &b, yes) != 0) return -1;
  tm_rows_release(e, &then);
  tm_rows_release(e, &otherwise);
  tm_rows_release(e, &a);
  tm_rows_release(e, &b);
  return 0;
}

static int select_by_mask(tm_eval *e, const tm_expr *x, tm_rows *set, tm_rows *yes) {
  tm_rows asked = {0};
  tm_vec mask = {0};
  if (tm_rows_clone(e, set, &asked) != 0 || tm_eval_value(e, x, &asked, &mask) != 0) return -1;
  if (tm_vec_flatten(e, 1, &asked, &mask) != 0) return -1;
  int status = tm_rows_of_mask(e, &asked, mask.data, yes);
  tm_vec_release(e, &mask);
  tm_rows_release(e, &asked);
  return status;
}

int tm_eval_select(tm_eval *e, const tm_expr *x, tm_rows *set, tm_rows *yes, tm_rows *no) {
  if (set->count == 0) {
    return tm_rows_clone(e, set, yes) == 0 && (no == NULL || tm_rows_clone(e, set, no) == 0) ? 0
                                                                                             : -1;
  }
  if (x->op == TM_X_NOT && no == NULL) {
    tm_rows not_yes = {0};
    int status = tm_eval_select(e, x->children[0], set, &not_yes, yes);
    tm_rows_release(e, &not_yes);
    return status;
  }
  int status;
  bool dense = tm_rows_dense(e, set);
  if (x->op == TM_X_AND && dense && x->children[0]->cheap && !x->cheap) {
    status = select_chain(e, x, set, yes);
  } else if ((x->op == TM_X_AND || x->op == TM_X_OR) && !(x->cheap && dense)) {
    status = select_steps(e, x, set, yes);
  } else if (x->op == TM_X_IF && !x->cheap) {
    status = select_if(e, x, set, yes);
  } else {
    status = select_by_mask(e, x, set, yes);
  }
  if (status == 0 && no != NULL) status = tm_rows_subtract(e, set, yes, no);
  return status;
}

/* ---------------------------------------------------------------- any node */

int tm_eval_operands(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b) {
  *a = *b = (tm_vec){0};
  if (tm_eval_value(e, x->children[0], set, a) != 0) return -1;
  return tm_eval_value(e, x->children[1], set, b);
}

static int operator_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  switch ((tm_expr_op)x->op) {
    case TM_X_CONSTANT: constant_value(x, out); return 0;
    case TM_X_COLUMN: column_value(e, x, out); return 0;
    case TM_X_LEAF: case TM_X_OPAQUE: case TM_X_COUNT: break;
    case TM_X_GUARD: return guard_value(e, x, set, out);
    case TM_X_AND: case TM_X_OR: return logic_value(e, x, set, out);
    case TM_X_NOT: return not_value(e, x, set, out);
    case TM_X_IF: return if_value(e, x, set, out);
    case TM_X_REQUIRE: case TM_X_PRESENT: case TM_X_IS_NULL: case TM_X_TRUTH:
      return null_value(e, x, set, out);
    case TM_X_ADD: case TM_X_SUB: case TM_X_MUL: case TM_X_DIV: case TM_X_NEG:
      if (x->type.kind == TM_DECIMAL) return tm_eval_decimal(e, x, set, out);
      return tm_eval_arithmetic(e, x, set, out);
    case TM_X_IDIV: case TM_X_MOD: case TM_X_POW: case TM_X_BAND: case TM_X_BOR: case TM_X_BXOR:
    case TM_X_SHL: case TM_X_SHR: case TM_X_BNOT:
      return tm_eval_arithmetic(e, x, set, out);
    case TM_X_EQ: case TM_X_NE: case TM_X_LT: case TM_X_LE: case TM_X_GT: case TM_X_GE:
      return tm_eval_compare(e, x, set, out);
    case TM_X_TO_INT64: case TM_X_TO_INT32: case TM_X_TO_FLOAT: case TM_X_TO_DECIMAL:
    case TM_X_TO_STRING: case TM_X_RETYPE: case TM_X_DECIMAL_FLOAT:
      return tm_eval_convert(e, x, set, out);
    case TM_X_ABS: case TM_X_FLOOR: case TM_X_CEIL: case TM_X_MIN: case TM_X_MAX: case TM_X_MATH:
    case TM_X_ROUND: case TM_X_TRUNCATE:
      return tm_eval_number(e, x, set, out);
    case TM_X_LENGTH: case TM_X_SUBSTRING: case TM_X_LOWER: case TM_X_UPPER: case TM_X_BYTE:
    case TM_X_FIND: case TM_X_LIKE: case TM_X_CONCAT: case TM_X_TEXT:
      return tm_eval_text(e, x, set, out);
    case TM_X_CAPTURE: case TM_X_REPLACED: case TM_X_REPLACE:
      return tm_eval_pattern(e, x, set, out);
    case TM_X_FORMAT_NUMBER: case TM_X_FORMAT_TIME: case TM_X_PARSE:
      return tm_eval_format(e, x, set, out);
    case TM_X_YEAR: case TM_X_MONTH: case TM_X_DAY_OF_MONTH: case TM_X_WEEKDAY: case TM_X_HOUR:
    case TM_X_MINUTE: case TM_X_SECOND: case TM_X_DAY_OF: case TM_X_ADD_DAYS:
    case TM_X_ADD_MONTHS: case TM_X_DAYS_BETWEEN:
      return tm_eval_time(e, x, set, out);
    case TM_X_PROBE: return tm_eval_probe(e, x, set, out);
  }
  assert(!"a node that has no value");
  return -1;
}

int tm_eval_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  *out = (tm_vec){.data = out->data};
  if (x->slot == 0 || e->memo == NULL) return operator_value(e, x, set, out);
  if (e->memo_used[x->slot]) {
    *out = e->memo[x->slot];
    out->data_owned = out->valid_owned = 0;
    return 0;
  }
  if (operator_value(e, x, set, out) != 0) return -1;
  remember(e, x, out);
  return 0;
}
