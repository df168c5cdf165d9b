/* tests/support/stage_harness.c: binding a case, and one run of it. The sweeps are in
 * harness_sweep.c.
 *
 * A run behaves as exec/lane.c does: it counts `in` and `passed`, calls resume() after MORE at any
 * time and after BLOCKED once somebody woke, pushes only to ports that wants() names, and tells a
 * port once that it has ended. Which of the possible calls comes next is drawn from the seed. */
#include "stage_harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "harness_parts.h"

enum { STILL_US = 20 * 1000 * 1000, CALLS_FEW = 100000 };

typedef harness_lane lane;
typedef harness_port port;

/* ---------------------------------------------------------------- inputs */

static bool lies_in_one_lane(const tm_bind *bind) {
  bool meets = bind->ordered_input && bind->input_count > 1 && bind->order == TM_ORDER_KEEPS;
  return bind->single || bind->job->stream || bind->time_order != 0 || meets;
}

static void enqueue(port *p, harness_input input) {
  if (p->count == p->capacity) {
    p->capacity = p->capacity == 0 ? 16 : 2 * p->capacity;
    p->queue = realloc(p->queue, p->capacity * sizeof *p->queue);
    cr_assert_not_null(p->queue);
  }
  p->queue[p->count++] = input;
}

/* Morsels of one to three batches, each in a lane at random; sequences ascend over the table. */
static void fill_port(harness *h, uint32_t at, const uint8_t *needed) {
  const harness_rows rows = harness_rows_of(&h->bind, h->c, at, needed, &h->arena);
  bool one = lies_in_one_lane(&h->bind);
  uint64_t sequence = 0;
  uint32_t left_of_morsel = 0, lane_index = 0;
  cr_assert_null(rows.table->selection);
  for (uint32_t from = 0; from < rows.count;) {
    if (left_of_morsel == 0) {
      left_of_morsel = 1 + rows_below(&h->random, 3);
      lane_index = one ? 0 : rows_below(&h->random, h->mode->lanes);
      sequence++;
    }
    uint32_t count = h->mode->batch_rows;
    if (h->mode->odd_batches) count = 1 + rows_below(&h->random, count);
    if (count > rows.count - from) count = rows.count - from;
    harness_input input = harness_input_make(h->input_budget, &rows, from, count, needed, h->c, at,
                                             h->mode->odd_batches, &h->random);
    input.batch->sequence = sequence;
    input.batch->origin.source = at;
    harness_input_seal(&input);
    enqueue(&h->lanes[lane_index].ports[at], input);
    from += count;
    left_of_morsel--;
  }
}

static void shuffle(harness *h, port *p) {
  for (uint32_t i = p->count; i > 1; i--) {
    uint32_t k = rows_below(&h->random, i);
    harness_input swap = p->queue[i - 1];
    p->queue[i - 1] = p->queue[k];
    p->queue[k] = swap;
  }
}

/* ---------------------------------------------------------------- life */

static void wake(void *object) {
  harness *h = object;
  if (!h->mode->threads) {
    for (uint32_t i = 0; i < h->mode->lanes; i++) h->lanes[i].woken = true;
    return;
  }
  const tm_env *env = tm_env_get();
  env->mutex_lock(&h->mutex);
  h->generation++;
  env->cond_broadcast(&h->cond);
  env->mutex_unlock(&h->mutex);
}

/* Early, as it may be. */
static void wake_at(void *object, int64_t monotonic_us) {
  (void)monotonic_us;
  wake(object);
}

static const int never_draining = 0;

int harness_open(harness *h, tm_error *err) {
  const tm_stage *stage = h->bind.stage;
  h->shared = NULL;
  if (stage->share != NULL) {
    int done = stage->share(&h->bind, h->mode->lanes, h->budget, &h->shared, err);
    h->is_shared = h->shared != NULL;
    if (done < 0) return -1;
  }
  for (uint32_t i = 0; i < h->mode->lanes; i++) {
    lane *l = &h->lanes[i];
    l->env = (tm_stage_env){
      .bind = &h->bind, .budget = h->budget, .lane = i, .lanes = h->mode->lanes,
      .worker = h->c->worker, .shared = h->shared, .ledger = &l->ledger,
      .draining = &never_draining, .wake = wake, .wake_at = wake_at,
      .waker = h,
    };
    if (stage->open(&l->env, &l->self, err) < 0) return -1;
    l->open = true;
  }
  return 0;
}

