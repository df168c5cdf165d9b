/* tests/io/source_files_test.c: paths, lists, globs, dates and folders that are columns. */
#include "io/source_files.h"

#include "tests/io/scratch.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

static void begin(void) {
  setup();
  scratch_setup();
}
static void end(void) {
  scratch_teardown();
  teardown();
}
TestSuite(source_files, .init = begin, .fini = end);

static int find(tm_value path, tm_source_files *out) {
  tm_error err = {0};
  return tm_source_files_find(&arena, &path, "2026-03-14", out, &err) < 0 ? err.code : 0;
}

Test(source_files, lists_and_globs_are_sorted_and_each_comes_once) {
  scratch_text("b.csv", "");
  scratch_text("a.csv", "x");
  scratch_text("c.txt", "");
  tm_source_files files;
  tm_value list = V_LIST(&arena, v_text(scratch_path("b.csv")), v_text(scratch_path("*.csv")),
                         v_text(scratch_path("c.txt")));
  cr_assert_eq(find(list, &files), 0);
  cr_assert_eq(files.count, 3);
  cr_expect_str_eq(files.items[0].path, scratch_path("a.csv"));
  cr_expect_eq(files.items[0].size, 1);
  cr_expect_str_eq(files.items[2].path, scratch_path("c.txt"));
}

Test(source_files, dates) {
  scratch_text("dt=2026-03-14/x.csv", "");
  tm_source_files files;
  cr_assert_eq(find(v_text(scratch_path("dt={date}/*.csv")), &files), 0);
  cr_expect_eq(files.count, 1);
  cr_expect_str_eq(tm_source_files_date(&arena, "a/{date}-{date}.csv", "2026-01-02"),
                   "a/2026-01-02-2026-01-02.csv");
  cr_expect_str_eq(tm_source_files_date(&arena, "a{date", "2026-01-02"), "a{date");
}

Test(source_files, what_is_wrong) {
  tm_source_files files;
  cr_expect_eq(find(v_text(scratch_path("nowhere.csv")), &files), TM_E_MISSING);
  cr_expect_eq(find(v_text(scratch_path("*.csv")), &files), TM_E_MISSING);
  cr_expect_eq(find(v_text(scratch_folder), &files), TM_E_READ);
  cr_expect_eq(find(v_text(""), &files), TM_E_VALUE);
  cr_expect_eq(find(v_nil(), &files), TM_E_VALUE);
  cr_expect_eq(find(v_int(5), &files), TM_E_VALUE);
  cr_expect_eq(find(V_LIST(&arena, v_int(5)), &files), TM_E_VALUE);
}

Test(source_files, a_name_with_wildcards_is_itself) {
  scratch_text("a[1].csv", "");
  tm_source_files files;
  cr_assert_eq(find(v_text(scratch_path("a[1].csv")), &files), 0);
  cr_expect_eq(files.count, 1);
}

Test(source_files, standard_input) {
  tm_source_files files;
  cr_assert_eq(find(v_text("-"), &files), 0);
  cr_expect_str_eq(files.items[0].name, "stdin");
}

static const char *partition(const char *path, const char *name, bool *found) {
  return tm_source_files_partition(&arena, path, name, found);
}

Test(source_files, folders_that_are_columns) {
  bool found;
  cr_expect_str_eq(partition("in/dt=2026-01-02/x.csv", "dt", &found), "2026-01-02");
  cr_expect(found);
  cr_expect_str_eq(partition("dt=a%2Fb%20c/k=/x", "dt", &found), "a/b c");
  cr_expect_str_eq(partition("dt=a/k=/x", "k", &found), "");
  cr_expect_null(partition("dt=__HIVE_DEFAULT_PARTITION__/x", "dt", &found));
  cr_expect(found);
  cr_expect_null(partition("in/x.csv", "dt", &found));
  cr_expect_not(found);
  partition("in/dt=x.csv", "dt", &found);
  cr_expect_not(found, "the file's own name is no folder");
  cr_expect_str_eq(partition("mydt=1/dt=2/x", "dt", &found), "2");
  cr_expect_str_eq(partition("dt=%zz%4/x", "dt", &found), "%zz%4");
}
