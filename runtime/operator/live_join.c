/* operator/live_join.c: the join of two sides that both stay alive, in a stream.
 *
 * Both sides are kept. A row of one side meets the rows of the other that have its key, and gives a
 * pair with each, of their weights multiplied: so a row that is taken back takes its pairs back
 * (the bilinear rule of incremental joins; M. Budiu et al., "DBSP", 2023). Where rows come out by
 * themselves, without a match or because of one (outer, semi and anti kinds), each keeps the sum of
 * the weights that match it; what a batch changes of that is noted once a row, and the row that is
 * null on the other side is taken back, or comes back, when its first match comes or its last goes.
 *
 * A batch goes through in slices of pairs, so that a key with a million rows stalls nobody:
 *   PAIRS  pairs with the other side, by chains of equal keys; the condition runs over each slice
 *   ROWS   the batch's rows that come out by themselves
 *   KEPT   the other side's rows that do so no more, or again
 *   STORE  the batch's rows join their side (live_join_rows.c)
 * No input is taken meanwhile, so that the other side stands still.
 *
 * An inner join of rows that are final gives final rows, with the later time of the two. Anything
 * else is a changelog, or comes long after its time, and has none. */
#include "operator/live_join.h"

#include <assert.h>
#include <string.h>

#include "stage/changelog.h"
#include "stage/options.h"

