/* kernel/json_marks.c: see json_marks.h. Each kind of vector classifies 64 bytes at a step; what
 * backslashes do to the quotes behind them is worked out on the bitmaps, where there are any. */
#include "kernel/json_marks.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The classes of 64 bytes. */
typedef struct classes {
  uint64_t quotes, slashes, stops, controls, returns;
} classes;

/* Bits of characters that a backslash escapes. *carry: the last backslash of the word before
 * escapes the first character of this one. */
static inline uint64_t escaped_of(uint64_t slashes, uint64_t *carry) {
  uint64_t escaped = *carry;
  slashes &= ~*carry;
  *carry = 0;
  while (slashes != 0) {
    unsigned at = (unsigned)__builtin_ctzll(slashes);
    uint64_t rest = ~(slashes >> at);
    unsigned run = rest == 0 ? 64 : (unsigned)__builtin_ctzll(rest);
    unsigned end = at + run;
    if (end >= 64) {
      *carry = (64 - at) & 1;
      return escaped;
    }
    if (run & 1) escaped |= UINT64_C(1) << end;
    slashes &= ~UINT64_C(0) << end;
  }
  return escaped;
}

#define LOOP(name, target, classify)                                                             \
  target static uint32_t name(const char *text, size_t size, uint64_t *quotes, uint64_t *escapes, \
                              uint64_t *stops) {                                                 \
    uint64_t carry = 0, controls = 0, returns = 0, slashes = 0;                                  \
    for (size_t at = 0; at < size; at += 64) {                                                   \
      uint64_t inside = size - at >= 64 ? ~UINT64_C(0) : ~UINT64_C(0) >> (64 - (size - at));     \
      classes c = classify(text + at);                                                           \
      uint64_t found = c.slashes & inside, escaped = 0;                                          \
      controls |= c.controls & inside;                                                           \
      returns |= c.returns & inside;                                                             \
      slashes |= found;                                                                          \
      if ((found | carry) != 0) escaped = escaped_of(found, &carry);                             \
      quotes[at / 64] = c.quotes & inside & ~escaped;                                            \
      escapes[at / 64] = found;                                                                  \
      stops[at / 64] = c.stops & inside;                                                         \
    }                                                                                            \
    return (slashes != 0 ? TM_JSON_ESCAPES : 0) | (controls != 0 ? TM_JSON_CONTROLS : 0) |       \
           (returns != 0 ? TM_JSON_RETURNS : 0);                                                 \
  }

/* ---- a table: every machine ---- */

enum { QUOTE = 1, SLASH = 2, STOP = 4, CONTROL = 8, RETURN = 16 };

static inline uint8_t class_of(unsigned char c) {
  switch (c) {
    case '"': return QUOTE | STOP;
    case '\\': return SLASH;
    case '{': case '}': case '[': case ']': case ':': case ',': case ' ': case '\n': return STOP;
    case '\r': return STOP | RETURN;
    default: return c < 0x20 ? STOP | CONTROL : 0;
  }
}

static inline classes table_classes(const char *at) {
  classes c = {0};
  for (unsigned i = 0; i < 64; i++) {
    uint64_t k = class_of((unsigned char)at[i]);
    c.quotes |= (k & 1) << i;
    c.slashes |= (k >> 1 & 1) << i;
    c.stops |= (k >> 2 & 1) << i;
    c.controls |= (k >> 3 & 1) << i;
    c.returns |= (k >> 4 & 1) << i;
  }
  return c;
}

LOOP(table_marks, , table_classes)

#if defined(__x86_64__)
#include <immintrin.h>

/* ---- SSE2: every x86-64 ---- */

static inline uint64_t sse2_bits(__m128i a, __m128i b, __m128i c, __m128i d) {
  return (uint64_t)(uint32_t)_mm_movemask_epi8(a) | (uint64_t)_mm_movemask_epi8(b) << 16 |
         (uint64_t)_mm_movemask_epi8(c) << 32 | (uint64_t)_mm_movemask_epi8(d) << 48;
}

/* Bytes up to `most`, unsigned. */
static inline __m128i sse2_up_to(__m128i v, char most) {
  return _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(most)), v);
}

