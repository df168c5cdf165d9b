/* operator/top_plan.h: what top knows before it runs: how many rows of which groups, in what order,
 * and its columns. Shared by top.c, which waits for the end, and live_top.c, which does not. */
#ifndef TM_OPERATOR_TOP_PLAN_H
#define TM_OPERATOR_TOP_PLAN_H

#include "stage/stage.h"
#include "state/sorter.h"

typedef struct tm_top_plan {
  tm_sort_spec spec; /* keys: of the group, `by`, then every column; head is n */
  bool ranked;       /* a last column with the rank */
} tm_top_plan;

/* Options of every top, for the table of a stage. */
#define TM_TOP_OPTIONS                                                                          \
  {"n", "int", NULL, "rows of each group", NULL},                                               \
  {"by", "text|list", NULL, "columns that decide, most important first; \"-column\" descends",  \
   NULL},                                                                                       \
  {"per", "text|list", NULL, "columns of the group; without, all rows are one", NULL},          \
  {"ties", "text", NULL, "\"all\" keeps rows that tie with the last", NULL},                    \
  {"rank", "text", NULL, "name of a last column with the rank", NULL}

/* Fills in the plan (zeroes before), bind->output and what the planner wants to know. 0, or -1 with
 * err. */
int tm_top_bind(tm_bind *bind, tm_top_plan *plan, tm_error *err);
void tm_top_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);

#endif