static bool say(lane *l, const char *what) {
  if (l->failure[0] == '\0') (void)snprintf(l->failure, sizeof l->failure, "%s", what);
  return false;
}

static void release_held(lane *l) {
  for (uint32_t i = 0; i < HARNESS_HELD; i++) {
    if (!harness_held_release(&l->held[i])) say(l, "a batch changed after it was given");
  }
}

void harness_close(harness *h) {
  const tm_stage *stage = h->bind.stage;
  for (uint32_t i = 0; i < h->mode->lanes; i++) release_held(&h->lanes[i]);
  for (uint32_t i = 0; i < h->mode->lanes; i++) {
    lane *l = &h->lanes[i];
    if (l->open) stage->close(l->self);
    l->open = false;
    l->self = NULL;
  }
  if (h->is_shared && stage->unshare != NULL) stage->unshare(h->shared);
  h->is_shared = false;
  h->shared = NULL;
}

int harness_save(harness *h, tm_error *err) {
  const tm_stage *stage = h->bind.stage;
  for (uint32_t i = 0; stage->save != NULL && i < h->mode->lanes; i++) {
    tm_bytes_clear(&h->lanes[i].saved);
    if (stage->save(h->lanes[i].self, &h->lanes[i].saved, err) < 0) return -1;
  }
  return 0;
}

int harness_restore(harness *h, tm_error *err) {
  const tm_stage *stage = h->bind.stage;
  for (uint32_t i = 0; stage->save != NULL && i < h->mode->lanes; i++) {
    lane *l = &h->lanes[i];
    void *exact = malloc(l->saved.size + 1); /* so that reading beyond is seen */
    if (l->saved.size > 0) memcpy(exact, l->saved.data, l->saved.size);
    int done = stage->restore(l->self, exact, l->saved.size, err);
    free(exact);
    if (done < 0) return -1;
  }
  for (uint32_t i = 0; i < h->mode->lanes; i++) h->lanes[i].woken = true;
  return 0;
}

/* Everything into bytes, a new life, everything back. */
static int save_and_restore(harness *h, tm_error *err) {
  if (harness_save(h, err) < 0) return -1;
  harness_close(h);
  if (h->mode->damage && h->bind.stage->save != NULL) harness_try_damage(h);
  if (harness_open(h, err) < 0) return -1;
  return harness_restore(h, err);
}

/* ---------------------------------------------------------------- one call */

static void note_reject(lane *l, const tm_reject *r) {
  char line[1024];
  (void)snprintf(line, sizeof line, "%s|%s|%llu|%d|%.*s", tm_reason_name(r->reason), r->message,
                 (unsigned long long)r->ordinal, r->script_line, (int)r->raw.size,
                 tm_str_bytes(&r->raw));
  rows_list_add(&l->rejects, strdup(line));
}

static bool is_late(const tm_reject *r) {
  return r->reason == TM_REASON_LATE || r->reason == TM_REASON_LATE_AFTER_IDLE;
}

static void note_late(lane *l, const tm_reject *r) {
  char line[1024];
  (void)snprintf(line, sizeof line, "%s|%lld|%lld|%.*s", tm_reason_name(r->reason),
                 (long long)r->event_time_us, (long long)r->watermark_us, (int)r->raw.size,
                 tm_str_bytes(&r->raw));
  rows_list_add(&l->lates, strdup(line));
}

static void note_rejects(lane *l, const tm_out *out) {
  for (uint32_t i = 0; i < out->reject_count; i++) {
    bool late = is_late(&out->rejects[i]);
    l->ledger.late += late;
    l->ledger.rejected += !late;
    if (late) note_late(l, &out->rejects[i]);
    else note_reject(l, &out->rejects[i]);
  }
}

