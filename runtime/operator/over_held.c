/* operator/over_held.c: rows that wait for others of their partition, for lead.
 *
 * A row waits for as many rows as the furthest lead looks at. It lies in a batch of rows that came
 * together, already whole but for its leads; its partition knows the place. Once it waits no longer
 * it is gathered into a batch that goes out; the batch where it lay goes with its last row, or when
 * most of what is kept has long gone: then all that waits moves together. */
#include <assert.h>
#include <string.h>

#include "operator/over_parts.h"

enum { PACK_ROWS_MIN = 4096, PACK_TIMES = 3, BATCHES_MIN = 16, BATCH_ROWS_FEW = 64 };

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "over: out of memory"); }

/* ------------------------------------------------------------------ batches of rows that wait */

/* A lead may turn out to be null. */
static bool make_nullable(const tm_over_run *run, tm_batch *batch) {
  uint32_t first = run->env->bind->inputs[0]->count;
  for (uint32_t i = 0; i < run->plan->column_count; i++) {
    tm_column *c = &batch->columns[first + i];
    if (run->plan->columns[i].lead == 0 || c->data == NULL || c->valid != NULL) continue;
    c->valid = tm_batch_alloc(batch, batch->rows + 1);
    if (c->valid == NULL) return false;
    memset(c->valid, 1, batch->rows);
  }
  return true;
}

int tm_over_held_add(tm_over_run *run, tm_batch *taken, tm_over_held **out, tm_error *err) {
  tm_budget *budget = run->env->budget;
  if (run->held_count == run->held_capacity) {
    uint32_t capacity = run->held_capacity == 0 ? 8 : run->held_capacity * 2;
    tm_over_held **grown = tm_realloc(budget, run->held, run->held_capacity * sizeof *grown,
                                      capacity * sizeof *grown);
    if (grown == NULL) {
      tm_batch_release(taken);
      return no_memory(err);
    }
    run->held = grown;
    run->held_capacity = capacity;
  }
  tm_over_held *held = tm_alloc_zero(budget, sizeof *held);
  uint8_t *done = tm_batch_alloc(taken, taken->rows + 1);
  tm_over_place **places = tm_batch_alloc(taken, (taken->rows + 1) * sizeof *places);
  if (held == NULL || done == NULL || places == NULL || !make_nullable(run, taken)) {
    if (held != NULL) tm_free(budget, held, sizeof *held);
    tm_batch_release(taken);
    return no_memory(err);
  }
  memset(done, 0, taken->rows);
  *held = (tm_over_held){taken, taken->rows, 0, done, places};
  run->held[run->held_count++] = held;
  run->held_rows += taken->rows;
  run->waiting += taken->rows;
  *out = held;
  return 0;
}

void tm_over_held_drop(tm_over_run *run, tm_over_held *held) {
  tm_batch_release(held->rows);
  tm_free(run->env->budget, held, sizeof *held);
}

/* Those in which no row waits go. */
static void drop_empty(tm_over_run *run) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < run->held_count; i++) {
    tm_over_held *held = run->held[i];
    if (held->waiting > 0) {
      run->held[kept++] = held;
      continue;
    }
    run->held_rows -= held->rows->rows;
    tm_over_held_drop(run, held);
  }
  run->held_count = kept;
}

static void finish_row(tm_over_run *run, tm_over_held *held, uint32_t row) {
  held->done[row] = 1;
  held->waiting--;
  run->waiting--;
  while (held->first < held->rows->rows && held->done[held->first]) held->first++;
}

int64_t tm_over_run_waits_from(const tm_over_run *run) {
  int64_t least = TM_TIME_END;
  for (uint32_t i = 0; i < run->held_count; i++) {
    const tm_over_held *held = run->held[i];
    if (held->waiting == 0) continue;
    int64_t time_us = held->rows->times == NULL ? least : held->rows->times[held->first];
    if (time_us < least) least = time_us;
  }
  return least;
}

/* ------------------------------------------------------------------ values ahead */

