/* operator/join_window_state.c: the state of a join in windows as a record.
 *
 * Rows are saved as batches, slice by slice in their order, with what is known of each. Of a window
 * that fires: how far it is. Its chains are made again in the same order. */
#include "operator/join_window_live.h"
#include "state/batch_record.h"

enum { PART = 1024, ROWS_MAX = 1 << 30 };

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

/* ---------------------------------------------------------------- saving */

typedef struct saver {
  const join_window *w;
  uint32_t port;
  uint32_t ids[PART], count;
  tm_record_writer *out;
} saver;

static tm_batch *gather(const join_window *w, uint32_t port, const uint32_t *ids,
                        uint32_t count) {
  const tm_schema *schema = w->env.bind->inputs[port];
  tm_batch *batch = tm_batch_create(w->env.budget, schema, count);
  if (batch == NULL) return NULL;
  batch->times = tm_batch_alloc(batch, (count + 1) * sizeof *batch->times);
  bool done = batch->times != NULL;
  for (uint32_t n = 0; done && n < count; n++) {
    batch->times[n] = tm_window_row(w, port, ids[n])->time_us;
  }
  for (uint32_t c = 0; done && c < schema->count; c++) {
    if (!w->plan->join.kept[port][c]) continue;
    done = tm_row_pool_gather(&w->pools[port], c, ids, NULL, count, false, batch, c) == 0;
  }
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}

static void flush(saver *s) {
  if (s->count == 0) return;
  tm_batch *batch = gather(s->w, s->port, s->ids, s->count);
  if (batch == NULL) {
    s->out->failed = true;
    return;
  }
  tm_batch_record_save(batch, s->out);
  tm_batch_release(batch);
  for (uint32_t n = 0; n < s->count; n++) {
    const window_row *row = tm_window_row(s->w, s->port, s->ids[n]);
    tm_record_put(s->out, (uint64_t)row->closed_us);
    tm_record_put(s->out, (uint64_t)row->fired << 1 | row->met);
  }
  s->count = 0;
}

static void save_rows(const join_window *w, uint32_t port, tm_record_writer *out) {
  saver s = {.w = w, .port = port, .out = out};
  tm_record_put(out, w->pools[port].rows);
  for (uint32_t i = 0; i < w->slice_count; i++) {
    for (uint32_t id = w->slices[i].first[port]; id != TM_POOL_NONE;) {
      s.ids[s.count++] = id;
      id = tm_window_row(w, port, id)->next;
      if (s.count == PART) flush(&s);
    }
  }
  flush(&s);
}

int tm_join_window_save(void *self, tm_bytes *out, tm_error *err) {
  const join_window *w = self;
  tm_record_writer r = {.out = out};
  for (uint32_t port = 0; port < 2; port++) {
    tm_record_put(&r, (uint64_t)w->watermarks_us[port]);
    tm_record_put(&r, w->ended[port]);
    save_rows(w, port, &r);
  }
  tm_record_put(&r, (uint64_t)w->told_us);
  tm_record_put(&r, w->has_fired);
  tm_record_put(&r, (uint64_t)w->window.start_us);
  tm_record_put(&r, (uint64_t)w->window.end_us);
  tm_record_put(&r, w->phase);
  tm_record_put(&r, w->counted);
  tm_record_put(&r, w->pairs.batch != NULL);
  if (w->pairs.batch != NULL) {
    tm_record_put(&r, w->count);
    tm_record_put_bytes(&r, w->met, w->count);
    tm_record_put(&r, w->at);
    tm_record_put(&r, w->seen);
  }
  return tm_record_end(&r, err);
}

/* ---------------------------------------------------------------- restoring */

static bool is_whole(const join_window *w, uint32_t port, const tm_batch *batch) {
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (w->plan->join.kept[port][c] && batch->columns[c].data == NULL) return false;
  }
  return batch->selected > 0 && batch->times != NULL;
}

