/* exec/run.c: the run: one thread a lane, a main thread that watches, then the books and the
 * publication. A lane that finds nothing to do sleeps until a wake; the generation of wakes that
 * it read before its last look makes sure that none is missed. */
#include "exec/run.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exec/balance.h"
#include "exec/lane.h"
#include "exec/refuse.h"
#include "exec/run_state.h"

enum { WATCH_US = 100 * 1000, SPINS = 200 };

typedef struct worker {
  tm_run *run;
  tm_lane *lane;
  void *host_worker;
  uint32_t index;
  tm_thread thread;
  bool started;
} worker;

/* ---------------------------------------------------------------- shared state */

void tm_run_wake(void *object) {
  tm_run *run = object;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&run->mutex);
  __atomic_add_fetch(&run->generation, 1, __ATOMIC_RELEASE);
  run->settled = 0;
  env->mutex_unlock(&run->mutex);
  if (__atomic_load_n(&run->sleepers, __ATOMIC_ACQUIRE) > 0) env->cond_broadcast(&run->cond);
}

void tm_run_wake_at(void *object, int64_t monotonic_us) {
  tm_run *run = object;
  int64_t old = __atomic_load_n(&run->wake_us, __ATOMIC_ACQUIRE);
  while (monotonic_us < old &&
         !__atomic_compare_exchange_n(&run->wake_us, &old, monotonic_us, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE)) {
  }
  /* Who sleeps until a later time must look again. */
  if (monotonic_us < old && __atomic_load_n(&run->sleepers, __ATOMIC_ACQUIRE) > 0) {
    tm_env_get()->mutex_lock(&run->mutex);
    tm_env_get()->cond_broadcast(&run->cond);
    tm_env_get()->mutex_unlock(&run->mutex);
  }
}

/* The time that somebody asked for has come: everybody is woken, once. */
static void wake_in_time(tm_run *run) {
  int64_t at = __atomic_load_n(&run->wake_us, __ATOMIC_ACQUIRE);
  if (at == TM_TIME_END || tm_env_get()->monotonic_us() < at) return;
  if (__atomic_compare_exchange_n(&run->wake_us, &at, TM_TIME_END, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE)) {
    tm_run_wake(run);
  }
}

void tm_run_fail(tm_run *run, const tm_error *err) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&run->mutex);
  if (!run->failed || run->row_failure) {
    run->failure = *err;
    run->failed = true;
    run->row_failure = false;
  }
  env->mutex_unlock(&run->mutex);
  __atomic_store_n(&run->stop, 1, __ATOMIC_RELEASE);
  tm_run_wake(run);
}

static bool is_earlier(const tm_run *run, const tm_reject *r) {
  if (!run->failed) return true;
  if (!run->row_failure) return false;
  if (r->source != run->failed_source) return r->source < run->failed_source;
  if (r->file_index != run->failed_file) return r->file_index < run->failed_file;
  return r->ordinal < run->failed_ordinal;
}

void tm_run_refuse(tm_run *run, const tm_bind *bind, const tm_reject *rejects, uint32_t count) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&run->mutex);
  for (uint32_t i = 0; i < count; i++) {
    if (!is_earlier(run, &rejects[i])) continue;
    tm_error_clear(&run->failure);
    tm_refuse_error(&run->failure, run->plan, bind, &rejects[i]);
    run->failed = run->row_failure = true;
    run->failed_source = rejects[i].source;
    run->failed_file = rejects[i].file_index;
    run->failed_ordinal = rejects[i].ordinal;
  }
  env->mutex_unlock(&run->mutex);
  __atomic_store_n(&run->draining, 1, __ATOMIC_RELEASE);
  __atomic_store_n(&run->closing, 1, __ATOMIC_RELEASE);
  tm_run_wake(run);
}

/* ---------------------------------------------------------------- a worker */

/* A run that a row has failed is let out: what was read goes as far as it gets, for an earlier row
 * may fail too. It is over when all lanes sleep and none has woken another; nobody is told of an
 * end. Under the mutex. */
static void end_if_settled(tm_run *run) {
  if (!__atomic_load_n(&run->draining, __ATOMIC_ACQUIRE) || run->settled < run->lanes_left) return;
  __atomic_store_n(&run->stop, 1, __ATOMIC_RELEASE);
  tm_env_get()->cond_broadcast(&run->cond);
}