/* How far time has come on all ports. */
static int64_t least_watermark(const lane *l) {
  int64_t least = TM_TIME_END;
  for (uint32_t i = 0; i < l->run->bind.input_count; i++) {
    const port *p = &l->ports[i];
    if (!p->told && p->watermark_us < least) least = p->watermark_us;
  }
  return least;
}

static bool note_watermark(lane *l, int64_t watermark_us) {
  if (watermark_us == TM_TIME_NONE) return true;
  if (watermark_us < l->watermark_us) return say(l, "the watermark goes back");
  if (watermark_us > least_watermark(l)) return say(l, "the watermark runs ahead of the inputs'");
  l->watermark_us = watermark_us;
  return true;
}

static bool settle(lane *l, tm_flow flow, tm_out *out) {
  const tm_bind *bind = &l->run->bind;
  if (flow == TM_FLOW_FAILED) {
    tm_batch_release(out->main);
    if (l->err.code == TM_E_NONE) return say(l, "a call failed without an error");
    return false;
  }
  bool sound = out->main == NULL || harness_output_check(bind, out->main, l->failure);
  if (sound && out->main != NULL) {
    sound = harness_output_check_time(l->run->c, bind, out->main, l->watermark_us,
                                      &l->last_time_us, l->failure);
  }
  bool source = bind->input_count == 0;
  if (out->main != NULL) {
    l->ledger.passed += out->main->selected;
    if (source) l->ledger.in += out->main->selected;
    bool sequenced = bind->ordered_input || bind->order == TM_ORDER_MAKES;
    if (sequenced && bind->order != TM_ORDER_NONE && out->main->sequence < l->sequence) {
      sound = say(l, "sequences do not ascend");
    }
    l->sequence = out->main->sequence;
    if (sound) harness_output_add(l->run->c, out->main, bind->needed, &l->rows);
    harness_held *held = &l->held[l->held_next++ % HARNESS_HELD];
    if (!harness_held_release(held)) sound = say(l, "a batch changed after it was given");
    if (sound) harness_held_take(held, out->main, bind->needed);
    else tm_batch_release(out->main);
  }
  if (source) l->ledger.in += out->reject_count;
  note_rejects(l, out);
  if (!note_watermark(l, out->watermark_us)) sound = false;
  tm_arena_reset(&l->scratch);
  l->flow = flow;
  return sound;
}

static bool call_resume(lane *l) {
  tm_out out = tm_out_make(&l->scratch);
  l->woken = false;
  l->calls++;
  return settle(l, l->run->bind.stage->resume(l->self, &out, &l->err), &out);
}

static bool call_input(lane *l, uint32_t at) {
  const tm_stage *stage = l->run->bind.stage;
  port *p = &l->ports[at];
  tm_out out = tm_out_make(&l->scratch);
  l->calls++;
  if (p->next == p->count) {
    p->told = true;
    return settle(l, stage->finish(l->self, at, &out, &l->err), &out);
  }
  harness_input *input = &p->queue[p->next++];
  p->clock_us = input->clock_us;
  l->ledger.in += input->batch->selected;
  if (stage->sink) l->ledger.passed += input->batch->selected;
  tm_batch *batch = input->batch;
  if (!input->shared) input->batch = NULL;
  return settle(l, stage->push(l->self, at, batch, &out, &l->err), &out);
}

/* As far as the clock has come or, as in a union of several, less far. */
static bool call_advance(lane *l, uint32_t at, rows_random *random) {
  const tm_stage *stage = l->run->bind.stage;
  port *p = &l->ports[at];
  int64_t to = p->clock_us;
  if (p->watermark_us != TM_TIME_NONE && rows_chance(random, 30)) {
    to = p->watermark_us + 1 + (int64_t)(rows_next(random) % (uint64_t)(to - p->watermark_us));
  }
  p->watermark_us = to;
  if (stage->advance == NULL) return note_watermark(l, least_watermark(l));
  tm_out out = tm_out_make(&l->scratch);
  l->calls++;
  return settle(l, stage->advance(l->self, at, to, &out, &l->err), &out);
}

