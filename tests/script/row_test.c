/* tests/script/row_test.c: row functions in the VM: what they see, what they may return, limits.
 *
 * fixture_call runs tm_function.call, the VM path, whether lift took the function or not. */
#include "script_fixture.h"

TestSuite(script_row, .init = fixture_setup, .fini = fixture_teardown);

typedef struct expectation { const char *lua, *input, *rows, *declared, *result; } expectation;

static void expect_calls(tm_shape shape, const expectation *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const expectation *e = &all[i];
    const char *actual = fixture_call(e->lua, e->input, e->rows, shape, e->declared);
    cr_expect_str_eq(actual, e->result, "%s over %s\n  gives     %s\n  expected  %s", e->lua,
                     e->rows, actual, e->result);
  }
}
#define EXPECT_CALLS(shape, all) expect_calls(shape, all, sizeof(all) / sizeof *(all))

#define F(body) "local function f(r) return " body " end"

Test(script_row, every_type_as_lua_sees_it) {
  const expectation all[] = {
    {F("math.type(r.i) .. r.i .. math.type(r.l) .. r.l"), "i int32, l int64", "-3|9007199254740993",
     "v string", "'integer-3integer9007199254740993'\n"},
    {F("math.type(r.f) .. tostring(r.f)"), "f float64", "2\n1.5", "v string",
     "'float2.0'\n'float1.5'\n"},
    {F("tostring(r.d + 1) .. tostring(r.w)"), "d decimal(5,2), w decimal(30,3)",
     "1.50|12345678901234567890.125", "v string", "'2.5012345678901234567890.125'\n"},
    {F("r.s .. '!' .. #r.b"), "s string, b bytes", "a longer text than fits|xyz", "v string",
     "'a longer text than fits!3'\n"},
    {F("r.day.year .. tostring(r.day + tm.days(1))"), "day date", "20526", "v string",
     "'20262026-03-15'\n"},
    {F("math.type(r.at) .. r.at"), "at timestamp", "1500000", "v string", "'integer1500000'\n"},
    {F("tostring(r.b)"), "b bool", "true\nfalse\nnull", "v string", "'true'\n'false'\n'nil'\n"},
    {F("tostring(r.x) .. tostring(r.y)"), "x int64, y string", "null|null", "v string",
     "'nilnil'\n"},
  };
  EXPECT_CALLS(TM_SHAPE_VALUE, all);
}

Test(script_row, returned_values_convert_by_the_rules) {
  const expectation all[] = {
    {F("r.x"), "x int64", "2147483648\n5\nnull", "v int32",
     "range: 2147483648 is out of range for 'v', which is int32 @1\n5\nnull\n"},
    {F("r.x * 2"), "x float64", "2.5\n1.25", "v int64",
     "5\ntype: 'v' is int64, but the function returned a float @1\n"},
    {F("r.x"), "x float64", "1e19\n-9223372036854775808", "v int64",
     "range: 1e+19 is out of range for 'v' @1\n-9223372036854775808\n"},
    {F("r.x"), "x int64", "7", "v float64", "7.0\n"},
    {F("r.x"), "x int64", "7\n1000", "v decimal(5,2)",
     "7.00\ndecimal: 'v' is decimal(5,2), which cannot hold what the function returned; "
     "tm.round gives it fewer digits @1\n"},
    {F("tm.dec(r.x)"), "x string", "1.5\n1.234\n-999.99", "v decimal(5,2)",
     "1.50\ndecimal: 'v' is decimal(5,2), which cannot hold what the function returned; "
     "tm.round gives it fewer digits @1\n-999.99\n"},
    {F("r.x"), "x float64", "1.5", "v decimal(5,2)",
     "type: 'v' is decimal(5,2), but the function returned a float @1\n"},
    {F("r.x"), "x string", "5", "v int64",
     "type: 'v' is int64, but the function returned a string @1\n"},
    {F("r.x"), "x int64", "5", "v string",
     "type: 'v' is string, but the function returned an integer @1\n"},
    {F("r.x"), "x int64", "5", "v bool",
     "type: 'v' is bool, but the function returned an integer @1\n"},
    {F("'a' .. string.char(r.x)"), "x int64", "98\n255", "v string",
     "'ab'\nencoding: 'v' is not valid UTF-8 @1\n"},
    {F("string.char(r.x)"), "x int64", "65", "v bytes", "'A'\n"},
    {F("tm.day_of(r.x)"), "x timestamp", "0", "v date", "0\n"},
    {F("tm.day_of(r.x)"), "x timestamp", "0", "v timestamp",
     "type: 'v' is timestamp, but the function returned a date @1\n"},
    {F("r.x + tm.seconds(1)"), "x timestamp", "5", "v timestamp", "1000005\n"},
    {F("tm.null"), "x int64", "5", "v int64", "null\n"},
    {F("r.x"), "x int64", "5\nnull", "v int64 not null",
     "5\nnull: 'v' is not null, but the function returned nil @1\n"},
    {F("{}"), "x int64", "5", "v int64",
     "type: 'v' is int64, but the function returned a table @1\n"},
  };
  EXPECT_CALLS(TM_SHAPE_VALUE, all);
}

