/* tests/exec/stream_test.c: watermarks on their way through a plan: they never overtake rows, never
 * go back, and are the least of what feeds a step. */
#include "base/env.h"
#include "exec/run.h"
#include "tests/support/graph.h"
#include "tests/support/row_function.h"
#include "tests/support/rows.h"

TestSuite(stream, .init = setup, .fini = teardown);

enum { LONG_US = 30 * 1000 * 1000, ROWS = 3000 };

/* ---------------------------------------------------------------- a sink that looks at time */

typedef struct watcher {
  int64_t watermark_us;
  uint64_t rows, advances;
  bool back, overtaken, ended; /* what must not be, and what must */
  int64_t pause_us;            /* for each batch */
} watcher;

typedef struct sink { tm_stage_env env; watcher *seen; } sink;

static int sink_open(const tm_stage_env *env, void **out, tm_error *err) {
  sink *s = tm_alloc_zero(env->budget, sizeof *s);
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "sink: out of memory");
  *s = (sink){.env = *env, .seen = env->bind->plan};
  *out = s;
  return 0;
}

static tm_flow sink_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  watcher *w = ((sink *)self)->seen;
  (void)port, (void)out, (void)err;
  if (w->pause_us > 0) tm_env_get()->sleep_us(w->pause_us);
  for (uint32_t i = 0; i < taken->selected; i++) {
    uint32_t row = tm_batch_row(taken, i);
    bool behind = taken->marks != NULL && taken->times[row] < taken->marks[row];
    w->overtaken |= taken->times[row] < w->watermark_us && !behind;
  }
  w->rows += taken->selected;
  tm_batch_release(taken);
  return TM_FLOW_INPUT;
}

static tm_flow sink_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                            tm_error *err) {
  watcher *w = ((sink *)self)->seen;
  (void)port, (void)out, (void)err;
  w->back |= watermark_us <= w->watermark_us;
  w->watermark_us = watermark_us;
  w->advances++;
  return TM_FLOW_INPUT;
}

static tm_flow sink_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  sink *s = self;
  (void)port, (void)out, (void)err;
  if (s->env.lane == 0) s->seen->ended = true;
  return TM_FLOW_FINISHED;
}

static void sink_close(void *self) {
  sink *s = self;
  tm_free(s->env.budget, s, sizeof *s);
}

static const tm_stage watching_sink = {
  .size = sizeof(tm_stage), .name = "watcher", .inputs = 1, .sink = true, .open = sink_open,
  .push = sink_push, .advance = sink_advance, .finish = sink_finish, .close = sink_close,
};

static void watch(tm_plan *plan, watcher *w) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (!plan->nodes[i]->stage->sink) continue;
    plan->nodes[i]->stage = &watching_sink;
    plan->nodes[i]->plan = w;
  }
  *w = (watcher){.watermark_us = TM_TIME_NONE, .pause_us = w->pause_us};
}

/* ---------------------------------------------------------------- sources */

/* Times from `first` on, a step apart, each up to `disorder` earlier. */
static uint32_t timed_rows(int64_t first, int64_t step, int64_t disorder, uint64_t seed) {
  tm_value *rows = tm_arena_zero(&arena, ROWS * sizeof *rows);
  rows_random random = rows_seed(seed);
  for (uint32_t i = 0; i < ROWS; i++) {
    int64_t at = first + i * step - rows_below(&random, (uint32_t)disorder + 1);
    tm_value time = {.kind = TM_VALUE_TIMESTAMP, .integer = at};
    rows[i] = V_TABLE(&arena, {"n", v_int(i)}, {"at", time});
  }
  const char *wait = tm_arena_format(&arena, "%lldus", (long long)disorder);
  return graph_add(TM_ROLE_SOURCE, "rows",
                   V_TABLE(&arena, {"schema", v_text("n int64 not null, at timestamp not null")},
                           {"rows", v_table(&arena, rows, ROWS, NULL, 0)},
                           {"time", V_TABLE(&arena, {"field", v_text("at")},
                                            {"out_of_order", v_text(wait)})}),
                   NULL, 0);
}

static void begin(uint32_t workers, uint32_t batch_rows) {
  graph_begin(workers);
  graph.job.stream = true;
  graph.job.batch_rows = batch_rows;
}

static tm_run_result result;

static tm_error run(const tm_plan *plan, const tm_run_options *options) {
  tm_error err = {0};
  tm_budget *job = tm_budget_create(NULL, "run", 0);
  tm_run_plan(plan, job, options, &result, &err);
  cr_expect_eq(tm_budget_used(job), 0);
  tm_budget_destroy(job);
  return err;
}

