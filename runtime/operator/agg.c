/* operator/agg.c: aggregates of groups of rows; without keys, one row even of nothing.
 *
 * Each lane groups its own rows (state/group_table.h); at the end of input the lanes share out the
 * groups, merge and emit them (operator/regroup.h), as in V. Leis, P. Boncz, A. Kemper, T. Neumann,
 * "Morsel-Driven Parallelism", 2014. Sums are exact and ties are broken by value, so the result
 * does not depend on the number of lanes or on who got which rows.
 *
 * Functions are run before any row is grouped: a row that one of them refuses counts in no
 * aggregate. A function of an aggregate with `where` sees only the rows for which that holds. */
#include <string.h>

#include "operator/agg_plan.h"
#include "operator/regroup.h"
#include "stage/apply.h"

static const tm_option agg_options[] = {
  {"keys", "list", NULL, "columns to group by, of group_by", NULL},
  {"aggs", "list", NULL, "aggregates: agg { tm.sum \"qty\", orders = tm.count() }", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct agg {
  tm_stage_env env;
  const tm_agg_plan *plan;
  tm_regroup regroup;
  tm_arena scratch;      /* of one batch: function results, lists of rows */
  uint8_t *used_inputs, *used_filters;
  tm_column *columns;    /* of inputs; those of functions in scratch */
  const tm_column **keys, **inputs;
  uint8_t **holds;       /* of filters: a byte a row */
  const uint32_t **filter_rows;
  uint32_t *filter_counts;
} agg;

static int agg_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                     tm_error *err) {
  return tm_regroup_share(&((const tm_agg_plan *)bind->plan)->groups, lanes, budget, out, err);
}

/* ------------------------------------------------------------------ open and close */

/* Everything whose size the plan tells, in one block behind the agg. */
static size_t agg_bytes(const tm_agg_plan *plan) {
  size_t bytes = sizeof(agg);
  bytes += plan->input_count * (sizeof(tm_column) + sizeof(tm_column *));
  bytes += plan->groups.key_count * sizeof(tm_column *);
  bytes += plan->filter_count * (sizeof(uint8_t *) + sizeof(uint32_t *) + sizeof(uint32_t));
  return bytes + plan->input_count + plan->filter_count;
}

static void lay_out(agg *a) {
  const tm_agg_plan *plan = a->plan;
  char *at = (char *)(a + 1);
  a->columns = (tm_column *)(void *)at;
  at += plan->input_count * sizeof *a->columns;
  a->inputs = (const tm_column **)(void *)at;
  at += plan->input_count * sizeof *a->inputs;
  a->keys = (const tm_column **)(void *)at;
  at += plan->groups.key_count * sizeof *a->keys;
  a->holds = (uint8_t **)(void *)at;
  at += plan->filter_count * sizeof *a->holds;
  a->filter_rows = (const uint32_t **)(void *)at;
  at += plan->filter_count * sizeof *a->filter_rows;
  a->filter_counts = (uint32_t *)(void *)at;
  at += plan->filter_count * sizeof *a->filter_counts;
  a->used_inputs = (uint8_t *)at;
  a->used_filters = (uint8_t *)at + plan->input_count;
}

static int agg_open(const tm_stage_env *env, void **out, tm_error *err) {
  const tm_agg_plan *plan = env->bind->plan;
  agg *a = tm_alloc_zero(env->budget, agg_bytes(plan));
  if (a == NULL) return tm_fail(err, TM_E_MEMORY, "agg: out of memory");
  a->env = *env;
  a->plan = plan;
  lay_out(a);
  tm_agg_used(plan, env->bind->needed, a->used_inputs, a->used_filters);
  tm_arena_init(&a->scratch, env->budget);
  if (tm_regroup_init(&a->regroup, &a->env, &plan->groups, env->bind->needed, err) < 0) {
    tm_arena_deinit(&a->scratch);
    tm_free(env->budget, a, agg_bytes(plan));
    return -1;
  }
  *out = a;
  return 0;
}

static void agg_close(void *self) {
  agg *a = self;
  tm_regroup_deinit(&a->regroup);
  tm_arena_deinit(&a->scratch);
  tm_free(a->env.budget, a, agg_bytes(a->plan));
}

static int agg_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  if (tm_regroup_restore(&((agg *)self)->regroup, &reader, err) < 0) return -1;
  return tm_record_close(&reader, err);
}

static int agg_save(void *self, tm_bytes *out, tm_error *err) {
  tm_record_writer writer = {.out = out};
  tm_regroup_save(&((agg *)self)->regroup, &writer);
  return tm_record_end(&writer, err);
}

/* ------------------------------------------------------------------ functions of a batch */

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "agg: out of memory"); }

/* Rows of the selection where holds[row] is set, as a list in scratch; NULL: out of memory. */
static uint32_t *rows_that_hold(agg *a, const tm_batch *batch, const uint8_t *holds,
                                uint32_t *out_count) {
  uint32_t *rows = tm_arena_alloc(&a->scratch, (batch->selected + 1) * sizeof *rows);
  uint32_t count = 0;
  for (uint32_t i = 0; rows != NULL && i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    rows[count] = row;
    count += holds[row];
  }
  *out_count = count;
  return rows;
}

