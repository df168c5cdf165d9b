/* tests/kernel/time_format_test.c: formats against strftime of libc, over random instants;
 * the few things that strftime does not do, or not everywhere, by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/time_format.h"

#define SECOND INT64_C(1000000)

static uint64_t seed = 365;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static tm_budget *budget;
static tm_arena arena;
static void set_up(void) {
  budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&arena, budget);
}
static void tear_down(void) {
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
}

static const tm_time_format *compile(const char *format) {
  tm_error err = { .code = TM_E_NONE };
  const tm_time_format *f = tm_time_format_compile(format, strlen(format), &arena, &err);
  cr_assert_not_null(f, "%s: %s", format, err.message);
  return f;
}

/* Into a block of just the size that was promised, then a text that ends with a NUL. */
static const char *finish(const tm_time_format *f, char *exact, size_t size, char *out) {
  cr_assert_leq(size, tm_time_format_bytes_max(f));
  memcpy(out, exact, size);
  out[size] = 0;
  free(exact);
  return out;
}

static const char *timestamp(const char *format, int64_t us, const tm_zone *zone, char *out) {
  const tm_time_format *f = compile(format);
  char *exact = malloc(tm_time_format_bytes_max(f) + 1);
  tm_zone_hint hint = { .zone = NULL };
  return finish(f, exact, tm_time_format_timestamp(f, us, zone, &hint, exact), out);
}

static const char *date(const char *format, int32_t days, char *out) {
  const tm_time_format *f = compile(format);
  char *exact = malloc(tm_time_format_bytes_max(f) + 1);
  return finish(f, exact, tm_time_format_date(f, days, exact), out);
}

static void random_format(char *out) {
  static const char *const parts[] = { "%Y", "%m", "%d", "%H", "%M", "%S", "%j", "%u", "%w", "%a",
    "%A", "%b", "%B", "%y", "%e", "%I", "%p", "%Z", "%z", "%%", "%F", "%T", "%G", "%V", "-", " at ",
    "T", "\xc3\xa4", "." };
  *out = 0;
  for (uint64_t n = 1 + random_u64() % 8; n > 0; n--)
    strcat(out, parts[random_u64() % (sizeof parts / sizeof *parts)]);
}

Test(time_format, says_what_libc_says, .init = set_up, .fini = tear_down) {
  static const char *const zones[] = { "UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Apia", "America/New_York" };
  setenv("TZDIR", "tests/base/zoneinfo", 1);
  int compared = 0;
  for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
    tm_error err = { .code = TM_E_NONE };
    const tm_zone *zone = tm_zone_find(zones[z], &err);
    cr_assert_not_null(zone, "%s", err.message);
    setenv("TZ", zones[z], 1); /* libc honours TZDIR, too */
    tzset();
    for (int i = 0; i < 6000; i++) {
      tm_arena_reset(&arena);
      char format[256], expected[512], ours[512];
      random_format(format);
      /* Years 1000 to 9999: libc pads others in its own way. Every third around a new year. */
      int64_t second = (int64_t)(random_u64() % 284012568000) - 30610224000;
      if (i % 3 == 0) second = second / 31556952 * 31556952 + (int64_t)(random_u64() % 1000000);
      time_t t = (time_t)second;
      struct tm parts;
      cr_assert_not_null(localtime_r(&t, &parts));
      expected[strftime(expected, sizeof expected, format, &parts)] = 0;
      int64_t us = second * SECOND + (int64_t)(random_u64() % 1000000);
      cr_assert_str_eq(timestamp(format, us, zone, ours), expected, "%s: %s at %lld", zones[z],
                       format, (long long)second);
      compared++;
      gmtime_r(&t, &parts);
      if (strchr(format, 'Z') != NULL) continue; /* libc says GMT */
      parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
      expected[strftime(expected, sizeof expected, format, &parts)] = 0;
      int32_t days = (int32_t)((second - ((second % 86400) + 86400) % 86400) / 86400);
      cr_assert_str_eq(date(format, days, ours), expected, "%s", format);
    }
  }
  cr_expect_gt(compared, 40000);
}

