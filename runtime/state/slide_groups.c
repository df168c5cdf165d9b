/* state/slide_groups.c: see slide_groups.h. The invariant: a key is there, and has a state, as long
 * as a row of it is in the queue. */
#include "state/slide_groups.h"

#include "state/row_set.h"
#include "state/slide_steps.h"

enum { LEAVE_ROWS = 4096 };

struct tm_slide_groups {
  tm_budget *budget;
  const tm_slide_spec *spec;
  tm_arena arena;               /* as long as the groups */
  tm_schema *kept;              /* columns of the queue: keys, used inputs, used filters */
  int32_t *input_at, *filter_at; /* which they are; -1: not used */
  const tm_column **keys, **inputs; /* of a batch that came out of the queue */
  uint8_t **holds;
  tm_slide_queue queue;
  tm_row_set *key_set;          /* NULL: there are no keys */
  tm_live_states *states;       /* by id of the key */
  tm_slide_key *of_key;
  uint32_t key_capacity;
  uint64_t batches;
};

static int no_memory(tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "the rows of a sliding window need more than the memory budget");
  return tm_error_help(err, "give more with --memory, or a shorter span");
}

/* ------------------------------------------------------------------ life */

static int make_room(tm_slide_groups *g) {
  const tm_slide_spec *spec = g->spec;
  uint32_t keys = spec->plan->key_count;
  tm_arena *arena = &g->arena;
  g->input_at = tm_arena_alloc(arena, (spec->input_count + 1) * sizeof *g->input_at);
  g->filter_at = tm_arena_alloc(arena, (spec->filter_count + 1) * sizeof *g->filter_at);
  g->keys = tm_arena_zero(arena, (keys + 1) * sizeof *g->keys);
  g->inputs = tm_arena_zero(arena, (spec->input_count + 1) * sizeof *g->inputs);
  g->holds = tm_arena_zero(arena, (spec->filter_count + 1) * sizeof *g->holds);
  g->kept = tm_schema_create(arena, keys + spec->input_count + spec->filter_count);
  return g->input_at == NULL || g->filter_at == NULL || g->keys == NULL || g->inputs == NULL ||
                 g->holds == NULL || g->kept == NULL ? -1 : 0;
}

/* What is kept of a row: what the aggregates take back, and the keys, to begin again with. */
static int choose_kept(tm_slide_groups *g) {
  const tm_slide_spec *spec = g->spec;
  uint32_t count = spec->plan->key_count;
  if (make_room(g) < 0) return -1;
  for (uint32_t i = 0; i < count; i++) {
    g->kept->fields[i] = (tm_field){.name = "key", .type = spec->plan->key_types[i]};
  }
  for (uint32_t i = 0; i < spec->input_count; i++) {
    g->input_at[i] = spec->used_inputs[i] ? (int32_t)count : -1;
    if (!spec->used_inputs[i]) continue;
    g->kept->fields[count++] = (tm_field){.name = "input", .type = spec->input_types[i]};
  }
  for (uint32_t i = 0; i < spec->filter_count; i++) {
    g->filter_at[i] = spec->used_filters[i] ? (int32_t)count : -1;
    if (!spec->used_filters[i]) continue;
    g->kept->fields[count] = (tm_field){.name = "filter", .type = tm_type_of(TM_BOOL)};
    g->kept->fields[count++].type.not_null = 1;
  }
  g->kept->count = count;
  return 0;
}

