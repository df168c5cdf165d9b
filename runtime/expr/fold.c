/* expr/fold.c: constants computed at plan time, by the evaluator itself, and conversions that
 * convert nothing. So a folded constant cannot differ from what a row would have given. */
#include "expr/fold.h"

#include "expr/evaluate.h"

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

const tm_expr *tm_expr_fold(tm_expr_pool *pool, const tm_expr *node) {
  const tm_expr *a = node->children[0];
  switch ((tm_expr_op)node->op) {
    case TM_X_OPAQUE: return NULL;
    case TM_X_TO_INT64: case TM_X_TO_FLOAT: case TM_X_TO_DECIMAL: case TM_X_TO_INT32:
    case TM_X_RETYPE:
      if (tm_type_equal(a->type, node->type)) return a;
      if (tm_expr_is_null_constant(a)) return tm_expr_null(pool, node->type);
      break;
    case TM_X_PRESENT:
    case TM_X_REQUIRE:
      if (!a->nullable) return a;
      break;
    default: break;
  }
  return all_constant(node) ? fold_constant(pool, node) : NULL;
}
