/* plan/outputs.h: what the outputs of a job must be: at least one, no two on one path. */
#ifndef TM_PLAN_OUTPUTS_H
#define TM_PLAN_OUTPUTS_H

#include "plan/graph.h"

/* 0, or -1 with TM_E_OUTPUT, placed in the script. */
int tm_outputs_check(const tm_graph *graph, tm_error *err);

#endif
