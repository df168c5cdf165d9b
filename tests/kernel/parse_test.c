/* tests/kernel/parse_test.c: integers, booleans, decimals, dates and timestamps from text.
 *
 * Every text is parsed from a heap block of exactly its size, so that a sanitizer sees any byte
 * read beyond it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/calendar.h"
#include "kernel/number_text.h"
#include "tests/kernel/number_random.h"

/* Freed when the test process ends. */
static const char *exactly(const char *text, size_t size) {
  char *copy = malloc(size == 0 ? 1 : size);
  memcpy(copy, text, size);
  return copy;
}

static int parse_int64(const char *text, int64_t *out) {
  const char *copy = exactly(text, strlen(text));
  int result = tm_parse_int64(copy, strlen(text), out);
  free((void *)copy);
  return result;
}

static void expect_int64(const char *text, int result, int64_t expected) {
  int64_t value = -77;
  cr_assert_eq(parse_int64(text, &value), result, "'%s' gives %d", text,
               parse_int64(text, &value));
  cr_assert_eq(value, result == TM_PARSE_OK ? expected : -77, "'%s' is %" PRId64, text, value);
}

Test(parse, integers) {
  expect_int64("0", 0, 0);
  expect_int64("-0", 0, 0);
  expect_int64("+7", 0, 7);
  expect_int64("  42\t", 0, 42);
  expect_int64("\t -42", 0, -42);
  expect_int64("12345678", 0, 12345678);
  expect_int64("123456789", 0, 123456789);
  expect_int64("-1234567890123456", 0, -1234567890123456);
  expect_int64("9223372036854775807", 0, INT64_MAX);
  expect_int64("-9223372036854775808", 0, INT64_MIN);
  expect_int64("000000000000000000000000000123", 0, 123);
  expect_int64("0000000000000000000000000000000000", 0, 0);
  expect_int64("9223372036854775808", TM_PARSE_RANGE, 0);
  expect_int64("-9223372036854775809", TM_PARSE_RANGE, 0);
  expect_int64("18446744073709551616", TM_PARSE_RANGE, 0);
  expect_int64("99999999999999999999999999", TM_PARSE_RANGE, 0);
  expect_int64("9999999999999999999", TM_PARSE_RANGE, 0);
}

Test(parse, what_is_no_integer) {
  static const char *const texts[] = {
      "", " ", "\t", "-", "+", "+-1", "--1", "1-", "1e3", "1.0", "1.", ".", "0x10", "12a", "a12",
      "1 2", "- 1", "1_000", "1,000", "\xd9\xa1", "12345678/", "12345678:", "99999999999999999999x",
      "1\n", "1\v", "nan", "1234567\x80", "\xff\xff\xff\xff\xff\xff\xff\xff",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    expect_int64(texts[i], TM_PARSE_TYPE, 0);
  int64_t value;
  cr_assert_eq(tm_parse_int64("1\0", 2, &value), TM_PARSE_TYPE);
}

Test(parse, int32_has_its_own_range) {
  int32_t value = 5;
  cr_assert_eq(tm_parse_int32("2147483647", 10, &value), 0);
  cr_assert_eq(value, INT32_MAX);
  cr_assert_eq(tm_parse_int32("-2147483648", 11, &value), 0);
  cr_assert_eq(value, INT32_MIN);
  cr_assert_eq(tm_parse_int32("2147483648", 10, &value), TM_PARSE_RANGE);
  cr_assert_eq(tm_parse_int32("-2147483649", 11, &value), TM_PARSE_RANGE);
  cr_assert_eq(tm_parse_int32("x", 1, &value), TM_PARSE_TYPE);
  cr_assert_eq(value, INT32_MIN);
}

Test(parse, random_integers_as_strtoll) {
  char text[48];
  for (int i = 0; i < 400000; i++) {
    int64_t bits = (int64_t)random_bits() >> random_bits() % 64, value = 0;
    snprintf(text, sizeof text, "%s%" PRId64, i % 5 == 0 && bits >= 0 ? "+00" : "", bits);
    if (i % 7 == 0) strcat(text, i % 2 ? "3" : "  ");
    if (i % 11 == 0) text[random_bits() % strlen(text)] = (char)(32 + random_bits() % 90);
    errno = 0;
    char *end;
    long long expected = strtoll(text, &end, 10);
    while (*end == ' ') end++;
    int result = *end != 0 ? TM_PARSE_TYPE : errno == ERANGE ? TM_PARSE_RANGE : TM_PARSE_OK;
    if (strspn(text, " ") == strlen(text)) result = TM_PARSE_TYPE;
    int actual = parse_int64(text, &value);
    cr_assert_eq(actual, result, "'%s' gives %d", text, actual);
    if (result == TM_PARSE_OK) cr_assert_eq(value, expected, "'%s' is %" PRId64, text, value);
  }
}

Test(parse, booleans) {
  static const char *const yes[] = {"true", "TRUE", "True", "t", "T", "yes", "Yes", "y", "Y", "1",
                                    " true "};
  static const char *const no[] = {"false", "FALSE", "fAlSe", "f", "F", "no", "NO", "n", "N", "0",
                                   "\tn"};
  static const char *const neither[] = {"", " ", "tru", "truee", "falsee", "2", "10", "on", "off",
                                        "ye", "-1", "t\x01", "TRUE!", "01"};
  bool value;
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
    value = false;
    cr_assert_eq(tm_parse_bool(yes[i], strlen(yes[i]), &value), 0, "%s", yes[i]);
    cr_assert(value, "%s", yes[i]);
  }
  for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
    value = true;
    cr_assert_eq(tm_parse_bool(no[i], strlen(no[i]), &value), 0, "%s", no[i]);
    cr_assert(!value, "%s", no[i]);
  }
  for (size_t i = 0; i < sizeof neither / sizeof *neither; i++)
    cr_assert_eq(tm_parse_bool(neither[i], strlen(neither[i]), &value), TM_PARSE_TYPE, "'%s'",
                 neither[i]);
  cr_assert_eq(tm_parse_bool("t\0", 2, &value), TM_PARSE_TYPE);
}

