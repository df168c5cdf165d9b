/* expr/tree_control.c: the nodes that steer evaluation, in their simplest form.
 *
 * The bytecode of `a and b or c` arrives as nested IFs that end in constants; the rules below turn
 * them back into AND, OR and NOT, which evaluation does by narrowing a selection. No rule drops a
 * miss, or evaluates something for a row that did not need it before. */
#include "expr/tree.h"

static const tm_expr *if_rules(tm_expr_pool *pool, tm_type type, const tm_expr *c,
                               const tm_expr *then, const tm_expr *otherwise) {
  const tm_expr *const *t = then->children, *const *e = otherwise->children;
  if (otherwise->op == TM_X_IF) {
    if (e[1] == then) return tm_expr_if(pool, type, tm_expr_or(pool, c, e[0]), then, e[2]);
    if (e[2] == then) {
      return tm_expr_if(pool, type, tm_expr_or(pool, c, tm_expr_not(pool, e[0])), then, e[1]);
    }
  }
  if (then->op == TM_X_IF) {
    if (t[2] == otherwise) {
      return tm_expr_if(pool, type, tm_expr_and(pool, c, t[0]), t[1], otherwise);
    }
    if (t[1] == otherwise) {
      return tm_expr_if(pool, type, tm_expr_and(pool, c, tm_expr_not(pool, t[0])), t[2],
                        otherwise);
    }
  }
  /* The same ends by different ways: `(a or b) and c` is met as c behind a, and b and c. */
  if (then->op == TM_X_IF && otherwise->op == TM_X_IF) {
    tm_type boolean = tm_type_of(TM_BOOL);
    if (t[1] == e[1] && t[2] == e[2]) {
      return tm_expr_if(pool, type, tm_expr_if(pool, boolean, c, t[0], e[0]), t[1], t[2]);
    }
    if (t[1] == e[2] && t[2] == e[1]) {
      const tm_expr *turned = tm_expr_not(pool, e[0]);
      return tm_expr_if(pool, type, tm_expr_if(pool, boolean, c, t[0], turned), t[1], t[2]);
    }
  }
  /* x == nil and nil or x, and the like */
  if (c->op == TM_X_IS_NULL && c->children[0] == otherwise && tm_expr_is_null_constant(then)) {
    return otherwise;
  }
  return NULL;
}

/* Of a chain `p op q op suffix` the part before the suffix; NULL: it does not end so. */
static const tm_expr *before_suffix(tm_expr_pool *pool, const tm_expr *chain, tm_expr_op op,
                                    const tm_expr *suffix) {
  if (chain->op != op) return NULL;
  if (chain->children[1] == suffix) return chain->children[0];
  const tm_expr *rest = before_suffix(pool, chain->children[1], op, suffix);
  if (rest == NULL) return NULL;
  return op == TM_X_AND ? tm_expr_and(pool, chain->children[0], rest)
                        : tm_expr_or(pool, chain->children[0], rest);
}

/* c then x else y op x: x comes last either way. */
static const tm_expr *if_of_chains(tm_expr_pool *pool, const tm_expr *c, const tm_expr *then,
                                   const tm_expr *otherwise) {
  const tm_expr *part = before_suffix(pool, otherwise, TM_X_OR, then);
  if (part != NULL) {
    return tm_expr_or(pool, tm_expr_and(pool, tm_expr_not(pool, c), part), then);
  }
  part = before_suffix(pool, otherwise, TM_X_AND, then);
  if (part != NULL) return tm_expr_and(pool, tm_expr_or(pool, c, part), then);
  part = before_suffix(pool, then, TM_X_OR, otherwise);
  if (part != NULL) return tm_expr_or(pool, tm_expr_and(pool, c, part), otherwise);
  part = before_suffix(pool, then, TM_X_AND, otherwise);
  if (part == NULL) return NULL;
  return tm_expr_and(pool, tm_expr_or(pool, tm_expr_not(pool, c), part), otherwise);
}

