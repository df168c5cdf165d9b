/* operator/distinct.c: each different row once; distinct("a") leaves only column a.
 *
 * Grouping by all columns without an aggregate. A lane alone passes the first of equal rows on at
 * once; several keep the keys and share them out at the end (operator/regroup.h). What comes out
 * are
 * keys in normal form, 0 for -0, so that it does not matter which of two equal rows came first. */
#include "operator/distinct_plan.h"
#include "operator/regroup.h"
#include "stage/changelog.h"

typedef tm_distinct_plan plan;

typedef struct distinct {
  tm_stage_env env;
  const plan *plan;
  tm_regroup regroup;
  const tm_column **keys;
} distinct;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "distinct: out of memory"); }

/* ------------------------------------------------------------------ binding */

static bool distinct_serves(const tm_bind *bind) { return !tm_changelog_is_live(bind); }

static int distinct_bind(tm_bind *bind, tm_error *err) {
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  return p == NULL ? no_memory(err) : tm_distinct_bind(bind, p, err);
}

/* ------------------------------------------------------------------ life */

static int distinct_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                          tm_error *err) {
  return tm_regroup_share(&((const plan *)bind->plan)->groups, lanes, budget, out, err);
}

static size_t distinct_bytes(const plan *p) {
  return sizeof(distinct) + p->groups.key_count * sizeof(tm_column *);
}

static int distinct_open(const tm_stage_env *env, void **out, tm_error *err) {
  const plan *p = env->bind->plan;
  distinct *d = tm_alloc_zero(env->budget, distinct_bytes(p));
  if (d == NULL) return no_memory(err);
  d->env = *env;
  d->plan = p;
  d->keys = (const tm_column **)(void *)(d + 1);
  if (tm_regroup_init(&d->regroup, &d->env, &p->groups, NULL, err) < 0) {
    tm_free(env->budget, d, distinct_bytes(p));
    return -1;
  }
  *out = d;
  return 0;
}

static void distinct_close(void *self) {
  distinct *d = self;
  tm_regroup_deinit(&d->regroup);
  tm_free(d->env.budget, d, distinct_bytes(d->plan));
}

static int distinct_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  if (tm_regroup_restore(&((distinct *)self)->regroup, &reader, err) < 0) return -1;
  return tm_record_close(&reader, err);
}

static int distinct_save(void *self, tm_bytes *out, tm_error *err) {
  tm_record_writer writer = {.out = out};
  tm_regroup_save(&((distinct *)self)->regroup, &writer);
  return tm_record_end(&writer, err);
}

/* ------------------------------------------------------------------ rows */

static int add_rows(distinct *d, const tm_batch *batch, tm_error *err) {
  for (uint32_t i = 0; i < d->plan->groups.key_count; i++) {
    d->keys[i] = &batch->columns[d->plan->columns[i]];
  }
  tm_group_rows rows = {.keys = d->keys, .rows = batch->selection, .count = batch->selected,
                        .row_count = batch->rows};
  return tm_group_table_add(d->regroup.table, &rows, err);
}

/* A lane alone: the keys that the batch brought go on, as the table has them. */
static int pass_new(distinct *d, uint32_t before, tm_out *out, tm_error *err) {
  uint32_t count = tm_group_table_count(d->regroup.table) - before;
  if (count == 0) return 0;
  tm_batch *batch = tm_batch_create(d->env.budget, d->env.bind->output, count);
  if (batch == NULL) return no_memory(err);
  if (tm_group_table_read_keys(d->regroup.table, before, count, batch) < 0) {
    tm_batch_release(batch);
    return no_memory(err);
  }
  tm_out_emit(out, batch);
  return 0;
}

static tm_flow distinct_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                             tm_error *err) {
  distinct *d = self;
  (void)port;
  uint32_t before = tm_group_table_count(d->regroup.table);
  int done = add_rows(d, taken, err);
  uint64_t rows = taken->selected;
  tm_batch_release(taken);
  if (done < 0) return TM_FLOW_FAILED;
  d->env.ledger->duplicate += rows - (tm_group_table_count(d->regroup.table) - before);
  if (d->env.lanes == 1 && pass_new(d, before, out, err) < 0) return TM_FLOW_FAILED;
  return tm_regroup_settle(&d->regroup, err);
}

static tm_flow distinct_resume(void *self, tm_out *out, tm_error *err) {
  distinct *d = self;
  return tm_regroup_resume(&d->regroup, out, &d->env.ledger->duplicate, err);
}

static tm_flow distinct_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  distinct *d = self;
  (void)port;
  if (d->env.lanes == 1) return TM_FLOW_FINISHED;
  return tm_regroup_finish(&d->regroup, out, &d->env.ledger->duplicate, err);
}

const tm_stage tm_stage_distinct = {
  .size = sizeof(tm_stage),
  .name = "distinct",
  .summary = "each different row once",
  .inputs = 1,
  .options = tm_distinct_options,
  .serves = distinct_serves,
  .bind = distinct_bind,
  .need = tm_distinct_need,
  .share = distinct_share,
  .open = distinct_open,
  .restore = distinct_restore,
  .push = distinct_push,
  .resume = distinct_resume,
  .save = distinct_save,
  .finish = distinct_finish,
  .close = distinct_close,
  .unshare = tm_regroup_unshare,
};
