/* operator/join_interval.c: rows of two sides whose times are near each other, in a batch.
 *
 * One side is kept and built as join.c has it, in all lanes, and the rows of each key are put in
 * order of time (state/join_runs.h); then the other side flows past. The rows that match one that
 * comes lie next to each other and are found by halving; only where the left side is kept, and a
 * bound is one of its columns, each of them must be looked at besides. All else is the hash join's:
 * kinds, condition, books. In streams join_interval_live.c serves. */
#include "operator/join_interval_plan.h"
#include "operator/join_run.h"

enum { LOOKED_AT_MAX = 1 << 16 }; /* rows in a call */

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "join_interval: out of memory");
}

/* ---------------------------------------------------------------- bind, open */

static bool interval_serves(const tm_bind *bind) { return !bind->job->stream; }

static int interval_bind(tm_bind *bind, tm_error *err) {
  static const tm_join_order by_time = {.column = -1};
  interval_plan *p = tm_join_interval_plan(bind, err);
  if (p == NULL) return -1;
  p->join.order = &by_time;
  p->join.build = tm_join_smaller_side(bind);
  bind->waits[1 - p->join.build] = (uint32_t)1 << p->join.build;
  return 0;
}

/* ---------------------------------------------------------------- finding */

static const interval_plan *plan_of(const tm_join *j) { return (const interval_plan *)j->plan; }

/* The times among which the matches of a row that probes are. */
static void range_of(const tm_join *j, uint32_t row, int64_t *low, int64_t *high) {
  if (j->plan->build == 1) tm_join_interval_range(plan_of(j), j->batch, row, low, high);
  else tm_join_interval_left_range(plan_of(j), j->batch->times[row], low, high);
}

static void find_range(tm_join *j, uint32_t place, uint32_t part, uint32_t key) {
  uint32_t count, row = tm_batch_row(j->batch, place);
  const tm_join_runs *runs = &j->shared->runs;
  const tm_join_run *rows = tm_join_runs_of(runs, part, key, &count);
  int64_t low, high;
  range_of(j, row, &low, &high);
  uint32_t first = (uint32_t)(rows - runs->parts[part].rows);
  if (low > high) return;
  j->heads[place] = first + tm_join_runs_below(rows, count, low);
  j->ends[place] = first;
  j->ends[place] += high == TM_TIME_END ? count : tm_join_runs_below(rows, count, high + 1);
}

static int find_ranges(tm_join *j, tm_error *err) {
  size_t bytes = ((size_t)j->batch->selected + 1) * sizeof(uint32_t);
  uint32_t *ids = tm_batch_alloc(j->batch, bytes);
  j->parts = tm_batch_alloc(j->batch, bytes);
  j->ends = tm_batch_alloc(j->batch, bytes);
  uint32_t *heads = tm_batch_alloc(j->batch, bytes);
  if (ids == NULL || j->parts == NULL || j->ends == NULL || heads == NULL) return no_memory(err);
  const tm_join_keys *keys = &j->plan->keys[1 - j->plan->build];
  if (tm_join_table_find(j->table, j->batch, keys, j->parts, ids, err) < 0) return -1;
  j->heads = heads;
  for (uint32_t i = 0; i < j->batch->selected; i++) {
    heads[i] = j->ends[i] = 0;
    if (ids[i] != TM_KEY_NONE) find_range(j, i, j->parts[i], ids[i]);
  }
  if (j->resumes && j->at < j->batch->selected) {
    bool known = j->at_head <= j->ends[j->at] && j->at_head >= heads[j->at];
    if (!known) return tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
    heads[j->at] = j->at_head;
  }
  j->resumes = false;
  return 0;
}

/* ---------------------------------------------------------------- pairs */

/* A left row that is kept may have a range of its own. */
static bool fits(const tm_join *j, uint32_t id, uint32_t row) {
  int64_t low, high, time_us = j->batch->times[row];
  const tm_batch *kept = j->table->chunks[id >> TM_CHUNK_BITS].rows;
  tm_join_interval_range(plan_of(j), kept, id & (TM_CHUNK_ROWS - 1), &low, &high);
  return low <= time_us && time_us <= high;
}

static void fill(tm_join *j, uint32_t max) {
  tm_join_pairs *p = &j->pairs;
  bool looks = j->plan->build == 0 && tm_join_interval_has_column(plan_of(j));
  uint32_t looked_at = 0;
  for (; j->at < j->batch->selected; j->at++) {
    uint32_t next = j->heads[j->at], end = j->ends[j->at], row = tm_batch_row(j->batch, j->at);
    const tm_join_run *rows = next == end ? NULL : j->shared->runs.parts[j->parts[j->at]].rows;
    for (; next < end && p->count < max && looked_at < LOOKED_AT_MAX; next++, looked_at++) {
      if (looks && !fits(j, rows[next].id, row)) continue;
      p->probe[p->count] = j->at;
      p->rows[p->count] = row;
      p->ids[p->count++] = rows[next].id;
    }
    j->heads[j->at] = next;
    if (next < end) return;
  }
}

static int interval_open(const tm_stage_env *env, void **out, tm_error *err) {
  static const tm_join_match ranges = {.find = find_ranges, .fill = fill};
  if (tm_join_open(env, out, err) < 0) return -1;
  ((tm_join *)*out)->match = &ranges;
  return 0;
}

const tm_stage tm_stage_join_interval = {
  .size = sizeof(tm_stage),
  .name = "join_interval",
  .summary = "rows of two sides whose keys are equal and whose times are near each other",
  .inputs = 2,
  .options = tm_join_interval_options,
  .serves = interval_serves,
  .bind = interval_bind,
  .need = tm_join_interval_need,
  .share = tm_join_share,
  .open = interval_open,
  .restore = tm_join_restore,
  .save = tm_join_save,
  .wants = tm_join_wants,
  .push = tm_join_push,
  .resume = tm_join_resume,
  .finish = tm_join_finish,
  .close = tm_join_close,
  .unshare = tm_join_unshare,
};
