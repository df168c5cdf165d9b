/* Means, variances and correlations out of sums, against long division and 113-bit floats. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>

#include "kernel/moments.h"

static tm_wide_sum wide(__int128 value) {
  return (tm_wide_sum){(unsigned __int128)value, value < 0 ? -1 : 0};
}

Test(moments, a_sum_fits_or_does_not) {
  __int128 out, most = (__int128)(~(unsigned __int128)0 >> 1);
  cr_expect(tm_wide_to_i128(wide(most), &out) && out == most);
  cr_expect(tm_wide_to_i128(wide(-5), &out) && out == -5);
  cr_expect_not(tm_wide_to_i128((tm_wide_sum){(unsigned __int128)most + 1, 0}, &out));
  cr_expect_not(tm_wide_to_i128((tm_wide_sum){0, 1}, &out));
}

Test(moments, means_of_decimals_round_half_to_even) {
  __int128 out;
  cr_expect(tm_wide_mean(wide(1), 8, 4, &out) && out == 1250);
  cr_expect(tm_wide_mean(wide(1), 32, 4, &out) && out == 312, "312.5 to even");
  cr_expect(tm_wide_mean(wide(3), 32, 4, &out) && out == 938, "937.5 to even");
  cr_expect(tm_wide_mean(wide(-3), 32, 4, &out) && out == -938);
  cr_expect(tm_wide_mean(wide(-2), 3, 4, &out) && out == -6667);
  /* 2^128 / 2^40 */
  cr_expect(tm_wide_mean((tm_wide_sum){0, 1}, INT64_C(1) << 40, 4, &out));
  cr_expect(out == ((__int128)1 << 88) * 10000);
  cr_expect_not(tm_wide_mean((tm_wide_sum){0, 1}, 3, 4, &out), "more than 38 digits");
}

Test(moments, means_of_integers_are_the_nearest_double) {
  uint64_t state = 3;
  for (int i = 0; i < 20000; i++) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    __int128 sum = (__int128)(int64_t)state * (1 << (state % 30)) + (int64_t)(state >> 7);
    int64_t count = (int64_t)(state >> 40) + 1;
    cr_expect_eq(tm_wide_mean_double(wide(sum), count), (double)((__float128)sum / count));
  }
  cr_expect_eq(tm_wide_mean_double(wide(0), 7), 0);
}

Test(moments, crosses_of_integers_are_exact) {
  /* n * sum(x^2) - sum(x)^2 for x = most, most - 1, most - 2 is 3 * 2 = 6. */
  __int128 most = INT64_MAX, squares = 0;
  unsigned __int128 low = 0;
  int64_t high = 0;
  for (int i = 0; i < 3; i++) {
    squares = (most - i) * (most - i);
    high += __builtin_add_overflow(low, (unsigned __int128)squares, &low);
  }
  tm_wide_sum sum = wide(3 * most - 3);
  tm_twofold cross = tm_wide_cross(3, (tm_wide_sum){low, high}, sum, sum);
  cr_expect_eq(cross.high, 6);
  cr_expect_eq(cross.low, 0);
  /* A negative one: x = 1, 2 with y = 2^60, -2^60. */
  __int128 y = (__int128)1 << 60;
  cross = tm_wide_cross(2, wide(y - 2 * y), wide(3), wide(0));
  cr_expect_eq(cross.high, -0x1p61);
  double r;
  cr_expect(tm_moments_correlation(cross, (tm_twofold){1, 0}, tm_wide_cross(2, wide(2 * y * y),
                                   wide(0), wide(0)), &r));
  cr_expect_eq(r, -1);
  cr_expect_not(tm_moments_correlation(cross, (tm_twofold){0, 0}, (tm_twofold){1, 0}, &r));
}

Test(moments, variances_of_floats) {
  /* 1e8, 1e8 + 1, 1e8 + 2: exact sums as pairs. */
  tm_twofold sum = {3e8 + 3, 0}, squares = {3e16 + 6e8, 5};
  tm_twofold cross = tm_twofold_cross(3, squares, sum, sum);
  cr_expect_eq(tm_moments_variance(3, cross, 1), 1);
  cr_expect_eq(tm_moments_deviation(3, cross, 1), 1);
  cr_expect_eq(tm_moments_variance(3, cross, 10), 0.01);
  cr_expect_eq(tm_moments_deviation(3, cross, 10), 0.1);
  tm_twofold nan = {NAN, 0}, inf = {INFINITY, 0};
  cr_expect(isnan(tm_moments_variance(3, tm_twofold_cross(3, nan, nan, nan), 1)));
  cr_expect(isnan(tm_moments_deviation(3, tm_twofold_cross(3, inf, inf, inf), 1)));
  tm_twofold square = {0.1 * 0.1, fma(0.1, 0.1, -(0.1 * 0.1))};
  for (int n = 2; n < 2000; n++) { /* equal values do not vary */
    tm_twofold s = {0.1 * n, fma(0.1, n, -(0.1 * n))}, q = {square.high * n, 0};
    q.low = fma(square.high, n, -q.high) + square.low * n;
    cr_expect_eq(tm_moments_variance(n, tm_twofold_cross(n, q, s, s), 1), 0, "%d", n);
  }
}
