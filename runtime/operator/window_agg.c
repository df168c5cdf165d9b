/* operator/window_agg.c: aggregates in fixed windows, fired as time passes.
 *
 * Rows lie in slices (state/window_slices.h); a window is put together when the watermark reaches
 * its end, its rows leave, and its state goes. A row is late if all its windows end at or before
 * its own mark, the watermark that its partition had just before it; one that could still count,
 * had time not gone on without its partition, is late after idle.
 *
 * A tumbling window in a batch is agg.c's: there nothing has to be given out before the end. In a
 * batch, hopping and cumulate windows all fire at the end of input.
 *
 * Groups over the window columns of an upstream step have no window of their own: all rows of one
 * such window carry the same event time, so each time is a slice, final once it has passed. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "operator/agg_rows.h"
#include "operator/window_plan.h"
#include "state/batch_record.h"
#include "state/window_slices.h"

static const tm_option window_agg_options[] = {
  {"keys", "list", NULL, "columns to group by, of group_by", NULL},
  {"aggs", "list", NULL, "aggregates: agg { tm.sum \"qty\", orders = tm.count() }", NULL},
  TM_WINDOW_OPTIONS,
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct window_agg_plan {
  tm_agg_plan *agg;
  const tm_schema *inner;  /* keys and aggregates, without the window */
  tm_window_plan window;
  tm_window_shape shape;
} window_agg_plan;

typedef struct placed { int64_t start_us; uint32_t row; } placed;

typedef struct window_agg {
  tm_stage_env env;
  const window_agg_plan *plan;
  tm_bind inner;           /* as if it were agg alone */
  tm_stage_env inner_env;
  uint8_t *needed;         /* of inner */
  tm_agg_rows rows;
  tm_window_slices *slices;
  int64_t watermark_us;
  bool ended;
  /* the window that is being given out */
  tm_window window;
  tm_group_table *table;
  uint32_t given;
  /* rows of one that was being given out when the state was saved */
  tm_batch **waiting;
  uint32_t waiting_at, waiting_count;
} window_agg;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "window: out of memory"); }

/* ---------------------------------------------------------------- bind */

/* Keys that tell an upstream window whose rows all have its event time. */
static bool has_window_key(const tm_bind *bind) {
  const tm_rows_facts *facts = &bind->facts_in[0];
  const tm_value *keys = tm_value_get(bind->options, "keys");
  for (size_t i = 0; keys != NULL && i < keys->item_count; i++) {
    if (keys->items[i].kind != TM_VALUE_TEXT) continue;
    int column = tm_schema_find(bind->inputs[0], keys->items[i].text);
    if (column < 0 || facts->time.kind == TM_NULLTYPE) continue;
    if (column == facts->window_end) return true;
    if (column == facts->window_start && facts->fixed_windows) return true;
  }
  return false;
}

static bool window_agg_serves(const tm_bind *bind) {
  int kind = tm_window_plan_kind(bind->options);
  if (kind < 0) {
    return tm_value_get(bind->options, "window") == NULL && bind->job->stream &&
           has_window_key(bind);
  }
  return bind->job->stream || kind != TM_WINDOW_TUMBLING;
}

static int refuse_later(const tm_window_plan *window, tm_error *err) {
  const char *what = window->lateness_us > 0 ? "lateness"
                     : window->early_us > 0  ? "emit"
                     : window->fill          ? "fill" : NULL;
  if (what == NULL) return 0;
  tm_fail(err, TM_E_UNSUPPORTED, "option '%s' of window is not in this version of tidemill yet",
          what);
  tm_error_token(err, what, "");
  return -1;
}

/* keys, window_start, window_end, aggregates. */
static int make_schema(tm_bind *bind, window_agg_plan *plan, tm_error *err) {
  uint32_t keys = plan->agg->groups.key_count;
  tm_schema *schema = tm_schema_create(bind->arena, plan->inner->count + 2);
  if (schema == NULL) return no_memory(err);
  for (uint32_t i = 0; i < plan->inner->count; i++) {
    schema->fields[i + (i < keys ? 0 : 2)] = plan->inner->fields[i];
  }
  schema->fields[keys] = (tm_field){.name = "window_start", .type = plan->window.type};
  schema->fields[keys + 1] = (tm_field){.name = "window_end", .type = plan->window.type};
  bind->output = schema;
  bind->facts_out.time = plan->window.type;
  bind->facts_out.window_start = (int)keys;
  bind->facts_out.window_end = (int)keys + 1;
  bind->facts_out.fixed_windows = plan->window.grid.kind != TM_WINDOW_CUMULATE;
  const char *detail = bind->detail;
  bind->detail = tm_arena_format(bind->arena, "%s in %s", detail, plan->window.text);
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* Keys pass, windows among them. */
static int set_passes(tm_bind *bind, const window_agg_plan *plan, tm_error *err) {
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->output->count + 1) * sizeof *passes);
  if (passes == NULL) return no_memory(err);
  for (uint32_t i = 0; i < bind->output->count; i++) {
    passes[i] = i < plan->agg->groups.key_count ? (int32_t)plan->agg->keys[i] : -1;
  }
  bind->passes[0] = passes;
  return 0;
}

