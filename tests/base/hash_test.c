/* Hashes spread what real keys look like; the checksum equals the published one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { BUCKETS = 4096, KEYS = 1 << 18 };

/* Chi-squared of bucket counts, from the low or the high bits, per degree of freedom: about 1 for
 * a good hash; the deviation is sqrt(2 / BUCKETS), 0.022. */
static double spread(uint64_t (*key)(uint64_t), bool high) {
  uint32_t *counts = calloc(BUCKETS, sizeof *counts);
  for (uint64_t i = 0; i < KEYS; i++) {
    uint64_t hash = tm_hash_u64(key(i));
    counts[high ? hash >> 52 : hash % BUCKETS]++;
  }
  double sum = 0, expected = (double)KEYS / BUCKETS;
  for (int b = 0; b < BUCKETS; b++) {
    double off = counts[b] - expected;
    sum += off * off / expected;
  }
  free(counts);
  return sum / (BUCKETS - 1);
}

static uint64_t counting(uint64_t i) { return i; }
static uint64_t pages(uint64_t i) { return i << 12; }
static uint64_t high_only(uint64_t i) { return i << 46; }
static uint64_t negative(uint64_t i) { return (uint64_t)-(int64_t)i; }
static uint64_t doubles(uint64_t i) {
  double d = (double)i;
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  return bits;
}

Test(hash, keys_that_occur_spread_evenly) {
  uint64_t (*const kinds[])(uint64_t) = {counting, pages, high_only, negative, doubles};
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
    for (int high = 0; high < 2; high++) {
      double off = spread(kinds[k], high);
      cr_expect(off > 0.85 && off < 1.15, "kind %zu, %s bits: %f", k, high ? "high" : "low", off);
    }
  }
}

Test(hash, every_input_bit_reaches_every_output_bit) {
  enum { ROUNDS = 4000 };
  static int flips[64][64];
  uint64_t seed = 9;
  for (int r = 0; r < ROUNDS; r++) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint64_t value = seed ^ seed >> 29, hash = tm_hash_u64(value);
    for (int in = 0; in < 64; in++) {
      uint64_t changed = hash ^ tm_hash_u64(value ^ UINT64_C(1) << in);
      for (int out = 0; out < 64; out++) flips[in][out] += changed >> out & 1;
    }
  }
  for (int in = 0; in < 64; in++) {
    for (int out = 0; out < 64; out++) {
      double share = (double)flips[in][out] / ROUNDS;
      cr_assert(share > 0.44 && share < 0.56, "bit %d to bit %d: %f", in, out, share);
    }
  }
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* 300,000 texts of every length in 64 bits: a collision would be one chance in 4e8. */
Test(hash, texts_do_not_collide) {
  enum { TEXTS = 300000 };
  uint64_t *hashes = malloc(TEXTS * sizeof *hashes);
  char text[128];
  size_t count = 0;
  for (int i = 0; i < TEXTS - 400; i++) {
    const char *stem = i % 3 == 0 ? "customer-with-a-longer-name-" : "k";
    int size = snprintf(text, sizeof text, "%s%d", stem, i);
    hashes[count++] = tm_hash_bytes(text, (size_t)size);
  }
  memset(text, 0, sizeof text); /* zeros of every length differ */
  for (size_t size = 0; size < 128; size++) hashes[count++] = tm_hash_bytes(text, size);
  for (size_t at = 0; at < 100; at++) { /* one byte changed anywhere shows */
    text[at] = 1;
    hashes[count++] = tm_hash_bytes(text, 100);
    text[at] = 0;
  }
  qsort(hashes, count, sizeof *hashes, compare);
  for (size_t i = 1; i < count; i++) cr_assert_neq(hashes[i - 1], hashes[i]);
  free(hashes);
}

Test(hash, only_the_bytes_count) {
  char buffer[300];
  for (size_t size = 0; size < 130; size++) {
    for (int shift = 0; shift < 9; shift++) {
      memset(buffer, shift * 17 + 1, sizeof buffer); /* different neighbours, other alignment */
      for (size_t i = 0; i < size; i++) buffer[16 + shift + (int)i] = (char)(i * 7);
      char *copy = malloc(size == 0 ? 1 : size); /* reading beyond it is caught by the sanitizer */
      memcpy(copy, buffer + 16 + shift, size);
      cr_assert_eq(tm_hash_bytes(buffer + 16 + shift, size), tm_hash_bytes(copy, size));
      free(copy);
    }
  }
}

/* Saved state is partitioned by these: they never change. */
Test(hash, is_the_same_for_ever) {
  cr_expect_eq(tm_hash_u64(0), UINT64_C(0x67158da47d6c6e08));
  cr_expect_eq(tm_hash_u64(1), UINT64_C(0x26d4e49961fbe9c9));
  cr_expect_eq(tm_hash_bytes("tidemill", 8), UINT64_C(0x50523960b212b15a));
  cr_expect_eq(tm_hash_bytes("the moon pulls, the water flows, the stones turn", 48),
               UINT64_C(0xaaf1ea6f3daded8));
  cr_expect_neq(tm_hash_combine(1, 2), tm_hash_combine(2, 1));
  cr_expect_eq(tm_hash_combine(1, 2), UINT64_C(0x8cc4f0080d85ae66));
}

/* Values of RFC 3720, B.4, and of the usual check string. */
Test(crc32c, published_values) {
  unsigned char bytes[32];
  cr_expect_eq(tm_crc32c(0, "123456789", 9), 0xe3069283u);
  memset(bytes, 0, 32);
  cr_expect_eq(tm_crc32c(0, bytes, 32), 0x8a9136aau);
  memset(bytes, 0xff, 32);
  cr_expect_eq(tm_crc32c(0, bytes, 32), 0x62a8ab43u);
  for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
  cr_expect_eq(tm_crc32c(0, bytes, 32), 0x46dd794eu);
  cr_expect_eq(tm_crc32c(0, NULL, 0), 0);
}

Test(crc32c, parts_and_both_ways_agree) {
  unsigned char bytes[257];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * i + 3);
  for (size_t size = 0; size < sizeof bytes; size++) {
    uint32_t whole = tm_crc32c(0, bytes, size);
    cr_assert_eq(tm_crc32c_portable(0, bytes, size), whole);
    size_t cut = size / 3;
    cr_assert_eq(tm_crc32c(tm_crc32c(0, bytes, cut), bytes + cut, size - cut), whole);
  }
}
