/* plan/explain.h: a plan as text for people and as JSON for programs. */
#ifndef TM_PLAN_EXPLAIN_H
#define TM_PLAN_EXPLAIN_H

#include "base/bytes.h"
#include "plan/plan.h"

/* Append; false when out of memory. */
bool tm_explain_text(const tm_plan *plan, tm_bytes *out);
bool tm_explain_json(const tm_plan *plan, tm_bytes *out);

#endif
