/* tests/kernel/parse_column_test.c: whole columns against the same fields one by one.
 *
 * Both ways of the columns are tested: in calls of up to seven rows none is taken eight at a time,
 * in one call nearly all are (on machines that can). The text lies at the start of a block that
 * ends 16 bytes behind it, so that a sanitizer sees what is read beyond that. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/calendar.h"
#include "kernel/number_text.h"
#include "tests/kernel/number_random.h"

enum { ROWS = 4003, FIELD_MAX = 64, PRECISION = 14, SCALE = 3 };

static char *text;
static uint32_t begin[ROWS], end[ROWS];
static size_t marked;
static uint8_t status[ROWS], local[ROWS];
static __int128 out[ROWS]; /* room for a column of any type */

typedef size_t (*field_writer)(char *at);
typedef size_t (*column_parser)(size_t first, size_t rows);

static void setup(field_writer write) {
  static const char between[] = ",|\n;\t 5.-Z";
  char *room = malloc((size_t)ROWS * FIELD_MAX);
  uint32_t at = 0;
  for (int i = 0; i < ROWS; i++) {
    begin[i] = at;
    at += (uint32_t)write(room + at);
    end[i] = at;
    room[at++] = between[random_bits() % (sizeof between - 1)];
  }
  text = malloc(end[ROWS - 1] + 16);
  memcpy(text, room, end[ROWS - 1]);
  memset(text + end[ROWS - 1], '9', 16);
  free(room);
}

/* check(i, status) says whether row i is what it should be. */
static void check_all(field_writer write, column_parser parse, bool (*check)(size_t row)) {
  for (size_t rows_a_call = 7; rows_a_call != 0; rows_a_call = rows_a_call == 7 ? ROWS : 0) {
    setup(write);
    memset(status, 99, sizeof status);
    marked = 0;
    for (size_t at = 0; at < ROWS; at += rows_a_call)
      marked += parse(at, at + rows_a_call < ROWS ? rows_a_call : ROWS - at);
    size_t counted = 0;
    for (size_t i = 0; i < ROWS; i++) {
      size_t size = end[i] - begin[i];
      if (size == 0) cr_assert_eq(status[i], TM_PARSE_EMPTY, "row %zu", i);
      cr_assert(check(i), "row %zu, '%.*s': status %d, %zu rows a call", i, (int)size,
                text + begin[i], (int8_t)status[i], rows_a_call);
      counted += status[i] != 0;
    }
    cr_assert_eq(marked, counted);
    free(text);
  }
}

/* ---- fields */

static size_t damage(char *at, size_t size) {
  uint64_t choice = random_bits() % 40;
  if (choice == 0) return 0;
  if (choice == 1) at[size++] = ' ';
  if (choice == 2 && size > 0) at[random_bits() % size] = (char)random_bits();
  if (choice == 3) memmove(at + 1, at, size++), at[0] = "-+ ."[random_bits() % 4];
  if (choice == 4) at[size++] = "Zex./:"[random_bits() % 6];
  return size;
}

static size_t write_int(char *at) {
  uint64_t bits = random_bits() >> random_bits() % 64;
  bool minus = random_bits() % 3 == 0;
  int width = (int)(random_bits() % 12 == 0 ? random_bits() % 25 : 0);
  return damage(at, (size_t)snprintf(at, 32, "%s%0*" PRIu64, minus ? "-" : "", width, bits));
}

static size_t write_pointed(char *at) {
  uint64_t whole = random_bits() >> random_bits() % 64, fraction = random_bits() % 100000000;
  size_t size = (size_t)snprintf(at, 32, "%s%" PRIu64, random_bits() % 3 == 0 ? "-" : "",
                                 random_bits() % 2 ? whole : whole % 100000);
  if (random_bits() % 4 != 0) {
    int places = (int)(random_bits() % 9);
    size += (size_t)snprintf(at + size, 16, ".%08" PRIu64, fraction) - 8 + (size_t)places;
  }
  if (random_bits() % 16 == 0)
    size += (size_t)snprintf(at + size, 8, "e%d", (int)(random_bits() % 40));
  if (random_bits() % 16 == 0) memmove(at, at + 1, --size);
  return damage(at, size);
}