Test(time_format, by_hand, .init = set_up, .fini = tear_down) {
  char out[256];
  cr_expect_str_eq(timestamp("%Y-%m-%d %H:%M:%S.%f", 1773451800000007, NULL, out),
                   "2026-03-14 01:30:00.000007");
  cr_expect_str_eq(timestamp("%T.%f", -1, NULL, out), "23:59:59.999999");
  cr_expect_str_eq(timestamp("%F %Z %z", -1, NULL, out), "1969-12-31 UTC +0000");
  cr_expect_str_eq(timestamp("", 0, NULL, out), "");
  cr_expect_str_eq(timestamp("no directive", 0, NULL, out), "no directive");
  cr_expect_str_eq(date("%F %T %Z%z", 0, out), "1970-01-01 00:00:00 UTC+0000");
  cr_expect_str_eq(date("%I%p", 0, out), "12AM");
  cr_expect_str_eq(date("%Y", -719162, out), "0001"); /* 0001-01-01 */
  cr_expect_str_eq(date("%Y %y", -719529, out), "-0001 99");
  cr_expect_str_eq(date("%F", 2932897, out), "10000-01-01");
}

/* The ends of the ranges stay within what was promised; finish() checks that. */
Test(time_format, ends_of_range, .init = set_up, .fini = tear_down) {
  char out[256];
  static const char all[] = "%Y%y%m%d%e%j%F%H%I%p%M%S%f%T%a%A%u%w%b%B%G%V%z%Z%%";
  tm_error err = { .code = TM_E_NONE };
  setenv("TZDIR", "tests/base/zoneinfo", 1);
  const tm_zone *zone = tm_zone_find("Pacific/Apia", &err);
  cr_assert_not_null(zone);
  cr_expect_str_eq(date("%F", INT32_MIN, out), "-5877641-06-23");
  cr_expect_str_eq(date("%F", INT32_MAX, out), "5881580-07-11");
  cr_expect_str_eq(timestamp("%F %T.%f", INT64_MAX, NULL, out), "294247-01-10 04:00:54.775807");
  cr_expect_str_eq(timestamp("%F %T.%f", INT64_MIN, NULL, out), "-290308-12-21 19:59:05.224192");
  cr_expect_str_eq(timestamp("%F %T", INT64_MAX, zone, out), "294247-01-10 17:00:54");
  for (int i = 0; i < 2000; i++) {
    tm_arena_reset(&arena);
    (void)timestamp(all, (int64_t)random_u64(), i % 2 ? zone : NULL, out);
    (void)date(all, i < 4 ? INT32_MIN + i : i < 8 ? INT32_MAX - i + 4 : (int32_t)random_u64(), out);
  }
}

Test(time_format, names_what_is_no_directive, .init = set_up, .fini = tear_down) {
  static const char *const bad[][2] = { { "%Y-%Q", "'%Q'" }, { "%", "ends with '%'" },
    { "100%", "ends with '%'" }, { "%-d", "'%-'" }, { "% d", "'% '" }, { "%E", "'%E'" },
    { "%\xc3\xa4", "'%\xc3\xa4'" }, { "%%%", "ends with '%'" }, { "%5Y", "'%5'" } };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    tm_error err = { .code = TM_E_NONE };
    cr_expect_null(tm_time_format_compile(bad[i][0], strlen(bad[i][0]), &arena, &err));
    cr_expect_eq(err.code, TM_E_VALUE);
    cr_expect_not_null(strstr(err.message, bad[i][1]), "%s: %s", bad[i][0], err.message);
    cr_expect_not_null(strstr(err.help, "%Y"));
  }
  tm_error err = { .code = TM_E_NONE };
  cr_expect_null(tm_time_format_compile("a%\0", 3, &arena, &err)); /* a zero is no directive */
  cr_expect_eq(err.code, TM_E_VALUE);
}
