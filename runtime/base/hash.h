/* base/hash.h: hashes of integers and bytes, and the checksum of files.
 *
 * Built on one step: the 128-bit product of two words, its halves folded together, which mixes
 * every input bit into every output bit. The hash is not keyed: it orders nothing that comes out,
 * and a script's data is not an attacker. It is the same on every machine and in every version,
 * since partitions of saved state follow it. */
#ifndef TM_BASE_HASH_H
#define TM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Odd constants with about half of their bits set: binary digits of pi, e, and two square roots. */
#define TM_HASH_A UINT64_C(0x243f6a8885a308d3)
#define TM_HASH_B UINT64_C(0xb7e151628aed2a6b)
#define TM_HASH_C UINT64_C(0x6a09e667f3bcc909)
#define TM_HASH_D UINT64_C(0xbb67ae8584caa73b)

static inline uint64_t tm_hash_fold(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t tm_hash_u64(uint64_t value) {
  return tm_hash_fold(tm_hash_fold(value ^ TM_HASH_A, TM_HASH_B), TM_HASH_C);
}

/* Order matters: combine(a, b) is not combine(b, a). */
static inline uint64_t tm_hash_combine(uint64_t hash, uint64_t other) {
  return tm_hash_fold(hash ^ TM_HASH_C, other ^ TM_HASH_D) + TM_HASH_A;
}

static inline uint64_t tm_hash_read64(const uint8_t *at) {
  uint64_t word;
  memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

static inline uint64_t tm_hash_read32(const uint8_t *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap32(word);
#endif
  return word;
}

uint64_t tm_hash_long_bytes(const uint8_t *bytes, size_t size); /* more than 16 */

/* Reads exactly bytes[0 … size-1]: short ones as two words that overlap. */
static inline uint64_t tm_hash_bytes(const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  uint64_t low, high;
  if (size > 16) return tm_hash_long_bytes(at, size);
  if (size >= 8) {
    low = tm_hash_read64(at);
    high = tm_hash_read64(at + size - 8);
  } else if (size >= 4) {
    low = tm_hash_read32(at);
    high = tm_hash_read32(at + size - 4);
  } else if (size > 0) {
    low = (uint64_t)at[0] << 16 | (uint64_t)at[size / 2] << 8 | at[size - 1];
    high = 0;
  } else {
    low = high = 0;
  }
  return tm_hash_fold(tm_hash_fold(low ^ TM_HASH_A, high ^ TM_HASH_B) ^ size, TM_HASH_D);
}

/* CRC-32C (Castagnoli) of checkpoints and logs; start with crc 0, feed parts in order. */
uint32_t tm_crc32c(uint32_t crc, const void *bytes, size_t size);
/* The same without the instruction, for machines that lack it. */
uint32_t tm_crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
