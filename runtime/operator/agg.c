/* operator/agg.c: aggregates of groups of rows; without keys, one row even of nothing.
 *
 * Each lane groups its own rows (state/group_table.h); at the end of input the lanes share out the
 * groups, merge and emit them (operator/regroup.h), as in V. Leis, P. Boncz, A. Kemper, T. Neumann,
 * "Morsel-Driven Parallelism", 2014. Sums are exact and ties are broken by value, so the result
 * does not depend on the number of lanes or on who got which rows.
 *
 * In a batch windows are groups like any others: the start of a row's window is one more key. So is
 * the time of rows of windows that were made above, for all rows of one window have the same: then
 * the result has that time too, as in a stream (window_agg.c). */
#include "operator/agg_rows.h"
#include "operator/regroup.h"
#include "stage/changelog.h"

#include <assert.h>

static const tm_option agg_options[] = {
  {"keys", "list", NULL, "columns to group by, of group_by", NULL},
  {"aggs", "list", NULL, "aggregates: agg { tm.sum \"qty\", orders = tm.count() }", NULL},
  TM_WINDOW_OPTIONS,
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct agg {
  tm_stage_env env;
  const tm_agg_plan *plan;
  tm_regroup regroup;
  tm_agg_rows rows;      /* of one batch */
  tm_column time;        /* the key that is no column */
  tm_window_regions regions;
} agg;

/* A result that comes once, at the end. */
static bool agg_serves(const tm_bind *bind) {
  const tm_value *window = tm_value_get(bind->options, "window");
  bool windowed = window != NULL && window->kind != TM_VALUE_NIL;
  if (bind->job->stream) {
    return !tm_changelog_is_live(bind) && !windowed && !tm_agg_is_of_windows(bind);
  }
  if (!windowed) return true;
  return tm_window_plan_kind(bind->options) == TM_WINDOW_TUMBLING &&
         !tm_window_plan_fills(bind->options);
}

static int agg_bind(tm_bind *bind, tm_error *err) {
  if (tm_agg_bind_in_time(bind, true, err) < 0) return -1;
  return tm_window_plan_check_mode(bind, &((const tm_agg_plan *)bind->plan)->window, err);
}

static int agg_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                     tm_error *err) {
  return tm_regroup_share(&((const tm_agg_plan *)bind->plan)->groups, lanes, budget, out, err);
}

/* ------------------------------------------------------------------ open and close */

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "agg: out of memory"); }

static int agg_open(const tm_stage_env *env, void **out, tm_error *err) {
  agg *a = tm_alloc_zero(env->budget, sizeof *a);
  if (a == NULL) return no_memory(err);
  a->env = *env;
  a->plan = env->bind->plan;
  int done = tm_agg_rows_init(&a->rows, &a->env, err);
  if (done == 0 &&
      tm_regroup_init(&a->regroup, &a->env, &a->plan->groups, env->bind->needed, err) < 0) {
    tm_agg_rows_deinit(&a->rows);
    done = -1;
  }
  if (done < 0) tm_free(env->budget, a, sizeof *a);
  else *out = a;
  return done;
}

static void agg_close(void *self) {
  agg *a = self;
  tm_regroup_deinit(&a->regroup);
  tm_agg_rows_deinit(&a->rows);
  tm_free(a->env.budget, a, sizeof *a);
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

/* ------------------------------------------------------------------ rows */

/* The start of the window of each row, as one more key. */
static int set_time_key(agg *a, const tm_batch *batch, tm_error *err) {
  const tm_agg_plan *plan = a->plan;
  assert(batch->times != NULL);
  a->time = (tm_column){.type = tm_type_of(TM_INT64), .data = batch->times};
  a->rows.keys[tm_group_plan_shown(&plan->groups)] = &a->time;
  if (plan->time == TM_AGG_OF_WINDOWS) return 0;
  uint32_t count = batch->selected;
  int64_t *starts = tm_arena_alloc(&a->rows.scratch, (batch->rows + count + 1) * sizeof *starts);
  if (starts == NULL) return no_memory(err);
  a->time.data = starts;
  int64_t *out = batch->selection == NULL ? starts : starts + batch->rows;
  tm_time_cells_starts(&plan->window.grid.slices, batch->times, batch->selection, count, out,
                       &a->regions.slices);
  for (uint32_t i = 0; batch->selection != NULL && i < count; i++) {
    starts[batch->selection[i]] = out[i];
  }
  return 0;
}

/* Once no function can refuse a row any more. */
static int add_rows(agg *a, const tm_batch *batch, tm_error *err) {
  if (tm_agg_rows_list(&a->rows, batch, err) < 0) return -1;
  if (a->plan->groups.timed && set_time_key(a, batch, err) < 0) return -1;
  tm_group_rows rows = {
    .keys = a->rows.keys,
    .inputs = a->rows.inputs,
    .rows = batch->selection,
    .count = batch->selected,
    .row_count = batch->rows,
    .filter_rows = a->rows.filter_rows,
    .filter_counts = a->rows.filter_counts,
    .times = batch->times,
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
  int done = tm_agg_rows_open(&a->rows, batch, out, err);
  if (done == 0) done = add_rows(a, batch, err);
  a->env.ledger->absorbed += done == 0 ? batch->selected : 0;
  tm_batch_release(batch);
  tm_agg_rows_close(&a->rows);
  return done < 0 ? TM_FLOW_FAILED : tm_regroup_settle(&a->regroup, err);
}

/* Columns of the windows whose starts the batch has as its times. */
static int stamp(agg *a, tm_batch *batch, tm_error *err) {
  const tm_agg_plan *plan = a->plan;
  if (plan->time != TM_AGG_WINDOWED) return 0;
  int64_t *ends = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *ends);
  if (ends == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->rows; i++) {
    ends[i] = tm_time_cells_end(&plan->window.grid.slices, batch->times[i], &a->regions.slices);
  }
  return tm_window_plan_stamp(&plan->window, a->env.bind, batch,
                              tm_group_plan_shown(&plan->groups), batch->times, ends, err);
}

static tm_flow emit(agg *a, tm_flow flow, tm_out *out, tm_error *err) {
  if (out->main == NULL) return flow;
  a->env.ledger->produced += out->main->selected;
  return stamp(a, out->main, err) < 0 ? TM_FLOW_FAILED : flow;
}

static tm_flow agg_resume(void *self, tm_out *out, tm_error *err) {
  agg *a = self;
  return emit(a, tm_regroup_resume(&a->regroup, out, NULL, err), out, err);
}

static tm_flow agg_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  agg *a = self;
  (void)port;
  return emit(a, tm_regroup_finish(&a->regroup, out, NULL, err), out, err);
}

const tm_stage tm_stage_agg = {
  .size = sizeof(tm_stage),
  .name = "agg",
  .summary = "aggregates of groups of rows",
  .inputs = 1,
  .options = agg_options,
  .serves = agg_serves,
  .bind = agg_bind,
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
