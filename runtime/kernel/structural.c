/* kernel/structural.c: finds structural bytes; picks the widest vectors once.
 *
 * Each kind of vector gives a function that turns 64 bytes into a 64-bit mask; the loops around it
 * are the same for all (structural_loops.h). AVX-512 adds a scan of its own, which turns a mask
 * into positions by compressing a vector of indexes instead of counting zeros bit by bit. */
#include "kernel/structural.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/* ---- eight bytes in a word: every machine ---- */

/* 0x80 in every byte of x that is zero, exactly. */
static inline uint64_t zero_bytes(uint64_t x) {
  const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
  return ~(((x & low) + low) | x | low);
}

static inline uint64_t word_mask(const char *at, uint64_t a, uint64_t b, uint64_t c) {
  uint64_t mask = 0;
  for (int i = 0; i < 8; i++) {
    uint64_t word;
    memcpy(&word, at + i * 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t hit = zero_bytes(word ^ a) | zero_bytes(word ^ b) | zero_bytes(word ^ c);
    mask |= ((hit >> 7) * UINT64_C(0x0102040810204080) >> 56) << (i * 8);
  }
  return mask;
}

static inline uint64_t repeat(char byte) {
  return (unsigned char)byte * UINT64_C(0x0101010101010101);
}

static inline uint64_t word_one(const char *at, char byte) {
  return word_mask(at, repeat(byte), repeat(byte), repeat(byte));
}

static inline uint64_t word_three(const char *at, char a, char b, char c) {
  return word_mask(at, repeat(a), repeat(b), repeat(c));
}

#define NAME(verb) word_##verb
#define TARGET
#define mask_of word_one
#define mask_of_three word_three
#include "kernel/structural_loops.h"
#undef mask_of
#undef mask_of_three

#if defined(__x86_64__)
#include <immintrin.h>

/* ---- SSE2: every x86-64 ---- */

static inline uint64_t sse2_join(__m128i a, __m128i b, __m128i c, __m128i d) {
  return (uint64_t)(uint32_t)_mm_movemask_epi8(a) | (uint64_t)_mm_movemask_epi8(b) << 16 |
         (uint64_t)_mm_movemask_epi8(c) << 32 | (uint64_t)_mm_movemask_epi8(d) << 48;
}

static inline __m128i sse2_load(const char *at) { return _mm_loadu_si128((const __m128i *)at); }

static inline uint64_t sse2_one(const char *at, char byte) {
  __m128i x = _mm_set1_epi8(byte);
  return sse2_join(_mm_cmpeq_epi8(sse2_load(at), x), _mm_cmpeq_epi8(sse2_load(at + 16), x),
                   _mm_cmpeq_epi8(sse2_load(at + 32), x), _mm_cmpeq_epi8(sse2_load(at + 48), x));
}

static inline __m128i sse2_any(__m128i v, __m128i a, __m128i b, __m128i c) {
  return _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, a), _mm_cmpeq_epi8(v, b)),
                      _mm_cmpeq_epi8(v, c));
}

static inline uint64_t sse2_three(const char *at, char a, char b, char c) {
  __m128i x = _mm_set1_epi8(a), y = _mm_set1_epi8(b), z = _mm_set1_epi8(c);
  return sse2_join(sse2_any(sse2_load(at), x, y, z), sse2_any(sse2_load(at + 16), x, y, z),
                   sse2_any(sse2_load(at + 32), x, y, z), sse2_any(sse2_load(at + 48), x, y, z));
}

#define NAME(verb) sse2_##verb
#define TARGET
#define mask_of sse2_one
#define mask_of_three sse2_three
#include "kernel/structural_loops.h"
#undef mask_of
#undef mask_of_three

/* ---- AVX2 ---- */

#define AVX2 __attribute__((target("avx2,bmi,lzcnt,popcnt")))

AVX2 static inline __m256i avx2_load(const char *at) {
  return _mm256_loadu_si256((const __m256i *)at);
}

AVX2 static inline uint64_t avx2_join(__m256i low, __m256i high) {
  return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 static inline uint64_t avx2_one(const char *at, char byte) {
  __m256i x = _mm256_set1_epi8(byte);
  return avx2_join(_mm256_cmpeq_epi8(avx2_load(at), x), _mm256_cmpeq_epi8(avx2_load(at + 32), x));
}

AVX2 static inline __m256i avx2_any(__m256i v, __m256i a, __m256i b, __m256i c) {
  return _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, a), _mm256_cmpeq_epi8(v, b)),
                         _mm256_cmpeq_epi8(v, c));
}

