/* state/live_deques.c: what a state picks of rows that leave in the order in which they came: the
 * least, the first, the value where another column is greatest, in a window that slides.
 *
 * A row behind which a better one came can never be picked again. What is left is a queue from the
 * best row on, each worse than the one before it and later than that (the ascending minima); the
 * best is always at its front, and a row costs one comparison or two. Which row leaves is told by
 * counting. Tuples are those of live_picks.c, for rows with times. */
#include "state/live_parts.h"

#include <assert.h>

enum { PARTS_MAX = 3, WORDS_MAX = 8, CAPACITY_MIN = 2 };

typedef struct deque_part {
  tm_live_part part;
  tm_tuple_spec spec;
  tm_tuple_part parts[PARTS_MAX];
  const tm_column *columns[PARTS_MAX]; /* of a batch */
  uint32_t value;
  bool last;         /* the last of the tuples is the best, not the first */
  tm_slab slab;      /* strings and queues */
} deque_part;

/* A ring of entries: the number of the row among those that counted, then its tuple. */
typedef struct deque_state {
  uint64_t came, left; /* rows that counted */
  uint64_t *entries;
  uint32_t first, count, capacity, unused;
} deque_state;

/* ------------------------------------------------------------------ life */

static bool has_by(tm_part_kind kind) {
  return kind == TM_PART_ARG_LEAST || kind == TM_PART_ARG_GREATEST;
}

static bool has_time(tm_part_kind kind) {
  return has_by(kind) || kind == TM_PART_FIRST || kind == TM_PART_LAST;
}

static void put(deque_part *p, tm_tuple_part part) {
  assert(p->spec.part_count < PARTS_MAX);
  p->parts[p->spec.part_count++] = part;
}

static bool deques_open(tm_live_part *part) {
  deque_part *p = (deque_part *)part;
  const tm_part_spec *spec = part->spec;
  assert(part->options->timed);
  tm_slab_init(&p->slab, part->budget);
  p->last = spec->kind == TM_PART_LAST;
  if (has_by(spec->kind)) {
    bool greatest = spec->kind == TM_PART_ARG_GREATEST;
    put(p, (tm_tuple_part){.type = spec->by_type, .descending = greatest, .folds = true});
  }
  if (has_time(spec->kind)) put(p, (tm_tuple_part){.type = tm_type_of(TM_INT64)});
  p->value = p->spec.part_count;
  put(p, (tm_tuple_part){.type = spec->type, .descending = spec->kind == TM_PART_GREATEST,
                         .nullable = has_by(spec->kind)});
  tm_tuple_init(&p->spec, p->parts, p->spec.part_count);
  assert(p->spec.words <= WORDS_MAX);
  return true;
}

static void deques_close(tm_live_part *part) { tm_slab_deinit(&((deque_part *)part)->slab); }

static size_t deques_bytes(const tm_live_part *part) {
  (void)part;
  return sizeof(deque_state);
}

/* ------------------------------------------------------------------ the queue */

static size_t entry_words(const deque_part *p) { return p->spec.words + (size_t)1; }

static uint64_t *entry_of(const deque_part *p, const deque_state *state, uint32_t nth) {
  uint32_t at = (state->first + nth) & (state->capacity - 1);
  return state->entries + at * entry_words(p);
}

static bool make_room(deque_part *p, deque_state *state) {
  if (state->count < state->capacity) return true;
  uint32_t capacity = state->capacity == 0 ? CAPACITY_MIN : 2 * state->capacity;
  size_t bytes = entry_words(p) * sizeof(uint64_t);
  uint64_t *entries = tm_slab_alloc(&p->slab, capacity * bytes);
  if (entries == NULL) return false;
  for (uint32_t i = 0; i < state->count; i++) {
    memcpy(entries + i * entry_words(p), entry_of(p, state, i), bytes);
  }
  if (state->entries != NULL) tm_slab_free(&p->slab, state->entries, state->capacity * bytes);
  state->entries = entries;
  state->first = 0;
  state->capacity = capacity;
  return true;
}

