/* tests/connector/live_test.c: growing files and connections as rows: what is refused, who
 * delivers, how a partition ends, how it drains. */
#include <criterion/criterion.h>

#include "base/env.h"
#include "base/log.h"
#include "tests/io/scratch.h"
#include "tests/io/socket.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

static char said[1000];

static void keep(void *context, tm_log_level level, const char *text) {
  (void)context, (void)level;
  snprintf(said, sizeof said, "%s", text);
}

static void begin(void) {
  setup();
  scratch_setup();
  tm_log_configure(TM_LOG_WARNING, keep, NULL);
}
static void end(void) {
  scratch_teardown();
  teardown();
}
TestSuite(live, .init = begin, .fini = end, .timeout = 60);

/* ---------------------------------------------------------------- a driver */

static tm_bind bound;
static void *shared, *selves[2];
static tm_ledger ledgers[2];
static int draining, wakes;
static int64_t asked_us;

static void wake(void *waker) {
  (void)waker;
  __atomic_add_fetch(&wakes, 1, __ATOMIC_RELEASE);
}
static void wake_at(void *waker, int64_t monotonic_us) {
  (void)waker;
  asked_us = monotonic_us;
}

static uint32_t batch_rows = 100;

static int bind_it(const char *verb, tm_value options, tm_error *err) {
  harness_case c = {.verb = verb, .options = options, .stream = true, .ordinals = true};
  return harness_bind(&c, &arena, batch_rows, &bound, err);
}

static void open_again(void) {
  tm_error err = {0};
  cr_assert_eq(bound.stage->share(&bound, 2, budget, &shared, &err), 0, "%s", err.message);
  for (uint32_t i = 0; i < 2; i++) {
    tm_stage_env env = {.bind = &bound, .budget = budget, .lane = i, .lanes = 2, .shared = shared,
                        .ledger = &ledgers[i], .draining = &draining, .wake = wake,
                        .wake_at = wake_at};
    cr_assert_eq(bound.stage->open(&env, &selves[i], &err), 0);
  }
}

static void open_it(const char *verb, tm_value options) {
  tm_error err = {0};
  cr_assert_eq(bind_it(verb, options, &err), 0, "%s", err.message);
  open_again();
}

static void close_it(void) {
  for (int i = 0; i < 2; i++) bound.stage->close(selves[i]);
  bound.stage->unshare(shared);
}

/* Appends what a lane gives: rows, "partition ends;", "!message;" of a refused row. */
static char given[8000];

static tm_flow resume(int lane) {
  tm_out out = tm_out_make(&arena);
  tm_error err = {0};
  tm_flow flow = bound.stage->resume(selves[lane], &out, &err);
  cr_assert_neq(flow, TM_FLOW_FAILED, "%s", err.message);
  for (uint32_t i = 0; out.main != NULL && i < out.main->selected; i++) {
    char *row = rows_text(out.main, tm_batch_row(out.main, i), NULL);
    sprintf(given + strlen(given), "%u:%s;", out.main->origin.file_index, row);
    free(row);
  }
  if (out.main != NULL && out.main->ends_partition) {
    sprintf(given + strlen(given), "%u ends;", out.main->origin.file_index);
  }
  for (uint32_t i = 0; i < out.reject_count; i++) {
    sprintf(given + strlen(given), "!%s;", out.rejects[i].message);
  }
  tm_batch_release(out.main);
  return flow;
}

/* Until the text is there, ten seconds at most; *flow is the last word. */
static void expect(const char *text) {
  int64_t limit_us = tm_env_get()->monotonic_us() + 10 * 1000 * 1000;
  while (strcmp(given, text) != 0 && tm_env_get()->monotonic_us() < limit_us) {
    int before = __atomic_load_n(&wakes, __ATOMIC_ACQUIRE);
    tm_flow flow = resume(0);
    if (flow == TM_FLOW_FINISHED) break;
    if (flow != TM_FLOW_BLOCKED) continue;
    for (int i = 0; i < 100 && __atomic_load_n(&wakes, __ATOMIC_ACQUIRE) == before; i++) {
      tm_env_get()->sleep_us(200);
    }
  }
  cr_expect_str_eq(given, text);
  given[0] = '\0';
}

