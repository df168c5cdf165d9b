/* tests/kernel/json_marks_test.c: marks by every kind of vector, against a loop over characters. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/json_marks.h"

enum { SIZE_MAX_ = 400, PAD = 64 };

static bool bit(const uint64_t *words, size_t i) { return (words[i / 64] >> (i % 64) & 1) != 0; }

static void compare(const tm_json_marks_impl *impl, const char *text, size_t size) {
  uint64_t quotes[SIZE_MAX_ / 64 + 2], escapes[SIZE_MAX_ / 64 + 2], stops[SIZE_MAX_ / 64 + 2];
  uint32_t answer = impl->marks(text, size, quotes, escapes, stops), wanted = 0;
  bool escaped = false;
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    bool quote = c == '"' && !escaped;
    bool stop = c == '"' || c == '{' || c == '}' || c == '[' || c == ']' || c == ':' || c == ',' ||
                (unsigned char)c <= ' ';
    cr_assert_eq(bit(quotes, i), quote, "%s: quote at %zu", impl->name, i);
    cr_assert_eq(bit(escapes, i), c == '\\', "%s: escape at %zu", impl->name, i);
    cr_assert_eq(bit(stops, i), stop, "%s: stop at %zu (%d)", impl->name, i, c);
    escaped = c == '\\' && !escaped;
    if (c == '\\') wanted |= TM_JSON_ESCAPES;
    if (c == '\r') wanted |= TM_JSON_RETURNS;
    else if ((unsigned char)c < 0x20 && c != '\n') wanted |= TM_JSON_CONTROLS;
  }
  for (size_t i = size; i < (size + 63) / 64 * 64; i++) {
    cr_assert_not(bit(quotes, i) || bit(stops, i) || bit(escapes, i), "%s: beyond", impl->name);
  }
  cr_assert_eq(answer, wanted, "%s: %u, not %u", impl->name, answer, wanted);
}

Test(json_marks, every_way_finds_the_same) {
  static const char *const alphabets[] = {"\\\"", "\\\\\\\\\\\\\\\"a", "{}[]:,\" \n\\ab12",
                                          "\"\r\n\t\x01\x80\xff\x7f |", "ab\"\n"};
  unsigned state = 1;
  for (int round = 0; round < 3000; round++) {
    const char *alphabet = alphabets[round % 5];
    char text[SIZE_MAX_ + PAD];
    size_t size = 1 + (state >> 8) % SIZE_MAX_;
    for (size_t i = 0; i < sizeof text; i++) {
      state = state * 1103515245 + 12345;
      text[i] = alphabet[(state >> 16) % strlen(alphabet)];
    }
    for (size_t i = 0; tm_json_marks_impl_at(i) != NULL; i++) {
      compare(tm_json_marks_impl_at(i), text, size);
    }
  }
}

Test(json_marks, every_byte) {
  char text[256 + PAD] = {0};
  for (int i = 0; i < 256; i++) text[i] = (char)i;
  for (size_t i = 0; tm_json_marks_impl_at(i) != NULL; i++) {
    compare(tm_json_marks_impl_at(i), text, 256);
  }
}
