/* operator/over.c: columns that look at other rows of a partition, in the order of event time.
 *
 * Rows come by event time (the planner's time_order), or, where there is none, as their source has
 * them; all in lane 0. What is computed of a row depends on those before it alone, so it leaves at
 * once; lead makes rows wait for those that follow, and the watermark waits with them. In a batch
 * another order may be named: over_sorted.c. */
#include <string.h>

#include "operator/over_run.h"

typedef struct over {
  tm_stage_env env;
  const tm_over_plan *plan;
  tm_over_run run;
  int64_t watermark_us;  /* how far time has come on the input */
  int64_t told_us;       /* and on the output */
  bool ended;
} over;

static bool over_serves(const tm_bind *bind) {
  return bind->job->stream || !tm_over_plan_has_order(bind);
}

static int over_bind(tm_bind *bind, tm_error *err) {
  bind->time_order = 1;
  bind->single = bind->ordered = true;
  return tm_over_plan_bind(bind, false, err);
}

static int over_open(const tm_stage_env *env, void **out, tm_error *err) {
  over *o = tm_alloc_zero(env->budget, sizeof *o);
  if (o == NULL) return tm_fail(err, TM_E_MEMORY, "over: out of memory");
  o->env = *env;
  o->plan = env->bind->plan;
  o->watermark_us = o->told_us = TM_TIME_NONE;
  if (tm_over_run_init(&o->run, &o->env, err) < 0) {
    tm_over_run_deinit(&o->run);
    tm_free(env->budget, o, sizeof *o);
    return -1;
  }
  *out = o;
  return 0;
}

static void over_close(void *self) {
  over *o = self;
  tm_over_run_deinit(&o->run);
  tm_free(o->env.budget, o, sizeof *o);
}

/* `by` names a column, which must be the event time. */
static int check_order(const over *o, const tm_batch *batch, tm_error *err) {
  if (o->plan->time_column < 0) return 0;
  const tm_column *column = &batch->columns[o->plan->time_column];
  bool date = column->type.kind == TM_DATE;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    int64_t us = tm_column_is_null(column, row) ? TM_TIME_NONE
                 : date ? ((const int32_t *)column->data)[row] * INT64_C(86400000000)
                        : ((const int64_t *)column->data)[row];
    if (us == batch->times[row]) continue;
    tm_fail(err, TM_E_JOB, "in a stream over goes by event time, and '%.60s' is another",
            batch->schema->fields[o->plan->time_column].name);
    tm_error_token(err, "by", "");
    return tm_error_help(err, "leave out 'by', or run it as a batch");
  }
  return 0;
}

/* The next batch; after the last one, how far time has come. */
static tm_flow proceed(over *o, tm_out *out) {
  if (tm_over_run_emit(&o->run, out)) return TM_FLOW_MORE;
  if (o->ended) return TM_FLOW_FINISHED;
  int64_t waits_us = tm_over_run_waits_from(&o->run);
  int64_t watermark_us = waits_us < o->watermark_us ? waits_us : o->watermark_us;
  if (watermark_us > o->told_us) out->watermark_us = o->told_us = watermark_us;
  return TM_FLOW_INPUT;
}

static tm_flow over_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  over *o = self;
  (void)port;
  if (check_order(o, taken, err) < 0) {
    tm_batch_release(taken);
    return TM_FLOW_FAILED;
  }
  if (tm_over_run_push(&o->run, taken, NULL, NULL, out, err) < 0) return TM_FLOW_FAILED;
  return proceed(o, out);
}

static tm_flow over_resume(void *self, tm_out *out, tm_error *err) {
  (void)err;
  return proceed(self, out);
}

static tm_flow over_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                            tm_error *err) {
  over *o = self;
  (void)port;
  (void)err;
  o->watermark_us = watermark_us;
  tm_over_run_forget(&o->run, watermark_us);
  return proceed(o, out);
}

static tm_flow over_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  over *o = self;
  (void)port;
  o->ended = true;
  if (tm_over_run_finish(&o->run, err) < 0) return TM_FLOW_FAILED;
  return proceed(o, out);
}

static int over_save(void *self, tm_bytes *out, tm_error *err) {
  over *o = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)o->watermark_us);
  tm_record_put(&w, (uint64_t)o->told_us);
  tm_record_put(&w, o->ended);
  if (tm_over_run_save(&o->run, &w, err) < 0) return -1;
  return tm_record_end(&w, err);
}

static int over_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  over *o = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  o->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  o->told_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  o->ended = tm_record_get(&r, 1);
  if (tm_over_run_restore(&o->run, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_over = {
  .size = sizeof(tm_stage),
  .name = "over",
  .summary = "columns that look at other rows: ranks, neighbours, running aggregates",
  .inputs = 1,
  .options = tm_over_options,
  .serves = over_serves,
  .bind = over_bind,
  .need = tm_over_plan_need,
  .open = over_open,
  .restore = over_restore,
  .push = over_push,
  .resume = over_resume,
  .advance = over_advance,
  .save = over_save,
  .finish = over_finish,
  .close = over_close,
};