static size_t write_date(char *at) {
  uint64_t year = random_bits() % (random_bits() % 8 == 0 ? 10100 : 3000);
  return damage(at, (size_t)snprintf(at, 32, "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64, year,
                                     1 + random_bits() % 12 + (random_bits() % 50 == 0),
                                     1 + random_bits() % 31 - (random_bits() % 50 == 0)));
}

static size_t write_timestamp(char *at) {
  size_t size = write_date(at);
  if (size == 0 || random_bits() % 10 == 0) return size;
  size += (size_t)snprintf(at + size, 32, "%c%02d:%02d:%02d", "T T T Tx"[random_bits() % 8],
                           (int)(random_bits() % 24), (int)(random_bits() % 60),
                           (int)(random_bits() % 60));
  if (random_bits() % 30 == 0) size -= 3;
  if (random_bits() % 2) {
    int places = (int)(random_bits() % 9);
    snprintf(at + size, 16, ".%06d00", (int)(random_bits() % 1000000));
    size += 1 + (size_t)places;
  }
  static const char *const zones[] = {"", "Z", "Z", "Z", "+01:00", "-0330", "+05", "z"};
  size += (size_t)snprintf(at + size, 16, "%s", zones[random_bits() % 8]);
  return damage(at, size);
}

/* ---- columns */

#define FIELDS text, begin + first, end + first, rows

static size_t parse_int64(size_t first, size_t rows) {
  return tm_parse_int64_column(FIELDS, (int64_t *)out + first, status + first);
}
static size_t parse_int32(size_t first, size_t rows) {
  return tm_parse_int32_column(FIELDS, (int32_t *)out + first, status + first);
}
static size_t parse_float64(size_t first, size_t rows) {
  return tm_parse_float64_column(FIELDS, (double *)out + first, status + first);
}
static size_t parse_decimal64(size_t first, size_t rows) {
  return tm_parse_decimal64_column(FIELDS, PRECISION, SCALE, (int64_t *)out + first,
                                   status + first);
}
static size_t parse_decimal64_whole(size_t first, size_t rows) {
  return tm_parse_decimal64_column(FIELDS, 18, 0, (int64_t *)out + first, status + first);
}
static size_t parse_decimal64_fraction(size_t first, size_t rows) {
  return tm_parse_decimal64_column(FIELDS, 18, 18, (int64_t *)out + first, status + first);
}
static size_t parse_decimal128(size_t first, size_t rows) {
  return tm_parse_decimal128_column(FIELDS, 30, 8, out + first, status + first);
}
static size_t parse_bool(size_t first, size_t rows) {
  return tm_parse_bool_column(FIELDS, (uint8_t *)out + first, status + first);
}
static size_t parse_date(size_t first, size_t rows) {
  return tm_parse_date_column(FIELDS, (int32_t *)out + first, status + first);
}
static size_t parse_timestamp(size_t first, size_t rows) {
  return tm_parse_timestamp_column(FIELDS, (int64_t *)out + first, local + first, status + first);
}

/* ---- the same one by one */

#define ONE text + i_begin, i_size

/* `call` gives the result and leaves `expected`, which began as 0. */
#define CHECKER(name, type, call)                                      \
  static bool name(size_t i) {                                         \
    size_t i_begin = begin[i], i_size = end[i] - i_begin;              \
    type expected = 0, actual = ((type *)out)[i];                      \
    uint8_t result = i_size == 0 ? TM_PARSE_EMPTY : (uint8_t)(call);   \
    return status[i] == result && memcmp(&expected, &actual, sizeof expected) == 0; \
  }

CHECKER(check_int64, int64_t, tm_parse_int64(ONE, &expected))
CHECKER(check_int32, int32_t, tm_parse_int32(ONE, &expected))
CHECKER(check_float64, double, tm_parse_float64(ONE, &expected))
CHECKER(check_decimal64, int64_t, tm_parse_decimal64(ONE, PRECISION, SCALE, &expected))
CHECKER(check_decimal64_whole, int64_t, tm_parse_decimal64(ONE, 18, 0, &expected))
CHECKER(check_decimal64_fraction, int64_t, tm_parse_decimal64(ONE, 18, 18, &expected))
CHECKER(check_decimal128, __int128, tm_parse_decimal128(ONE, 30, 8, &expected))
CHECKER(check_bool, bool, tm_parse_bool(ONE, &expected))
CHECKER(check_date, int32_t, tm_parse_date(ONE, &expected))

