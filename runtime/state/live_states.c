/* state/live_states.c: see live_states.h. Parts and their states are those of live groups
 * (live_parts.h), but for those that would cost more than they must: what rows are picked of that
 * leave in order, and different values of a state that goes with all of them. */
#include "state/live_parts.h"
#include "state/live_states.h"

#include <assert.h>

enum { AHEAD = 16 }; /* states that are asked for before their turn */

struct tm_live_states {
  tm_budget *budget;
  const tm_group_plan *plan;
  const uint8_t *needed;
  const tm_live_options *options;
  tm_live_part **parts; /* of the plan; NULL: not needed */
  tm_live_pairs **pairs; /* by input; NULL: nobody counts its different values one by one */
  uint32_t input_count;
  char *states;         /* by id, `stride` bytes each */
  uint32_t capacity;
  size_t stride;
  tm_arena scratch;     /* of a call */
};

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "windows and their aggregates need more than the memory budget");
}

static bool is_needed(const tm_live_states *s, uint32_t aggregate) {
  return s->needed == NULL || s->needed[aggregate];
}

static char *state_of(const tm_live_states *s, uint32_t id) {
  assert(id < s->capacity);
  return s->states + id * s->stride;
}

static tm_live_head *head_of(char *state) { return (tm_live_head *)(void *)state; }

/* ------------------------------------------------------------------ life */

static const tm_live_class *class_of(const tm_part_spec *spec, bool retracts) {
  bool wide = tm_type_physical(spec->type) == TM_PHYSICAL_I128;
  switch (spec->kind) {
    case TM_PART_ROWS:
    case TM_PART_NULLS:
    case TM_PART_SEEN: return &tm_live_counts;
    case TM_PART_SUM: return wide ? &tm_live_wide_sums : &tm_live_sums;
    case TM_PART_PRODUCTS: return &tm_live_wide_sums;
    case TM_PART_FLOATS: return &tm_live_floats;
    case TM_PART_FLOAT_PRODUCTS: return &tm_live_float_products;
    case TM_PART_LEAST:
    case TM_PART_GREATEST:
    case TM_PART_FIRST:
    case TM_PART_LAST:
    case TM_PART_ARG_LEAST:
    case TM_PART_ARG_GREATEST: return retracts ? &tm_live_deques : &tm_live_best;
    case TM_PART_VALUES: return &tm_live_ordered;
    case TM_PART_DISTINCT: return retracts ? &tm_live_distinct : &tm_live_sets;
    default: return NULL;
  }
}

static int create_part(tm_live_states *s, uint32_t index, tm_error *err) {
  const tm_part_spec *spec = &s->plan->parts[index];
  const tm_live_class *class = class_of(spec, s->options->retracts);
  if (class == NULL) {
    return tm_fail(err, TM_E_UNSUPPORTED, "this aggregate cannot be kept for such a window yet");
  }
  tm_live_part *part = tm_alloc_zero(s->budget, class->size);
  if (part == NULL) return no_memory(err);
  *part = (tm_live_part){.class = class, .spec = spec, .options = s->options, .budget = s->budget};
  s->parts[index] = part;
  if (class->open != NULL && !class->open(part)) return no_memory(err);
  size_t bytes = class->state_bytes(part), align = bytes % 16 == 0 ? 16 : 8;
  part->offset = (s->stride + align - 1) / align * align;
  s->stride = part->offset + bytes;
  if (class != &tm_live_distinct) return 0;
  tm_live_pairs **pairs = &s->pairs[spec->input];
  if (*pairs == NULL) *pairs = tm_live_pairs_create(s->budget, s->options, spec->type);
  return *pairs != NULL && tm_live_pairs_join(*pairs, part) ? 0 : no_memory(err);
}

/* One more than the greatest index of an input. */
static uint32_t inputs_of(const tm_group_plan *plan) {
  int32_t most = -1;
  for (uint32_t i = 0; i < plan->part_count; i++) {
    if (plan->parts[i].input > most) most = plan->parts[i].input;
  }
  return (uint32_t)(most + 1);
}

