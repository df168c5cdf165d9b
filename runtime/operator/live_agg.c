/* operator/live_agg.c: aggregates of all rows so far, in a stream: a changelog.
 *
 * Nobody waits for the end of a stream, so each batch of rows gives what it changed: for every
 * group that it touched the row as it was with weight -1, as it is with +1, side by side in one
 * batch (state/live_groups.h). Groups that come out as they were say nothing, so that a batch costs
 * what it touches. The input may be a changelog itself: then rows can be taken back, and a group of
 * which none is left goes. Without keys there is one row, from the first batch on, or at the end of
 * nothing: what is left at the end is what a batch gives.
 *
 * A result has no event time: it is of all times. */
#include <string.h>

#include "operator/agg_rows.h"
#include "stage/changelog.h"
#include "state/live_groups.h"

static const tm_option live_agg_options[] = {
  {"keys", "list", NULL, "columns to group by, of group_by", NULL},
  {"aggs", "list", NULL, "aggregates: agg { tm.sum \"qty\", orders = tm.count() }", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct live_plan {
  tm_agg_plan agg; /* first: what agg_plan.c and agg_rows.c see */
  tm_live_options options;
} live_plan;

typedef struct live_agg {
  tm_stage_env env;
  const live_plan *plan;
  tm_agg_rows rows;
  tm_live_groups *groups;
  const tm_column **order; /* columns of a batch, where rows go by them */
  uint64_t emitted;        /* batches */
  bool finishing;
} live_agg;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "agg: out of memory"); }

/* ------------------------------------------------------------------ binding */

static bool live_agg_serves(const tm_bind *bind) {
  const tm_value *window = tm_value_get(bind->options, "window");
  bool windowed = window != NULL && window->kind != TM_VALUE_NIL;
  /* Groups of a window that was made above are final with it: another stage's. */
  return tm_changelog_is_live(bind) && !windowed && !tm_agg_is_of_windows(bind);
}

/* Without time and an order of their own, rows are first and last by their columns. */
static int set_order(tm_bind *bind, live_plan *plan, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  bool placed = bind->facts_in[0].placed;
  if (plan->options.timed || !plan->agg.groups.wants_places) return 0;
  if (placed && plan->options.retracts) {
    tm_fail(err, TM_E_JOB, "first, last, arg_min and arg_max go by the order of rows, which is not"
            " known of a top while it changes");
    return tm_error_help(err, "min and max need no order; rows with event time go by that");
  }
  if (placed) return 0;
  tm_type *types = tm_arena_alloc(bind->arena, (input->count + 1) * sizeof *types);
  if (types == NULL) return no_memory(err);
  for (uint32_t i = 0; i < input->count; i++) types[i] = input->fields[i].type;
  plan->options.order = types;
  plan->options.order_count = input->count;
  return 0;
}

static int live_agg_bind(tm_bind *bind, tm_error *err) {
  if (tm_agg_bind(bind, err) < 0) return -1;
  live_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  plan->agg = *(const tm_agg_plan *)bind->plan;
  plan->options.retracts = bind->facts_in[0].changelog;
  plan->options.timed = bind->facts_in[0].time.kind != TM_NULLTYPE;
  if (set_order(bind, plan, err) < 0) return -1;
  bind->plan = plan;
  bind->single = true;
  bind->facts_out.changelog = true;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE);
  bind->facts_out.in_time_order = false;
  return 0;
}

static void live_agg_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const live_plan *plan = bind->plan;
  tm_agg_need(bind, needed_out, in);
  if (plan->options.order_count > 0) memset(in[0], 1, bind->inputs[0]->count);
}

/* ------------------------------------------------------------------ life */

static size_t order_bytes(const live_plan *plan) {
  return plan->options.order_count * sizeof(tm_column *);
}

static void live_agg_close(void *self) {
  live_agg *a = self;
  tm_live_groups_destroy(a->groups);
  tm_agg_rows_deinit(&a->rows);
  tm_free(a->env.budget, a->order, order_bytes(a->plan));
  tm_free(a->env.budget, a, sizeof *a);
}

