/* format/jsonl_sniff.c: names and types from the beginning of a file.
 *
 * The columns are the names of all documents in the sample, in the order in which they appear.
 * Objects and arrays cannot be held yet: names that have one are left out, and the note says so. */
#include "format/guess.h"
#include "format/json_document.h"
#include "format/jsonl.h"
#include "kernel/json_marks.h"
#include "kernel/structural.h"
#include "kernel/utf8.h"

enum { NAMES_MAX = 2000 };

typedef struct name {
  const char *text;
  size_t size;
  tm_guess words, strings;
  bool complex;
} name;

typedef struct sniffer {
  tm_arena *arena;
  const char *data;
  name *names;
  uint32_t count, last; /* last: the name found before, which the next one mostly follows */
  bool failed, too_many;
} sniffer;

static name *find_name(sniffer *s, const char *text, size_t size) {
  for (uint32_t i = 0; i < s->count; i++) {
    uint32_t at = (s->last + 1 + i) % s->count;
    if (s->names[at].size != size || memcmp(s->names[at].text, text, size) != 0) continue;
    s->last = at;
    return &s->names[at];
  }
  if (s->count == NAMES_MAX) {
    s->too_many = true;
    return NULL;
  }
  char *copy = tm_arena_text(s->arena, text, size);
  if (copy == NULL) {
    s->failed = true;
    return NULL;
  }
  s->last = s->count;
  s->names[s->count++] = (name){.text = copy, .size = size};
  return &s->names[s->last];
}

static void add_string(sniffer *s, name *n, const tm_json_value *value) {
  size_t size = value->end - value->begin;
  const char *text = s->data + value->begin;
  if (value->kind == TM_JSON_ESCAPED) {
    char *plain = tm_arena_alloc(s->arena, size + 1);
    int64_t used = plain == NULL ? -1 : tm_json_unescape(text, size, plain);
    text = plain;
    size = used < 0 ? 0 : (size_t)used;
  }
  tm_guess_add(&n->strings, text, size);
}

static void hear(void *context, const char *key, uint32_t size, const tm_json_value *value) {
  sniffer *s = context;
  size_t used = size;
  if (memchr(key, '\\', size) != NULL) {
    char *plain = tm_arena_alloc(s->arena, size + 1);
    int64_t plain_size = plain == NULL ? -1 : tm_json_unescape(key, size, plain);
    if (plain_size < 0) return;
    key = plain;
    used = (size_t)plain_size;
  }
  if (used == 0 || memchr(key, '\0', used) != NULL || !tm_utf8_valid(key, used)) return;
  name *n = find_name(s, key, used);
  if (n == NULL) return;
  switch (value->kind) {
    case TM_JSON_NULL: break;
    case TM_JSON_WORD:
      tm_guess_add(&n->words, s->data + value->begin, value->end - value->begin);
      break;
    case TM_JSON_STRING:
    case TM_JSON_ESCAPED: add_string(s, n, value); break;
    case TM_JSON_COMPLEX: n->complex = true; break;
  }
}

/* A string stays a string, unless all of them are dates or times. */
static tm_type type_of(const name *n) {
  if (n->strings.values > 0) {
    tm_type type = tm_guess_type(&n->strings);
    bool time = type.kind == TM_DATE || type.kind == TM_TIMESTAMP;
    return time && n->words.values == 0 ? type : tm_type_of(TM_STRING);
  }
  tm_type type = tm_guess_type(&n->words);
  /* A number that int64 cannot hold has no better place. */
  if (n->words.values > 0 && type.kind == TM_STRING) return tm_type_of(TM_FLOAT64);
  return type;
}

static int answer(sniffer *s, const char *file, tm_sniffed *out, tm_error *err) {
  tm_schema *schema = tm_schema_create(s->arena, s->count);
  const char *left_out = NULL;
  uint32_t kept = 0;
  if (schema == NULL) return tm_fail(err, TM_E_MEMORY, "sniffing: out of memory");
  for (uint32_t i = 0; i < s->count; i++) {
    const name *n = &s->names[i];
    if (!n->complex) {
      schema->fields[kept].name = n->text;
      schema->fields[kept++].type = type_of(n);
      continue;
    }
    left_out = left_out == NULL ? tm_arena_format(s->arena, "left out (nested): %s", n->text)
                                : tm_arena_format(s->arena, "%s, %s", left_out, n->text);
  }
  schema->count = kept;
  out->schema = schema;
  out->note = left_out;
  if (kept > 0) return 0;
  tm_fail(err, TM_E_FORMAT, "%s: no field of the documents can be a column", file);
  return tm_error_help(err, "name what is nested by its path: schema = \"country string "
                            "'user.country'\"");
}

static int read_lines(sniffer *s, const tm_json_text *text, size_t size, bool whole,
                      const char *file, tm_error *err) {
  uint32_t documents = 0;
  for (size_t at = 0; at < size;) {
    const char *end = memchr(text->data + at, '\n', size - at);
    if (end == NULL && !whole && at > 0) break;
    size_t stop = end == NULL ? size : (size_t)(end - text->data);
    size_t first = at;
    while (first < stop && (unsigned char)text->data[first] <= ' ') first++;
    const char *wrong = first == stop
                            ? NULL
                            : tm_json_document_visit(text, (uint32_t)at, (uint32_t)stop, s, hear);
    if (s->failed) return tm_fail(err, TM_E_MEMORY, "sniffing: out of memory");
    if (wrong != NULL && end == NULL && !whole) return tm_guess_fail_long(file, err);
    if (wrong != NULL && documents == 0) {
      tm_fail(err, TM_E_FORMAT, "%s: the first line is no JSON object: %s", file, wrong);
      return tm_error_help(err, "JSON lines have one object a line: {\"id\":1,\"name\":\"a\"}");
    }
    documents += first < stop;
    at = stop + 1;
  }
  if (documents > 0) return 0;
  tm_fail(err, TM_E_FORMAT, "%s is empty: there is nothing to sniff a schema from", file);
  return tm_error_help(err, "give it one: schema = \"id int64, name string\"");
}

int tm_jsonl_sniff(tm_arena *arena, const tm_format_options *options, const tm_schema *schema,
                   const char *file, const char *data, size_t size, bool whole, tm_sniffed *out,
                   tm_error *err) {
  size_t skip = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  *out = (tm_sniffed){.schema = schema, .options = *options};
  if (schema != NULL) return 0;
  data += skip;
  size -= skip;
  /* A copy that ends with a line end and may be read beyond. */
  size_t words = (size + 1 + 63) / 64 + 1;
  char *text = tm_arena_zero(arena, size + 1 + TM_STRUCTURAL_PAD);
  uint64_t *marks = tm_arena_zero(arena, 3 * words * sizeof *marks);
  sniffer s = {.arena = arena, .data = text};
  s.names = tm_arena_alloc(arena, NAMES_MAX * sizeof *s.names);
  if (text == NULL || marks == NULL || s.names == NULL) {
    return tm_fail(err, TM_E_MEMORY, "sniffing: out of memory");
  }
  memcpy(text, data, size);
  text[size] = '\n';
  uint32_t found = tm_json_marks(text, size + 1, marks, marks + words, marks + 2 * words);
  tm_json_text view = {.data = text, .quotes = marks, .escapes = marks + words,
                       .stops = marks + 2 * words,
                       .has_escapes = (found & TM_JSON_ESCAPES) != 0,
                       .has_controls = (found & (TM_JSON_CONTROLS | TM_JSON_RETURNS)) != 0};
  if (read_lines(&s, &view, size, whole, file, err) < 0) return -1;
  return answer(&s, file, out, err);
}