static void expect_decimal(const char *text, int precision, int scale, int result,
                           const char *expected) {
  const char *copy = exactly(text, strlen(text));
  __int128 value = -77;
  int actual = tm_parse_decimal128(copy, strlen(text), precision, scale, &value);
  cr_assert_eq(actual, result, "'%s' gives %d", text, actual);
  char printed[TM_PRINT_MAX + 1];
  printed[tm_print_decimal(printed, value, 0)] = 0;
  if (result != TM_PARSE_OK) expected = "-77";
  cr_assert_str_eq(printed, expected, "'%s' is %s", text, printed);
  if (precision <= 18) {
    int64_t small = -77;
    cr_assert_eq(tm_parse_decimal64(copy, strlen(text), precision, scale, &small), result);
    cr_assert_eq(small, (int64_t)value, "'%s'", text);
  }
  free((void *)copy);
}

Test(parse, decimals) {
  expect_decimal("12.50", 12, 2, 0, "1250");
  expect_decimal("12.5", 12, 2, 0, "1250");
  expect_decimal("12", 12, 2, 0, "1200");
  expect_decimal("12.", 12, 2, 0, "1200");
  expect_decimal("-.5", 12, 2, 0, "-50");
  expect_decimal("+0.05", 12, 2, 0, "5");
  expect_decimal(" -0.05 ", 12, 2, 0, "-5");
  expect_decimal("-0", 12, 2, 0, "0");
  expect_decimal("1.2300", 12, 2, 0, "123");
  expect_decimal("1.2300000000000000000000000000000000000000000000000", 12, 2, 0, "123");
  expect_decimal("00000000000000000000000000000000000000000000012.5", 12, 2, 0, "1250");
  expect_decimal("9999999999.99", 12, 2, 0, "999999999999");
  expect_decimal("10000000000", 12, 2, TM_PARSE_RANGE, "");
  expect_decimal("10000000000.001", 12, 2, TM_PARSE_RANGE, "");
  expect_decimal("1.234", 12, 2, TM_PARSE_SCALE, "");
  expect_decimal("1.23000000000001", 12, 2, TM_PARSE_SCALE, "");
  expect_decimal("0.5", 18, 0, TM_PARSE_SCALE, "");
  expect_decimal("999999999999999999", 18, 0, 0, "999999999999999999");
  expect_decimal("1000000000000000000", 18, 0, TM_PARSE_RANGE, "");
  expect_decimal("-0.999999999999999999", 18, 18, 0, "-999999999999999999");
  expect_decimal("1", 18, 18, TM_PARSE_RANGE, "");
  expect_decimal("99999999999999999999999999999999999999", 38, 0, 0,
                 "99999999999999999999999999999999999999");
  expect_decimal("-9999999999999999999999999999.9999999999", 38, 10, 0,
                 "-99999999999999999999999999999999999999");
  expect_decimal("100000000000000000000000000000000000000", 38, 0, TM_PARSE_RANGE, "");
  expect_decimal("0.00000000000000000000000000000000000001", 38, 38, 0, "1");
  expect_decimal("12345678901234567890.123456789012345678", 38, 18, 0,
                 "12345678901234567890123456789012345678");
}

