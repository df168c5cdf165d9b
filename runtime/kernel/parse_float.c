/* kernel/parse_float.c: the double nearest to a decimal text.
 *
 * Three ways, each exact, tried in this order:
 *   1. up to 2^53 and a power of ten that a double holds: one multiplication or division of two
 *      exact doubles rounds once (W. D. Clinger, "How to read floating point numbers accurately",
 *      PLDI 1990);
 *   2. tm_power_round on the first 19 digits; with more digits than that the value lies between
 *      those and the next, and is known where both round alike;
 *   3. the C library's strtod on digits and exponent alone, written anew: no point, no locale. */
#include "kernel/parse_float.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/digits.h"
#include "kernel/parse.h"
#include "kernel/power.h"

enum {
  WORD_DIGITS = 19,         /* fit uint64_t */
  DIGITS_MAX = 800,         /* no two neighbours' midpoint has more than 768 */
  EXPONENT_LIMIT = 100000,  /* far beyond any double, whatever the digits of a short text */
};

/* Digits, as if the value had no point, and the power of ten that sets it right. */
typedef struct float_text {
  const char *digits, *digits_end; /* with the point among them */
  int64_t exponent;                /* as written behind e; saturates */
  bool minus;
} float_text;

/* The exponent behind e, saturating; NULL where there is none. */
static const char *read_exponent(const char *at, const char *end, int64_t *out) {
  bool minus = false;
  if (at < end && (*at == '+' || *at == '-')) minus = *at++ == '-';
  if (at == end || !tm_digits_is(*at)) return NULL;
  int64_t value = 0;
  for (; at < end && tm_digits_is(*at); at++)
    if (value < INT64_C(1) << 56) value = value * 10 + (*at - '0');
  *out = minus ? -value : value;
  return at;
}

static bool is_word(const char *text, size_t size, const char *word) {
  if (strlen(word) != size) return false;
  for (size_t i = 0; i < size; i++)
    if ((text[i] | 0x20) != word[i]) return false;
  return true;
}

static int parse_word(const char *text, const char *end, bool minus, double *out) {
  size_t size = (size_t)(end - text);
  if (is_word(text, size, "nan")) {
    *out = (double)NAN;
  } else if (is_word(text, size, "inf") || is_word(text, size, "infinity")) {
    *out = minus ? -(double)INFINITY : (double)INFINITY;
  } else {
    return TM_PARSE_TYPE;
  }
  return TM_PARSE_OK;
}

static int give(double value, bool minus, double *out) {
  if (value > 1.7976931348623157e308) return TM_PARSE_RANGE;
  *out = minus ? -value : value;
  return TM_PARSE_OK;
}

static int clamp_exponent(int64_t exponent) {
  return (int)(exponent < -EXPONENT_LIMIT  ? -EXPONENT_LIMIT
               : exponent > EXPONENT_LIMIT ? EXPONENT_LIMIT
                                           : exponent);
}

/* Way 3: every digit that can matter, and a 1 for those that only say "a little more". */
static double by_library(const float_text *text) {
  char copy[DIGITS_MAX + 32];
  size_t size = 0;
  bool fraction = false, rest = false;
  int64_t exponent = text->exponent;
  for (const char *at = text->digits; at < text->digits_end; at++) {
    if (*at == '.') {
      fraction = true;
      continue;
    }
    bool kept = size < DIGITS_MAX;
    if (kept && (size > 0 || *at != '0')) copy[size++] = *at;
    if (!kept) rest |= *at != '0';
    exponent += (fraction ? -1 : 0) + (kept ? 0 : 1);
  }
  if (rest) {
    copy[size++] = '1';
    exponent--;
  }
  if (size == 0) copy[size++] = '0';
  snprintf(copy + size, sizeof copy - size, "e%d", clamp_exponent(exponent));
  int saved = errno;
  double value = strtod(copy, NULL);
  errno = saved;
  return value;
}

/* Ways 2 and 3, for more than 19 digits or where 19 did not decide. */
static double by_digits(const float_text *text) {
  uint64_t digits = 0;
  int count = 0;
  bool fraction = false, rest = false;
  int64_t exponent = text->exponent;
  for (const char *at = text->digits; at < text->digits_end; at++) {
    if (*at == '.') {
      fraction = true;
      continue;
    }
    bool kept = count < WORD_DIGITS;
    if (kept) {
      digits = digits * 10 + (uint64_t)(*at - '0');
      count += digits != 0; /* leading zeros do not count */
    } else {
      rest |= *at != '0';
    }
    exponent += (fraction ? -1 : 0) + (kept ? 0 : 1);
  }
  double low, high;
  bool decided = tm_power_round(digits, clamp_exponent(exponent), &low);
  if (decided && !rest) return low;
  if (decided && tm_power_round(digits + 1, clamp_exponent(exponent), &high) && low == high)
    return low;
  return by_library(text);
}

/* Adds the digits at `text` to the value and returns their end. More than 19 wrap. */
static inline __attribute__((always_inline)) const char *take_digits(const char *text,
                                                                     const char *end, bool padded,
                                                                     uint64_t *value) {
  for (;;) {
    size_t left = (size_t)(end - text);
    uint64_t word = padded ? tm_digits_load(text) : tm_digits_load_part(text, left);
    size_t run = tm_digits_run(word);
    if (padded && run > left) run = left;
    if (run < 8) {
      *value = *value * tm_power_u64[run] + tm_digits_value(tm_digits_align(word, run));
      return text + run;
    }
    *value = *value * 100000000 + tm_digits_value(word ^ TM_DIGITS_ZEROS);
    text += 8;
  }
}

static inline __attribute__((always_inline)) int parse(const char *text, size_t size, bool padded,
                                                       double *out) {
  const char *end = text + size;
  tm_digits_trim(&text, &end);
  float_text parts = {0};
  if (text < end && (*text == '-' || *text == '+')) parts.minus = *text++ == '-';
  parts.digits = text;
  uint64_t digits = 0;
  text = take_digits(text, end, padded, &digits);
  size_t count = (size_t)(text - parts.digits), places = 0;
  if (text < end && *text == '.') {
    const char *fraction = ++text;
    text = take_digits(text, end, padded, &digits);
    places = (size_t)(text - fraction);
  }
  count += places;
  parts.digits_end = text;
  if (count == 0) return parse_word(parts.digits, end, parts.minus, out);
  if (text < end && (*text | 0x20) == 'e') text = read_exponent(text + 1, end, &parts.exponent);
  if (text != end) return TM_PARSE_TYPE;

  int64_t exponent = parts.exponent - (int64_t)places;
  double value;
  if (count > WORD_DIGITS) return give(by_digits(&parts), parts.minus, out);
  if (digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
    value = (double)digits;
    value = exponent < 0 ? value / tm_power_double[-exponent] : value * tm_power_double[exponent];
  } else if (!tm_power_round(digits, clamp_exponent(exponent), &value)) {
    value = by_digits(&parts);
  }
  return give(value, parts.minus, out);
}

int tm_parse_float64(const char *text, size_t size, double *out) {
  return parse(text, size, false, out);
}

int tm_parse_float64_padded(const char *text, size_t size, double *out) {
  return parse(text, size, true, out);
}
