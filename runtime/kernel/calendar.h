/* kernel/calendar.h: days, civil dates and times of day, in the proleptic Gregorian calendar.
 *
 * Everything is counted from 1 March of a year far enough back that all numbers are positive:
 * then the leap day is a year's last, months follow one line (153 days in five months), and
 * each step is one multiplication and a shift, without a branch. The idea is the Euclidean affine
 * functions of C. Neri and L. Schneider, "Euclidean affine functions and their application to
 * calendar algorithms" (Software: Practice and Experience, 2023); the formulas here are derived
 * anew for all of int32. Instants before 1970 floor: 23:59:59 comes before midnight there too. */
#ifndef TM_KERNEL_CALENDAR_H
#define TM_KERNEL_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TM_CALENDAR_SECOND_US INT64_C(1000000)
#define TM_CALENDAR_MINUTE_US (60 * TM_CALENDAR_SECOND_US)
#define TM_CALENDAR_HOUR_US (60 * TM_CALENDAR_MINUTE_US)
#define TM_CALENDAR_DAY_US (24 * TM_CALENDAR_HOUR_US)

enum {
  TM_CALENDAR_ERA_DAYS = 146097,      /* of 400 years */
  TM_CALENDAR_DAY_MIN = -719162,      /* 0001-01-01 */
  TM_CALENDAR_DAY_MAX = 2932896,      /* 9999-12-31 */
  TM_CALENDAR_MARCH_TO_EPOCH = 719468, /* days from 0000-03-01 to 1970-01-01 */
  TM_CALENDAR_ERAS = 14700,           /* added so that all of int32 counts from above 0 */
};

typedef struct tm_civil {
  int32_t year, month, day; /* month 1 to 12, day 1 to 31 */
} tm_civil;

static inline bool tm_calendar_is_leap(int32_t year) {
  /* A multiple of 100 and 16 is one of 400; & works on negative years, too. */
  return (year & 3) == 0 && (year % 25 != 0 || (year & 15) == 0);
}

static inline int32_t tm_calendar_month_days(int32_t year, int32_t month) {
  return month == 2 ? 28 + tm_calendar_is_leap(year) : 30 | (month ^ (month >> 3));
}

/* Days since 1970-01-01; the date must exist. Beyond int32 for years beyond ±5.8 million. */
static inline int64_t tm_calendar_days(int32_t year, int32_t month, int32_t day) {
  uint32_t before_march = month <= 2;
  uint64_t y = (uint64_t)((int64_t)year + 400 * TM_CALENDAR_ERAS) - before_march;
  uint32_t m = (uint32_t)month + 12 * before_march; /* 3 to 14 */
  uint64_t century = y / 100;
  uint64_t day_of_year = (979 * m - 2919) / 32 + (uint32_t)day - 1;
  return (int64_t)(1461 * y / 4 - century + century / 4 + day_of_year) -
         TM_CALENDAR_MARCH_TO_EPOCH - (int64_t)TM_CALENDAR_ERAS * TM_CALENDAR_ERA_DAYS;
}

static inline tm_civil tm_calendar_civil(int32_t days) {
  uint64_t shifted = (uint64_t)((int64_t)days + TM_CALENDAR_MARCH_TO_EPOCH +
                                (int64_t)TM_CALENDAR_ERAS * TM_CALENDAR_ERA_DAYS);
  uint64_t quarters = 4 * shifted + 3;
  uint64_t century = quarters / TM_CALENDAR_ERA_DAYS;
  uint32_t in_century = (uint32_t)(quarters - century * TM_CALENDAR_ERA_DAYS) | 3;
  /* 2939745 / 2^32 is 1/1461 from above, close enough below 146100: the high word is the year of
   * the century, the low one what is left of that year. */
  uint64_t years = UINT64_C(2939745) * in_century;
  uint32_t day_of_year = (uint32_t)years / 2939745 / 4;
  uint32_t line = 2141 * day_of_year + 197913; /* 2141 / 2^16 is 1/30.6: (5 months) / (153 days) */
  uint32_t january = day_of_year >= 306;
  tm_civil civil = {
      .year = (int32_t)((int64_t)(100 * century + (years >> 32)) - 400 * TM_CALENDAR_ERAS) +
              (int32_t)january,
      .month = (int32_t)((line >> 16) - 12 * january),
      .day = (int32_t)((line & 0xffff) / 2141 + 1),
  };
  return civil;
}

/* 1 is Monday, 7 Sunday. */
static inline int32_t tm_calendar_weekday(int32_t days) {
  /* 2147483653 is a multiple of 7 above 2^31; 1970-01-01 was a Thursday. */
  return (int32_t)((uint64_t)((int64_t)days + 2147483653 + 3) % 7) + 1;
}

/* The day an instant lies in. All of int64 gives a day within int32. */
static inline int32_t tm_calendar_day_of_us(int64_t us) {
  int64_t day = us / TM_CALENDAR_DAY_US;
  return (int32_t)(day - (day * TM_CALENDAR_DAY_US > us));
}

/* Microseconds since that day's midnight. */
static inline int64_t tm_calendar_time_of_us(int64_t us) {
  int64_t rest = us % TM_CALENDAR_DAY_US;
  return rest + (rest < 0 ? TM_CALENDAR_DAY_US : 0);
}

static inline int32_t tm_calendar_hour_of_us(int64_t us) {
  return (int32_t)(tm_calendar_time_of_us(us) / TM_CALENDAR_HOUR_US);
}
static inline int32_t tm_calendar_minute_of_us(int64_t us) {
  return (int32_t)(tm_calendar_time_of_us(us) / TM_CALENDAR_MINUTE_US % 60);
}
static inline int32_t tm_calendar_second_of_us(int64_t us) {
  return (int32_t)(tm_calendar_time_of_us(us) / TM_CALENDAR_SECOND_US % 60);
}

/* The same day `months` later, or that month's last where it has no such day. -1: beyond int32. */
int tm_calendar_add_months(int32_t days, int64_t months, int32_t *out);

/* Columns. Results are the integers that scripts see, so int64. out may not overlap the input. */
void tm_calendar_years(const int32_t *restrict days, int64_t *restrict out, size_t rows);
void tm_calendar_months(const int32_t *restrict days, int64_t *restrict out, size_t rows);
void tm_calendar_days_of_month(const int32_t *restrict days, int64_t *restrict out, size_t rows);
void tm_calendar_weekdays(const int32_t *restrict days, int64_t *restrict out, size_t rows);
void tm_calendar_days_of_us(const int64_t *restrict us, int32_t *restrict out, size_t rows);
void tm_calendar_hours(const int64_t *restrict us, int64_t *restrict out, size_t rows);
void tm_calendar_minutes(const int64_t *restrict us, int64_t *restrict out, size_t rows);
void tm_calendar_seconds(const int64_t *restrict us, int64_t *restrict out, size_t rows);

#endif
