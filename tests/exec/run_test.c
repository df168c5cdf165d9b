/* tests/exec/run_test.c: whole runs with a source and a sink of the test: results, books and
 * messages do not depend on the number of workers; failures, cancels and limits end a run well. */
#include "exec/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/env.h"
#include "tests/exec/ends.h"
#include "tests/support/graph.h"
#include "tests/support/row_function.h"

TestSuite(run, .init = setup, .fini = teardown);

enum { LONG_US = 30 * 1000 * 1000 };

/* ---------------------------------------------------------------- functions of the script */

static void not_third(row_call *c) { row_set_int(c, 0, row_int(c, 0) % 3 != 0); }
static void add_one(row_call *c) { row_set_int(c, 0, row_int(c, 0) + 1); }

static int64_t raise_from = INT64_MAX; /* rows whose number is at least this and ends in 7 */
static void may_raise(row_call *c) {
  int64_t n = row_int(c, 0);
  if (n >= raise_from && n % 10 == 7) c->refuse = "attempt to index a nil value";
  else row_set_int(c, 0, 1);
}

static row_function filtering, adding, raising;

static tm_value filter_of(row_function *f, const char *reads, void (*each)(row_call *),
                          bool raises) {
  *f = row_function_make(reads, NULL, each, raises, 50);
  return V_TABLE(&arena, {"f", v_function(f)});
}

static tm_value with_of(const char *name, const char *reads) {
  adding = row_function_make(reads, tm_arena_format(&arena, "%s int64", name), add_one, false, 60);
  return V_TABLE(&arena, {"fields", V_TABLE(&arena, {name, v_function(&adding)})});
}

/* ---------------------------------------------------------------- running */

static tm_run_result result;

static tm_error run(const tm_plan *plan, const tm_run_options *options) {
  tm_error err = {0};
  tm_budget *job = tm_budget_create(NULL, "run", 0);
  int done = tm_run_plan(plan, job, options, &result, &err);
  cr_expect_eq(done < 0, result.status != TM_STATUS_OK);
  cr_expect_eq(done < 0, err.code != TM_E_NONE);
  cr_expect_eq(tm_budget_used(job), 0, "%llu bytes stay charged",
               (unsigned long long)tm_budget_used(job));
  tm_budget_release(job, tm_budget_used(job));
  tm_budget_destroy(job);
  return err;
}

static tm_error run_with(const tm_plan *plan, uint32_t workers) {
  return run(plan, &(tm_run_options){.workers = workers, .timeout_us = LONG_US});
}

static const tm_ledger *books_of(const tm_plan *plan, const char *name) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (strcmp(plan->nodes[i]->name, name) == 0) return &result.nodes[i];
  }
  cr_assert_fail("no step is called '%s'", name);
  return NULL;
}

static ends_source small_source(void) {
  return (ends_source){.morsels = 40, .rows_each = 25, .keys = 7, .batch_rows = 10,
                       .file_morsels = 10};
}

/* ---------------------------------------------------------------- results and books */

/* in > filter > with > sort > result, with refused rows of the source in bad. */
static tm_plan *row_wise_plan(uint32_t workers, bool sorted) {
  graph_begin(workers);
  int bad = (int)graph_endpoint("bad.csv");
  uint32_t at = graph_csv("in.csv", ENDS_DDL, bad);
  at = graph_step("filter", filter_of(&filtering, "n", not_third, false), at);
  at = graph_step("with", with_of("w", "v"), at);
  if (sorted) at = graph_step("sort", V_TABLE(&arena, {"by", V_LIST(&arena, v_text("-k"))}), at);
  graph_sink(at);
  return graph_plan();
}

static void expect_row_wise(const ends_sink *sink, const ends_source *source) {
  size_t at = 0;
  for (uint64_t row = 0; row < 1000; row++) {
    if (row % 3 == 0 || row % 50 == 49) continue;
    char text[96];
    int64_t v = ends_value(source, row, 2);
    (void)snprintf(text, sizeof text, "%llu|%llu|%lld|%lld", (unsigned long long)row,
                   (unsigned long long)row % 7, (long long)v, (long long)v + 1);
    cr_assert_lt(at, sink->rows.count);
    cr_assert_str_eq(sink->rows.texts[at], text);
    at++;
  }
  cr_assert_eq(at, sink->rows.count);
}

