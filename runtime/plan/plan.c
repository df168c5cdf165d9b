/* plan/plan.c: from bound nodes to what runs. Steps:
 *
 * 1. bind every node of the graph (bind.c);
 * 2. find for every refused row its endpoint, and who depends on the order of rows;
 * 3. assemble: copy nodes in order, put a clock behind a source with event time, an exchange or an
 *    ordering before those that need all rows in lane 0, connect the endpoints of refused and late
 *    rows behind an ordering of their own;
 * 4. mark the edges of diamonds as buffering (diamond.c), find the columns that are needed, push
 *    filters (optimise.c).
 *
 * In a stream nothing may wait for an end: rows are brought together without being sorted, a clock
 * has all rows of its source in lane 0, in order, and what follows it stays there. */
#include "plan/plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "plan/bind.h"
#include "plan/diamond.h"
#include "plan/optimise.h"
#include "plan/refused.h"

/* How the rows of a node lie over the lanes. */
typedef enum spread {
  SPREAD_NONE,  /* in all lanes, in no order */
  SPREAD_LANES, /* in all lanes, in order of their sequence */
  SPREAD_ONE,   /* in lane 0, in order */
} spread;

typedef struct planner {
  const tm_graph *graph;
  tm_budget *budget;
  tm_plan *plan;
  tm_error *err;
  tm_bind **bound;      /* by graph index */
  uint32_t *place;      /* graph index → plan index */
  spread *spreads;      /* by plan index */
  bool *order_wanted;   /* by graph index: somebody below depends on the order of its rows */
  bool *ordinals_wanted;
  int *endpoint;        /* by graph index: graph index of the endpoint for refused rows, or -1 */
  int *late_endpoint;   /* the same for late rows */
  uint32_t current;     /* graph index of the node that is being assembled */
  int (*endpoints_of)[2]; /* by plan index: of refused and late rows */
  uint32_t capacity;
} planner;

static int no_memory(planner *p) { return tm_fail(p->err, TM_E_MEMORY, "plan: out of memory"); }

/* ---------------------------------------------------------------- refused rows */

static int own_endpoint(const tm_node *node) {
  static const char *const names[] = {"rejects", "bad", "miss"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const tm_value *v = tm_value_get(node->options, names[i]);
    if (v != NULL && v->kind == TM_VALUE_NODE) return (int)v->integer;
  }
  return -1;
}

/* A window's `late`, else the source's time.late. */
static int own_late_endpoint(const tm_node *node) {
  const tm_value *v = tm_value_get(node->options, "late");
  if (v == NULL) v = tm_value_get(tm_value_get(node->options, "time"), "late");
  return v != NULL && v->kind == TM_VALUE_NODE ? (int)v->integer : -1;
}

static int nearest_late_endpoint(const planner *p, uint32_t index) {
  const tm_node *node = &p->graph->nodes[index];
  int own = own_late_endpoint(node);
  for (uint32_t i = 0; own < 0 && i < node->input_count; i++) {
    own = p->late_endpoint[node->inputs[i]];
  }
  return own;
}

/* The nearest endpoint at or above a node: its own, else that of its first input, then the rest. */
static int nearest_endpoint(const planner *p, uint32_t index) {
  const tm_node *node = &p->graph->nodes[index];
  int own = own_endpoint(node);
  for (uint32_t i = 0; own < 0 && i < node->input_count; i++) own = p->endpoint[node->inputs[i]];
  return own;
}

static bool skips(const planner *p, uint32_t index) {
  const tm_node *node = &p->graph->nodes[index];
  const char *on_error = tm_value_text(node->options, "on_error", NULL);
  if (on_error != NULL) return strcmp(on_error, "skip") == 0;
  for (uint32_t i = 0; i < node->input_count; i++) {
    if (p->bound[node->inputs[i]]->skip_rejects) return true;
  }
  return false;
}

/* ---------------------------------------------------------------- order */

/* Rows of input 0 keep their order beside a table that is read first: a lookup. */
static bool reads_a_table(const tm_bind *bind) {
  return bind->order == TM_ORDER_KEEPS && bind->waits[0] != 0;
}

