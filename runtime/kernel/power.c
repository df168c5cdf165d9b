/* kernel/power.c: makes the table of powers of ten, and rounds digits times a power to a double.
 *
 * The method is D. Lemire's ("Number parsing at a gigabyte per second", Software: Practice and
 * Experience, 2021, after M. Eisel): one product with the leading bits of 10^q tells the nearest
 * double but for a sliver. Our form of it keeps the whole 192-bit product and states the sliver:
 *
 *   w is the digits, shifted so that its top bit is set; T the 128 bits of the table, t the true
 *   value, T <= t < T + 1 (t == T for exact powers). The true product w * t is at least w * T and
 *   less than w * T + 2^64, so with X = floor(w * T / 2^64): X <= w * t / 2^64 < X + 2.
 *   Of X we keep 53 bits (fewer for subnormals) and look at the rest R against half a unit:
 *     exact power     the product is exact: R and its low limb decide, ties included
 *     R >= half       above the tie, as t > T: up
 *     R <  half - 1   at most half - 2, plus less than 2: below the tie: down
 *     R == half - 1   undecided; seen only for digits that lie on or at a tie */
#include "kernel/power.h"

#include <string.h>

tm_power tm_power_table[TM_POWER_MAX - TM_POWER_MIN + 1];

const uint64_t tm_power_u64[20] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
    10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
    1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u,
    10000000000000000000u,
};

const double tm_power_double[23] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* ---- the table */

/* 2^BITS / 5^342 must keep 128 bits: 342 * log2(5) is 794.1. */
enum { LIMBS = 30, BITS = 32 * (LIMBS - 1) };

/* The leading 128 bits of a number, the rest cut off. */
static tm_power leading_bits(const uint32_t limbs[LIMBS]) {
  int top = LIMBS - 1;
  while (limbs[top] == 0) top--;
  unsigned __int128 bits = 0;
  for (int i = 0; i < 4; i++) bits = bits << 32 | (top - i >= 0 ? limbs[top - i] : 0);
  int shift = __builtin_clz(limbs[top]);
  if (shift > 0)
    bits = bits << shift | (uint64_t)(top >= 4 ? limbs[top - 4] : 0) >> (32 - shift);
  return (tm_power){(uint64_t)(bits >> 64), (uint64_t)bits};
}

/* 10^q and 5^q have the same leading bits. Multiplying by 5 is exact while the number fits the
 * limbs; dividing by 5 and rounding down, again and again, equals one division by the power. */
__attribute__((constructor(101))) static void make_table(void) {
  uint32_t limbs[LIMBS] = {1};
  for (int q = 0; q <= TM_POWER_MAX; q++) {
    tm_power_table[q - TM_POWER_MIN] = leading_bits(limbs);
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
      carry += (uint64_t)limbs[i] * 5;
      limbs[i] = (uint32_t)carry;
      carry >>= 32;
    }
  }
  memset(limbs, 0, sizeof limbs);
  limbs[BITS / 32] = 1;
  for (int q = -1; q >= TM_POWER_MIN; q--) {
    uint64_t rest = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
      rest = rest << 32 | limbs[i];
      limbs[i] = (uint32_t)(rest / 5);
      rest %= 5;
    }
    tm_power_table[q - TM_POWER_MIN] = leading_bits(limbs);
  }
}

/* ---- rounding */

static double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static const uint64_t INFINITE_BITS = UINT64_C(0x7ff) << 52;

/* The general case, for doubles below 2^-1022: of the 127 or 128 bits of x, `drop` do not stay. */
static __attribute__((noinline)) bool round_subnormal(unsigned __int128 x, int drop, double *out) {
  const unsigned __int128 one = 1;
  if (drop > 127) {
    /* Less than the least double. More than half of it (drop 128 and x from 2^127 on) rounds up
     * to it; half of it, with its 700 digits, cannot be met. */
    *out = from_bits(drop == 128 && x >> 127 != 0);
    return x + 1 != one << 127;
  }
  unsigned __int128 half = one << (drop - 1), rest = x & (2 * half - 1);
  *out = from_bits((uint64_t)(x >> drop) + (rest >= half)); /* a carry makes it normal */
  return rest != half - 1;
}

bool tm_power_round(uint64_t digits, int exponent, double *out) {
  if (digits == 0 || exponent < TM_POWER_MIN) return *out = 0, true;
  if (exponent > 308) return *out = from_bits(INFINITE_BITS), true;
  int shift = __builtin_clzll(digits);
  digits <<= shift;
  tm_power power = tm_power_of(exponent);
  unsigned __int128 low = (unsigned __int128)digits * power.low;
  unsigned __int128 x = (unsigned __int128)digits * power.high + (uint64_t)(low >> 64);
  uint64_t x_high = (uint64_t)(x >> 64), x_low = (uint64_t)x;
  int top = (int)(x_high >> 63);
  int binary = 63 + top + tm_power_log2(exponent) - shift; /* value is in [2^binary, 2^(b+1)) */
  int drop = 10 + top; /* of the 63 or 64 bits of x_high, so that 53 stay */
  if (binary < -1022) return round_subnormal(x, drop + 64 - 1022 - binary, out);
  uint64_t mantissa = x_high >> drop, half = UINT64_C(1) << (drop - 1);
  uint64_t rest = x_high & (2 * half - 1);
  bool up = rest >= half, decided = true;
  if (tm_power_is_exact(exponent)) {
    if (rest == half && (x_low | (uint64_t)low) == 0) up = mantissa & 1;
  } else {
    decided = rest != half - 1 || x_low != UINT64_MAX;
  }
  /* The implicit bit adds one to the exponent, and so does a carry out of the mantissa. */
  uint64_t bits = mantissa + up + ((uint64_t)(binary + 1022) << 52);
  *out = from_bits(bits < INFINITE_BITS ? bits : INFINITE_BITS);
  return decided;
}
