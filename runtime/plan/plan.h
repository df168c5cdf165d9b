/* plan/plan.h: the bound and optimised plan: what runs. Read-only once made.
 *
 * Nodes are in topological order. An edge carries the main output of `from`, or its refused rows,
 * to one input port of `to`. */
#ifndef TM_PLAN_PLAN_H
#define TM_PLAN_PLAN_H

#include "plan/graph.h"

typedef enum tm_edge_kind {
  TM_EDGE_MAIN,
  TM_EDGE_REFUSED, /* carries the refused rows of `from` */
  TM_EDGE_LATE,    /* its late rows */
} tm_edge_kind;

typedef struct tm_edge {
  uint32_t from, to, port;
  tm_edge_kind kind;
  bool buffering; /* unbounded (within the budget): its consumer waits for another port that an
                     ancestor of both feeds (a diamond) */
} tm_edge;

typedef struct tm_plan {
  tm_arena *arena;
  const tm_graph *graph;
  tm_bind **nodes;
  uint32_t node_count;
  tm_edge *edges;
  uint32_t edge_count;
} tm_plan;

/* Looks up stages, checks options, binds sources to sinks, inserts exchanges and orderings,
 * pushes filters and projections. NULL with err: everything that is wrong before any row. */
tm_plan *tm_plan_create(const tm_graph *graph, tm_budget *budget, tm_error *err);

#endif
