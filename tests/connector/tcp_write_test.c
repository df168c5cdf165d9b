/* tests/connector/tcp_write_test.c: rows to connections: blocked while nobody takes them, all sent
 * at the end, and an end to patience. */
#include <criterion/criterion.h>
#include <signal.h>

#include "base/env.h"
#include "base/log.h"
#include "tests/io/socket.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

static tm_bind bound;
static void *shared, *self;
static tm_ledger ledger;
static int draining, wakes;
static char said[1000];
static int64_t skipped_us; /* how far the test's clock is ahead */
static tm_env clocked;

static int64_t test_clock(void) {
  return tm_env_posix.monotonic_us() + __atomic_load_n(&skipped_us, __ATOMIC_RELAXED);
}
static void wake(void *waker) {
  (void)waker;
  __atomic_add_fetch(&wakes, 1, __ATOMIC_RELEASE);
}
static void wake_at(void *waker, int64_t monotonic_us) { (void)waker, (void)monotonic_us; }
static void keep(void *context, tm_log_level level, const char *text) {
  (void)context;
  if (level == TM_LOG_NOTICE) snprintf(said, sizeof said, "%s", text);
}

static void begin(void) {
  setup();
  signal(SIGPIPE, SIG_IGN);
  tm_log_configure(TM_LOG_WARNING, keep, NULL);
  clocked = tm_env_posix;
  clocked.monotonic_us = test_clock;
  tm_env_set(&clocked);
}
static void end(void) {
  tm_env_set(NULL);
  teardown();
}
TestSuite(tcp_write, .init = begin, .fini = end, .timeout = 60);

static int bind_it(tm_value options, tm_error *err) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "a int64, s string"), "");
  harness_case c = {.verb = "tcp", .role = TM_ROLE_SINK, .input_count = 1, .inputs = {table},
                    .options = options, .stream = true};
  int done = harness_bind(&c, &arena, 10, &bound, err);
  tm_batch_release(table);
  return done;
}

static void open_it(tm_value options) {
  tm_error err = {0};
  cr_assert_eq(bind_it(options, &err), 0, "%s", err.message);
  cr_assert_eq(bound.stage->share(&bound, 1, budget, &shared, &err), 0, "%s", err.message);
  tm_stage_env env = {.bind = &bound, .budget = budget, .lanes = 1, .shared = shared,
                      .ledger = &ledger, .draining = &draining, .wake = wake, .wake_at = wake_at};
  cr_assert_eq(bound.stage->open(&env, &self, &err), 0);
}

static void close_it(void) {
  bound.stage->close(self);
  bound.stage->unshare(shared);
}

static tm_flow push_batch(tm_batch *taken) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  return bound.stage->push(self, 0, taken, &out, &err);
}

static tm_flow push(const char *rows) {
  return push_batch(rows_batch(budget, bound.inputs[0], rows));
}

/* One row, the number 7 and so many x. */
static tm_flow push_long(size_t size) {
  tm_batch *batch = rows_blank(budget, bound.inputs[0], 1);
  char *text = malloc(size);
  memset(text, 'x', size);
  rows_set(batch, 0, 0, "7");
  rows_set(batch, 1, 0, "x");
  cr_assert(tm_batch_text(batch, text, size, batch->columns[1].data));
  free(text);
  return push_batch(batch);
}

static tm_flow resume(tm_error *err) {
  tm_out out = tm_out_make(&arena);
  return bound.stage->resume(self, &out, err);
}

/* Finishes and waits until all is sent. */
static void finish(void) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  int64_t limit_us = tm_env_posix.monotonic_us() + 10 * 1000 * 1000;
  tm_flow flow = bound.stage->finish(self, 0, &out, &err);
  while (flow == TM_FLOW_BLOCKED && tm_env_posix.monotonic_us() < limit_us) {
    tm_env_posix.sleep_us(500);
    flow = resume(&err);
  }
  cr_expect_eq(flow, TM_FLOW_FINISHED, "%s", err.message);
}

static tm_value listen_as(const char *format) {
  return V_TABLE(&arena, {"listen", v_text("127.0.0.1:0")}, {"format", v_text(format)});
}

Test(tcp_write, rows_in_each_format) {
  static const struct { const char *format, *head, *rows; } cases[] = {
    {"csv", "a,s\n", "1,x\n,\"a,b\"\n"},
    {"jsonl", "", "{\"a\":1,\"s\":\"x\"}\n{\"a\":null,\"s\":\"a,b\"}\n"},
  };
  for (size_t i = 0; i < 2; i++) {
    open_it(listen_as(cases[i].format));
    int s = socket_connect(socket_port_of(said));
    socket_expect(s, cases[i].head);
    cr_expect_eq(push("1|x\nnull|'a,b'"), TM_FLOW_INPUT);
    socket_expect(s, cases[i].rows);
    finish();
    char rest;
    cr_expect_eq(socket_hear(s, &rest, 1), 0);
    close(s);
    close_it();
  }
}

Test(tcp_write, the_header_can_be_left_out) {
  tm_value options = V_TABLE(&arena, {"listen", v_text("127.0.0.1:0")}, {"format", v_text("csv")},
                             {"header", v_bool(false)}, {"delimiter", v_text(";")});
  open_it(options);
  int s = socket_connect(socket_port_of(said));
  push("1|x");
  socket_expect(s, "1;x\n");
  finish();
  close(s);
  close_it();
}

