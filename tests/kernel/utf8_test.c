/* tests/kernel/utf8_test.c: validation against a decoder that computes code points, over all short
 * sequences and over the borders of everything at every place in a block. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/utf8.h"

static uint64_t seed = 99;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* Decodes to a number, then asks whether that number is written so. */
static size_t reference_prefix(const unsigned char *p, size_t size) {
  static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
  size_t at = 0;
  while (at < size) {
    unsigned c = p[at], bytes = 0;
    if (c < 0x80) bytes = 1;
    else if (c >> 5 == 6) bytes = 2;
    else if (c >> 4 == 14) bytes = 3;
    else if (c >> 3 == 30) bytes = 4;
    if (bytes == 0 || bytes > size - at) return at;
    uint32_t code = bytes == 1 ? c : c & (0x7fu >> bytes);
    for (unsigned i = 1; i < bytes; i++) {
      if (p[at + i] >> 6 != 2) return at;
      code = code << 6 | (p[at + i] & 0x3f);
    }
    if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return at;
    at += bytes;
  }
  return at;
}

static void check(const char *text, size_t size) {
  size_t prefix = reference_prefix((const unsigned char *)text, size);
  cr_assert_eq(tm_utf8_valid_prefix(text, size), prefix);
  cr_assert_eq(tm_utf8_valid(text, size), prefix == size);
  const tm_utf8_impl *impl;
  for (size_t i = 0; (impl = tm_utf8_impl_at(i)) != NULL; i++)
    cr_assert_eq(impl->valid(text, size), prefix == size, "%s, size %zu", impl->name, size);
}

Test(utf8, every_sequence_of_three_bytes) {
  for (uint32_t n = 0; n < 1 << 24; n++) {
    unsigned char text[3] = { (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n };
    size_t got = tm_utf8_valid_prefix((char *)text, 3);
    if (got != reference_prefix(text, 3)) cr_assert_fail("%06x: %zu", n, got);
  }
}

static const unsigned char borders[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
  0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff };
enum { BORDERS = sizeof borders };

Test(utf8, borders_at_every_seam) {
  static const size_t places[] = { 0, 29, 30, 31, 61, 62, 63, 64, 93, 125, 126, 127 };
  char text[192];
  memset(text, 'x', sizeof text);
  for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
    char *at = text + places[place];
    for (int n = 0; n < BORDERS * BORDERS * BORDERS * BORDERS; n += 1 + (int)place % 3) {
      int rest = n;
      for (int i = 0; i < 4; i++, rest /= BORDERS) at[i] = (char)borders[rest % BORDERS];
      bool valid = reference_prefix((const unsigned char *)at, 4) == 4;
      const tm_utf8_impl *impl;
      for (size_t i = 0; (impl = tm_utf8_impl_at(i)) != NULL; i++)
        if (impl->valid(text, sizeof text) != valid)
          cr_assert_fail("%s: %02x %02x %02x %02x at %zu", impl->name, at[0] & 255, at[1] & 255,
                         at[2] & 255, at[3] & 255, places[place]);
    }
    memset(at, 'x', 4);
  }
}

static size_t write_character(char *out, uint32_t code) {
  if (code < 0x80) return out[0] = (char)code, 1;
  if (code < 0x800) {
    out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 63));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (char)(0xe0 | code >> 12), out[1] = (char)(0x80 | (code >> 6 & 63));
    out[2] = (char)(0x80 | (code & 63));
    return 3;
  }
  out[0] = (char)(0xf0 | code >> 18), out[1] = (char)(0x80 | (code >> 12 & 63));
  out[2] = (char)(0x80 | (code >> 6 & 63)), out[3] = (char)(0x80 | (code & 63));
  return 4;
}

static uint32_t random_code(void) {
  static const uint32_t below[] = { 0x80, 0x80, 0x800, 0x10000, 0x110000 };
  uint32_t code = (uint32_t)(random_u64() % below[random_u64() % 5]);
  return code >= 0xd800 && code <= 0xdfff ? code - 0x1000 : code;
}