Test(script_row, truth_is_that_of_lua) {
  const expectation all[] = {
    {F("r.x"), "x int64", "0\nnull\n5", NULL, "true\nfalse\ntrue\n"},
    {F("r.x > 1"), "x int64", "0\n2\nnull", NULL,
     "false\ntrue\nlua: attempt to compare number with nil @1\n"},
    {F("''"), "x int64", "0", NULL, "true\n"},
  };
  EXPECT_CALLS(TM_SHAPE_TRUTH, all);
}

Test(script_row, rows_become_rows) {
  const expectation all[] = {
    {F("r.x ~= 2 and { b = r.x, a = 'n' .. r.x } or nil"), "x int64", "1\n2\n3",
     "a string, b int64", "'n1'|1\ndropped\n'n3'|3\n"},
    {F("r"), "x int64, y string", "1|a\n2|null", "y string, x int64", "'a'|1\nnull|2\n"},
    {F("{ x = r.x, y = tm.null }"), "x int64", "1", "x int64, y int64, z int64", "1|null|null\n"},
    {F("{ x = r.x, extra = 1 }"), "x int64", "1", "x int64",
     "type: map returned a field 'extra' that is none of its columns @1\n"},
    {F("{ r.x }"), "x int64", "1", "x int64",
     "type: map returned a field 'number' that is none of its columns @1\n"},
    {F("'x'"), "x int64", "1", "x int64",
     "type: map returns a table or nil, not a string @1\n"},
    {F("setmetatable({}, { __index = { x = r.x + 1 } })"), "x int64", "1", "x int64", "2\n"},
  };
  EXPECT_CALLS(TM_SHAPE_ROW, all);
}

Test(script_row, errors_refuse_one_row_and_name_the_line) {
  const expectation all[] = {
    {"local function f(r)\n  if r.x == 2 then\n    error 'two'\n  end\n  return r.x\nend",
     "x int64", "1\n2\n3", "v int64", "1\nlua: two @3\n3\n"},
    {"local function f(r)\n  error({ code = 1 })\nend", "x int64", "1", "v int64",
     "lua: table @2\n"},
    {"local own = setmetatable({}, { __tostring = function() return 'own' end }) "
     "local function f(r) error(own) end",
     "x int64", "1", "v int64", "lua: own @1\n"},
    {"local function g(x)\n  return x.y.z\nend\nlocal function f(r) local v = g({}) return v end",
     "x int64", "1", "v int64", "lua: attempt to index a nil value (field 'y') @2\n"},
    {F("string.rep()"), "x int64", "1", "v int64",
     "lua: bad argument #1 to 'rep' (string expected, got no value) @1\n"},
    {"local function f(r) return f(r) + 1 end", "x int64", "1", "v int64",
     "lua: stack overflow @1\n"},
    {F("r.x // 0"), "x int64", "1", "v int64", "lua: attempt to divide by zero @1\n"},
  };
  EXPECT_CALLS(TM_SHAPE_VALUE, all);
}

