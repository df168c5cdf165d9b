/* operator/exchange.c: brings the rows of all lanes together in lane 0.
 *
 * The planner puts it before whatever must see all rows in one place. Each lane has a bounded
 * queue in the shared object; lane 0 takes from them. In order: always the batch with the least
 * sequence, which is known only while every lane that has not ended has a batch waiting (a k-way
 * merge; sequences ascend within a lane). In no order: whatever is there. A full queue answers
 * BLOCKED, so a slow consumer holds every lane back. Where the plan says so (bind->buffers) a queue
 * grows instead, as long as lane 0 waits for another lane: that one may itself be held back by a
 * full queue elsewhere. When lane 0 has been told to stop (a limit), the others find the exchange
 * closed and finish too. */
#include "base/env.h"
#include "stage/stage.h"
#include "state/batch_record.h"

enum { QUEUE_BATCHES = 32, QUEUE_BATCHES_MAX = 1 << 30 };

typedef struct queue {
  tm_batch **batches; /* ring */
  uint32_t first, count, capacity;
  bool ended;
} queue;

typedef struct shared {
  tm_budget *budget;
  tm_mutex mutex;
  uint32_t lanes;
  bool in_order, buffers, closed;
  bool told; /* that lane 0 is starved: whoever had found his queue full was woken */
  queue queues[];
} shared;

typedef struct exchange {
  tm_stage_env env;
  shared *shared;
} exchange;

static int exchange_bind(tm_bind *bind, tm_error *err) {
  (void)err;
  bind->output = bind->inputs[0];
  bind->order = TM_ORDER_KEEPS;
  bind->rows_estimate = bind->input_rows[0];
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->output->count + 1) * sizeof *passes);
  if (passes == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (uint32_t i = 0; i < bind->output->count; i++) passes[i] = (int32_t)i;
  bind->passes[0] = passes;
  return 0;
}

static size_t shared_bytes(uint32_t lanes) { return sizeof(shared) + lanes * sizeof(queue); }

static int exchange_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                          tm_error *err) {
  shared *s = tm_alloc_zero(budget, shared_bytes(lanes));
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "exchange: out of memory");
  s->budget = budget;
  s->lanes = lanes;
  s->in_order = bind->ordered_input;
  s->buffers = bind->buffers;
  tm_env_get()->mutex_init(&s->mutex);
  *out = s;
  return 0;
}

static int exchange_open(const tm_stage_env *env, void **out, tm_error *err) {
  exchange *x = tm_alloc_zero(env->budget, sizeof *x);
  if (x == NULL) return tm_fail(err, TM_E_MEMORY, "exchange: out of memory");
  x->env = *env;
  x->shared = env->shared;
  *out = x;
  return 0;
}

/* The queue to take from next, NULL when one has to wait. *done: nothing will ever come. */
static queue *next_queue(shared *s, bool *done) {
  queue *best = NULL;
  bool wait = false;
  *done = true;
  for (uint32_t i = 0; i < s->lanes; i++) {
    queue *q = &s->queues[i];
    if (q->count == 0) {
      if (!q->ended) {
        *done = false;
        wait = true;
      }
      continue;
    }
    *done = false;
    if (best == NULL || q->batches[q->first]->sequence < best->batches[best->first]->sequence) {
      best = q;
    }
  }
  return wait && s->in_order ? NULL : best;
}

/* false: out of memory. */
static bool put(shared *s, queue *q, tm_batch *batch) {
  if (q->count == q->capacity) {
    uint32_t capacity = q->capacity == 0 ? QUEUE_BATCHES : q->capacity * 2;
    tm_batch **grown = tm_alloc(s->budget, capacity * sizeof *grown);
    if (grown == NULL) return false;
    for (uint32_t i = 0; i < q->count; i++) grown[i] = q->batches[(q->first + i) % q->capacity];
    tm_free(s->budget, q->batches, q->capacity * sizeof *grown);
    q->batches = grown;
    q->capacity = capacity;
    q->first = 0;
  }
  q->batches[(q->first + q->count++) % q->capacity] = batch;
  return true;
}

static tm_batch *take(queue *q) {
  tm_batch *batch = q->batches[q->first];
  q->first = (q->first + 1) % q->capacity;
  q->count--;
  return batch;
}

/* Lane 0 waits for a lane that has nothing yet. */
static bool is_starved(const shared *s) {
  for (uint32_t i = 0; i < s->lanes && s->in_order; i++) {
    if (s->queues[i].count == 0 && !s->queues[i].ended) return true;
  }
  return false;
}

static bool is_full(const shared *s, const queue *q) {
  return q->count >= QUEUE_BATCHES && !(s->buffers && is_starved(s));
}

static uint32_t count_full(const shared *s) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < s->lanes; i++) count += s->queues[i].count >= QUEUE_BATCHES;
  return count;
}

static tm_flow consume(exchange *x, tm_out *out) {
  shared *s = x->shared;
  bool done, wakes;
  tm_env_get()->mutex_lock(&s->mutex);
  uint32_t full = count_full(s);
  queue *q = next_queue(s, &done), *own = &s->queues[0];
  tm_batch *batch = q != NULL ? take(q) : NULL;
  bool more = batch != NULL && next_queue(s, &done) != NULL;
  /* Whoever waits for room has it now. */
  bool starved = s->buffers && is_starved(s);
  wakes = full > 0 && (count_full(s) < full || (starved && !s->told));
  s->told = starved;
  tm_flow flow = done                               ? TM_FLOW_FINISHED
                 : more                             ? TM_FLOW_MORE
                 : is_full(s, own) || own->ended    ? TM_FLOW_BLOCKED
                                                    : TM_FLOW_INPUT;
  tm_env_get()->mutex_unlock(&s->mutex);
  if (wakes) x->env.wake(x->env.waker);
  if (batch != NULL) tm_out_emit(out, batch);
  return flow;
}

