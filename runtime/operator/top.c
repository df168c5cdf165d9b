/* operator/top.c: the first n rows by some columns, for each group or of all.
 *
 * A sort by (per, by, then every column) of which each run keeps only what can be among the first
 * of its group; lane 0 merges the runs and counts again. With ties = "all" every row whose rank
 * (1 + rows before it by `by` alone) is at most n stays. */
#include <string.h>

#include "operator/top_plan.h"
#include "stage/changelog.h"
#include "stage/gate.h"

static const tm_option top_options[] = {
  TM_TOP_OPTIONS,
  {NULL, NULL, NULL, NULL, NULL},
};

enum { SKIP_ROWS = 65536 };

typedef tm_top_plan plan;

typedef struct shared {
  tm_budget *budget;
  tm_gate gate;
  tm_sorter sorters[];
} shared;

typedef struct top {
  tm_stage_env env;
  const plan *plan;
  shared *shared;
  tm_sorter *sorter;
  bool sealed, merging;
  uint64_t seen;              /* rows of the merge so far */
  uint64_t skip;              /* rows that it had seen when the state was saved */
  tm_sort_merge merge;
  tm_sort_place last;         /* the row before, in the merge */
  uint64_t in_group, rank, emitted;
} top;

static bool top_serves(const tm_bind *bind) { return !tm_changelog_is_live(bind); }

static int top_bind(tm_bind *bind, tm_error *err) {
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return tm_fail(err, TM_E_MEMORY, "top: out of memory");
  return tm_top_bind(bind, p, err);
}

static size_t shared_bytes(uint32_t lanes) { return sizeof(shared) + lanes * sizeof(tm_sorter); }

static int top_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                     tm_error *err) {
  const plan *p = bind->plan;
  shared *s = tm_alloc_zero(budget, shared_bytes(lanes));
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "top: out of memory");
  s->budget = budget;
  tm_gate_init(&s->gate, lanes);
  for (uint32_t i = 0; i < lanes; i++) tm_sorter_init(&s->sorters[i], budget, &p->spec);
  *out = s;
  return 0;
}

static int top_open(const tm_stage_env *env, void **out, tm_error *err) {
  top *t = tm_alloc_zero(env->budget, sizeof *t);
  if (t == NULL) return tm_fail(err, TM_E_MEMORY, "top: out of memory");
  t->env = *env;
  t->plan = env->bind->plan;
  t->shared = env->shared;
  t->sorter = &t->shared->sorters[env->lane];
  *out = t;
  return 0;
}

static tm_flow top_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  top *t = self;
  (void)port;
  (void)out;
  return tm_sorter_add(t->sorter, taken, err) < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

static int begin_merge(top *t, tm_error *err) {
  uint32_t lanes = t->env.lanes;
  tm_sorter **sorters = tm_alloc(t->env.budget, lanes * sizeof *sorters);
  if (sorters == NULL) return tm_fail(err, TM_E_MEMORY, "top: out of memory");
  for (uint32_t i = 0; i < lanes; i++) sorters[i] = &t->shared->sorters[i];
  int done = tm_sort_merge_init(&t->merge, t->env.budget, &t->plan->spec, sorters, lanes, err);
  tm_free(t->env.budget, sorters, lanes * sizeof *sorters);
  t->merging = done == 0;
  return done;
}

/* Counts the row within its group; true where it is among the first. */
static bool is_head(top *t, tm_sort_place here) {
  const tm_sort_spec *spec = &t->plan->spec;
  bool same = t->last.batch != NULL &&
              tm_sort_compare(spec, t->last, here, 0, spec->group_keys) == 0;
  t->in_group = same ? t->in_group + 1 : 1;
  bool tie = same && tm_sort_compare(spec, t->last, here, spec->group_keys, spec->rank_keys) == 0;
  if (!tie) t->rank = t->in_group;
  t->last = here;
  return (spec->all_ties ? t->rank : t->in_group) <= spec->head;
}

static uint32_t choose(top *t, tm_sort_place *places, uint32_t count, int64_t *ranks) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (!is_head(t, places[i])) continue;
    ranks[kept] = (int64_t)(t->plan->spec.all_ties ? t->rank : t->in_group);
    places[kept++] = places[i];
  }
  t->env.ledger->filtered += count - kept;
  return kept;
}

static tm_batch *make_batch(top *t, const tm_sort_place *places, uint32_t count,
                            const int64_t *ranks) {
  const tm_bind *bind = t->env.bind;
  tm_batch *rows = tm_sort_gather(t->env.budget, bind->inputs[0], places, count);
  if (rows == NULL || !t->plan->ranked) {
    if (rows != NULL) rows->schema = bind->output;
    return rows;
  }
  tm_batch *batch = tm_batch_derive(rows, t->env.budget, bind->output);
  if (batch != NULL) {
    memcpy(batch->columns, rows->columns, rows->schema->count * sizeof *rows->columns);
    uint32_t last = bind->output->count - 1;
    if (tm_batch_column(batch, last, false) == 0) {
      memcpy(batch->columns[last].data, ranks, count * sizeof *ranks);
    } else {
      tm_batch_release(batch);
      batch = NULL;
    }
  }
  tm_batch_release(rows);
  return batch;
}

