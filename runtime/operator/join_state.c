/* operator/join_state.c: a join's lane as a record.
 *
 * Each lane saves the rows that it has kept of the build side, the batch that probes, and how far
 * it is. The tables of keys are not saved: once every lane is back, the last one lays the parts out
 * and makes the partitions as far as they had been made, in the same order, so that the numbers of
 * rows are
 * what they were. Every lane saves all the marks on rows that were met, for any lane may set them;
 * restoring joins them. A mark that came too late for one lane does no harm: the row that made it
 * comes again. */
#include <string.h>

#include "operator/join_run.h"
#include "state/batch_record.h"

/* ---------------------------------------------------------------- saving */

static void save_store(const tm_row_store *store, tm_record_writer *w) {
  tm_record_put(w, store->chunk_count);
  for (uint32_t i = 0; i < store->chunk_count; i++) {
    tm_batch rows = *store->chunks[i].rows; /* a view of what is in use */
    rows.selected = rows.rows = store->chunks[i].count;
    tm_batch_record_save(&rows, w);
  }
}

static void save_marks(const tm_join *j, tm_record_writer *w) {
  bool there = j->track && __atomic_load_n(&j->shared->laid_out, __ATOMIC_ACQUIRE);
  uint32_t chunks = there ? j->table->chunk_count : 0;
  tm_record_put(w, chunks);
  for (uint32_t chunk = 0; chunk < chunks; chunk++) {
    const uint8_t *marks = j->table->matched + (size_t)chunk * TM_CHUNK_ROWS;
    uint32_t count = j->table->chunks[chunk].count;
    uint8_t bits[TM_CHUNK_ROWS / 8] = {0};
    for (uint32_t i = 0; i < count; i++) {
      bits[i / 8] |= (uint8_t)(__atomic_load_n(&marks[i], __ATOMIC_RELAXED) << i % 8);
    }
    tm_record_put(w, count);
    tm_record_put_bytes(w, bits, (count + 7) / 8);
  }
}

static void save_probe(const tm_join *j, tm_record_writer *w) {
  tm_record_put(w, j->batch != NULL);
  if (j->batch == NULL) return;
  uint32_t head = TM_ROW_NONE;
  if (j->heads != NULL && j->at < j->batch->selected) head = j->heads[j->at];
  if (j->heads == NULL) head = j->at_head;
  tm_batch_record_save(j->batch, w);
  tm_record_put(w, j->at);
  tm_record_put(w, head);
  tm_record_put_bytes(w, j->met, j->batch->selected);
}

int tm_join_save(void *self, tm_bytes *out, tm_error *err) {
  const tm_join *j = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, j->phase);
  tm_record_put(&w, j->chunk);
  tm_record_put(&w, j->row);
  save_store(&j->table->stores[j->env.lane], &w);
  save_marks(j, &w);
  save_probe(j, &w);
  return tm_record_end(&w, err);
}

/* ---------------------------------------------------------------- restoring */

/* What is looked at of a side has values. */
static bool is_whole(const tm_join *j, uint32_t port, const tm_batch *batch) {
  bool by_time = j->plan->order != NULL && j->plan->order->column < 0;
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    if (j->plan->kept[port][i] && batch->columns[i].data == NULL) return false;
  }
  return batch->times != NULL || !by_time;
}

static int restore_store(tm_join *j, tm_record_reader *r, tm_error *err) {
  uint32_t port = j->plan->build;
  const tm_join_keys *keys = &j->plan->keys[port];
  uint64_t chunks = tm_record_get(r, TM_CHUNKS_MAX);
  for (uint64_t i = 0; i < chunks && !r->failed; i++) {
    tm_batch *rows = tm_batch_record_restore(r, j->env.budget, j->plan->sides[port],
                                             j->env.bind->arena, err);
    if (rows == NULL) return -1;
    int done = rows->rows <= TM_CHUNK_ROWS && is_whole(j, port, rows)
                   ? tm_join_table_append(j->table, j->env.lane, rows, keys, err)
                   : tm_record_refuse(err);
    tm_batch_release(rows);
    if (done < 0) return -1;
  }
  return 0;
}

