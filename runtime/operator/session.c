/* operator/session.c: agg in sessions: rows of a key that are at most a gap apart.
 *
 * Rows come in time order (operator/time_order.c), so each one either goes on with its key's
 * session or begins one (state/sessions.h); its aggregates are kept while it is open
 * (state/live_states.h). A session is given once time has passed its end, or a row came that is too
 * late for it, whichever is seen first: what it holds is the same. Time goes on one instant behind,
 * since a session that ends just now may yet take a row, and has the time of its last instant. */
#include "operator/agg_rows.h"
#include "operator/row_window.h"
#include "state/sessions.h"

#include <string.h>

static const tm_option session_options[] = {
  {"keys", "list", NULL, "columns to group by, of group_by", NULL},
  {"aggs", "list", NULL, "aggregates: agg { tm.sum \"qty\", orders = tm.count() }", NULL},
  TM_WINDOW_OPTIONS,
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct session_plan {
  tm_row_window window; /* first: what row_window.c and agg_plan.c see */
  int64_t gap_us, max_us;
} session_plan;

typedef struct session {
  tm_stage_env env;
  const session_plan *plan;
  tm_agg_rows rows;
  tm_live_states *states;
  tm_sessions sessions;
  int64_t passed_us;    /* sessions that end before are closed, or will be soon */
  int64_t watermark_us; /* as far as time has come */
  int64_t given_us;     /* as the stage said */
  bool ended;
  uint64_t emitted;     /* batches */
} session;

static int no_memory(tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "the open sessions need more than the memory budget");
  return tm_error_help(err, "give more with --memory, or end sessions earlier: a shorter gap,"
                       " or max");
}

/* ------------------------------------------------------------------ bind */

static bool session_serves(const tm_bind *bind) { return tm_row_window_is(bind, "session"); }

static int session_bind(tm_bind *bind, tm_error *err) {
  session_plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return no_memory(err);
  if (tm_row_window_bind(bind, false, false, err) < 0 ||
      tm_row_window_length(bind, "gap", &p->gap_us, err) < 0 ||
      tm_row_window_length(bind, "max", &p->max_us, err) < 0) {
    return -1;
  }
  if (p->gap_us == 0) return tm_fail(err, TM_E_VALUE, "a session wants its gap: tm.session \"5m\"");
  p->window = *(const tm_row_window *)bind->plan;
  bind->plan = p;
  bind->order = TM_ORDER_NONE;
  return 0;
}

/* ------------------------------------------------------------------ life */

static void session_close(void *self) {
  session *s = self;
  tm_live_states_destroy(s->states);
  tm_sessions_deinit(&s->sessions);
  tm_agg_rows_deinit(&s->rows);
  tm_free(s->env.budget, s, sizeof *s);
}

static int session_open(const tm_stage_env *env, void **out, tm_error *err) {
  const session_plan *p = env->bind->plan;
  const tm_group_plan *groups = &p->window.agg.groups;
  session *s = tm_alloc_zero(env->budget, sizeof *s);
  if (s == NULL) return no_memory(err);
  s->env = *env;
  s->plan = p;
  s->passed_us = s->watermark_us = s->given_us = TM_TIME_NONE;
  if (tm_agg_rows_init(&s->rows, &s->env, err) < 0) {
    tm_free(env->budget, s, sizeof *s);
    return -1;
  }
  const uint8_t *needed = env->bind->needed;
  if (needed != NULL) needed += tm_group_plan_first(groups);
  s->states = tm_live_states_create(env->budget, groups, needed, &p->window.live, err);
  if (tm_sessions_init(&s->sessions, env->budget, groups->key_types, groups->key_count, p->gap_us,
                       p->max_us) < 0) {
    no_memory(err);
  } else if (s->states != NULL) {
    *out = s;
    return 0;
  }
  session_close(s);
  return -1;
}

/* ------------------------------------------------------------------ sessions out */

