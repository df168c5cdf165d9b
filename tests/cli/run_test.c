/* tests/cli/run_test.c: whole jobs in a world that fails: every request for memory, every system
 * call in its turn. Whatever fails, an output is the old file or the whole new one, the exit
 * status tells the truth, and nothing is left behind; a fault that goes by leaves no trace. */
#define _GNU_SOURCE /* nftw */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>

#include "base/env_virtual.h"
#include "cli/commands.h"
#include "tests/io/scratch.h"

static const char script[] =
    "local tm <const> = require 'tidemill'\n"
    "local rows = tm.csv { path = tm.param 'folder' .. '/in/*.csv',\n"
    "                      schema = 'id int64, name string, price decimal(8,2)',\n"
    "                      bad = tm.jsonl(tm.param 'folder' .. '/bad.jsonl') }\n"
    "local names = tm.rows { schema = 'name string, long string',\n"
    "  { name = 'a', long = 'Ada' }, { name = 'b', long = 'Bob' } }\n"
    "return tm.batch { name = 'job',\n"
    "  rows:filter(function(r) return r.id ~= 2 end)\n"
    "    :with { vm = { function(r) return ('%s-%d'):format(r.name, r.id) end, 'string' } }\n"
    "    :join(names, { on = 'name', kind = 'left' })\n"
    "    :sort { '-price', 'id' }\n"
    "    :to(tm.csv(tm.param 'folder' .. '/out/rows.csv')),\n"
    "  rows:group_by 'name':agg { tm.count(), tm.sum 'price', tm.median 'id' }\n"
    "    :to(tm.jsonl(tm.param 'folder' .. '/out/groups.jsonl')),\n"
    "}\n";
static const char rows_text[] = "id,name,price,vm,long\n4,b,9.99,b-4,Bob\n1,a,1.50,a-1,Ada\n"
                                "5,,0.25,nil-5,\n";
static const char old_text[] = "old\n";

static tm_cli_flags flags;

static void begin(void) {
  scratch_setup();
  scratch_text("in/a.csv", "id,name,price\n1,a,1.50\n2,a,2.50\nx,b,3.00\n");
  scratch_text("in/b.csv", "id,name,price\n4,b,9.99\n5,,0.25\n");
  static char path[200];
  strcpy(path, scratch_text("job.lua", script));
  flags = (tm_cli_flags){.scripts = {path}, .script_count = 1, .color = "never", .workers = 1,
                         .params = {{"folder", scratch_folder}}, .param_count = 1};
  int null = open("/dev/null", O_WRONLY); /* hundreds of messages */
  cr_assert_eq(dup2(null, 2), 2);
}
TestSuite(program, .init = begin, .fini = scratch_teardown);

/* What every run must leave: nothing but whole files. */
static void check_file(const char *name, const char *whole, bool succeeded, const char *what,
                       uint64_t nth) {
  char *text = scratch_read(name);
  if (succeeded) {
    cr_assert(text != NULL, "%s %llu: %s is missing", what, (unsigned long long)nth, name);
  }
  if (text != NULL) {
    bool fine = strncmp(text, whole, strlen(whole)) == 0 ||
                (!succeeded && strcmp(text, old_text) == 0);
    cr_assert(fine, "%s %llu: %s holds %s", what, (unsigned long long)nth, name, text);
  }
  free(text);
}

/* Deletes files and folders under out/; the number of those that are no outputs. */
static int strangers;
static int delete_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)info, (void)where;
  strangers += kind == FTW_F && strstr(path, ".tm-") != NULL;
  return remove(path);
}

static void clear(void) {
  strangers = 0;
  nftw(scratch_path("out"), delete_one, 8, FTW_DEPTH | FTW_PHYS);
  unlink(scratch_path("bad.jsonl"));
}

/* Takes the outputs away; no hidden file may lie beside them. */
static void check_leftovers(const char *what, uint64_t nth) {
  clear();
  cr_assert_eq(strangers, 0, "%s %llu left files behind", what, (unsigned long long)nth);
}

static void lay_old(uint64_t nth) {
  clear();
  if (nth % 2 == 1) scratch_text("out/rows.csv", old_text);
}

