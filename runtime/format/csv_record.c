/* format/csv_record.c: one record at a time, for headers and sniffing; and where records end.
 *
 * Splitting must know quotes, for a line end inside of them ends nothing. A block without any
 * quote, the usual one, is only searched for its last line end. Otherwise the bytes that matter
 * are visited by bitmaps, and each quote is judged as csv.h says. */
#include "format/csv.h"

#include "kernel/structural.h"

/* ---------------------------------------------------------------- one record */

typedef struct cursor {
  const tm_format_options *options;
  const char *at, *end;
  bool whole;
  uint64_t lines;
} cursor;

/* What comes behind the closing quote: 1 the field ends, 0 more bytes are needed, -1 other text. */
static int after_quote(const cursor *c) {
  if (c->at == c->end) return c->whole ? 1 : 0;
  if (*c->at == c->options->delimiter || *c->at == '\n') return 1;
  if (*c->at != '\r') return -1;
  if (c->at + 1 == c->end) return c->whole ? 1 : 0;
  return c->at[1] == '\n' ? 1 : -1;
}

/* A quoted field from behind its opening quote, unescaped into `to`. As after_quote. */
static int read_quoted(cursor *c, char *to, tm_csv_field *field) {
  char quote = c->options->quote, escape = c->options->escape;
  size_t used = 0;
  field->quoted = true;
  for (; c->at < c->end; c->at++) {
    bool last = c->at + 1 == c->end;
    if (last && !c->whole && (*c->at == quote || (escape != 0 && *c->at == escape))) return 0;
    if (escape != 0 && *c->at == escape && !last && (c->at[1] == quote || c->at[1] == escape)) {
      c->at++;
    } else if (*c->at == quote && !last && c->at[1] == quote) {
      c->at++;
    } else if (*c->at == quote) {
      c->at++;
      field->size = used;
      to[used] = '\0';
      return after_quote(c);
    }
    c->lines += *c->at == '\n';
    to[used++] = *c->at;
  }
  field->size = used;
  to[used] = '\0';
  return c->whole ? -1 : 0;
}

/* Up to a delimiter or line end: true when one (or the end of all) was met. */
static bool skip_bare(cursor *c) {
  while (c->at < c->end && *c->at != c->options->delimiter && *c->at != '\n') c->at++;
  return c->at < c->end || c->whole;
}

static bool read_bare(cursor *c, char *to, tm_csv_field *field) {
  const char *begin = c->at;
  if (!skip_bare(c)) return false;
  size_t size = (size_t)(c->at - begin);
  bool ends = c->at == c->end || *c->at == '\n';
  if (ends && size > 0 && begin[size - 1] == '\r') size--;
  memcpy(to, begin, size);
  to[size] = '\0';
  field->size = size;
  return true;
}

static int add_field(tm_arena *arena, tm_csv_record *r, uint32_t *capacity) {
  if (r->count < *capacity) return 0;
  uint32_t more = *capacity == 0 ? 16 : *capacity * 2;
  tm_csv_field *grown = tm_arena_alloc(arena, more * sizeof *grown);
  if (grown == NULL) return -1;
  if (r->count > 0) memcpy(grown, r->fields, r->count * sizeof *grown);
  r->fields = grown;
  *capacity = more;
  return 0;
}

static int read_comment(cursor *c, const char *data, tm_csv_record *out) {
  const char *end = memchr(data, '\n', (size_t)(c->end - data));
  if (end == NULL && !c->whole) return 0;
  out->comment = true;
  out->size = end == NULL ? (size_t)(c->end - data) : (size_t)(end + 1 - data);
  out->lines = end != NULL;
  return 1;
}

