/* tests/connector/scan_test.c: files as rows, in small blocks over several lanes, saved, restored,
 * closed, without memory. */
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
TestSuite(scan, .init = begin, .fini = end);

/* The stage with blocks of 64 bytes. */
static int bind_small(tm_bind *bind, tm_error *err) {
  tm_job_info *job = tm_arena_alloc(bind->arena, sizeof *job);
  *job = *bind->job;
  job->block_bytes = 64;
  bind->job = job;
  return tm_stage_find("csv", TM_ROLE_SOURCE)->bind(bind, err);
}

static tm_stage small;

static harness_case case_of(const char *verb, tm_value options) {
  small = *tm_stage_find("csv", TM_ROLE_SOURCE);
  small.bind = bind_small;
  return (harness_case){.verb = verb, .stage = &small, .options = options, .ordinals = true};
}

static char *make_csv(rows_list *rows, rows_list *rejects, const char *name, int first) {
  static char text[4000];
  char *at = text + sprintf(text, "id,name,x\n");
  int line = 2;
  for (int i = first; i < first + 40; i++) {
    char row[100];
    if (i % 9 == 4) {
      at += sprintf(at, "%d,bad\n", i);
      sprintf(row, "ragged|2 fields, not 3|%d|0|%d,bad", line, i);
      rows_list_add(rejects, strdup(row));
      line++;
    } else if (i % 9 == 7) {
      at += sprintf(at, "%d,\"two\n\"\"lines\"\"\",%d.5\n", i, i);
      sprintf(row, "%d|'two\n\"lines\"'|%d.5", i, i);
      rows_list_add(rows, strdup(row));
      line += 2;
    } else if (i % 11 == 3) {
      at += sprintf(at, "%d,n,x%d\n", i, i);
      sprintf(row, "type|'x%d' is no float64, in column 'x'|%d|0|%d,n,x%d", i, line, i, i);
      rows_list_add(rejects, strdup(row));
      line++;
    } else {
      at += sprintf(at, "%d,a name that is longer than twelve %d,\n", i, i);
      sprintf(row, "%d|'a name that is longer than twelve %d'|null", i, i);
      rows_list_add(rows, strdup(row));
      line++;
    }
  }
  scratch_text(name, text);
  return text;
}

Test(scan, csv_rows_and_rejects_whatever_the_lanes) {
  rows_list rows = {0}, rejects = {0};
  make_csv(&rows, &rejects, "a.csv", 0);
  make_csv(&rows, &rejects, "b.csv", 100);
  harness_case c = case_of("csv", V_TABLE(&arena, {"path", v_text(scratch_path("*.csv"))},
                                          {"schema", v_text("id int64, name string, x float64")}));
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "csv"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
}

Test(scan, one_lane_keeps_the_order) {
  rows_list rows = {0}, rejects = {0};
  make_csv(&rows, &rejects, "a.csv", 0);
  harness_case c = case_of("csv", V_TABLE(&arena, {"path", v_text(scratch_path("a.csv"))},
                                          {"schema", v_text("id int64, name string, x float64")}));
  for (uint32_t size = 1; size < 60; size += 13) {
    harness_result r = harness_run(&c, &(harness_mode){.lanes = 1, .batch_rows = size});
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    rows_list_expect(&r.rows, &rows, "in order");
    harness_result_clear(&r);
  }
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
}

Test(scan, json_lines_whatever_the_lanes) {
  static char text[8000];
  char *at = text;
  rows_list rows = {0}, rejects = {0};
  for (int i = 0; i < 60; i++) {
    char row[200];
    if (i % 10 == 3) {
      at += sprintf(at, "{\"id\":%d,\"s\":\n", i);
      sprintf(row, "json|the document ends too early|%d|0|{\"id\":%d,\"s\":", i + 1, i);
      rows_list_add(&rejects, strdup(row));
    } else {
      at += sprintf(at, "{\"id\":%d,\"u\":{\"s\":\"text number %d\"}}\n", i, i);
      sprintf(row, "%d|'text number %d'", i, i);
      rows_list_add(&rows, strdup(row));
    }
  }
  scratch_text("a.jsonl", text);
  harness_case c = case_of("jsonl", V_TABLE(&arena, {"path", v_text(scratch_path("a.jsonl"))},
                                            {"schema", v_text("id int64, s string 'u.s'")}));
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "jsonl"});
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
}

Test(scan, lines_and_message_pack) {
  rows_list rows = {0};
  static char text[2000];
  char *at = text, row[80];
  for (int i = 0; i < 40; i++) {
    at += sprintf(at, "line %d of the text\n", i);
    sprintf(row, "'line %d of the text'", i);
    rows_list_add(&rows, strdup(row));
  }
  scratch_text("a.txt", text);
  harness_case c = case_of("lines", V_TABLE(&arena, {"path", v_text(scratch_path("a.txt"))}));
  harness_sweep(&c, &(harness_expected){.rows = &rows, .label = "lines"});
  rows_list_clear(&rows);
  uint8_t bytes[400], *to = bytes;
  for (int i = 0; i < 100; i++) {
    *to++ = 0x81;
    *to++ = 0xa1;
    *to++ = 'a';
    *to++ = (uint8_t)i;
    sprintf(row, "%d", i);
    rows_list_add(&rows, strdup(row));
  }
  scratch_write("a.msgpack", bytes, sizeof bytes);
  c = case_of("msgpack", V_TABLE(&arena, {"path", v_text(scratch_path("a.msgpack"))},
                                 {"schema", v_text("a int64")}));
  harness_sweep(&c, &(harness_expected){.rows = &rows, .label = "msgpack"});
  rows_list_clear(&rows);
}