static void check_outputs(int status, const char *what, uint64_t nth) {
  cr_assert(status >= 0 && status <= 2, "%s %llu: exit %d", what, (unsigned long long)nth, status);
  check_file("out/rows.csv", rows_text, status == 0, what, nth);
  check_file("out/groups.jsonl", "{\"name\":\"a\",\"count\":2,", status == 0, what, nth);
  check_file("bad.jsonl", "{\"reason\":\"type\",", status == 0, what, nth);
}

Test(program, a_job_in_a_world_without_faults) {
  for (flags.workers = 1; flags.workers <= 3; flags.workers++) {
    lay_old(flags.workers);
    cr_assert_eq(tm_cli_run(&flags), 0);
    check_outputs(0, "workers", flags.workers);
    check_leftovers("workers", flags.workers);
  }
}

/* Steps through the requests; TM_TEST_LONG takes each of them. A Lua state that is refused collects
 * its garbage and asks again, so hundreds in a row may make no difference. */
static void sweep_memory(uint32_t workers, uint64_t stride) {
  flags.workers = workers;
  uint64_t fine = 0, failures = 0;
  for (uint64_t nth = 1; fine * stride < 1000; nth += stride) {
    lay_old(nth);
    tm_memory_fail_at(nth);
    int status = tm_cli_run(&flags);
    tm_memory_fail_at(0);
    check_outputs(status, "request", nth);
    check_leftovers("request", nth);
    fine = status == 0 ? fine + 1 : 0;
    failures += status != 0;
  }
  cr_assert_gt(failures, 8);
}

static uint64_t stride_of(uint64_t brief) { return getenv("TM_TEST_LONG") != NULL ? 1 : brief; }

Test(program, any_request_for_memory_may_fail) { sweep_memory(1, stride_of(11)); }
Test(program, any_request_for_memory_may_fail_with_three_workers) {
  sweep_memory(3, stride_of(23));
}

/* Every call of every kind, once or from then on. */
static void sweep_calls(int error, bool for_ever, uint64_t stride) {
  uint64_t most = 1;
  for (uint64_t nth = 1; nth <= most; nth += stride) {
    lay_old(nth);
    tm_env_virtual_start(INT64_C(1773450000000000), nth);
    tm_env_virtual_fail(TM_ENV_ANY, nth, error, for_ever);
    int status = tm_cli_run(&flags);
    most = tm_env_virtual_count(TM_ENV_ANY) > most ? tm_env_virtual_count(TM_ENV_ANY) : most;
    tm_env_virtual_end();
    check_outputs(status, "call", nth);
    if (!for_ever) {
      lay_old(nth);
      cr_assert_eq(tm_cli_run(&flags), 0);
      check_outputs(0, "after call", nth);
    }
  }
  cr_assert_gt(most, 30);
}

Test(program, any_call_may_fail_once) { sweep_calls(-EIO, false, stride_of(1)); }
Test(program, the_disk_may_be_full_from_any_call_on) { sweep_calls(-ENOSPC, true, stride_of(1)); }

Test(program, threads_that_cannot_start_fail_the_run) {
  for (uint64_t nth = 1; nth <= 3; nth++) {
    flags.workers = 3;
    lay_old(nth);
    tm_env_virtual_start(0, 1);
    tm_env_virtual_fail(TM_ENV_THREAD_CREATE, nth, -EAGAIN, true);
    cr_assert_eq(tm_cli_run(&flags), 1);
    tm_env_virtual_end();
    check_outputs(1, "thread", nth);
    check_leftovers("thread", nth);
  }
}

Test(program, short_reads_and_writes_make_no_difference) {
  for (size_t most = 1; most <= 64; most = most * 3 + 1) {
    lay_old(0);
    tm_env_virtual_start(0, 1);
    tm_env_virtual_short(most);
    cr_assert_eq(tm_cli_run(&flags), 0);
    tm_env_virtual_end();
    check_outputs(0, "bytes at a time", most);
  }
}

/* A budget of any size: the answer or E206, and nothing written. */
Test(program, any_budget_is_enough_or_says_so) {
  int fine = 0, refused = 0;
  for (uint64_t kib = 64; kib < 65536 && fine < 2; kib += kib / 4) {
    lay_old(kib);
    flags.memory_bytes = kib * 1024;
    int status = tm_cli_run(&flags);
    check_outputs(status, "KiB", kib);
    check_leftovers("KiB", kib);
    fine += status == 0;
    refused += status == 1;
  }
  cr_assert_geq(fine, 2);
  cr_assert_geq(refused, 3);
}