tm_slide_groups *tm_slide_groups_create(tm_budget *budget, const tm_slide_spec *spec,
                                        tm_error *err) {
  const tm_group_plan *plan = spec->plan;
  tm_slide_groups *g = tm_alloc_zero(budget, sizeof *g);
  if (g == NULL) {
    no_memory(err);
    return NULL;
  }
  g->budget = budget;
  g->spec = spec;
  tm_arena_init(&g->arena, budget);
  bool done = choose_kept(g) == 0;
  tm_slide_queue_init(&g->queue, budget, g->kept);
  if (done && plan->key_count > 0) {
    g->key_set = tm_row_set_create(budget, plan->key_types, plan->key_count, false);
    done = g->key_set != NULL;
  }
  if (done) g->states = tm_live_states_create(budget, plan, spec->needed, spec->live, err);
  if (g->states != NULL) return g;
  no_memory(err); /* unless it is told already */
  tm_slide_groups_destroy(g);
  return NULL;
}

void tm_slide_groups_destroy(tm_slide_groups *g) {
  if (g == NULL) return;
  tm_budget *budget = g->budget;
  tm_live_states_destroy(g->states);
  tm_row_set_destroy(g->key_set);
  tm_slide_queue_deinit(&g->queue);
  tm_free(budget, g->of_key, g->key_capacity * sizeof *g->of_key);
  tm_arena_deinit(&g->arena);
  tm_free(budget, g, sizeof *g);
}

/* ------------------------------------------------------------------ keys */

static int reserve_keys(tm_slide_groups *g, uint32_t end, tm_error *err) {
  uint32_t capacity = g->key_capacity < 64 ? 64 : g->key_capacity;
  if (tm_live_states_reserve(g->states, end, err) < 0) return -1;
  if (end <= g->key_capacity) return 0;
  while (capacity < end) capacity *= 2;
  tm_slide_key *grown = tm_realloc(g->budget, g->of_key, g->key_capacity * sizeof *grown,
                                   capacity * sizeof *grown);
  if (grown == NULL) return no_memory(err);
  memset(grown + g->key_capacity, 0, (capacity - g->key_capacity) * sizeof *grown);
  g->of_key = grown;
  g->key_capacity = capacity;
  return 0;
}

/* The key's id of each row; unknown keys come in. 0, or -1 with err. */
static int find_keys(tm_slide_groups *g, const tm_column *const *keys, const uint32_t *rows,
                     uint32_t count, uint32_t *ids, tm_error *err) {
  if (g->key_set == NULL) {
    memset(ids, 0, count * sizeof *ids);
    return reserve_keys(g, 1, err);
  }
  if (tm_row_set_insert(g->key_set, keys, rows, count, ids) < 0) return no_memory(err);
  return reserve_keys(g, tm_row_set_end(g->key_set), err);
}

/* Those of the keys of which no row is in the window any more. */
static void drop_keys(tm_slide_groups *g, const uint32_t *ids, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (g->key_set != NULL && !tm_row_set_has(g->key_set, ids[i])) continue;
    if (tm_live_states_rows(g->states, ids[i]) > 0) continue;
    tm_live_states_drop(g->states, ids[i]);
    if (g->key_set != NULL) tm_row_set_remove(g->key_set, ids[i]);
  }
}

int tm_slide_groups_settle_step(tm_slide_groups *g, tm_error *err) {
  int more = g->key_set == NULL ? 0 : tm_row_set_settle_step(g->key_set);
  if (more != 0) return more < 0 ? no_memory(err) : 1;
  return tm_live_states_settle_step(g->states, err);
}

/* ------------------------------------------------------------------ rows of the queue */

/* Copies of what is kept of the rows, to its end. */
static int enqueue(tm_slide_groups *g, const tm_slide_rows *rows, const uint32_t *ids) {
  const tm_slide_spec *spec = g->spec;
  tm_batch *view = tm_batch_derive(rows->batch, g->budget, g->kept);
  if (view == NULL) return -1;
  view->ordinals = NULL;
  view->marks = NULL;
  for (uint32_t i = 0; i < spec->plan->key_count; i++) view->columns[i] = *rows->keys[i];
  for (uint32_t i = 0; i < spec->input_count; i++) {
    if (g->input_at[i] >= 0) view->columns[g->input_at[i]] = *rows->inputs[i];
  }
  for (uint32_t i = 0; i < spec->filter_count; i++) {
    if (g->filter_at[i] >= 0) view->columns[g->filter_at[i]].data = rows->holds[i];
  }
  int done = tm_slide_queue_push(&g->queue, view, ids);
  tm_batch_release(view);
  return done;
}

