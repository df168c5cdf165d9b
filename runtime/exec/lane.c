/* exec/lane.c: see lane.h. The invariant: a batch is owned by exactly one queue or one call.
 *
 * Watermarks travel in the queues, between batches: an entry without a batch says how far time has
 * come. It is taken like a batch, only when the stage wants input, so it never overtakes the rows
 * before it. A stage without advance() passes on the least over its ports. */
#include "exec/lane.h"

#include <assert.h>
#include <string.h>

#include "exec/balance.h"
#include "exec/refuse.h"
#include "exec/run_state.h"

enum { QUEUE_MAX = 2 };

typedef struct entry {
  tm_batch *batch;      /* NULL: time has come to watermark_us */
  int64_t watermark_us;
} entry;

typedef struct port {
  entry *entries; /* ring */
  uint32_t first, count, capacity;
  uint32_t batches;     /* of the entries */
  int64_t watermark_us; /* as far as the stage knows */
  uint32_t producers; /* edges whose stage has not ended */
  bool told;          /* finish() was called */
  bool closed;        /* the stage takes no more: what comes is dropped and counted */
} port;

typedef struct target { uint32_t node, port; bool buffering; } target;

typedef struct node {
  const tm_bind *bind;
  void *self;
  tm_ledger ledger;
  tm_flow flow;
  bool open, woken;
  bool fed;                 /* since it was woken */
  bool output;              /* a sink, but not of refused rows */
  port *ports;
  target *targets;          /* of the main output */
  uint32_t target_count;
  target refused, late;     /* where refused and late rows go */
  bool has_refused, has_late;
  int64_t watermark_us;     /* what its consumers were told */
  tm_step_progress seen; /* what other threads may read: each field is atomic */
} node;

struct tm_lane {
  tm_run *run;
  uint32_t index, count;
  void *worker;
  node *nodes;
  tm_arena arena;  /* of the lane's own structure */
  tm_arena scratch; /* of rejects, emptied after every call */
};

static uint32_t port_total(const tm_bind *bind) {
  return bind->input_count > 0 ? bind->input_count : 1;
}

/* ---------------------------------------------------------------- creation */

static void connect(tm_lane *lane, const tm_edge *edge) {
  node *from = &lane->nodes[edge->from];
  target to = {edge->to, edge->port, edge->buffering};
  if (edge->kind == TM_EDGE_REFUSED) {
    from->refused = to;
    from->has_refused = true;
  } else if (edge->kind == TM_EDGE_LATE) {
    from->late = to;
    from->has_late = true;
  } else {
    from->targets[from->target_count++] = to;
  }
  lane->nodes[edge->to].ports[edge->port].producers++;
}

static int open_node(tm_lane *lane, uint32_t index, void *const *shared, tm_error *err) {
  node *n = &lane->nodes[index];
  const tm_stage *stage = n->bind->stage;
  tm_stage_env env = {
    .bind = n->bind, .budget = lane->run->budget, .lane = lane->index,
    .lanes = lane->run->lanes, .worker = lane->worker, .shared = shared[index],
    .ledger = &n->ledger, .draining = &lane->run->closing, .wake = tm_run_wake,
    .wake_at = tm_run_wake_at, .waker = lane->run,
  };
  n->flow = n->bind->input_count == 0 && !stage->sink ? TM_FLOW_MORE : TM_FLOW_INPUT;
  if (stage->open == NULL) return 0;
  if (stage->open(&env, &n->self, err) < 0) return -1;
  n->open = true;
  return 0;
}

tm_lane *tm_lane_create(tm_run *run, uint32_t index, void *worker, void *const *shared,
                        tm_error *err) {
  const tm_plan *plan = run->plan;
  tm_lane *lane = tm_alloc_zero(run->budget, sizeof *lane);
  if (lane == NULL) {
    tm_fail(err, TM_E_MEMORY, "lane: out of memory");
    return NULL;
  }
  *lane = (tm_lane){.run = run, .index = index, .count = plan->node_count, .worker = worker};
  tm_arena_init(&lane->arena, run->budget);
  tm_arena_init(&lane->scratch, run->budget);
  lane->nodes = tm_arena_zero(&lane->arena, (plan->node_count + 1) * sizeof *lane->nodes);
  for (uint32_t i = 0; lane->nodes != NULL && i < plan->node_count; i++) {
    node *n = &lane->nodes[i];
    n->bind = plan->nodes[i];
    n->watermark_us = n->seen.watermark_us = TM_TIME_NONE;
    n->output = n->bind->stage->sink && !tm_balance_takes_refused(plan, n->bind);
    n->ports = tm_arena_zero(&lane->arena, port_total(n->bind) * sizeof *n->ports);
    n->targets = tm_arena_zero(&lane->arena, (plan->edge_count + 1) * sizeof *n->targets);
    for (uint32_t k = 0; n->ports != NULL && k < port_total(n->bind); k++) {
      n->ports[k].watermark_us = TM_TIME_NONE;
    }
    if (n->ports == NULL || n->targets == NULL) lane->nodes = NULL;
  }
  if (lane->nodes == NULL) {
    tm_fail(err, TM_E_MEMORY, "lane: out of memory");
    tm_lane_destroy(lane);
    return NULL;
  }
  for (uint32_t i = 0; i < plan->edge_count; i++) connect(lane, &plan->edges[i]);
  for (uint32_t i = plan->node_count; i > 0; i--) {
    if (open_node(lane, i - 1, shared, err) < 0) {
      tm_lane_destroy(lane);
      return NULL;
    }
  }
  return lane;
}

