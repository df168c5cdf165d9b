/* script/lift_state.h: symbolic values, the states of ways through a function, their context.
 *
 * A symbolic value is what a register holds on one way through the function, for all rows at
 * once. Values and states are never changed once another state may hold them. */
#ifndef TM_SCRIPT_LIFT_STATE_H
#define TM_SCRIPT_LIFT_STATE_H

#include "expr/tree.h"
#include "script/lift.h"
#include "script/lift_bytecode.h"
#include "script/lift_names.h"

typedef enum tm_sym_kind {
  TM_SYM_NONE,     /* never written, or merged from values that do not go together */
  TM_SYM_UNKNOWN,  /* something that lift gave up on; ctx->why says what */
  TM_SYM_EXPR,     /* a value with a tree; nil and constants too */
  TM_SYM_ROW,      /* index: 0 left (or only), 1 right */
  TM_SYM_TABLE,    /* index: a table made on this way, in the state */
  TM_SYM_LUA,      /* index: a captured table, function …, in ctx->anchors */
  TM_SYM_DURATION, /* x: how many (int64) of `unit_us`, or of months where that is 0 */
  TM_SYM_ENTRY,    /* index: a captured table of tables, x: the key that was looked up in it */
} tm_sym_kind;

typedef struct tm_sym {
  uint8_t kind;
  int index;
  int64_t unit_us;
  const tm_expr *x;
} tm_sym;

typedef struct tm_sym_field { const char *name; tm_sym value; } tm_sym_field;

typedef struct tm_sym_table {
  uint32_t field_count;
  tm_sym_field *fields;  /* without those that are nil */
  bool has_list;         /* positional entries: nothing that lift takes further */
} tm_sym_table;

/* What a test on this way has shown of an expression: of one that may be nil whether it is there,
 * of a TRUTH whether it holds. */
typedef struct tm_fact {
  const tm_expr *x;
  bool present;
  int depth;
  const struct tm_fact *next;
} tm_fact;

typedef struct tm_lift_state {
  tm_sym *regs;
  uint32_t reg_count;
  int open_count;        /* values of the last call from register `open_at` on, where open */
  int open_at;
  const tm_sym_table **tables;
  uint32_t table_count;
  const tm_fact *facts;
} tm_lift_state;

enum { TM_LIFT_RETURNS_MAX = 8, TM_LIFT_NAMES_MAX = 64 };

/* How a way ends: at the join (state), or by a return. */
typedef struct tm_lift_leaf {
  bool returns;
  const tm_lua_proto *proto; /* of the join */
  int pc, line;
  uint64_t hash;             /* of what makes it this leaf: most others differ in it */
  uint32_t result_count;
  tm_sym results[TM_LIFT_RETURNS_MAX];
  tm_lift_state *state;
} tm_lift_leaf;

typedef struct tm_lift_frame {
  const tm_lua_proto *proto;
  int function;          /* in the anchors */
  int depth;             /* of inlining */
} tm_lift_frame;

typedef struct tm_lift_ctx {
  lua_State *L;
  int anchors;           /* stack index of the table that holds Lua values while lift runs */
  int anchor_count;
  const char *anchor_names[TM_LIFT_NAMES_MAX]; /* what the script calls captured values */
  struct tm_lift_made *made; /* probes; lift_values.c */
  int names;             /* stack index of the table of lift_names.h */
  const tm_function_want *want;
  tm_expr_pool pool;
  tm_arena *arena;       /* of the plan */
  tm_arena *scratch;     /* as long as lift runs */
  tm_error *err;
  char *why;             /* empty while everything is liftable */
  bool not_pure;
  int line;              /* of the instruction at work */
  int steps_left;
  struct tm_lift_memo *memo;         /* pieces that were followed; lift_execute.c */
  struct tm_lift_effects *effects; /* what may miss on the way at work; lift_execute.c */
  tm_lift_leaf *leaves;
  uint32_t leaf_count, leaf_capacity;
} tm_lift_ctx;

#endif