/* Rows `listed` (NULL: all) of a batch of the queue's columns. */
static tm_live_rows open_kept(tm_slide_groups *g, const tm_batch *kept, const uint32_t *listed,
                              uint32_t count) {
  const tm_slide_spec *spec = g->spec;
  for (uint32_t i = 0; i < spec->input_count; i++) {
    g->inputs[i] = g->input_at[i] < 0 ? NULL : &kept->columns[g->input_at[i]];
  }
  for (uint32_t i = 0; i < spec->filter_count; i++) {
    g->holds[i] = g->filter_at[i] < 0 ? NULL : kept->columns[g->filter_at[i]].data;
  }
  return (tm_live_rows){
    .inputs = g->inputs, .rows = listed, .count = count, .row_count = kept->rows,
    .holds = (const uint8_t *const *)g->holds, .times = kept->times,
  };
}

int tm_slide_groups_leave(tm_slide_groups *g, int64_t time_us, tm_arena *arena, tm_error *err) {
  int64_t start_us = tm_slide_start(time_us, g->spec->span_us);
  uint32_t count = tm_slide_queue_due(&g->queue, 0, start_us, LEAVE_ROWS);
  if (count == 0) return 0;
  uint32_t *ids = tm_arena_alloc(arena, count * sizeof *ids);
  uint32_t *listed = tm_arena_alloc(arena, count * sizeof *listed);
  if (ids == NULL || listed == NULL) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) ids[i] = tm_slide_queue_state(&g->queue, i);
  tm_batch *left = tm_slide_queue_take(&g->queue, count);
  if (left == NULL) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) listed[i] = tm_batch_row(left, i);
  tm_live_rows rows = open_kept(g, left, listed, count);
  int done = tm_live_states_remove(g->states, &rows, ids, err);
  if (done == 0) drop_keys(g, ids, count);
  tm_batch_release(left);
  return done < 0 ? -1 : count == LEAVE_ROWS;
}

/* ------------------------------------------------------------------ rounds */

/* While the rounds of a batch go on. */
typedef struct rounds {
  const tm_slide_rows *in;
  tm_slide_steps steps;
  uint32_t *order, *starts;           /* of rows that come */
  uint32_t *left_order, *left_starts; /* of rows that leave */
  tm_batch *left;                     /* those, out of the queue */
  uint32_t *listed, *ids;             /* scratch: rows of a round, and their keys */
  tm_slide_results *out;
  uint32_t column, used;              /* of the results; slots */
} rounds;

static int open_results(tm_slide_groups *g, const tm_batch *batch, const tm_schema *schema,
                        uint32_t column, uint32_t slots, tm_arena *arena, tm_slide_results *out,
                        tm_error *err) {
  out->slots = tm_arena_zero(arena, (batch->rows + (size_t)1) * sizeof *out->slots);
  out->batch = out->slots == NULL ? NULL : tm_batch_create(g->budget, schema, slots);
  if (out->batch == NULL) return no_memory(err);
  return tm_live_states_open(g->states, out->batch, column, err);
}

static int open_rounds(tm_slide_groups *g, rounds *r, tm_arena *arena, tm_error *err) {
  const tm_slide_steps *w = &r->steps;
  size_t most = w->count > w->left_count ? w->count : w->left_count;
  r->order = tm_slide_steps_sort(arena, w->step, w->count, w->most, &r->starts);
  r->left_order = tm_slide_steps_sort(arena, w->left_step, w->left_count, w->most,
                                      &r->left_starts);
  r->listed = tm_arena_alloc(arena, (most + 1) * sizeof *r->listed);
  r->ids = tm_arena_alloc(arena, (most + 1) * sizeof *r->ids);
  if (r->order == NULL || r->left_order == NULL || r->listed == NULL || r->ids == NULL) {
    return no_memory(err);
  }
  if (w->left_count == 0) return 0;
  r->left = tm_slide_queue_take(&g->queue, w->left_count);
  return r->left == NULL ? no_memory(err) : 0;
}