int tm_csv_record_read(tm_arena *arena, const tm_format_options *options, const char *data,
                       size_t size, bool whole, tm_csv_record *out) {
  cursor c = {options, data, data + size, whole, 0};
  uint32_t capacity = 0;
  *out = (tm_csv_record){0};
  if (size == 0) return 0;
  if (options->comment != 0 && *data == options->comment) return read_comment(&c, data, out);
  char *text = tm_arena_alloc(arena, size + 2);
  if (text == NULL) return -1;
  for (bool more = true; more;) {
    if (add_field(arena, out, &capacity) < 0) return -1;
    tm_csv_field *field = &out->fields[out->count];
    *field = (tm_csv_field){.text = text};
    if (c.at < c.end && options->quote != 0 && *c.at == options->quote) {
      c.at++;
      int after = read_quoted(&c, text, field);
      if (after == 0) return 0;
      if (after < 0) {
        out->malformed = true;
        if (!skip_bare(&c)) return 0;
      }
      if (c.at < c.end && *c.at == '\r') c.at++;
    } else if (!read_bare(&c, text, field)) {
      return 0;
    }
    out->count++;
    text += field->size + 1;
    more = c.at < c.end && *c.at == options->delimiter;
    if (more) c.at++;
  }
  if (c.at < c.end) {
    c.at++;
    c.lines++;
  }
  out->blank = out->count == 1 && out->fields[0].size == 0 && !out->fields[0].quoted;
  out->size = (size_t)(c.at - data);
  out->lines = c.lines;
  return 1;
}

/* ---------------------------------------------------------------- where records end */

enum { BARE, QUOTED, COMMENT }; /* state of a split */

typedef struct splitter {
  const tm_format_options *options;
  tm_split *split;
  const char *data;
  size_t size;
} splitter;

static void end_line(splitter *s, size_t at) {
  tm_split *p = s->split;
  p->open_lines++;
  if (p->state == QUOTED) return;
  p->state = BARE;
  p->start = p->whole = at + 1;
  p->lines += p->open_lines;
  p->open_lines = 0;
}

/* A quote at `at`: how many characters are used up, 0 where the next one must be seen first. */
static size_t meet_quote(splitter *s, size_t at) {
  tm_split *p = s->split;
  const tm_format_options *o = s->options;
  const char *d = s->data;
  if (p->state == COMMENT) return 1;
  if (p->state == BARE) {
    if (o->comment != 0 && d[p->start] == o->comment) {
      p->state = COMMENT;
      return 1;
    }
    bool first = at == p->start || d[at - 1] == o->delimiter;
    if (first) p->state = QUOTED;
    return 1;
  }
  if (o->escape != 0 && tm_csv_is_escaped(d + p->start, d + at, o->escape)) return 1;
  if (at + 1 == s->size) return 0;
  if (d[at + 1] == o->quote) return 2;
  p->state = BARE;
  return 1;
}

/* All that matters in [from, size): false where the last byte is a quote that cannot be judged. */
static void scan_marks(splitter *s, size_t from) {
  tm_split *p = s->split;
  size_t words = (s->size - from + 63) / 64, skip_to = from;
  uint64_t *const masks[2] = {p->masks, p->masks + words};
  const char wanted[2] = {s->options->quote, '\n'};
  tm_structural_scan_set(s->data + from, s->size - from, wanted, 2, masks);
  p->scanned = s->size;
  for (size_t w = 0; w < words; w++) {
    uint64_t marks = masks[0][w] | masks[1][w];
    for (; marks != 0; marks &= marks - 1) {
      size_t at = from + w * 64 + (size_t)__builtin_ctzll(marks);
      if (at < skip_to) continue;
      if (s->data[at] == '\n') {
        end_line(s, at);
        if (p->first_only && p->whole > 0) return;
        continue;
      }
      size_t used = meet_quote(s, at);
      if (used == 0) {
        p->scanned = at;
        return;
      }
      skip_to = at + used;
    }
  }
}

void tm_csv_split(const tm_reading *r, tm_split *p, const char *data, size_t size) {
  const tm_format_options *o = &r->options;
  size_t from = p->scanned;
  if (size <= from) return;
  if (o->comment != 0) p->flags |= TM_CSV_QUOTES;
  /* Counting is faster than memchr() where there is none, the usual case. */
  if (o->quote != 0 &&
      (p->state != BARE || tm_structural_count(data + from, size - from, o->quote) > 0)) {
    splitter s = {o, p, data, size};
    p->flags |= TM_CSV_QUOTES;
    scan_marks(&s, from);
    return;
  }
  p->scanned = size;
  if (p->first_only) {
    const char *end = memchr(data + from, '\n', size - from);
    size = end == NULL ? from : (size_t)(end + 1 - data);
  }
  size_t last = tm_structural_find_last(data + from, size - from, '\n');
  if (last == SIZE_MAX) return;
  p->lines += p->open_lines + tm_structural_count(data + from, size - from, '\n');
  p->open_lines = 0;
  p->start = p->whole = from + last + 1;
}