static int window_agg_bind(tm_bind *bind, tm_error *err) {
  window_agg_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  if (bind->facts_in[0].changelog) {
    tm_fail(err, TM_E_JOB, "a window takes rows that are final, and these may be taken back");
    return tm_error_help(err, "put the window before what changes its results: a group without a "
                         "window, a top, a join without one");
  }
  plan->shape.instants = tm_window_plan_kind(bind->options) < 0;
  if (!plan->shape.instants && (tm_window_plan_read(bind, &plan->window, err) < 0 ||
                                refuse_later(&plan->window, err) < 0)) {
    return -1;
  }
  if (tm_agg_bind(bind, err) < 0) return -1;
  plan->agg = bind->plan;
  plan->inner = bind->output;
  plan->shape.grid = plan->window.grid;
  bind->plan = plan;
  bind->single = true;
  bind->order = TM_ORDER_NONE;
  bind->facts_out.in_time_order = false;
  if (plan->shape.instants) return set_passes(bind, plan, err);
  return make_schema(bind, plan, err);
}

/* needed_out without the two columns of the window. */
static void inner_needed(const window_agg_plan *plan, const uint8_t *needed_out, uint8_t *inner) {
  uint32_t keys = plan->agg->groups.key_count;
  for (uint32_t i = 0; i < plan->inner->count; i++) {
    inner[i] = needed_out[i + (plan->shape.instants || i < keys ? 0 : 2)];
  }
}

static void window_agg_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const window_agg_plan *plan = bind->plan;
  tm_bind inner = *bind;
  uint8_t *needed = tm_arena_zero(bind->arena, plan->inner->count + 1);
  if (needed == NULL) { /* more than need be */
    memset(in[0], 1, bind->inputs[0]->count);
    return;
  }
  inner_needed(plan, needed_out, needed);
  inner.plan = plan->agg;
  tm_agg_need(&inner, needed, in);
}

/* ---------------------------------------------------------------- open, close */

static void window_agg_close(void *self) {
  window_agg *w = self;
  for (uint32_t i = w->waiting_at; i < w->waiting_count; i++) tm_batch_release(w->waiting[i]);
  tm_free(w->env.budget, w->waiting, w->waiting_count * sizeof *w->waiting);
  tm_window_slices_destroy(w->slices);
  tm_agg_rows_deinit(&w->rows);
  tm_free(w->env.budget, w->needed, w->plan->inner->count + 1);
  tm_free(w->env.budget, w, sizeof *w);
}

static int window_agg_open(const tm_stage_env *env, void **out, tm_error *err) {
  const window_agg_plan *plan = env->bind->plan;
  window_agg *w = tm_alloc_zero(env->budget, sizeof *w);
  if (w == NULL) return no_memory(err);
  *w = (window_agg){.env = *env, .plan = plan, .inner = *env->bind, .inner_env = *env,
                    .watermark_us = TM_TIME_NONE};
  w->needed = tm_alloc_zero(env->budget, plan->inner->count + 1);
  if (w->needed == NULL) {
    tm_free(env->budget, w, sizeof *w);
    return no_memory(err);
  }
  if (env->bind->needed != NULL) inner_needed(plan, env->bind->needed, w->needed);
  else memset(w->needed, 1, plan->inner->count);
  w->inner.plan = plan->agg;
  w->inner.output = plan->inner;
  w->inner.needed = w->needed;
  w->inner_env.bind = &w->inner;
  if (tm_agg_rows_init(&w->rows, &w->inner_env, err) < 0) {
    tm_free(env->budget, w->needed, plan->inner->count + 1);
    tm_free(env->budget, w, sizeof *w);
    return -1;
  }
  w->slices = tm_window_slices_create(env->budget, &plan->agg->groups,
                                      w->needed + plan->agg->groups.key_count, &plan->shape, err);
  if (w->slices == NULL) {
    window_agg_close(w);
    return -1;
  }
  *out = w;
  return 0;
}

