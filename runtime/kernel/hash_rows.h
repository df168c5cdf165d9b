/* kernel/hash_rows.h: one 64-bit hash a row, over one or several key columns.
 *
 * Rows that are equal as keys have equal hashes: null with null, 0 with -0, any NaN with any other,
 * and a value with itself in a wider column of the same meaning (int32 5 and int64 5, a decimal of
 * 12 digits and one of 30 of the same scale). The hash of a row is the same on every machine. */
#ifndef TM_KERNEL_HASH_ROWS_H
#define TM_KERNEL_HASH_ROWS_H

#include "base/hash.h"
#include "kernel/key_words.h"

#define TM_HASH_NULL UINT64_C(0x9e6c63d0876a9a47)

static inline uint64_t tm_hash_str(const tm_str *s) {
  if (s->size > TM_STR_INLINE) return tm_hash_bytes(s->pointer, s->size);
  return tm_hash_fold(s->words[0] ^ TM_HASH_A, s->words[1] ^ TM_HASH_B);
}

static inline uint64_t tm_hash_i128(const tm_str *pair) {
  int64_t low = (int64_t)pair->words[0];
  uint64_t sign = (uint64_t)(low >> 63);
  if (pair->words[1] == sign) return tm_hash_u64((uint64_t)low); /* as the short decimal has it */
  return tm_hash_combine(tm_hash_u64((uint64_t)low), pair->words[1]);
}

/* Hashes of values in normal form (key_words.h); valid may be NULL. `first` starts the hashes,
 * else each is combined with what is there. */
void tm_hash_words(const uint64_t *words, const uint8_t *valid, uint32_t count, bool first,
                   uint64_t *hashes);
void tm_hash_pairs(tm_type type, const tm_str *pairs, const uint8_t *valid, uint32_t count,
                   bool first, uint64_t *hashes);
/* The same from a column as it is: hashes[i] of row rows[i] (rows NULL: row i). */
void tm_hash_column(const tm_column *column, const uint32_t *rows, uint32_t count, bool first,
                    uint64_t *hashes);
/* Of all columns. Without columns every hash is the same. */
void tm_hash_rows(const tm_column *const *columns, uint32_t column_count, const uint32_t *rows,
                  uint32_t count, uint64_t *hashes);

#endif
