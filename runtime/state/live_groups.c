/* state/live_groups.c: see live_groups.h. A batch goes through in these steps:
 *
 * 1. every row gets the id of its group, and its number among the groups that the batch touches;
 * 2. weights are made for each filter: 0 where it does not hold;
 * 3. the aggregates of the touched groups are read: the old rows;
 * 4. each part takes the rows in (live_sums.c, live_picks.c, live_pairs.c);
 * 5. they are read again: the new rows; of those that differ both go out, side by side;
 * 6. groups without rows leave.
 *
 * All states of the touched groups come into the cache at step 1 and stay there; a part's own loop
 * goes over arrays of a batch. */
#include "state/live_parts.h"

#include <assert.h>

enum { AHEAD = 16 }; /* groups whose states are asked for before their turn */

struct tm_live_groups {
  tm_budget *budget;
  const tm_group_plan *plan;
  const uint8_t *needed;
  const tm_live_options *options;
  tm_live_part **parts;    /* of the plan; NULL: not needed */
  tm_live_pairs **pairs;   /* by input; NULL: nobody counts its different values */
  uint32_t input_count;
  tm_row_set *keys;
  char *states;            /* by id, `stride` bytes each */
  uint32_t capacity;
  size_t stride;
  int64_t arrived;         /* rows so far */
  bool started;            /* without keys: the row has been given */
  uint32_t settle_at;      /* inputs whose pairs are done */
  tm_arena scratch;        /* of a batch */
};

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "groups and their aggregates need more than the memory budget");
}

/* ------------------------------------------------------------------ life */

static bool is_needed(const tm_live_groups *g, uint32_t aggregate) {
  return g->needed == NULL || g->needed[aggregate];
}

static const tm_live_class *class_of(const tm_part_spec *spec, bool retracts) {
  tm_physical physical = tm_type_physical(spec->type);
  switch (spec->kind) {
    case TM_PART_ROWS:
    case TM_PART_NULLS:
    case TM_PART_SEEN: return &tm_live_counts;
    case TM_PART_SUM:
      return physical == TM_PHYSICAL_I128 ? &tm_live_wide_sums : &tm_live_sums;
    case TM_PART_PRODUCTS: return &tm_live_wide_sums;
    case TM_PART_FLOATS: return &tm_live_floats;
    case TM_PART_FLOAT_PRODUCTS: return &tm_live_float_products;
    case TM_PART_LEAST:
    case TM_PART_GREATEST:
    case TM_PART_FIRST:
    case TM_PART_LAST:
    case TM_PART_ARG_LEAST:
    case TM_PART_ARG_GREATEST: return retracts ? &tm_live_ordered : &tm_live_best;
    case TM_PART_VALUES: return &tm_live_ordered;
    case TM_PART_DISTINCT: return &tm_live_distinct;
    default: return NULL;
  }
}

static int create_part(tm_live_groups *g, uint32_t index, tm_error *err) {
  const tm_part_spec *spec = &g->plan->parts[index];
  const tm_live_class *class = class_of(spec, g->options->retracts);
  if (class == NULL) {
    return tm_fail(err, TM_E_UNSUPPORTED, "this aggregate cannot be kept without a window yet");
  }
  tm_live_part *part = tm_alloc_zero(g->budget, class->size);
  if (part == NULL) return no_memory(err);
  *part = (tm_live_part){.class = class, .spec = spec, .options = g->options, .budget = g->budget};
  g->parts[index] = part;
  if (class->open != NULL && !class->open(part)) return no_memory(err);
  size_t bytes = class->state_bytes(part), align = bytes % 16 == 0 ? 16 : 8;
  part->offset = (g->stride + align - 1) / align * align;
  g->stride = part->offset + bytes;
  if (class != &tm_live_distinct) return 0;
  tm_live_pairs **pairs = &g->pairs[spec->input];
  if (*pairs == NULL) *pairs = tm_live_pairs_create(g->budget, g->options, spec->type);
  return *pairs != NULL && tm_live_pairs_join(*pairs, part) ? 0 : no_memory(err);
}

/* The least and the greatest know by themselves whether they are there. */
static uint32_t parts_used(const tm_aggregate *a) {
  return a->kind == TM_AGGREGATE_MIN || a->kind == TM_AGGREGATE_MAX ? 1 : a->part_count;
}