/* ---------------------------------------------------------------- what may come next */

enum {
  ACT_RESUME = HARNESS_PORTS,
  ACT_SPURIOUS,
  ACT_ADVANCE,
  ACT_MAX = ACT_ADVANCE + HARNESS_PORTS,
};

/* Fills the acts that a lane may do; ports by their index. A lane without any stands still. */
static uint32_t acts_of(const lane *l, uint32_t *acts) {
  const tm_stage *stage = l->run->bind.stage;
  uint32_t count = 0;
  if (l->flow == TM_FLOW_MORE) acts[count++] = ACT_RESUME;
  if (l->flow == TM_FLOW_BLOCKED) acts[count++] = l->woken ? ACT_RESUME : ACT_SPURIOUS;
  if (l->flow != TM_FLOW_INPUT) return count;
  if (stage->listens && l->woken) acts[count++] = ACT_RESUME;
  uint32_t wanted = stage->wants != NULL ? stage->wants(l->self) : UINT32_MAX;
  for (uint32_t i = 0; i < l->run->bind.input_count; i++) {
    const port *p = &l->ports[i];
    if ((wanted >> i & 1) == 0 || p->told) continue;
    acts[count++] = i;
    if (p->clock_us > p->watermark_us) acts[count++] = ACT_ADVANCE + i;
  }
  return count;
}

static bool do_act(lane *l, uint32_t act, rows_random *random) {
  if (act >= ACT_ADVANCE) return call_advance(l, act - ACT_ADVANCE, random);
  return act >= ACT_RESUME ? call_resume(l) : call_input(l, act);
}

static bool all_finished(const harness *h) {
  for (uint32_t i = 0; i < h->mode->lanes; i++) {
    if (h->lanes[i].flow != TM_FLOW_FINISHED) return false;
  }
  return true;
}

/* Chooses a lane and an act; false where every lane stands still. */
static bool choose(harness *h, lane **out_lane, uint32_t *out_act) {
  struct { lane *lane; uint32_t act; } all[HARNESS_LANES * ACT_MAX];
  uint32_t count = 0;
  bool moves = false;
  for (uint32_t i = 0; i < h->mode->lanes; i++) {
    uint32_t acts[ACT_MAX], n = acts_of(&h->lanes[i], acts);
    for (uint32_t k = 0; k < n; k++) {
      if (acts[k] == ACT_SPURIOUS && !rows_chance(&h->random, 10)) continue;
      moves |= acts[k] != ACT_SPURIOUS;
      all[count].lane = &h->lanes[i];
      all[count++].act = acts[k];
    }
  }
  if (!moves) return false;
  uint32_t chosen = rows_below(&h->random, count);
  *out_lane = all[chosen].lane;
  *out_act = all[chosen].act;
  return true;
}

static uint64_t rows_in_all(const harness *h) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < h->bind.input_count; i++) rows += h->c->inputs[i]->rows;
  return rows;
}

static void run_interleaved(harness *h) {
  while (!all_finished(h)) {
    lane *l;
    uint32_t act;
    if (!choose(h, &l, &act)) {
      say(&h->lanes[0], "every lane stands still, and not all have finished");
      return;
    }
    if (h->mode->close_at == h->calls + 1) return;
    if (h->calls > CALLS_FEW + 20 * rows_in_all(h)) {
      say(&h->lanes[0], "it does not come to an end");
      return;
    }
    bool saves = h->mode->save > 0 && h->calls > 0 && rows_chance(&h->random, h->mode->save);
    if (saves && save_and_restore(h, &h->lanes[0].err) < 0) {
      h->failed = true;
      return;
    }
    h->calls++;
    if (!do_act(l, act, &h->random)) {
      h->failed = true;
      return;
    }
  }
}

/* ---------------------------------------------------------------- on threads */

static bool wait_for_wake(lane *l, uint32_t seen) {
  harness *h = l->run;
  const tm_env *env = tm_env_get();
  int64_t deadline = env->monotonic_us() + STILL_US;
  bool moved = true;
  env->mutex_lock(&h->mutex);
  while (h->generation == seen && !h->stop && moved) {
    moved = env->cond_wait_until(&h->cond, &h->mutex, deadline) == 0;
  }
  env->mutex_unlock(&h->mutex);
  return moved || say(l, "nobody woke a lane that waits");
}

