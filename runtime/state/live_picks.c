/* state/live_picks.c: what a group picks of its rows: the least, the first, the value where another
 * column is greatest; and values in order, for quantiles.
 *
 * Every pick is the first of tuples in some order: (value), (time, value), (by, time, value); only
 * `last` takes the last of them. Where `by` is greatest, `by` descends: the earliest row wins.
 * Without event time rows count by their arrival where they come in an order of their own, else by
 * their columns from left to right, which is the order in which a batch has them.
 * Where rows are final the state is the first tuple, else a multiset of all. */
#include "state/live_parts.h"

#include <assert.h>

typedef struct pick_part {
  tm_live_part part;
  tm_tuple_spec spec;
  tm_tuple_part *parts;
  const tm_column **columns; /* of a batch, one a part of the tuple */
  uint32_t part_capacity, value;
  bool last;                 /* the last of the tuples, not the first */
  tm_multiset_pool *pool;    /* of rows that can be taken back */
  tm_slab slab;              /* strings of the best ones */
  uint64_t *scratch, *tuple; /* a tuple each */
} pick_part;

static bool has_by(tm_part_kind kind) {
  return kind == TM_PART_ARG_LEAST || kind == TM_PART_ARG_GREATEST;
}

static bool goes_by_place(tm_part_kind kind) {
  return has_by(kind) || kind == TM_PART_FIRST || kind == TM_PART_LAST;
}

static bool goes_by_columns(const tm_live_part *part) {
  const tm_live_options *o = part->options;
  return goes_by_place(part->spec->kind) && !o->timed && (o->retracts || o->order_count > 0);
}

/* ------------------------------------------------------------------ the order */

static void put(pick_part *p, tm_type type, bool descending, bool nullable, bool folds) {
  assert(p->spec.part_count < p->part_capacity);
  p->parts[p->spec.part_count++] = (tm_tuple_part){
    .type = type, .descending = descending, .nullable = nullable, .folds = folds,
  };
}

static void arrange(pick_part *p) {
  const tm_live_part *part = &p->part;
  tm_part_kind kind = part->spec->kind;
  p->last = kind == TM_PART_LAST;
  if (has_by(kind)) put(p, part->spec->by_type, kind == TM_PART_ARG_GREATEST, false, true);
  if (goes_by_columns(part)) {
    for (uint32_t i = 0; i < part->options->order_count; i++) {
      tm_type type = part->options->order[i];
      put(p, type, false, !type.not_null, true);
    }
  } else if (goes_by_place(kind)) {
    put(p, tm_type_of(TM_INT64), false, false, false);
  }
  p->value = p->spec.part_count;
  tm_type value = kind == TM_PART_VALUES ? tm_type_of(TM_FLOAT64) : part->spec->type;
  put(p, value, kind == TM_PART_GREATEST, has_by(kind), false);
  tm_tuple_init(&p->spec, p->parts, p->spec.part_count);
}

static void picks_close(tm_live_part *part) {
  pick_part *p = (pick_part *)part;
  tm_budget *budget = part->budget;
  tm_multiset_pool_destroy(p->pool);
  tm_slab_deinit(&p->slab);
  tm_free(budget, p->scratch, 2 * p->spec.words * sizeof *p->scratch);
  tm_free(budget, p->parts, p->part_capacity * sizeof *p->parts);
  tm_free(budget, p->columns, p->part_capacity * sizeof *p->columns);
}

static bool picks_open(tm_live_part *part) {
  pick_part *p = (pick_part *)part;
  tm_slab_init(&p->slab, part->budget);
  p->part_capacity = 3 + part->options->order_count;
  p->parts = tm_alloc_zero(part->budget, p->part_capacity * sizeof *p->parts);
  p->columns = tm_alloc_zero(part->budget, p->part_capacity * sizeof *p->columns);
  if (p->parts == NULL || p->columns == NULL) return false;
  arrange(p);
  p->scratch = tm_alloc(part->budget, 2 * p->spec.words * sizeof *p->scratch);
  if (p->scratch == NULL) return false;
  p->tuple = p->scratch + p->spec.words;
  if (part->class == &tm_live_best) return true;
  p->pool = tm_multiset_pool_create(part->budget, &p->spec);
  return p->pool != NULL;
}

/* ------------------------------------------------------------------ rows of a batch */

