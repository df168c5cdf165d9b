/* state/accumulator_values.h: the values of a group as runs of words in no order. */
#ifndef TM_STATE_ACCUMULATOR_VALUES_H
#define TM_STATE_ACCUMULATOR_VALUES_H

#include "state/accumulator.h"

/* Run number `nth` of a group in a sealed VALUES part: words that order as the values do (see
 * tm_values_double). false: there is no such run. */
bool tm_values_run(const tm_part *part, uint32_t group, uint32_t nth, const uint64_t **out,
                   uint64_t *count);

/* Doubles as words whose order is -inf … -0 0 … inf NaN, and back. */
static inline uint64_t tm_values_word(double value) {
  uint64_t bits;
  if (value != value) return UINT64_MAX;
  memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline double tm_values_double(uint64_t word) {
  uint64_t bits = word >> 63 ? word & ~(UINT64_C(1) << 63) : ~word;
  double value;
  if (word == UINT64_MAX) bits = UINT64_C(0x7ff8000000000000);
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
