/* kernel/like.c: a LIKE pattern as the pieces between its '%'.
 *
 * The first piece is tied to the start of the text, the last one to its end; every piece between
 * matches best where it matches first, for that leaves the most to those behind it. So there is
 * nothing to try again. A '_' right behind a '%' only asks for one more character somewhere, so it
 * is counted apart (`skip`) and a piece that floats starts with a literal that can be searched for.
 * Patterns without '_' and with at most three pieces, which are nearly all, get a loop of their
 * own. */
#include "kernel/like.h"

#include <string.h>

#include "kernel/substring.h"
#include "kernel/utf8.h"

typedef enum form { ANY, EXACT, PREFIX, SUFFIX, INFIX, ENDS, PIECES } form;

typedef struct piece {
  const char *text;
  size_t size;
  size_t skip;     /* characters before it, whatever they are: floating pieces only */
  size_t literal;  /* bytes before its first '_' */
} piece;

struct tm_like {
  form form;
  size_t count;    /* pieces; with one, the pattern has no '%' */
  size_t bytes_min; /* that a text needs to match */
  tm_str head;     /* PREFIX, EXACT, ENDS: the first piece */
  piece pieces[];
};

static form form_of(const tm_like *like);

const tm_like *tm_like_compile(const char *pattern, size_t size, tm_arena *arena) {
  size_t count = 1;
  for (size_t i = 0; i < size; i++) count += pattern[i] == '%';
  char *text = tm_arena_text(arena, pattern, size);
  tm_like *like = tm_arena_zero(arena, sizeof *like + count * sizeof(piece));
  if (text == NULL || like == NULL) return NULL;
  size_t at = 0, skip = 0;
  for (size_t i = 0; i < count; i++) {
    const char *end = i + 1 < count ? memchr(text + at, '%', size - at) : text + size;
    piece p = { .text = text + at, .size = (size_t)(end - text) - at };
    at += p.size + 1;
    bool first = i == 0, last = i + 1 == count;
    if (!first)
      for (; p.size > 0 && p.text[0] == '_'; p.text++, p.size--) skip++;
    if (p.size == 0 && !first && !last) continue; /* "%%" or "%_%": what it skips is kept */
    p.skip = skip;
    skip = 0;
    while (p.literal < p.size && p.text[p.literal] != '_') p.literal++;
    like->pieces[like->count++] = p;
    like->bytes_min += p.size + p.skip;
  }
  like->form = form_of(like);
  like->head = tm_str_make(like->pieces[0].text, like->pieces[0].size);
  return like;
}

static form form_of(const tm_like *like) {
  const piece *p = like->pieces;
  for (size_t i = 0; i < like->count; i++)
    if (p[i].skip > 0 || p[i].literal < p[i].size) return PIECES;
  if (like->count == 1) return EXACT;
  if (like->count == 2 && p[0].size == 0) return p[1].size == 0 ? ANY : SUFFIX;
  if (like->count == 2) return p[1].size == 0 ? PREFIX : ENDS;
  return like->count == 3 && p[0].size == 0 && p[2].size == 0 ? INFIX : PIECES;
}

/* ---- pieces with '_' ---- */

/* The text behind the piece when it matches at `at`, else NULL. */
static const char *match_here(const piece *p, const char *at, const char *end) {
  for (size_t i = 0; i < p->size; i++) {
    if (at >= end) return NULL;
    if (p->text[i] == '_') at += tm_utf8_step((unsigned char)*at);
    else if (*at++ != p->text[i]) return NULL;
  }
  return at <= end ? at : NULL;
}

static const char *skip_characters(const char *at, const char *end, size_t count) {
  for (; count > 0; count--) {
    if (at >= end) return NULL;
    at += tm_utf8_step((unsigned char)*at);
  }
  return at <= end ? at : NULL;
}

/* Where the piece first matches; *behind is the text after it. */
static const char *find_piece(const piece *p, const char *at, const char *end,
                              const char **behind) {
  for (;; at++) {
    at = tm_substring_find(at, (size_t)(end - at), p->text, p->literal);
    if (at == NULL) return NULL;
    *behind = p->literal == p->size ? at + p->size : match_here(p, at, end);
    if (*behind != NULL) return at;
  }
}

