/* operator/live_join_state.c: a live join as a record. Rows are written key by key, in the order of
 * their chains, and numbered as they are written; in a fresh pool they get these numbers for ids,
 * so that the batch that was probing goes on where it was. */
#include "operator/live_join.h"

#include <string.h>

#include "kernel/hash_rows.h"
#include "state/batch_record.h"

enum { BLOCK = 512 };

typedef tm_live_join live_join;
typedef tm_live_side live_side;
typedef tm_live_row live_row;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

/* ---------------------------------------------------------------- rows of a side */

/* id: the next row; TM_POOL_NONE: the first one of the key. */
typedef struct walk { uint32_t key, id; } walk;

/* The next rows in the order of keys and chains. */
static uint32_t next_rows(const live_join *j, uint32_t side, walk *at, uint32_t *ids) {
  const live_side *s = &j->sides[side];
  uint32_t count = 0, end = tm_row_set_end(j->keys);
  while (count < BLOCK) {
    if (at->id == TM_POOL_NONE) {
      if (at->key >= end || at->key >= s->capacity) break;
      uint32_t key = at->key++;
      if (tm_row_set_has(j->keys, key)) at->id = s->heads[key];
      continue;
    }
    ids[count++] = at->id;
    at->id = tm_live_join_row(j, side, at->id)->next;
  }
  return count;
}

/* false: out of memory. */
static bool save_block(live_join *j, uint32_t side, const uint32_t *ids, uint32_t count,
                       uint32_t first, tm_record_writer *w) {
  const live_side *s = &j->sides[side];
  const tm_schema *schema = j->env.bind->inputs[side];
  tm_batch *batch = tm_batch_create(j->env.budget, schema, count);
  if (batch == NULL) return false;
  bool done = true;
  for (uint32_t c = 0; done && c < schema->count; c++) {
    if (s->pool.values[c] == 0) continue;
    done = tm_row_pool_gather(&s->pool, c, ids, NULL, count, false, batch, c) == 0;
  }
  for (uint32_t i = 0; done && i < count; i++) {
    live_row *row = tm_live_join_row(j, side, ids[i]);
    row->place = first + i;
    tm_record_put(w, row->key);
    tm_record_put(w, (uint64_t)row->time_us);
    tm_record_put(w, (uint64_t)row->weight);
    tm_record_put(w, (uint64_t)row->met);
  }
  if (done) tm_batch_record_save(batch, w);
  tm_batch_release(batch);
  return done;
}

static void save_side(live_join *j, uint32_t side, tm_record_writer *w) {
  uint32_t ids[BLOCK], count, first = 0;
  walk at = {0, TM_POOL_NONE};
  tm_record_put(w, (uint64_t)j->sides[side].weight);
  tm_record_put(w, j->sides[side].pool.rows);
  while ((count = next_rows(j, side, &at, ids)) > 0) {
    if (!save_block(j, side, ids, count, first, w)) w->failed = true;
    if (w->failed) return;
    first += count;
  }
}

/* ---------------------------------------------------------------- the batch that probes */

static void save_probe(const live_join *j, tm_record_writer *w) {
  const tm_live_probe *p = &j->probe;
  const uint32_t other = 1 - p->port;
  tm_record_put(w, p->batch != NULL);
  if (p->batch == NULL) return;
  tm_record_put(w, p->port);
  tm_batch_record_save(p->batch, w);
  tm_record_put(w, p->phase);
  tm_record_put_bytes(w, p->met, p->batch->selected * sizeof *p->met);
  tm_record_put(w, p->at);
  bool inside = p->started && p->next != TM_POOL_NONE;
  tm_record_put(w, inside);
  tm_record_put(w, inside ? tm_live_join_row(j, other, p->next)->place : 0);
  tm_record_put(w, p->given);
  tm_record_put(w, p->touch_count);
  for (uint32_t i = 0; i < p->touch_count; i++) {
    tm_record_put(w, tm_live_join_row(j, other, p->touches[i].id)->place);
    tm_record_put(w, (uint64_t)p->touches[i].before);
  }
}