AVX2 static inline uint64_t avx2_three(const char *at, char a, char b, char c) {
  __m256i x = _mm256_set1_epi8(a), y = _mm256_set1_epi8(b), z = _mm256_set1_epi8(c);
  return avx2_join(avx2_any(avx2_load(at), x, y, z), avx2_any(avx2_load(at + 32), x, y, z));
}

#define NAME(verb) avx2_##verb
#define TARGET AVX2
#define mask_of avx2_one
#define mask_of_three avx2_three
#include "kernel/structural_loops.h"
#undef mask_of
#undef mask_of_three

/* ---- AVX-512BW, and with VBMI2 ---- */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,lzcnt,popcnt")))
#define VBMI2 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2,bmi,lzcnt,popcnt")))

AVX512 static inline uint64_t avx512_one(const char *at, char byte) {
  return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(at), _mm512_set1_epi8(byte));
}

AVX512 static inline uint64_t avx512_three(const char *at, char a, char b, char c) {
  __m512i v = _mm512_loadu_si512(at);
  return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(a)) |
         _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(b)) |
         _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(c));
}

/* Four times sixteen indexes, each packed by its part of the mask. */
AVX512 static inline uint32_t *avx512_pack(uint32_t *out, uint64_t mask, uint32_t base) {
  __m512i index = _mm512_add_epi32(_mm512_set1_epi32((int)base),
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  for (int i = 0; i < 4; i++) {
    __mmask16 part = (__mmask16)(mask >> (i * 16));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(part, index));
    out += __builtin_popcount(part);
    index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
  }
  return out;
}

AVX512 static size_t avx512_scan(const char *text, size_t size, char delimiter, char quote,
                                 uint32_t *positions) {
  uint32_t *out = positions;
  size_t at = 0;
  for (; at + 64 <= size; at += 64)
    out = avx512_pack(out, avx512_three(text + at, delimiter, quote, '\n'), (uint32_t)at);
  if (at < size) {
    uint64_t inside = ~UINT64_C(0) >> (64 - (size - at));
    uint64_t mask = avx512_three(text + at, delimiter, quote, '\n') & inside;
    out = avx512_pack(out, mask, (uint32_t)at);
  }
  return (size_t)(out - positions);
}

VBMI2 static inline __m512i vbmi2_widen(__m128i bytes, uint32_t base) {
  return _mm512_add_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_set1_epi32((int)base));
}

/* Sixty-four indexes of one byte packed by the whole mask, then widened sixteen at a time. */
VBMI2 static inline uint32_t *vbmi2_pack(uint32_t *out, uint64_t mask, uint32_t base) {
  static const uint8_t all[64] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
    50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63 };
  __m512i packed = _mm512_maskz_compress_epi8(mask, _mm512_loadu_si512(all));
  int count = __builtin_popcountll(mask);
  _mm512_storeu_si512(out, vbmi2_widen(_mm512_castsi512_si128(packed), base));
  if (__builtin_expect(count > 16, 0)) {
    _mm512_storeu_si512(out + 16, vbmi2_widen(_mm512_extracti32x4_epi32(packed, 1), base));
    if (count > 32) {
      _mm512_storeu_si512(out + 32, vbmi2_widen(_mm512_extracti32x4_epi32(packed, 2), base));
      _mm512_storeu_si512(out + 48, vbmi2_widen(_mm512_extracti32x4_epi32(packed, 3), base));
    }
  }
  return out + count;
}

VBMI2 static size_t vbmi2_scan(const char *text, size_t size, char delimiter, char quote,
                               uint32_t *positions) {
  uint32_t *out = positions;
  size_t at = 0;
  for (; at + 64 <= size; at += 64)
    out = vbmi2_pack(out, avx512_three(text + at, delimiter, quote, '\n'), (uint32_t)at);
  if (at < size) {
    uint64_t inside = ~UINT64_C(0) >> (64 - (size - at));
    uint64_t mask = avx512_three(text + at, delimiter, quote, '\n') & inside;
    out = vbmi2_pack(out, mask, (uint32_t)at);
  }
  return (size_t)(out - positions);
}

