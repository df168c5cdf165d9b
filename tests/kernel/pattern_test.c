/* tests/kernel/pattern_test.c: our pattern matcher against the string library of the real Lua.
 *
 * Both sides write what find, match, gmatch and gsub gave as one line of text, errors included, and
 * the lines must be equal: for patterns that are known to be tricky, and for random ones. */
#include <criterion/criterion.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/pattern.h"

enum { STEPS = 1 << 30 };

static uint64_t seed = 54;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

typedef struct text { const char *bytes; size_t size; } text;
typedef struct request { text subject, pattern, replacement; int64_t init, count_max; } request;

typedef struct fixture {
  lua_State *lua;
  tm_budget *budget;
  tm_arena arena;
  tm_bytes ours;
} fixture;
static fixture fx;

static const char lua_side[] =
  "local function show(out, ...)\n"
  "  for i = 1, select('#', ...) do\n"
  "    local v = select(i, ...)\n"
  "    out[#out + 1] = type(v) == 'string' and '<' .. v .. '>' or tostring(v)\n"
  "  end\n"
  "end\n"
  "local function attempt(out, f, ...)\n"
  "  local results = table.pack(pcall(f, ...))\n"
  "  if results[1] then show(out, table.unpack(results, 2, results.n))\n"
  "  else\n" /* without the line of the loop that gmatch ran in, or what some releases add */
  "    local message = results[2]:gsub('^%[string.-%]:%d+: ', '')\n"
  "    out[#out + 1] = 'error: ' .. message:gsub('(index %%%d) in %a+.*', '%1')\n"
  "  end\n"
  "end\n"
  "function theirs(subject, pattern, replacement, init, count)\n"
  "  local out = { 'find' }\n"
  "  attempt(out, string.find, subject, pattern, init)\n"
  "  out[#out + 1] = 'match'\n"
  "  attempt(out, string.match, subject, pattern, init)\n"
  "  out[#out + 1] = 'gmatch'\n"
  "  attempt(out, function()\n"
  "    for a, b, c, d in string.gmatch(subject, pattern, init) do show(out, a, b, c, d) end\n"
  "  end)\n"
  "  out[#out + 1] = 'gsub'\n"
  "  attempt(out, string.gsub, subject, pattern, replacement, count >= 0 and count or nil)\n"
  "  return table.concat(out, ' ')\n"
  "end\n";

static void set_up(void) {
  fx.lua = luaL_newstate();
  luaL_openlibs(fx.lua);
  cr_assert_eq(luaL_dostring(fx.lua, lua_side), LUA_OK, "%s", lua_tostring(fx.lua, -1));
  fx.budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&fx.arena, fx.budget);
  tm_bytes_init(&fx.ours, fx.budget);
}

static void tear_down(void) {
  tm_bytes_deinit(&fx.ours);
  tm_arena_deinit(&fx.arena);
  tm_budget_destroy(fx.budget);
  lua_close(fx.lua);
}

static const char *theirs(const request *q, size_t *size) {
  lua_settop(fx.lua, 0);
  lua_getglobal(fx.lua, "theirs");
  lua_pushlstring(fx.lua, q->subject.bytes, q->subject.size);
  lua_pushlstring(fx.lua, q->pattern.bytes, q->pattern.size);
  lua_pushlstring(fx.lua, q->replacement.bytes, q->replacement.size);
  lua_pushinteger(fx.lua, q->init);
  lua_pushinteger(fx.lua, q->count_max);
  cr_assert_eq(lua_pcall(fx.lua, 5, 1, 0), LUA_OK, "%s", lua_tostring(fx.lua, -1));
  return lua_tolstring(fx.lua, -1, size);
}

static void say(const char *what, const void *bytes, size_t size, const char *end) {
  cr_assert(tm_bytes_append_text(&fx.ours, what) && tm_bytes_append(&fx.ours, bytes, size) &&
            tm_bytes_append_text(&fx.ours, end));
}

