/* script/row_facts.h: what the bytecode of a row function says about its row and what it captured.
 *
 * Read once a function, when the plan is bound: which fields of the row it reads by name, whether
 * the row escapes (then it gets copies), and whether it changes what it must not. */
#ifndef TM_SCRIPT_ROW_FACTS_H
#define TM_SCRIPT_ROW_FACTS_H

#include <lua.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct tm_row_field { const char *name; int line; } tm_row_field;

/* Of one parameter. */
typedef struct tm_row_use {
  bool escapes;       /* it is stored, passed on or captured: the view would outlive its row */
  bool whole;         /* more than the fields below may be read */
  bool replaced;      /* the parameter is assigned: fields below may be another table's */
  tm_row_field *fields;
  uint32_t field_count;
} tm_row_use;

typedef struct tm_row_facts {
  tm_row_use inputs[2];
  bool reads_clock;   /* names tm.now */
} tm_row_facts;

/* 0, or -1 with err: an impure function (TM_E_IMPURE, TM_E_GLOBAL), memory. Bytecode that cannot
 * be read gives the facts that are always right. `script` is for messages. */
int tm_row_facts_read(lua_State *L, int index, const char *script, tm_arena *arena,
                      tm_row_facts *out, tm_error *err);
/* The same of a function of process: parameter number `row` (from 0) is a row, input 0; the next is
 * its state, input 1, which it may assign: fields that it sets count as read. */
int tm_row_facts_read_process(lua_State *L, int index, const char *script, int row,
                              tm_arena *arena, tm_row_facts *out, tm_error *err);

#endif
