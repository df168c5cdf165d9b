/* tests/operator/clock_test.c: times, marks and watermarks of rows, by a naive reference; silence,
 * the future, and rows without a time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/env_virtual.h"
#include "base/log.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(clock, .init = setup, .fini = teardown);

#define SECOND INT64_C(1000000)
#define NOW (INT64_C(1800000000) * SECOND)

/* A clock that is driven by hand. */
typedef struct rig {
  const tm_stage *stage;
  tm_bind bind;
  tm_job_info job;
  tm_ledger ledger;
  tm_out out;
  void *self;
  int64_t wake_us; /* the earliest that was asked for since the last call */
} rig;

static void wake_at(void *waker, int64_t at_us) {
  rig *r = waker;
  if (r->wake_us < 0 || at_us < r->wake_us) r->wake_us = at_us;
}

static void rig_start(rig *r, tm_value time, const char *partitions, bool live) {
  tm_error err = {0};
  static tm_value options;
  options = V_TABLE(&arena, {"time", time}, {"partitions", v_text(partitions)});
  r->job = (tm_job_info){.script = "test.lua", .stream = true, .workers = 1, .batch_rows = 100};
  r->bind = (tm_bind){
    .arena = &arena, .budget = budget, .job = &r->job, .options = &options, .input_count = 1,
    .verb = "clock", .name = "clock", .script_line = 7,
    .inputs = {rows_schema(&arena, "id int64, at timestamp")},
    .facts_in = {{.live = live, .bounded = !live}},
  };
  r->stage = tm_stage_find("clock", TM_ROLE_STEP);
  cr_assert_eq(r->stage->bind(&r->bind, &err), 0, "%s", err.message);
  tm_stage_env env = {.bind = &r->bind, .budget = budget, .lanes = 1, .ledger = &r->ledger,
                      .wake_at = wake_at, .waker = r};
  cr_assert_eq(r->stage->open(&env, &r->self, &err), 0);
  r->out = tm_out_make(&arena);
  r->wake_us = -1;
}

static void rig_stop(rig *r) { r->stage->close(r->self); }

static void forget(rig *r) {
  tm_batch_release(r->out.main);
  r->out = tm_out_make(&arena);
  r->wake_us = -1;
}

/* "id|time" lines, of one partition. */
static void give(rig *r, uint32_t partition, const char *text) {
  tm_error err = {0};
  tm_batch *batch = rows_batch(budget, r->bind.inputs[0], text);
  batch->origin.file_index = partition;
  forget(r);
  cr_assert_eq(r->stage->push(r->self, 0, batch, &r->out, &err), TM_FLOW_INPUT, "%s", err.message);
}

static tm_value time_of(const char *out_of_order) {
  return V_TABLE(&arena, {"field", v_text("at")}, {"out_of_order", v_text(out_of_order)});
}

Test(clock, marks_are_of_the_rows_before) {
  rig r;
  rig_start(&r, time_of("5us"), "", false);
  give(&r, 0, "1|10\n2|30\n3|20\n4|25\n5|24");
  cr_assert_eq(r.out.main->selected, 5);
  const int64_t marks[] = {TM_TIME_NONE, 5, 25, 25, 25}, times[] = {10, 30, 20, 25, 24};
  for (int i = 0; i < 5; i++) {
    cr_expect_eq(r.out.main->times[i], times[i]);
    cr_expect_eq(r.out.main->marks[i], marks[i], "row %d", i);
  }
  cr_expect_eq(r.out.watermark_us, 25);
  give(&r, 0, "6|7");
  cr_expect_eq(r.out.main->marks[0], 25);
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE, "it does not go back, and tells nothing new");
  give(&r, 3, "7|100"); /* another file of the same partition */
  cr_expect_eq(r.out.main->marks[0], 25);
  cr_expect_eq(r.out.watermark_us, 95);
  forget(&r);
  rig_stop(&r);
}

/* Random batches against the definition, saved and restored between any two. */
Test(clock, random_rows_by_the_definition) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    rig r;
    rows_random random = rows_seed(seed);
    int64_t latest = TM_TIME_NONE, told = TM_TIME_NONE;
    rig_start(&r, time_of("40us"), "", false);
    for (int n = 0; n < 50; n++) {
      char text[400] = "";
      int64_t times[10];
      uint32_t count = 1 + rows_below(&random, 9);
      for (uint32_t i = 0; i < count; i++) {
        times[i] = n * 10 + rows_below(&random, 100);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u|%lld", i > 0 ? "\n" : "", i,
                 (long long)times[i]);
      }
      give(&r, 0, text);
      for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(r.out.main->marks[i], latest == TM_TIME_NONE ? TM_TIME_NONE : latest - 40);
        latest = times[i] > latest ? times[i] : latest;
      }
      cr_assert_eq(r.out.watermark_us, latest - 40 > told ? latest - 40 : TM_TIME_NONE);
      told = latest - 40 > told ? latest - 40 : told;
      tm_error err = {0};
      tm_bytes saved;
      tm_bytes_init(&saved, budget);
      cr_assert_eq(r.stage->save(r.self, &saved, &err), 0);
      r.stage->close(r.self);
      tm_stage_env env = {.bind = &r.bind, .budget = budget, .lanes = 1, .ledger = &r.ledger,
                          .wake_at = wake_at, .waker = &r};
      cr_assert_eq(r.stage->open(&env, &r.self, &err), 0);
      cr_assert_eq(r.stage->restore(r.self, saved.data, saved.size, &err), 0);
      tm_bytes_deinit(&saved);
    }
    forget(&r);
    rig_stop(&r);
  }
}

