/* plan/diamond.c: see diamond.h.
 *
 * A stage that takes one input after another (a join builds first, a union in order) leaves a full
 * queue at the later one, and so stops everything above it. Where that is also above the earlier
 * input, here or by way of other such stages, all would wait for each other for ever. So: a *wait*
 * is a later port; one wait depends on another if something above its earlier ports is also above
 * the other's later port. The edges of waits that depend on themselves, in however many steps, get
 * queues without bound (within the budget).
 * Two ports that name each other are of a step that takes both, and lets the one whose time is
 * ahead wait for the other: these two waits never are at once.
 *
 * An exchange in order waits for every lane, too: where a lane has nothing for it because what
 * reads the same rows elsewhere stands full, it takes more of the others than its queues hold. That
 * can only be below a step that more than one reads. */
#include "plan/diamond.h"

#include <string.h>

typedef struct wait {
  tm_edge *edge;   /* to the later port */
  uint8_t *above;  /* per node: it is above the later port */
  uint8_t *before; /* per node: it is above one of the ports that must end first */
  uint8_t *on;     /* per wait: this one depends on it */
} wait;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "plan: out of memory"); }

/* Adds `node` and everything that feeds it. Edges were added in the order of their consumers, so
 * one pass backwards is enough. */
static void mark_above(const tm_plan *plan, uint32_t node, uint8_t *marks) {
  marks[node] = 1;
  for (uint32_t i = plan->edge_count; i > 0; i--) {
    const tm_edge *e = &plan->edges[i - 1];
    if (marks[e->to] && e->kind == TM_EDGE_MAIN) marks[e->from] = 1;
  }
}

static int wait_init(const tm_plan *plan, tm_edge *edge, uint32_t waits, wait *w, tm_error *err) {
  uint32_t first = plan->nodes[edge->to]->waits[edge->port];
  *w = (wait){.edge = edge};
  w->above = tm_arena_zero(plan->arena, plan->node_count);
  w->before = tm_arena_zero(plan->arena, plan->node_count);
  w->on = tm_arena_zero(plan->arena, waits);
  if (w->above == NULL || w->before == NULL || w->on == NULL) return no_memory(err);
  mark_above(plan, edge->from, w->above);
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->to == edge->to && (first >> e->port & 1)) mark_above(plan, e->from, w->before);
  }
  return 0;
}

static bool share_node(const tm_plan *plan, const uint8_t *a, const uint8_t *b) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (a[i] && b[i]) return true;
  }
  return false;
}

/* Whether a wait comes back to itself, through all that its dependences depend on. */
static void find_cycles(wait *all, uint32_t count) {
  for (uint32_t via = 0; via < count; via++) {
    for (uint32_t a = 0; a < count; a++) {
      for (uint32_t b = 0; b < count && all[a].on[via]; b++) all[a].on[b] |= all[via].on[b];
    }
  }
  for (uint32_t a = 0; a < count; a++) all[a].edge->buffering = all[a].on[a];
}

/* Two edges of one step, of which at most one is held back at a time. */
static bool take_turns(const tm_plan *plan, const tm_edge *a, const tm_edge *b) {
  const uint32_t *waits = plan->nodes[a->to]->waits;
  return a != b && a->to == b->to && (waits[a->port] >> b->port & 1) != 0 &&
         (waits[b->port] >> a->port & 1) != 0;
}

static bool is_wait(const tm_plan *plan, const tm_edge *e) {
  return e->kind == TM_EDGE_MAIN && plan->nodes[e->to]->waits[e->port] != 0;
}

static int mark_waits(tm_plan *plan, tm_error *err) {
  uint32_t count = 0, n = 0;
  for (uint32_t i = 0; i < plan->edge_count; i++) count += is_wait(plan, &plan->edges[i]);
  wait *all = tm_arena_zero(plan->arena, (count + 1) * sizeof *all);
  if (all == NULL) return no_memory(err);
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    if (!is_wait(plan, &plan->edges[i])) continue;
    if (wait_init(plan, &plan->edges[i], count, &all[n++], err) < 0) return -1;
  }
  for (uint32_t a = 0; a < count; a++) {
    for (uint32_t b = 0; b < count; b++) {
      all[a].on[b] = !take_turns(plan, all[a].edge, all[b].edge) &&
                     share_node(plan, all[a].before, all[b].above);
    }
  }
  find_cycles(all, count);
  return 0;
}

/* Below a step that more than one reads. */
static bool is_below_branch(const tm_plan *plan, uint32_t node, uint8_t *marks, uint32_t *readers) {
  memset(marks, 0, plan->node_count);
  mark_above(plan, node, marks);
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (i != node && marks[i] && readers[i] > 1) return true;
  }
  return false;
}

int tm_diamond_mark(tm_plan *plan, tm_error *err) {
  uint8_t *marks = tm_arena_zero(plan->arena, plan->node_count + 1);
  uint32_t *readers = tm_arena_zero(plan->arena, (plan->node_count + 1) * sizeof *readers);
  if (marks == NULL || readers == NULL) return no_memory(err);
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    readers[plan->edges[i].from] += (plan->edges[i].kind == TM_EDGE_MAIN);
  }
  for (uint32_t i = 0; i < plan->node_count; i++) {
    bool exchange = strcmp(plan->nodes[i]->stage->name, "exchange") == 0;
    if (exchange) plan->nodes[i]->buffers = is_below_branch(plan, i, marks, readers);
  }
  return mark_waits(plan, err);
}