static tm_flow emit_merged(top *t, tm_out *out, tm_error *err) {
  uint32_t max = t->env.bind->job->batch_rows;
  size_t bytes = max * (sizeof(tm_sort_place) + sizeof(int64_t));
  tm_sort_place *places = tm_alloc(t->env.budget, bytes);
  if (places == NULL) return tm_fail(err, TM_E_MEMORY, "top: out of memory");
  int64_t *ranks = (int64_t *)(places + max);
  uint32_t merged = tm_sort_merge_next(&t->merge, places, max);
  t->seen += merged;
  uint32_t count = choose(t, places, merged, ranks);
  tm_batch *batch = make_batch(t, places, count, ranks);
  tm_free(t->env.budget, places, bytes);
  if (batch == NULL) return tm_fail(err, TM_E_MEMORY, "top: out of memory");
  batch->sequence = t->emitted++;
  tm_out_emit(out, batch);
  return t->merge.count > 0 ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

/* The merge starts anew after a restore: counts a slice of what it had seen before. */
static void skip_seen(top *t) {
  for (uint32_t n = 0; n < SKIP_ROWS && t->skip > 0; n++, t->skip--) {
    tm_sort_place place;
    if (tm_sort_merge_next(&t->merge, &place, 1) == 0) {
      t->skip = 0;
      break;
    }
    (void)is_head(t, place);
    t->seen++;
  }
}

static tm_flow top_resume(void *self, tm_out *out, tm_error *err) {
  top *t = self;
  if (!tm_gate_open(&t->shared->gate)) return TM_FLOW_BLOCKED;
  if (t->env.lane != 0) return TM_FLOW_FINISHED;
  if (!t->merging && begin_merge(t, err) < 0) return TM_FLOW_FAILED;
  skip_seen(t);
  return t->skip > 0 ? TM_FLOW_MORE : emit_merged(t, out, err);
}

/* All comes at the end: until then time stands still for what follows, or rows were late there. */
static tm_flow top_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                           tm_error *err) {
  (void)self;
  (void)port;
  (void)watermark_us;
  (void)out;
  (void)err;
  return TM_FLOW_INPUT;
}

static tm_flow top_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  top *t = self;
  (void)port;
  (void)out;
  if (tm_sorter_seal(t->sorter, err) < 0) return TM_FLOW_FAILED;
  t->sealed = true;
  t->env.ledger->filtered += t->sorter->dropped;
  tm_gate_arrive(&t->shared->gate, &t->env);
  if (t->env.lane != 0) return TM_FLOW_FINISHED;
  return tm_gate_open(&t->shared->gate) ? TM_FLOW_MORE : TM_FLOW_BLOCKED;
}

static int top_save(void *self, tm_bytes *out, tm_error *err) {
  top *t = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, t->sealed);
  tm_record_put(&w, t->emitted);
  tm_record_put(&w, t->seen + t->skip);
  tm_sorter_save(t->sorter, &w);
  return tm_record_end(&w, err);
}

static int top_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  top *t = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  t->sealed = tm_record_get(&r, 1);
  t->emitted = tm_record_get(&r, UINT64_MAX);
  t->skip = tm_record_get(&r, UINT64_MAX);
  if (tm_sorter_restore(t->sorter, &r, t->env.bind->arena, err) < 0) return -1;
  if (tm_record_close(&r, err) < 0) return -1;
  if (t->sealed) tm_gate_arrive(&t->shared->gate, &t->env);
  return 0;
}

static void top_close(void *self) {
  top *t = self;
  if (t->merging) tm_sort_merge_deinit(&t->merge);
  tm_free(t->env.budget, t, sizeof *t);
}

static void top_unshare(void *object) {
  shared *s = object;
  for (uint32_t i = 0; i < s->gate.lanes; i++) tm_sorter_deinit(&s->sorters[i]);
  tm_free(s->budget, s, shared_bytes(s->gate.lanes));
}

const tm_stage tm_stage_top = {
  .size = sizeof(tm_stage),
  .name = "top",
  .summary = "the first rows of each group, by some columns",
  .inputs = 1,
  .options = top_options,
  .serves = top_serves,
  .bind = top_bind,
  .need = tm_top_need,
  .share = top_share,
  .open = top_open,
  .push = top_push,
  .resume = top_resume,
  .advance = top_advance,
  .restore = top_restore,
  .save = top_save,
  .finish = top_finish,
  .close = top_close,
  .unshare = top_unshare,
};