static void say_error(const char *error) { say(" error: ", error, strlen(error), ""); }

static void say_captures(const char *subject, const tm_pattern_match *m) {
  for (uint32_t i = 0; i < m->count; i++) {
    if (m->captures[i].size == TM_PATTERN_POSITION)
      cr_assert(tm_bytes_format(&fx.ours, " %zu", m->captures[i].start + 1));
    else say(" <", subject + m->captures[i].start, m->captures[i].size, ">");
  }
}

static void our_find(const request *q, const tm_pattern *p, bool positions) {
  tm_pattern_match m;
  size_t init;
  tm_pattern_status status = TM_PATTERN_NONE;
  if (tm_pattern_init(q->init, q->subject.size, &init))
    status = tm_pattern_find(p, q->subject.bytes, q->subject.size, init, STEPS, &m);
  if (status == TM_PATTERN_FOUND) status = tm_pattern_check_captures(&m);
  if (status == TM_PATTERN_NONE) say(" nil", "", 0, "");
  if (status == TM_PATTERN_ERROR) say_error(m.error);
  if (status != TM_PATTERN_FOUND) return;
  if (positions) cr_assert(tm_bytes_format(&fx.ours, " %zu %zu", m.start + 1, m.end));
  else if (m.count == 0) say(" <", q->subject.bytes + m.start, m.end - m.start, ">");
  say_captures(q->subject.bytes, &m);
}

static void our_gmatch(const request *q, const tm_pattern *p) {
  tm_pattern_match m;
  tm_pattern_cursor cursor;
  size_t init;
  tm_pattern_status status;
  if (!tm_pattern_init(q->init, q->subject.size, &init)) init = q->subject.size + 1;
  tm_pattern_cursor_init(&cursor, p, q->subject.bytes, q->subject.size, init, STEPS);
  while ((status = tm_pattern_next(&cursor, &m)) == TM_PATTERN_FOUND) {
    if (tm_pattern_check_captures(&m) != TM_PATTERN_FOUND) {
      status = TM_PATTERN_ERROR;
      break;
    }
    if (m.count == 0) say(" <", q->subject.bytes + m.start, m.end - m.start, ">");
    if (m.count > 4) m.count = 4; /* as many as the Lua side looks at, with nil for the others */
    say_captures(q->subject.bytes, &m);
    for (uint32_t i = m.count == 0 ? 1 : m.count; i < 4; i++) say(" nil", "", 0, "");
  }
  if (status == TM_PATTERN_ERROR) say_error(m.error);
}

static void our_gsub(const request *q, const tm_pattern *p) {
  tm_bytes out;
  int64_t count;
  const char *error;
  tm_bytes_init(&out, fx.budget);
  tm_pattern_status status =
      tm_pattern_replace(p, q->subject.bytes, q->subject.size, q->replacement.bytes,
                         q->replacement.size, q->count_max, STEPS, &out, &count, &error);
  if (status == TM_PATTERN_ERROR) {
    say_error(error);
  } else {
    cr_assert_eq(status, TM_PATTERN_FOUND);
    say(" <", out.size > 0 ? out.data : (uint8_t *)"", out.size, ">");
    cr_assert(tm_bytes_format(&fx.ours, " %d", (int)count));
  }
  tm_bytes_deinit(&out);
}

