/* tests/support/graph.h: graphs as a script would describe them, for tests of plan/ and exec/.
 *
 * Stands on fixture.h. A verb of the table serves as source: rows that are written down (none, by
 * default), or files that are not there, which is not noticed before a run. */
#ifndef TESTS_SUPPORT_GRAPH_H
#define TESTS_SUPPORT_GRAPH_H

#include <criterion/criterion.h>
#include <string.h>

#include "plan/plan.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

enum { GRAPH_NONE = -1 };

static tm_graph graph;

static inline void graph_begin(uint32_t workers) {
  cr_assert_eq(tm_graph_init(&graph, &arena), 0);
  graph.job = (tm_job_info){.script = "job.lua", .pipeline = "job", .date = "2026-03-14",
                            .stdout_format = "csv", .workers = workers, .batch_rows = 2048,
                            .block_bytes = 1 << 20};
}

/* `line` of the script is ten times the index, and one. */
static inline uint32_t graph_add(tm_stage_role role, const char *verb, tm_value options,
                                 const uint32_t *inputs, uint32_t count) {
  tm_error err = {0};
  tm_value *kept = tm_arena_zero(&arena, sizeof *kept);
  *kept = options.kind == TM_VALUE_NIL ? (tm_value){.kind = TM_VALUE_TABLE} : options;
  tm_node node = {.role = role, .verb = verb, .options = kept, .input_count = count,
                  .script_line = (int)graph.count * 10 + 1};
  if (count > 0) memcpy(node.inputs, inputs, count * sizeof *inputs);
  int at = tm_graph_add(&graph, &node, &err);
  cr_assert_geq(at, 0, "%s", err.message);
  return (uint32_t)at;
}

static inline uint32_t graph_rows(const char *ddl) {
  return graph_add(TM_ROLE_SOURCE, "rows", V_TABLE(&arena, {"schema", v_text(ddl)}), NULL, 0);
}

/* A file; `bad` is the index of an endpoint, or GRAPH_NONE. */
static inline uint32_t graph_csv(const char *path, const char *ddl, int bad) {
  tm_value endpoint = bad == GRAPH_NONE ? v_nil() : v_node(bad);
  return graph_add(TM_ROLE_SOURCE, "csv",
                   V_TABLE(&arena, {"path", v_text(path)}, {"schema", v_text(ddl)},
                           {"bad", endpoint}),
                   NULL, 0);
}

static inline uint32_t graph_step(const char *verb, tm_value options, uint32_t input) {
  return graph_add(TM_ROLE_STEP, verb, options, &input, 1);
}

static inline uint32_t graph_join(tm_value options, uint32_t left, uint32_t right) {
  return graph_add(TM_ROLE_STEP, "join", options, (uint32_t[]){left, right}, 2);
}

static inline uint32_t graph_sink(uint32_t input) {
  return graph_add(TM_ROLE_SINK, "csv", V_TABLE(&arena, {"path", v_text("out/result.csv")}), &input,
                   1);
}

/* Takes refused rows only. */
static inline uint32_t graph_endpoint(const char *path) {
  return graph_add(TM_ROLE_SINK, "csv", V_TABLE(&arena, {"path", v_text(path)}), NULL, 0);
}

static inline tm_plan *graph_plan(void) {
  tm_error err = {0};
  tm_plan *plan = tm_plan_create(&graph, budget, &err);
  cr_assert_not_null(plan, "%s", err.message);
  return plan;
}

/* The n-th node (from 0) whose stage has that name; NULL: none. */
static inline tm_bind *plan_find(const tm_plan *plan, const char *stage, int nth) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (strcmp(plan->nodes[i]->stage->name, stage) == 0 && nth-- == 0) return plan->nodes[i];
  }
  return NULL;
}

/* The shape of a plan: "rows>filter exchange>sort!" for each edge, `!` refused, `?` late, `~`
 * buffering. */
static inline const char *plan_edges(const tm_plan *plan) {
  char *text = tm_arena_text(&arena, "", 0);
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    text = tm_arena_format(&arena, "%s%s%s>%s%s%s", text, i > 0 ? " " : "",
                           plan->nodes[e->from]->name, plan->nodes[e->to]->name,
                           e->kind == TM_EDGE_REFUSED ? "!" : e->kind == TM_EDGE_LATE ? "?" : "",
                           e->buffering ? "~" : "");
  }
  return text;
}

#endif
