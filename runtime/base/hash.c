/* base/hash.c: long byte hashes, and CRC-32C by instruction where the machine has it.
 *
 * Long inputs run in two lanes of 32 bytes a step, so that multiplications overlap; the last 16
 * bytes are read once more from the end, which covers every remainder without a branch a byte. */
#include "base/hash.h"

#include <stdbool.h>

uint64_t tm_hash_long_bytes(const uint8_t *bytes, size_t size) {
  const uint8_t *at = bytes;
  size_t left = size;
  uint64_t one = tm_hash_fold(size ^ TM_HASH_A, TM_HASH_B), two = TM_HASH_C;
  while (left > 32) {
    one = tm_hash_fold(tm_hash_read64(at) ^ TM_HASH_B, tm_hash_read64(at + 8) ^ one);
    two = tm_hash_fold(tm_hash_read64(at + 16) ^ TM_HASH_D, tm_hash_read64(at + 24) ^ two);
    at += 32;
    left -= 32;
  }
  if (left > 16) one = tm_hash_fold(tm_hash_read64(at) ^ TM_HASH_B, tm_hash_read64(at + 8) ^ one);
  const uint8_t *tail = bytes + size - 16;
  two = tm_hash_fold(tm_hash_read64(tail) ^ TM_HASH_D, tm_hash_read64(tail + 8) ^ two);
  return tm_hash_fold(one ^ TM_HASH_B, two ^ TM_HASH_D) ^ one;
}

/* ------------------------------------------------------------------ CRC-32C */

/* Four bits a step with the reflected polynomial 0x82f63b78. */
static uint32_t crc_plain(uint32_t crc, const uint8_t *at, size_t size) {
  static const uint32_t table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
  };
  for (size_t i = 0; i < size; i++) {
    crc ^= at[i];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t crc_machine(uint32_t crc, const uint8_t *at, size_t size) {
  uint64_t wide = crc;
  for (; size >= 8; at += 8, size -= 8) wide = __builtin_ia32_crc32di(wide, tm_hash_read64(at));
  crc = (uint32_t)wide;
  for (; size > 0; at++, size--) crc = __builtin_ia32_crc32qi(crc, *at);
  return crc;
}
static bool crc_has_machine(void) { return __builtin_cpu_supports("sse4.2"); }
#else
static uint32_t crc_machine(uint32_t crc, const uint8_t *at, size_t size) {
  return crc_plain(crc, at, size);
}
static bool crc_has_machine(void) { return false; }
#endif

uint32_t tm_crc32c(uint32_t crc, const void *bytes, size_t size) {
  crc = ~crc;
  crc = crc_has_machine() ? crc_machine(crc, bytes, size) : crc_plain(crc, bytes, size);
  return ~crc;
}

uint32_t tm_crc32c_portable(uint32_t crc, const void *bytes, size_t size) {
  return ~crc_plain(~crc, bytes, size);
}
