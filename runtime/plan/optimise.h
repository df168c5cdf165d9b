/* plan/optimise.h: what makes a correct plan a fast one; results never depend on it. */
#ifndef TM_PLAN_OPTIMISE_H
#define TM_PLAN_OPTIMISE_H

#include "plan/plan.h"

/* Needed columns, filters into sources. 0 or -1 with err. */
int tm_optimise(tm_plan *plan, tm_error *err);

#endif
