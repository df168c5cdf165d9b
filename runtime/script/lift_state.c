/* script/lift_state.c: ways through the function, and where they meet.
 *
 * What lift makes of a piece of code is an outcome: a tree of IFs and guards whose leaves say how a
 * way ends, with which state. Equal ends are one leaf, so tree_control.c restores `and` and `or`.
 * Where ways meet, the values of each live register become one value, an IF over the same
 * conditions, if they are of one kind; else the ways go on apart. */
#include <string.h>

#include "base/hash.h"
#include "script/lift_parts.h"

/* ---------------------------------------------------------------- states */

tm_lift_state *tm_lift_state_copy(tm_lift_ctx *ctx, const tm_lift_state *state) {
  tm_lift_state *copy = tm_lift_alloc(ctx, sizeof *copy);
  *copy = *state;
  copy->regs = tm_lift_alloc(ctx, state->reg_count * sizeof *copy->regs);
  memcpy(copy->regs, state->regs, state->reg_count * sizeof *copy->regs);
  return copy;
}

static bool syms_equal(tm_sym a, tm_sym b) {
  return a.kind == b.kind && a.index == b.index && a.x == b.x && a.unit_us == b.unit_us;
}

static bool tables_equal(const tm_sym_table *a, const tm_sym_table *b) {
  if (a == b) return true;
  if (a->field_count != b->field_count || a->has_list != b->has_list) return false;
  for (uint32_t i = 0; i < a->field_count; i++) {
    if (strcmp(a->fields[i].name, b->fields[i].name) != 0) return false;
    if (!syms_equal(a->fields[i].value, b->fields[i].value)) return false;
  }
  return true;
}

static bool all_tables_equal(const tm_lift_state *a, const tm_lift_state *b) {
  if (a->table_count != b->table_count) return false;
  for (uint32_t i = 0; i < a->table_count; i++) {
    if (!tables_equal(a->tables[i], b->tables[i])) return false;
  }
  return true;
}

static uint64_t sym_hash(uint64_t hash, tm_sym value) {
  uint64_t word = (uint64_t)value.kind << 32 ^ (uint64_t)value.index;
  word ^= (uint64_t)value.unit_us << 40;
  return tm_hash_combine(hash, word ^ (value.x == NULL ? 0 : (uint64_t)value.x->id << 8));
}

uint64_t tm_lift_state_hash(const tm_lua_proto *proto, int pc, const tm_lift_state *state) {
  uint64_t hash = (uint64_t)pc;
  for (uint32_t i = 0; i < state->reg_count; i++) {
    if (tm_lua_is_live(proto, pc, (int)i)) hash = sym_hash(hash, state->regs[i]);
  }
  return hash;
}

bool tm_lift_states_equal(const tm_lua_proto *proto, int pc, const tm_lift_state *a,
                          const tm_lift_state *b) {
  if (a->open_count != b->open_count || a->open_at != b->open_at) return false;
  if (!all_tables_equal(a, b)) return false;
  for (uint32_t i = 0; i < a->reg_count; i++) {
    if (tm_lua_is_live(proto, pc, (int)i) && !syms_equal(a->regs[i], b->regs[i])) return false;
  }
  return true;
}

const tm_fact *tm_lift_common_facts(const tm_fact *a, const tm_fact *b) {
  while (a != b) {
    int depth_a = a == NULL ? 0 : a->depth, depth_b = b == NULL ? 0 : b->depth;
    if (depth_a >= depth_b) {
      a = a->next;
    } else {
      b = b->next;
    }
  }
  return a;
}

/* ---------------------------------------------------------------- leaves */

static const tm_expr *add_leaf(tm_lift_ctx *ctx, const tm_lift_leaf *leaf) {
  if (ctx->leaf_count == ctx->leaf_capacity) {
    uint32_t capacity = ctx->leaf_capacity == 0 ? 32 : 2 * ctx->leaf_capacity;
    tm_lift_leaf *leaves = tm_lift_alloc(ctx, capacity * sizeof *leaves);
    if (ctx->leaf_count > 0) memcpy(leaves, ctx->leaves, ctx->leaf_count * sizeof *leaves);
    ctx->leaves = leaves;
    ctx->leaf_capacity = capacity;
  }
  ctx->leaves[ctx->leaf_count] = *leaf;
  return tm_expr_leaf(&ctx->pool, ctx->leaf_count++);
}

