/* operator/dedup_changes.c: dedup with keep = "last" of a changelog: rows may be taken back, and
 * then the one before is the last again.
 *
 * All rows of a key are kept in order, as often as they are there (state/multiset.h): by event time
 * where they have it, then by their columns from left to right, which is the order in which a batch
 * has the rows of a result. For each batch come the keys whose last row it changed, the old row
 * with weight -1, the new one with +1. Rows whose key has a null stand for themselves and pass. */
#include <string.h>

#include "operator/dedup.h"
#include "state/multiset.h"
#include "state/recent_keys.h"
#include "state/row_set.h"

typedef struct changes_plan {
  tm_keep_plan keep; /* first: what keep_first.c sees */
  bool timed;
} changes_plan;

typedef struct dedup_changes {
  tm_stage_env env;
  const changes_plan *plan;
  tm_tuple_part *parts;   /* of a row: its time, if any, then its columns */
  tm_tuple_spec spec;
  const tm_column **columns; /* of a batch: by part; then the keys */
  uint64_t *tuple;        /* scratch */
  tm_row_set *keys;
  tm_multiset_pool *pool;
  tm_multiset *sets;      /* by key */
  uint64_t *stamps;       /* by key: the batch that touched it last */
  uint32_t capacity;
  uint64_t batches;
  tm_arena scratch;       /* of a batch */
} dedup_changes;

static int no_memory(tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "the rows of all keys need more than the memory budget");
  return tm_error_help(err, "give more with --memory");
}

/* ------------------------------------------------------------------ bind */

static bool dedup_changes_serves(const tm_bind *bind) {
  return tm_dedup_keeps_last(bind) && bind->facts_in[0].changelog;
}

static int dedup_changes_bind(tm_bind *bind, tm_error *err) {
  changes_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  const tm_keep_plan *keep = tm_keep_bind(bind, "key", err);
  if (keep == NULL) return -1;
  if (keep->key_count == 0) {
    return tm_fail(err, TM_E_VALUE, "dedup wants the columns that tell rows apart: dedup \"id\"");
  }
  if (keep->within_us != TM_KEYS_FOR_EVER) {
    tm_fail(err, TM_E_JOB, "dedup within a time is of final rows, and its input takes rows back");
    return tm_error_help(err, "put it before the step that changes its rows, or give that step a"
                         " window");
  }
  plan->keep = *keep;
  plan->timed = bind->facts_in[0].time.kind != TM_NULLTYPE;
  bind->plan = plan;
  bind->order = TM_ORDER_NONE;
  bind->time_order = 0;
  bind->ordered = false;
  bind->facts_out.changelog = true;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE);
  bind->facts_out.in_time_order = false;
  return 0;
}

/* All columns say which row is the last. */
static void dedup_changes_need(const tm_bind *bind, const uint8_t *needed_out,
                               uint8_t *const *in) {
  (void)needed_out;
  memset(in[0], 1, bind->inputs[0]->count);
}

/* ------------------------------------------------------------------ open, close */

static size_t part_count(const dedup_changes *d) {
  return d->env.bind->output->count + (size_t)d->plan->timed;
}

static void dedup_changes_close(void *self) {
  dedup_changes *d = self;
  tm_budget *budget = d->env.budget;
  size_t columns = part_count(d) + d->plan->keep.key_count;
  tm_multiset_pool_destroy(d->pool);
  tm_row_set_destroy(d->keys);
  tm_free(budget, d->sets, d->capacity * sizeof *d->sets);
  tm_free(budget, d->stamps, d->capacity * sizeof *d->stamps);
  tm_free(budget, d->tuple, d->spec.words * sizeof *d->tuple);
  tm_free(budget, d->parts, part_count(d) * sizeof *d->parts);
  tm_free(budget, d->columns, columns * sizeof *d->columns);
  tm_arena_deinit(&d->scratch);
  tm_free(budget, d, sizeof *d);
}

static bool arrange(dedup_changes *d) {
  const tm_schema *schema = d->env.bind->output;
  tm_budget *budget = d->env.budget;
  uint32_t count = 0;
  d->parts = tm_alloc_zero(budget, part_count(d) * sizeof *d->parts);
  d->columns = tm_alloc_zero(budget, (part_count(d) + d->plan->keep.key_count) *
                                         sizeof *d->columns);
  if (d->parts == NULL || d->columns == NULL) return false;
  if (d->plan->timed) d->parts[count++] = (tm_tuple_part){.type = tm_type_of(TM_INT64)};
  for (uint32_t i = 0; i < schema->count; i++) {
    tm_type type = schema->fields[i].type;
    d->parts[count++] = (tm_tuple_part){.type = type, .nullable = !type.not_null};
  }
  tm_tuple_init(&d->spec, d->parts, count);
  d->tuple = tm_alloc(budget, d->spec.words * sizeof *d->tuple);
  return d->tuple != NULL;
}

