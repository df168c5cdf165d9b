/* tests/exec/threads_test.c: a machine that has no more threads to give. */
#include <errno.h>
#include <stdio.h>

#include "base/env.h"
#include "exec/run.h"
#include "tests/exec/ends.h"
#include "tests/support/graph.h"

TestSuite(threads, .init = setup, .fini = teardown);

static tm_env short_of_threads;
static int threads_left;

static int create_while_there_are(tm_thread *out, void (*run)(void *context), void *context) {
  if (threads_left == 0) return -EAGAIN;
  threads_left--;
  return tm_env_posix.thread_create(out, run, context);
}

Test(threads, one_that_cannot_start_ends_the_others) {
  for (int threads = 0; threads < 3; threads++) {
    ends_source source = {.morsels = UINT64_MAX / 1000, .rows_each = 100, .keys = 3,
                          .batch_rows = 10, .pause_us = 100};
    ends_sink sink = {0};
    graph_begin(3);
    graph_sink(graph_csv("in.csv", ENDS_DDL, GRAPH_NONE));
    tm_plan *plan = graph_plan();
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    short_of_threads = tm_env_posix;
    short_of_threads.thread_create = create_while_there_are;
    threads_left = threads;
    tm_env_set(&short_of_threads);
    tm_error err = {0};
    tm_run_result result;
    tm_run_options options = {.workers = 3, .timeout_us = INT64_C(30000000)};
    cr_expect_eq(tm_run_plan(plan, budget, &options, &result, &err), -1);
    tm_env_set(NULL);
    char message[64];
    (void)snprintf(message, sizeof message, "cannot start worker %d of 3", threads + 1);
    cr_expect_eq(err.code, TM_E_SYSTEM);
    cr_expect_eq(result.status, TM_STATUS_FAILED);
    cr_expect_str_eq(err.message, message);
    cr_expect_eq(sink.committed, 0);
    ends_sink_clear(&sink);
  }
}