/* Keys, bounds and aggregates of the first `count` closed sessions. */
static int fill(session *s, tm_batch *batch, const uint32_t *ids, uint32_t count, tm_error *err) {
  const tm_bind *bind = s->env.bind;
  const tm_row_window *window = &s->plan->window;
  uint32_t *keys = tm_batch_alloc(batch, (count + 1) * sizeof *keys);
  int64_t *starts = tm_batch_alloc(batch, (count + 1) * sizeof *starts);
  int64_t *ends = tm_batch_alloc(batch, (count + 1) * sizeof *ends);
  batch->times = tm_batch_alloc(batch, (count + 1) * sizeof *batch->times);
  if (keys == NULL || starts == NULL || ends == NULL || batch->times == NULL) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    keys[i] = s->sessions.all[ids[i]].key;
    starts[i] = s->sessions.all[ids[i]].start_us;
    ends[i] = tm_sessions_end(&s->sessions, ids[i]);
    batch->times[i] = ends[i] - 1;
  }
  for (uint32_t k = 0; k < window->agg.groups.key_count; k++) {
    if (bind->needed != NULL && !bind->needed[k]) continue;
    if (tm_row_set_read(s->sessions.keys, k, keys, count, false, batch, k) < 0) {
      return no_memory(err);
    }
  }
  if (tm_row_window_stamp(bind, batch, 0, starts) < 0 ||
      tm_row_window_stamp(bind, batch, 1, ends) < 0) {
    return no_memory(err);
  }
  uint32_t column = window->window_column + 2;
  if (tm_live_states_open(s->states, batch, column, err) < 0) return -1;
  return tm_live_states_read(s->states, ids, count, batch, 0, column, err);
}

static int give(session *s, tm_out *out, tm_error *err) {
  uint32_t count = tm_sessions_closed(&s->sessions), max = s->env.bind->job->batch_rows;
  count = count < max ? count : max;
  if (count == 0) return 0;
  tm_batch *batch = tm_batch_create(s->env.budget, s->env.bind->output, count);
  if (batch == NULL) return no_memory(err);
  const uint32_t *ids = s->sessions.closed + s->sessions.closed_at;
  if (fill(s, batch, ids, count, err) < 0) {
    tm_batch_release(batch);
    return -1;
  }
  for (uint32_t i = 0; i < count; i++) {
    tm_live_states_drop(s->states, s->sessions.closed[s->sessions.closed_at]);
    tm_sessions_drop(&s->sessions);
  }
  batch->sequence = s->emitted++;
  s->env.ledger->produced += count;
  tm_out_emit(out, batch);
  return 0;
}

/* Whatever has ended leaves, a batch a call; then time goes on. */
static tm_flow drain(session *s, tm_out *out, tm_error *err) {
  int more = tm_sessions_settle_step(&s->sessions);
  if (more != 0) return more < 0 ? no_memory(err) : TM_FLOW_MORE;
  int all = tm_sessions_advance(&s->sessions, s->ended ? TM_TIME_END : s->passed_us,
                                s->env.bind->job->batch_rows);
  if (all < 0) return no_memory(err);
  if (give(s, out, err) < 0) return TM_FLOW_FAILED;
  if (!all || tm_sessions_closed(&s->sessions) > 0) return TM_FLOW_MORE;
  if (s->ended) return TM_FLOW_FINISHED;
  int64_t time_us = s->watermark_us == TM_TIME_NONE ? TM_TIME_NONE : s->watermark_us - 1;
  if (time_us > s->given_us) out->watermark_us = s->given_us = time_us;
  return TM_FLOW_INPUT;
}

/* ------------------------------------------------------------------ rows in */

