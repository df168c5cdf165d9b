/* tests/io/readable_test.c: a wake when a pipe has something, and only then. */
#include "io/readable.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/env.h"
#include "tests/support/fixture.h"

TestSuite(readable, .init = setup, .fini = teardown, .timeout = 30);

static int wakes;
static void on_wake(void *waker) {
  (void)waker;
  __atomic_add_fetch(&wakes, 1, __ATOMIC_RELEASE);
}

/* Within ten seconds. */
static bool has_woken(int times) {
  for (int i = 0; i < 10000 && __atomic_load_n(&wakes, __ATOMIC_ACQUIRE) < times; i++) {
    tm_env_get()->sleep_us(1000);
  }
  return __atomic_load_n(&wakes, __ATOMIC_ACQUIRE) == times;
}

Test(readable, wakes_once_when_there_is_something_and_at_the_end) {
  int ends[2];
  tm_error err = {0};
  char byte;
  cr_assert_eq(pipe(ends), 0);
  tm_readable *r = tm_readable_create(budget, on_wake, NULL, &err);
  cr_assert_not_null(r);
  tm_readable_ask(r, ends[0]);
  tm_env_get()->sleep_us(120 * 1000);
  cr_expect_eq(__atomic_load_n(&wakes, __ATOMIC_ACQUIRE), 0);
  cr_assert_eq(write(ends[1], "x", 1), 1);
  cr_expect(has_woken(1));
  tm_env_get()->sleep_us(100 * 1000);
  cr_expect_eq(__atomic_load_n(&wakes, __ATOMIC_ACQUIRE), 1, "nobody has asked again");
  cr_assert_eq(read(ends[0], &byte, 1), 1);
  tm_readable_ask(r, ends[0]);
  close(ends[1]);
  cr_expect(has_woken(2), "the end is something, too");
  tm_readable_destroy(r);
  close(ends[0]);
}

Test(readable, goes_while_it_waits) {
  int ends[2];
  tm_error err = {0};
  cr_assert_eq(pipe(ends), 0);
  tm_readable *r = tm_readable_create(budget, on_wake, NULL, &err);
  tm_readable_ask(r, ends[0]);
  int64_t begin_us = tm_env_get()->monotonic_us();
  tm_readable_destroy(r);
  cr_expect_lt(tm_env_get()->monotonic_us() - begin_us, 5 * 1000 * 1000);
  cr_expect_eq(wakes, 0);
  close(ends[0]);
  close(ends[1]);
}
