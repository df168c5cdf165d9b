/* script/lift_bytecode.h: a Lua function as data, read from what lua_dump writes.
 *
 * Lua 5.4.0 to 5.4.8 share this format. The header of a dump is checked, and lift_check.c compares
 * what lift makes of some functions with what the VM makes of them, before any is trusted. */
#ifndef TM_SCRIPT_LIFT_BYTECODE_H
#define TM_SCRIPT_LIFT_BYTECODE_H

#include <lua.h>

#include "base/memory.h"

/* In the order of Lua 5.4. */
typedef enum tm_lua_op {
  OP_MOVE, OP_LOADI, OP_LOADF, OP_LOADK, OP_LOADKX, OP_LOADFALSE, OP_LFALSESKIP, OP_LOADTRUE,
  OP_LOADNIL, OP_GETUPVAL, OP_SETUPVAL, OP_GETTABUP, OP_GETTABLE, OP_GETI, OP_GETFIELD,
  OP_SETTABUP, OP_SETTABLE, OP_SETI, OP_SETFIELD, OP_NEWTABLE, OP_SELF, OP_ADDI, OP_ADDK, OP_SUBK,
  OP_MULK, OP_MODK, OP_POWK, OP_DIVK, OP_IDIVK, OP_BANDK, OP_BORK, OP_BXORK, OP_SHRI, OP_SHLI,
  OP_ADD, OP_SUB, OP_MUL, OP_MOD, OP_POW, OP_DIV, OP_IDIV, OP_BAND, OP_BOR, OP_BXOR, OP_SHL,
  OP_SHR, OP_MMBIN, OP_MMBINI, OP_MMBINK, OP_UNM, OP_BNOT, OP_NOT, OP_LEN, OP_CONCAT, OP_CLOSE,
  OP_TBC, OP_JMP, OP_EQ, OP_LT, OP_LE, OP_EQK, OP_EQI, OP_LTI, OP_LEI, OP_GTI, OP_GEI, OP_TEST,
  OP_TESTSET, OP_CALL, OP_TAILCALL, OP_RETURN, OP_RETURN0, OP_RETURN1, OP_FORLOOP, OP_FORPREP,
  OP_TFORPREP, OP_TFORCALL, OP_TFORLOOP, OP_SETLIST, OP_CLOSURE, OP_VARARG, OP_VARARGPREP,
  OP_EXTRAARG, OP_COUNT,
} tm_lua_op;

typedef struct tm_lua_code {
  tm_lua_op op;
  int a, b, c;   /* 8 bits each; c also as a signed number: sc */
  bool k;
  int bx, sbx, sj, sc, sb;
} tm_lua_code;

typedef enum tm_lua_constant_kind {
  TM_LUA_NIL, TM_LUA_FALSE, TM_LUA_TRUE, TM_LUA_INTEGER, TM_LUA_FLOAT, TM_LUA_STRING,
} tm_lua_constant_kind;

typedef struct tm_lua_constant {
  tm_lua_constant_kind kind;
  union {
    int64_t integer;
    double number;
    struct { const char *text; size_t size; }; /* NUL-terminated */
  };
} tm_lua_constant;

/* What flow analysis finds out about an instruction. */
typedef struct tm_lua_flow {
  int join;            /* the first instruction that all ways from here pass; code_count: the end */
  uint64_t live[4];    /* registers that are read later, before they are written */
} tm_lua_flow;

/* Where a closure finds an upvalue: a register of the function around it, or an upvalue of that. */
typedef struct tm_lua_upvalue { bool in_stack; uint8_t index; } tm_lua_upvalue;

typedef struct tm_lua_proto {
  int line_defined;
  uint8_t param_count, is_vararg, stack_size;
  int code_count;
  const uint32_t *words;
  const int *lines;
  int constant_count;
  const tm_lua_constant *constants;
  int upvalue_count;
  const char *const *upvalue_names; /* NULL where a dump has none */
  const tm_lua_upvalue *upvalues;
  int inner_count;
  const struct tm_lua_proto *inner; /* of the functions that it makes; without flow */
  tm_lua_flow *flow;
} tm_lua_proto;

tm_lua_code tm_lua_decode(uint32_t word);
static inline bool tm_lua_is_live(const tm_lua_proto *proto, int pc, int reg) {
  return pc < proto->code_count && (proto->flow[pc].live[reg >> 6] >> (reg & 63) & 1) != 0;
}

/* Reads the Lua function at index. NULL: no memory (*out_known is set), or a dump that is not
 * what is expected. */
const tm_lua_proto *tm_lift_bytecode_read(lua_State *L, int index, tm_arena *arena,
                                          bool *out_no_memory);
/* Fills proto->flow; lift_flow.c. false: no memory. */
bool tm_lift_flow_find(tm_lua_proto *proto, tm_arena *arena);

#endif