Test(run, rows_come_in_source_order_whatever_the_workers) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    ends_source source = small_source();
    source.bad_every = 50;
    ends_sink sink = {.block_every = 3}, bad = {0};
    tm_plan *plan = row_wise_plan(workers, false);
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    ends_set_sink(plan, "bad", &bad);
    tm_error err = run_with(plan, workers);
    cr_assert_eq(err.code, TM_E_NONE, "%s", err.message);
    expect_row_wise(&sink, &source);
    cr_expect_not(sink.disordered);
    cr_assert_eq(bad.rows.count, 20);
    for (size_t i = 0; i < 20; i++) { /* in source order, each with its file and line */
      char part[128];
      uint64_t row = i * 50 + 49;
      (void)snprintf(part, sizeof part, "'type'|'no number'|'in'|'%llu.csv'|%llu|%llu|'job'|'in'",
                     (unsigned long long)row / 250, (unsigned long long)row % 250 + 1,
                     (unsigned long long)row);
      cr_expect_not_null(strstr(bad.rows.texts[i], part), "%s", bad.rows.texts[i]);
      (void)snprintf(part, sizeof part, "'raw text of row %llu'", (unsigned long long)row);
      cr_expect_not_null(strstr(bad.rows.texts[i], part));
    }
    cr_expect(result.rows_in == 1000 && result.rows_out == sink.rows.count);
    const tm_ledger *in = books_of(plan, "in"), *filter = books_of(plan, "filter");
    cr_expect(in->in == 1000 && in->rejected == 20 && in->passed == 980);
    cr_expect(filter->in == 980 && filter->passed == sink.rows.count);
    cr_expect_eq(filter->filtered, 980 - sink.rows.count);
    cr_expect(result.total.in == 1000 && result.total.rejected == 20);
    cr_expect_eq(result.total.passed, sink.rows.count);
    cr_expect(sink.sealed == 1 && sink.committed == 1 && sink.thrown == 0);
    cr_expect(bad.sealed == 1 && bad.committed == 1);
    ends_sink_clear(&sink);
    ends_sink_clear(&bad);
  }
}

/* Unordered results come sorted; every ledger is that of one worker. */
static tm_plan *join_plan(uint32_t workers, const char *kind) {
  graph_begin(workers);
  uint32_t left = graph_csv("left.csv", ENDS_DDL, GRAPH_NONE);
  uint32_t right = graph_csv("right.csv", ENDS_DDL, GRAPH_NONE);
  left = graph_step("filter", filter_of(&filtering, "n", not_third, false), left);
  graph_sink(graph_join(V_TABLE(&arena, {"on", v_text("k")}, {"kind", v_text(kind)},
                                {"prefix", v_text("r_")}),
                        left, right));
  return graph_plan();
}

Test(run, joins_and_their_books_do_not_depend_on_workers) {
  static const char *const kinds[] = {"inner", "left", "full", "semi", "anti"};
  for (size_t kind = 0; kind < 5; kind++) {
    rows_list first = {0};
    tm_ledger books[2];
    for (uint32_t workers = 1; workers <= 4; workers++) {
      ends_source left = {.morsels = 20, .rows_each = 15, .keys = 11, .batch_rows = 4};
      ends_source right = {.morsels = 6, .rows_each = 5, .keys = 9, .batch_rows = 3};
      ends_sink sink = {0};
      tm_plan *plan = join_plan(workers, kinds[kind]);
      ends_set_source(plan, "left", &left);
      ends_set_source(plan, "right", &right);
      ends_set_sink(plan, "result", &sink);
      tm_error err = run_with(plan, workers);
      cr_assert_eq(err.code, TM_E_NONE, "%s", err.message);
      if (workers == 1) {
        rows_list_append(&first, &sink.rows);
        books[0] = *books_of(plan, "join");
        books[1] = result.total;
      }
      rows_list_expect(&sink.rows, &first, kinds[kind]);
      cr_expect_eq(memcmp(&books[0], books_of(plan, "join"), sizeof *books), 0);
      cr_expect_eq(memcmp(&books[1], &result.total, sizeof *books), 0);
      ends_sink_clear(&sink);
    }
    cr_assert_gt(first.count, 20);
    rows_list_clear(&first);
  }
}

