/* operator/consolidate.c: the net rows of a changelog, once its input has ended. The planner puts
 * it before sinks that cannot take rows back.
 *
 * Rows are kept with the sum of their weights (state/row_set.h); one whose sum is 0 is forgotten,
 * so that what is kept is what is there. At the end they move, a piece at a time, into a sorter,
 * and come out in the order of a batch: by their columns from left to right, nulls last, each as
 * often as its weight says. A row that was taken back more often than it was given is a mistake of
 * a step above, and fails the run. */
#include <string.h>

#include "stage/stage.h"
#include "state/row_set.h"
#include "state/sorter.h"

enum { PIECE_ROWS = 2048, SKIP_ROWS = 65536 };

static const tm_option consolidate_options[] = {{NULL, NULL, NULL, NULL, NULL}};

typedef struct plan {
  tm_sort_spec spec;
  tm_type *types;
} plan;

typedef enum phase {
  PHASE_KEEP,  /* takes rows */
  PHASE_MOVE,  /* from the set to the sorter */
  PHASE_GIVE,  /* out of the sorter's merge */
} phase;

typedef struct consolidate {
  tm_stage_env env;
  const plan *plan;
  const tm_column **columns; /* of a batch */
  tm_row_set *set;
  int64_t *weights;          /* by id */
  uint32_t capacity;
  phase phase;
  uint32_t next;             /* MOVE: ids below are in the sorter */
  tm_sorter sorter;
  bool merging;
  tm_sort_merge merge;
  tm_sort_place place;       /* GIVE: the row that comes next, */
  uint32_t left;             /* so often */
  uint64_t given, skip;      /* rows; skip: of those that were given before the state was saved */
  uint64_t emitted;          /* batches */
} consolidate;

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "consolidate: out of memory");
}

/* ------------------------------------------------------------------ binding */

static int consolidate_bind(tm_bind *bind, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  tm_sort_key *keys = tm_arena_zero(bind->arena, (input->count + 1) * sizeof *keys);
  int32_t *passes = tm_arena_alloc(bind->arena, (input->count + 1) * sizeof *passes);
  if (p != NULL) p->types = tm_arena_alloc(bind->arena, (input->count + 1) * sizeof *p->types);
  if (p == NULL || keys == NULL || passes == NULL || p->types == NULL) return no_memory(err);
  for (uint32_t i = 0; i < input->count; i++) {
    keys[i].column = i;
    passes[i] = (int32_t)i;
    p->types[i] = input->fields[i].type;
  }
  p->spec = (tm_sort_spec){.schema = input, .keys = keys, .key_count = input->count};
  p->spec.signs = tm_sort_has_signs(input);
  bind->plan = p;
  bind->output = input;
  bind->passes[0] = passes;
  bind->order = TM_ORDER_MAKES;
  bind->single = true;
  bind->facts_out.changelog = false;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE);
  bind->facts_out.in_time_order = false;
  bind->rows_estimate = bind->input_rows[0] / 2 + (bind->input_rows[0] > 0);
  return 0;
}

/* Every column tells rows apart. */
static void consolidate_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  (void)needed_out;
  memset(in[0], 1, bind->inputs[0]->count);
}

/* ------------------------------------------------------------------ life */

static size_t columns_bytes(const consolidate *c) {
  return c->env.bind->inputs[0]->count * sizeof *c->columns;
}

static void consolidate_close(void *self) {
  consolidate *c = self;
  if (c->merging) tm_sort_merge_deinit(&c->merge);
  tm_sorter_deinit(&c->sorter);
  tm_row_set_destroy(c->set);
  tm_free(c->env.budget, c->weights, c->capacity * sizeof *c->weights);
  tm_free(c->env.budget, c->columns, columns_bytes(c));
  tm_free(c->env.budget, c, sizeof *c);
}

static int consolidate_open(const tm_stage_env *env, void **out, tm_error *err) {
  consolidate *c = tm_alloc_zero(env->budget, sizeof *c);
  if (c == NULL) return no_memory(err);
  c->env = *env;
  c->plan = env->bind->plan;
  tm_sorter_init(&c->sorter, env->budget, &c->plan->spec);
  c->columns = tm_alloc(env->budget, columns_bytes(c));
  c->set = tm_row_set_create(env->budget, c->plan->types, env->bind->inputs[0]->count, true);
  if (c->columns != NULL && c->set != NULL) {
    *out = c;
    return 0;
  }
  consolidate_close(c);
  return no_memory(err);
}

/* ------------------------------------------------------------------ rows */

static bool grow_weights(consolidate *c, uint32_t end) {
  if (end <= c->capacity) return true;
  uint32_t capacity = c->capacity == 0 ? 256 : c->capacity;
  while (capacity < end) capacity *= 2;
  size_t bytes = c->capacity * sizeof *c->weights;
  int64_t *grown = tm_realloc(c->env.budget, c->weights, bytes, capacity * sizeof *grown);
  if (grown == NULL) return false;
  memset(grown + c->capacity, 0, capacity * sizeof *grown - bytes);
  c->weights = grown;
  c->capacity = capacity;
  return true;
}