/* A part, kept as if it had just come; the books know its rows already. */
static int restore_part(join_window *w, uint32_t port, tm_batch *batch, tm_record_reader *r,
                        tm_error *err) {
  uint32_t count = batch->selected;
  uint64_t before = w->pools[port].rows;
  int64_t *closed = tm_batch_alloc(batch, (count + 1) * sizeof *closed);
  uint8_t *known = tm_batch_alloc(batch, count + 1);
  if (closed == NULL || known == NULL) return no_memory(err);
  for (uint32_t n = 0; n < count; n++) {
    closed[n] = (int64_t)tm_record_get(r, UINT64_MAX);
    known[n] = (uint8_t)tm_record_get(r, 3);
  }
  if (r->failed) return tm_record_refuse(err);
  tm_ledger books = *w->env.ledger;
  int done = tm_join_window_keep(w, port, batch, closed, err);
  *w->env.ledger = books;
  if (done < 0) return -1;
  if (w->pools[port].rows != before + count) return tm_record_refuse(err);
  for (uint32_t n = 0; n < count; n++) { /* in an empty pool ids ascend */
    window_row *row = tm_window_row(w, port, (uint32_t)before + n);
    row->fired = known[n] >> 1;
    row->met = known[n] & 1;
  }
  return 0;
}

static int restore_rows(join_window *w, uint32_t port, tm_record_reader *r, tm_error *err) {
  uint64_t rows = tm_record_get(r, ROWS_MAX);
  while (w->pools[port].rows < rows && !r->failed) {
    tm_batch *batch = tm_batch_record_restore(r, w->env.budget, w->env.bind->inputs[port],
                                              w->env.bind->arena, err);
    if (batch == NULL) return -1;
    bool fits = is_whole(w, port, batch) && batch->selected <= rows - w->pools[port].rows;
    int done = fits ? restore_part(w, port, batch, r, err) : tm_record_refuse(err);
    tm_batch_release(batch);
    if (done < 0) return -1;
  }
  return 0;
}

/* The chains of the window that fires, and the place in its rows. */
static int restore_fire(join_window *w, tm_error *err) {
  uint32_t work = 0, id, port = w->phase == FIRE_RIGHT;
  window_phase phase = w->phase;
  uint64_t counted = w->counted;
  w->fire = 1;
  if (phase == FIRE_NONE || phase == FIRE_DROP) return 0;
  tm_join_window_begin(w, phase);
  if (phase == FIRE_LINK) return 0;
  while ((id = tm_join_window_step(w, 1, &work)) != TM_POOL_NONE) {
    uint8_t met = tm_window_row(w, 1, id)->met;
    if (tm_join_window_link(w, id, err) < 0) return -1;
    tm_window_row(w, 1, id)->met = met;
  }
  tm_join_window_begin(w, phase);
  for (uint64_t n = 0; n < counted; n++) {
    if (tm_join_window_step(w, port, &work) == TM_POOL_NONE) return tm_record_refuse(err);
  }
  w->counted = counted;
  return 0;
}

/* The left rows that look. */
static int restore_looking(join_window *w, tm_record_reader *r, tm_error *err) {
  if (!tm_record_get(r, 1)) return 0;
  uint32_t count = (uint32_t)tm_record_get(r, tm_window_batch_rows(w));
  if (w->phase != FIRE_LEFT || r->failed) return tm_record_refuse(err);
  if (tm_join_window_gather(w, err) < 0) return -1;
  if (w->count != count || count == 0) return tm_record_refuse(err);
  tm_record_get_bytes(r, w->met, count);
  for (uint32_t i = 0; i < count; i++) w->met[i] = w->met[i] != 0;
  w->at = (uint32_t)tm_record_get(r, count);
  w->seen = (uint32_t)tm_record_get(r, ROWS_MAX);
  return 0;
}

int tm_join_window_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  join_window *w = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  for (uint32_t port = 0; port < 2; port++) {
    w->watermarks_us[port] = (int64_t)tm_record_get(&r, UINT64_MAX);
    w->ended[port] = tm_record_get(&r, 1);
    if (restore_rows(w, port, &r, err) < 0) return -1;
  }
  w->told_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  w->has_fired = tm_record_get(&r, 1);
  w->window.start_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  w->window.end_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  w->phase = (window_phase)tm_record_get(&r, FIRE_DROP);
  w->counted = tm_record_get(&r, UINT64_MAX);
  if (r.failed) return tm_record_refuse(err);
  if (restore_fire(w, err) < 0 || restore_looking(w, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}
