/* stage/options.c: checking options by their table. A type is a word or several with '|' between;
 * texts that have to parse (durations, sizes) are parsed here: bind() cannot meet others. */
#include "stage/options.h"

#include <assert.h>
#include <string.h>

#include "expr/function.h"

enum { OPTIONS_MAX = 64 };

static bool is_word(const char *types, const char *word) {
  size_t size = strlen(word);
  for (const char *at = types; *at != '\0';) {
    size_t length = strcspn(at, "|");
    if (length == size && memcmp(at, word, size) == 0) return true;
    at += length + (at[length] == '|');
  }
  return false;
}

static bool is_list(const tm_value *v) {
  return v->kind == TM_VALUE_TABLE && v->pair_count == 0;
}

static bool fits(const char *types, const tm_value *v) {
  int64_t us;
  uint64_t bytes;
  if (is_word(types, "any")) return true;
  switch (v->kind) {
    case TM_VALUE_NIL: return true;
    case TM_VALUE_BOOL: return is_word(types, "bool");
    case TM_VALUE_INT:
      return is_word(types, "int") || is_word(types, "float") ||
             (is_word(types, "size") && v->integer > 0);
    case TM_VALUE_FLOAT: return is_word(types, "float");
    case TM_VALUE_SECRET:
      return is_word(types, "text");
    case TM_VALUE_TEXT:
      if (is_word(types, "text")) return true;
      if (is_word(types, "duration")) return tm_duration_parse(v->text, v->size, &us) == 0;
      if (is_word(types, "size")) return tm_size_parse(v->text, v->size, &bytes) == 0;
      return false;
    case TM_VALUE_TABLE:
      return is_word(types, "table") || (is_word(types, "list") && is_list(v));
    case TM_VALUE_FUNCTION: return is_word(types, "function");
    case TM_VALUE_NODE: return is_word(types, "flow");
    case TM_VALUE_DURATION: return is_word(types, "duration");
    case TM_VALUE_DECIMAL:
    case TM_VALUE_DATE:
    case TM_VALUE_TIMESTAMP: return false;
  }
  return false;
}

/* "an integer", "a list". */
static const char *article(const char *word) {
  return strchr("aeiou", word[0]) != NULL ? "an" : "a";
}

static const tm_option *find(const tm_option *options, const char *name) {
  for (const tm_option *o = options; o->name != NULL; o++) {
    if (strcmp(o->name, name) == 0) return o;
  }
  return NULL;
}

static int refuse_unknown(const tm_option *options, const char *name, const char *what,
                          tm_error *err) {
  const char *names[OPTIONS_MAX];
  size_t count = 0;
  for (const tm_option *o = options; o->name != NULL && count < OPTIONS_MAX; o++) {
    names[count++] = o->name;
  }
  tm_fail(err, TM_E_OPTION, "unknown option '%.60s' of %s", name, what);
  tm_error_suggest(err, name, names, count);
  return -1;
}

static void place(tm_error *err, const tm_value *value, const char *name) {
  if (err->script_line == 0) err->script_line = value->script_line;
  if (err->token[0] == '\0') tm_error_token(err, name, "");
}

static int check_one(const tm_option *options, const tm_pair *pair, const char *what,
                     tm_error *err) {
  const tm_option *option = find(options, pair->name);
  if (option == NULL) {
    refuse_unknown(options, pair->name, what, err);
    place(err, &pair->value, pair->name);
    return -1;
  }
  if (option->later != NULL && pair->value.kind != TM_VALUE_NIL) {
    tm_fail(err, TM_E_UNSUPPORTED, "option '%s' of %s is not in this version of tidemill yet",
            pair->name, what);
    tm_error_help(err, "%s", option->later);
    place(err, &pair->value, pair->name);
    return -1;
  }
  if (fits(option->type, &pair->value)) return 0;
  if (pair->value.kind == TM_VALUE_TEXT) {
    tm_fail(err, TM_E_VALUE, "option '%s' of %s is %s %s, not \"%.60s\"", pair->name, what,
            article(option->type), option->type, pair->value.text);
  } else {
    const char *kind = tm_value_kind_name(pair->value.kind);
    tm_fail(err, TM_E_VALUE, "option '%s' of %s is %s %s, not %s %s", pair->name, what,
            article(option->type), option->type, article(kind), kind);
  }
  if (option->help != NULL) tm_error_help(err, "%s: %s", pair->name, option->help);
  place(err, &pair->value, pair->name);
  return -1;
}

int tm_options_check(const tm_option *options, const tm_value *given, const char *what,
                     tm_error *err) {
  assert(given->kind == TM_VALUE_TABLE);
  for (size_t i = 0; i < given->pair_count; i++) {
    if (check_one(options, &given->pairs[i], what, err) < 0) return -1;
  }
  if (given->item_count > 0) {
    return tm_fail(err, TM_E_OPTION, "%s takes named options only; found a positional entry", what);
  }
  return 0;
}

static const tm_value *given(const tm_value *options, const char *name) {
  const tm_value *v = tm_value_get(options, name);
  return v == NULL || v->kind == TM_VALUE_NIL ? NULL : v;
}

bool tm_options_bool(const tm_value *options, const char *name, bool fallback) {
  const tm_value *v = given(options, name);
  return v == NULL || v->kind != TM_VALUE_BOOL ? fallback : v->boolean;
}

int64_t tm_options_int(const tm_value *options, const char *name, int64_t fallback) {
  const tm_value *v = given(options, name);
  return v == NULL || v->kind != TM_VALUE_INT ? fallback : v->integer;
}

int64_t tm_options_duration(const tm_value *options, const char *name, int64_t fallback_us) {
  const tm_value *v = given(options, name);
  int64_t us = fallback_us;
  if (v != NULL && v->kind == TM_VALUE_DURATION) us = v->integer;
  if (v != NULL && v->kind == TM_VALUE_TEXT) tm_duration_parse(v->text, v->size, &us);
  return us;
}

static int one_column(const tm_value *v, const char *name, const tm_schema *schema, uint32_t *out,
                      tm_error *err) {
  if (v->kind != TM_VALUE_TEXT) {
    return tm_fail(err, TM_E_VALUE, "'%s' lists names of columns, not a %s", name,
                   tm_value_kind_name(v->kind));
  }
  int found = tm_schema_require(schema, v->text, err);
  if (found < 0) return -1;
  *out = (uint32_t)found;
  return 0;
}

int tm_options_columns(const tm_value *options, const char *name, const tm_schema *schema,
                       tm_arena *arena, uint32_t **out, tm_error *err) {
  const tm_value *v = given(options, name);
  *out = NULL;
  if (v == NULL) return 0;
  bool list = v->kind == TM_VALUE_TABLE;
  size_t count = list ? v->item_count : 1;
  *out = tm_arena_alloc(arena, (count + 1) * sizeof **out);
  if (*out == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (size_t i = 0; i < count; i++) {
    if (one_column(list ? &v->items[i] : v, name, schema, &(*out)[i], err) < 0) return -1;
  }
  return (int)count;
}

const tm_function_source *tm_options_function(const tm_value *options, const char *name) {
  const tm_value *v = given(options, name);
  return v == NULL || v->kind != TM_VALUE_FUNCTION ? NULL : v->function;
}
