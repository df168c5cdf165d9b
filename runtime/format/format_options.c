/* format/format_options.c: see format_options.h. */
#include "format/format_options.h"

#include <string.h>

static int refuse(const tm_value *v, const char *name, const char *wanted, tm_error *err) {
  tm_fail(err, TM_E_VALUE, "option '%s' %s", name, wanted);
  if (v->script_line > 0) err->script_line = v->script_line;
  tm_error_token(err, name, "");
  return -1;
}

static const tm_value *given(const tm_value *options, const char *name) {
  const tm_value *v = tm_value_get(options, name);
  return v == NULL || v->kind == TM_VALUE_NIL ? NULL : v;
}

/* One ASCII character that ends no line; "" is none where that is allowed. */
static int read_character(const tm_value *options, const char *name, bool may_be_none, char *out,
                          tm_error *err) {
  const tm_value *v = given(options, name);
  if (v == NULL) return 0;
  if (v->kind == TM_VALUE_TEXT && v->size == 0 && may_be_none) {
    *out = 0;
    return 0;
  }
  bool fits = v->kind == TM_VALUE_TEXT && v->size == 1 && v->text[0] > 0 && v->text[0] != '\n' &&
              v->text[0] != '\r';
  if (!fits) return refuse(v, name, "is one ASCII character", err);
  *out = v->text[0];
  return 0;
}

static int read_nulls(tm_arena *arena, const tm_value *options, tm_format_options *out,
                      tm_error *err) {
  const tm_value *v = given(options, "null");
  if (v == NULL) return 0;
  bool list = v->kind == TM_VALUE_TABLE;
  size_t count = list ? v->item_count : 1;
  const char **words = tm_arena_alloc(arena, (count + 1) * sizeof *words);
  if (words == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (size_t i = 0; i < count; i++) {
    const tm_value *word = list ? &v->items[i] : v;
    if (word->kind != TM_VALUE_TEXT) return refuse(v, "null", "lists words", err);
    if (word->size > 0) words[out->null_count++] = word->text; /* the empty field is null anyway */
  }
  out->nulls = words;
  return 0;
}

static int read_epoch(const tm_value *options, tm_format_options *out, tm_error *err) {
  const tm_value *v = given(options, "epoch");
  if (v == NULL) return 0;
  const char *text = v->kind == TM_VALUE_TEXT ? v->text : "";
  if (strcmp(text, "s") == 0) out->epoch_digits = 0;
  else if (strcmp(text, "ms") == 0) out->epoch_digits = 3;
  else if (strcmp(text, "us") == 0) out->epoch_digits = 6;
  else return refuse(v, "epoch", "is \"s\", \"ms\" or \"us\"", err);
  return 0;
}

static bool is_tsv(const char *path) {
  const char *at = path == NULL ? NULL : strstr(path, ".tsv");
  return at != NULL && (at[4] == '\0' || at[4] == '.');
}

int tm_format_options_read(tm_arena *arena, const tm_value *options, const char *path,
                           tm_format_options *out, tm_error *err) {
  *out = (tm_format_options){.quote = '"', .header = true, .epoch_digits = TM_EPOCH_NONE};
  if (is_tsv(path)) out->delimiter = '\t';
  const tm_value *header = given(options, "header");
  if (header != NULL && header->kind == TM_VALUE_BOOL) out->header = header->boolean;
  if (read_character(options, "delimiter", false, &out->delimiter, err) < 0 ||
      read_character(options, "quote", true, &out->quote, err) < 0 ||
      read_character(options, "escape", true, &out->escape, err) < 0 ||
      read_character(options, "comment", true, &out->comment, err) < 0 ||
      read_nulls(arena, options, out, err) < 0 || read_epoch(options, out, err) < 0) {
    return -1;
  }
  if (out->escape == out->quote) out->escape = 0; /* a doubled quote, as always */
  char delimiter = out->delimiter != 0 ? out->delimiter : ',';
  bool clash = delimiter == out->quote || delimiter == out->escape || delimiter == out->comment ||
               (out->quote != 0 && out->quote == out->comment);
  if (clash) {
    return tm_fail(err, TM_E_VALUE,
                   "delimiter, quote, escape and comment are different characters");
  }
  return 0;
}
