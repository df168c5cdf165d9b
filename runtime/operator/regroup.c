/* operator/regroup.c: the phases of a lane that groups, see regroup.h.
 *
 * Tables that were handed over are read-only; the last lane to finish frees them all. What a merge
 * makes follows from the tables alone, group by group, so a saved lane keeps only its own table and
 * how far it got: after a restore it merges again and leaves out what was emitted. */
#include "operator/regroup.h"

#include <assert.h>

#include "base/env.h"

enum {
  ALONE_GROUPS = 4096,          /* up to so many in all tables, one lane merges them */
  PARTITION_GROUPS = 64 * 1024, /* a merged table of that size stays in the cache */
};

struct tm_regroup_shared {
  tm_budget *budget;
  const tm_group_plan *plan;
  tm_gate gate;       /* opens when all tables are there */
  tm_mutex mutex;     /* of what follows, and against freeing a table that is being saved */
  uint32_t lanes, done;
  tm_group_table *tables[];
};

static size_t shared_bytes(uint32_t lanes) {
  return sizeof(tm_regroup_shared) + lanes * sizeof(tm_group_table *);
}

int tm_regroup_share(const tm_group_plan *plan, uint32_t lanes, tm_budget *budget, void **out,
                     tm_error *err) {
  tm_regroup_shared *s = tm_alloc_zero(budget, shared_bytes(lanes));
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  s->budget = budget;
  s->plan = plan;
  s->lanes = lanes;
  tm_gate_init(&s->gate, lanes);
  tm_env_get()->mutex_init(&s->mutex);
  *out = s;
  return 0;
}

static void free_tables(tm_regroup_shared *s) {
  for (uint32_t i = 0; i < s->lanes; i++) {
    tm_group_table_destroy(s->tables[i]);
    s->tables[i] = NULL;
  }
}

void tm_regroup_unshare(void *shared) {
  tm_regroup_shared *s = shared;
  free_tables(s);
  tm_env_get()->mutex_deinit(&s->mutex);
  tm_free(s->budget, s, shared_bytes(s->lanes));
}

int tm_regroup_init(tm_regroup *r, const tm_stage_env *env, const tm_group_plan *plan,
                    const uint8_t *needed, tm_error *err) {
  *r = (tm_regroup){.env = env, .shared = env->shared, .plan = plan, .partition = env->lane};
  r->needed = needed == NULL ? NULL : needed + tm_group_plan_first(plan);
  /* Charged to the shared budget: after the hand-over the table outlives the lane. */
  r->table = tm_group_table_create(r->shared->budget, plan, r->needed, err);
  return r->table == NULL ? -1 : 0;
}

static bool is_handed_over(const tm_regroup *r) {
  return r->env->lanes > 1 && r->phase >= TM_REGROUP_WAITING;
}

void tm_regroup_deinit(tm_regroup *r) {
  tm_group_table_destroy(r->merged);
  if (!is_handed_over(r)) tm_group_table_destroy(r->table);
  r->table = r->merged = NULL;
}

/* ------------------------------------------------------------------ phases */

tm_flow tm_regroup_settle(tm_regroup *r, tm_error *err) {
  int more = tm_group_table_settle_step(r->table, err);
  return more < 0 ? TM_FLOW_FAILED : more > 0 ? TM_FLOW_MORE : TM_FLOW_INPUT;
}

tm_flow tm_regroup_finish(tm_regroup *r, tm_out *out, uint64_t *out_merged, tm_error *err) {
  assert(r->phase == TM_REGROUP_ADDING);
  r->phase = TM_REGROUP_SEALING;
  return tm_regroup_resume(r, out, out_merged, err);
}

static tm_flow hand_over(tm_regroup *r) {
  r->phase = TM_REGROUP_WAITING;
  r->shared->tables[r->env->lane] = r->table;
  tm_gate_arrive(&r->shared->gate, r->env);
  return tm_gate_open(&r->shared->gate) ? TM_FLOW_MORE : TM_FLOW_BLOCKED;
}