static void open_columns(pick_part *p, const tm_live_batch *b) {
  const tm_part_spec *spec = p->part.spec;
  uint32_t at = 0;
  if (has_by(spec->kind)) p->columns[at++] = b->in->inputs[spec->by];
  if (goes_by_columns(&p->part)) {
    for (uint32_t i = 0; i < p->part.options->order_count; i++) {
      p->columns[at++] = b->in->order[i];
    }
  } else if (goes_by_place(spec->kind)) {
    p->columns[at++] = b->time;
  }
  p->columns[at] = b->in->inputs[spec->input];
}

/* The row does not count: a null where none is picked. */
static bool is_out(const pick_part *p, uint32_t row) {
  bool by = has_by(p->part.spec->kind);
  return tm_column_is_null(p->columns[by ? 0 : p->value], row);
}

static uint32_t row_of(const tm_live_batch *b, uint32_t i) {
  return b->in->rows == NULL ? i : b->in->rows[i];
}

/* ------------------------------------------------------------------ the best one */

/* A state: the words of the tuple, then whether it is there. */
static size_t best_bytes(const tm_live_part *part) {
  return (((const pick_part *)part)->spec.words + (size_t)1) * sizeof(uint64_t);
}

static bool offer(pick_part *p, uint64_t *state, const uint64_t *tuple) {
  uint64_t *there = &state[p->spec.words];
  int order = *there ? tm_tuple_compare(&p->spec, tuple, state) : 0;
  if (*there && (p->last ? order <= 0 : order >= 0)) return true;
  memcpy(p->scratch, tuple, p->spec.words * sizeof *tuple);
  if (!tm_tuple_keep(&p->spec, p->scratch, &p->slab)) return false;
  if (*there) tm_tuple_drop(&p->spec, state, &p->slab);
  memcpy(state, p->scratch, p->spec.words * sizeof *tuple);
  *there = 1;
  return true;
}

/* One word a tuple: the least and the greatest number. */
static void offer_words(pick_part *p, const tm_live_batch *b, const int32_t *weights) {
  const tm_column *value = p->columns[0];
  const size_t offset = p->part.offset;
  tm_tuple_write_words(&p->spec, value, b->in->rows, b->count, b->ranks);
  for (uint32_t i = 0; i < b->count; i++) {
    if (weights != NULL && weights[i] == 0) continue;
    if (value->valid != NULL && !value->valid[row_of(b, i)]) continue;
    uint64_t *state = (uint64_t *)(void *)(b->states[b->local[i]] + offset), rank = b->ranks[i];
    bool better = state[1] == 0 || rank < state[0];
    state[0] = better ? rank : state[0];
    state[1] = 1;
  }
}

static tm_live_result best_apply(tm_live_part *part, const tm_live_batch *b) {
  pick_part *p = (pick_part *)part;
  const int32_t *weights = b->weights[part->spec->filter + 1];
  open_columns(p, b);
  if (p->spec.words == 1) {
    offer_words(p, b, weights);
    return TM_LIVE_DONE;
  }
  for (uint32_t i = 0; i < b->count; i++) {
    uint32_t row = row_of(b, i);
    if ((weights != NULL && weights[i] == 0) || is_out(p, row)) continue;
    tm_tuple_write(&p->spec, p->columns, row, p->tuple);
    uint64_t *state = (uint64_t *)(void *)(b->states[b->local[i]] + part->offset);
    if (!offer(p, state, p->tuple)) return TM_LIVE_MEMORY;
  }
  return TM_LIVE_DONE;
}

static void best_drop(tm_live_part *part, void *state) {
  pick_part *p = (pick_part *)part;
  const uint64_t *words = state;
  if (words[p->spec.words]) tm_tuple_drop(&p->spec, words, &p->slab);
}

static void best_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  const pick_part *p = (const pick_part *)part;
  const uint64_t *words = state;
  tm_record_put(writer, words[p->spec.words]);
  if (words[p->spec.words]) tm_tuple_save(&p->spec, words, writer);
}

static int best_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  pick_part *p = (pick_part *)part;
  if (tm_record_get(reader, 1) == 0) return 0;
  tm_tuple_restore(&p->spec, p->tuple, reader);
  return reader->failed || offer(p, state, p->tuple) ? 0 : -1;
}

