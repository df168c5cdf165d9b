/* kernel/pattern.c: runs compiled Lua patterns.
 *
 * A match walks the line of nodes. Where a node could have taken fewer or more bytes it leaves a
 * frame on a stack; a node that fails takes the newest frame and goes on from there. Lua does the
 * same by recursion, and refuses a pattern whose recursion becomes too deep; `depth` counts what
 * its recursion would be, so that we refuse the same ones, and it bounds our stack. Captures need
 * no undoing: a line that reaches its end has passed every one of them again.
 * Every node, and every few bytes of a loop, cost a step. */
#include "kernel/pattern.h"

#include <assert.h>
#include <string.h>

#include "kernel/pattern_program.h"
#include "kernel/substring.h"

enum {
  DEPTH_MAX = 199,   /* of Lua's recursion below its first call */
  LOOP_STEP = 8,     /* bytes of a tight loop that count as a step */
};

typedef struct frame {
  const node *node;
  const char *at;    /* where the node ended this time, or (FEW, MAYBE) could go on from */
  const char *least; /* MANY, SOME: no fewer than up to here */
  int depth;
} frame;

typedef struct run {
  const char *text, *end;
  uint64_t steps; /* left */
  tm_pattern_status status; /* LIMIT or ERROR once that happened */
  tm_pattern_match *match;
  frame frames[DEPTH_MAX + 1];
} run;

static const char *run_end(const node *n, const char *s, const char *end);
static const char *match_here(run *r, const tm_pattern *p, const char *s);
static const char *next_start(run *r, const tm_pattern *p, const char *s);

/* ---- searching ---- */

static inline bool spend(run *r, size_t steps) {
  if (r->steps >= steps) {
    r->steps -= steps;
    return true;
  }
  r->steps = 0;
  r->status = TM_PATTERN_LIMIT;
  return false;
}

/* The first match from `s` on that does not end at `refused`. */
static tm_pattern_status search(run *r, const tm_pattern *p, const char *s, const char *refused) {
  tm_pattern_match *match = r->match;
  match->count = p->captures;
  match->error = NULL;
  for (;; s++) {
    if (!p->anchored) s = next_start(r, p, s);
    if (s == NULL) return r->status;
    const char *end = match_here(r, p, s);
    if (end != NULL && end != refused) {
      match->start = (size_t)(s - r->text);
      match->end = (size_t)(end - r->text);
      return TM_PATTERN_FOUND;
    }
    if (r->status != TM_PATTERN_NONE || p->anchored || s == r->end) return r->status;
    if (end == NULL && p->start_run != NULL) {
      const char *from = s;
      s = run_end(p->start_run, s, r->end);
      if (!spend(r, (size_t)(s - from) / LOOP_STEP) || s == r->end) return r->status;
    }
  }
}

/* The next place at which a match could start; NULL: none, or the bound is reached. */
static const char *next_start(run *r, const tm_pattern *p, const char *s) {
  const char *found = s;
  if (p->start_size > 0) {
    found = tm_substring_find(s, (size_t)(r->end - s), p->start_text, p->start_size);
  } else if (p->start_set != NULL) {
    while (found < r->end && !set_has(p->start_set, (unsigned char)*found)) found++;
    if (found == r->end) found = NULL;
  }
  return spend(r, (size_t)((found == NULL ? r->end : found) - s) / LOOP_STEP) ? found : NULL;
}

tm_pattern_status tm_pattern_find(const tm_pattern *pattern, const char *text, size_t size,
                                  size_t init, uint64_t steps_max, tm_pattern_match *match) {
  assert(init <= size);
  run r;
  r.text = text;
  r.end = text + size;
  r.steps = steps_max;
  r.status = TM_PATTERN_NONE;
  r.match = match;
  return search(&r, pattern, text + init, NULL);
}

tm_pattern_status tm_pattern_check_captures(tm_pattern_match *match) {
  for (uint32_t i = 0; i < match->count; i++) {
    if (match->captures[i].size != TM_PATTERN_UNFINISHED) continue;
    match->error = "unfinished capture";
    return TM_PATTERN_ERROR;
  }
  return TM_PATTERN_FOUND;
}

