/* tests/kernel/parse_float_test.c: doubles from text, against the C library and exact arithmetic.
 *
 * strtod of glibc rounds correctly and shares nothing with the code under test but the last
 * resort, which some tests here force by hand. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/number_text.h"
#include "kernel/power.h"
#include "tests/kernel/number_random.h"

/* Both forms: from a block of exactly the size, and as a column with 16 bytes behind. */
static int parse(const char *text, double *out) {
  size_t size = strlen(text);
  char *copy = malloc(size + 16);
  memcpy(copy + 16, text, size);
  int result = tm_parse_float64(copy + 16, size, out);
  memcpy(copy, text, size);
  memset(copy + size, '7', 16);
  uint32_t begin = 0, end = (uint32_t)size;
  double value = 0;
  uint8_t status = 0;
  tm_parse_float64_column(copy, &begin, &end, 1, &value, &status);
  if (size > 0) {
    cr_assert_eq(status, (uint8_t)result, "'%s' as a column gives %d", text, status);
    if (result == TM_PARSE_OK)
      cr_assert(bits_of(value) == bits_of(*out) || isnan(value), "'%s' as a column", text);
  }
  free(copy);
  return result;
}

static void expect(const char *text, double expected) {
  double value = -77;
  int result = parse(text, &value);
  cr_assert_eq(result, TM_PARSE_OK, "'%s' gives %d", text, result);
  cr_assert_eq(bits_of(value), bits_of(expected), "'%s' is %a, not %a", text, value, expected);
}

static void expect_as_strtod(const char *text) {
  double expected = strtod(text, NULL), value = -77;
  int result = parse(text, &value);
  if (isinf(expected)) {
    cr_assert_eq(result, TM_PARSE_RANGE, "'%s' gives %d", text, result);
    return;
  }
  cr_assert_eq(result, TM_PARSE_OK, "'%s' gives %d", text, result);
  cr_assert_eq(bits_of(value), bits_of(expected), "'%s' is %a, not %a", text, value, expected);
}

Test(parse_float, plain) {
  expect("0", 0.0);
  expect("-0", -0.0);
  expect("-0.0", -0.0);
  expect("1", 1.0);
  expect("+1.5", 1.5);
  expect(" 12345.67\t", 12345.67);
  expect(".5", 0.5);
  expect("5.", 5.0);
  expect("-.5e1", -5.0);
  expect("1e3", 1000.0);
  expect("1E+3", 1000.0);
  expect("1e-3", 0.001);
  expect("1.e3", 1000.0);
  expect("0e999999999999999999999", 0.0);
  expect("-0e-999999999999999999999", -0.0);
  expect("000000000000000000000000000000001.5", 1.5);
  expect("0.000000000000000000000000000000000000000015", 1.5e-41);
}

Test(parse_float, words) {
  static const char *const infinite[] = {"inf", "Infinity", "INF", "+inf", "+infinity", " inf "};
  for (size_t i = 0; i < sizeof infinite / sizeof *infinite; i++)
    expect(infinite[i], (double)INFINITY);
  expect("-inf", -(double)INFINITY);
  expect("-Infinity", -(double)INFINITY);
  double value;
  static const char *const nans[] = {"nan", "NaN", "NAN", "-nan", "+NaN"};
  for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
    cr_assert_eq(parse(nans[i], &value), 0, "%s", nans[i]);
    cr_assert(isnan(value));
  }
}

Test(parse_float, what_is_no_number) {
  static const char *const texts[] = {
      "", " ", ".", "-", "+", "e5", ".e5", "1e", "1e+", "1e-", "1e5.5", "1.2.3", "0x10", "0x1p3",
      "1 2", "1,5", "--1", "+-1", "nan(1)", "infinit", "infinityy", "nanx", "in", "1f", "1d", "1_0",
      "1e5x", "x", "1e 5", "\xb1", "12345678\xb1", "1-", "1.5-", "NaN.", "i\x0e\x06",
  };
  double value = 5;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    cr_assert_eq(parse(texts[i], &value), TM_PARSE_TYPE, "'%s'", texts[i]);
  cr_assert_eq(value, 5.0);
  cr_assert_eq(tm_parse_float64("1\0", 2, &value), TM_PARSE_TYPE);
}

Test(parse_float, edges) {
  expect("9007199254740992", 9007199254740992.0);
  expect("9007199254740993", 9007199254740992.0); /* a tie, to even */
  expect("9007199254740993.0000000000000000000000001", 9007199254740994.0);
  expect("9007199254740992.99999999999999999999999999999999", 9007199254740992.0);
  expect("9007199254740995", 9007199254740996.0);
  expect("90071992547409930000000000000000000000e-22", 9007199254740992.0);
  expect("4503599627370497.5", 4503599627370498.0);
  expect("4503599627370496.5", 4503599627370496.0);
  expect("1e22", 1e22);
  expect("1e23", 1e23);
  expect("100000000000000000000000", 1e23);
  expect("5e-324", 5e-324);
  expect("4.9406564584124654e-324", 5e-324);
  expect("2.4703282292062328e-324", 5e-324); /* just above half of the least double */
  expect("2.4703282292062327e-324", 0.0);    /* just below */
  expect("2.2250738585072014e-308", DBL_MIN);
  expect("2.2250738585072011e-308", DBL_MIN - 0x1p-1074);
  expect("2.225073858507201136057409796709131975934819546351645648e-308", DBL_MIN - 0x1p-1074);
  expect("1.7976931348623157e308", DBL_MAX);
  expect("1.7976931348623158e+308", DBL_MAX);
  expect("17976931348623158079372897140530341507993413271003782693617377898044496829276475094664"
         "90179775872070963302864166928879109465555478519404026306574886715058206819089020007083"
         "83676273854845817711531764475730270069855571366959622842914819860834936475292719074168"
         "444365510704342711559699508093042880177904174497791",
         DBL_MAX); /* one below the tie with infinity */
  expect("1e-400", 0.0);
  expect("-1e-400", -0.0);
  expect("1e-99999999999999999999", 0.0);
  double value;
  static const char *const large[] = {
      "1e309", "1e400", "-1e400", "1.7976931348623159e308", "1e99999",
      "1e99999999999999999999999999", "-1.8e308",
  };
  for (size_t i = 0; i < sizeof large / sizeof *large; i++)
    cr_assert_eq(parse(large[i], &value), TM_PARSE_RANGE, "%s", large[i]);
}