Test(script_row, fields_of_the_row) {
  const expectation all[] = {
    {F("r.amuont"), "amount int64", "1", "v int64",
     "E105:1 unknown column 'amuont' (has: amount) [amuont] (did you mean 'amount'?)"},
    /* A name that only the run knows ends the job as well, through pcall. */
    {F("pcall(function(k) return r[k] end, 'amuont')"), "amount int64", "1", "v bool",
     "E105:1 unknown column 'amuont' (has: amount) [amuont] (did you mean 'amount'?)"},
    {F("r['x' .. 1]"), "x1 int64", "7", "v int64", "7\n"},
    {F("r[1]"), "x int64", "7", "v int64",
     "E105:1 a row has fields by name only, not by number"},
    {F("r.a_name_that_is_longer_than_forty_characters_is_not_interned"),
     "a_name_that_is_longer_than_forty_characters_is_not_interned int64", "7", "v int64", "7\n"},
    {"local function f(r) local s = '' for k, v in pairs(r) do s = s .. k .. tostring(v) end "
     "return s end", "z int64, a string, n int64", "1|x|null", "v string", "'axz1'\n"},
    {"local function f(r) r.x = 5 return 1 end", "x int64", "1", "v int64",
     "E116:1 the row function assigns a field of its row, which is read-only "
     "{a row function sees one row at a time and keeps nothing: count and sum with group_by and "
     "agg}"},
    {"local function f(r) rawset(r, 'x', 5) return 1 end", "x int64", "1", "v int64", "1\n"},
    {"local function set(t) t.y = 5 end local function f(r) set(r) return 1 end", "x int64", "1",
     "v int64",
     "lua: a row is read-only: return a new table, or set columns by with @1\n"},
    {F("tostring(r) .. type(r)"), "x int64", "1", "v string", "'tabletable'\n"},
  };
  EXPECT_CALLS(TM_SHAPE_VALUE, all);
}

/* A row that is kept is a copy, so that it stays what it was. Who keeps it is a function that the
 * bytecode of the row function does not show. */
#define KEEP "local kept = {} local function keep(x) kept[#kept + 1] = x end\n"

Test(script_row, rows_that_escape_are_copies) {
  const expectation all[] = {
    {KEEP "local function f(r) pcall(keep, r) return kept[1].x end", "x int64", "1\n2\n3",
     "v int64", "1\n1\n1\n"},
    {KEEP "local function f(r) pcall(keep, { r }) return kept[1][1].x end", "x int64", "1\n2",
     "v int64", "1\n1\n"},
    {KEEP "local function f(r) pcall(keep, function() return r.x end) return kept[1]() end",
     "x int64", "1\n2", "v int64", "1\n1\n"},
    {KEEP "local function f(r) local s = r pcall(keep, s) return kept[1].x end", "x int64", "1\n2",
     "v int64", "1\n1\n"},
    {KEEP "local function f(r) pcall(keep, r) return kept[1].y end", "x int64", "1", "v int64",
     "E105:2 unknown column 'y' (has: x) [y]"},
    {"local function f(...) return (...).x end", "x int64", "1\n2", "v int64", "1\n2\n"},
    {"local function f(r) local function g(x) return x + 1 end return g(r.x) end", "x int64",
     "1\n2", "v int64", "2\n3\n"},
  };
  EXPECT_CALLS(TM_SHAPE_VALUE, all);
}

Test(script_row, two_rows) {
  const expectation all[] = {
    {"local function f(l, r) return l.x == r.x and r.y end", "x int64|x int64, y string",
     "1|1|a\n1|2|b\nnull|null|c", NULL, "true\nfalse\ntrue\n"},
    {"local function f(l, r) return l.x == r.z end", "x int64|y int64", "1|1", NULL,
     "E105:1 unknown column 'z' (has: y) [z]"},
    {"local function f(l, r) return r.x end", "y int64|x int64", "1|1", NULL, "true\n"},
  };
  EXPECT_CALLS(TM_SHAPE_TRUTH, all);
}

