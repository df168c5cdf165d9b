/* script/process_parts.h: what the files of process share. */
#ifndef TM_SCRIPT_PROCESS_PARTS_H
#define TM_SCRIPT_PROCESS_PARTS_H

#include "script/process_function.h"
#include "script/row_view.h"
#include "state/keyed_state.h"

/* Bound; the plan sees only base. */
typedef struct tm_process_function {
  tm_process base;
  tm_process_want want;
  const tm_row_source *on_row, *on_timer; /* the latter may be NULL */
  tm_function shown[2];                   /* what explain tells of them */
  bool copies_row, copies_key;            /* it escapes: given as a table of its own */
} tm_process_function;

/* What a Lua state keeps of it: a userdata, anchored in the registry by the function's address. */
typedef struct tm_process_record {
  const tm_process_function *function;
  tm_process_step *step; /* NULL: no call is under way, state and out say so */
  tm_row_view *row, *key;
  bool on_timer;         /* the call is a timer's */
  tm_reason reason;      /* of the last value that did not fit; compared by its message */
  char message[256];
} tm_process_record;

/* process_state.c: pushes the view of the state; the record lives as long as the Lua state. */
void tm_process_state_push(lua_State *L, tm_process_record *record);
void tm_process_state_open(lua_State *L);
/* process_out.c: pushes `out`. */
void tm_process_out_push(lua_State *L, tm_process_record *record);
void tm_process_out_open(lua_State *L);

/* Raises what refuses the call: the reason goes with the message. */
int tm_process_raise(lua_State *L, tm_process_record *record, tm_reason reason,
                     const char *message);
/* TM_E_FIELD, with a suggestion. */
void tm_process_unknown_state(const tm_state_plan *plan, const char *name, tm_error *err);
/* Raises where no call is under way. */
void tm_process_need_call(lua_State *L, const tm_process_record *record, const char *what);

#endif
