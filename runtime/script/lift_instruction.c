/* script/lift_instruction.c: what each instruction of the VM does to a way. */
#include "script/lift_way.h"

#include <string.h>

enum { ARGS_MAX = 64 };


static tm_sym reg(const tm_lift_way *w, int index) { return w->state->regs[index]; }

static void set_reg(tm_lift_way *w, int index, tm_sym value) {
  if (value.kind == TM_SYM_EXPR) tm_lift_effect(w->ctx, value.x);
  w->state->regs[index] = value;
}

static tm_sym constant(const tm_lift_way *w, int index) {
  return tm_lift_constant(w->ctx, &w->frame->proto->constants[index]);
}

static tm_sym reg_or_constant(const tm_lift_way *w, tm_lua_code code) {
  return code.k ? constant(w, code.c) : reg(w, code.c);
}

static tm_sym integer(const tm_lift_way *w, int64_t value) {
  return tm_sym_of(tm_expr_int(&w->ctx->pool, value));
}

static tm_sym upvalue(tm_lift_way *w, int index) {
  tm_lift_ctx *ctx = w->ctx;
  tm_lift_push(ctx, w->frame->function);
  const char *name = lua_getupvalue(ctx->L, -1, index + 1);
  if (name == NULL) {
    lua_pop(ctx->L, 1);
    return tm_lift_give_up(ctx, "reads an upvalue that is not there");
  }
  lua_remove(ctx->L, -2);
  tm_sym value = tm_lift_value(ctx);
  if (value.kind == TM_SYM_LUA && *name != '\0' && value.index < TM_LIFT_NAMES_MAX) {
    ctx->anchor_names[value.index] = tm_arena_text(ctx->arena, name, strlen(name));
  }
  return value;
}

/* ---------------------------------------------------------------- tests */

static void compare_branch(tm_lift_way *w, tm_lua_code code, tm_expr_op op, tm_sym a, tm_sym b) {
  tm_sym result = tm_lift_compare(w->ctx, w->state, op, a, b);
  tm_lift_way_branch(w, tm_lift_truth(w->ctx, w->state, result), code.k, NULL, 0);
}

/* An immediate operand: C tells whether it stood as a float in the source. */
static void compare_immediate(tm_lift_way *w, tm_lua_code code, tm_expr_op op) {
  tm_sym number = code.c != 0 ? tm_sym_of(tm_expr_float(&w->ctx->pool, code.sb))
                              : integer(w, code.sb);
  compare_branch(w, code, op, reg(w, code.a), number);
}

static void test_branch(tm_lift_way *w, tm_lua_code code) {
  bool sets = code.op == OP_TESTSET;
  tm_sym value = reg(w, sets ? code.b : code.a);
  const tm_expr *truth = tm_lift_truth(w->ctx, w->state, value);
  tm_sym set = value;
  bool no_boolean = value.kind == TM_SYM_ENTRY ||
                    (value.kind == TM_SYM_EXPR && value.x->type.kind != TM_BOOL);
  if (!code.k && no_boolean) {
    set = tm_lift_nil(w->ctx); /* what is not true and no boolean is nil */
    sets = true; /* in the register that was tested, too */
  }
  tm_lift_way_branch(w, truth, code.k, sets ? &set : NULL, code.a);
}

/* ---------------------------------------------------------------- calls and returns */

static int open_values(tm_lift_way *w, int first, int b, tm_sym *out) {
  int count = b - 1;
  if (b == 0) { /* up to where the last open call left values */
    count = w->state->open_at + w->state->open_count - first;
  }
  if (count > ARGS_MAX || count < 0) {
    (void)tm_lift_give_up(w->ctx, "passes too many values");
    count = 0;
  }
  for (int i = 0; i < count; i++) out[i] = reg(w, first + i);
  return count;
}

/* (What an inlined callee may miss is in its outcome already.) */
static void set_results(tm_lift_way *w, tm_lua_code code, const tm_sym *results, int count) {
  int wanted = code.op == OP_TAILCALL || code.c == 0 ? count : code.c - 1;
  if (code.op == OP_TAILCALL || code.c == 0) {
    w->state->open_at = code.a;
    w->state->open_count = count;
  }
  for (int i = 0; i < wanted && code.a + i < (int)w->state->reg_count; i++) {
    w->state->regs[code.a + i] = i < count ? results[i] : tm_lift_nil(w->ctx);
  }
}

