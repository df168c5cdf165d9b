/* kernel/decimal.c: decimals by sign and magnitude.
 *
 * Every function takes magnitudes as unsigned integers, works on those exactly and puts the sign
 * back at the end; a result is given only when it has at most 38 digits. Common cases fit 64 or
 * 128 bits and take the short way; the long way is exact for all others. */
#include "kernel/decimal.h"

#include <math.h>
#include <string.h>

#include "kernel/power.h"
#include "kernel/wide_int.h"

static inline tm_u128 magnitude(__int128 value) {
  return value < 0 ? 0 - (tm_u128)value : (tm_u128)value;
}

static inline int give(tm_u128 value, bool minus, __int128 *out) {
  if (value >= tm_power_u128(TM_DECIMAL_DIGITS)) return TM_DECIMAL_OVERFLOW;
  *out = minus ? -(__int128)value : (__int128)value;
  return TM_DECIMAL_OK;
}

/* *value *= 10^places; false where that needs more than 128 bits. places may be any number. */
static inline bool scale_up(tm_u128 *value, int places) {
  if (places == 0 || *value == 0) return true;
  if (places > TM_DECIMAL_DIGITS) return false;
  return !__builtin_mul_overflow(*value, tm_power_u128(places), value);
}

int tm_decimal_digits(__int128 value) {
  tm_u128 rest = magnitude(value);
  int digits = 1;
  /* 39 digits, which only a sum has, end the loop, too. */
  while (digits <= TM_DECIMAL_DIGITS && rest >= tm_power_u128(digits)) digits++;
  return digits;
}

bool tm_decimal_fits(__int128 value, int precision) {
  return magnitude(value) < tm_power_u128(precision);
}

/* ---- rounding */

/* What was cut off, against half a unit of what stays. */
typedef enum rest_kind { REST_NONE, REST_BELOW, REST_HALF, REST_ABOVE } rest_kind;

static inline rest_kind kind_of(tm_u128 rest, tm_u128 divisor) {
  if (rest == 0) return REST_NONE;
  tm_u128 other = divisor - rest;
  return rest < other ? REST_BELOW : rest == other ? REST_HALF : REST_ABOVE;
}

static bool rounds_away(tm_rounding mode, bool minus, bool odd, rest_kind rest) {
  switch (mode) {
    case TM_ROUND_HALF_UP: return rest >= REST_HALF;
    case TM_ROUND_HALF_EVEN: return rest == REST_ABOVE || (rest == REST_HALF && odd);
    case TM_ROUND_UP: return rest != REST_NONE;
    case TM_ROUND_DOWN: return false;
    case TM_ROUND_FLOOR: return minus && rest != REST_NONE;
    case TM_ROUND_CEIL: return !minus && rest != REST_NONE;
  }
  assert(!"a rounding mode");
  return false;
}

/* value / 10^places, rounded. */
static tm_u128 scale_down(tm_u128 value, int places, tm_rounding mode, bool minus) {
  tm_u128 quotient = 0;
  rest_kind rest = value == 0 ? REST_NONE : REST_BELOW; /* no value reaches half of 10^39 */
  if (places <= TM_DECIMAL_DIGITS) {
    tm_u128 unit = tm_power_u128(places);
    if (value <= UINT64_MAX && places <= 19) {
      quotient = (uint64_t)value / (uint64_t)unit;
    } else {
      quotient = value / unit;
    }
    rest = kind_of(value - quotient * unit, unit);
  }
  return quotient + rounds_away(mode, minus, quotient & 1, rest);
}

int tm_decimal_rescale(__int128 value, int from, int to, tm_rounding mode, __int128 *out) {
  assert(from >= -38 && from <= 38 && to >= -38 && to <= 38);
  bool minus = value < 0;
  tm_u128 digits = magnitude(value);
  if (to >= from) {
    if (!scale_up(&digits, to - from)) return TM_DECIMAL_OVERFLOW;
  } else {
    digits = scale_down(digits, from - to, mode, minus);
  }
  return give(digits, minus, out);
}

/* ---- arithmetic */

/* a + b of one scale; two magnitudes may carry out of 128 bits. */
static int add_signed(tm_u128 a, bool a_minus, tm_u128 b, bool b_minus, __int128 *out) {
  tm_u128 sum;
  if (a_minus != b_minus)
    return a >= b ? give(a - b, a_minus, out) : give(b - a, b_minus, out);
  if (__builtin_add_overflow(a, b, &sum)) return TM_DECIMAL_OVERFLOW;
  return give(sum, a_minus, out);
}

static int add_scaled(__int128 a, int a_scale, tm_u128 b, bool b_minus, int b_scale,
                      __int128 *out) {
  tm_u128 a_digits = magnitude(a);
  /* One that leaves 128 bits when scaled up is 2^128 or more and the other, not scaled, at most
   * 2^127: what is left has too many digits as well. */
  if (!scale_up(&a_digits, b_scale > a_scale ? b_scale - a_scale : 0)) return TM_DECIMAL_OVERFLOW;
  if (!scale_up(&b, a_scale > b_scale ? a_scale - b_scale : 0)) return TM_DECIMAL_OVERFLOW;
  return add_signed(a_digits, a < 0, b, b_minus, out);
}

