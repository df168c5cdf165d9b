/* kernel/int_sum.h: sums of integers, which cannot overflow.
 *
 * A sum is a plain __int128 that begins as 0: 2^64 rows of int64 fit, so adding needs no check, and
 * order does not matter. Whether a result fits its type is asked once, at the end. */
#ifndef TM_KERNEL_INT_SUM_H
#define TM_KERNEL_INT_SUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds the rows where valid (a byte a row; NULL: all) is not 0. */
void tm_int_sum_add_int64(__int128 *sum, const int64_t *values, const uint8_t *valid, size_t rows);
void tm_int_sum_add_int32(__int128 *sum, const int32_t *values, const uint8_t *valid, size_t rows);

/* 0, or -1 where int64 cannot hold the sum. */
static inline int tm_int_sum_result(__int128 sum, int64_t *out) {
  if (sum < INT64_MIN || sum > INT64_MAX) return -1;
  *out = (int64_t)sum;
  return 0;
}

#endif
