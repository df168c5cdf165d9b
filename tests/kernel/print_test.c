/* tests/kernel/print_test.c: values as text, against the C library and by reading back.
 *
 * That a float's text is the shortest is shown with %.*e: no shorter one reads back, and of the
 * same length it is the nearest, as the C library rounds exactly. */
#include <criterion/criterion.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/calendar.h"
#include "kernel/number_text.h"
#include "tests/kernel/number_random.h"

static char room[TM_PRINT_MAX + 32];
static char *const out = room + 16;

/* What was just printed to `out`, after a look at the bytes around it. */
static const char *finish(size_t size) {
  cr_assert(size <= TM_PRINT_MAX && room[15] == '#' && room[TM_PRINT_MAX + 16] == '#');
  out[size] = 0;
  return out;
}

#define PRINT(call) (memset(room, '#', sizeof room), finish(call))

static void same(const char *printed, const char *expected) {
  cr_assert_str_eq(printed, expected, "%s, not %s", printed, expected);
}

Test(print, integers) {
  static const int64_t values[] = {
      0, 1, -1, 9, 10, 99, 100, 12345678, 99999999, 100000000, INT64_MAX, INT64_MIN,
      9999999999999999, 10000000000000000, -10,
  };
  char expected[32];
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    snprintf(expected, sizeof expected, "%" PRId64, values[i]);
    same(PRINT(tm_print_int64(out, values[i])), expected);
  }
  for (int i = 0; i < 500000; i++) {
    int64_t value = (int64_t)random_bits() >> random_bits() % 64;
    snprintf(expected, sizeof expected, "%" PRId64, value);
    same(PRINT(tm_print_int64(out, value)), expected);
  }
}

Test(print, decimals) {
  same(PRINT(tm_print_decimal(out, 1250, 2)), "12.50");
  same(PRINT(tm_print_decimal(out, -5, 2)), "-0.05");
  same(PRINT(tm_print_decimal(out, 0, 2)), "0.00");
  same(PRINT(tm_print_decimal(out, 0, 0)), "0");
  same(PRINT(tm_print_decimal(out, 7, 0)), "7");
  same(PRINT(tm_print_decimal(out, -100, 2)), "-1.00");
  same(PRINT(tm_print_decimal(out, 99, 2)), "0.99");
  same(PRINT(tm_print_decimal(out, 1, 38)), "0.00000000000000000000000000000000000001");
  __int128 large = 1;
  for (int i = 0; i < 38; i++) large *= 10;
  same(PRINT(tm_print_decimal(out, large - 1, 38)),
                   "0.99999999999999999999999999999999999999");
  same(PRINT(tm_print_decimal(out, 1 - large, 10)),
                   "-9999999999999999999999999999.9999999999");
  __int128 most = (__int128)(~(unsigned __int128)0 >> 1), least = -most - 1;
  same(PRINT(tm_print_decimal(out, most, 0)), "170141183460469231731687303715884105727");
  same(PRINT(tm_print_decimal(out, least, 1)),
                   "-17014118346046923173168730371588410572.8");
}

/* A reference that divides by ten, digit by digit. */
static const char *reference_decimal(__int128 value, int scale) {
  static char text[64];
  char *at = text + sizeof text - 1;
  bool minus = value < 0;
  *at = 0;
  for (int digit = 0; digit <= scale || value != 0; digit++) {
    if (digit == scale && scale > 0) *--at = '.';
    int rest = (int)(value % 10);
    *--at = (char)('0' + (rest < 0 ? -rest : rest));
    value /= 10;
  }
  if (minus) *--at = '-';
  return at;
}

Test(print, random_decimals) {
  for (int i = 0; i < 200000; i++) {
    __int128 value = (__int128)((unsigned __int128)random_bits() << 64 | random_bits());
    value >>= random_bits() % 127;
    int scale = (int)(random_bits() % 39);
    same(PRINT(tm_print_decimal(out, value, scale)), reference_decimal(value, scale));
  }
}

