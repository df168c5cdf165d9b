/* operator/sliding.c: agg in a sliding window: for each row the aggregates of the rows of its key
 * in (t - span, t], its peers of the same time included. The row stays as it is, and gets them.
 *
 * Rows come in time order (operator/time_order.c); state/slide_groups.h has the aggregates. Rows of
 * the latest time wait for their peers, which may come in another batch: they are taken in at once,
 * and leave when time has gone on. So a batch leaves in two parts: those that waited before it, and
 * all of it but its latest time. */
#include "operator/agg_rows.h"
#include "operator/row_window.h"
#include "state/batch_record.h"
#include "state/slide_groups.h"

#include <string.h>

static const tm_option sliding_options[] = {
  {"keys", "list", NULL, "columns to group by, of group_by", NULL},
  {"aggs", "list", NULL, "aggregates: agg { tm.sum \"qty\", orders = tm.count() }", NULL},
  TM_WINDOW_OPTIONS,
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct sliding_plan {
  tm_row_window window; /* first: what row_window.c and agg_plan.c see */
  int64_t span_us;
  tm_type *input_types;
} sliding_plan;

typedef struct sliding {
  tm_stage_env env;
  const sliding_plan *plan;
  tm_agg_rows rows;     /* of the batch that is taken in */
  tm_slide_spec spec;
  tm_slide_groups *groups;
  const tm_column **keys; /* of a batch that waits */
  tm_batch *taking;     /* being taken in, from its row number `at` of the selection on; NULL */
  uint32_t at;
  bool opened;          /* its functions have been run */
  tm_batch **waiting;   /* rows of one time, whose peers may yet come */
  uint32_t waiting_at, waiting_count, waiting_capacity;
  int64_t waiting_us;   /* that time */
  int64_t watermark_us, given_us;
  uint64_t emitted;     /* batches */
  bool ended;
} sliding;

static int no_memory(tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "the rows of a sliding window need more than the memory budget");
  return tm_error_help(err, "give more with --memory, or a shorter span");
}

/* ------------------------------------------------------------------ bind */

static bool sliding_serves(const tm_bind *bind) { return tm_row_window_is(bind, "sliding"); }

static int sliding_bind(tm_bind *bind, tm_error *err) {
  sliding_plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return no_memory(err);
  if (tm_row_window_bind(bind, true, true, err) < 0 ||
      tm_row_window_length(bind, "span", &p->span_us, err) < 0) {
    return -1;
  }
  if (p->span_us == 0) {
    return tm_fail(err, TM_E_VALUE, "a sliding window wants its span: tm.sliding \"10m\"");
  }
  p->window = *(const tm_row_window *)bind->plan;
  const tm_agg_plan *agg = &p->window.agg;
  p->input_types = tm_arena_zero(bind->arena, (agg->input_count + 1) * sizeof *p->input_types);
  if (p->input_types == NULL) return no_memory(err);
  for (uint32_t i = 0; i < agg->input_count; i++) p->input_types[i] = agg->inputs[i].type;
  bind->plan = p;
  bind->chooses = true; /* a row that is filtered away before is missing in others' windows */
  bind->rows_estimate = bind->input_rows[0];
  bind->order = bind->job->stream ? TM_ORDER_KEEPS : TM_ORDER_NONE;
  return 0;
}

static void sliding_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  tm_agg_need(bind, needed_out, in);
  for (uint32_t i = 0; i < bind->inputs[0]->count; i++) in[0][i] |= needed_out[i];
}

/* ------------------------------------------------------------------ life */

static size_t bytes_of(const sliding_plan *p) {
  return sizeof(sliding) + p->window.agg.groups.key_count * sizeof(tm_column *);
}

static void sliding_close(void *self) {
  sliding *s = self;
  for (uint32_t i = s->waiting_at; i < s->waiting_count; i++) tm_batch_release(s->waiting[i]);
  tm_free(s->env.budget, s->waiting, s->waiting_capacity * sizeof *s->waiting);
  tm_batch_release(s->taking);
  tm_slide_groups_destroy(s->groups);
  tm_agg_rows_deinit(&s->rows);
  tm_free(s->env.budget, s, bytes_of(s->plan));
}