static int create_parts(tm_live_groups *g, tm_error *err) {
  for (uint32_t i = 0; i < g->plan->aggregate_count; i++) {
    const tm_aggregate *a = &g->plan->aggregates[i];
    for (uint32_t k = 0; k < parts_used(a) && is_needed(g, i); k++) {
      if (g->parts[a->parts[k]] == NULL && create_part(g, a->parts[k], err) < 0) return -1;
    }
  }
  g->stride = (g->stride + 15) / 16 * 16;
  return 0;
}

/* One more than the greatest index of an input. */
static uint32_t inputs_of(const tm_group_plan *plan) {
  int32_t most = -1;
  for (uint32_t i = 0; i < plan->part_count; i++) {
    if (plan->parts[i].input > most) most = plan->parts[i].input;
    if (plan->parts[i].by > most) most = plan->parts[i].by;
  }
  return (uint32_t)(most + 1);
}

tm_live_groups *tm_live_groups_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, const tm_live_options *options,
                                      tm_error *err) {
  tm_live_groups *g = tm_alloc_zero(budget, sizeof *g);
  if (g == NULL) {
    no_memory(err);
    return NULL;
  }
  *g = (tm_live_groups){
    .budget = budget, .plan = plan, .needed = needed, .options = options,
    .input_count = inputs_of(plan), .stride = sizeof(tm_live_head),
  };
  tm_arena_init(&g->scratch, budget);
  g->parts = tm_alloc_zero(budget, plan->part_count * sizeof *g->parts);
  g->pairs = tm_alloc_zero(budget, g->input_count * sizeof *g->pairs);
  g->keys = tm_row_set_create(budget, plan->key_types, plan->key_count, false);
  if (g->parts == NULL || g->pairs == NULL || g->keys == NULL) no_memory(err);
  else if (create_parts(g, err) == 0) return g;
  tm_live_groups_destroy(g);
  return NULL;
}

void tm_live_groups_destroy(tm_live_groups *g) {
  if (g == NULL) return;
  tm_budget *budget = g->budget;
  for (uint32_t i = 0; g->parts != NULL && i < g->plan->part_count; i++) {
    tm_live_part *part = g->parts[i];
    if (part == NULL) continue;
    if (part->class->close != NULL) part->class->close(part);
    tm_free(budget, part, part->class->size);
  }
  for (uint32_t i = 0; g->pairs != NULL && i < g->input_count; i++) {
    tm_live_pairs_destroy(g->pairs[i]);
  }
  tm_free(budget, g->parts, g->plan->part_count * sizeof *g->parts);
  tm_free(budget, g->pairs, g->input_count * sizeof *g->pairs);
  tm_row_set_destroy(g->keys);
  tm_free(budget, g->states, g->capacity * g->stride);
  tm_arena_deinit(&g->scratch);
  tm_free(budget, g, sizeof *g);
}

uint32_t tm_live_groups_count(const tm_live_groups *g) { return tm_row_set_count(g->keys); }

static bool grow_states(tm_live_groups *g, uint32_t end) {
  if (end <= g->capacity) return true;
  uint32_t capacity = g->capacity == 0 ? 16 : g->capacity;
  while (capacity < end) capacity *= 2;
  size_t bytes = g->capacity * g->stride;
  char *grown = tm_realloc(g->budget, g->states, bytes, capacity * g->stride);
  if (grown == NULL) return false;
  memset(grown + bytes, 0, capacity * g->stride - bytes);
  g->states = grown;
  g->capacity = capacity;
  return true;
}

/* ------------------------------------------------------------------ groups of a batch */

typedef struct work {
  tm_live_batch batch;
  uint32_t *group, *local, *touched; /* ids by row, numbers by row, ids of the touched groups */
  char **states;
  int64_t *rows_before;              /* of the touched groups */
} work;

static tm_live_head *head_of(char *state) { return (tm_live_head *)(void *)state; }

/* A group is touched if its head names a place where it stands: nothing need be cleared. */
static void number_groups(tm_live_groups *g, work *w) {
  uint32_t count = w->batch.count, touched = w->batch.touched;
  char *states = g->states;
  size_t stride = g->stride;
  for (uint32_t i = 0; i < count; i++) {
    if (i + AHEAD < count) __builtin_prefetch(states + w->group[i + AHEAD] * stride, 1);
    uint32_t id = w->group[i];
    tm_live_head *head = head_of(states + id * stride);
    if (head->local >= touched || w->touched[head->local] != id) {
      w->touched[touched] = id;
      head->local = touched++;
    }
    w->local[i] = head->local;
  }
  w->batch.touched = touched;
}