/* Says whether the two sides agree, and shows them if not. */
static bool agree(request q) {
  /* Blocks of their sizes, so that a sanitizer sees what is read beyond them. */
  char *subject = malloc(q.subject.size + (q.subject.size == 0));
  memcpy(subject, q.subject.bytes, q.subject.size);
  size_t size;
  const char *line = theirs(&q, &size);
  q.subject.bytes = subject;
  tm_arena_reset(&fx.arena);
  const tm_pattern *find =
      tm_pattern_compile(q.pattern.bytes, q.pattern.size, TM_PATTERN_FIND, &fx.arena);
  const tm_pattern *search =
      tm_pattern_compile(q.pattern.bytes, q.pattern.size, TM_PATTERN_SEARCH, &fx.arena);
  const tm_pattern *each =
      tm_pattern_compile(q.pattern.bytes, q.pattern.size, TM_PATTERN_EACH, &fx.arena);
  cr_assert(find != NULL && search != NULL && each != NULL);
  tm_bytes_clear(&fx.ours);
  say("find", "", 0, "");
  our_find(&q, find, true);
  say(" match", "", 0, "");
  our_find(&q, search, false);
  say(" gmatch", "", 0, "");
  our_gmatch(&q, each);
  say(" gsub", "", 0, "");
  our_gsub(&q, search);
  bool same = fx.ours.size == size && memcmp(fx.ours.data, line, size) == 0;
  cr_expect(same,
            "pattern '%s' subject '%s' init %d replacement '%s' count %d\n  lua  %s\n  ours %s",
            q.pattern.bytes, q.subject.size > 200 ? "(long)" : q.subject.bytes, (int)q.init,
            q.replacement.bytes, (int)q.count_max, line, tm_bytes_c_string(&fx.ours));
  free(subject);
  return same;
}

static text text_of(const char *s) { return (text){ s, strlen(s) }; }

/* ---- what is known to be tricky ---- */

Test(pattern, tricky_ones, .init = set_up, .fini = tear_down) {
  static const char *const patterns[] = {
    "", "a", "abc", "^abc", "abc$", "^abc$", "^", "$", "^$", "^^a", "a^", "$a", "a$b", "$$", "^*",
    "*", "+", "-", "?", "a**", "a*+", "a+?", ".-", ".*", ".+", ".?", "(.-)b", "(.*)b(.*)", "a-b",
    "%", "a%", "x%", "[", "[a", "[^", "[]", "[]]", "[^]]", "[^]", "[a-]", "[-a]", "[]-a]", "[%",
    "[%]", "[%]]", "[%a-z]", "[a-%z]", "[+-%%]", "[a-c]+", "[^a-c]+", "[%w_]+", "[%]%[]", "[a%-z]",
    "[z-a]", "[--/]", "[%z]", "%z", "%Z", "%q", "%Q", "[%q]", "%.", "%a+", "%A+", "%c", "%d+",
    "%g+", "%l+", "%p+", "%s+", "%u+", "%w+", "%x+", "%C", "%D", "%G", "%L", "%P", "%S", "%U", "%W",
    "%X", "()", "()a()", "(a)(b)", "((a)(b))", "(a", "a)", "((a)", ")", "(", "(()", "())", "(a)%1",
    "(a)%2", "%1", "%0", "(%1)", "()%1", "(a*)%1", "(.)%1", "(..)-%1", "%b()", "%b", "%b(", "%bxx",
    "%b()%b[]", "x%b()", "%f[%w]%w+", "%f", "%f[", "%fa", "%f[%z]", "%f[^%w]", "%f[%w]", "%f[a]b",
    "a%f[%z]", "(%w+)%s*=%s*(%w+)", "^%s*(.-)%s*$", "(%d%d%d%d)-(%d%d)-(%d%d)", "[^,]*", "[^,]+,?",
    "([^,]*),", "a*b*c*", "a-b-c-", "a?b?c?", "(a?)(b?)(c?)", "(a*(.)%w(%s*))", ".%f[%W]",
    "[a-z]*x", "[a-z]+x", ".-x", "b.-x", "[ab]-x", "%a-%d", "(a)()", "((((((((((a))))))))))",
    "a.c", "a..", "...", "....", "\xe4", "[\x80-\xff]+", "[^\x01-\x7f]",
  };
  static const char *const subjects[] = {
    "", "a", "b", "abc", "aabbcc", "xabcx", "abcabc", "  key = value  ", "2026-03-14", "a,b,,c,",
    "(a(b)c)(d", "THE (quick) fox", "aXb1c2 d3", "a]b[c-d%e^f$", "aaa", "aaab", "zzz", "x=1, y=2",
    "hello world", "\xe4\xf6\xfc \xff", "[[x]](y)", "a.b.c", "+-*/%&", "\t\n\r\x01\x7f ~",
  };
  static const char *const replacements[] = { "<%0>", "%1", "%2%1", "%%", "%", "%x", "-", "",
    "%9" };
  size_t n = sizeof patterns / sizeof *patterns, m = sizeof subjects / sizeof *subjects, bad = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < m; k++) {
      request q = { text_of(subjects[k]), text_of(patterns[i]),
                    text_of(replacements[(i + k) % 9]), 1, -1 };
      if ((i + k) % 3 == 0) q.init = (int64_t)(random_u64() % 12) - 5;
      if ((i + k) % 4 == 0) q.count_max = (int64_t)(random_u64() % 3);
      bad += !agree(q);
      cr_assert(bad < 20);
    }
}