static int sliding_open(const tm_stage_env *env, void **out, tm_error *err) {
  const sliding_plan *p = env->bind->plan;
  const tm_agg_plan *agg = &p->window.agg;
  const uint8_t *needed = env->bind->needed;
  sliding *s = tm_alloc_zero(env->budget, bytes_of(p));
  if (s == NULL) return no_memory(err);
  s->env = *env;
  s->plan = p;
  s->keys = (const tm_column **)(void *)(s + 1);
  s->watermark_us = s->given_us = s->waiting_us = TM_TIME_NONE;
  if (tm_agg_rows_init(&s->rows, &s->env, err) < 0) {
    tm_free(env->budget, s, bytes_of(p));
    return -1;
  }
  s->spec = (tm_slide_spec){
    .plan = &agg->groups,
    .needed = needed == NULL ? NULL : needed + tm_group_plan_first(&agg->groups),
    .live = &p->window.live,
    .span_us = p->span_us,
    .input_count = agg->input_count,
    .filter_count = agg->filter_count,
    .input_types = p->input_types,
    .used_inputs = s->rows.used_inputs,
    .used_filters = s->rows.used_filters,
  };
  s->groups = tm_slide_groups_create(env->budget, &s->spec, err);
  if (s->groups == NULL) {
    sliding_close(s);
    return -1;
  }
  *out = s;
  return 0;
}

/* ------------------------------------------------------------------ rows out */

static int stamp(sliding *s, const tm_batch *batch, tm_batch *out) {
  int64_t *us = tm_arena_zero(&s->rows.scratch, (batch->rows + (size_t)1) * sizeof *us);
  if (us == NULL) return -1;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    us[row] = batch->times[row];
  }
  if (tm_row_window_stamp(s->env.bind, out, 1, us) < 0) return -1;
  for (uint32_t i = 0; i < batch->selected; i++) {
    int64_t *start = &us[tm_batch_row(batch, i)];
    if (__builtin_sub_overflow(*start, s->plan->span_us, start)) *start = TM_TIME_NONE;
  }
  return tm_row_window_stamp(s->env.bind, out, 0, us);
}

/* The selected rows with their aggregates; `results` is released. 0, or -1 with err. */
static int give(sliding *s, tm_batch *batch, tm_slide_results *results, tm_out *out,
                tm_error *err) {
  const tm_bind *bind = s->env.bind;
  tm_batch *rows = tm_batch_derive(batch, s->env.budget, bind->output);
  int done = rows == NULL ? -1 : tm_batch_pin_batch(rows, results->batch);
  if (done == 0) {
    memcpy(rows->columns, batch->columns, bind->inputs[0]->count * sizeof *rows->columns);
    done = stamp(s, batch, rows);
  }
  for (uint32_t c = s->plan->window.window_column + 2; done == 0 && c < bind->output->count; c++) {
    if (bind->needed != NULL && !bind->needed[c]) continue;
    const tm_column *values = &results->batch->columns[c];
    done = tm_column_gather(rows, c, values, results->slots, batch->rows, false);
  }
  tm_batch_release(results->batch);
  if (done < 0) {
    tm_batch_release(rows);
    return no_memory(err);
  }
  rows->sequence = s->emitted++;
  tm_out_emit(out, rows);
  return 0;
}

/* ------------------------------------------------------------------ rows that wait */

static uint32_t waits(const sliding *s) { return s->waiting_count - s->waiting_at; }

/* Takes the rows. 0 or -1 (memory). */
static int wait_for_peers(sliding *s, tm_batch *taken) {
  if (s->waiting_at == s->waiting_count) s->waiting_at = s->waiting_count = 0;
  if (s->waiting_count == s->waiting_capacity) {
    uint32_t capacity = s->waiting_capacity == 0 ? 8 : 2 * s->waiting_capacity;
    void *grown = tm_realloc(s->env.budget, s->waiting, s->waiting_capacity * sizeof *s->waiting,
                             capacity * sizeof *s->waiting);
    if (grown == NULL) {
      tm_batch_release(taken);
      return -1;
    }
    s->waiting = grown;
    s->waiting_capacity = capacity;
  }
  s->waiting[s->waiting_count++] = taken;
  s->waiting_us = taken->times[tm_batch_row(taken, 0)];
  return 0;
}

/* The first batch of those that wait leaves: no peer comes any more. */
static int release_waiting(sliding *s, tm_out *out, tm_error *err) {
  const tm_agg_plan *agg = &s->plan->window.agg;
  tm_batch *batch = s->waiting[s->waiting_at++];
  tm_slide_results results;
  for (uint32_t i = 0; i < agg->groups.key_count; i++) {
    s->keys[i] = &batch->columns[agg->keys[i]];
  }
  tm_slide_rows rows = {.batch = batch, .keys = s->keys};
  int done = tm_slide_groups_read(s->groups, &rows, s->env.bind->output,
                                  s->plan->window.window_column + 2, &s->rows.scratch, &results,
                                  err);
  if (done == 0) done = give(s, batch, &results, out, err);
  tm_batch_release(batch);
  return done;
}

/* ------------------------------------------------------------------ rows in */