static tm_flow seal(tm_regroup *r, tm_error *err) {
  bool alone = r->env->lanes == 1;
  int more = tm_group_table_seal_step(r->table, !alone, err);
  if (more < 0) return TM_FLOW_FAILED;
  if (more > 0) return TM_FLOW_MORE;
  if (!alone) return hand_over(r);
  r->phase = TM_REGROUP_READING;
  return TM_FLOW_MORE;
}

/* How many parts the buckets are cut into: the same in every lane. Without keys there is one. */
static uint32_t partition_count(const tm_regroup_shared *s) {
  uint64_t groups = 0;
  for (uint32_t i = 0; i < s->lanes; i++) groups += tm_group_table_count(s->tables[i]);
  if (s->plan->key_count == 0 || groups <= ALONE_GROUPS) return 1;
  uint64_t rounds = groups / (PARTITION_GROUPS * (uint64_t)s->lanes) + 1;
  uint64_t count = rounds * s->lanes;
  return count < TM_GROUP_BUCKETS ? (uint32_t)count : TM_GROUP_BUCKETS;
}

static tm_flow lane_done(tm_regroup *r) {
  tm_regroup_shared *s = r->shared;
  const tm_env *env = tm_env_get();
  r->phase = TM_REGROUP_DONE;
  if (r->env->lanes == 1) {
    tm_group_table_destroy(r->table);
    r->table = NULL;
    return TM_FLOW_FINISHED;
  }
  env->mutex_lock(&s->mutex);
  if (++s->done == s->lanes) free_tables(s);
  env->mutex_unlock(&s->mutex);
  return TM_FLOW_FINISHED;
}

/* The next partition of this lane, or the end. */
static tm_flow start_partition(tm_regroup *r, tm_error *err) {
  tm_group_table_destroy(r->merged);
  r->merged = NULL;
  if (r->partition >= partition_count(r->shared)) return lane_done(r);
  r->merged = tm_group_table_create(r->env->budget, r->plan, r->needed, err);
  if (r->merged == NULL) return TM_FLOW_FAILED;
  r->from = r->merged_before = 0;
  r->phase = TM_REGROUP_MERGING;
  return TM_FLOW_MORE;
}

static tm_flow merge(tm_regroup *r, uint64_t *out_merged, tm_error *err) {
  uint32_t count = partition_count(r->shared);
  uint32_t first = r->partition * TM_GROUP_BUCKETS / count;
  uint32_t end = (r->partition + 1) * TM_GROUP_BUCKETS / count;
  if (r->from < r->shared->lanes) {
    const tm_group_table *from = r->shared->tables[r->from];
    int more = tm_group_table_merge_step(r->merged, from, first, end, err);
    if (more < 0) return TM_FLOW_FAILED;
    if (more == 0) {
      r->from++;
      r->merged_before += tm_group_table_bucket_count(from, first, end);
    }
    return TM_FLOW_MORE;
  }
  int more = tm_group_table_seal_step(r->merged, false, err);
  if (more < 0) return TM_FLOW_FAILED;
  if (more > 0) return TM_FLOW_MORE;
  r->phase = TM_REGROUP_READING;
  uint32_t vanished = r->merged_before - tm_group_table_count(r->merged);
  if (out_merged != NULL && !r->counted) *out_merged += vanished;
  r->counted = true;
  return TM_FLOW_MORE;
}

static tm_flow end_of_partition(tm_regroup *r, tm_error *err) {
  if (r->env->lanes == 1) return lane_done(r);
  r->partition += r->env->lanes;
  r->read_at = 0;
  r->counted = false;
  return start_partition(r, err);
}

