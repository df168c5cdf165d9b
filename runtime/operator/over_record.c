/* operator/over_record.c: partitions, rows that wait and rows that are ready, as a record.
 *
 * Rows that wait are saved as batches and numbered through; a partition says the numbers of its
 * own. Partitions that are forgotten in time come in that order. */
#include <string.h>

#include "operator/over_parts.h"
#include "state/key_bytes.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "over: out of memory"); }

/* Rows of a partition that wait; after the end none does. */
static uint64_t waiting_of(const tm_over_run *run, const tm_over_partition *p) {
  uint64_t most = run->plan->lead_most;
  if (run->waiting == 0) return 0;
  return p->rows < most ? p->rows : most;
}

/* ------------------------------------------------------------------ saving */

/* The number of a place, given that of the first row of each batch. */
static uint64_t number_of(const tm_over_run *run, const tm_over_place *place) {
  uint64_t before = 0;
  for (uint32_t i = 0; run->held[i] != place->held; i++) before += run->held[i]->rows->rows;
  return before + place->row;
}

static void save_partition(const tm_over_run *run, tm_over_partition *p, tm_record_writer *w) {
  const tm_over_plan *plan = run->plan;
  const tm_key_entry *entry = tm_over_entry_of(p);
  tm_record_put_bytes(w, tm_key_entry_bytes(entry), entry->size);
  tm_record_put(w, (uint64_t)p->latest_us);
  for (uint32_t i = 0; i < plan->column_count; i++) {
    if (plan->columns[i].lead == 0) tm_running_save(&plan->columns[i].spec, &p->columns[i], w);
  }
  if (plan->lead_most == 0) return;
  uint64_t waiting = waiting_of(run, p);
  tm_record_put(w, p->rows);
  tm_record_put(w, waiting);
  for (uint64_t row = p->rows - waiting; row < p->rows; row++) {
    tm_record_put(w, number_of(run, &p->places[row % plan->lead_most]));
  }
}

static void save_partitions(const tm_over_run *run, tm_record_writer *w) {
  uint64_t at = 0;
  tm_record_put(w, run->partitions.count);
  if (run->plan->forgets_us >= 0) {
    for (tm_over_partition *p = run->oldest; p != NULL; p = p->newer) save_partition(run, p, w);
    return;
  }
  for (tm_key_entry *entry; (entry = tm_key_map_next(&run->partitions, &at)) != NULL;) {
    save_partition(run, tm_over_partition_of(entry), w);
  }
}

int tm_over_run_save(tm_over_run *run, tm_record_writer *w, tm_error *err) {
  if (run->held_rows > run->waiting && tm_over_held_pack(run, err) < 0) return -1;
  tm_record_put(w, (uint64_t)run->rows);
  tm_record_put(w, run->emitted);
  tm_record_put(w, run->ready_count);
  for (uint32_t i = 0; i < run->ready_count; i++) tm_batch_record_save(run->ready[i], w);
  tm_record_put(w, run->held_count);
  for (uint32_t i = 0; i < run->held_count; i++) tm_batch_record_save(run->held[i]->rows, w);
  save_partitions(run, w);
  return 0;
}

/* ------------------------------------------------------------------ restoring */

static tm_batch *restore_batch(tm_over_run *run, tm_record_reader *r, tm_error *err) {
  const tm_bind *bind = run->env->bind;
  tm_batch *batch = tm_batch_record_restore(r, run->env->budget, bind->output, bind->arena, err);
  if (batch == NULL || (batch->times != NULL) == run->plan->timed) return batch;
  tm_batch_release(batch);
  tm_record_refuse(err);
  return NULL;
}

static int restore_batches(tm_over_run *run, tm_record_reader *r, tm_error *err) {
  uint32_t ready = (uint32_t)tm_record_get(r, UINT32_MAX);
  for (uint32_t i = 0; i < ready; i++) {
    tm_batch *batch = restore_batch(run, r, err);
    if (batch == NULL || tm_over_ready(run, batch, err) < 0) return -1;
  }
  uint32_t held = (uint32_t)tm_record_get(r, UINT32_MAX);
  for (uint32_t i = 0; i < held; i++) {
    tm_over_held *made;
    tm_batch *batch = restore_batch(run, r, err);
    if (batch == NULL || tm_over_held_add(run, batch, &made, err) < 0) return -1;
    memset(made->places, 0, batch->rows * sizeof *made->places);
  }
  return 0;
}

