/* expr/fold.c: constants computed at plan time, by the evaluator itself, and conversions that
 * convert nothing. So a folded constant cannot differ from what a row would have given. */
#include "expr/fold.h"

#include "expr/evaluate.h"
#include "kernel/decimal.h"

static bool all_constant(const tm_expr *node) {
  for (uint32_t i = 0; i < node->child_count; i++) {
    const tm_expr *child = node->children[i];
    if (child->op != TM_X_CONSTANT || child->nullable) return false;
  }
  return true;
}

static const tm_expr *fold_constant(tm_expr_pool *pool, const tm_expr *node) {
  tm_constant value;
  bool is_null;
  int status = tm_expr_evaluate_constant(node, pool->arena, &value, &is_null);
  if (status < 0) pool->failed = true;
  if (status != 0) return NULL; /* it misses for every row: the VM will say why */
  if (is_null) return tm_expr_null(pool, node->type);
  if (tm_type_physical(node->type) == TM_PHYSICAL_STR) {
    const tm_expr *text =
        tm_expr_string(pool, tm_str_bytes(&value.text), value.text.size);
    if (node->type.kind == TM_STRING || pool->failed) return text;
    return tm_expr_constant(pool, node->type, text->value);
  }
  return tm_expr_constant(pool, node->type, value);
}

/* ---------------------------------------------------------------- operands of one form */

static bool is_constant(const tm_expr *x, tm_kind kind) {
  return x->op == TM_X_CONSTANT && !x->nullable && x->type.kind == kind;
}

/* The int32 below a widening, or an int32 constant; NULL: it is neither. */
static const tm_expr *as_int32(tm_expr_pool *pool, const tm_expr *x) {
  if (x->op == TM_X_TO_INT64 && x->children[0]->type.kind == TM_INT32) return x->children[0];
  if (!is_constant(x, TM_INT64) || x->value.i64 != (int32_t)x->value.i64) return NULL;
  tm_constant value = {.i128 = 0};
  value.i32 = (int32_t)x->value.i64;
  return tm_expr_constant(pool, tm_type_of(TM_INT32), value);
}

/* A constant with as many digits behind the point as what it meets. NULL: nothing to do. */
static const tm_expr *at_scale(tm_expr_pool *pool, const tm_expr *x, int scale) {
  if (!is_constant(x, TM_DECIMAL) || x->type.scale >= scale) return NULL;
  __int128 value = tm_type_width(x->type) == 16 ? x->value.i128 : x->value.i64, scaled = 0;
  if (tm_decimal_rescale(value, x->type.scale, scale, TM_ROUND_DOWN, &scaled) != TM_DECIMAL_OK) {
    return NULL;
  }
  return tm_expr_decimal(pool, scaled, scale);
}

static const tm_expr *with_operands(tm_expr_pool *pool, const tm_expr *node, tm_expr_op op,
                                    const tm_expr *a, const tm_expr *b) {
  return tm_expr_make(pool, op, node->type, (const tm_expr *const[]){a, b}, 2, node->aux,
                      node->extra);
}

static const tm_expr *align_scales(tm_expr_pool *pool, const tm_expr *node) {
  const tm_expr *a = node->children[0], *b = node->children[1];
  if (a->type.kind != TM_DECIMAL || b->type.kind != TM_DECIMAL) return NULL;
  const tm_expr *scaled_a = at_scale(pool, a, b->type.scale);
  const tm_expr *scaled_b = at_scale(pool, b, a->type.scale);
  if (scaled_a == NULL && scaled_b == NULL) return NULL;
  return with_operands(pool, node, (tm_expr_op)node->op, scaled_a == NULL ? a : scaled_a,
                       scaled_b == NULL ? b : scaled_b);
}

/* Constants go to the right, int32 stays int32: fewer forms, and narrower loops. */
static const tm_expr *simpler_comparison(tm_expr_pool *pool, const tm_expr *node) {
  static const tm_expr_op turned[] = {TM_X_EQ, TM_X_NE, TM_X_GT, TM_X_GE, TM_X_LT, TM_X_LE};
  const tm_expr *a = node->children[0], *b = node->children[1];
  if (a->op == TM_X_CONSTANT && b->op != TM_X_CONSTANT) {
    return with_operands(pool, node, turned[node->op - TM_X_EQ], b, a);
  }
  if (a->op == TM_X_TO_INT64) {
    const tm_expr *x = as_int32(pool, a), *y = as_int32(pool, b);
    if (x != NULL && y != NULL) return with_operands(pool, node, (tm_expr_op)node->op, x, y);
  }
  if (a->op == TM_X_RETYPE && a->children[0]->type.kind == TM_TIMESTAMP &&
      is_constant(b, TM_INT64)) { /* the same bits, and explain says a time */
    const tm_expr *time = tm_expr_constant(pool, a->children[0]->type, b->value);
    return with_operands(pool, node, (tm_expr_op)node->op, a->children[0], time);
  }
  return align_scales(pool, node);
}

/* A conversion of `x or 0` is one of x; the constant is converted now, and for good. */
static const tm_expr *convert_branches(tm_expr_pool *pool, const tm_expr *node) {
  const tm_expr *x = node->children[0];
  if (x->op != TM_X_IF) return NULL;
  const tm_expr *then = x->children[1], *otherwise = x->children[2];
  if (then->op != TM_X_CONSTANT && otherwise->op != TM_X_CONSTANT) return NULL;
  tm_expr_op op = (tm_expr_op)node->op;
  return tm_expr_if(pool, node->type, x->children[0],
                    tm_expr_make(pool, op, node->type, &then, 1, node->aux, node->extra),
                    tm_expr_make(pool, op, node->type, &otherwise, 1, node->aux, node->extra));
}

const tm_expr *tm_expr_fold(tm_expr_pool *pool, const tm_expr *node) {
  const tm_expr *a = node->children[0], *simpler = NULL;
  switch ((tm_expr_op)node->op) {
    case TM_X_OPAQUE: return NULL;
    case TM_X_TO_INT64: case TM_X_TO_FLOAT: case TM_X_TO_DECIMAL: case TM_X_TO_INT32:
    case TM_X_RETYPE:
      if (tm_type_equal(a->type, node->type)) return a;
      if (tm_expr_is_null_constant(a)) return tm_expr_null(pool, node->type);
      simpler = convert_branches(pool, node);
      break;
    case TM_X_PRESENT:
    case TM_X_REQUIRE:
      if (!a->nullable) return a;
      break;
    case TM_X_EQ: case TM_X_NE: case TM_X_LT: case TM_X_LE: case TM_X_GT: case TM_X_GE:
      simpler = simpler_comparison(pool, node);
      break;
    case TM_X_ADD: case TM_X_SUB: simpler = align_scales(pool, node); break;
    default: break;
  }
  if (simpler != NULL) return simpler;
  return all_constant(node) ? fold_constant(pool, node) : NULL;
}
