/* plan/latency.c: see latency.h. Upwards from an output: the longest way counts. */
#include "plan/latency.h"

#include <string.h>

/* Rows leave it only once time has passed them. */
static bool waits_for_time(const tm_bind *bind) {
  return bind->stage->advance != NULL && !bind->stage->sink && bind->job->stream;
}

static bool makes_windows(const tm_bind *bind) {
  return bind->facts_out.window_end >= 0 && tm_value_get(bind->options, "window") != NULL;
}

/* A result that comes once: of a batch, or of a stream that ends and shows no updates. */
static bool waits_for_end(const tm_bind *bind) {
  if (bind->inserted && strcmp(bind->verb, "consolidate") == 0) return true;
  bool once = !bind->job->stream || bind->final_only;
  return once && bind->input_count > 0 && bind->order != TM_ORDER_KEEPS && !bind->stage->sink &&
         !waits_for_time(bind);
}

tm_latency tm_latency_of(const tm_plan *plan, uint32_t node) {
  tm_latency most = {0};
  const tm_bind *bind = plan->nodes[node];
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->to != node || e->kind != TM_EDGE_MAIN) continue;
    tm_latency one = tm_latency_of(plan, e->from);
    if (one.wait_us > most.wait_us) most.wait_us = one.wait_us;
    if (one.disorder_us > most.disorder_us) most.disorder_us = one.disorder_us;
    most.windows |= one.windows;
    most.at_end |= one.at_end;
  }
  most.disorder_us += bind->disorder_us;
  if (waits_for_time(bind) && most.disorder_us > most.wait_us) most.wait_us = most.disorder_us;
  most.windows |= makes_windows(bind);
  most.at_end |= waits_for_end(bind);
  return most;
}