/* The n-th row that waits; held NULL: there is none, or it is somebody's already. */
static tm_over_place place_of(const tm_over_run *run, uint64_t number) {
  for (uint32_t i = 0; i < run->held_count; i++) {
    tm_over_held *held = run->held[i];
    if (number >= held->rows->rows) {
      number -= held->rows->rows;
      continue;
    }
    if (held->places[number] != NULL) break;
    return (tm_over_place){held, (uint32_t)number};
  }
  return (tm_over_place){0};
}

static int restore_places(tm_over_run *run, tm_over_partition *p, tm_record_reader *r,
                          tm_error *err) {
  uint64_t most = run->plan->lead_most;
  p->rows = tm_record_get(r, UINT64_MAX / 2);
  uint64_t waiting = tm_record_get(r, p->rows < most ? p->rows : most);
  if (r->failed || waiting != waiting_of(run, p)) return tm_record_refuse(err);
  if (waiting == 0) return 0;
  p->places = tm_alloc_zero(run->env->budget, most * sizeof *p->places);
  if (p->places == NULL) return no_memory(err);
  for (uint64_t row = p->rows - waiting; row < p->rows; row++) {
    tm_over_place *place = &p->places[row % most];
    *place = place_of(run, tm_record_get(r, UINT64_MAX));
    if (r->failed || place->held == NULL) return tm_record_refuse(err);
    place->held->places[place->row] = place;
  }
  return 0;
}

static int restore_partition(tm_over_run *run, const tm_type *types, tm_record_reader *r,
                             tm_error *err) {
  const tm_over_plan *plan = run->plan;
  size_t size;
  const uint8_t *bytes = tm_record_view(r, &size);
  uint64_t before = run->partitions.count;
  if (r->failed || !tm_key_bytes_check(bytes, size, types, plan->per_count)) {
    return tm_record_refuse(err);
  }
  tm_over_partition *p = tm_over_partition_find(run, bytes, size,
                                                tm_hash_bytes(bytes, size));
  if (p == NULL) return no_memory(err);
  if (run->partitions.count == before) return tm_record_refuse(err); /* twice */
  tm_over_partition_touch(run, p, (int64_t)tm_record_get(r, UINT64_MAX));
  for (uint32_t i = 0; i < plan->column_count; i++) {
    if (plan->columns[i].lead > 0) continue;
    if (tm_running_restore(&plan->columns[i].spec, run->env->budget, &p->columns[i], r) < 0) {
      return no_memory(err);
    }
  }
  if (r->failed) return tm_record_refuse(err);
  return plan->lead_most > 0 ? restore_places(run, p, r, err) : 0;
}

int tm_over_run_restore(tm_over_run *run, tm_record_reader *r, tm_error *err) {
  const tm_over_plan *plan = run->plan;
  run->rows = (int64_t)tm_record_get(r, INT64_MAX / 2);
  run->emitted = tm_record_get(r, UINT64_MAX);
  if (restore_batches(run, r, err) < 0) return -1;
  uint64_t count = tm_record_get(r, UINT64_MAX), left = run->waiting;
  if (r->failed) return tm_record_refuse(err);
  size_t bytes = (plan->per_count + 1) * sizeof(tm_type);
  tm_type *types = tm_alloc(run->env->budget, bytes);
  if (types == NULL) return no_memory(err);
  for (uint32_t i = 0; i < plan->per_count; i++) {
    types[i] = run->env->bind->inputs[0]->fields[plan->per[i]].type;
  }
  int done = 0;
  for (uint64_t i = 0; i < count && done == 0; i++) done = restore_partition(run, types, r, err);
  tm_free(run->env->budget, types, bytes);
  for (uint32_t i = 0; i < run->held_count && done == 0; i++) {
    const tm_over_held *held = run->held[i];
    for (uint32_t row = 0; row < held->rows->rows; row++) left -= held->places[row] != NULL;
  }
  return done == 0 && left > 0 ? tm_record_refuse(err) : done;
}