/* ---------------------------------------------------------------- queues */

static int port_grow(tm_lane *lane, port *p) {
  uint32_t capacity = p->capacity == 0 ? 4 : p->capacity * 2;
  entry *grown = tm_alloc(lane->run->budget, capacity * sizeof *grown);
  if (grown == NULL) return -1;
  for (uint32_t i = 0; i < p->count; i++) grown[i] = p->entries[(p->first + i) % p->capacity];
  tm_free(lane->run->budget, p->entries, p->capacity * sizeof *grown);
  p->entries = grown;
  p->capacity = capacity;
  p->first = 0;
  return 0;
}

static int port_put(tm_lane *lane, port *p, entry taken) {
  if (p->count == p->capacity && port_grow(lane, p) < 0) {
    tm_batch_release(taken.batch);
    return -1;
  }
  p->entries[(p->first + p->count) % p->capacity] = taken;
  p->count++;
  p->batches += taken.batch != NULL;
  return 0;
}

static entry port_take(port *p) {
  assert(p->count > 0);
  entry e = p->entries[p->first];
  p->first = (p->first + 1) % p->capacity;
  p->count--;
  p->batches -= e.batch != NULL;
  return e;
}

/* A watermark right behind another takes its place. */
static int port_put_watermark(tm_lane *lane, port *p, int64_t watermark_us) {
  if (p->closed) return 0;
  entry *last = p->count == 0 ? NULL : &p->entries[(p->first + p->count - 1) % p->capacity];
  if (last != NULL && last->batch == NULL) {
    last->watermark_us = watermark_us;
    return 0;
  }
  return port_put(lane, p, (entry){.watermark_us = watermark_us});
}

static bool has_room(const tm_lane *lane, const node *n) {
  for (uint32_t i = 0; i < n->target_count; i++) {
    const port *p = &lane->nodes[n->targets[i].node].ports[n->targets[i].port];
    if (!p->closed && !n->targets[i].buffering && p->batches >= QUEUE_MAX) return false;
  }
  return true;
}

static int send(tm_lane *lane, target to, tm_batch *taken) {
  node *n = &lane->nodes[to.node];
  port *p = &n->ports[to.port];
  n->ledger.in += taken->selected;
  if (!p->closed) return port_put(lane, p, (entry){.batch = taken});
  n->ledger.filtered += taken->selected;
  tm_batch_release(taken);
  return 0;
}

/* ---------------------------------------------------------------- the end of a stage */

static void end_target(tm_lane *lane, target to) {
  port *p = &lane->nodes[to.node].ports[to.port];
  assert(p->producers > 0);
  p->producers--;
}

static bool all_closed(const tm_lane *lane, const node *n) {
  for (uint32_t i = 0; i < n->target_count; i++) {
    if (!lane->nodes[n->targets[i].node].ports[n->targets[i].port].closed) return false;
  }
  return true;
}

/* The stage emits nothing more: its input is closed, its consumers' ports lose a producer. */
static void end_node(tm_lane *lane, node *n) {
  n->flow = TM_FLOW_FINISHED;
  for (uint32_t i = 0; i < port_total(n->bind); i++) {
    port *p = &n->ports[i];
    p->closed = true;
    while (p->count > 0) {
      tm_batch *batch = port_take(p).batch;
      if (batch == NULL) continue;
      n->ledger.filtered += batch->selected;
      tm_batch_release(batch);
    }
  }
  for (uint32_t i = 0; i < n->target_count; i++) end_target(lane, n->targets[i]);
  if (n->has_refused) end_target(lane, n->refused);
  if (n->has_late) end_target(lane, n->late);
}

/* ---------------------------------------------------------------- one call */