Test(run, sorting_is_stable_over_all_workers) {
  rows_list first = {0};
  for (uint32_t workers = 1; workers <= 4; workers++) {
    ends_source source = small_source();
    ends_sink sink = {0}, bad = {0};
    tm_plan *plan = row_wise_plan(workers, true);
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    ends_set_sink(plan, "bad", &bad);
    cr_assert_eq(run_with(plan, workers).code, TM_E_NONE);
    if (workers == 1) rows_list_append(&first, &sink.rows);
    rows_list_expect(&sink.rows, &first, "sorted");
    ends_sink_clear(&sink);
    ends_sink_clear(&bad);
  }
  int64_t before_k = INT64_MAX, before_n = -1;
  for (size_t i = 0; i < first.count; i++) {
    char *end;
    int64_t n = strtoll(first.texts[i], &end, 10), k = strtoll(end + 1, NULL, 10);
    cr_assert(k < before_k || (k == before_k && n > before_n), "row %zu", i);
    before_k = k;
    before_n = n;
  }
  rows_list_clear(&first);
}

/* ---------------------------------------------------------------- rows that fail a run */

static tm_plan *raising_plan(uint32_t workers) {
  graph_begin(workers);
  uint32_t at = graph_csv("in.csv", ENDS_DDL, GRAPH_NONE);
  at = graph_step("filter", filter_of(&raising, "n", may_raise, true), at);
  graph_sink(at);
  return graph_plan();
}

Test(run, the_first_bad_row_is_the_least_by_file_and_line) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    for (int64_t from = 0; from <= 900; from += 300) {
      ends_source source = small_source();
      ends_sink sink = {0};
      tm_plan *plan = raising_plan(workers);
      raise_from = from;
      ends_set_source(plan, "in", &source);
      ends_set_sink(plan, "result", &sink);
      tm_error err = run_with(plan, workers);
      uint64_t row = (uint64_t)from + 7;
      char file[32], record[64];
      cr_expect_eq(err.code, TM_E_ROW_FUNCTION);
      cr_expect_str_eq(err.message, "attempt to index a nil value");
      cr_expect_str_eq(err.step, "filter");
      cr_expect_str_eq(err.script, "job.lua");
      cr_expect_eq(err.script_line, 51);
      (void)snprintf(file, sizeof file, "%llu.csv", (unsigned long long)row / 250);
      cr_expect_str_eq(err.record_file, file);
      cr_expect_eq(err.record_line, row % 250 + 1, "%u workers: line %llu", workers,
                   (unsigned long long)err.record_line);
      (void)snprintf(record, sizeof record, "{\"n\":%llu,", (unsigned long long)row);
      cr_expect_eq(strncmp(err.record, record, strlen(record)), 0, "%s", err.record);
      cr_expect_eq(result.status, TM_STATUS_FAILED);
      cr_expect(sink.committed == 0 && sink.thrown == 1 && sink.sealed == 0);
      ends_sink_clear(&sink);
    }
  }
  raise_from = INT64_MAX;
}

/* A lane that is held back by a slow sink may have the least of the bad rows still before it. */
Test(run, the_first_bad_row_is_found_behind_full_queues) {
  for (uint32_t workers = 2; workers <= 4; workers++) {
    for (int64_t from = 400; from <= 1600; from += 300) {
      ends_source source = {.morsels = 400, .rows_each = 10, .keys = 7, .batch_rows = 1};
      ends_sink sink = {.pause_us = 100};
      tm_plan *plan = raising_plan(workers);
      raise_from = from;
      ends_set_source(plan, "in", &source);
      ends_set_sink(plan, "result", &sink);
      tm_error err = run_with(plan, workers);
      cr_expect_eq(err.code, TM_E_ROW_FUNCTION);
      cr_expect_eq(err.record_line, (uint64_t)from + 8, "%u workers: line %llu, not %llu", workers,
                   (unsigned long long)err.record_line, (unsigned long long)from + 8);
      ends_sink_clear(&sink);
    }
  }
  raise_from = INT64_MAX;
}

Test(run, a_malformed_row_without_endpoint_fails_the_run) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    graph_begin(workers);
    graph_sink(graph_csv("in.csv", ENDS_DDL, GRAPH_NONE));
    tm_plan *plan = graph_plan();
    ends_source source = small_source();
    ends_sink sink = {0};
    source.bad_every = 300;
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    tm_error err = run_with(plan, workers);
    cr_expect_eq(err.code, TM_E_ROW);
    cr_expect_str_eq(err.message, "type: no number");
    cr_expect_str_eq(err.record_file, "1.csv");
    cr_expect_eq(err.record_line, 50);
    cr_expect_str_eq(err.record, "raw text of row 299");
    cr_expect_eq(sink.committed, 0);
    ends_sink_clear(&sink);
  }
}

