/* kernel/wide_int.h: unsigned integers of 256 bits, for decimals. Private to this room.
 *
 * Four limbs, the lowest first. What could leave 256 bits says so; nothing wraps silently. */
#ifndef TM_KERNEL_WIDE_INT_H
#define TM_KERNEL_WIDE_INT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

typedef unsigned __int128 tm_u128;

typedef struct tm_u256 {
  uint64_t limb[4];
} tm_u256;

static inline tm_u256 tm_u256_of(tm_u128 value) {
  return (tm_u256){{(uint64_t)value, (uint64_t)(value >> 64), 0, 0}};
}

static inline tm_u128 tm_u256_low(const tm_u256 *value) {
  return (tm_u128)value->limb[1] << 64 | value->limb[0];
}
static inline tm_u128 tm_u256_high(const tm_u256 *value) {
  return (tm_u128)value->limb[3] << 64 | value->limb[2];
}

static inline bool tm_u256_is_zero(const tm_u256 *value) {
  return (value->limb[0] | value->limb[1] | value->limb[2] | value->limb[3]) == 0;
}

/* Bits up to the highest that is set; 0 for 0. */
static inline int tm_u256_bits(const tm_u256 *value) {
  for (int i = 3; i >= 0; i--)
    if (value->limb[i] != 0) return 64 * i + 64 - __builtin_clzll(value->limb[i]);
  return 0;
}

/* value *= factor. false: the result needs more than 256 bits. */
static inline bool tm_u256_multiply(tm_u256 *value, uint64_t factor) {
  uint64_t carry = 0;
  for (int i = 0; i < 4; i++) {
    tm_u128 product = (tm_u128)value->limb[i] * factor + carry;
    value->limb[i] = (uint64_t)product;
    carry = (uint64_t)(product >> 64);
  }
  return carry == 0;
}

/* value << shift for shift >= 0, value >> -shift for others. Bits that leave are lost. */
static inline tm_u256 tm_u256_shift(const tm_u256 *value, int shift) {
  tm_u256 out = {{0, 0, 0, 0}};
  int limbs = shift >> 6, bits = shift & 63; /* shift == 64 * limbs + bits, also below 0 */
  for (int i = 0; i < 4; i++) {
    int from = i - limbs;
    if (from >= 0 && from < 4) out.limb[i] |= value->limb[from] << bits;
    if (bits != 0 && from >= 1 && from < 5) out.limb[i] |= value->limb[from - 1] >> (64 - bits);
  }
  return out;
}

/* Are any of the lowest `bits` bits set? */
static inline bool tm_u256_any_below(const tm_u256 *value, int bits) {
  for (int i = 0; i < 4 && bits > 64 * i; i++) {
    int count = bits - 64 * i;
    if ((count >= 64 ? value->limb[i] : value->limb[i] << (64 - count)) != 0) return true;
  }
  return false;
}

/* *quotient = value / divisor, returns the rest. The divisor is not 0. Long division in base 2^64,
 * each digit estimated from the divisor's upper limb (D. E. Knuth, "The Art of Computer
 * Programming", volume 2, algorithm D, for a divisor of two digits). */
static inline tm_u128 tm_u256_divide(const tm_u256 *value, tm_u128 divisor, tm_u256 *quotient) {
  *quotient = (tm_u256){{0, 0, 0, 0}};
  if (divisor >> 64 == 0) {
    tm_u128 rest = 0;
    for (int i = 3; i >= 0; i--) {
      rest = rest << 64 | value->limb[i];
      quotient->limb[i] = (uint64_t)(rest / (uint64_t)divisor);
      rest %= (uint64_t)divisor;
    }
    return rest;
  }
  int shift = __builtin_clzll((uint64_t)(divisor >> 64));
  divisor <<= shift;
  uint64_t d1 = (uint64_t)(divisor >> 64), d0 = (uint64_t)divisor;
  tm_u256 n = tm_u256_shift(value, shift);
  /* What the shift pushed out, and the upper limb, are less than the divisor: no digit yet. */
  tm_u128 rest = (tm_u128)(shift == 0 ? 0 : value->limb[3] >> (64 - shift)) << 64 | n.limb[3];
  for (int i = 2; i >= 0; i--) {
    /* The estimate is at most two too large, also where it is 2^64 or 2^64 + 1; no product here
     * leaves 128 bits. As rest < divisor, the digit is below 2^64 once it is right. */
    tm_u128 digit = rest / d1, left = rest % d1;
    while (left >> 64 == 0 && digit * d0 > (left << 64 | n.limb[i])) digit--, left += d1;
    rest = (rest << 64 | n.limb[i]) - digit * divisor; /* wraps, and back: the result is small */
    quotient->limb[i] = (uint64_t)digit;
  }
  return rest >> shift;
}

#endif
