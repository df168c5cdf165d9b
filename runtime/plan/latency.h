/* plan/latency.h: how long after a row came what it makes can leave. */
#ifndef TM_PLAN_LATENCY_H
#define TM_PLAN_LATENCY_H

#include "plan/plan.h"

typedef struct tm_latency {
  int64_t disorder_us; /* of the sources above */
  int64_t wait_us;     /* for rows that are out of order, at most */
  bool windows;        /* counted from the end of the row's window */
  bool at_end;         /* only at the end of input */
} tm_latency;

/* Of what reaches a node. */
tm_latency tm_latency_of(const tm_plan *plan, uint32_t node);

#endif
