/* plan/diamond.h: edges that must hold more than a short queue, so that a plan cannot stand still.
 */
#ifndef TM_PLAN_DIAMOND_H
#define TM_PLAN_DIAMOND_H

#include "plan/plan.h"

/* Marks them: edges as buffering, exchanges with bind->buffers. 0 or -1 with err. */
int tm_diamond_mark(tm_plan *plan, tm_error *err);

#endif