static bool make_room(tm_live_groups *g, work *w, uint32_t rows) {
  tm_arena *arena = &g->scratch;
  size_t room = rows + (size_t)1;
  w->group = tm_arena_alloc(arena, room * sizeof *w->group);
  w->local = tm_arena_alloc(arena, room * sizeof *w->local);
  w->touched = tm_arena_alloc(arena, room * sizeof *w->touched);
  w->states = tm_arena_alloc(arena, room * sizeof *w->states);
  w->rows_before = tm_arena_alloc(arena, room * sizeof *w->rows_before);
  w->batch.words = tm_arena_alloc(arena, room * sizeof *w->batch.words);
  w->batch.wide = tm_arena_alloc(arena, room * sizeof *w->batch.wide);
  w->batch.ranks = tm_arena_alloc(arena, room * sizeof *w->batch.ranks);
  return w->group != NULL && w->local != NULL && w->touched != NULL && w->states != NULL &&
         w->rows_before != NULL && w->batch.words != NULL && w->batch.wide != NULL &&
         w->batch.ranks != NULL;
}

static bool find_groups(tm_live_groups *g, const tm_live_rows *in, work *w) {
  if (!make_room(g, w, in->count)) return false;
  w->batch.in = in;
  w->batch.count = in->count;
  w->batch.group = w->group;
  w->batch.local = w->local;
  w->batch.states = w->states;
  if (g->plan->key_count > 0) {
    if (tm_row_set_insert(g->keys, in->keys, in->rows, in->count, w->group) < 0) return false;
    if (!grow_states(g, tm_row_set_end(g->keys))) return false;
  } else { /* the one group is touched even by nothing */
    uint32_t id;
    if (tm_row_set_insert(g->keys, NULL, NULL, 1, &id) < 0 || !grow_states(g, 1)) return false;
    memset(w->group, 0, in->count * sizeof *w->group);
    w->touched[0] = 0;
    w->batch.touched = 1;
    head_of(g->states)->local = 0;
  }
  number_groups(g, w);
  for (uint32_t k = 0; k < w->batch.touched; k++) {
    w->states[k] = g->states + w->touched[k] * g->stride;
    w->rows_before[k] = head_of(w->states[k])->rows;
  }
  return true;
}

/* ------------------------------------------------------------------ weights and times */

/* Of all rows, by number: NULL where every one is 1. false: memory. */
static bool weigh_rows(tm_live_groups *g, work *w, int32_t **out) {
  const tm_live_rows *in = w->batch.in;
  w->batch.weight_most = 1;
  *out = NULL;
  if (in->weights == NULL) return true;
  int32_t *weights = tm_arena_alloc(&g->scratch, (in->count + (size_t)1) * sizeof *weights);
  if (weights == NULL) return false;
  for (uint32_t i = 0; i < in->count; i++) {
    weights[i] = in->weights[in->rows == NULL ? i : in->rows[i]];
    uint32_t size = weights[i] < 0 ? 0 - (uint32_t)weights[i] : (uint32_t)weights[i];
    if (size > w->batch.weight_most) w->batch.weight_most = size;
  }
  *out = weights;
  return true;
}

/* Those for which the filter holds keep their weight. */
static const int32_t *filter_rows(tm_live_groups *g, const work *w, uint32_t index,
                                  const int32_t *all) {
  const tm_live_rows *in = w->batch.in;
  const tm_group_filter *filter = &g->plan->filters[index];
  int32_t *weights = tm_arena_alloc(&g->scratch, (in->count + (size_t)1) * sizeof *weights);
  const uint8_t *holds = filter->function < 0 ? NULL : in->holds[filter->function];
  const uint8_t *valid[2];
  for (int k = 0; k < 2; k++) {
    valid[k] = filter->not_null[k] < 0 ? NULL : in->inputs[filter->not_null[k]]->valid;
  }
  for (uint32_t i = 0; weights != NULL && i < in->count; i++) {
    uint32_t row = in->rows == NULL ? i : in->rows[i];
    bool there = (holds == NULL || holds[row]) && (valid[0] == NULL || valid[0][row]) &&
                 (valid[1] == NULL || valid[1][row]);
    int32_t weight = all == NULL ? 1 : all[i];
    weights[i] = there ? weight : 0;
  }
  return weights;
}