/* ---------------------------------------------------------------- late rows */

static int64_t mark_of(const tm_batch *batch, uint32_t row) {
  return batch->marks == NULL ? TM_TIME_NONE : batch->marks[row];
}

static int64_t greatest_mark(const tm_batch *batch) {
  int64_t least, greatest;
  if (batch->marks == NULL) return TM_TIME_NONE;
  tm_time_cells_range(batch->marks, batch->selection, batch->selected, &least, &greatest);
  return greatest;
}

static int refuse_late(window_agg *w, const tm_batch *batch, uint32_t row, bool idle, tm_out *out,
                       tm_error *err) {
  const char *message = idle ? "its window was closed while its source was silent"
                             : "all windows of its time are closed";
  int done = tm_out_late(out, batch, row, idle ? TM_REASON_LATE_AFTER_IDLE : TM_REASON_LATE,
                         w->env.bind->script_line, message,
                         idle ? w->watermark_us : mark_of(batch, row));
  return done < 0 ? no_memory(err) : 0;
}

/* Late rows leave the selection. *plain: no row has a window that is closed. */
static int drop_late(window_agg *w, tm_batch *batch, bool *plain, tm_out *out, tm_error *err) {
  int64_t least, greatest;
  tm_time_cells_range(batch->times, batch->selection, batch->selected, &least, &greatest);
  tm_window oldest = tm_window_slices_slice(w->slices, least);
  *plain = tm_window_slices_judge(w->slices, oldest, greatest_mark(batch)) == TM_SLICE_PLAIN;
  if (*plain) return 0;
  uint32_t *kept = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *kept), count = 0;
  if (kept == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    tm_window slice = tm_window_slices_slice(w->slices, batch->times[row]);
    tm_slice_answer answer = tm_window_slices_judge(w->slices, slice, mark_of(batch, row));
    kept[count] = row;
    count += answer <= TM_SLICE_EXTRA;
    if (answer <= TM_SLICE_EXTRA) continue;
    if (refuse_late(w, batch, row, answer == TM_SLICE_AFTER_IDLE, out, err) < 0) return -1;
  }
  batch->selection = kept;
  batch->selected = count;
  return 0;
}

/* ---------------------------------------------------------------- rows into slices */

/* The selected rows into a table. */
static int add_all(window_agg *w, const tm_batch *batch, tm_group_table *table, tm_error *err) {
  if (tm_agg_rows_list(&w->rows, batch, err) < 0) return -1;
  tm_group_rows rows = {
    .keys = w->rows.keys,
    .inputs = w->rows.inputs,
    .rows = batch->selection,
    .count = batch->selected,
    .row_count = batch->rows,
    .filter_rows = w->rows.filter_rows,
    .filter_counts = w->rows.filter_counts,
    .times = batch->times,
  };
  if (tm_group_table_add(table, &rows, err) < 0) return -1;
  int more;
  while ((more = tm_group_table_settle_step(table, err)) > 0) continue;
  return more;
}

/* Some of them. */
static int add_rows(window_agg *w, tm_batch *batch, const uint32_t *rows, uint32_t count,
                    tm_group_table *table, tm_error *err) {
  uint32_t *selection = batch->selection, selected = batch->selected;
  batch->selection = (uint32_t *)rows;
  batch->selected = count;
  int done = add_all(w, batch, table, err);
  batch->selection = selection;
  batch->selected = selected;
  return done;
}

static int compare_placed(const void *a, const void *b) {
  const placed *x = a, *y = b;
  if (x->start_us != y->start_us) return x->start_us < y->start_us ? -1 : 1;
  return x->row < y->row ? -1 : x->row > y->row;
}

/* The selected rows with their slices, sorted by these. NULL when out of memory. */
static placed *place_rows(window_agg *w, tm_batch *batch) {
  placed *rows = tm_arena_alloc(&w->rows.scratch, (batch->selected + 1) * sizeof *rows);
  bool sorted = true;
  for (uint32_t i = 0; rows != NULL && i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    rows[i] = (placed){tm_window_slices_slice(w->slices, batch->times[row]).start_us, row};
    sorted = sorted && (i == 0 || rows[i - 1].start_us <= rows[i].start_us);
  }
  if (rows != NULL && !sorted) qsort(rows, batch->selected, sizeof *rows, compare_placed);
  return rows;
}

