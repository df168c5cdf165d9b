/* kernel/print.c: integers, decimals, dates and timestamps as text.
 *
 * Digits are made eight at a time in a register (tm_digits_split) and stored as whole words, also
 * over bytes that do not count: the room that print.h asks for makes that safe. */
#include "kernel/print.h"

#include "kernel/calendar.h"
#include "kernel/digits.h"
#include "kernel/power.h"

enum { TEN_TO_8 = 100000000 };

static inline void put_eight(char *out, uint32_t value) {
  tm_digits_store(out, tm_digits_split(value) | TM_DIGITS_ZEROS);
}

/* Without leading zeros; 0 is one digit. */
static inline size_t put_short(char *out, uint32_t value) {
  uint64_t digits = tm_digits_split(value);
  unsigned skip = digits == 0 ? 7 : (unsigned)__builtin_ctzll(digits) / 8;
  tm_digits_store(out, (digits | TM_DIGITS_ZEROS) >> (8 * skip));
  return 8 - skip;
}

static inline size_t put_u64(char *out, uint64_t value) {
  if (value < TEN_TO_8) return put_short(out, (uint32_t)value);
  uint64_t head = value / TEN_TO_8;
  uint32_t tail = (uint32_t)(value % TEN_TO_8);
  size_t size;
  if (head < TEN_TO_8) {
    size = put_short(out, (uint32_t)head);
  } else {
    size = put_short(out, (uint32_t)(head / TEN_TO_8));
    put_eight(out + size, (uint32_t)(head % TEN_TO_8));
    size += 8;
  }
  put_eight(out + size, tail);
  return size + 8;
}

/* Up to 39 digits. */
static size_t put_u128(char *out, unsigned __int128 value) {
  if (value <= UINT64_MAX) return put_u64(out, (uint64_t)value);
  uint64_t unit = tm_power_u64[19];
  size_t size = put_u64(out, (uint64_t)(value / unit));
  uint64_t tail = (uint64_t)(value % unit), top = tail / tm_power_u64[16];
  put_eight(out + size, (uint32_t)(top * 100000)); /* three digits that count */
  size += 3;
  put_eight(out + size, (uint32_t)(tail / TEN_TO_8 % TEN_TO_8));
  put_eight(out + size + 8, (uint32_t)(tail % TEN_TO_8));
  return size + 16;
}

size_t tm_print_int64(char *out, int64_t value) {
  *out = '-';
  bool minus = value < 0;
  return minus + put_u64(out + minus, minus ? 0 - (uint64_t)value : (uint64_t)value);
}

size_t tm_print_decimal(char *out, __int128 value, int scale) {
  assert(scale >= 0 && scale <= 38);
  char digits[48];
  bool minus = value < 0;
  size_t size = put_u128(digits, minus ? 0 - (unsigned __int128)value : (unsigned __int128)value);
  size_t places = (size_t)scale;
  char *at = out;
  *at = '-';
  at += minus;
  if (size > places) {
    memcpy(at, digits, 40);
    if (places == 0) return (size_t)(at - out) + size;
    at += size - places;
    *at++ = '.';
    memmove(at, digits + size - places, places);
  } else {
    *at++ = '0';
    *at++ = '.';
    memset(at, '0', places - size);
    memcpy(at + places - size, digits, size);
  }
  return (size_t)(at - out) + places;
}

size_t tm_print_date(char *out, int32_t days) {
  tm_civil civil = tm_calendar_civil(days);
  char *at = out;
  uint32_t tail = (uint32_t)(civil.month * 100 + civil.day);
  uint64_t digits;
  if (civil.year >= 0 && civil.year <= 9999) {
    digits = tm_digits_split((uint32_t)civil.year * 10000 + tail) | TM_DIGITS_ZEROS;
    memcpy(at, &digits, 4);
    at += 4;
  } else {
    *at = '-';
    at += civil.year < 0;
    uint32_t year = civil.year < 0 ? 0 - (uint32_t)civil.year : (uint32_t)civil.year;
    digits = tm_digits_split(year) | TM_DIGITS_ZEROS;
    unsigned skip = year > 9999 ? (year < 100000 ? 3 : year < 1000000 ? 2 : 1) : 4;
    tm_digits_store(at, digits >> (8 * skip));
    at += 8 - skip;
    digits = tm_digits_split(tail) | TM_DIGITS_ZEROS;
  }
  const char *last = (const char *)&digits + 4;
  at[0] = '-';
  memcpy(at + 1, last, 2);
  at[3] = '-';
  memcpy(at + 4, last + 2, 2);
  return (size_t)(at - out) + 6;
}

/* ":MM", two digits. */
static char *put_part(char *at, char mark, int value) {
  at[0] = mark;
  at[1] = (char)('0' + value / 10);
  at[2] = (char)('0' + value % 10);
  return at + 3;
}

static char *put_offset(char *at, int seconds) {
  char mark = '+';
  if (seconds < 0) mark = '-', seconds = -seconds;
  at = put_part(at, mark, seconds / 3600);
  at = put_part(at, ':', seconds / 60 % 60);
  return seconds % 60 == 0 ? at : put_part(at, ':', seconds % 60);
}

size_t tm_print_timestamp(char *out, int64_t us, int offset_seconds, bool utc) {
  assert(offset_seconds > -86400 && offset_seconds < 86400);
  int64_t east_us = utc ? 0 : offset_seconds * TM_CALENDAR_SECOND_US;
  /* Day and time apart, so that an offset cannot leave int64. */
  int32_t day = tm_calendar_day_of_us(us);
  int64_t time = tm_calendar_time_of_us(us) + east_us;
  int step = (time >= TM_CALENDAR_DAY_US) - (time < 0);
  day += step;
  time -= step * TM_CALENDAR_DAY_US;

  char *at = out + tm_print_date(out, day);
  uint32_t second = (uint32_t)(time / TM_CALENDAR_SECOND_US);
  uint32_t fraction = (uint32_t)(time % TM_CALENDAR_SECOND_US);
  uint32_t clock = second / 3600 * 1000000 + second / 60 % 60 * 1000 + second % 60;
  /* HHMMMSSS has zeros where the colons go. */
  uint64_t digits = tm_digits_split(clock) | TM_DIGITS_ZEROS;
  digits ^= UINT64_C(0x00000a00000a0000);
  *at++ = 'T';
  tm_digits_store(at, digits);
  at += 8;
  if (fraction != 0) {
    *at++ = '.';
    tm_digits_store(at, (tm_digits_split(fraction) | TM_DIGITS_ZEROS) >> 16);
    at += fraction % 1000 == 0 ? 3 : 6;
  }
  if (utc) {
    *at++ = 'Z';
  } else {
    at = put_offset(at, offset_seconds);
  }
  return (size_t)(at - out);
}