bool tm_pattern_init(int64_t init, size_t size, size_t *offset) {
  if (init > 0) *offset = (size_t)init - 1;
  else if (init == 0 || init < -(int64_t)size) *offset = 0;
  else *offset = size - (size_t)-init;
  return *offset <= size;
}

/* ---- matching ---- */

static inline bool class_has(const node *n, unsigned char c) {
  switch (n->kind) {
  case CLASS_ANY: return true;
  case CLASS_BYTE: return c == n->byte;
  case CLASS_NOT_BYTE: return c != n->byte;
  default: return set_has(n->set, c);
  }
}

static inline bool has_one(const run *r, const node *n, const char *s) {
  return s < r->end && class_has(n, (unsigned char)*s);
}

/* Behind the longest run of bytes of the class. */
static const char *run_end(const node *n, const char *s, const char *end) {
  switch (n->kind) {
  case CLASS_ANY: return end;
  case CLASS_BYTE:
    while (s < end && (uint8_t)*s == n->byte) s++;
    return s;
  case CLASS_NOT_BYTE: {
    const char *found = s == end ? NULL : memchr(s, n->byte, (size_t)(end - s));
    return found == NULL ? end : found;
  }
  default: {
    byte_set set = *n->set;
    while (s < end && set_has(&set, (unsigned char)*s)) s++;
    return s;
  }
  }
}

static const char *fail(run *r, const char *text) {
  r->status = TM_PATTERN_ERROR;
  r->match->error = text;
  return NULL;
}

/* Behind the bracket that closes the one at s, NULL where there is none. */
static const char *balance(run *r, const node *n, const char *s) {
  size_t open = 1;
  const char *from = s;
  if (s == r->end || (uint8_t)*s != n->byte) return NULL;
  while (++s < r->end) {
    if ((uint8_t)*s == n->other) {
      if (--open == 0) break;
    } else if ((uint8_t)*s == n->byte) {
      open++;
    }
  }
  return spend(r, (size_t)(s - from) / LOOP_STEP) && s < r->end ? s + 1 : NULL;
}

static const char *back_reference(run *r, const node *n, const char *s) {
  const tm_pattern_capture *c = &r->match->captures[n->size];
  if (c->size == TM_PATTERN_POSITION || (size_t)(r->end - s) < c->size) return NULL;
  if (!spend(r, c->size / LOOP_STEP)) return NULL;
  return memcmp(s, r->text + c->start, c->size) == 0 ? s + c->size : NULL;
}

static bool at_frontier(const run *r, const node *n, const char *s) {
  unsigned char before = s == r->text ? 0 : (unsigned char)s[-1];
  unsigned char after = s == r->end ? 0 : (unsigned char)*s;
  return !set_has(n->set, before) && set_has(n->set, after);
}

/* What a node that matched leaves behind: go on from `at`; NULL: the node failed. */
typedef struct step { const char *at; bool nested, framed; } step;

/* MANY and SOME. */
static step take_many(run *r, const node *n, const char *s, frame *f) {
  step out = { .at = NULL };
  const char *least = s;
  if (n->op == OP_SOME) {
    if (!has_one(r, n, s)) return out;
    least++;
  }
  const char *most = run_end(n, least, r->end);
  if (!spend(r, (size_t)(most - least) / LOOP_STEP)) return out;
  out.at = most;
  out.nested = most > s; /* nothing taken, nothing to try again */
  if (n->fixed || most == least) return out;
  *f = (frame){ .node = n, .at = most, .least = least };
  out.framed = true;
  return out;
}

/* Fewer bytes for MANY and SOME; true when the frame is used up. *at is NULL when nothing is left
 * to try. The literal that must follow is looked for here, so that the walk starts only there. */
static bool take_fewer(run *r, frame *f, const char **at) {
  const char *s = f->at - 1, *from = s;
  int next = f->node->next_byte;
  while (next >= 0 && s >= f->least && (uint8_t)*s != next) s--;
  if (!spend(r, (size_t)(from - s) / LOOP_STEP)) s = f->least - 1;
  f->at = s;
  *at = s < f->least ? NULL : s;
  return s <= f->least;
}

