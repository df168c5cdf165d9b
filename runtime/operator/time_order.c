/* operator/time_order.c: rows leave in the order of event time, once the watermark has passed them.
 *
 * The planner puts it before steps whose result depends on order. Rows of one time come in the
 * order of their needed columns, nulls first, so that the order is the same in every run, in a
 * batch and in a stream (state/time_buffer.h). A row that is behind its own mark is late: it could
 * not be put in order any more. So is one that its mark would let in, but that comes after the
 * watermark all the same, for its partition was idle. In a batch everything leaves at the end, and
 * nothing is late. */
#include <assert.h>
#include <stdio.h>

#include "kernel/print.h"
#include "stage/stage.h"
#include "state/time_buffer.h"

typedef struct time_order {
  tm_stage_env env;
  tm_time_buffer buffer;
  int64_t watermark_us; /* how far time has come */
  int64_t given_us;     /* how far this stage said that it has */
  bool ended;
  uint64_t emitted;     /* batches */
  uint32_t *rows;       /* scratch: numbers of rows that are not late */
  uint32_t rows_capacity;
} time_order;

static int no_memory(const time_order *t, tm_error *err) {
  uint64_t rows = t == NULL ? 0 : tm_time_buffer_rows(&t->buffer);
  tm_fail(err, TM_E_MEMORY, "%llu rows that wait to be put in order of time need more than the "
          "memory budget", (unsigned long long)rows);
  return tm_error_help(err, "give more with --memory, or a shorter out_of_order");
}

/* ------------------------------------------------------------------ bind, open, close */

static int time_order_bind(tm_bind *bind, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  assert(bind->facts_in[0].time.kind != TM_NULLTYPE && "inserted where there is event time");
  int32_t *passes = tm_arena_alloc(bind->arena, (input->count + 1) * sizeof *passes);
  if (passes == NULL) return no_memory(NULL, err);
  for (uint32_t i = 0; i < input->count; i++) passes[i] = (int32_t)i;
  bind->passes[0] = passes;
  bind->output = input;
  bind->order = TM_ORDER_MAKES;
  bind->single = true;
  bind->facts_out.in_time_order = true;
  bind->rows_estimate = bind->input_rows[0];
  return 0;
}

static void time_order_close(void *self) {
  time_order *t = self;
  tm_time_buffer_deinit(&t->buffer);
  tm_free(t->env.budget, t->rows, t->rows_capacity * sizeof *t->rows);
  tm_free(t->env.budget, t, sizeof *t);
}

static int time_order_open(const tm_stage_env *env, void **out, tm_error *err) {
  const tm_bind *bind = env->bind;
  time_order *t = tm_alloc_zero(env->budget, sizeof *t);
  if (t == NULL) return no_memory(NULL, err);
  t->env = *env;
  t->watermark_us = t->given_us = TM_TIME_NONE;
  if (tm_time_buffer_init(&t->buffer, env->budget, bind->output, bind->needed,
                          bind->facts_in[0].changelog, !bind->job->stream) < 0) {
    time_order_close(t);
    return no_memory(NULL, err);
  }
  *out = t;
  return 0;
}

/* ------------------------------------------------------------------ rows in */

static int refuse(const time_order *t, const tm_batch *batch, uint32_t row, tm_out *out,
                  tm_error *err) {
  bool behind = batch->marks != NULL && batch->times[row] < batch->marks[row];
  int64_t watermark_us = behind ? batch->marks[row] : t->watermark_us;
  char message[256], time[TM_PRINT_MAX + 1], watermark[TM_PRINT_MAX + 1];
  time[tm_print_timestamp(time, batch->times[row], 0, true)] = '\0';
  watermark[tm_print_timestamp(watermark, watermark_us, 0, true)] = '\0';
  snprintf(message, sizeof message, "its time %.60s is behind the watermark %.60s%s", time,
           watermark, behind ? "" : ", which went on while its partition was idle");
  tm_reason reason = behind ? TM_REASON_LATE : TM_REASON_LATE_AFTER_IDLE;
  return tm_out_late(out, batch, row, reason, t->env.bind->script_line, message, watermark_us) < 0
             ? no_memory(t, err) : 0;
}

