/* operator/window_agg.c: aggregates in fixed windows, told as time passes.
 *
 * Rows lie in slices (state/window_slices.h); a window is put together when the watermark reaches
 * its end, its rows leave, and its state goes. A row is late if all its windows are closed by its
 * own mark, the watermark that its partition had just before it; one that could still count, had
 * time not gone on without its partition, is late after idle.
 *
 * With `lateness` a window stays for so long, and what late rows change leaves as an update; where
 * only net rows are wanted the window waits instead. emit = "early 10s" tells windows whenever the
 * watermark passes a multiple of ten seconds.
 *
 * A tumbling window in a batch is agg.c's: there nothing has to be given out before the end. In a
 * batch, hopping and cumulate windows all fire at the end of input.
 *
 * Groups over the window columns of an upstream step have no window of their own: all rows of one
 * such window carry the same event time, so each time is a slice, final once it has passed. */
#include <string.h>

#include "base/env.h"
#include "operator/window_rows.h"
#include "state/batch_record.h"

static const tm_option window_agg_options[] = {
  {"keys", "list", NULL, "columns to group by, of group_by", NULL},
  {"aggs", "list", NULL, "aggregates: agg { tm.sum \"qty\", orders = tm.count() }", NULL},
  TM_WINDOW_OPTIONS,
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct window_agg {
  tm_stage_env env;
  const tm_agg_plan *plan;
  tm_window_rows rows;
  tm_window_slices *slices;
  int64_t watermark_us;
  bool ended;
  bool hurries;            /* restored: catches up before it yields */
  /* the window that is being given out */
  tm_window_told told;
  uint32_t given;
  tm_batch *half;          /* of a change: groups as they were, until those that are have come */
  /* rows of one that was being given out when the state was saved */
  tm_batch **waiting;
  uint32_t waiting_at, waiting_count;
} window_agg;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "window: out of memory"); }

/* ---------------------------------------------------------------- bind */

static bool window_agg_serves(const tm_bind *bind) {
  int kind = tm_window_plan_kind(bind->options);
  if (kind < 0) {
    const tm_value *window = tm_value_get(bind->options, "window");
    bool windowed = window != NULL && window->kind != TM_VALUE_NIL;
    return !windowed && bind->job->stream && tm_agg_is_of_windows(bind);
  }
  return bind->job->stream || kind != TM_WINDOW_TUMBLING || tm_window_plan_fills(bind->options);
}

static int window_agg_bind(tm_bind *bind, tm_error *err) {
  if (bind->facts_in[0].changelog) {
    tm_fail(err, TM_E_JOB, "a window takes rows that are final, and these may be taken back");
    return tm_error_help(err, "put the window before what changes its results: a group without a "
                         "window, a top, a join without one");
  }
  if (tm_agg_bind_in_time(bind, false, err) < 0) return -1;
  const tm_agg_plan *plan = bind->plan;
  if (tm_window_plan_check_mode(bind, &plan->window, err) < 0) return -1;
  bind->single = true;
  bind->facts_out.changelog = plan->shape.lateness_us > 0 || plan->shape.early_us > 0;
  if (!plan->window.processing) return 0;
  bind->detail = tm_arena_format(bind->arena, "%s, by processing time: not replayable",
                                 bind->detail);
  return bind->detail == NULL ? no_memory(err) : 0;
}

static void window_agg_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  tm_agg_need(bind, needed_out, in);
  if (bind->late_to != NULL) memset(in[0], 1, bind->inputs[0]->count); /* late rows are shown */
}

/* ---------------------------------------------------------------- open, close */

static void window_agg_close(void *self) {
  window_agg *w = self;
  for (uint32_t i = w->waiting_at; i < w->waiting_count; i++) tm_batch_release(w->waiting[i]);
  tm_free(w->env.budget, w->waiting, w->waiting_count * sizeof *w->waiting);
  tm_batch_release(w->half);
  tm_window_slices_destroy(w->slices);
  tm_window_rows_deinit(&w->rows);
  tm_free(w->env.budget, w, sizeof *w);
}

