/* script/lift_parts.h: what the lift_*.c files do for each other. */
#ifndef TM_SCRIPT_LIFT_PARTS_H
#define TM_SCRIPT_LIFT_PARTS_H

#include "script/lift_state.h"

/* Failing. `give_up` notes why and goes on with an unknown value; `fail` leaves lift by a Lua
 * error, for lift runs behind a lua_pcall of its own. */
tm_sym tm_lift_give_up(tm_lift_ctx *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same where the type of the value is known all the same. */
tm_sym tm_lift_give_up_typed(tm_lift_ctx *ctx, tm_type type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
__attribute__((noreturn)) void tm_lift_fail(tm_lift_ctx *ctx, tm_error_code code,
                                            const char *format, ...)
    __attribute__((format(printf, 3, 4)));
__attribute__((noreturn)) void tm_lift_leave(tm_lift_ctx *ctx); /* err is written */
void *tm_lift_alloc(tm_lift_ctx *ctx, size_t bytes);            /* scratch, zeroed; never NULL */

static inline tm_sym tm_sym_of(const tm_expr *x) { return (tm_sym){.kind = TM_SYM_EXPR, .x = x}; }
tm_sym tm_lift_nil(tm_lift_ctx *ctx);
tm_sym tm_lift_unknown(tm_lift_ctx *ctx, tm_type type); /* a tree that cannot be computed */
static inline bool tm_sym_is_nil(tm_sym value) {
  return value.kind == TM_SYM_EXPR && tm_expr_is_null_constant(value.x);
}
bool tm_sym_is_text(tm_sym value, const char **out); /* a constant string without NULs */
const char *tm_sym_name(tm_sym value);               /* "a row", "a table", "string" … */

/* A string that may not be UTF-8 has precision 1: it is checked where it becomes a column. */
static inline tm_type tm_lift_raw_text(void) {
  return (tm_type){.kind = TM_STRING, .precision = 1};
}
static inline bool tm_type_is_text(tm_type t) { return t.kind == TM_STRING || t.kind == TM_BYTES; }
/* What Lua calls an integer. */
static inline bool tm_type_is_lua_integer(tm_type t) {
  return t.kind == TM_INT32 || t.kind == TM_INT64 || t.kind == TM_TIMESTAMP;
}
const tm_expr *tm_lift_int64(tm_lift_ctx *ctx, const tm_expr *x);   /* of any Lua integer */
const tm_expr *tm_lift_decimal(tm_lift_ctx *ctx, const tm_expr *x); /* of that, or a decimal */
/* x with what is known of it on this way; then x where it may not be nil (an effect). */
const tm_expr *tm_lift_seen(tm_lift_ctx *ctx, const tm_lift_state *state, const tm_expr *x);
const tm_expr *tm_lift_require(tm_lift_ctx *ctx, const tm_lift_state *state, const tm_expr *x);

/* lift_values.c: the Lua value on top of the stack, which is popped. */
tm_sym tm_lift_value(tm_lift_ctx *ctx);
void tm_lift_push(tm_lift_ctx *ctx, int index); /* an anchored value onto the stack */
tm_sym tm_lift_constant(tm_lift_ctx *ctx, const tm_lua_constant *constant);
/* The field of a captured table, along __index tables. */
tm_sym tm_lift_captured_field(tm_lift_ctx *ctx, int table, const tm_expr *key);
tm_sym tm_lift_probe(tm_lift_ctx *ctx, tm_lift_state *state, int table, const tm_expr *key);
/* Of an entry of a table of tables: whether it is there, and its field. */
const tm_expr *tm_lift_entry_there(tm_lift_ctx *ctx, tm_sym entry);
tm_sym tm_lift_entry_field(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym entry, const char *name);

/* lift_operators.c */
tm_sym tm_lift_arithmetic(tm_lift_ctx *ctx, tm_lift_state *state, tm_expr_op op, tm_sym a,
                          tm_sym b);
tm_sym tm_lift_unary(tm_lift_ctx *ctx, tm_lift_state *state, tm_expr_op op, tm_sym a);
tm_sym tm_lift_compare(tm_lift_ctx *ctx, tm_lift_state *state, tm_expr_op op, tm_sym a, tm_sym b);
tm_sym tm_lift_concat(tm_lift_ctx *ctx, tm_lift_state *state, const tm_sym *parts, int count);
/* The truth of a value, a bool without nulls. */
const tm_expr *tm_lift_truth(tm_lift_ctx *ctx, const tm_lift_state *state, tm_sym value);

/* lift_index.c */
tm_sym tm_lift_index(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym table, tm_sym key);
void tm_lift_assign(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym table, tm_sym key, tm_sym value);
tm_sym tm_lift_new_table(tm_lift_ctx *ctx, tm_lift_state *state);
tm_sym tm_lift_method(tm_lift_ctx *ctx, tm_sym object, const char *name);

/* lift_call.c: a call of a known function: how many results (room for TM_LIFT_RETURNS_MAX) it
 * gives, 0: `callee` is none. */
int tm_lift_call_known(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym callee, const tm_sym *args,
                       int arg_count, tm_sym *results);

/* lift_state.c: ways, and where they meet. */
tm_lift_state *tm_lift_state_copy(tm_lift_ctx *ctx, const tm_lift_state *state);
const tm_expr *tm_lift_stop_leaf(tm_lift_ctx *ctx, const tm_lua_proto *proto, int pc,
                                 tm_lift_state *state);
const tm_expr *tm_lift_return_leaf(tm_lift_ctx *ctx, tm_lift_state *state, const tm_sym *results,
                                   uint32_t count);
/* The leaves of an outcome, each once; fills out (room for leaf_count). */
uint32_t tm_lift_leaves_of(tm_lift_ctx *ctx, const tm_expr *outcome, uint32_t *out);
/* The outcome with leaf i replaced by by_leaf[i]. NULL there: a way that does not count: an IF of
 * which one side has none is its other side. `guards` false: without guards. */
const tm_expr *tm_lift_replace(tm_lift_ctx *ctx, const tm_expr *outcome, tm_type type,
                               const tm_expr *const *by_leaf, bool guards);
/* One state for all leaves at pc; NULL where some value differs in kind. */
tm_lift_state *tm_lift_merge(tm_lift_ctx *ctx, const tm_lua_proto *proto, int pc,
                             const tm_expr *outcome);
/* Values of different ways as one, of one kind. false: they have none. */
bool tm_lift_merge_values(tm_lift_ctx *ctx, const tm_expr *outcome, const uint32_t *leaves,
                          tm_sym *values, uint32_t count, tm_sym *out);

/* Of the values of live registers; equal states have equal ones. */
uint64_t tm_lift_state_hash(const tm_lua_proto *proto, int pc, const tm_lift_state *state);
bool tm_lift_states_equal(const tm_lua_proto *proto, int pc, const tm_lift_state *a,
                          const tm_lift_state *b);
/* What is known on both ways: the part of the lists that they share. */
const tm_fact *tm_lift_common_facts(const tm_fact *a, const tm_fact *b);

/* lift_execute.c: all ways from pc to `stop` (code_count: to the returns). */
const tm_expr *tm_lift_execute(tm_lift_ctx *ctx, const tm_lift_frame *frame, int pc,
                               tm_lift_state *state, int stop);
/* Notes that the way at work evaluates x, whatever becomes of its value. */
void tm_lift_effect(tm_lift_ctx *ctx, const tm_expr *x);
/* A whole function with its parameters set. */
const tm_expr *tm_lift_execute_function(tm_lift_ctx *ctx, int function, int depth,
                                        const tm_sym *args, int arg_count,
                                        const tm_lift_state *caller);

/* lift_result.c: from the outcome of the whole function to trees and types. 1 or 0. */
int tm_lift_finish(tm_lift_ctx *ctx, const tm_expr *outcome, tm_function *out);

/* lift_check.c: whether this Lua's bytecode means what lift thinks; once a process. */
int tm_lift_is_trusted(lua_State *L, tm_budget *budget); /* 1, 0; -1: no memory to find out */
/* tm_lift without that question. */
int tm_lift_any(lua_State *L, int function_index, const tm_function_want *want, tm_arena *arena,
                tm_function *out, char why[TM_LIFT_WHY_MAX], tm_error *err);

#endif