static int remove_step(tm_slide_groups *g, rounds *r, uint32_t step, tm_error *err) {
  uint32_t first = r->left_starts[step], count = r->left_starts[step + 1] - first;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = r->left_order[first + i];
    r->listed[i] = tm_batch_row(r->left, at);
    r->ids[i] = r->steps.left_ids[at];
  }
  if (count == 0) return 0;
  tm_live_rows rows = open_kept(g, r->left, r->listed, count);
  return tm_live_states_remove(g->states, &rows, r->ids, err);
}

/* Which keys there are in a round, to ids; each row gets the slot of its key. Their number. */
static uint32_t number_slots(tm_slide_groups *g, const uint32_t *rows, uint32_t *ids,
                             uint32_t count, uint32_t round, uint32_t first, uint32_t *slots) {
  uint32_t different = 0;
  for (uint32_t i = 0; i < count; i++) {
    tm_slide_key *key = tm_slide_key_of(g->of_key, ids[i], g->batches);
    if (key->round != round) {
      key->round = round;
      key->slot = first + different;
      ids[different++] = ids[i];
    }
    slots[rows[i]] = key->slot;
  }
  return different;
}

static int add_rows(tm_slide_groups *g, const tm_slide_rows *in, const uint32_t *listed,
                    const uint32_t *ids, uint32_t count, tm_error *err) {
  tm_live_rows rows = {
    .inputs = in->inputs, .rows = listed, .count = count, .row_count = in->batch->rows,
    .holds = (const uint8_t *const *)in->holds, .times = in->batch->times,
  };
  return tm_live_states_add(g->states, &rows, ids, err);
}

static int add_step(tm_slide_groups *g, rounds *r, uint32_t step, tm_error *err) {
  uint32_t first = r->starts[step], count = r->starts[step + 1] - first;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = r->order[first + i];
    r->listed[i] = r->steps.rows[at];
    r->ids[i] = r->steps.ids[at];
  }
  if (add_rows(g, r->in, r->listed, r->ids, count, err) < 0) return -1;
  uint32_t keys = number_slots(g, r->listed, r->ids, count, step + 1, r->used, r->out->slots);
  if (tm_live_states_read(g->states, r->ids, keys, r->out->batch, r->used, r->column, err) < 0) {
    return -1;
  }
  r->used += keys;
  return 0;
}

static int run_rounds(tm_slide_groups *g, rounds *r, tm_error *err) {
  for (uint32_t step = 0; step < r->steps.most; step++) {
    if (remove_step(g, r, step, err) < 0 || add_step(g, r, step, err) < 0) return -1;
  }
  if (remove_step(g, r, r->steps.most, err) < 0) return -1; /* of keys that no row came of since */
  drop_keys(g, r->steps.left_ids, r->steps.left_count);
  return 0;
}

/* Rows to the end of the queue, and their keys. 0, or -1 with err. */
static int take_rows(tm_slide_groups *g, const tm_slide_rows *rows, tm_slide_steps *w,
                     tm_arena *arena, tm_error *err) {
  int more = 1;
  while (more > 0) {
    more = tm_slide_groups_leave(g, rows->batch->times[tm_batch_row(rows->batch, 0)], arena, err);
  }
  if (more < 0) return -1;
  if (tm_slide_steps_open(w, arena, rows->batch) < 0) return no_memory(err);
  if (find_keys(g, rows->keys, w->rows, w->count, w->ids, err) < 0) return -1;
  return enqueue(g, rows, w->ids) < 0 ? no_memory(err) : 0;
}