static int window_agg_open(const tm_stage_env *env, void **out, tm_error *err) {
  const tm_agg_plan *plan = env->bind->plan;
  const uint8_t *needed = env->bind->needed;
  window_agg *w = tm_alloc_zero(env->budget, sizeof *w);
  if (w == NULL) return no_memory(err);
  *w = (window_agg){.env = *env, .plan = plan, .watermark_us = TM_TIME_NONE};
  if (tm_window_rows_init(&w->rows, &w->env, err) < 0) {
    tm_free(env->budget, w, sizeof *w);
    return -1;
  }
  if (needed != NULL) needed += tm_group_plan_first(&plan->groups);
  w->slices = tm_window_slices_create(env->budget, &plan->groups, needed, &plan->shape, err);
  if (w->slices == NULL) {
    window_agg_close(w);
    return -1;
  }
  tm_window_rows_open(&w->rows, w->slices);
  *out = w;
  return 0;
}

/* ---------------------------------------------------------------- windows out */

/* Groups with rows alone say something, unless windows are filled. */
static int drop_empty(window_agg *w, tm_group_table *table, uint32_t first, tm_batch *batch) {
  const tm_agg_plan *plan = w->plan;
  if (!plan->groups.counted || plan->shape.fill) return 0;
  const int64_t *rows = tm_group_table_rows(table) + first;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < batch->rows; i++) kept += rows[i] > 0;
  if (kept == batch->rows) return 0;
  batch->selection = tm_batch_alloc(batch, (kept + 1) * sizeof *batch->selection);
  if (batch->selection == NULL) return -1;
  batch->selected = 0;
  for (uint32_t i = 0; i < batch->rows; i++) {
    if (rows[i] > 0) batch->selection[batch->selected++] = i;
  }
  return 0;
}

/* Bounds and times of the window's rows. */
static int dress(window_agg *w, tm_batch *batch, tm_error *err) {
  const tm_agg_plan *plan = w->plan;
  size_t bytes = (batch->rows + 1) * sizeof(int64_t);
  int64_t *starts = tm_batch_alloc(batch, bytes), *ends = tm_batch_alloc(batch, bytes);
  if (starts == NULL || ends == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->rows; i++) {
    starts[i] = w->told.window.start_us;
    ends[i] = w->told.window.end_us;
  }
  batch->origin.source = UINT32_MAX;
  if (plan->time == TM_AGG_OF_WINDOWS) {
    batch->times = starts;
    return 0;
  }
  return tm_window_plan_stamp(&plan->window, w->env.bind, batch,
                              tm_group_plan_shown(&plan->groups), starts, ends, err);
}

/* The rows of both, those of the first with weight -1. Consumes them. NULL with err. */
static tm_batch *join_halves(window_agg *w, tm_batch *old, tm_batch *now, tm_error *err) {
  tm_batch *parts[] = {old, now};
  tm_batch *out = tm_batch_create(w->env.budget, w->env.bind->output,
                                  old->selected + now->selected);
  bool done = out != NULL && tm_batch_pin_batch(out, old) == 0 && tm_batch_pin_batch(out, now) == 0;
  if (done) {
    out->weights = tm_batch_alloc(out, (out->rows + 1) * sizeof *out->weights);
    done = out->weights != NULL;
  }
  for (uint32_t c = 0; done && c < out->schema->count; c++) {
    const tm_column *a = &old->columns[c], *b = &now->columns[c];
    if (a->data == NULL) continue;
    done = tm_batch_column(out, c, a->valid != NULL || b->valid != NULL) == 0;
    size_t width = tm_type_width(a->type);
    uint32_t to = 0;
    for (int half = 0; done && half < 2; half++) {
      const tm_column *from = &parts[half]->columns[c];
      for (uint32_t i = 0; i < parts[half]->selected; i++, to++) {
        uint32_t row = tm_batch_row(parts[half], i);
        memcpy((char *)out->columns[c].data + to * width, (char *)from->data + row * width, width);
        if (from->valid != NULL) out->columns[c].valid[to] = from->valid[row];
      }
    }
  }
  for (uint32_t i = 0; done && i < out->rows; i++) out->weights[i] = i < old->selected ? -1 : 1;
  tm_batch_release(old);
  tm_batch_release(now);
  if (done) return out;
  tm_batch_release(out);
  no_memory(err);
  return NULL;
}

