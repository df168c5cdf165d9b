/* plan/graph.h: what the script described: nodes with options, before any type is known.
 *
 * The script room adds nodes inputs first, so a node's inputs have smaller indexes and the graph
 * cannot have a cycle. Everything lives in the graph's arena. */
#ifndef TM_PLAN_GRAPH_H
#define TM_PLAN_GRAPH_H

#include "base/value.h"
#include "stage/stage.h"

typedef struct tm_node {
  tm_stage_role role;      /* source, step or sink: a verb may be more than one */
  const char *verb;        /* "csv", "filter", "agg" … */
  const char *name;        /* :name "…"; NULL without */
  int script_line;
  const tm_value *options; /* a table. Functions are TM_VALUE_FUNCTION holding tm_function_source;
                              endpoints for refused rows TM_VALUE_NODE naming a sink of no inputs */
  uint32_t inputs[TM_PORTS_MAX];
  uint32_t input_count;    /* a sink that only takes refused rows has none */
} tm_node;

typedef struct tm_graph {
  tm_arena *arena;
  tm_node *nodes;
  uint32_t count, capacity;
  tm_job_info job;
  const tm_value *job_options; /* the table given to tm.batch / tm.stream, outputs aside */
  int job_line;
} tm_graph;

int tm_graph_init(tm_graph *graph, tm_arena *arena);
/* Copies the node; returns its index, or -1 (memory, more than TM_PORTS_MAX inputs). */
int tm_graph_add(tm_graph *graph, const tm_node *node, tm_error *err);
/* A hash over everything but function identities: two loads of one script must agree. */
uint64_t tm_graph_hash(const tm_graph *graph);

#endif
