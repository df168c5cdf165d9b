/* tests/kernel/number_random.h: bits that look random, the same in every run of a test. */
#ifndef TESTS_KERNEL_NUMBER_RANDOM_H
#define TESTS_KERNEL_NUMBER_RANDOM_H

#include <stdint.h>
#include <string.h>

/* Criterion runs each test in a process of its own, so each starts with the same seed. */
static inline uint64_t random_bits(void) {
  static uint64_t state = 20260314;
  state = state * 6364136223846793005u + 1442695040888963407u;
  uint64_t mixed = (state ^ state >> 29) * 0xbf58476d1ce4e5b9u;
  return mixed ^ mixed >> 32;
}

static inline uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
