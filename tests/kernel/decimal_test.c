/* tests/kernel/decimal_test.c: decimals against numbers of 640 bits that work limb by limb.
 *
 * The reference knows only adding, multiplying and comparing; a quotient or a rounded value is
 * checked by what makes it one: how far it lies from the exact value. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/decimal.h"
#include "kernel/number_text.h"
#include "kernel/wide_int.h"
#include "tests/kernel/number_random.h"

/* ---- the reference */

enum { LIMBS = 20 };
typedef struct big {
  uint32_t limb[LIMBS]; /* a magnitude */
} big;

static big big_of(unsigned __int128 value) {
  big out = {{0}};
  for (int i = 0; i < 4; i++, value >>= 32) out.limb[i] = (uint32_t)value;
  return out;
}

static big big_multiply(big a, big b) {
  big out = {{0}};
  for (int i = 0; i < LIMBS; i++) {
    uint64_t carry = 0;
    if (a.limb[i] == 0) continue;
    for (int j = 0; i + j < LIMBS; j++) {
      carry += (uint64_t)a.limb[i] * b.limb[j] + out.limb[i + j];
      out.limb[i + j] = (uint32_t)carry;
      carry >>= 32;
    }
    cr_assert_eq(carry, 0);
  }
  return out;
}

static int big_compare(big a, big b) {
  for (int i = LIMBS - 1; i >= 0; i--)
    if (a.limb[i] != b.limb[i]) return a.limb[i] < b.limb[i] ? -1 : 1;
  return 0;
}

static big big_add(big a, big b) {
  uint64_t carry = 0;
  for (int i = 0; i < LIMBS; i++, carry >>= 32) {
    carry += (uint64_t)a.limb[i] + b.limb[i];
    a.limb[i] = (uint32_t)carry;
  }
  return a;
}

/* a - b; a is not less. */
static big big_subtract(big a, big b) {
  int64_t borrow = 0;
  for (int i = 0; i < LIMBS; i++) {
    borrow += (int64_t)a.limb[i] - b.limb[i];
    a.limb[i] = (uint32_t)borrow;
    borrow >>= 32;
  }
  cr_assert_eq(borrow, 0);
  return a;
}

/* 10^places; made once, one from the other. */
static big big_power(int places) {
  static big powers[80];
  static int count;
  cr_assert_lt(places, 80);
  for (; count <= places; count++)
    powers[count] = count == 0 ? big_of(1) : big_multiply(powers[count - 1], big_of(10));
  return powers[places];
}

static unsigned __int128 size_of(__int128 value) {
  return value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
}

static bool too_long(big value) { return big_compare(value, big_power(38)) >= 0; }

/* ---- values */

static __int128 ten_to(int places) {
  __int128 out = 1;
  for (int i = 0; i < places; i++) out *= 10;
  return out;
}

/* Up to 38 digits, of all lengths, round ones among them. */
static __int128 random_decimal(void) {
  unsigned __int128 bits = (unsigned __int128)random_bits() << 64 | random_bits();
  __int128 value = (__int128)(bits % (unsigned __int128)ten_to((int)(random_bits() % 39)));
  if (random_bits() % 4 == 0) value = value / ten_to(3) * ten_to(3);
  if (random_bits() % 16 == 0) value = ten_to((int)(random_bits() % 38));
  if (random_bits() % 16 == 0) value = ten_to(38) - 1;
  return random_bits() & 1 ? -value : value;
}

static int random_scale(void) { return (int)(random_bits() % 39); }

static const char *show(__int128 value, int scale) {
  static char text[4][TM_PRINT_MAX + 1];
  static int next;
  char *out = text[next++ & 3];
  out[tm_print_decimal(out, value, scale)] = 0;
  return out;
}

static void expect(int result, const __int128 *value, int scale, const char *text) {
  cr_assert_eq(result, TM_DECIMAL_OK, "%s was refused", text);
  cr_assert_str_eq(show(*value, scale), text, "%s, not %s", show(*value, scale), text);
}

/* ---- tests */