const tm_expr *tm_lift_stop_leaf(tm_lift_ctx *ctx, const tm_lua_proto *proto, int pc,
                                 tm_lift_state *state) {
  uint64_t hash = tm_lift_state_hash(proto, pc, state);
  for (uint32_t i = ctx->leaf_count; i-- > 0;) {
    tm_lift_leaf *leaf = &ctx->leaves[i];
    if (leaf->hash != hash) continue;
    bool same_place = !leaf->returns && leaf->proto == proto && leaf->pc == pc &&
                      leaf->state->reg_count == state->reg_count;
    if (!same_place || !tm_lift_states_equal(proto, pc, leaf->state, state)) continue;
    leaf->state->facts = tm_lift_common_facts(leaf->state->facts, state->facts);
    return tm_expr_leaf(&ctx->pool, i);
  }
  tm_lift_leaf leaf = {.proto = proto, .pc = pc, .hash = hash};
  leaf.state = tm_lift_state_copy(ctx, state);
  return add_leaf(ctx, &leaf);
}

const tm_expr *tm_lift_return_leaf(tm_lift_ctx *ctx, tm_lift_state *state, const tm_sym *results,
                                   uint32_t count) {
  tm_lift_leaf wanted = {.returns = true, .line = ctx->line, .result_count = count};
  if (count > TM_LIFT_RETURNS_MAX) wanted.result_count = TM_LIFT_RETURNS_MAX;
  if (count > 0) memcpy(wanted.results, results, wanted.result_count * sizeof *results);
  for (uint32_t k = 0; k < wanted.result_count; k++) {
    wanted.hash = sym_hash(wanted.hash, results[k]);
  }
  for (uint32_t i = ctx->leaf_count; i-- > 0;) {
    tm_lift_leaf *leaf = &ctx->leaves[i];
    if (leaf->hash != wanted.hash || !leaf->returns) continue;
    if (leaf->result_count != wanted.result_count) continue;
    bool same = all_tables_equal(leaf->state, state);
    for (uint32_t k = 0; k < wanted.result_count && same; k++) {
      same = syms_equal(leaf->results[k], wanted.results[k]);
    }
    if (!same) continue;
    leaf->state->facts = tm_lift_common_facts(leaf->state->facts, state->facts);
    return tm_expr_leaf(&ctx->pool, i);
  }
  wanted.state = tm_lift_state_copy(ctx, state);
  return add_leaf(ctx, &wanted);
}

static void collect_leaves(const tm_expr *x, uint8_t *seen, uint32_t *out, uint32_t *count) {
  if (seen[x->id]) return;
  seen[x->id] = 1;
  if (x->op == TM_X_LEAF) {
    out[(*count)++] = (uint32_t)x->extra;
  } else if (x->op == TM_X_GUARD) {
    collect_leaves(x->children[1], seen, out, count);
  } else if (x->op == TM_X_IF) {
    collect_leaves(x->children[1], seen, out, count);
    collect_leaves(x->children[2], seen, out, count);
  }
}

uint32_t tm_lift_leaves_of(tm_lift_ctx *ctx, const tm_expr *outcome, uint32_t *out) {
  uint8_t *seen = tm_lift_alloc(ctx, outcome->id + 1);
  uint32_t count = 0;
  collect_leaves(outcome, seen, out, &count);
  return count;
}

/* ---------------------------------------------------------------- from outcome to value */

typedef struct replacement {
  tm_lift_ctx *ctx;
  tm_type type;
  const tm_expr *const *by_leaf;
  bool guards;
  const tm_expr **done; /* by node id: outcomes share parts */
  uint8_t *is_done;
} replacement;

static const tm_expr *replace(replacement *r, const tm_expr *x);

static const tm_expr *replace_node(replacement *r, const tm_expr *x) {
  tm_expr_pool *pool = &r->ctx->pool;
  if (x->op == TM_X_LEAF) return r->by_leaf[x->extra];
  if (x->op == TM_X_GUARD) {
    const tm_expr *value = replace(r, x->children[1]);
    bool keep = r->guards && value != NULL;
    return keep ? tm_expr_guard(pool, x->children[0], value) : value;
  }
  const tm_expr *then = replace(r, x->children[1]), *otherwise = replace(r, x->children[2]);
  if (then == NULL || otherwise == NULL) return then == NULL ? otherwise : then;
  if (!r->guards && then == otherwise) return then;
  return tm_expr_if(pool, r->type, x->children[0], then, otherwise);
}

static const tm_expr *replace(replacement *r, const tm_expr *x) {
  if (r->is_done[x->id]) return r->done[x->id];
  const tm_expr *value = replace_node(r, x);
  r->is_done[x->id] = 1;
  r->done[x->id] = value;
  return value;
}