static void sleep_until_wake(tm_run *run, uint32_t seen) {
  const tm_env *env = tm_env_get();
  for (int i = 0; i < SPINS; i++) {
    if (__atomic_load_n(&run->generation, __ATOMIC_ACQUIRE) != seen) return;
  }
  env->mutex_lock(&run->mutex);
  __atomic_add_fetch(&run->sleepers, 1, __ATOMIC_ACQ_REL);
  if (__atomic_load_n(&run->generation, __ATOMIC_ACQUIRE) == seen) {
    run->settled++;
    end_if_settled(run);
  }
  while (__atomic_load_n(&run->generation, __ATOMIC_ACQUIRE) == seen &&
         !__atomic_load_n(&run->stop, __ATOMIC_ACQUIRE)) {
    int64_t until = __atomic_load_n(&run->wake_us, __ATOMIC_ACQUIRE);
    if (until == TM_TIME_END) env->cond_wait(&run->cond, &run->mutex);
    else if (env->cond_wait_until(&run->cond, &run->mutex, until) == -ETIMEDOUT) break;
  }
  __atomic_sub_fetch(&run->sleepers, 1, __ATOMIC_ACQ_REL);
  env->mutex_unlock(&run->mutex);
}

static int drive(worker *w, tm_error *err) {
  tm_run *run = w->run;
  uint32_t seen = __atomic_load_n(&run->generation, __ATOMIC_ACQUIRE);
  for (;;) {
    if (__atomic_load_n(&run->stop, __ATOMIC_ACQUIRE)) return 0;
    wake_in_time(run);
    uint32_t now = __atomic_load_n(&run->generation, __ATOMIC_ACQUIRE);
    if (now != seen) {
      seen = now;
      tm_lane_notice_wake(w->lane);
    }
    tm_lane_step step = tm_lane_run_step(w->lane, err);
    if (step == TM_LANE_FAILED) return -1;
    if (step == TM_LANE_DONE) return 0;
    if (step == TM_LANE_IDLE) sleep_until_wake(run, seen);
  }
}

static void worker_run(void *context) {
  worker *w = context;
  tm_run *run = w->run;
  tm_error err = {0};
  if (drive(w, &err) < 0) tm_run_fail(run, &err);
  tm_arena_pool_clear();
  const tm_env *env = tm_env_get();
  env->mutex_lock(&run->mutex);
  if (--run->lanes_left == 0) env->cond_broadcast(&run->done);
  else end_if_settled(run);
  env->mutex_unlock(&run->mutex);
}

static int worker_open(worker *w, void *const *shared, tm_error *err) {
  const tm_run_options *o = w->run->options;
  if (o->worker_start != NULL && o->worker_start(o->host, w->index, &w->host_worker, err) < 0) {
    return -1;
  }
  w->lane = tm_lane_create(w->run, w->index, w->host_worker, shared, err);
  return w->lane == NULL ? -1 : 0;
}

static void worker_close(worker *w) {
  const tm_run_options *o = w->run->options;
  tm_lane_destroy(w->lane);
  if (w->host_worker != NULL && o->worker_stop != NULL) o->worker_stop(o->host, w->host_worker);
}

/* ---------------------------------------------------------------- the main thread */

/* How much of all inputs was read; negative where one of them does not know. */
static double share_read(const tm_run *run, void *const *shared) {
  uint64_t done = 0, total = 0;
  for (uint32_t i = 0; i < run->plan->node_count; i++) {
    const tm_bind *bind = run->plan->nodes[i];
    if (bind->input_count > 0) continue;
    uint64_t its_done = 0, its_total = 0;
    if (bind->stage->measure != NULL) bind->stage->measure(shared[i], &its_done, &its_total);
    if (its_total == 0) return -1;
    done += its_done;
    total += its_total;
  }
  return total == 0 ? -1 : (double)done / (double)total;
}

static void show_progress(tm_run *run, const worker *workers, int64_t begin_us) {
  if (run->options->progress == NULL) return;
  tm_run_progress progress = {.elapsed_us = tm_env_get()->monotonic_us() - begin_us,
                              .share = share_read(run, run->shared), .plan = run->plan,
                              .steps = run->steps};
  for (uint32_t i = 0; i < run->plan->node_count; i++) {
    const tm_bind *bind = run->plan->nodes[i];
    tm_step_progress *step = &run->steps[i];
    *step = (tm_step_progress){.watermark_us = TM_TIME_NONE};
    for (uint32_t k = 0; k < run->lanes; k++) tm_lane_measure(workers[k].lane, i, step);
    if (bind->input_count == 0) progress.rows_in += step->rows_in;
    if (bind->stage->sink) progress.rows_out += step->rows_in;
  }
  run->options->progress(run->options->context, &progress);
}