Test(decimal, digits_and_fits) {
  cr_assert_eq(tm_decimal_digits(0), 1);
  for (int places = 0; places < 39; places++) {
    __int128 power = ten_to(places);
    cr_assert_eq(tm_decimal_digits(power), places + 1);
    cr_assert_eq(tm_decimal_digits(-power), places + 1);
    cr_assert_eq(tm_decimal_digits(power - 1), places == 0 ? 1 : places);
    if (places == 0) continue;
    cr_assert(tm_decimal_fits(power - 1, places) && tm_decimal_fits(1 - power, places));
    cr_assert(!tm_decimal_fits(power, places) && !tm_decimal_fits(-power, places));
  }
  cr_assert_eq(tm_decimal_digits((__int128)1 << 126), 38);
  cr_assert_eq(tm_decimal_digits(-ten_to(37) * 17), 39);
}

Test(decimal, by_hand) {
  __int128 out;
  expect(tm_decimal_add(1250, 2, 5, 1, &out), &out, 2, "13.00");
  expect(tm_decimal_subtract(1250, 2, 13, 0, &out), &out, 2, "-0.50");
  expect(tm_decimal_multiply(1250, 2, -119, 2, &out), &out, 4, "-14.8750");
  expect(tm_decimal_divide(1, 0, 3, 0, 6, &out), &out, 6, "0.333333");
  expect(tm_decimal_divide(2, 0, 3, 0, 6, &out), &out, 6, "0.666667");
  expect(tm_decimal_divide(-2, 0, 3, 0, 6, &out), &out, 6, "-0.666667");
  expect(tm_decimal_divide(1, 0, 8, 0, 2, &out), &out, 2, "0.12"); /* ties to even */
  expect(tm_decimal_divide(3, 0, 8, 0, 2, &out), &out, 2, "0.38");
  expect(tm_decimal_divide(-1, 0, 8, 0, 2, &out), &out, 2, "-0.12");
  expect(tm_decimal_divide(0, 0, 8, 5, 6, &out), &out, 6, "0.000000");
  cr_assert_eq(tm_decimal_divide(1, 0, 0, 2, 6, &out), TM_DECIMAL_BY_ZERO);
  cr_assert_eq(tm_decimal_divide(0, 0, 0, 2, 6, &out), TM_DECIMAL_BY_ZERO);
  cr_assert_eq(tm_decimal_quotient_scale(2, 4), 6);
  cr_assert_eq(tm_decimal_quotient_scale(2, 9), 9);
  cr_assert_eq(tm_decimal_quotient_scale(7, 4), 7);
  cr_assert_eq(tm_decimal_multiply(1, 20, 1, 19, &out), TM_DECIMAL_OVERFLOW);
  cr_assert_eq(tm_decimal_add(ten_to(38) - 1, 0, 1, 0, &out), TM_DECIMAL_OVERFLOW);
  expect(tm_decimal_add(ten_to(38) - 1, 0, 0, 0, &out), &out, 0,
         "99999999999999999999999999999999999999");
  cr_assert_eq(tm_decimal_divide(ten_to(37), 0, 1, 38, 38, &out), TM_DECIMAL_OVERFLOW);
  /* Scaled up, the first alone has 39 digits, the sum has not. */
  expect(tm_decimal_subtract(11 * ten_to(36), 0, 9 * ten_to(37), 1, &out), &out, 1,
         "2000000000000000000000000000000000000.0");
}

