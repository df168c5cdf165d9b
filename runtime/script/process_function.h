/* script/process_function.h: a script's functions of a process step behind expr/process.h.
 *
 * They run in the VM of the lane's worker: a row view, a view of the state of the row's key, and
 * `out`, all three made once a Lua state and shown to one call after another. */
#ifndef TM_SCRIPT_PROCESS_FUNCTION_H
#define TM_SCRIPT_PROCESS_FUNCTION_H

#include "expr/process.h"
#include "script/plan_builder.h"

/* tm_function_source.bind_process of every function of a script. */
int tm_process_function_bind(const tm_function_source *on_row, const tm_function_source *on_timer,
                             const tm_process_want *want, tm_arena *arena, tm_process **out,
                             tm_error *err);

/* The metatables, once a state. */
void tm_process_function_open(lua_State *L);

#endif
