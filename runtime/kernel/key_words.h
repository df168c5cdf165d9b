/* kernel/key_words.h: key columns in normal form, in which equal keys are equal bits.
 *
 * A key column is either of words (bool, integers, dates, timestamps, short decimals widened to 64
 * bits; floats as the bits of a double with -0 made 0 and every NaN the same one) or of pairs, 16
 * bytes a value (strings, long decimals). So int32 5 and int64 5 are one key. A null's value is 0
 * in both forms, and only `valid` tells it from a 0.
 *
 * `rows` lists the rows that count; NULL means rows 0 … count-1. Results lie densely: entry i is of
 * row rows[i]. Nobody looks at other rows, nor at the value of a null. */
#ifndef TM_KERNEL_KEY_WORDS_H
#define TM_KERNEL_KEY_WORDS_H

#include "column/batch.h"

static inline bool tm_key_is_pair(tm_type type) {
  tm_physical physical = tm_type_physical(type);
  return physical == TM_PHYSICAL_STR || physical == TM_PHYSICAL_I128;
}

/* The normal form of one float. */
static inline uint64_t tm_key_float(double value) {
  uint64_t bits;
  value += 0.0; /* -0 becomes 0 */
  memcpy(&bits, &value, sizeof bits);
  return value != value ? UINT64_C(0x7ff8000000000000) : bits;
}

static inline double tm_key_to_float(uint64_t word) {
  double value;
  memcpy(&value, &word, sizeof value);
  return value;
}

/* The column without its first rows. */
static inline tm_column tm_key_part(const tm_column *column, uint32_t first) {
  tm_column part = *column;
  part.data = (char *)part.data + first * tm_type_width(part.type);
  if (part.valid != NULL) part.valid += first;
  return part;
}

/* Words of a column; either `scratch` (room for count), or the column's own data where that is in
 * normal form already. */
const uint64_t *tm_key_words(const tm_column *column, const uint32_t *rows, uint32_t count,
                             uint64_t *scratch);
/* The same for columns of pairs. Long strings stay borrowed. */
const tm_str *tm_key_pairs(const tm_column *column, const uint32_t *rows, uint32_t count,
                           tm_str *scratch);
/* A byte a row, 1 = there; NULL where no row is null. */
const uint8_t *tm_key_valid(const tm_column *column, const uint32_t *rows, uint32_t count,
                            uint8_t *scratch);

/* Words back to values of the type, at out[0 … count-1]. */
void tm_key_words_write(tm_type type, const uint64_t *words, uint32_t count, void *out);

#endif