static bool weigh(tm_live_groups *g, work *w) {
  uint32_t filters = g->plan->filter_count;
  const int32_t **weights = tm_arena_zero(&g->scratch, (filters + (size_t)1) * sizeof *weights);
  int32_t *all;
  if (w->batch.count == 0) return true;
  if (weights == NULL || !weigh_rows(g, w, &all)) return false;
  weights[0] = all;
  w->batch.weights = weights;
  for (uint32_t i = 0; i < g->plan->part_count; i++) {
    const tm_live_part *part = g->parts[i];
    if (part == NULL || part->spec->filter < 0) continue;
    uint32_t filter = (uint32_t)part->spec->filter;
    if (weights[filter + 1] != NULL) continue;
    weights[filter + 1] = filter_rows(g, w, filter, all);
    if (weights[filter + 1] == NULL) return false;
  }
  return true;
}

/* Event time, else how many rows came before. false: memory. */
static bool set_time(tm_live_groups *g, work *w, tm_column *time) {
  const tm_live_rows *in = w->batch.in;
  *time = (tm_column){.type = tm_type_of(TM_INT64)};
  w->batch.time = time;
  if (g->options->timed) {
    time->data = (void *)(uintptr_t)in->times;
    return true;
  }
  int64_t *places = tm_arena_alloc(&g->scratch, (in->row_count + (size_t)1) * sizeof *places);
  time->data = places;
  for (uint32_t i = 0; places != NULL && i < in->count; i++) {
    places[in->rows == NULL ? i : in->rows[i]] = g->arrived + i;
  }
  g->arrived += in->count;
  return places != NULL;
}

/* ------------------------------------------------------------------ rows that come out */

static bool open_batch(tm_live_groups *g, const work *w, tm_batch *out) {
  uint32_t touched = w->batch.touched;
  uint32_t *ids = tm_arena_alloc(&g->scratch, (2 * touched + (size_t)1) * sizeof *ids);
  if (ids == NULL) return false;
  for (uint32_t k = 0; k < touched; k++) ids[2 * k] = ids[2 * k + 1] = w->touched[k];
  for (uint32_t k = 0; k < g->plan->key_count; k++) {
    if (tm_row_set_read(g->keys, k, ids, 2 * touched, false, out, k) < 0) return false;
  }
  for (uint32_t i = 0; i < g->plan->aggregate_count; i++) {
    uint32_t column = g->plan->key_count + i;
    if (!is_needed(g, i)) continue;
    if (tm_batch_column(out, column, !g->plan->aggregates[i].type.not_null) < 0) return false;
  }
  out->weights = tm_batch_alloc(out, (out->rows + (size_t)1) * sizeof *out->weights);
  return out->weights != NULL;
}

/* Rows first, first + 2 … of the batch are the touched groups as they are now. */
static int read_rows(tm_live_groups *g, const work *w, tm_batch *out, uint32_t first,
                     tm_error *err) {
  size_t room = w->batch.touched + (size_t)1;
  tm_live_reading reading = {
    .parts = g->parts, .states = w->states, .count = w->batch.touched, .first = first,
    .stride = 2, .out = out,
    .tuples = tm_arena_alloc(&g->scratch, room * sizeof *reading.tuples),
    .rows = tm_arena_alloc(&g->scratch, room * sizeof *reading.rows),
  };
  if (reading.tuples == NULL || reading.rows == NULL) return no_memory(err);
  for (uint32_t i = 0; i < g->plan->aggregate_count; i++) {
    if (!is_needed(g, i)) continue;
    reading.aggregate = &g->plan->aggregates[i];
    reading.column = g->plan->key_count + i;
    if (tm_live_read(&reading, err) < 0) return -1;
  }
  return 0;
}

#define COMPARE(type_name)                                                                      \
  do {                                                                                          \
    const type_name *values = column->data;                                                     \
    for (uint32_t k = 0; k < count; k++) changed[k] |= values[2 * k] != values[2 * k + 1];      \
  } while (0)

