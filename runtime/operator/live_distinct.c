/* operator/live_distinct.c: each different row once, in a stream.
 *
 * Groups by all columns without an aggregate (state/live_groups.h): what a batch changed are the
 * rows that came for the first time, and, where the input takes rows back, those that went for the
 * last. What comes out are keys in normal form, 0 for -0, so that it does not matter which of two
 * equal rows came first; for the same reason they have no event time. */
#include "operator/distinct_plan.h"
#include "stage/changelog.h"
#include "state/live_groups.h"

typedef struct plan {
  tm_distinct_plan distinct; /* first: what distinct_plan.c sees */
  tm_live_options options;
} plan;

typedef struct live_distinct {
  tm_stage_env env;
  const plan *plan;
  tm_live_groups *groups;
  const tm_column **keys; /* of a batch */
  uint64_t emitted;       /* batches */
  bool finishing;
} live_distinct;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "distinct: out of memory"); }

static int live_distinct_bind(tm_bind *bind, tm_error *err) {
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return no_memory(err);
  p->options.retracts = bind->facts_in[0].changelog;
  bind->single = true;
  return tm_distinct_bind(bind, &p->distinct, err);
}

/* ------------------------------------------------------------------ life */

static size_t stage_bytes(const plan *p) {
  return sizeof(live_distinct) + p->distinct.groups.key_count * sizeof(tm_column *);
}

static int live_distinct_open(const tm_stage_env *env, void **out, tm_error *err) {
  const plan *p = env->bind->plan;
  live_distinct *d = tm_alloc_zero(env->budget, stage_bytes(p));
  if (d == NULL) return no_memory(err);
  d->env = *env;
  d->plan = p;
  d->keys = (const tm_column **)(void *)(d + 1);
  d->groups = tm_live_groups_create(env->budget, &p->distinct.groups, NULL, &p->options, err);
  if (d->groups == NULL) {
    tm_free(env->budget, d, stage_bytes(p));
    return -1;
  }
  *out = d;
  return 0;
}

static void live_distinct_close(void *self) {
  live_distinct *d = self;
  tm_live_groups_destroy(d->groups);
  tm_free(d->env.budget, d, stage_bytes(d->plan));
}

static int live_distinct_save(void *self, tm_bytes *out, tm_error *err) {
  live_distinct *d = self;
  tm_record_writer writer = {.out = out};
  tm_record_put(&writer, d->emitted);
  tm_record_put(&writer, d->finishing);
  tm_live_groups_save(d->groups, &writer);
  return tm_record_end(&writer, err);
}

static int live_distinct_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  live_distinct *d = self;
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  d->emitted = tm_record_get(&reader, UINT64_MAX);
  d->finishing = tm_record_get(&reader, 1);
  if (tm_live_groups_restore(d->groups, &reader, err) < 0) return -1;
  return tm_record_close(&reader, err);
}

/* ------------------------------------------------------------------ rows */

/* Books: rows that come are duplicates but for those that go on; in a changelog all are absorbed,
 * and what goes on is produced. */
static void book(live_distinct *d, uint64_t rows, uint64_t given) {
  if (d->plan->options.retracts) {
    d->env.ledger->absorbed += rows;
    d->env.ledger->produced += given;
  } else {
    d->env.ledger->duplicate += rows - given;
  }
}

static int take_in(live_distinct *d, const tm_batch *batch, tm_out *out, tm_error *err) {
  for (uint32_t i = 0; i < d->plan->distinct.groups.key_count; i++) {
    d->keys[i] = &batch->columns[d->plan->distinct.columns[i]];
  }
  tm_live_rows rows = {
    .keys = d->keys, .rows = batch->selection, .count = batch->selected,
    .row_count = batch->rows, .weights = batch->weights,
  };
  tm_batch *changed;
  if (tm_live_groups_add(d->groups, &rows, d->env.bind->output, d->env.budget, &changed, err) < 0) {
    return -1;
  }
  book(d, batch->selected, changed == NULL ? 0 : changed->selected);
  if (changed == NULL) return 0;
  if (!d->plan->options.retracts) changed->weights = NULL; /* rows that are final */
  changed->sequence = d->emitted++;
  tm_out_emit(out, changed);
  return 0;
}

static tm_flow settle(live_distinct *d, tm_error *err) {
  int more = tm_live_groups_settle_step(d->groups, err);
  if (more < 0) return TM_FLOW_FAILED;
  if (more > 0) return TM_FLOW_MORE;
  return d->finishing ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

static tm_flow live_distinct_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                                  tm_error *err) {
  live_distinct *d = self;
  (void)port;
  int done = taken->selected == 0 ? 0 : take_in(d, taken, out, err);
  tm_batch_release(taken);
  return done < 0 ? TM_FLOW_FAILED : settle(d, err);
}

static tm_flow live_distinct_resume(void *self, tm_out *out, tm_error *err) {
  (void)out;
  return settle(self, err);
}

static tm_flow live_distinct_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)port, (void)out;
  ((live_distinct *)self)->finishing = true;
  return settle(self, err);
}

const tm_stage tm_stage_live_distinct = {
  .size = sizeof(tm_stage),
  .name = "distinct",
  .summary = "each different row once, as rows come and go",
  .inputs = 1,
  .options = tm_distinct_options,
  .serves = tm_changelog_is_live,
  .bind = live_distinct_bind,
  .need = tm_distinct_need,
  .open = live_distinct_open,
  .restore = live_distinct_restore,
  .push = live_distinct_push,
  .resume = live_distinct_resume,
  .save = live_distinct_save,
  .finish = live_distinct_finish,
  .close = live_distinct_close,
};
