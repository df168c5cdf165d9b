/* kernel/hash_rows.c: hashes a column at a time, in pieces that stay in the first cache. */
#include "kernel/hash_rows.h"

enum { PIECE_ROWS = 512 };

#define COMBINED(hash) (first ? (hash) : tm_hash_combine(hashes[i], (hash)))

static inline __attribute__((always_inline)) void words_loop(
    const uint64_t *restrict words, const uint8_t *restrict valid, uint32_t count,
    uint64_t *restrict hashes, const bool first) {
  for (uint32_t i = 0; i < count; i++) {
    uint64_t hash = valid == NULL || valid[i] ? tm_hash_u64(words[i]) : TM_HASH_NULL;
    hashes[i] = COMBINED(hash);
  }
}

static inline __attribute__((always_inline)) void texts_loop(
    const tm_str *restrict texts, const uint8_t *restrict valid, uint32_t count,
    uint64_t *restrict hashes, const bool first) {
  for (uint32_t i = 0; i < count; i++) {
    uint64_t hash = valid == NULL || valid[i] ? tm_hash_str(&texts[i]) : TM_HASH_NULL;
    hashes[i] = COMBINED(hash);
  }
}

void tm_hash_words(const uint64_t *words, const uint8_t *valid, uint32_t count, bool first,
                   uint64_t *hashes) {
  if (valid != NULL && first) words_loop(words, valid, count, hashes, true);
  else if (valid != NULL) words_loop(words, valid, count, hashes, false);
  else if (first) words_loop(words, NULL, count, hashes, true);
  else words_loop(words, NULL, count, hashes, false);
}

void tm_hash_pairs(tm_type type, const tm_str *pairs, const uint8_t *valid, uint32_t count,
                   bool first, uint64_t *hashes) {
  if (tm_type_physical(type) != TM_PHYSICAL_STR) {
    for (uint32_t i = 0; i < count; i++) {
      uint64_t hash = valid == NULL || valid[i] ? tm_hash_i128(&pairs[i]) : TM_HASH_NULL;
      hashes[i] = COMBINED(hash);
    }
  } else if (valid != NULL && first) {
    texts_loop(pairs, valid, count, hashes, true);
  } else if (valid != NULL) {
    texts_loop(pairs, valid, count, hashes, false);
  } else if (first) {
    texts_loop(pairs, NULL, count, hashes, true);
  } else {
    texts_loop(pairs, NULL, count, hashes, false);
  }
}

static void hash_piece(const tm_column *column, const uint32_t *rows, uint32_t count, bool first,
                       uint64_t *hashes) {
  tm_str pairs[PIECE_ROWS];
  uint64_t words[PIECE_ROWS];
  uint8_t valid[PIECE_ROWS];
  const uint8_t *there = tm_key_valid(column, rows, count, valid);
  if (tm_key_is_pair(column->type)) {
    const tm_str *values = tm_key_pairs(column, rows, count, pairs);
    tm_hash_pairs(column->type, values, there, count, first, hashes);
  } else {
    tm_hash_words(tm_key_words(column, rows, count, words), there, count, first, hashes);
  }
}

void tm_hash_column(const tm_column *column, const uint32_t *rows, uint32_t count, bool first,
                    uint64_t *hashes) {
  for (uint32_t at = 0; at < count; at += PIECE_ROWS) {
    uint32_t piece = count - at < PIECE_ROWS ? count - at : PIECE_ROWS;
    if (rows == NULL) {
      tm_column part = tm_key_part(column, at);
      hash_piece(&part, NULL, piece, first, hashes + at);
    } else {
      hash_piece(column, rows + at, piece, first, hashes + at);
    }
  }
}

void tm_hash_rows(const tm_column *const *columns, uint32_t column_count, const uint32_t *rows,
                  uint32_t count, uint64_t *hashes) {
  for (uint32_t i = 0; i < count && column_count == 0; i++) hashes[i] = TM_HASH_NULL;
  for (uint32_t c = 0; c < column_count; c++) {
    tm_hash_column(columns[c], rows, count, c == 0, hashes);
  }
}