/* Rows of one slice, of which some windows are closed for some: one by one. */
static int add_extras(window_agg *w, tm_batch *batch, tm_window slice, const uint32_t *rows,
                      uint32_t count, tm_error *err) {
  for (uint32_t i = 0; i < count; i++) {
    tm_group_table *table = tm_window_slices_find(w->slices, slice, mark_of(batch, rows[i]), err);
    if (table == NULL || add_rows(w, batch, &rows[i], 1, table, err) < 0) return -1;
  }
  return 0;
}

static int add_run(window_agg *w, tm_batch *batch, const uint32_t *rows, uint32_t count,
                   bool plain, tm_error *err) {
  tm_window slice = tm_window_slices_slice(w->slices, batch->times[rows[0]]);
  if (!plain) return add_extras(w, batch, slice, rows, count, err);
  tm_group_table *table = tm_window_slices_find(w->slices, slice, TM_TIME_NONE, err);
  return table == NULL ? -1 : add_rows(w, batch, rows, count, table, err);
}

static int add_batch(window_agg *w, tm_batch *batch, bool plain, tm_error *err) {
  int64_t least, greatest;
  if (batch->selected == 0) return 0;
  tm_time_cells_range(batch->times, batch->selection, batch->selected, &least, &greatest);
  tm_window slice = tm_window_slices_slice(w->slices, least);
  if (plain && greatest < slice.end_us) { /* all in one, as it mostly is */
    tm_group_table *table = tm_window_slices_find(w->slices, slice, TM_TIME_NONE, err);
    return table == NULL ? -1 : add_all(w, batch, table, err);
  }
  placed *rows = place_rows(w, batch);
  uint32_t *run = tm_arena_alloc(&w->rows.scratch, (batch->selected + 1) * sizeof *run);
  if (rows == NULL || run == NULL) return no_memory(err);
  for (uint32_t at = 0; at < batch->selected;) {
    uint32_t count = 0;
    int64_t start_us = rows[at].start_us;
    while (at < batch->selected && rows[at].start_us == start_us) run[count++] = rows[at++].row;
    if (add_run(w, batch, run, count, plain, err) < 0) return -1;
  }
  return 0;
}

/* ---------------------------------------------------------------- windows out */

static int64_t wall_us(void) { return tm_env_get()->wall_us(); }

/* The wall clock is the time of rows: a wake when the window that is open now ends. */
static void wait_for_end(window_agg *w, int64_t now_us) {
  tm_window slice = tm_window_slices_slice(w->slices, now_us);
  w->env.wake_at(w->env.waker, tm_env_get()->monotonic_us() + slice.end_us - now_us);
}

/* Some groups of a table as rows of the output. NULL with err. */
static tm_batch *dress(window_agg *w, tm_batch *inner, tm_error *err) {
  const window_agg_plan *plan = w->plan;
  uint32_t keys = plan->agg->groups.key_count;
  bool instants = plan->shape.instants;
  tm_batch *out = tm_batch_derive(inner, w->env.budget, w->env.bind->output);
  tm_batch_release(inner);
  if (out == NULL) {
    no_memory(err);
    return NULL;
  }
  for (uint32_t i = 0; i < plan->inner->count; i++) {
    out->columns[i + (instants || i < keys ? 0 : 2)] = inner->columns[i];
  }
  size_t bytes = (out->rows + 1) * sizeof(int64_t);
  int64_t *starts = tm_batch_alloc(out, bytes), *ends = tm_batch_alloc(out, bytes);
  out->times = tm_batch_alloc(out, bytes);
  bool done = starts != NULL && ends != NULL && out->times != NULL;
  for (uint32_t i = 0; done && i < out->rows; i++) {
    starts[i] = w->window.start_us;
    ends[i] = w->window.end_us;
    out->times[i] = w->window.end_us - 1;
  }
  if (done && !instants) {
    done = tm_window_plan_column(plan->window.type, out, keys, starts) == 0 &&
           tm_window_plan_column(plan->window.type, out, keys + 1, ends) == 0;
  }
  out->origin.source = UINT32_MAX;
  if (done) return out;
  tm_batch_release(out);
  no_memory(err);
  return NULL;
}

