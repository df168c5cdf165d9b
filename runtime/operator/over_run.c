/* operator/over_run.c: a push: functions, partitions, then a loop for each column. */
#include <assert.h>
#include <string.h>

#include "operator/over_parts.h"
#include "stage/apply.h"
#include "state/key_bytes.h"

enum { AHEAD = 8 };

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "over: out of memory"); }

/* ------------------------------------------------------------------ partitions */

static bool forgets(const tm_over_run *run) { return run->plan->forgets_us >= 0; }

tm_over_partition *tm_over_partition_find(tm_over_run *run, const void *key, size_t size,
                                          uint64_t hash) {
  tm_key_entry *entry = tm_key_map_insert(&run->partitions, key, size, hash);
  return entry == NULL ? NULL : tm_over_partition_of(entry);
}

static void unlink_partition(tm_over_run *run, tm_over_partition *p) {
  if (p->older != NULL) p->older->newer = p->newer;
  else if (run->oldest == p) run->oldest = p->newer;
  if (p->newer != NULL) p->newer->older = p->older;
  else if (run->newest == p) run->newest = p->older;
  p->older = p->newer = NULL;
}

void tm_over_partition_touch(tm_over_run *run, tm_over_partition *p, int64_t time_us) {
  p->latest_us = time_us;
  if (!forgets(run) || run->newest == p) return;
  unlink_partition(run, p);
  p->older = run->newest;
  if (run->newest != NULL) run->newest->newer = p;
  else run->oldest = p;
  run->newest = p;
}

static void free_partition(tm_over_run *run, tm_over_partition *p) {
  for (uint32_t i = 0; i < run->plan->column_count; i++) {
    tm_running_deinit(&run->plan->columns[i].spec, run->env->budget, &p->columns[i]);
  }
  if (p->places == NULL) return;
  tm_free(run->env->budget, p->places, run->plan->lead_most * sizeof *p->places);
}

void tm_over_run_forget(tm_over_run *run, int64_t watermark_us) {
  if (!forgets(run)) return;
  for (tm_over_partition *p; (p = run->oldest) != NULL;) {
    bool old = p->latest_us < watermark_us &&
               tm_running_distance(watermark_us, p->latest_us) > (uint64_t)run->plan->forgets_us;
    if (!old) return;
    unlink_partition(run, p);
    free_partition(run, p);
    tm_key_map_remove(&run->partitions, tm_over_entry_of(p));
  }
}

/* ------------------------------------------------------------------ life */

static uint32_t payload_bytes(const tm_over_plan *plan) {
  size_t bytes = sizeof(tm_over_partition) + plan->column_count * sizeof(tm_running);
  return (uint32_t)((bytes + 15) / 16 * 16);
}

int tm_over_run_init(tm_over_run *run, const tm_stage_env *env, tm_error *err) {
  *run = (tm_over_run){.env = env, .plan = env->bind->plan};
  tm_key_map_init(&run->partitions, env->budget, payload_bytes(run->plan));
  tm_bytes_init(&run->key, env->budget);
  tm_arena_init(&run->scratch, env->budget);
  run->key_columns = tm_alloc(env->budget, run->plan->per_count * sizeof *run->key_columns);
  return run->key_columns == NULL ? no_memory(err) : 0;
}

void tm_over_run_deinit(tm_over_run *run) {
  tm_budget *budget = run->env->budget;
  uint64_t at = 0;
  for (tm_key_entry *entry; (entry = tm_key_map_next(&run->partitions, &at)) != NULL;) {
    free_partition(run, tm_over_partition_of(entry));
  }
  for (uint32_t i = 0; i < run->held_count; i++) tm_over_held_drop(run, run->held[i]);
  for (uint32_t i = 0; i < run->ready_count; i++) tm_batch_release(run->ready[i]);
  tm_free(budget, run->held, run->held_capacity * sizeof *run->held);
  tm_free(budget, run->ready, run->ready_capacity * sizeof *run->ready);
  if (run->key_columns != NULL) {
    tm_free(budget, run->key_columns, run->plan->per_count * sizeof *run->key_columns);
  }
  tm_key_map_deinit(&run->partitions);
  tm_bytes_deinit(&run->key);
  tm_arena_deinit(&run->scratch);
}

int tm_over_ready(tm_over_run *run, tm_batch *taken, tm_error *err) {
  if (run->ready_count == run->ready_capacity) {
    uint32_t capacity = run->ready_capacity == 0 ? 4 : run->ready_capacity * 2;
    tm_batch **grown = tm_realloc(run->env->budget, run->ready,
                                  run->ready_capacity * sizeof *grown, capacity * sizeof *grown);
    if (grown == NULL) {
      tm_batch_release(taken);
      return no_memory(err);
    }
    run->ready = grown;
    run->ready_capacity = capacity;
  }
  run->ready[run->ready_count++] = taken;
  return 0;
}

bool tm_over_run_emit(tm_over_run *run, tm_out *out) {
  if (run->ready_count == 0) return false;
  tm_batch *batch = run->ready[0];
  memmove(run->ready, run->ready + 1, --run->ready_count * sizeof *run->ready);
  batch->sequence = run->emitted++;
  tm_out_emit(out, batch);
  return run->ready_count > 0;
}