/* The rows that are in time, to t->rows; their number, or -1 with err. */
static int64_t choose_rows(time_order *t, const tm_batch *batch, tm_out *out, tm_error *err) {
  const int64_t *times = batch->times, *marks = batch->marks;
  uint32_t count = 0;
  if (batch->selected > t->rows_capacity) {
    tm_free(t->env.budget, t->rows, t->rows_capacity * sizeof *t->rows);
    t->rows_capacity = 0;
    t->rows = tm_alloc(t->env.budget, batch->selected * sizeof *t->rows);
    if (t->rows == NULL) return no_memory(t, err);
    t->rows_capacity = batch->selected;
  }
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    bool late = times[row] < t->watermark_us || (marks != NULL && times[row] < marks[row]);
    t->rows[count] = row;
    count += !late;
    if (late && refuse(t, batch, row, out, err) < 0) return -1;
  }
  return count;
}

static tm_flow time_order_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                               tm_error *err) {
  time_order *t = self;
  (void)port;
  int64_t count = taken->selected > 0 ? choose_rows(t, taken, out, err) : 0;
  int done = count < 0 ? -1 : 0;
  if (count > 0 && tm_time_buffer_add(&t->buffer, taken, t->rows, (uint32_t)count) < 0) {
    done = no_memory(t, err);
  }
  tm_batch_release(taken);
  return done < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

/* ------------------------------------------------------------------ rows out */

/* The next batch of those that time has passed; after the last one, the watermark. */
static tm_flow drain(time_order *t, tm_out *out, tm_error *err) {
  int64_t last_us = t->ended ? TM_TIME_END : t->watermark_us - 1;
  tm_batch *batch = NULL;
  if (tm_time_buffer_take(&t->buffer, last_us, t->env.bind->job->batch_rows, &batch) < 0) {
    return no_memory(t, err);
  }
  if (batch != NULL) {
    batch->sequence = t->emitted++;
    tm_out_emit(out, batch);
  }
  if (tm_time_buffer_rows(&t->buffer) > 0 && t->buffer.least_us <= last_us) return TM_FLOW_MORE;
  if (t->ended) return TM_FLOW_FINISHED;
  if (t->watermark_us > t->given_us) out->watermark_us = t->given_us = t->watermark_us;
  return TM_FLOW_INPUT;
}

static tm_flow time_order_resume(void *self, tm_out *out, tm_error *err) {
  return drain(self, out, err);
}

static tm_flow time_order_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                                  tm_error *err) {
  time_order *t = self;
  (void)port;
  if (watermark_us > t->watermark_us) t->watermark_us = watermark_us;
  return drain(t, out, err);
}

static tm_flow time_order_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  time_order *t = self;
  (void)port;
  t->ended = true;
  return drain(t, out, err);
}

/* ------------------------------------------------------------------ save, restore */

static int time_order_save(void *self, tm_bytes *out, tm_error *err) {
  time_order *t = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)t->watermark_us);
  tm_record_put(&w, (uint64_t)t->given_us);
  tm_record_put(&w, t->ended);
  tm_record_put(&w, t->emitted);
  tm_time_buffer_save(&t->buffer, &w);
  return tm_record_end(&w, err);
}

static int time_order_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  time_order *t = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  t->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  t->given_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  t->ended = tm_record_get(&r, 1);
  t->emitted = tm_record_get(&r, UINT64_MAX);
  if (tm_time_buffer_restore(&t->buffer, &r, t->env.bind->arena, err) < 0) return -1;
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_time_order = {
  .size = sizeof(tm_stage),
  .name = "time_order",
  .summary = "rows in the order of event time",
  .inputs = 1,
  .bind = time_order_bind,
  .open = time_order_open,
  .restore = time_order_restore,
  .push = time_order_push,
  .resume = time_order_resume,
  .advance = time_order_advance,
  .save = time_order_save,
  .finish = time_order_finish,
  .close = time_order_close,
};
