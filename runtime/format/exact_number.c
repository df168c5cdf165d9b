/* format/exact_number.c: see exact_number.h. Digits and exponent are taken apart; zeros at both
 * ends go into the exponent, so that 100e-2 is 1 and 0e999 is 0. */
#include "format/exact_number.h"

#include <string.h>

#include "format/json_document.h"
#include "kernel/parse.h"
#include "kernel/power.h"

enum { DIGITS_MAX = 38, EXPONENT_MAX = 100000 };

static int read_exponent(const char *at, const char *end) {
  bool minus = at < end && *at == '-';
  int value = 0;
  if (at < end && (*at == '-' || *at == '+')) at++;
  for (; at < end; at++) {
    if (value < EXPONENT_MAX) value = value * 10 + (*at - '0');
  }
  return minus ? -value : value;
}

int tm_exact_number(const char *text, size_t size, int precision, int scale, __int128 *out) {
  char digits[DIGITS_MAX];
  const char *end = text + size, *at = text + (size > 0 && *text == '-');
  int count = 0, exponent = 0, zeros = 0;
  bool point = false;
  if (!tm_json_is_number(text, size)) return TM_PARSE_TYPE;
  for (; at < end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      point = true;
      continue;
    }
    exponent -= point;
    if (*at == '0') {
      zeros += count > 0; /* held back until another digit follows */
      continue;
    }
    if (count + zeros >= DIGITS_MAX) {
      /* More digits than any type has: lost behind the point, too many before it. */
      return point ? TM_PARSE_SCALE : TM_PARSE_RANGE;
    }
    memset(digits + count, 0, (size_t)zeros);
    count += zeros;
    zeros = 0;
    digits[count++] = (char)(*at - '0');
  }
  if (count == 0) {
    *out = 0;
    return TM_PARSE_OK;
  }
  if (at < end) exponent += read_exponent(at + 1, end);
  int shift = exponent + zeros + scale;
  if (shift < 0) return TM_PARSE_SCALE;
  if (count + shift > DIGITS_MAX) return TM_PARSE_RANGE;
  unsigned __int128 value = 0;
  for (int i = 0; i < count; i++) value = value * 10 + (unsigned char)digits[i];
  value *= tm_power_u128(shift);
  if (precision < DIGITS_MAX && value >= tm_power_u128(precision)) return TM_PARSE_RANGE;
  *out = *text == '-' ? -(__int128)value : (__int128)value;
  return TM_PARSE_OK;
}

int tm_exact_number_store(const char *text, size_t size, tm_type type, void *out) {
  __int128 value;
  bool integer = tm_type_is_integer(type);
  int done = tm_exact_number(text, size, integer ? DIGITS_MAX : type.precision,
                             integer ? 0 : type.scale, &value);
  if (done == TM_PARSE_SCALE && integer) return TM_PARSE_TYPE;
  if (done != TM_PARSE_OK) return done;
  if (type.kind == TM_INT32) {
    if (value < INT32_MIN || value > INT32_MAX) return TM_PARSE_RANGE;
    *(int32_t *)out = (int32_t)value;
  } else if (type.kind == TM_INT64) {
    if (value < INT64_MIN || value > INT64_MAX) return TM_PARSE_RANGE;
    *(int64_t *)out = (int64_t)value;
  } else if (type.precision <= TM_DECIMAL_SHORT) {
    *(int64_t *)out = (int64_t)value;
  } else {
    *(__int128 *)out = value;
  }
  return TM_PARSE_OK;
}
