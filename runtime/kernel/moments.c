/* kernel/moments.c: see moments.h. Pairs of doubles: T. J. Dekker, "A floating-point technique for
 * extending the available precision", 1971. */
#include "kernel/moments.h"

#include <math.h>

#include "kernel/decimal.h"
#include "kernel/power.h"
#include "kernel/wide_int.h"

/* ------------------------------------------------------------------ integers */

bool tm_wide_to_i128(tm_wide_sum sum, __int128 *out) {
  *out = (__int128)sum.low;
  return sum.high == (*out < 0 ? -1 : 0);
}

static bool is_minus(const tm_wide_sum *sum) { return sum->high < 0; }

static tm_u256 magnitude_of(const tm_wide_sum *sum) {
  tm_u128 low = sum->low;
  uint64_t high = (uint64_t)sum->high;
  if (is_minus(sum)) {
    low = 0 - low;
    high = ~high + (low == 0);
  }
  return (tm_u256){{(uint64_t)low, (uint64_t)(low >> 64), high, 0}};
}

bool tm_wide_mean(tm_wide_sum sum, int64_t count, int digits, __int128 *out) {
  tm_u256 value = magnitude_of(&sum), quotient;
  uint64_t rest = (uint64_t)tm_u256_divide(&value, (tm_u128)count, &quotient);
  /* Whole part and rest apart, so that scaling up needs no more bits than the result has. */
  if (tm_u256_high(&quotient) != 0 || digits > 19) return false;
  tm_u128 scale = tm_power_u128(digits), whole, fraction = rest * scale;
  if (__builtin_mul_overflow(tm_u256_low(&quotient), scale, &whole)) return false;
  tm_u128 more = fraction / (uint64_t)count, left = fraction % (uint64_t)count;
  whole += more;
  tm_u128 twice = left * 2;
  whole += twice > (tm_u128)count || (twice == (tm_u128)count && (whole & 1));
  if (whole >= tm_power_u128(38)) return false;
  *out = is_minus(&sum) ? -(__int128)whole : (__int128)whole;
  return true;
}

/* Within half a unit of the last place, and a hair. */
static double u256_to_double(const tm_u256 *value) {
  int bits = tm_u256_bits(value);
  if (bits <= 64) return (double)value->limb[0];
  tm_u256 top = tm_u256_shift(value, 64 - bits);
  uint64_t word = top.limb[0] | tm_u256_any_below(value, bits - 64); /* never a tie by mistake */
  return ldexp((double)word, bits - 64);
}

static tm_twofold two_sum(double a, double b) {
  double sum = a + b, rest = sum - a;
  return (tm_twofold){sum, (a - (sum - rest)) + (b - rest)};
}

/* The upper 53 bits, and what is below them. */
static tm_twofold u256_to_twofold(const tm_u256 *value, bool minus) {
  int low_bits = tm_u256_bits(value) - 53;
  if (low_bits <= 0) {
    double whole = (double)value->limb[0];
    return (tm_twofold){minus ? -whole : whole, 0};
  }
  tm_u256 top = tm_u256_shift(value, -low_bits), whole = tm_u256_shift(&top, low_bits), rest;
  for (int i = 0; i < 4; i++) rest.limb[i] = value->limb[i] ^ whole.limb[i];
  double high = ldexp((double)top.limb[0], low_bits), low = u256_to_double(&rest);
  return minus ? two_sum(-high, -low) : two_sum(high, low);
}

double tm_wide_mean_double(tm_wide_sum sum, int64_t count) {
  tm_u256 value = magnitude_of(&sum), quotient;
  /* 64 bits more than the whole part: enough for a double of any quotient above 1. */
  int shift = 250 - tm_u256_bits(&value);
  tm_u256 scaled = tm_u256_shift(&value, shift);
  bool rest = tm_u256_divide(&scaled, (tm_u128)count, &quotient) != 0;
  quotient.limb[0] |= rest;
  double mean = ldexp(u256_to_double(&quotient), -shift);
  return is_minus(&sum) ? -mean : mean;
}

/* magnitude * factor, as two's complement of 256 bits. */
static tm_u256 multiply_signed(tm_u256 magnitude, tm_u128 factor, bool minus) {
  tm_u256 low = magnitude, high = magnitude;
  (void)tm_u256_multiply(&low, (uint64_t)factor);
  (void)tm_u256_multiply(&high, (uint64_t)(factor >> 64));
  high = tm_u256_shift(&high, 64);
  uint64_t carry = 0;
  for (int i = 0; i < 4; i++) {
    tm_u128 sum = (tm_u128)low.limb[i] + high.limb[i] + carry;
    low.limb[i] = (uint64_t)sum;
    carry = (uint64_t)(sum >> 64);
  }
  for (int i = 0, one = 1; i < 4 && minus; i++) {
    low.limb[i] = ~low.limb[i] + (uint64_t)one;
    one = one && low.limb[i] == 0;
  }
  return low;
}

