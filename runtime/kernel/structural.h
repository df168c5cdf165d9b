/* kernel/structural.h: where the bytes are that give a text its structure.
 *
 * The first look that CSV and JSON lines take at a block of text: delimiters, newlines, quotes,
 * 64 bytes at a step with the widest vectors that the processor has. Every function reads up to
 * TM_STRUCTURAL_PAD bytes beyond the text, whose contents do not matter: buffers keep that room. */
#ifndef TM_KERNEL_STRUCTURAL_H
#define TM_KERNEL_STRUCTURAL_H

#include <stddef.h>
#include <stdint.h>

enum { TM_STRUCTURAL_PAD = 64 };

/* Writes the offset of every delimiter, newline and quote, ascending, and returns their number.
 * positions has room for size + TM_STRUCTURAL_PAD entries, for it is written in strides; size is
 * below 4 GiB. Without quotes, pass '\n' as the quote. */
size_t tm_structural_scan(const char *text, size_t size, char delimiter, char quote,
                          uint32_t *positions);

/* How often a byte occurs. */
size_t tm_structural_count(const char *text, size_t size, char byte);

/* Offset of its last occurrence, SIZE_MAX where there is none. */
size_t tm_structural_find_last(const char *text, size_t size, char byte);

/* For each of `count` bytes (1 to 3) a bitmap: bit i % 64 of masks[k][i / 64] says that text[i] is
 * bytes[k]. Writes and returns (size + 63) / 64 words; bits beyond size are 0. */
size_t tm_structural_scan_set(const char *text, size_t size, const char *bytes, size_t count,
                              uint64_t *const *masks);

/* One way to do all this; tests and benchmarks run each that the processor supports. */
typedef struct tm_structural_impl {
  const char *name;
  size_t (*scan)(const char *, size_t, char, char, uint32_t *);
  size_t (*count)(const char *, size_t, char);
  size_t (*find_last)(const char *, size_t, char);
  size_t (*scan_set)(const char *, size_t, const char *, size_t, uint64_t *const *);
} tm_structural_impl;

/* Best first; NULL beyond the end. */
const tm_structural_impl *tm_structural_impl_at(size_t index);

#endif