static int deliver_main(tm_lane *lane, node *n, tm_batch *batch) {
  uint32_t rows = batch->selected;
  n->ledger.passed += rows;
  if (n->bind->input_count == 0) n->ledger.in += rows;
  for (uint32_t i = 0; i < n->target_count; i++) {
    bool last = i + 1 == n->target_count;
    if (!last) tm_batch_retain(batch);
    if (send(lane, n->targets[i], batch) == 0) continue;
    if (!last) tm_batch_release(batch);
    return -1;
  }
  if (n->target_count == 0) tm_batch_release(batch);
  return 0;
}

/* Refused or late rows, all of one kind, to their endpoint. */
static int deliver_rejects(tm_lane *lane, const node *n, target to, const tm_out *rejects) {
  tm_batch *batch = tm_refuse_batch(lane->run->budget, lane->run->plan, n->bind, rejects);
  return batch == NULL ? -1 : send(lane, to, batch);
}

static int deliver_late(tm_lane *lane, node *n, const tm_out *late) {
  n->ledger.late += late->reject_count;
  if (n->bind->input_count == 0) n->ledger.in += late->reject_count;
  return late->reject_count == 0 || !n->has_late ? 0 : deliver_rejects(lane, n, n->late, late);
}

static int deliver_refused(tm_lane *lane, node *n, const tm_out *refused) {
  if (refused->reject_count == 0) return 0;
  n->ledger.rejected += refused->reject_count;
  if (n->bind->input_count == 0) n->ledger.in += refused->reject_count;
  if (n->bind->skip_rejects) return 0;
  if (n->has_refused) return deliver_rejects(lane, n, n->refused, refused);
  tm_run_refuse(lane->run, n->bind, refused->rejects, refused->reject_count);
  return 0;
}

static bool is_late(const tm_reject *reject) {
  return reject->reason == TM_REASON_LATE || reject->reason == TM_REASON_LATE_AFTER_IDLE;
}

/* Takes the late rows out of the refused ones; both keep their order. 0 or -1 (memory). */
static int split_late(tm_out *out, tm_out *late) {
  *late = tm_out_make(out->arena);
  late->rejects = tm_arena_alloc(out->arena, (out->reject_count + 1) * sizeof *late->rejects);
  if (late->rejects == NULL) return -1;
  uint32_t count = 0;
  for (uint32_t i = 0; i < out->reject_count; i++) {
    if (is_late(&out->rejects[i])) late->rejects[late->reject_count++] = out->rejects[i];
    else out->rejects[count++] = out->rejects[i];
  }
  out->reject_count = count;
  return 0;
}

static int deliver_watermark(tm_lane *lane, node *n, int64_t watermark_us) {
  if (watermark_us <= n->watermark_us) return 0;
  n->watermark_us = watermark_us;
  for (uint32_t i = 0; i < n->target_count; i++) {
    port *p = &lane->nodes[n->targets[i].node].ports[n->targets[i].port];
    if (port_put_watermark(lane, p, watermark_us) < 0) return -1;
  }
  return 0;
}

static int deliver(tm_lane *lane, node *n, tm_out *out) {
  tm_out late;
  if (out->main != NULL && deliver_main(lane, n, out->main) < 0) return -1;
  if (deliver_watermark(lane, n, out->watermark_us) < 0) return -1;
  if (out->reject_count == 0) return 0;
  if (split_late(out, &late) < 0 || deliver_late(lane, n, &late) < 0) return -1;
  return deliver_refused(lane, n, out);
}

static tm_lane_step settle(tm_lane *lane, node *n, tm_flow flow, tm_out *out, tm_error *err) {
  if (flow == TM_FLOW_FAILED) {
    tm_batch_release(out->main);
    if (err->step[0] == '\0') tm_refuse_place(err, lane->run->plan, n->bind);
    return TM_LANE_FAILED;
  }
  int delivered = deliver(lane, n, out);
  tm_arena_reset(&lane->scratch);
  if (delivered < 0) {
    tm_fail(err, TM_E_MEMORY, "out of memory in step '%s'", n->bind->name);
    return TM_LANE_FAILED;
  }
  n->flow = flow;
  if (flow == TM_FLOW_FINISHED) end_node(lane, n);
  return TM_LANE_WORKED;
}

