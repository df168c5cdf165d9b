/* kernel/calendar.c: calendar arithmetic over columns, and adding months.
 *
 * Columns of dates are almost always within ±1.4 million years, where all of tm_calendar_civil
 * fits 32-bit lanes and vectorises; a block with anything beyond goes the 64-bit way. */
#include "kernel/calendar.h"

enum {
  BLOCK_ROWS = 1024,
  NARROW_ERAS = 3670,
  NARROW_OFFSET = TM_CALENDAR_MARCH_TO_EPOCH + NARROW_ERAS * TM_CALENDAR_ERA_DAYS,
  NARROW_DAYS = 536000000, /* beyond it 4 * shifted + 3 would leave 32 bits */
};

static bool is_narrow(const int32_t *restrict days, size_t rows) {
  uint32_t wide = 0;
  for (size_t i = 0; i < rows; i++)
    wide |= (uint32_t)(days[i] + UINT32_C(536000000)) > 2 * UINT32_C(536000000);
  return wide == 0;
}

typedef struct narrow_date {
  uint32_t year, day_of_year; /* year counts from NARROW_ERAS before 0, both from 1 March */
} narrow_date;

static inline narrow_date narrow_split(int32_t days) {
  uint32_t quarters = 4 * (uint32_t)(days + NARROW_OFFSET) + 3;
  uint32_t century = quarters / TM_CALENDAR_ERA_DAYS;
  uint32_t in_century = (quarters - century * TM_CALENDAR_ERA_DAYS) | 3;
  uint32_t year = in_century / 1461;
  return (narrow_date){100 * century + year, (in_century - 1461 * year) / 4};
}

static void narrow_years(const int32_t *restrict days, int64_t *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) {
    narrow_date date = narrow_split(days[i]);
    out[i] = (int32_t)(date.year + (date.day_of_year >= 306)) - 400 * NARROW_ERAS;
  }
}

static void narrow_months(const int32_t *restrict days, int64_t *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) {
    uint32_t day_of_year = narrow_split(days[i]).day_of_year;
    uint32_t month = (2141 * day_of_year + 197913) >> 16;
    out[i] = (int32_t)(month - (day_of_year >= 306 ? 12 : 0));
  }
}

static void narrow_days_of_month(const int32_t *restrict days, int64_t *restrict out,
                                 size_t rows) {
  for (size_t i = 0; i < rows; i++) {
    uint32_t line = 2141 * narrow_split(days[i]).day_of_year + 197913;
    out[i] = (int32_t)((line & 0xffff) / 2141 + 1);
  }
}

/* One public function: blocks that are narrow through the vector loop, others row by row. */
#define CALENDAR_COLUMN(name, narrow, member)                                              \
  void name(const int32_t *restrict days, int64_t *restrict out, size_t rows) {            \
    for (size_t at = 0; at < rows; at += BLOCK_ROWS) {                                     \
      size_t count = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS;                      \
      if (is_narrow(days + at, count)) {                                                   \
        narrow(days + at, out + at, count);                                                \
        continue;                                                                          \
      }                                                                                    \
      for (size_t i = at; i < at + count; i++) out[i] = tm_calendar_civil(days[i]).member; \
    }                                                                                      \
  }
CALENDAR_COLUMN(tm_calendar_years, narrow_years, year)
CALENDAR_COLUMN(tm_calendar_months, narrow_months, month)
CALENDAR_COLUMN(tm_calendar_days_of_month, narrow_days_of_month, day)
#undef CALENDAR_COLUMN

void tm_calendar_weekdays(const int32_t *restrict days, int64_t *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) {
    uint32_t shifted = (uint32_t)days[i] + UINT32_C(0x80000000);
    uint32_t rest = shifted % 7; /* 2^31 % 7 == 2, so 2 is a Thursday and 6 a Monday */
    out[i] = (int32_t)(rest == 6 ? 1 : rest + 2);
  }
}

void tm_calendar_days_of_us(const int64_t *restrict us, int32_t *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) out[i] = tm_calendar_day_of_us(us[i]);
}

void tm_calendar_hours(const int64_t *restrict us, int64_t *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) out[i] = tm_calendar_hour_of_us(us[i]);
}

void tm_calendar_minutes(const int64_t *restrict us, int64_t *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) out[i] = tm_calendar_minute_of_us(us[i]);
}

void tm_calendar_seconds(const int64_t *restrict us, int64_t *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) out[i] = tm_calendar_second_of_us(us[i]);
}

int tm_calendar_add_months(int32_t days, int64_t months, int32_t *out) {
  /* No date of int32 is as far from another as 2^28 months. */
  if (months < -(INT64_C(1) << 28) || months > INT64_C(1) << 28) return -1;
  tm_civil civil = tm_calendar_civil(days);
  /* Counted from before all of int32, so that / and % round down. */
  enum { YEARS_BEFORE = 400 * TM_CALENDAR_ERAS };
  int64_t month = 12 * ((int64_t)civil.year + YEARS_BEFORE) + civil.month - 1 + months;
  if (month < 12 || month >= INT64_C(24) * YEARS_BEFORE) return -1;
  int32_t year = (int32_t)(month / 12 - YEARS_BEFORE);
  civil.month = (int32_t)(month % 12) + 1;
  int32_t last = tm_calendar_month_days(year, civil.month);
  if (civil.day > last) civil.day = last;
  int64_t result = tm_calendar_days(year, civil.month, civil.day);
  if (result < INT32_MIN || result > INT32_MAX) return -1;
  *out = (int32_t)result;
  return 0;
}
