/* column/ddl.c: the schema language: `name type [not null] ['path'], …`.
 *
 * A hand-written scanner over the text, one token of look-ahead. Line breaks are spaces, `--`
 * begins a comment. Names are identifiers or are quoted with double quotes; types are words in
 * lower or upper case; a path is in single quotes ('' is one quote inside). */
#include "column/schema.h"

#include "base/bytes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FIELDS_MAX = 4096, WORD_MAX = 256 };

typedef struct ddl {
  const char *at;
  const char *text;
  tm_arena *arena;
  tm_error *err;
} ddl;

static const char *const type_words[] = {
  "bool", "int32", "int64", "float64", "decimal", "string", "bytes", "date", "timestamp",
  "list", "struct", "map", "json",
};
enum { TYPE_WORDS = sizeof type_words / sizeof *type_words, SCALAR_WORDS = 9 };

static int ddl_column(const ddl *d) { return (int)(d->at - d->text) + 1; }

static void skip_space(ddl *d) {
  for (;;) {
    while (isspace((unsigned char)*d->at)) d->at++;
    if (d->at[0] != '-' || d->at[1] != '-') return;
    while (*d->at != '\0' && *d->at != '\n') d->at++;
  }
}

static bool accept(ddl *d, char c) {
  skip_space(d);
  if (*d->at != c) return false;
  d->at++;
  return true;
}

static int expect(ddl *d, char c, const char *where) {
  if (accept(d, c)) return 0;
  if (*d->at == '\0') {
    return tm_fail(d->err, TM_E_SCHEMA, "schema: expected '%c' %s, found the end", c, where);
  }
  return tm_fail(d->err, TM_E_SCHEMA, "schema: expected '%c' %s at position %d, found '%.12s'", c,
                 where, ddl_column(d), d->at);
}

/* An identifier (bytes beyond ASCII count as letters). 1 read, 0 none here. */
static int read_word(ddl *d, char out[WORD_MAX]) {
  skip_space(d);
  size_t n = 0;
  while (isalnum((unsigned char)d->at[n]) || d->at[n] == '_' || (unsigned char)d->at[n] >= 0x80) {
    if (n + 1 < WORD_MAX) out[n] = d->at[n];
    n++;
  }
  if (n == 0 || n >= WORD_MAX) return 0;
  out[n] = '\0';
  d->at += n;
  return 1;
}

/* Text between two `quote`s, doubled inside for one; NULL with err. */
static char *read_quoted(ddl *d, char quote) {
  const char *from = d->at + 1;
  char *out = tm_arena_alloc(d->arena, strlen(from) + 1);
  if (out == NULL) {
    tm_fail(d->err, TM_E_MEMORY, "schema: out of memory");
    return NULL;
  }
  size_t n = 0;
  for (; *from != '\0'; from++) {
    if (*from == quote) {
      if (from[1] != quote) break;
      from++;
    }
    out[n++] = *from;
  }
  if (*from == '\0') {
    tm_fail(d->err, TM_E_SCHEMA, "schema: unfinished %c at position %d", quote, ddl_column(d));
    return NULL;
  }
  out[n] = '\0';
  d->at = from + 1;
  return out;
}

static int read_number(ddl *d, int *out) {
  skip_space(d);
  int value = 0, digits = 0;
  while (isdigit((unsigned char)*d->at) && digits < 4) {
    value = value * 10 + (*d->at++ - '0');
    digits++;
  }
  if (digits == 0 || isdigit((unsigned char)*d->at)) {
    return tm_fail(d->err, TM_E_SCHEMA, "schema: expected a number at position %d", ddl_column(d));
  }
  *out = value;
  return 0;
}

static int read_decimal(ddl *d, tm_type *out) {
  int precision = 0, scale = 0;
  if (expect(d, '(', "after decimal") < 0 || read_number(d, &precision) < 0) return -1;
  if (accept(d, ',') && read_number(d, &scale) < 0) return -1;
  if (expect(d, ')', "after decimal(p,s") < 0) return -1;
  if (precision < 1 || precision > TM_DECIMAL_MAX || scale > precision) {
    return tm_fail(d->err, TM_E_SCHEMA,
                   "schema: decimal(%d,%d): precision is 1 to %d, scale 0 to the precision",
                   precision, scale, TM_DECIMAL_MAX);
  }
  *out = tm_type_decimal(precision, scale);
  return 0;
}

