/* tests/kernel/calendar_test.c: the calendar against a day counter that knows only month lengths.
 *
 * The reference walks day by day and shares no formula with the code under test. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "kernel/calendar.h"

static bool reference_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int reference_length(int64_t year, int month) {
  static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return lengths[month - 1] + (month == 2 && reference_leap(year));
}

static void check_day(int32_t days, int64_t year, int month, int day) {
  tm_civil civil = tm_calendar_civil(days);
  bool same = civil.year == year && civil.month == month && civil.day == day;
  cr_assert(same, "day %d is %d-%d-%d, not %ld-%d-%d", days, civil.year, civil.month, civil.day,
            (long)year, month, day);
  cr_assert_eq(tm_calendar_days((int32_t)year, month, day), days);
}

Test(calendar, every_day_of_forty_centuries) {
  int64_t year = -1000;
  int month = 1, day = 1;
  int32_t days = (int32_t)tm_calendar_days(-1000, 1, 1);
  cr_assert_eq(days, -354285 - 5 * 146097); /* 1000-01-01, less five eras */
  int weekday = tm_calendar_weekday(days);
  for (; year < 3000; days++) {
    check_day(days, year, month, day);
    cr_assert_eq(tm_calendar_weekday(days), weekday);
    weekday = weekday % 7 + 1;
    if (++day <= reference_length(year, month)) continue;
    day = 1;
    if (++month <= 12) continue;
    month = 1;
    year++;
  }
}

Test(calendar, known_days) {
  check_day(0, 1970, 1, 1);
  check_day(-1, 1969, 12, 31);
  check_day(TM_CALENDAR_DAY_MIN, 1, 1, 1);
  check_day(TM_CALENDAR_DAY_MAX, 9999, 12, 31);
  check_day(11016, 2000, 2, 29);
  check_day(20526, 2026, 3, 14);
  check_day(INT32_MAX, 5881580, 7, 11); /* as java.time has them */
  check_day(INT32_MIN, -5877641, 6, 23);
  cr_assert_eq(tm_calendar_weekday(0), 4);
  cr_assert_eq(tm_calendar_weekday(20526), 6); /* 2026-03-14 was a Saturday */
  cr_assert_eq(tm_calendar_weekday(-4), 7);
}

Test(calendar, weekdays_of_all_int32) {
  /* Seven days apart is the same weekday, so all agree with day 0 of their class. */
  for (int64_t days = INT32_MIN; days <= INT32_MAX; days += 999983) {
    int64_t rest = ((days % 7) + 7) % 7;
    cr_assert_eq(tm_calendar_weekday((int32_t)days), (rest + 3) % 7 + 1);
  }
}

Test(calendar, civil_and_days_are_inverse_over_all_int32) {
  for (int64_t days = INT32_MIN; days <= INT32_MAX; days += 1511) {
    tm_civil civil = tm_calendar_civil((int32_t)days);
    cr_assert(civil.month >= 1 && civil.month <= 12 && civil.day >= 1);
    cr_assert(civil.day <= tm_calendar_month_days(civil.year, civil.month));
    cr_assert_eq(tm_calendar_days(civil.year, civil.month, civil.day), days);
  }
}

Test(calendar, month_lengths) {
  static const int32_t years[] = {-400, -100, -4, -1, 0, 1, 4, 100, 400, 1900, 1999, 2000, 2024};
  for (size_t y = 0; y < sizeof years / sizeof *years; y++) {
    cr_assert_eq(tm_calendar_is_leap(years[y]), reference_leap(years[y]), "%d", years[y]);
    for (int month = 1; month <= 12; month++)
      cr_assert_eq(tm_calendar_month_days(years[y], month), reference_length(years[y], month));
  }
}

Test(calendar, times_floor_before_the_epoch) {
  cr_assert_eq(tm_calendar_day_of_us(-1), -1);
  cr_assert_eq(tm_calendar_hour_of_us(-1), 23);
  cr_assert_eq(tm_calendar_minute_of_us(-1), 59);
  cr_assert_eq(tm_calendar_second_of_us(-1), 59);
  cr_assert_eq(tm_calendar_time_of_us(-1), TM_CALENDAR_DAY_US - 1);
  cr_assert_eq(tm_calendar_day_of_us(-TM_CALENDAR_DAY_US), -1);
  cr_assert_eq(tm_calendar_time_of_us(-TM_CALENDAR_DAY_US), 0);
  cr_assert_eq(tm_calendar_day_of_us(INT64_MIN), -106751992);
  cr_assert_eq(tm_calendar_day_of_us(INT64_MAX), 106751991);
  int64_t us = 20526 * TM_CALENDAR_DAY_US + 13 * TM_CALENDAR_HOUR_US + 45 * TM_CALENDAR_MINUTE_US +
               59 * TM_CALENDAR_SECOND_US + 999999;
  cr_assert_eq(tm_calendar_day_of_us(us), 20526);
  cr_assert_eq(tm_calendar_hour_of_us(us), 13);
  cr_assert_eq(tm_calendar_minute_of_us(us), 45);
  cr_assert_eq(tm_calendar_second_of_us(us), 59);
}