/* The least and the greatest know by themselves whether they are there. */
static uint32_t parts_used(const tm_aggregate *a) {
  return a->kind == TM_AGGREGATE_MIN || a->kind == TM_AGGREGATE_MAX ? 1 : a->part_count;
}

static int create_parts(tm_live_states *s, tm_error *err) {
  for (uint32_t i = 0; i < s->plan->aggregate_count; i++) {
    const tm_aggregate *a = &s->plan->aggregates[i];
    for (uint32_t k = 0; k < parts_used(a) && is_needed(s, i); k++) {
      if (s->parts[a->parts[k]] == NULL && create_part(s, a->parts[k], err) < 0) return -1;
    }
  }
  s->stride = (s->stride + 15) / 16 * 16;
  return 0;
}

tm_live_states *tm_live_states_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, const tm_live_options *options,
                                      tm_error *err) {
  assert(options->timed && options->order_count == 0);
  tm_live_states *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) {
    no_memory(err);
    return NULL;
  }
  *s = (tm_live_states){.budget = budget, .plan = plan, .needed = needed, .options = options,
                        .input_count = inputs_of(plan), .stride = sizeof(tm_live_head)};
  tm_arena_init(&s->scratch, budget);
  s->parts = tm_alloc_zero(budget, plan->part_count * sizeof *s->parts);
  s->pairs = tm_alloc_zero(budget, s->input_count * sizeof *s->pairs);
  if (s->parts == NULL || s->pairs == NULL) no_memory(err);
  else if (create_parts(s, err) == 0) return s;
  tm_live_states_destroy(s);
  return NULL;
}

void tm_live_states_destroy(tm_live_states *s) {
  if (s == NULL) return;
  tm_budget *budget = s->budget;
  for (uint32_t i = 0; s->parts != NULL && i < s->plan->part_count; i++) {
    tm_live_part *part = s->parts[i];
    if (part == NULL) continue;
    if (part->class->close != NULL) part->class->close(part);
    tm_free(budget, part, part->class->size);
  }
  for (uint32_t i = 0; s->pairs != NULL && i < s->input_count; i++) {
    tm_live_pairs_destroy(s->pairs[i]);
  }
  tm_free(budget, s->parts, s->plan->part_count * sizeof *s->parts);
  tm_free(budget, s->pairs, s->input_count * sizeof *s->pairs);
  tm_free(budget, s->states, s->capacity * s->stride);
  tm_arena_deinit(&s->scratch);
  tm_free(budget, s, sizeof *s);
}

int tm_live_states_reserve(tm_live_states *s, uint32_t end, tm_error *err) {
  uint32_t capacity = s->capacity == 0 ? 16 : s->capacity;
  if (end <= s->capacity) return 0;
  while (capacity < end) capacity *= 2;
  size_t bytes = s->capacity * s->stride;
  char *grown = tm_realloc(s->budget, s->states, bytes, capacity * s->stride);
  if (grown == NULL) return no_memory(err);
  memset(grown + bytes, 0, capacity * s->stride - bytes);
  s->states = grown;
  s->capacity = capacity;
  return 0;
}

int64_t tm_live_states_rows(const tm_live_states *s, uint32_t id) {
  return head_of(state_of(s, id))->rows;
}

void tm_live_states_drop(tm_live_states *s, uint32_t id) {
  char *state = state_of(s, id);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    tm_live_part *part = s->parts[i];
    if (part == NULL || part->class->drop == NULL) continue;
    part->class->drop(part, state + part->offset);
  }
  memset(state, 0, s->stride);
}

/* ------------------------------------------------------------------ rows */

/* A state is touched if its head names a place where it stands: nothing need be cleared. */
static void number_states(tm_live_states *s, tm_live_batch *b, const uint32_t *ids,
                          uint32_t *local, char **touched) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < b->count; i++) {
    if (i + AHEAD < b->count) __builtin_prefetch(s->states + ids[i + AHEAD] * s->stride, 1);
    char *state = state_of(s, ids[i]);
    tm_live_head *head = head_of(state);
    if (head->local >= count || touched[head->local] != state) {
      touched[count] = state;
      head->local = count++;
    }
    local[i] = head->local;
  }
  b->touched = count;
}