/* The rows from `at` on up to the last one of a time, or of all times but the last. */
static uint32_t run_of(const sliding *s, bool one_time) {
  const tm_batch *batch = s->taking;
  const int64_t *times = batch->times;
  uint32_t end = s->at;
  if (!one_time) {
    int64_t last_us = times[tm_batch_row(batch, batch->selected - 1)];
    for (end = batch->selected; end > s->at; end--) {
      if (times[tm_batch_row(batch, end - 1)] != last_us) break;
    }
    return end;
  }
  int64_t first_us = times[tm_batch_row(batch, s->at)];
  while (end < batch->selected && times[tm_batch_row(batch, end)] == first_us) end++;
  return end;
}

/* The rows from `at` to `end`, which are taken. NULL: out of memory. */
static tm_batch *part_of(sliding *s, uint32_t end) {
  tm_batch *batch = s->taking;
  tm_batch *part = tm_batch_derive(batch, s->env.budget, batch->schema);
  uint32_t count = end - s->at;
  uint32_t *rows = part == NULL ? NULL : tm_batch_alloc(part, (count + 1) * sizeof *rows);
  if (rows == NULL) {
    tm_batch_release(part);
    return NULL;
  }
  memcpy(part->columns, batch->columns, batch->schema->count * sizeof *part->columns);
  for (uint32_t i = 0; i < count; i++) rows[i] = tm_batch_row(batch, s->at + i);
  part->selection = rows;
  part->selected = count;
  s->at = end;
  return part;
}

static tm_slide_rows rows_of(const sliding *s, tm_batch *part) {
  return (tm_slide_rows){.batch = part, .keys = s->rows.keys, .inputs = s->rows.inputs,
                         .holds = s->rows.holds};
}

/* Rows of one time: they are taken in, and wait. */
static int take_peers(sliding *s, uint32_t end, tm_error *err) {
  tm_batch *part = part_of(s, end);
  if (part == NULL) return no_memory(err);
  tm_slide_rows rows = rows_of(s, part);
  if (tm_slide_groups_add(s->groups, &rows, &s->rows.scratch, err) < 0) {
    tm_batch_release(part);
    return -1;
  }
  return wait_for_peers(s, part) < 0 ? no_memory(err) : 0;
}

/* Rows whose peers are all there. */
static int take_whole(sliding *s, uint32_t end, tm_out *out, tm_error *err) {
  tm_slide_results results;
  tm_batch *part = part_of(s, end);
  if (part == NULL) return no_memory(err);
  tm_slide_rows rows = rows_of(s, part);
  int done = tm_slide_groups_slide(s->groups, &rows, s->env.bind->output,
                                   s->plan->window.window_column + 2, &s->rows.scratch, &results,
                                   err);
  if (done == 0) done = give(s, part, &results, out, err);
  tm_batch_release(part);
  return done;
}

static int open_batch(sliding *s, tm_out *out, tm_error *err) {
  if (s->opened) return 0;
  s->opened = true;
  return tm_agg_rows_open(&s->rows, s->taking, out, err);
}

/* Goes on with the batch that is taken in until a batch has been given. 1: there is more, 0: it is
 * through, -1 with err. */
static int take(sliding *s, tm_out *out, tm_error *err) {
  if (open_batch(s, out, err) < 0) return -1;
  while (s->at < s->taking->selected) {
    bool peers = waits(s) > 0 && s->waiting_us == s->taking->times[tm_batch_row(s->taking, s->at)];
    uint32_t end = run_of(s, peers);
    if (peers || (waits(s) == 0 && end == s->at)) {
      if (take_peers(s, peers ? end : s->taking->selected, err) < 0) return -1;
      continue;
    }
    if (out->main != NULL) return 1;
    if ((waits(s) > 0 ? release_waiting(s, out, err) : take_whole(s, end, out, err)) < 0) return -1;
  }
  tm_batch_release(s->taking);
  s->taking = NULL;
  tm_agg_rows_close(&s->rows);
  return 0;
}

/* The batch, then what waited and is through, then what has left by now, each a piece a call; then
 * time goes on. */
static tm_flow drain(sliding *s, tm_out *out, tm_error *err) {
  int more = tm_slide_groups_settle_step(s->groups, err);
  if (more == 0 && s->taking != NULL) more = take(s, out, err);
  if (more != 0) return more < 0 ? TM_FLOW_FAILED : TM_FLOW_MORE;
  if (waits(s) > 0 && (s->ended || s->waiting_us < s->watermark_us)) {
    if (out->main != NULL) return TM_FLOW_MORE;
    int done = release_waiting(s, out, err);
    tm_agg_rows_close(&s->rows);
    return done < 0 ? TM_FLOW_FAILED : TM_FLOW_MORE;
  }
  if (s->ended) return TM_FLOW_FINISHED;
  if (s->watermark_us == TM_TIME_NONE) return TM_FLOW_INPUT;
  more = tm_slide_groups_leave(s->groups, s->watermark_us, &s->rows.scratch, err);
  tm_agg_rows_close(&s->rows);
  if (more != 0) return more < 0 ? TM_FLOW_FAILED : TM_FLOW_MORE;
  if (s->watermark_us > s->given_us) out->watermark_us = s->given_us = s->watermark_us;
  return TM_FLOW_INPUT;
}