tm_twofold tm_wide_cross(int64_t count, tm_wide_sum xy, tm_wide_sum x, tm_wide_sum y) {
  tm_u256 y_size = magnitude_of(&y);
  tm_u256 a = multiply_signed(magnitude_of(&xy), (tm_u128)count, is_minus(&xy));
  tm_u256 b = multiply_signed(magnitude_of(&x), tm_u256_low(&y_size), is_minus(&x) != is_minus(&y));
  uint64_t borrow = 0;
  for (int i = 0; i < 4; i++) {
    tm_u128 difference = (tm_u128)a.limb[i] - b.limb[i] - borrow;
    a.limb[i] = (uint64_t)difference;
    borrow = (uint64_t)(difference >> 64) & 1;
  }
  bool minus = a.limb[3] >> 63;
  tm_u256 size = minus ? multiply_signed(a, 1, true) : a;
  return u256_to_twofold(&size, minus);
}

/* ------------------------------------------------------------------ pairs of doubles */

static tm_twofold two_product(double a, double b) {
  double product = a * b;
  return (tm_twofold){product, isfinite(product) ? fma(a, b, -product) : 0};
}

static tm_twofold multiply(tm_twofold a, tm_twofold b) {
  tm_twofold out = two_product(a.high, b.high);
  out.low += a.high * b.low + a.low * b.high;
  return out;
}

static tm_twofold divide(tm_twofold a, double b) {
  double quotient = a.high / b;
  if (!isfinite(quotient)) return (tm_twofold){quotient, 0};
  return two_sum(quotient, (-fma(quotient, b, -a.high) + a.low) / b);
}

double tm_twofold_mean(tm_twofold sum, int64_t count) { return divide(sum, (double)count).high; }

tm_twofold tm_twofold_cross(int64_t count, tm_twofold xy, tm_twofold x, tm_twofold y) {
  tm_twofold a = multiply((tm_twofold){(double)count, 0}, xy), b = multiply(x, y);
  if (!isfinite(a.high) || !isfinite(b.high)) return (tm_twofold){a.high - b.high, 0};
  tm_twofold high = two_sum(a.high, -b.high), low = two_sum(a.low, -b.low);
  tm_twofold cross = two_sum(high.high, high.low + low.high + low.low);
  /* What is left of equal numbers is no more than the last of 106 bits can hold. */
  return fabs(cross.high) <= fabs(a.high) * 0x1p-100 ? (tm_twofold){0, 0} : cross;
}

tm_twofold tm_twofold_add(tm_twofold a, tm_twofold b) {
  if (!isfinite(a.high) || !isfinite(b.high)) return (tm_twofold){a.high + b.high, 0};
  tm_twofold high = two_sum(a.high, b.high), low = two_sum(a.low, b.low);
  tm_twofold middle = two_sum(high.low, low.high), out = two_sum(high.high, middle.high);
  return two_sum(out.high, out.low + middle.low + low.low);
}

/* ------------------------------------------------------------------ results */

static tm_twofold variance(int64_t count, tm_twofold cross, double unit) {
  if (cross.high <= 0) return (tm_twofold){0, 0};
  tm_twofold mean = divide(divide(cross, (double)count), (double)(count - 1));
  return divide(divide(mean, unit), unit);
}

double tm_moments_variance(int64_t count, tm_twofold cross, double unit) {
  return variance(count, cross, unit).high;
}

double tm_moments_deviation(int64_t count, tm_twofold cross, double unit) {
  tm_twofold square = variance(count, cross, unit);
  double root = sqrt(square.high);
  if (!(root > 0) || !isfinite(root)) return root;
  return root + (-fma(root, root, -square.high) + square.low) / (2 * root);
}

bool tm_moments_correlation(tm_twofold xy, tm_twofold xx, tm_twofold yy, double *out) {
  if (xx.high <= 0 || yy.high <= 0) return false;
  double value = xy.high / (sqrt(xx.high) * sqrt(yy.high));
  *out = value > 1 ? 1 : value < -1 ? -1 : value;
  return true;
}
