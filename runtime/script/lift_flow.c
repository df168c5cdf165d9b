/* script/lift_flow.c: where the ways through a function meet again, and what registers count there.
 *
 * Both are found in one pass from the last instruction to the first, for lift follows no jump
 * backwards: such a jump, and every instruction of a loop, ends the function as far as lift is
 * concerned. The join of a branch is its immediate post-dominator, the first common ancestor of
 * its two ways in the tree that `join` itself makes. */
#include <string.h>

#include "script/lift_bytecode.h"

typedef struct flow_pass {
  const tm_lua_proto *proto;
  tm_lua_flow *flow;
  int *depth; /* in the tree of joins; the end has 0 */
} flow_pass;

/* Ways on from an instruction: none (the end), one, or two. */
static int ways_on(const tm_lua_proto *proto, int pc, int out[2]) {
  tm_lua_code code = tm_lua_decode(proto->words[pc]);
  int next = pc + 1;
  switch (code.op) {
    case OP_RETURN: case OP_RETURN0: case OP_RETURN1: case OP_TAILCALL: case OP_FORLOOP:
    case OP_FORPREP: case OP_TFORPREP: case OP_TFORCALL: case OP_TFORLOOP:
      return 0;
    case OP_JMP: next = pc + 1 + code.sj; break;
    case OP_LFALSESKIP: next = pc + 2; break;
    case OP_EQ: case OP_LT: case OP_LE: case OP_EQK: case OP_EQI: case OP_LTI: case OP_LEI:
    case OP_GTI: case OP_GEI: case OP_TEST: case OP_TESTSET:
      out[1] = pc + 2;
      out[0] = pc + 1;
      return pc + 2 < proto->code_count ? 2 : 0;
    default: break;
  }
  out[0] = next;
  return next > pc && next < proto->code_count ? 1 : 0;
}

static int common_join(const flow_pass *pass, int a, int b) {
  while (a != b) {
    if (pass->depth[a] >= pass->depth[b]) {
      a = pass->flow[a].join;
    } else {
      b = pass->flow[b].join;
    }
  }
  return a;
}

/* ---------------------------------------------------------------- registers */

static void use(tm_lua_flow *flow, int reg) { flow->live[reg >> 6] |= UINT64_C(1) << (reg & 63); }
static void use_from(tm_lua_flow *flow, int reg, int count) {
  for (int i = 0; i < count && reg + i < 256; i++) use(flow, reg + i);
}
static void write(tm_lua_flow *flow, int reg) {
  flow->live[reg >> 6] &= ~(UINT64_C(1) << (reg & 63));
}
static void use_b_unless_k(tm_lua_flow *flow, tm_lua_code code) {
  if (!code.k) use(flow, code.c);
}

static bool is_arithmetic_pair(tm_lua_op op) { return op >= OP_ADD && op <= OP_SHR; }
static bool is_arithmetic_single(tm_lua_op op) { return op >= OP_ADDI && op <= OP_SHLI; }

/* live (after) becomes live (before) */
static void step_back(tm_lua_flow *flow, tm_lua_code code) {
  if (is_arithmetic_pair(code.op)) {
    write(flow, code.a);
    use(flow, code.b);
    use(flow, code.c);
    return;
  }
  if (is_arithmetic_single(code.op)) {
    write(flow, code.a);
    use(flow, code.b);
    return;
  }
  switch (code.op) {
    case OP_MOVE: case OP_UNM: case OP_BNOT: case OP_NOT: case OP_LEN: case OP_GETI:
    case OP_GETFIELD:
      write(flow, code.a);
      use(flow, code.b);
      break;
    case OP_LOADI: case OP_LOADF: case OP_LOADK: case OP_LOADKX: case OP_LOADFALSE:
    case OP_LFALSESKIP: case OP_LOADTRUE: case OP_GETUPVAL: case OP_GETTABUP: case OP_NEWTABLE:
      write(flow, code.a);
      break;
    case OP_LOADNIL:
      for (int i = 0; i <= code.b && code.a + i < 256; i++) write(flow, code.a + i);
      break;
    case OP_GETTABLE: write(flow, code.a), use(flow, code.b), use(flow, code.c); break;
    case OP_SELF:
      write(flow, code.a);
      write(flow, code.a + 1);
      use(flow, code.b);
      use_b_unless_k(flow, code);
      break;
    case OP_SETTABUP: use_b_unless_k(flow, code); break;
    case OP_SETTABLE: use(flow, code.a), use(flow, code.b), use_b_unless_k(flow, code); break;
    case OP_SETI: case OP_SETFIELD: use(flow, code.a), use_b_unless_k(flow, code); break;
    case OP_CONCAT: use_from(flow, code.a, code.b); break;
    case OP_EQ: case OP_LT: case OP_LE: use(flow, code.a), use(flow, code.b); break;
    case OP_EQK: case OP_EQI: case OP_LTI: case OP_LEI: case OP_GTI: case OP_GEI: case OP_TEST:
    case OP_RETURN1:
      use(flow, code.a);
      break;
    case OP_TESTSET: use(flow, code.b); break; /* A is written on one way only */
    case OP_CALL: case OP_TAILCALL:
      use_from(flow, code.a, code.b == 0 ? 256 : code.b);
      break;
    case OP_RETURN: use_from(flow, code.a, code.b == 0 ? 256 : code.b - 1); break;
    case OP_SETLIST: use_from(flow, code.a, code.b == 0 ? 256 : code.b + 1); break;
    case OP_CLOSURE: case OP_VARARG: use_from(flow, 0, 256); break;
    default: break; /* the rest neither reads nor writes, or is not followed */
  }
}

bool tm_lift_flow_find(tm_lua_proto *proto, tm_arena *arena) {
  int end = proto->code_count;
  flow_pass pass = {.proto = proto};
  pass.flow = tm_arena_zero(arena, (size_t)(end + 1) * sizeof *pass.flow);
  pass.depth = tm_arena_zero(arena, (size_t)(end + 1) * sizeof *pass.depth);
  if (pass.flow == NULL || pass.depth == NULL) return false;
  pass.flow[end].join = end;
  for (int pc = end - 1; pc >= 0; pc--) {
    int ways[2];
    int count = ways_on(proto, pc, ways);
    tm_lua_flow *flow = &pass.flow[pc];
    flow->join = count == 0 ? end : ways[0];
    for (int i = 0; i < count; i++) {
      for (int word = 0; word < 4; word++) flow->live[word] |= pass.flow[ways[i]].live[word];
    }
    if (count == 2) flow->join = common_join(&pass, ways[0], ways[1]);
    pass.depth[pc] = pass.depth[flow->join] + 1;
    step_back(flow, tm_lua_decode(proto->words[pc]));
  }
  proto->flow = pass.flow;
  return true;
}