static int read_groups(window_agg *w, tm_group_table *table, uint32_t count, tm_batch **out,
                       tm_error *err) {
  int more = tm_group_table_read_step(table, w->given, count, w->env.bind->output, w->env.budget,
                                      out, err);
  if (more != 0) return more;
  if (drop_empty(w, table, w->given, *out) == 0) return 0;
  tm_batch_release(*out);
  return no_memory(err);
}

/* A piece of the window that is told. 1: it is not made yet; 0: *out is; -1. */
static int read_piece(window_agg *w, tm_batch **out, tm_error *err) {
  uint32_t groups = tm_group_table_count(w->told.table), left = groups - w->given;
  uint32_t max = w->env.bind->job->batch_rows;
  if (w->told.old != NULL && max > 1) max /= 2;
  uint32_t count = left < max ? left : max;
  int more;
  if (w->told.old != NULL && w->half == NULL) {
    more = read_groups(w, w->told.old, count, &w->half, err);
    if (more != 0) return more;
  }
  tm_batch *batch;
  more = read_groups(w, w->told.table, count, &batch, err);
  if (more != 0) return more;
  if (w->half != NULL) {
    batch = join_halves(w, w->half, batch, err);
    w->half = NULL;
    if (batch == NULL) return -1;
  }
  if (dress(w, batch, err) < 0) {
    tm_batch_release(batch);
    return -1;
  }
  w->given += count;
  *out = batch;
  if (w->given < groups) return 0;
  w->given = 0;
  w->told.table = NULL;
  if (tm_window_slices_drop(w->slices, err) == 0) return 0;
  tm_batch_release(batch);
  return -1;
}

/* All windows that can be told have been given out. */
static tm_flow rest(window_agg *w, tm_out *out) {
  w->hurries = false;
  if (w->ended) return TM_FLOW_FINISHED;
  int64_t come_us = tm_window_slices_come_to(w->slices);
  if (come_us != TM_TIME_NONE) out->watermark_us = come_us;
  return TM_FLOW_INPUT;
}

static void emit(window_agg *w, tm_batch *batch, tm_out *out) {
  w->env.ledger->produced += batch->selected;
  tm_out_emit(out, batch);
}

static tm_flow give(window_agg *w, tm_out *out, tm_error *err) {
  int64_t until_us = w->hurries ? INT64_MAX : tm_env_get()->monotonic_us() + TM_YIELD_US;
  if (w->waiting_at < w->waiting_count) {
    emit(w, w->waiting[w->waiting_at++], out);
    return TM_FLOW_MORE;
  }
  for (;;) {
    tm_batch *batch = NULL;
    int more = w->told.table != NULL ? read_piece(w, &batch, err)
                                     : tm_window_slices_tell_step(w->slices, &w->told, err);
    if (more < 0) return TM_FLOW_FAILED;
    if (batch != NULL && batch->selected > 0) {
      w->hurries = false;
      emit(w, batch, out);
      return TM_FLOW_MORE;
    }
    tm_batch_release(batch);
    if (batch == NULL && more == 0 && w->told.table == NULL) return rest(w, out);
    if (tm_env_get()->monotonic_us() > until_us) return TM_FLOW_MORE;
  }
}

/* ---------------------------------------------------------------- push, resume, advance, finish */

static int64_t wall_us(void) { return tm_env_get()->wall_us(); }

/* The wall clock is the time of rows: a wake when the slice that is open now ends. */
static void wait_for_end(window_agg *w, int64_t now_us) {
  tm_window slice = tm_window_judge_slice(w->rows.judge, now_us);
  w->env.wake_at(w->env.waker, tm_env_get()->monotonic_us() + slice.end_us - now_us);
}

static tm_flow advance_to(window_agg *w, int64_t watermark_us, tm_out *out, tm_error *err) {
  if (watermark_us > w->watermark_us) w->watermark_us = watermark_us;
  int64_t waited_us = tm_window_split_waited(&w->rows.split, w->watermark_us);
  tm_window_judge_advance(w->rows.judge, waited_us);
  return give(w, out, err);
}