int tm_decimal_add(__int128 a, int a_scale, __int128 b, int b_scale, __int128 *out) {
  return add_scaled(a, a_scale, magnitude(b), b < 0, b_scale, out);
}

int tm_decimal_subtract(__int128 a, int a_scale, __int128 b, int b_scale, __int128 *out) {
  return add_scaled(a, a_scale, magnitude(b), b > 0, b_scale, out);
}

int tm_decimal_multiply(__int128 a, int a_scale, __int128 b, int b_scale, __int128 *out) {
  if (a_scale + b_scale > TM_DECIMAL_DIGITS) return TM_DECIMAL_OVERFLOW;
  tm_u128 product;
  if (__builtin_mul_overflow(magnitude(a), magnitude(b), &product)) return TM_DECIMAL_OVERFLOW;
  return give(product, (a < 0) != (b < 0), out);
}

int tm_decimal_divide(__int128 a, int a_scale, __int128 b, int b_scale, int out_scale,
                      __int128 *out) {
  if (b == 0) return TM_DECIMAL_BY_ZERO;
  if (out_scale > TM_DECIMAL_DIGITS) return TM_DECIMAL_OVERFLOW;
  bool minus = (a < 0) != (b < 0);
  int places = out_scale + b_scale - a_scale;
  assert(places >= 0);
  tm_u128 dividend = magnitude(a), divisor = magnitude(b), quotient, rest;
  if (scale_up(&dividend, places)) {
    quotient = dividend / divisor;
    rest = dividend - quotient * divisor;
  } else {
    tm_u256 wide = tm_u256_of(magnitude(a)), wide_quotient;
    for (; places > 0; places -= 19)
      if (!tm_u256_multiply(&wide, tm_power_u64[places < 19 ? places : 19]))
        return TM_DECIMAL_OVERFLOW; /* more than 2^256 / 2^127 */
    rest = tm_u256_divide(&wide, divisor, &wide_quotient);
    if (tm_u256_high(&wide_quotient) != 0) return TM_DECIMAL_OVERFLOW;
    quotient = tm_u256_low(&wide_quotient);
  }
  bool up = rounds_away(TM_ROUND_HALF_EVEN, minus, quotient & 1, kind_of(rest, divisor));
  if (up && ++quotient == 0) return TM_DECIMAL_OVERFLOW;
  return give(quotient, minus, out);
}

int tm_decimal_compare(__int128 a, int a_scale, __int128 b, int b_scale) {
  if (a_scale == b_scale) return (a > b) - (a < b);
  int a_sign = (a > 0) - (a < 0), b_sign = (b > 0) - (b < 0);
  if (a_sign != b_sign || a_sign == 0) return a_sign - b_sign;
  tm_u128 a_digits = magnitude(a), b_digits = magnitude(b);
  /* One that leaves 128 bits when scaled up is larger than the other. */
  if (!scale_up(&a_digits, b_scale > a_scale ? b_scale - a_scale : 0)) return a_sign;
  if (!scale_up(&b_digits, a_scale > b_scale ? a_scale - b_scale : 0)) return -a_sign;
  return a_digits > b_digits ? a_sign : a_digits < b_digits ? -a_sign : 0;
}

/* ---- conversions */

int tm_decimal_to_int64(__int128 value, int scale, tm_rounding mode, int64_t *out) {
  __int128 whole;
  int result = tm_decimal_rescale(value, scale, 0, mode, &whole);
  if (result != TM_DECIMAL_OK) return result;
  if (whole < INT64_MIN || whole > INT64_MAX) return TM_DECIMAL_OVERFLOW;
  *out = (int64_t)whole;
  return TM_DECIMAL_OK;
}

/* digits / 10^scale by one long division: a quotient of 129 bits or more, and whether there was a
 * rest, decide every rounding. */
static double divide_to_double(tm_u128 digits, int scale) {
  int lead = digits >> 64 != 0 ? __builtin_clzll((uint64_t)(digits >> 64))
                               : 64 + __builtin_clzll((uint64_t)digits);
  tm_u128 top = digits << lead;
  tm_u256 dividend = {{0, 0, (uint64_t)top, (uint64_t)(top >> 64)}}, quotient;
  tm_u128 rest = tm_u256_divide(&dividend, tm_power_u128(scale), &quotient);
  int drop = tm_u256_bits(&quotient) - 54; /* 53 bits and one to round by */
  uint64_t mantissa = tm_u256_shift(&quotient, -drop).limb[0];
  bool sticky = rest != 0 || tm_u256_any_below(&quotient, drop);
  bool up = (mantissa & 1) && (sticky || (mantissa & 2));
  return ldexp((double)((mantissa >> 1) + up), drop + 1 - 128 - lead);
}