Test(parse, what_is_no_decimal) {
  static const char *const texts[] = {
      "", " ", ".", "-", "-.", "1e3", "1E3", "1.5e0", "1..2", "1.2.3", "nan", "inf", "0x1", "1 .5",
      "1,5", "--1", "1-", "1.-5", "99999999999999999999999999999999999999999999x", "1.23456x",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    expect_decimal(texts[i], 12, 2, TM_PARSE_TYPE, "");
}

Test(parse, random_decimals_read_back) {
  char text[TM_PRINT_MAX + 1];
  for (int i = 0; i < 300000; i++) {
    int precision = 1 + (int)(random_bits() % 38), scale = (int)(random_bits() % 39);
    if (scale > precision) scale = precision;
    unsigned __int128 limit = 1;
    for (int digit = 0; digit < precision; digit++) limit *= 10;
    unsigned __int128 bits = (unsigned __int128)random_bits() << 64 | random_bits();
    __int128 value = (__int128)((bits >> random_bits() % 128) % limit), back = 0;
    if (i & 1) value = -value;
    size_t size = tm_print_decimal(text, value, scale);
    cr_assert_eq(tm_parse_decimal128(text, size, precision, scale, &back), 0, "%.*s", (int)size,
                 text);
    cr_assert(back == value, "%.*s", (int)size, text);
    __int128 limit_value = (__int128)limit;
    size = tm_print_decimal(text, i & 1 ? -limit_value : limit_value, scale);
    if (precision < 38)
      cr_assert_eq(tm_parse_decimal128(text, size, precision, scale, &back), TM_PARSE_RANGE);
  }
}

static void expect_date(const char *text, int result, int32_t expected) {
  const char *copy = exactly(text, strlen(text));
  int32_t days = -77;
  int actual = tm_parse_date(copy, strlen(text), &days);
  cr_assert_eq(actual, result, "'%s' gives %d", text, actual);
  cr_assert_eq(days, result == TM_PARSE_OK ? expected : -77, "'%s' is %d", text, days);
  free((void *)copy);
}

Test(parse, dates) {
  expect_date("1970-01-01", 0, 0);
  expect_date("2026-03-14", 0, 20526);
  expect_date(" 2026-03-14\t", 0, 20526);
  expect_date("0001-01-01", 0, TM_CALENDAR_DAY_MIN);
  expect_date("9999-12-31", 0, TM_CALENDAR_DAY_MAX);
  expect_date("2000-02-29", 0, 11016);
  expect_date("0000-01-01", TM_PARSE_RANGE, 0);
  expect_date("10000-01-01", TM_PARSE_RANGE, 0);
  expect_date("123456-12-31", TM_PARSE_RANGE, 0);
  static const char *const texts[] = {
      "", " ", "2026-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00",
      "2026-01-32", "2026-1-1", "26-01-01", "2026/01/01", "20260101", "2026-01-01T", "2026-01-0a",
      "2026-01- 1", "-001-01-01", "2026-01-011", "x026-01-01", "10000-13-01", "10000-1-01",
      "2026-01\xad\x30\x31", "2026-16-01", "2026-99-01", "0000-02-30", "\xb2\x30\x32\x36-01-01",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    expect_date(texts[i], TM_PARSE_TYPE, 0);
}

Test(parse, every_date_reads_back) {
  char text[TM_PRINT_MAX];
  for (int32_t days = TM_CALENDAR_DAY_MIN; days <= TM_CALENDAR_DAY_MAX; days++) {
    int32_t back = 0;
    size_t size = tm_print_date(text, days);
    cr_assert(tm_parse_date(text, size, &back) == 0 && back == days, "%.*s", (int)size, text);
  }
}

/* Changing any one character of a date to any byte is malformed, or another date's own text. */
Test(parse, damaged_dates) {
  char printed[TM_PRINT_MAX];
  for (int at = 0; at < 10; at++) {
    for (int byte = 0; byte < 256; byte++) {
      char text[] = "2024-02-29";
      text[at] = (char)byte;
      int32_t days;
      if (tm_parse_date(text, 10, &days) != TM_PARSE_OK) continue;
      cr_assert_eq(tm_print_date(printed, days), 10);
      cr_assert(memcmp(printed, text, 10) == 0, "%s", text);
    }
  }
}

static void expect_timestamp(const char *text, int result, int64_t local_us, int offset) {
  const char *copy = exactly(text, strlen(text));
  int64_t us = -77;
  int east = -77;
  int actual = tm_parse_timestamp(copy, strlen(text), &us, &east);
  cr_assert_eq(actual, result, "'%s' gives %d", text, actual);
  cr_assert_eq(us, result == TM_PARSE_OK ? local_us : -77, "'%s' is %" PRId64, text, us);
  cr_assert_eq(east, result == TM_PARSE_OK ? offset : -77, "'%s' is %d east", text, east);
  free((void *)copy);
}

static const int64_t DAY = 20526 * TM_CALENDAR_DAY_US;
static const int64_t CLOCK = 5400 * TM_CALENDAR_SECOND_US;

Test(parse, timestamps) {
  int none = TM_PARSE_NO_OFFSET;
  expect_timestamp("2026-03-14", 0, DAY, none);
  expect_timestamp("2026-03-14T01:30", 0, DAY + CLOCK, none);
  expect_timestamp("2026-03-14 01:30:00", 0, DAY + CLOCK, none);
  expect_timestamp(" 2026-03-14 01:30:00 ", 0, DAY + CLOCK, none);
  expect_timestamp("2026-03-14T01:30:00Z", 0, DAY + CLOCK, 0);
  expect_timestamp("2026-03-14T01:30Z", 0, DAY + CLOCK, 0);
  expect_timestamp("2026-03-14T01:30:59.5", 0, DAY + CLOCK + 59500000, none);
  expect_timestamp("2026-03-14T01:30:59.000001Z", 0, DAY + CLOCK + 59000001, 0);
  expect_timestamp("2026-03-14T01:30:59.123456000", 0, DAY + CLOCK + 59123456, none);
  expect_timestamp("2026-03-14T01:30:00+01:00", 0, DAY + CLOCK, 3600);
  expect_timestamp("2026-03-14T01:30:00-0530", 0, DAY + CLOCK, -19800);
  expect_timestamp("2026-03-14T01:30:00+05", 0, DAY + CLOCK, 18000);
  expect_timestamp("2026-03-14T01:30-00:53:28", 0, DAY + CLOCK, -3208);
  expect_timestamp("1969-12-31T23:59:59.999999", 0, -1, none);
  expect_timestamp("0001-01-01T00:00:00", 0, TM_CALENDAR_DAY_MIN * TM_CALENDAR_DAY_US, none);
  expect_timestamp("9999-12-31T23:59:59.999999", 0,
                   (TM_CALENDAR_DAY_MAX + 1) * TM_CALENDAR_DAY_US - 1, none);
}

Test(parse, refused_timestamps) {
  static const char *const malformed[] = {
      "", "2026-03-14T", "2026-03-14T1:30", "2026-03-14T01", "2026-03-14T0130",
      "2026-03-14T24:00:00", "2026-03-14T23:60", "2026-03-14T23:59:60", "2026-03-14T01:30:",
      "2026-03-14T01:30:00.", "2026-03-14T01:30:00.Z", "2026-03-14T01:30.5", "2026-03-14t01:30:00",
      "2026-03-14T01:30:00z", "2026-03-14T01:30:00 Z", "2026-03-14Z", "2026-03-14+01:00",
      "2026-03-14T01:30:00+", "2026-03-14T01:30:00+1", "2026-03-14T01:30:00+01:",
      "2026-03-14T01:30:00+24:00", "2026-03-14T01:30:00+01:60", "2026-03-14T01:30:00+01:00Z",
      "2026-03-14T01:30:00+010000", "2026-02-30T01:30:00", "2026-03-14_01:30:00",
      "2026-03-14  01:30:00", "1710379800", "2026-03-14T01:30:00.1x", "2026-03-14\t01:30:00",
      "2026-03-14\tT01:30:00", "2026-03-14T01:30:00+01:00:", "2026-03-14T01:30:00Europe/Berlin",
  };
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
    expect_timestamp(malformed[i], TM_PARSE_TYPE, 0, 0);
  expect_timestamp("2026-03-14T01:30:00.1234567", TM_PARSE_SCALE, 0, 0);
  expect_timestamp("2026-03-14T01:30:00.0000000001Z", TM_PARSE_SCALE, 0, 0);
  expect_timestamp("2026-03-14T01:30:00.1234567x", TM_PARSE_TYPE, 0, 0);
  expect_timestamp("0000-03-14T01:30:00", TM_PARSE_RANGE, 0, 0);
  expect_timestamp("10000-03-14T01:30:00Z", TM_PARSE_RANGE, 0, 0);
  expect_timestamp("0001-01-01T00:30:00+01:00", TM_PARSE_RANGE, 0, 0);
  expect_timestamp("9999-12-31T23:30:00-01:00", TM_PARSE_RANGE, 0, 0);
}