static tm_flow window_agg_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                               tm_error *err) {
  window_agg *w = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, w->env.budget);
  if (batch == NULL) return no_memory(err);
  int64_t now_us = w->plan->window.processing ? wall_us() : TM_TIME_NONE;
  int done = tm_window_rows_add(&w->rows, batch, now_us, w->watermark_us, out, err);
  tm_batch_release(batch);
  if (done < 0) return TM_FLOW_FAILED;
  if (!w->plan->window.processing) return w->plan->shape.lateness_us > 0 ? give(w, out, err)
                                                                         : TM_FLOW_INPUT;
  wait_for_end(w, now_us);
  return advance_to(w, now_us, out, err);
}

static tm_flow window_agg_resume(void *self, tm_out *out, tm_error *err) {
  window_agg *w = self;
  if (!w->plan->window.processing || w->ended) return give(w, out, err);
  int64_t now_us = wall_us();
  wait_for_end(w, now_us);
  return advance_to(w, now_us, out, err);
}

static tm_flow window_agg_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                                  tm_error *err) {
  window_agg *w = self;
  (void)port;
  return w->plan->window.processing ? TM_FLOW_INPUT : advance_to(w, watermark_us, out, err);
}

static tm_flow window_agg_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  window_agg *w = self;
  (void)port;
  w->ended = true;
  tm_window_judge_advance(w->rows.judge, TM_TIME_END);
  return give(w, out, err);
}

/* ---------------------------------------------------------------- save, restore */

static int add_waiting(window_agg *w, tm_batch *batch, tm_error *err) {
  uint32_t count = w->waiting_count;
  tm_batch **grown = tm_alloc(w->env.budget, (count + 1) * sizeof *grown);
  if (grown == NULL) {
    tm_batch_release(batch);
    return no_memory(err);
  }
  if (count > 0) memcpy(grown, w->waiting, count * sizeof *grown);
  tm_free(w->env.budget, w->waiting, count * sizeof *grown);
  grown[count] = batch;
  w->waiting = grown;
  w->waiting_count = count + 1;
  return 0;
}

/* The rest of the window that is being given out becomes batches: it would not come out in the same
 * order a second time. */
static int settle_window(window_agg *w, tm_error *err) {
  while (w->told.table != NULL) {
    tm_batch *batch = NULL;
    int more = read_piece(w, &batch, err);
    if (more < 0) return -1;
    if (more > 0) continue;
    if (batch->selected == 0) tm_batch_release(batch);
    else if (add_waiting(w, batch, err) < 0) return -1;
  }
  return 0;
}

static int window_agg_save(void *self, tm_bytes *out, tm_error *err) {
  window_agg *w = self;
  tm_record_writer writer = {.out = out};
  if (settle_window(w, err) < 0) return -1;
  tm_record_put(&writer, (uint64_t)w->watermark_us);
  tm_record_put(&writer, w->ended);
  tm_record_put(&writer, w->waiting_count - w->waiting_at);
  for (uint32_t i = w->waiting_at; i < w->waiting_count; i++) {
    tm_batch_record_save(w->waiting[i], &writer);
  }
  tm_window_slices_save(w->slices, &writer);
  return tm_record_end(&writer, err);
}

static int window_agg_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  window_agg *w = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  w->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  w->ended = tm_record_get(&r, 1);
  w->hurries = true;
  uint32_t count = (uint32_t)tm_record_get(&r, size); /* a byte each, at least */
  for (uint32_t i = 0; i < count && !r.failed; i++) {
    tm_batch *batch = tm_batch_record_restore(&r, w->env.budget, w->env.bind->output,
                                              w->env.bind->arena, err);
    if (batch == NULL || add_waiting(w, batch, err) < 0) return -1;
  }
  if (tm_window_slices_restore(w->slices, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_window_agg = {
  .size = sizeof(tm_stage),
  .name = "agg",
  .summary = "aggregates in windows",
  .inputs = 1,
  .listens = true,
  .options = window_agg_options,
  .serves = window_agg_serves,
  .bind = window_agg_bind,
  .need = window_agg_need,
  .open = window_agg_open,
  .restore = window_agg_restore,
  .push = window_agg_push,
  .resume = window_agg_resume,
  .advance = window_agg_advance,
  .save = window_agg_save,
  .finish = window_agg_finish,
  .close = window_agg_close,
};
