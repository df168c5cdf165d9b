/* tests/stage/harness_time_test.c: what the harness of stages does with event time, and that it
 * finds stages that break its rules: one sound stage, which keeps rows until time has passed them,
 * and the ways in which it could be broken. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"

TestSuite(harness_time, .init = setup, .fini = teardown);

static enum fault {
  SOUND, GOES_BACK, RUNS_AHEAD, EMITS_BEHIND, NO_TIMES, WEIGHTS_UNTOLD, TAKES_BACK_EARLY,
  IN_NO_ORDER, LOSES_LATE_ROWS,
} fault;

typedef struct passer {
  tm_stage_env env;
  int64_t watermark_us;
  uint64_t batches;
} passer;

static int passer_bind(tm_bind *bind, tm_error *err) {
  (void)err;
  bind->output = bind->inputs[0];
  bind->single = true;
  if (fault == IN_NO_ORDER) bind->facts_out.in_time_order = true;
  if (fault == TAKES_BACK_EARLY) bind->facts_out.changelog = true;
  return 0;
}

static int passer_open(const tm_stage_env *env, void **out, tm_error *err) {
  passer *p = tm_alloc_zero(env->budget, sizeof *p);
  if (p == NULL) return tm_fail(err, TM_E_MEMORY, "passer: out of memory");
  *p = (passer){.env = *env, .watermark_us = TM_TIME_NONE};
  *out = p;
  return 0;
}

/* Late rows leave; the others pass, or not as they should. */
static tm_flow passer_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  passer *p = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, p->env.budget);
  uint32_t *rows = batch == NULL ? NULL : tm_batch_alloc(batch, (batch->rows + 1) * sizeof *rows);
  if (rows == NULL) {
    tm_batch_release(batch);
    return tm_fail(err, TM_E_MEMORY, "passer: out of memory");
  }
  uint32_t count = 0;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    bool late = batch->marks != NULL && batch->times[row] < batch->marks[row];
    rows[count] = row;
    count += !late;
    if (!late || fault == LOSES_LATE_ROWS) continue;
    if (tm_out_late(out, batch, row, TM_REASON_LATE, 1, "late", batch->marks[row]) < 0) {
      tm_batch_release(batch);
      return tm_fail(err, TM_E_MEMORY, "passer: out of memory");
    }
  }
  batch->selection = rows;
  batch->selected = count;
  batch->marks = NULL;
  if (fault == NO_TIMES) batch->times = NULL;
  if (fault == EMITS_BEHIND && p->batches > 0) {
    batch->times = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *batch->times);
    for (uint32_t i = 0; i < batch->rows; i++) batch->times[i] = -1000;
  }
  if (fault == WEIGHTS_UNTOLD || fault == TAKES_BACK_EARLY) {
    batch->weights = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *batch->weights);
    for (uint32_t i = 0; i < batch->rows; i++) batch->weights[i] = -1;
  }
  p->batches++;
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow passer_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                              tm_error *err) {
  passer *p = self;
  (void)port, (void)err;
  bool again = p->watermark_us != TM_TIME_NONE;
  p->watermark_us = watermark_us;
  out->watermark_us = watermark_us + (fault == RUNS_AHEAD);
  if (fault == GOES_BACK && again) out->watermark_us = -5000;
  return TM_FLOW_INPUT;
}

static tm_flow passer_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void passer_close(void *self) {
  passer *p = self;
  tm_free(p->env.budget, p, sizeof *p);
}

static const tm_stage stage = {
  .size = sizeof(tm_stage), .name = "passer", .inputs = 1, .bind = passer_bind,
  .open = passer_open, .push = passer_push, .advance = passer_advance, .finish = passer_finish,
  .close = passer_close,
};

static const char rows_text_in[] = "10|1\n30|2\n20|3\n9|4\n40|5\n25|6\n50|7\n60|8\n54|9\n70|10";