/* The last piece, backwards from the end: true when it matches and begins at `at` or later, with
 * room for the characters it skips. */
static bool match_end(const piece *p, const char *at, const char *end) {
  const char *q = end;
  for (size_t i = p->size; i > 0; i--) {
    if (q <= at) return false;
    q--;
    if (p->text[i - 1] != '_') {
      if (*q != p->text[i - 1]) return false;
    } else {
      while (q > at && ((unsigned char)*q & 0xc0) == 0x80) q--;
    }
  }
  return skip_characters(at, q, p->skip) != NULL;
}

static bool match_pieces(const tm_like *like, const char *text, size_t size) {
  const char *end = text + size, *at = match_here(&like->pieces[0], text, end);
  if (at == NULL) return false;
  if (like->count == 1) return at == end;
  for (size_t i = 1; i + 1 < like->count; i++) {
    at = skip_characters(at, end, like->pieces[i].skip);
    if (at == NULL || find_piece(&like->pieces[i], at, end, &at) == NULL) return false;
  }
  return match_end(&like->pieces[like->count - 1], at, end);
}

bool tm_like_match(const tm_like *like, const char *text, size_t size) {
  const piece *p = like->pieces;
  if (size < like->bytes_min) return false;
  switch (like->form) {
  case ANY: return true;
  case EXACT: return size == p[0].size && memcmp(text, p[0].text, size) == 0;
  case PREFIX: return memcmp(text, p[0].text, p[0].size) == 0;
  case SUFFIX: return memcmp(text + size - p[1].size, p[1].text, p[1].size) == 0;
  case ENDS:
    return memcmp(text, p[0].text, p[0].size) == 0 &&
           memcmp(text + size - p[1].size, p[1].text, p[1].size) == 0;
  case INFIX: return tm_substring_find(text, size, p[1].text, p[1].size) != NULL;
  case PIECES: break;
  }
  return match_pieces(like, text, size);
}

const char *tm_like_prefix(const tm_like *like, size_t *size) {
  *size = like->pieces[0].literal;
  return like->pieces[0].text;
}

/* ---- columns ---- */

/* The first four bytes lie in the string itself, so most rows are decided without its text. */
static inline bool same_start(const tm_str *s, const tm_str *head) {
  size_t size = head->size < sizeof s->prefix ? head->size : sizeof s->prefix;
  return memcmp(s->prefix, head->prefix, size) == 0;
}

#define EACH_ROW(test)                                    \
  for (size_t i = 0; i < count; i++) {                    \
    size_t row = rows == NULL ? i : rows[i];              \
    const tm_str *s = &values[row];                       \
    out[row] = (valid == NULL || valid[row]) && (test);   \
  }

void tm_like_match_rows(const tm_like *like, const tm_str *values, const uint8_t *valid,
                        const uint32_t *rows, size_t count, uint8_t *out) {
  const piece *p = like->pieces;
  tm_str head = like->head;
  bool head_decides = like->form == PREFIX && head.size <= sizeof head.prefix;
  switch (like->form) {
  case EXACT: EACH_ROW(tm_str_equal(s, &head)); return;
  case PREFIX:
  case ENDS:
    EACH_ROW(same_start(s, &head) && s->size >= like->bytes_min &&
             (head_decides || tm_like_match(like, tm_str_bytes(s), s->size)));
    return;
  case SUFFIX:
    EACH_ROW(s->size >= p[1].size &&
             memcmp(tm_str_bytes(s) + s->size - p[1].size, p[1].text, p[1].size) == 0);
    return;
  case INFIX:
    EACH_ROW(tm_substring_find(tm_str_bytes(s), s->size, p[1].text, p[1].size) != NULL);
    return;
  case ANY:
  case PIECES: break;
  }
  EACH_ROW(tm_like_match(like, tm_str_bytes(s), s->size));
}
