/* plan/refused.h: the rows that an endpoint for refused rows gets, and where they go. */
#ifndef TM_PLAN_REFUSED_H
#define TM_PLAN_REFUSED_H

#include "plan/plan.h"

/* Columns of reference.md, in its order, then hidden ones by which they are put in source order
 * and which are dropped before the endpoint. */
enum {
  TM_REFUSED_REASON, TM_REFUSED_MESSAGE, TM_REFUSED_SOURCE, TM_REFUSED_FILE, TM_REFUSED_LINE,
  TM_REFUSED_OFFSET, TM_REFUSED_PIPELINE, TM_REFUSED_STEP, TM_REFUSED_SCRIPT_LINE, TM_REFUSED_RAW,
  TM_REFUSED_EVENT_TIME, TM_REFUSED_WATERMARK,
  TM_REFUSED_VISIBLE,
  TM_REFUSED_SOURCE_INDEX = TM_REFUSED_VISIBLE, TM_REFUSED_FILE_INDEX, TM_REFUSED_STEP_INDEX,
  TM_REFUSED_COUNT,
};

extern const tm_schema tm_refused_schema;         /* all of them */
extern const tm_schema tm_refused_visible_schema; /* those of reference.md */

#endif