static void watch_time(tm_run *run, int64_t begin_us) {
  const tm_run_options *o = run->options;
  tm_error err = {0};
  bool asked = o->cancel != NULL && __atomic_load_n(o->cancel, __ATOMIC_ACQUIRE) != 0;
  bool again = o->cancel_again != NULL && __atomic_load_n(o->cancel_again, __ATOMIC_ACQUIRE) != 0;
  bool drains = run->plan->graph->job.stream && !again;
  if (asked && drains && !__atomic_load_n(&run->closing, __ATOMIC_ACQUIRE)) {
    __atomic_store_n(&run->closing, 1, __ATOMIC_RELEASE);
    if (o->closing != NULL) o->closing(o->context);
    tm_run_wake(run);
  }
  if (asked && !drains) {
    tm_fail(&err, TM_E_INTERRUPTED, "interrupted");
  } else if (o->timeout_us > 0 && tm_env_get()->monotonic_us() - begin_us > o->timeout_us) {
    tm_fail(&err, TM_E_TIMEOUT, "the run took longer than its timeout of %g s",
            (double)o->timeout_us / 1e6);
  }
  if (err.code != TM_E_NONE) tm_run_fail(run, &err);
}

static void watch(tm_run *run, const worker *workers, int64_t begin_us) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&run->mutex);
  while (run->lanes_left > 0) {
    env->cond_wait_until(&run->done, &run->mutex, env->monotonic_us() + WATCH_US);
    if (run->lanes_left == 0) break;
    env->mutex_unlock(&run->mutex);
    watch_time(run, begin_us);
    show_progress(run, workers, begin_us);
    env->mutex_lock(&run->mutex);
  }
  env->mutex_unlock(&run->mutex);
}

static void start_and_join(tm_run *run, worker *workers, int64_t begin_us) {
  const tm_env *env = tm_env_get();
  run->lanes_left = run->lanes;
  for (uint32_t i = 0; i < run->lanes; i++) {
    if (env->thread_create(&workers[i].thread, worker_run, &workers[i]) < 0) {
      tm_error err = {0};
      tm_fail(&err, TM_E_SYSTEM, "cannot start worker %u of %u", i + 1, run->lanes);
      env->mutex_lock(&run->mutex);
      run->lanes_left -= run->lanes - i;
      env->mutex_unlock(&run->mutex);
      tm_run_fail(run, &err);
      break;
    }
    workers[i].started = true;
  }
  watch(run, workers, begin_us);
  for (uint32_t i = 0; i < run->lanes; i++) {
    if (workers[i].started) env->thread_join(&workers[i].thread);
  }
}

static int share_all(tm_run *run, void **shared, tm_error *err) {
  for (uint32_t i = 0; i < run->plan->node_count; i++) {
    const tm_bind *bind = run->plan->nodes[i];
    if (bind->stage->share == NULL) continue;
    if (bind->stage->share(bind, run->lanes, run->budget, &shared[i], err) == 0) continue;
    tm_refuse_place(err, run->plan, bind);
    return -1;
  }
  return 0;
}

static void unshare_all(tm_run *run, void **shared) {
  for (uint32_t i = run->plan->node_count; i > 0; i--) {
    const tm_stage *stage = run->plan->nodes[i - 1]->stage;
    if (shared[i - 1] != NULL && stage->unshare != NULL) stage->unshare(shared[i - 1]);
  }
}

static bool commits(const tm_run *run, const tm_run_result *result, uint32_t node) {
  return result->status == TM_STATUS_OK ||
         (result->status == TM_STATUS_EXPECTATION &&
          tm_balance_takes_refused(run->plan, run->plan->nodes[node]));
}

/* Everything that can fail for want of space comes before the first output is visible. */
static void seal_all(tm_run *run, void **shared, tm_run_result *result, tm_error *err) {
  for (uint32_t i = 0; i < run->plan->node_count; i++) {
    const tm_bind *bind = run->plan->nodes[i];
    if (bind->stage->seal == NULL || shared[i] == NULL || !commits(run, result, i)) continue;
    tm_error failure = {0};
    if (bind->stage->seal(shared[i], &failure) == 0) continue;
    tm_refuse_place(&failure, run->plan, bind);
    *err = failure;
    result->status = TM_STATUS_FAILED;
  }
}

