/* kernel/print_float.c: doubles as the shortest text that reads back to them.
 *
 * The algorithm is Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020). A double
 * v is nearer than its neighbours to every number of an interval around it. With k the largest
 * integer for which 10^k is not wider than that interval, the multiples of 10^k next to v on both
 * sides, s and s + 1, hold one in the interval; of the multiples of 10^(k + 1) at most one does,
 * and that one is shorter. All are compared as 4 * v and the interval's ends, scaled by 10^-k to
 * integers whose lowest bit is set where something was cut off ("round to odd"): with the 128 bits
 * of tm_power_table, rounded up, that never misjudges a comparison, as the paper proves. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/digits.h"
#include "kernel/power.h"
#include "kernel/print.h"

typedef struct shortest {
  uint64_t digits; /* up to 17 of them */
  int exponent;    /* of ten */
} shortest;

static inline uint64_t scale_to_odd(tm_power power, uint64_t value) {
  uint64_t carry = (uint64_t)((unsigned __int128)power.low * value >> 64);
  unsigned __int128 product = (unsigned __int128)power.high * value + carry;
  /* The power is up to one unit too large, so a low word of 1 may be none. */
  return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

/* Of a finite double above 0, given as its bits. */
static shortest find_shortest(uint64_t bits) {
  uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
  int biased = (int)(bits >> 52);
  uint64_t c = biased == 0 ? fraction : fraction | UINT64_C(1) << 52; /* v == c * 2^q */
  int q = (biased == 0 ? 1 : biased) - 1075;
  bool closer = fraction == 0 && biased > 1; /* the neighbour below is only half as far */
  uint64_t odd = c & 1;                      /* then the interval's ends do not read back to v */

  /* floor(log10(2^q)), or of 3/4 of it, the interval's width. */
  int k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
  int shift = q + tm_power_log2(-k) + 1;
  tm_power power = tm_power_of(-k);
  power.low += !tm_power_is_exact(-k);
  power.high += power.low == 0 && !tm_power_is_exact(-k);
  uint64_t low = scale_to_odd(power, (4 * c - 2 + closer) << shift) + odd;
  uint64_t high = scale_to_odd(power, (4 * c + 2) << shift) - odd;
  uint64_t value = scale_to_odd(power, 4 * c << shift);

  uint64_t s = value / 4;
  if (s >= 10) {
    uint64_t t = s / 10;
    bool below = low <= 40 * t, above = 40 * t + 40 <= high;
    if (below != above) return (shortest){t + above, k + 1};
  }
  bool below = low <= 4 * s, above = 4 * s + 4 <= high;
  if (below != above) return (shortest){s + above, k};
  uint64_t middle = 4 * s + 2;
  bool up = value > middle || (value == middle && (s & 1));
  return (shortest){s + up, k};
}

/* Digits as characters without zeros at either end, and where the point goes among them. */
typedef struct float_digits {
  char text[48]; /* from `start` on, `count` of them; room to copy more than there are */
  int start, count, point;
} float_digits;

/* Of a finite double above 0, given as its bits. */
static void find_digits(uint64_t bits, float_digits *out) {
  shortest value = find_shortest(bits);
  uint64_t head = value.digits / 100000000;
  uint64_t words[3] = {
      tm_digits_split((uint32_t)(head / 100000000)),
      tm_digits_split((uint32_t)(head % 100000000)),
      tm_digits_split((uint32_t)(value.digits % 100000000)),
  };
  int first = words[0] != 0 ? 0 : words[1] != 0 ? 1 : 2;
  int last = words[2] != 0 ? 2 : words[1] != 0 ? 1 : 0;
  int start = 8 * first + __builtin_ctzll(words[first]) / 8;
  int end = 8 * last + 8 - __builtin_clzll(words[last]) / 8;
  for (int i = 0; i < 3; i++) tm_digits_store(out->text + 8 * i, words[i] | TM_DIGITS_ZEROS);
  out->start = start;
  out->count = end - start;
  out->point = 24 - start + value.exponent;
}

/* "e+16", "e-05", "e-324" */
static char *put_exponent(char *at, int exponent) {
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  if (exponent < 0) exponent = -exponent;
  if (exponent >= 100) *at++ = (char)('0' + exponent / 100);
  *at++ = (char)('0' + exponent / 10 % 10);
  *at++ = (char)('0' + exponent % 10);
  return at;
}

/* Plain where the point is within (-4, point_max], else with an exponent. */
static char *put_digits(char *at, const char *digits, int count, int point, int point_max) {
  if (point <= -4 || point > point_max) {
    *at++ = digits[0];
    if (count > 1) {
      *at++ = '.';
      memcpy(at, digits + 1, 16);
      at += count - 1;
    }
    return put_exponent(at, point - 1);
  }
  if (point <= 0) {
    memcpy(at, "0.0000", 6);
    at += 2 - point;
    memcpy(at, digits, 17);
    return at + count;
  }
  if (point >= count) {
    memset(at, '0', 18);
    memcpy(at, digits, (size_t)count);
    return at + point;
  }
  memcpy(at, digits, 17);
  memcpy(at + point + 1, digits + point, 17);
  at[point] = '.';
  return at + count + 1;
}

static size_t put_word(char *out, const char *word) {
  size_t size = strlen(word);
  memcpy(out, word, size);
  return size;
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

size_t tm_print_float64(char *out, double value) {
  if (isnan(value)) return put_word(out, "NaN");
  if (isinf(value)) return put_word(out, value < 0 ? "-Infinity" : "Infinity");
  char *at = out;
  *at = '-';
  at += signbit(value) != 0;
  value = fabs(value);
  if (value < 9007199254740992.0 && value == (double)(int64_t)value) {
    at += tm_print_int64(at, (int64_t)value);
  } else {
    float_digits digits;
    find_digits(bits_of(value), &digits);
    at = put_digits(at, digits.text + digits.start, digits.count, digits.point, 16);
    if (digits.point < digits.count || digits.point > 16) return (size_t)(at - out);
  }
  memcpy(at, ".0", 2);
  return (size_t)(at - out) + 2;
}

/* The shortest digits, rounded to 14, are the value rounded to 14, unless they end in a 5 exactly
 * there: a number halfway between two of 14 digits that lay between the value and its shortest
 * digits would be as short and nearer. Subnormals have shorter digits than 14: not those. */
static bool round_to_14(float_digits *digits) {
  char *text = digits->text + digits->start;
  if (digits->count <= 14) return true;
  if (digits->count == 15 && text[14] == '5') return false;
  bool up = text[14] >= '5';
  digits->count = 14;
  for (; up && digits->count > 0; digits->count--) {
    char *last = &text[digits->count - 1];
    up = *last == '9';
    if (up) continue;
    ++*last;
    break;
  }
  if (up) {
    text[0] = '1';
    digits->count = 1;
    digits->point++;
  }
  while (digits->count > 1 && text[digits->count - 1] == '0') digits->count--;
  return true;
}

size_t tm_print_lua_float(char *out, double value) {
  if (isnan(value)) return put_word(out, signbit(value) ? "-nan" : "nan");
  if (isinf(value)) return put_word(out, value < 0 ? "-inf" : "inf");
  char *at = out;
  *at = '-';
  at += signbit(value) != 0;
  value = fabs(value);
  if (value < 1e14 && value == (double)(int64_t)value) {
    at += tm_print_int64(at, (int64_t)value);
    memcpy(at, ".0", 2);
    return (size_t)(at - out) + 2;
  }
  float_digits digits;
  find_digits(bits_of(value), &digits);
  const char *start = at;
  if (value < 2.2250738585072014e-308 || !round_to_14(&digits)) {
    at += snprintf(at, 32, "%.14g", value);
  } else {
    at = put_digits(at, digits.text + digits.start, digits.count, digits.point, 14);
  }
  size_t size = (size_t)(at - start);
  if (memchr(start, '.', size) == NULL && memchr(start, 'e', size) == NULL) {
    memcpy(at, ".0", 2); /* rounded to an integer */
    at += 2;
  }
  return (size_t)(at - out);
}