int tm_live_join_save(void *self, tm_bytes *out, tm_error *err) {
  live_join *j = self;
  tm_record_writer w = {.out = out};
  for (uint32_t side = 0; side < 2; side++) {
    tm_record_put(&w, (uint64_t)j->watermarks_us[side]);
    tm_record_put(&w, j->ended[side]);
  }
  tm_record_put(&w, (uint64_t)j->told_us);
  tm_row_set_save(j->keys, &w);
  for (uint32_t side = 0; side < 2; side++) save_side(j, side, &w);
  save_probe(j, &w);
  return tm_record_end(&w, err);
}

/* ---------------------------------------------------------------- restoring */

/* What is kept of a side has data in a batch of it. */
static bool has_columns(const live_join *j, uint32_t side, const tm_batch *batch) {
  const tm_row_pool *pool = &j->sides[side].pool;
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (pool->values[c] != 0 && batch->columns[c].data == NULL) return false;
  }
  return true;
}

/* Salts of the rows of a block, as a batch that takes them back finds them. */
static void hash_block(const live_join *j, uint32_t side, const tm_batch *batch,
                       const tm_column **columns, uint64_t *hashes) {
  const tm_row_pool *pool = &j->sides[side].pool;
  uint32_t count = 0;
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (pool->values[c] != 0) columns[count++] = &batch->columns[c];
  }
  tm_hash_rows(columns, count, NULL, batch->rows, hashes);
}

/* Links each row behind the one before it, where they have the same key. */
static void link_behind(live_join *j, uint32_t side, uint32_t id) {
  live_side *s = &j->sides[side];
  live_row *row = tm_live_join_row(j, side, id);
  live_row *before = id == 0 ? NULL : tm_live_join_row(j, side, id - 1);
  if (before == NULL || before->key != row->key) return;
  s->heads[row->key] = row->next; /* it was put first */
  if (row->next != TM_POOL_NONE) tm_live_join_row(j, side, row->next)->previous = TM_POOL_NONE;
  row->next = before->next;
  row->previous = id - 1;
  if (row->next != TM_POOL_NONE) tm_live_join_row(j, side, row->next)->previous = id;
  before->next = id;
}

static int put_block(live_join *j, uint32_t side, const tm_batch *batch, const live_row *heads,
                     uint32_t first, tm_record_reader *r) {
  live_side *s = &j->sides[side];
  uint32_t rows[BLOCK], ids[BLOCK];
  uint64_t hashes[BLOCK];
  size_t bytes = (batch->schema->count + (size_t)1) * sizeof(tm_column *);
  const tm_column **columns = tm_alloc(j->env.budget, bytes);
  if (columns == NULL) return -1;
  hash_block(j, side, batch, columns, hashes);
  tm_free(j->env.budget, columns, bytes);
  for (uint32_t i = 0; i < batch->rows; i++) rows[i] = i;
  if (tm_row_pool_insert(&s->pool, batch, rows, batch->rows, ids) < 0) return -1;
  for (uint32_t i = 0; i < batch->rows; i++) {
    live_row *row = tm_live_join_row(j, side, ids[i]);
    if (ids[i] != first + i) r->failed = true; /* a fresh pool numbers rows as they come */
    *row = heads[i];
    row->salt = tm_slot_salt(hashes[i]);
    if (tm_live_join_link(j, side, ids[i]) < 0) return -1;
    link_behind(j, side, ids[i]);
  }
  return 0;
}

