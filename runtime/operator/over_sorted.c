/* operator/over_sorted.c: over in a batch, by columns that the script names.
 *
 * Every lane sorts runs of its own rows; once all have handed over, lane 0 merges the runs and goes
 * through the rows in order. Peers, rows that are equal by those columns, come by the columns that
 * somebody needs, from left to right, nulls first: as time_order has them, so that an order by the
 * event time gives what a stream gives. After a restore the merge begins anew and passes over what
 * it had given. */
#include <string.h>

#include "operator/over_run.h"
#include "stage/gate.h"

enum { SKIP_ROWS = 65536, SKIP_STEP = 256 };

typedef struct shared {
  tm_budget *budget;
  tm_sort_spec spec;
  tm_sort_key *keys;
  uint32_t key_capacity;
  tm_gate gate;
  tm_sorter sorters[];
} shared;

typedef struct over {
  tm_stage_env env;
  const tm_over_plan *plan;
  shared *shared;
  tm_sorter *sorter;   /* in the shared object */
  tm_over_run run;     /* of lane 0 */
  bool merging, ended; /* ended: all rows of the merge have been pushed */
  bool sealed;
  uint64_t given;      /* rows of the merge that were pushed */
  uint64_t skip;       /* that were pushed before the state was saved */
  tm_sort_place last;  /* the last of them; batch NULL: none */
  int64_t peer;        /* number of its peers among all */
  tm_sort_merge merge;
} over;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "over: out of memory"); }

static bool over_serves(const tm_bind *bind) {
  return !bind->job->stream && tm_over_plan_has_order(bind);
}

static int over_bind(tm_bind *bind, tm_error *err) { return tm_over_plan_bind(bind, true, err); }

/* ------------------------------------------------------------------ share, open, close */

/* What time_order would go by: needed columns, and all where rows may be refused. */
static void find_live(const tm_bind *bind, uint8_t *live) {
  uint8_t *in[1] = {live};
  tm_over_plan_need(bind, bind->needed, in);
  if (bind->rejects && !bind->skip_rejects) memset(live, 1, bind->inputs[0]->count);
}

static int make_keys(shared *s, const tm_bind *bind) {
  const tm_over_plan *plan = bind->plan;
  const tm_schema *input = bind->inputs[0];
  uint8_t *live = tm_alloc_zero(s->budget, input->count + 1);
  s->key_capacity = plan->by_count + input->count;
  s->keys = tm_alloc_zero(s->budget, s->key_capacity * sizeof *s->keys);
  if (live == NULL || s->keys == NULL) {
    if (live != NULL) tm_free(s->budget, live, input->count + 1);
    return -1;
  }
  find_live(bind, live);
  memcpy(s->keys, plan->by, plan->by_count * sizeof *s->keys);
  uint32_t count = plan->by_count;
  for (uint32_t i = 0; i < input->count; i++) {
    if (live[i]) s->keys[count++].column = i;
  }
  s->spec = (tm_sort_spec){.schema = input, .keys = s->keys, .key_count = count,
                           .nulls_first = plan->by_count, .signs = tm_sort_has_signs(input)};
  tm_free(s->budget, live, input->count + 1);
  return 0;
}

static size_t shared_bytes(uint32_t lanes) { return sizeof(shared) + lanes * sizeof(tm_sorter); }

static void over_unshare(void *object) {
  shared *s = object;
  for (uint32_t i = 0; i < s->gate.lanes; i++) tm_sorter_deinit(&s->sorters[i]);
  if (s->keys != NULL) tm_free(s->budget, s->keys, s->key_capacity * sizeof *s->keys);
  tm_free(s->budget, s, shared_bytes(s->gate.lanes));
}

static int over_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                      tm_error *err) {
  shared *s = tm_alloc_zero(budget, shared_bytes(lanes));
  if (s == NULL) return no_memory(err);
  s->budget = budget;
  tm_gate_init(&s->gate, lanes);
  int done = make_keys(s, bind);
  for (uint32_t i = 0; i < lanes; i++) tm_sorter_init(&s->sorters[i], budget, &s->spec);
  *out = s;
  return done < 0 ? no_memory(err) : 0;
}

