/* operator/join_interval_live.c: rows of two sides whose times are near each other, in a stream.
 *
 * Both sides' rows are kept, by key in order of time, as long as a row that may still come can
 * match them. A row that comes is held against those of the other side that are there, and then
 * kept itself; so each pair comes out once, with the later of its two rows. Nothing is put in
 * order.
 *
 * A left row has a range [low, high] of times (join_interval_plan.h). No right row that still comes
 * is earlier than the right watermark: once that is beyond `high`, the left row is dead. A right
 * row of time t is dead once the left watermark is beyond t - from. So what is kept is bounded by
 * the rows within the range, the disorder, and how far one side runs ahead of the other; where `to`
 * is a column, by what that column says; where `from` is one, right rows stay as long as the left
 * side lasts, and a left side without an end is refused. A row that dies without a match comes out
 * then (outer and anti kinds); a semi join's row comes with its first match. Those have old times,
 * and the output's watermark trails behind both inputs' by as much.
 *
 * A row that is behind its own mark is late: others that it matches may be gone.
 *
 * The books are those of "the right side is built" (join.c). */
#include <assert.h>
#include <string.h>

#include "operator/join_interval_live.h"

enum { LOOKED_AT_MAX = 1 << 16 }; /* entries of lists in a call */

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "join_interval: out of memory");
}

/* ---------------------------------------------------------------- life */

static bool interval_serves(const tm_bind *bind) { return bind->job->stream; }

static int interval_bind(tm_bind *bind, tm_error *err) {
  if (tm_join_interval_plan(bind, err) == NULL) return -1;
  bind->single = true;
  tm_join_take_turns(bind);
  return 0;
}

static void interval_close(void *self) {
  interval *i = self;
  tm_interval_end(i);
  tm_interval_rows_deinit(i);
  tm_free(i->env.budget, i, sizeof *i);
}

static int interval_open(const tm_stage_env *env, void **out, tm_error *err) {
  interval *i = tm_alloc_zero(env->budget, sizeof *i);
  if (i == NULL) return no_memory(err);
  i->env = *env;
  i->plan = env->bind->plan;
  i->watermarks_us[0] = i->watermarks_us[1] = i->told_us = TM_TIME_NONE;
  i->pairs = (tm_join_pairs){.env = &i->env, .plan = &i->plan->join};
  if (tm_interval_rows_init(i, err) < 0) {
    interval_close(i);
    return -1;
  }
  *out = i;
  return 0;
}

/* ---------------------------------------------------------------- a batch begins */

static void set_range(interval *i, uint32_t place, uint32_t row) {
  interval_probe *p = &i->probe;
  if (p->port == 0) {
    tm_join_interval_range(i->plan, p->batch, row, &p->lows[place], &p->highs[place]);
    return;
  }
  bool open = i->plan->from.by_column;
  p->lows[place] = 0;
  p->highs[place] = open ? TM_TIME_END : tm_time_less(p->batch->times[row], i->plan->from.us);
}

static int read_rows(interval *i, tm_error *err) {
  interval_probe *p = &i->probe;
  for (uint32_t n = 0; n < p->batch->selected; n++) {
    uint32_t row = tm_batch_row(p->batch, n);
    int usable = tm_join_key_reader_read(&p->keys, &i->env, row, err);
    if (usable < 0) return -1;
    p->usable[n] = (uint8_t)usable;
    p->entries[n] = NULL;
    if (usable) {
      p->entries[n] = tm_key_map_find(&i->keys, p->keys.bytes.data, p->keys.bytes.size,
                                      p->keys.hash);
    }
    set_range(i, n, row);
  }
  return 0;
}

int tm_interval_begin(interval *i, uint32_t port, tm_batch *taken, tm_error *err) {
  size_t rows = (size_t)taken->selected + 1;
  interval_probe *p = &i->probe;
  *p = (interval_probe){.batch = taken, .port = port};
  p->entries = tm_batch_alloc(taken, rows * sizeof *p->entries);
  p->lows = tm_batch_alloc(taken, rows * sizeof *p->lows);
  p->highs = tm_batch_alloc(taken, rows * sizeof *p->highs);
  p->usable = tm_batch_alloc(taken, rows);
  p->met = tm_batch_alloc(taken, rows);
  if (p->entries == NULL || p->lows == NULL || p->highs == NULL || p->usable == NULL ||
      p->met == NULL) {
    return no_memory(err);
  }
  memset(p->met, 0, rows);
  i->pairs.kept = 1 - port;
  i->pairs.pool = &i->pools[1 - port];
  tm_join_pairs_begin(&i->pairs, taken);
  int done = tm_join_key_reader_open(&p->keys, &i->env, taken, &i->plan->join.keys[port], err);
  return done < 0 ? -1 : read_rows(i, err);
}

void tm_interval_end(interval *i) {
  tm_join_key_reader_close(&i->probe.keys);
  tm_batch_release(i->probe.batch);
  i->probe.batch = NULL;
  tm_join_pairs_begin(&i->pairs, NULL);
}

