/* script/convert.h: what a row function returned, into columns, by the rules of reference.md:
 * integers enter float and decimal columns, integral floats enter integer columns, nothing else
 * converts; what does not fit refuses the row. */
#ifndef TM_SCRIPT_CONVERT_H
#define TM_SCRIPT_CONVERT_H

#include <lua.h>

#include "column/batch.h"
#include "column/reason.h"

enum { TM_CONVERT_OK = 0, TM_CONVERT_REFUSED = 1, TM_CONVERT_NO_MEMORY = -1 };

typedef struct tm_convert_fault {
  tm_reason reason;
  char message[256];
} tm_convert_fault;

/* Writes the value at index to column[row]; strings are copied into the arena. A column without
 * data is allocated for `rows` rows, with valid unless it is not null. */
int tm_convert_store(lua_State *L, int index, const tm_field *field, tm_column *column,
                     uint32_t row, uint32_t rows, tm_arena *arena, tm_convert_fault *fault);
/* Allocates as above. false: no memory. */
bool tm_convert_allocate(tm_column *column, tm_type type, uint32_t rows, tm_arena *arena);
/* The type that a column needs to hold the value; TM_NULLTYPE for nil, -1 where no column can. */
int tm_convert_guess(lua_State *L, int index, tm_type *out);

#endif