static int dedup_changes_open(const tm_stage_env *env, void **out, tm_error *err) {
  const changes_plan *p = env->bind->plan;
  dedup_changes *d = tm_alloc_zero(env->budget, sizeof *d);
  if (d == NULL) return no_memory(err);
  d->env = *env;
  d->plan = p;
  tm_arena_init(&d->scratch, env->budget);
  if (arrange(d)) {
    d->pool = tm_multiset_pool_create(env->budget, &d->spec);
    d->keys = tm_row_set_create(env->budget, p->keep.key_types, p->keep.key_count, false);
  }
  *out = d;
  if (d->pool != NULL && d->keys != NULL) return 0;
  dedup_changes_close(d);
  return no_memory(err);
}

static int reserve(dedup_changes *d, uint32_t end) {
  tm_budget *budget = d->env.budget;
  uint32_t capacity = d->capacity < 64 ? 64 : d->capacity;
  if (end <= d->capacity) return 0;
  while (capacity < end) capacity *= 2;
  tm_multiset *sets = tm_alloc_zero(budget, capacity * sizeof *sets);
  uint64_t *stamps = tm_alloc_zero(budget, capacity * sizeof *stamps);
  if (sets == NULL || stamps == NULL) {
    tm_free(budget, sets, capacity * sizeof *sets);
    tm_free(budget, stamps, capacity * sizeof *stamps);
    return -1;
  }
  if (d->capacity > 0) memcpy(sets, d->sets, d->capacity * sizeof *sets);
  if (d->capacity > 0) memcpy(stamps, d->stamps, d->capacity * sizeof *stamps);
  tm_free(budget, d->sets, d->capacity * sizeof *sets);
  tm_free(budget, d->stamps, d->capacity * sizeof *stamps);
  d->sets = sets;
  d->stamps = stamps;
  d->capacity = capacity;
  return 0;
}

/* ------------------------------------------------------------------ a batch */

typedef struct work {
  const tm_batch *batch;
  uint32_t *with, *without; /* rows with a key, and those without */
  uint32_t with_count, without_count;
  uint32_t *ids;            /* of keys, by number of `with` */
  uint32_t *touched;        /* keys */
  uint32_t touched_count;
  const uint64_t **tuples;  /* the last row of each touched key; NULL: none */
  uint32_t *at;             /* where it goes in the result */
} work;

static int open_work(dedup_changes *d, work *w) {
  const tm_keep_plan *keep = &d->plan->keep;
  const tm_batch *batch = w->batch;
  tm_arena *arena = &d->scratch;
  size_t room = batch->selected + (size_t)1;
  w->with = tm_arena_alloc(arena, room * sizeof *w->with);
  w->without = tm_arena_alloc(arena, room * sizeof *w->without);
  w->ids = tm_arena_alloc(arena, room * sizeof *w->ids);
  w->touched = tm_arena_alloc(arena, room * sizeof *w->touched);
  w->tuples = tm_arena_alloc(arena, room * sizeof *w->tuples);
  w->at = tm_arena_alloc(arena, room * sizeof *w->at);
  if (w->with == NULL || w->without == NULL || w->ids == NULL || w->touched == NULL ||
      w->tuples == NULL || w->at == NULL) {
    return -1;
  }
  w->with_count = tm_keep_split(keep, batch, w->with, w->without);
  w->without_count = batch->selected - w->with_count;
  const tm_column **keys = d->columns + d->spec.part_count;
  for (uint32_t i = 0; i < keep->key_count; i++) keys[i] = &batch->columns[keep->keys[i]];
  if (tm_row_set_insert(d->keys, keys, w->with, w->with_count, w->ids) < 0 ||
      reserve(d, tm_row_set_end(d->keys)) < 0) {
    return -1;
  }
  d->batches++;
  for (uint32_t i = 0; i < w->with_count; i++) {
    if (d->stamps[w->ids[i]] == d->batches) continue;
    d->stamps[w->ids[i]] = d->batches;
    w->touched[w->touched_count++] = w->ids[i];
  }
  return 0;
}