/* Publishes, or throws away, every sink; a failure to publish one throws the later ones away. */
static void publish_all(tm_run *run, void **shared, tm_run_result *result, tm_error *err) {
  for (uint32_t i = 0; i < run->plan->node_count; i++) {
    const tm_bind *bind = run->plan->nodes[i];
    if (bind->stage->publish == NULL || shared[i] == NULL) continue;
    bool commit = commits(run, result, i);
    tm_error failure = {0};
    if (bind->stage->publish(shared[i], commit, &failure) == 0) continue;
    if (result->status != TM_STATUS_OK) continue;
    tm_refuse_place(&failure, run->plan, bind);
    *err = failure;
    result->status = TM_STATUS_FAILED;
  }
}

static void judge(tm_run *run, worker *workers, tm_run_result *result, tm_error *err) {
  for (uint32_t i = 0; i < run->plan->node_count; i++) {
    for (uint32_t k = 0; k < run->lanes; k++) {
      if (workers[k].lane == NULL) continue;
      tm_ledger_add(&result->nodes[i], tm_lane_ledger(workers[k].lane, i));
    }
  }
  tm_balance_move_filters(run->plan, result);
  tm_balance_cancelled(run->plan, run->cancelled, result);
  tm_balance_total(run->plan, result);
  result->status = TM_STATUS_OK;
  if (run->failed) {
    *err = run->failure;
    result->status = err->code == TM_E_INTERRUPTED ? TM_STATUS_INTERRUPTED : TM_STATUS_FAILED;
  } else if (tm_balance_check(run->plan, result, err) < 0) {
    result->status = TM_STATUS_FAILED;
  }
  tm_balance_move_inserted(run->plan, result);
  if (result->status == TM_STATUS_OK && tm_balance_max_bad(run->plan, result, err) < 0) {
    result->status = TM_STATUS_EXPECTATION;
  }
  if (result->status == TM_STATUS_FAILED && tm_error_exit(err->code) == 3) {
    result->status = TM_STATUS_EXPECTATION;
  }
}

static void run_init(tm_run *run) {
  const tm_env *env = tm_env_get();
  env->mutex_init(&run->mutex);
  env->cond_init(&run->cond);
  env->cond_init(&run->done);
}

static void run_deinit(tm_run *run) {
  const tm_env *env = tm_env_get();
  env->cond_deinit(&run->done);
  env->cond_deinit(&run->cond);
  env->mutex_deinit(&run->mutex);
}

int tm_run_plan(const tm_plan *plan, tm_budget *budget, const tm_run_options *options,
                tm_run_result *result, tm_error *err) {
  int64_t begin_us = tm_env_get()->monotonic_us();
  tm_run run = {.plan = plan, .budget = budget, .lanes = options->workers, .options = options,
                .wake_us = TM_TIME_END};
  *result = (tm_run_result){.status = TM_STATUS_FAILED, .node_count = plan->node_count,
                            .workers = options->workers};
  result->nodes = tm_arena_zero(plan->arena, (plan->node_count + 1) * sizeof *result->nodes);
  void **shared = tm_arena_zero(plan->arena, (plan->node_count + 1) * sizeof *shared);
  worker *workers = tm_arena_zero(plan->arena, run.lanes * sizeof *workers);
  run.cancelled = tm_arena_zero(plan->arena, plan->node_count + 1);
  run.steps = tm_arena_zero(plan->arena, (plan->node_count + 1) * sizeof *run.steps);
  if (run.cancelled == NULL || run.steps == NULL || result->nodes == NULL || shared == NULL ||
      workers == NULL) {
    return tm_fail(err, TM_E_MEMORY, "run: out of memory");
  }
  run.shared = shared;
  run_init(&run);
  bool opened = share_all(&run, shared, err) == 0;
  for (uint32_t i = 0; opened && i < run.lanes; i++) {
    workers[i].run = &run;
    workers[i].index = i;
    opened = worker_open(&workers[i], shared, err) == 0;
  }
  if (opened) {
    start_and_join(&run, workers, begin_us);
    judge(&run, workers, result, err);
  }
  for (uint32_t i = 0; i < run.lanes && workers[i].run != NULL; i++) worker_close(&workers[i]);
  seal_all(&run, shared, result, err);
  publish_all(&run, shared, result, err);
  unshare_all(&run, shared);
  run_deinit(&run);
  result->unread = run.unread;
  result->seconds = (double)(tm_env_get()->monotonic_us() - begin_us) / 1e6;
  return result->status == TM_STATUS_OK ? 0 : -1;
}

const char *tm_status_name(tm_status status) {
  static const char *const names[] = {"ok", "failed", "expectation", "interrupted"};
  return names[status];
}