/* First and last are by event time where rows have one, else by the order of the input. */
static bool picks_by_order(const tm_bind *bind) {
  return bind->wants_ordinals && bind->facts_in[0].time.kind == TM_NULLTYPE;
}

/* All rows in one lane, but in no order: a window, whose aggregates do not depend on it. */
static bool takes_any_order(const tm_bind *bind) {
  return bind->single && !bind->ordered && bind->order == TM_ORDER_NONE && !picks_by_order(bind);
}

static void want_upwards(planner *p) {
  for (uint32_t i = p->graph->count; i > 0; i--) {
    const tm_bind *bind = p->bound[i - 1];
    const tm_node *node = &p->graph->nodes[i - 1];
    bool keeps = bind->order == TM_ORDER_KEEPS;
    bool order = (bind->single && !takes_any_order(bind)) || bind->ordered ||
                 picks_by_order(bind) || (keeps && p->order_wanted[i - 1]);
    bool ordinals = bind->wants_ordinals || bind->rejects || (keeps && p->ordinals_wanted[i - 1]);
    uint32_t count = reads_a_table(bind) ? 1 : node->input_count;
    for (uint32_t k = 0; k < count; k++) {
      bool by_time = bind->time_order >> k & 1; /* that is an order of its own */
      p->order_wanted[node->inputs[k]] |= order && !by_time;
      p->ordinals_wanted[node->inputs[k]] |= ordinals;
    }
  }
}

/* ---------------------------------------------------------------- assembling */

static bool is_named(const planner *p, const char *name) {
  for (uint32_t i = 0; i < p->graph->count; i++) {
    if (strcmp(p->bound[i]->name, name) == 0) return true;
  }
  for (uint32_t i = 0; i < p->plan->node_count; i++) {
    if (strcmp(p->plan->nodes[i]->name, name) == 0) return true;
  }
  return false;
}

/* Every step has a name of its own, the planner's too. */
static int name_inserted(planner *p, tm_bind *bind) {
  for (int n = 2; bind->name != NULL && is_named(p, bind->name); n++) {
    bind->name = tm_arena_format(p->graph->arena, "%s %d", bind->verb, n);
  }
  return bind->name == NULL ? no_memory(p) : 0;
}

static int add_node(planner *p, tm_bind *bind, spread how) {
  tm_plan *plan = p->plan;
  assert(plan->node_count < p->capacity);
  if (bind->inserted && name_inserted(p, bind) < 0) return -1;
  bind->node = plan->node_count;
  p->spreads[plan->node_count] = how;
  p->endpoints_of[plan->node_count][0] = p->endpoint[p->current];
  p->endpoints_of[plan->node_count][1] = p->late_endpoint[p->current];
  plan->nodes[plan->node_count] = bind;
  return (int)plan->node_count++;
}

static void add_edge(planner *p, uint32_t from, uint32_t to, uint32_t port, tm_edge_kind kind) {
  tm_plan *plan = p->plan;
  assert(plan->edge_count < 3 * p->capacity);
  plan->edges[plan->edge_count++] =
      (tm_edge){.from = from, .to = to, .port = port, .kind = kind};
}

/* A node of the planner's own over one input; its plan index or -1. */
static int insert(planner *p, const char *verb, const tm_value *options, uint32_t input,
                  bool ordered, spread how) {
  tm_bind *bind = tm_bind_inserted(p->graph, p->budget, verb, options, p->plan->nodes[input],
                                   p->err);
  if (bind == NULL) return -1;
  bind->ordered_input = ordered;
  int at = add_node(p, bind, how);
  if (at < 0) return -1;
  add_edge(p, input, (uint32_t)at, 0, TM_EDGE_MAIN);
  return at;
}

static const tm_pair canonical_pair = {"canonical", {.kind = TM_VALUE_BOOL, .boolean = true}};
static const tm_value canonical_options = {
  .kind = TM_VALUE_TABLE, .pairs = &canonical_pair, .pair_count = 1,
};