int tm_slide_groups_slide(tm_slide_groups *g, const tm_slide_rows *rows, const tm_schema *schema,
                          uint32_t column, tm_arena *arena, tm_slide_results *out,
                          tm_error *err) {
  rounds r = {.in = rows, .out = out, .column = column};
  *out = (tm_slide_results){.batch = NULL};
  if (take_rows(g, rows, &r.steps, arena, err) < 0) return -1;
  g->batches++;
  if (tm_slide_steps_number(&r.steps, arena, &g->queue, g->spec->span_us, g->of_key,
                            g->batches) < 0) {
    return no_memory(err);
  }
  int done = open_rounds(g, &r, arena, err);
  if (done == 0) {
    done = open_results(g, rows->batch, schema, column, r.steps.slots, arena, out, err);
  }
  if (done == 0) done = run_rounds(g, &r, err);
  tm_batch_release(r.left);
  if (done == 0) return 0;
  tm_batch_release(out->batch);
  out->batch = NULL;
  return -1;
}

/* ------------------------------------------------------------------ rows that wait for peers */

int tm_slide_groups_add(tm_slide_groups *g, const tm_slide_rows *rows, tm_arena *arena,
                        tm_error *err) {
  tm_slide_steps w;
  if (take_rows(g, rows, &w, arena, err) < 0) return -1;
  return add_rows(g, rows, w.rows, w.ids, w.count, err);
}

int tm_slide_groups_read(tm_slide_groups *g, const tm_slide_rows *rows, const tm_schema *schema,
                         uint32_t column, tm_arena *arena, tm_slide_results *out, tm_error *err) {
  tm_slide_steps w;
  *out = (tm_slide_results){.batch = NULL};
  if (tm_slide_steps_open(&w, arena, rows->batch) < 0) return no_memory(err);
  if (find_keys(g, rows->keys, w.rows, w.count, w.ids, err) < 0) return -1;
  if (open_results(g, rows->batch, schema, column, w.count, arena, out, err) == 0) {
    g->batches++;
    uint32_t keys = number_slots(g, w.rows, w.ids, w.count, 1, 0, out->slots);
    if (tm_live_states_read(g->states, w.ids, keys, out->batch, 0, column, err) == 0) return 0;
  }
  tm_batch_release(out->batch);
  out->batch = NULL;
  return -1;
}

/* ------------------------------------------------------------------ saving */

void tm_slide_groups_save(tm_slide_groups *g, tm_record_writer *writer) {
  tm_slide_queue_save(&g->queue, writer);
}

/* The rows of the window come once more. */
static int take_again(tm_slide_groups *g, tm_batch *batch, tm_arena *arena, tm_error *err) {
  uint32_t *ids = tm_arena_alloc(arena, (batch->rows + (size_t)1) * sizeof *ids);
  if (ids == NULL) return no_memory(err);
  for (uint32_t i = 0; i < g->spec->plan->key_count; i++) g->keys[i] = &batch->columns[i];
  if (find_keys(g, g->keys, NULL, batch->rows, ids, err) < 0) return -1;
  tm_live_rows rows = open_kept(g, batch, NULL, batch->rows);
  if (tm_live_states_add(g->states, &rows, ids, err) < 0) return -1;
  return tm_slide_queue_push(&g->queue, batch, ids) < 0 ? no_memory(err) : 0;
}

int tm_slide_groups_restore(tm_slide_groups *g, tm_record_reader *reader, tm_arena *names,
                            tm_arena *arena, tm_error *err) {
  for (;;) {
    tm_batch *batch;
    if (tm_slide_queue_restore(&g->queue, reader, names, &batch, err) < 0) return -1;
    if (batch == NULL) return 0;
    int done = take_again(g, batch, arena, err);
    tm_batch_release(batch);
    tm_arena_reset(arena);
    if (done < 0) return -1;
  }
}
