/* operator/agg_rows.c: see agg_rows.h. */
#include "operator/agg_rows.h"

#include <string.h>

#include "stage/apply.h"

typedef tm_agg_rows agg_rows;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "agg: out of memory"); }

/* ------------------------------------------------------------------ life */

/* Everything whose size the plan tells, in one block. */
static size_t block_bytes(const tm_agg_plan *plan) {
  size_t bytes = plan->input_count * (sizeof(tm_column) + sizeof(tm_column *));
  bytes += plan->groups.key_count * sizeof(tm_column *);
  bytes += plan->filter_count * (sizeof(uint8_t *) + sizeof(uint32_t *) + sizeof(uint32_t));
  return bytes + plan->input_count + plan->filter_count;
}

static void lay_out(agg_rows *a, char *at) {
  const tm_agg_plan *plan = a->plan;
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

int tm_agg_rows_init(tm_agg_rows *a, const tm_stage_env *env, tm_error *err) {
  *a = (tm_agg_rows){.env = env, .plan = env->bind->plan};
  char *block = tm_alloc_zero(env->budget, block_bytes(a->plan));
  if (block == NULL) return no_memory(err);
  lay_out(a, block);
  tm_agg_used(a->plan, env->bind->needed, a->used_inputs, a->used_filters);
  tm_arena_init(&a->scratch, env->budget);
  return 0;
}

void tm_agg_rows_deinit(tm_agg_rows *a) {
  tm_arena_deinit(&a->scratch);
  tm_free(a->env->budget, a->columns, block_bytes(a->plan));
}

void tm_agg_rows_close(tm_agg_rows *a) { tm_arena_reset(&a->scratch); }

/* ------------------------------------------------------------------ functions of a batch */

/* Rows of the selection where holds[row] is set, as a list in scratch; NULL: out of memory. */
static uint32_t *rows_that_hold(agg_rows *a, const tm_batch *batch, const uint8_t *holds,
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
static int drop_refused(agg_rows *a, tm_batch *batch, const uint32_t *rows, uint32_t count,
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
static int apply_where(agg_rows *a, const tm_agg_input *input, tm_batch *batch, tm_column *column,
                       tm_out *out, tm_error *err) {
  uint32_t count, *selection = batch->selection, selected = batch->selected;
  uint32_t *rows = rows_that_hold(a, batch, a->holds[input->filter], &count);
  if (rows == NULL) return no_memory(err);
  batch->selection = rows;
  batch->selected = count;
  int done = tm_apply(a->env, input->function, batch, column, NULL, &a->scratch, out, err);
  const uint32_t *left = batch->selection;
  uint32_t left_count = batch->selected;
  batch->selection = selection;
  batch->selected = selected;
  if (done < 0 || left_count == count) return done;
  return drop_refused(a, batch, rows, count, left, left_count, err);
}

int tm_agg_rows_open(tm_agg_rows *a, tm_batch *batch, tm_out *out, tm_error *err) {
  const tm_agg_plan *plan = a->plan;
  for (uint32_t i = 0; i < tm_group_plan_shown(&plan->groups); i++) {
    a->keys[i] = &batch->columns[plan->keys[i]];
  }
  for (uint32_t i = 0; i < plan->filter_count; i++) {
    tm_column holds = {.type = tm_type_of(TM_BOOL)};
    if (!a->used_filters[i]) continue;
    if (tm_apply(a->env, plan->filters[i].function, batch, &holds, NULL, &a->scratch, out,
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
                   : tm_apply(a->env, input->function, batch, column, NULL, &a->scratch, out, err);
    if (done < 0) return -1;
    a->inputs[i] = column;
  }
  return 0;
}

int tm_agg_rows_list(tm_agg_rows *a, const tm_batch *batch, tm_error *err) {
  for (uint32_t i = 0; i < a->plan->filter_count; i++) {
    if (!a->used_filters[i]) continue;
    a->filter_rows[i] = rows_that_hold(a, batch, a->holds[i], &a->filter_counts[i]);
    if (a->filter_rows[i] == NULL) return no_memory(err);
  }
  return 0;
}