static void compare_column(const tm_column *column, uint32_t count, uint8_t *changed) {
  for (uint32_t k = 0; column->valid != NULL && k < count; k++) {
    changed[k] |= column->valid[2 * k] != column->valid[2 * k + 1];
  }
  if (tm_type_physical(column->type) == TM_PHYSICAL_STR) {
    const tm_str *texts = column->data;
    for (uint32_t k = 0; k < count; k++) {
      if (!changed[k]) changed[k] = !tm_str_equal(&texts[2 * k], &texts[2 * k + 1]);
    }
    return;
  }
  switch (tm_type_width(column->type)) {
    case 1: COMPARE(uint8_t); return;
    case 4: COMPARE(uint32_t); return;
    case 8: COMPARE(uint64_t); return; /* floats by their bits */
    default: COMPARE(__int128); return;
  }
}

/* Selects what goes out: -1 the old row, +1 the new one, nothing where they are the same. */
static bool select_rows(tm_live_groups *g, const work *w, tm_batch *out) {
  uint32_t touched = w->batch.touched, selected = 0;
  uint8_t *changed = tm_arena_zero(&g->scratch, touched + (size_t)1);
  uint32_t *selection = tm_batch_alloc(out, (2 * touched + (size_t)1) * sizeof *selection);
  if (changed == NULL || selection == NULL) return false;
  for (uint32_t i = 0; i < g->plan->aggregate_count; i++) {
    if (is_needed(g, i)) compare_column(&out->columns[g->plan->key_count + i], touched, changed);
  }
  bool keyed = g->plan->key_count > 0;
  for (uint32_t k = 0; k < touched; k++) {
    bool before = keyed ? w->rows_before[k] > 0 : g->started;
    bool after = !keyed || head_of(w->states[k])->rows > 0;
    selection[selected] = 2 * k;
    selected += before && (changed[k] || !after);
    selection[selected] = 2 * k + 1;
    selected += after && (changed[k] || !before);
    out->weights[2 * k] = -1;
    out->weights[2 * k + 1] = 1;
  }
  out->selection = selection;
  out->selected = selected;
  return true;
}

/* ------------------------------------------------------------------ taking a batch in */

static tm_live_result count_rows(work *w) {
  const int32_t *weights = w->batch.weights[0];
  memset(w->batch.words, 0, w->batch.touched * sizeof *w->batch.words);
  for (uint32_t i = 0; i < w->batch.count; i++) {
    w->batch.words[w->local[i]] += weights == NULL ? 1 : weights[i];
  }
  for (uint32_t k = 0; k < w->batch.touched; k++) {
    tm_live_head *head = head_of(w->states[k]);
    head->rows += w->batch.words[k];
    if (head->rows < 0) return TM_LIVE_GONE;
  }
  return TM_LIVE_DONE;
}

static tm_live_result apply_parts(tm_live_groups *g, work *w) {
  if (w->batch.count == 0) return TM_LIVE_DONE;
  tm_live_result done = count_rows(w);
  for (uint32_t i = 0; done == TM_LIVE_DONE && i < g->input_count; i++) {
    if (g->pairs[i] != NULL) done = tm_live_pairs_begin(g->pairs[i], &w->batch, &g->scratch);
  }
  for (uint32_t i = 0; done == TM_LIVE_DONE && i < g->plan->part_count; i++) {
    if (g->parts[i] != NULL) done = g->parts[i]->class->apply(g->parts[i], &w->batch);
  }
  for (uint32_t i = 0; done == TM_LIVE_DONE && i < g->input_count; i++) {
    if (g->pairs[i] != NULL) done = tm_live_pairs_end(g->pairs[i], &w->batch);
  }
  return done;
}

static void drop_empty(tm_live_groups *g, const work *w) {
  if (!g->options->retracts || g->plan->key_count == 0) return;
  for (uint32_t k = 0; k < w->batch.touched; k++) {
    if (head_of(w->states[k])->rows > 0) continue;
    for (uint32_t i = 0; i < g->plan->part_count; i++) {
      tm_live_part *part = g->parts[i];
      if (part == NULL || part->class->drop == NULL) continue;
      part->class->drop(part, w->states[k] + part->offset);
    }
    memset(w->states[k], 0, g->stride);
    tm_row_set_remove(g->keys, w->touched[k]);
  }
}