Test(clock, the_least_partition_counts_and_one_that_is_gone_does_not) {
  rig r;
  tm_env_virtual_start(NOW, 1);
  rig_start(&r, time_of("0s"), "", true);
  give(&r, 0, "1|100");
  cr_expect_eq(r.out.watermark_us, 100);
  give(&r, 1, "2|50");
  cr_expect_eq(r.out.main->marks[0], TM_TIME_NONE, "its own partition had nothing before");
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE, "it does not go back");
  give(&r, 0, "3|200");
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE, "the other one is at 50");
  give(&r, 1, "4|150");
  cr_expect_eq(r.out.watermark_us, 150);
  tm_error err = {0};
  tm_batch *last = tm_batch_create(budget, r.bind.inputs[0], 0);
  last->origin.file_index = 1;
  last->ends_partition = true;
  forget(&r);
  cr_assert_eq(r.stage->push(r.self, 0, last, &r.out, &err), TM_FLOW_INPUT);
  cr_expect_null(r.out.main, "a batch without rows goes no further");
  cr_expect_eq(r.out.watermark_us, 200);
  give(&r, 1, "5|70\n6|60");
  cr_expect_eq(r.out.main->marks[0], TM_TIME_NONE, "the number is that of another one now");
  cr_expect_eq(r.out.main->marks[1], 70);
  give(&r, 0, "7|300");
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE, "which holds time back, as any does");
  forget(&r);
  rig_stop(&r);
  tm_env_virtual_end();
}

/* Time passes, and the clock looks at it as often as it asked for. */
static void pass(rig *r, int64_t us) {
  tm_error err = {0};
  for (int64_t left = us; left > 0;) {
    int64_t wait = r->wake_us - tm_env_get()->monotonic_us();
    int64_t step = r->wake_us >= 0 && wait < left ? wait : left;
    tm_env_virtual_advance(step);
    left -= step;
    forget(r);
    r->stage->resume(r->self, &r->out, &err);
  }
}

Test(clock, silence_lets_time_go_on) {
  rig r;
  tm_env_virtual_start(NOW, 1);
  rig_start(&r, V_TABLE(&arena, {"field", v_text("at")}, {"idle", v_text("10s")}), "", true);
  give(&r, 0, "1|1000");
  cr_expect_eq(r.wake_us, tm_env_get()->monotonic_us() + SECOND / 2, "a twentieth of idle");
  pass(&r, 4 * SECOND);
  give(&r, 1, "2|500");
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE);
  pass(&r, 7 * SECOND); /* partition 0 is idle, 1 not yet */
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE, "500 is less than what was told");
  give(&r, 1, "3|1700");
  cr_expect_eq(r.out.watermark_us, 1700, "the idle one no longer holds it back");
  pass(&r, 10 * SECOND); /* now all are */
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE, "silence begins to count after idle");
  pass(&r, 3 * SECOND);
  cr_expect_eq(r.out.watermark_us, 1700 + 3 * SECOND);
  rig_stop(&r);
  tm_env_virtual_end();
}

/* Nobody could come while those behind it stood still. */
Test(clock, a_slow_consumer_is_no_silence) {
  rig r;
  tm_error err = {0};
  tm_env_virtual_start(NOW, 1);
  rig_start(&r, V_TABLE(&arena, {"field", v_text("at")}, {"idle", v_text("10s")}), "", true);
  give(&r, 0, "1|1000");
  tm_env_virtual_advance(500 * SECOND);
  forget(&r);
  r.stage->resume(r.self, &r.out, &err);
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE);
  give(&r, 0, "2|1001");
  cr_expect_eq(r.out.main->marks[0], 1000);
  cr_expect_eq(r.out.watermark_us, 1001);
  pass(&r, 10 * SECOND + SECOND);
  cr_expect_eq(r.out.watermark_us, 1001 + SECOND);
  forget(&r);
  rig_stop(&r);
  tm_env_virtual_end();
}