static tm_flow sliding_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                            tm_error *err) {
  sliding *s = self;
  (void)port;
  s->taking = tm_batch_own(taken, s->env.budget);
  if (s->taking == NULL) return no_memory(err);
  s->at = 0;
  s->opened = false;
  return drain(s, out, err);
}

static tm_flow sliding_resume(void *self, tm_out *out, tm_error *err) {
  return drain(self, out, err);
}

static tm_flow sliding_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                               tm_error *err) {
  sliding *s = self;
  (void)port;
  s->watermark_us = watermark_us;
  return drain(s, out, err);
}

static tm_flow sliding_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  sliding *s = self;
  (void)port;
  s->ended = true;
  return drain(s, out, err);
}

/* ------------------------------------------------------------------ save, restore */

/* What is left to take in of a batch, as a batch. */
static void save_taking(sliding *s, tm_record_writer *w) {
  bool left = s->taking != NULL && s->at < s->taking->selected;
  tm_record_put(w, left);
  if (!left) return;
  uint32_t at = s->at;
  tm_batch *part = part_of(s, s->taking->selected);
  s->at = at;
  if (part != NULL) tm_batch_record_save(part, w);
  else w->failed = true;
  tm_batch_release(part);
}

static int sliding_save(void *self, tm_bytes *out, tm_error *err) {
  sliding *s = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)s->watermark_us);
  tm_record_put(&w, (uint64_t)s->given_us);
  tm_record_put(&w, s->emitted);
  tm_record_put(&w, s->ended);
  tm_slide_groups_save(s->groups, &w);
  save_taking(s, &w);
  tm_record_put(&w, waits(s));
  for (uint32_t i = s->waiting_at; i < s->waiting_count; i++) {
    tm_batch_record_save(s->waiting[i], &w);
  }
  return tm_record_end(&w, err);
}

/* A batch of input rows; NULL with err. */
static tm_batch *restore_batch(sliding *s, tm_record_reader *r, tm_error *err) {
  const tm_bind *bind = s->env.bind;
  tm_batch *batch =
      tm_batch_record_restore(r, s->env.budget, bind->inputs[0], bind->arena, err);
  if (batch == NULL) return NULL;
  const tm_agg_plan *agg = &s->plan->window.agg;
  bool whole = batch->times != NULL && batch->rows > 0 && batch->weights == NULL;
  for (uint32_t i = 0; i < agg->groups.key_count; i++) {
    whole &= batch->columns[agg->keys[i]].data != NULL;
  }
  for (uint32_t i = 0; i < agg->input_count; i++) {
    int32_t column = s->rows.used_inputs[i] ? agg->inputs[i].column : -1;
    whole &= column < 0 || batch->columns[column].data != NULL;
  }
  for (uint32_t i = 1; whole && i < batch->rows; i++) {
    whole &= batch->times[i] >= batch->times[i - 1];
  }
  if (whole) return batch;
  tm_batch_release(batch);
  tm_record_refuse(err);
  return NULL;
}

static int sliding_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  sliding *s = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  s->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  s->given_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  s->emitted = tm_record_get(&r, UINT64_MAX);
  s->ended = tm_record_get(&r, 1);
  if (tm_slide_groups_restore(s->groups, &r, s->env.bind->arena, &s->rows.scratch, err) < 0) {
    return -1;
  }
  if (tm_record_get(&r, 1) && (s->taking = restore_batch(s, &r, err)) == NULL) return -1;
  uint64_t count = tm_record_get(&r, UINT32_MAX);
  for (uint64_t i = 0; i < count; i++) {
    tm_batch *batch = restore_batch(s, &r, err);
    if (batch == NULL) return -1;
    if (wait_for_peers(s, batch) < 0) return no_memory(err);
  }
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_sliding = {
  .size = sizeof(tm_stage),
  .name = "agg",
  .summary = "aggregates of the rows of a key in the time up to each row",
  .inputs = 1,
  .options = sliding_options,
  .serves = sliding_serves,
  .bind = sliding_bind,
  .need = sliding_need,
  .open = sliding_open,
  .restore = sliding_restore,
  .push = sliding_push,
  .resume = sliding_resume,
  .advance = sliding_advance,
  .save = sliding_save,
  .finish = sliding_finish,
  .close = sliding_close,
};
