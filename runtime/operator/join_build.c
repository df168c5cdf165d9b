/* operator/join_build.c: the side that is kept: copied, laid out, made into tables; see join.c. */
#include <assert.h>

#include "operator/join_run.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

/* ---------------------------------------------------------------- life */

int tm_join_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                  tm_error *err) {
  const join_plan *p = bind->plan;
  tm_join_shared *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) return no_memory(err);
  *out = s;
  s->budget = budget;
  tm_gate_init(&s->copied, lanes);
  tm_gate_init(&s->built, lanes);
  tm_gate_init(&s->probed, lanes);
  s->rebuild = tm_alloc_zero(budget, lanes * sizeof *s->rebuild);
  if (s->rebuild == NULL) return no_memory(err);
  int done = tm_join_table_init(&s->table, budget, lanes, p->sides[p->build],
                                p->kept[p->build], err);
  s->table.order = p->order;
  return done;
}

void tm_join_unshare(void *object) {
  tm_join_shared *s = object;
  tm_budget *budget = s->budget;
  tm_free(budget, s->rebuild, s->copied.lanes * sizeof *s->rebuild);
  tm_free(budget, s->marks, s->mark_count);
  tm_join_runs_deinit(&s->runs);
  tm_join_table_deinit(&s->table);
  tm_free(budget, s, sizeof *s);
}

int tm_join_open(const tm_stage_env *env, void **out, tm_error *err) {
  tm_join *j = tm_alloc_zero(env->budget, sizeof *j);
  if (j == NULL) return no_memory(err);
  j->env = *env;
  j->plan = env->bind->plan;
  j->shared = env->shared;
  j->table = &j->shared->table;
  j->track = j->plan->build == 0 || j->plan->outer_right;
  j->pairs = (tm_join_pairs){.env = &j->env, .plan = j->plan, .kept = j->plan->build};
  *out = j;
  return 0;
}

void tm_join_close(void *self) {
  tm_join *j = self;
  tm_batch_release(j->batch);
  tm_free(j->env.budget, j, sizeof *j);
}

uint32_t tm_join_wants(void *self) {
  const tm_join *j = self;
  if (j->phase == JOIN_COPY) return (uint32_t)1 << j->plan->build;
  return j->phase == JOIN_PROBE ? (uint32_t)1 << (1 - j->plan->build) : 0;
}

/* ---------------------------------------------------------------- phases */

tm_flow tm_join_copy(tm_join *j, tm_batch *taken, tm_error *err) {
  if (j->plan->build == 1) j->env.ledger->absorbed += taken->selected;
  int done = tm_join_table_append(j->table, j->env.lane, taken, &j->plan->keys[j->plan->build],
                                  err);
  tm_batch_release(taken);
  return done < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

static int check_scalar(const tm_join *j, tm_error *err) {
  if (!j->plan->scalar || j->table->rows <= 1) return 0;
  return tm_fail(err, TM_E_SCALAR, "%s with on = {} wants at most one row on the right, it has "
                 "%llu", j->env.bind->verb, (unsigned long long)j->table->rows);
}

int tm_join_lay_out(tm_join *j, tm_error *err) {
  const tm_join_keys *keys = &j->plan->keys[j->plan->build];
  if (tm_join_table_gather(j->table, keys, j->track, err) < 0) return -1;
  if (check_scalar(j, err) < 0) return -1;
  tm_join_runs *runs = &j->shared->runs;
  const tm_join_order *order = j->plan->order;
  if (order != NULL && tm_join_runs_init(runs, j->shared->budget, j->table, order, err) < 0) {
    return -1;
  }
  __atomic_store_n(&j->shared->laid_out, 1, __ATOMIC_RELEASE);
  return 0;
}

tm_flow tm_join_end_copy(tm_join *j, tm_error *err) {
  j->phase = JOIN_LAY_OUT;
  if (!tm_gate_arrive(&j->shared->copied, &j->env)) return TM_FLOW_BLOCKED;
  if (tm_join_lay_out(j, err) < 0) return TM_FLOW_FAILED;
  j->env.wake(j->env.waker);
  return TM_FLOW_MORE;
}

/* The last lane lays the parts out; the others wait for it. */
static tm_flow await_layout(tm_join *j) {
  if (__atomic_load_n(&j->shared->laid_out, __ATOMIC_ACQUIRE) == 0) return TM_FLOW_BLOCKED;
  j->phase = JOIN_BUILD;
  return TM_FLOW_MORE;
}

static tm_flow build(tm_join *j, tm_error *err) {
  const tm_join_keys *keys = &j->plan->keys[j->plan->build];
  if (j->chunk < j->table->chunk_count) {
    int done = tm_join_table_build(j->table, j->env.lane, j->chunk++, keys, err);
    return done < 0 ? TM_FLOW_FAILED : TM_FLOW_MORE;
  }
  if (j->plan->order != NULL) {
    int more = tm_join_runs_step(&j->shared->runs, j->env.lane, err);
    if (more != 0) return more < 0 ? TM_FLOW_FAILED : TM_FLOW_MORE;
  }
  tm_gate_arrive(&j->shared->built, &j->env);
  j->phase = JOIN_PROBE;
  return tm_gate_open(&j->shared->built) ? TM_FLOW_INPUT : TM_FLOW_BLOCKED;
}

tm_flow tm_join_resume_build(tm_join *j, tm_error *err) {
  switch (j->phase) {
    case JOIN_LAY_OUT: return await_layout(j);
    case JOIN_BUILD: return build(j, err);
    case JOIN_PROBE: return tm_gate_open(&j->shared->built) ? TM_FLOW_INPUT : TM_FLOW_BLOCKED;
    default: return TM_FLOW_INPUT;
  }
}
