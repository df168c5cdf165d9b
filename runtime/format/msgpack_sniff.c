/* format/msgpack_sniff.c: names and types from the first records of a file, as for JSON lines. */
#include "format/guess.h"
#include "format/msgpack.h"
#include "kernel/utf8.h"

enum { NAMES_MAX = 2000 };

typedef struct name {
  const char *text;
  size_t size;
  tm_guess strings;
  uint64_t kinds; /* bit: a tm_msgpack_kind that was there */
} name;

typedef struct sniffer {
  tm_arena *arena;
  name *names;
  uint32_t count;
} sniffer;

static name *find_name(sniffer *s, const char *text, size_t size) {
  for (uint32_t i = 0; i < s->count; i++) {
    name *n = &s->names[i];
    if (n->size == size && memcmp(n->text, text, size) == 0) return n;
  }
  char *copy = s->count == NAMES_MAX ? NULL : tm_arena_text(s->arena, text, size);
  if (copy == NULL) return NULL;
  s->names[s->count] = (name){.text = copy, .size = size};
  return &s->names[s->count++];
}

static const char *visit(sniffer *s, const uint8_t *data, uint32_t at, uint32_t end,
                         uint32_t *after) {
  tm_msgpack_value map, key, value;
  const char *wrong = tm_msgpack_read(data, at, end, &map, after);
  if (wrong != NULL) return wrong;
  if (map.kind != TM_MSGPACK_MAP) return "the document is no map";
  at += (uint32_t)tm_msgpack_head(data, at, end, &value);
  for (uint32_t i = 0; i < map.count; i++) {
    tm_msgpack_read(data, at, end, &key, &at);
    tm_msgpack_read(data, at, end, &value, &at);
    const char *text = (const char *)data + key.begin;
    size_t size = key.end - key.begin;
    bool plain = key.kind == TM_MSGPACK_STR && size > 0 && tm_utf8_valid(text, size) &&
                 memchr(text, '\0', size) == NULL;
    name *n = plain ? find_name(s, text, size) : NULL;
    if (n == NULL) continue;
    n->kinds |= UINT64_C(1) << value.kind;
    if (value.kind == TM_MSGPACK_STR) {
      tm_guess_add(&n->strings, (const char *)data + value.begin, value.end - value.begin);
    }
  }
  return NULL;
}

#define HAS(kind) (UINT64_C(1) << (kind))

/* false: nothing can hold it. */
static bool type_of(const name *n, tm_type *out) {
  uint64_t kinds = n->kinds & ~HAS(TM_MSGPACK_NIL);
  const uint64_t wide = HAS(TM_MSGPACK_INT) | HAS(TM_MSGPACK_UINT) | HAS(TM_MSGPACK_FLOAT);
  if ((kinds & (HAS(TM_MSGPACK_MAP) | HAS(TM_MSGPACK_ARRAY) | HAS(TM_MSGPACK_EXT))) != 0) {
    return false;
  }
  *out = tm_type_of(TM_STRING);
  if (kinds == HAS(TM_MSGPACK_BOOL)) *out = tm_type_of(TM_BOOL);
  else if (kinds == HAS(TM_MSGPACK_INT)) *out = tm_type_of(TM_INT64);
  else if (kinds != 0 && (kinds & ~wide) == 0) *out = tm_type_of(TM_FLOAT64);
  else if (kinds == HAS(TM_MSGPACK_BIN)) *out = tm_type_of(TM_BYTES);
  else if (kinds == HAS(TM_MSGPACK_TIME)) *out = tm_type_of(TM_TIMESTAMP);
  else if (kinds == HAS(TM_MSGPACK_STR)) {
    tm_type type = tm_guess_type(&n->strings);
    if (type.kind == TM_DATE || type.kind == TM_TIMESTAMP) *out = type;
  }
  return true;
}

static int answer(sniffer *s, const char *file, tm_sniffed *out, tm_error *err) {
  tm_schema *schema = tm_schema_create(s->arena, s->count);
  const char *left_out = NULL;
  uint32_t kept = 0;
  if (schema == NULL) return tm_fail(err, TM_E_MEMORY, "sniffing: out of memory");
  for (uint32_t i = 0; i < s->count; i++) {
    schema->fields[kept].name = s->names[i].text;
    if (type_of(&s->names[i], &schema->fields[kept].type)) {
      kept++;
      continue;
    }
    left_out = left_out == NULL
                   ? tm_arena_format(s->arena, "left out (nested): %s", s->names[i].text)
                   : tm_arena_format(s->arena, "%s, %s", left_out, s->names[i].text);
  }
  schema->count = kept;
  out->schema = schema;
  out->note = left_out;
  if (kept > 0) return 0;
  return tm_fail(err, TM_E_FORMAT, "%s: no field of the documents can be a column", file);
}

int tm_msgpack_sniff(tm_arena *arena, const tm_format_options *options, const tm_schema *schema,
                     const char *file, const char *data, size_t size, bool whole, tm_sniffed *out,
                     tm_error *err) {
  *out = (tm_sniffed){.schema = schema, .options = *options};
  if (schema != NULL) return 0;
  sniffer s = {.arena = arena, .names = tm_arena_alloc(arena, NAMES_MAX * sizeof *s.names)};
  if (s.names == NULL) return tm_fail(err, TM_E_MEMORY, "sniffing: out of memory");
  if (size == 0) {
    tm_fail(err, TM_E_FORMAT, "%s is empty: there is nothing to sniff a schema from", file);
    return tm_error_help(err, "give it one: schema = \"id int64, name string\"");
  }
  uint32_t documents = 0;
  for (uint32_t at = 0; at < size;) {
    const char *wrong = visit(&s, (const uint8_t *)data, at, (uint32_t)size, &at);
    if (wrong == NULL) {
      documents++;
      continue;
    }
    if (documents > 0 && !whole) break; /* the sample ends inside of a record */
    tm_msgpack_value ignored;
    bool cut = tm_msgpack_skip((const uint8_t *)data, 0, (uint32_t)size, &ignored, &at) != NULL;
    if (!whole && cut && size >= TM_SNIFF_BYTES) return tm_guess_fail_long(file, err);
    return tm_fail(err, TM_E_FORMAT, "%s: is no stream of MessagePack maps: %s", file, wrong);
  }
  return answer(&s, file, out, err);
}
