/* kernel/pattern_compile.c: a Lua pattern as a line of nodes.
 *
 * Reading never fails: what is malformed becomes a node that raises when a match arrives there, as
 * in Lua, and ends the program. Two passes follow over the nodes: one notes what can follow a
 * repeated class, so that hopeless ways back are not tried, one notes how a match must start, so
 * that hopeless places are not. */
#include <string.h>

#include "kernel/pattern_program.h"

typedef struct reader {
  const char *at, *end;
  tm_arena *arena;
  tm_pattern *out;
  uint32_t open[TM_PATTERN_CAPTURES_MAX]; /* captures not closed yet, innermost last */
  uint32_t open_count;
  bool closed[TM_PATTERN_CAPTURES_MAX];
  bool plain;  /* for find: no byte but ')' that means more than itself */
  bool memory; /* false: the arena is out of it */
} reader;

static bool is_plain(const char *text, size_t size);
static bool read_node(reader *r);
static void join_text(tm_pattern *p, char *bytes);
static void note_followers(tm_pattern *p);
static void note_start(tm_pattern *p, byte_set *start);

const tm_pattern *tm_pattern_compile(const char *pattern, size_t size, tm_pattern_use use,
                                     tm_arena *arena) {
  if (size >= UINT32_MAX / sizeof(node)) return NULL;
  char *text = tm_arena_text(arena, pattern, size);
  tm_pattern *p = tm_arena_zero(arena, sizeof *p + (size + 1) * sizeof(node));
  byte_set *start = tm_arena_zero(arena, sizeof *start);
  char *literals = tm_arena_alloc(arena, size + 1);
  if (text == NULL || p == NULL || start == NULL || literals == NULL) return NULL;
  reader r = { .at = text, .end = text + size, .arena = arena, .out = p, .memory = true };
  r.plain = use == TM_PATTERN_FIND && is_plain(text, size);
  if (use != TM_PATTERN_EACH && size > 0 && text[0] == '^') {
    p->anchored = true;
    r.at++;
  }
  while (read_node(&r)) continue;
  if (!r.memory) return NULL;
  p->nodes[p->count++] = (node){ .op = OP_END, .next_byte = -1 };
  if (r.open_count > 0 && p->malformed == NULL) p->malformed = "unfinished capture";
  join_text(p, literals);
  note_followers(p);
  note_start(p, start);
  return p;
}

const char *tm_pattern_malformed(const tm_pattern *pattern) { return pattern->malformed; }

uint32_t tm_pattern_capture_count(const tm_pattern *pattern) { return pattern->captures; }

const char *tm_pattern_literal(const tm_pattern *pattern, size_t *size) {
  const node *n = pattern->nodes;
  *size = 0;
  if (pattern->anchored) return NULL;
  if (n[0].op == OP_END) return "";
  if (n[0].op != OP_TEXT || n[1].op != OP_END) return NULL;
  *size = n[0].size;
  return n[0].text;
}

/* ---- classes, by the C locale ---- */

static bool is_alpha(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_graph(int c) { return c > ' ' && c < 127; }

static bool letter_has(int letter, int c) {
  switch (letter | 32) {
  case 'a': return is_alpha(c);
  case 'c': return c < ' ' || c == 127;
  case 'd': return is_digit(c);
  case 'g': return is_graph(c);
  case 'l': return c >= 'a' && c <= 'z';
  case 'p': return is_graph(c) && !is_alpha(c) && !is_digit(c);
  case 's': return c == ' ' || (c >= '\t' && c <= '\r');
  case 'u': return c >= 'A' && c <= 'Z';
  case 'w': return is_alpha(c) || is_digit(c);
  case 'x': return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
  default: return c == 0; /* 'z', which Lua no longer documents */
  }
}

static void add_byte(byte_set *set, unsigned char c) {
  set->words[c >> 6] |= UINT64_C(1) << (c & 63);
}

/* What '%' and a byte mean. */
static void add_escape(byte_set *set, unsigned char letter) {
  if (!is_alpha(letter) || strchr("acdglpsuwxz", letter | 32) == NULL) {
    add_byte(set, letter);
    return;
  }
  bool is_upper = letter <= 'Z';
  for (int c = 0; c < 256; c++)
    if (letter_has(letter, c) != is_upper) add_byte(set, (unsigned char)c);
}

/* The inside of brackets: from behind '[' to the closing one. */
static void add_bracket(byte_set *set, const char *at, const char *close) {
  bool inverted = *at == '^';
  for (at += inverted; at < close; at++) {
    unsigned char c = (unsigned char)*at;
    if (c == '%') {
      add_escape(set, (unsigned char)*++at);
    } else if (at + 2 < close && at[1] == '-') {
      at += 2;
      for (int i = c; i <= (unsigned char)*at; i++) add_byte(set, (unsigned char)i);
    } else {
      add_byte(set, c);
    }
  }
  for (int i = 0; i < 4 && inverted; i++) set->words[i] = ~set->words[i];
}

static void classify(node *n) {
  int bits = 0;
  for (int i = 0; i < 4; i++) bits += __builtin_popcountll(n->set->words[i]);
  n->kind = bits == 256 ? CLASS_ANY : bits == 1 ? CLASS_BYTE : bits == 255 ? CLASS_NOT_BYTE
                                                                           : CLASS_SET;
  if (n->kind != CLASS_BYTE && n->kind != CLASS_NOT_BYTE) return;
  for (int i = 0; i < 4; i++) {
    uint64_t word = n->kind == CLASS_BYTE ? n->set->words[i] : ~n->set->words[i];
    if (word != 0) n->byte = (uint8_t)(i * 64 + __builtin_ctzll(word));
  }
}

/* ---- reading ---- */

static bool is_plain(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] != 0 && strchr("^$*+?.([%-", text[i]) != NULL) return false;
  return true;
}