static void expect_good(const watcher *w, uint64_t rows, const char *label) {
  cr_expect_eq(w->rows, rows, "%s: %llu rows", label, (unsigned long long)w->rows);
  cr_expect(!w->back, "%s: a watermark went back", label);
  cr_expect(!w->overtaken, "%s: a watermark overtook rows", label);
  cr_expect(w->ended, "%s: no end", label);
}

static void two_thirds(row_call *c) { row_set_int(c, 0, row_int(c, 0) % 3 != 0); }

/* ---------------------------------------------------------------- the tests */

Test(stream, a_watermark_passes_what_does_not_look_at_it) {
  for (uint32_t workers = 1; workers <= 3; workers++) {
    for (uint32_t rows = 1; rows <= 100; rows *= 10) {
      watcher w = {0};
      begin(workers, rows);
      uint32_t at = timed_rows(1000000, 10, 50, workers);
      row_function f = row_function_make("n", NULL, two_thirds, false, 10);
      at = graph_step("filter", V_TABLE(&arena, {"f", v_function(&f)}), at);
      graph_sink(at);
      tm_plan *plan = graph_plan();
      watch(plan, &w);
      tm_error err = run(plan, &(tm_run_options){.workers = workers, .timeout_us = LONG_US});
      cr_assert_eq(err.code, 0, "%s", err.message);
      expect_good(&w, ROWS / 3 * 2, "filter");
      cr_expect_gt(w.watermark_us, 1000000 + (ROWS - 1) * 10 - 50 - 51);
      cr_expect_leq(w.watermark_us, 1000000 + (ROWS - 1) * 10 - 50);
    }
  }
}

Test(stream, of_several_inputs_the_least_counts) {
  for (uint32_t workers = 1; workers <= 2; workers++) {
    watcher w = {0};
    begin(workers, 7);
    uint32_t inputs[] = {timed_rows(1000000, 10, 30, 1), timed_rows(5000, 400, 500, 2),
                         timed_rows(900000, 7, 0, 3)};
    graph_sink(graph_add(TM_ROLE_STEP, "union", v_nil(), inputs, 3));
    tm_plan *plan = graph_plan();
    watch(plan, &w);
    tm_error err = run(plan, &(tm_run_options){.workers = workers, .timeout_us = LONG_US});
    cr_assert_eq(err.code, 0, "%s", err.message);
    expect_good(&w, 3 * ROWS, "union");
    cr_expect_gt(w.advances, 10);
  }
}

/* Time goes on while the sink is slow; no row is lost, none is overtaken. */
Test(stream, a_slow_sink_holds_everything_back) {
  watcher w = {.pause_us = 200};
  begin(2, 20);
  uint32_t inputs[] = {timed_rows(1000, 10, 100, 1), timed_rows(1000, 10, 100, 2)};
  graph_sink(graph_add(TM_ROLE_STEP, "union", v_nil(), inputs, 2));
  tm_plan *plan = graph_plan();
  watch(plan, &w);
  tm_error err = run(plan, &(tm_run_options){.workers = 2, .timeout_us = LONG_US});
  cr_assert_eq(err.code, 0, "%s", err.message);
  expect_good(&w, 2 * ROWS, "slow");
}

/* ---------------------------------------------------------------- signals */

static int asked;
static bool told;

static void note_closing(void *context) {
  (void)context;
  told = true;
}

static void ask(void *context, const tm_run_progress *progress) {
  (void)context;
  (void)progress;
  __atomic_store_n(&asked, 2, __ATOMIC_RELEASE);
}

Test(stream, the_first_signal_lets_everything_out) {
  watcher w = {.pause_us = 20000};
  begin(1, 10);
  graph_sink(timed_rows(1000, 10, 0, 1));
  tm_plan *plan = graph_plan();
  watch(plan, &w);
  tm_error err = run(plan, &(tm_run_options){.workers = 1, .timeout_us = LONG_US, .cancel = &asked,
                                             .progress = ask, .closing = note_closing});
  cr_expect_eq(err.code, 0, "%s", err.message);
  cr_expect_eq(result.status, TM_STATUS_OK);
  cr_expect(told);
  cr_expect(w.ended);
  cr_expect_lt(w.rows, ROWS);
  cr_expect_eq(w.rows, result.rows_in, "what was read came out");
}

Test(stream, the_second_signal_ends_at_once) {
  static int again = 1;
  watcher w = {.pause_us = 20000};
  begin(1, 10);
  graph_sink(timed_rows(1000, 10, 0, 1));
  tm_plan *plan = graph_plan();
  watch(plan, &w);
  tm_error err = run(plan, &(tm_run_options){.workers = 1, .timeout_us = LONG_US, .cancel = &asked,
                                             .cancel_again = &again, .progress = ask});
  cr_expect_eq(err.code, TM_E_INTERRUPTED);
  cr_expect_eq(result.status, TM_STATUS_INTERRUPTED);
  cr_expect(!w.ended);
}