static inline __m128i sse2_stop(__m128i v) {
  __m128i bracket = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* [ ] become { } */
  __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bracket, _mm_set1_epi8('{')),
                               _mm_cmpeq_epi8(bracket, _mm_set1_epi8('}')));
  marks = _mm_or_si128(marks, _mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
  marks = _mm_or_si128(marks, _mm_cmpeq_epi8(v, _mm_set1_epi8(',')));
  marks = _mm_or_si128(marks, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
  return _mm_or_si128(marks, sse2_up_to(v, 0x20));
}

#define SSE2_EACH(f) sse2_bits(f(v[0]), f(v[1]), f(v[2]), f(v[3]))
#define SSE2_QUOTE(x) _mm_cmpeq_epi8(x, _mm_set1_epi8('"'))
#define SSE2_SLASH(x) _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'))
#define SSE2_RETURN(x) _mm_cmpeq_epi8(x, _mm_set1_epi8('\r'))
#define SSE2_NEWLINE(x) _mm_cmpeq_epi8(x, _mm_set1_epi8('\n'))
#define SSE2_CONTROL(x) sse2_up_to(x, 0x1f)

static inline classes sse2_classes(const char *at) {
  __m128i v[4];
  for (int i = 0; i < 4; i++) v[i] = _mm_loadu_si128((const __m128i *)(at + 16 * i));
  classes c = {.quotes = SSE2_EACH(SSE2_QUOTE), .slashes = SSE2_EACH(SSE2_SLASH),
               .stops = SSE2_EACH(sse2_stop), .returns = SSE2_EACH(SSE2_RETURN)};
  c.controls = SSE2_EACH(SSE2_CONTROL) & ~c.returns & ~SSE2_EACH(SSE2_NEWLINE);
  return c;
}

LOOP(sse2_marks, , sse2_classes)

/* ---- AVX2 ---- */

#define AVX2 __attribute__((target("avx2,bmi,lzcnt,popcnt")))

AVX2 static inline uint64_t avx2_bits(__m256i a, __m256i b) {
  return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
}

AVX2 static inline __m256i avx2_is(__m256i v, char byte) {
  return _mm256_cmpeq_epi8(v, _mm256_set1_epi8(byte));
}

AVX2 static inline __m256i avx2_up_to(__m256i v, char most) {
  return _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(most)), v);
}

AVX2 static inline __m256i avx2_stop(__m256i v) {
  __m256i bracket = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
  __m256i marks = _mm256_or_si256(avx2_is(bracket, '{'), avx2_is(bracket, '}'));
  marks = _mm256_or_si256(marks, _mm256_or_si256(avx2_is(v, ':'), avx2_is(v, ',')));
  return _mm256_or_si256(marks, _mm256_or_si256(avx2_is(v, '"'), avx2_up_to(v, 0x20)));
}

AVX2 static inline classes avx2_classes(const char *at) {
  __m256i a = _mm256_loadu_si256((const __m256i *)at);
  __m256i b = _mm256_loadu_si256((const __m256i *)(at + 32));
  classes c = {.quotes = avx2_bits(avx2_is(a, '"'), avx2_is(b, '"')),
               .slashes = avx2_bits(avx2_is(a, '\\'), avx2_is(b, '\\')),
               .stops = avx2_bits(avx2_stop(a), avx2_stop(b)),
               .returns = avx2_bits(avx2_is(a, '\r'), avx2_is(b, '\r'))};
  uint64_t newlines = avx2_bits(avx2_is(a, '\n'), avx2_is(b, '\n'));
  c.controls = avx2_bits(avx2_up_to(a, 0x1f), avx2_up_to(b, 0x1f)) & ~c.returns & ~newlines;
  return c;
}

LOOP(avx2_marks, AVX2, avx2_classes)

/* ---- AVX-512BW ---- */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,lzcnt,popcnt")))

AVX512 static inline uint64_t avx512_is(__m512i v, char byte) {
  return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(byte));
}

AVX512 static inline classes avx512_classes(const char *at) {
  __m512i v = _mm512_loadu_si512(at);
  __m512i bracket = _mm512_or_si512(v, _mm512_set1_epi8(0x20));
  classes c = {.quotes = avx512_is(v, '"'), .slashes = avx512_is(v, '\\'),
               .returns = avx512_is(v, '\r')};
  c.stops = c.quotes | avx512_is(bracket, '{') | avx512_is(bracket, '}') | avx512_is(v, ':') |
            avx512_is(v, ',') | _mm512_cmple_epu8_mask(v, _mm512_set1_epi8(0x20));
  c.controls = _mm512_cmple_epu8_mask(v, _mm512_set1_epi8(0x1f)) & ~c.returns &
               ~avx512_is(v, '\n');
  return c;
}

LOOP(avx512_marks, AVX512, avx512_classes)
#endif

/* ---- the choice ---- */

static const tm_json_marks_impl impls[] = {
#if defined(__x86_64__)
  {"avx512", avx512_marks}, {"avx2", avx2_marks}, {"sse2", sse2_marks},
#endif
  {"table", table_marks},
};
enum { IMPLS = sizeof impls / sizeof *impls };

static bool supported(size_t index) {
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("popcnt");
  if (index == 0) {
    return avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
  }
  if (index == 1) return avx2;
#endif
  return index < IMPLS;
}

const tm_json_marks_impl *tm_json_marks_impl_at(size_t index) {
  for (size_t i = 0; i < IMPLS; i++) {
    if (supported(i) && index-- == 0) return &impls[i];
  }
  return NULL;
}

uint32_t tm_json_marks(const char *text, size_t size, uint64_t *quotes, uint64_t *escapes,
                       uint64_t *stops) {
  static _Atomic(const tm_json_marks_impl *) chosen;
  const tm_json_marks_impl *best = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (best == NULL) {
    best = tm_json_marks_impl_at(0);
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
  }
  return best->marks(text, size, quotes, escapes, stops);
}
