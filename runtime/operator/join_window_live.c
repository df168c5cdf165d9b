/* operator/join_window_live.c: joins of rows that lie in one window, as time passes.
 *
 * Rows of both sides are kept, in slices in which no window begins or ends (kernel/window_grid.h),
 * until no window that they are in is open. When both sides' time has come to the end of a window
 * it fires: the right rows of each key are linked in a chain, the left ones, gathered a batch at a
 * time, find their chain by the entry of the key that both hold, then right rows without a match
 * come out where the kind wants them. So a key is looked up once a row, however many windows
 * overlap. Windows fire in their order, which also tells when a slice is through.
 *
 * A row is late when all its windows end at or before its own mark; in windows that overlap it
 * counts in those only that are open to it. In a batch everything fires at the end; windows that
 * tumble are join_window.c's there.
 *
 * The books are those of "the right side is built" (join.c); a left row in several windows is
 * produced once more for each but the first. */
#include <string.h>

#include "operator/join_window_live.h"

enum {
  WORK_MAX = 1 << 14, /* rows that a step looks at */
  STEPS_MAX = 16,     /* of a call */
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

/* ---------------------------------------------------------------- bind, open, close */

static bool window_serves(const tm_bind *bind) {
  int kind = tm_window_plan_kind(bind->options);
  return kind >= 0 && (bind->job->stream || kind != TM_WINDOW_TUMBLING);
}

static int window_bind(tm_bind *bind, tm_error *err) {
  tm_join_window_plan *p = tm_join_window_plan_create(bind, false, err);
  if (p == NULL) return -1;
  p->join.timed = false; /* the window tells the time */
  bind->single = true;
  tm_join_take_turns(bind);
  return 0;
}

static void window_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  tm_join_need(bind, needed_out, in);
  for (int side = 0; bind->late_to != NULL && side < 2; side++) {
    memset(in[side], 1, bind->inputs[side]->count); /* late rows are shown whole */
  }
}

static void window_close(void *self) {
  join_window *w = self;
  tm_join_window_end_batch(w);
  tm_join_window_rows_deinit(w);
  tm_free(w->env.budget, w, sizeof *w);
}

static int window_open(const tm_stage_env *env, void **out, tm_error *err) {
  join_window *w = tm_alloc_zero(env->budget, sizeof *w);
  if (w == NULL) return no_memory(err);
  w->env = *env;
  w->plan = env->bind->plan;
  w->watermarks_us[0] = w->watermarks_us[1] = w->told_us = TM_TIME_NONE;
  w->pairs = (tm_join_pairs){.env = &w->env, .plan = &w->plan->join, .kept = 1,
                             .pool = &w->pools[1]};
  if (tm_join_window_rows_init(w, err) < 0) {
    window_close(w);
    return -1;
  }
  *out = w;
  return 0;
}

/* ---------------------------------------------------------------- rows of the result */

static int stamp(const join_window *w, tm_batch *batch, tm_error *err) {
  int64_t *starts = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *starts);
  int64_t *ends = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *ends);
  if (starts == NULL || ends == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->rows; i++) {
    starts[i] = w->window.start_us;
    ends[i] = w->window.end_us;
  }
  uint32_t column = w->env.bind->output->count - 2;
  return tm_window_plan_stamp(&w->plan->window, w->env.bind, batch, column, starts, ends, err);
}

