/* format/json_document.h: reading one JSON document (RFC 8259) from its marks.
 *
 * Objects that hold wanted names are checked in full, and so are wanted values. Of a value that is
 * skipped only the structure is: strings end and hold no control characters, brackets match and
 * nest at most 64 deep, a word begins as a value does. A document never goes beyond its line.
 * Functions answer NULL, or what is wrong. */
#ifndef TM_FORMAT_JSON_DOCUMENT_H
#define TM_FORMAT_JSON_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TM_JSON_DEPTH_MAX = 64, TM_JSON_NONE = -1 };

typedef enum tm_json_kind {
  TM_JSON_NULL,    /* null, or no such field */
  TM_JSON_WORD,    /* number, true, false: the text as it is */
  TM_JSON_STRING,  /* the text between the quotes, without escapes */
  TM_JSON_ESCAPED, /* the same, with escapes */
  TM_JSON_COMPLEX, /* an object or an array */
} tm_json_kind;

/* Texts of a block and its marks (kernel/json_marks.h). */
typedef struct tm_json_text {
  const char *data;
  const uint64_t *quotes, *escapes, *stops;
  bool has_escapes, has_controls;
} tm_json_text;

/* A value in the text: begin and end without quotes. */
typedef struct tm_json_value {
  uint32_t begin, end;
  tm_json_kind kind;
} tm_json_value;

/* A name that is looked for in an object. Names lie behind each other; children of one object
 * too. */
typedef struct tm_json_want {
  const char *key;
  uint32_t size;
  int32_t slot;               /* where its value goes; TM_JSON_NONE */
  const struct tm_json_want *children;
  uint32_t child_count;
} tm_json_want;

/* Hears of every value that was not inside of another value, in the order of the text. */
typedef struct tm_json_listener {
  void *context;
  void (*value)(void *context, uint32_t begin, uint32_t end, int32_t slot);
  void (*unusual)(void *context); /* what values alone do not tell: a document within that is
                                     wanted as a whole, too, or comes twice */
} tm_json_listener;

/* The document in [begin, end). Values of wanted names go to slots, which the caller has set to
 * null; the last of equal names counts. listener may be NULL. */
const char *tm_json_document_read(const tm_json_text *text, uint32_t begin, uint32_t end,
                                  const tm_json_want *root, tm_json_value *slots,
                                  const tm_json_listener *listener);
/* As it, for all names of the outermost object: `name` hears of each; its text may hold escapes. */
const char *tm_json_document_visit(const tm_json_text *text, uint32_t begin, uint32_t end,
                                   void *context,
                                   void (*name)(void *context, const char *key, uint32_t size,
                                                const tm_json_value *value));

/* One value at `at`, before `end`; *out_after is behind it. */
const char *tm_json_value_read(const tm_json_text *text, uint32_t at, uint32_t end,
                               tm_json_value *out, uint32_t *out_after);
/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
bool tm_json_is_number(const char *text, size_t size);

/* What is in an escaped string: out has room for `size` bytes. The number of bytes, or -1: an
 * escape that is none; -2: half of a surrogate pair. out NULL: only looks. */
int64_t tm_json_unescape(const char *text, size_t size, char *out);

/* ---- marks ---- */

/* First mark at or behind `at`; there is one before the end of the block, whose last byte is a
 * line end and so a stop. Quotes: UINT32_MAX where there is none before `end`. */
static inline uint32_t tm_json_next_stop(const tm_json_text *t, uint32_t at) {
  uint64_t word = t->stops[at / 64] >> (at % 64);
  if (word != 0) return at + (uint32_t)__builtin_ctzll(word);
  uint32_t i = at / 64 + 1;
  while (t->stops[i] == 0) i++;
  return i * 64 + (uint32_t)__builtin_ctzll(t->stops[i]);
}

static inline uint32_t tm_json_next_quote(const tm_json_text *t, uint32_t at, uint32_t end) {
  if (at >= end) return UINT32_MAX;
  uint64_t word = t->quotes[at / 64] >> (at % 64);
  if (word != 0) return at + (uint32_t)__builtin_ctzll(word);
  for (uint32_t i = at / 64 + 1; i * 64 < end; i++) {
    if (t->quotes[i] != 0) return i * 64 + (uint32_t)__builtin_ctzll(t->quotes[i]);
  }
  return UINT32_MAX;
}

static inline bool tm_json_any(const uint64_t *bits, uint32_t begin, uint32_t end) {
  if (begin >= end) return false;
  uint32_t first = begin / 64, last = (end - 1) / 64;
  uint64_t from = ~UINT64_C(0) << (begin % 64), to = ~UINT64_C(0) >> (63 - (end - 1) % 64);
  if (first == last) return (bits[first] & from & to) != 0;
  uint64_t any = (bits[first] & from) | (bits[last] & to);
  for (uint32_t i = first + 1; i < last; i++) any |= bits[i];
  return any != 0;
}

#endif