/* ------------------------------------------------------------------ functions */

typedef struct push {
  tm_over_run *run;
  tm_batch *in;
  tm_column *values;    /* by column of over: what it is of, where that is a function's */
  uint8_t **counts;     /* by column of over: rows that count; NULL: all */
  uint32_t *rows;       /* numbers of the rows, and of each: */
  tm_over_partition **partitions;
  tm_running **states;
  int64_t *places;
  tm_out *out;
  tm_error *err;
} push;

static bool is_needed(const tm_over_run *run, uint32_t column) {
  const tm_bind *bind = run->env->bind;
  return bind->needed == NULL || bind->needed[bind->inputs[0]->count + column];
}

static bool is_used(const tm_over_run *run, uint32_t column, const tm_function *f) {
  return f != NULL && (f->may_raise || is_needed(run, column));
}

/* The rows of the selection that count, as a selection of their own. */
static int narrow(push *p, const uint8_t *counts) {
  tm_batch *in = p->in;
  uint32_t *rows = tm_arena_alloc(&p->run->scratch, (in->selected + 1) * sizeof *rows), count = 0;
  if (rows == NULL) return -1;
  for (uint32_t i = 0; i < in->selected; i++) {
    uint32_t row = tm_batch_row(in, i);
    rows[count] = row;
    count += counts[row];
  }
  in->selection = rows;
  in->selected = count;
  return 0;
}

/* A function of values sees the rows that count; what it refuses there leaves the whole batch. */
static int apply_value(push *p, uint32_t column) {
  const tm_over_column *c = &p->run->plan->columns[column];
  tm_batch *in = p->in;
  uint8_t *counts = p->counts[column];
  uint32_t *selection = in->selection, selected = in->selected;
  if (counts != NULL && narrow(p, counts) < 0) return no_memory(p->err);
  uint32_t before = in->selected;
  if (tm_apply(p->run->env, c->function, in, &p->values[column], NULL, &p->run->scratch, p->out,
               p->err) < 0) {
    return -1;
  }
  if (counts == NULL) return 0;
  uint8_t *stays = NULL;
  if (in->selected < before) {
    stays = tm_arena_alloc(&p->run->scratch, in->rows + 1);
    if (stays == NULL) return no_memory(p->err);
    for (uint32_t row = 0; row < in->rows; row++) stays[row] = !counts[row];
    for (uint32_t i = 0; i < in->selected; i++) stays[tm_batch_row(in, i)] = 1;
  }
  in->selection = selection;
  in->selected = selected;
  if (stays == NULL) return 0;
  return tm_apply_select(in, stays, 1) < 0 ? no_memory(p->err) : 0;
}

static int apply_functions(push *p) {
  const tm_over_plan *plan = p->run->plan;
  size_t columns = plan->column_count + 1;
  p->values = tm_arena_zero(&p->run->scratch, columns * sizeof *p->values);
  p->counts = tm_arena_zero(&p->run->scratch, columns * sizeof *p->counts);
  if (p->values == NULL || p->counts == NULL) return no_memory(p->err);
  for (uint32_t i = 0; i < plan->column_count; i++) {
    if (!is_used(p->run, i, plan->columns[i].where)) continue;
    tm_column truth = {.type = tm_type_of(TM_BOOL)};
    if (tm_apply(p->run->env, plan->columns[i].where, p->in, &truth, NULL, &p->run->scratch,
                 p->out, p->err) < 0) {
      return -1;
    }
    p->counts[i] = truth.data;
  }
  for (uint32_t i = 0; i < plan->column_count; i++) {
    if (is_used(p->run, i, plan->columns[i].function) && apply_value(p, i) < 0) return -1;
  }
  return 0;
}

/* ------------------------------------------------------------------ a push */

/* The keys of all rows, one behind the other: row number i begins at ends[i - 1]. */
static int write_keys(push *p, uint32_t *ends, uint64_t *hashes) {
  tm_over_run *run = p->run;
  const tm_over_plan *plan = run->plan;
  tm_bytes_clear(&run->key);
  if (!tm_bytes_reserve(&run->key, 1)) return -1; /* without keys, too, it has an address */
  for (uint32_t i = 0; i < plan->per_count; i++) {
    run->key_columns[i] = &p->in->columns[plan->per[i]];
  }
  for (uint32_t i = 0; i < p->in->selected; i++) {
    size_t from = run->key.size;
    if (!tm_key_bytes_append(run->key_columns, plan->per_count, p->rows[i], &run->key) ||
        run->key.size > UINT32_MAX) {
      return -1;
    }
    ends[i] = (uint32_t)run->key.size;
    hashes[i] = tm_hash_bytes(run->key.data + from, run->key.size - from);
  }
  return 0;
}

