/* operator/join_asof_state.c: join_asof's state in a stream as a record: the rows that are the
 * latest of their key, in order of time, and the rows that wait. */
#include "operator/join_asof_live.h"
#include "state/batch_record.h"

enum { PART = 1024, ROWS_MAX = 1 << 30 };

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "join_asof: out of memory");
}

/* ---------------------------------------------------------------- saving */

static tm_batch *gather(const asof *a, const uint32_t *ids, uint32_t count) {
  const tm_schema *schema = a->env.bind->inputs[1];
  tm_batch *batch = tm_batch_create(a->env.budget, schema, count);
  if (batch == NULL) return NULL;
  batch->times = tm_batch_alloc(batch, (count + 1) * sizeof *batch->times);
  bool done = batch->times != NULL;
  for (uint32_t n = 0; done && n < count; n++) batch->times[n] = tm_asof_row(a, ids[n])->time_us;
  for (uint32_t c = 0; done && c < schema->count; c++) {
    if (!a->plan->join.kept[1][c]) continue;
    done = tm_row_pool_gather(&a->pool, c, ids, NULL, count, false, batch, c) == 0;
  }
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}

static void save_rows(const asof *a, tm_record_writer *w) {
  uint32_t ids[PART], count = 0;
  tm_record_put(w, a->pool.rows);
  for (uint32_t id = a->oldest; id != TM_POOL_NONE;) {
    ids[count++] = id;
    id = tm_asof_row(a, id)->next;
    if (count < PART && id != TM_POOL_NONE) continue;
    tm_batch *batch = gather(a, ids, count);
    if (batch == NULL) w->failed = true;
    else tm_batch_record_save(batch, w);
    tm_batch_release(batch);
    count = 0;
  }
}

/* What is left of a batch that waits. */
static void save_waiting(const asof *a, const asof_waiting *waiting, tm_record_writer *w) {
  tm_batch view = *waiting->batch;
  uint32_t left = view.selected - waiting->at;
  size_t bytes = (left + 1) * sizeof(uint32_t);
  uint32_t *rows = tm_alloc(a->env.budget, bytes);
  if (rows == NULL) {
    w->failed = true;
    return;
  }
  for (uint32_t i = 0; i < left; i++) rows[i] = tm_batch_row(waiting->batch, waiting->at + i);
  view.selection = rows;
  view.selected = left;
  tm_batch_record_save(&view, w);
  tm_free(a->env.budget, rows, bytes);
}

int tm_asof_save(void *self, tm_bytes *out, tm_error *err) {
  const asof *a = self;
  tm_record_writer w = {.out = out};
  for (uint32_t port = 0; port < 2; port++) {
    const asof_queue *q = &a->queues[port];
    tm_record_put(&w, (uint64_t)a->watermarks_us[port]);
    tm_record_put(&w, a->ended[port]);
    tm_record_put(&w, q->count);
    for (uint32_t i = 0; i < q->count; i++) {
      save_waiting(a, &q->items[(q->first + i) % q->capacity], &w);
    }
    tm_record_put(&w, (uint64_t)a->latest_us[port]);
  }
  tm_record_put(&w, (uint64_t)a->told_us);
  save_rows(a, &w);
  return tm_record_end(&w, err);
}

/* ---------------------------------------------------------------- restoring */

/* A batch of a side with all that is needed of it; NULL with err. */
static tm_batch *restore_batch(asof *a, uint32_t port, tm_record_reader *r, tm_error *err) {
  tm_batch *batch = tm_batch_record_restore(r, a->env.budget, a->env.bind->inputs[port],
                                            a->env.bind->arena, err);
  if (batch == NULL) return NULL;
  bool whole = batch->selected > 0 && batch->times != NULL && batch->weights == NULL;
  for (uint32_t c = 0; whole && c < batch->schema->count; c++) {
    whole = !a->plan->join.kept[port][c] || batch->columns[c].data != NULL;
  }
  if (whole) return batch;
  tm_batch_release(batch);
  tm_record_refuse(err);
  return NULL;
}

static int restore_queue(asof *a, uint32_t port, tm_record_reader *r, tm_error *err) {
  a->watermarks_us[port] = (int64_t)tm_record_get(r, UINT64_MAX);
  a->ended[port] = tm_record_get(r, 1);
  uint64_t count = tm_record_get(r, ROWS_MAX);
  for (uint64_t i = 0; i < count && !r->failed; i++) {
    tm_batch *batch = restore_batch(a, port, r, err);
    if (batch == NULL || tm_asof_enqueue(a, port, batch, err) < 0) return -1;
  }
  a->latest_us[port] = (int64_t)tm_record_get(r, UINT64_MAX);
  return 0;
}

static int apply_all(asof *a, const tm_batch *batch, tm_error *err) {
  tm_join_key_reader keys;
  if (tm_join_key_reader_open(&keys, &a->env, batch, &a->plan->join.keys[1], err) < 0) return -1;
  int done = 0;
  for (uint32_t row = 0; done == 0 && row < batch->rows; row++) {
    done = tm_asof_apply(a, &keys, batch, row, err);
  }
  tm_join_key_reader_close(&keys);
  return done < 0 ? no_memory(err) : 0;
}

static int restore_rows(asof *a, tm_record_reader *r, tm_error *err) {
  uint64_t rows = tm_record_get(r, ROWS_MAX), seen = 0;
  while (seen < rows && !r->failed) {
    tm_batch *batch = restore_batch(a, 1, r, err);
    if (batch == NULL) return -1;
    seen += batch->selected;
    int done = apply_all(a, batch, err);
    tm_batch_release(batch);
    if (done < 0) return -1;
  }
  return seen == rows && a->pool.rows == rows ? 0 : tm_record_refuse(err);
}

int tm_asof_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  asof *a = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  for (uint32_t port = 0; port < 2; port++) {
    if (restore_queue(a, port, &r, err) < 0) return -1;
  }
  a->told_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  if (restore_rows(a, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}
