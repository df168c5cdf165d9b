/* kernel/decimal.h: exact arithmetic of decimals, a scaled integer and its scale.
 *
 * A value is digits / 10^scale with at most 38 digits, as semantics.md has it. Every result is
 * exact, or rounded once as its function says; intermediate products have 256 bits. Results that
 * need more than 38 digits or a scale above 38 are refused, never wrapped. Integers are decimals
 * of scale 0. Values handed in may use all of __int128 where they are sums. */
#ifndef TM_KERNEL_DECIMAL_H
#define TM_KERNEL_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tm_decimal_result {
  TM_DECIMAL_OK = 0,
  TM_DECIMAL_OVERFLOW = -1, /* more than 38 digits, or a scale above 38 */
  TM_DECIMAL_BY_ZERO = -2,
} tm_decimal_result;

/* How digits that do not stay are rounded, as tm.round names it. */
typedef enum tm_rounding {
  TM_ROUND_HALF_UP,   /* to the nearest, ties away from 0 */
  TM_ROUND_HALF_EVEN, /* to the nearest, ties to the even digit */
  TM_ROUND_UP,        /* away from 0 */
  TM_ROUND_DOWN,      /* towards 0 */
  TM_ROUND_FLOOR,
  TM_ROUND_CEIL,
} tm_rounding;

enum { TM_DECIMAL_DIGITS = 38, TM_DECIMAL_QUOTIENT_SCALE = 6 };

/* Without sign and leading zeros; 1 for 0. */
int tm_decimal_digits(__int128 value);
/* At most `precision` (1 to 38) digits. */
bool tm_decimal_fits(__int128 value, int precision);

/* Scale of the result: the larger one. */
int tm_decimal_add(__int128 a, int a_scale, __int128 b, int b_scale, __int128 *out);
int tm_decimal_subtract(__int128 a, int a_scale, __int128 b, int b_scale, __int128 *out);
/* Scale of the result: the sum of both. */
int tm_decimal_multiply(__int128 a, int a_scale, __int128 b, int b_scale, __int128 *out);

/* Scale of a quotient in scripts. */
static inline int tm_decimal_quotient_scale(int a_scale, int b_scale) {
  int scale = a_scale > b_scale ? a_scale : b_scale;
  return scale > TM_DECIMAL_QUOTIENT_SCALE ? scale : TM_DECIMAL_QUOTIENT_SCALE;
}
/* Rounded half to even at out_scale, which is at least a_scale - b_scale. An average of n values
 * is their sum divided by n (scale 0) at the sum's scale + 4. */
int tm_decimal_divide(__int128 a, int a_scale, __int128 b, int b_scale, int out_scale,
                      __int128 *out);

/* Less, equal or greater: below 0, 0, above 0. */
int tm_decimal_compare(__int128 a, int a_scale, __int128 b, int b_scale);

/* The same value at another scale, rounded where digits go. Scales from -38 to 38: one below 0
 * counts tens, hundreds …, so rounding to hundreds is to -2 and back to 0. */
int tm_decimal_rescale(__int128 value, int from, int to, tm_rounding mode, __int128 *out);

/* Refuses what int64 cannot hold. */
int tm_decimal_to_int64(__int128 value, int scale, tm_rounding mode, int64_t *out);
/* The nearest double, ties to even. */
double tm_decimal_to_double(__int128 value, int scale);
/* The exact value of the double, rounded; NaN and infinities are refused as overflow. */
int tm_decimal_from_double(double value, int scale, tm_rounding mode, __int128 *out);

/* Columns of up to 18 digits, of one scale where they are added. The result says whether any row
 * left int64 (then `out` there is wrapped): go over them one by one. Rows that are null count, too,
 * whatever lies in them. */
bool tm_decimal64_add(const int64_t *restrict a, const int64_t *restrict b, int64_t *restrict out,
                      size_t rows);
bool tm_decimal64_subtract(const int64_t *restrict a, const int64_t *restrict b,
                           int64_t *restrict out, size_t rows);
bool tm_decimal64_multiply(const int64_t *restrict a, const int64_t *restrict b,
                           int64_t *restrict out, size_t rows);
/* The same with one value on one side; scaling up is multiplying by a power of ten. */
bool tm_decimal64_add_constant(const int64_t *restrict a, int64_t b, int64_t *restrict out,
                               size_t rows);
bool tm_decimal64_subtract_from(int64_t a, const int64_t *restrict b, int64_t *restrict out,
                                size_t rows);
bool tm_decimal64_multiply_constant(const int64_t *restrict a, int64_t b, int64_t *restrict out,
                                    size_t rows);
/* 128 bits hold every product. */
void tm_decimal64_multiply_wide(const int64_t *restrict a, const int64_t *restrict b,
                                __int128 *restrict out, size_t rows);
void tm_decimal64_widen(const int64_t *restrict a, __int128 *restrict out, size_t rows);

#endif
