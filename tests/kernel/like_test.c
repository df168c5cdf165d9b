/* tests/kernel/like_test.c: LIKE and substring search against the definition, tried out by
 * recursion, on patterns and texts of few letters, so that they often nearly match. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/like.h"
#include "kernel/substring.h"

static uint64_t seed = 4711;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t bytes_of(unsigned char c) { return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4; }

static bool reference(const char *p, const char *p_end, const char *t, const char *t_end) {
  if (p == p_end) return t == t_end;
  if (*p == '%') {
    for (;; t += bytes_of((unsigned char)*t)) {
      if (reference(p + 1, p_end, t, t_end)) return true;
      if (t == t_end) return false;
    }
  }
  if (t == t_end) return false;
  if (*p == '_') return reference(p + 1, p_end, t + bytes_of((unsigned char)*t), t_end);
  return *p == *t && reference(p + 1, p_end, t + 1, t_end);
}

static size_t random_text(char *out, size_t characters, const char *const *letters, size_t count) {
  size_t size = 0;
  for (size_t i = 0; i < characters; i++) {
    const char *letter = letters[random_u64() % count];
    memcpy(out + size, letter, strlen(letter));
    size += strlen(letter);
  }
  return size;
}

static const char *const letters[] = { "a", "b", "a", "ab", "\xc3\xa4", "\xe2\x82\xac",
  "\xf0\x9f\x8c\x8a", "%", "%", "_" };
enum { LETTERS = sizeof letters / sizeof *letters, PLAIN = LETTERS - 3 };

Test(like, random_patterns) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  enum { ROWS = 24 };
  int matched = 0, total = 0;
  for (int round = 0; round < 30000; round++) {
    char pattern[64], texts[ROWS][128];
    size_t kinds = round % 3 ? LETTERS : LETTERS - 1; /* a third without '_' */
    size_t size = random_text(pattern, random_u64() % 8, letters, kinds);
    tm_arena_reset(&arena);
    const tm_like *like = tm_like_compile(pattern, size, &arena);
    cr_assert_not_null(like);
    tm_str values[ROWS];
    uint8_t valid[ROWS], out[ROWS], expected[ROWS];
    uint32_t rows[ROWS], count = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
      size_t characters = random_u64() % (i % 4 == 0 ? 30 : 7);
      size_t bytes = random_text(texts[i], characters, letters, PLAIN);
      char *exact = malloc(bytes + 1); /* a block of its size, for the sanitizer */
      memcpy(exact, texts[i], bytes);
      expected[i] = reference(pattern, pattern + size, exact, exact + bytes);
      cr_assert_eq(tm_like_match(like, exact, bytes), expected[i], "'%.*s' LIKE '%.*s'",
                   (int)bytes, exact, (int)size, pattern);
      free(exact);
      values[i] = tm_str_make(texts[i], bytes);
      valid[i] = random_u64() % 8 != 0;
      out[i] = 7;
      if (random_u64() % 2) rows[count++] = i;
      matched += expected[i];
      total++;
    }
    tm_like_match_rows(like, values, NULL, NULL, ROWS, out);
    cr_assert_arr_eq(out, expected, ROWS, "LIKE '%.*s'", (int)size, pattern);
    memset(out, 7, ROWS);
    tm_like_match_rows(like, values, valid, rows, count, out);
    for (uint32_t i = 0, next = 0; i < ROWS; i++) {
      bool selected = next < count && rows[next] == i;
      next += selected;
      cr_assert_eq(out[i], !selected ? 7 : valid[i] ? expected[i] : 0);
    }
  }
  cr_expect(matched > total / 20 && matched < total * 9 / 10, "%d of %d", matched, total);
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
}

static bool like_is(const char *text, const char *pattern, tm_arena *arena) {
  return tm_like_match(tm_like_compile(pattern, strlen(pattern), arena), text, strlen(text));
}

Test(like, forms) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  cr_expect(like_is("PROMO BURNISHED COPPER", "PROMO%", &arena));
  cr_expect_not(like_is("PROMPT", "PROMO%", &arena));
  cr_expect(like_is("SMALL BRASS", "%BRASS", &arena));
  cr_expect(like_is("the special packages requests", "%special%requests%", &arena));
  cr_expect_not(like_is("the requests special", "%special%requests%", &arena));
  cr_expect(like_is("h\xc3\xa4 x", "h_ x", &arena));
  cr_expect_not(like_is("h\xc3\xa4 x", "h__ x", &arena));
  cr_expect(like_is("aa", "a%a", &arena));
  cr_expect_not(like_is("a", "a%a", &arena));
  cr_expect(like_is("", "", &arena) && like_is("", "%", &arena) && like_is("", "%%", &arena));
  cr_expect_not(like_is("", "_", &arena) || like_is("", "%_", &arena) || like_is("a", "", &arena));
  cr_expect_not(like_is("ABC", "abc", &arena));
  cr_expect(like_is("50%\\", "50%\\", &arena)); /* a backslash is a backslash */
  size_t size;
  const tm_like *like = tm_like_compile("MED_UM%x", 8, &arena);
  cr_expect(memcmp(tm_like_prefix(like, &size), "MED", 3) == 0);
  cr_expect_eq(size, 3);
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
}

static const char *naive_find(const char *text, size_t size, const char *needle, size_t n) {
  for (size_t i = 0; i + n <= size; i++)
    if (memcmp(text + i, needle, n) == 0) return text + i;
  return NULL;
}

Test(substring, random_texts) {
  for (int round = 0; round < 60000; round++) {
    size_t size = random_u64() % (round % 10 == 0 ? 2000 : 80), n = random_u64() % 20;
    char *text = malloc(size + 1), needle[32];
    unsigned letters_used = 1 + random_u64() % 3;
    for (size_t i = 0; i < size; i++) text[i] = (char)('a' + random_u64() % letters_used);
    for (size_t i = 0; i < n; i++) needle[i] = (char)('a' + random_u64() % letters_used);
    if (round % 2 && n < size) memcpy(needle, text + random_u64() % (size - n), n);
    char *exact = malloc(size + (size == 0));
    memcpy(exact, text, size);
    cr_assert_eq(tm_substring_find(exact, size, needle, n), naive_find(exact, size, needle, n));
    free(exact);
    free(text);
  }
}

/* Half a megabyte in a text of one: quadratic, this would take a minute. */
Test(substring, is_linear, .timeout = 10) {
  size_t size = 1 << 20, n = 1 << 19;
  char *text = malloc(size), *needle = malloc(n);
  memset(text, 'a', size);
  memset(needle, 'a', n);
  needle[n / 2] = 'b';
  cr_expect_null(tm_substring_find(text, size, needle, n));
  text[size - n / 2] = 'b';
  cr_expect_eq(tm_substring_find(text, size, needle, n), text + size - n);
  free(text);
  free(needle);
}
