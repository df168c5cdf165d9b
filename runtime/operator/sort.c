/* operator/sort.c: rows by several keys, stable, nulls last both ways.
 *
 * Every lane sorts runs of its own rows as they come; when all lanes have handed over, lane 0
 * merges the runs and emits. Ties come in the order of the input where it has one, else by the
 * columns left to right. With `canonical` (the planner's, before sinks of unordered results) the
 * keys are all columns, and beyond a million rows it gives up and lets rows pass as they come. */
#include <string.h>

#include "stage/changelog.h"
#include "stage/gate.h"
#include "stage/options.h"
#include "state/sorter.h"

enum { CANONICAL_ROWS = 1000000, SKIP_ROWS = 65536 };

static const tm_option sort_options[] = {
  {"by", "text|list", NULL, "columns, most important first; \"-column\" descends", NULL},
  {"canonical", "bool", "false", "by all columns, up to a million rows", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct plan {
  tm_sort_spec by_arrival; /* ties by the order of the input */
  tm_sort_spec by_columns; /* ties by the columns */
} plan;

typedef struct shared {
  tm_budget *budget;
  tm_gate gate;
  tm_sorter sorters[];
} shared;

typedef struct sort {
  tm_stage_env env;
  const tm_sort_spec *spec;
  shared *shared;
  tm_sorter *sorter;  /* in the shared object */
  bool canonical, passing, sealed, merging;
  uint32_t flushed;   /* batches of the sorter given away when passing */
  uint64_t emitted;   /* batches */
  uint64_t given;     /* rows of the merge */
  uint64_t skip;      /* rows of the merge that were given before the state was saved */
  tm_sort_merge merge;
} sort;

static int add_key(tm_bind *bind, const tm_value *v, tm_sort_key *key, tm_error *err) {
  if (v->kind != TM_VALUE_TEXT) {
    return tm_fail(err, TM_E_VALUE, "sort wants names of columns, not a %s",
                   tm_value_kind_name(v->kind));
  }
  key->descending = v->text[0] == '-';
  int found = tm_schema_require(bind->inputs[0], v->text + key->descending, err);
  if (found < 0) return -1;
  key->column = (uint32_t)found;
  return 0;
}

/* A sort waits for the last row. What the planner orders, it knows to end. */
static int check_input(const tm_bind *bind, tm_error *err) {
  if (bind->inserted || !bind->job->stream) return 0;
  if (tm_changelog_refuse(bind, err) < 0) return -1;
  if (bind->facts_in[0].bounded) return 0;
  tm_fail(err, TM_E_JOB, "sort waits for the last row, and the input has no end");
  tm_error_token(err, "sort", "");
  return tm_error_help(err, "top(n, { by = … }) keeps the first rows as they change; in a window"
                       " they are final:\ntop(n, { by = …, window = tm.tumbling \"1m\" })");
}

static int sort_bind(tm_bind *bind, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  const tm_value *by = tm_value_get(bind->options, "by");
  const tm_value *items = by != NULL && by->kind == TM_VALUE_TABLE ? by->items : by;
  size_t count = by == NULL ? 0 : by->kind == TM_VALUE_TABLE ? by->item_count : 1;
  bool canonical = tm_options_bool(bind->options, "canonical", false);
  if (count == 0 && !canonical) return tm_fail(err, TM_E_VALUE, "sort wants at least one column");
  if (check_input(bind, err) < 0) return -1;
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  tm_sort_key *keys = tm_arena_zero(bind->arena, (count + input->count + 1) * sizeof *keys);
  int32_t *passes = tm_arena_alloc(bind->arena, (input->count + 1) * sizeof *passes);
  if (p == NULL || keys == NULL || passes == NULL) return tm_fail(err, TM_E_MEMORY, "no memory");
  for (size_t i = 0; i < count; i++) {
    if (add_key(bind, &items[i], &keys[i], err) < 0) return -1;
  }
  for (uint32_t i = 0; i < input->count; i++) {
    keys[count + i].column = i;
    passes[i] = (int32_t)i;
  }
  p->by_arrival = (tm_sort_spec){.schema = input, .keys = keys, .key_count = (uint32_t)count};
  p->by_columns = p->by_arrival;
  p->by_columns.key_count += input->count;
  p->by_columns.signs = tm_sort_has_signs(input);
  bind->passes[0] = passes;
  bind->plan = p;
  bind->output = input;
  bind->order = TM_ORDER_MAKES;
  bind->ordered = !canonical;
  bind->rows_estimate = bind->input_rows[0];
  return 0;
}

static void sort_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const plan *p = bind->plan;
  for (uint32_t i = 0; i < bind->output->count; i++) in[0][i] |= needed_out[i];
  const tm_sort_spec *spec = bind->ordered_input ? &p->by_arrival : &p->by_columns;
  for (uint32_t i = 0; i < spec->key_count; i++) in[0][spec->keys[i].column] = 1;
}

static size_t shared_bytes(uint32_t lanes) { return sizeof(shared) + lanes * sizeof(tm_sorter); }

static int sort_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                      tm_error *err) {
  const plan *p = bind->plan;
  shared *s = tm_alloc_zero(budget, shared_bytes(lanes));
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  s->budget = budget;
  tm_gate_init(&s->gate, lanes);
  for (uint32_t i = 0; i < lanes; i++) {
    tm_sorter_init(&s->sorters[i], budget, bind->ordered_input ? &p->by_arrival : &p->by_columns);
  }
  *out = s;
  return 0;
}