static void never(row_call *c) { row_set_int(c, 0, row_int(c, 0) < 500); }

Test(run, a_failed_check_publishes_only_refused_rows) {
  row_function f = row_function_make("n", NULL, never, false, 33);
  for (int bad_there = 0; bad_there < 2; bad_there++) {
    graph_begin(2);
    int bad = (int)graph_endpoint("bad.csv");
    uint32_t at = graph_csv("in.csv", ENDS_DDL, bad);
    tm_value own = bad_there ? v_node(bad) : v_nil();
    if (!bad_there) ((tm_node *)&graph.nodes[at])->options = NULL;
    if (!bad_there) {
      tm_value *options = tm_arena_zero(&arena, sizeof *options);
      *options = V_TABLE(&arena, {"path", v_text("in.csv")}, {"schema", v_text(ENDS_DDL)});
      graph.nodes[at].options = options;
    }
    at = graph_step("check", V_TABLE(&arena, {"name", v_text("n is small")}, {"f", v_function(&f)},
                                     {"rejects", own}),
                    at);
    graph_sink(at);
    tm_plan *plan = graph_plan();
    ends_source source = small_source();
    ends_sink sink = {0}, refused = {0};
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    ends_set_sink(plan, "bad", &refused);
    tm_error err = run_with(plan, 2);
    if (bad_there) {
      cr_expect_eq(err.code, TM_E_NONE, "%s", err.message);
      cr_expect(sink.committed == 1 && refused.committed == 1);
      cr_expect(sink.rows.count == 500 && refused.rows.count == 500);
    } else {
      cr_expect_eq(err.code, TM_E_CHECK);
      cr_expect_str_eq(err.message, "check 'n is small' failed");
      cr_expect_eq(err.record_line, 1);
      cr_expect_str_eq(err.record_file, "2.csv");
      cr_expect_eq(result.status, TM_STATUS_EXPECTATION);
      cr_expect(sink.committed == 0 && sink.thrown == 1);
    }
    ends_sink_clear(&sink);
    ends_sink_clear(&refused);
  }
}

Test(run, on_error_skip_counts_and_goes_on) {
  graph_begin(2);
  uint32_t at = graph_add(TM_ROLE_SOURCE, "csv",
                          V_TABLE(&arena, {"path", v_text("in.csv")}, {"schema", v_text(ENDS_DDL)},
                                  {"on_error", v_text("skip")}),
                          NULL, 0);
  at = graph_step("filter", filter_of(&raising, "n", may_raise, true), at);
  graph_sink(at);
  tm_plan *plan = graph_plan();
  ends_source source = small_source();
  ends_sink sink = {0};
  source.bad_every = 50;
  raise_from = 500;
  ends_set_source(plan, "in", &source);
  ends_set_sink(plan, "result", &sink);
  cr_expect_eq(run_with(plan, 2).code, TM_E_NONE);
  cr_expect_eq(sink.rows.count, 1000 - 20 - 50);
  cr_expect_eq(result.total.rejected, 70);
  raise_from = INT64_MAX;
  ends_sink_clear(&sink);
}

/* ---------------------------------------------------------------- other failures */

static void expect_failure(ends_source source, ends_sink sink, int code, const char *message,
                           const char *step) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    ends_source in = source;
    ends_sink out = sink, bad = {0};
    tm_plan *plan = row_wise_plan(workers, false);
    ends_set_source(plan, "in", &in);
    ends_set_sink(plan, "result", &out);
    ends_set_sink(plan, "bad", &bad);
    tm_error err = run_with(plan, workers);
    cr_expect_eq(err.code, code, "E%d %s", err.code, err.message);
    cr_expect_str_eq(err.message, message);
    cr_expect_str_eq(err.step, step);
    cr_expect_eq(result.status, TM_STATUS_FAILED);
    cr_expect(out.committed == out.publish_fails && bad.committed <= out.publish_fails);
    ends_sink_clear(&out);
    ends_sink_clear(&bad);
  }
}