/* Takes those of `rows` that are not in `left` (both ascend) out of the selection. */
static int drop_refused(agg *a, tm_batch *batch, const uint32_t *rows, uint32_t count,
                        const uint32_t *left, uint32_t left_count, tm_error *err) {
  uint8_t *refused = tm_arena_zero(&a->scratch, batch->rows + 1);
  if (refused == NULL) return no_memory(err);
  for (uint32_t i = 0, k = 0; i < count; i++) {
    bool stays = k < left_count && left[k] == rows[i];
    refused[rows[i]] = !stays;
    k += stays;
  }
  return tm_apply_select(batch, refused, 0) < 0 ? no_memory(err) : 0;
}

/* Evaluates where the filter holds; what the function refuses there leaves the whole batch. */
static int apply_where(agg *a, const tm_agg_input *input, tm_batch *batch, tm_column *column,
                       tm_out *out, tm_error *err) {
  uint32_t count, *selection = batch->selection, selected = batch->selected;
  uint32_t *rows = rows_that_hold(a, batch, a->holds[input->filter], &count);
  if (rows == NULL) return no_memory(err);
  batch->selection = rows;
  batch->selected = count;
  int done = tm_apply(&a->env, input->function, batch, column, NULL, &a->scratch, out, err);
  const uint32_t *left = batch->selection;
  uint32_t left_count = batch->selected;
  batch->selection = selection;
  batch->selected = selected;
  if (done < 0 || left_count == count) return done;
  return drop_refused(a, batch, rows, count, left, left_count, err);
}

static int evaluate(agg *a, tm_batch *batch, tm_out *out, tm_error *err) {
  const tm_agg_plan *plan = a->plan;
  for (uint32_t i = 0; i < plan->filter_count; i++) {
    tm_column holds = {.type = tm_type_of(TM_BOOL)};
    if (!a->used_filters[i]) continue;
    if (tm_apply(&a->env, plan->filters[i].function, batch, &holds, NULL, &a->scratch, out,
                 err) < 0) {
      return -1;
    }
    a->holds[i] = holds.data;
  }
  for (uint32_t i = 0; i < plan->input_count; i++) {
    const tm_agg_input *input = &plan->inputs[i];
    if (!a->used_inputs[i]) continue;
    if (input->column >= 0) {
      a->inputs[i] = &batch->columns[input->column];
      continue;
    }
    tm_column *column = &a->columns[i];
    *column = (tm_column){.type = input->type};
    int done = input->filter >= 0
                   ? apply_where(a, input, batch, column, out, err)
                   : tm_apply(&a->env, input->function, batch, column, NULL, &a->scratch, out, err);
    if (done < 0) return -1;
    a->inputs[i] = column;
  }
  return 0;
}

/* ------------------------------------------------------------------ rows */

/* Once no function can refuse a row any more. */
static int add_rows(agg *a, const tm_batch *batch, tm_error *err) {
  const tm_agg_plan *plan = a->plan;
  for (uint32_t i = 0; i < plan->groups.key_count; i++) {
    a->keys[i] = &batch->columns[plan->keys[i]];
  }
  for (uint32_t i = 0; i < plan->filter_count; i++) {
    if (!a->used_filters[i]) continue;
    a->filter_rows[i] = rows_that_hold(a, batch, a->holds[i], &a->filter_counts[i]);
    if (a->filter_rows[i] == NULL) return no_memory(err);
  }
  tm_group_rows rows = {
    .keys = a->keys,
    .inputs = a->inputs,
    .rows = batch->selection,
    .count = batch->selected,
    .row_count = batch->rows,
    .filter_rows = a->filter_rows,
    .filter_counts = a->filter_counts,
    .ordinals = batch->ordinals,
    .place = (uint64_t)batch->origin.source << 32 | batch->origin.file_index,
  };
  return tm_group_table_add(a->regroup.table, &rows, err);
}

static tm_flow agg_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  agg *a = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, a->env.budget);
  if (batch == NULL) return no_memory(err);
  int done = evaluate(a, batch, out, err);
  if (done == 0) done = add_rows(a, batch, err);
  a->env.ledger->absorbed += done == 0 ? batch->selected : 0;
  tm_batch_release(batch);
  tm_arena_reset(&a->scratch);
  return done < 0 ? TM_FLOW_FAILED : tm_regroup_settle(&a->regroup, err);
}

static tm_flow count_produced(agg *a, tm_flow flow, const tm_out *out) {
  if (out->main != NULL) a->env.ledger->produced += out->main->selected;
  return flow;
}

static tm_flow agg_resume(void *self, tm_out *out, tm_error *err) {
  agg *a = self;
  return count_produced(a, tm_regroup_resume(&a->regroup, out, NULL, err), out);
}

static tm_flow agg_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  agg *a = self;
  (void)port;
  return count_produced(a, tm_regroup_finish(&a->regroup, out, NULL, err), out);
}

const tm_stage tm_stage_agg = {
  .size = sizeof(tm_stage),
  .name = "agg",
  .summary = "aggregates of groups of rows",
  .inputs = 1,
  .options = agg_options,
  .bind = tm_agg_bind,
  .need = tm_agg_need,
  .share = agg_share,
  .open = agg_open,
  .restore = agg_restore,
  .push = agg_push,
  .resume = agg_resume,
  .save = agg_save,
  .finish = agg_finish,
  .close = agg_close,
  .unshare = tm_regroup_unshare,
};
