/* kernel/parse_time.c: dates and timestamps from text, one at a time. */
#include "kernel/parse_time.h"

#include "kernel/power.h"

/* A date of more than four digits of year is well formed, and out of range. */
static bool is_long_date(const char *text, const char *end) {
  const char *at = text;
  while (at < end && tm_digits_is(*at)) at++;
  if (at - text < 5 || end - at != 6) return false;
  /* Month and day are judged in a leap year: the year itself is refused anyway. */
  char copy[10] = {'2', '0', '0', '0'};
  memcpy(copy + 4, at, 6);
  int32_t days;
  return tm_parse_date_text(copy, &days) == TM_PARSE_OK;
}

static int parse_date(const char *text, const char *end, int32_t *out_days) {
  if (end - text == 10) return tm_parse_date_text(text, out_days);
  return is_long_date(text, end) ? TM_PARSE_RANGE : TM_PARSE_TYPE;
}

int tm_parse_date(const char *text, size_t size, int32_t *out_days) {
  const char *end = text + size;
  tm_digits_trim(&text, &end);
  return parse_date(text, end, out_days);
}

/* Two digits below `limit`; -1: there are none. */
static int take_pair(const char **text, const char *end, int limit) {
  const char *at = *text;
  if (end - at < 2 || !tm_digits_is(at[0]) || !tm_digits_is(at[1])) return -1;
  int value = (at[0] - '0') * 10 + (at[1] - '0');
  if (value >= limit) return -1;
  *text += 2;
  return value;
}

static bool take_mark(const char **text, const char *end, char mark) {
  if (*text == end || **text != mark) return false;
  ++*text;
  return true;
}

/* HH:MM[:SS[.fraction]]. TM_PARSE_SCALE leaves the text behind the fraction, too. */
static int take_clock(const char **text, const char *end, int64_t *out_us) {
  int hour = take_pair(text, end, 24);
  if (hour < 0 || !take_mark(text, end, ':')) return TM_PARSE_TYPE;
  int minute = take_pair(text, end, 60), second = 0;
  if (minute < 0) return TM_PARSE_TYPE;
  int result = TM_PARSE_OK;
  int64_t fraction = 0;
  if (take_mark(text, end, ':')) {
    second = take_pair(text, end, 60);
    if (second < 0) return TM_PARSE_TYPE;
    if (take_mark(text, end, '.')) {
      int places = 0;
      const char *start = *text;
      for (; *text < end && tm_digits_is(**text); ++*text) {
        if (places < 6) {
          fraction = fraction * 10 + (**text - '0');
          places++;
        } else if (**text != '0') {
          result = TM_PARSE_SCALE;
        }
      }
      if (*text == start) return TM_PARSE_TYPE;
      fraction *= (int64_t)tm_power_u64[6 - places];
    }
  }
  *out_us = (hour * 3600 + minute * 60 + second) * TM_CALENDAR_SECOND_US + fraction;
  return result;
}

/* Z, ±HH, ±HHMM, ±HH:MM, ±HH:MM:SS (as old local times have it) or nothing. */
static int take_offset(const char **text, const char *end, int *out) {
  *out = TM_PARSE_NO_OFFSET;
  if (*text == end) return TM_PARSE_OK;
  if (take_mark(text, end, 'Z')) return *out = 0, TM_PARSE_OK;
  bool minus = **text == '-';
  if (!minus && **text != '+') return TM_PARSE_TYPE;
  ++*text;
  int hour = take_pair(text, end, 24), minute = 0, second = 0;
  if (hour < 0) return TM_PARSE_TYPE;
  if (*text < end) {
    bool colons = take_mark(text, end, ':');
    minute = take_pair(text, end, 60);
    if (colons && take_mark(text, end, ':')) second = take_pair(text, end, 60);
    if (minute < 0 || second < 0) return TM_PARSE_TYPE;
  }
  int seconds = hour * 3600 + minute * 60 + second;
  *out = minus ? -seconds : seconds;
  return TM_PARSE_OK;
}

int tm_parse_timestamp(const char *text, size_t size, int64_t *out_local_us, int *out_offset) {
  const char *end = text + size;
  tm_digits_trim(&text, &end);
  const char *date_end = text;
  while (date_end < end && *date_end != 'T' && *date_end != ' ') date_end++;
  int32_t days = 0;
  int date_result = parse_date(text, date_end, &days);
  if (date_result == TM_PARSE_TYPE) return TM_PARSE_TYPE;

  int64_t clock_us = 0;
  int offset = TM_PARSE_NO_OFFSET, clock_result = TM_PARSE_OK;
  text = date_end;
  if (text < end) {
    text++;
    clock_result = take_clock(&text, end, &clock_us);
    if (clock_result == TM_PARSE_TYPE) return TM_PARSE_TYPE;
    if (take_offset(&text, end, &offset) != TM_PARSE_OK || text != end) return TM_PARSE_TYPE;
  }
  if (date_result != TM_PARSE_OK) return date_result;
  if (clock_result != TM_PARSE_OK) return clock_result;
  int64_t local_us = days * TM_CALENDAR_DAY_US + clock_us;
  int64_t east_us = offset == TM_PARSE_NO_OFFSET ? 0 : offset * TM_CALENDAR_SECOND_US;
  int32_t utc_day = tm_calendar_day_of_us(local_us - east_us);
  if (utc_day < TM_CALENDAR_DAY_MIN || utc_day > TM_CALENDAR_DAY_MAX) return TM_PARSE_RANGE;
  *out_local_us = local_us;
  *out_offset = offset;
  return TM_PARSE_OK;
}

int tm_parse_timestamp_row(const char *text, size_t size, int64_t *out_us, uint8_t *out_local) {
  int64_t local_us;
  int offset, result = tm_parse_timestamp(text, size, &local_us, &offset);
  if (result != TM_PARSE_OK) return result;
  bool local = offset == TM_PARSE_NO_OFFSET;
  *out_us = local_us - (local ? 0 : offset * TM_CALENDAR_SECOND_US);
  if (out_local != NULL) *out_local = local;
  return TM_PARSE_OK;
}