/* One more byte for FEW, or as many as bring it before the literal that must follow. */
static const char *take_more(run *r, const node *n, const char *s) {
  if (!has_one(r, n, s)) return NULL;
  s++;
  if (n->next_byte < 0) return s;
  const char *from = s;
  if (n->kind == CLASS_ANY) s = s == r->end ? NULL : memchr(s, n->next_byte, (size_t)(r->end - s));
  else
    while (s < r->end && (uint8_t)*s != n->next_byte)
      if (!class_has(n, (unsigned char)*s++)) return NULL;
  if (s == r->end) s = NULL;
  return spend(r, (size_t)((s == NULL ? r->end : s) - from) / LOOP_STEP) ? s : NULL;
}

static step take_capture(run *r, const node *n, const char *s) {
  tm_pattern_capture *c = &r->match->captures[n->size];
  size_t at = (size_t)(s - r->text);
  if (n->op == OP_OPEN) *c = (tm_pattern_capture){ at, TM_PATTERN_UNFINISHED };
  else if (n->op == OP_POSITION) *c = (tm_pattern_capture){ at, TM_PATTERN_POSITION };
  else c->size = at - c->start;
  return (step){ s, true, false };
}

/* FEW: as few as possible is none at all. MAYBE: one if there is one. */
static step take_optional(run *r, const node *n, const char *s, frame *f) {
  bool here = has_one(r, n, s);
  if (here) *f = (frame){ .node = n, .at = s };
  return (step){ n->op == OP_MAYBE ? s + here : s, here, here };
}

/* Where a match is: the node to come, the choices left behind, the depth of Lua's recursion. */
typedef struct walk { const node *n; frame *top; int depth; } walk;

/* Back to the newest choice that has something left to try; NULL: there is none. */
static const char *go_back(run *r, walk *w) {
  const char *s = NULL;
  while (s == NULL && r->status == TM_PATTERN_NONE && w->top != r->frames) {
    frame *f = w->top - 1;
    w->n = f->node + 1;
    w->depth = f->depth;
    if (f->node->op == OP_MAYBE) {
      s = f->at;
      w->depth--;
      w->top--;
    } else if (f->node->op == OP_FEW) {
      s = f->at = take_more(r, f->node, f->at);
      if (s == NULL) w->top--;
    } else if (take_fewer(r, f, &s)) {
      w->top--;
    }
  }
  return s;
}

/* The end of the match that starts at s, NULL where there is none (or r->status tells why). */
static const char *match_here(run *r, const tm_pattern *p, const char *s) {
  walk w = { .n = p->nodes, .top = r->frames };
  for (;;) {
    const node *n = w.n++;
    step next = { .at = NULL };
    if (!spend(r, 1)) return NULL;
    switch ((op)n->op) {
    case OP_END: return s;
    case OP_ERROR: return fail(r, n->text);
    case OP_TEXT:
      if ((size_t)(r->end - s) >= n->size && memcmp(s, n->text, n->size) == 0)
        next.at = s + n->size;
      break;
    case OP_ONE:
      if (has_one(r, n, s)) next.at = s + 1;
      break;
    case OP_MANY:
    case OP_SOME: next = take_many(r, n, s, w.top); break;
    case OP_FEW:
    case OP_MAYBE: next = take_optional(r, n, s, w.top); break;
    case OP_OPEN:
    case OP_POSITION:
    case OP_CLOSE: next = take_capture(r, n, s); break;
    case OP_BACK: next.at = back_reference(r, n, s); break;
    case OP_BALANCE: next.at = balance(r, n, s); break;
    case OP_FRONTIER:
      if (at_frontier(r, n, s)) next.at = s;
      break;
    case OP_LAST:
      if (s == r->end) next.at = s;
      break;
    }
    if (next.nested && w.depth++ == DEPTH_MAX) return fail(r, "pattern too complex");
    if (next.framed) w.top++->depth = w.depth;
    s = next.at != NULL ? next.at : go_back(r, &w);
    if (s == NULL) return NULL;
  }
}

/* ---- all matches ---- */

void tm_pattern_cursor_init(tm_pattern_cursor *cursor, const tm_pattern *pattern,
                            const char *text, size_t size, size_t init, uint64_t steps_max) {
  *cursor = (tm_pattern_cursor){ .pattern = pattern, .text = text, .size = size, .at = init,
                                 .last_end = SIZE_MAX, .steps = steps_max, .done = init > size };
}

