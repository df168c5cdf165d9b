/* kernel/moments.h: means, variances and correlations out of sums, without losing digits.
 *
 * Sums of integers are exact; sums of floats come as the double nearest to the exact sum and the
 * one nearest to the rest. The differences of large products that a variance consists of are taken
 * in 256 bits, or in such pairs of doubles, and only the result is rounded. */
#ifndef TM_KERNEL_MOMENTS_H
#define TM_KERNEL_MOMENTS_H

#include <stdbool.h>
#include <stdint.h>

/* high * 2^128 + low. */
typedef struct tm_wide_sum { unsigned __int128 low; int64_t high; } tm_wide_sum;
typedef struct tm_twofold { double high, low; } tm_twofold;

/* false: not within __int128. */
bool tm_wide_to_i128(tm_wide_sum sum, __int128 *out);
/* sum * 10^digits / count, rounded half to even. false: more than 38 decimal digits. */
bool tm_wide_mean(tm_wide_sum sum, int64_t count, int digits, __int128 *out);
/* The same as a double. */
double tm_wide_mean_double(tm_wide_sum sum, int64_t count);
tm_twofold tm_twofold_add(tm_twofold a, tm_twofold b);
double tm_twofold_mean(tm_twofold sum, int64_t count);

/* count * xy - x * y: count times the sum of (x - mean x) * (y - mean y). The sums x and y of
 * integers are of 64-bit values (at most 100 bits). */
tm_twofold tm_wide_cross(int64_t count, tm_wide_sum xy, tm_wide_sum x, tm_wide_sum y);
tm_twofold tm_twofold_cross(int64_t count, tm_twofold xy, tm_twofold x, tm_twofold y);

/* Sample variance and standard deviation out of the cross of x with itself, for count >= 2; the
 * numbers are the x that was added up divided by unit. */
double tm_moments_variance(int64_t count, tm_twofold cross, double unit);
double tm_moments_deviation(int64_t count, tm_twofold cross, double unit);
/* false where it is undefined: one of the two does not vary. */
bool tm_moments_correlation(tm_twofold xy, tm_twofold xx, tm_twofold yy, double *out);

#endif
