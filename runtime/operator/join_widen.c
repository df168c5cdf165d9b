/* operator/join_widen.c: see join_widen.h. */
#include "operator/join_widen.h"

bool tm_join_widen_misses(const uint32_t *ids, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (ids[i] == TM_ROW_NONE) return true;
  }
  return false;
}

int64_t tm_join_widen_drop(tm_batch *batch, uint32_t *ids) {
  uint32_t *left = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *left), count = 0;
  if (left == NULL) return -1;
  for (uint32_t i = 0; i < batch->selected; i++) {
    left[count] = tm_batch_row(batch, i);
    ids[count] = ids[i];
    count += ids[i] != TM_ROW_NONE;
  }
  int64_t dropped = (int64_t)batch->selected - count;
  batch->selection = left;
  batch->selected = count;
  return dropped;
}

static int gather(const tm_join_widen *w, const tm_batch *in, const uint32_t *ids, bool misses,
                  uint32_t column, tm_batch *out, uint32_t out_column) {
  if (w->pool != NULL) {
    return tm_row_pool_gather(w->pool, column, ids, in->selection, in->selected, misses, out,
                              out_column);
  }
  return tm_row_store_gather(w->chunks, column, ids, in->selection, in->selected, misses, out,
                             out_column);
}

static int64_t right_time(const tm_join_widen *w, uint32_t id) {
  int64_t time;
  if (id == TM_ROW_NONE) return TM_TIME_NONE;
  if (w->pool != NULL) return *(const int64_t *)tm_row_pool_head(w->pool, id);
  tm_row_store_times(w->chunks, &id, 1, &time);
  return time;
}

static bool set_times(const tm_join_widen *w, const tm_batch *in, const uint32_t *ids,
                      tm_batch *out) {
  if (!w->later || !w->plan->timed || !w->plan->side_timed[1]) return true;
  int64_t *times = tm_batch_alloc(out, (out->rows + 1) * sizeof *times);
  if (times == NULL) return false;
  for (uint32_t i = 0; i < in->selected; i++) {
    uint32_t row = tm_batch_row(in, i);
    int64_t left = in->times != NULL ? in->times[row] : TM_TIME_NONE;
    int64_t right = right_time(w, ids[i]);
    times[row] = left > right ? left : right;
  }
  out->times = times;
  return true;
}

tm_batch *tm_join_widen_batch(const tm_join_widen *w, tm_batch *in, const uint32_t *ids,
                              bool misses) {
  const tm_bind *bind = w->env->bind;
  tm_batch *batch = tm_batch_derive(in, w->env->budget, bind->output);
  bool done = batch != NULL && set_times(w, in, ids, batch);
  for (uint32_t i = 0; done && i < bind->output->count; i++) {
    join_column from = w->plan->columns[i];
    if (from.left >= 0) batch->columns[i] = in->columns[from.left];
    else if (bind->needed == NULL || bind->needed[i]) {
      done = gather(w, in, ids, misses, (uint32_t)from.right, batch, i) == 0;
    }
  }
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}
