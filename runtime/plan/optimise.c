/* plan/optimise.c: see optimise.h.
 *
 * Needed columns flow against the rows: from sinks, which need all, to sources. A column that
 * nobody needs is never decoded; its data stays NULL all the way.
 *
 * Diamonds: a stage that takes its inputs one after another (a join builds first, a union in order)
 * would wait for ever if what feeds the later input also feeds the first and is stopped by a full
 * queue. All inputs of such a stage that share an ancestor get a queue without bound. */
#include "plan/optimise.h"

#include <string.h>

#include "expr/function.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "plan: out of memory"); }

/* ---------------------------------------------------------------- diamonds */

static void mark_ancestors(const tm_plan *plan, uint32_t node, uint8_t *marks) {
  memset(marks, 0, plan->node_count);
  marks[node] = 1;
  for (uint32_t i = plan->edge_count; i > 0; i--) {
    /* Edges were added in the order of their consumers, so one pass backwards is enough. */
    const tm_edge *e = &plan->edges[i - 1];
    if (marks[e->to] && !e->refused) marks[e->from] = 1;
  }
}

static const tm_edge *edge_to(const tm_plan *plan, uint32_t node, uint32_t port) {
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    if (plan->edges[i].to == node && plan->edges[i].port == port) return &plan->edges[i];
  }
  return NULL;
}

static bool share_ancestor(const tm_plan *plan, uint32_t a, uint32_t b, uint8_t *marks) {
  uint8_t *other = marks + plan->node_count;
  mark_ancestors(plan, a, marks);
  mark_ancestors(plan, b, other);
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (marks[i] && other[i]) return true;
  }
  return false;
}

static void mark_diamond(tm_plan *plan, uint32_t node, uint8_t *marks) {
  uint32_t count = plan->nodes[node]->input_count;
  for (uint32_t a = 0; a < count; a++) {
    for (uint32_t b = a + 1; b < count; b++) {
      tm_edge *left = (tm_edge *)edge_to(plan, node, a);
      tm_edge *right = (tm_edge *)edge_to(plan, node, b);
      if (left == NULL || right == NULL) continue;
      if (!share_ancestor(plan, left->from, right->from, marks)) continue;
      left->buffering = right->buffering = true;
    }
  }
}

static int mark_diamonds(tm_plan *plan, tm_error *err) {
  uint8_t *marks = tm_arena_zero(plan->arena, 2 * plan->node_count + 1);
  if (marks == NULL) return no_memory(err);
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (plan->nodes[i]->input_count > 1) mark_diamond(plan, i, marks);
  }
  return 0;
}

/* ---------------------------------------------------------------- needed columns */

static void need_by_passes(const tm_bind *bind, const uint8_t *needed, uint8_t *const *in) {
  for (uint32_t c = 0; c < bind->output->count; c++) {
    if (!needed[c]) continue;
    for (int port = 0; port < 2; port++) {
      if (bind->passes[port] == NULL || bind->passes[port][c] < 0) continue;
      in[port][bind->passes[port][c]] = 1;
    }
  }
}

static void need_of(const tm_bind *bind, const uint8_t *needed, uint8_t *const *in) {
  if (bind->stage->need != NULL) {
    bind->stage->need(bind, needed, in);
  } else if (bind->output != NULL && bind->passes[0] != NULL) {
    need_by_passes(bind, needed, in);
  } else {
    for (uint32_t p = 0; p < bind->input_count; p++) memset(in[p], 1, bind->inputs[p]->count);
  }
  /* Refused rows are shown whole. */
  if (bind->rejects && !bind->skip_rejects && bind->rejects_to != NULL) {
    for (uint32_t p = 0; p < bind->input_count; p++) memset(in[p], 1, bind->inputs[p]->count);
  }
}

static int need_node(tm_plan *plan, uint32_t index, uint8_t **needed, tm_error *err) {
  const tm_bind *bind = plan->nodes[index];
  uint8_t *in[TM_PORTS_MAX];
  for (uint32_t p = 0; p < bind->input_count; p++) {
    in[p] = tm_arena_zero(plan->arena, bind->inputs[p]->count + 1);
    if (in[p] == NULL) return no_memory(err);
  }
  need_of(bind, needed[index], in);
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->to != index || e->refused) continue;
    const uint8_t *wanted = in[e->port];
    for (uint32_t c = 0; c < bind->inputs[e->port]->count; c++) needed[e->from][c] |= wanted[c];
  }
  return 0;
}

static int find_needed(tm_plan *plan, tm_error *err) {
  uint8_t **needed = tm_arena_zero(plan->arena, (plan->node_count + 1) * sizeof *needed);
  if (needed == NULL) return no_memory(err);
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_schema *output = plan->nodes[i]->output;
    needed[i] = tm_arena_zero(plan->arena, (output != NULL ? output->count : 0) + 1);
    if (needed[i] == NULL) return no_memory(err);
    plan->nodes[i]->needed = needed[i];
  }
  for (uint32_t i = plan->node_count; i > 0; i--) {
    if (need_node(plan, i - 1, needed, err) < 0) return -1;
  }
  return 0;
}

/* ---------------------------------------------------------------- filters into sources */

/* The only reader of a node's rows, -1 where there are several. */
static int only_consumer(const tm_plan *plan, uint32_t node) {
  int found = -1;
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    if (plan->edges[i].from != node || plan->edges[i].refused) continue;
    if (found >= 0) return -1;
    found = (int)plan->edges[i].to;
  }
  return found;
}

static bool can_move(const tm_bind *bind) {
  if (strcmp(bind->stage->name, "filter") != 0 || bind->function_count != 1) return false;
  const tm_function *f = bind->functions[0];
  return f->trees != NULL && !f->may_raise && f->pure;
}

/* Filters right behind a source that cannot raise are applied by it, before strings are made. */
static int push_filters(tm_plan *plan, uint32_t source, tm_error *err) {
  tm_bind *bind = plan->nodes[source];
  const tm_function **pushed = tm_arena_zero(plan->arena, plan->node_count * sizeof *pushed);
  bind->pushed_dropped = tm_arena_zero(plan->arena, plan->node_count * sizeof(uint64_t));
  if (pushed == NULL || bind->pushed_dropped == NULL) return no_memory(err);
  for (int at = only_consumer(plan, source); at >= 0; at = only_consumer(plan, (uint32_t)at)) {
    tm_bind *filter = plan->nodes[at];
    if (!can_move(filter)) break;
    pushed[bind->pushed_count++] = filter->functions[0];
    filter->done_elsewhere = true;
  }
  bind->pushed = pushed;
  return 0;
}

int tm_optimise(tm_plan *plan, tm_error *err) {
  if (mark_diamonds(plan, err) < 0 || find_needed(plan, err) < 0) return -1;
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (plan->nodes[i]->stage->takes_filters && push_filters(plan, i, err) < 0) return -1;
  }
  return 0;
}