/* All rows of an input in lane 0, in order: what a batch's unordered result comes sorted for. */
static int gather(planner *p, uint32_t input) {
  spread how = p->spreads[input];
  bool alone = p->graph->job.workers == 1;
  if (how == SPREAD_ONE || (how == SPREAD_LANES && alone)) return (int)input;
  if (how == SPREAD_LANES) return insert(p, "exchange", NULL, input, true, SPREAD_ONE);
  int at = alone ? (int)input : insert(p, "exchange", NULL, input, false, SPREAD_NONE);
  if (at < 0 || p->graph->job.stream) return at;
  return insert(p, "sort", &canonical_options, (uint32_t)at, false, SPREAD_ONE);
}

/* A step that orders the same rows already, and whose late rows go to the same end; -1: none. */
static int find_time_order(const planner *p, uint32_t input) {
  for (uint32_t i = 0; i < p->plan->edge_count; i++) {
    const tm_edge *e = &p->plan->edges[i];
    if (e->from != input || e->kind != TM_EDGE_MAIN) continue;
    const tm_bind *bind = p->plan->nodes[e->to];
    if (!bind->inserted) continue;
    if (strcmp(bind->verb, "exchange") == 0) {
      int behind = find_time_order(p, e->to);
      if (behind >= 0) return behind;
    }
    bool same = p->endpoints_of[e->to][1] == p->late_endpoint[p->current];
    if (same && strcmp(bind->verb, "time_order") == 0) return (int)e->to;
  }
  return -1;
}

/* All rows of an input in lane 0, in whatever order. */
static int collect(planner *p, uint32_t input) {
  if (p->spreads[input] != SPREAD_NONE) return gather(p, input);
  if (p->graph->job.workers == 1) return (int)input;
  return insert(p, "exchange", NULL, input, false, SPREAD_NONE);
}

/* All rows of an input in lane 0, by event time. */
static int order_by_time(planner *p, uint32_t input) {
  const tm_rows_facts *facts = &p->plan->nodes[input]->facts_out;
  /* Such rows lie in lane 0, in order: sorting them as a batch's result would undo it. */
  if (facts->in_time_order && p->spreads[input] == SPREAD_NONE) return (int)input;
  if (facts->time.kind == TM_NULLTYPE || facts->in_time_order) return gather(p, input);
  int shared = find_time_order(p, input);
  if (shared >= 0) return shared;
  int at = (int)input;
  if (p->spreads[input] != SPREAD_ONE && p->graph->job.workers > 1) {
    at = insert(p, "exchange", NULL, input, false, SPREAD_NONE);
  }
  return at < 0 ? -1 : insert(p, "time_order", NULL, (uint32_t)at, false, SPREAD_ONE);
}

/* The step that gives a source's rows their event time; the plan index of the source without. */
static int add_clock(planner *p, uint32_t index, uint32_t source) {
  const tm_node *node = &p->graph->nodes[index];
  const tm_bind *bind = p->plan->nodes[source];
  if (bind->facts_out.time.kind == TM_NULLTYPE || node->input_count > 0) return (int)source;
  bool stream = p->graph->job.stream;
  int from = stream ? gather(p, source) : (int)source;
  if (from >= 0 && stream && p->graph->job.shuffle_seed != 0 && bind->facts_out.bounded) {
    from = insert(p, "shuffle", node->options, (uint32_t)from, true, SPREAD_ONE);
  }
  if (from < 0) return -1;
  int at = insert(p, "clock", node->options, (uint32_t)from, true, p->spreads[from]);
  if (at < 0) return -1;
  p->plan->nodes[at]->skip_rejects = bind->skip_rejects;
  return at;
}

/* Row-wise over several inputs: a union. */
static bool is_union(const tm_bind *bind) {
  return bind->input_count > 1 && bind->order == TM_ORDER_KEEPS && !reads_a_table(bind);
}