static node *add_node(reader *r, op what) {
  node *n = &r->out->nodes[r->out->count++];
  *n = (node){ .op = (uint8_t)what, .next_byte = -1 };
  return n;
}

/* Ends the program. */
static bool malformed(reader *r, const char *text) {
  add_node(r, OP_ERROR)->text = text;
  if (r->out->malformed == NULL) r->out->malformed = text;
  return false;
}

/* The byte at at[offset]; beyond the end there is a zero. */
static char peek(const reader *r, size_t offset) {
  return offset < (size_t)(r->end - r->at) ? r->at[offset] : 0;
}

/* Behind the closing bracket of the one at `at`, NULL where there is none. The first byte inside
 * never closes. */
static const char *bracket_end(const reader *r, const char *at) {
  at++;
  if (at < r->end && *at == '^') at++;
  do {
    if (at >= r->end) return NULL;
    if (*at++ == '%') at++;
  } while (at >= r->end || *at != ']');
  return at + 1;
}

static bool read_capture(reader *r) {
  tm_pattern *p = r->out;
  if (*r->at == ')') {
    if (r->open_count == 0) return malformed(r, "invalid pattern capture");
    uint32_t which = r->open[--r->open_count];
    r->closed[which] = true;
    add_node(r, OP_CLOSE)->size = which;
    r->at++;
    return true;
  }
  if (p->captures == TM_PATTERN_CAPTURES_MAX) return malformed(r, "too many captures");
  bool position = peek(r, 1) == ')';
  add_node(r, position ? OP_POSITION : OP_OPEN)->size = p->captures;
  if (position) r->closed[p->captures] = true;
  else r->open[r->open_count++] = p->captures;
  p->captures++;
  r->at += position ? 2 : 1;
  return true;
}

static bool read_back(reader *r) {
  static const char *const invalid[10] = { "invalid capture index %0", "invalid capture index %1",
    "invalid capture index %2", "invalid capture index %3", "invalid capture index %4",
    "invalid capture index %5", "invalid capture index %6", "invalid capture index %7",
    "invalid capture index %8", "invalid capture index %9" };
  uint32_t digit = (uint32_t)(r->at[1] - '0');
  if (digit == 0 || digit > r->out->captures || !r->closed[digit - 1])
    return malformed(r, invalid[digit]);
  add_node(r, OP_BACK)->size = digit - 1;
  r->at += 2;
  return true;
}

/* A class and what repeats it. */
static bool read_class(reader *r, op what) {
  char first = what == OP_FRONTIER ? '[' : *r->at;
  const char *from = what == OP_FRONTIER ? r->at + 2 : r->at, *end = from + 1;
  if (first == '%' && end++ == r->end) return malformed(r, "malformed pattern (ends with '%')");
  if (first == '[') end = bracket_end(r, from);
  if (end == NULL) return malformed(r, "malformed pattern (missing ']')");
  byte_set *set = tm_arena_zero(r->arena, sizeof *set);
  if (set == NULL) return r->memory = false;
  if (first == '[') add_bracket(set, from + 1, end - 1);
  else if (first == '%') add_escape(set, (unsigned char)from[1]);
  else if (first == '.') memset(set, 0xff, sizeof *set);
  else add_byte(set, (unsigned char)first);
  r->at = end;
  if (what == OP_ONE && end < r->end) {
    what = *end == '*' ? OP_MANY : *end == '+' ? OP_SOME : *end == '-' ? OP_FEW
           : *end == '?' ? OP_MAYBE : OP_ONE;
    if (what != OP_ONE) r->at++;
  }
  node *n = add_node(r, what);
  n->set = set;
  classify(n);
  return true;
}