/* What comes before what goes: within a batch a row may be taken back before it is there. */
static int change_sets(dedup_changes *d, const work *w, tm_error *err) {
  tm_column time = {.type = tm_type_of(TM_INT64), .data = w->batch->times};
  uint32_t part = 0;
  if (d->plan->timed) d->columns[part++] = &time;
  for (uint32_t i = 0; i < w->batch->schema->count; i++) {
    d->columns[part++] = &w->batch->columns[i];
  }
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; i < w->with_count; i++) {
      uint32_t row = w->with[i];
      int64_t weight = w->batch->weights == NULL ? 1 : w->batch->weights[row];
      if (pass == 0 ? weight <= 0 : weight >= 0) continue;
      tm_multiset *set = &d->sets[w->ids[i]];
      tm_tuple_write(&d->spec, d->columns, row, d->tuple);
      if (weight > 0) {
        if (tm_multiset_add(d->pool, set, d->tuple, (uint64_t)weight) < 0) return no_memory(err);
      } else if (!tm_multiset_remove(d->pool, set, d->tuple, (uint64_t)-weight)) {
        return tm_fail(err, TM_E_LEDGER, "a row is taken back that never came");
      }
    }
  }
  return 0;
}

/* ------------------------------------------------------------------ what comes out */

/* The last rows of the touched keys as they are now, to rows first, first + 2 … */
static int read_last(dedup_changes *d, work *w, tm_batch *out, uint32_t first) {
  uint32_t part = d->plan->timed;
  for (uint32_t k = 0; k < w->touched_count; k++) {
    w->tuples[k] = tm_multiset_greatest(d->pool, &d->sets[w->touched[k]]);
    w->at[k] = 2 * k + first;
  }
  for (uint32_t i = 0; i < out->schema->count; i++, part++) {
    if (tm_tuple_read(&d->spec, part, w->tuples, w->at, w->touched_count, out, i) < 0) return -1;
  }
  return 0;
}

static bool same_cell(const tm_column *c, uint32_t a, uint32_t b) {
  bool no_a = tm_column_is_null(c, a), no_b = tm_column_is_null(c, b);
  size_t width = tm_type_width(c->type);
  if (no_a || no_b) return no_a == no_b;
  if (tm_type_physical(c->type) == TM_PHYSICAL_STR) {
    return tm_str_equal(&((const tm_str *)c->data)[a], &((const tm_str *)c->data)[b]);
  }
  return memcmp((const char *)c->data + a * width, (const char *)c->data + b * width, width) == 0;
}

static bool same_row(const tm_batch *batch, uint32_t a, uint32_t b) {
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    if (!same_cell(&batch->columns[i], a, b)) return false;
  }
  return true;
}

/* Rows without a key behind the others; their strings stay those of the batch. */
static int pass_keyless(const work *w, tm_batch *out) {
  uint32_t first = 2 * w->touched_count;
  if (w->without_count == 0) return 0;
  if (tm_batch_pin_batch(out, (tm_batch *)(uintptr_t)w->batch) < 0) return -1;
  for (uint32_t c = 0; c < out->schema->count; c++) {
    const tm_column *in = &w->batch->columns[c];
    tm_column *to = &out->columns[c];
    size_t width = tm_type_width(to->type);
    for (uint32_t i = 0; to->data != NULL && i < w->without_count; i++) {
      bool null = tm_column_is_null(in, w->without[i]);
      if (to->valid != NULL) to->valid[first + i] = !null;
      if (null) continue;
      memcpy((char *)to->data + (first + i) * width,
             (const char *)in->data + w->without[i] * width, width);
    }
  }
  for (uint32_t i = 0; i < w->without_count; i++) {
    out->weights[first + i] = w->batch->weights == NULL ? 1 : w->batch->weights[w->without[i]];
  }
  return 0;
}

/* Of a touched key the old row goes and the new one comes, unless they are the same. `before` has a
 * byte a touched key: there was a row. */
static void select_rows(const dedup_changes *d, const work *w, const uint8_t *before,
                        tm_batch *out, uint32_t *selection) {
  uint32_t count = 0;
  for (uint32_t k = 0; k < w->touched_count; k++) {
    bool after = d->sets[w->touched[k]].total > 0;
    bool same = before[k] && after && same_row(out, 2 * k, 2 * k + 1);
    out->weights[2 * k] = -1;
    out->weights[2 * k + 1] = 1;
    selection[count] = 2 * k;
    count += before[k] && !same;
    selection[count] = 2 * k + 1;
    count += after && !same;
  }
  d->env.ledger->produced += count;
  for (uint32_t i = 0; i < w->without_count; i++) {
    selection[count++] = 2 * w->touched_count + i;
  }
  out->selection = selection;
  out->selected = count;
}

