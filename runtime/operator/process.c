/* operator/process.c: functions of a script with typed state for each key, and timers.
 *
 * Rows come by event time (the planner's time_order), or as their source has them where there is
 * none; all in lane 0. The functions run a batch at a time: expr/process asks for the next call,
 * which is a row, or a timer whose turn it is. Before a row at time t every event-time timer set
 * for a time before t fires, in order of (time, key, name); so at equal time rows come first. A
 * watermark w stands for a row at w. So the calls and their order depend on the rows alone, not on
 * batches, watermarks or workers. At the end timers fire as far as event time has come in the
 * sources; later ones never do, and are counted.
 *
 * A timer of event time is never set before the time of the call that sets it, so rows that it
 * emits, which have its time, are not behind the watermark. Timers of processing time fire once
 * the wall clock has come to them; what they emit has the event time that the step has come to.
 *
 * A call that raises has done nothing: its row is refused. A timer that raises has no row: the key
 * is refused in its place, and counts as produced. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "operator/process_plan.h"
#include "state/batch_record.h"
#include "state/key_bytes.h"

enum { ROOM_MIN = 64, LOOK_CALLS = 64, KEY_USES = 256 };

static const tm_option process_options[] = {
  {"keys", "list|text", NULL, "columns of group_by", NULL},
  {"state", "table", NULL, "name = \"type\", or { \"type\", ttl = \"1h\" }", NULL},
  {"emits", "text", NULL, "columns and types of the rows that it emits", NULL},
  {"on_row", "function", NULL, "called with a row, the state of its key, and out", NULL},
  {"on_timer", "function", NULL, "called with a timer's name, its key, the state, and out", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef enum turn { TURN_NONE, TURN_ROW, TURN_TIMER } turn;

typedef struct process {
  tm_process_step step;  /* first */
  tm_stage_env env;
  const tm_process_plan *plan;
  tm_keyed_state state;
  const tm_column **key_columns;
  tm_bytes key;          /* scratch */
  tm_batch *in;          /* being worked on, from selected row `at` on; NULL: none */
  uint32_t at;
  int64_t latest_us;     /* the largest time of a row or watermark; TM_TIME_NONE: nothing yet */
  int64_t watermark_us;  /* how far time has come on the input */
  int64_t told_us;       /* and on the output */
  bool ended;
  uint64_t emitted;      /* batches */
  int64_t asked_us;      /* the wall time for which a wake is on its way; TM_TIME_END: none */
  /* The call under way. */
  turn turn;
  int64_t now_us;        /* its time */
  bool event_timer;      /* it is a timer of event time */
  tm_timer_text timer;
  tm_batch *key_batch;   /* its key, as a row; used a while, for others too */
  uint32_t key_uses;
  uint32_t mark_batches, mark_rows; /* of the output, before it */
  /* What is to be emitted: all full but the last, which has `rows` of its `room` rows. */
  tm_batch **batches;
  uint32_t batch_count, batch_capacity;
  uint32_t rows, room;
  /* The call of the lane under way. */
  tm_out *out;
  int64_t wall_us, deadline_us;
  uint32_t calls;
  bool paused;           /* there is more to call for */
} process;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "process: out of memory"); }

static void process_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const tm_process_plan *p = bind->plan;
  (void)needed_out;
  for (uint32_t i = 0; i < p->key->count; i++) in[0][p->key_columns[i]] = 1;
  for (uint32_t i = 0; i < p->process->column_count; i++) in[0][p->process->columns[i]] = 1;
}

/* ------------------------------------------------------------------ what is to be emitted */

static void drop_batches(process *p, uint32_t to) {
  while (p->batch_count > to) tm_batch_release(p->batches[--p->batch_count]);
}

/* Back to where the output was before the call. */
static void take_back_rows(process *p) {
  drop_batches(p, p->mark_batches);
  p->rows = p->mark_rows;
  p->room = p->batch_count > 0 ? p->batches[p->batch_count - 1]->rows : 0;
}