/* A piece of the window that has fired. 1: it is not made yet; 0: *out is; -1. */
static int read_piece(window_agg *w, tm_batch **out, tm_error *err) {
  uint32_t left = tm_group_table_count(w->table) - w->given;
  uint32_t max = w->env.bind->job->batch_rows, count = left < max ? left : max;
  tm_batch *inner;
  int more = tm_group_table_read_step(w->table, w->given, count, w->plan->inner, w->env.budget,
                                      &inner, err);
  if (more != 0) return more;
  *out = dress(w, inner, err);
  if (*out == NULL) return -1;
  w->given += count;
  w->env.ledger->produced += count;
  if (w->given == tm_group_table_count(w->table)) {
    tm_window_slices_drop(w->slices);
    w->table = NULL;
    w->given = 0;
  }
  return 0;
}

/* All windows that can fire have been given out. */
static tm_flow rest(window_agg *w, tm_out *out) {
  if (w->ended) return TM_FLOW_FINISHED;
  out->watermark_us = w->watermark_us;
  return TM_FLOW_INPUT;
}

static tm_flow give(window_agg *w, tm_out *out, tm_error *err) {
  int64_t until_us = tm_env_get()->monotonic_us() + TM_YIELD_US;
  if (w->waiting_at < w->waiting_count) {
    w->env.ledger->produced += w->waiting[w->waiting_at]->selected;
    tm_out_emit(out, w->waiting[w->waiting_at++]);
    return TM_FLOW_MORE;
  }
  for (;;) {
    tm_batch *batch = NULL;
    int more = w->table != NULL
                   ? read_piece(w, &batch, err)
                   : tm_window_slices_fire_step(w->slices, &w->window, &w->table, err);
    if (more < 0) return TM_FLOW_FAILED;
    if (batch != NULL) {
      tm_out_emit(out, batch);
      return TM_FLOW_MORE;
    }
    if (more == 0 && w->table == NULL) return rest(w, out);
    if (tm_env_get()->monotonic_us() > until_us) return TM_FLOW_MORE;
  }
}

/* ---------------------------------------------------------------- push, resume, advance, finish */

/* The wall clock is the time of rows. */
static int set_times(tm_batch *batch, int64_t now_us) {
  int64_t *times = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *times);
  for (uint32_t i = 0; times != NULL && i < batch->rows; i++) times[i] = now_us;
  batch->times = times;
  batch->marks = NULL;
  return times == NULL ? -1 : 0;
}

static int take_rows(window_agg *w, tm_batch *batch, tm_out *out, tm_error *err) {
  bool plain;
  if (batch->selected == 0) return 0;
  if (w->plan->window.processing && set_times(batch, wall_us()) < 0) return no_memory(err);
  if (drop_late(w, batch, &plain, out, err) < 0) return -1;
  if (batch->selected == 0) return 0;
  int done = tm_agg_rows_open(&w->rows, batch, out, err);
  if (done == 0) done = add_batch(w, batch, plain, err);
  if (done == 0) w->env.ledger->absorbed += batch->selected;
  tm_agg_rows_close(&w->rows);
  return done;
}

static tm_flow advance_to(window_agg *w, int64_t watermark_us, tm_out *out, tm_error *err) {
  if (watermark_us > w->watermark_us) w->watermark_us = watermark_us;
  tm_window_slices_advance(w->slices, w->watermark_us);
  return give(w, out, err);
}

static tm_flow window_agg_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                               tm_error *err) {
  window_agg *w = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, w->env.budget);
  if (batch == NULL) return no_memory(err);
  int done = take_rows(w, batch, out, err);
  tm_batch_release(batch);
  if (done < 0) return TM_FLOW_FAILED;
  if (!w->plan->window.processing) return TM_FLOW_INPUT;
  int64_t now_us = wall_us();
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
  tm_window_slices_advance(w->slices, TM_TIME_END);
  return give(w, out, err);
}

/* ---------------------------------------------------------------- save, restore */

/* The rest of the window that is being given out becomes batches: it would not come out in the same
 * order a second time. */
static int settle_window(window_agg *w, tm_error *err) {
  while (w->table != NULL) {
    tm_batch *batch = NULL;
    int more = read_piece(w, &batch, err);
    if (more < 0) return -1;
    if (more > 0) continue;
    w->env.ledger->produced -= batch->selected; /* not yet */
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
  uint32_t count = (uint32_t)tm_record_get(&r, size); /* a byte each, at least */
  w->waiting = tm_alloc_zero(w->env.budget, count * sizeof *w->waiting);
  if (w->waiting == NULL && count > 0) return no_memory(err);
  w->waiting_count = count;
  for (uint32_t i = 0; i < count; i++) {
    w->waiting[i] = tm_batch_record_restore(&r, w->env.budget, w->env.bind->output,
                                            w->env.bind->arena, err);
    if (w->waiting[i] == NULL) return -1;
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
