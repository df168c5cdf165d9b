/* tests/support/plain_runner.c: runs Criterion tests without Criterion's runner.
 *
 * That runner maps memory at addresses which ThreadSanitizer forbids, and its processes end in a
 * way that AddressSanitizer's search for leaks does not see. This one walks the same section of
 * tests, forks a process for each and defines the few functions that assertions call; since the
 * program comes before the library, its definitions are the ones that count.
 * Parameterized tests and theories are not run; the house has none. */
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

enum { SECONDS_MAX = 240, EXIT_ASSERTION = 97, EXIT_SKIPPED = 98 };

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

static void find_suite(void) {
  suite = NULL;
  for (struct criterion_suite **s = __start_cr_sts; s != NULL && s < __stop_cr_sts; s++) {
    if (*s != NULL && strcmp((*s)->name, test->category) == 0) suite = *s;
  }
}

/* Runs the test in a process of its own; whether it did what it should. */
static bool run_one(bool *out_skipped) {
  (void)fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(SECONDS_MAX);
    test->test();
    (void)fflush(stdout);
    exit(failed ? EXIT_ASSERTION : 0); /* the sanitizer turns this into 66 after a report */
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  int signal = test->data->signal;
  if (WIFSIGNALED(status)) {
    if (signal == WTERMSIG(status)) return true;
    printf("%s/%s: ended by signal %d\n", test->category, test->name, WTERMSIG(status));
    return false;
  }
  *out_skipped = WEXITSTATUS(status) == EXIT_SKIPPED;
  return *out_skipped || (signal == 0 && WEXITSTATUS(status) == test->data->exit_code);
}

int main(int argc, char **argv) {
  const char *filter = argc == 3 && strcmp(argv[1], "--filter") == 0 ? argv[2] : "*";
  int passed_count = 0, failed_count = 0;
  for (struct criterion_test **next = __start_cr_tst; next < __stop_cr_tst; next++) {
    char name[512];
    bool skipped = false;
    test = *next;
    if (test == NULL) continue;
    (void)snprintf(name, sizeof name, "%s/%s", test->category, test->name);
    if (fnmatch(filter, name, 0) != 0) continue;
    find_suite();
    if (test->data->disabled || (suite != NULL && suite->data != NULL && suite->data->disabled)) {
      continue;
    }
    if (test->data->kind_ == CR_TEST_NORMAL && run_one(&skipped)) {
      if (!skipped) passed_count++;
    } else {
      printf("not ok %s\n", name);
      failed_count++;
    }
  }
  printf("%d passed, %d failed\n", passed_count, failed_count);
  return failed_count > 0;
}