/* Zeros are bytes like others, on both sides. */
Test(pattern, zeros, .init = set_up, .fini = tear_down) {
  static const text patterns[] = { { "a\0b", 3 }, { "\0", 1 }, { "[\0]+", 4 }, { "[^\0]+", 5 },
    { "%b\0\1", 4 }, { "%\0", 2 }, { "%f[\0]", 5 }, { "%z", 2 }, { "[\0-\3]", 5 }, { "a\0*", 3 },
    { "(\0", 2 }, { "%f\0", 3 }, { "[\0", 2 }, { "%b\0\0", 4 } };
  static const text subjects[] = { { "a\0b\0\0", 5 }, { "\0", 1 }, { "", 0 }, { "\0\1\0\1", 4 },
    { "ab", 2 } };
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
    for (size_t k = 0; k < sizeof subjects / sizeof *subjects; k++)
      agree((request){ subjects[k], patterns[i], { "x\0%0", 4 }, 1, -1 });
}

/* ---- random ones ---- */

typedef struct maker { char bytes[512]; size_t size; } maker;

static void put(maker *m, const char *s) {
  memcpy(m->bytes + m->size, s, strlen(s) + 1);
  m->size += strlen(s);
}

static const char *pick(const char *const *from, size_t count) {
  return from[random_u64() % count];
}
#define PICK(list) pick(list, sizeof list / sizeof *list)

static void put_set(maker *m) {
  static const char *const items[] = { "a", "b", "c", "a-c", "b-z", "%a", "%d", "%w", "%S", "%]",
    "-", "^", "%", "]", "0-9", "x-a", ".", " " };
  put(m, random_u64() % 3 ? "[" : "[^");
  for (uint64_t n = 1 + random_u64() % 3; n > 0; n--) put(m, PICK(items));
  if (random_u64() % 16) put(m, "]");
}

static void put_item(maker *m, int *open) {
  static const char *const classes[] = { ".", ".", "%a", "%d", "%s", "%w", "%u", "%A", "%D", "%S",
    "%W", "%p", "%." };
  static const char *const letters[] = { "a", "b", "c", "a", "b", " ", "1", "x", ",", "B" };
  static const char *const odd[] = { "%1", "%2", "%b()", "%bab", "%bcc", "%f[%w]", "%f[%W]",
    "%f[abc]", "%f[^a]", "()", "$", "^", "%", "%f", "%b", "%0", ")", "-", "*" };
  static const char *const repeats[] = { "", "", "", "", "*", "+", "-", "?" };
  uint64_t kind = random_u64() % 20;
  if (kind < 2) {
    put(m, "(");
    ++*open;
  } else if (kind < 4 && *open > 0) {
    put(m, ")");
    --*open;
  } else if (kind == 4) {
    put(m, PICK(odd));
  } else {
    if (kind < 7) put_set(m);
    else if (kind < 11) put(m, PICK(classes));
    else put(m, PICK(letters));
    put(m, PICK(repeats));
  }
}