static spread spread_of(const planner *p, const tm_bind *bind, const uint32_t *inputs) {
  if (bind->input_count == 0) return SPREAD_LANES;
  bool stream = p->graph->job.stream;
  if (bind->order == TM_ORDER_MAKES) return SPREAD_ONE;
  if (bind->order == TM_ORDER_NONE) return bind->single && stream ? SPREAD_ONE : SPREAD_NONE;
  if (bind->single) return SPREAD_ONE;
  spread how = p->spreads[inputs[0]];
  for (uint32_t i = 1; is_union(bind) && i < bind->input_count; i++) {
    if (p->spreads[inputs[i]] != how) how = SPREAD_NONE;
  }
  if (is_union(bind) && !(stream && how == SPREAD_ONE)) how = SPREAD_NONE;
  return how;
}

/* Rows of several inputs, one input after another, can only be had in one lane. */
static bool joins_in_order(const planner *p, uint32_t index) {
  const tm_bind *bind = p->bound[index];
  if (p->graph->job.stream) return false; /* there rows come as they come */
  return is_union(bind) && p->order_wanted[index];
}

/* An aggregate that picks the first row of an unordered result takes that of its batch order. */
static bool picks_in_order(const planner *p, const tm_bind *bind, uint32_t input) {
  return picks_by_order(bind) && p->spreads[input] == SPREAD_NONE;
}

/* A sink takes rows, not changes: the net rows at the end, where there is one. */
static int settle_changes(planner *p, const tm_bind *sink, uint32_t input) {
  const tm_rows_facts *facts = &p->plan->nodes[input]->facts_out;
  if (!sink->stage->sink || !facts->changelog) return (int)input;
  if (facts->bounded) return insert(p, "consolidate", NULL, input, false, SPREAD_ONE);
  tm_fail(p->err, TM_E_JOB, "%s would get rows that are taken back later, and the input has no end",
          sink->name);
  snprintf(p->err->script, sizeof p->err->script, "%s", p->graph->job.script);
  p->err->script_line = sink->script_line;
  return tm_error_help(p->err, "group in a window, whose rows are final, or write the changes"
                       " themselves: :to(tm.changelog(tm.%s \"…\"))", sink->verb);
}

static int assemble_node(planner *p, uint32_t index) {
  const tm_node *node = &p->graph->nodes[index];
  tm_bind *bind = p->bound[index];
  uint32_t inputs[TM_PORTS_MAX] = {0};
  for (uint32_t i = 0; i < node->input_count; i++) inputs[i] = p->place[node->inputs[i]];
  bool one_by_one = joins_in_order(p, index);
  for (uint32_t i = 0; i < node->input_count; i++) {
    bool by_time = bind->time_order >> i & 1;
    bool all = bind->single || one_by_one || picks_in_order(p, bind, inputs[i]);
    if (!by_time && !all) continue;
    bool any = takes_any_order(bind) && !one_by_one;
    int at = by_time ? order_by_time(p, inputs[i])
             : any   ? collect(p, inputs[i])
                     : gather(p, inputs[i]);
    if (at < 0 || (at = settle_changes(p, bind, (uint32_t)at)) < 0) return -1;
    inputs[i] = (uint32_t)at;
  }
  spread how = node->input_count == 0 && bind->stage->sink ? SPREAD_ONE
                                                           : spread_of(p, bind, inputs);
  if (one_by_one) how = SPREAD_ONE;
  for (uint32_t i = 1; one_by_one && i < bind->input_count; i++) {
    bind->waits[i] = ((uint32_t)1 << i) - 1;
  }
  bool many = is_union(bind);
  bind->ordered_input = node->input_count > 0 && p->spreads[inputs[0]] != SPREAD_NONE &&
                        (!many || one_by_one);
  bind->emits_ordinals = p->ordinals_wanted[index] || bind->facts_out.time.kind != TM_NULLTYPE;
  int at = add_node(p, bind, how);
  if (at < 0) return -1;
  int last = add_clock(p, index, (uint32_t)at);
  if (last < 0) return -1;
  p->place[index] = (uint32_t)last;
  for (uint32_t i = 0; i < node->input_count; i++) {
    add_edge(p, inputs[i], (uint32_t)at, i, TM_EDGE_MAIN);
  }
  return 0;
}