Test(print, known_floats) {
  static const struct { double value; const char *text; } known[] = {
      {3, "3.0"}, {-0.0, "-0.0"}, {0, "0.0"}, {1e16, "1e+16"}, {1e-5, "1e-05"}, {0.0001, "0.0001"},
      {0.00012345, "0.00012345"}, {1e15, "1000000000000000.0"},
      {123456789012345680.0, "1.2345678901234568e+17"}, {9007199254740993.0, "9007199254740992.0"},
      {9999999999999998, "9999999999999998.0"}, {1e23, "1e+23"}, {9.5e-323, "9.4e-323"},
      {5e-324, "5e-324"}, {DBL_MAX, "1.7976931348623157e+308"},
      {DBL_MIN, "2.2250738585072014e-308"}, {0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"},
      {1.0 / 3, "0.3333333333333333"}, {100, "100.0"}, {-2.5, "-2.5"}, {1e100, "1e+100"},
      {1.5e-7, "1.5e-07"}, {12345.67, "12345.67"}, {2251799813685249.5, "2251799813685249.5"},
      {0x1p-1074, "5e-324"}, {0x1p-1022, "2.2250738585072014e-308"},
      {0x1p63, "9.223372036854776e+18"}, {2.0000000000000004, "2.0000000000000004"},
      {1.0000000000000002e16, "1.0000000000000002e+16"},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    same(PRINT(tm_print_float64(out, known[i].value)), known[i].text);
  same(PRINT(tm_print_float64(out, (double)NAN)), "NaN");
  same(PRINT(tm_print_float64(out, -(double)NAN)), "NaN");
  same(PRINT(tm_print_float64(out, (double)INFINITY)), "Infinity");
  same(PRINT(tm_print_float64(out, -(double)INFINITY)), "-Infinity");
}

/* The next decimal of the same length away from 0; false where that needs another digit. */
static bool step_away(char *digits) {
  for (char *at = strchr(digits, 'e') - 1; at >= digits; at--) {
    if (*at < '0' || *at > '9') continue;
    if (*at != '9') return ++*at, true;
    *at = '0';
  }
  return false;
}

/* Python's repr from the C library: the least precision that reads back, in repr's two forms. The
 * nearest decimal of a length is tried and, as the interval of a power of two is wider above, the
 * one above it. */
static const char *reference_float(double value) {
  static char text[48];
  char digits[40];
  int precision = 0;
  for (; precision < 17; precision++) {
    snprintf(digits, sizeof digits, "%.*e", precision, value);
    if (strtod(digits, NULL) == value) break;
    if (step_away(digits) && strtod(digits, NULL) == value) break;
  }
  int exponent = atoi(strchr(digits, 'e') + 1);
  if (exponent >= -4 && exponent < 16) {
    snprintf(text, sizeof text, "%.*f", precision > exponent ? precision - exponent : 1, value);
  } else {
    strcpy(text, digits);
  }
  return text;
}

static void check_float(double value) {
  const char *expected = reference_float(value);
  const char *printed = PRINT(tm_print_float64(out, value));
  same(printed, expected);
  double back;
  cr_assert_eq(tm_parse_float64(printed, strlen(printed), &back), 0);
  cr_assert_eq(bits_of(back), bits_of(value), "%s", printed);
}

Test(print, random_floats) {
  for (int i = 0; i < 60000; i++) {
    double value = from_bits(random_bits());
    if (isfinite(value)) check_float(value);
    check_float((double)(random_bits() % 100000000) / 100);
    check_float((double)(random_bits() >> 11) * 0x1p-53);
    check_float((double)(int64_t)(random_bits() >> random_bits() % 60));
  }
}

Test(print, floats_next_to_powers) {
  for (int e = -1074; e < 1024; e++) {
    check_float(ldexp(1, e));
    check_float(nextafter(ldexp(1, e), 0));
    check_float(nextafter(ldexp(1, e), DBL_MAX));
  }
  char text[16];
  for (int e = -323; e <= 308; e++) {
    snprintf(text, sizeof text, "1e%d", e);
    double value = strtod(text, NULL);
    check_float(value);
    check_float(nextafter(value, 0));
    check_float(nextafter(value, DBL_MAX));
  }
}

Test(print, a_million_floats_read_back) {
  for (int i = 0; i < 1000000; i++) {
    double value = from_bits(random_bits()), back = 0;
    const char *printed = PRINT(tm_print_float64(out, value));
    cr_assert_eq(tm_parse_float64(printed, strlen(printed), &back), 0, "%s", printed);
    cr_assert(bits_of(back) == bits_of(value) || (isnan(back) && isnan(value)), "%s", printed);
  }
}

static void check_lua(double value) {
  char expected[40];
  snprintf(expected, sizeof expected, "%.14g", value);
  if (expected[strspn(expected, "-0123456789")] == 0) strcat(expected, ".0");
  same(PRINT(tm_print_lua_float(out, value)), expected);
}

Test(print, floats_as_lua) {
  static const double values[] = {
      0, -0.0, 1, -1, 0.1, 1e14, 1e15, 99999999999999, 99999999999999.5, 12345678901234.5,
      12345678901235.5, 0.5, 1e100, 5e-324, DBL_MAX, DBL_MIN, 3.14159265358979, 0.1 + 0.2, 100,
      1e-5, 0.0001, 123456789012345678.0, 2.5, 1e13 + 0.5, 999999999999995e-2, 99999999999999e-10,
      9.99999999999995, 9.999999999999955, 0.99999999999999955, 1.00000000000005, 1.00000000000015,
      4.5e15, 0x1p53,
  };
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) check_lua(values[i]);
  check_lua((double)INFINITY);
  check_lua(-(double)INFINITY);
  check_lua(from_bits(UINT64_C(0x7ff8000000000000)));
  check_lua(from_bits(UINT64_C(0xfff8000000000000)));
  for (int i = 0; i < 150000; i++) {
    check_lua(from_bits(random_bits()));
    check_lua((double)(random_bits() % 100000000) / 100);
    check_lua((double)(int64_t)(random_bits() >> random_bits() % 60) / 8); /* ties among them */
  }
}

Test(print, dates) {
  same(PRINT(tm_print_date(out, 20526)), "2026-03-14");
  same(PRINT(tm_print_date(out, 0)), "1970-01-01");
  same(PRINT(tm_print_date(out, TM_CALENDAR_DAY_MIN)), "0001-01-01");
  same(PRINT(tm_print_date(out, TM_CALENDAR_DAY_MAX)), "9999-12-31");
  same(PRINT(tm_print_date(out, TM_CALENDAR_DAY_MAX + 1)), "10000-01-01");
  same(PRINT(tm_print_date(out, TM_CALENDAR_DAY_MIN - 1)), "0000-12-31");
  same(PRINT(tm_print_date(out, TM_CALENDAR_DAY_MIN - 367)), "-0001-12-31");
  same(PRINT(tm_print_date(out, INT32_MAX)), "5881580-07-11");
  same(PRINT(tm_print_date(out, INT32_MIN)), "-5877641-06-23");
  char expected[32];
  for (int64_t days = INT32_MIN; days <= INT32_MAX; days += 99991) {
    tm_civil civil = tm_calendar_civil((int32_t)days);
    snprintf(expected, sizeof expected, "%s%04d-%02d-%02d", civil.year < 0 ? "-" : "",
             abs(civil.year), civil.month, civil.day);
    same(PRINT(tm_print_date(out, (int32_t)days)), expected);
  }
}

Test(print, timestamps) {
  int64_t us = 20526 * TM_CALENDAR_DAY_US + 5400 * TM_CALENDAR_SECOND_US;
  same(PRINT(tm_print_timestamp(out, us, 0, true)), "2026-03-14T01:30:00Z");
  same(PRINT(tm_print_timestamp(out, us + 500000, 0, true)), "2026-03-14T01:30:00.500Z");
  same(PRINT(tm_print_timestamp(out, us + 1, 0, true)), "2026-03-14T01:30:00.000001Z");
  same(PRINT(tm_print_timestamp(out, us + 1000, 0, true)), "2026-03-14T01:30:00.001Z");
  same(PRINT(tm_print_timestamp(out, us, 0, false)), "2026-03-14T01:30:00+00:00");
  same(PRINT(tm_print_timestamp(out, us, 3600, false)), "2026-03-14T02:30:00+01:00");
  same(PRINT(tm_print_timestamp(out, us, -19800, false)), "2026-03-13T20:00:00-05:30");
  same(PRINT(tm_print_timestamp(out, us, 3208, false)), "2026-03-14T02:23:28+00:53:28");
  same(PRINT(tm_print_timestamp(out, us, 86399, false)), "2026-03-15T01:29:59+23:59:59");
  same(PRINT(tm_print_timestamp(out, -1, 0, true)), "1969-12-31T23:59:59.999999Z");
  same(PRINT(tm_print_timestamp(out, -1, 1, false)), "1970-01-01T00:00:00.999999+00:00:01");
  same(PRINT(tm_print_timestamp(out, INT64_MAX, 86399, false)),
                   "294247-01-11T04:00:53.775807+23:59:59");
  same(PRINT(tm_print_timestamp(out, INT64_MIN, -86399, false)),
                   "-290308-12-20T19:59:06.224192-23:59:59");
}

Test(print, random_timestamps_read_back) {
  int64_t first = TM_CALENDAR_DAY_MIN * TM_CALENDAR_DAY_US;
  int64_t span = (TM_CALENDAR_DAY_MAX - TM_CALENDAR_DAY_MIN + 1) * TM_CALENDAR_DAY_US;
  static const int64_t units[] = {1, 1000, 1000000};
  for (int i = 0; i < 300000; i++) {
    int64_t unit = units[random_bits() % 3];
    int64_t us = first + (int64_t)(random_bits() % (uint64_t)span) / unit * unit, local = 0;
    int offset = (int)(random_bits() % 172799) - 86399, east = 0;
    if (i % 2) offset = offset / 900 * 900;
    bool utc = i % 3 == 0;
    const char *printed = PRINT(tm_print_timestamp(out, us, offset, utc));
    int day = tm_calendar_day_of_us(us + (utc ? 0 : offset * TM_CALENDAR_SECOND_US));
    if (day < TM_CALENDAR_DAY_MIN || day > TM_CALENDAR_DAY_MAX) continue;
    cr_assert_eq(tm_parse_timestamp(printed, strlen(printed), &local, &east), 0, "%s", printed);
    cr_assert_eq(east, utc ? 0 : offset, "%s", printed);
    cr_assert_eq(local - east * TM_CALENDAR_SECOND_US, us, "%s", printed);
    int fraction = us % 1000000 == 0 ? 0 : us % 1000 == 0 ? 4 : 7;
    int zone = utc ? 1 : offset % 60 == 0 ? 6 : 9;
    cr_assert_eq(strlen(printed), (size_t)(19 + fraction + zone), "%s", printed);
  }
}