tm_pattern_status tm_pattern_next(tm_pattern_cursor *cursor, tm_pattern_match *match) {
  if (cursor->done) return TM_PATTERN_NONE;
  run r;
  r.text = cursor->text;
  r.end = cursor->text + cursor->size;
  r.steps = cursor->steps;
  r.status = TM_PATTERN_NONE;
  r.match = match;
  const char *refused = cursor->last_end == SIZE_MAX ? NULL : r.text + cursor->last_end;
  tm_pattern_status status = search(&r, cursor->pattern, r.text + cursor->at, refused);
  cursor->steps = r.steps;
  cursor->done = status != TM_PATTERN_FOUND || cursor->pattern->anchored;
  if (status == TM_PATTERN_FOUND) cursor->at = cursor->last_end = match->end;
  return status;
}

/* ---- replacing ---- */

#define BAD(digit) "invalid capture index %" #digit

static tm_pattern_status expand_capture(const char *text, tm_pattern_match *match, uint32_t index,
                                        tm_bytes *out) {
  static const char *const invalid[9] = { BAD(1), BAD(2), BAD(3), BAD(4), BAD(5), BAD(6), BAD(7),
                                          BAD(8), BAD(9) };
  tm_pattern_capture c = { match->start, match->end - match->start };
  if (index < match->count) c = match->captures[index];
  else if (index > 0) match->error = invalid[index];
  if (c.size == TM_PATTERN_UNFINISHED) match->error = "unfinished capture";
  if (match->error != NULL) return TM_PATTERN_ERROR;
  bool room = c.size == TM_PATTERN_POSITION ? tm_bytes_format(out, "%zu", c.start + 1)
                                            : tm_bytes_append(out, text + c.start, c.size);
  return room ? TM_PATTERN_FOUND : TM_PATTERN_MEMORY;
}

tm_pattern_status tm_pattern_expand(const char *replacement, size_t replacement_size,
                                    const char *text, tm_pattern_match *match, tm_bytes *out) {
  const char *at = replacement, *end = replacement + replacement_size;
  for (;;) {
    const char *mark = at == end ? NULL : memchr(at, '%', (size_t)(end - at));
    const char *plain_end = mark == NULL ? end : mark;
    if (!tm_bytes_append(out, at, (size_t)(plain_end - at))) return TM_PATTERN_MEMORY;
    if (mark == NULL) return TM_PATTERN_FOUND;
    char c = mark + 1 < end ? mark[1] : 0;
    tm_pattern_status status = TM_PATTERN_FOUND;
    if (c == '%') {
      if (!tm_bytes_append_byte(out, '%')) return TM_PATTERN_MEMORY;
    } else if (c == '0') {
      if (!tm_bytes_append(out, text + match->start, match->end - match->start))
        return TM_PATTERN_MEMORY;
    } else if (c >= '1' && c <= '9') {
      status = expand_capture(text, match, (uint32_t)(c - '1'), out);
    } else {
      match->error = "invalid use of '%' in replacement string";
      status = TM_PATTERN_ERROR;
    }
    if (status != TM_PATTERN_FOUND) return status;
    at = mark + 2;
  }
}

tm_pattern_status tm_pattern_replace(const tm_pattern *pattern, const char *text, size_t size,
                                     const char *replacement, size_t replacement_size,
                                     int64_t count_max, uint64_t steps_max, tm_bytes *out,
                                     int64_t *count, const char **error) {
  tm_pattern_cursor cursor;
  tm_pattern_match match;
  size_t copied = 0;
  *count = 0;
  *error = NULL;
  tm_pattern_cursor_init(&cursor, pattern, text, size, 0, steps_max);
  while (count_max < 0 || *count < count_max) {
    tm_pattern_status status = tm_pattern_next(&cursor, &match);
    if (status == TM_PATTERN_NONE) break;
    if (status == TM_PATTERN_FOUND) {
      if (!tm_bytes_append(out, text + copied, match.start - copied)) return TM_PATTERN_MEMORY;
      status = tm_pattern_expand(replacement, replacement_size, text, &match, out);
    }
    if (status != TM_PATTERN_FOUND) {
      *error = match.error;
      return status;
    }
    copied = match.end;
    ++*count;
  }
  return tm_bytes_append(out, text + copied, size - copied) ? TM_PATTERN_FOUND : TM_PATTERN_MEMORY;
}
