/* tests/connector/live_write_test.c: files of streams: in place, or one a day. */
#include <criterion/criterion.h>

#include "base/env.h"
#include "tests/io/scratch.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

static void begin(void) {
  setup();
  scratch_setup();
}
static void end(void) {
  tm_env_set(NULL);
  scratch_teardown();
  teardown();
}
TestSuite(live_write, .init = begin, .fini = end);

#define HOUR_US INT64_C(3600000000)

static tm_env clocked;
static int64_t now_us = 1000000, asked_us;
static tm_bind bind;
static void *shared, *self;
static tm_ledger ledger;
static int draining;
static const tm_schema *schema;

static int64_t test_clock(void) { return now_us; }
static void wake(void *waker) { (void)waker; }
static void wake_at(void *waker, int64_t monotonic_us) {
  (void)waker;
  asked_us = monotonic_us;
}

static harness_case case_of(const char *verb, tm_value options, const char *time, bool bounded,
                            tm_batch **table) {
  *table = rows_batch(budget, rows_schema(&arena, "a int64, at timestamp, d date, "
                                                  "z timestamp('Europe/Berlin'), s string"), "");
  return (harness_case){.verb = verb, .role = TM_ROLE_SINK, .input_count = 1, .inputs = {*table},
                        .options = options, .stream = true, .times = time, .unbounded = !bounded};
}

static void start(const char *verb, tm_value options, const char *time, bool bounded) {
  tm_batch *table;
  tm_error err = {0};
  harness_case c = case_of(verb, options, time, bounded, &table);
  clocked = tm_env_posix;
  clocked.monotonic_us = test_clock;
  tm_env_set(&clocked);
  asked_us = 0;
  cr_assert_eq(harness_bind(&c, &arena, 10, &bind, &err), 0, "%s", err.message);
  cr_assert(bind.stage == tm_stage_find_for("csv", TM_ROLE_SINK, &bind));
  schema = bind.inputs[0];
  cr_assert_eq(bind.stage->share(&bind, 1, budget, &shared, &err), 0, "%s", err.message);
  tm_stage_env env = {.bind = &bind, .budget = budget, .lanes = 1, .shared = shared,
                      .ledger = &ledger, .draining = &draining, .wake = wake, .wake_at = wake_at};
  cr_assert_eq(bind.stage->open(&env, &self, &err), 0);
  tm_batch_release(table);
}

/* One row a time, in one batch. */
static void push(const char *rows, const int64_t *times) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  tm_batch *batch = rows_batch(budget, schema, rows);
  batch->times = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *batch->times);
  memcpy(batch->times, times, batch->rows * sizeof *times);
  cr_assert_eq(bind.stage->push(self, 0, batch, &out, &err), TM_FLOW_INPUT, "%s", err.message);
}

static void resume(void) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  cr_assert_eq(bind.stage->resume(self, &out, &err), TM_FLOW_INPUT);
}

static void advance(int64_t watermark_us) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  cr_assert_eq(bind.stage->advance(self, 0, watermark_us, &out, &err), TM_FLOW_INPUT);
}

static void stop(bool commit) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  if (commit) {
    cr_assert_eq(bind.stage->finish(self, 0, &out, &err), TM_FLOW_FINISHED);
    cr_assert_eq(bind.stage->seal(shared, &err), 0);
  }
  bind.stage->close(self);
  cr_assert_eq(bind.stage->publish(shared, commit, &err), 0);
  bind.stage->unshare(shared);
}

static void expect(const char *name, const char *text) {
  char *got = scratch_read(name);
  if (text == NULL) cr_expect_null(got, "%s is there", name);
  else cr_expect(got != NULL && strcmp(got, text) == 0, "%s: '%s', not '%s'", name, got, text);
  free(got);
}

static tm_value file_at(const char *name) {
  const char *path = scratch_path(name);
  char *dated = tm_arena_text(&arena, path, strlen(path));
  if (strstr(path, "{date}") == NULL) return V_TABLE(&arena, {"path", v_text(dated)});
  return V_TABLE(&arena, {"path", v_text("of the run")}, {"{date}", v_text(dated)});
}

Test(live_write, in_place_with_its_header_and_soon_with_its_rows) {
  scratch_text("a.csv", "of a run before\n");
  start("csv", file_at("a.csv"), "at", false);
  expect("a.csv", "a,at,d,z,s\n");
  const int64_t time = 0;
  push("1|null|null|null|x", &time);
  expect("a.csv", "a,at,d,z,s\n");
  cr_expect_eq(asked_us, now_us + 100 * 1000);
  now_us += 50 * 1000;
  resume();
  expect("a.csv", "a,at,d,z,s\n");
  now_us += 50 * 1000;
  resume();
  expect("a.csv", "a,at,d,z,s\n1,,,,x\n");
  push("2|null|null|null|y", &time);
  stop(false);
  expect("a.csv", "a,at,d,z,s\n1,,,,x\n2,,,,y\n");
}

