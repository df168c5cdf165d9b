/* tests/connector/write_test.c: rows into files: whole when published, nothing before; discard. */
#include <criterion/criterion.h>

#include "tests/io/scratch.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

static void begin(void) {
  setup();
  scratch_setup();
}
static void end(void) {
  scratch_teardown();
  teardown();
}
TestSuite(write, .init = begin, .fini = end);

static tm_batch *table_of(const char *rows) {
  return rows_batch(budget, rows_schema(&arena, "a int64, s string"), rows);
}

/* Life of a sink over batches of one row; publishes or not. The nth request for memory fails. */
static int run_failing(const char *verb, tm_value options, const tm_batch *table, bool commit,
                       uint64_t nth, tm_error *err) {
  harness_case c = {.verb = verb, .role = TM_ROLE_SINK, .input_count = 1, .inputs = {table},
                    .options = options};
  tm_bind bind;
  if (harness_bind(&c, &arena, 10, &bind, err) < 0) return -1;
  const tm_stage *stage = bind.stage;
  tm_ledger ledger = {0};
  static const int draining = 0;
  tm_out out = tm_out_make(&arena);
  void *shared = NULL, *self = NULL;
  tm_batch *batches[16];
  for (uint32_t i = 0; i < table->rows; i++) {
    tm_batch *one = batches[i] = tm_batch_derive((tm_batch *)table, budget, table->schema);
    memcpy(one->columns, table->columns, table->schema->count * sizeof *one->columns);
    one->selection = tm_batch_alloc(one, sizeof *one->selection);
    one->selection[0] = i;
    one->selected = 1;
  }
  tm_memory_fail_at(nth);
  int done = stage->share(&bind, 1, budget, &shared, err);
  tm_stage_env env = {.bind = &bind, .budget = budget, .lanes = 1, .shared = shared,
                      .ledger = &ledger, .draining = &draining};
  if (done == 0) done = stage->open(&env, &self, err);
  for (uint32_t i = 0; i < table->rows; i++) {
    if (done < 0) tm_batch_release(batches[i]);
    else if (stage->push(self, 0, batches[i], &out, err) == TM_FLOW_FAILED) done = -1;
  }
  if (done == 0 && stage->finish(self, 0, &out, err) != TM_FLOW_FINISHED) done = -1;
  if (self != NULL) stage->close(self);
  if (done == 0 && commit) done = stage->seal(shared, err);
  if (shared != NULL) {
    if (stage->publish(shared, commit && done == 0, err) < 0) done = -1;
    stage->unshare(shared);
  }
  tm_memory_fail_at(0);
  return done;
}

static int run_sink(const char *verb, tm_value options, const tm_batch *table, bool commit,
                    tm_error *err) {
  return run_failing(verb, options, table, commit, 0, err);
}

static void expect_file(const char *name, const char *text) {
  char *got = scratch_read(name);
  if (text == NULL) {
    cr_expect_null(got, "%s is there", name);
  } else {
    cr_assert_not_null(got, "%s is not there", name);
    cr_expect_str_eq(got, text);
  }
  free(got);
}

Test(write, formats) {
  tm_batch *table = table_of("1|x\nnull|'a,b'\n");
  tm_error err = {0};
  cr_assert_eq(run_sink("csv", V_TABLE(&arena, {"path", v_text(scratch_path("new/a.csv"))}),
                        table, true, &err), 0, "%s", err.message);
  expect_file("new/a.csv", "a,s\n1,x\n,\"a,b\"\n");
  cr_assert_eq(run_sink("csv", V_TABLE(&arena, {"path", v_text(scratch_path("a.tsv"))}), table,
                        true, &err), 0);
  expect_file("a.tsv", "a\ts\n1\tx\n\ta,b\n");
  cr_assert_eq(run_sink("jsonl", V_TABLE(&arena, {"path", v_text(scratch_path("a.jsonl"))}),
                        table, true, &err), 0);
  expect_file("a.jsonl", "{\"a\":1,\"s\":\"x\"}\n{\"a\":null,\"s\":\"a,b\"}\n");
  cr_assert_eq(run_sink("csv", V_TABLE(&arena, {"path", v_text(scratch_path("{date}.csv"))}),
                        table, true, &err), 0);
  expect_file("2026-03-14.csv", "a,s\n1,x\n,\"a,b\"\n");
  tm_batch_release(table);
}