static void random_pattern(maker *m) {
  int open = 0;
  m->size = 0;
  m->bytes[0] = 0;
  if (random_u64() % 8 == 0) put(m, "^");
  for (uint64_t n = random_u64() % 8; n > 0; n--) put_item(m, &open);
  while (open-- > 0 && random_u64() % 20) put(m, ")");
  if (random_u64() % 8 == 0) put(m, "$");
}

static void random_subject(maker *m) {
  static const char *const parts[] = { "a", "b", "c", "aa", "ab", "abc", " ", "1", "x", ",", "B",
    "(", ")", "cc", "ba" };
  m->size = 0;
  m->bytes[0] = 0;
  for (uint64_t n = random_u64() % 9; n > 0; n--) put(m, PICK(parts));
}

static void random_replacement(maker *m) {
  static const char *const parts[] = { "x", "%0", "%1", "%2", "%%", "-", "%1", "%" };
  m->size = 0;
  m->bytes[0] = 0;
  for (uint64_t n = random_u64() % 4; n > 0; n--)
    put(m, parts[random_u64() % (random_u64() % 8 ? 7 : 8)]);
}

Test(pattern, random_ones, .init = set_up, .fini = tear_down, .timeout = 240) {
  maker pattern, subject, replacement;
  int bad = 0;
  for (int i = 0; i < 40000; i++) {
    random_pattern(&pattern);
    for (int k = 0; k < 4; k++) {
      random_subject(&subject);
      random_replacement(&replacement);
      request q = { { subject.bytes, subject.size }, { pattern.bytes, pattern.size },
                    { replacement.bytes, replacement.size }, 1, -1 };
      if (random_u64() % 4 == 0) q.init = (int64_t)(random_u64() % 30) - 12;
      if (random_u64() % 4 == 0) q.count_max = (int64_t)(random_u64() % 3);
      bad += !agree(q);
      cr_assert(bad < 10);
    }
  }
}

/* ---- depth and work ---- */

/* A part that is written `times` times, between two others. */
static text repeated(char *out, const char *before, const char *part, size_t times,
                     const char *behind) {
  size_t size = strlen(before), step = strlen(part);
  memcpy(out, before, size);
  for (size_t i = 0; i < times; i++, size += step) memcpy(out + size, part, step);
  memcpy(out + size, behind, strlen(behind) + 1);
  return (text){ out, size + strlen(behind) };
}

/* Lua refuses what would nest more than 200 calls: at the very same place. */
Test(pattern, refuses_the_same_depth, .init = set_up, .fini = tear_down) {
  static const char *const parts[] = { "a?", "a*", "b+", "a-", "b?", "b*", "()", "(a)", "a?b-" };
  static const size_t times[] = { 10, 31, 32, 33, 99, 100, 101, 197, 198, 199, 200, 201, 250 };
  char subject[1024], pattern[2048];
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    for (size_t k = 0; k < sizeof times / sizeof *times; k++)
      for (int ends = 0; ends < 3; ends++) {
        request q = { repeated(subject, "", "a", 260, ""),
                      repeated(pattern, "", parts[i], times[k], ends == 2 ? "(" : ""),
                      text_of("x"), 1, 1 };
        if (ends == 1) q.subject = text_of("a");
        if (strchr(parts[i], '-') != NULL && ends == 0) q.subject.size = 20;
        agree(q);
      }
}

/* A '?' that gives its byte back no longer counts: any number of those is fine. */
Test(pattern, depth_shrinks_again, .init = set_up, .fini = tear_down) {
  char subject[1024], pattern[2048];
  for (size_t times = 190; times <= 250; times += 10)
    for (int ends = 0; ends < 2; ends++)
      agree((request){ repeated(subject, "", "ab", times, ends ? "x" : ""),
                       repeated(pattern, "^", "a?ab", times, ends ? "(.)" : "$"), text_of("x"), 1,
                       -1 });
}

