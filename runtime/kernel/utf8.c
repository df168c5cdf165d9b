/* kernel/utf8.c: validates UTF-8, counts characters, changes the case of ASCII letters.
 *
 * Blocks of ASCII are passed 64 bytes at a time. Where there is more, the vector form looks at
 * every pair of neighbouring bytes at once, as J. Keiser and D. Lemire describe in "Validating
 * UTF-8 in less than one instruction per byte" (Software: Practice and Experience, 2021): three
 * nibbles of a pair (both of the first byte, the high one of the second) each select the set of
 * errors that they allow; an error in all three sets is one. Pairs cannot tell whether a second or
 * third continuation byte is due; that is compared with the bytes two and three places before. */
#include "kernel/utf8.h"

#include <stdatomic.h>

/* ---- every machine ---- */

static inline bool continues(unsigned char c) { return (c & 0xc0) == 0x80; }

/* Bytes of the valid character at p, 0 where there is none. */
static size_t character_bytes(const unsigned char *p, size_t left) {
  unsigned char c = p[0];
  if (c < 0x80) return 1;
  if (c < 0xc2 || c > 0xf4) return 0;
  if (left < 2 || !continues(p[1])) return 0;
  if (c < 0xe0) return 2;
  if (left < 3 || !continues(p[2])) return 0;
  if (c < 0xf0) {
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f)) return 0;
    return 3;
  }
  if (left < 4 || !continues(p[3])) return 0;
  if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
  return 4;
}

/* How many whole steps of 64 ASCII bytes there are. */
static inline size_t ascii_prefix(const char *text, size_t size) {
  size_t at = 0;
  for (; at + 64 <= size; at += 64) {
    uint64_t words[8], any = 0;
    memcpy(words, text + at, 64);
    for (int i = 0; i < 8; i++) any |= words[i];
    if ((any & UINT64_C(0x8080808080808080)) != 0) break;
  }
  return at;
}

size_t tm_utf8_valid_prefix(const char *text, size_t size) {
  const unsigned char *p = (const unsigned char *)text;
  size_t at = ascii_prefix(text, size);
  while (at < size) {
    uint64_t word = UINT64_MAX;
    if (size - at >= 8) memcpy(&word, text + at, 8);
    if ((word & UINT64_C(0x8080808080808080)) == 0) {
      at += 8;
      continue;
    }
    size_t bytes = character_bytes(p + at, size - at);
    if (bytes == 0) break;
    at += bytes;
  }
  return at;
}

static bool plain_valid(const char *text, size_t size) {
  return tm_utf8_valid_prefix(text, size) == size;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* ---- AVX2 ---- */

#define AVX2 __attribute__((target("avx2")))

enum { /* what is wrong with a pair */
  SHORT = 1 << 0,      /* a lead, then no continuation */
  LONG = 1 << 1,       /* ASCII, then a continuation */
  OVERLONG_3 = 1 << 2, /* e0 80..9f */
  LARGE = 1 << 3,      /* f4 90..bf, f5..ff 90..bf */
  SURROGATE = 1 << 4,  /* ed a0..bf */
  OVERLONG_2 = 1 << 5, /* c0..c1 80..bf */
  LARGE_80 = 1 << 6,   /* f5..ff 80..8f */
  OVERLONG_4 = 1 << 6, /* f0 80..8f: never by the same low nibble as LARGE_80 */
  TWO = 1 << 7,        /* two continuations: an error unless a lead before them asked for it */
  ANY_LOW = SHORT | LONG | TWO, /* the errors that do not ask for the low nibble */
};

static const uint8_t first_high[16] = {
  LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, TWO, TWO, TWO, TWO,
  SHORT | OVERLONG_2, SHORT, SHORT | OVERLONG_3 | SURROGATE,
  SHORT | LARGE | LARGE_80 | OVERLONG_4 };
static const uint8_t first_low[16] = {
  ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4, ANY_LOW | OVERLONG_2, ANY_LOW, ANY_LOW,
  ANY_LOW | LARGE, ANY_LOW | LARGE | LARGE_80, ANY_LOW | LARGE | LARGE_80,
  ANY_LOW | LARGE | LARGE_80, ANY_LOW | LARGE | LARGE_80, ANY_LOW | LARGE | LARGE_80,
  ANY_LOW | LARGE | LARGE_80, ANY_LOW | LARGE | LARGE_80, ANY_LOW | LARGE | LARGE_80,
  ANY_LOW | LARGE | LARGE_80 | SURROGATE, ANY_LOW | LARGE | LARGE_80, ANY_LOW | LARGE | LARGE_80 };
static const uint8_t second_high[16] = {
  SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
  LONG | OVERLONG_2 | TWO | OVERLONG_3 | LARGE_80 | OVERLONG_4,
  LONG | OVERLONG_2 | TWO | OVERLONG_3 | LARGE, LONG | OVERLONG_2 | TWO | SURROGATE | LARGE,
  LONG | OVERLONG_2 | TWO | SURROGATE | LARGE, SHORT, SHORT, SHORT, SHORT };

AVX2 static inline __m256i lookup(const uint8_t *table, __m256i nibbles) {
  __m128i half = _mm_loadu_si128((const __m128i *)table);
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), nibbles);
}

