/* tests/support/plain_runner.c: runs Criterion tests without Criterion's runner.
 *
 * That runner maps memory at addresses which ThreadSanitizer forbids, and its processes end in a
 * way that AddressSanitizer's search for leaks does not see. This one walks the same section of
 * tests, forks a process for each and defines the few functions that assertions call; since the
 * program comes before the library, its definitions are the ones that count.
 * Parameterized tests and theories are not run; the house has none.
 *
 *   tests [--jobs N] [--filter 'suite/test'] [ROOM…]      rooms: only tests of tests/ROOM/ */
#include <criterion/criterion.h>
#include <criterion/event.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 240, EXIT_ASSERTION = 97, EXIT_SKIPPED = 98, JOBS_MAX = 64 };

extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
__attribute__((weak)) extern struct criterion_suite *__start_cr_sts[], *__stop_cr_sts[];

static const struct criterion_test *test; /* the one that this process runs */
static const struct criterion_suite *suite; /* NULL: none was declared */
static bool failed;
static jmp_buf end_of_test;

/* ------------------------------------------------------------------ what assertions call */

void cri_asserts_passed_incr(void) {}

void criterion_send_assert(struct criterion_assert_stats *stats) {
  if (stats->passed) return;
  failed = true;
  printf("%s:%u: %s/%s: %s\n", stats->file, stats->line, test->category, test->name,
         stats->message);
}

void criterion_continue_test(void) {}
void criterion_abort_test(void) { longjmp(end_of_test, 1); }
void criterion_skip_test(const char *format, ...) {
  (void)format;
  (void)fflush(stdout);
  _exit(EXIT_SKIPPED);
}

void criterion_internal_test_setup(void) {
  if (suite != NULL && suite->data != NULL && suite->data->init != NULL) suite->data->init();
  if (test->data->init != NULL) test->data->init();
}

void criterion_internal_test_main(void (*run)(void)) {
  if (setjmp(end_of_test) == 0) run();
}

void criterion_internal_test_teardown(void) {
  if (test->data->fini != NULL) test->data->fini();
  if (suite != NULL && suite->data != NULL && suite->data->fini != NULL) suite->data->fini();
}

/* ------------------------------------------------------------------ the loop */

/* Tests that run at the same time, each in a process of its own. */
typedef struct job {
  pid_t child;
  const struct criterion_test *test;
} job;

static job running[JOBS_MAX];
static int running_count, passed_count, failed_count;

static void find_suite(void) {
  suite = NULL;
  for (struct criterion_suite **s = __start_cr_sts; s != NULL && s < __stop_cr_sts; s++) {
    if (*s != NULL && strcmp((*s)->name, test->category) == 0) suite = *s;
  }
}

static void count(const struct criterion_test *of, bool passed) {
  if (passed) {
    passed_count++;
    return;
  }
  printf("not ok %s/%s\n", of->category, of->name);
  failed_count++;
}

/* Starts `test`. */
static void start_one(void) {
  (void)fflush(stdout);
  pid_t child = test->data->kind_ == CR_TEST_NORMAL ? fork() : -1;
  if (child == 0) {
    alarm(SECONDS_MAX);
    test->test();
    (void)fflush(stdout);
    exit(failed ? EXIT_ASSERTION : 0); /* the sanitizer turns this into 66 after a report */
  }
  if (child < 0) count(test, false);
  else running[running_count++] = (job){child, test};
}

/* Waits for one; whether it did what it should. */
static void end_one(void) {
  int status = 0, i = 0;
  pid_t child = waitpid(-1, &status, 0);
  while (i < running_count && running[i].child != child) i++;
  if (i == running_count) return;
  const struct criterion_test *of = running[i].test;
  running[i] = running[--running_count];
  if (WIFSIGNALED(status)) {
    bool meant = of->data->signal == WTERMSIG(status);
    if (!meant) {
      printf("%s/%s: ended by signal %d\n", of->category, of->name, WTERMSIG(status));
    }
    count(of, meant);
  } else if (WEXITSTATUS(status) != EXIT_SKIPPED) {
    count(of, of->data->signal == 0 && WEXITSTATUS(status) == of->data->exit_code);
  }
}

/* ------------------------------------------------------------------ which ones */

static bool is_of_room(const char *file, char **rooms, int room_count) {
  for (int i = 0; i < room_count; i++) {
    char folder[64];
    (void)snprintf(folder, sizeof folder, "tests/%s/", rooms[i]);
    if (strstr(file, folder) != NULL) return true;
  }
  return room_count == 0;
}

static bool is_wanted(const char *filter, char **rooms, int room_count) {
  char name[512];
  (void)snprintf(name, sizeof name, "%s/%s", test->category, test->name);
  if (fnmatch(filter, name, 0) != 0) return false;
  if (!is_of_room(test->data->file_, rooms, room_count)) return false;
  find_suite();
  return !test->data->disabled &&
         (suite == NULL || suite->data == NULL || !suite->data->disabled);
}

int main(int argc, char **argv) {
  const char *filter = "*";
  int jobs = 1, at = 1;
  for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    if (strcmp(argv[at], "--filter") == 0) filter = argv[at + 1];
    if (strcmp(argv[at], "--jobs") == 0) jobs = atoi(argv[at + 1]);
  }
  if (jobs < 1 || jobs > JOBS_MAX) jobs = JOBS_MAX;
  for (struct criterion_test **next = __start_cr_tst; next < __stop_cr_tst; next++) {
    test = *next;
    if (test == NULL || !is_wanted(filter, argv + at, argc - at)) continue;
    if (running_count == jobs) end_one();
    start_one();
  }
  while (running_count > 0) end_one();
  printf("%d passed, %d failed\n", passed_count, failed_count);
  return failed_count > 0;
}