static tm_pattern_status find_within(const char *subject, size_t size, const char *pattern,
                                     uint64_t steps_max, tm_pattern_match *match) {
  const tm_pattern *p =
      tm_pattern_compile(pattern, strlen(pattern), TM_PATTERN_SEARCH, &fx.arena);
  cr_assert_not_null(p);
  return tm_pattern_find(p, subject, size, 0, steps_max, match);
}

/* What would take years is given up after the steps that were granted, and soon. */
Test(pattern, gives_up_at_the_limit, .init = set_up, .fini = tear_down, .timeout = 20) {
  static const char *const evil[] = { "a*a*a*a*a*a*a*a*a*a*b", ".-.-.-.-.-.-.-.-b",
    "(.*)(.*)(.*)(.*)x", "[ab]*[ab]*[ab]*[ab]*[ab]*c", "a-a-a-a-a-a-a-a-b", "(a*)%1b",
    "a?a?a?a?a?a?.*.*.*b", ".*.*.*=.*" };
  size_t size = 1 << 20;
  char *subject = malloc(size);
  memset(subject, 'a', size);
  tm_pattern_match m;
  for (size_t i = 0; i < sizeof evil / sizeof *evil; i++)
    cr_expect_eq(find_within(subject, size, evil[i], 20000000, &m), TM_PATTERN_LIMIT, "%s",
                 evil[i]);
  cr_expect_eq(find_within(subject, 5, "a*b", 1, &m), TM_PATTERN_LIMIT);
  cr_expect_eq(find_within(subject, 5, "a*b", 300, &m), TM_PATTERN_NONE);
  cr_expect_eq(find_within(subject, size, "b", 10, &m), TM_PATTERN_LIMIT);
  free(subject);
}

/* A long text costs no more steps than it has bytes where the pattern is simple, though Lua's own
 * matcher tries every run of letters from each of its letters. */
Test(pattern, simple_patterns_are_linear, .init = set_up, .fini = tear_down, .timeout = 20) {
  static const char *const simple[] = { "needle", "%d+", "[^x]*x", "^.-x", "x.-y", "^(.*)x",
    "(%a+) requests", "%a+%s*$x", ".*x", ".-x", "()a*()%d", "[^,]+," };
  size_t size = 1 << 20;
  char *subject = malloc(size);
  memset(subject, 'a', size);
  tm_pattern_match m;
  for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
    cr_expect_eq(find_within(subject, size, simple[i], 4 * size, &m), TM_PATTERN_NONE, "%s",
                 simple[i]);
  }
  free(subject);
}

Test(pattern, tells_what_it_knows, .init = set_up, .fini = tear_down) {
  size_t size;
  const tm_pattern *p = tm_pattern_compile("a%.b", 4, TM_PATTERN_SEARCH, &fx.arena);
  cr_assert_not_null(tm_pattern_literal(p, &size));
  cr_expect_eq(size, 3);
  cr_expect_eq(memcmp(tm_pattern_literal(p, &size), "a.b", 3), 0);
  cr_expect_null(tm_pattern_malformed(p));
  p = tm_pattern_compile("^ab", 3, TM_PATTERN_SEARCH, &fx.arena);
  cr_expect_null(tm_pattern_literal(p, &size));
  p = tm_pattern_compile("(%a+)()", 7, TM_PATTERN_SEARCH, &fx.arena);
  cr_expect_eq(tm_pattern_capture_count(p), 2);
  cr_expect_null(tm_pattern_literal(p, &size));
  p = tm_pattern_compile("ab[c", 4, TM_PATTERN_SEARCH, &fx.arena);
  cr_expect_str_eq(tm_pattern_malformed(p), "malformed pattern (missing ']')");
  p = tm_pattern_compile("(ab", 3, TM_PATTERN_SEARCH, &fx.arena);
  cr_expect_str_eq(tm_pattern_malformed(p), "unfinished capture");
  tm_pattern_match m;
  cr_expect_eq(tm_pattern_find(p, "xab", 3, 0, STEPS, &m), TM_PATTERN_FOUND);
  cr_expect_eq(tm_pattern_check_captures(&m), TM_PATTERN_ERROR);
}
