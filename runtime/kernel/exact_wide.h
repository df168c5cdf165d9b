/* kernel/exact_wide.h: a fixed-point number in which every double, and sums of them, are exact.
 *
 * 34 limbs of 64 bits in two's complement; the lowest bit is 2^-1074, the least double, and above
 * the largest there is room for 2^77 of them. This is the long accumulator of U. Kulisch
 * ("Computer Arithmetic and Validity", 2008); R. M. Neal's superaccumulators ("Fast exact summation
 * using small and large superaccumulators", 2015) postpone carries for speed, which exact_sum.h
 * gains otherwise. Private to exact_sum.c. */
#ifndef TM_KERNEL_EXACT_WIDE_H
#define TM_KERNEL_EXACT_WIDE_H

#include <stdbool.h>
#include <stdint.h>

enum { TM_EXACT_LIMBS = 34, TM_EXACT_LEAST = -1074 };

typedef struct tm_exact_wide {
  uint64_t limb[TM_EXACT_LIMBS];
  /* How many were added that are no number; negative where more were removed so far. */
  int64_t nans, infinities, negative_infinities;
} tm_exact_wide;

/* Adds ±magnitude * 2^exponent. */
void tm_exact_wide_add(tm_exact_wide *wide, unsigned __int128 magnitude, int exponent, bool minus);
void tm_exact_wide_add_signed(tm_exact_wide *wide, __int128 value, int exponent);
void tm_exact_wide_merge(tm_exact_wide *wide, const tm_exact_wide *other);
/* The nearest double, ties to even; infinite where it is too large. */
double tm_exact_wide_result(const tm_exact_wide *wide);
bool tm_exact_wide_is_minus(const tm_exact_wide *wide);
/* The double nearest to a number whose leading 64 bits are `top`, the highest of them set and
 * worth 2^exponent; sticky: some bit below is set. No bit is worth less than 2^-1074. */
double tm_exact_round(uint64_t top, bool sticky, int exponent, bool minus);

#endif