static int take_in(tm_live_groups *g, work *w, tm_batch *out, tm_error *err) {
  tm_column time;
  if (!weigh(g, w) || !set_time(g, w, &time) || !open_batch(g, w, out)) return no_memory(err);
  if (read_rows(g, w, out, 0, err) < 0) return -1;
  tm_live_result done = apply_parts(g, w);
  if (done == TM_LIVE_MEMORY) return no_memory(err);
  if (done == TM_LIVE_GONE) {
    return tm_fail(err, TM_E_LEDGER, "a row is taken back that never came");
  }
  if (read_rows(g, w, out, 1, err) < 0) return -1;
  if (!select_rows(g, w, out)) return no_memory(err);
  drop_empty(g, w);
  g->started = true;
  return 0;
}

int tm_live_groups_add(tm_live_groups *g, const tm_live_rows *in, const tm_schema *schema,
                       tm_budget *budget, tm_batch **out, tm_error *err) {
  work w = {0};
  *out = NULL;
  assert(schema->count == g->plan->key_count + g->plan->aggregate_count);
  if (!find_groups(g, in, &w)) return no_memory(err);
  tm_batch *batch = tm_batch_create(budget, schema, 2 * w.batch.touched);
  int done = batch == NULL ? no_memory(err) : take_in(g, &w, batch, err);
  tm_arena_reset(&g->scratch);
  if (done == 0 && batch->selected > 0) {
    *out = batch;
    return 0;
  }
  tm_batch_release(batch);
  return done;
}

int tm_live_groups_settle_step(tm_live_groups *g, tm_error *err) {
  int more = tm_row_set_settle_step(g->keys);
  if (more < 0) return no_memory(err);
  if (more > 0) return 1;
  for (; g->settle_at < g->input_count; g->settle_at++) {
    if (g->pairs[g->settle_at] == NULL) continue;
    more = tm_live_pairs_settle_step(g->pairs[g->settle_at]);
    if (more < 0) return no_memory(err);
    if (more > 0) return 1;
  }
  g->settle_at = 0;
  return 0;
}

/* ------------------------------------------------------------------ saving */

void tm_live_groups_save(const tm_live_groups *g, tm_record_writer *writer) {
  tm_record_put(writer, (uint64_t)g->arrived);
  tm_record_put(writer, g->started);
  tm_row_set_save(g->keys, writer);
  for (uint32_t id = 0; id < tm_row_set_end(g->keys); id++) {
    if (!tm_row_set_has(g->keys, id)) continue;
    const char *state = g->states + id * g->stride;
    tm_record_put(writer, (uint64_t)((const tm_live_head *)(const void *)state)->rows);
    for (uint32_t i = 0; i < g->plan->part_count; i++) {
      const tm_live_part *part = g->parts[i];
      if (part != NULL) part->class->save(part, state + part->offset, writer);
    }
  }
  for (uint32_t i = 0; i < g->input_count; i++) {
    if (g->pairs[i] != NULL) tm_live_pairs_save(g->pairs[i], writer);
  }
}

static int restore_state(tm_live_groups *g, char *state, tm_record_reader *reader) {
  head_of(state)->rows = (int64_t)tm_record_get(reader, INT64_MAX);
  for (uint32_t i = 0; i < g->plan->part_count && !reader->failed; i++) {
    tm_live_part *part = g->parts[i];
    if (part != NULL && part->class->restore(part, state + part->offset, reader) < 0) return -1;
  }
  return 0;
}

int tm_live_groups_restore(tm_live_groups *g, tm_record_reader *reader, tm_error *err) {
  g->arrived = (int64_t)tm_record_get(reader, INT64_MAX);
  g->started = tm_record_get(reader, 1);
  if (tm_row_set_restore(g->keys, reader) < 0) return no_memory(err);
  uint32_t end = tm_row_set_end(g->keys);
  if (g->plan->key_count == 0 && end > 1) reader->failed = true;
  if (!grow_states(g, end)) return no_memory(err);
  for (uint32_t id = 0; id < end && !reader->failed; id++) {
    if (!tm_row_set_has(g->keys, id)) continue;
    if (restore_state(g, g->states + id * g->stride, reader) < 0) return no_memory(err);
  }
  for (uint32_t i = 0; i < g->input_count && !reader->failed; i++) {
    if (g->pairs[i] == NULL) continue;
    if (tm_live_pairs_restore(g->pairs[i], reader) < 0) return no_memory(err);
  }
  return reader->failed ? tm_fail(err, TM_E_LOCKED, "saved state does not fit this step") : 0;
}
