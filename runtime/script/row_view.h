/* script/row_view.h: a row of a batch as Lua sees it.
 *
 * A view is one userdata that shows one row after the other: `r.qty` reads the column, a null is
 * nil, an unknown field ends the job, assignment raises. It is valid only while its function runs;
 * a function that keeps its row gets a table copy instead (row_facts.h decides). */
#ifndef TM_SCRIPT_ROW_VIEW_H
#define TM_SCRIPT_ROW_VIEW_H

#include <lua.h>

#include "column/batch.h"

/* How `r.name` finds its column: by the address of the name, which Lua keeps only once. */
typedef struct tm_row_slot { const char *key; uint32_t column; } tm_row_slot;

typedef struct tm_row_view {
  const tm_batch *batch;   /* NULL: no row is shown */
  uint32_t row;
  uint32_t first;          /* column of the batch with which the schema begins */
  const tm_schema *schema; /* lives as long as the plan */
  uint32_t mask;           /* slots, less one */
  tm_row_slot slots[];
} tm_row_view;

/* Pushes a view that shows nothing yet. Its user value 1 is the list of names, 2 the metatable of
 * copies. */
tm_row_view *tm_row_view_push(lua_State *L, const tm_schema *schema, uint32_t first);
/* The view at index, NULL where the value is none. */
tm_row_view *tm_row_view_at(lua_State *L, int index);
/* Pushes the row that the view at index shows, as a table: fields that are null are absent, unknown
 * ones raise as the view's do. */
void tm_row_view_push_copy(lua_State *L, int index);
/* Pushes one value. */
void tm_row_view_push_cell(lua_State *L, const tm_column *column, uint32_t row);

/* The metatable, once a state. */
void tm_row_view_open(lua_State *L);

#endif
