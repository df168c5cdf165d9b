/* script/plan_builder.h: from the tables that the front end laid out to a graph of the plan.
 *
 * Both kinds of states build: the main one the graph that is run, each worker one that is only
 * compared. Row functions get numbers in the order in which they are met, alike in every load. */
#ifndef TM_SCRIPT_PLAN_BUILDER_H
#define TM_SCRIPT_PLAN_BUILDER_H

#include "expr/function.h"
#include "script/session.h"

/* A row function of the script: what tm_function_source.context points to. */
typedef struct tm_row_source {
  tm_function_source base;
  tm_script *script;
  uint32_t number; /* in tm_host.functions, from 1 */
} tm_row_source;

/* Takes the layout on top of the stack (see lua/tidemill/layout.lua) and fills the graph, which is
 * initialised with its arena. Raises. Sets host->functions; returns how many there are. */
uint32_t tm_plan_builder_build(lua_State *L, tm_graph *graph);

/* Metatable of flow objects, set by the front end: they become TM_VALUE_NODE. */
void tm_plan_builder_set_flow(lua_State *L, int index);

#endif
