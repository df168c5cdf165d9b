/* script/source_map.c: a scanner of Lua text that keeps names and strings.
 *
 * Comments, numbers and operators are skipped; brackets only count. Two passes with the same
 * scanner: the first counts tokens, the second stores them. */
#include "script/source_map.h"

#include <stdbool.h>
#include <string.h>

typedef struct token {
  uint32_t start, size, line;
  uint16_t depth;
  bool text;   /* a quoted string; else a name */
  char before; /* '.' or ':' where that stands before a name */
} token;

struct tm_source_map {
  const char *text;
  token *tokens;
  uint32_t count;
};

typedef struct scanner {
  const char *text, *at, *end;
  uint32_t line;
  uint16_t depth;
  char before;
  token *tokens; /* NULL while only counting */
  uint32_t count;
} scanner;

static bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void keep(scanner *s, const char *start, const char *end, uint32_t line, bool text) {
  if (s->tokens != NULL) {
    s->tokens[s->count] = (token){
        .start = (uint32_t)(start - s->text), .size = (uint32_t)(end - start), .line = line,
        .depth = s->depth, .text = text, .before = text ? '\0' : s->before,
    };
  }
  s->count++;
}

/* At "[": the level of a long bracket ("[==[" is 2), -1 where it is none. */
static int long_level(const scanner *s, const char *at) {
  int level = 0;
  for (at++; at < s->end && *at == '='; at++) level++;
  return at < s->end && *at == '[' ? level : -1;
}

/* At a long bracket of that level: to behind its end. */
static void skip_long(scanner *s, int level) {
  s->at += level + 2;
  for (; s->at < s->end; s->at++) {
    if (*s->at == '\n') s->line++;
    if (*s->at != ']') continue;
    const char *close = s->at + 1;
    int equals = 0;
    for (; close < s->end && *close == '='; close++) equals++;
    if (equals == level && close < s->end && *close == ']') {
      s->at = close + 1;
      return;
    }
  }
}

static void skip_comment(scanner *s) {
  s->at += 2;
  int level = s->at < s->end && *s->at == '[' ? long_level(s, s->at) : -1;
  if (level >= 0) {
    skip_long(s, level);
    return;
  }
  while (s->at < s->end && *s->at != '\n') s->at++;
}

static void scan_string(scanner *s) {
  char quote = *s->at++;
  const char *start = s->at;
  uint32_t line = s->line;
  while (s->at < s->end && *s->at != quote && *s->at != '\n') {
    if (*s->at == '\\' && s->at + 1 < s->end) {
      s->at++;
      if (*s->at == '\n') s->line++;
    }
    s->at++;
  }
  keep(s, start, s->at, line, true);
  if (s->at < s->end && *s->at == quote) s->at++;
}

static void scan_name(scanner *s) {
  const char *start = s->at;
  while (s->at < s->end && (is_name_start(*s->at) || is_digit(*s->at))) s->at++;
  keep(s, start, s->at, s->line, false);
}

static void skip_number(scanner *s) {
  while (s->at < s->end && (is_digit(*s->at) || is_name_start(*s->at) || *s->at == '.')) s->at++;
}

static void scan_mark(scanner *s) {
  char c = *s->at;
  char next = s->at + 1 < s->end ? s->at[1] : '\0';
  if (c == '(' || c == '{' || c == '[') s->depth++;
  if ((c == ')' || c == '}' || c == ']') && s->depth > 0) s->depth--;
  if ((c == '.' || c == ':') && next == c) { /* "..", "::" */
    s->at += 2;
    s->before = '\0';
    return;
  }
  s->before = c == '.' || c == ':' ? c : '\0';
  s->at++;
}

static void scan(scanner *s) {
  while (s->at < s->end) {
    char c = *s->at;
    char next = s->at + 1 < s->end ? s->at[1] : '\0';
    if (c == '\n') {
      s->line++;
      s->at++;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r') {
      s->at++;
      continue;
    }
    if (c == '-' && next == '-') {
      skip_comment(s);
      continue;
    }
    int level = c == '[' ? long_level(s, s->at) : -1;
    if (level >= 0) skip_long(s, level);
    else if (c == '"' || c == '\'') scan_string(s);
    else if (is_name_start(c)) scan_name(s);
    else if (is_digit(c)) skip_number(s);
    else {
      scan_mark(s);
      continue;
    }
    s->before = '\0';
  }
}

tm_source_map *tm_source_map_create(tm_arena *arena, const char *text, size_t size) {
  scanner counting = {.text = text, .at = text, .end = text + size, .line = 1};
  scan(&counting);
  tm_source_map *map = tm_arena_alloc(arena, sizeof *map);
  token *tokens = tm_arena_alloc(arena, (counting.count + 1) * sizeof *tokens);
  if (map == NULL || tokens == NULL) return NULL;
  scanner storing = {.text = text, .at = text, .end = text + size, .line = 1, .tokens = tokens};
  scan(&storing);
  *map = (tm_source_map){.text = text, .tokens = tokens, .count = storing.count};
  return map;
}

static bool is_word(const tm_source_map *map, const token *t, const char *word) {
  size_t size = strlen(word);
  return t->size == size && memcmp(map->text + t->start, word, size) == 0;
}

static bool is_call(const tm_source_map *map, const token *t, const char *verb) {
  return !t->text && t->before != '\0' && is_word(map, t, verb);
}

uint32_t tm_source_map_call(const tm_source_map *map, const char *verb, int line, uint32_t after) {
  bool chained = after > 0 && after <= map->count && line > 0 &&
                 map->tokens[after - 1].line >= (uint32_t)line;
  if (line <= 0) return 0;
  for (uint32_t i = chained ? after : 0; i < map->count; i++) {
    const token *t = &map->tokens[i];
    if (t->line < (uint32_t)line) continue;
    if (chained && t->depth < map->tokens[after - 1].depth) return 0;
    if (chained && t->depth != map->tokens[after - 1].depth) continue;
    if (is_call(map, t, verb)) return i + 1;
  }
  return 0;
}

uint32_t tm_source_map_last(const tm_source_map *map, const char *verb) {
  for (uint32_t i = map->count; i > 0; i--) {
    if (is_call(map, &map->tokens[i - 1], verb)) return i;
  }
  return 0;
}

int tm_source_map_line(const tm_source_map *map, uint32_t place) {
  return place == 0 || place > map->count ? 0 : (int)map->tokens[place - 1].line;
}

int tm_source_map_argument(const tm_source_map *map, uint32_t place, const char *word,
                           char *out_quote) {
  if (place == 0 || place > map->count) return 0;
  uint16_t depth = map->tokens[place - 1].depth;
  for (uint32_t i = place; i < map->count; i++) {
    const token *t = &map->tokens[i];
    if (t->depth <= depth && !(t->text && i == place)) return 0;
    if (!is_word(map, t, word)) continue;
    if (out_quote != NULL) *out_quote = t->text ? map->text[t->start - 1] : '\0';
    return (int)t->line;
  }
  return 0;
}