static tm_flow read(tm_regroup *r, tm_out *out, tm_error *err) {
  tm_group_table *table = r->env->lanes == 1 ? r->table : r->merged;
  uint32_t groups = tm_group_table_count(table);
  if (r->read_at >= groups) return end_of_partition(r, err);
  uint32_t left = groups - r->read_at, max = r->env->bind->job->batch_rows;
  uint32_t count = left < max ? left : max;
  tm_batch *batch = NULL;
  int more = tm_group_table_read_step(table, r->read_at, count, r->env->bind->output,
                                      r->env->budget, &batch, err);
  if (more < 0) return TM_FLOW_FAILED;
  if (more > 0) return TM_FLOW_MORE;
  r->read_at += count;
  tm_out_emit(out, batch);
  return r->read_at < groups ? TM_FLOW_MORE : end_of_partition(r, err);
}

static tm_flow step(tm_regroup *r, tm_out *out, uint64_t *out_merged, tm_error *err) {
  switch (r->phase) {
    case TM_REGROUP_ADDING: return tm_regroup_settle(r, err);
    case TM_REGROUP_SEALING: return seal(r, err);
    case TM_REGROUP_WAITING:
      if (!tm_gate_open(&r->shared->gate)) return TM_FLOW_BLOCKED;
      return start_partition(r, err);
    case TM_REGROUP_MERGING: return merge(r, out_merged, err);
    case TM_REGROUP_READING: return read(r, out, err);
    case TM_REGROUP_DONE: break;
  }
  return TM_FLOW_FINISHED;
}

/* What had been merged when a state was saved is merged again in one go: a lane that is saved
 * before each call must still come to its end. */
tm_flow tm_regroup_resume(tm_regroup *r, tm_out *out, uint64_t *out_merged, tm_error *err) {
  tm_flow flow;
  do flow = step(r, out, out_merged, err);
  while (r->hurries && flow == TM_FLOW_MORE && out->main == NULL);
  r->hurries = false;
  return flow;
}

/* ------------------------------------------------------------------ saving */

void tm_regroup_save(tm_regroup *r, tm_record_writer *writer) {
  tm_regroup_shared *s = r->shared;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&s->mutex);
  const tm_group_table *table = is_handed_over(r) ? s->tables[r->env->lane] : r->table;
  tm_record_put(writer, (uint64_t)r->phase); /* of MERGING and READING only how far they got */
  tm_record_put(writer, r->partition);
  tm_record_put(writer, r->read_at);
  tm_record_put(writer, r->counted);
  tm_record_put(writer, table != NULL);
  if (table != NULL) tm_group_table_save(table, writer);
  env->mutex_unlock(&s->mutex);
}

/* Phases that need sealed tables seal them again, at once: a restore may take its time. */
static int seal_again(tm_regroup *r, tm_error *err) {
  int more;
  do more = tm_group_table_seal_step(r->table, r->env->lanes > 1, err);
  while (more > 0);
  return more;
}

int tm_regroup_restore(tm_regroup *r, tm_record_reader *reader, tm_error *err) {
  tm_regroup_phase phase = (tm_regroup_phase)tm_record_get(reader, TM_REGROUP_DONE);
  r->partition = (uint32_t)tm_record_get(reader, TM_GROUP_BUCKETS + (uint64_t)r->env->lanes);
  r->read_at = (uint32_t)tm_record_get(reader, UINT32_MAX);
  r->counted = tm_record_get(reader, 1) != 0;
  r->hurries = phase > TM_REGROUP_ADDING;
  bool there = tm_record_get(reader, 1) != 0;
  if (there && !reader->failed && tm_group_table_restore(r->table, reader, err) < 0) return -1;
  if (reader->failed || (!there && phase != TM_REGROUP_DONE)) {
    return tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
  }
  if (phase <= TM_REGROUP_SEALING) {
    r->phase = phase;
    return 0;
  }
  if (!there) { /* all lanes were done */
    tm_group_table_destroy(r->table);
    r->table = NULL;
    r->phase = TM_REGROUP_DONE;
    return 0;
  }
  if (seal_again(r, err) < 0) return -1;
  if (r->env->lanes == 1) {
    r->phase = TM_REGROUP_READING;
    return 0;
  }
  (void)hand_over(r);
  if (phase == TM_REGROUP_DONE) (void)lane_done(r);
  return 0;
}