static void drop_front(deque_part *p, deque_state *state) {
  tm_tuple_drop(&p->spec, entry_of(p, state, 0) + 1, &p->slab);
  state->first = (state->first + 1) & (state->capacity - 1);
  state->count--;
}

static bool come(deque_part *p, deque_state *state, uint64_t *tuple) {
  while (state->count > 0) {
    const uint64_t *back = entry_of(p, state, state->count - 1) + 1;
    int order = tm_tuple_compare(&p->spec, back, tuple);
    if (p->last ? order > 0 : order < 0) break;
    tm_tuple_drop(&p->spec, back, &p->slab);
    state->count--;
  }
  if (!make_room(p, state) || !tm_tuple_keep(&p->spec, tuple, &p->slab)) return false;
  uint64_t *entry = entry_of(p, state, state->count++);
  entry[0] = state->came++;
  memcpy(entry + 1, tuple, p->spec.words * sizeof *tuple);
  return true;
}

static bool leave(deque_part *p, deque_state *state) {
  if (state->left == state->came) return false;
  if (entry_of(p, state, 0)[0] == state->left) drop_front(p, state);
  state->left++;
  return true;
}

/* ------------------------------------------------------------------ rows */

static void open_columns(deque_part *p, const tm_live_batch *b) {
  const tm_part_spec *spec = p->part.spec;
  uint32_t at = 0;
  if (has_by(spec->kind)) p->columns[at++] = b->in->inputs[spec->by];
  if (has_time(spec->kind)) p->columns[at++] = b->time;
  p->columns[at] = b->in->inputs[spec->input];
}

static tm_live_result deques_apply(tm_live_part *part, const tm_live_batch *b) {
  deque_part *p = (deque_part *)part;
  const int32_t *weights = b->weights[part->spec->filter + 1];
  uint64_t tuple[WORDS_MAX];
  open_columns(p, b);
  const tm_column *must = has_by(part->spec->kind) ? p->columns[0] : p->columns[p->value];
  for (uint32_t i = 0; i < b->count; i++) {
    uint32_t row = b->in->rows == NULL ? i : b->in->rows[i];
    int32_t weight = weights == NULL ? 1 : weights[i];
    if (weight == 0 || tm_column_is_null(must, row)) continue;
    deque_state *state = (deque_state *)(void *)(b->states[b->local[i]] + part->offset);
    if (weight < 0) {
      if (!leave(p, state)) return TM_LIVE_GONE;
      continue;
    }
    tm_tuple_write(&p->spec, p->columns, row, tuple);
    if (!come(p, state, tuple)) return TM_LIVE_MEMORY;
  }
  return TM_LIVE_DONE;
}

static void deques_drop(tm_live_part *part, void *object) {
  deque_part *p = (deque_part *)part;
  deque_state *state = object;
  while (state->count > 0) drop_front(p, state);
  if (state->entries == NULL) return;
  size_t bytes = entry_words(p) * sizeof(uint64_t);
  tm_slab_free(&p->slab, state->entries, state->capacity * bytes);
}

const tm_tuple_spec *tm_live_deque_spec(const tm_live_part *part, uint32_t *out_value) {
  const deque_part *p = (const deque_part *)part;
  *out_value = p->value;
  return &p->spec;
}

const uint64_t *tm_live_deque_front(const tm_live_part *part, const char *state) {
  const deque_part *p = (const deque_part *)part;
  const deque_state *at = tm_live_state(part, state);
  return at->count == 0 ? NULL : entry_of(p, at, 0) + 1;
}

/* Nothing is saved: whoever has rows that leave has them, and they come again. */
const tm_live_class tm_live_deques = {
  .size = sizeof(deque_part),
  .state_bytes = deques_bytes,
  .open = deques_open,
  .apply = deques_apply,
  .drop = deques_drop,
  .close = deques_close,
};
