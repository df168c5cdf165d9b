/* format/json_document.c: see json_document.h. A small recursive descent over objects that hold
 * wanted names; everything else is skipped from mark to mark, with a bit a level for the kind of
 * bracket that is open. */
#include "format/json_document.h"

#include <string.h>


enum { KEY_MAX = 1024 }; /* a longer name with escapes is never a wanted one */

typedef struct reader {
  const tm_json_text *text;
  uint32_t at, end;
  tm_json_value *slots;
  const tm_json_listener *listener;
} reader;

static const char unclosed[] = "the document ends too early";

static inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static inline void skip_space(reader *r) {
  while (r->at < r->end && is_space(r->text->data[r->at])) r->at++;
}

/* ---------------------------------------------------------------- values */

/* A string from its opening quote to behind its closing one. */
static const char *read_string(const tm_json_text *t, uint32_t at, uint32_t end,
                               tm_json_value *out, uint32_t *after) {
  uint32_t close = tm_json_next_quote(t, at + 1, end);
  if (close >= end) return "a string is never closed";
  if (t->has_controls) {
    for (uint32_t i = at + 1; i < close; i++) {
      if ((unsigned char)t->data[i] < 0x20) return "a string holds a control character";
    }
  }
  bool escaped = t->has_escapes && tm_json_any(t->escapes, at + 1, close);
  *out = (tm_json_value){at + 1, close, escaped ? TM_JSON_ESCAPED : TM_JSON_STRING};
  *after = close + 1;
  return NULL;
}

bool tm_json_is_number(const char *text, size_t size) {
  const char *at = text, *end = text + size;
  if (at < end && *at == '-') at++;
  if (at == end || *at < '0' || *at > '9') return false;
  if (*at == '0' && at + 1 < end && at[1] >= '0' && at[1] <= '9') return false;
  while (at < end && *at >= '0' && *at <= '9') at++;
  if (at < end && *at == '.') {
    const char *digits = ++at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    if (at == digits) return false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    const char *digits = at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    if (at == digits) return false;
  }
  return at == end;
}

/* true, false, null, or what begins as a number does. */
static const char *read_word(const tm_json_text *t, uint32_t at, uint32_t end, tm_json_value *out,
                             uint32_t *after) {
  const char *word = t->data + at;
  uint32_t stop = tm_json_next_stop(t, at);
  if (stop > end) stop = end;
  uint32_t size = stop - at;
  *after = stop;
  *out = (tm_json_value){at, stop, TM_JSON_WORD};
  if (size == 4 && memcmp(word, "null", 4) == 0) {
    out->kind = TM_JSON_NULL;
    return NULL;
  }
  if (size == 4 && memcmp(word, "true", 4) == 0) return NULL;
  if (size == 5 && memcmp(word, "false", 5) == 0) return NULL;
  if (size > 0 && (*word == '-' || (*word >= '0' && *word <= '9'))) return NULL;
  return size == 0 ? "a value is missing" : "a word that is no JSON value";
}

/* Over an object or an array. */
static const char *skip_complex(const tm_json_text *t, uint32_t at, uint32_t end,
                                uint32_t *after) {
  uint64_t objects = 0; /* bit: the bracket of that level is { */
  uint32_t depth = 0;
  while (at < end) {
    at = tm_json_next_stop(t, at);
    if (at >= end) break;
    char c = t->data[at++];
    if (c == '"') {
      tm_json_value ignored;
      const char *wrong = read_string(t, at - 1, end, &ignored, &at);
      if (wrong != NULL) return wrong;
    } else if (c == '{' || c == '[') {
      if (depth == TM_JSON_DEPTH_MAX) return "the document is nested more than 64 deep";
      objects = objects << 1 | (c == '{');
      depth++;
    } else if (c == '}' || c == ']') {
      if ((objects & 1) != (c == '}')) return "brackets do not match";
      objects >>= 1;
      if (--depth == 0) {
        *after = at;
        return NULL;
      }
    }
  }
  return unclosed;
}