/* ids is scratch of the batch. */
static bool keep(consolidate *c, const tm_batch *batch, uint32_t *ids) {
  for (uint32_t i = 0; i < batch->schema->count; i++) c->columns[i] = &batch->columns[i];
  if (tm_row_set_insert(c->set, c->columns, batch->selection, batch->selected, ids) < 0 ||
      !grow_weights(c, tm_row_set_end(c->set))) {
    return false;
  }
  for (uint32_t i = 0; i < batch->selected; i++) {
    c->weights[ids[i]] += batch->weights == NULL ? 1 : batch->weights[tm_batch_row(batch, i)];
  }
  for (uint32_t i = 0; i < batch->selected; i++) {
    bool gone = c->weights[ids[i]] == 0 && tm_row_set_has(c->set, ids[i]);
    if (gone) tm_row_set_remove(c->set, ids[i]);
  }
  return true;
}

static tm_flow settle(consolidate *c, tm_error *err) {
  int more = tm_row_set_settle_step(c->set);
  if (more < 0) return no_memory(err);
  return more > 0 ? TM_FLOW_MORE : TM_FLOW_INPUT;
}

static tm_flow consolidate_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                                tm_error *err) {
  consolidate *c = self;
  (void)port, (void)out;
  size_t bytes = (taken->selected + (size_t)1) * sizeof(uint32_t);
  uint32_t *ids = tm_alloc(c->env.budget, bytes);
  bool done = ids != NULL && keep(c, taken, ids);
  c->env.ledger->absorbed += taken->selected;
  tm_batch_release(taken);
  tm_free(c->env.budget, ids, bytes);
  return done ? settle(c, err) : no_memory(err);
}

/* ------------------------------------------------------------------ to the sorter */

/* The next ids that are there, one as often as its weight needs 31 bits: -1 with err. */
static int list_piece(consolidate *c, uint32_t *ids, int32_t *weights, tm_error *err) {
  uint32_t count = 0, end = tm_row_set_end(c->set);
  while (c->next < end && count < PIECE_ROWS) {
    uint32_t id = c->next;
    if (!tm_row_set_has(c->set, id)) {
      c->next++;
      continue;
    }
    if (c->weights[id] < 0) {
      return tm_fail(err, TM_E_LEDGER, "%s: a row was taken back more often than it was given",
                     c->env.bind->name);
    }
    int32_t part = c->weights[id] > INT32_MAX ? INT32_MAX : (int32_t)c->weights[id];
    ids[count] = id;
    weights[count++] = part;
    c->weights[id] -= part;
    c->next += c->weights[id] == 0;
  }
  return (int)count;
}

/* Rows of ids, all of whose weight has moved, leave the set. */
static void forget(consolidate *c, const uint32_t *ids, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    bool whole = c->weights[ids[i]] == 0 && tm_row_set_has(c->set, ids[i]);
    if (whole) tm_row_set_remove(c->set, ids[i]);
  }
}

static tm_batch *read_piece(consolidate *c, const uint32_t *ids, const int32_t *weights,
                            uint32_t count) {
  tm_batch *batch = tm_batch_create(c->env.budget, c->env.bind->output, count);
  bool done = batch != NULL;
  for (uint32_t i = 0; done && i < batch->schema->count; i++) {
    done = tm_row_set_read(c->set, i, ids, count, false, batch, i) == 0;
  }
  if (done) {
    batch->weights = tm_batch_alloc(batch, count * sizeof *batch->weights);
    done = batch->weights != NULL;
  }
  if (done) memcpy(batch->weights, weights, count * sizeof *batch->weights);
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}

static tm_flow move(consolidate *c, tm_error *err) {
  uint32_t ids[PIECE_ROWS];
  int32_t weights[PIECE_ROWS];
  int count = list_piece(c, ids, weights, err);
  if (count < 0) return TM_FLOW_FAILED;
  if (count > 0) {
    tm_batch *batch = read_piece(c, ids, weights, (uint32_t)count);
    if (batch == NULL) return no_memory(err);
    if (tm_sorter_adopt(&c->sorter, batch, err) < 0) return TM_FLOW_FAILED;
    forget(c, ids, (uint32_t)count);
    return TM_FLOW_MORE;
  }
  if (tm_sorter_seal(&c->sorter, err) < 0) return TM_FLOW_FAILED;
  tm_row_set_destroy(c->set);
  c->set = NULL;
  c->phase = PHASE_GIVE;
  return TM_FLOW_MORE;
}

static tm_flow consolidate_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  consolidate *c = self;
  (void)port, (void)out, (void)err;
  if (c->env.lane != 0) return TM_FLOW_FINISHED;
  c->phase = PHASE_MOVE;
  return TM_FLOW_MORE;
}

/* ------------------------------------------------------------------ out of the merge */