static int copy_value(tm_batch *to, uint32_t column, uint32_t row, const tm_column *from,
                      uint32_t from_row, tm_error *err) {
  tm_column *c = &to->columns[column];
  size_t width = tm_type_width(c->type);
  c->valid[row] = !tm_column_is_null(from, from_row);
  if (!c->valid[row]) return 0;
  if (tm_type_physical(c->type) == TM_PHYSICAL_STR) {
    const tm_str *text = &((const tm_str *)from->data)[from_row];
    bool kept = tm_batch_text(to, tm_str_bytes(text), text->size, &((tm_str *)c->data)[row]);
    return kept ? 0 : no_memory(err);
  }
  memcpy((char *)c->data + row * width, (const char *)from->data + from_row * width, width);
  return 0;
}

static bool is_needed(const tm_over_run *run, uint32_t column) {
  const tm_bind *bind = run->env->bind;
  return bind->needed == NULL || bind->needed[bind->inputs[0]->count + column];
}

/* All leads begin as null. */
static int open_leads(const tm_over_run *run, tm_batch *batch, tm_error *err) {
  uint32_t first = run->env->bind->inputs[0]->count;
  for (uint32_t i = 0; i < run->plan->column_count; i++) {
    if (run->plan->columns[i].lead == 0 || !is_needed(run, i)) continue;
    if (tm_batch_column(batch, first + i, true) < 0) return no_memory(err);
    tm_column *c = &batch->columns[first + i];
    memset(c->valid, 0, batch->rows);
    memset(c->data, 0, batch->rows * tm_type_width(c->type));
  }
  return 0;
}

/* A push: `own` stands for the batch that is pushed, whose rows do not wait yet. */
typedef struct pass {
  tm_over_run *run;
  tm_over_held own;
  const tm_batch *in;
  tm_sort_place *ready; /* rows of other batches that wait no longer */
  uint32_t ready_count;
  tm_error *err;
} pass;

/* The row looks back at those whose leads it is. */
static int fill_leads(pass *p, const tm_over_partition *partition, uint32_t row) {
  const tm_over_plan *plan = p->run->plan;
  uint32_t first = p->run->env->bind->inputs[0]->count;
  for (uint32_t i = 0; i < plan->column_count; i++) {
    const tm_over_column *c = &plan->columns[i];
    if (c->lead == 0 || partition->rows < c->lead || !is_needed(p->run, i)) continue;
    const tm_over_place *to = &partition->places[(partition->rows - c->lead) % plan->lead_most];
    if (copy_value(to->held->rows, first + i, to->row, &p->in->columns[c->input], row,
                   p->err) < 0) {
      return -1;
    }
  }
  return 0;
}

static int pass_row(pass *p, tm_over_partition *partition, uint32_t row) {
  tm_over_run *run = p->run;
  uint32_t most = run->plan->lead_most;
  if (partition->places == NULL) {
    partition->places = tm_alloc_zero(run->env->budget, most * sizeof *partition->places);
    if (partition->places == NULL) return no_memory(p->err);
  }
  if (fill_leads(p, partition, row) < 0) return -1;
  tm_over_place *place = &partition->places[partition->rows % most];
  if (partition->rows >= most) { /* the row that was there has seen all that it looks at */
    if (place->held != &p->own) {
      p->ready[p->ready_count++] = (tm_sort_place){place->held->rows, place->row};
      finish_row(run, place->held, place->row);
    } else {
      p->own.done[place->row] = 1;
    }
  }
  *place = (tm_over_place){&p->own, row};
  p->own.places[row] = place;
  partition->rows++;
  return 0;
}

/* ------------------------------------------------------------------ out */

/* Rows as a batch of their own, which pins those where they lie. */
static tm_batch *gather(tm_over_run *run, const tm_sort_place *places, uint32_t count) {
  tm_batch *batch = tm_sort_gather(run->env->budget, run->env->bind->output, places, count);
  const tm_batch *last = NULL;
  for (uint32_t i = 0; batch != NULL && i < count; i++) {
    if (places[i].batch == last) continue;
    last = places[i].batch;
    if (tm_batch_pin_batch(batch, (tm_batch *)(uintptr_t)last) == 0) continue;
    tm_batch_release(batch);
    return NULL;
  }
  return batch;
}