/* ---------------------------------------------------------------- pairs */

/* Where the matches of the row lie in the list of its key. */
static void place_row(interval *i, const tm_time_list *list) {
  interval_probe *p = &i->probe;
  int64_t low = p->lows[p->at], high = p->highs[p->at];
  if (p->port == 1) {
    int64_t time_us = p->batch->times[tm_batch_row(p->batch, p->at)];
    tm_join_interval_left_range(i->plan, time_us, &low, &high);
  }
  p->next = low > high ? 0 : tm_time_list_find(list, low);
  p->end = low > high                ? 0
           : high == TM_TIME_END     ? list->count
                                     : tm_time_list_find(list, high + 1);
  p->next += p->seen; /* after a restore: lists have no gaps then */
  if (p->next > p->end) p->next = p->end;
  p->placed = true;
}

/* A left row may have a range of its own; one match is enough for a half join's. */
static bool fits(const interval *i, uint32_t id, int64_t time_us) {
  if (i->probe.port == 0) return true;
  const interval_row *left = tm_interval_row(i, 0, id);
  if (tm_interval_is_half(i) && left->met) return false;
  return left->low_us <= time_us && time_us <= left->high_us;
}

/* The next pairs. */
static void fill(interval *i, uint32_t max) {
  interval_probe *p = &i->probe;
  tm_join_pairs *pairs = &i->pairs;
  uint32_t looked_at = 0;
  for (; p->at < p->batch->selected; p->at++, p->placed = false, p->seen = 0) {
    if (p->entries[p->at] == NULL) continue;
    const tm_time_list *list = &tm_interval_key(p->entries[p->at])->rows[1 - p->port];
    const tm_time_entry *entries = tm_time_list_entries(list);
    uint32_t row = tm_batch_row(p->batch, p->at);
    if (!p->placed) place_row(i, list);
    for (; p->next < p->end; p->next++) {
      if (pairs->count == max || looked_at++ == LOOKED_AT_MAX) return;
      if (entries[p->next].gone) continue;
      p->seen++;
      if (!fits(i, entries[p->next].id, p->batch->times[row])) continue;
      pairs->probe[pairs->count] = p->at;
      pairs->rows[pairs->count] = row;
      pairs->ids[pairs->count++] = entries[p->next].id;
    }
  }
}

/* Notes who has a match. Of a semi join's left rows, those with their first one are left in ids. */
static uint32_t meet(interval *i) {
  tm_join_pairs *p = &i->pairs;
  uint32_t first = 0;
  for (uint32_t n = 0; n < p->count; n++) {
    i->probe.met[p->probe[n]] = 1;
    uint32_t id = p->ids[n];
    if (tm_interval_row(i, p->kept, id)->met) continue;
    tm_interval_meet(i, p->kept, id);
    if (i->plan->join.kind == JOIN_SEMI) p->ids[first++] = id;
  }
  return first;
}