static tm_flow produce(exchange *x) {
  shared *s = x->shared;
  tm_env_get()->mutex_lock(&s->mutex);
  bool full = is_full(s, &s->queues[x->env.lane]), closed = s->closed;
  tm_env_get()->mutex_unlock(&s->mutex);
  if (closed) return TM_FLOW_FINISHED;
  return full ? TM_FLOW_BLOCKED : TM_FLOW_INPUT;
}

static tm_flow exchange_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                             tm_error *err) {
  exchange *x = self;
  shared *s = x->shared;
  (void)port;
  tm_env_get()->mutex_lock(&s->mutex);
  queue *own = &s->queues[x->env.lane];
  bool drop = s->closed, was_empty = own->count == 0;
  bool kept = drop || put(s, own, taken);
  s->told = s->told && is_starved(s);
  tm_env_get()->mutex_unlock(&s->mutex);
  if (!kept) {
    tm_batch_release(taken);
    return tm_fail(err, TM_E_MEMORY, "exchange: out of memory");
  }
  if (drop) {
    x->env.ledger->filtered += taken->selected;
    tm_batch_release(taken);
    return TM_FLOW_FINISHED;
  }
  if (x->env.lane == 0) return consume(x, out);
  if (was_empty) x->env.wake(x->env.waker);
  return produce(x);
}

static tm_flow exchange_resume(void *self, tm_out *out, tm_error *err) {
  exchange *x = self;
  (void)err;
  return x->env.lane == 0 ? consume(x, out) : produce(x);
}

static tm_flow exchange_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  exchange *x = self;
  (void)port;
  (void)err;
  tm_env_get()->mutex_lock(&x->shared->mutex);
  x->shared->queues[x->env.lane].ended = true;
  x->shared->told = x->shared->told && is_starved(x->shared);
  tm_env_get()->mutex_unlock(&x->shared->mutex);
  if (x->env.lane == 0) return consume(x, out);
  x->env.wake(x->env.waker);
  return TM_FLOW_FINISHED;
}

/* The queue of this lane; lane 0 has nothing besides. */
static int exchange_save(void *self, tm_bytes *out, tm_error *err) {
  exchange *x = self;
  queue *own = &x->shared->queues[x->env.lane];
  tm_record_writer w = {.out = out};
  tm_env_get()->mutex_lock(&x->shared->mutex);
  tm_record_put(&w, x->shared->closed);
  tm_record_put(&w, own->ended);
  tm_record_put(&w, own->count);
  for (uint32_t i = 0; i < own->count; i++) {
    tm_batch_record_save(own->batches[(own->first + i) % own->capacity], &w);
  }
  tm_env_get()->mutex_unlock(&x->shared->mutex);
  return tm_record_end(&w, err);
}

static int exchange_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  exchange *x = self;
  queue *own = &x->shared->queues[x->env.lane];
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  if (tm_record_get(&r, 1)) x->shared->closed = true;
  own->ended = tm_record_get(&r, 1);
  uint64_t count = tm_record_get(&r, QUEUE_BATCHES_MAX);
  for (uint64_t i = 0; i < count; i++) {
    tm_batch *batch = tm_batch_record_restore(&r, x->env.budget, x->env.bind->output,
                                              x->env.bind->arena, err);
    if (batch == NULL) return -1;
    if (put(x->shared, own, batch)) continue;
    tm_batch_release(batch);
    return tm_fail(err, TM_E_MEMORY, "exchange: out of memory");
  }
  return tm_record_close(&r, err);
}

static void exchange_close(void *self) {
  exchange *x = self;
  tm_free(x->env.budget, x, sizeof *x);
}

/* Releases what waits in the queues; the number of rows. */
static uint64_t drop_all(shared *s) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < s->lanes; i++) {
    queue *q = &s->queues[i];
    while (q->count > 0) {
      tm_batch *batch = take(q);
      rows += batch->selected;
      tm_batch_release(batch);
    }
  }
  return rows;
}

static void exchange_cancel(void *self) {
  exchange *x = self;
  shared *s = x->shared;
  if (x->env.lane != 0) return;
  tm_env_get()->mutex_lock(&s->mutex);
  s->closed = true;
  x->env.ledger->filtered += drop_all(s);
  tm_env_get()->mutex_unlock(&s->mutex);
  x->env.wake(x->env.waker);
}

static void exchange_unshare(void *object) {
  shared *s = object;
  drop_all(s);
  for (uint32_t i = 0; i < s->lanes; i++) {
    tm_free(s->budget, s->queues[i].batches, s->queues[i].capacity * sizeof(tm_batch *));
  }
  tm_env_get()->mutex_deinit(&s->mutex);
  tm_free(s->budget, s, shared_bytes(s->lanes));
}

const tm_stage tm_stage_exchange = {
  .size = sizeof(tm_stage),
  .name = "exchange",
  .summary = "bring the rows of all workers together",
  .inputs = 1,
  .listens = true,
  .bind = exchange_bind,
  .share = exchange_share,
  .open = exchange_open,
  .restore = exchange_restore,
  .save = exchange_save,
  .push = exchange_push,
  .resume = exchange_resume,
  .finish = exchange_finish,
  .cancel = exchange_cancel,
  .close = exchange_close,
  .unshare = exchange_unshare,
};
