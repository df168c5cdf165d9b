/* tests/script/process_test.c: the functions of a process step in Lua: what they see of rows, keys
 * and state, what they may do, and what is told where they may not.
 *
 * The stage itself runs, through the harness: a case is the options of process as a script has
 * them, a table, and the rows and refused rows that come out, as text. */
#include <stdio.h>
#include <stdlib.h>

#include "script/script.h"
#include "script_fixture.h"
#include "tests/support/stage_harness.h"

TestSuite(script_process, .init = fixture_setup, .fini = fixture_teardown);

typedef struct expectation { const char *options, *result; } expectation;

static const char input_ddl[] = "k string, v int64, x float64, at timestamp not null";

static void add(tm_bytes *out, const rows_list *list, const char *before) {
  for (size_t i = 0; i < list->count; i++) {
    tm_bytes_format(out, "%s%s\n", before, list->texts[i]);
  }
}

/* A reject as "reason: message @line": without its row. */
static void add_rejects(tm_bytes *out, const rows_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    char *message = strchr(list->texts[i], '|') + 1, *raw = strstr(message, "|{");
    char *line = raw;
    while (line[-1] != '|') line--;
    char *ordinal = line - 1;
    while (ordinal[-1] != '|') ordinal--;
    tm_bytes_format(out, "%.*s: %.*s @%.*s\n", (int)(message - 1 - list->texts[i]),
                    list->texts[i], (int)(ordinal - 1 - message), message, (int)(raw - line),
                    line);
  }
}

/* Rows, then refused rows; or the error. `keys` are those of group_by; "": none. */
static const char *run_case(const char *head, const char *options, const char *rows,
                            bool stream) {
  tm_error err = {0};
  tm_bytes text, out;
  tm_bytes_init(&text, fixture_budget);
  tm_bytes_init(&out, fixture_budget);
  tm_bytes_format(&text, "%s\nreturn tm.rows { schema = 'a int64' }:group_by('k'):process { %s }",
                  head, options);
  tm_script *script = fixture_script(tm_bytes_c_string(&text), &err);
  tm_bytes_deinit(&text);
  if (script == NULL) {
    tm_bytes_deinit(&out);
    return fixture_error_text(&err);
  }
  tm_batch *table = rows_batch(fixture_budget, rows_schema(&fixture_arena, input_ddl), rows);
  harness_case c = {.verb = "process", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .options = *tm_script_graph(script)->nodes[1].options, .times = "at",
                    .stream = stream, .ordered_input = true, .shows_times = true};
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 3, .save = stream ? 100 : 0};
  harness_result r = harness_run(&c, &mode);
  add(&out, &r.rows, "");
  add_rejects(&out, &r.rejects);
  if (r.err.code != TM_E_NONE) tm_bytes_append_text(&out, fixture_error_text(&r.err));
  const char *result = tm_arena_text(&fixture_arena, (const char *)out.data, out.size);
  tm_bytes_deinit(&out);
  harness_result_clear(&r);
  tm_batch_release(table);
  tm_script_close(script);
  return result;
}

/* In a batch, and in a stream that is saved and restored before every call. */
static void expect_cases(const char *head, const char *rows, const expectation *all,
                         size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (int stream = 0; stream < 2; stream++) {
      const char *actual = run_case(head, all[i].options, rows, stream);
      cr_expect_str_eq(actual, all[i].result, "%s (stream %d)\n  gives     %s\n  expected  %s",
                       all[i].options, stream, actual, all[i].result);
    }
  }
}
#define EXPECT(head, rows, all) expect_cases(head, rows, all, sizeof(all) / sizeof *(all))

#define EMITS "emits = 's string, n int64', "
#define ON(body) "on_row = function(r, state, out) " body " end"

static const char three[] = "a|1|0.5|10\nb|2|null|11\na|3|1.5|20";

