/* script/row_function.h: the script's functions behind the interface of expr/function.h.
 *
 * bind() asks lift first; what lift cannot compile, and the rows that a compiled function hands
 * back, run in the VM of the lane's worker over a row view. */
#ifndef TM_SCRIPT_ROW_FUNCTION_H
#define TM_SCRIPT_ROW_FUNCTION_H

#include "script/plan_builder.h"

/* A bound function; the plan sees only base. */
typedef struct tm_row_function {
  tm_function base;
  const tm_row_source *source;
  uint32_t input_count;
  const tm_schema *inputs[2];
  bool copies[2];   /* the row escapes: it is given as a table of its own */
  bool by_value;    /* called with the values of its columns, not with a row */
  const char *verb; /* for messages */
  const char *name;
} tm_row_function;

/* tm_function_source.bind of every function of a script; see function.h. */
int tm_row_function_bind(const tm_function_source *source, const tm_function_want *want,
                         tm_arena *arena, tm_function **out, tm_error *err);

/* Pushes the function's arguments for a row: the views at `view` and following, or what stands for
 * them; returns how many. */
int tm_row_call_push(lua_State *L, const tm_row_function *function, int view,
                     const tm_batch *batch, uint32_t row);

/* tm_function.call (row_call.c); worker NULL: the state that loaded the script. */
int tm_row_call(const tm_function *function, void *worker, const tm_batch *batch,
                const uint32_t *rows, uint32_t count, tm_result *result, tm_error *err);

/* Fails with TM_E_UNTYPED and the DDL to paste, guessed by calling the function with a made-up row
 * (untyped.c); with another error where that call shows one. Returns -1. */
int tm_untyped_fail(const tm_row_function *function, const char *why, tm_error *err);

#endif