Test(write, nothing_appears_without_a_commit) {
  tm_batch *table = table_of("1|x\n");
  tm_error err = {0};
  scratch_text("old.csv", "old");
  cr_assert_eq(run_sink("csv", V_TABLE(&arena, {"path", v_text(scratch_path("a.csv"))}), table,
                        false, &err), 0);
  cr_assert_eq(run_sink("csv", V_TABLE(&arena, {"path", v_text(scratch_path("old.csv"))}), table,
                        false, &err), 0);
  expect_file("a.csv", NULL);
  expect_file("old.csv", "old");
  tm_batch_release(table);
}

Test(write, an_output_without_rows_is_there) {
  tm_batch *table = table_of("");
  tm_error err = {0};
  cr_assert_eq(run_sink("csv", V_TABLE(&arena, {"path", v_text(scratch_path("a.csv"))}), table,
                        true, &err), 0);
  expect_file("a.csv", "a,s\n");
  cr_assert_eq(run_sink("jsonl", V_TABLE(&arena, {"path", v_text(scratch_path("a.jsonl"))}),
                        table, true, &err), 0);
  expect_file("a.jsonl", "");
  tm_batch_release(table);
}

static int bind_code(const char *verb, tm_value options, const char *ddl) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, ddl), "");
  harness_case c = {.verb = verb, .role = TM_ROLE_SINK, .input_count = 1, .inputs = {table},
                    .options = options};
  tm_bind bind;
  tm_error err = {0};
  int code = harness_bind(&c, &arena, 10, &bind, &err) < 0 ? err.code : 0;
  tm_batch_release(table);
  return code;
}

Test(write, what_is_refused) {
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text("a")}), "a int64"), 0);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", V_LIST(&arena, v_text("a"))}),
                         "a int64"), TM_E_VALUE);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text("a")},
                                        {"partition", v_text("a")}), "a int64"), TM_E_UNSUPPORTED);
  cr_expect_eq(bind_code("lines", V_TABLE(&arena, {"path", v_text("a")}), "a int64"), TM_E_TYPE);
  cr_expect_eq(bind_code("lines", V_TABLE(&arena, {"path", v_text("a")}), "a string"), 0);
  cr_expect_eq(bind_code("stdout", V_TABLE(&arena, {"path", v_text("a")}), "a string"),
               TM_E_OPTION);
  cr_expect_eq(bind_code("stdout", v_nil(), "a string"), 0);
}

/* Every request for memory is refused once: an error, and nothing that was published. */
Test(write, without_memory_nothing_appears) {
  static const char *const verbs[] = {"csv", "jsonl", "msgpack"};
  tm_batch *table = table_of("1|x\n2|a text of more than twelve bytes\n");
  for (size_t v = 0; v < 3; v++) {
    static const char *const names[] = {"plain", "packed.gz", "packed.zst"};
    for (size_t n = 0; n < 3; n++) {
      bool failed = true;
      for (uint64_t nth = 1; failed; nth++) {
        tm_value options = V_TABLE(&arena, {"path", v_text(scratch_path(names[n]))});
        tm_error err = {0};
        unlink(scratch_path(names[n]));
        failed = run_failing(verbs[v], options, table, true, nth, &err) < 0;
        if (!failed) break;
        cr_assert_eq(err.code, TM_E_MEMORY, "%s", err.message);
        expect_file(names[n], NULL);
      }
    }
  }
  tm_batch_release(table);
}

Test(write, discard_takes_all) {
  tm_batch *table = table_of("1|x\n2|y\n");
  rows_list none = {0};
  harness_case c = {.verb = "discard", .role = TM_ROLE_SINK, .input_count = 1, .inputs = {table}};
  harness_check(&c, &(harness_expected){.rows = &none, .label = "discard"});
  tm_batch_release(table);
}
