/* operator/join_window.c: joins of rows that lie in one window, in a batch whose windows tumble.
 *
 * There each row is in one window, so the window is one more key of a hash join: rows of both sides
 * get window_start and window_end behind their own columns, and the last instant of it as their
 * time; all else is join.c's, in all lanes. Windows that overlap, and streams, are those of
 * join_window_live.c. */
#include <string.h>

#include "operator/join_run.h"
#include "operator/join_window_plan.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

static bool window_serves(const tm_bind *bind) {
  return !bind->job->stream && tm_window_plan_kind(bind->options) == TM_WINDOW_TUMBLING;
}

static int window_bind(tm_bind *bind, tm_error *err) {
  tm_join_window_plan *p = tm_join_window_plan_create(bind, true, err);
  if (p == NULL) return -1;
  p->join.build = p->scalar ? 1 : tm_join_smaller_side(bind);
  bind->waits[1 - p->join.build] = (uint32_t)1 << p->join.build;
  return 0;
}

static const tm_join_window_plan *plan_of(const tm_join *j) {
  return (const tm_join_window_plan *)j->plan;
}

/* ---------------------------------------------------------------- rows and their windows */

typedef struct bounds { int64_t *starts, *ends, *times; } bounds;

/* By row; of dead rows anything. false: out of memory. */
static bool find_windows(const tm_join *j, tm_batch *batch, bounds *out) {
  const tm_window_grid *grid = &plan_of(j)->window.grid;
  size_t bytes = ((size_t)batch->rows + 1) * sizeof(int64_t);
  *out = (bounds){tm_batch_alloc(batch, bytes), tm_batch_alloc(batch, bytes),
                  tm_batch_alloc(batch, bytes)};
  if (out->starts == NULL || out->ends == NULL || out->times == NULL) return false;
  tm_window_regions regions;
  memset(&regions, 0, sizeof regions);
  memset(out->starts, 0, bytes);
  memset(out->ends, 0, bytes);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    tm_window window = tm_window_grid_first(grid, batch->times[row], &regions);
    out->starts[row] = window.start_us;
    out->ends[row] = window.end_us;
    out->times[row] = window.end_us - 1;
  }
  return true;
}

/* A batch with its window behind its columns. Consumes `taken`; NULL: out of memory. */
static tm_batch *widen(const tm_join *j, uint32_t port, tm_batch *taken) {
  uint32_t width = taken->schema->count;
  tm_type type = plan_of(j)->window.type;
  tm_batch *batch = tm_batch_derive(taken, j->env.budget, j->plan->sides[port]);
  bounds found;
  bool done = batch != NULL && find_windows(j, batch, &found);
  if (done) {
    memcpy(batch->columns, taken->columns, width * sizeof *batch->columns);
    done = tm_window_plan_column(type, batch, width, found.starts) == 0 &&
           tm_window_plan_column(type, batch, width + 1, found.ends) == 0;
    batch->times = found.times;
  }
  tm_batch_release(taken); /* the batch pins it */
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}

/* ---------------------------------------------------------------- one row in each window */

/* The first window with several rows on the right; rows of a side without keys differ by it. */
static int check_scalar(const tm_join *j, tm_error *err) {
  if (!plan_of(j)->scalar || tm_join_table_unique(j->table)) return 0;
  int64_t least = TM_TIME_END;
  for (uint32_t part = 0; part < j->table->lanes; part++) {
    const tm_join_partition *p = &j->table->partitions[part];
    for (uint32_t key = 0; !p->unique && key < tm_key_table_count(p->keys); key++) {
      uint32_t id = p->heads[key];
      if (j->table->next[id] == TM_ROW_NONE) continue;
      int64_t end_us;
      tm_row_store_times(j->table->chunks, &id, 1, &end_us);
      if (end_us < least) least = end_us;
    }
  }
  tm_window_regions regions;
  memset(&regions, 0, sizeof regions);
  tm_window window = tm_window_grid_first(&plan_of(j)->window.grid, least, &regions);
  return tm_join_window_fail_scalar(plan_of(j), window.start_us, err);
}

/* ---------------------------------------------------------------- the protocol */

static tm_flow window_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                           tm_error *err) {
  tm_batch *batch = widen(self, port, taken);
  return batch == NULL ? (tm_flow)no_memory(err) : tm_join_push(self, port, batch, out, err);
}

static tm_flow window_resume(void *self, tm_out *out, tm_error *err) {
  tm_join *j = self;
  bool builds = j->batch == NULL && j->phase != JOIN_DRAIN;
  tm_flow flow = tm_join_resume(self, out, err);
  bool built = builds && flow == TM_FLOW_INPUT && j->phase == JOIN_PROBE;
  return built && check_scalar(j, err) < 0 ? TM_FLOW_FAILED : flow;
}

const tm_stage tm_stage_join_window = {
  .size = sizeof(tm_stage),
  .name = "join",
  .summary = "rows of two sides whose keys are equal, in one window",
  .inputs = 2,
  .options = tm_join_window_options,
  .serves = window_serves,
  .bind = window_bind,
  .need = tm_join_need,
  .share = tm_join_share,
  .open = tm_join_open_chains,
  .restore = tm_join_restore,
  .save = tm_join_save,
  .wants = tm_join_wants,
  .push = window_push,
  .resume = window_resume,
  .finish = tm_join_finish,
  .close = tm_join_close,
  .unshare = tm_join_unshare,
};