static void thread_run(void *context) {
  lane *l = context;
  harness *h = l->run;
  const tm_env *env = tm_env_get();
  bool sound = true;
  uint32_t seen = 0;
  while (sound && l->flow != TM_FLOW_FINISHED) {
    env->mutex_lock(&h->mutex);
    l->woken |= h->generation != seen;
    seen = h->generation;
    bool stop = h->stop != 0;
    env->mutex_unlock(&h->mutex);
    if (stop) break;
    uint32_t acts[ACT_MAX], count = acts_of(l, acts);
    if (count == 0 || acts[0] == ACT_SPURIOUS) sound = wait_for_wake(l, seen);
    else sound = do_act(l, acts[rows_below(&l->random, count)], &l->random);
  }
  env->mutex_lock(&h->mutex);
  if (!sound) h->stop = 1;
  h->failed |= !sound;
  h->calls += l->calls;
  env->cond_broadcast(&h->cond);
  env->mutex_unlock(&h->mutex);
  tm_arena_pool_clear();
}

static void run_on_threads(harness *h) {
  const tm_env *env = tm_env_get();
  env->mutex_init(&h->mutex);
  env->cond_init(&h->cond);
  for (uint32_t i = 0; i < h->mode->lanes; i++) {
    cr_assert_eq(env->thread_create(&h->lanes[i].thread, thread_run, &h->lanes[i]), 0);
  }
  for (uint32_t i = 0; i < h->mode->lanes; i++) env->thread_join(&h->lanes[i].thread);
  env->cond_deinit(&h->cond);
  env->mutex_deinit(&h->mutex);
}

/* ---------------------------------------------------------------- a whole run */

static void prepare(harness *h) {
  uint8_t *needed[HARNESS_PORTS];
  harness_find_needs(&h->bind, &h->arena, needed);
  for (uint32_t p = 0; p < h->bind.input_count; p++) fill_port(h, p, needed[p]);
  for (uint32_t i = 0; i < h->mode->lanes; i++) {
    lane *l = &h->lanes[i];
    l->run = h;
    l->flow = h->bind.input_count == 0 ? TM_FLOW_MORE : TM_FLOW_INPUT;
    l->random = rows_seed(h->mode->seed + i);
    tm_arena_init(&l->scratch, h->budget);
    tm_bytes_init(&l->saved, h->budget);
    l->watermark_us = l->last_time_us = TM_TIME_NONE;
    for (uint32_t p = 0; p < h->bind.input_count; p++) {
      l->ports[p].watermark_us = l->ports[p].clock_us = TM_TIME_NONE;
    }
    bool any_order = !h->bind.ordered_input && !h->c->stream;
    for (uint32_t p = 0; p < h->bind.input_count && any_order; p++) {
      shuffle(h, &l->ports[p]);
    }
  }
}

static void clear_lane(harness *h, lane *l) {
  for (uint32_t p = 0; p < h->bind.input_count; p++) {
    for (uint32_t i = 0; i < l->ports[p].count; i++) {
      harness_input *input = &l->ports[p].queue[i];
      bool pushed = i < l->ports[p].next;
      tm_batch *own = pushed ? NULL : input->batch;
      if (!harness_input_release(input)) say(l, "a batch that others hold was written to");
      tm_batch_release(own);
    }
    free(l->ports[p].queue);
  }
  tm_arena_deinit(&l->scratch);
  tm_bytes_deinit(&l->saved);
}

static void collect(harness *h, harness_result *result) {
  for (uint32_t i = 0; i < h->mode->lanes; i++) {
    lane *l = &h->lanes[i];
    rows_list_append(&result->rows, &l->rows);
    rows_list_append(&result->rejects, &l->rejects);
    rows_list_append(&result->lates, &l->lates);
    rows_list_clear(&l->rows);
    rows_list_clear(&l->rejects);
    rows_list_clear(&l->lates);
    tm_ledger_add(&result->ledger, &l->ledger);
    if (l->sequence > result->last_sequence) result->last_sequence = l->sequence;
    if (result->err.code == TM_E_NONE) result->err = l->err;
  }
  result->calls = h->calls;
  result->watermark_us = h->lanes[0].watermark_us;
}