/* The caller's ways after an inlined call: one for each leaf of the callee, merged if possible. */
static void return_to_caller(tm_lift_way *w, tm_lua_code code, const tm_expr *outcome) {
  tm_lift_ctx *ctx = w->ctx;
  uint32_t *leaves = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *leaves);
  uint32_t count = tm_lift_leaves_of(ctx, outcome, leaves);
  const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
  tm_lift_state *before = w->state;
  for (uint32_t i = 0; i < count; i++) {
    tm_lift_leaf leaf = ctx->leaves[leaves[i]];
    w->state = tm_lift_state_copy(ctx, before);
    w->state->tables = leaf.state->tables;
    w->state->table_count = leaf.state->table_count;
    w->state->facts = leaf.state->facts;
    set_results(w, code, leaf.results, (int)leaf.result_count);
    by_leaf[leaves[i]] = tm_lift_stop_leaf(ctx, w->frame->proto, w->pc + 1, w->state);
  }
  w->state = before;
  const tm_expr *ours = tm_lift_replace(ctx, outcome, tm_type_of(TM_NULLTYPE), by_leaf, true);
  tm_lift_way_meet(w, ours, w->pc + 1);
}

static bool is_lua_function(tm_lift_ctx *ctx, tm_sym callee) {
  if (callee.kind != TM_SYM_LUA) return false;
  tm_lift_push(ctx, callee.index);
  bool is_lua = lua_isfunction(ctx->L, -1) && !lua_iscfunction(ctx->L, -1);
  lua_pop(ctx->L, 1);
  return is_lua;
}

/* A call, up to its results in registers. */
static void call(tm_lift_way *w, tm_lua_code code) {
  tm_lift_ctx *ctx = w->ctx;
  tm_sym callee = reg(w, code.a), args[ARGS_MAX];
  tm_sym results[TM_LIFT_RETURNS_MAX] = {{.kind = TM_SYM_UNKNOWN}};
  int count = open_values(w, code.a + 1, code.b, args);
  int result_count = callee.kind == TM_SYM_UNKNOWN
                         ? 1 : tm_lift_call_known(ctx, w->state, callee, args, count, results);
  if (result_count == 0 && is_lua_function(ctx, callee)) {
    if (w->frame->depth >= TM_LIFT_DEPTH_MAX) {
      results[0] = tm_lift_give_up(ctx, "calls functions more than %d deep", TM_LIFT_DEPTH_MAX);
    } else {
      const tm_expr *outcome = tm_lift_execute_function(ctx, callee.index, w->frame->depth + 1,
                                                        args, count, w->state);
      if (outcome != NULL) {
        return_to_caller(w, code, outcome);
        return;
      }
    }
  } else if (result_count == 0) {
    results[0] = tm_lift_give_up(ctx, "calls a function that is not known to be pure");
  }
  if (result_count == 0) result_count = 1;
  for (int i = 0; i < result_count; i++) {
    if (results[i].kind == TM_SYM_EXPR) tm_lift_effect(ctx, results[i].x);
  }
  set_results(w, code, results, result_count);
  w->pc++;
}

static void return_values(tm_lift_way *w, int first, int b) {
  tm_sym results[ARGS_MAX];
  int count = open_values(w, first, b, results);
  tm_lift_way_end(w, results, (uint32_t)count);
}

/* ---------------------------------------------------------------- the rest */

static tm_expr_op arithmetic_op(tm_lua_op op) {
  switch (op) {
    case OP_ADD: case OP_ADDK: case OP_ADDI: return TM_X_ADD;
    case OP_SUB: case OP_SUBK: return TM_X_SUB;
    case OP_MUL: case OP_MULK: return TM_X_MUL;
    case OP_MOD: case OP_MODK: return TM_X_MOD;
    case OP_POW: case OP_POWK: return TM_X_POW;
    case OP_DIV: case OP_DIVK: return TM_X_DIV;
    case OP_IDIV: case OP_IDIVK: return TM_X_IDIV;
    case OP_BAND: case OP_BANDK: return TM_X_BAND;
    case OP_BOR: case OP_BORK: return TM_X_BOR;
    case OP_BXOR: case OP_BXORK: return TM_X_BXOR;
    case OP_SHL: return TM_X_SHL;
    default: return TM_X_SHR;
  }
}

/* The instruction behind names operator and operands as the source has them: `x - 1` is done as an
 * addition of -1, `1 + x` with its operands turned, `x << 1` as a shift to the right. */