/* `weight` for the rows for which the filter holds, 0 for others. NULL: memory. */
static const int32_t *filter_rows(tm_live_states *s, const tm_live_rows *in, uint32_t index,
                                  int32_t weight) {
  const tm_group_filter *filter = &s->plan->filters[index];
  int32_t *weights = tm_arena_alloc(&s->scratch, (in->count + (size_t)1) * sizeof *weights);
  const uint8_t *holds = filter->function < 0 ? NULL : in->holds[filter->function];
  const uint8_t *valid[2];
  for (int k = 0; k < 2; k++) {
    valid[k] = filter->not_null[k] < 0 ? NULL : in->inputs[filter->not_null[k]]->valid;
  }
  for (uint32_t i = 0; weights != NULL && i < in->count; i++) {
    uint32_t row = in->rows == NULL ? i : in->rows[i];
    bool there = (holds == NULL || holds[row]) && (valid[0] == NULL || valid[0][row]) &&
                 (valid[1] == NULL || valid[1][row]);
    weights[i] = there ? weight : 0;
  }
  return weights;
}

/* By filter + 1; NULL where all are 1. false: memory. */
static bool weigh(tm_live_states *s, tm_live_batch *b, int32_t weight) {
  const int32_t **weights =
      tm_arena_zero(&s->scratch, (s->plan->filter_count + (size_t)1) * sizeof *weights);
  if (weights == NULL) return false;
  if (weight != 1) {
    int32_t *all = tm_arena_alloc(&s->scratch, (b->count + (size_t)1) * sizeof *all);
    if (all == NULL) return false;
    for (uint32_t i = 0; i < b->count; i++) all[i] = weight;
    weights[0] = all;
  }
  b->weight_most = 1;
  b->weights = weights;
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    const tm_live_part *part = s->parts[i];
    if (part == NULL || part->spec->filter < 0) continue;
    uint32_t filter = (uint32_t)part->spec->filter;
    if (weights[filter + 1] != NULL) continue;
    weights[filter + 1] = filter_rows(s, b->in, filter, weight);
    if (weights[filter + 1] == NULL) return false;
  }
  return true;
}

static bool make_room(tm_live_states *s, tm_live_batch *b) {
  size_t room = b->count + (size_t)1;
  b->words = tm_arena_alloc(&s->scratch, room * sizeof *b->words);
  b->wide = tm_arena_alloc(&s->scratch, room * sizeof *b->wide);
  b->ranks = tm_arena_alloc(&s->scratch, room * sizeof *b->ranks);
  return b->words != NULL && b->wide != NULL && b->ranks != NULL;
}

static tm_live_result apply_parts(tm_live_states *s, const tm_live_batch *b) {
  tm_live_result done = TM_LIVE_DONE;
  for (uint32_t i = 0; done == TM_LIVE_DONE && i < s->input_count; i++) {
    if (s->pairs[i] != NULL) done = tm_live_pairs_begin(s->pairs[i], b, &s->scratch);
  }
  for (uint32_t i = 0; done == TM_LIVE_DONE && i < s->plan->part_count; i++) {
    if (s->parts[i] != NULL) done = s->parts[i]->class->apply(s->parts[i], b);
  }
  for (uint32_t i = 0; done == TM_LIVE_DONE && i < s->input_count; i++) {
    if (s->pairs[i] != NULL) done = tm_live_pairs_end(s->pairs[i], b);
  }
  return done;
}

static int take_in(tm_live_states *s, const tm_live_rows *in, const uint32_t *ids, int32_t weight,
                   tm_error *err) {
  tm_column time = {.type = tm_type_of(TM_INT64), .data = (void *)(uintptr_t)in->times};
  tm_live_batch b = {.in = in, .count = in->count, .group = ids, .time = &time};
  size_t room = in->count + (size_t)1;
  uint32_t *local = tm_arena_alloc(&s->scratch, room * sizeof *local);
  char **touched = tm_arena_alloc(&s->scratch, room * sizeof *touched);
  if (local == NULL || touched == NULL || !make_room(s, &b)) return no_memory(err);
  number_states(s, &b, ids, local, touched);
  b.local = local;
  b.states = touched;
  if (!weigh(s, &b, weight)) return no_memory(err);
  for (uint32_t i = 0; i < b.count; i++) head_of(touched[local[i]])->rows += weight;
  tm_live_result done = apply_parts(s, &b);
  assert(done != TM_LIVE_GONE && "what leaves came before");
  return done == TM_LIVE_DONE ? 0 : no_memory(err);
}

