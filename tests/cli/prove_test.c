/* tests/cli/prove_test.c: tidemill prove in a world that fails: whatever does, it never says that
 * batch and stream are equal when it did not see both, writes nothing of the script's, and leaves
 * nothing in the temporary folder. */
#define _GNU_SOURCE /* nftw */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>

#include "base/env_virtual.h"
#include "cli/commands.h"
#include "tests/io/scratch.h"

static const char script[] =
    "local tm <const> = require 'tidemill'\n"
    "local rows = tm.csv { path = tm.param 'folder' .. '/in.csv',\n"
    "  schema = 'id int64, at timestamp, name string',\n"
    "  time = { field = 'at', out_of_order = '2s' },\n"
    "  bad = tm.jsonl(tm.param 'folder' .. '/bad.jsonl') }\n"
    "return tm.batch { name = 'job',\n"
    "  rows:group_by 'name':agg { tm.count(), tm.sum 'id' }\n"
    "    :to(tm.csv(tm.param 'folder' .. '/out/groups.csv')),\n"
    "  rows:limit(tm.param('most', 100)):to(tm.stdout()),\n"
    "}\n";

static tm_cli_flags flags;

static void begin(void) {
  scratch_setup();
  scratch_text("in.csv", "id,at,name\n1,2026-03-14 10:00:01,a\n2,2026-03-14 10:00:03,b\n"
                         "3,2026-03-14 10:00:02,a\nx,2026-03-14 10:00:02,a\n"
                         "4,2026-03-14 10:00:09,b\n5,2026-03-14 10:00:08,c\n");
  static char path[200];
  strcpy(path, scratch_text("job.lua", script));
  flags = (tm_cli_flags){.scripts = {path}, .script_count = 1, .color = "never", .orders = 2,
                         .params = {{"folder", scratch_folder}}, .param_count = 1};
  cr_assert_eq(mkdir(scratch_path("tmp"), 0777), 0);
  cr_assert_eq(setenv("TMPDIR", scratch_path("tmp"), 1), 0);
  int null = open("/dev/null", O_WRONLY); /* hundreds of messages */
  cr_assert_eq(dup2(null, 1), 1);
  cr_assert_eq(dup2(null, 2), 2);
}
TestSuite(prove, .init = begin, .fini = scratch_teardown);

static int left;
static int delete_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)info, (void)kind;
  if (where->level == 0) return 0;
  left++;
  return remove(path);
}

/* Files and folders below the temporary folder, which are taken away. */
static int leftovers(void) {
  left = 0;
  nftw(scratch_path("tmp"), delete_one, 8, FTW_DEPTH | FTW_PHYS);
  return left;
}

static void check_scratch(const char *what, uint64_t nth) {
  struct stat info;
  cr_assert_neq(stat(scratch_path("out"), &info), 0, "%s %llu: out/ was made", what,
                (unsigned long long)nth);
  cr_assert_neq(stat(scratch_path("bad.jsonl"), &info), 0, "%s %llu: bad.jsonl was made", what,
                (unsigned long long)nth);
}

Test(prove, equal_and_not) {
  cr_expect_eq(tm_cli_prove(&flags), 0);
  flags.params[flags.param_count++] = (tm_script_param){"most", "2"};
  cr_expect_eq(tm_cli_prove(&flags), 3, "the first two rows are others in another order");
  cr_expect_eq(leftovers(), 0);
  check_scratch("run", 0);
}

Test(prove, any_request_for_memory_may_fail) {
  uint64_t stride = getenv("TM_TEST_LONG") != NULL ? 7 : 97, fine = 0, failures = 0;
  for (uint64_t nth = 1; fine * stride < 2000; nth += stride) {
    tm_memory_fail_at(nth);
    int status = tm_cli_prove(&flags);
    tm_memory_fail_at(0);
    cr_assert(status >= 0 && status <= 2, "request %llu: exit %d", (unsigned long long)nth, status);
    cr_assert_eq(leftovers(), 0, "request %llu leaves files", (unsigned long long)nth);
    check_scratch("request", nth);
    fine = status == 0 ? fine + 1 : 0;
    failures += status != 0;
  }
  cr_assert_gt(failures, 8);
}

/* A call that fails may be the one that takes files away, so some may be left. */
Test(prove, any_call_may_fail_once) {
  uint64_t stride = getenv("TM_TEST_LONG") != NULL ? 1 : 5, most = 1, failures = 0;
  for (uint64_t nth = 1; nth <= most; nth += stride) {
    tm_env_virtual_start(INT64_C(1773450000000000), nth);
    tm_env_virtual_fail(TM_ENV_ANY, nth, -EIO, false);
    int status = tm_cli_prove(&flags);
    uint64_t calls = tm_env_virtual_count(TM_ENV_ANY);
    most = calls > most ? calls : most;
    tm_env_virtual_end();
    cr_assert(status >= 0 && status <= 2, "call %llu: exit %d", (unsigned long long)nth, status);
    check_scratch("call", nth);
    leftovers();
    failures += status != 0;
  }
  cr_assert_gt(failures, 8);
}