static int live_agg_open(const tm_stage_env *env, void **out, tm_error *err) {
  live_agg *a = tm_alloc_zero(env->budget, sizeof *a);
  if (a == NULL) return no_memory(err);
  a->env = *env;
  a->plan = env->bind->plan;
  if (tm_agg_rows_init(&a->rows, &a->env, err) < 0) {
    tm_free(env->budget, a, sizeof *a);
    return -1;
  }
  const tm_group_plan *groups = &a->plan->agg.groups;
  const uint8_t *needed = env->bind->needed;
  a->order = tm_alloc(env->budget, order_bytes(a->plan));
  a->groups = tm_live_groups_create(env->budget, groups,
                                    needed == NULL ? NULL : needed + groups->key_count,
                                    &a->plan->options, err);
  if (a->order != NULL && a->groups != NULL) {
    *out = a;
    return 0;
  }
  (void)no_memory(err); /* unless it is told already */
  live_agg_close(a);
  return -1;
}

static int live_agg_save(void *self, tm_bytes *out, tm_error *err) {
  live_agg *a = self;
  tm_record_writer writer = {.out = out};
  tm_record_put(&writer, a->emitted);
  tm_record_put(&writer, a->finishing);
  tm_live_groups_save(a->groups, &writer);
  return tm_record_end(&writer, err);
}

static int live_agg_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  live_agg *a = self;
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  a->emitted = tm_record_get(&reader, UINT64_MAX);
  a->finishing = tm_record_get(&reader, 1);
  if (tm_live_groups_restore(a->groups, &reader, err) < 0) return -1;
  return tm_record_close(&reader, err);
}

/* ------------------------------------------------------------------ rows */

static int give(live_agg *a, const tm_live_rows *rows, tm_out *out, tm_error *err) {
  tm_batch *batch;
  if (tm_live_groups_add(a->groups, rows, a->env.bind->output, a->env.budget, &batch, err) < 0) {
    return -1;
  }
  if (batch == NULL) return 0;
  batch->sequence = a->emitted++;
  a->env.ledger->produced += batch->selected;
  tm_out_emit(out, batch);
  return 0;
}

/* Once no function can refuse a row any more. */
static int add_rows(live_agg *a, const tm_batch *batch, tm_out *out, tm_error *err) {
  for (uint32_t i = 0; i < a->plan->options.order_count; i++) a->order[i] = &batch->columns[i];
  tm_live_rows rows = {
    .keys = a->rows.keys,
    .inputs = a->rows.inputs,
    .order = a->order,
    .rows = batch->selection,
    .count = batch->selected,
    .row_count = batch->rows,
    .holds = (const uint8_t *const *)a->rows.holds,
    .weights = batch->weights,
    .times = batch->times,
  };
  return give(a, &rows, out, err);
}

static tm_flow settle(live_agg *a, tm_error *err) {
  int more = tm_live_groups_settle_step(a->groups, err);
  if (more < 0) return TM_FLOW_FAILED;
  if (more > 0) return TM_FLOW_MORE;
  return a->finishing ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

static tm_flow live_agg_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                             tm_error *err) {
  live_agg *a = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, a->env.budget);
  if (batch == NULL) return no_memory(err);
  int done = tm_agg_rows_open(&a->rows, batch, out, err);
  if (done == 0 && batch->selected > 0) done = add_rows(a, batch, out, err);
  a->env.ledger->absorbed += done == 0 ? batch->selected : 0;
  tm_batch_release(batch);
  tm_agg_rows_close(&a->rows);
  return done < 0 ? TM_FLOW_FAILED : settle(a, err);
}

static tm_flow live_agg_resume(void *self, tm_out *out, tm_error *err) {
  (void)out;
  return settle(self, err);
}

/* The one row without keys, if it has not come yet. */
static tm_flow live_agg_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  live_agg *a = self;
  const tm_live_rows none = {0};
  (void)port;
  bool single = a->plan->agg.groups.key_count == 0 && a->env.lane == 0;
  if (single && give(a, &none, out, err) < 0) return TM_FLOW_FAILED;
  a->finishing = true;
  return settle(a, err);
}

const tm_stage tm_stage_live_agg = {
  .size = sizeof(tm_stage),
  .name = "agg",
  .summary = "aggregates of all rows so far, as they change",
  .inputs = 1,
  .options = live_agg_options,
  .serves = live_agg_serves,
  .bind = live_agg_bind,
  .need = live_agg_need,
  .open = live_agg_open,
  .restore = live_agg_restore,
  .push = live_agg_push,
  .resume = live_agg_resume,
  .save = live_agg_save,
  .finish = live_agg_finish,
  .close = live_agg_close,
};
