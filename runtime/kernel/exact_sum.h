/* kernel/exact_sum.h: sums of doubles that are exact, so the same in any order.
 *
 * What was added, merged and removed counts without any rounding; only the result is rounded,
 * once. So neither the order of rows nor how they were shared out among workers can change a bit.
 *
 * A sum is 32 bytes that may lie anywhere (a slot of a hash table) and begin as all zeros. `fixed`
 * counts units of 2^(window - 72) in 128 bits: at window 0 all doubles from 1e-6 to 1e16 fit with
 * all their digits, and smaller ones if they have few. What does not fit, or overflows, goes to
 * `wide` (296 bytes from the caller's allocator), in which everything fits. The value is always the
 * sum of both parts. The window moves to where the data is: at once while `fixed` is 0, else after
 * a few misses; it never changes the value.
 *
 * NaN and infinities are counted apart, so that they can be removed again. */
#ifndef TM_KERNEL_EXACT_SUM_H
#define TM_KERNEL_EXACT_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct tm_exact_wide tm_exact_wide;

typedef struct tm_exact_sum {
  __int128 fixed;
  tm_exact_wide *wide; /* owned; NULL until it is needed */
  int32_t window;
  uint32_t misses;
} tm_exact_sum;

/* Where `wide` comes from. alloc returns NULL when refused. */
typedef struct tm_exact_memory {
  void *(*alloc)(void *context, size_t bytes);
  void (*free)(void *context, void *block, size_t bytes); /* may be NULL: an arena */
  void *context;
} tm_exact_memory;

enum {
  TM_EXACT_UNIT = -72,       /* log2 of the unit of `fixed` at window 0 */
  TM_EXACT_FIXED_BITS = 126, /* of one value in `fixed`; one more is for the sum, one the sign */
  TM_EXACT_BYTES_MAX = 304,  /* of a sum that was written */
};

void tm_exact_sum_deinit(tm_exact_sum *sum, const tm_exact_memory *memory);

/* All that change a sum: 0, or -1 when out of memory; the sum is then as it was, but after
 * add_column without the rows that are missing: give it up. */
int tm_exact_sum_add_rare(tm_exact_sum *sum, double value, const tm_exact_memory *memory);
int tm_exact_sum_remove(tm_exact_sum *sum, double value, const tm_exact_memory *memory);
/* Rows where valid (a byte a row; NULL: all) is not 0. */
int tm_exact_sum_add_column(tm_exact_sum *sum, const double *values, const uint8_t *valid,
                            size_t rows, const tm_exact_memory *memory);
int tm_exact_sum_merge(tm_exact_sum *sum, const tm_exact_sum *other,
                       const tm_exact_memory *memory);
/* Takes back what was merged. */
int tm_exact_sum_unmerge(tm_exact_sum *sum, const tm_exact_sum *other,
                         const tm_exact_memory *memory);

/* The double nearest to the exact sum, ties to even; 0.0 for nothing. NaN if there is a NaN, or
 * infinities of both signs; else an infinity that is there. */
double tm_exact_sum_result(const tm_exact_sum *sum);
/* The same as two doubles, the second the nearest to what the first leaves: 107 bits of a finite
 * sum, for differences of sums such as a variance. *low is 0 where the result is not finite. */
double tm_exact_sum_result_pair(const tm_exact_sum *sum, double *low);

/* The double nearest to the sum times 2^-64: for means of sums that are too large for a double. */
double tm_exact_sum_result_small(const tm_exact_sum *sum);

/* Bytes that depend on the value alone, little-endian on every machine. Returns how many. */
size_t tm_exact_sum_write(const tm_exact_sum *sum, uint8_t out[TM_EXACT_BYTES_MAX]);
/* *sum is all zeros before. Returns how many bytes it took; -1: out of memory, -2: not a sum. */
int tm_exact_sum_read(tm_exact_sum *sum, const uint8_t *bytes, size_t size,
                      const tm_exact_memory *memory);

static inline int tm_exact_sum_add(tm_exact_sum *sum, double value,
                                   const tm_exact_memory *memory) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint64_t mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
  /* Places up from the unit of `fixed`. What is too small, or no normal number, wraps. */
  uint32_t shift = (uint32_t)(bits >> 52 & 0x7ff) - (uint32_t)(1075 + TM_EXACT_UNIT + sum->window);
  bool zero = bits << 1 == 0; /* zeros are many in some columns, and must not cost a branch */
  shift = zero ? 0 : shift;
  mantissa = zero ? 0 : mantissa;
  if (__builtin_expect(shift <= TM_EXACT_FIXED_BITS - 53, 1)) {
    unsigned __int128 sign = 0 - (unsigned __int128)(bits >> 63);
    __int128 term = (__int128)((((unsigned __int128)mantissa << shift) ^ sign) - sign), total;
    if (__builtin_expect(!__builtin_add_overflow(sum->fixed, term, &total), 1)) {
      sum->fixed = total;
      return 0;
    }
  }
  return tm_exact_sum_add_rare(sum, value, memory);
}

#endif