/* ---------------------------------------------------------------- tail */

Test(live, one_lane_gives_what_files_get) {
  scratch_text("a.csv", "id,s\n1,x\nbad\n2,y\n");
  open_it("tail", V_TABLE(&arena, {"path", v_text(scratch_path("*.csv"))},
                          {"format", v_text("csv")}, {"schema", v_text("id int64, s string")}));
  cr_expect_not(bound.facts_out.bounded);
  cr_expect(bound.facts_out.live);
  cr_expect_eq(resume(1), TM_FLOW_FINISHED, "the other lane gives nothing");
  expect("!1 field, not 2;0:1|'x';0:2|'y';");
  cr_expect_eq(resume(0), TM_FLOW_BLOCKED);
  cr_expect_gt(asked_us, tm_env_get()->monotonic_us() - 1000);
  scratch_text("b.csv", "s,id\nz,3\n");
  expect("0:3|'z';");
  cr_expect_eq(resume(0), TM_FLOW_BLOCKED);
  draining = 1;
  cr_expect_eq(resume(0), TM_FLOW_FINISHED);
  close_it();
}

Test(live, each_file_is_a_partition_if_it_is_to_be) {
  scratch_text("a.log", "1\n");
  scratch_text("b.log", "2\n");
  open_it("tail", V_TABLE(&arena, {"path", v_text(scratch_path("*.log"))},
                          {"format", v_text("lines")}, {"partitions", v_text("files")}));
  expect("0:'1';1:'2';");
  close_it();
}

Test(live, columns_are_sniffed_where_a_file_is_there) {
  scratch_text("a.csv", "id,s\n1,x\n");
  open_it("tail", V_TABLE(&arena, {"path", v_text(scratch_path("a.csv"))},
                          {"format", v_text("csv")}));
  cr_expect_eq(bound.output->count, 2);
  expect("0:1|'x';");
  close_it();
}

/* Saved, closed, and opened with that. */
static void survive(void (*meanwhile)(void)) {
  tm_error err = {0};
  tm_bytes saved[2];
  for (int i = 0; i < 2; i++) {
    tm_bytes_init(&saved[i], budget);
    cr_assert_eq(bound.stage->save(selves[i], &saved[i], &err), 0, "%s", err.message);
  }
  close_it();
  if (meanwhile != NULL) meanwhile();
  open_again();
  for (int i = 0; i < 2; i++) {
    int done = bound.stage->restore(selves[i], saved[i].data, saved[i].size, &err);
    cr_assert_eq(done, 0, "%s", err.message);
    tm_bytes_deinit(&saved[i]);
  }
}

/* Before each call everything is saved and restored: no row is lost, none comes twice, and what
 * was refused is not refused again. */
Test(live, files_go_on_after_a_restore) {
  batch_rows = 2;
  scratch_text("a.csv", "id,s\n1,x\n2,\"y\nz\"\nbad\n3,x\n4,x\n5,x\n6,");
  scratch_text("b.csv", "s,id\np,7\nq,8\nr,9\n");
  open_it("tail", V_TABLE(&arena, {"path", v_text(scratch_path("*.csv"))},
                          {"format", v_text("csv")}, {"schema", v_text("id int64, s string")}));
  for (tm_flow flow = TM_FLOW_MORE; flow != TM_FLOW_BLOCKED; flow = resume(0)) survive(NULL);
  scratch_text("c.csv", "id,s\n10,v\n");
  FILE *file = fopen(scratch_path("a.csv"), "ab");
  fputs("w\n", file);
  fclose(file);
  survive(NULL);
  for (tm_flow flow = TM_FLOW_MORE; flow != TM_FLOW_BLOCKED; flow = resume(0)) survive(NULL);
  char rejected[100] = "", *at = strchr(given, '!');
  cr_assert_not_null(at);
  size_t size = (size_t)(strchr(at, ';') + 1 - at);
  memcpy(rejected, at, size);
  memmove(at, at + size, strlen(at + size) + 1);
  cr_expect_str_eq(rejected, "!1 field, not 2;");
  cr_expect_str_eq(given, "0:1|'x';0:2|'y\nz';0:3|'x';0:4|'x';0:5|'x';0:7|'p';0:8|'q';0:9|'r';"
                          "0:6|'w';0:10|'v';");
  close_it();
}