/* After each call of the stage. */
static void show(node *n, int64_t begin_us) {
  tm_step_progress *s = &n->seen;
  int64_t busy_us = s->busy_us + tm_env_get()->monotonic_us() - begin_us;
  __atomic_store_n(&s->rows_in, n->ledger.in, __ATOMIC_RELAXED);
  __atomic_store_n(&s->rows_out, n->ledger.passed, __ATOMIC_RELAXED);
  __atomic_store_n(&s->late, n->ledger.late, __ATOMIC_RELAXED);
  __atomic_store_n(&s->rejected, n->ledger.rejected, __ATOMIC_RELAXED);
  __atomic_store_n(&s->watermark_us, n->watermark_us, __ATOMIC_RELAXED);
  __atomic_store_n(&s->busy_us, busy_us, __ATOMIC_RELAXED);
}

static bool may_resume(const tm_lane *lane, const node *n) {
  if (n->bind->stage->resume == NULL) return false;
  if (n->flow == TM_FLOW_MORE) return has_room(lane, n);
  if (!n->woken) return false;
  bool waits = n->flow == TM_FLOW_BLOCKED ||
               (n->flow == TM_FLOW_INPUT && n->bind->stage->listens);
  return waits && has_room(lane, n);
}

/* A run that a row has failed lets out what was read. Row-wise steps hear of the end, for an
 * exchange gives out nothing while it waits for a lane; others do not, for what they made would be
 * of a part of the rows; nor is the table of a lookup whole. */
static bool may_tell_end(const tm_lane *lane, const tm_bind *bind, uint32_t port) {
  bool rows = bind->order == TM_ORDER_KEEPS && (bind->waits[0] >> port & 1) == 0;
  return rows || !__atomic_load_n(&lane->run->draining, __ATOMIC_RELAXED);
}

/* A port that is welcome and has a batch, or has just ended; -1 without. */
static int ready_port(const tm_lane *lane, const node *n) {
  const tm_stage *stage = n->bind->stage;
  uint32_t wanted = stage->wants != NULL ? stage->wants(n->self) : UINT32_MAX;
  for (uint32_t i = 0; i < n->bind->input_count; i++) {
    const port *p = &n->ports[i];
    if ((wanted >> i & 1) == 0 || p->closed) continue;
    if (p->count > 0) return (int)i;
    if (p->producers > 0 || p->told) continue;
    if (may_tell_end(lane, n->bind, i)) return (int)i;
  }
  return -1;
}

static int64_t least_watermark(const node *n) {
  int64_t least = TM_TIME_END;
  for (uint32_t i = 0; i < n->bind->input_count; i++) {
    const port *p = &n->ports[i];
    if (!p->told && p->watermark_us < least) least = p->watermark_us;
  }
  return least;
}

/* A batch's form of a step, in a stream that ends, may keep rows for the end: time stands still
 * behind it, for they will be old. */
static bool keeps_rows(const tm_bind *bind) {
  if (bind->order == TM_ORDER_MAKES) return true;
  return bind->final_only && bind->order != TM_ORDER_KEEPS;
}

/* A stage that does not look at time itself: what all of its ports have come to goes on. The end is
 * no watermark. */
static void pass_time(const node *n, tm_flow flow, tm_out *out) {
  if (n->bind->stage->advance != NULL || n->bind->stage->sink || flow != TM_FLOW_INPUT) return;
  if (keeps_rows(n->bind)) return;
  int64_t least = least_watermark(n);
  if (least < TM_TIME_END) out->watermark_us = least;
}

/* Nothing of a failed run comes out. */
static bool is_lost(const tm_lane *lane, const node *n) {
  return n->output && __atomic_load_n(&lane->run->draining, __ATOMIC_ACQUIRE);
}

static tm_flow take_entry(tm_lane *lane, node *n, uint32_t at, tm_out *out, tm_error *err) {
  const tm_stage *stage = n->bind->stage;
  entry e = port_take(&n->ports[at]);
  if (e.batch == NULL) {
    n->ports[at].watermark_us = e.watermark_us;
    if (stage->advance != NULL) return stage->advance(n->self, at, e.watermark_us, out, err);
    pass_time(n, TM_FLOW_INPUT, out);
    return TM_FLOW_INPUT;
  }
  if (is_lost(lane, n)) {
    n->ledger.filtered += e.batch->selected;
    tm_batch_release(e.batch);
    return TM_FLOW_INPUT;
  }
  if (stage->sink) n->ledger.passed += e.batch->selected;
  tm_flow flow = stage->push(n->self, at, e.batch, out, err);
  if (stage->sink && flow == TM_FLOW_FINISHED) {
    __atomic_store_n(&lane->run->unread, 1, __ATOMIC_RELAXED);
  }
  return flow;
}