Test(decimal, random_sums_and_products) {
  for (int i = 0; i < 60000; i++) {
    __int128 a = random_decimal(), b = random_decimal(), out = 0;
    int a_scale = random_scale(), b_scale = i % 3 ? random_scale() : a_scale;
    int scale = a_scale > b_scale ? a_scale : b_scale;
    big x = big_multiply(big_of(size_of(a)), big_power(scale - a_scale));
    big y = big_multiply(big_of(size_of(b)), big_power(scale - b_scale));
    for (int subtract = 0; subtract < 2; subtract++) {
      bool same_sign = (a < 0) == ((b < 0) != subtract);
      bool x_larger = big_compare(x, y) >= 0;
      big sum = same_sign ? big_add(x, y) : x_larger ? big_subtract(x, y) : big_subtract(y, x);
      int result = subtract ? tm_decimal_subtract(a, a_scale, b, b_scale, &out)
                            : tm_decimal_add(a, a_scale, b, b_scale, &out);
      cr_assert_eq(result, too_long(sum) ? TM_DECIMAL_OVERFLOW : 0, "%s and %s", show(a, a_scale),
                   show(b, b_scale));
      if (result != 0) continue;
      cr_assert_eq(big_compare(big_of(size_of(out)), sum), 0);
      bool minus = same_sign || x_larger ? a < 0 : (b < 0) != subtract;
      if (out != 0 && a != 0) cr_assert_eq(out < 0, minus);
    }
    int order = big_compare(x, y);
    int expected = (a < 0) != (b < 0) && (a != 0 || b != 0)
                       ? ((a > 0) - (a < 0)) - ((b > 0) - (b < 0))
                       : a < 0 ? -order : order;
    int compared = tm_decimal_compare(a, a_scale, b, b_scale);
    cr_assert_eq((compared > 0) - (compared < 0), (expected > 0) - (expected < 0), "%s and %s",
                 show(a, a_scale), show(b, b_scale));
    if (a_scale + b_scale > 38) continue;
    big product = big_multiply(big_of(size_of(a)), big_of(size_of(b)));
    int result = tm_decimal_multiply(a, a_scale, b, b_scale, &out);
    cr_assert_eq(result, too_long(product) ? TM_DECIMAL_OVERFLOW : 0);
    if (result != 0) continue;
    cr_assert_eq(big_compare(big_of(size_of(out)), product), 0);
    if (out != 0) cr_assert_eq(out < 0, (a < 0) != (b < 0));
  }
}

Test(decimal, random_quotients) {
  int given = 0;
  for (int i = 0; i < 100000; i++) {
    __int128 a = random_decimal(), b = random_decimal(), out = 0;
    int a_scale = random_scale(), b_scale = random_scale();
    if (i % 4 == 0) b = b % 100 + 1, b_scale = 0;
    if (b == 0) continue;
    int scale = i % 2 ? tm_decimal_quotient_scale(a_scale, b_scale) : a_scale;
    int places = scale + b_scale - a_scale;
    big dividend = big_multiply(big_of(size_of(a)), big_power(places));
    big divisor = big_of(size_of(b));
    int result = tm_decimal_divide(a, a_scale, b, b_scale, scale, &out);
    if (result != 0) {
      /* Twice the dividend is beyond twice the divisor times (10^38 - 1/2). */
      cr_assert_eq(result, TM_DECIMAL_OVERFLOW);
      big limit = big_subtract(big_multiply(big_of(2), big_power(38)), big_of(1));
      big twice = big_multiply(dividend, big_of(2));
      cr_assert_geq(big_compare(twice, big_multiply(divisor, limit)), 0);
      continue;
    }
    given++;
    big product = big_multiply(big_of(size_of(out)), divisor);
    big off = big_compare(product, dividend) > 0 ? big_subtract(product, dividend)
                                                 : big_subtract(dividend, product);
    int near = big_compare(big_multiply(off, big_of(2)), divisor);
    cr_assert(near < 0 || (near == 0 && out % 2 == 0), "%s / %s", show(a, a_scale),
              show(b, b_scale));
    if (out != 0) cr_assert_eq(out < 0, (a < 0) != (b < 0));
  }
  cr_assert_gt(given, 30000);
}

/* Distance of `out` units from the value, in `unit`ths, and whether it is a result of the mode. */
static bool is_rounded(__int128 value, __int128 out, big unit, tm_rounding mode) {
  if (value != 0 && out != 0 && (value < 0) != (out < 0)) return false;
  bool minus = value < 0;
  big exact = big_of(size_of(value)), product = big_multiply(big_of(size_of(out)), unit);
  int side = big_compare(product, exact); /* above 0: rounded away from 0 */
  big off = side > 0 ? big_subtract(product, exact) : big_subtract(exact, product);
  if (side == 0) return true;
  if (big_compare(off, unit) >= 0) return false;
  int near = big_compare(big_multiply(off, big_of(2)), unit);
  switch (mode) {
    case TM_ROUND_HALF_UP: return near < 0 || (near == 0 && side > 0);
    case TM_ROUND_HALF_EVEN: return near < 0 || (near == 0 && out % 2 == 0);
    case TM_ROUND_UP: return side > 0;
    case TM_ROUND_DOWN: return side < 0;
    case TM_ROUND_FLOOR: return minus == (side > 0);
    case TM_ROUND_CEIL: return minus == (side < 0);
  }
  return false;
}