static int add_batch(process *p, tm_batch *taken) {
  if (p->batch_count == p->batch_capacity) {
    uint32_t capacity = p->batch_capacity == 0 ? 4 : p->batch_capacity * 2;
    tm_batch **grown = tm_realloc(p->env.budget, p->batches, p->batch_capacity * sizeof *grown,
                                  capacity * sizeof *grown);
    if (grown == NULL) {
      tm_batch_release(taken);
      return -1;
    }
    p->batches = grown;
    p->batch_capacity = capacity;
  }
  p->batches[p->batch_count++] = taken;
  p->room = taken->rows;
  return 0;
}

/* Small where few rows are emitted a call of the lane, as in a stream. */
static uint32_t next_room(const process *p) {
  uint32_t most = p->env.bind->job->batch_rows, room = p->rows * 2;
  if (!p->env.bind->job->stream) return most;
  room = room < ROOM_MIN ? ROOM_MIN : room;
  return room < most ? room : most;
}

static int open_batch(process *p) {
  tm_batch *batch = tm_batch_create(p->env.budget, p->env.bind->output, next_room(p));
  if (batch == NULL) return -1;
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    if (tm_batch_column(batch, i, !batch->schema->fields[i].type.not_null) == 0) continue;
    tm_batch_release(batch);
    return -1;
  }
  if (p->plan->timed) {
    batch->times = tm_batch_alloc(batch, batch->rows * sizeof *batch->times);
    if (batch->times == NULL) {
      tm_batch_release(batch);
      return -1;
    }
  }
  if (add_batch(p, batch) < 0) return -1;
  p->rows = 0;
  return 0;
}

static tm_batch *open_row(tm_process_step *step, uint32_t *out_row) {
  process *p = (process *)step;
  if ((p->batch_count == 0 || p->rows == p->room) && open_batch(p) < 0) return NULL;
  *out_row = p->rows;
  return p->batches[p->batch_count - 1];
}

static void keep_row(tm_process_step *step) {
  process *p = (process *)step;
  tm_batch *batch = p->batches[p->batch_count - 1];
  if (batch->times != NULL) batch->times[p->rows] = p->now_us;
  p->rows++;
}

/* Gives the first batch to the lane. */
static void emit(process *p) {
  if (p->batch_count == 0) return;
  tm_batch *batch = p->batches[0];
  if (p->batch_count == 1) batch->rows = batch->selected = p->rows;
  memmove(p->batches, p->batches + 1, --p->batch_count * sizeof *p->batches);
  batch->sequence = p->emitted++;
  batch->origin.source = UINT32_MAX;
  p->env.ledger->produced += batch->rows;
  tm_out_emit(p->out, batch);
}

/* ------------------------------------------------------------------ calls */

static void begin(process *p, turn turn, int64_t now_us) {
  p->turn = turn;
  p->now_us = now_us;
  p->event_timer = false;
  p->mark_batches = p->batch_count;
  p->mark_rows = p->rows;
}

static int begin_row(process *p, uint32_t row, int64_t now_us, tm_process_call *call) {
  for (uint32_t i = 0; i < p->plan->key->count; i++) {
    p->key_columns[i] = &p->in->columns[p->plan->key_columns[i]];
  }
  if (!tm_key_bytes_write(p->key_columns, p->plan->key->count, row, &p->key)) return -1;
  if (now_us > p->latest_us) p->latest_us = now_us;
  if (tm_keyed_state_begin(&p->state, p->key.data, p->key.size, now_us) < 0) return -1;
  begin(p, TURN_ROW, now_us);
  *call = (tm_process_call){.batch = p->in, .row = row, .time_us = now_us};
  return 1;
}

/* A batch of one row for keys of timers; strings gather in it, so it is not used for ever. */
static int prepare_key_batch(process *p) {
  if (p->key_batch != NULL && p->key_uses++ < KEY_USES) return 0;
  tm_batch_release(p->key_batch);
  p->key_uses = 0;
  p->key_batch = tm_batch_create(p->env.budget, p->plan->key, 1);
  if (p->key_batch == NULL) return -1;
  p->key_batch->origin.source = UINT32_MAX;
  p->key_batch->times = tm_batch_alloc(p->key_batch, sizeof *p->key_batch->times);
  bool whole = p->key_batch->times != NULL;
  for (uint32_t i = 0; i < p->plan->key->count && whole; i++) {
    whole = tm_batch_column(p->key_batch, i, !p->plan->key->fields[i].type.not_null) == 0;
  }
  if (whole) return 0;
  tm_batch_release(p->key_batch);
  p->key_batch = NULL;
  return -1;
}