static int read_timestamp(ddl *d, tm_type *out) {
  *out = tm_type_of(TM_TIMESTAMP);
  if (!accept(d, '(')) return 0;
  skip_space(d);
  if (*d->at != '\'') {
    return tm_fail(d->err, TM_E_SCHEMA, "schema: expected a zone in quotes at position %d, as in "
                   "timestamp('Europe/Berlin')", ddl_column(d));
  }
  char *zone = read_quoted(d, '\'');
  if (zone == NULL) return -1;
  out->zone = tm_zone_find(zone, d->err);
  return out->zone == NULL ? -1 : expect(d, ')', "after the zone");
}

/* What a type of other systems is called here; NULL: not known. */
static const char *type_elsewhere(const char *word) {
  static const char *const names[][2] = {
    {"int", "int64"}, {"integer", "int64"}, {"long", "int64"}, {"bigint", "int64"},
    {"int8", "int32"}, {"int16", "int32"}, {"smallint", "int32"}, {"float", "float64"},
    {"double", "float64"}, {"real", "float64"}, {"float32", "float64"}, {"number", "float64"},
    {"numeric", "decimal"}, {"text", "string"}, {"varchar", "string"}, {"char", "string"},
    {"boolean", "bool"}, {"datetime", "timestamp"}, {"timestamptz", "timestamp"},
    {"blob", "bytes"}, {"bytea", "bytes"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcasecmp(word, names[i][0]) == 0) return names[i][1];
  }
  return NULL;
}

static int read_type(ddl *d, tm_type *out) {
  char word[WORD_MAX];
  if (!read_word(d, word)) {
    return tm_fail(d->err, TM_E_SCHEMA, "schema: expected a type at position %d, found '%.12s'",
                   ddl_column(d), d->at);
  }
  if (strcasecmp(word, "decimal") == 0) return read_decimal(d, out);
  if (strcasecmp(word, "timestamp") == 0) return read_timestamp(d, out);
  for (int i = 0; i < TYPE_WORDS; i++) {
    if (strcasecmp(word, type_words[i]) != 0) continue;
    if (i >= SCALAR_WORDS) {
      return tm_fail(d->err, TM_E_UNSUPPORTED,
                     "schema: columns of type %s are not in this version of tidemill yet", word);
    }
    *out = tm_type_of((tm_kind)(TM_BOOL + i));
    return 0;
  }
  tm_fail(d->err, TM_E_SCHEMA, "schema: unknown type '%.40s'", word);
  const char *meant = type_elsewhere(word);
  char note[64];
  if (meant != NULL) snprintf(note, sizeof note, "did you mean '%s'?", meant);
  if (meant != NULL) tm_error_token(d->err, word, note);
  else tm_error_suggest(d->err, word, type_words, SCALAR_WORDS);
  tm_error_help(d->err, "types are bool int32 int64 float64 decimal(p,s) string bytes date "
                "timestamp timestamp('Zone')");
  return -1;
}

/* `not null` and a path, in either order. */
static int read_marks(ddl *d, tm_field *field) {
  for (;;) {
    skip_space(d);
    if (*d->at == '\'') {
      if ((field->path = read_quoted(d, '\'')) == NULL) return -1;
      continue;
    }
    const char *before = d->at;
    char word[WORD_MAX];
    if (!read_word(d, word)) return 0;
    char second[WORD_MAX];
    if (strcasecmp(word, "not") != 0 || !read_word(d, second) || strcasecmp(second, "null") != 0) {
      d->at = before;
      return tm_fail(d->err, TM_E_SCHEMA,
                     "schema: expected ',' or 'not null' at position %d, found '%.20s'",
                     ddl_column(d), word);
    }
    field->type.not_null = 1;
  }
}

static int read_field(ddl *d, tm_field *field) {
  skip_space(d);
  if (*d->at == '"') {
    if ((field->name = read_quoted(d, '"')) == NULL) return -1;
  } else {
    char word[WORD_MAX];
    if (!read_word(d, word)) {
      return tm_fail(d->err, TM_E_SCHEMA, "schema: expected a column name at position %d, "
                     "found '%.12s'", ddl_column(d), d->at);
    }
    field->name = tm_arena_text(d->arena, word, strlen(word));
    if (field->name == NULL) return tm_fail(d->err, TM_E_MEMORY, "schema: out of memory");
  }
  if (read_type(d, &field->type) < 0) return -1;
  return read_marks(d, field);
}

