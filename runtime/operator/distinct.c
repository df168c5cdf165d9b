/* operator/distinct.c: each different row once; distinct("a") leaves only column a.
 *
 * Grouping by all columns without an aggregate. A lane alone passes the first of equal rows on at
 * once; several keep the keys and share them out at the end (operator/regroup.h). What comes out
 * are
 * keys in normal form, 0 for -0, so that it does not matter which of two equal rows came first. */
#include <string.h>

#include "operator/regroup.h"
#include "stage/options.h"

static const tm_option distinct_options[] = {
  {"columns", "text|list", NULL, "the columns that count, and stay; without, all", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct plan {
  tm_group_plan groups;
  uint32_t *columns; /* of the input */
} plan;

typedef struct distinct {
  tm_stage_env env;
  const plan *plan;
  tm_regroup regroup;
  const tm_column **keys;
} distinct;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "distinct: out of memory"); }

/* ------------------------------------------------------------------ binding */

static int choose_columns(tm_bind *bind, plan *p, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  int count = tm_options_columns(bind->options, "columns", input, bind->arena, &p->columns, err);
  if (count < 0) return -1;
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < i; k++) {
      if (p->columns[i] != p->columns[k]) continue;
      const char *name = input->fields[p->columns[i]].name;
      tm_fail(err, TM_E_COLUMNS, "distinct names column '%s' twice", name);
      tm_error_token(err, name, "");
      return -1;
    }
  }
  p->groups.key_count = count > 0 ? (uint32_t)count : input->count;
  if (count > 0) return 0;
  p->columns = tm_arena_alloc(bind->arena, (input->count + 1) * sizeof *p->columns);
  if (p->columns == NULL) return no_memory(err);
  for (uint32_t i = 0; i < input->count; i++) p->columns[i] = i;
  return 0;
}

static int distinct_bind(tm_bind *bind, tm_error *err) {
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return no_memory(err);
  if (choose_columns(bind, p, err) < 0) return -1;
  uint32_t count = p->groups.key_count;
  tm_schema *output = tm_schema_create(bind->arena, count);
  tm_type *types = tm_arena_zero(bind->arena, (count + 1) * sizeof *types);
  if (output == NULL || types == NULL) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    output->fields[i] = bind->inputs[0]->fields[p->columns[i]];
    types[i] = output->fields[i].type;
  }
  p->groups.arena = bind->arena;
  p->groups.key_types = types;
  if (tm_group_plan_complete(&p->groups, err) < 0) return -1;
  bind->plan = p;
  bind->output = output;
  bind->order = TM_ORDER_NONE;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE); /* of which of the equal rows? */
  bind->rows_estimate = bind->input_rows[0] / 2 + (bind->input_rows[0] > 0);
  return 0;
}

/* Whoever reads the result: every column tells rows apart. */
static void distinct_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const plan *p = bind->plan;
  (void)needed_out;
  for (uint32_t i = 0; i < p->groups.key_count; i++) in[0][p->columns[i]] = 1;
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
  .options = distinct_options,
  .bind = distinct_bind,
  .need = distinct_need,
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