static int begin_timer(process *p, tm_timer *timer, tm_process_call *call) {
  const tm_key_entry *key = timer->key;
  bool event = !timer->processing;
  if (prepare_key_batch(p) < 0) return -1;
  if (tm_key_bytes_read(tm_key_entry_bytes(key), key->size, p->plan->key->count, p->key_batch,
                        0) < 0) {
    return -1;
  }
  int64_t now_us = event ? timer->at_us : p->latest_us;
  tm_keyed_state_fire(&p->state, timer, now_us, &p->timer);
  begin(p, TURN_TIMER, now_us);
  p->event_timer = event;
  p->key_batch->times[0] = now_us;
  *call = (tm_process_call){.batch = p->key_batch, .timer = p->timer.bytes,
                            .timer_size = p->timer.size, .time_us = now_us};
  return 1;
}

/* The next timer of event time that is set before before_us; NULL: none. */
static tm_timer *due_timer(const process *p, int64_t before_us) {
  tm_timer *timer = tm_timer_queue_first(&p->state.timers, false);
  return timer == NULL || timer->at_us >= before_us ? NULL : timer;
}

static tm_timer *due_processing(const process *p) {
  tm_timer *timer = tm_timer_queue_first(&p->state.timers, true);
  return p->ended || timer == NULL || timer->at_us > p->wall_us ? NULL : timer;
}

/* Timers before this time fire once all rows are done. */
static int64_t timers_until(const process *p) {
  if (!p->ended) return p->watermark_us;
  return p->latest_us == TM_TIME_END ? TM_TIME_END : p->latest_us + 1;
}

static bool pauses(process *p) {
  bool full = p->batch_count > 1;
  if (!full && ++p->calls % LOOK_CALLS == 0) {
    full = tm_env_get()->monotonic_us() >= p->deadline_us;
  }
  p->paused |= full;
  return full;
}

static int next(tm_process_step *step, tm_process_call *call) {
  process *p = (process *)step;
  tm_timer *timer;
  assert(p->turn == TURN_NONE);
  if (pauses(p)) return 0;
  bool has_row = p->in != NULL && p->at < p->in->selected;
  uint32_t row = has_row ? tm_batch_row(p->in, p->at) : 0;
  int64_t row_us = has_row && p->plan->timed ? p->in->times[row] : TM_TIME_NONE;
  int64_t until_us = has_row ? row_us : timers_until(p);
  if ((timer = due_timer(p, until_us)) != NULL) return begin_timer(p, timer, call);
  if (until_us != TM_TIME_NONE) tm_keyed_state_expire(&p->state, until_us);
  if (has_row) return begin_row(p, row, row_us, call);
  if ((timer = due_processing(p)) != NULL) return begin_timer(p, timer, call);
  return 0;
}

static void commit(tm_process_step *step) {
  process *p = (process *)step;
  tm_keyed_state_commit(&p->state);
  if (p->turn == TURN_ROW) {
    p->env.ledger->absorbed++;
    p->at++;
  }
  p->turn = TURN_NONE;
}

static int refuse(tm_process_step *step, tm_reason reason, int script_line,
                  const char *message) {
  process *p = (process *)step;
  bool is_row = p->turn == TURN_ROW;
  char text[640];
  tm_keyed_state_rollback(&p->state);
  take_back_rows(p);
  p->turn = TURN_NONE;
  if (is_row) {
    uint32_t row = tm_batch_row(p->in, p->at++);
    return tm_out_reject(p->out, p->in, row, reason, script_line, message);
  }
  (void)snprintf(text, sizeof text, "timer '%.*s': %s", (int)p->timer.size, p->timer.bytes,
                 message);
  p->env.ledger->produced++;
  return tm_out_reject(p->out, p->key_batch, 0, reason, script_line, text);
}