static int over_open(const tm_stage_env *env, void **out, tm_error *err) {
  over *o = tm_alloc_zero(env->budget, sizeof *o);
  if (o == NULL) return no_memory(err);
  o->env = *env;
  o->plan = env->bind->plan;
  o->shared = env->shared;
  o->sorter = &o->shared->sorters[env->lane];
  if (tm_over_run_init(&o->run, &o->env, err) < 0) {
    tm_over_run_deinit(&o->run);
    tm_free(env->budget, o, sizeof *o);
    return -1;
  }
  *out = o;
  return 0;
}

static void over_close(void *self) {
  over *o = self;
  if (o->merging) tm_sort_merge_deinit(&o->merge);
  tm_over_run_deinit(&o->run);
  tm_free(o->env.budget, o, sizeof *o);
}

/* ------------------------------------------------------------------ rows in order */

static int begin_merge(over *o, tm_error *err) {
  uint32_t lanes = o->env.lanes;
  tm_sorter **sorters = tm_alloc(o->env.budget, lanes * sizeof *sorters);
  if (sorters == NULL) return no_memory(err);
  for (uint32_t i = 0; i < lanes; i++) sorters[i] = &o->shared->sorters[i];
  int done = tm_sort_merge_init(&o->merge, o->env.budget, &o->shared->spec, sorters, lanes, err);
  tm_free(o->env.budget, sorters, lanes * sizeof *sorters);
  o->merging = done == 0;
  return done;
}

static void skip_given(over *o) {
  tm_sort_place places[SKIP_STEP];
  for (uint32_t n = 0; n < SKIP_ROWS && o->skip > 0; n += SKIP_STEP) {
    uint32_t max = o->skip < SKIP_STEP ? (uint32_t)o->skip : SKIP_STEP;
    uint32_t count = tm_sort_merge_next(&o->merge, places, max);
    o->given += count;
    o->skip = count < max ? 0 : o->skip - count;
    if (count > 0) o->last = places[count - 1];
  }
}

/* Of each row of the batch: when, by the one column of times; nulls are far from all others. */
static void set_times(const over *o, const tm_batch *batch, int64_t *times) {
  const tm_column *column = &batch->columns[o->plan->by[0].column];
  bool date = column->type.kind == TM_DATE;
  for (uint32_t i = 0; i < batch->rows; i++) {
    if (tm_column_is_null(column, i)) times[i] = INT64_MIN;
    else if (date) times[i] = ((const int32_t *)column->data)[i] * INT64_C(86400000000);
    else times[i] = ((const int64_t *)column->data)[i];
  }
}

static void set_peers(over *o, const tm_sort_place *places, uint32_t count, int64_t *peers) {
  for (uint32_t i = 0; i < count; i++) {
    bool same = o->last.batch != NULL && tm_sort_compare(&o->shared->spec, o->last, places[i], 0,
                                                         o->plan->by_count) == 0;
    o->peer += !same;
    peers[i] = o->peer;
    o->last = places[i];
  }
}

static int push_rows(over *o, const tm_sort_place *places, uint32_t count, tm_out *out,
                     tm_error *err) {
  tm_batch *batch = tm_sort_gather(o->env.budget, o->shared->spec.schema, places, count);
  int64_t *times = batch == NULL ? NULL : tm_batch_alloc(batch, (count + 1) * sizeof *times);
  int64_t *peers = batch == NULL ? NULL : tm_batch_alloc(batch, (count + 1) * sizeof *peers);
  if (times == NULL || peers == NULL) {
    tm_batch_release(batch);
    return no_memory(err);
  }
  if (o->plan->orders_by_time) set_times(o, batch, times);
  set_peers(o, places, count, peers);
  o->given += count;
  /* What has no times goes by peers alone. */
  return tm_over_run_push(&o->run, batch, o->plan->orders_by_time ? times : peers, peers, out, err);
}

