/* kernel/json_marks.h: where the bytes are that give a JSON text its structure, as bitmaps.
 *
 * Bit i % 64 of word i / 64 stands for text[i]. Readers go from mark to mark by counting zeros, so
 * what lies between costs next to nothing. Up to TM_STRUCTURAL_PAD bytes beyond the text are read;
 * their bits are 0. */
#ifndef TM_KERNEL_JSON_MARKS_H
#define TM_KERNEL_JSON_MARKS_H

#include <stddef.h>
#include <stdint.h>

enum { /* answers of tm_json_marks */
  TM_JSON_ESCAPES = 1,  /* there are backslashes */
  TM_JSON_CONTROLS = 2, /* there are control characters other than line end and return */
  TM_JSON_RETURNS = 4,  /* there are carriage returns */
};

/* quotes: those that no backslash escapes. escapes: backslashes. stops: quotes of any kind, the
 * marks { } [ ] : , and every byte up to the space. (size + 63) / 64 words each. */
uint32_t tm_json_marks(const char *text, size_t size, uint64_t *quotes, uint64_t *escapes,
                       uint64_t *stops);

/* One way to do this; tests and benchmarks run each that the processor supports. */
typedef struct tm_json_marks_impl {
  const char *name;
  uint32_t (*marks)(const char *, size_t, uint64_t *, uint64_t *, uint64_t *);
} tm_json_marks_impl;

/* Best first; NULL beyond the end. */
const tm_json_marks_impl *tm_json_marks_impl_at(size_t index);

#endif