/* Once no function can refuse a row any more. */
static int add_rows(session *s, const tm_batch *batch, tm_error *err) {
  uint32_t *ids = tm_arena_alloc(&s->rows.scratch, (batch->selected + 1) * sizeof *ids);
  if (ids == NULL) return no_memory(err);
  if (tm_sessions_add(&s->sessions, s->rows.keys, batch->times, batch->selection, batch->selected,
                      ids) < 0) {
    return no_memory(err);
  }
  if (tm_live_states_reserve(s->states, s->sessions.count, err) < 0) return -1;
  tm_live_rows rows = {
    .inputs = s->rows.inputs,
    .rows = batch->selection,
    .count = batch->selected,
    .row_count = batch->rows,
    .holds = (const uint8_t *const *)s->rows.holds,
    .times = batch->times,
  };
  int64_t last_us = batch->times[tm_batch_row(batch, batch->selected - 1)];
  if (last_us > s->passed_us) s->passed_us = last_us;
  return tm_live_states_add(s->states, &rows, ids, err);
}

static tm_flow session_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                            tm_error *err) {
  session *s = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, s->env.budget);
  if (batch == NULL) return no_memory(err);
  int done = tm_agg_rows_open(&s->rows, batch, out, err);
  if (done == 0 && batch->selected > 0) done = add_rows(s, batch, err);
  s->env.ledger->absorbed += done == 0 ? batch->selected : 0;
  tm_batch_release(batch);
  tm_agg_rows_close(&s->rows);
  return done < 0 ? TM_FLOW_FAILED : drain(s, out, err);
}

static tm_flow session_resume(void *self, tm_out *out, tm_error *err) {
  return drain(self, out, err);
}

static tm_flow session_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                               tm_error *err) {
  session *s = self;
  (void)port;
  s->watermark_us = watermark_us;
  if (watermark_us > s->passed_us) s->passed_us = watermark_us;
  return drain(s, out, err);
}

static tm_flow session_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  session *s = self;
  (void)port;
  s->ended = true;
  return drain(s, out, err);
}

/* ------------------------------------------------------------------ save, restore */

typedef struct visit {
  session *session;
  tm_record_writer *writer;
  tm_record_reader *reader;
} visit;

static int save_state(void *context, uint32_t id, tm_error *err) {
  visit *v = context;
  (void)err;
  tm_live_states_save(v->session->states, id, v->writer);
  return 0;
}

static int restore_state(void *context, uint32_t id, tm_error *err) {
  visit *v = context;
  if (tm_live_states_reserve(v->session->states, id + 1, err) < 0) return -1;
  return tm_live_states_restore(v->session->states, id, v->reader, err);
}

static int session_save(void *self, tm_bytes *out, tm_error *err) {
  session *s = self;
  tm_record_writer w = {.out = out};
  visit v = {.session = s, .writer = &w};
  tm_record_put(&w, (uint64_t)s->passed_us);
  tm_record_put(&w, (uint64_t)s->watermark_us);
  tm_record_put(&w, (uint64_t)s->given_us);
  tm_record_put(&w, s->ended);
  tm_record_put(&w, s->emitted);
  if (tm_sessions_save(&s->sessions, &w, save_state, &v, err) < 0) return -1;
  return tm_record_end(&w, err);
}

static int session_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  session *s = self;
  tm_record_reader r;
  visit v = {.session = s, .reader = &r};
  tm_record_open(&r, bytes, size);
  s->passed_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  s->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  s->given_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  s->ended = tm_record_get(&r, 1);
  s->emitted = tm_record_get(&r, UINT64_MAX);
  if (tm_sessions_restore(&s->sessions, &r, restore_state, &v, err) < 0) return -1;
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_session = {
  .size = sizeof(tm_stage),
  .name = "agg",
  .summary = "aggregates of rows of a key that are at most a gap apart",
  .inputs = 1,
  .options = session_options,
  .serves = session_serves,
  .bind = session_bind,
  .need = tm_agg_need,
  .open = session_open,
  .restore = session_restore,
  .push = session_push,
  .resume = session_resume,
  .advance = session_advance,
  .save = session_save,
  .finish = session_finish,
  .close = session_close,
};