Test(script_process, values_of_every_type_stay) {
  const expectation all[] = {
    {"state = { n = 'int64' }, " EMITS
     ON("state.n = (state.n or 0) + r.v; out:emit { s = r.k, n = state.n }"),
     "'a'|1 @10\n'b'|2 @11\n'a'|4 @20\n"},
    {"state = { b = 'bool', i = 'int32', f = 'float64', d = 'decimal(9,2)', "
     "w = 'decimal(30,3)', t = 'string', y = 'bytes', day = 'date', "
     "at = \"timestamp('Europe/Berlin')\" }, " EMITS
     ON("local s = tostring(state.b) .. '|' .. tostring(state.i) .. '|' .. tostring(state.f) "
        ".. '|' .. tostring(state.d) .. '|' .. tostring(state.w) .. '|' .. tostring(state.t) "
        ".. '|' .. (state.y or 'nil'):gsub('\\xff\\0', '#') .. '|' .. tostring(state.day) "
        ".. '|' .. tostring(state.at) "
        "out:emit { s = s } state.b = r.v > 1 state.i = r.v * 2.0 state.f = r.v "
        "state.d = tm.dec '1.5' state.w = r.v state.t = 'a text that is longer than twelve' "
        "state.y = '\\xff\\0' .. r.k state.day = tm.day_of(r.at) state.at = r.at"),
     "'nil|nil|nil|nil|nil|nil|nil|nil|nil'|null @10\n"
     "'nil|nil|nil|nil|nil|nil|nil|nil|nil'|null @11\n"
     "'false|2|1.0|1.50|1.000|a text that is longer than twelve|#a|1970-01-01|10'|null @20\n"},
    {"state = { t = 'string' }, " EMITS
     ON("out:emit { s = state.t } state.t = r.v ~= 1 and r.k or nil state.t = nil "
        "state.t = tm.null state.t = r.k .. '!'"),
     "null|null @10\nnull|null @11\n'a!'|null @20\n"},
    {EMITS ON("out:emit(r.v > 1 and { s = tostring(state), n = 1 } or { n = 0 })"),
     "null|0 @10\n'state'|1 @11\n'state'|1 @20\n"},
  };
  EXPECT("", three, all);
}

Test(script_process, what_does_not_fit_refuses_the_row_and_leaves_its_state) {
  const expectation all[] = {
    {"state = { n = 'int32' }, " EMITS
     ON("out:emit { n = state.n } state.n = r.v if r.v == 3 then state.n = r.k end"),
     "null|null @10\nnull|null @11\n"
     "type: state 'n' is int32, not a string @2\n"},
    {"state = { n = 'int32' }, " EMITS
     ON("state.n = (state.n or 0) + 1 if r.v ~= 3 then state.n = 3000000000 end "
        "out:emit { n = state.n }"),
     "null|1 @20\n"
     "range: 3000000000 is out of range for 'n', which is int32 @2\n"
     "range: 3000000000 is out of range for 'n', which is int32 @2\n"},
    {"state = { n = 'int64', l = 'list<int64>' }, " EMITS
     ON("state.n = (state.n or 0) + 1 out:emit { s = 'gone' } state.l[#state.l + 1] = r.v "
        "if r.v == 1 then error 'one' end out:emit { n = state.n, s = 'of ' .. #state.l }"),
     "'gone'|null @11\n'of 1'|1 @11\n'gone'|null @20\n'of 1'|1 @20\nlua: one @2\n"},
    {"state = { m = 'map<string, float64>' }, " EMITS
     ON("state.m[r.k] = r.v local ok = pcall(function() state.m.b = 'x' end) "
        "out:emit { s = tostring(ok), n = #state.m }"),
     "'false'|1 @10\n'false'|1 @11\n'false'|1 @20\n"},
    {EMITS ON("out:emit { s = 1 }"),
     "type: 's' is string, but the function returned an integer @2\n"
     "type: 's' is string, but the function returned an integer @2\n"
     "type: 's' is string, but the function returned an integer @2\n"},
    {EMITS ON("out:emit { s = 'x', m = 1 }"),
     "type: out:emit got a field 'm' that is none of the columns of emits @2\n"
     "type: out:emit got a field 'm' that is none of the columns of emits @2\n"
     "type: out:emit got a field 'm' that is none of the columns of emits @2\n"},
    {"emits = 's string not null', "
     ON("if r.v == 3 then out:emit { s = r.k } else out:emit {} end"),
     "'a' @20\nnull: 's' is not null, but the function returned nil @2\n"
     "null: 's' is not null, but the function returned nil @2\n"},
  };
  EXPECT("", three, all);
}