static int begin_merge(consolidate *c, tm_error *err) {
  tm_sorter *sorter = &c->sorter;
  if (tm_sort_merge_init(&c->merge, c->env.budget, &c->plan->spec, &sorter, 1, err) < 0) return -1;
  c->merging = true;
  return 0;
}

/* The next row, each as often as it weighs; false at the end. */
static bool next_row(consolidate *c, tm_sort_place *out) {
  if (c->left == 0) {
    if (tm_sort_merge_next(&c->merge, &c->place, 1) == 0) return false;
    const int32_t *weights = c->place.batch->weights;
    c->left = weights == NULL ? 1 : (uint32_t)weights[c->place.row];
  }
  c->left--;
  c->given++;
  *out = c->place;
  return true;
}

static tm_flow give(consolidate *c, tm_out *out, tm_error *err) {
  uint32_t max = c->env.bind->job->batch_rows, count = 0;
  if (!c->merging && begin_merge(c, err) < 0) return TM_FLOW_FAILED;
  tm_sort_place skipped;
  for (uint32_t n = 0; c->skip > 0; n++, c->skip--) { /* the merge starts anew after a restore */
    if (n == SKIP_ROWS) return TM_FLOW_MORE;
    if (!next_row(c, &skipped)) c->skip = 1;
  }
  size_t bytes = max * sizeof(tm_sort_place);
  tm_sort_place *places = tm_alloc(c->env.budget, bytes);
  if (places == NULL) return no_memory(err);
  while (count < max && next_row(c, &places[count])) count++;
  tm_batch *batch = tm_sort_gather(c->env.budget, c->env.bind->output, places, count);
  tm_free(c->env.budget, places, bytes);
  if (batch == NULL) return no_memory(err);
  batch->sequence = c->emitted++;
  c->env.ledger->produced += count;
  tm_out_emit(out, batch);
  return count == max ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

static tm_flow consolidate_resume(void *self, tm_out *out, tm_error *err) {
  consolidate *c = self;
  switch (c->phase) {
    case PHASE_KEEP: return settle(c, err);
    case PHASE_MOVE: return move(c, err);
    case PHASE_GIVE: return give(c, out, err);
  }
  return TM_FLOW_FINISHED;
}

/* ------------------------------------------------------------------ saving */

static int consolidate_save(void *self, tm_bytes *out, tm_error *err) {
  consolidate *c = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, c->phase);
  tm_record_put(&w, c->emitted);
  tm_record_put(&w, c->given + c->skip);
  if (c->phase != PHASE_GIVE) {
    tm_row_set_save(c->set, &w);
    tm_record_put_bytes(&w, c->weights, tm_row_set_end(c->set) * sizeof *c->weights);
  }
  if (c->phase != PHASE_KEEP) tm_sorter_save(&c->sorter, &w);
  return tm_record_end(&w, err);
}

/* A row that is not there weighs nothing; what is in the sorter comes at least once. */
static bool fits(const consolidate *c) {
  for (uint32_t id = 0; c->set != NULL && id < tm_row_set_end(c->set); id++) {
    if (tm_row_set_has(c->set, id) != (c->weights[id] != 0)) return false;
  }
  for (uint32_t i = 0; i < c->sorter.batch_count; i++) {
    const tm_batch *batch = c->sorter.batches[i];
    for (uint32_t row = 0; batch->weights != NULL && row < batch->rows; row++) {
      if (batch->weights[row] < 1) return false;
    }
  }
  return true;
}

static int consolidate_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  consolidate *c = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  c->phase = (phase)tm_record_get(&r, PHASE_GIVE);
  c->emitted = tm_record_get(&r, UINT64_MAX);
  c->skip = tm_record_get(&r, UINT64_MAX);
  if (c->phase != PHASE_GIVE) {
    if (tm_row_set_restore(c->set, &r) < 0) return no_memory(err);
    uint32_t end = tm_row_set_end(c->set);
    if (!grow_weights(c, end)) return no_memory(err);
    tm_record_get_bytes(&r, c->weights, end * sizeof *c->weights);
  } else {
    tm_row_set_destroy(c->set);
    c->set = NULL;
  }
  if (c->phase != PHASE_KEEP &&
      tm_sorter_restore(&c->sorter, &r, c->env.bind->arena, err) < 0) {
    return -1;
  }
  if (tm_record_close(&r, err) < 0) return -1;
  return fits(c) ? 0 : tm_record_refuse(err);
}

const tm_stage tm_stage_consolidate = {
  .size = sizeof(tm_stage),
  .name = "consolidate",
  .summary = "the net rows of a changelog, at its end",
  .inputs = 1,
  .options = consolidate_options,
  .bind = consolidate_bind,
  .need = consolidate_need,
  .open = consolidate_open,
  .restore = consolidate_restore,
  .push = consolidate_push,
  .resume = consolidate_resume,
  .save = consolidate_save,
  .finish = consolidate_finish,
  .close = consolidate_close,
};