Test(run, a_stage_that_fails_ends_the_run) {
  ends_source source = small_source();
  expect_failure(source, (ends_sink){.fail_at = 5}, TM_E_WRITE, "no space left", "result");
  expect_failure(source, (ends_sink){.seal_fails = true}, TM_E_WRITE, "cannot be sealed", "result");
  expect_failure(source, (ends_sink){.publish_fails = true}, TM_E_WRITE, "cannot be published",
                 "result");
  source.fail_at = 30;
  expect_failure(source, (ends_sink){0}, TM_E_READ, "cannot read morsel 29", "in");
}

static int started, stopped;

static int start_worker(void *host, uint32_t lane, void **out, tm_error *err) {
  if (host != NULL && lane == 2) return tm_fail(err, TM_E_SCRIPT, "lane 2 does not start");
  __atomic_add_fetch(&started, 1, __ATOMIC_RELAXED);
  *out = &started;
  return 0;
}

static void stop_worker(void *host, void *worker) {
  (void)host;
  cr_expect_eq(worker, &started);
  __atomic_add_fetch(&stopped, 1, __ATOMIC_RELAXED);
}

Test(run, workers_are_started_and_stopped) {
  for (int fails = 0; fails < 2; fails++) {
    started = stopped = 0;
    ends_source source = small_source();
    ends_sink sink = {0}, bad = {0};
    tm_plan *plan = row_wise_plan(4, false);
    filtering.worker = &started;
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    ends_set_sink(plan, "bad", &bad);
    tm_error err = run(plan, &(tm_run_options){.workers = 4, .worker_start = start_worker,
                                               .worker_stop = stop_worker,
                                               .host = fails ? &started : NULL});
    cr_expect_eq(err.code, fails ? TM_E_SCRIPT : TM_E_NONE);
    cr_expect_eq(started, fails ? 2 : 4);
    cr_expect_eq(stopped, started);
    cr_expect(filtering.seen_worker || fails);
    cr_expect_eq(sink.committed, !fails);
    ends_sink_clear(&sink);
    ends_sink_clear(&bad);
  }
}

/* ---------------------------------------------------------------- ends that come early */

/* An endless source that is told to stop. */
static tm_error run_endless(uint32_t workers, const tm_run_options *options, ends_sink *sink) {
  ends_source source = {.morsels = UINT64_MAX / 1000, .rows_each = 100, .keys = 3,
                        .batch_rows = 10, .pause_us = 100};
  graph_begin(workers);
  graph_sink(graph_csv("in.csv", ENDS_DDL, GRAPH_NONE));
  tm_plan *plan = graph_plan();
  ends_set_source(plan, "in", &source);
  ends_set_sink(plan, "result", sink);
  return run(plan, options);
}

Test(run, a_timeout_ends_the_run) {
  for (uint32_t workers = 1; workers <= 3; workers++) {
    ends_sink sink = {0};
    tm_error err = run_endless(
        workers, &(tm_run_options){.workers = workers, .timeout_us = 150 * 1000}, &sink);
    cr_expect_eq(err.code, TM_E_TIMEOUT);
    cr_expect_eq(result.status, TM_STATUS_FAILED);
    cr_expect_lt(result.seconds, 5);
    cr_expect_eq(sink.committed, 0);
    ends_sink_clear(&sink);
  }
}

static int cancel_flag;
static int progress_calls;
static uint64_t progress_rows;

static void cancel_after_progress(void *context, const tm_run_progress *progress) {
  (void)context;
  cr_expect_geq(progress->rows_in, progress_rows);
  progress_rows = progress->rows_in;
  if (++progress_calls == 2) __atomic_store_n(&cancel_flag, 15, __ATOMIC_RELEASE);
}

Test(run, a_cancel_ends_the_run) {
  for (uint32_t workers = 1; workers <= 3; workers++) {
    ends_sink sink = {0};
    cancel_flag = progress_calls = 0;
    progress_rows = 0;
    tm_error err = run_endless(workers,
                               &(tm_run_options){.workers = workers, .cancel = &cancel_flag,
                                                 .progress = cancel_after_progress},
                               &sink);
    cr_expect_eq(err.code, TM_E_INTERRUPTED);
    cr_expect_eq(result.status, TM_STATUS_INTERRUPTED);
    cr_expect_gt(progress_rows, 0);
    cr_expect_eq(sink.committed, 0);
    ends_sink_clear(&sink);
  }
}

