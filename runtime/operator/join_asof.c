/* operator/join_asof.c: for each row the latest of another side, at or before it: in a batch.
 *
 * The right side is kept and built as join.c has it, in all lanes; then the rows of each key are
 * put in order (state/join_runs.h), and a left row finds its place among them by halving. So no
 * side is sorted as a whole, and the left side is neither kept nor put in order: a row goes on in
 * its place, with the columns of what it found (join_widen.h). In streams join_asof_live.c
 * serves. */
#include <string.h>

#include "operator/join_asof_plan.h"
#include "operator/join_run.h"
#include "operator/join_widen.h"

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "join_asof: out of memory");
}

static bool asof_serves(const tm_bind *bind) { return !bind->job->stream; }

static int asof_bind(tm_bind *bind, tm_error *err) {
  asof_plan *p = tm_join_asof_plan(bind, err);
  if (p == NULL) return -1;
  p->join.order = &p->order;
  bind->order = TM_ORDER_KEEPS;
  bind->waits[0] = 1 << 1;
  return 0;
}

/* ---------------------------------------------------------------- finding */

static const asof_plan *plan_of(const tm_join *j) { return (const asof_plan *)j->plan; }

/* The value of a left row against that of a right row. */
static int compare_values(const tm_join *j, const tm_batch *in, uint32_t row, uint32_t id) {
  const asof_plan *p = plan_of(j);
  const tm_column *x = &in->columns[p->by[0]];
  const tm_column *y = &j->table->chunks[id >> TM_CHUNK_BITS].rows->columns[p->by[1]];
  uint32_t other = id & (TM_CHUNK_ROWS - 1);
  if (tm_type_physical(x->type) == TM_PHYSICAL_STR) {
    return tm_str_compare(&((const tm_str *)x->data)[row], &((const tm_str *)y->data)[other]);
  }
  __int128 a = ((const __int128 *)x->data)[row], b = ((const __int128 *)y->data)[other];
  return (a > b) - (a < b);
}

/* How many of the rows are at or before the left row. */
static uint32_t count_before(const tm_join *j, const tm_batch *in, uint32_t row, int64_t word,
                             const tm_join_run *rows, uint32_t count) {
  uint32_t to = word == INT64_MAX ? count : tm_join_runs_below(rows, count, word + 1);
  if (plan_of(j)->exact) return to;
  uint32_t from = tm_join_runs_below(rows, to, word); /* these begin like it */
  while (from < to) {
    uint32_t middle = from + (to - from) / 2;
    if (compare_values(j, in, row, rows[middle].id) >= 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

static bool is_near(const asof_plan *p, int64_t word, int64_t right) {
  int64_t apart, us;
  if (p->tolerance_us < 0) return true;
  return !__builtin_sub_overflow(word, right, &apart) &&
         !__builtin_mul_overflow(apart, tm_join_asof_unit(p), &us) && us <= p->tolerance_us;
}

static uint32_t find_row(const tm_join *j, const tm_batch *in, uint32_t row, int64_t word,
                         uint32_t part, uint32_t key) {
  uint32_t count;
  const tm_join_run *rows = tm_join_runs_of(&j->shared->runs, part, key, &count);
  uint32_t before = count_before(j, in, row, word, rows, count);
  if (before == 0 || !is_near(plan_of(j), word, rows[before - 1].word)) return TM_ROW_NONE;
  return rows[before - 1].id;
}

/* ids[i]: what the i-th selected row finds, or TM_ROW_NONE. 0, or -1 with err. */
static int find_all(const tm_join *j, tm_batch *in, uint32_t *ids, tm_error *err) {
  const asof_plan *p = plan_of(j);
  uint32_t *parts = tm_batch_alloc(in, (in->selected + 1) * sizeof *parts);
  int64_t *words = in->times;
  const tm_column *by = p->by_time ? NULL : &in->columns[p->by[0]];
  if (parts == NULL) return no_memory(err);
  if (by != NULL) {
    words = tm_batch_alloc(in, (in->rows + 1) * sizeof *words);
    if (words == NULL || tm_join_words(j->env.budget, &p->order, in, p->by[0], words) < 0) {
      return no_memory(err);
    }
  }
  if (tm_join_table_find(j->table, in, &j->plan->keys[0], parts, ids, err) < 0) return -1;
  for (uint32_t i = 0; i < in->selected; i++) {
    uint32_t row = tm_batch_row(in, i);
    bool none = ids[i] == TM_KEY_NONE || (by != NULL && tm_column_is_null(by, row));
    ids[i] = none ? TM_ROW_NONE : find_row(j, in, row, words[row], parts[i], ids[i]);
  }
  return 0;
}

static tm_flow look_back(tm_join *j, tm_batch *in, tm_out *out, tm_error *err) {
  uint32_t *ids = tm_batch_alloc(in, (in->selected + 1) * sizeof *ids);
  if (ids == NULL) return no_memory(err);
  if (find_all(j, in, ids, err) < 0) return TM_FLOW_FAILED;
  bool misses = tm_join_widen_misses(ids, in->selected);
  if (misses && j->plan->kind == JOIN_INNER) {
    int64_t dropped = tm_join_widen_drop(in, ids);
    if (dropped < 0) return no_memory(err);
    j->env.ledger->unmatched += (uint64_t)dropped;
    misses = false;
  }
  tm_join_widen widen = {.env = &j->env, .plan = j->plan, .chunks = j->table->chunks,
                         .later = !plan_of(j)->by_time};
  tm_batch *batch = tm_join_widen_batch(&widen, in, ids, misses);
  if (batch == NULL) return no_memory(err);
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

/* ---------------------------------------------------------------- the protocol */

static tm_flow asof_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  tm_join *j = self;
  if (port == 1) return tm_join_copy(j, taken, err);
  tm_batch *in = tm_batch_own(taken, j->env.budget);
  if (in == NULL) return no_memory(err);
  tm_flow flow = look_back(j, in, out, err);
  tm_batch_release(in); /* the batch that goes on pins it */
  return flow;
}

static tm_flow asof_resume(void *self, tm_out *out, tm_error *err) {
  (void)out;
  return tm_join_resume_build(self, err);
}

static tm_flow asof_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)out;
  return port == 1 ? tm_join_end_copy(self, err) : TM_FLOW_FINISHED;
}

const tm_stage tm_stage_join_asof = {
  .size = sizeof(tm_stage),
  .name = "join_asof",
  .summary = "for each row the latest of another side, at or before it",
  .inputs = 2,
  .options = tm_join_asof_options,
  .serves = asof_serves,
  .bind = asof_bind,
  .need = tm_join_asof_need,
  .share = tm_join_share,
  .open = tm_join_open,
  .restore = tm_join_restore,
  .save = tm_join_save,
  .wants = tm_join_wants,
  .push = asof_push,
  .resume = asof_resume,
  .finish = asof_finish,
  .close = tm_join_close,
  .unshare = tm_join_unshare,
};
