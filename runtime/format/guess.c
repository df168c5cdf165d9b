/* format/guess.c: see guess.h. Leading zeros make a string of what looks like a number, for such
 * texts are names; so do integers that int64 cannot hold. */
#include "format/guess.h"

#include <string.h>
#include <strings.h>

#include "kernel/number_text.h"

static bool is_word(const char *text, size_t size, const char *word) {
  return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

/* 007, -01, 00.5: digits with a zero before another digit. */
static bool has_leading_zero(const char *text, size_t size) {
  size_t at = 0;
  while (at < size && (text[at] == ' ' || text[at] == '\t')) at++;
  if (at < size && (text[at] == '-' || text[at] == '+')) at++;
  return at + 1 < size && text[at] == '0' && text[at + 1] >= '0' && text[at + 1] <= '9';
}

static bool has_digit(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (text[i] >= '0' && text[i] <= '9') return true;
  }
  return false;
}

static void add_number(tm_guess *g, const char *text, size_t size) {
  int64_t integer;
  double number;
  int as_integer = tm_parse_int64(text, size, &integer);
  if (has_leading_zero(text, size) || as_integer == TM_PARSE_RANGE) {
    g->not_integer = g->not_float = true;
    return;
  }
  if (as_integer != TM_PARSE_OK) g->not_integer = true;
  if (tm_parse_float64(text, size, &number) != TM_PARSE_OK) g->not_float = true;
  if (has_digit(text, size)) g->has_digits = true;
}

void tm_guess_add(tm_guess *g, const char *text, size_t size) {
  int32_t days;
  int64_t us;
  int offset;
  g->values++;
  if (!is_word(text, size, "true") && !is_word(text, size, "false")) g->not_boolean = true;
  if (!g->not_float) add_number(g, text, size);
  if (!g->not_date && tm_parse_date(text, size, &days) != TM_PARSE_OK) g->not_date = true;
  if (!g->not_timestamp && tm_parse_timestamp(text, size, &us, &offset) != TM_PARSE_OK) {
    g->not_timestamp = true;
  }
}

tm_type tm_guess_type(const tm_guess *g) {
  if (g->values == 0) return tm_type_of(TM_STRING);
  if (!g->not_boolean) return tm_type_of(TM_BOOL);
  if (!g->not_integer && !g->not_float) return tm_type_of(TM_INT64);
  if (!g->not_float && g->has_digits) return tm_type_of(TM_FLOAT64);
  if (!g->not_date) return tm_type_of(TM_DATE);
  if (!g->not_timestamp) return tm_type_of(TM_TIMESTAMP);
  return tm_type_of(TM_STRING);
}

int tm_guess_fail_long(const char *file, tm_error *err) {
  tm_fail(err, TM_E_FORMAT, "%s: the first record is longer than the 64 KiB that sniffing reads",
          file);
  return tm_error_help(err, "give it a schema: schema = \"id int64, name string\"");
}

static bool is_taken(const char *const *names, uint32_t count, uint32_t but, const char *name) {
  for (uint32_t i = 0; i < count; i++) {
    if (i != but && names[i] != NULL && strcmp(names[i], name) == 0) return true;
  }
  return false;
}

int tm_guess_names(tm_arena *arena, const char **names, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (names[i][0] == '\0') names[i] = tm_arena_format(arena, "column_%u", i + 1);
    if (names[i] == NULL) return -1;
    const char *base = names[i];
    /* Only earlier names count for the first look, so that the first of two keeps its name. */
    for (uint32_t n = 1; is_taken(names, n == 1 ? i : count, i, names[i]); n++) {
      names[i] = tm_arena_format(arena, "%s_%u", base, n);
      if (names[i] == NULL) return -1;
    }
  }
  return 0;
}