static int restore_marks(tm_join *j, tm_record_reader *r, tm_error *err) {
  tm_join_shared *s = j->shared;
  uint64_t chunks = tm_record_get(r, TM_CHUNKS_MAX);
  uint64_t count = chunks * TM_CHUNK_ROWS;
  if (chunks == 0) return 0;
  bool fits = j->track && chunks * 9 <= (uint64_t)(r->end - r->at);
  if (!fits || (s->marks != NULL && count != s->mark_count)) return tm_record_refuse(err);
  if (s->marks == NULL) s->marks = tm_alloc_zero(s->budget, count);
  if (s->marks == NULL) return tm_fail(err, TM_E_MEMORY, "join: out of memory");
  s->mark_count = count;
  for (uint64_t chunk = 0; chunk < chunks; chunk++) {
    uint8_t *marks = s->marks + chunk * TM_CHUNK_ROWS, bits[TM_CHUNK_ROWS / 8];
    uint32_t rows = (uint32_t)tm_record_get(r, TM_CHUNK_ROWS);
    tm_record_get_bytes(r, bits, (rows + 7) / 8);
    for (uint32_t i = 0; i < rows; i++) marks[i] |= bits[i / 8] >> i % 8 & 1;
  }
  return 0;
}

static int restore_probe(tm_join *j, tm_record_reader *r, tm_error *err) {
  uint32_t port = 1 - j->plan->build;
  if (!tm_record_get(r, 1)) return 0;
  j->batch = tm_batch_record_restore(r, j->env.budget, j->plan->sides[port],
                                     j->env.bind->arena, err);
  if (j->batch == NULL) return -1;
  j->met = tm_batch_alloc(j->batch, j->batch->selected + 1);
  if (j->met == NULL) return tm_fail(err, TM_E_MEMORY, "join: out of memory");
  j->at = (uint32_t)tm_record_get(r, j->batch->selected);
  j->at_head = (uint32_t)tm_record_get(r, TM_ROW_NONE);
  j->resumes = true;
  tm_record_get_bytes(r, j->met, j->batch->selected);
  for (uint32_t i = 0; i < j->batch->selected; i++) j->met[i] = j->met[i] != 0;
  return is_whole(j, port, j->batch) ? 0 : tm_record_refuse(err);
}

static int build_partition(tm_join *j, uint32_t lane, tm_error *err) {
  const tm_join_keys *keys = &j->plan->keys[j->plan->build];
  uint32_t count = j->shared->rebuild[lane];
  for (uint32_t chunk = 0; chunk < count && chunk < j->table->chunk_count; chunk++) {
    if (tm_join_table_build(j->table, lane, chunk, keys, err) < 0) return -1;
  }
  return 0;
}

/* By the last lane that is restored: what all of them have been through. */
static int rebuild(tm_join *j, tm_error *err) {
  tm_join_shared *s = j->shared;
  if (!tm_gate_open(&s->copied)) return s->marks == NULL ? 0 : tm_record_refuse(err);
  if (tm_join_lay_out(j, err) < 0) return -1;
  for (uint32_t lane = 0; lane < j->env.lanes; lane++) {
    if (build_partition(j, lane, err) < 0) return -1;
    int more = s->rebuild[lane] == UINT32_MAX && j->plan->order != NULL;
    while (more > 0) more = tm_join_runs_step(&s->runs, lane, err);
    if (more < 0) return -1;
  }
  if (s->marks == NULL) return 0;
  if (s->mark_count != (uint64_t)j->table->chunk_count * TM_CHUNK_ROWS) {
    return tm_record_refuse(err);
  }
  memcpy(j->table->matched, s->marks, s->mark_count);
  return 0;
}

/* What a phase has behind it. */
static int pass_gates(tm_join *j, tm_error *err) {
  tm_join_shared *s = j->shared;
  if (j->phase > JOIN_COPY) tm_gate_arrive(&s->copied, &j->env);
  if (j->phase == JOIN_BUILD) s->rebuild[j->env.lane] = j->chunk;
  if (j->phase >= JOIN_PROBE) {
    s->rebuild[j->env.lane] = UINT32_MAX;
    tm_gate_arrive(&s->built, &j->env);
  }
  if (j->phase == JOIN_DRAIN) tm_gate_arrive(&s->probed, &j->env);
  bool last = __atomic_add_fetch(&s->restored, 1, __ATOMIC_ACQ_REL) == j->env.lanes;
  return last ? rebuild(j, err) : 0;
}

int tm_join_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  tm_join *j = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  j->phase = (tm_join_phase)tm_record_get(&r, JOIN_DRAIN);
  j->chunk = (uint32_t)tm_record_get(&r, TM_CHUNKS_MAX);
  j->row = (uint32_t)tm_record_get(&r, TM_CHUNK_ROWS);
  if (restore_store(j, &r, err) < 0 || restore_marks(j, &r, err) < 0 ||
      restore_probe(j, &r, err) < 0 || tm_record_close(&r, err) < 0) {
    return -1;
  }
  return pass_gates(j, err);
}
