/* operator/exchange.c: brings the rows of all lanes together in lane 0.
 *
 * The planner puts it before whatever must see all rows in one place. Each lane has a bounded
 * queue in the shared object; lane 0 takes from them. In order: always the batch with the least
 * sequence, which is known only while every lane that has not ended has a batch waiting (a k-way
 * merge; sequences ascend within a lane). In no order: whatever is there. A full queue answers
 * BLOCKED, so a slow consumer holds every lane back. When lane 0 has been told to stop (a limit),
 * the others find the exchange closed and finish too. */
#include <assert.h>

#include "base/env.h"
#include "stage/stage.h"
#include "state/batch_record.h"

enum { QUEUE_BATCHES = 32 };

typedef struct queue {
  tm_batch *batches[QUEUE_BATCHES];
  uint32_t first, count;
  bool ended;
} queue;

typedef struct shared {
  tm_budget *budget;
  tm_mutex mutex;
  uint32_t lanes;
  bool in_order, closed;
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

static tm_batch *take(shared *s, bool *done, bool *was_full) {
  queue *q = next_queue(s, done);
  if (q == NULL) return NULL;
  tm_batch *batch = q->batches[q->first];
  *was_full = q->count == QUEUE_BATCHES;
  q->first = (q->first + 1) % QUEUE_BATCHES;
  q->count--;
  return batch;
}

static tm_flow consume(exchange *x, tm_out *out) {
  shared *s = x->shared;
  bool done, was_full = false, more = false, own_full;
  tm_env_get()->mutex_lock(&s->mutex);
  tm_batch *batch = take(s, &done, &was_full);
  if (batch != NULL) {
    bool ignored;
    more = next_queue(s, &ignored) != NULL;
    done = ignored;
  }
  queue *own = &s->queues[0];
  own_full = own->count == QUEUE_BATCHES;
  bool own_ended = own->ended;
  tm_env_get()->mutex_unlock(&s->mutex);
  if (was_full) x->env.wake(x->env.waker);
  if (batch != NULL) tm_out_emit(out, batch);
  if (done) return TM_FLOW_FINISHED;
  if (more) return TM_FLOW_MORE;
  return own_full || own_ended ? TM_FLOW_BLOCKED : TM_FLOW_INPUT;
}

static tm_flow produce(exchange *x) {
  shared *s = x->shared;
  tm_env_get()->mutex_lock(&s->mutex);
  queue *own = &s->queues[x->env.lane];
  bool full = own->count == QUEUE_BATCHES, closed = s->closed;
  tm_env_get()->mutex_unlock(&s->mutex);
  if (closed) return TM_FLOW_FINISHED;
  return full ? TM_FLOW_BLOCKED : TM_FLOW_INPUT;
}

static tm_flow exchange_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                             tm_error *err) {
  exchange *x = self;
  shared *s = x->shared;
  (void)port;
  (void)err;
  tm_env_get()->mutex_lock(&s->mutex);
  queue *own = &s->queues[x->env.lane];
  bool drop = s->closed, was_empty = own->count == 0;
  if (!drop) {
    assert(own->count < QUEUE_BATCHES);
    own->batches[(own->first + own->count) % QUEUE_BATCHES] = taken;
    own->count++;
  }
  tm_env_get()->mutex_unlock(&s->mutex);
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
    tm_batch_record_save(own->batches[(own->first + i) % QUEUE_BATCHES], &w);
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
  uint64_t count = tm_record_get(&r, QUEUE_BATCHES);
  for (uint64_t i = 0; i < count; i++) {
    tm_batch *batch = tm_batch_record_restore(&r, x->env.budget, x->env.bind->output,
                                              x->env.bind->arena, err);
    if (batch == NULL) return -1;
    own->batches[own->count++] = batch;
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
    for (; q->count > 0; q->count--, q->first = (q->first + 1) % QUEUE_BATCHES) {
      rows += q->batches[q->first]->selected;
      tm_batch_release(q->batches[q->first]);
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