static tm_flow emit(const join_window *w, const uint32_t *rows, const uint32_t *ids,
                    uint32_t count, tm_out *out, tm_error *err) {
  if (count == 0) return TM_FLOW_MORE;
  tm_batch *batch = tm_join_pairs_make(&w->pairs, rows, ids, count, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  if (stamp(w, batch, err) < 0) {
    tm_batch_release(batch);
    return TM_FLOW_FAILED;
  }
  tm_out_emit(out, batch);
  return TM_FLOW_MORE;
}

/* ---------------------------------------------------------------- right rows */

static tm_flow link_rows(join_window *w, tm_error *err) {
  for (uint32_t work = 0; work < WORK_MAX;) {
    uint32_t id = tm_join_window_step(w, 1, &work);
    if (id == TM_POOL_NONE) {
      tm_join_window_begin(w, FIRE_LEFT);
      break;
    }
    if (tm_join_window_link(w, id, err) < 0) return TM_FLOW_FAILED;
  }
  return TM_FLOW_MORE;
}

static tm_flow emit_right(join_window *w, tm_out *out, tm_error *err) {
  uint32_t ids[TM_BATCH_ROWS], max = tm_window_batch_rows(w), count = 0;
  if (!w->plan->join.outer_right) {
    w->phase = FIRE_DROP;
    return TM_FLOW_MORE;
  }
  for (uint32_t work = 0; count < max && work < WORK_MAX;) {
    uint32_t id = tm_join_window_step(w, 1, &work);
    if (id == TM_POOL_NONE) {
      w->phase = FIRE_DROP;
      break;
    }
    w->counted++;
    if (!tm_window_row(w, 1, id)->met) ids[count++] = id;
  }
  w->env.ledger->produced += count;
  return emit(w, NULL, ids, count, out, err);
}

/* ---------------------------------------------------------------- left rows */

static bool is_half(const join_window *w) {
  return w->plan->join.kind == JOIN_SEMI || w->plan->join.kind == JOIN_ANTI;
}

void tm_join_window_end_batch(join_window *w) {
  tm_batch_release(w->pairs.batch);
  tm_join_pairs_begin(&w->pairs, NULL);
  w->count = w->at = 0;
}

static tm_batch *copy_left(const join_window *w) {
  const tm_schema *schema = w->env.bind->inputs[0];
  tm_batch *batch = tm_batch_create(w->env.budget, schema, w->count);
  bool done = batch != NULL;
  for (uint32_t c = 0; done && c < schema->count; c++) {
    if (!w->plan->join.kept[0][c]) continue;
    done = tm_row_pool_gather(&w->pools[0], c, w->ids, NULL, w->count, false, batch, c) == 0;
  }
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}

int tm_join_window_gather(join_window *w, tm_error *err) {
  uint32_t max = tm_window_batch_rows(w);
  w->count = w->at = w->seen = 0;
  w->placed = false;
  for (uint32_t work = 0; w->count < max && work < WORK_MAX;) {
    uint32_t id = tm_join_window_step(w, 0, &work);
    if (id == TM_POOL_NONE) break;
    w->ids[w->count++] = id;
  }
  memset(w->met, 0, w->count);
  tm_batch *batch = w->count == 0 ? NULL : copy_left(w);
  tm_join_pairs_begin(&w->pairs, batch);
  return w->count > 0 && batch == NULL ? no_memory(err) : 0;
}

/* The first match of a row. */
static void place_row(join_window *w) {
  tm_key_entry *entry = tm_window_row(w, 0, w->ids[w->at])->key;
  const window_key *key = entry == NULL ? NULL : tm_window_key(entry);
  w->match = key != NULL && key->fire == w->fire ? key->first : TM_POOL_NONE;
  for (uint32_t i = 0; i < w->seen && w->match != TM_POOL_NONE; i++) { /* after a restore */
    w->match = tm_window_row(w, 1, w->match)->match;
  }
  w->placed = true;
}

static void fill(join_window *w, uint32_t max) {
  tm_join_pairs *p = &w->pairs;
  for (; w->at < w->count; w->at++, w->seen = 0, w->placed = false) {
    if (!w->placed) place_row(w);
    for (; w->match != TM_POOL_NONE; w->seen++) {
      if (p->count == max) return;
      p->probe[p->count] = p->rows[p->count] = w->at;
      p->ids[p->count++] = w->match;
      w->match = tm_window_row(w, 1, w->match)->match;
    }
  }
}

/* All have looked: books them, and gives out those that come by themselves. */
static tm_flow settle(join_window *w, tm_out *out, tm_error *err) {
  const join_plan *p = &w->plan->join;
  tm_ledger *l = w->env.ledger;
  uint32_t rows[TM_BATCH_ROWS], count = 0;
  for (uint32_t i = 0; i < w->count; i++) {
    window_row *row = tm_window_row(w, 0, w->ids[i]);
    bool met = w->met[i];
    if (row->fired) l->produced++;
    else l->held--;
    row->fired = 1;
    if (met && !is_half(w)) l->produced--;
    if (met && p->kind == JOIN_ANTI) l->filtered++;
    bool comes = p->kind == JOIN_SEMI ? met : !met && (p->outer_left || p->kind == JOIN_ANTI);
    if (!met && !comes) l->unmatched++;
    rows[count] = i;
    count += comes;
  }
  tm_flow flow = emit(w, rows, NULL, count, out, err);
  w->counted += w->count;
  tm_join_window_end_batch(w);
  return flow;
}

static tm_flow look(join_window *w, tm_out *out, tm_error *err) {
  uint32_t max = w->env.bind->job->batch_rows;
  tm_join_pairs *p = &w->pairs;
  if (tm_join_pairs_reserve(p, max, err) < 0) return TM_FLOW_FAILED;
  fill(w, max);
  if (p->count == 0) return settle(w, out, err);
  if (tm_join_pairs_where(p, out, err) < 0) return TM_FLOW_FAILED;
  for (uint32_t i = 0; i < p->count; i++) {
    w->met[p->probe[i]] = 1;
    tm_window_row(w, 1, p->ids[i])->met = 1;
  }
  if (is_half(w)) return TM_FLOW_MORE;
  w->env.ledger->produced += p->count; /* settle() takes back one for each row that matched */
  return emit(w, p->rows, p->ids, p->count, out, err);
}

static tm_flow look_left(join_window *w, tm_out *out, tm_error *err) {
  if (w->pairs.batch != NULL) return look(w, out, err);
  if (tm_join_window_gather(w, err) < 0) return TM_FLOW_FAILED;
  bool more = w->cursor.slice < w->slice_count &&
              w->slices[w->cursor.slice].span.end_us <= w->window.end_us;
  if (w->count == 0 && !more) tm_join_window_begin(w, FIRE_RIGHT);
  return TM_FLOW_MORE;
}

/* ---------------------------------------------------------------- what there is to do */

/* A step of the window that fires. */
static tm_flow fire(join_window *w, tm_out *out, tm_error *err) {
  switch (w->phase) {
    case FIRE_LINK: return link_rows(w, err);
    case FIRE_LEFT: return look_left(w, out, err);
    case FIRE_RIGHT: return emit_right(w, out, err);
    case FIRE_DROP:
      if (tm_join_window_drop(w)) w->phase = FIRE_NONE;
      return TM_FLOW_MORE;
    default: return TM_FLOW_MORE;
  }
}

static int64_t least_watermark(const join_window *w) {
  int64_t least = TM_TIME_END;
  for (int port = 0; port < 2; port++) {
    if (!w->ended[port] && w->watermarks_us[port] < least) least = w->watermarks_us[port];
  }
  return least;
}

/* Small windows are through in a call; else a call ends with a batch, or after some steps. */
static tm_flow go_on(join_window *w, tm_out *out, tm_error *err) {
  for (int step = 0; w->phase != FIRE_NONE || tm_join_window_next(w); step++) {
    if (w->phase == FIRE_NONE) tm_join_window_begin(w, FIRE_LINK);
    if (fire(w, out, err) == TM_FLOW_FAILED) return TM_FLOW_FAILED;
    if (out->main != NULL || step == STEPS_MAX) return TM_FLOW_MORE;
  }
  if (w->ended[0] && w->ended[1]) return TM_FLOW_FINISHED;
  int64_t least = least_watermark(w);
  if (least > w->told_us) out->watermark_us = w->told_us = least;
  return TM_FLOW_INPUT;
}

/* ---------------------------------------------------------------- the protocol */

static tm_flow window_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                           tm_error *err) {
  join_window *w = self;
  tm_batch *batch = tm_batch_own(taken, w->env.budget);
  if (batch == NULL) return no_memory(err);
  int64_t *closed = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *closed);
  int done = closed == NULL ? no_memory(err)
                            : tm_join_window_drop_late(w, port, batch, closed, out, err);
  if (done == 0) done = tm_join_window_keep(w, port, batch, closed, err);
  tm_batch_release(batch);
  return done < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

static tm_flow window_resume(void *self, tm_out *out, tm_error *err) {
  return go_on(self, out, err);
}

static tm_flow window_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                              tm_error *err) {
  join_window *w = self;
  if (watermark_us > w->watermarks_us[port]) w->watermarks_us[port] = watermark_us;
  return go_on(w, out, err);
}

static tm_flow window_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  join_window *w = self;
  w->ended[port] = true;
  return go_on(w, out, err);
}

static uint32_t window_wants(void *self) {
  const join_window *w = self;
  const uint64_t rows[2] = {w->pools[0].rows, w->pools[1].rows};
  return tm_join_wants_by_time(&w->env, w->watermarks_us, w->ended, rows);
}

const tm_stage tm_stage_join_window_live = {
  .size = sizeof(tm_stage),
  .name = "join",
  .summary = "rows of two sides whose keys are equal, in one window",
  .inputs = 2,
  .options = tm_join_window_options,
  .serves = window_serves,
  .bind = window_bind,
  .need = window_need,
  .open = window_open,
  .restore = tm_join_window_restore,
  .save = tm_join_window_save,
  .wants = window_wants,
  .push = window_push,
  .resume = window_resume,
  .advance = window_advance,
  .finish = window_finish,
  .close = window_close,
};