static void rotate(void) {
  FILE *file = fopen(scratch_path("a.log"), "ab");
  fputs("2\n", file);
  fclose(file);
  cr_assert_eq(rename(scratch_path("a.log"), scratch_path("a.log.1")), 0);
  scratch_text("a.log", "3\n");
}

static void rewrite(void) { scratch_text("a.log", "another\n"); }

Test(live, files_that_changed_while_nobody_looked) {
  tm_value options = V_TABLE(&arena, {"path", v_text(scratch_path("a.log"))},
                             {"format", v_text("lines")});
  scratch_text("a.log", "1\n");
  open_it("tail", options);
  expect("0:'1';");
  survive(rotate);
  expect("0:'2';0:'3';");
  survive(rewrite);
  expect("0:'another';");
  cr_expect(strstr(said, "a.log is not the file that it was: what it held behind byte 2 is lost"),
            "%s", said);
  close_it();
}

Test(live, damaged_states_are_refused) {
  tm_error err = {0};
  tm_bytes saved;
  scratch_text("a.log", "1\n2\n");
  open_it("tail", V_TABLE(&arena, {"path", v_text(scratch_path("a.log"))},
                          {"format", v_text("lines")}));
  expect("0:'1';0:'2';");
  tm_bytes_init(&saved, budget);
  cr_assert_eq(bound.stage->save(selves[0], &saved, &err), 0);
  for (size_t size = 0; size < saved.size; size++) {
    tm_error failure = {0};
    close_it();
    open_again();
    cr_expect_eq(bound.stage->restore(selves[0], saved.data, size, &failure), -1, "%zu", size);
    cr_expect_eq(failure.code, TM_E_LOCKED, "%s", failure.message);
  }
  tm_bytes_deinit(&saved);
  close_it();
}

/* ---------------------------------------------------------------- tcp */

Test(live, connections_end_with_the_run_that_had_them) {
  open_it("tcp", V_TABLE(&arena, {"listen", v_text("127.0.0.1:0")}, {"format", v_text("lines")}));
  int a = socket_connect(socket_port_of(said)), b = socket_connect(socket_port_of(said));
  socket_say(a, "1\n");
  expect("0:'1';");
  socket_say(b, "2\n");
  expect("1:'2';");
  close(a);
  expect("0 ends;");
  survive(NULL);
  survive(NULL);
  expect("1 ends;");
  int c = socket_connect(socket_port_of(said));
  socket_say(c, "3\n");
  expect("0:'3';");
  close(b);
  close(c);
  close_it();
}

Test(live, connections_are_partitions_that_end) {
  open_it("tcp", V_TABLE(&arena, {"listen", v_text("127.0.0.1:0")}, {"format", v_text("csv")},
                         {"schema", v_text("id int64, s string")}));
  cr_expect_eq(strncmp(said, "listening on 127.0.0.1:", 23), 0, "%s", said);
  int port = socket_port_of(said);
  cr_expect_eq(resume(1), TM_FLOW_FINISHED);
  cr_expect_eq(resume(0), TM_FLOW_BLOCKED);
  int a = socket_connect(port);
  socket_say(a, "id,s\n1,x\n");
  expect("0:1|'x';");
  int b = socket_connect(port);
  socket_say(b, "id,s\n2,y\nthree,z\n4,w\n");
  expect("1:2|'y';1:4|'w';!'three' is no int64, in column 'id';");
  close(a);
  expect("0 ends;");
  socket_say(b, "5,v\n");
  expect("1:5|'v';");
  int c = socket_connect(port);
  socket_say(c, "no,such\n");
  char name[4];
  cr_expect_eq(socket_hear(c, name, 4), 0);
  while (given[0] == '\0') resume(0);
  cr_expect(strncmp(given, "0 ends;!tcp 127.0.0.1:", 22) == 0, "%s", given);
  close(b);
  close(c);
  close_it();
}

