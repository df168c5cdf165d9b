/* plan/bind.h: the first pass: every node of the graph gets its stage, options, schemas. */
#ifndef TM_PLAN_BIND_H
#define TM_PLAN_BIND_H

#include "plan/plan.h"

/* out[i] is the bound node i of the graph. 0 or -1 with err, placed in the script. */
int tm_bind_graph(const tm_graph *graph, tm_budget *budget, tm_bind **out, tm_error *err);
/* Binds a node that the planner adds over one input. NULL with err. */
tm_bind *tm_bind_inserted(const tm_graph *graph, tm_budget *budget, const char *verb,
                          const tm_value *options, const tm_bind *input, tm_error *err);

#endif
