/* script/lift.h: from the bytecode of a Lua function to typed trees over columns.
 *
 * The function is executed symbolically, once, when the plan freezes (see lift.c). What comes out
 * has exactly the VM's results: whatever could raise there is a guard, and rows that miss a guard
 * are run by function->call. Needs the table of lift_names.h; never runs the function itself. */
#ifndef TM_SCRIPT_LIFT_H
#define TM_SCRIPT_LIFT_H

#include <lua.h>

#include "expr/function.h"

enum { TM_LIFT_WHY_MAX = 256 };

/* Lifts the Lua function at function_index. All of `out` that is kept lives in the arena.
 *  1: lifted. Fills trees, keep, result (types inferred or as declared; not_null where proved),
 *     column_count, columns, may_raise, pure, text. shape, source and call are the caller's.
 *  0: not liftable: `why` names the construct and its line ("line 12: calls an unknown function").
 *     Where all types are known all the same, out->result is set (else NULL).
 * -1: a plan error: an unknown column, types that cannot go together, an assigned upvalue, memory.
 * want->shape decides how the returned value is taken. The stack is left as it was. */
int tm_lift(lua_State *L, int function_index, const tm_function_want *want, tm_arena *arena,
            tm_function *out, char why[TM_LIFT_WHY_MAX], tm_error *err);

#endif