/* Judged once everything is freed, so that a failed assertion is not a leak besides. */
static void judge(harness *h, harness_result *result, uint64_t left) {
  const tm_ledger *b = &result->ledger;
  char *said = result->failure;
  size_t room = sizeof result->failure;
  for (uint32_t i = 0; i < h->mode->lanes && said[0] == '\0'; i++) {
    (void)snprintf(said, room, "%s", h->lanes[i].failure);
  }
  if (said[0] == '\0' && left > 0) {
    (void)snprintf(said, room, "%llu bytes stay charged", (unsigned long long)left);
  }
  bool whole = !h->failed && result->err.code == TM_E_NONE && all_finished(h);
  if (said[0] == '\0' && whole && !tm_ledger_balances(b)) {
    (void)snprintf(said, room,
                   "in %llu + produced %llu is not passed %llu + filtered %llu + duplicate %llu + "
                   "late %llu + rejected %llu + unmatched %llu + absorbed %llu + held %llu",
                   (unsigned long long)b->in, (unsigned long long)b->produced,
                   (unsigned long long)b->passed, (unsigned long long)b->filtered,
                   (unsigned long long)b->duplicate, (unsigned long long)b->late,
                   (unsigned long long)b->rejected, (unsigned long long)b->unmatched,
                   (unsigned long long)b->absorbed, (unsigned long long)b->held);
  }
  if (said[0] == '\0' || h->mode->tells) return;
  cr_assert_fail("%s: %s (seed %llu, %u lanes, batches of %u, call %llu)", h->bind.verb, said,
                 (unsigned long long)h->mode->seed, h->mode->lanes, h->mode->batch_rows,
                 (unsigned long long)h->calls);
}

harness_result harness_run(const harness_case *c, const harness_mode *mode) {
  cr_assert(mode->lanes >= 1 && mode->lanes <= HARNESS_LANES && c->input_count <= HARNESS_PORTS);
  harness *h = calloc(1, sizeof *h);
  harness_result result = {.bind.order = TM_ORDER_NONE};
  h->c = c;
  h->mode = mode;
  h->random = rows_seed(mode->seed);
  h->plan_budget = tm_budget_create(NULL, "plan", 0);
  h->input_budget = tm_budget_create(NULL, "input", 0);
  h->budget = tm_budget_create(NULL, "stage", 0);
  tm_arena_init(&h->arena, h->plan_budget);
  if (harness_bind(c, &h->arena, mode->batch_rows, &h->bind, &result.err) == 0) {
    prepare(h);
    tm_memory_fail_at(mode->fail_at);
    if (harness_open(h, &result.err) < 0) h->failed = true;
    else if (mode->threads) run_on_threads(h);
    else run_interleaved(h);
    tm_memory_fail_at(0);
    harness_close(h);
    for (uint32_t i = 0; i < mode->lanes; i++) clear_lane(h, &h->lanes[i]);
  }
  collect(h, &result);
  result.bind = h->bind;
  uint64_t left = tm_budget_used(h->budget) + tm_budget_used(h->input_budget);
  tm_arena_deinit(&h->arena);
  tm_arena_pool_clear();
  tm_budget_release(h->budget, tm_budget_used(h->budget)); /* what is left is told below */
  tm_budget_release(h->input_budget, tm_budget_used(h->input_budget));
  tm_budget_destroy(h->budget);
  tm_budget_destroy(h->input_budget);
  tm_budget_destroy(h->plan_budget);
  if (c->changelog) harness_output_consolidate(&result.rows, h->lanes[0].failure);
  judge(h, &result, left);
  free(h);
  return result;
}

void harness_result_clear(harness_result *result) {
  rows_list_clear(&result->rows);
  rows_list_clear(&result->rejects);
  rows_list_clear(&result->lates);
}
