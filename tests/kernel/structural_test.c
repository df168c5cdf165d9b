/* tests/kernel/structural_test.c: every kind of vector against a loop over bytes, on buffers of
 * every size and alignment, in blocks of just the size that the header asks for. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/structural.h"

static uint64_t seed = 42;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* Text that is all structure, none, or what lies between; the pad holds structure as bait. */
static void fill(char *text, size_t size, int kind) {
  static const char some[] = ",,\"\n|x\x80\xff,";
  for (size_t i = 0; i < size + TM_STRUCTURAL_PAD; i++) {
    uint64_t r = random_u64();
    bool structure = kind == 0 || i >= size || (kind < 4 && (r >> 8) % (uint64_t)(kind * 4) == 0);
    text[i] = structure ? some[(r >> 32) % (sizeof some - 1)] : (char)(r >> 40);
  }
}

static void check(const tm_structural_impl *impl, const char *text, size_t size) {
  uint32_t *positions = malloc((size + TM_STRUCTURAL_PAD) * sizeof *positions);
  uint64_t *words[3], used = (size + 63) / 64;
  for (int k = 0; k < 3; k++) words[k] = malloc(used * 8 + 1);
  size_t found = impl->scan(text, size, ',', '"', positions), at = 0, commas = 0, last = SIZE_MAX;
  for (size_t i = 0; i < size; i++) {
    if (text[i] == ',') commas++, last = i;
    if (text[i] != ',' && text[i] != '"' && text[i] != '\n') continue;
    cr_assert(at < found && positions[at] == i, "%s: size %zu, at %zu", impl->name, size, i);
    at++;
  }
  cr_assert_eq(found, at, "%s: size %zu", impl->name, size);
  cr_assert_eq(impl->count(text, size, ','), commas, "%s: size %zu", impl->name, size);
  cr_assert_eq(impl->find_last(text, size, ','), last, "%s: size %zu", impl->name, size);
  static const char bytes[3] = { '"', '|', (char)0x80 };
  for (size_t count = 1; count <= 3; count++) {
    cr_assert_eq(impl->scan_set(text, size, bytes, count, words), used);
    for (size_t k = 0; k < count; k++)
      for (size_t i = 0; i < used * 64; i++)
        cr_assert_eq(words[k][i / 64] >> i % 64 & 1, i < size && text[i] == bytes[k],
                     "%s: size %zu, byte %zu, at %zu", impl->name, size, k, i);
  }
  for (int k = 0; k < 3; k++) free(words[k]);
  free(positions);
}

static void check_all(size_t offset, size_t size, int kind) {
  char *block = malloc(offset + size + TM_STRUCTURAL_PAD);
  fill(block + offset, size, kind);
  const tm_structural_impl *impl;
  for (size_t i = 0; (impl = tm_structural_impl_at(i)) != NULL; i++)
    check(impl, block + offset, size);
  free(block);
}

Test(structural, every_size) {
  for (size_t size = 0; size <= 300; size++)
    for (int kind = 0; kind <= 4; kind++) check_all(size % 7, size, kind);
}

Test(structural, every_alignment) {
  for (size_t offset = 0; offset < 64; offset++)
    for (int kind = 0; kind <= 4; kind++) check_all(offset, 64 + random_u64() % 200, kind);
}

Test(structural, long_texts) {
  for (int round = 0; round < 10; round++)
    check_all(random_u64() % 64, 20000 + random_u64() % 20000, round % 5);
}

Test(structural, there_is_always_one) {
  cr_assert_not_null(tm_structural_impl_at(0));
  size_t count = 0;
  while (tm_structural_impl_at(count) != NULL) count++;
  cr_expect_str_eq(tm_structural_impl_at(count - 1)->name, "word");
}

Test(structural, public_functions_choose) {
  char text[16 + TM_STRUCTURAL_PAD] = "a;'b;c'\nd;e\n";
  uint32_t positions[16 + TM_STRUCTURAL_PAD];
  static const uint32_t expected[] = { 1, 2, 4, 6, 7, 9, 11 };
  cr_assert_eq(tm_structural_scan(text, 12, ';', '\'', positions), 7);
  cr_expect_arr_eq(positions, expected, sizeof expected);
  cr_expect_eq(tm_structural_scan(text, 12, ';', '\n', positions), 5); /* no quotes */
  cr_expect_eq(tm_structural_count(text, 12, '\n'), 2);
  cr_expect_eq(tm_structural_find_last(text, 11, '\n'), 7);
  cr_expect_eq(tm_structural_find_last(text, 7, '\n'), SIZE_MAX);
  uint64_t mask, *masks[] = { &mask };
  cr_expect_eq(tm_structural_scan_set(text, 12, "\n", 1, masks), 1);
  cr_expect_eq(mask, 1u << 7 | 1u << 11);
}