/* A batch of rows of the merge; after the last one, those that waited. */
static tm_flow proceed(over *o, tm_out *out, tm_error *err) {
  uint32_t max = o->env.bind->job->batch_rows;
  if (o->run.ready_count == 0 && o->merge.count > 0) {
    tm_sort_place *places = tm_alloc(o->env.budget, max * sizeof *places);
    if (places == NULL) return no_memory(err);
    uint32_t count = tm_sort_merge_next(&o->merge, places, max);
    int done = push_rows(o, places, count, out, err);
    tm_free(o->env.budget, places, max * sizeof *places);
    if (done < 0) return TM_FLOW_FAILED;
  }
  if (o->merge.count == 0 && !o->ended) {
    o->ended = true;
    if (tm_over_run_finish(&o->run, err) < 0) return TM_FLOW_FAILED;
  }
  bool more = tm_over_run_emit(&o->run, out);
  return more || o->merge.count > 0 ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

static tm_flow over_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  over *o = self;
  (void)port;
  (void)out;
  return tm_sorter_add(o->sorter, taken, err) < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

static tm_flow over_resume(void *self, tm_out *out, tm_error *err) {
  over *o = self;
  if (!tm_gate_open(&o->shared->gate)) return TM_FLOW_BLOCKED;
  if (o->env.lane != 0) return TM_FLOW_FINISHED;
  if (!o->merging && begin_merge(o, err) < 0) return TM_FLOW_FAILED;
  skip_given(o);
  return o->skip > 0 ? TM_FLOW_MORE : proceed(o, out, err);
}

static tm_flow over_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  over *o = self;
  (void)port;
  (void)out;
  if (tm_sorter_seal(o->sorter, err) < 0) return TM_FLOW_FAILED;
  o->sealed = true;
  tm_gate_arrive(&o->shared->gate, &o->env);
  if (o->env.lane != 0) return TM_FLOW_FINISHED;
  return tm_gate_open(&o->shared->gate) ? TM_FLOW_MORE : TM_FLOW_BLOCKED;
}

/* ------------------------------------------------------------------ save, restore */

static int over_save(void *self, tm_bytes *out, tm_error *err) {
  over *o = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, o->sealed);
  tm_record_put(&w, o->ended);
  tm_record_put(&w, o->given + o->skip);
  tm_record_put(&w, (uint64_t)o->peer);
  tm_sorter_save(o->sorter, &w);
  if (o->env.lane == 0 && tm_over_run_save(&o->run, &w, err) < 0) return -1;
  return tm_record_end(&w, err);
}

static int over_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  over *o = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  o->sealed = tm_record_get(&r, 1);
  o->ended = tm_record_get(&r, 1);
  o->skip = tm_record_get(&r, UINT64_MAX);
  o->peer = (int64_t)tm_record_get(&r, INT64_MAX / 2);
  if (tm_sorter_restore(o->sorter, &r, o->env.bind->arena, err) < 0) return -1;
  if (o->env.lane == 0 && tm_over_run_restore(&o->run, &r, err) < 0) return -1;
  if (tm_record_close(&r, err) < 0) return -1;
  if (o->sealed) tm_gate_arrive(&o->shared->gate, &o->env);
  return 0;
}

const tm_stage tm_stage_over_sorted = {
  .size = sizeof(tm_stage),
  .name = "over",
  .summary = "columns that look at other rows, in an order of columns",
  .inputs = 1,
  .options = tm_over_options,
  .serves = over_serves,
  .bind = over_bind,
  .need = tm_over_plan_need,
  .share = over_share,
  .open = over_open,
  .restore = over_restore,
  .push = over_push,
  .resume = over_resume,
  .save = over_save,
  .finish = over_finish,
  .close = over_close,
  .unshare = over_unshare,
};