/* 0; -1 with err: memory. What does not fit is in r->failed. */
static int restore_block(live_join *j, uint32_t side, uint32_t first, uint32_t count,
                         tm_record_reader *r, tm_error *err) {
  live_row heads[BLOCK];
  for (uint32_t i = 0; i < count; i++) {
    uint32_t key = (uint32_t)tm_record_get(r, UINT32_MAX - 1);
    int64_t time_us = (int64_t)tm_record_get(r, UINT64_MAX);
    int64_t weight = (int64_t)tm_record_get(r, INT64_MAX);
    int64_t met = (int64_t)tm_record_get(r, UINT64_MAX);
    if (weight == 0 || !tm_row_set_has(j->keys, key)) r->failed = true;
    heads[i] = (live_row){.time_us = time_us, .weight = weight, .met = met, .key = key};
  }
  if (r->failed) return 0;
  tm_batch *batch = tm_batch_record_restore(r, j->env.budget, j->env.bind->inputs[side],
                                            j->env.bind->arena, err);
  if (batch == NULL) return -1;
  int done = 0;
  if (batch->rows != count || !has_columns(j, side, batch)) r->failed = true;
  else if (put_block(j, side, batch, heads, first, r) < 0) done = no_memory(err);
  tm_batch_release(batch);
  return done;
}

static int restore_side(live_join *j, uint32_t side, tm_record_reader *r, tm_error *err) {
  j->sides[side].weight = (int64_t)tm_record_get(r, UINT64_MAX);
  uint64_t rows = tm_record_get(r, UINT32_MAX - 1);
  for (uint64_t first = 0; first < rows && !r->failed; first += BLOCK) {
    uint32_t count = rows - first < BLOCK ? (uint32_t)(rows - first) : BLOCK;
    if (restore_block(j, side, (uint32_t)first, count, r, err) < 0) return -1;
  }
  return 0;
}

static int restore_touches(live_join *j, tm_record_reader *r, uint64_t rows, tm_error *err) {
  tm_live_probe *p = &j->probe;
  p->given = (uint32_t)tm_record_get(r, UINT32_MAX - 1);
  uint64_t count = tm_record_get(r, rows);
  for (uint64_t i = 0; i < count && !r->failed; i++) {
    uint32_t id = (uint32_t)tm_record_get(r, rows - 1);
    int64_t before = (int64_t)tm_record_get(r, UINT64_MAX);
    if (!r->failed && !tm_live_join_touch(j, id, before)) return no_memory(err);
  }
  if (p->given > p->touch_count) r->failed = true;
  return 0;
}

static int restore_probe(live_join *j, tm_record_reader *r, tm_error *err) {
  tm_live_probe *p = &j->probe;
  if (tm_record_get(r, 1) == 0 || r->failed) return 0;
  uint32_t port = (uint32_t)tm_record_get(r, 1);
  uint64_t rows = j->sides[1 - port].pool.rows;
  tm_batch *batch = tm_batch_record_restore(r, j->env.budget, j->env.bind->inputs[port],
                                            j->env.bind->arena, err);
  if (batch == NULL) return -1;
  bool timed = j->plan->join.side_timed[port];
  if (!has_columns(j, port, batch) || (timed && batch->times == NULL)) {
    r->failed = true;
    tm_batch_release(batch);
    return 0;
  }
  if (tm_live_join_begin(j, port, batch, err) < 0) return -1;
  p->phase = (tm_live_phase)tm_record_get(r, LIVE_STORE);
  tm_record_get_bytes(r, p->met, p->batch->selected * sizeof *p->met);
  p->at = (uint32_t)tm_record_get(r, p->batch->selected);
  p->started = tm_record_get(r, 1);
  p->next = (uint32_t)tm_record_get(r, UINT32_MAX - 1);
  if (p->started && (p->next >= rows || p->at == p->batch->selected)) r->failed = true;
  return restore_touches(j, r, rows, err);
}

/* Room for the heads of all keys that were saved. */
static int restore_keys(live_join *j, tm_record_reader *r) {
  if (tm_row_set_restore(j->keys, r) < 0) return -1;
  return tm_live_join_grow(j, tm_row_set_end(j->keys)) ? 0 : -1;
}

int tm_live_join_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  live_join *j = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  for (uint32_t side = 0; side < 2; side++) {
    j->watermarks_us[side] = (int64_t)tm_record_get(&r, UINT64_MAX);
    j->ended[side] = tm_record_get(&r, 1);
  }
  j->told_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  if (restore_keys(j, &r) < 0) return no_memory(err);
  for (uint32_t side = 0; side < 2; side++) {
    if (restore_side(j, side, &r, err) < 0) return -1;
  }
  if (restore_probe(j, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}