static int set_timer(tm_process_step *step, const char *name, size_t size, int64_t at_us,
                     bool processing) {
  process *p = (process *)step;
  if (!processing && !p->plan->timed) return TM_TIMER_UNTIMED;
  if (!processing && p->event_timer && at_us <= p->now_us) return TM_TIMER_EARLY;
  if (!processing && at_us < p->now_us) at_us = p->now_us;
  return tm_keyed_state_timer(&p->state, name, size, at_us, processing);
}

/* ------------------------------------------------------------------ open, close */

static size_t process_bytes(const tm_process_plan *plan) {
  return sizeof(process) + plan->key->count * sizeof(tm_column *);
}

static int process_open(const tm_stage_env *env, void **out, tm_error *err) {
  const tm_process_plan *plan = env->bind->plan;
  process *p = tm_alloc_zero(env->budget, process_bytes(plan));
  if (p == NULL) return no_memory(err);
  p->step = (tm_process_step){
    .state = &p->state, .next = next, .commit = commit, .refuse = refuse, .open_row = open_row,
    .keep_row = keep_row, .set_timer = set_timer,
  };
  p->env = *env;
  p->plan = plan;
  p->key_columns = (const tm_column **)(void *)(p + 1);
  p->latest_us = p->watermark_us = p->told_us = TM_TIME_NONE;
  p->asked_us = TM_TIME_END;
  tm_keyed_state_init(&p->state, env->budget, &plan->state);
  tm_bytes_init(&p->key, env->budget);
  *out = p;
  return 0;
}

static void process_close(void *self) {
  process *p = self;
  drop_batches(p, 0);
  tm_free(p->env.budget, p->batches, p->batch_capacity * sizeof *p->batches);
  tm_batch_release(p->in);
  tm_batch_release(p->key_batch);
  tm_keyed_state_deinit(&p->state);
  tm_bytes_deinit(&p->key);
  tm_free(p->env.budget, p, process_bytes(p->plan));
}

/* ------------------------------------------------------------------ push, advance, finish */

static void ask_for_wake(process *p) {
  const tm_timer *timer = tm_timer_queue_first(&p->state.timers, true);
  if (timer == NULL || timer->at_us == p->asked_us) return;
  const tm_env *env = tm_env_get();
  int64_t wait_us = timer->at_us - env->wall_us();
  p->asked_us = timer->at_us;
  p->env.wake_at(p->env.waker, env->monotonic_us() + (wait_us > 0 ? wait_us : 0));
}

static void drop_timers(process *p) {
  unsigned long long dropped = tm_keyed_state_drop_timers(&p->state);
  if (dropped == 0) return;
  tm_log(TM_LOG_INFO, "step '%s': %llu timers set for after the last row never fired",
         p->env.bind->name, dropped);
}

/* Nothing is left to call for, and all rows are out. */
static tm_flow settle(process *p) {
  if (p->ended) {
    drop_timers(p);
    return TM_FLOW_FINISHED;
  }
  ask_for_wake(p);
  if (p->watermark_us > p->told_us) p->out->watermark_us = p->told_us = p->watermark_us;
  return TM_FLOW_INPUT;
}

static tm_flow proceed(process *p, tm_out *out, tm_error *err) {
  const tm_env *env = tm_env_get();
  p->out = out;
  p->paused = false;
  p->deadline_us = env->monotonic_us() + TM_YIELD_US;
  p->wall_us = tm_timer_queue_first(&p->state.timers, true) != NULL ? env->wall_us() : 0;
  if (p->plan->process->run(p->plan->process, p->env.worker, &p->step, err) < 0) {
    return TM_FLOW_FAILED;
  }
  if (p->in != NULL && p->at == p->in->selected) {
    tm_batch_release(p->in);
    p->in = NULL;
  }
  /* A batch gathers rows of many calls; a stream waits for none. */
  bool flushes = p->env.bind->job->stream || (p->ended && !p->paused);
  if (p->batch_count > 1 || flushes) emit(p);
  if (p->paused || (flushes && p->batch_count > 0)) return TM_FLOW_MORE;
  return settle(p);
}

static tm_flow process_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                            tm_error *err) {
  process *p = self;
  (void)port;
  assert(p->in == NULL);
  p->in = taken;
  p->at = 0;
  return proceed(p, out, err);
}

