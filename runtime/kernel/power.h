/* kernel/power.h: powers of ten, and digits times a power of ten as the nearest double.
 *
 * tm_power_table holds the leading 128 bits of 10^q, rounded down, for every q that reading or
 * printing a double can need; exact for 0 <= q <= 55. It is computed when the program starts
 * (some 30 us) with integers of unlimited size, so nothing in it was typed in. */
#ifndef TM_KERNEL_POWER_H
#define TM_KERNEL_POWER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum {
  TM_POWER_MIN = -342,      /* below it, 19 digits are less than half the least double */
  TM_POWER_MAX = 324,       /* what printing the least double multiplies by */
  TM_POWER_EXACT_MAX = 55,  /* 5^55 < 2^128 */
};

typedef struct tm_power {
  uint64_t high, low; /* 10^q == (high, low) * 2^(tm_power_log2(q) - 127), or a little more */
} tm_power;

extern tm_power tm_power_table[TM_POWER_MAX - TM_POWER_MIN + 1];
/* 10^0 to 10^19 as integers. */
extern const uint64_t tm_power_u64[20];
/* 10^0 to 10^22: the ones that a double holds exactly. */
extern const double tm_power_double[23];

static inline tm_power tm_power_of(int q) {
  assert(q >= TM_POWER_MIN && q <= TM_POWER_MAX);
  return tm_power_table[q - TM_POWER_MIN];
}

static inline bool tm_power_is_exact(int q) { return q >= 0 && q <= TM_POWER_EXACT_MAX; }

/* floor(log2(10^q)) for |q| <= 1233. */
static inline int tm_power_log2(int q) { return (q * 217706) >> 16; }

/* 10^0 to 10^38 for decimals. */
static inline unsigned __int128 tm_power_u128(int q) {
  assert(q >= 0 && q <= 38);
  return q <= 19 ? tm_power_u64[q]
                 : (unsigned __int128)tm_power_u64[19] * tm_power_u64[q - 19];
}

/* digits * 10^exponent, correctly rounded (ties to even), infinite where it is too large. false:
 * 192 bits cannot decide; *out is then one of the two candidates. Any exponent is valid. */
bool tm_power_round(uint64_t digits, int exponent, double *out);

#endif