const tm_expr *tm_lift_replace(tm_lift_ctx *ctx, const tm_expr *outcome, tm_type type,
                               const tm_expr *const *by_leaf, bool guards) {
  if (ctx->pool.failed) return outcome;
  replacement r = {.ctx = ctx, .type = type, .by_leaf = by_leaf, .guards = guards};
  r.done = tm_lift_alloc(ctx, (outcome->id + 1) * sizeof *r.done); /* children have lesser ids */
  r.is_done = tm_lift_alloc(ctx, outcome->id + 1);
  return replace(&r, outcome);
}

/* ---------------------------------------------------------------- merging */

/* Two types of one kind in Lua, as the type that holds both. */
static bool unify_kinds(tm_type a, tm_type b, tm_type *out) {
  if (a.kind == TM_NULLTYPE || b.kind == TM_NULLTYPE) {
    *out = a.kind == TM_NULLTYPE ? b : a;
    return true;
  }
  if (tm_type_equal(a, b)) {
    *out = a;
    return true;
  }
  if (tm_type_is_lua_integer(a) && tm_type_is_lua_integer(b)) {
    *out = tm_type_of(TM_INT64);
    return true;
  }
  *out = a.precision > b.precision ? a : b;
  if (a.kind == TM_DECIMAL && b.kind == TM_DECIMAL) return a.scale == b.scale;
  return a.kind == TM_STRING && b.kind == TM_STRING;
}

static const tm_expr *as_type(tm_lift_ctx *ctx, const tm_expr *x, tm_type type) {
  if (tm_expr_is_null_constant(x)) return tm_expr_null(&ctx->pool, type);
  if (tm_type_equal(x->type, type)) return x;
  if (type.kind == TM_INT64) return tm_lift_int64(ctx, x);
  tm_expr_op op = type.kind == TM_DECIMAL ? TM_X_TO_DECIMAL : TM_X_RETYPE;
  return tm_expr_unary(&ctx->pool, op, type, x);
}

bool tm_lift_merge_values(tm_lift_ctx *ctx, const tm_expr *outcome, const uint32_t *leaves,
                          tm_sym *values, uint32_t count, tm_sym *out) {
  bool same = true, unknown = false;
  tm_type type = tm_type_of(TM_NULLTYPE);
  for (uint32_t i = 0; i < count; i++) {
    same = same && syms_equal(values[i], values[0]);
    unknown = unknown || values[i].kind == TM_SYM_UNKNOWN;
  }
  /* A test that one way has passed may have shown whether the value is there. */
  for (uint32_t i = 0; i < count && !same; i++) {
    const tm_lift_state *state = ctx->leaves[leaves[i]].state;
    if (values[i].kind == TM_SYM_ENTRY &&
        tm_expr_is_bool(tm_lift_truth(ctx, state, values[i]), false)) {
      values[i] = tm_lift_nil(ctx);
    }
    if (values[i].kind == TM_SYM_EXPR) values[i].x = tm_lift_seen(ctx, state, values[i].x);
  }
  if (same || unknown) {
    *out = same ? values[0] : (tm_sym){.kind = TM_SYM_UNKNOWN};
    return true;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (values[i].kind != TM_SYM_EXPR || !unify_kinds(type, values[i].x->type, &type)) return false;
  }
  const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
  for (uint32_t i = 0; i < count; i++) by_leaf[leaves[i]] = as_type(ctx, values[i].x, type);
  *out = tm_sym_of(tm_lift_replace(ctx, outcome, type, by_leaf, false));
  return true;
}

tm_lift_state *tm_lift_merge(tm_lift_ctx *ctx, const tm_lua_proto *proto, int pc,
                             const tm_expr *outcome) {
  uint32_t *leaves = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *leaves);
  uint32_t count = tm_lift_leaves_of(ctx, outcome, leaves);
  tm_sym *values = tm_lift_alloc(ctx, count * sizeof *values);
  tm_lift_state *first = ctx->leaves[leaves[0]].state;
  tm_lift_state *merged = tm_lift_state_copy(ctx, first);
  for (uint32_t i = 1; i < count; i++) {
    const tm_lift_state *other = ctx->leaves[leaves[i]].state;
    if (other->open_count != first->open_count || !all_tables_equal(first, other)) return NULL;
    merged->facts = tm_lift_common_facts(merged->facts, other->facts);
  }
  for (uint32_t reg = 0; reg < first->reg_count; reg++) {
    if (!tm_lua_is_live(proto, pc, (int)reg)) {
      merged->regs[reg] = (tm_sym){.kind = TM_SYM_NONE};
      continue;
    }
    for (uint32_t i = 0; i < count; i++) values[i] = ctx->leaves[leaves[i]].state->regs[reg];
    if (!tm_lift_merge_values(ctx, outcome, leaves, values, count, &merged->regs[reg])) return NULL;
  }
  return merged;
}