Test(scan, folders_give_columns) {
  scratch_text("in/dt=2026-01-01/k=x/a.csv", "v\n1\n2\n");
  scratch_text("in/dt=2026-01-02/k=__HIVE_DEFAULT_PARTITION__/a.csv", "v\n3\n");
  rows_list rows = {0};
  rows_list_add(&rows, strdup("1|20454|'x'"));
  rows_list_add(&rows, strdup("2|20454|'x'"));
  rows_list_add(&rows, strdup("3|20455|null"));
  harness_case c = case_of("csv", V_TABLE(&arena, {"path", v_text(scratch_path("in/*/*/*.csv"))},
                                          {"schema", v_text("v int64, dt date")},
                                          {"partition",
                                           V_LIST(&arena, v_text("dt"), v_text("k"))}));
  harness_check(&c, &(harness_expected){.rows = &rows, .label = "folders"});
  c.options = V_TABLE(&arena, {"path", v_text(scratch_path("in/*/*/*.csv"))},
                      {"partition", v_text("dt")});
  rows_list_clear(&rows);
  rows_list_add(&rows, strdup("1|'2026-01-01'"));
  rows_list_add(&rows, strdup("2|'2026-01-01'"));
  rows_list_add(&rows, strdup("3|'2026-01-02'"));
  harness_check(&c, &(harness_expected){.rows = &rows, .label = "one folder, sniffed"});
  rows_list_clear(&rows);
}

Test(scan, only_needed_columns_are_made) {
  scratch_text("a.csv", "a,b,c\n1,x,2\n3,y,4\n");
  rows_list rows = {0};
  rows_list_add(&rows, strdup("-|-|2"));
  rows_list_add(&rows, strdup("-|-|4"));
  harness_case c = case_of("csv", V_TABLE(&arena, {"path", v_text(scratch_path("a.csv"))}));
  c.needed = "c";
  harness_check(&c, &(harness_expected){.rows = &rows, .label = "needed"});
  rows_list_clear(&rows);
}

Test(scan, a_schema_is_sniffed_at_bind) {
  scratch_text("a.csv", "id;name;at\n1;x;2026-01-01\n");
  harness_case c = case_of("csv", V_TABLE(&arena, {"path", v_text(scratch_path("a.csv"))}));
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(tm_schema_text(&arena, bind.output), "id int64, name string, at date");
  cr_expect_gt(bind.rows_estimate, 0);
  cr_expect(bind.rejects);
}

static int bind_code(const char *verb, tm_value options) {
  harness_case c = case_of(verb, options);
  tm_bind bind;
  tm_error err = {0};
  return harness_bind(&c, &arena, 100, &bind, &err) < 0 ? err.code : 0;
}

Test(scan, what_bind_refuses) {
  const char *path = scratch_text("a.csv", "a\n1\n");
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)})), 0);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"delimeter", v_text(";")})), TM_E_OPTION);
  cr_expect_eq(bind_code("jsonl", V_TABLE(&arena, {"path", v_text(path)},
                                          {"header", v_bool(true)})), TM_E_OPTION);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"header", v_text("yes")})), TM_E_VALUE);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"schema", v_text("a int65")})), TM_E_SCHEMA);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"on_error", v_text("ignore")})), TM_E_VALUE);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"max_bad", v_text("lots")})), TM_E_VALUE);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"max_bad", v_text("101%")})), TM_E_VALUE);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"max_bad", v_text("0.1%")})), 0);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)},
                                        {"time", V_TABLE(&arena, {"field", v_text("a")})})), 0);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(path)}, {"time", v_bool(true)})),
               TM_E_VALUE);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(scratch_path("no.csv"))})),
               TM_E_MISSING);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(scratch_folder)})), TM_E_READ);
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(scratch_text("empty.csv", ""))})),
               TM_E_FORMAT);
  /* With a schema, files are met only by the run. */
  cr_expect_eq(bind_code("csv", V_TABLE(&arena, {"path", v_text(scratch_path("no.csv"))},
                                        {"schema", v_text("a int64")})), 0);
}

static int run_code(const char *verb, tm_value options) {
  harness_case c = case_of(verb, options);
  harness_result r = harness_run(&c, &(harness_mode){.lanes = 2, .batch_rows = 3});
  int code = r.err.code;
  harness_result_clear(&r);
  return code;
}

Test(scan, what_a_run_refuses) {
  tm_value schema = v_text("a int64");
  cr_expect_eq(run_code("csv", V_TABLE(&arena, {"path", v_text(scratch_path("no.csv"))},
                                       {"schema", schema})), TM_E_MISSING);
  cr_expect_eq(run_code("csv", V_TABLE(&arena, {"path", v_text(scratch_text("b.csv", "b\n1\n"))},
                                       {"schema", schema})), TM_E_FORMAT);
  cr_expect_eq(run_code("msgpack", V_TABLE(&arena, {"path", v_text(scratch_path("b.csv"))},
                                           {"schema", schema})), TM_E_FORMAT);
  scratch_text("in/a.csv", "a\n1\n");
  cr_expect_eq(run_code("csv", V_TABLE(&arena, {"path", v_text(scratch_path("in/a.csv"))},
                                       {"schema", schema}, {"partition", v_text("dt")})),
                                           TM_E_FORMAT);
  scratch_write("cut.csv.gz", "\x1f\x8b\x08\0\0\0\0\0\0\3K", 11);
  cr_expect_eq(run_code("csv", V_TABLE(&arena, {"path", v_text(scratch_path("cut.csv.gz"))},
                                       {"schema", schema})), TM_E_CORRUPT);
}