/* Partitions lie scattered: they are asked for some rows before their turn. */
static int find_partitions(push *p) {
  tm_over_run *run = p->run;
  uint32_t count = p->in->selected;
  uint32_t *ends = tm_arena_alloc(&run->scratch, (count + 1) * sizeof *ends);
  uint64_t *hashes = tm_arena_alloc(&run->scratch, (count + 1) * sizeof *hashes);
  if (ends == NULL || hashes == NULL || write_keys(p, ends, hashes) < 0) return -1;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t from = i == 0 ? 0 : ends[i - 1];
    if (i + 2 * AHEAD < count) {
      tm_key_map_expect(&run->partitions, hashes[i + 2 * AHEAD]);
      tm_key_map_expect_entry(&run->partitions, hashes[i + AHEAD]);
    }
    p->partitions[i] = tm_over_partition_find(run, run->key.data + from, ends[i] - from,
                                              hashes[i]);
    if (p->partitions[i] == NULL) return -1;
    int64_t time_us = p->in->times == NULL ? 0 : p->in->times[p->rows[i]];
    tm_over_partition_touch(run, p->partitions[i], time_us);
  }
  return 0;
}

/* Of each row: what was given, else its time, else its number. */
static void set_places(push *p, const int64_t *given) {
  const int64_t *places = given != NULL ? given : p->in->times;
  for (uint32_t i = 0; i < p->in->selected; i++) {
    p->places[i] = places != NULL ? places[p->rows[i]] : p->run->rows + i;
  }
}

static int add_column(push *p, tm_batch *batch, uint32_t column) {
  const tm_over_column *c = &p->run->plan->columns[column];
  tm_running_rows in = {.count = p->in->selected, .rows = p->rows, .states = p->states,
                        .places = p->places, .counts = p->counts[column]};
  if (c->function != NULL) in.value = &p->values[column];
  else if (c->input >= 0) in.value = &p->in->columns[c->input];
  for (uint32_t i = 0; i < in.count; i++) p->states[i] = &p->partitions[i]->columns[column];
  return tm_running_add(&c->spec, p->run->env->budget, &in, batch,
                        p->in->schema->count + column, p->err);
}

static int add_columns(push *p, tm_batch *batch, const int64_t *places, const int64_t *peers) {
  const tm_over_plan *plan = p->run->plan;
  set_places(p, places);
  for (uint32_t i = 0; i < plan->column_count; i++) {
    const tm_over_column *c = &plan->columns[i];
    if (c->lead > 0 || !is_needed(p->run, i)) continue;
    bool by_peers = c->spec.kind == TM_RUNNING_RANK && peers != NULL;
    if (by_peers) set_places(p, peers);
    if (add_column(p, batch, i) < 0) return -1;
    if (by_peers) set_places(p, places);
  }
  return 0;
}

static int lay_out(push *p) {
  tm_arena *scratch = &p->run->scratch;
  size_t count = p->in->selected + 1;
  p->rows = tm_arena_alloc(scratch, count * sizeof *p->rows);
  p->partitions = tm_arena_alloc(scratch, count * sizeof *p->partitions);
  p->states = tm_arena_alloc(scratch, count * sizeof *p->states);
  p->places = tm_arena_alloc(scratch, count * sizeof *p->places);
  if (p->rows == NULL || p->partitions == NULL || p->states == NULL || p->places == NULL) {
    return -1;
  }
  for (uint32_t i = 0; i < p->in->selected; i++) p->rows[i] = tm_batch_row(p->in, i);
  return find_partitions(p);
}

static tm_batch *make_output(push *p) {
  tm_batch *batch = tm_batch_derive(p->in, p->run->env->budget, p->run->env->bind->output);
  for (uint32_t i = 0; batch != NULL && i < p->in->schema->count; i++) {
    batch->columns[i] = p->in->columns[i];
  }
  return batch;
}

static int run_push(push *p, const int64_t *places, const int64_t *peers) {
  tm_over_run *run = p->run;
  if (apply_functions(p) < 0) return -1;
  if (p->in->selected == 0) return 0;
  if (lay_out(p) < 0) return no_memory(p->err);
  tm_batch *batch = make_output(p);
  if (batch == NULL) return no_memory(p->err);
  int done = add_columns(p, batch, places, peers);
  run->rows += p->in->selected;
  if (done == 0 && run->plan->lead_most > 0) {
    done = tm_over_held_push(run, batch, p->in, p->rows, p->partitions, p->in->selected, p->err);
  }
  if (done == 0) return tm_over_ready(run, batch, p->err);
  tm_batch_release(batch);
  return -1;
}

int tm_over_run_push(tm_over_run *run, tm_batch *taken, const int64_t *places,
                     const int64_t *peers, tm_out *out, tm_error *err) {
  tm_batch *in = tm_batch_own(taken, run->env->budget);
  if (in == NULL) return no_memory(err);
  push p = {.run = run, .in = in, .out = out, .err = err};
  int done = run_push(&p, places, peers);
  tm_batch_release(in); /* what comes out pins it */
  tm_arena_reset(&run->scratch);
  return done;
}

int tm_over_run_finish(tm_over_run *run, tm_error *err) { return tm_over_held_finish(run, err); }
