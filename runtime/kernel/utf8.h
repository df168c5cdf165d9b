/* kernel/utf8.h: is a text UTF-8, how many characters has it, and ASCII letters in the other case.
 *
 * Valid is what Unicode says: no overlong forms, no surrogates, nothing beyond U+10FFFF. Delimiters
 * of text formats are ASCII, so a block that is valid as a whole has only valid fields: readers
 * check blocks, and single fields only in a block that is not. Nothing reads beyond the text. */
#ifndef TM_KERNEL_UTF8_H
#define TM_KERNEL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "column/str.h"

bool tm_utf8_valid(const char *text, size_t size);
/* How many bytes from the start are whole, valid characters: size where all is valid. What is cut
 * off by the end counts as invalid. */
size_t tm_utf8_valid_prefix(const char *text, size_t size);
/* Of a column just parsed, where every value can be read: good[i] is 1 or 0; returns how many are
 * not valid. */
size_t tm_utf8_valid_rows(const tm_str *values, uint8_t *good, size_t count);

/* Characters of a valid text; of any other, bytes that do not continue a character. */
size_t tm_utf8_length(const char *text, size_t size);
/* lengths[row] for rows[0 .. count) (rows NULL: row i); untouched where valid[row] is 0. */
void tm_utf8_length_rows(const tm_str *values, const uint8_t *valid, const uint32_t *rows,
                         size_t count, int64_t *lengths);

/* A to Z and a to z only, byte by byte, as Lua's string.lower and upper in the C locale; valid text
 * stays valid. out may be text. */
void tm_utf8_lower(const char *text, size_t size, char *out);
void tm_utf8_upper(const char *text, size_t size, char *out);

/* Bytes of the character that starts with this byte of a valid text: 1 to 4. */
static inline size_t tm_utf8_step(unsigned char first) {
  return 1 + (size_t)(first >= 0xc0) + (size_t)(first >= 0xe0) + (size_t)(first >= 0xf0);
}

/* One way to validate; tests and benchmarks run each that the processor supports. */
typedef struct tm_utf8_impl {
  const char *name;
  bool (*valid)(const char *text, size_t size);
} tm_utf8_impl;

/* Best first; NULL beyond the end. */
const tm_utf8_impl *tm_utf8_impl_at(size_t index);

#endif