static void arithmetic(tm_lift_way *w, tm_lua_code code) {
  static const tm_expr_op events[] = { /* from TM_ADD on, as MMBIN counts them */
    TM_X_ADD, TM_X_SUB, TM_X_MUL, TM_X_MOD, TM_X_POW, TM_X_DIV, TM_X_IDIV, TM_X_BAND, TM_X_BOR,
    TM_X_BXOR, TM_X_SHL, TM_X_SHR,
  };
  enum { FIRST_EVENT = 6 };
  tm_lua_code behind = tm_lua_decode(w->frame->proto->words[w->pc + 1]);
  tm_sym a = reg(w, code.b), b;
  tm_expr_op op = arithmetic_op(code.op);
  if (code.op >= OP_ADD) {
    b = reg(w, code.c);
  } else if (code.op == OP_ADDI || code.op == OP_SHRI || code.op == OP_SHLI) {
    int event = behind.c - FIRST_EVENT;
    b = integer(w, behind.sb);
    /* (The VM adds 0 for `x - 0`, and -0.0 + 0 is 0.0.) */
    bool adds_zero = code.op == OP_ADDI && code.sc == 0 && a.kind == TM_SYM_EXPR &&
                     a.x->type.kind == TM_FLOAT64;
    if (behind.op == OP_MMBINI && event >= 0 && event < 12 && !adds_zero) op = events[event];
  } else {
    b = constant(w, code.c);
  }
  if (code.op < OP_ADD && behind.k) {
    tm_sym turned = a;
    a = b;
    b = turned;
  }
  set_reg(w, code.a, tm_lift_arithmetic(w->ctx, w->state, op, a, b));
  w->pc += 2; /* over the call of a metamethod */
}

static void self(tm_lift_way *w, tm_lua_code code) {
  tm_sym object = reg(w, code.b), key = reg_or_constant(w, code);
  const char *name;
  tm_sym method = tm_sym_is_text(key, &name) ? tm_lift_method(w->ctx, object, name)
                                             : tm_lift_give_up(w->ctx, "calls a method");
  set_reg(w, code.a + 1, object);
  set_reg(w, code.a, method);
}

static void refuse_assignment(tm_lift_way *w, const char *kind, const char *name) {
  tm_fail(w->ctx->err, TM_E_IMPURE, "a row function assigns the %s '%.60s'", kind,
          name == NULL ? "?" : name);
  tm_error_help(w->ctx->err, "rows are computed apart from each other, in any order; for state "
                             "across rows there is process");
  tm_lift_leave(w->ctx);
}

static void set_upvalue_field(tm_lift_way *w, tm_lua_code code) {
  tm_sym key = constant(w, code.b), table = upvalue(w, code.a);
  const char *name = w->frame->proto->upvalue_names[code.a], *global = "?";
  if (name != NULL && strcmp(name, "_ENV") == 0) {
    (void)tm_sym_is_text(key, &global);
    refuse_assignment(w, "global", global);
  }
  tm_lift_assign(w->ctx, w->state, table, key, reg_or_constant(w, code));
}

/* Loads and moves. false: it is another instruction. */
static bool load(tm_lift_way *w, tm_lua_code code) {
  tm_expr_pool *pool = &w->ctx->pool;
  switch (code.op) {
    case OP_MOVE: w->state->regs[code.a] = reg(w, code.b); break;
    case OP_LOADI: set_reg(w, code.a, integer(w, code.sbx)); break;
    case OP_LOADF: set_reg(w, code.a, tm_sym_of(tm_expr_float(pool, code.sbx))); break;
    case OP_LOADK: set_reg(w, code.a, constant(w, code.bx)); break;
    case OP_LOADKX:
      set_reg(w, code.a, constant(w, (int)(w->frame->proto->words[w->pc + 1] >> 7)));
      w->pc++;
      break;
    case OP_LOADFALSE: set_reg(w, code.a, tm_sym_of(tm_expr_bool(pool, false))); break;
    case OP_LFALSESKIP:
      set_reg(w, code.a, tm_sym_of(tm_expr_bool(pool, false)));
      w->pc++;
      break;
    case OP_LOADTRUE: set_reg(w, code.a, tm_sym_of(tm_expr_bool(pool, true))); break;
    case OP_LOADNIL:
      for (int i = 0; i <= code.b; i++) set_reg(w, code.a + i, tm_lift_nil(w->ctx));
      break;
    case OP_GETUPVAL: set_reg(w, code.a, upvalue(w, code.b)); break;
    default: return false;
  }
  w->pc++;
  return true;
}