Test(live, what_came_is_let_out_when_it_is_to_end) {
  open_it("tcp", V_TABLE(&arena, {"listen", v_text("127.0.0.1:0")}, {"format", v_text("lines")}));
  int a = socket_connect(socket_port_of(said));
  socket_say(a, "1\n2\n");
  tm_env_get()->sleep_us(100 * 1000);
  draining = 1;
  expect("0:'1';0:'2';");
  cr_expect_eq(resume(0), TM_FLOW_FINISHED);
  close(a);
  close_it();
}

/* ---------------------------------------------------------------- bind */

static int code(const char *verb, tm_value options) {
  tm_error err = {0};
  return bind_it(verb, options, &err) < 0 ? err.code : 0;
}

#define FORMAT {"format", v_text("jsonl")}
#define SCHEMA {"schema", v_text("id int64")}

Test(live, what_is_refused) {
  tm_pair path = {"path", v_text(scratch_path("none"))};
  tm_pair listen = {"listen", v_text("127.0.0.1:0")};
  cr_expect_eq(code("tail", V_TABLE(&arena, path, FORMAT, SCHEMA)), 0);
  cr_expect_eq(code("tail", V_TABLE(&arena, path, FORMAT)), TM_E_SCHEMA);
  cr_expect_eq(code("tail", V_TABLE(&arena, path, SCHEMA)), TM_E_VALUE);
  cr_expect_eq(code("tail", V_TABLE(&arena, FORMAT, SCHEMA)), TM_E_VALUE);
  cr_expect_eq(code("tail", V_TABLE(&arena, path, SCHEMA, {"format", v_text("xml")})), TM_E_VALUE);
  cr_expect_eq(code("tail", V_TABLE(&arena, path, FORMAT, SCHEMA, {"from", v_text("middle")})),
               TM_E_VALUE);
  cr_expect_eq(code("tail", V_TABLE(&arena, path, FORMAT, SCHEMA, {"delimiter", v_text(";")})),
               TM_E_OPTION);
  cr_expect_eq(code("tail", V_TABLE(&arena, path, FORMAT, SCHEMA, listen)), TM_E_OPTION);
  cr_expect_eq(code("tail", V_TABLE(&arena, FORMAT, SCHEMA, {"path", v_text("-")})), TM_E_VALUE);
  cr_expect_eq(code("tcp", V_TABLE(&arena, listen, FORMAT, SCHEMA)), 0);
  cr_expect_eq(code("tcp", V_TABLE(&arena, listen, FORMAT)), TM_E_SCHEMA);
  cr_expect_eq(code("tcp", V_TABLE(&arena, FORMAT, SCHEMA)), TM_E_VALUE);
  cr_expect_eq(code("tcp", V_TABLE(&arena, listen, FORMAT, SCHEMA,
                                   {"connect", v_text("127.0.0.1:1")})), TM_E_VALUE);
  cr_expect_eq(code("tcp", V_TABLE(&arena, FORMAT, SCHEMA, {"connect", v_text("127.0.0.1:0")})),
               TM_E_VALUE);
  cr_expect_eq(code("tcp", V_TABLE(&arena, FORMAT, SCHEMA, {"listen", v_text("9000")})),
               TM_E_VALUE);
  cr_expect_eq(code("tcp", V_TABLE(&arena, listen, FORMAT, SCHEMA, path)), TM_E_OPTION);
  harness_case c = {.verb = "tcp", .options = V_TABLE(&arena, listen, FORMAT, SCHEMA)};
  tm_error err = {0};
  cr_expect_eq(harness_bind(&c, &arena, 10, &bound, &err), -1, "a batch cannot read it");
  cr_expect_eq(err.code, TM_E_JOB);
}

/* Whatever runs out while it opens, it says so and leaves nothing behind. */
Test(live, opening_without_memory) {
  tm_error err = {0};
  cr_assert_eq(bind_it("tcp", V_TABLE(&arena, {"listen", v_text("127.0.0.1:0")}, FORMAT, SCHEMA),
                       &err), 0);
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