static tm_lane_step step_input(tm_lane *lane, node *n, int ready, tm_error *err) {
  port *p = &n->ports[ready];
  tm_out out = tm_out_make(&lane->scratch);
  tm_flow flow;
  if (p->count > 0) {
    flow = take_entry(lane, n, (uint32_t)ready, &out, err);
  } else {
    p->told = true;
    flow = n->bind->stage->finish(n->self, (uint32_t)ready, &out, err);
    pass_time(n, flow, &out);
  }
  return settle(lane, n, flow, &out, err);
}

static tm_lane_step step_node(tm_lane *lane, node *n, tm_error *err) {
  if (n->target_count > 0 && all_closed(lane, n)) {
    if (n->bind->stage->cancel != NULL) n->bind->stage->cancel(n->self);
    __atomic_store_n(&lane->run->cancelled[n->bind->node], 1, __ATOMIC_RELAXED);
    end_node(lane, n);
    return TM_LANE_WORKED;
  }
  bool resumes = may_resume(lane, n);
  /* Who was woken while something waits for it sees that first, for it may be silence that the wake
   * is about; but not for ever. */
  if (resumes && n->flow == TM_FLOW_INPUT && !n->fed) {
    int ready = ready_port(lane, n);
    n->fed = true;
    if (ready >= 0) return step_input(lane, n, ready, err);
  }
  if (resumes) {
    tm_out out = tm_out_make(&lane->scratch);
    n->woken = n->fed = false;
    return settle(lane, n, n->bind->stage->resume(n->self, &out, err), &out, err);
  }
  if (n->flow != TM_FLOW_INPUT || !has_room(lane, n)) return TM_LANE_IDLE;
  int ready = ready_port(lane, n);
  return ready < 0 ? TM_LANE_IDLE : step_input(lane, n, ready, err);
}

/* Whoever could go on but for those behind it. */
static bool is_blocked(const tm_lane *lane, const node *n) {
  return n->flow == TM_FLOW_BLOCKED || (n->flow != TM_FLOW_FINISHED && !has_room(lane, n));
}

tm_lane_step tm_lane_run_step(tm_lane *lane, tm_error *err) {
  bool all_finished = true;
  for (uint32_t i = lane->count; i > 0; i--) {
    node *n = &lane->nodes[i - 1];
    if (n->flow == TM_FLOW_FINISHED) continue;
    all_finished = false;
    int64_t begin_us = tm_env_get()->monotonic_us();
    tm_lane_step step = step_node(lane, n, err);
    __atomic_store_n(&n->seen.blocked, is_blocked(lane, n), __ATOMIC_RELAXED);
    if (step == TM_LANE_IDLE) continue;
    show(n, begin_us);
    return step;
  }
  return all_finished ? TM_LANE_DONE : TM_LANE_IDLE;
}

void tm_lane_notice_wake(tm_lane *lane) {
  for (uint32_t i = 0; i < lane->count; i++) lane->nodes[i].woken = true;
}

void tm_lane_destroy(tm_lane *lane) {
  if (lane == NULL) return;
  for (uint32_t i = lane->nodes == NULL ? 0 : lane->count; i > 0; i--) {
    node *n = &lane->nodes[i - 1];
    if (n->open) n->bind->stage->close(n->self);
    for (uint32_t k = 0; k < port_total(n->bind); k++) {
      port *p = &n->ports[k];
      while (p->count > 0) tm_batch_release(port_take(p).batch);
      tm_free(lane->run->budget, p->entries, p->capacity * sizeof *p->entries);
    }
  }
  tm_budget *budget = lane->run->budget;
  tm_arena_deinit(&lane->scratch);
  tm_arena_deinit(&lane->arena);
  tm_free(budget, lane, sizeof *lane);
}

const tm_ledger *tm_lane_ledger(const tm_lane *lane, uint32_t index) {
  return &lane->nodes[index].ledger;
}

void tm_lane_measure(const tm_lane *lane, uint32_t index, tm_step_progress *sum) {
  const tm_step_progress *s = &lane->nodes[index].seen;
  int64_t watermark_us = __atomic_load_n(&s->watermark_us, __ATOMIC_RELAXED);
  sum->rows_in += __atomic_load_n(&s->rows_in, __ATOMIC_RELAXED);
  sum->rows_out += __atomic_load_n(&s->rows_out, __ATOMIC_RELAXED);
  sum->late += __atomic_load_n(&s->late, __ATOMIC_RELAXED);
  sum->rejected += __atomic_load_n(&s->rejected, __ATOMIC_RELAXED);
  sum->busy_us += __atomic_load_n(&s->busy_us, __ATOMIC_RELAXED);
  sum->blocked |= __atomic_load_n(&s->blocked, __ATOMIC_RELAXED);
  if (watermark_us > sum->watermark_us) sum->watermark_us = watermark_us;
}