static int give(tm_over_run *run, const tm_sort_place *places, uint32_t count, tm_error *err) {
  uint32_t most = run->env->bind->job->batch_rows;
  for (uint32_t at = 0; at < count; at += most) {
    tm_batch *batch = gather(run, places + at, count - at < most ? count - at : most);
    if (batch == NULL) return no_memory(err);
    if (tm_over_ready(run, batch, err) < 0) return -1;
  }
  return 0;
}

/* Rows of the pushed batch that wait are copied, the others stay its selection. */
static int keep_waiting(pass *p, tm_batch *batch, const uint32_t *rows, uint32_t count) {
  uint32_t *waits = tm_batch_alloc(batch, (count + 1) * sizeof *waits), waiting = 0;
  uint32_t *goes = tm_batch_alloc(batch, (count + 1) * sizeof *goes), going = 0;
  if (waits == NULL || goes == NULL) return no_memory(p->err);
  for (uint32_t i = 0; i < count; i++) {
    if (p->own.done[rows[i]]) goes[going++] = rows[i];
    else waits[waiting++] = rows[i];
  }
  if (waiting > 0) {
    batch->selection = waits;
    batch->selected = waiting;
    tm_over_held *held;
    tm_batch *kept = tm_batch_compact(batch, p->run->env->budget);
    if (kept == NULL) return no_memory(p->err);
    if (tm_over_held_add(p->run, kept, &held, p->err) < 0) return -1;
    for (uint32_t i = 0; i < waiting; i++) {
      held->places[i] = p->own.places[waits[i]];
      *held->places[i] = (tm_over_place){held, i};
    }
  }
  batch->selection = goes;
  batch->selected = going;
  return 0;
}

/* Whatever happens, no place may point to the batch that is pushed. */
static void forget_own(pass *p, tm_over_partition *const *partitions, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    tm_over_partition *partition = partitions[i];
    if (partition->places == NULL) continue;
    tm_free(p->run->env->budget, partition->places,
            p->run->plan->lead_most * sizeof *partition->places);
    partition->places = NULL;
  }
}

int tm_over_held_push(tm_over_run *run, tm_batch *batch, const tm_batch *in, const uint32_t *rows,
                      tm_over_partition *const *partitions, uint32_t count, tm_error *err) {
  pass p = {.run = run, .in = in, .err = err, .own = {.rows = batch}};
  p.own.done = tm_arena_zero(&run->scratch, batch->rows + 1);
  p.own.places = tm_arena_alloc(&run->scratch, (batch->rows + 1) * sizeof *p.own.places);
  p.ready = tm_arena_alloc(&run->scratch, (count + 1) * sizeof *p.ready);
  if (p.own.done == NULL || p.own.places == NULL || p.ready == NULL) return no_memory(err);
  int done = open_leads(run, batch, err);
  for (uint32_t i = 0; i < count && done == 0; i++) done = pass_row(&p, partitions[i], rows[i]);
  if (done == 0) done = give(run, p.ready, p.ready_count, err);
  if (done == 0) done = keep_waiting(&p, batch, rows, count);
  if (done < 0) {
    forget_own(&p, partitions, count); /* the stage can only be closed */
    return -1;
  }
  drop_empty(run);
  bool sparse = run->held_rows > PACK_ROWS_MIN && run->held_rows > PACK_TIMES * run->waiting;
  bool many = run->held_count > BATCHES_MIN &&
              run->held_rows < (uint64_t)run->held_count * BATCH_ROWS_FEW;
  return sparse || many ? tm_over_held_pack(run, err) : 0;
}

/* ------------------------------------------------------------------ all that waits */