/* Valid texts of all sizes, as they are, cut short and with single bytes damaged. */
Test(utf8, random_texts) {
  for (int round = 0; round < 20000; round++) {
    size_t size_max = round % 50 == 0 ? 6000 : random_u64() % 400, size = 0, characters = 0;
    char *text = malloc(size_max + 4);
    uint64_t ascii = random_u64() % 3;
    for (; size < size_max; characters++)
      size += write_character(text + size, ascii && random_u64() % 40 ? 'a' : random_code());
    char *exact = malloc(size + 1); /* a block of just its size, for the sanitizer */
    memcpy(exact, text, size);
    check(exact, size);
    cr_assert(tm_utf8_valid(exact, size));
    cr_assert_eq(tm_utf8_length(exact, size), characters);
    check(exact, size - (size > 0 ? random_u64() % (size < 5 ? size : 5) : 0));
    for (int i = 0; i < 4 && size > 0; i++) {
      size_t at = random_u64() % size;
      char kept = exact[at];
      exact[at] = (char)(i == 0 ? borders[random_u64() % BORDERS] : random_u64());
      check(exact, size);
      if (i % 2) exact[at] = kept;
    }
    free(exact);
    free(text);
  }
}

Test(utf8, rows) {
  static const char *const texts[] = { "", "abc", "twelve bytes", "thirteen byte", "h\xc3\xa4",
    "h\xc3", "\xff", "twelve byt\xc3\xa4", "eleven byt\xc3", "\xe2\x82\xac and more text here",
    "and more text here \xe2\x82", "12345678901\x80", "abcd\x80", "\xf0\x9f\x8c\x8a tide" };
  static const int64_t lengths[] = { 0, 3, 12, 13, 2, 1, 1, 11, 11, 20, 20, 11, 4, 6 };
  static const uint8_t expected[] = { 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1 };
  enum { ROWS = sizeof texts / sizeof *texts };
  tm_str values[ROWS];
  uint8_t valid[ROWS];
  int64_t counted[ROWS];
  for (int i = 0; i < ROWS; i++) values[i] = tm_str_make(texts[i], strlen(texts[i]));
  cr_expect_eq(tm_utf8_valid_rows(values, valid, ROWS), 6);
  cr_expect_arr_eq(valid, expected, sizeof expected);
  tm_utf8_length_rows(values, NULL, NULL, ROWS, counted);
  for (int i = 0; i < ROWS; i++) {
    if (expected[i]) cr_expect_eq(counted[i], lengths[i], "%s", texts[i]);
    cr_expect_eq((size_t)counted[i], tm_utf8_length(texts[i], strlen(texts[i])), "%s", texts[i]);
  }
}

Test(utf8, lengths_of_some_rows) {
  tm_str values[4] = { tm_str_make("ab", 2), { .words = { 99, 7 } }, tm_str_make("abc", 3),
                       { .words = { 99, 7 } } }; /* dead and null rows can be anything */
  static const uint8_t valid[4] = { 1, 1, 1, 0 };
  static const uint32_t rows[3] = { 0, 2, 3 };
  int64_t lengths[4] = { -1, -1, -1, -1 };
  tm_utf8_length_rows(values, valid, rows, 3, lengths);
  cr_expect_eq(lengths[0], 2);
  cr_expect_eq(lengths[1], -1);
  cr_expect_eq(lengths[2], 3);
  cr_expect_eq(lengths[3], -1);
}

Test(utf8, case_is_that_of_the_c_locale) {
  char all[256 + 64], lower[sizeof all], upper[sizeof all];
  for (size_t i = 0; i < sizeof all; i++) all[i] = (char)i;
  tm_utf8_lower(all, sizeof all, lower);
  tm_utf8_upper(all, sizeof all, upper);
  for (size_t i = 0; i < sizeof all; i++) {
    cr_expect_eq(lower[i], (char)tolower((int)(i & 255)));
    cr_expect_eq(upper[i], (char)toupper((int)(i & 255)));
  }
  tm_utf8_upper(all + 60, 100, all + 60); /* in place */
  cr_expect_arr_eq(all + 60, upper + 60, 100);
}

Test(utf8, step) {
  cr_expect_eq(tm_utf8_step('a'), 1);
  cr_expect_eq(tm_utf8_step(0xc3), 2);
  cr_expect_eq(tm_utf8_step(0xe2), 3);
  cr_expect_eq(tm_utf8_step(0xf0), 4);
}
