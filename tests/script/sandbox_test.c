/* tests/script/sandbox_test.c: what a script finds in its state, and what it does not. */
#include "script_fixture.h"

TestSuite(script_sandbox, .init = fixture_setup, .fini = fixture_teardown);

typedef struct expectation { const char *expression, *value; } expectation;

static void expect_values(const expectation *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *actual = fixture_value(all[i].expression);
    cr_expect_str_eq(actual, all[i].value, "%s\n  gives     %s\n  expected  %s",
                     all[i].expression, actual, all[i].value);
  }
}
#define EXPECT_VALUES(all) expect_values(all, sizeof(all) / sizeof *(all))

/* All keys and values that pairs gives, and that next gives. */
#define WALK(table)                                                                             \
  "(function() local s, u, t = '', '', " table " "                                              \
  "for k, v in pairs(t) do s = s .. tostring(k) .. ' ' end "                                    \
  "local k = next(t) while k ~= nil do u = u .. tostring(k) .. ' ' k = next(t, k) end "         \
  "assert(s == u, u) return s end)()"

Test(script_sandbox, pairs_and_next_go_in_the_order_of_keys) {
  const expectation all[] = {
    {WALK("{ z = 1, a = 2, m = 3 }"), "a m z "},
    {WALK("{ 5, 6, 7, b = 1, [0] = 2, [-1] = 3 }"), "-1 0 1 2 3 b "},
    {WALK("{ [1.5] = 1, [1] = 1, [2] = 1, [-0.5] = 1, [1e300] = 1, [math.mininteger] = 1 }"),
     "-9223372036854775808 -0.5 1 1.5 2 1e+300 "},
    {WALK("{ [true] = 1, [false] = 2, x = 3, [3] = 4 }"), "3 x false true "},
    {WALK("{ a = 1, aa = 2, A = 3, ['\\xff'] = 4, [''] = 5 }"), " A a aa \xff "},
    {WALK("{ [tm.day '2026-03-02'] = 1, [tm.day '2025-12-31'] = 2, x = 1 }"),
     "x 2025-12-31 2026-03-02 "},
    {WALK("{}"), ""},
    {"(function() local t = { a = 1, b = 2, c = 3 } for k in pairs(t) do t[k] = nil end "
     "return next(t) end)()", "nil"},
    {"(function() local t, s = { a = 1, b = 2, c = 3 }, '' for k in pairs(t) do s = s .. k "
     "t.b = nil end return s end)()", "ac"},
    {"pairs { [{}] = 1, [{}] = 2 }", "! keys of type table have no order to go through them in"},
    {"#(function() local n = {} for k in pairs { [{}] = 1 } do n[#n + 1] = k end return n end)()",
     "1"},
    {"(function() local s = '' for k, v in pairs(setmetatable({}, { __pairs = function() "
     "return function(_, k) if not k then return 1, 2 end end, nil, nil end })) do "
     "s = s .. k .. v end return s end)()", "12"},
    {"next({ a = 1 }, 'b')", "! invalid key to 'next'"},
  };
  EXPECT_VALUES(all);
}

/* Two walks at once: the list that next keeps is of the other table each time. */
Test(script_sandbox, nested_walks) {
  const expectation all[] = {
    {"(function() local s = '' local a, b = { x = 1, y = 2 }, { p = 1, q = 2 } "
     "for i in next, a do for j in next, b do s = s .. i .. j .. ' ' end end return s end)()",
     "xp xq yp yq "},
  };
  EXPECT_VALUES(all);
}

Test(script_sandbox, no_addresses) {
  const expectation all[] = {
    {"{}", "table"},
    {"print", "function"},
    {"function() end", "function"},
    {"tm.secret 'PATH'", "***"},
    {"tm.null", "userdata"},
    {"string.format('%s %s', {}, 5)", "table 5"},
    {"string.format('%5.2f|%d|%q|%%|%-5s|', 1.5, 3, 'x', 'ab')", " 1.50|3|\"x\"|%|ab   |"},
    {"string.format('%p', {})", "! '%p' is not available: addresses differ in every run"},
    {"string.format('%s', setmetatable({}, { __tostring = function() return 'me' end }))", "me"},
    {"tostring(setmetatable({}, { __tostring = function() return {} end }))",
     "! '__tostring' must return a string"},
    {"tostring(1e15) .. tostring(2^53) .. tostring(-0.0) .. tostring(3)",
     "1e+159.007199254741e+15-0.03"},
  };
  EXPECT_VALUES(all);
}