Test(script_process, lists_behave_as_tables_do) {
  const char *rows = "a|3|0|10\na|1|0|20\na|2|0|30\na|5|0|40";
  const expectation all[] = {
    {"state = { l = 'list<int64>' }, " EMITS
     ON("state.l[#state.l + 1] = r.v local s, sum = '', 0 "
        "for i, v in ipairs(state.l) do s = s .. i .. v .. ' ' end "
        "for _, v in pairs(state.l) do sum = sum + v end out:emit { s = s, n = sum }"),
     "'13 '|3 @10\n'13 21 '|4 @20\n'13 21 32 '|6 @30\n'13 21 32 45 '|11 @40\n"},
    {"state = { l = 'list<int64>' }, " EMITS
     ON("table.insert(state.l, r.v) table.sort(state.l) if #state.l > 2 then "
        "table.remove(state.l, 1) end out:emit { s = table.concat(state.l, ','), "
        "n = select('#', table.unpack(state.l)) }"),
     "'3'|1 @10\n'1,3'|2 @20\n'2,3'|2 @30\n'3,5'|2 @40\n"},
    {"state = { l = 'list<string>' }, " EMITS
     ON("table.insert(state.l, 1, 'the entry that is number ' .. r.v) "
        "if r.v == 2 then state.l[#state.l] = nil end "
        "out:emit { s = state.l[#state.l], n = #state.l }"),
     "'the entry that is number 3'|1 @10\n'the entry that is number 3'|2 @20\n"
     "'the entry that is number 1'|2 @30\n'the entry that is number 1'|3 @40\n"},
    {"state = { l = 'list<int64>' }, " EMITS
     ON("if r.v == 3 then state.l = { 7, 8, 9 } elseif r.v == 1 then state.l = state.l "
        "elseif r.v == 2 then state.l = nil else state.l = {} end "
        "out:emit { n = #state.l, s = tostring(state.l[3]) .. tostring(state.l[0]) }"),
     "'9nil'|3 @10\n'9nil'|3 @20\n'nilnil'|0 @30\n'nilnil'|0 @40\n"},
    {"state = { l = 'list<int64>' }, " EMITS
     ON("if r.v == 3 then state.l[2] = 1 elseif r.v == 1 then state.l = { 1, 'x' } "
        "elseif r.v == 2 then state.l = { 1, n = 2 } else state.l[0] = 1 end"),
     "lua: state 'l' is a list of 0 entries without gaps: entry 2 cannot be set @2\n"
     "type: an entry of state 'l' is int64, not a string @2\n"
     "type: state 'l' is a list: its table has entries 1 to 1 and others @2\n"
     "lua: state 'l' is a list of 0 entries without gaps: entry 0 cannot be set @2\n"},
    {"state = { l = 'list<int64>', m = 'list<int64>' }, " EMITS
     ON("if r.v == 3 then state.l.x = 1 elseif r.v == 1 then state.l = 5 "
        "elseif r.v == 2 then state.l = state.m else state.l = { 1, 2 } state.l[1] = nil end"),
     "lua: state 'l' is a list of 0 entries without gaps: entry x cannot be set @2\n"
     "type: state 'l' is a list, not an integer @2\n"
     "type: state 'l' is a list, not that of another state @2\n"
     "lua: state 'l' is a list of 2 entries without gaps: entry 1 cannot be nil @2\n"},
    /* A state that is not there yet, as a script may treat it that does not know of ours. */
    {"state = { l = 'list<int64>' }, " EMITS
     ON("local l = state.l or {} l[#l + 1] = r.v state.l = l out:emit { n = #state.l }"),
     "null|1 @10\nnull|2 @20\nnull|3 @30\nnull|4 @40\n"},
  };
  EXPECT("", rows, all);
}

Test(script_process, maps_behave_as_tables_do) {
  const char *rows = "a|3|0|10\na|1|0|20\na|2|0|30\na|3|0|40";
  const expectation all[] = {
    {"state = { m = 'map<string,int64>' }, " EMITS
     ON("local m = state.m m['k' .. r.v] = (m['k' .. r.v] or 0) + 1 local s = '' "
        "for k, v in pairs(m) do s = s .. k .. v .. ' ' end out:emit { s = s, n = #m }"),
     "'k31 '|1 @10\n'k11 k31 '|2 @20\n'k11 k21 k31 '|3 @30\n'k11 k21 k32 '|3 @40\n"},
    {"state = { m = 'map<string,string>' }, " EMITS
     ON("state.m = { b = 'x', a = 'the value of a is a long text', [tostring(r.v)] = 'y' } "
        "for k in pairs(state.m) do if k ~= 'a' then state.m[k] = nil end end "
        "out:emit { s = state.m.a, n = #state.m }"),
     "'the value of a is a long text'|1 @10\n'the value of a is a long text'|1 @20\n"
     "'the value of a is a long text'|1 @30\n'the value of a is a long text'|1 @40\n"},
    {"state = { m = 'map<string,int64>' }, " EMITS
     ON("if r.v == 3 then state.m[5] = 1 elseif r.v == 1 then local x = state.m[1.5] "
        "else state.m = { 'x' } end"),
     "lua: keys of state 'm' are strings, not an integer @2\n"
     "lua: keys of state 'm' are strings, not a float @2\n"
     "lua: keys of state 'm' are strings, not an integer @2\n"
     "lua: keys of state 'm' are strings, not an integer @2\n"},
    {"state = { m = 'map<string,int64>' }, " EMITS
     ON("local seen = state.m or {} seen[r.k] = r.v state.m = seen "
        "out:emit { n = state.m[r.k], s = tostring(state.m[nil]) }"),
     "'nil'|3 @10\n'nil'|1 @20\n'nil'|2 @30\n'nil'|3 @40\n"},
  };
  EXPECT("", rows, all);
}