static harness_result run_with(enum fault wanted, bool stream, uint64_t seed, rows_list *lates) {
  fault = wanted;
  tm_batch *table = rows_batch(
      budget, rows_schema(&arena, "at timestamp not null, n int64 not null"), rows_text_in);
  harness_case c = {.stage = &stage, .input_count = 1, .inputs = {table}, .times = "at",
                    .out_of_order_us = 10, .stream = stream,
                    .changelog = wanted == TAKES_BACK_EARLY};
  harness_mode mode = {.seed = seed, .lanes = 2, .batch_rows = 2, .tells = true};
  harness_result r = harness_run(&c, &mode);
  if (lates != NULL) harness_late_rows(&c, 0, lates);
  tm_batch_release(table);
  return r;
}

Test(harness_time, a_sound_stage_passes_and_late_rows_are_told_apart) {
  rows_list lates = {0};
  harness_result r = run_with(SOUND, true, 4, &lates);
  cr_expect_str_empty(r.failure);
  cr_expect_eq(r.rows.count, 8);
  cr_expect_eq(r.ledger.late, 2);
  cr_expect_eq(r.ledger.rejected, 0);
  cr_expect_gt(r.watermark_us, 0);
  cr_expect_leq(r.watermark_us, 60);
  cr_assert_eq(r.lates.count, 2);
  cr_expect_str_eq(r.lates.texts[0],
                   "late|9|20|{\"at\":\"1970-01-01T00:00:00.000009Z\",\"n\":4}");
  rows_list_expect(&r.lates, &lates, "lates");
  rows_list_clear(&lates);
  harness_result_clear(&r);
  r = run_with(SOUND, false, 4, NULL);
  cr_expect_str_empty(r.failure);
  cr_expect_eq(r.rows.count, 10);
  cr_expect_eq(r.watermark_us, TM_TIME_NONE);
  harness_result_clear(&r);
}

static void expect_failure(enum fault wanted, const char *words) {
  bool found = false;
  for (uint64_t seed = 1; seed <= 20; seed++) { /* when time goes on is drawn */
    harness_result r = run_with(wanted, true, seed, NULL);
    found |= strstr(r.failure, words) != NULL;
    harness_result_clear(&r);
  }
  cr_expect(found, "fault %d: %s", wanted, words);
}

Test(harness_time, finds_watermarks_that_are_wrong) {
  expect_failure(GOES_BACK, "the watermark goes back");
  expect_failure(RUNS_AHEAD, "the watermark runs ahead of the inputs'");
  expect_failure(EMITS_BEHIND, "a row of time -1000 behind a watermark");
}

Test(harness_time, finds_times_and_order_that_are_missing) {
  expect_failure(NO_TIMES, "a batch without times");
  expect_failure(IN_NO_ORDER, "rows are not in time order");
}

Test(harness_time, finds_weights_that_are_wrong) {
  expect_failure(WEIGHTS_UNTOLD, "weights where no changelog was promised");
  expect_failure(TAKES_BACK_EARLY, "taken back before it was given");
}

Test(harness_time, finds_late_rows_that_nobody_books) {
  expect_failure(LOSES_LATE_ROWS, "in 10 + produced 0 is not passed 8");
}

/* What a port in time order gets: rows sorted, none late, nulls first. */
Test(harness_time, rows_in_time_order_are_sorted_and_not_late) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "at timestamp not null, f float64"),
                               "10|1\n30|2\n20|nan\n20|null\n20|0.0\n20|-0.0\n20|-3\n19|9");
  harness_case c = {.stage = &stage, .input_count = 1, .inputs = {table}, .times = "at",
                    .out_of_order_us = 10, .stream = true};
  uint32_t *rows, count = harness_time_ordered(&c, 0, NULL, &rows);
  const uint32_t expected[] = {0, 3, 6, 5, 4, 2, 1};
  cr_assert_eq(count, 7);
  for (uint32_t i = 0; i < 7; i++) cr_expect_eq(rows[i], expected[i], "place %u", i);
  free(rows);
  c.stream = false; /* in a batch nothing is late */
  count = harness_time_ordered(&c, 0, NULL, &rows);
  cr_assert_eq(count, 8);
  cr_expect_eq(rows[1], 7);
  free(rows);
  tm_batch_release(table);
}
