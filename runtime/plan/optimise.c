/* plan/optimise.c: see optimise.h.
 *
 * Needed columns flow against the rows: from sinks, which need all, to sources. A column that
 * nobody needs is never decoded; its data stays NULL all the way. */
#include "plan/optimise.h"

#include <string.h>

#include "expr/function.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "plan: out of memory"); }

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
    if (e->to != index || e->kind != TM_EDGE_MAIN) continue;
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
    if (plan->edges[i].from != node || plan->edges[i].kind != TM_EDGE_MAIN) continue;
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
  if (find_needed(plan, err) < 0) return -1;
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (plan->nodes[i]->stage->takes_filters && push_filters(plan, i, err) < 0) return -1;
  }
  return 0;
}
