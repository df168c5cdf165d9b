/* operator/join_interval_state.c: join_interval's state as a record.
 *
 * Rows that are kept are saved as batches, key by key and in order of time, each with its range and
 * whether it was met; keys, lists and heaps are made anew from them. Ids ascend as rows come back,
 * so that rows of one time keep their order, and the batch that probes goes on behind as many rows
 * as it had seen. */
#include "operator/join_interval_live.h"
#include "state/batch_record.h"

enum { PART = 1024, ROWS_MAX = 1 << 30 };

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "join_interval: out of memory");
}

/* ---------------------------------------------------------------- saving */

typedef struct saver {
  interval *i;
  uint32_t port;
  uint32_t ids[PART], count;
  tm_record_writer *w;
} saver;

static tm_batch *gather(const interval *i, uint32_t port, const uint32_t *ids, uint32_t count) {
  const tm_schema *schema = i->env.bind->inputs[port];
  tm_batch *batch = tm_batch_create(i->env.budget, schema, count);
  if (batch == NULL) return NULL;
  batch->times = tm_batch_alloc(batch, (count + 1) * sizeof *batch->times);
  bool done = batch->times != NULL;
  for (uint32_t n = 0; done && n < count; n++) {
    batch->times[n] = tm_interval_row(i, port, ids[n])->time_us;
  }
  for (uint32_t c = 0; done && c < schema->count; c++) {
    if (!i->plan->join.kept[port][c]) continue;
    done = tm_row_pool_gather(&i->pools[port], c, ids, NULL, count, false, batch, c) == 0;
  }
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}

static void flush(saver *s) {
  if (s->count == 0) return;
  tm_batch *batch = gather(s->i, s->port, s->ids, s->count);
  if (batch == NULL) {
    s->w->failed = true;
    return;
  }
  tm_batch_record_save(batch, s->w);
  tm_batch_release(batch);
  for (uint32_t n = 0; n < s->count; n++) {
    const interval_row *row = tm_interval_row(s->i, s->port, s->ids[n]);
    tm_record_put(s->w, (uint64_t)row->low_us);
    tm_record_put(s->w, (uint64_t)row->high_us);
    tm_record_put(s->w, row->met);
  }
  s->count = 0;
}

static void save_rows(interval *i, uint32_t port, tm_record_writer *w) {
  saver s = {.i = i, .port = port, .w = w};
  uint64_t at = 0;
  tm_record_put(w, i->pools[port].rows);
  for (tm_key_entry *key; (key = tm_key_map_next(&i->keys, &at)) != NULL;) {
    const tm_time_list *list = &tm_interval_key(key)->rows[port];
    const tm_time_entry *entries = tm_time_list_entries(list);
    for (uint32_t n = 0; n < list->count; n++) {
      if (entries[n].gone) continue;
      s.ids[s.count++] = entries[n].id;
      if (s.count == PART) flush(&s);
    }
  }
  flush(&s);
}

static void save_probe(const interval *i, tm_record_writer *w) {
  const interval_probe *p = &i->probe;
  tm_record_put(w, p->batch != NULL);
  if (p->batch == NULL) return;
  tm_record_put(w, p->port);
  tm_batch_record_save(p->batch, w);
  tm_record_put_bytes(w, p->met, p->batch->selected);
  tm_record_put(w, p->at);
  tm_record_put(w, p->seen);
}

int tm_interval_save(void *self, tm_bytes *out, tm_error *err) {
  interval *i = self;
  tm_record_writer w = {.out = out};
  for (uint32_t port = 0; port < 2; port++) {
    tm_record_put(&w, (uint64_t)i->watermarks_us[port]);
    tm_record_put(&w, i->ended[port]);
    save_rows(i, port, &w);
  }
  tm_record_put(&w, (uint64_t)i->told_us);
  save_probe(i, &w);
  return tm_record_end(&w, err);
}

/* ---------------------------------------------------------------- restoring */

static bool is_whole(const interval *i, uint32_t port, const tm_batch *batch) {
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (i->plan->join.kept[port][c] && batch->columns[c].data == NULL) return false;
  }
  return batch->times != NULL && batch->marks == NULL && batch->weights == NULL;
}

/* Null keys are never kept. */
static bool has_keys(const interval *i) {
  for (uint32_t n = 0; n < i->probe.batch->selected; n++) {
    if (!i->probe.usable[n]) return false;
  }
  return true;
}

/* A part, kept as if it had just come; the books know its rows already. */
static int restore_part(interval *i, uint32_t port, tm_batch *taken, tm_record_reader *r,
                        tm_error *err) {
  uint32_t count = taken->selected;
  uint64_t held = i->env.ledger->held;
  if (!is_whole(i, port, taken)) {
    tm_batch_release(taken);
    return tm_record_refuse(err);
  }
  if (tm_interval_begin(i, port, taken, err) < 0) return -1;
  uint32_t *places = tm_batch_alloc(taken, (count + 1) * sizeof *places);
  if (places == NULL) return no_memory(err);
  for (uint32_t n = 0; n < count; n++) {
    places[n] = n;
    i->probe.lows[n] = (int64_t)tm_record_get(r, UINT64_MAX);
    i->probe.highs[n] = (int64_t)tm_record_get(r, UINT64_MAX);
    i->probe.met[n] = tm_record_get(r, 1) != 0;
  }
  int done = r->failed || !has_keys(i) ? tm_record_refuse(err)
                                       : tm_interval_keep(i, places, count, err);
  i->env.ledger->held = held;
  tm_interval_end(i);
  return done;
}

static int restore_rows(interval *i, uint32_t port, tm_record_reader *r, tm_error *err) {
  uint64_t rows = tm_record_get(r, ROWS_MAX);
  while (i->pools[port].rows < rows && !r->failed) {
    tm_batch *batch = tm_batch_record_restore(r, i->env.budget, i->env.bind->inputs[port],
                                              i->env.bind->arena, err);
    if (batch == NULL) return -1;
    if (batch->selected == 0 || batch->selected > rows - i->pools[port].rows) {
      tm_batch_release(batch);
      return tm_record_refuse(err);
    }
    if (restore_part(i, port, batch, r, err) < 0) return -1;
  }
  return 0;
}

static int restore_probe(interval *i, tm_record_reader *r, tm_error *err) {
  interval_probe *p = &i->probe;
  if (!tm_record_get(r, 1)) return 0;
  uint32_t port = (uint32_t)tm_record_get(r, 1);
  tm_batch *batch = tm_batch_record_restore(r, i->env.budget, i->env.bind->inputs[port],
                                            i->env.bind->arena, err);
  if (batch == NULL) return -1;
  tm_batch whole = *batch;
  whole.marks = NULL;
  if (!is_whole(i, port, &whole)) {
    tm_batch_release(batch);
    return tm_record_refuse(err);
  }
  if (tm_interval_begin(i, port, batch, err) < 0) return -1;
  tm_record_get_bytes(r, p->met, batch->selected);
  for (uint32_t n = 0; n < batch->selected; n++) p->met[n] = p->met[n] != 0;
  p->at = (uint32_t)tm_record_get(r, batch->selected);
  p->seen = (uint32_t)tm_record_get(r, ROWS_MAX);
  return 0;
}

int tm_interval_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  interval *i = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  for (uint32_t port = 0; port < 2; port++) {
    i->watermarks_us[port] = (int64_t)tm_record_get(&r, UINT64_MAX);
    i->ended[port] = tm_record_get(&r, 1);
    if (restore_rows(i, port, &r, err) < 0) return -1;
  }
  i->told_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  if (restore_probe(i, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}