/* The rows that wait, in their order; in memory of the budget. NULL: out of memory. */
static tm_sort_place *list_waiting(const tm_over_run *run, tm_over_place ***out_places) {
  tm_sort_place *list = tm_alloc(run->env->budget, (run->waiting + 1) * sizeof *list);
  tm_over_place **places = tm_alloc(run->env->budget, (run->waiting + 1) * sizeof *places);
  uint64_t count = 0;
  if (list == NULL || places == NULL) {
    if (list != NULL) tm_free(run->env->budget, list, (run->waiting + 1) * sizeof *list);
    if (places != NULL) tm_free(run->env->budget, places, (run->waiting + 1) * sizeof *places);
    return NULL;
  }
  for (uint32_t i = 0; i < run->held_count; i++) {
    const tm_over_held *held = run->held[i];
    for (uint32_t row = held->first; row < held->rows->rows; row++) {
      if (held->done[row]) continue;
      places[count] = held->places[row];
      list[count++] = (tm_sort_place){held->rows, row};
    }
  }
  assert(count == run->waiting);
  *out_places = places;
  return list;
}

static void free_list(const tm_over_run *run, uint64_t count, tm_sort_place *list,
                      tm_over_place **places) {
  tm_free(run->env->budget, list, (count + 1) * sizeof *list);
  tm_free(run->env->budget, places, (count + 1) * sizeof *places);
}

/* Copies of those rows become the first of `held`; the old ones are the caller's to drop. */
static int move_rows(tm_over_run *run, const tm_sort_place *list, tm_over_place *const *places,
                     uint32_t count, tm_error *err) {
  tm_over_held *held;
  tm_batch *views = tm_sort_gather(run->env->budget, run->env->bind->output, list, count);
  if (views == NULL) return no_memory(err);
  tm_batch *whole = tm_batch_compact(views, run->env->budget);
  tm_batch_release(views);
  if (whole == NULL) return no_memory(err);
  if (tm_over_held_add(run, whole, &held, err) < 0) return -1;
  for (uint32_t i = 0; i < count; i++) {
    held->places[i] = places[i];
    *places[i] = (tm_over_place){held, i};
  }
  return 0;
}

int tm_over_held_pack(tm_over_run *run, tm_error *err) {
  uint64_t count = run->waiting;
  uint32_t old = run->held_count;
  tm_over_place **places;
  tm_sort_place *list = list_waiting(run, &places);
  if (list == NULL) return no_memory(err);
  int done = 0;
  for (uint64_t at = 0; at < count && done == 0; at += TM_BATCH_ROWS_MAX) {
    uint64_t left = count - at;
    uint32_t some = left < TM_BATCH_ROWS_MAX ? (uint32_t)left : TM_BATCH_ROWS_MAX;
    done = move_rows(run, list + at, places + at, some, err);
  }
  free_list(run, count, list, places);
  if (done < 0) return -1; /* the stage can only be closed */
  for (uint32_t i = 0; i < old; i++) {
    run->held_rows -= run->held[i]->rows->rows;
    tm_over_held_drop(run, run->held[i]);
  }
  run->held_count -= old;
  memmove(run->held, run->held + old, run->held_count * sizeof *run->held);
  run->waiting = count;
  return 0;
}

int tm_over_held_finish(tm_over_run *run, tm_error *err) {
  uint64_t count = run->waiting;
  tm_over_place **places;
  if (count == 0) return 0;
  tm_sort_place *list = list_waiting(run, &places);
  if (list == NULL) return no_memory(err);
  int done = 0;
  for (uint64_t at = 0; at < count && done == 0; at += TM_BATCH_ROWS_MAX) {
    uint64_t left = count - at;
    done = give(run, list + at, left < TM_BATCH_ROWS_MAX ? (uint32_t)left : TM_BATCH_ROWS_MAX, err);
  }
  free_list(run, count, list, places);
  if (done < 0) return -1;
  for (uint32_t i = 0; i < run->held_count; i++) tm_over_held_drop(run, run->held[i]);
  run->held_count = 0;
  run->held_rows = run->waiting = 0;
  return 0;
}