AVX2 static inline __m256i high_nibbles(__m256i v) {
  return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
}

/* The errors of 32 bytes that follow 32 others. */
AVX2 static inline __m256i errors_of(__m256i before, __m256i v) {
  __m256i seam = _mm256_permute2x128_si256(before, v, 0x21); /* what each half follows */
  __m256i one = _mm256_alignr_epi8(v, seam, 15), two = _mm256_alignr_epi8(v, seam, 14);
  __m256i three = _mm256_alignr_epi8(v, seam, 13);
  __m256i low = _mm256_and_si256(one, _mm256_set1_epi8(15));
  __m256i pair = _mm256_and_si256(lookup(first_high, high_nibbles(one)), lookup(first_low, low));
  pair = _mm256_and_si256(pair, lookup(second_high, high_nibbles(v)));
  /* Bit 7 where the byte two before is e0 or more, or the one three before f0 or more. */
  __m256i due = _mm256_or_si256(_mm256_subs_epu8(two, _mm256_set1_epi8(0xe0 - 0x80)),
                                _mm256_subs_epu8(three, _mm256_set1_epi8(0xf0 - 0x80)));
  due = _mm256_and_si256(due, _mm256_set1_epi8((char)0x80));
  return _mm256_xor_si256(pair, due);
}

/* Not zero where a character is cut off by the end of the 32 bytes. */
AVX2 static inline __m256i cut_off(__m256i v) {
  __m256i most = _mm256_set_epi8((char)0xbf, (char)0xdf, (char)0xef, -1, -1, -1, -1, -1, -1, -1, -1,
                                 -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                 -1, -1, -1, -1);
  return _mm256_subs_epu8(v, most);
}

AVX2 static bool avx2_valid(const char *text, size_t size) {
  __m256i before = _mm256_setzero_si256(), errors = before, open = before;
  size_t at = 0;
  for (; at + 64 <= size; at += 64) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(text + at));
    __m256i b = _mm256_loadu_si256((const __m256i *)(text + at + 32));
    if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0) {
      errors = _mm256_or_si256(errors, open);
    } else {
      errors = _mm256_or_si256(errors, errors_of(before, a));
      errors = _mm256_or_si256(errors, errors_of(a, b));
      open = cut_off(b);
    }
    before = b;
    if ((at & 4095) == 4032 && !_mm256_testz_si256(errors, errors)) return false;
  }
  char rest[96] = { 0 }; /* at least one zero behind the text ends what is open */
  memcpy(rest, text + at, size - at);
  for (int i = 0; i < 96; i += 32) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(rest + i));
    errors = _mm256_or_si256(errors, errors_of(before, v));
    before = v;
  }
  return _mm256_testz_si256(errors, errors);
}
#endif