static tm_flow emit(interval *i, const uint32_t *rows, const uint32_t *ids, uint32_t count,
                    tm_out *out, tm_error *err) {
  if (count == 0) return TM_FLOW_MORE;
  tm_batch *batch = tm_join_pairs_make(&i->pairs, rows, ids, count, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  tm_out_emit(out, batch);
  return TM_FLOW_MORE;
}

static tm_flow emit_pairs(interval *i, tm_out *out, tm_error *err) {
  tm_join_pairs *p = &i->pairs;
  uint32_t first = meet(i);
  bool semi = i->plan->join.kind == JOIN_SEMI;
  if (semi && p->kept == 0) return emit(i, NULL, p->ids, first, out, err);
  if (tm_interval_is_half(i)) return TM_FLOW_MORE;
  i->env.ledger->produced += p->count; /* one is taken back for each left row that has met */
  return emit(i, p->rows, p->ids, p->count, out, err);
}

/* ---------------------------------------------------------------- a batch ends */

static bool may_match(const interval *i, uint32_t place) {
  const interval_probe *p = &i->probe;
  uint32_t other = 1 - p->port;
  if (!p->usable[place] || i->ended[other]) return false;
  if (p->highs[place] < i->watermarks_us[other]) return false;
  if (p->port == 1) return true;
  return p->lows[place] <= p->highs[place] && !(tm_interval_is_half(i) && p->met[place]);
}

/* Rows that may still be met are kept; the others' fate is known. */
static tm_flow end_batch(interval *i, tm_out *out, tm_error *err) {
  interval_probe *p = &i->probe;
  uint32_t rows = p->batch->selected, kept = 0, comes = 0;
  uint32_t *places = tm_batch_alloc(p->batch, (rows + 1) * sizeof *places);
  uint32_t *coming = tm_batch_alloc(p->batch, (rows + 1) * sizeof *coming);
  if (places == NULL || coming == NULL) return no_memory(err);
  for (uint32_t n = 0; n < rows; n++) {
    places[kept] = n;
    coming[comes] = tm_batch_row(p->batch, n);
    bool stays = may_match(i, n);
    kept += stays;
    if (stays) continue;
    comes += tm_interval_comes_out(i, p->port, p->met[n]);
    if (p->port == 0) tm_interval_settle(i, p->met[n]);
  }
  if (p->port == 1) i->env.ledger->produced += comes;
  tm_flow flow = emit(i, coming, NULL, comes, out, err);
  if (flow != TM_FLOW_FAILED && kept > 0 && tm_interval_keep(i, places, kept, err) < 0) {
    flow = TM_FLOW_FAILED;
  }
  tm_interval_end(i);
  return flow;
}

static tm_flow probe_more(interval *i, tm_out *out, tm_error *err) {
  uint32_t max = i->env.bind->job->batch_rows;
  if (tm_join_pairs_reserve(&i->pairs, max, err) < 0) return TM_FLOW_FAILED;
  fill(i, max);
  bool through = i->probe.at == i->probe.batch->selected;
  if (i->pairs.count == 0) return through ? end_batch(i, out, err) : TM_FLOW_MORE;
  if (tm_join_pairs_where(&i->pairs, out, err) < 0) return TM_FLOW_FAILED;
  tm_flow flow = emit_pairs(i, out, err);
  if (flow == TM_FLOW_MORE && through && out->main == NULL) return end_batch(i, out, err);
  return flow;
}

/* ---------------------------------------------------------------- rows that die */

static tm_flow bury(interval *i, uint32_t port, tm_out *out, tm_error *err) {
  uint32_t ids[TM_BATCH_ROWS], max = i->env.bind->job->batch_rows;
  uint32_t count = tm_interval_bury(i, port, ids, max < TM_BATCH_ROWS ? max : TM_BATCH_ROWS);
  if (port == 1) i->env.ledger->produced += count;
  i->pairs.kept = port;
  i->pairs.pool = &i->pools[port];
  tm_flow flow = emit(i, NULL, ids, count, out, err);
  for (uint32_t n = 0; n < count; n++) tm_row_pool_remove(&i->pools[port], ids[n]);
  return flow;
}

/* What there is to do without input, as much as one call may. */
static tm_flow go_on(interval *i, tm_out *out, tm_error *err) {
  while (i->probe.batch != NULL) {
    tm_flow flow = probe_more(i, out, err);
    if (flow == TM_FLOW_FAILED || out->main != NULL || i->probe.batch != NULL) return flow;
  }
  for (uint32_t port = 0; port < 2; port++) {
    if (tm_interval_has_dead(i, port)) return bury(i, port, out, err);
  }
  if (i->ended[0] && i->ended[1]) return TM_FLOW_FINISHED;
  int64_t watermark_us = tm_interval_watermark(i);
  if (watermark_us > i->told_us && watermark_us < TM_TIME_END) {
    out->watermark_us = i->told_us = watermark_us;
  }
  return TM_FLOW_INPUT;
}

/* ---------------------------------------------------------------- the protocol */

static tm_flow interval_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                             tm_error *err) {
  interval *i = self;
  assert(i->probe.batch == NULL);
  tm_batch *batch = tm_batch_own(taken, i->env.budget); /* scratch comes from its arena */
  if (batch == NULL) return no_memory(err);
  if (tm_join_drop_late(&i->env, batch, i->watermarks_us[port], out, err) < 0) {
    tm_batch_release(batch);
    return TM_FLOW_FAILED;
  }
  if (port == 1) i->env.ledger->absorbed += batch->selected;
  if (tm_interval_begin(i, port, batch, err) < 0) return TM_FLOW_FAILED;
  return go_on(i, out, err);
}

static tm_flow interval_resume(void *self, tm_out *out, tm_error *err) {
  return go_on(self, out, err);
}

static tm_flow interval_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                                tm_error *err) {
  interval *i = self;
  if (watermark_us > i->watermarks_us[port]) i->watermarks_us[port] = watermark_us;
  return go_on(i, out, err);
}

static tm_flow interval_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  interval *i = self;
  i->ended[port] = true;
  return go_on(i, out, err);
}

static uint32_t interval_wants(void *self) {
  const interval *i = self;
  const uint64_t rows[2] = {i->pools[0].rows, i->pools[1].rows};
  return tm_join_wants_by_time(&i->env, i->watermarks_us, i->ended, rows);
}

const tm_stage tm_stage_join_interval_live = {
  .size = sizeof(tm_stage),
  .name = "join_interval",
  .summary = "rows of two sides whose keys are equal and whose times are near each other",
  .inputs = 2,
  .options = tm_join_interval_options,
  .serves = interval_serves,
  .bind = interval_bind,
  .need = tm_join_interval_need,
  .open = interval_open,
  .restore = tm_interval_restore,
  .save = tm_interval_save,
  .wants = interval_wants,
  .push = interval_push,
  .resume = interval_resume,
  .advance = interval_advance,
  .finish = interval_finish,
  .close = interval_close,
};