static const tm_option live_join_options[] = {
  {"on", "text|table|list", NULL, "\"id\", { \"id\", left = \"right\" }, or {} for one row", NULL},
  {"kind", "text", "inner", "inner, left, right, full, semi or anti", NULL},
  {"where", "function", NULL, "a condition on both rows: function(l, r) return … end", NULL},
  {"take", "text|table|list", NULL, "columns of the right side, { new = \"old\" } renames", NULL},
  {"prefix", "text", NULL, "goes before the names of the right side's columns", NULL},
  {"ttl", "text|duration", NULL, "rows older than that by event time are forgotten", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef tm_live_join live_join;
typedef tm_live_join_plan live_plan;
typedef tm_live_row live_row;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

/* ---------------------------------------------------------------- binding */

static bool live_join_serves(const tm_bind *bind) {
  const tm_value *window = tm_value_get(bind->options, "window");
  bool windowed = window != NULL && window->kind != TM_VALUE_NIL;
  return bind->job->stream && !windowed && !tm_join_builds_first(bind);
}

static int bind_ttl(tm_bind *bind, live_plan *p, tm_error *err) {
  const tm_value *ttl = tm_value_get(bind->options, "ttl");
  if (ttl == NULL || ttl->kind == TM_VALUE_NIL) return 0;
  p->ttl_us = tm_options_duration(bind->options, "ttl", 0);
  if (p->ttl_us <= 0) {
    tm_fail(err, TM_E_VALUE, "join: 'ttl' is a duration, as \"1d\"");
    tm_error_token(err, "ttl", "");
    return -1;
  }
  for (int side = 0; side < 2; side++) {
    if (p->join.side_timed[side]) continue;
    tm_fail(err, TM_E_JOB, "join: 'ttl' goes by event time, and rows of the %s side have none",
            side == 0 ? "left" : "right");
    tm_error_token(err, "ttl", "");
    return tm_error_help(err, "give its source time = { field = … }; the results of aggregates"
                         " without a window have no time");
  }
  return 0;
}

static void bind_changes(tm_bind *bind, live_plan *p) {
  join_kind kind = p->join.kind;
  bool half = kind == JOIN_SEMI || kind == JOIN_ANTI, changes = kind != JOIN_INNER;
  if (kind == JOIN_SEMI) changes = false; /* a row that has come stays */
  for (int side = 0; side < 2; side++) {
    p->retracts[side] = bind->facts_in[side].changelog;
    changes |= p->retracts[side];
  }
  p->tracks[0] = half || p->join.outer_left;
  p->tracks[1] = p->join.outer_right;
  bind->facts_out.changelog = changes;
  p->join.keeps_marks = true;
  if (kind == JOIN_INNER && !changes && p->join.side_timed[0] && p->join.side_timed[1]) return;
  p->join.timed = false;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE);
}

static const char *describe(tm_bind *bind, const live_plan *p) {
  static const char *const kinds[] = {"inner", "left", "right", "full", "semi", "anti"};
  uint32_t keys = p->join.keys[0].count;
  const char *text = tm_value_text(bind->options, "ttl", NULL);
  const char *forgets = p->ttl_us == 0 ? "for ever: without ttl it only grows"
                        : text == NULL ? "until their ttl"
                                       : tm_arena_format(bind->arena, "for %s", text);
  return tm_arena_format(bind->arena, "%s on %u %s, keeps rows of both sides %s",
                         kinds[p->join.kind], keys, keys == 1 ? "key" : "keys", forgets);
}

static int live_join_bind(tm_bind *bind, tm_error *err) {
  const join_shape shape = {.size = sizeof(live_plan), .kinds = JOIN_ALL_KINDS, .scalar = true};
  live_plan *p = (live_plan *)tm_join_plan_create(bind, &shape, err);
  if (p == NULL || bind_ttl(bind, p, err) < 0) return -1;
  bind_changes(bind, p);
  bind->single = true;
  bind->detail = describe(bind, p);
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* ---------------------------------------------------------------- life */

static int live_join_open(const tm_stage_env *env, void **out, tm_error *err) {
  live_join *j = tm_alloc_zero(env->budget, sizeof *j);
  if (j == NULL) return no_memory(err);
  j->env = *env;
  j->plan = env->bind->plan;
  j->told_us = j->watermarks_us[0] = j->watermarks_us[1] = TM_TIME_NONE;
  j->pairs = (tm_join_pairs){.env = &j->env, .plan = &j->plan->join};
  if (tm_live_join_rows_init(j, err) < 0) {
    tm_live_join_rows_deinit(j);
    tm_free(env->budget, j, sizeof *j);
    return -1;
  }
  *out = j;
  return 0;
}

static void live_join_close(void *self) {
  live_join *j = self;
  tm_batch_release(j->probe.batch);
  tm_live_join_rows_deinit(j);
  tm_free(j->env.budget, j, sizeof *j);
}

/* ---------------------------------------------------------------- the batch that probes */

int tm_live_join_begin(tm_live_join *j, uint32_t port, tm_batch *taken, tm_error *err) {
  tm_live_probe *p = &j->probe;
  *p = (tm_live_probe){.port = port};
  p->batch = tm_batch_own(taken, j->env.budget); /* scratch comes from its arena */
  if (p->batch == NULL) return no_memory(err);
  size_t room = p->batch->selected + (size_t)1;
  p->keys = tm_batch_alloc(p->batch, room * sizeof *p->keys);
  p->met = tm_batch_alloc(p->batch, room * sizeof *p->met);
  if (p->keys == NULL || p->met == NULL) return no_memory(err);
  memset(p->met, 0, room * sizeof *p->met);
  j->pairs.kept = 1 - port;
  j->pairs.pool = &j->sides[1 - port].pool;
  tm_join_pairs_begin(&j->pairs, p->batch);
  return tm_live_join_find_keys(j, err);
}

static int64_t weight_of(const live_join *j, uint32_t nth) {
  const tm_batch *batch = j->probe.batch;
  return batch->weights == NULL ? 1 : batch->weights[tm_batch_row(batch, nth)];
}

/* Rows of the right side by on = {}: after the batch, whose changes may stand in any order. */
static int check_scalar(live_join *j, tm_error *err) {
  tm_live_side *s = &j->sides[j->probe.port];
  for (uint32_t i = 0; i < j->probe.batch->selected; i++) s->weight += weight_of(j, i);
  if (!j->plan->join.scalar || j->probe.port == 0 || s->weight <= 1) return 0;
  return tm_fail(err, TM_E_SCALAR, "join with on = {} wants at most one row on the right, it has "
                 "%lld", (long long)s->weight);
}

bool tm_live_join_touch(tm_live_join *j, uint32_t id, int64_t before) {
  tm_live_probe *p = &j->probe;
  live_row *row = tm_live_join_row(j, 1 - p->port, id);
  if (row->touch < p->touch_count && p->touches[row->touch].id == id) return true;
  if (p->touch_count == p->touch_capacity) {
    uint32_t capacity = p->touch_capacity == 0 ? 256 : 2 * p->touch_capacity;
    tm_live_touch *grown = tm_batch_alloc(p->batch, capacity * sizeof *grown);
    if (grown == NULL) return false;
    if (p->touch_count > 0) memcpy(grown, p->touches, p->touch_count * sizeof *grown);
    p->touches = grown;
    p->touch_capacity = capacity;
  }
  row->touch = p->touch_count;
  p->touches[p->touch_count++] = (tm_live_touch){.before = before, .id = id};
  return true;
}

/* ---------------------------------------------------------------- pairs */

static void fill(live_join *j, uint32_t max) {
  tm_live_probe *p = &j->probe;
  tm_join_pairs *s = &j->pairs;
  const uint32_t other = 1 - p->port;
  for (; p->at < p->batch->selected; p->at++) {
    if (p->keys[p->at] == TM_ROW_SET_NONE) continue;
    uint32_t row = tm_batch_row(p->batch, p->at);
    if (!p->started) p->next = j->sides[other].heads[p->keys[p->at]];
    p->started = true;
    while (p->next != TM_POOL_NONE && s->count < max) {
      s->probe[s->count] = p->at;
      s->rows[s->count] = row;
      s->ids[s->count++] = p->next;
      p->next = tm_live_join_row(j, other, p->next)->next;
    }
    if (p->next != TM_POOL_NONE) return; /* the slice is full */
    p->started = false;
  }
}

/* Counts for both rows of each pair what they have met. */
static int meet(live_join *j, tm_error *err) {
  const tm_join_pairs *s = &j->pairs;
  const uint32_t other = 1 - j->probe.port;
  for (uint32_t i = 0; i < s->count; i++) {
    live_row *row = tm_live_join_row(j, other, s->ids[i]);
    j->probe.met[s->probe[i]] += row->weight;
    if (!j->plan->tracks[other]) continue;
    if (!tm_live_join_touch(j, s->ids[i], row->met)) return no_memory(err);
    row->met += weight_of(j, s->probe[i]);
  }
  return 0;
}

static int set_weight(tm_batch *batch, uint32_t row, int64_t weight, tm_error *err) {
  batch->weights[row] = (int32_t)weight;
  if (weight == (int32_t)weight) return 0;
  return tm_fail(err, TM_E_OVERFLOW, "join: a row would come %lld times at once",
                 (long long)weight);
}

static int open_weights(const live_join *j, tm_batch *batch, tm_error *err) {
  batch->weights = NULL;
  if (!j->env.bind->facts_out.changelog) return 0; /* all are 1 */
  batch->weights = tm_batch_alloc(batch, (batch->rows + (size_t)1) * sizeof *batch->weights);
  return batch->weights == NULL ? no_memory(err) : 0;
}

static int emit(live_join *j, tm_batch *batch, tm_out *out) {
  j->env.ledger->produced += batch->selected;
  tm_out_emit(out, batch);
  return 0;
}

static int give_pairs(live_join *j, tm_out *out, tm_error *err) {
  const tm_join_pairs *s = &j->pairs;
  tm_batch *batch = tm_join_pairs_make(s, s->rows, s->ids, s->count, err);
  int done = batch == NULL ? -1 : open_weights(j, batch, err);
  for (uint32_t i = 0; done == 0 && batch->weights != NULL && i < s->count; i++) {
    int64_t other = tm_live_join_row(j, s->kept, s->ids[i])->weight, weight;
    if (__builtin_mul_overflow(weight_of(j, s->probe[i]), other, &weight)) weight = INT64_MAX;
    done = set_weight(batch, i, weight, err);
  }
  if (done == 0) return emit(j, batch, out);
  tm_batch_release(batch);
  return -1;
}

static bool is_half(const live_join *j) {
  return j->plan->join.kind == JOIN_SEMI || j->plan->join.kind == JOIN_ANTI;
}

/* One slice. 0, or -1 with err. */
static int run_pairs(live_join *j, tm_out *out, tm_error *err) {
  uint32_t max = j->env.bind->job->batch_rows;
  if (tm_join_pairs_reserve(&j->pairs, max, err) < 0) return -1;
  fill(j, max);
  if (tm_join_pairs_where(&j->pairs, out, err) < 0 || meet(j, err) < 0) return -1;
  return is_half(j) || j->pairs.count == 0 ? 0 : give_pairs(j, out, err);
}

/* ---------------------------------------------------------------- rows by themselves */

static bool comes_out(const live_join *j, uint32_t side, bool met) {
  const join_plan *p = &j->plan->join;
  if (p->kind == JOIN_SEMI) return side == 0 && met;
  if (p->kind == JOIN_ANTI) return side == 0 && !met;
  return !met && (side == 0 ? p->outer_left : p->outer_right);
}

static int give_rows(live_join *j, tm_out *out, tm_error *err) {
  tm_live_probe *p = &j->probe;
  uint32_t count = 0, max = p->batch->selected;
  uint32_t *rows = tm_batch_alloc(p->batch, (2 * (size_t)max + 1) * sizeof *rows);
  if (rows == NULL) return no_memory(err);
  uint32_t *places = rows + max;
  for (uint32_t i = 0; i < max; i++) {
    rows[count] = tm_batch_row(p->batch, i);
    places[count] = i;
    count += comes_out(j, p->port, p->met[i] > 0);
  }
  if (count == 0) return 0;
  tm_batch *batch = tm_join_pairs_make(&j->pairs, rows, NULL, count, err);
  int done = batch == NULL ? -1 : open_weights(j, batch, err);
  for (uint32_t i = 0; done == 0 && batch->weights != NULL && i < count; i++) {
    done = set_weight(batch, i, weight_of(j, places[i]), err);
  }
  if (done == 0) return emit(j, batch, out);
  tm_batch_release(batch);
  return -1;
}

/* Some rows of the other side that come out no more, or again. */
static int give_kept(live_join *j, tm_out *out, tm_error *err) {
  tm_live_probe *p = &j->probe;
  const uint32_t other = 1 - p->port;
  uint32_t ids[TM_BATCH_ROWS], count = 0;
  uint32_t max = j->env.bind->job->batch_rows < TM_BATCH_ROWS ? j->env.bind->job->batch_rows
                                                              : TM_BATCH_ROWS;
  for (; p->given < p->touch_count && count < max; p->given++) {
    const tm_live_touch *t = &p->touches[p->given];
    ids[count] = t->id;
    count += (t->before > 0) != (tm_live_join_row(j, other, t->id)->met > 0);
  }
  if (count == 0) return 0;
  tm_batch *batch = tm_join_pairs_make(&j->pairs, NULL, ids, count, err);
  int done = batch == NULL ? -1 : open_weights(j, batch, err);
  for (uint32_t i = 0; done == 0 && batch->weights != NULL && i < count; i++) {
    const live_row *row = tm_live_join_row(j, other, ids[i]);
    int64_t weight = comes_out(j, other, row->met > 0) ? row->weight : -row->weight;
    done = set_weight(batch, i, weight, err);
  }
  if (done == 0) return emit(j, batch, out);
  tm_batch_release(batch);
  return -1;
}

/* ---------------------------------------------------------------- phases */

static tm_flow settle(live_join *j, tm_out *out, tm_error *err) {
  int more = tm_live_join_expire(j);
  if (more == 0) more = tm_live_join_settle(j);
  if (more < 0) return no_memory(err);
  if (more > 0) return TM_FLOW_MORE;
  int64_t least = j->watermarks_us[0] < j->watermarks_us[1] ? j->watermarks_us[0]
                                                            : j->watermarks_us[1];
  if (least > j->told_us && least != TM_TIME_END) out->watermark_us = j->told_us = least;
  return j->ended[0] && j->ended[1] ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

/* A phase's next step. 1: the phase is over, 0: it is not, -1 with err. */
static int step(live_join *j, tm_out *out, tm_error *err) {
  tm_live_probe *p = &j->probe;
  switch (p->phase) {
    case LIVE_PAIRS:
      if (run_pairs(j, out, err) < 0) return -1;
      return p->at == p->batch->selected;
    case LIVE_ROWS: return give_rows(j, out, err) < 0 ? -1 : 1;
    case LIVE_KEPT:
      if (give_kept(j, out, err) < 0) return -1;
      return p->given == p->touch_count;
    case LIVE_STORE:
      return tm_live_join_store(j, err) < 0 || check_scalar(j, err) < 0 ? -1 : 1;
  }
  return -1;
}

/* Goes on until something comes out, or the batch is in. */
static tm_flow run(live_join *j, tm_out *out, tm_error *err) {
  tm_live_probe *p = &j->probe;
  const bool alone = j->plan->tracks[0] || j->plan->tracks[1];
  for (;;) {
    int over = step(j, out, err);
    if (over < 0) return TM_FLOW_FAILED;
    if (over == 0) return TM_FLOW_MORE;
    if (p->phase == LIVE_STORE) break;
    p->phase = alone ? p->phase + 1 : LIVE_STORE;
    if (out->main != NULL && p->phase != LIVE_STORE) return TM_FLOW_MORE;
  }
  tm_join_pairs_begin(&j->pairs, NULL);
  tm_batch_release(p->batch);
  p->batch = NULL;
  return settle(j, out, err);
}

/* ---------------------------------------------------------------- the protocol */

static tm_flow live_join_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                              tm_error *err) {
  live_join *j = self;
  assert(j->probe.batch == NULL);
  j->env.ledger->absorbed += taken->selected;
  return tm_live_join_begin(j, port, taken, err) < 0 ? TM_FLOW_FAILED : run(j, out, err);
}

static tm_flow live_join_resume(void *self, tm_out *out, tm_error *err) {
  live_join *j = self;
  return j->probe.batch != NULL ? run(j, out, err) : settle(j, out, err);
}

static tm_flow live_join_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                                 tm_error *err) {
  live_join *j = self;
  if (watermark_us > j->watermarks_us[port]) j->watermarks_us[port] = watermark_us;
  return settle(j, out, err);
}

static tm_flow live_join_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  live_join *j = self;
  j->ended[port] = true;
  j->watermarks_us[port] = TM_TIME_END;
  return settle(j, out, err);
}

const tm_stage tm_stage_live_join = {
  .size = sizeof(tm_stage),
  .name = "join",
  .summary = "rows of two sides whose keys are equal, as both come and go",
  .inputs = 2,
  .options = live_join_options,
  .serves = live_join_serves,
  .bind = live_join_bind,
  .need = tm_join_need,
  .open = live_join_open,
  .restore = tm_live_join_restore,
  .push = live_join_push,
  .resume = live_join_resume,
  .advance = live_join_advance,
  .save = tm_live_join_save,
  .finish = live_join_finish,
  .close = live_join_close,
};