Test(script_row, what_they_captured_stays) {
  const expectation all[] = {
    {"local n = 0\nlocal function f(r) n = n + 1 return n end", "x int64", "1", "v int64",
     "E116:2 the row function assigns 'n', which it captured [n] {a row function sees one row at "
     "a time and keeps nothing: count and sum with group_by and agg}"},
    {"local t = {}\nlocal function f(r) t[r.x] = 1 return 1 end", "x int64", "1", "v int64",
     "E116:2 the row function changes 't', which it captured [t] {a row function sees one row at "
     "a time and keeps nothing: count and sum with group_by and agg}"},
    {"local t = { n = {} }\nlocal function f(r) t.n.x = r.x return 1 end", "x int64", "1",
     "v int64",
     "E116:2 the row function changes 't', which it captured [t] {a row function sees one row at "
     "a time and keeps nothing: count and sum with group_by and agg}"},
    {"local function f(r) total = r.x return 1 end", "x int64", "1", "v int64",
     "E114:1 assignment to an undeclared global 'total' [total] "
     "{scripts have no globals: write local total = …}"},
    {"local n = 0\nlocal function f(r)\n  local function add(x) n = n + x end\n  add(r.x)\n"
     "  return 1\nend", "x int64", "1", "v int64",
     "E116:3 the row function assigns 'n', which it captured [n] {a row function sees one row at "
     "a time and keeps nothing: count and sum with group_by and agg}"},
    {"local t = {}\nlocal function f(r) table.insert(t, r.x) return #t end", "x int64", "1",
     "v int64",
     "E116:2 the row function changes 't', which it captured [t] {a row function sees one row at "
     "a time and keeps nothing: count and sum with group_by and agg}"},
    {"local t = { n = {} }\nlocal function f(r) return table.remove(t.n) end", "x int64", "1",
     "v int64",
     "E116:2 the row function changes 't', which it captured [t] {a row function sees one row at "
     "a time and keeps nothing: count and sum with group_by and agg}"},
    {"local u = { 3 }\nlocal function f(r) local t = { 2 } table.insert(t, u[1]) rawset(t, 1, #u) "
     "table.sort(t) return #t + rawlen(u) + t[1] end", "x int64", "1", "v int64", "4\n"},
    {"local function f(r) local n, t = 0, {} local function add(x) n = n + x t.n = n end add(r.x) "
     "add(1) return t.n end", "x int64", "1", "v int64", "2\n"},
    {"local t = {}\nlocal function f(r) local u = { x = 1 } u.x = r.x u[1] = t return u.x end",
     "x int64", "4", "v int64", "4\n"},
    {"local t = { 5 }\nlocal function f(r) local s = 0 for i, v in ipairs(t) do s = s + v end "
     "return s end", "x int64", "4", "v int64", "5\n"},
  };
  EXPECT_CALLS(TM_SHAPE_VALUE, all);
}

Test(script_row, types_that_must_be_declared) {
  tm_error err = {0};
  fixture_function f;
  cr_assert_lt(fixture_bind(&f,
                            "local function f(r) local t = {} for w in r.s:gmatch '%a' do "
                            "t[#t + 1] = w end return { n = #t, w = t[1], d = r.d, on = tm.date } "
                            "end", "s string, d decimal(12,2)", TM_SHAPE_ROW, NULL, &err), 0);
  cr_expect_eq(err.code, TM_E_UNTYPED);
  cr_expect_eq(err.script_line, 1);
  cr_expect(strstr(err.help, "map(f, \"d decimal(18,2), n int64, on date, w string\")") != NULL,
            "%s", err.help);
  tm_script_close(f.script);
}

Test(script_row, a_mistake_that_the_trial_meets_is_told) {
  const expectation all[] = {
    {"local function f(r) local x = 0 for i = 1, 2 do x = x + r['nam' .. 'e'] end "
     "return { x = x } end", "s string", "a", NULL,
     "E105:1 unknown column 'name' (has: s) [name]"},
  };
  EXPECT_CALLS(TM_SHAPE_ROW, all);
}

/* ------------------------------------------------------------------ limits */

static void expect_limit(const char *body, const char *row, int code, const char *message) {
  tm_error err = {0};
  tm_script_options options = {
      .budget = fixture_budget, .find_stage = fixture_stage_find, .memory_bytes = 64 << 20,
  };
  tm_bytes text;
  tm_bytes_init(&text, fixture_budget);
  tm_bytes_format(&text, "return tm.batch { limits = { row = '%s' }, tm.rows { schema = 'a int64' }"
                  ":filter(function(r) %s end):to(tm.discard()) }", row, body);
  options.text = tm_bytes_c_string(&text);
  tm_script *script = tm_script_open(&options, &err);
  cr_assert(script != NULL, "%s", fixture_error_text(&err));
  tm_bytes_deinit(&text);
  const tm_value *source = tm_value_get(tm_script_graph(script)->nodes[1].options, "f");
  const tm_schema *schema = rows_schema(&fixture_arena, "a int64");
  tm_function_want want = {.shape = TM_SHAPE_TRUTH, .input_count = 1, .inputs = {schema},
                           .verb = "filter"};
  tm_function *function;
  cr_assert_eq(((tm_function_source *)source->function)
                   ->bind(source->function, &want, &fixture_arena, &function, &err), 0);
  tm_batch *batch = rows_batch(fixture_budget, schema, "1\n2");
  tm_column column = {0};
  tm_result result = {.arena = &fixture_arena, .columns = &column};
  const uint32_t rows[] = {0, 1};
  tm_worker *worker;
  cr_assert_eq(tm_script_worker_start(script, &worker, &err), 0);
  cr_expect_lt(function->call(function, worker, batch, rows, 2, &result, &err), 0, "%s", body);
  cr_expect_eq(err.code, code, "%s: %s", body, fixture_error_text(&err));
  cr_expect_str_eq(err.message, message, "%s", body);
  cr_expect_eq(err.script_line, 1);
  /* The state is as good as before: another call runs, into the same limit. */
  tm_error again = {0};
  cr_expect_lt(function->call(function, worker, batch, rows, 2, &result, &again), 0, "%s", body);
  cr_expect_eq(again.code, code, "%s: %s", body, fixture_error_text(&again));
  tm_script_worker_stop(worker);
  tm_batch_release(batch);
  tm_script_close(script);
}