/* After a wake: a timer of processing time may have come. */
static tm_flow process_resume(void *self, tm_out *out, tm_error *err) {
  process *p = self;
  p->asked_us = TM_TIME_END;
  return proceed(p, out, err);
}

static tm_flow process_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                               tm_error *err) {
  process *p = self;
  (void)port;
  p->watermark_us = watermark_us;
  if (watermark_us > p->latest_us) p->latest_us = watermark_us;
  return proceed(p, out, err);
}

static tm_flow process_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  process *p = self;
  (void)port;
  int64_t reach_us = tm_time_reach_latest(p->env.bind->facts_in[0].reach);
  if (reach_us > p->latest_us) p->latest_us = reach_us;
  p->ended = true;
  return proceed(p, out, err);
}

/* ------------------------------------------------------------------ save, restore */

/* The rows that are still to be worked on. */
static int save_input(const process *p, tm_record_writer *w, tm_error *err) {
  tm_record_put(w, p->in != NULL);
  if (p->in == NULL) return 0;
  tm_batch rest = *p->in;
  rest.selected -= p->at;
  uint32_t *rows = tm_alloc(p->env.budget, (rest.selected + 1) * sizeof *rows);
  if (rows == NULL) return no_memory(err);
  for (uint32_t i = 0; i < rest.selected; i++) rows[i] = tm_batch_row(p->in, p->at + i);
  rest.selection = rows;
  tm_batch_record_save(&rest, w);
  tm_free(p->env.budget, rows, (rest.selected + 1) * sizeof *rows);
  return 0;
}

static void save_output(const process *p, tm_record_writer *w) {
  tm_record_put(w, p->batch_count);
  for (uint32_t i = 0; i < p->batch_count; i++) {
    tm_batch batch = *p->batches[i];
    if (i + 1 == p->batch_count) batch.rows = batch.selected = p->rows;
    tm_batch_record_save(&batch, w);
  }
}

static int process_save(void *self, tm_bytes *out, tm_error *err) {
  process *p = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)p->latest_us);
  tm_record_put(&w, (uint64_t)p->watermark_us);
  tm_record_put(&w, (uint64_t)p->told_us);
  tm_record_put(&w, p->ended);
  tm_record_put(&w, p->emitted);
  if (save_input(p, &w, err) < 0) return -1;
  save_output(p, &w);
  tm_keyed_state_save(&p->state, &w);
  return tm_record_end(&w, err);
}

static int restore_output(process *p, tm_record_reader *r, tm_error *err) {
  uint32_t count = (uint32_t)tm_record_get(r, UINT32_MAX);
  for (uint32_t i = 0; i < count; i++) {
    tm_batch *batch = tm_batch_record_restore(r, p->env.budget, p->env.bind->output,
                                              p->env.bind->arena, err);
    if (batch == NULL) return -1;
    bool sound = (batch->times != NULL) == p->plan->timed;
    if (add_batch(p, batch) < 0) return no_memory(err);
    if (!sound) return tm_record_refuse(err);
    p->rows = batch->rows;
  }
  return 0;
}

static int process_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  process *p = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  p->latest_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  p->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  p->told_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  p->ended = tm_record_get(&r, 1);
  p->emitted = tm_record_get(&r, UINT64_MAX);
  if (tm_record_get(&r, 1)) {
    p->in = tm_batch_record_restore(&r, p->env.budget, p->env.bind->inputs[0], p->env.bind->arena,
                                    err);
    if (p->in == NULL) return -1;
    if ((p->in->times != NULL) != p->plan->timed) return tm_record_refuse(err);
  }
  if (restore_output(p, &r, err) < 0) return -1;
  if (tm_keyed_state_restore(&p->state, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_process = {
  .size = sizeof(tm_stage),
  .name = "process",
  .summary = "functions with a state for each key, and timers",
  .inputs = 1,
  .listens = true,
  .options = process_options,
  .bind = tm_process_plan_bind,
  .need = process_need,
  .open = process_open,
  .restore = process_restore,
  .push = process_push,
  .resume = process_resume,
  .advance = process_advance,
  .save = process_save,
  .finish = process_finish,
  .close = process_close,
};