double tm_decimal_to_double(__int128 value, int scale) {
  assert(scale >= 0 && scale <= 38);
  tm_u128 digits = magnitude(value);
  double result;
  if (digits == 0) return 0;
  if (digits <= UINT64_C(1) << 53 && scale <= 22) {
    result = (double)(uint64_t)digits / tm_power_double[scale]; /* both exact: rounds once */
  } else if (digits > UINT64_MAX || !tm_power_round((uint64_t)digits, -scale, &result)) {
    result = divide_to_double(digits, scale);
  }
  return value < 0 ? -result : result;
}

int tm_decimal_from_double(double value, int scale, tm_rounding mode, __int128 *out) {
  assert(scale >= 0 && scale <= 38);
  if (!isfinite(value)) return TM_DECIMAL_OVERFLOW;
  int exponent;
  bool minus = signbit(value) != 0;
  uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(value), &exponent), 53);
  exponent -= 53; /* value == mantissa * 2^exponent, exactly */
  tm_u256 digits = tm_u256_of(mantissa);
  bool fits = tm_u256_multiply(&digits, tm_power_u64[scale < 19 ? scale : 19]) &&
              tm_u256_multiply(&digits, tm_power_u64[scale < 19 ? 0 : scale - 19]);
  assert(fits); /* 53 and 127 bits */
  if (mantissa == 0) return give(0, false, out);
  rest_kind rest = REST_NONE;
  if (exponent >= 0) {
    if (tm_u256_bits(&digits) + exponent > 128) return TM_DECIMAL_OVERFLOW;
    digits = tm_u256_shift(&digits, exponent);
  } else {
    int drop = -exponent;
    bool half = drop <= 256 && (tm_u256_shift(&digits, 1 - drop).limb[0] & 1);
    bool below = tm_u256_any_below(&digits, drop - 1);
    rest = half ? (below ? REST_ABOVE : REST_HALF) : below ? REST_BELOW : REST_NONE;
    digits = tm_u256_shift(&digits, -drop);
  }
  if (tm_u256_high(&digits) != 0) return TM_DECIMAL_OVERFLOW;
  tm_u128 whole = tm_u256_low(&digits);
  whole += rounds_away(mode, minus, whole & 1, rest);
  return give(whole, minus, out);
}

/* ---- columns */

bool tm_decimal64_add(const int64_t *restrict a, const int64_t *restrict b, int64_t *restrict out,
                      size_t rows) {
  uint64_t overflow = 0; /* in the sign bit: the sum's sign differs from that of both */
  for (size_t i = 0; i < rows; i++) {
    uint64_t x = (uint64_t)a[i], y = (uint64_t)b[i], sum = x + y;
    overflow |= (x ^ sum) & (y ^ sum);
    out[i] = (int64_t)sum;
  }
  return overflow >> 63;
}

bool tm_decimal64_subtract(const int64_t *restrict a, const int64_t *restrict b,
                           int64_t *restrict out, size_t rows) {
  uint64_t overflow = 0;
  for (size_t i = 0; i < rows; i++) {
    uint64_t x = (uint64_t)a[i], y = (uint64_t)b[i], difference = x - y;
    overflow |= (x ^ y) & (x ^ difference);
    out[i] = (int64_t)difference;
  }
  return overflow >> 63;
}

bool tm_decimal64_add_constant(const int64_t *restrict a, int64_t b, int64_t *restrict out,
                               size_t rows) {
  uint64_t overflow = 0, y = (uint64_t)b;
  for (size_t i = 0; i < rows; i++) {
    uint64_t x = (uint64_t)a[i], sum = x + y;
    overflow |= (x ^ sum) & (y ^ sum);
    out[i] = (int64_t)sum;
  }
  return overflow >> 63;
}

bool tm_decimal64_subtract_from(int64_t a, const int64_t *restrict b, int64_t *restrict out,
                                size_t rows) {
  uint64_t overflow = 0, x = (uint64_t)a;
  for (size_t i = 0; i < rows; i++) {
    uint64_t y = (uint64_t)b[i], difference = x - y;
    overflow |= (x ^ y) & (x ^ difference);
    out[i] = (int64_t)difference;
  }
  return overflow >> 63;
}

bool tm_decimal64_multiply(const int64_t *restrict a, const int64_t *restrict b,
                           int64_t *restrict out, size_t rows) {
  bool overflow = false;
  for (size_t i = 0; i < rows; i++) overflow |= __builtin_mul_overflow(a[i], b[i], &out[i]);
  return overflow;
}

bool tm_decimal64_multiply_constant(const int64_t *restrict a, int64_t b, int64_t *restrict out,
                                    size_t rows) {
  bool overflow = false;
  for (size_t i = 0; i < rows; i++) overflow |= __builtin_mul_overflow(a[i], b, &out[i]);
  return overflow;
}

void tm_decimal64_multiply_wide(const int64_t *restrict a, const int64_t *restrict b,
                                __int128 *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) out[i] = (__int128)a[i] * b[i];
}

void tm_decimal64_widen(const int64_t *restrict a, __int128 *restrict out, size_t rows) {
  for (size_t i = 0; i < rows; i++) out[i] = a[i];
}