static int check_twice(const tm_schema *schema, tm_error *err) {
  for (uint32_t i = 0; i < schema->count; i++) {
    if ((uint32_t)tm_schema_find(schema, schema->fields[i].name) != i) {
      return tm_fail(err, TM_E_COLUMNS, "schema: column '%.60s' comes twice",
                     schema->fields[i].name);
    }
  }
  return 0;
}

tm_schema *tm_schema_parse(tm_arena *arena, const char *text, tm_error *err) {
  ddl d = {.at = text, .text = text, .arena = arena, .err = err};
  uint32_t commas = 0;
  for (const char *p = text; *p != '\0'; p++) commas += *p == ',';
  if (commas >= FIELDS_MAX) {
    tm_fail(err, TM_E_SCHEMA, "schema: more than %d columns", FIELDS_MAX);
    return NULL;
  }
  tm_schema *schema = tm_schema_create(arena, commas + 1);
  if (schema == NULL) {
    tm_fail(err, TM_E_MEMORY, "schema: out of memory");
    return NULL;
  }
  schema->count = 0;
  skip_space(&d);
  if (*d.at == '\0') {
    tm_fail(err, TM_E_SCHEMA, "schema: no columns");
    return NULL;
  }
  for (;;) {
    if (read_field(&d, &schema->fields[schema->count]) < 0) return NULL;
    schema->count++;
    skip_space(&d);
    if (*d.at == '\0') break;
    if (expect(&d, ',', "between columns") < 0) return NULL;
    skip_space(&d);
    if (*d.at == '\0') break; /* a comma behind the last column is welcome */
  }
  return check_twice(schema, err) < 0 ? NULL : schema;
}

int tm_type_parse(const char *text, tm_type *out, tm_error *err) {
  tm_arena none = {0};
  ddl d = {.at = text, .text = text, .arena = &none, .err = err};
  tm_budget *scratch = tm_budget_create(NULL, "type", 0);
  if (scratch == NULL) return tm_fail(err, TM_E_MEMORY, "type: out of memory");
  tm_arena_init(&none, scratch);
  tm_field field = {.name = ""};
  int result = read_type(&d, &field.type);
  if (result == 0) result = read_marks(&d, &field);
  skip_space(&d);
  if (result == 0 && *d.at != '\0') {
    result = tm_fail(err, TM_E_SCHEMA, "type: unexpected '%.20s' behind the type", d.at);
  }
  tm_arena_deinit(&none);
  tm_budget_destroy(scratch);
  *out = field.type;
  return result;
}

static bool is_plain_name(const char *name) {
  if (*name == '\0' || isdigit((unsigned char)*name)) return false;
  for (const char *p = name; *p != '\0'; p++) {
    if (!isalnum((unsigned char)*p) && *p != '_' && (unsigned char)*p < 0x80) return false;
  }
  return true;
}

/* Appends text between quotes, inner ones doubled; a plain loop, for schemas are short. */
static size_t put_quoted(char *out, const char *text, char quote) {
  size_t n = 0;
  out[n++] = quote;
  for (; *text != '\0'; text++) {
    if (*text == quote) out[n++] = quote;
    out[n++] = *text;
  }
  out[n++] = quote;
  return n;
}

char *tm_schema_text(tm_arena *arena, const tm_schema *schema) {
  size_t room = 1;
  for (uint32_t i = 0; i < schema->count; i++) {
    const tm_field *f = &schema->fields[i];
    room += 2 * strlen(f->name) + TM_TYPE_TEXT_MAX + 8;
    if (f->path != NULL) room += 2 * strlen(f->path) + 4;
  }
  char *out = tm_arena_alloc(arena, room);
  if (out == NULL) return NULL;
  size_t n = 0;
  for (uint32_t i = 0; i < schema->count; i++) {
    const tm_field *f = &schema->fields[i];
    char type[TM_TYPE_TEXT_MAX];
    if (i > 0) n += (size_t)snprintf(out + n, room - n, ", ");
    if (is_plain_name(f->name)) {
      n += (size_t)snprintf(out + n, room - n, "%s", f->name);
    } else {
      n += put_quoted(out + n, f->name, '"');
    }
    n += (size_t)snprintf(out + n, room - n, " %s", tm_type_text(f->type, type));
    if (f->path == NULL || strcmp(f->path, f->name) == 0) continue;
    out[n++] = ' ';
    n += put_quoted(out + n, f->path, '\'');
  }
  out[n] = '\0';
  return out;
}