const char *tm_json_value_read(const tm_json_text *t, uint32_t at, uint32_t end,
                               tm_json_value *out, uint32_t *after) {
  if (at >= end) return unclosed;
  char c = t->data[at];
  if (c == '"') return read_string(t, at, end, out, after);
  if (c != '{' && c != '[') return read_word(t, at, end, out, after);
  const char *wrong = skip_complex(t, at, end, after);
  *out = (tm_json_value){at, wrong == NULL ? *after : at, TM_JSON_COMPLEX};
  return wrong;
}

/* ---------------------------------------------------------------- objects */

static const tm_json_want *find_key(const tm_json_want *want, const char *key, uint32_t size) {
  for (uint32_t i = 0; i < want->child_count; i++) {
    const tm_json_want *child = &want->children[i];
    if (child->size == size && memcmp(child->key, key, size) == 0) return child;
  }
  return NULL;
}

static const tm_json_want *find_child(const tm_json_text *t, const tm_json_want *want,
                                      const tm_json_value *key) {
  const char *text = t->data + key->begin;
  uint32_t size = key->end - key->begin;
  if (key->kind != TM_JSON_ESCAPED) return find_key(want, text, size);
  char plain[KEY_MAX];
  int64_t used = size <= KEY_MAX ? tm_json_unescape(text, size, plain) : -1;
  return used < 0 ? NULL : find_key(want, plain, (uint32_t)used);
}

/* Everything below a name becomes null again: true where something was there. */
static void forget(reader *r, const tm_json_want *want) {
  if (want->slot != TM_JSON_NONE) r->slots[want->slot] = (tm_json_value){0, 0, TM_JSON_NULL};
  for (uint32_t i = 0; i < want->child_count; i++) forget(r, &want->children[i]);
}

static const char *read_object(reader *r, const tm_json_want *want, int depth);

static const char *read_value(reader *r, const tm_json_want *want, int depth) {
  uint32_t begin = r->at;
  tm_json_value value;
  if (want != NULL && want->child_count > 0) {
    if (r->at < r->end && r->text->data[r->at] == '{') {
      const char *wrong = read_object(r, want, depth + 1);
      if (wrong == NULL && want->slot != TM_JSON_NONE) {
        r->slots[want->slot] = (tm_json_value){begin, r->at, TM_JSON_COMPLEX};
        if (r->listener != NULL) r->listener->unusual(r->listener->context);
      }
      return wrong;
    }
  }
  const char *wrong = tm_json_value_read(r->text, r->at, r->end, &value, &r->at);
  if (wrong != NULL) return wrong;
  int32_t slot = want == NULL ? TM_JSON_NONE : want->slot;
  if (slot != TM_JSON_NONE) {
    if (value.kind == TM_JSON_WORD && r->text->data[value.begin] != 't' &&
        r->text->data[value.begin] != 'f' &&
        !tm_json_is_number(r->text->data + value.begin, value.end - value.begin)) {
      return "a word that is no JSON value";
    }
    r->slots[slot] = value;
  }
  if (r->listener != NULL) r->listener->value(r->listener->context, begin, r->at, slot);
  return NULL;
}

static const char *read_pair(reader *r, const tm_json_want *want, int depth, uint64_t *seen) {
  tm_json_value key;
  const char *data = r->text->data;
  if (r->at >= r->end || data[r->at] != '"') return "a name is missing";
  const char *wrong = read_string(r->text, r->at, r->end, &key, &r->at);
  if (wrong != NULL) return wrong;
  const tm_json_want *child = find_child(r->text, want, &key);
  if (child != NULL && child->child_count > 0) {
    uint64_t bit = UINT64_C(1) << ((child - want->children) % 64);
    if ((*seen & bit) != 0) {
      forget(r, child);
      if (r->listener != NULL) r->listener->unusual(r->listener->context);
    }
    *seen |= bit;
  }
  skip_space(r);
  if (r->at >= r->end || data[r->at] != ':') return "a colon is missing";
  r->at++;
  skip_space(r);
  return read_value(r, child, depth);
}

