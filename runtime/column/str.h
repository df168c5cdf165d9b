/* column/str.h: a string value in 16 bytes.
 *
 * Up to 12 bytes lie inside (the rest zeroed, so that two short strings are equal as 16 bytes);
 * longer ones keep their first four bytes beside a borrowed pointer. Who holds a tm_str in state
 * copies the bytes, so that a view never pins a read buffer for longer than a batch. */
#ifndef TM_COLUMN_STR_H
#define TM_COLUMN_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { TM_STR_INLINE = 12 };

typedef union tm_str {
  struct { uint32_t size; char head[TM_STR_INLINE]; };
  struct { uint32_t size_; char prefix[4]; const char *pointer; };
  uint64_t words[2];
} tm_str;

/* `text` must stay readable for as long as the string is used, unless size <= TM_STR_INLINE. */
static inline tm_str tm_str_make(const char *text, size_t size) {
  tm_str s;
  s.words[0] = (uint32_t)size;
  s.words[1] = 0;
  if (size <= TM_STR_INLINE) {
    memcpy(s.head, text, size);
  } else {
    memcpy(s.prefix, text, 4);
    s.pointer = text;
  }
  return s;
}

static inline const char *tm_str_bytes(const tm_str *s) {
  return s->size <= TM_STR_INLINE ? s->head : s->pointer;
}

static inline bool tm_str_equal(const tm_str *a, const tm_str *b) {
  if (a->words[0] != b->words[0]) return false; /* size and first four bytes */
  if (a->words[1] == b->words[1]) return true;  /* short, or the same pointer */
  return a->size > TM_STR_INLINE && memcmp(a->pointer, b->pointer, a->size) == 0;
}

/* By bytes, the shorter first where one is a prefix of the other: <0, 0, >0. */
static inline int tm_str_compare(const tm_str *a, const tm_str *b) {
  uint32_t size = a->size < b->size ? a->size : b->size;
  int order = memcmp(tm_str_bytes(a), tm_str_bytes(b), size);
  if (order != 0) return order;
  return a->size < b->size ? -1 : a->size > b->size;
}

#endif