Test(live_write, a_day_has_a_file_of_its_own) {
  start("csv", file_at("{date}.csv"), "at", false);
  const int64_t times[] = {HOUR_US, 25 * HOUR_US, 23 * HOUR_US, -HOUR_US, 26 * HOUR_US};
  push("1|null|null|null|a\n2|null|null|null|b\n3|null|null|null|c\n4|null|null|null|d\n"
       "5|null|null|null|e", times);
  now_us += 200 * 1000;
  resume();
  expect("1970-01-01.csv.part", "a,at,d,z,s\n1,,,,a\n3,,,,c\n");
  expect("1969-12-31.csv.part", "a,at,d,z,s\n4,,,,d\n");
  expect("1970-01-02.csv.part", "a,at,d,z,s\n2,,,,b\n5,,,,e\n");
  advance(24 * HOUR_US - 1);
  expect("1969-12-31.csv", "a,at,d,z,s\n4,,,,d\n");
  expect("1970-01-01.csv", NULL);
  advance(24 * HOUR_US);
  expect("1970-01-01.csv", "a,at,d,z,s\n1,,,,a\n3,,,,c\n");
  expect("1970-01-02.csv", NULL);
  push("6|null|null|null|late", times);
  stop(false);
  expect("1970-01-01.csv", "a,at,d,z,s\n1,,,,a\n3,,,,c\n6,,,,late\n");
  expect("1970-01-02.csv", "a,at,d,z,s\n2,,,,b\n5,,,,e\n");
}

Test(live_write, days_begin_when_they_do_where_the_clock_is) {
  start("jsonl", file_at("{date}.jsonl"), "z", false);
  const int64_t times[] = {22 * HOUR_US, 23 * HOUR_US}; /* midnight in Berlin is at 23:00 UTC */
  push("1|null|null|null|a\n2|null|null|null|b", times);
  advance(22 * HOUR_US);
  expect("1970-01-01.jsonl", NULL);
  advance(23 * HOUR_US);
  expect("1970-01-01.jsonl", "{\"a\":1,\"at\":null,\"d\":null,\"z\":null,\"s\":\"a\"}\n");
  stop(true);
  expect("1970-01-02.jsonl", "{\"a\":2,\"at\":null,\"d\":null,\"z\":null,\"s\":\"b\"}\n");
}

Test(live_write, days_of_bounded_input_appear_together_or_not_at_all) {
  const int64_t times[] = {HOUR_US, 25 * HOUR_US};
  scratch_text("1970-01-01.csv", "old\n");
  for (int commit = 0; commit < 2; commit++) {
    start("csv", file_at("{date}.csv"), "d", true);
    push("1|null|null|null|a\n2|null|null|null|b", times);
    advance(100 * HOUR_US);
    expect("1970-01-01.csv", "old\n");
    stop(commit);
    expect("1970-01-01.csv", commit ? "a,at,d,z,s\n1,,,,a\n" : "old\n");
    expect("1970-01-02.csv", commit ? "a,at,d,z,s\n2,,,,b\n" : NULL);
    expect("1970-01-02.csv.part", NULL);
  }
}

static int code(const char *verb, tm_value options, const char *time, bool bounded,
                const char **stage) {
  tm_batch *table;
  tm_error err = {0};
  harness_case c = case_of(verb, options, time, bounded, &table);
  int done = harness_bind(&c, &arena, 10, &bind, &err);
  *stage = bind.stage == NULL ? "" : bind.stage->summary;
  tm_batch_release(table);
  return done < 0 ? err.code : 0;
}

Test(live_write, who_writes_what) {
  const char *stage;
  tm_value plain = file_at("a.csv"), dated = file_at("{date}.csv");
  cr_expect_eq(code("csv", plain, "at", true, &stage), 0);
  cr_expect_str_eq(stage, "write a file, or stdout");
  cr_expect_eq(code("csv", plain, NULL, false, &stage), 0);
  cr_expect_str_eq(stage, "write a file while it is read");
  cr_expect_eq(code("csv", dated, "at", true, &stage), 0);
  cr_expect_str_eq(stage, "write a file while it is read");
  cr_expect_eq(code("csv", dated, NULL, true, &stage), 0);
  cr_expect_str_eq(stage, "write a file, or stdout", "{date} is that of the run");
  cr_expect_eq(code("csv", dated, NULL, false, &stage), TM_E_VALUE);
  cr_expect_eq(code("csv", V_TABLE(&arena, {"path", v_text("-")}), "at", false, &stage), 0);
  cr_expect_str_eq(stage, "write a file, or stdout");
}