static const tm_expr *if_of_bools(tm_expr_pool *pool, const tm_expr *c, const tm_expr *then,
                                  const tm_expr *otherwise) {
  if (otherwise == c) return tm_expr_and(pool, c, then);
  if (then == c) return tm_expr_or(pool, c, otherwise);
  if (tm_expr_is_bool(then, true)) {
    return tm_expr_is_bool(otherwise, false) ? c : tm_expr_or(pool, c, otherwise);
  }
  if (tm_expr_is_bool(then, false)) return tm_expr_and(pool, tm_expr_not(pool, c), otherwise);
  if (tm_expr_is_bool(otherwise, false)) return tm_expr_and(pool, c, then);
  if (tm_expr_is_bool(otherwise, true)) return tm_expr_or(pool, tm_expr_not(pool, c), then);
  return if_of_chains(pool, c, then, otherwise);
}

const tm_expr *tm_expr_if(tm_expr_pool *pool, tm_type type, const tm_expr *c,
                          const tm_expr *then, const tm_expr *otherwise) {
  if (pool->failed) return otherwise;
  if (tm_expr_is_bool(c, true)) return then;
  if (tm_expr_is_bool(c, false)) return otherwise;
  if (then == otherwise) return tm_expr_guard(pool, c, then);
  if (c->op == TM_X_NOT || c->op == TM_X_NE) {
    return tm_expr_if(pool, type, tm_expr_not(pool, c), otherwise, then);
  }
  const tm_expr *simple = if_rules(pool, type, c, then, otherwise);
  if (simple == NULL && type.kind == TM_BOOL && !then->nullable && !otherwise->nullable) {
    simple = if_of_bools(pool, c, then, otherwise);
  }
  if (simple != NULL) return simple;
  return tm_expr_make(pool, TM_X_IF, type, (const tm_expr *const[]){c, then, otherwise}, 3, NULL,
                      0);
}

/* Chains lean to the right: then each step narrows what the next one sees. */
static const tm_expr *chain(tm_expr_pool *pool, tm_expr_op op, const tm_expr *a,
                            const tm_expr *b) {
  if (a->op == op) {
    return chain(pool, op, a->children[0], chain(pool, op, a->children[1], b));
  }
  return tm_expr_binary(pool, op, tm_type_of(TM_BOOL), a, b);
}

const tm_expr *tm_expr_and(tm_expr_pool *pool, const tm_expr *a, const tm_expr *b) {
  if (tm_expr_is_bool(a, true) || a == b) return b;
  if (tm_expr_is_bool(a, false) || tm_expr_is_bool(b, true)) return a;
  if (tm_expr_is_bool(b, false)) return tm_expr_guard(pool, a, b);
  return chain(pool, TM_X_AND, a, b);
}

const tm_expr *tm_expr_or(tm_expr_pool *pool, const tm_expr *a, const tm_expr *b) {
  if (tm_expr_is_bool(a, false) || a == b) return b;
  if (tm_expr_is_bool(a, true) || tm_expr_is_bool(b, false)) return a;
  if (tm_expr_is_bool(b, true)) return tm_expr_guard(pool, a, b);
  return chain(pool, TM_X_OR, a, b);
}

/* The comparison that holds exactly where this one does not; NaN has none but for equality. */
static tm_expr_op opposite(const tm_expr *x) {
  switch ((tm_expr_op)x->op) {
    case TM_X_EQ: return TM_X_NE;
    case TM_X_NE: return TM_X_EQ;
    default: break;
  }
  if (x->op < TM_X_LT || x->op > TM_X_GE) return TM_X_COUNT;
  bool has_nan = x->children[0]->type.kind == TM_FLOAT64 || x->children[1]->type.kind == TM_FLOAT64;
  if (has_nan) return TM_X_COUNT;
  static const tm_expr_op opposites[] = {TM_X_GE, TM_X_GT, TM_X_LE, TM_X_LT};
  return opposites[x->op - TM_X_LT];
}

/* Whether the negation of a chain of ORs is made of comparisons and tests again. */
static bool negates_well(const tm_expr *x, int *fuel) {
  if (--*fuel < 0) return false;
  if (x->op == TM_X_AND || x->op == TM_X_OR) {
    return negates_well(x->children[0], fuel) && negates_well(x->children[1], fuel);
  }
  return x->op == TM_X_NOT || x->op == TM_X_IS_NULL || x->op == TM_X_CONSTANT ||
         opposite(x) != TM_X_COUNT;
}

enum { NEGATION_FUEL = 200 };

