/* tests/fuzz/pattern_fuzz.c: Lua patterns, LIKE patterns and time formats from any bytes.
 *
 * The first line of the input is the pattern, the rest the text. Whatever they are, the answer
 * comes within the steps that were granted and lies inside the text. */
#include <assert.h>
#include <string.h>

#include "kernel/like.h"
#include "kernel/pattern.h"
#include "kernel/time_format.h"

enum { STEPS = 1000000, OUT_MAX = 1 << 24 };

static void check_match(const tm_pattern_match *m, size_t size) {
  assert(m->start <= m->end && m->end <= size && m->count <= TM_PATTERN_CAPTURES_MAX);
  for (uint32_t i = 0; i < m->count; i++) {
    tm_pattern_capture c = m->captures[i];
    assert(c.start <= size);
    assert(c.size >= TM_PATTERN_POSITION || c.start + c.size <= m->end);
  }
}

static void use_pattern(const char *p, size_t p_size, const char *text, size_t size,
                        tm_arena *arena) {
  tm_pattern_match match;
  tm_pattern_cursor cursor;
  const tm_pattern *each = tm_pattern_compile(p, p_size, TM_PATTERN_EACH, arena);
  if (each == NULL) return;
  tm_pattern_cursor_init(&cursor, each, text, size, 0, STEPS);
  while (tm_pattern_next(&cursor, &match) == TM_PATTERN_FOUND) check_match(&match, size);

  const tm_pattern *search = tm_pattern_compile(p, p_size, TM_PATTERN_SEARCH, arena);
  if (search == NULL) return;
  tm_bytes out;
  int64_t count;
  const char *error;
  tm_bytes_init(&out, arena->budget);
  (void)tm_pattern_replace(search, text, size, "<%1>", 4, -1, STEPS, &out, &count, &error);
  assert(count >= 0 && (size_t)count <= size + 1);
  tm_bytes_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *pattern = (const char *)data;
  const char *end = size == 0 ? NULL : memchr(pattern, '\n', size);
  size_t pattern_size = end == NULL ? size : (size_t)(end - pattern);
  const char *text = end == NULL ? pattern + size : end + 1;
  size_t text_size = size - (size_t)(text - pattern);
  tm_budget *budget = tm_budget_create(NULL, "fuzz", OUT_MAX);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  use_pattern(pattern, pattern_size, text, text_size, &arena);
  const tm_like *like = tm_like_compile(pattern, pattern_size, &arena);
  if (like != NULL) (void)tm_like_match(like, text, text_size);
  tm_error err = { .code = TM_E_NONE };
  const tm_time_format *format =
      tm_time_format_compile(pattern, pattern_size, &arena, &err);
  char *out = format == NULL ? NULL : tm_arena_alloc(&arena, tm_time_format_bytes_max(format));
  if (out != NULL)
    assert(tm_time_format_date(format, (int32_t)size * 7919, out) <=
           tm_time_format_bytes_max(format));
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
  return 0;
}
