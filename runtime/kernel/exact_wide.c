/* kernel/exact_wide.c: adding to a fixed-point number of 2,176 bits, and rounding it.
 *
 * An addition touches three limbs; a carry goes on only as far as limbs are all ones, or all zeros
 * for a borrow, which is short unless the sum crosses zero. */
#include "kernel/exact_wide.h"

#include <assert.h>
#include <string.h>

void tm_exact_wide_add(tm_exact_wide *wide, unsigned __int128 magnitude, int exponent,
                       bool minus) {
  int position = exponent - TM_EXACT_LEAST, at = position / 64, bits = position % 64;
  assert(position >= 0 && at < TM_EXACT_LIMBS);
  unsigned __int128 low = magnitude << bits;
  uint64_t words[3] = {(uint64_t)low, (uint64_t)(low >> 64),
                       bits == 0 ? 0 : (uint64_t)(magnitude >> 64) >> (64 - bits)};
  uint64_t carry = 0;
  for (int i = 0; i < 3 || carry != 0; i++, at++) {
    if (at == TM_EXACT_LIMBS) return; /* out at the top, as two's complement has it */
    uint64_t word = i < 3 ? words[i] : 0, *limb = &wide->limb[at];
    unsigned __int128 sum = minus ? (unsigned __int128)*limb - word - carry
                                  : (unsigned __int128)*limb + word + carry;
    *limb = (uint64_t)sum;
    carry = (uint64_t)(sum >> 64) & 1;
  }
}

void tm_exact_wide_add_signed(tm_exact_wide *wide, __int128 value, int exponent) {
  bool minus = value < 0;
  unsigned __int128 magnitude = minus ? 0 - (unsigned __int128)value : (unsigned __int128)value;
  tm_exact_wide_add(wide, magnitude, exponent, minus);
}

void tm_exact_wide_merge(tm_exact_wide *wide, const tm_exact_wide *other) {
  uint64_t carry = 0;
  for (int i = 0; i < TM_EXACT_LIMBS; i++) {
    unsigned __int128 sum = (unsigned __int128)wide->limb[i] + other->limb[i] + carry;
    wide->limb[i] = (uint64_t)sum;
    carry = (uint64_t)(sum >> 64);
  }
  wide->nans += other->nans;
  wide->infinities += other->infinities;
  wide->negative_infinities += other->negative_infinities;
}

bool tm_exact_wide_is_minus(const tm_exact_wide *wide) {
  return wide->limb[TM_EXACT_LIMBS - 1] >> 63;
}

static double from_bits(uint64_t bits, bool minus) {
  double value;
  bits |= (uint64_t)minus << 63;
  memcpy(&value, &bits, sizeof value);
  return value;
}

double tm_exact_round(uint64_t top, bool sticky, int exponent, bool minus) {
  const uint64_t infinite = UINT64_C(0x7ff) << 52;
  /* No bit is worth less than 2^-1074, so what lies below 2^-1022 needs no rounding. */
  if (exponent < -1022) return from_bits(top >> (63 + TM_EXACT_LEAST - exponent), minus);
  if (exponent > 1023) return from_bits(infinite, minus);
  uint64_t mantissa = top >> 11, rest = top & 0x7ff, half = 0x400;
  bool up = rest > half || (rest == half && (sticky || (mantissa & 1)));
  /* The implicit bit adds one to the exponent, and so does a carry out of the mantissa. */
  return from_bits(mantissa + up + ((uint64_t)(exponent + 1022) << 52), minus);
}

double tm_exact_wide_result(const tm_exact_wide *wide) {
  bool minus = tm_exact_wide_is_minus(wide);
  uint64_t limb[TM_EXACT_LIMBS], carry = minus;
  for (int i = 0; i < TM_EXACT_LIMBS; i++) { /* the magnitude: inverted and one more */
    limb[i] = (minus ? ~wide->limb[i] : wide->limb[i]) + carry;
    carry &= limb[i] == 0;
  }
  int at = TM_EXACT_LIMBS - 1;
  while (at >= 0 && limb[at] == 0) at--;
  if (at < 0) return 0;
  int lead = __builtin_clzll(limb[at]);
  uint64_t below = at > 0 ? limb[at - 1] : 0, top = limb[at] << lead;
  if (lead > 0) top |= below >> (64 - lead), below <<= lead;
  bool sticky = below != 0;
  for (int i = at - 2; i >= 0 && !sticky; i--) sticky = limb[i] != 0;
  return tm_exact_round(top, sticky, 64 * at + 63 - lead + TM_EXACT_LEAST, minus);
}