/* Ends when the sink wants no more: with the rows that it has, and most of the source unread. */
Test(run, a_limit_stops_the_source_early) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    ends_source source = {.morsels = 100000, .rows_each = 20, .keys = 3, .batch_rows = 10};
    ends_sink sink = {0};
    graph_begin(workers);
    uint32_t at = graph_csv("in.csv", ENDS_DDL, GRAPH_NONE);
    at = graph_step("filter", filter_of(&filtering, "n", not_third, false), at);
    graph_sink(graph_step("limit", V_TABLE(&arena, {"n", v_int(55)}), at));
    tm_plan *plan = graph_plan();
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    cr_assert_eq(run_with(plan, workers).code, TM_E_NONE);
    cr_expect_lt(source.taken, 2000, "%llu morsels were read", (unsigned long long)source.taken);
    cr_assert_eq(sink.rows.count, 55);
    uint64_t row = 0;
    for (size_t i = 0; i < 55; i++, row++) {
      while (row % 3 == 0) row++;
      cr_assert_eq(strtoull(sink.rows.texts[i], NULL, 10), row);
    }
    cr_expect_eq(sink.committed, 1);
    ends_sink_clear(&sink);
  }
}

Test(run, a_reader_that_goes_ends_the_run_well) {
  for (uint32_t workers = 1; workers <= 3; workers++) {
    ends_source source = {.morsels = 100000, .rows_each = 20, .keys = 3, .batch_rows = 10};
    ends_sink sink = {.finish_at = 4};
    graph_begin(workers);
    graph_sink(graph_csv("in.csv", ENDS_DDL, GRAPH_NONE));
    tm_plan *plan = graph_plan();
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    cr_assert_eq(run_with(plan, workers).code, TM_E_NONE);
    cr_expect_lt(source.taken, 2000);
    cr_expect_eq(sink.batches, 4);
    cr_expect(result.unread);
    ends_sink_clear(&sink);
  }
}

/* ---------------------------------------------------------------- bounds */

/* A sink that is slow holds the source back: memory stays that of some queues. */
Test(run, a_slow_sink_holds_the_source_back) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    ends_source source = {.morsels = 400, .rows_each = 1000, .keys = 3, .batch_rows = 500};
    ends_sink sink = {.pause_us = 200};
    graph_begin(workers);
    graph_sink(graph_csv("in.csv", ENDS_DDL, GRAPH_NONE));
    tm_plan *plan = graph_plan();
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    tm_budget *job = tm_budget_create(NULL, "run", 0);
    tm_error err = {0};
    tm_run_options options = {.workers = workers, .timeout_us = LONG_US};
    cr_assert_eq(tm_run_plan(plan, job, &options, &result, &err), 0, "%s", err.message);
    uint64_t all = 400000 * 3 * 8, batch = 64 * 1024 + 2000;
    cr_expect_lt(tm_budget_peak(job), workers * 45 * batch, "%llu bytes with %u workers",
                 (unsigned long long)tm_budget_peak(job), workers);
    cr_expect_lt(tm_budget_peak(job), all * 2);
    cr_expect_eq(sink.rows.count, 400000);
    cr_expect_eq(tm_budget_used(job), 0);
    tm_budget_destroy(job);
    ends_sink_clear(&sink);
  }
}

/* Every request for memory may be refused: the run ends, says so, and gives everything back. */
Test(run, no_memory_is_told_wherever_it_is_missing) {
  int refused = 0;
  for (uint64_t n = 1, quiet = 0; quiet < 4; n += 1 + n / 40) {
    ends_source source = {.morsels = 4, .rows_each = 10, .keys = 3, .batch_rows = 4,
                          .bad_every = 9};
    ends_sink sink = {0}, bad = {0};
    tm_plan *plan = row_wise_plan(1, true);
    ends_set_source(plan, "in", &source);
    ends_set_sink(plan, "result", &sink);
    ends_set_sink(plan, "bad", &bad);
    tm_memory_fail_at(n);
    tm_error err = run(plan, &(tm_run_options){.workers = 1});
    tm_memory_fail_at(0);
    cr_assert(err.code == TM_E_NONE || err.code == TM_E_MEMORY, "E%d %s", err.code, err.message);
    quiet = err.code == TM_E_NONE ? quiet + 1 : 0;
    refused += err.code == TM_E_MEMORY;
    cr_expect_eq(sink.committed, err.code == TM_E_NONE);
    ends_sink_clear(&sink);
    ends_sink_clear(&bad);
  }
  cr_expect_gt(refused, 20);
}
