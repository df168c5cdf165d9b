/* script/lift_execute.c: symbolic execution of bytecode, all ways at once.
 *
 * A way runs straight until a branch. Both sides are followed to the join of the branch (the first
 * instruction that every way passes), and meet there as one state if they can, else go on apart.
 * Pieces that start at the same place with the same state are followed once (found in ctx->memo).
 *
 * Effects: an instruction that may miss is evaluated by the VM whatever becomes of its value. Each
 * way collects such trees, and its outcome is guarded by those that the outcome itself does not
 * evaluate. */
#include "script/lift_way.h"

#include <string.h>

enum { MEMO_MAX = 500 };

struct tm_lift_effects {
  uint32_t count, capacity;
  const tm_expr **items;
};

struct tm_lift_memo {
  const tm_lua_proto *proto;
  int pc, stop;
  uint64_t hash;
  const tm_lift_state *state;
  const tm_expr *outcome;
  uint32_t number;
  struct tm_lift_memo *next;
};

void tm_lift_effect(tm_lift_ctx *ctx, const tm_expr *x) {
  struct tm_lift_effects *effects = ctx->effects;
  if (!x->may_miss) return;
  for (uint32_t i = 0; i < effects->count; i++) {
    if (effects->items[i] == x) return;
  }
  if (effects->count == effects->capacity) {
    effects->capacity = effects->capacity == 0 ? 16 : 2 * effects->capacity;
    const tm_expr **items = tm_lift_alloc(ctx, effects->capacity * sizeof *items);
    if (effects->count > 0) memcpy(items, effects->items, effects->count * sizeof *items);
    effects->items = items;
  }
  effects->items[effects->count++] = x;
}

/* What went before the outcome, the earliest outermost. */
static const tm_expr *guarded(tm_lift_ctx *ctx, const struct tm_lift_effects *effects,
                              const tm_expr *outcome) {
  for (uint32_t i = effects->count; i-- > 0;) {
    outcome = tm_expr_guard(&ctx->pool, effects->items[i], outcome);
  }
  return outcome;
}

void tm_lift_way_end(tm_lift_way *w, const tm_sym *results, uint32_t count) {
  w->outcome = tm_lift_return_leaf(w->ctx, w->state, results, count);
}

void tm_lift_way_cut(tm_lift_way *w) {
  tm_sym unknown = {.kind = TM_SYM_UNKNOWN};
  tm_lift_way_end(w, &unknown, 1);
}

/* ---------------------------------------------------------------- branches */

static const tm_fact *with_fact(tm_lift_ctx *ctx, const tm_fact *facts, const tm_expr *x,
                                bool present) {
  tm_fact *fact = tm_lift_alloc(ctx, sizeof *fact);
  *fact = (tm_fact){.x = x, .present = present, .next = facts,
                    .depth = facts == NULL ? 1 : facts->depth + 1};
  return fact;
}

/* What a condition's holding, or not, shows about nil. */
static const tm_fact *learn(tm_lift_ctx *ctx, const tm_fact *facts, const tm_expr *condition,
                            bool holds) {
  while (condition->op == TM_X_NOT) {
    condition = condition->children[0];
    holds = !holds;
  }
  if (condition->op == TM_X_IS_NULL) {
    return with_fact(ctx, facts, condition->children[0], !holds);
  }
  if (condition->op == TM_X_TRUTH) {
    facts = with_fact(ctx, facts, condition, holds);
    return holds ? with_fact(ctx, facts, condition->children[0], true) : facts;
  }
  if (condition->op == (holds ? TM_X_AND : TM_X_OR)) {
    facts = learn(ctx, facts, condition->children[0], holds);
    return learn(ctx, facts, condition->children[1], holds);
  }
  return facts;
}

static const tm_expr *side(tm_lift_way *w, const tm_expr *condition, bool holds, int pc, int stop,
                           const tm_sym *set, int set_index) {
  tm_lift_state *state = tm_lift_state_copy(w->ctx, w->state);
  state->facts = learn(w->ctx, state->facts, condition, holds);
  if (set != NULL) state->regs[set_index] = *set;
  return tm_lift_execute(w->ctx, w->frame, pc, state, stop);
}

void tm_lift_way_meet(tm_lift_way *w, const tm_expr *outcome, int pc) {
  tm_lift_ctx *ctx = w->ctx;
  tm_lift_state *merged = tm_lift_merge(ctx, w->frame->proto, pc, outcome);
  if (merged != NULL) {
    const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
    for (uint32_t i = 0; i < ctx->leaf_count; i++) by_leaf[i] = tm_expr_bool(&ctx->pool, true);
    tm_lift_effect(ctx, tm_lift_replace(ctx, outcome, tm_type_of(TM_BOOL), by_leaf, true));
    w->state = merged;
    w->pc = pc;
    return;
  }
  uint32_t *leaves = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *leaves);
  uint32_t count = tm_lift_leaves_of(ctx, outcome, leaves);
  const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
  for (uint32_t i = 0; i < count; i++) {
    tm_lift_state *state = tm_lift_state_copy(ctx, ctx->leaves[leaves[i]].state);
    by_leaf[leaves[i]] = tm_lift_execute(ctx, w->frame, pc, state, w->stop);
  }
  w->outcome = tm_lift_replace(ctx, outcome, tm_type_of(TM_NULLTYPE), by_leaf, true);
}

