/* kernel/substring.c: finds a needle by its first and its last byte.
 *
 * Places where both are right are found sixteen at a time (the idea is W. Muła's); only there is
 * the rest compared. A text that is made to have many such places ("aaa…") would make that
 * quadratic: once the comparisons outweigh the text, libc's linear algorithm takes over. */
#define _GNU_SOURCE /* memmem */
#include "kernel/substring.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>

/* Bit i: needle's first byte at p[i] and its last at p[i + last]. */
static inline unsigned both_ends(const char *p, size_t last, __m128i first, __m128i final) {
  __m128i a = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p), first);
  __m128i b = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + last)), final);
  return (unsigned)_mm_movemask_epi8(_mm_and_si128(a, b));
}

/* Needs at least 16 places at which the needle could start. */
static const char *find_many(const char *text, size_t size, const char *needle,
                             size_t needle_size) {
  size_t last = needle_size - 1, places = size - last, at = 0, work = 0;
  __m128i first = _mm_set1_epi8(needle[0]), final = _mm_set1_epi8(needle[last]);
  for (;;) {
    unsigned mask = both_ends(text + at, last, first, final);
    for (; mask != 0; mask &= mask - 1) {
      const char *place = text + at + __builtin_ctz(mask);
      if (memcmp(place + 1, needle + 1, last) == 0) return place;
      work += last;
    }
    if (at + 16 == places) return NULL;
    at += 16;
    if (at + 16 > places) at = places - 16; /* the last step looks at some places again */
    if (work > 4096 + 4 * at) return memmem(text + at, size - at, needle, needle_size);
  }
}
#else
static const char *find_many(const char *text, size_t size, const char *needle,
                             size_t needle_size) {
  return memmem(text, size, needle, needle_size);
}
#endif

const char *tm_substring_find(const char *text, size_t size, const char *needle,
                              size_t needle_size) {
  if (needle_size == 0) return text;
  if (size < needle_size) return NULL;
  if (needle_size == 1) return memchr(text, needle[0], size);
  size_t places = size - needle_size + 1;
  if (places >= 16) return find_many(text, size, needle, needle_size);
  for (size_t i = 0; i < places; i++)
    if (text[i] == needle[0] && memcmp(text + i + 1, needle + 1, needle_size - 1) == 0)
      return text + i;
  return NULL;
}