Test(decimal, random_rescales) {
  for (int i = 0; i < 60000; i++) {
    __int128 value = random_decimal(), out = 0;
    int from = random_scale(), to = (int)(random_bits() % 77) - 38;
    if (i % 3 == 0) to = from - (int)(random_bits() % 6);
    if (i % 5 == 0) value = value / 100 * 100 + (i & 1 ? 50 : -50);
    if (to < -38 || size_of(value) >= (unsigned __int128)ten_to(38)) continue;
    for (int mode = TM_ROUND_HALF_UP; mode <= TM_ROUND_CEIL; mode++) {
      int result = tm_decimal_rescale(value, from, to, (tm_rounding)mode, &out);
      if (to >= from) {
        big scaled = big_multiply(big_of(size_of(value)), big_power(to - from));
        cr_assert_eq(result, too_long(scaled) ? TM_DECIMAL_OVERFLOW : 0);
        if (result == 0) cr_assert_eq(big_compare(big_of(size_of(out)), scaled), 0);
        continue;
      }
      cr_assert_eq(result, 0);
      cr_assert(is_rounded(value, out, big_power(from - to), (tm_rounding)mode),
                "%s to scale %d by mode %d", show(value, from), to, mode);
    }
  }
}

Test(decimal, rounding_by_hand) {
  static const struct { int value; const char *text[6]; } cases[] = {
      /*       half_up half_even up    down   floor   ceil */
      {250, {"3", "2", "3", "2", "2", "3"}},    {-250, {"-3", "-2", "-3", "-2", "-3", "-2"}},
      {350, {"4", "4", "4", "3", "3", "4"}},    {249, {"2", "2", "3", "2", "2", "3"}},
      {251, {"3", "3", "3", "2", "2", "3"}},    {-1, {"0", "0", "-1", "0", "-1", "0"}},
      {200, {"2", "2", "2", "2", "2", "2"}},    {0, {"0", "0", "0", "0", "0", "0"}},
      {-50, {"-1", "0", "-1", "0", "-1", "0"}}, {50, {"1", "0", "1", "0", "0", "1"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int mode = TM_ROUND_HALF_UP; mode <= TM_ROUND_CEIL; mode++) {
      __int128 out;
      int result = tm_decimal_rescale(cases[i].value, 2, 0, (tm_rounding)mode, &out);
      expect(result, &out, 0, cases[i].text[mode]);
    }
  }
  __int128 hundreds, out;
  cr_assert_eq(tm_decimal_rescale(123456, 2, -2, TM_ROUND_HALF_UP, &hundreds), 0);
  expect(tm_decimal_rescale(hundreds, -2, 0, TM_ROUND_HALF_UP, &out), &out, 0, "1200");
  cr_assert_eq(tm_decimal_rescale(ten_to(38) - 1, 1, 0, TM_ROUND_UP, &out), 0);
  cr_assert(out == ten_to(37));
  cr_assert_eq(tm_decimal_rescale(ten_to(38) - 1, 38, -38, TM_ROUND_UP, &out), 0);
  cr_assert(out == 1);
}

Test(decimal, to_int64) {
  int64_t out;
  cr_assert_eq(tm_decimal_to_int64(1999, 2, TM_ROUND_DOWN, &out), 0);
  cr_assert_eq(out, 19);
  cr_assert_eq(tm_decimal_to_int64(-1999, 2, TM_ROUND_FLOOR, &out), 0);
  cr_assert_eq(out, -20);
  cr_assert_eq(tm_decimal_to_int64((__int128)INT64_MAX * 10, 1, TM_ROUND_HALF_UP, &out), 0);
  cr_assert_eq(out, INT64_MAX);
  cr_assert_eq(tm_decimal_to_int64((__int128)INT64_MAX * 10 + 5, 1, TM_ROUND_HALF_UP, &out),
               TM_DECIMAL_OVERFLOW);
  cr_assert_eq(tm_decimal_to_int64((__int128)INT64_MIN * 10 - 4, 1, TM_ROUND_HALF_UP, &out), 0);
  cr_assert_eq(out, INT64_MIN);
}

static void check_to_double(__int128 value, int scale) {
  const char *text = show(value, scale);
  double expected = strtod(text, NULL), actual = tm_decimal_to_double(value, scale);
  cr_assert_eq(actual, expected, "%s is %a, not %a", text, actual, expected);
}

Test(decimal, to_double_is_the_nearest) {
  for (int i = 0; i < 150000; i++) check_to_double(random_decimal(), random_scale());
  check_to_double(0, 5);
  check_to_double((__int128)9007199254740993, 0);
  check_to_double((__int128)90071992547409925, 1); /* ties, with and without a rest */
  check_to_double((__int128)90071992547409935, 1);
  check_to_double((__int128)90071992547409925 * ten_to(20) + 1, 21);
  check_to_double((__int128)90071992547409925 * ten_to(20) - 1, 21);
  check_to_double((__int128)90071992547409935 * ten_to(20), 21);
  __int128 most = (__int128)(~(unsigned __int128)0 >> 1);
  check_to_double(most, 0);
  check_to_double(-most, 38);
  cr_assert_eq(tm_decimal_to_double(-most - 1, 0), -0x1p127);
}

/* The digits of |value|, all of them, cut at the scale; the rest decides how it is rounded. */
static void check_from_double(double value, int scale) {
  static char exact[1500];
  snprintf(exact, sizeof exact, "%.1100f", fabs(value));
  char *point = strchr(exact, '.');
  int whole_digits = (int)(point - exact);
  memmove(point, point + 1, strlen(point)); /* now the digits of value * 10^1100 */
  char *rest = exact + whole_digits + scale;
  bool any = rest[strspn(rest, "0")] != 0;
  bool half = *rest == '5' && rest[1 + strspn(rest + 1, "0")] == 0;
  bool above = !half && *rest >= '5';
  unsigned __int128 cut = 0;
  bool long_value = false;
  for (char *at = exact; at < rest && !long_value; at++) {
    long_value = cut >= (unsigned __int128)ten_to(37);
    cut = cut * 10 + (unsigned)(*at - '0');
  }
  for (int mode = TM_ROUND_HALF_UP; mode <= TM_ROUND_CEIL; mode++) {
    bool minus = value < 0;
    bool away[] = {half || above, above || (half && (cut & 1)), any, false, minus && any,
                   !minus && any};
    __int128 expected = (__int128)(cut + away[mode]), out = 0;
    int result = tm_decimal_from_double(value, scale, (tm_rounding)mode, &out);
    bool refused = long_value || expected >= ten_to(38);
    cr_assert_eq(result, refused ? TM_DECIMAL_OVERFLOW : 0, "%a", value);
    if (!refused) cr_assert(out == (minus ? -expected : expected), "%a at scale %d", value, scale);
  }
}

Test(decimal, from_double) {
  for (int i = 0; i < 8000; i++) {
    check_from_double((double)(int64_t)random_bits() * 0x1p-30, random_scale());
    check_from_double((double)(int64_t)(random_bits() % 100000) / 8, (int)(random_bits() % 4));
    check_from_double(ldexp((double)(int64_t)random_bits(), (int)(random_bits() % 200) - 130),
                      random_scale());
  }
  static const double values[] = {0, -0.0, 0.5, 1.5, 2.5, -0.5, 1e38, 9.9999999999999999e37,
                                  1e-300, -5e-324, DBL_MAX, 1e37, 0.05, 1e-38, 5e-39, 0x1p-200,
                                  0x1p-256};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    for (int scale = 0; scale <= 38; scale++) check_from_double(values[i], scale);
  __int128 out;
  cr_assert_eq(tm_decimal_from_double((double)NAN, 2, TM_ROUND_DOWN, &out), TM_DECIMAL_OVERFLOW);
  cr_assert_eq(tm_decimal_from_double(-(double)INFINITY, 2, TM_ROUND_DOWN, &out),
               TM_DECIMAL_OVERFLOW);
}

/* ---- the 256 bits below */

/* Limbs with which estimates of a quotient's digit go wrong, among random ones. */
static uint64_t random_limb(void) {
  static const uint64_t limbs[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 1,
                                   (UINT64_C(1) << 63) - 1};
  uint64_t choice = random_bits() % 12;
  return choice < 6 ? limbs[choice] : random_bits() >> (choice < 9 ? 0 : random_bits() % 64);
}

static big big_of_u256(const tm_u256 *value) {
  big out = {{0}};
  for (int i = 0; i < 8; i++) out.limb[i] = (uint32_t)(value->limb[i / 2] >> (i % 2 * 32));
  return out;
}

Test(decimal, division_of_256_bits) {
  for (int i = 0; i < 200000; i++) {
    tm_u256 value = {{random_limb(), random_limb(), random_limb(), random_limb()}}, quotient;
    tm_u128 divisor = (tm_u128)random_limb() << 64 | random_limb();
    if (divisor == 0) continue;
    /* Just below a multiple of the divisor, where a digit is all ones. */
    if (i % 4 == 0 && divisor >> 64 != 0)
      value = (tm_u256){{random_limb(), random_limb(), (uint64_t)divisor - 1,
                         (uint64_t)(divisor >> 64)}};
    tm_u128 rest = tm_u256_divide(&value, divisor, &quotient);
    cr_assert(rest < divisor);
    big back = big_multiply(big_of_u256(&quotient), big_of(divisor));
    back = big_add(back, big_of(rest));
    cr_assert_eq(big_compare(back, big_of_u256(&value)), 0);
  }
}

/* ---- columns */

enum { ROWS = 1001 };
static int64_t a[ROWS], b[ROWS], out[ROWS];
static __int128 wide[ROWS];

static void check_columns(void) {
  bool over_sum = false, over_difference = false, over_product = false;
  int64_t expected;
  bool over[3] = {tm_decimal64_add(a, b, out, ROWS)};
  for (int i = 0; i < ROWS; i++) {
    over_sum |= __builtin_add_overflow(a[i], b[i], &expected);
    cr_assert_eq(out[i], expected);
  }
  over[1] = tm_decimal64_subtract(a, b, out, ROWS);
  for (int i = 0; i < ROWS; i++) {
    over_difference |= __builtin_sub_overflow(a[i], b[i], &expected);
    cr_assert_eq(out[i], expected);
  }
  over[2] = tm_decimal64_multiply(a, b, out, ROWS);
  tm_decimal64_multiply_wide(a, b, wide, ROWS);
  for (int i = 0; i < ROWS; i++) {
    over_product |= __builtin_mul_overflow(a[i], b[i], &expected);
    cr_assert_eq(out[i], expected);
    cr_assert(wide[i] == (__int128)a[i] * b[i]);
  }
  cr_assert_eq(over[0], over_sum);
  cr_assert_eq(over[1], over_difference);
  cr_assert_eq(over[2], over_product);
}

static void check_constant(int64_t constant) {
  bool over_sum = false, over_difference = false, over_product = false;
  int64_t expected;
  bool over = tm_decimal64_add_constant(a, constant, out, ROWS);
  for (int i = 0; i < ROWS; i++) {
    over_sum |= __builtin_add_overflow(a[i], constant, &expected);
    cr_assert_eq(out[i], expected);
  }
  cr_assert_eq(over, over_sum);
  over = tm_decimal64_subtract_from(constant, a, out, ROWS);
  for (int i = 0; i < ROWS; i++) {
    over_difference |= __builtin_sub_overflow(constant, a[i], &expected);
    cr_assert_eq(out[i], expected);
  }
  cr_assert_eq(over, over_difference);
  over = tm_decimal64_multiply_constant(a, constant, out, ROWS);
  for (int i = 0; i < ROWS; i++) {
    over_product |= __builtin_mul_overflow(a[i], constant, &expected);
    cr_assert_eq(out[i], expected);
  }
  cr_assert_eq(over, over_product);
  tm_decimal64_widen(a, wide, ROWS);
  for (int i = 0; i < ROWS; i++) cr_assert(wide[i] == a[i]);
}

Test(decimal, columns_say_when_a_row_overflows) {
  for (int round = 0; round < 400; round++) {
    int drop = round % 4 == 0 ? 0 : round % 4 == 1 ? 2 : round % 4 == 2 ? 33 : 31;
    for (int i = 0; i < ROWS; i++) a[i] = (int64_t)random_bits() >> drop;
    for (int i = 0; i < ROWS; i++) b[i] = (int64_t)random_bits() >> drop;
    if (round % 8 == 7) { /* just one row overflows, or nearly */
      int row = (int)(random_bits() % ROWS);
      a[row] = random_bits() & 1 ? INT64_MAX : INT64_MIN;
      b[row] = (int64_t)(random_bits() % 3) - 1;
    }
    check_columns();
    check_constant(b[round]);
    check_constant((int64_t)(random_bits() % 3) - 1);
  }
}