const tm_live_class tm_live_best = {
  .size = sizeof(pick_part),
  .state_bytes = best_bytes,
  .open = picks_open,
  .apply = best_apply,
  .drop = best_drop,
  .save = best_save,
  .restore = best_restore,
  .close = picks_close,
};

/* ------------------------------------------------------------------ all of them, in order */

static size_t ordered_bytes(const tm_live_part *part) {
  (void)part;
  return sizeof(tm_multiset);
}

/* The number of row i as a float, for quantiles; false where it is null. */
static bool float_of(pick_part *p, uint32_t row, uint64_t *out) {
  const tm_column *value = p->columns[0];
  double number;
  if (tm_column_is_null(value, row)) return false;
  tm_accumulate_doubles(value, &row, 1, &number);
  tm_column one = {.type = tm_type_of(TM_FLOAT64), .data = &number};
  tm_tuple_write_words(&p->spec, &one, NULL, 1, out);
  return true;
}

static bool tuple_of(pick_part *p, uint32_t row, uint64_t *out) {
  if (p->part.spec->kind == TM_PART_VALUES) return float_of(p, row, out);
  if (is_out(p, row)) return false;
  tm_tuple_write(&p->spec, p->columns, row, out);
  return true;
}

/* What comes before what goes: within a batch a row may be taken back before it is there. */
static tm_live_result ordered_apply(tm_live_part *part, const tm_live_batch *b) {
  pick_part *p = (pick_part *)part;
  const int32_t *weights = b->weights[part->spec->filter + 1];
  open_columns(p, b);
  for (int pass = 0; pass < (part->options->retracts ? 2 : 1); pass++) {
    for (uint32_t i = 0; i < b->count; i++) {
      int64_t weight = weights == NULL ? 1 : weights[i];
      if (pass == 0 ? weight <= 0 : weight >= 0) continue;
      if (!tuple_of(p, row_of(b, i), p->scratch)) continue;
      tm_multiset *set = (tm_multiset *)(void *)(b->states[b->local[i]] + part->offset);
      if (weight < 0) {
        if (!tm_multiset_remove(p->pool, set, p->scratch, (uint64_t)-weight)) return TM_LIVE_GONE;
      } else if (tm_multiset_add(p->pool, set, p->scratch, (uint64_t)weight) < 0) {
        return TM_LIVE_MEMORY;
      }
    }
  }
  return TM_LIVE_DONE;
}

static void ordered_drop(tm_live_part *part, void *state) {
  tm_multiset_clear(((pick_part *)part)->pool, state);
}

static void ordered_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  tm_multiset_save(((const pick_part *)part)->pool, state, writer);
}

static int ordered_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  return tm_multiset_restore(((pick_part *)part)->pool, state, reader);
}

const tm_live_class tm_live_ordered = {
  .size = sizeof(pick_part),
  .state_bytes = ordered_bytes,
  .open = picks_open,
  .apply = ordered_apply,
  .drop = ordered_drop,
  .save = ordered_save,
  .restore = ordered_restore,
  .close = picks_close,
};

/* ------------------------------------------------------------------ reading */

const tm_tuple_spec *tm_live_pick_spec(const tm_live_part *part, uint32_t *out_value) {
  if (part->class == &tm_live_deques) return tm_live_deque_spec(part, out_value);
  const pick_part *p = (const pick_part *)part;
  *out_value = p->value;
  return &p->spec;
}

const uint64_t *tm_live_pick(const tm_live_part *part, const char *state) {
  if (part->class == &tm_live_deques) return tm_live_deque_front(part, state);
  const pick_part *p = (const pick_part *)part;
  const void *at = tm_live_state(part, state);
  if (part->class == &tm_live_ordered) {
    return p->last ? tm_multiset_greatest(p->pool, at) : tm_multiset_least(p->pool, at);
  }
  assert(part->class == &tm_live_best);
  return ((const uint64_t *)at)[p->spec.words] ? at : NULL;
}

uint64_t tm_live_total(const tm_live_part *part, const char *state) {
  assert(part->class == &tm_live_ordered);
  return ((const tm_multiset *)tm_live_state(part, state))->total;
}

double tm_live_value_at(const tm_live_part *part, const char *state, uint64_t place) {
  const pick_part *p = (const pick_part *)part;
  const uint64_t *tuple = tm_multiset_at(p->pool, tm_live_state(part, state), place);
  assert(tuple != NULL && p->spec.words == 1);
  return tm_tuple_double(tuple[0]);
}