/* The exact midpoint between two neighbours has up to 767 digits; one more digit tips it. */
Test(parse_float, midpoints_in_full) {
  char text[1200];
  for (int i = 0; i < 4000; i++) {
    uint64_t bits = random_bits() % (i % 4 == 0 ? UINT64_C(1) << 53 : UINT64_C(0x7fe) << 52);
    if (i < 4) bits = (uint64_t)i;
    double low = from_bits(bits), high = from_bits(bits + 1);
    long double middle = ((long double)low + (long double)high) / 2; /* exact with 64 bits */
    snprintf(text, sizeof text, "%.1100Lg", middle);
    double even = bits & 1 ? high : low;
    expect(text, even);
    char *e = strchr(text, 'e');
    char exponent[16] = "";
    if (e != NULL) strcpy(exponent, e);
    size_t size = e != NULL ? (size_t)(e - text) : strlen(text);
    if (memchr(text, '.', size) == NULL) text[size++] = '.';
    strcpy(text + size, "000001");
    strcat(text, exponent);
    expect(text, high);
  }
}

Test(parse_float, more_digits_than_are_kept) {
  static char text[200000];
  size_t size = 0;
  text[size++] = '1';
  text[size++] = '.';
  while (size < 150000) text[size++] = '0';
  strcpy(text + size, "1e20");
  expect(text, 1e20);
  memset(text, '0', 100000);
  strcpy(text + 100000, ".0000123e5");
  expect(text, 1.23);
  text[0] = '.';
  memset(text + 1, '0', 120000);
  strcpy(text + 120001, "15e120001");
  expect(text, 1.5);
  memset(text, '9', 120000);
  strcpy(text + 120000, "e-120000");
  expect(text, 1.0);
  text[120000] = 0;
  double value;
  cr_assert_eq(parse(text, &value), TM_PARSE_RANGE);
}

Test(parse_float, random_bits_with_17_digits) {
  char text[40];
  for (int i = 0; i < 500000; i++) {
    double value = from_bits(random_bits());
    if (!isfinite(value)) continue;
    snprintf(text, sizeof text, "%.17g", value);
    expect(text, value);
  }
}

Test(parse_float, random_texts_as_strtod) {
  char text[100];
  for (int i = 0; i < 500000; i++) {
    size_t size = 0;
    int digits = 1 + (int)(random_bits() % (i % 5 == 0 ? 40 : 20));
    int point = (int)(random_bits() % 24);
    if (random_bits() % 3 == 0) text[size++] = '-';
    for (int d = 0; d < digits; d++) {
      if (d == point) text[size++] = '.';
      text[size++] = (char)('0' + random_bits() % 10);
    }
    text[size] = 0;
    if (i % 2) snprintf(text + size, 10, "e%d", (int)(random_bits() % 700) - 350);
    expect_as_strtod(text);
  }
}

/* Texts of 19 digits and fewer around every power of two, where rounding is closest. */
Test(parse_float, around_powers_of_two) {
  char text[40];
  for (int e = -1074; e < 1024; e++) {
    for (int digits = 15; digits <= 19; digits++) {
      snprintf(text, sizeof text, "%.*e", digits - 1, ldexp(1.0, e));
      expect_as_strtod(text);
      double between = ldexp(1.0, e) * (1 + 0x1p-53);
      snprintf(text, sizeof text, "%.*e", digits - 1, between);
      expect_as_strtod(text);
    }
  }
}

Test(parse_float, powers_of_ten_are_what_they_say) {
  /* Independent of the table's own way: neighbours are a factor of ten apart, to the last bits. */
  for (int q = TM_POWER_MIN; q < TM_POWER_MAX; q++) {
    tm_power a = tm_power_of(q), b = tm_power_of(q + 1);
    cr_assert(a.high >> 63 == 1);
    int shift = tm_power_log2(q + 1) - tm_power_log2(q);
    cr_assert(shift == 3 || shift == 4);
    /* 10 * a and b * 2^shift, of which b lost less than one unit and a less than ten. */
    unsigned __int128 low = (unsigned __int128)a.low * 10;
    unsigned __int128 high = (unsigned __int128)a.high * 10 + (uint64_t)(low >> 64);
    unsigned __int128 b_low = (unsigned __int128)b.low << shift;
    unsigned __int128 b_high = ((unsigned __int128)b.high << shift) | (uint64_t)(b_low >> 64);
    cr_assert(high == b_high || high + 1 == b_high || high == b_high + 1, "10^%d", q);
    int64_t difference = (int64_t)((uint64_t)b_low - (uint64_t)low);
    cr_assert(difference > -16 && difference < 10, "10^%d is off by %ld", q, (long)difference);
    if (tm_power_is_exact(q) && tm_power_is_exact(q + 1)) cr_assert_eq(difference, 0);
  }
  for (int q = 0; q <= 22; q++) {
    double value;
    cr_assert(tm_power_round(1, q, &value));
    cr_assert_eq(value, tm_power_double[q]);
  }
}