static int sort_open(const tm_stage_env *env, void **out, tm_error *err) {
  sort *s = tm_alloc_zero(env->budget, sizeof *s);
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  s->env = *env;
  s->shared = env->shared;
  s->sorter = &s->shared->sorters[env->lane];
  s->spec = s->sorter->spec;
  s->canonical = tm_options_bool(env->bind->options, "canonical", false);
  *out = s;
  return 0;
}

static tm_flow pass_on(sort *s, tm_batch *taken, tm_out *out) {
  taken->sequence = s->emitted++;
  tm_out_emit(out, taken);
  return TM_FLOW_INPUT;
}

static tm_flow sort_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  sort *s = self;
  (void)port;
  if (s->passing) {
    tm_batch *own = tm_batch_own(taken, s->env.budget);
    return own == NULL ? tm_fail(err, TM_E_MEMORY, "sort: out of memory") : pass_on(s, own, out);
  }
  if (tm_sorter_add(s->sorter, taken, err) < 0) return TM_FLOW_FAILED;
  if (!s->canonical || s->sorter->rows <= CANONICAL_ROWS) return TM_FLOW_INPUT;
  s->passing = true;
  return TM_FLOW_MORE;
}

/* Beyond the million: what was kept leaves unsorted, then the rest passes. */
static tm_flow flush(sort *s, tm_out *out) {
  tm_sorter *sorter = s->sorter;
  if (s->flushed < sorter->batch_count) {
    pass_on(s, sorter->batches[s->flushed], out);
    sorter->batches[s->flushed++] = NULL;
  }
  if (s->flushed < sorter->batch_count) return TM_FLOW_MORE;
  return s->sealed ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

static int begin_merge(sort *s, tm_error *err) {
  uint32_t lanes = s->env.lanes;
  tm_sorter **sorters = tm_alloc(s->env.budget, lanes * sizeof *sorters);
  if (sorters == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  for (uint32_t i = 0; i < lanes; i++) sorters[i] = &s->shared->sorters[i];
  int done = tm_sort_merge_init(&s->merge, s->env.budget, s->spec, sorters, lanes, err);
  tm_free(s->env.budget, sorters, lanes * sizeof *sorters);
  s->merging = done == 0;
  return done;
}

static tm_flow emit_merged(sort *s, tm_out *out, tm_error *err) {
  uint32_t max = s->env.bind->job->batch_rows;
  tm_sort_place *places = tm_alloc(s->env.budget, max * sizeof *places);
  if (places == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  uint32_t count = tm_sort_merge_next(&s->merge, places, max);
  tm_batch *batch = tm_sort_gather(s->env.budget, s->spec->schema, places, count);
  tm_free(s->env.budget, places, max * sizeof *places);
  if (batch == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  batch->sequence = s->emitted++;
  s->given += count;
  tm_out_emit(out, batch);
  return s->merge.count > 0 ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

/* The merge starts anew after a restore: a slice of what had been given before. */
static void skip_given(sort *s) {
  tm_sort_place places[256];
  for (uint32_t n = 0; n < SKIP_ROWS && s->skip > 0;) {
    uint32_t max = s->skip < 256 ? (uint32_t)s->skip : 256;
    uint32_t count = tm_sort_merge_next(&s->merge, places, max);
    s->given += count;
    s->skip = count < max ? 0 : s->skip - count;
    n += max;
  }
}

static tm_flow sort_resume(void *self, tm_out *out, tm_error *err) {
  sort *s = self;
  if (s->passing) return flush(s, out);
  if (!tm_gate_open(&s->shared->gate)) return TM_FLOW_BLOCKED;
  if (s->env.lane != 0) return TM_FLOW_FINISHED;
  if (!s->merging && begin_merge(s, err) < 0) return TM_FLOW_FAILED;
  skip_given(s);
  return s->skip > 0 ? TM_FLOW_MORE : emit_merged(s, out, err);
}

static tm_flow sort_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  sort *s = self;
  (void)port;
  s->sealed = true;
  if (s->passing) return flush(s, out);
  if (tm_sorter_seal(s->sorter, err) < 0) return TM_FLOW_FAILED;
  tm_gate_arrive(&s->shared->gate, &s->env);
  if (s->env.lane != 0) return TM_FLOW_FINISHED;
  return tm_gate_open(&s->shared->gate) ? TM_FLOW_MORE : TM_FLOW_BLOCKED;
}

static int sort_save(void *self, tm_bytes *out, tm_error *err) {
  sort *s = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, s->passing);
  tm_record_put(&w, s->sealed);
  tm_record_put(&w, s->emitted);
  tm_record_put(&w, s->given + s->skip);
  if (!s->passing) {
    tm_sorter_save(s->sorter, &w);
    return tm_record_end(&w, err);
  }
  tm_record_put(&w, s->sorter->batch_count - s->flushed);
  for (uint32_t i = s->flushed; i < s->sorter->batch_count; i++) {
    tm_batch_record_save(s->sorter->batches[i], &w);
  }
  return tm_record_end(&w, err);
}

static int restore_passing(sort *s, tm_record_reader *r, tm_error *err) {
  uint64_t count = tm_record_get(r, UINT32_MAX);
  for (uint64_t i = 0; i < count; i++) {
    if (tm_sorter_restore_batch(s->sorter, r, s->env.bind->arena, err) < 0) return -1;
  }
  return 0;
}

static int sort_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  sort *s = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  s->passing = tm_record_get(&r, 1);
  s->sealed = tm_record_get(&r, 1);
  s->emitted = tm_record_get(&r, UINT64_MAX);
  s->skip = tm_record_get(&r, UINT64_MAX);
  int done = s->passing ? restore_passing(s, &r, err)
                        : tm_sorter_restore(s->sorter, &r, s->env.bind->arena, err);
  if (done < 0 || tm_record_close(&r, err) < 0) return -1;
  if (s->sealed && !s->passing) tm_gate_arrive(&s->shared->gate, &s->env);
  return 0;
}

static void sort_close(void *self) {
  sort *s = self;
  if (s->merging) tm_sort_merge_deinit(&s->merge);
  tm_free(s->env.budget, s, sizeof *s);
}

static void sort_unshare(void *object) {
  shared *s = object;
  for (uint32_t i = 0; i < s->gate.lanes; i++) tm_sorter_deinit(&s->sorters[i]);
  tm_free(s->budget, s, shared_bytes(s->gate.lanes));
}

const tm_stage tm_stage_sort = {
  .size = sizeof(tm_stage),
  .name = "sort",
  .summary = "rows in order, by several columns",
  .inputs = 1,
  .options = sort_options,
  .bind = sort_bind,
  .need = sort_need,
  .share = sort_share,
  .open = sort_open,
  .push = sort_push,
  .resume = sort_resume,
  .restore = sort_restore,
  .save = sort_save,
  .finish = sort_finish,
  .close = sort_close,
  .unshare = sort_unshare,
};