static int open_columns(tm_batch *out) {
  for (uint32_t i = 0; i < out->schema->count; i++) {
    tm_type type = out->schema->fields[i].type;
    if (type.kind == TM_NULLTYPE) continue;
    if (tm_batch_column(out, i, !type.not_null) < 0) return -1;
    memset(out->columns[i].data, 0, out->rows * tm_type_width(type));
  }
  out->weights = tm_batch_alloc(out, (out->rows + (size_t)1) * sizeof *out->weights);
  return out->weights == NULL ? -1 : 0;
}

/* `out` is released on failure. */
static int make_changes(dedup_changes *d, work *w, tm_batch *out, tm_error *err) {
  uint8_t *before = tm_arena_alloc(&d->scratch, w->touched_count + (size_t)1);
  uint32_t *selection = tm_batch_alloc(out, (out->rows + (size_t)1) * sizeof *selection);
  if (before == NULL || selection == NULL || open_columns(out) < 0 ||
      read_last(d, w, out, 0) < 0) {
    return no_memory(err);
  }
  for (uint32_t k = 0; k < w->touched_count; k++) before[k] = w->tuples[k] != NULL;
  if (change_sets(d, w, err) < 0) return -1;
  if (read_last(d, w, out, 1) < 0 || pass_keyless(w, out) < 0) return no_memory(err);
  select_rows(d, w, before, out, selection);
  for (uint32_t k = 0; k < w->touched_count; k++) {
    if (d->sets[w->touched[k]].total > 0) continue;
    tm_multiset_clear(d->pool, &d->sets[w->touched[k]]);
    tm_row_set_remove(d->keys, w->touched[k]);
  }
  return 0;
}

static tm_flow settle(dedup_changes *d, tm_error *err) {
  int more = tm_row_set_settle_step(d->keys);
  return more < 0 ? no_memory(err) : more > 0 ? TM_FLOW_MORE : TM_FLOW_INPUT;
}

static tm_flow dedup_changes_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                                  tm_error *err) {
  dedup_changes *d = self;
  work w = {.batch = taken};
  tm_batch *changes = NULL;
  (void)port;
  int done = open_work(d, &w) < 0 ? no_memory(err) : 0;
  uint32_t rows = 2 * w.touched_count + w.without_count;
  if (done == 0) {
    changes = tm_batch_create(d->env.budget, d->env.bind->output, rows);
    done = changes == NULL ? no_memory(err) : make_changes(d, &w, changes, err);
  }
  d->env.ledger->absorbed += w.with_count;
  tm_arena_reset(&d->scratch);
  tm_batch_release(taken);
  if (done < 0) {
    tm_batch_release(changes);
    return TM_FLOW_FAILED;
  }
  changes->sequence = d->batches;
  tm_out_emit(out, changes);
  return settle(d, err);
}

static tm_flow dedup_changes_resume(void *self, tm_out *out, tm_error *err) {
  (void)out;
  return settle(self, err);
}

static tm_flow dedup_changes_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

/* ------------------------------------------------------------------ save, restore */

static int dedup_changes_save(void *self, tm_bytes *out, tm_error *err) {
  dedup_changes *d = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, d->batches);
  tm_row_set_save(d->keys, &w);
  for (uint32_t id = 0; id < tm_row_set_end(d->keys); id++) {
    if (tm_row_set_has(d->keys, id)) tm_multiset_save(d->pool, &d->sets[id], &w);
  }
  return tm_record_end(&w, err);
}

static int dedup_changes_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  dedup_changes *d = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  d->batches = tm_record_get(&r, UINT64_MAX - 1);
  if (tm_row_set_restore(d->keys, &r) < 0) return no_memory(err);
  uint32_t end = r.failed ? 0 : tm_row_set_end(d->keys);
  if (reserve(d, end) < 0) return no_memory(err);
  for (uint32_t id = 0; id < end && !r.failed; id++) {
    if (!tm_row_set_has(d->keys, id)) continue;
    if (tm_multiset_restore(d->pool, &d->sets[id], &r) < 0) return no_memory(err);
    if (d->sets[id].total == 0) r.failed = true;
  }
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_dedup_changes = {
  .size = sizeof(tm_stage),
  .name = "dedup",
  .summary = "the last row of each key, where rows may be taken back",
  .inputs = 1,
  .options = tm_dedup_options,
  .serves = dedup_changes_serves,
  .bind = dedup_changes_bind,
  .need = dedup_changes_need,
  .open = dedup_changes_open,
  .restore = dedup_changes_restore,
  .push = dedup_changes_push,
  .resume = dedup_changes_resume,
  .save = dedup_changes_save,
  .finish = dedup_changes_finish,
  .close = dedup_changes_close,
};