Test(script_sandbox, what_is_not_there) {
  const expectation all[] = {
    {"io.open", "! 'io' is not available in a script"},
    {"debug.traceback()", "! 'debug' is not available in a script"},
    {"coroutine.create", "! 'coroutine' is not available in a script"},
    {"os.time()", "! 'os.time' is not available in a script"},
    {"os.execute 'ls'", "! 'os.execute' is not available in a script"},
    {"math.random()", "! 'math.random' is not available in a script"},
    {"('x'):dump()", "! 'string.dump' is not available in a script"},
    {"string.dump(print)", "! 'string.dump' is not available in a script"},
    {"collectgarbage()", "! 'collectgarbage' is not available in a script"},
    {"dofile 'x'", "! 'dofile' is not available in a script"},
    {"string.nothing", "nil"},
    {"type(os.getenv 'PATH')", "string"},
    {"math.pi > 3 and utf8.char(228)", "ä"},
    {"getmetatable(math)", "false"},
    {"setmetatable(string, {})", "! cannot change a protected metatable"},
  };
  EXPECT_VALUES(all);
}

Test(script_sandbox, globals_must_be_declared) {
  const expectation all[] = {
    {"nothing", "! use of an undeclared global 'nothing'"},
    {"(function() x = 1 end)()", "! assignment to an undeclared global 'x'"},
    {"rawget(_G, 'nothing')", "nil"},
    {"_G.print == print", "true"},
    {"getmetatable(_G)", "false"},
  };
  EXPECT_VALUES(all);
  cr_expect_str_eq(fixture_graph("local x = prnt"),
                   "E114:1 use of an undeclared global 'prnt' [prnt] (did you mean 'print'?)");
  cr_expect_str_eq(fixture_graph("\ntotal = 1"),
                   "E114:2 assignment to an undeclared global 'total' [total] "
                   "{scripts have no globals: write local total = …}");
  cr_expect_str_eq(fixture_graph("local x = io.open 'x'"),
                   "E114:1 'io' is not available in a script [io] "
                   "{read with tm.csv, tm.jsonl or tm.lines, write with :to(…)}");
}

Test(script_sandbox, text_is_loaded_and_bytecode_is_not) {
  const expectation all[] = {
    {"load 'return 1 + 1' ()", "2"},
    {"load(function() return nil end)()", "nil"},
    {"load('return x', 'name', 't', { x = 7 })()", "7"},
    {"select(2, load('\\27Lua', 'b', 'b'))",
     "attempt to load a binary chunk (mode is 't')"},
    {"select(2, load 'return +')", "(load):1: unexpected symbol near '+'"},
  };
  EXPECT_VALUES(all);
}

/* C loops and finalizers that no hook could stop. */
Test(script_sandbox, loops_in_c_are_bounded) {
  const expectation all[] = {
    {"#(''):rep(math.maxinteger)", "0"},
    {"#('ab'):rep(3, '-')", "8"},
    {"('x'):rep(math.maxinteger, 'y')", "! resulting string too large"},
    {"('ab'):rep(-1)", ""},
    {"table.move({}, 1, math.maxinteger // 2, 2)", "! too many elements to move"},
    {"table.concat(table.move({ 'a', 'b' }, 1, 2, 2))", "aab"},
    {"table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 2)",
     "! table is too long"},
    {"table.concat({}, '', 1, 1 << 60)", "! too many elements to join"},
    {"(function() local t = { 1, 2 } table.insert(t, 1, 0) table.remove(t) "
     "return table.concat(t, ',') end)()", "0,1"},
    {"setmetatable({}, { __gc = print })", "! '__gc' is not available in a script"},
    {"setmetatable({}, { __index = { x = 5 } }).x", "5"},
    {"setmetatable(setmetatable({}, { __metatable = 1 }), {})",
     "! cannot change a protected metatable"},
  };
  EXPECT_VALUES(all);
}

Test(script_sandbox, errors_are_caught_as_in_lua) {
  const expectation all[] = {
    {"select(2, pcall(error, 'x'))", "x"},
    {"select(2, pcall(error, { code = 5 })).code", "5"},
    {"select('#', pcall(function(...) return ... end, 1, nil, nil))", "4"},
    {"select(2, xpcall(error, function(m) return m .. '!' end, 'x'))", "x!"},
    {"select(2, xpcall(function(a, b) return a + b end, print, 2, 3))", "5"},
    {"tostring(select(2, pcall(function() return tm.nothing end)))", "tm has no 'nothing'"},
    {"select(2, pcall(function() return tm.nothing end)).code", "E104"},
  };
  EXPECT_VALUES(all);
}