static const char *read_object(reader *r, const tm_json_want *want, int depth) {
  uint64_t seen = 0;
  if (depth > TM_JSON_DEPTH_MAX) return "the document is nested more than 64 deep";
  r->at++;
  skip_space(r);
  if (r->at < r->end && r->text->data[r->at] == '}') {
    r->at++;
    return NULL;
  }
  for (;;) {
    const char *wrong = read_pair(r, want, depth, &seen);
    if (wrong != NULL) return wrong;
    skip_space(r);
    if (r->at >= r->end) return unclosed;
    char c = r->text->data[r->at++];
    if (c == '}') return NULL;
    if (c != ',') return "a comma is missing";
    skip_space(r);
  }
}

const char *tm_json_document_read(const tm_json_text *text, uint32_t begin, uint32_t end,
                                  const tm_json_want *root, tm_json_value *slots,
                                  const tm_json_listener *listener) {
  reader r = {text, begin, end, slots, listener};
  skip_space(&r);
  if (r.at >= r.end) return unclosed;
  if (text->data[r.at] != '{') return "the document is no object";
  const char *wrong = read_object(&r, root, 1);
  if (wrong != NULL) return wrong;
  skip_space(&r);
  return r.at < r.end ? "text follows the document" : NULL;
}

const char *tm_json_document_visit(const tm_json_text *text, uint32_t begin, uint32_t end,
                                   void *context,
                                   void (*name)(void *context, const char *key, uint32_t size,
                                                const tm_json_value *value)) {
  reader r = {text, begin, end, NULL, NULL};
  skip_space(&r);
  if (r.at >= r.end) return unclosed;
  if (text->data[r.at++] != '{') return "the document is no object";
  skip_space(&r);
  if (r.at < r.end && text->data[r.at] == '}') return NULL;
  for (;;) {
    tm_json_value key, value;
    if (r.at >= r.end || text->data[r.at] != '"') return "a name is missing";
    const char *wrong = read_string(text, r.at, end, &key, &r.at);
    if (wrong != NULL) return wrong;
    skip_space(&r);
    if (r.at >= r.end || text->data[r.at++] != ':') return "a colon is missing";
    skip_space(&r);
    wrong = tm_json_value_read(text, r.at, end, &value, &r.at);
    if (wrong != NULL) return wrong;
    name(context, text->data + key.begin, key.end - key.begin, &value);
    skip_space(&r);
    if (r.at >= r.end) return unclosed;
    char c = text->data[r.at++];
    if (c == '}') return NULL;
    if (c != ',') return "a comma is missing";
    skip_space(&r);
  }
}

/* ---------------------------------------------------------------- escapes */

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The four digits behind \u, -1 where they are none. */
static int32_t read_unit(const char *text, size_t size) {
  int32_t unit = 0;
  if (size < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(text[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

static size_t put_utf8(uint32_t c, char *out) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 63));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
  }
  out[0] = (char)(0xf0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 63));
  out[2] = (char)(0x80 | (c >> 6 & 63));
  out[3] = (char)(0x80 | (c & 63));
  return 4;
}

static char simple_escape(char c) {
  switch (c) {
    case '"': case '\\': case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

int64_t tm_json_unescape(const char *text, size_t size, char *out) {
  size_t used = 0, at = 0;
  char four[4];
  while (at < size) {
    if (text[at] != '\\') {
      if (out != NULL) out[used] = text[at];
      used++;
      at++;
      continue;
    }
    if (at + 1 >= size) return -1;
    char c = text[at + 1];
    if (c != 'u') {
      char plain = simple_escape(c);
      if (plain == 0) return -1;
      if (out != NULL) out[used] = plain;
      used++;
      at += 2;
      continue;
    }
    int32_t unit = read_unit(text + at + 2, size - at - 2);
    if (unit < 0) return -1;
    at += 6;
    uint32_t code = (uint32_t)unit;
    if (unit >= 0xdc00 && unit < 0xe000) return -2;
    if (unit >= 0xd800 && unit < 0xdc00) {
      bool pair = at + 6 <= size && text[at] == '\\' && text[at + 1] == 'u';
      int32_t low = pair ? read_unit(text + at + 2, size - at - 2) : -1;
      if (low < 0xdc00 || low >= 0xe000) return -2;
      code = 0x10000 + (((uint32_t)unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
      at += 6;
    }
    used += put_utf8(code, out != NULL ? out + used : four);
  }
  return (int64_t)used;
}