/* ---------------------------------------------------------------- endpoints of refused rows */

static tm_value text_value(const char *text) {
  return (tm_value){.kind = TM_VALUE_TEXT, .text = text, .size = strlen(text)};
}

/* sort { by = {_source, _file, line, _step} } */
static const tm_value *refused_order(planner *p) {
  tm_value *items = tm_arena_zero(p->graph->arena, 4 * sizeof *items);
  tm_pair *pair = tm_arena_zero(p->graph->arena, sizeof *pair);
  tm_value *options = tm_arena_zero(p->graph->arena, sizeof *options);
  if (items == NULL || pair == NULL || options == NULL) return NULL;
  items[0] = text_value("_source");
  items[1] = text_value("_file");
  items[2] = text_value("line");
  items[3] = text_value("_step");
  *pair = (tm_pair){"by", {.kind = TM_VALUE_TABLE, .items = items, .item_count = 4}};
  *options = (tm_value){.kind = TM_VALUE_TABLE, .pairs = pair, .pair_count = 1};
  return options;
}

/* drop { columns = the hidden ones } */
static const tm_value *refused_drop(planner *p) {
  uint32_t count = TM_REFUSED_COUNT - TM_REFUSED_VISIBLE;
  tm_value *items = tm_arena_zero(p->graph->arena, count * sizeof *items);
  tm_pair *pair = tm_arena_zero(p->graph->arena, sizeof *pair);
  tm_value *options = tm_arena_zero(p->graph->arena, sizeof *options);
  if (items == NULL || pair == NULL || options == NULL) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    items[i] = text_value(tm_refused_schema.fields[TM_REFUSED_VISIBLE + i].name);
  }
  *pair = (tm_pair){"columns", {.kind = TM_VALUE_TABLE, .items = items, .item_count = count}};
  *options = (tm_value){.kind = TM_VALUE_TABLE, .pairs = pair, .pair_count = 1};
  return options;
}

/* The edges of a node's refused and late rows to the head of a sink. */
static void connect_rejects(planner *p, tm_bind *bind, const int endpoints[2], uint32_t sink,
                            uint32_t head) {
  if (endpoints[0] == (int)sink && bind->rejects && !bind->skip_rejects) {
    add_edge(p, bind->node, head, 0, TM_EDGE_REFUSED);
    bind->rejects_to = p->bound[sink];
  }
  if (endpoints[1] == (int)sink && p->graph->job.stream && bind->stage->advance != NULL) {
    add_edge(p, bind->node, head, 0, TM_EDGE_LATE);
    bind->late_to = p->bound[sink];
  }
}

/* Of every step, the planner's own too: a clock stands for its source, what stands before a step
 * for that step. */
static void connect_all(planner *p, uint32_t sink, uint32_t head) {
  for (uint32_t i = 0; i < head; i++) {
    tm_bind *bind = p->plan->nodes[i];
    int endpoints[2] = {p->endpoints_of[i][0], p->endpoints_of[i][1]};
    connect_rejects(p, bind, endpoints, sink, head);
  }
}

/* exchange → sort (in a batch) → drop → the endpoint's sink, fed by the rows of many steps. */
static int connect_endpoint(planner *p, uint32_t sink) {
  tm_bind head = {.output = &tm_refused_schema, .script_line = p->bound[sink]->script_line};
  tm_bind *first = tm_bind_inserted(p->graph, p->budget, "exchange", NULL, &head, p->err);
  const tm_value *order = refused_order(p), *hidden = refused_drop(p);
  if (first == NULL) return -1;
  if (order == NULL || hidden == NULL) return no_memory(p);
  int from = add_node(p, first, SPREAD_NONE);
  if (from < 0) return -1;
  connect_all(p, sink, (uint32_t)from);
  bool sorts = !p->graph->job.stream;
  int sorted = !sorts ? from : insert(p, "sort", order, (uint32_t)from, false, SPREAD_ONE);
  int shown = sorted < 0 ? -1 : insert(p, "drop", hidden, (uint32_t)sorted, sorts, SPREAD_ONE);
  if (shown < 0) return -1;
  tm_bind *bind = p->bound[sink];
  bind->ordered_input = true;
  int at = add_node(p, bind, SPREAD_ONE);
  if (at < 0) return -1;
  p->place[sink] = (uint32_t)at;
  add_edge(p, (uint32_t)shown, (uint32_t)at, 0, TM_EDGE_MAIN);
  return 0;
}

