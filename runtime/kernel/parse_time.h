/* kernel/parse_time.h: dates and times of day by words. Private to this room.
 *
 * One subtraction-free test finds a wrong character anywhere in a word: after the exclusive or
 * with a pattern, digits are 0 to 9 and marks are 0, and adding 0x76 or 0x7f to each byte sets
 * its top bit exactly where they are not. */
#ifndef TM_KERNEL_PARSE_TIME_H
#define TM_KERNEL_PARSE_TIME_H

#include "kernel/calendar.h"
#include "kernel/digits.h"
#include "kernel/parse.h"

/* "YYYY-MM-DD", ten bytes: days since the epoch. */
static inline int tm_parse_date_text(const char *text, int32_t *out_days) {
  static const uint8_t lengths[16] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const uint64_t pattern = UINT64_C(0x2d30302d30303030); /* 0000-00- */
  uint64_t head = tm_digits_load(text) ^ pattern;
  uint16_t tail;
  memcpy(&tail, text + 8, sizeof tail);
  tail ^= 0x3030;
  uint64_t wrong = ((head + UINT64_C(0x7f76767f76767676)) | head) & TM_DIGITS_HIGH;
  wrong |= ((tail + 0x7676u) | tail) & 0x8080u;
  uint64_t pairs = head * 10 + (head >> 8);
  uint32_t year = (uint32_t)(pairs & 0xff) * 100 + (uint32_t)(pairs >> 16 & 0xff);
  uint32_t month = (uint32_t)(pairs >> 40 & 0xff);
  uint32_t day = (tail & 0xffu) * 10 + (tail >> 8);
  uint32_t last = lengths[month & 15];
  last -= (month == 2) & !tm_calendar_is_leap((int32_t)year);
  wrong |= (month > 12) | (day - 1 >= last);
  if (wrong != 0) return TM_PARSE_TYPE;
  if (year == 0) return TM_PARSE_RANGE;
  *out_days = (int32_t)tm_calendar_days((int32_t)year, (int32_t)month, (int32_t)day);
  return TM_PARSE_OK;
}

/* "HH:MM:SS", eight bytes: seconds since midnight, -1 where it is no time of day. */
static inline int32_t tm_parse_clock_text(const char *text) {
  const uint64_t pattern = UINT64_C(0x30303a30303a3030); /* 00:00:00 */
  uint64_t word = tm_digits_load(text) ^ pattern;
  uint64_t wrong = ((word + UINT64_C(0x76767f76767f7676)) | word) & TM_DIGITS_HIGH;
  uint64_t pairs = word * 10 + (word >> 8);
  uint32_t hour = (uint32_t)(pairs & 0xff), minute = (uint32_t)(pairs >> 24 & 0xff);
  uint32_t second = (uint32_t)(pairs >> 48 & 0xff);
  wrong |= (hour > 23) | (minute > 59) | (second > 59);
  return wrong != 0 ? -1 : (int32_t)(hour * 3600 + minute * 60 + second);
}

/* As tm_parse_timestamp, with an offset applied; *out_local (may be NULL): there was none. */
int tm_parse_timestamp_row(const char *text, size_t size, int64_t *out_us, uint8_t *out_local);

#endif