#define TOO_LONG "the row function took longer than 0.06 s"
#define TOO_MUCH "the row function needs more than 64 MiB of memory"

Test(script_row, time_is_bounded, .timeout = 30) {
  expect_limit("while true do end", "60ms", TM_E_ROW_LIMIT, TOO_LONG);
  expect_limit("while true do local t = { r.a } end", "60ms", TM_E_ROW_LIMIT, TOO_LONG);
  expect_limit("repeat local ok = pcall(function() while true do end end) until false",
               "60ms", TM_E_ROW_LIMIT, TOO_LONG);
  expect_limit("return xpcall(function() while true do end end, function(m) return m end)",
               "60ms", TM_E_ROW_LIMIT, TOO_LONG);
  expect_limit("table.sort({ 1, 2, 3, 4, 5, 6, 7, 8 }, function() while true do end end)",
               "60ms", TM_E_ROW_LIMIT, TOO_LONG);
  expect_limit("return (('x'):gsub('x', function() while true do end end))", "60ms",
               TM_E_ROW_LIMIT, TOO_LONG);
  expect_limit("local t <close> = setmetatable({}, { __close = function() while true do end end }) "
               "error 'x'", "60ms", TM_E_ROW_LIMIT, TOO_LONG);
  expect_limit("return tostring(setmetatable({}, { __tostring = function() while true do end "
               "end }))", "60ms", TM_E_ROW_LIMIT, TOO_LONG);
}

Test(script_row, memory_is_bounded, .timeout = 30) {
  expect_limit("return ('x'):rep(1 << 40)", "20s", TM_E_ROW_LIMIT, TOO_MUCH);
  expect_limit("return pcall(string.rep, 'x', 1 << 40)", "20s", TM_E_ROW_LIMIT, TOO_MUCH);
  expect_limit("local s = 'x' while true do s = s .. s end", "20s", TM_E_ROW_LIMIT, TOO_MUCH);
  expect_limit("return (('x'):rep(1 << 20):gsub('x', ('y'):rep(1 << 10)))", "20s",
               TM_E_ROW_LIMIT, TOO_MUCH);
}

/* The clock is each row's own: many rows may take longer than one. */
Test(script_row, the_limit_is_that_of_a_row, .timeout = 30) {
  const char *lua = "local function f(r) local t = 0 for i = 1, 20000 do t = t + i end "
                    "return t end";
  tm_bytes rows;
  tm_bytes_init(&rows, fixture_budget);
  for (int i = 0; i < 2000; i++) tm_bytes_format(&rows, "%s%d", i > 0 ? "\n" : "", i);
  const char *result = fixture_call(lua, "x int64", tm_bytes_c_string(&rows), TM_SHAPE_VALUE,
                                    "v int64");
  cr_expect_eq(strncmp(result, "200010000\n", 10), 0, "%.80s", result);
  tm_bytes_deinit(&rows);
}

Test(script_row, patterns_are_bounded, .timeout = 30) {
  const expectation all[] = {
    {F("(('a'):rep(3000)):find(('a*'):rep(40) .. 'b')"), "x int64", "1", "v bool",
     "lua: pattern needs more than 10000000 steps for one text @1\n"},
  };
  EXPECT_CALLS(TM_SHAPE_VALUE, all);
}