Test(script_process, state_with_a_ttl_forgets) {
  const char *rows = "a|1|0|10\na|2|0|14\na|3|0|20\na|4|0|25\nb|5|0|26\na|6|0|31";
  const expectation all[] = {
    {"state = { n = { 'int64', ttl = '10us' } }, " EMITS
     ON("out:emit { n = state.n } if r.v % 2 == 1 then state.n = r.v end"),
     "null|null @10\nnull|1 @14\nnull|1 @20\nnull|3 @25\nnull|null @26\nnull|null @31\n"},
    {"state = { l = { 'list<int64>', ttl = '10us' } }, " EMITS
     ON("state.l[#state.l + 1] = r.v out:emit { n = #state.l, s = table.concat(state.l, ' ') }"),
     "'1'|1 @10\n'1 2'|2 @14\n'1 2 3'|3 @20\n'3 4'|2 @25\n'5'|1 @26\n'4 6'|2 @31\n"},
    {"state = { m = { 'map<string,int64>', ttl = '10us' } }, " EMITS
     ON("local s = '' for k, v in pairs(state.m) do s = s .. k .. v .. ' ' end "
        "state.m['k' .. r.v % 2] = r.v out:emit { s = s, n = #state.m }"),
     "''|1 @10\n'k11 '|2 @14\n'k02 k11 '|2 @20\n'k13 '|2 @25\n''|1 @26\n'k04 '|1 @31\n"},
  };
  EXPECT("", rows, all);
}

Test(script_process, timers_fire_in_order_and_have_their_key) {
  const char *rows = "a|1|0|10\nb|1|0|10\na|2|0|20\nb|2|0|50";
  const expectation all[] = {
    {"state = { n = 'int64' }, " EMITS
     ON("state.n = r.v out:timer('t', r.at + 15)") ", on_timer = function(name, key, state, out) "
     "out:emit { s = name .. ' of ' .. key.k, n = state.n } end",
     "'t of b'|1 @25\n't of a'|2 @35\n"},
    /* At equal times by key, then by name; a timer is replaced, one in the past comes at once. */
    {EMITS ON("if r.v == 1 then out:timer('y', 30) out:timer('x', 30) out:timer('z', 0) "
              "else out:timer('y', 40) end")
     ", on_timer = function(name, key, state, out) out:emit { s = name .. key.k } end",
     "'za'|null @10\n'zb'|null @10\n'xa'|null @30\n'xb'|null @30\n'yb'|null @30\n"
     "'ya'|null @40\n'yb'|null @50\n"},
    {EMITS ON("out:timer('t', r.at + 3) if r.k == 'a' then out:cancel('t') out:cancel('u') end")
     ", on_timer = function(name, key, state, out) out:emit { s = key.k } "
     "if name == 't' then out:timer('u', 20) end end",
     "'b'|null @13\n'b'|null @20\n"},
    /* A timer that raises is refused with its key, once. */
    {EMITS ON("out:timer('t', r.at + 1)") ", on_timer = function(name, key, state, out) "
     "out:emit { s = key.k } if key.k == 'b' then error('no ' .. key.k) end end",
     "'a'|null @11\n'a'|null @21\nlua: timer 't': no b @2\n"},
    {EMITS ON("out:timer('t', r.at + 1)") ", on_timer = function(name, key, state, out) "
     "if key.k == 'b' then out:timer('u', 11) end end",
     "lua: timer 't': timer 'u' is set by a timer that is not earlier @2\n"},
    {EMITS ON("out:timer('t', tm.day '1970-01-01' + tm.days(0))")
     ", on_timer = function(name, key, state, out) out:emit { s = key.k } end",
     "'a'|null @10\n'b'|null @10\n'a'|null @20\n'b'|null @50\n"},
    {EMITS ON("out:timer('t', 1.5)") ", on_timer = function() end",
     "lua: the time of a timer is a timestamp or a date, not a float @2\n"
     "lua: the time of a timer is a timestamp or a date, not a float @2\n"
     "lua: the time of a timer is a timestamp or a date, not a float @2\n"
     "lua: the time of a timer is a timestamp or a date, not a float @2\n"},
    {EMITS ON("out:timer(5, 1)") ", on_timer = function() end",
     "lua: the name of a timer is a string, not an integer @2\n"
     "lua: the name of a timer is a string, not an integer @2\n"
     "lua: the name of a timer is a string, not an integer @2\n"
     "lua: the name of a timer is a string, not an integer @2\n"},
  };
  EXPECT("", rows, all);
}

