/* tests/script/pattern_lib_test.c: find, match, gmatch and gsub against Lua's own library. */
#include <lauxlib.h>
#include <lualib.h>

#include "script_fixture.h"

TestSuite(script_pattern_lib, .init = fixture_setup, .fini = fixture_teardown, .timeout = 60);

static const char *const pieces[] = {
  "a", "b", ".", "%a", "%d", "%s", "[ab]", "[^a]", "[a-c]", "a*", "b+", ".-", "%w?", "(a)", "(.)",
  "()", "(a*)", "(", ")", "%1", "%bab", "%f[%a]", "^", "$", "%", "[", "]", "-", "*", "%S+",
};
static const char *const texts[] = {
  "", "a", "ab", "aabb", "abcabc", "hello world", "a1b2c3", "  a  b  ", "(a)(b)", "%d%a",
  "aaaaaaaa",
};
static const char *const calls[] = {
  "S:find(P)", "S:find(P, 2)", "S:find(P, -2)", "S:find(P, 1, true)", "S:match(P)", "S:match(P, 3)",
  "S:gsub(P, '<%0>')", "S:gsub(P, '%1', 2)", "S:gsub(P, { a = 'X', b = 5, c = false })",
  "S:gsub(P, function(...) return select('#', ...) .. (...) end)", "S:gsub(P, '%2')",
  "(function() local o = {} for x, y in S:gmatch(P) do o[#o + 1] = tostring(x) .. tostring(y) end "
  "return table.concat(o, ';') end)()",
  "(function() local o = {} for x in S:gmatch(P, 2) do o[#o + 1] = tostring(x) end "
  "return table.concat(o, ';') end)()",
};

enum { PATTERNS = 250 };

/* One chunk that runs every call on every text and gives back one long text. */
static const char *make_chunk(void) {
  uint64_t state = 3;
  tm_bytes chunk;
  tm_bytes_init(&chunk, fixture_budget);
  tm_bytes_append_text(&chunk, "(function() local out = {} local calls = {");
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    tm_bytes_format(&chunk, "function(S, P) return %s end,", calls[i]);
  }
  tm_bytes_append_text(&chunk, "} local texts = {");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    tm_bytes_format(&chunk, "'%s',", texts[i]);
  }
  tm_bytes_append_text(&chunk, "} local patterns = {");
  for (int i = 0; i < PATTERNS; i++) {
    tm_bytes_append_text(&chunk, "'");
    for (int k = 0; k < 1 + i % 4; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      tm_bytes_append_text(&chunk, pieces[(state >> 33) % (sizeof pieces / sizeof *pieces)]);
    }
    tm_bytes_append_text(&chunk, "',");
  }
  tm_bytes_append_text(&chunk,
                       "} for i, f in ipairs(calls) do for _, S in ipairs(texts) do "
                       "for _, P in ipairs(patterns) do "
                       "local r = table.pack(pcall(f, S, P)) "
                       "for k = 1, r.n do r[k] = tostring(r[k]):gsub('^[^:]*:%d+: ', '', 1) end "
                       "out[#out + 1] = i .. '|' .. S .. '|' .. P .. '|' .. "
                       "table.concat(r, ',', 1, r.n) end end end "
                       "return table.concat(out, '\\n') end)()");
  const char *text = tm_arena_text(&fixture_arena, (const char *)chunk.data, chunk.size);
  tm_bytes_deinit(&chunk);
  return text;
}

Test(script_pattern_lib, is_as_lua_s_own) {
  const char *chunk = make_chunk();
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_pushfstring(L, "return %s", chunk);
  cr_assert_eq(luaL_loadstring(L, lua_tostring(L, -1)), LUA_OK, "%s", lua_tostring(L, -1));
  cr_assert_eq(lua_pcall(L, 0, 1, 0), LUA_OK, "%s", lua_tostring(L, -1));
  const char *expected = lua_tostring(L, -1);
  const char *actual = fixture_value(chunk);
  cr_assert(strlen(expected) > 100000);
  int shown = 0;
  while (*expected != '\0' && *actual != '\0' && shown < 10) {
    size_t e = strcspn(expected, "\n"), a = strcspn(actual, "\n");
    bool same = e == a && memcmp(expected, actual, e) == 0;
    cr_expect(same, "Lua: %.*s\n  ours: %.*s", (int)e, expected, (int)a, actual);
    shown += !same;
    expected += e + (expected[e] == '\n');
    actual += a + (actual[a] == '\n');
  }
  cr_expect(*expected == *actual || shown == 10);
  lua_close(L);
}

/* More patterns than the cache keeps, and one that is in use while it would forget. */
Test(script_pattern_lib, many_patterns) {
  cr_expect_str_eq(fixture_value("(function() local n = 0 for i = 1, 1000 do "
                                 "if ('x' .. i .. 'y'):find('^x' .. i .. 'y$') then n = n + 1 end "
                                 "end "
                                 "return n end)()"), "1000");
  cr_expect_str_eq(fixture_value("(function() local s = ('a'):rep(3):gsub('a', function(x) "
                                 "for i = 1, 300 do assert(('k' .. i):match('k' .. i)) end "
                                 "return 'b' end) return s end)()"), "bbb");
  cr_expect_str_eq(fixture_value("(function() local o = {} for w in ('a b c'):gmatch '%a' do "
                                 "for i = 1, 300 do assert(('k' .. i):match('k' .. i)) end "
                                 "o[#o + 1] = w end return table.concat(o) end)()"), "abc");
  cr_expect_str_eq(fixture_value("#('ab'):rep(1000):gsub('ab', ('x'):rep(3000))"), "3000000");
}
