/* A file is the old one or the whole new one, whatever fails and whenever the process dies. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/env_virtual.h"
#include "store/durable_write.h"

static char folder[64];
static tm_budget *budget;
static tm_error err;

static void enter(void) {
  strcpy(folder, "/tmp/tm-durable-XXXXXX");
  cr_assert_not_null(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
  budget = tm_budget_create(NULL, "durable", 0);
  err = (tm_error){0};
}

static void leave(void) {
  char command[128];
  tm_env_virtual_end();
  tm_budget_destroy(budget);
  snprintf(command, sizeof command, "rm -rf %s", folder);
  cr_assert_eq(system(command), 0);
}

TestSuite(durable_write, .init = enter, .fini = leave);

static tm_durable_write *open_one(const char *path) {
  tm_durable_write *writer;
  cr_assert_eq(tm_durable_write_open(&writer, budget, path, &err), 0, "%s", err.message);
  return writer;
}

static void write_text(tm_durable_write *writer, const char *text) {
  cr_assert_eq(tm_durable_write_write(writer, text, strlen(text), &err), 0, "%s", err.message);
}

static void write_plain(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file);
  fputs(text, file);
  fclose(file);
}

/* The content of a file; NULL if it is not there. */
static const char *content(const char *path) {
  static char text[4096];
  FILE *file = fopen(path, "r");
  if (file == NULL) return NULL;
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  return text;
}

static int count_entry(void *context, const char *name) {
  (void)name;
  ++*(int *)context;
  return 0;
}

/* Names in a folder, hidden ones too. */
static int names_in(const char *path) {
  int count = 0;
  return tm_env_posix.list(path, count_entry, &count) == 0 ? count : -1;
}

Test(durable_write, appears_whole_and_only_when_published) {
  write_plain("out.csv", "old");
  tm_durable_write *writer = open_one("out.csv");
  write_text(writer, "new ");
  write_text(writer, "content");
  cr_expect_eq(tm_durable_write_size(writer), 11);
  cr_expect_str_eq(content("out.csv"), "old");
  cr_expect_eq(tm_durable_write_seal(writer, &err), 0);
  cr_expect_eq(tm_durable_write_seal(writer, &err), 0, "twice is once");
  cr_expect_str_eq(content("out.csv"), "old");
  cr_expect_eq(tm_durable_write_publish(writer, &err), 0);
  cr_expect_str_eq(content("out.csv"), "new content");
  tm_durable_write_close(writer);
  cr_expect_str_eq(content("out.csv"), "new content");
  cr_expect_eq(names_in("."), 1);
}

Test(durable_write, closing_early_leaves_nothing) {
  tm_durable_write *one = open_one("a/b/c/out.csv");
  tm_durable_write *two = open_one("a/b/other.csv");
  write_text(one, "x");
  cr_expect_eq(tm_durable_write_seal(two, &err), 0);
  tm_durable_write_close(one);
  tm_durable_write_close(two);
  tm_durable_write_close(NULL);
  cr_expect_eq(names_in("a/b"), 0, "folders that one of them found stay");
  cr_assert_eq(rmdir("a/b"), 0);
  cr_assert_eq(rmdir("a"), 0);
  tm_durable_write_close(open_one("a/b/c/out.csv"));
  cr_expect_eq(names_in("."), 0, "folders that it made are gone");
}

Test(durable_write, folders_are_made_and_stay_with_a_published_file) {
  tm_durable_write *writer = open_one("a/b/out.csv");
  cr_expect_eq(tm_durable_write_publish(writer, &err), 0);
  tm_durable_write_close(writer);
  cr_expect_str_eq(content("a/b/out.csv"), "", "an output without rows is there too");
}

