/* kernel/int_sum.c: columns of integers into 128 bits, in loops that vectorise.
 *
 * A value is its lower and its upper 32 bits, each added up in 64: for 2^31 rows neither overflows.
 * Flipping the sign bit makes the upper half unsigned, 2^31 too large a row. */
#include "kernel/int_sum.h"

enum { BLOCK_ROWS = 1 << 30 };

static const uint64_t SIGN = UINT64_C(1) << 63;

static __int128 join(uint64_t low, uint64_t high, size_t rows) {
  __int128 upper = (__int128)high - ((__int128)rows << 31);
  return upper * ((__int128)1 << 32) + low;
}

static __int128 add_block(const int64_t *restrict values, size_t rows) {
  uint64_t low = 0, high = 0;
  for (size_t i = 0; i < rows; i++) {
    low += (uint32_t)values[i];
    high += ((uint64_t)values[i] ^ SIGN) >> 32;
  }
  return join(low, high, rows);
}

static __int128 add_valid(const int64_t *restrict values, const uint8_t *restrict valid,
                          size_t rows) {
  uint64_t low = 0, high = 0;
  for (size_t i = 0; i < rows; i++) {
    uint64_t value = valid[i] != 0 ? (uint64_t)values[i] : 0;
    low += (uint32_t)value;
    high += (value ^ SIGN) >> 32;
  }
  return join(low, high, rows);
}

void tm_int_sum_add_int64(__int128 *sum, const int64_t *values, const uint8_t *valid,
                          size_t rows) {
  for (size_t at = 0; at < rows; at += BLOCK_ROWS) {
    size_t count = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS;
    *sum += valid == NULL ? add_block(values + at, count)
                          : add_valid(values + at, valid + at, count);
  }
}

void tm_int_sum_add_int32(__int128 *sum, const int32_t *restrict values,
                          const uint8_t *restrict valid, size_t rows) {
  for (size_t at = 0; at < rows; at += BLOCK_ROWS) {
    size_t count = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS;
    int64_t total = 0;
    if (valid == NULL) {
      for (size_t i = at; i < at + count; i++) total += values[i];
    } else {
      for (size_t i = at; i < at + count; i++) total += valid[i] != 0 ? values[i] : 0;
    }
    *sum += total;
  }
}