/* ---- the choice ---- */

static const tm_utf8_impl impls[] = {
#if defined(__x86_64__)
  { "avx2", avx2_valid },
#endif
  { "plain", plain_valid },
};

const tm_utf8_impl *tm_utf8_impl_at(size_t index) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2")) index++;
#endif
  return index < sizeof impls / sizeof *impls ? &impls[index] : NULL;
}

bool tm_utf8_valid(const char *text, size_t size) {
  static _Atomic(const tm_utf8_impl *) chosen;
  if (size < 64) return plain_valid(text, size);
  const tm_utf8_impl *best = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (best == NULL) {
    best = tm_utf8_impl_at(0);
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
  }
  return best->valid(text, size);
}

/* ---- columns, lengths, case ---- */

static inline bool str_is_short_ascii(const tm_str *s) {
  return s->size <= TM_STR_INLINE && (s->words[0] & UINT64_C(0x8080808000000000)) == 0 &&
         (s->words[1] & UINT64_C(0x8080808080808080)) == 0;
}

size_t tm_utf8_valid_rows(const tm_str *values, uint8_t *good, size_t count) {
  size_t bad = 0;
  for (size_t i = 0; i < count; i++) {
    good[i] = str_is_short_ascii(&values[i]) ||
              tm_utf8_valid(tm_str_bytes(&values[i]), values[i].size);
    bad += !good[i];
  }
  return bad;
}

/* 1 in every byte that continues a character. */
static inline uint64_t continuation_bytes(uint64_t word) {
  return (word >> 7) & ~(word >> 6) & UINT64_C(0x0101010101010101);
}

static inline size_t sum_of_bytes(uint64_t word) {
  word = (word & UINT64_C(0x00ff00ff00ff00ff)) + (word >> 8 & UINT64_C(0x00ff00ff00ff00ff));
  return (size_t)(word * UINT64_C(0x0001000100010001) >> 48);
}

size_t tm_utf8_length(const char *text, size_t size) {
  size_t at = 0, continuations = 0;
  while (size - at >= 32) { /* four sums side by side, each byte of them below 256 */
    uint64_t sums[4] = { 0 };
    size_t steps = (size - at) / 32 < 255 ? (size - at) / 32 : 255;
    for (size_t i = 0; i < steps; i++, at += 32) {
      uint64_t words[4];
      memcpy(words, text + at, 32);
      for (int k = 0; k < 4; k++) sums[k] += continuation_bytes(words[k]);
    }
    for (int k = 0; k < 4; k++) continuations += sum_of_bytes(sums[k]);
  }
  for (size_t i = at; i < size; i++) continuations += continues((unsigned char)text[i]);
  return size - continuations;
}

static inline size_t length_of(const tm_str *s) {
  if (s->size > TM_STR_INLINE) return tm_utf8_length(s->pointer, s->size);
  /* Behind the bytes of a short string are zeros, before them its size, which is masked. */
  uint64_t bytes = continuation_bytes(s->words[0] & ~UINT64_C(0xffffffff)) +
                   continuation_bytes(s->words[1]);
  return s->size - sum_of_bytes(bytes);
}

void tm_utf8_length_rows(const tm_str *values, const uint8_t *valid, const uint32_t *rows,
                         size_t count, int64_t *lengths) {
  for (size_t i = 0; i < count; i++) {
    size_t row = rows == NULL ? i : rows[i];
    if (valid == NULL || valid[row]) lengths[row] = (int64_t)length_of(&values[row]);
  }
}

void tm_utf8_lower(const char *text, size_t size, char *out) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    out[i] = (char)(c | (unsigned char)((unsigned char)(c - 'A') < 26) << 5);
  }
}

void tm_utf8_upper(const char *text, size_t size, char *out) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    out[i] = (char)(c ^ (unsigned char)((unsigned char)(c - 'a') < 26) << 5);
  }
}