/* ---------------------------------------------------------------- the whole */

static int resolve(planner *p) {
  for (uint32_t i = 0; i < p->graph->count; i++) {
    p->endpoint[i] = nearest_endpoint(p, i);
    p->late_endpoint[i] = nearest_late_endpoint(p, i);
    p->bound[i]->skip_rejects = skips(p, i);
  }
  want_upwards(p);
  return 0;
}

static int assemble(planner *p) {
  for (uint32_t i = 0; i < p->graph->count; i++) {
    const tm_node *node = &p->graph->nodes[i];
    p->current = i;
    if (node->role == TM_ROLE_SINK && node->input_count == 0) continue;
    if (assemble_node(p, i) < 0) return -1;
  }
  for (uint32_t i = 0; i < p->graph->count; i++) {
    const tm_node *node = &p->graph->nodes[i];
    p->current = i;
    if (node->role != TM_ROLE_SINK || node->input_count > 0) continue;
    if (connect_endpoint(p, i) < 0) return -1;
  }
  return 0;
}

static int planner_init(planner *p) {
  tm_arena *arena = p->graph->arena;
  uint32_t count = p->graph->count + 1;
  uint32_t edges = 0;
  for (uint32_t i = 0; i < p->graph->count; i++) edges += p->graph->nodes[i].input_count;
  p->capacity = count * 8 + edges * 4;
  p->bound = tm_arena_zero(arena, count * sizeof *p->bound);
  p->place = tm_arena_zero(arena, count * sizeof *p->place);
  p->order_wanted = tm_arena_zero(arena, count * sizeof *p->order_wanted);
  p->ordinals_wanted = tm_arena_zero(arena, count * sizeof *p->ordinals_wanted);
  p->endpoint = tm_arena_zero(arena, count * sizeof *p->endpoint);
  p->late_endpoint = tm_arena_zero(arena, count * sizeof *p->late_endpoint);
  p->endpoints_of = tm_arena_zero(arena, p->capacity * sizeof *p->endpoints_of);
  p->spreads = tm_arena_zero(arena, p->capacity * sizeof *p->spreads);
  p->plan = tm_arena_zero(arena, sizeof *p->plan);
  if (p->bound == NULL || p->place == NULL || p->order_wanted == NULL ||
      p->ordinals_wanted == NULL || p->endpoint == NULL || p->late_endpoint == NULL ||
      p->endpoints_of == NULL || p->spreads == NULL || p->plan == NULL) {
    return no_memory(p);
  }
  p->plan->arena = arena;
  p->plan->graph = p->graph;
  p->plan->nodes = tm_arena_zero(arena, p->capacity * sizeof *p->plan->nodes);
  p->plan->edges = tm_arena_zero(arena, 3 * p->capacity * sizeof *p->plan->edges);
  return p->plan->nodes == NULL || p->plan->edges == NULL ? no_memory(p) : 0;
}

tm_plan *tm_plan_create(const tm_graph *graph, tm_budget *budget, tm_error *err) {
  planner p = {.graph = graph, .budget = budget, .err = err};
  if (planner_init(&p) < 0) return NULL;
  if (tm_bind_graph(graph, budget, p.bound, err) < 0) return NULL;
  if (resolve(&p) < 0 || assemble(&p) < 0) return NULL;
  if (tm_diamond_mark(p.plan, err) < 0) return NULL;
  return tm_optimise(p.plan, err) < 0 ? NULL : p.plan;
}
