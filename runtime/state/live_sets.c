/* state/live_sets.c: how many different values a state has, from a set of its own (multiset.h): it
 * goes with the state. Where a state only goes once all its rows have left, live_pairs.c is the
 * better way. */
#include "state/live_parts.h"

#include <assert.h>

typedef struct sets_part {
  tm_live_part part;
  tm_tuple_spec spec;
  tm_tuple_part value;
  tm_multiset_pool *pool;
  uint64_t *scratch; /* a tuple */
} sets_part;

typedef struct sets_state {
  int64_t count; /* first: what live_read.c sees */
  tm_multiset set;
} sets_state;

static size_t sets_bytes(const tm_live_part *part) {
  (void)part;
  return sizeof(sets_state);
}

static bool sets_open(tm_live_part *part) {
  sets_part *p = (sets_part *)part;
  assert(!part->options->retracts);
  p->value = (tm_tuple_part){.type = part->spec->type, .folds = true};
  tm_tuple_init(&p->spec, &p->value, 1);
  p->scratch = tm_alloc(part->budget, p->spec.words * sizeof *p->scratch);
  p->pool = p->scratch == NULL ? NULL : tm_multiset_pool_create(part->budget, &p->spec);
  return p->pool != NULL;
}

static void sets_close(tm_live_part *part) {
  sets_part *p = (sets_part *)part;
  tm_multiset_pool_destroy(p->pool);
  tm_free(part->budget, p->scratch, p->spec.words * sizeof *p->scratch);
}

/* Rows are final: once is enough. */
static tm_live_result sets_apply(tm_live_part *part, const tm_live_batch *b) {
  sets_part *p = (sets_part *)part;
  const tm_column *value = b->in->inputs[part->spec->input];
  const int32_t *weights = b->weights[part->spec->filter + 1];
  for (uint32_t i = 0; i < b->count; i++) {
    uint32_t row = b->in->rows == NULL ? i : b->in->rows[i];
    if ((weights != NULL && weights[i] == 0) || tm_column_is_null(value, row)) continue;
    sets_state *state = (sets_state *)(void *)(b->states[b->local[i]] + part->offset);
    tm_tuple_write(&p->spec, &value, row, p->scratch);
    if (tm_multiset_count(p->pool, &state->set, p->scratch) > 0) continue;
    if (tm_multiset_add(p->pool, &state->set, p->scratch, 1) < 0) return TM_LIVE_MEMORY;
    state->count++;
  }
  return TM_LIVE_DONE;
}

static void sets_drop(tm_live_part *part, void *state) {
  tm_multiset_clear(((sets_part *)part)->pool, &((sets_state *)state)->set);
}

static void sets_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  tm_multiset_save(((const sets_part *)part)->pool, &((const sets_state *)state)->set, writer);
}

static int sets_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  sets_state *to = state;
  if (tm_multiset_restore(((sets_part *)part)->pool, &to->set, reader) < 0) return -1;
  to->count = to->set.distinct;
  return 0;
}

const tm_live_class tm_live_sets = {
  .size = sizeof(sets_part),
  .state_bytes = sets_bytes,
  .open = sets_open,
  .apply = sets_apply,
  .drop = sets_drop,
  .save = sets_save,
  .restore = sets_restore,
  .close = sets_close,
};