Test(clock, without_idle_nothing_moves) {
  rig r;
  tm_env_virtual_start(NOW, 1);
  rig_start(&r, V_TABLE(&arena, {"field", v_text("at")}, {"idle", v_bool(false)}), "", true);
  give(&r, 0, "1|1000");
  pass(&r, 1000 * SECOND);
  cr_expect_eq(r.out.watermark_us, TM_TIME_NONE);
  rig_stop(&r);
  tm_env_virtual_end();
}

static char said[600];
static int times_said;

static void hear(void *context, tm_log_level level, const char *text) {
  (void)context;
  cr_expect_eq(level, TM_LOG_WARNING);
  times_said++;
  snprintf(said, sizeof said, "%s", text);
}

Test(clock, a_watermark_that_stands_still_is_told_once) {
  rig r;
  tm_env_virtual_start(NOW, 1);
  tm_log_configure(TM_LOG_WARNING, hear, NULL);
  rig_start(&r, V_TABLE(&arena, {"field", v_text("at")}, {"idle", v_bool(false)}), "", true);
  give(&r, 0, "1|1000");
  give(&r, 1, "1|2000");
  for (int minute = 0; minute < 12; minute++) {
    cr_expect_eq(times_said, minute >= 5, "minute %d", minute);
    give(&r, 1, "1|3000");
    pass(&r, 60 * SECOND + 1);
  }
  cr_expect(strstr(said, "W412 the watermark of 'clock' has not moved for 5 min: partition '0' is "
                         "silent") == said, "%s", said);
  give(&r, 0, "1|1500"); /* it moves, and stands again */
  pass(&r, 301 * SECOND);
  cr_expect_eq(times_said, 2);
  rig_stop(&r);
  tm_log_configure(TM_LOG_WARNING, NULL, NULL);
  tm_env_virtual_end();
}

Test(clock, rows_from_the_future_move_nothing) {
  rig r;
  char text[100];
  tm_env_virtual_start(NOW, 1);
  rig_start(&r, V_TABLE(&arena, {"field", v_text("at")}, {"ahead", v_text("1m")}), "", true);
  snprintf(text, sizeof text, "1|%lld\n2|%lld\n3|%lld", (long long)(NOW - 5),
           (long long)(NOW + 61 * SECOND), (long long)(NOW + 60 * SECOND));
  give(&r, 0, text);
  cr_assert_eq(r.out.reject_count, 1);
  cr_expect_eq(r.out.rejects[0].reason, TM_REASON_FROM_FUTURE);
  cr_expect_eq(r.out.rejects[0].event_time_us, NOW + 61 * SECOND);
  cr_assert_eq(r.out.main->selected, 2);
  cr_expect_eq(r.out.main->marks[2], NOW - 5, "the refused row is not among those before it");
  cr_expect_eq(r.out.watermark_us, NOW + 60 * SECOND);
  forget(&r);
  rig_stop(&r);
  tm_env_virtual_end();
}

Test(clock, rows_without_a_time_are_refused) {
  rig r;
  rig_start(&r, time_of("0s"), "", false);
  give(&r, 0, "1|null\n2|10\n3|null");
  cr_assert_eq(r.out.reject_count, 2);
  cr_expect_eq(r.out.rejects[0].reason, TM_REASON_NO_TIME);
  cr_expect_eq(r.out.rejects[1].event_time_us, TM_TIME_NONE);
  cr_expect_str_eq(r.out.rejects[0].message, "'at' is null: the row has no time");
  cr_assert_eq(r.out.main->selected, 1);
  cr_expect_eq(r.out.watermark_us, 10);
  forget(&r);
  rig_stop(&r);
}

static const char *refusal_of(tm_value time) {
  static tm_error err;
  err = (tm_error){0};
  static tm_value options;
  options = V_TABLE(&arena, {"time", time});
  tm_job_info job = {.stream = true};
  tm_bind bind = {.arena = &arena, .budget = budget, .job = &job, .options = &options,
                  .input_count = 1, .inputs = {rows_schema(&arena, "id int64, at timestamp")}};
  return tm_stage_find("clock", TM_ROLE_STEP)->bind(&bind, &err) == 0 ? "" : err.message;
}

Test(clock, options_that_cannot_be) {
  cr_expect_str_eq(refusal_of(V_TABLE(&arena, {"field", v_text("at")})), "");
  cr_expect_str_eq(refusal_of(v_text("at")), "");
  cr_expect(strstr(refusal_of(v_text("att")), "unknown column 'att'") != NULL);
  cr_expect(strstr(refusal_of(V_TABLE(&arena, {"field", v_text("at")}, {"lat", v_text("x")})),
                   "unknown option 'lat'") != NULL);
  cr_expect_str_eq(refusal_of(time_of("-5s")), "'out_of_order' of time is a duration, as \"30s\"");
  cr_expect(strstr(refusal_of(V_TABLE(&arena, {"field", v_text("at")}, {"idle", v_bool(true)})),
                   "'idle' of time") != NULL);
}