static int change(tm_live_states *s, const tm_live_rows *rows, const uint32_t *ids, int32_t weight,
                  tm_error *err) {
  if (rows->count == 0) return 0;
  int done = take_in(s, rows, ids, weight, err);
  tm_arena_reset(&s->scratch);
  return done;
}

int tm_live_states_add(tm_live_states *s, const tm_live_rows *rows, const uint32_t *ids,
                       tm_error *err) {
  return change(s, rows, ids, 1, err);
}

int tm_live_states_remove(tm_live_states *s, const tm_live_rows *rows, const uint32_t *ids,
                          tm_error *err) {
  assert(s->options->retracts);
  return change(s, rows, ids, -1, err);
}

int tm_live_states_settle_step(tm_live_states *s, tm_error *err) {
  for (uint32_t i = 0; i < s->input_count; i++) {
    int more = s->pairs[i] == NULL ? 0 : tm_live_pairs_settle_step(s->pairs[i]);
    if (more != 0) return more < 0 ? no_memory(err) : 1;
  }
  return 0;
}

/* ------------------------------------------------------------------ reading */

int tm_live_states_open(const tm_live_states *s, tm_batch *out, uint32_t column, tm_error *err) {
  for (uint32_t i = 0; i < s->plan->aggregate_count; i++) {
    if (!is_needed(s, i)) continue;
    bool nullable = !s->plan->aggregates[i].type.not_null;
    if (tm_batch_column(out, column + i, nullable) < 0) return no_memory(err);
  }
  return 0;
}

static int read_all(tm_live_states *s, const uint32_t *ids, tm_live_reading *r, uint32_t column,
                    tm_error *err) {
  size_t room = r->count + (size_t)1;
  char **states = tm_arena_alloc(&s->scratch, room * sizeof *states);
  r->tuples = tm_arena_alloc(&s->scratch, room * sizeof *r->tuples);
  r->rows = tm_arena_alloc(&s->scratch, room * sizeof *r->rows);
  if (states == NULL || r->tuples == NULL || r->rows == NULL) return no_memory(err);
  for (uint32_t k = 0; k < r->count; k++) states[k] = state_of(s, ids[k]);
  r->states = states;
  for (uint32_t i = 0; i < s->plan->aggregate_count; i++) {
    if (!is_needed(s, i)) continue;
    r->aggregate = &s->plan->aggregates[i];
    r->column = column + i;
    if (tm_live_read(r, err) < 0) return -1;
  }
  return 0;
}

int tm_live_states_read(tm_live_states *s, const uint32_t *ids, uint32_t count, tm_batch *out,
                        uint32_t first, uint32_t column, tm_error *err) {
  tm_live_reading r = {.parts = s->parts, .count = count, .first = first, .stride = 1, .out = out};
  int done = read_all(s, ids, &r, column, err);
  tm_arena_reset(&s->scratch);
  return done;
}

/* ------------------------------------------------------------------ saving */

void tm_live_states_save(const tm_live_states *s, uint32_t id, tm_record_writer *writer) {
  char *state = state_of(s, id);
  tm_record_put(writer, (uint64_t)head_of(state)->rows);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    const tm_live_part *part = s->parts[i];
    if (part != NULL) part->class->save(part, state + part->offset, writer);
  }
}

int tm_live_states_restore(tm_live_states *s, uint32_t id, tm_record_reader *reader,
                           tm_error *err) {
  char *state = state_of(s, id);
  head_of(state)->rows = (int64_t)tm_record_get(reader, INT64_MAX);
  for (uint32_t i = 0; i < s->plan->part_count && !reader->failed; i++) {
    tm_live_part *part = s->parts[i];
    if (part == NULL) continue;
    if (part->class->restore(part, state + part->offset, reader) < 0) return no_memory(err);
  }
  return reader->failed ? tm_fail(err, TM_E_LOCKED, "saved state does not fit this step") : 0;
}