static int timestamp_in_utc(const char *at, size_t size, int64_t *us, bool *is_local) {
  int offset, result = tm_parse_timestamp(at, size, us, &offset);
  if (result != TM_PARSE_OK) return result;
  *is_local = offset == TM_PARSE_NO_OFFSET;
  if (!*is_local) *us -= offset * TM_CALENDAR_SECOND_US;
  return result;
}

static bool check_timestamp(size_t i) {
  int64_t expected = 0;
  bool is_local = false;
  size_t size = end[i] - begin[i];
  int result = size == 0 ? TM_PARSE_EMPTY
                         : timestamp_in_utc(text + begin[i], size, &expected, &is_local);
  return status[i] == (uint8_t)result && ((int64_t *)out)[i] == expected &&
         (result != 0 || local[i] == is_local);
}

static size_t write_word(char *at) {
  static const char *const words[] = {
      "true", "false", "T", "F", "yes", "no", "1", "0", "maybe", "",
  };
  const char *word = words[random_bits() % 10];
  strcpy(at, word);
  return damage(at, strlen(word));
}

Test(parse_column, int64) { check_all(write_int, parse_int64, check_int64); }
Test(parse_column, int32) { check_all(write_int, parse_int32, check_int32); }
Test(parse_column, int_texts_as_float64) { check_all(write_int, parse_float64, check_float64); }
Test(parse_column, float64) { check_all(write_pointed, parse_float64, check_float64); }
Test(parse_column, decimal64) { check_all(write_pointed, parse_decimal64, check_decimal64); }
Test(parse_column, decimal64_whole) {
  check_all(write_pointed, parse_decimal64_whole, check_decimal64_whole);
}
Test(parse_column, decimal64_fraction) {
  check_all(write_pointed, parse_decimal64_fraction, check_decimal64_fraction);
}
Test(parse_column, decimal128) { check_all(write_pointed, parse_decimal128, check_decimal128); }
Test(parse_column, booleans) { check_all(write_word, parse_bool, check_bool); }
Test(parse_column, date) { check_all(write_date, parse_date, check_date); }
Test(parse_column, timestamp) { check_all(write_timestamp, parse_timestamp, check_timestamp); }
Test(parse_column, dates_as_timestamps) {
  check_all(write_date, parse_timestamp, check_timestamp);
}

/* Fields that touch and overlap each other, and the very start of the text. */
Test(parse_column, fields_may_lie_anywhere) {
  static const char digits[] = "-123456789012345678901234567890";
  text = malloc(sizeof digits - 1);
  memcpy(text, digits, sizeof digits - 1);
  for (size_t i = 0; i < ROWS; i++) {
    begin[i] = (uint32_t)(random_bits() % 16);
    end[i] = (uint32_t)(begin[i] + random_bits() % (16 - begin[i]));
  }
  cr_assert_gt(parse_int64(0, ROWS), 0);
  for (size_t i = 0; i < ROWS; i++) cr_assert(check_int64(i), "row %zu", i);
  cr_assert_gt(parse_float64(0, ROWS), 0);
  for (size_t i = 0; i < ROWS; i++) cr_assert(check_float64(i), "row %zu", i);
  free(text);
}

/* Every byte in every place of short fields, eight of the same kind at once. */
Test(parse_column, every_byte_in_every_place) {
  static const char *const fields[] = {"1234567", "-12.345", "12345678.12345", "2024-02-29",
                                       "2024-02-29T12:34:56Z", "2024-02-29 12:34:56.789012"};
  static const struct { column_parser parse; bool (*check)(size_t); } kinds[] = {
      {parse_int64, check_int64}, {parse_int32, check_int32}, {parse_float64, check_float64},
      {parse_decimal64, check_decimal64}, {parse_date, check_date},
      {parse_timestamp, check_timestamp}};
  for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
    size_t size = strlen(fields[f]);
    text = malloc(256 * size + 16);
    for (size_t place = 0; place < size; place++) {
      for (size_t byte = 0; byte < 256; byte++) {
        memcpy(text + byte * size, fields[f], size);
        text[byte * size + place] = (char)byte;
        begin[byte] = (uint32_t)(byte * size);
        end[byte] = (uint32_t)(byte * size + size);
      }
      for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        kinds[k].parse(0, 256);
        for (size_t i = 0; i < 256; i++)
          cr_assert(kinds[k].check(i), "'%.*s' as kind %zu", (int)size, text + begin[i], k);
      }
    }
    free(text);
  }
}