Test(durable_write, says_what_cannot_be_written) {
  tm_durable_write *writer;
  cr_assert_eq(mkdir("folder", 0777), 0);
  write_plain("file", "");
  const struct { const char *path, *message; } wrong[] = {
    {"folder", "cannot write 'folder': Is a directory"},
    {"folder/", "cannot write 'folder/': Is a directory"},
    {"new/", "cannot write 'new/': Is a directory"},
    {"file/out.csv", "cannot write 'file/out.csv': Not a directory"},
    {"", "cannot write '': No such file or directory"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    tm_error_clear(&err);
    cr_expect_eq(tm_durable_write_open(&writer, budget, wrong[i].path, &err), -1);
    cr_expect_eq(err.code, TM_E_WRITE);
    cr_expect_str_eq(err.message, wrong[i].message);
    cr_expect_null(writer);
  }
  char longest[5000];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  tm_error_clear(&err);
  cr_expect_eq(tm_durable_write_open(&writer, budget, longest, &err), -1);
  cr_expect_eq(names_in("."), 2);
}

Test(durable_write, a_long_name_is_fine) {
  char name[256];
  memset(name, 'n', 255);
  name[255] = '\0';
  tm_durable_write *writer = open_one(name);
  write_text(writer, "x");
  cr_expect_eq(tm_durable_write_publish(writer, &err), 0, "%s", err.message);
  tm_durable_write_close(writer);
  cr_expect_str_eq(content(name), "x");
}

Test(durable_write, links_are_followed_and_permissions_kept) {
  struct stat status;
  cr_assert_eq(mkdir("elsewhere", 0777), 0);
  write_plain("elsewhere/real.csv", "old");
  cr_assert_eq(chmod("elsewhere/real.csv", 0640), 0);
  cr_assert_eq(symlink("elsewhere/real.csv", "link.csv"), 0);
  tm_durable_write *writer = open_one("link.csv");
  write_text(writer, "new");
  cr_expect_eq(tm_durable_write_publish(writer, &err), 0);
  tm_durable_write_close(writer);
  cr_expect_str_eq(content("elsewhere/real.csv"), "new");
  cr_assert_eq(lstat("link.csv", &status), 0);
  cr_expect(S_ISLNK(status.st_mode));
  cr_assert_eq(stat("elsewhere/real.csv", &status), 0);
  cr_expect_eq(status.st_mode & 0777, 0640);
  cr_expect_eq(names_in("elsewhere"), 1);
}

Test(durable_write, a_device_is_written_to_as_it_is) {
  tm_durable_write *writer = open_one("/dev/null");
  write_text(writer, "gone");
  cr_expect_eq(tm_durable_write_publish(writer, &err), 0);
  tm_durable_write_close(writer);
  struct stat status;
  cr_assert_eq(stat("/dev/null", &status), 0);
  cr_expect(S_ISCHR(status.st_mode));
}

/* ------------------------------------------------------------------ faults */

static const char text[] = "0123456789abcdefghij";

/* A whole life under the fault that is planted; 0 if it says that it was published. */
static int attempt(const char *path) {
  tm_durable_write *writer = NULL;
  tm_error_clear(&err);
  int result = tm_durable_write_open(&writer, budget, path, &err);
  if (result == 0) result = tm_durable_write_write(writer, text, 10, &err);
  if (result == 0) result = tm_durable_write_write(writer, text + 10, 10, &err);
  if (result == 0) result = tm_durable_write_publish(writer, &err);
  tm_durable_write_close(writer);
  return result;
}

Test(durable_write, every_call_that_fails_leaves_the_old_or_the_new) {
  bool failed_old = false, failed_new = false;
  for (uint64_t nth = 1;; nth++) {
    write_plain("out.csv", "old");
    tm_env_virtual_start(0, nth);
    tm_env_virtual_short(7);
    tm_env_virtual_fail(TM_ENV_ANY, nth, -EIO, false);
    int result = attempt("out.csv");
    bool struck = tm_env_virtual_count(TM_ENV_ANY) >= nth;
    tm_env_virtual_end();
    const char *now = content("out.csv");
    cr_assert_not_null(now);
    bool is_new = strcmp(now, text) == 0;
    if (result == 0) cr_assert(is_new, "call %zu failed, published, but the file is old", nth);
    else cr_assert(is_new || strcmp(now, "old") == 0, "call %zu: '%s'", nth, now);
    if (result != 0) cr_assert_eq(err.code, TM_E_WRITE);
    failed_old |= result != 0 && !is_new;
    failed_new |= result != 0 && is_new;
    cr_assert_eq(attempt("out.csv"), 0, "and afterwards all is well");
    cr_assert_eq(names_in("."), 1, "call %zu left something", nth);
    if (!struck) break;
    cr_assert_lt(nth, 200);
  }
  cr_expect(failed_old && failed_new, "both kinds of failure were met");
}

Test(durable_write, a_full_disk_is_said_and_nothing_is_left) {
  for (uint64_t nth = 1; nth <= 2; nth++) {
    tm_env_virtual_start(0, 1);
    tm_env_virtual_fail(TM_ENV_WRITE, nth, -ENOSPC, true);
    cr_expect_eq(attempt("deep/out.csv"), -1);
    tm_env_virtual_end();
    cr_expect_str_eq(err.message, "cannot write 'deep/out.csv': No space left on device");
    cr_expect_eq(err.code, TM_E_WRITE);
    cr_expect_eq(names_in("."), 0);
  }
}

Test(durable_write, a_failed_fsync_is_not_tried_again) {
  tm_env_virtual_start(0, 1);
  tm_env_virtual_fail(TM_ENV_FSYNC, 1, -EIO, false);
  cr_expect_eq(attempt("out.csv"), -1);
  cr_expect_eq(tm_env_virtual_count(TM_ENV_FSYNC), 1);
  cr_expect_eq(tm_env_virtual_count(TM_ENV_RENAME), 0);
  cr_expect_null(content("out.csv"));
}

Test(durable_write, file_and_folder_are_synced_around_the_rename) {
  tm_env_virtual_start(0, 1);
  tm_durable_write *writer = open_one("out.csv");
  cr_expect_eq(tm_durable_write_seal(writer, &err), 0);
  cr_expect_eq(tm_env_virtual_count(TM_ENV_FSYNC), 1, "the file, before");
  cr_expect_eq(tm_env_virtual_count(TM_ENV_RENAME), 0);
  cr_expect_eq(tm_durable_write_publish(writer, &err), 0);
  cr_expect_eq(tm_env_virtual_count(TM_ENV_RENAME), 1);
  cr_expect_eq(tm_env_virtual_count(TM_ENV_FSYNC), 2, "the folder, after");
  tm_durable_write_close(writer);
}

/* ------------------------------------------------------------------ death */

/* A child that dies by SIGKILL after `steps` steps of a life. */
static void die_after(int steps) {
  pid_t child = fork();
  if (child == 0) {
    tm_durable_write *writer = NULL;
    if (steps > 0) (void)tm_durable_write_open(&writer, budget, "out.csv", &err);
    if (steps > 1) (void)tm_durable_write_write(writer, text, 10, &err);
    if (steps > 2) (void)tm_durable_write_seal(writer, &err);
    if (steps > 3) (void)tm_durable_write_publish(writer, &err);
    (void)kill(getpid(), SIGKILL);
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

Test(durable_write, kill_leaves_no_final_file_and_the_next_open_cleans_up) {
  for (int steps = 0; steps <= 3; steps++) {
    die_after(steps);
    cr_expect_null(content("out.csv"), "after %d steps", steps);
    cr_expect_eq(names_in("."), steps > 0 ? 1 : 0, "an orphan");
    tm_durable_write_close(open_one("out.csv"));
    cr_expect_eq(names_in("."), 0);
  }
  die_after(4);
  cr_expect_eq(strncmp(content("out.csv"), text, 10), 0);
}

Test(durable_write, only_orphans_of_the_same_target_are_removed) {
  die_after(2);
  write_plain(".out.csv.tm-notes.txt", "mine");
  write_plain(".other.csv.tm-0123456789abcdef.tmp", "of another target");
  tm_durable_write *one = open_one("out.csv");
  write_text(one, "one");
  cr_expect_eq(names_in("."), 3);
  tm_durable_write *two = open_one("out.csv");
  cr_expect_eq(names_in("."), 4, "a living writer keeps its file");
  write_text(two, "two");
  cr_expect_eq(tm_durable_write_publish(one, &err), 0);
  cr_expect_str_eq(content("out.csv"), "one");
  cr_expect_eq(tm_durable_write_publish(two, &err), 0);
  cr_expect_str_eq(content("out.csv"), "two", "the last one wins, whole");
  tm_durable_write_close(one);
  tm_durable_write_close(two);
  cr_expect_eq(names_in("."), 3);
}

Test(durable_write, memory_that_is_refused_is_an_error) {
  tm_durable_write *writer;
  tm_memory_fail_at(1);
  cr_expect_eq(tm_durable_write_open(&writer, budget, "out.csv", &err), -1);
  cr_expect_eq(err.code, TM_E_MEMORY);
  cr_expect_null(writer);
  cr_expect_eq(names_in("."), 0);
}