#define NAME(verb) avx512_##verb
#define TARGET AVX512
#define OWN_SCAN
#define mask_of avx512_one
#define mask_of_three avx512_three
#include "kernel/structural_loops.h"
#undef mask_of
#undef mask_of_three
#endif

#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>

/* ---- NEON: every arm64 ---- */

/* One bit of every byte, then pairs are added three times: 64 bytes become 64 bits. */
static inline uint64_t neon_join(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) {
  static const uint8_t weights[16] = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
  uint8x16_t w = vld1q_u8(weights);
  uint8x16_t low = vpaddq_u8(vandq_u8(a, w), vandq_u8(b, w));
  uint8x16_t high = vpaddq_u8(vandq_u8(c, w), vandq_u8(d, w));
  uint8x16_t sum = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

static inline uint8x16_t neon_load(const char *at) { return vld1q_u8((const uint8_t *)at); }

static inline uint64_t neon_one(const char *at, char byte) {
  uint8x16_t x = vdupq_n_u8((uint8_t)byte);
  return neon_join(vceqq_u8(neon_load(at), x), vceqq_u8(neon_load(at + 16), x),
                   vceqq_u8(neon_load(at + 32), x), vceqq_u8(neon_load(at + 48), x));
}

static inline uint8x16_t neon_any(uint8x16_t v, uint8x16_t a, uint8x16_t b, uint8x16_t c) {
  return vorrq_u8(vorrq_u8(vceqq_u8(v, a), vceqq_u8(v, b)), vceqq_u8(v, c));
}

static inline uint64_t neon_three(const char *at, char a, char b, char c) {
  uint8x16_t x = vdupq_n_u8((uint8_t)a), y = vdupq_n_u8((uint8_t)b), z = vdupq_n_u8((uint8_t)c);
  return neon_join(neon_any(neon_load(at), x, y, z), neon_any(neon_load(at + 16), x, y, z),
                   neon_any(neon_load(at + 32), x, y, z), neon_any(neon_load(at + 48), x, y, z));
}

#define NAME(verb) neon_##verb
#define TARGET
#define mask_of neon_one
#define mask_of_three neon_three
#include "kernel/structural_loops.h"
#undef mask_of
#undef mask_of_three
#endif

/* ---- the choice ---- */

#define IMPL(label, kind, scanner) { label, scanner##_scan, kind##_count, kind##_find_last, \
                                     kind##_scan_set }

static const tm_structural_impl impls[] = {
#if defined(__x86_64__)
  IMPL("avx512-vbmi2", avx512, vbmi2), IMPL("avx512", avx512, avx512), IMPL("avx2", avx2, avx2),
  IMPL("sse2", sse2, sse2),
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  IMPL("neon", neon, neon),
#endif
  IMPL("word", word, word),
};
enum { IMPLS = sizeof impls / sizeof *impls };

static bool supported(size_t index) {
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("popcnt");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512dq");
  if (index == 0) return avx512 && __builtin_cpu_supports("avx512vbmi2");
  if (index == 1) return avx512;
  if (index == 2) return avx2;
#endif
  return index < IMPLS;
}

const tm_structural_impl *tm_structural_impl_at(size_t index) {
  for (size_t i = 0; i < IMPLS; i++)
    if (supported(i) && index-- == 0) return &impls[i];
  return NULL;
}

static const tm_structural_impl *impl(void) {
  static _Atomic(const tm_structural_impl *) chosen;
  const tm_structural_impl *best = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (best != NULL) return best;
  best = tm_structural_impl_at(0);
  atomic_store_explicit(&chosen, best, memory_order_relaxed);
  return best;
}

size_t tm_structural_scan(const char *text, size_t size, char delimiter, char quote,
                          uint32_t *positions) {
  assert(size < UINT32_MAX);
  return impl()->scan(text, size, delimiter, quote, positions);
}

size_t tm_structural_count(const char *text, size_t size, char byte) {
  return impl()->count(text, size, byte);
}

size_t tm_structural_find_last(const char *text, size_t size, char byte) {
  return impl()->find_last(text, size, byte);
}

size_t tm_structural_scan_set(const char *text, size_t size, const char *bytes, size_t count,
                              uint64_t *const *masks) {
  assert(count >= 1 && count <= 3);
  return impl()->scan_set(text, size, bytes, count, masks);
}