Test(script_process, rows_are_given_on_and_kept_as_copies) {
  const expectation all[] = {
    {"emits = 'v int64, k string', " ON("out:emit(r)"), "1|'a' @10\n2|'b' @11\n3|'a' @20\n"},
    {EMITS ON("local row = r out:emit { s = row.k, n = row.v }"),
     "'a'|1 @10\n'b'|2 @11\n'a'|3 @20\n"},
    {EMITS ON("for i = 1, r.v do out:emit { s = r.k, n = i } end"),
     "'a'|1 @10\n'b'|1 @11\n'b'|2 @11\n'a'|1 @20\n'a'|2 @20\n'a'|3 @20\n"},
  };
  EXPECT("", three, all);
}

Test(script_process, mistakes_are_told_before_any_row) {
  const expectation all[] = {
    {"state = { last = 'int64' }, " EMITS ON("state.lst = r.v"),
     "E105:2 process has no state 'lst' [lst] (did you mean 'last'?) "
     "{state = { lst = \"int64\" } declares it}"},
    {"state = { last = 'int64' }, " EMITS ON("local x = state.lats"),
     "E105:2 process has no state 'lats' [lats] (did you mean 'last'?) "
     "{state = { lats = \"int64\" } declares it}"},
    {"state = { last = 'int64' }, " EMITS ON("local s = 'st' local x = state[s]"),
     "E105:2 process has no state 'st' [st] {state = { st = \"int64\" } declares it}"},
    {EMITS ON("local x = r.vv"), "E105:2 unknown column 'vv' (has: k, v, x, at) [vv]"},
    {EMITS ON("r.v = 1"),
     "E116:2 the row function assigns a field of its row, which is read-only {what process keeps "
     "goes to its state: state = { n = \"int64\" }, then state.n = (state.n or 0) + 1}"},
    {EMITS ON("n = r.v"),
     "E114:2 assignment to an undeclared global 'n' [n] {scripts have no globals: write local n = "
     "…}"},
    {EMITS ON("count = count + 1"),
     "E116:2 the row function assigns 'count', which it captured [count] {what process keeps goes "
     "to its state: state = { n = \"int64\" }, then state.n = (state.n or 0) + 1}"},
    {EMITS ON("") ", on_timer = function(name, key, state, out) return key.v end",
     "E105:2 unknown column 'v' (has: k) [v]"},
    {EMITS ON("out:emitt {}"), "E105:2 out has emit, timer and cancel, but no 'emitt'"},
    {EMITS ON("out:timer('t', r.at)"), "E103:2 process sets a timer, but has no on_timer"},
    {"state = { n = 'int46' }, " EMITS ON(""),
     "E110:0 schema: unknown type 'int46' [int46] (did you mean 'int64'?) {types are bool int32 "
     "int64 float64 decimal(p,s) string bytes date timestamp timestamp('Zone')}"},
    {"emits = 's strin', " ON(""),
     "E110:0 schema: unknown type 'strin' [strin] (did you mean 'string'?) {types are bool int32 "
     "int64 float64 decimal(p,s) string bytes date timestamp timestamp('Zone')}"},
  };
  EXPECT("local count = 0", three, all);
}

Test(script_process, a_call_that_takes_too_long_ends_the_job) {
  const char *options = EMITS ON("while r.v == 2 do end out:emit { s = r.k }");
  const char *actual = run_case("", options, three, false);
  cr_expect(strstr(actual, "E307:2 the row function took longer than 1 s") != NULL, "%s", actual);
}

Test(script_process, out_and_state_are_good_for_a_call_alone) {
  const expectation all[] = {
    {EMITS ON("out.emit { s = 'x' }"),
     "lua: call it with a colon: out:emit(row) @2\nlua: call it with a colon: out:emit(row) @2\n"
     "lua: call it with a colon: out:emit(row) @2\n"},
    {EMITS ON("out.x = 1"),
     "lua: out cannot be changed @2\nlua: out cannot be changed @2\n"
     "lua: out cannot be changed @2\n"},
    {EMITS ON("out:emit('x')"),
     "type: out:emit takes a table, not a string @2\n"
     "type: out:emit takes a table, not a string @2\n"
     "type: out:emit takes a table, not a string @2\n"},
  };
  EXPECT("", three, all);
}