/* false at the end, at an error, and without memory. */
static bool read_node(reader *r) {
  if (r->at == r->end) return false;
  if (r->plain) return read_class(r, OP_ONE);
  switch (*r->at) {
  case '(': case ')': return read_capture(r);
  case '$':
    if (r->at + 1 != r->end) break;
    add_node(r, OP_LAST);
    r->at++;
    return true;
  case '%':
    switch (peek(r, 1)) {
    case 'b':
      if (r->end - r->at < 4)
        return malformed(r, "malformed pattern (missing arguments to '%b')");
      node *n = add_node(r, OP_BALANCE);
      n->byte = (uint8_t)r->at[2];
      n->other = (uint8_t)r->at[3];
      r->at += 4;
      return true;
    case 'f':
      if (peek(r, 2) != '[') return malformed(r, "missing '[' after '%f' in pattern");
      return read_class(r, OP_FRONTIER);
    case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8':
    case '9': return read_back(r);
    default: break;
    }
    break;
  default: break;
  }
  return read_class(r, OP_ONE);
}

/* ---- afterwards ---- */

/* Single bytes next to each other become one text, which lies in `bytes`. */
static void join_text(tm_pattern *p, char *bytes) {
  uint32_t out = 0;
  for (uint32_t i = 0; i < p->count; i++) {
    node n = p->nodes[i];
    if (n.op != OP_ONE || n.kind != CLASS_BYTE) {
      p->nodes[out++] = n;
      continue;
    }
    if (out == 0 || p->nodes[out - 1].op != OP_TEXT)
      p->nodes[out++] = (node){ .op = OP_TEXT, .next_byte = -1, .text = bytes };
    p->nodes[out - 1].size++;
    *bytes++ = (char)n.byte;
  }
  p->count = out;
}

static bool sets_meet(const byte_set *a, const byte_set *b) {
  uint64_t both = 0;
  for (int i = 0; i < 4; i++) both |= a->words[i] & b->words[i];
  return both != 0;
}

/* The node that decides what follows: captures take no byte. */
static const node *past_captures(const node *n) {
  while (n->op == OP_OPEN || n->op == OP_POSITION || n->op == OP_CLOSE) n++;
  return n;
}

/* MANY or SOME, when fewer than all would never do: what must come next cannot be a byte of the
 * class, and neither can what may come before that. */
static bool is_fixed(const node *n) {
  const node *next = past_captures(n + 1);
  for (;; next = past_captures(next + 1)) {
    switch ((op)next->op) {
    case OP_TEXT: return !set_has(n->set, (unsigned char)next->text[0]);
    case OP_ONE:
    case OP_SOME: return !sets_meet(n->set, next->set);
    case OP_MANY:
    case OP_FEW:
    case OP_MAYBE:
      if (sets_meet(n->set, next->set)) return false;
      break;
    default: return next->op == OP_LAST || next->op == OP_END;
    }
  }
}

static void note_followers(tm_pattern *p) {
  for (uint32_t i = 0; i + 1 < p->count; i++) {
    node *n = &p->nodes[i];
    if (n->op != OP_MANY && n->op != OP_SOME && n->op != OP_FEW) continue;
    const node *next = past_captures(n + 1);
    if (next->op == OP_TEXT) n->next_byte = (unsigned char)next->text[0];
    n->fixed = n->op != OP_FEW && is_fixed(n);
  }
}

static void note_start(tm_pattern *p, byte_set *start) {
  const node *n = past_captures(p->nodes);
  bool back = false;
  for (uint32_t i = 0; i < p->count; i++) back = back || p->nodes[i].op == OP_BACK;
  if (!back && (n->op == OP_MANY || n->op == OP_SOME || n->op == OP_FEW)) p->start_run = n;
  if (n->op == OP_TEXT) {
    p->start_text = n->text;
    p->start_size = n->size;
    return;
  }
  for (;; n = past_captures(n + 1)) {
    bool one = n->op == OP_ONE || n->op == OP_SOME;
    if (one || n->op == OP_MANY || n->op == OP_FEW || n->op == OP_MAYBE) {
      for (int i = 0; i < 4; i++) start->words[i] |= n->set->words[i];
    } else if (n->op == OP_TEXT || n->op == OP_BALANCE) {
      add_byte(start, n->op == OP_TEXT ? (unsigned char)n->text[0] : n->byte);
      one = true;
    } else {
      return; /* may match nothing at all, or raise */
    }
    if (one) break;
  }
  bool all = true;
  for (int i = 0; i < 4; i++) all = all && start->words[i] == UINT64_MAX;
  if (!all) p->start_set = start;
}