static int32_t after_months(int32_t year, int month, int day, int64_t months) {
  int32_t out = 0;
  cr_assert_eq(tm_calendar_add_months((int32_t)tm_calendar_days(year, month, day), months, &out),
               0);
  return out;
}

Test(calendar, months_clamp_to_the_end) {
  cr_assert_eq(after_months(2026, 1, 31, 1), tm_calendar_days(2026, 2, 28));
  cr_assert_eq(after_months(2024, 1, 31, 1), tm_calendar_days(2024, 2, 29));
  cr_assert_eq(after_months(2024, 2, 29, 12), tm_calendar_days(2025, 2, 28));
  cr_assert_eq(after_months(2026, 3, 31, -1), tm_calendar_days(2026, 2, 28));
  cr_assert_eq(after_months(2026, 1, 15, -1), tm_calendar_days(2025, 12, 15));
  cr_assert_eq(after_months(1, 1, 1, -12), tm_calendar_days(0, 1, 1));
  cr_assert_eq(after_months(0, 3, 1, -25), tm_calendar_days(-3, 2, 1) + 365);
  cr_assert_eq(after_months(2026, 12, 31, 0), tm_calendar_days(2026, 12, 31));
  int32_t out;
  cr_assert_eq(tm_calendar_add_months(INT32_MAX, 1, &out), -1);
  cr_assert_eq(tm_calendar_add_months(INT32_MIN, -1, &out), -1);
  cr_assert_eq(tm_calendar_add_months(0, INT64_MAX, &out), -1);
  cr_assert_eq(tm_calendar_add_months(0, INT64_MIN, &out), -1);
  cr_assert_eq(tm_calendar_add_months(INT32_MIN, -100000000, &out), -1);
  cr_assert_eq(tm_calendar_add_months(INT32_MIN, 12 * 11000000, &out), 0);
}

enum { ROWS = 3001 }; /* no multiple of a block */

Test(calendar, date_columns_agree_with_single_dates) {
  static int32_t days[ROWS];
  static int64_t out[4][ROWS];
  uint64_t random = 7;
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < ROWS; i++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      days[i] = (int32_t)(random >> 32);
      if (round % 3 != 2) days[i] %= round % 3 == 0 ? 100000 : 536000000;
    }
    if (round == 4) days[0] = 536000000, days[1] = -536000000, days[2] = 536000001;
    tm_calendar_years(days, out[0], ROWS);
    tm_calendar_months(days, out[1], ROWS);
    tm_calendar_days_of_month(days, out[2], ROWS);
    tm_calendar_weekdays(days, out[3], ROWS);
    for (int i = 0; i < ROWS; i++) {
      tm_civil civil = tm_calendar_civil(days[i]);
      cr_assert_eq(out[0][i], civil.year, "%d", days[i]);
      cr_assert_eq(out[1][i], civil.month, "%d", days[i]);
      cr_assert_eq(out[2][i], civil.day, "%d", days[i]);
      cr_assert_eq(out[3][i], tm_calendar_weekday(days[i]), "%d", days[i]);
    }
  }
}

Test(calendar, time_columns_agree_with_single_times) {
  static int64_t us[ROWS], out[3][ROWS];
  static int32_t days[ROWS];
  uint64_t random = 11;
  for (int i = 0; i < ROWS; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    us[i] = (int64_t)random >> (i % 3 * 8);
  }
  us[0] = INT64_MIN, us[1] = INT64_MAX, us[2] = -1, us[3] = 0;
  tm_calendar_days_of_us(us, days, ROWS);
  tm_calendar_hours(us, out[0], ROWS);
  tm_calendar_minutes(us, out[1], ROWS);
  tm_calendar_seconds(us, out[2], ROWS);
  for (int i = 0; i < ROWS; i++) {
    __int128 rest = (__int128)us[i] - (__int128)days[i] * TM_CALENDAR_DAY_US;
    cr_assert(rest >= 0 && rest < TM_CALENDAR_DAY_US);
    cr_assert_eq((out[0][i] * 60 + out[1][i]) * 60 + out[2][i], (int64_t)(rest / 1000000));
    cr_assert(out[0][i] < 24 && out[1][i] < 60 && out[2][i] < 60);
  }
}