void tm_lift_way_branch(tm_lift_way *w, const tm_expr *truth, bool wanted, const tm_sym *set,
                        int set_index) {
  tm_lift_ctx *ctx = w->ctx;
  const tm_lua_proto *proto = w->frame->proto;
  int taken = w->pc + 2 + tm_lua_decode(proto->words[w->pc + 1]).sj, passed = w->pc + 2;
  const tm_expr *condition = wanted ? truth : tm_expr_not(&ctx->pool, truth);
  tm_lift_effect(ctx, truth);
  if (taken <= w->pc) {
    (void)tm_lift_give_up(ctx, "has a loop");
    tm_lift_way_cut(w);
    return;
  }
  if (condition->op == TM_X_CONSTANT) {
    if (condition->value.boolean && set != NULL) w->state->regs[set_index] = *set;
    w->pc = condition->value.boolean ? taken : passed;
    return;
  }
  int join = proto->flow[w->pc].join;
  const tm_expr *then = side(w, condition, true, taken, join, set, set_index);
  const tm_expr *otherwise = side(w, condition, false, passed, join, NULL, 0);
  tm_type none = tm_type_of(TM_NULLTYPE);
  const tm_expr *outcome = wanted ? tm_expr_if(&ctx->pool, none, truth, then, otherwise)
                                  : tm_expr_if(&ctx->pool, none, truth, otherwise, then);
  if (join == w->stop || join == proto->code_count) {
    w->outcome = outcome;
  } else {
    tm_lift_way_meet(w, outcome, join);
  }
}

/* What was followed before from the same place, with the same state, and knowing no more. */
static const tm_expr *find_memo(const tm_lift_ctx *ctx, const tm_lua_proto *proto, int pc,
                                int stop, uint64_t hash, const tm_lift_state *state) {
  for (const struct tm_lift_memo *memo = ctx->memo; memo != NULL; memo = memo->next) {
    if (memo->hash != hash || memo->pc != pc || memo->stop != stop) continue;
    if (memo->proto != proto) continue;
    if (tm_lift_common_facts(memo->state->facts, state->facts) != memo->state->facts) continue;
    if (tm_lift_states_equal(proto, pc, memo->state, state)) return memo->outcome;
  }
  return NULL;
}

static void add_memo(tm_lift_ctx *ctx, const struct tm_lift_memo *memo) {
  uint32_t number = ctx->memo == NULL ? 0 : ctx->memo->number + 1;
  if (number >= MEMO_MAX) return;
  struct tm_lift_memo *copy = tm_lift_alloc(ctx, sizeof *copy);
  *copy = *memo;
  copy->number = number;
  copy->next = ctx->memo;
  ctx->memo = copy;
}

const tm_expr *tm_lift_execute(tm_lift_ctx *ctx, const tm_lift_frame *frame, int pc,
                               tm_lift_state *state, int stop) {
  uint64_t hash = tm_lift_state_hash(frame->proto, pc, state);
  const tm_expr *known = find_memo(ctx, frame->proto, pc, stop, hash, state);
  if (known != NULL) return known;
  struct tm_lift_memo memo = {.proto = frame->proto, .pc = pc, .stop = stop, .hash = hash};
  memo.state = tm_lift_state_copy(ctx, state);
  struct tm_lift_effects *outer = ctx->effects, effects = {0};
  tm_lift_way w = {.ctx = ctx, .frame = frame, .state = state, .pc = pc, .stop = stop};
  ctx->effects = &effects;
  while (w.outcome == NULL) {
    if (ctx->pool.failed) {
      tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
    } else if (w.pc == stop) {
      w.outcome = tm_lift_stop_leaf(ctx, frame->proto, stop, w.state);
    } else {
      tm_lift_way_step(&w);
    }
  }
  ctx->effects = outer;
  memo.outcome = guarded(ctx, &effects, w.outcome);
  add_memo(ctx, &memo);
  return memo.outcome;
}

const tm_expr *tm_lift_execute_function(tm_lift_ctx *ctx, int function, int depth,
                                        const tm_sym *args, int arg_count,
                                        const tm_lift_state *caller) {
  bool no_memory;
  tm_lift_push(ctx, function);
  const tm_lua_proto *proto =
      tm_lift_bytecode_read(ctx->L, lua_gettop(ctx->L), ctx->scratch, &no_memory);
  lua_pop(ctx->L, 1);
  if (no_memory) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  if (proto == NULL) {
    (void)tm_lift_give_up(ctx, "has bytecode of another kind than expected");
    return NULL;
  }
  tm_lift_frame *frame = tm_lift_alloc(ctx, sizeof *frame);
  *frame = (tm_lift_frame){.proto = proto, .function = function, .depth = depth};
  tm_lift_state *state = tm_lift_alloc(ctx, sizeof *state);
  if (caller != NULL) {
    state->tables = caller->tables;
    state->table_count = caller->table_count;
    state->facts = caller->facts;
  }
  state->reg_count = (uint32_t)proto->stack_size + 1;
  state->regs = tm_lift_alloc(ctx, state->reg_count * sizeof *state->regs);
  for (int i = 0; i < proto->param_count; i++) {
    state->regs[i] = i < arg_count ? args[i] : tm_lift_nil(ctx);
  }
  int line = ctx->line;
  const tm_expr *outcome = tm_lift_execute(ctx, frame, 0, state, proto->code_count);
  ctx->line = line;
  return outcome;
}
