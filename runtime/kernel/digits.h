/* kernel/digits.h: eight characters at a time, as one 64-bit word. Private to this room.
 *
 * A word holds the first character in its lowest byte. Digits shorter than a word are shifted up
 * to its end, so that the bytes below are zeros: leading zeros, as digit values. */
#ifndef TM_KERNEL_DIGITS_H
#define TM_KERNEL_DIGITS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words hold text in this order");

#define TM_DIGITS_ZEROS UINT64_C(0x3030303030303030)
#define TM_DIGITS_HIGH UINT64_C(0x8080808080808080)

static inline uint64_t tm_digits_load(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  return word;
}

/* At most eight bytes, and none beyond them is touched; the rest of the word is 0. */
static inline uint64_t tm_digits_load_part(const char *text, size_t size) {
  if (size >= 8) return tm_digits_load(text);
  if (size >= 4) {
    uint32_t first, last;
    memcpy(&first, text, 4);
    memcpy(&last, text + size - 4, 4);
    return first | (uint64_t)last << (8 * (size - 4));
  }
  if (size == 0) return 0;
  uint64_t word = (uint8_t)text[0];
  word |= (uint64_t)(uint8_t)text[size / 2] << (8 * (size / 2));
  return word | (uint64_t)(uint8_t)text[size - 1] << (8 * (size - 1));
}

/* Nonzero in the top bit of the first byte that is no digit value (0 to 9), and perhaps of later
 * ones; 0 when all eight are. */
static inline uint64_t tm_digits_wrong(uint64_t values) {
  return ((values + UINT64_C(0x7676767676767676)) | values) & TM_DIGITS_HIGH;
}

/* How many of the eight characters are digits before the first that is none. */
static inline unsigned tm_digits_run(uint64_t word) {
  uint64_t wrong = tm_digits_wrong(word ^ TM_DIGITS_ZEROS);
  return wrong == 0 ? 8 : (unsigned)__builtin_ctzll(wrong) / 8;
}

/* Digit values of the first `size` (0 to 8) characters, moved to the end of the word. */
static inline uint64_t tm_digits_align(uint64_t word, size_t size) {
  unsigned half = 32 - 4 * (unsigned)size; /* twice, as shifting by 64 at once is not defined */
  return (word ^ TM_DIGITS_ZEROS) << (half & 63) << (half & 63);
}

/* The number that eight digit values make: pairs, then both halves in one multiplication each. */
static inline uint32_t tm_digits_value(uint64_t values) {
  const uint64_t pair = UINT64_C(0x000000ff000000ff);
  values = values * 10 + (values >> 8);
  uint64_t first = (values & pair) * (100 + (UINT64_C(1000000) << 32));
  uint64_t second = (values >> 16 & pair) * (1 + (UINT64_C(10000) << 32));
  return (uint32_t)((first + second) >> 32);
}

/* The eight digit values of a number below 10^8, leading zeros included: halves, then quarters,
 * then single digits, all of a kind divided at once. */
static inline uint64_t tm_digits_split(uint32_t value) {
  uint64_t halves = value / 10000 | (uint64_t)(value % 10000) << 32;
  uint64_t hundreds = (halves * 10486 >> 20) & UINT64_C(0x0000007f0000007f); /* 1/100 */
  uint64_t quarters = hundreds | (halves - hundreds * 100) << 16;
  uint64_t tens = (quarters * 103 >> 10) & UINT64_C(0x000f000f000f000f); /* 1/10 */
  return tens | (quarters - tens * 10) << 8;
}

static inline void tm_digits_store(char *text, uint64_t word) {
  memcpy(text, &word, sizeof word);
}

static inline bool tm_digits_is(char c) { return (uint8_t)(c - '0') < 10; }

/* Without spaces and tabs on both sides. */
static inline void tm_digits_trim(const char **text, const char **end) {
  while (*text < *end && (**text == ' ' || **text == '\t')) ++*text;
  while (*text < *end && ((*end)[-1] == ' ' || (*end)[-1] == '\t')) --*end;
}

#endif