/* It is blocked, says when it is not, and the reader gets every row once. */
Test(tcp_write, a_reader_that_stops_blocks_it) {
  open_it(listen_as("jsonl"));
  int s = socket_connect(socket_port_of(said));
  enum { TEXT = 200 * 1000 };
  tm_error err = {0};
  int pushed = 0;
  tm_flow flow = TM_FLOW_INPUT;
  while (flow == TM_FLOW_INPUT && pushed < 1000) {
    flow = push_long(TEXT);
    pushed++;
  }
  cr_assert_eq(flow, TM_FLOW_BLOCKED);
  cr_expect_lt(tm_budget_used(budget), 8 << 20);
  cr_expect_eq(resume(&err), TM_FLOW_BLOCKED);
  int before = __atomic_load_n(&wakes, __ATOMIC_ACQUIRE);
  size_t row = strlen("{\"a\":7,\"s\":\"\"}\n") + TEXT;
  char *heard = malloc(row);
  for (int i = 0; i < pushed; i++) {
    cr_assert_eq(socket_hear(s, heard, row), row);
    cr_assert_eq(memcmp(heard, "{\"a\":7,\"s\":\"xxx", 15), 0);
    cr_assert_eq(heard[row - 1], '\n');
  }
  free(heard);
  while (__atomic_load_n(&wakes, __ATOMIC_ACQUIRE) == before) tm_env_posix.sleep_us(500);
  cr_expect_eq(resume(&err), TM_FLOW_INPUT);
  finish();
  close(s);
  close_it();
}

Test(tcp_write, waits_for_a_reader_but_not_for_ever_once_it_is_to_end) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  open_it(listen_as("jsonl"));
  push("1|x");
  cr_expect_eq(bound.stage->finish(self, 0, &out, &err), TM_FLOW_BLOCKED);
  __atomic_store_n(&skipped_us, INT64_C(3600) * 1000000, __ATOMIC_RELAXED);
  cr_expect_eq(resume(&err), TM_FLOW_BLOCKED, "an hour is nothing");
  draining = 1;
  cr_expect_eq(resume(&err), TM_FLOW_BLOCKED);
  __atomic_store_n(&skipped_us, INT64_C(3606) * 1000000, __ATOMIC_RELAXED);
  cr_expect_eq(resume(&err), TM_FLOW_FAILED);
  cr_expect_eq(err.code, TM_E_WRITE);
  cr_expect(strstr(err.message, "16 bytes of rows were not sent: no reader") != NULL, "%s",
            err.message);
  close_it();
}

/* A quoted line end is no end of a record: the next reader begins with a whole one. */
Test(tcp_write, records_with_line_ends_are_not_torn) {
  open_it(listen_as("csv"));
  int port = socket_port_of(said), s = socket_connect(port);
  socket_expect(s, "a,s\n");
  tm_flow flow = TM_FLOW_INPUT;
  while (flow == TM_FLOW_INPUT) {
    tm_batch *batch = rows_blank(budget, bound.inputs[0], 400);
    for (uint32_t i = 0; i < 400; i++) {
      char number[8];
      sprintf(number, "%u", i);
      rows_set(batch, 0, i, number);
      rows_set(batch, 1, i, "'a\nb\nc and some more, for the sockets take a lot'");
    }
    flow = push_batch(batch);
  }
  socket_break(s);
  s = socket_connect(port);
  socket_expect(s, "a,s\n");
  char number[8] = "";
  for (int i = 0; i < 7 && socket_hear(s, number + i, 1) == 1 && number[i] != ','; i++) {}
  int first = atoi(number);
  cr_expect(first >= 0 && first < 400 && number[0] >= '0' && number[0] <= '9', "'%s'", number);
  close(s);
  close_it();
}

static int code(tm_value options) {
  tm_error err = {0};
  return bind_it(options, &err) < 0 ? err.code : 0;
}

Test(tcp_write, what_is_refused) {
  tm_pair listen = {"listen", v_text("127.0.0.1:0")}, format = {"format", v_text("csv")};
  cr_expect_eq(code(V_TABLE(&arena, listen, format)), 0);
  cr_expect_eq(code(V_TABLE(&arena, listen)), TM_E_VALUE);
  cr_expect_eq(code(V_TABLE(&arena, format)), TM_E_VALUE);
  cr_expect_eq(code(V_TABLE(&arena, listen, format, {"connect", v_text("127.0.0.1:1")})),
               TM_E_VALUE);
  cr_expect_eq(code(V_TABLE(&arena, format, {"connect", v_text("127.0.0.1:0")})), TM_E_VALUE);
  cr_expect_eq(code(V_TABLE(&arena, format, {"connect", v_text("nowhere")})), TM_E_VALUE);
  cr_expect_eq(code(V_TABLE(&arena, listen, {"format", v_text("lines")})), TM_E_TYPE);
}

Test(tcp_write, opening_without_memory) {
  tm_error err = {0};
  cr_assert_eq(bind_it(listen_as("csv"), &err), 0);
  for (uint64_t nth = 1;; nth++) {
    tm_error failure = {0};
    shared = NULL;
    tm_memory_fail_at(nth);
    int done = bound.stage->share(&bound, 1, budget, &shared, &failure);
    tm_memory_fail_at(0);
    if (done == 0) break;
    cr_expect_eq(failure.code, TM_E_MEMORY, "%s", failure.message);
    cr_assert_lt(nth, 50);
  }
  bound.stage->unshare(shared);
}