static const tm_expr *negate(tm_expr_pool *pool, const tm_expr *a) {
  const tm_expr *const *of = a->children;
  int fuel = NEGATION_FUEL;
  /* An AND narrows the selection at each step, so that is the form to have. */
  if (a->op == TM_X_OR) {
    return tm_expr_and(pool, tm_expr_not(pool, of[0]), tm_expr_not(pool, of[1]));
  }
  if (a->op == TM_X_AND && negates_well(a, &fuel)) {
    return tm_expr_or(pool, tm_expr_not(pool, of[0]), tm_expr_not(pool, of[1]));
  }
  if (a->op == TM_X_CONSTANT) return tm_expr_bool(pool, !a->value.boolean);
  if (a->op == TM_X_NOT) return a->children[0];
  if (a->op == TM_X_GUARD) {
    return tm_expr_guard(pool, a->children[0], tm_expr_not(pool, a->children[1]));
  }
  tm_expr_op reverse = opposite(a);
  if (reverse != TM_X_COUNT) {
    return tm_expr_binary(pool, reverse, a->type, a->children[0], a->children[1]);
  }
  return tm_expr_unary(pool, TM_X_NOT, tm_type_of(TM_BOOL), a);
}

/* Remembered, for conditions share their parts. */
const tm_expr *tm_expr_not(tm_expr_pool *pool, const tm_expr *a) {
  if (pool->failed) return a;
  if (a->negation == NULL) ((tm_expr *)a)->negation = negate(pool, a);
  return a->negation;
}

/* The part of a guard that can miss: of `price * 2 > 1` the price being there. */
static const tm_expr *missing_part(const tm_expr *guard) {
  while (!guard->misses && guard->child_count > 0) {
    const tm_expr *only = NULL;
    for (uint32_t i = 0; i < guard->child_count; i++) {
      if (!guard->children[i]->may_miss) continue;
      if (only != NULL) return guard;
      only = guard->children[i];
    }
    bool branches = guard->op == TM_X_AND || guard->op == TM_X_OR || guard->op == TM_X_IF;
    if (only == NULL || (branches && only != guard->children[0])) return guard;
    guard = only;
  }
  return guard;
}

const tm_expr *tm_expr_guard(tm_expr_pool *pool, const tm_expr *guard, const tm_expr *value) {
  if (pool->failed || !guard->may_miss || tm_expr_covers(value, guard)) return value;
  guard = missing_part(guard);
  return tm_expr_binary(pool, TM_X_GUARD, value->type, guard, value);
}

const tm_expr *tm_expr_require(tm_expr_pool *pool, const tm_expr *value) {
  return tm_expr_unary(pool, TM_X_REQUIRE, value->type, value);
}

/* Whether a test of x is better made of tests of its branches: one of them has an answer. */
static bool splits(const tm_expr *x) {
  if (x->op != TM_X_IF) return false;
  return x->children[1]->op == TM_X_CONSTANT || x->children[2]->op == TM_X_CONSTANT ||
         x->children[1]->nullable != x->children[2]->nullable;
}

const tm_expr *tm_expr_is_null(tm_expr_pool *pool, const tm_expr *x) {
  if (pool->failed) return x;
  if (!x->nullable) return tm_expr_guard(pool, x, tm_expr_bool(pool, false));
  if (x->op == TM_X_CONSTANT) return tm_expr_bool(pool, true);
  if (x->op == TM_X_RETYPE || x->op == TM_X_TO_FLOAT) {
    return tm_expr_is_null(pool, x->children[0]);
  }
  if (splits(x)) {
    return tm_expr_if(pool, tm_type_of(TM_BOOL), x->children[0],
                      tm_expr_is_null(pool, x->children[1]), tm_expr_is_null(pool, x->children[2]));
  }
  return tm_expr_unary(pool, TM_X_IS_NULL, tm_type_of(TM_BOOL), x);
}

const tm_expr *tm_expr_truth(tm_expr_pool *pool, const tm_expr *x) {
  if (pool->failed) return x;
  if (tm_expr_is_null_constant(x)) return tm_expr_bool(pool, false);
  if (x->type.kind != TM_BOOL) return tm_expr_not(pool, tm_expr_is_null(pool, x));
  if (!x->nullable) return x;
  if (splits(x)) {
    return tm_expr_if(pool, tm_type_of(TM_BOOL), x->children[0],
                      tm_expr_truth(pool, x->children[1]), tm_expr_truth(pool, x->children[2]));
  }
  return tm_expr_unary(pool, TM_X_TRUTH, tm_type_of(TM_BOOL), x);
}