/* Tables and unary operators. */
static bool work(tm_lift_way *w, tm_lua_code code) {
  tm_lift_ctx *ctx = w->ctx;
  tm_lift_state *s = w->state;
  int a = code.a;
  tm_sym parts[UINT8_MAX + 1];
  switch (code.op) {
    case OP_GETTABUP:
      set_reg(w, a, tm_lift_index(ctx, s, upvalue(w, code.b), constant(w, code.c)));
      break;
    case OP_GETTABLE: set_reg(w, a, tm_lift_index(ctx, s, reg(w, code.b), reg(w, code.c))); break;
    case OP_GETI: set_reg(w, a, tm_lift_index(ctx, s, reg(w, code.b), integer(w, code.c))); break;
    case OP_GETFIELD:
      set_reg(w, a, tm_lift_index(ctx, s, reg(w, code.b), constant(w, code.c)));
      break;
    case OP_SETTABUP: set_upvalue_field(w, code); break;
    case OP_SETUPVAL:
      refuse_assignment(w, "upvalue", w->frame->proto->upvalue_names[code.b]);
      break;
    case OP_SETTABLE:
      tm_lift_assign(ctx, s, reg(w, a), reg(w, code.b), reg_or_constant(w, code));
      break;
    case OP_SETI:
      tm_lift_assign(ctx, s, reg(w, a), integer(w, code.b), reg_or_constant(w, code));
      break;
    case OP_SETFIELD:
      tm_lift_assign(ctx, s, reg(w, a), constant(w, code.b), reg_or_constant(w, code));
      break;
    case OP_SETLIST: tm_lift_assign(ctx, s, reg(w, a), integer(w, 1), tm_lift_nil(ctx)); break;
    case OP_NEWTABLE:
      set_reg(w, a, tm_lift_new_table(ctx, s));
      w->pc++; /* over the extra argument */
      break;
    case OP_SELF: self(w, code); break;
    case OP_UNM: set_reg(w, a, tm_lift_unary(ctx, s, TM_X_NEG, reg(w, code.b))); break;
    case OP_BNOT: set_reg(w, a, tm_lift_unary(ctx, s, TM_X_BNOT, reg(w, code.b))); break;
    case OP_NOT: set_reg(w, a, tm_lift_unary(ctx, s, TM_X_NOT, reg(w, code.b))); break;
    case OP_LEN: set_reg(w, a, tm_lift_unary(ctx, s, TM_X_LENGTH, reg(w, code.b))); break;
    case OP_CONCAT:
      for (int i = 0; i < code.b; i++) parts[i] = reg(w, a + i);
      set_reg(w, a, tm_lift_concat(ctx, s, parts, code.b));
      break;
    case OP_CLOSE: case OP_MMBIN: case OP_MMBINI: case OP_MMBINK: case OP_EXTRAARG: break;
    default: return false;
  }
  w->pc++;
  return true;
}

static bool compare(tm_lift_way *w, tm_lua_code code) {
  const int a = code.a; /* a register only where the instruction is one of these */
  switch (code.op) {
    case OP_EQ: compare_branch(w, code, TM_X_EQ, reg(w, a), reg(w, code.b)); return true;
    case OP_LT: compare_branch(w, code, TM_X_LT, reg(w, a), reg(w, code.b)); return true;
    case OP_LE: compare_branch(w, code, TM_X_LE, reg(w, a), reg(w, code.b)); return true;
    case OP_EQK: compare_branch(w, code, TM_X_EQ, reg(w, a), constant(w, code.b)); return true;
    case OP_EQI: compare_immediate(w, code, TM_X_EQ); return true;
    case OP_LTI: compare_immediate(w, code, TM_X_LT); return true;
    case OP_LEI: compare_immediate(w, code, TM_X_LE); return true;
    case OP_GTI: compare_immediate(w, code, TM_X_GT); return true;
    case OP_GEI: compare_immediate(w, code, TM_X_GE); return true;
    case OP_TEST: case OP_TESTSET: test_branch(w, code); return true;
    default: return false;
  }
}

static void jump(tm_lift_way *w, tm_lua_code code) {
  if (code.sj < 0) {
    (void)tm_lift_give_up(w->ctx, "has a loop");
    tm_lift_way_cut(w);
    return;
  }
  w->pc += 1 + code.sj;
}

void tm_lift_way_step(tm_lift_way *w) {
  tm_lua_code code = tm_lua_decode(w->frame->proto->words[w->pc]);
  w->ctx->line = w->frame->proto->lines[w->pc];
  if (--w->ctx->steps_left < 0) {
    (void)tm_lift_give_up(w->ctx, "has too many ways");
    tm_lift_way_cut(w);
    return;
  }
  if (code.op >= OP_ADDI && code.op <= OP_SHR) {
    arithmetic(w, code);
    return;
  }
  if (load(w, code) || work(w, code) || compare(w, code)) return;
  switch (code.op) {
    case OP_JMP: jump(w, code); return;
    case OP_CALL: call(w, code); return;
    case OP_TAILCALL: call(w, code); return; /* the next instruction returns what it gave */
    case OP_RETURN: return_values(w, code.a, code.b); return;
    case OP_RETURN0: tm_lift_way_end(w, NULL, 0); return;
    case OP_RETURN1: return_values(w, code.a, 2); return;
    case OP_CLOSURE: (void)tm_lift_give_up(w->ctx, "makes a function"); break;
    case OP_VARARG: case OP_VARARGPREP: (void)tm_lift_give_up(w->ctx, "takes any number of values");
      break;
    default: (void)tm_lift_give_up(w->ctx, "has a loop"); break;
  }
  tm_lift_way_cut(w);
}

