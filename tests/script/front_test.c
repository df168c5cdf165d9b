/* tests/script/front_test.c: scripts and the graphs that they describe; scripts that are wrong. */
#include "script_fixture.h"

TestSuite(script_front, .init = fixture_setup, .fini = fixture_teardown);

#define T "local t = tm.rows { schema = 'a int64' }\n"

typedef struct expectation { const char *script, *graph; } expectation;

static void expect_all(const expectation *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *actual = fixture_graph(all[i].script);
    cr_expect_str_eq(actual, all[i].graph, "%s\n  gives     %s\n  expected  %s", all[i].script,
                     actual, all[i].graph);
  }
}
#define EXPECT_ALL(all) expect_all(all, sizeof(all) / sizeof *(all))

/* The last node but the sink, of a script that returns one step behind `t`. */
static void expect_steps(const expectation *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    tm_bytes script;
    tm_bytes_init(&script, fixture_budget);
    tm_bytes_format(&script, T "return t:%s", all[i].script);
    const char *actual = fixture_graph(tm_bytes_c_string(&script));
    tm_bytes_deinit(&script);
    const char *line = strstr(actual, "\n1 step ");
    cr_assert(line != NULL, "%s: %s", all[i].script, actual);
    size_t size = strcspn(line + 1, "\n");
    const char *step = tm_arena_text(&fixture_arena, line + strlen("\n1 step "),
                                     size - strlen("1 step "));
    cr_expect_str_eq(step, all[i].graph, "%s\n  gives     %s\n  expected  %s", all[i].script, step,
                     all[i].graph);
  }
}

Test(script_front, verbs) {
  const expectation all[] = {
    {"filter(function(r) return true end)", "filter@2 <- 0 {f=function@2}"},
    {"with { b = function(r) return 1 end, a = 5, c = { function(r) end, 'string' }, d = tm.date }",
     "with@2 <- 0 {fields={a=5, b=function@2, c={function@2, \"string\"}, d=2026-03-14}}"},
    {"with { n = { tm.null, 'int64' } }", "with@2 <- 0 {fields={n={nil, \"int64\"}}}"},
    {"map(function(r) return r end, 'a int64')", "map@2 <- 0 {ddl=\"a int64\", f=function@2}"},
    {"map(function(r) return r end)", "map@2 <- 0 {f=function@2}"},
    {"select('a', 'b')",
     "select@2 <- 0 {columns={{from=\"a\", name=\"a\"}, {from=\"b\", name=\"b\"}}}"},
    {"select { z = 'a', 'b', y = 'c' }",
     "select@2 <- 0 {columns={{from=\"b\", name=\"b\"}, {from=\"c\", name=\"y\"}, "
     "{from=\"a\", name=\"z\"}}}"},
    {"drop 'a'", "drop@2 <- 0 {columns={\"a\"}}"},
    {"drop { 'a', 'b' }", "drop@2 <- 0 {columns={\"a\", \"b\"}}"},
    {"rename { b = 'a' }", "rename@2 <- 0 {columns={{from=\"a\", name=\"b\"}}}"},
    {"check('positive', function(r) return r.a > 0 end)",
     "check@2 <- 0 {f=function@2, name=\"positive\"}"},
    {"limit(3)", "limit@2 <- 0 {n=3}"},
    {"distinct()", "distinct@2 <- 0 {}"},
    {"distinct('a', 'b')", "distinct@2 <- 0 {columns={\"a\", \"b\"}}"},
    {"sort { '-a', 'b' }", "sort@2 <- 0 {by={\"-a\", \"b\"}}"},
    {"top(3, { by = '-a', per = 'b', ties = 'all', rank = 'n' })",
     "top@2 <- 0 {by={\"-a\"}, n=3, per={\"b\"}, rank=\"n\", ties=\"all\"}"},
    {"top(3, { by = { '-a', 'b' }, wrong = 1 })",
     "top@2 <- 0 {by={\"-a\", \"b\"}, n=3, wrong=1}"},
    {"union(t, t)", "union@2 <- 0 0 0 {}"},
    {"union { t }", "union@2 <- 0 0 {}"},
  };
  expect_steps(all, sizeof all / sizeof *all);
}

Test(script_front, joins) {
  const expectation all[] = {
    {"join(t, { on = 'a' })", "join@2 <- 0 0 {kind=\"inner\", on={{left=\"a\", right=\"a\"}}}"},
    {"join(t, { on = { 'a', y = 'z', x = 'b' }, kind = 'left' })",
     "join@2 <- 0 0 {kind=\"left\", on={{left=\"a\", right=\"a\"}, {left=\"x\", right=\"b\"}, "
     "{left=\"y\", right=\"z\"}}}"},
    {"join(t, { on = {}, where = function(l, r) return true end })",
     "join@2 <- 0 0 {kind=\"inner\", on={}, where=function@2}"},
    {"join(t, { on = 'a', take = { 'b', d = 'c' }, prefix = 'o_' })",
     "join@2 <- 0 0 {kind=\"inner\", on={{left=\"a\", right=\"a\"}}, prefix=\"o_\", "
     "take={{from=\"b\", name=\"b\"}, {from=\"c\", name=\"d\"}}}"},
    {"join(t, { on = 'a', take = 'b' })",
     "join@2 <- 0 0 {kind=\"inner\", on={{left=\"a\", right=\"a\"}}, "
     "take={{from=\"b\", name=\"b\"}}}"},
  };
  expect_steps(all, sizeof all / sizeof *all);
}

Test(script_front, aggregates) {
  const expectation all[] = {
    {"agg { tm.count() }", "agg@2 <- 0 {aggs={{agg=\"count\", as=\"count\"}}, keys={}}"},
    {"group_by('a', 'b'):agg { tm.sum 'x':as 'y', tm.count 'x' }",
     "agg@2 <- 0 {aggs={{agg=\"sum\", as=\"y\", of=\"x\"}, {agg=\"count\", as=\"x\", of=\"x\"}}, "
     "keys={\"a\", \"b\"}}"},
    {"group_by { 'a' }:agg { tm.max 'x', z = tm.avg 'x', m = tm.min 'x' }",
     "agg@2 <- 0 {aggs={{agg=\"max\", as=\"x\", of=\"x\"}, {agg=\"min\", as=\"m\", of=\"x\"}, "
     "{agg=\"avg\", as=\"z\", of=\"x\"}}, keys={\"a\"}}"},
    {"agg { n = tm.count { where = function(r) return true end } }",
     "agg@2 <- 0 {aggs={{agg=\"count\", as=\"n\", where=function@2}}, keys={}}"},
    {"agg { tm.max({ function(r) return r.a end, 'decimal(12,2)' }):as 'm' }",
     "agg@2 <- 0 {aggs={{agg=\"max\", as=\"m\", of=function@2, type=\"decimal(12,2)\"}}, keys={}}"},
    {"agg { tm.quantile('a', 0.95, { where = function(r) return true end }):as 'p' }",
     "agg@2 <- 0 {aggs={{agg=\"quantile\", as=\"p\", of=\"a\", q=0.95, where=function@2}}, "
     "keys={}}"},
    {"agg { tm.first 'a', b = tm.last 'a', c = tm.stddev 'a', d = tm.variance 'a', "
     "e = tm.median 'a', f = tm.count_distinct 'a' }",
     "agg@2 <- 0 {aggs={{agg=\"first\", as=\"a\", of=\"a\"}, {agg=\"last\", as=\"b\", of=\"a\"}, "
     "{agg=\"stddev\", as=\"c\", of=\"a\"}, {agg=\"variance\", as=\"d\", of=\"a\"}, "
     "{agg=\"median\", as=\"e\", of=\"a\"}, "
     "{agg=\"count_distinct\", as=\"f\", of=\"a\"}}, keys={}}"},
  };
  expect_steps(all, sizeof all / sizeof *all);
}

Test(script_front, ends) {
  const expectation all[] = {
    {"return tm.csv 'in/{date}/*.csv'",
     "0 source csv@1 {path=\"in/2026-03-14/*.csv\", {date}=\"in/{date}/*.csv\"}\n"
     "1 sink stdout@0 <- 0 {}\n"
     "job 'inline'@0 {}"},
    {"return tm.jsonl { path = { 'a-{date}.jsonl', 'b.jsonl' }, schema = 'a int64' }",
     "0 source jsonl@1 {path={\"a-2026-03-14.jsonl\", \"b.jsonl\"}, schema=\"a int64\"}\n"
     "1 sink stdout@0 <- 0 {}\njob 'inline'@0 {}"},
    {"return tm.stdin { format = 'csv', header = false }",
     "0 source csv@1 {header=false, path=\"-\"}\n1 sink stdout@0 <- 0 {}\njob 'inline'@0 {}"},
    {"return tm.stdin 'lines'",
     "0 source lines@1 {path=\"-\"}\n1 sink stdout@0 <- 0 {}\njob 'inline'@0 {}"},
    {"return tm.rows { schema = 'a int64', { a = 1 }, { a = tm.null }, {} }",
     "0 source rows@1 {rows={{a=1}, {a=nil}, {}}, schema=\"a int64\"}\n"
     "1 sink stdout@0 <- 0 {}\njob 'inline'@0 {}"},
    {"return tm.generate { rows = 5, row = function(i) return { i = i } end }:to(tm.discard())",
     "0 source generate@1 {row=function@1, rows=5}\n1 sink discard@1 <- 0 {}\n"
     "job 'inline'@0 {}"},
    {"return tm.csv { path = 'a.csv', since = tm.day '2026-01-01', wait = tm.minutes(1), "
     "token = tm.secret 'PATH' }",
     "0 source csv@1 {path=\"a.csv\", since=2026-01-01, token=***, wait=60000000us}\n"
     "1 sink stdout@0 <- 0 {}\njob 'inline'@0 {}"},
  };
  EXPECT_ALL(all);
}

/* A flow is one node however often it is used; an endpoint of refused rows is one sink. */
Test(script_front, shared_nodes) {
  const expectation all[] = {
    {"local bad = tm.jsonl 'bad.jsonl'\n"
     "local orders = tm.csv { path = 'o.csv', bad = bad }\n"
     "local big = orders:filter(function(r) return r.a > 5 end)\n"
     "  :check('b', function(r) return r.b end, bad)\n"
     "return tm.batch {\n"
     "  name = 'j', timeout = '5m', limits = { row = '2s', memory = '1G' },\n"
     "  big:to(tm.csv 'big.csv'),\n"
     "  big:union(orders):name 'both':to(tm.stdout()):name 'shown',\n"
     "}",
     "0 sink jsonl@1 {path=\"bad.jsonl\"}\n"
     "1 source csv@2 {bad=#0, path=\"o.csv\"}\n"
     "2 step filter@3 <- 1 {f=function@3}\n"
     "3 step check@4 <- 2 {f=function@4, name=\"b\", rejects=#0}\n"
     "4 sink csv@7 <- 3 {path=\"big.csv\"}\n"
     "5 step union@8 'both' <- 3 1 {}\n"
     "6 sink stdout@8 'shown' <- 5 {}\n"
     "job 'j'@5 {limits={memory=\"1G\", row=\"2s\"}, timeout=\"5m\"}"},
    {"local t = tm.rows { schema = 'a int64' }:name 'table'\n"
     "return t:join(t:filter(function(r) return true end), { on = 'a' })",
     "0 source rows@1 'table' {rows={}, schema=\"a int64\"}\n"
     "1 step filter@2 <- 0 {f=function@2}\n"
     "2 step join@2 <- 0 1 {kind=\"inner\", on={{left=\"a\", right=\"a\"}}}\n"
     "3 sink stdout@0 <- 2 {}\njob 'inline'@0 {}"},
  };
  EXPECT_ALL(all);
}

Test(script_front, lines_of_a_chain) {
  const expectation all[] = {
    {"local t = tm.rows {\n  schema = 'a int64',\n}\nreturn t\n  :filter(function(r)\n"
     "    return r.a -- :limit(1)\n  end)\n  :join(t:limit(2), { on = 'a' })\n  :limit(\n    1)",
     "0 source rows@1 {rows={}, schema=\"a int64\"}\n"
     "1 step filter@5 <- 0 {f=function@5}\n"
     "2 step limit@8 <- 0 {n=2}\n"
     "3 step join@8 <- 1 2 {kind=\"inner\", on={{left=\"a\", right=\"a\"}}}\n"
     "4 step limit@9 <- 3 {n=1}\n5 sink stdout@0 <- 4 {}\njob 'inline'@0 {}"},
  };
  EXPECT_ALL(all);
}

Test(script_front, wrong_verbs) {
  const expectation all[] = {
    {T "return t:fliter(function(r) end)",
     "E104:2 a flow has no verb 'fliter' [fliter] (did you mean 'filter'?)"},
    {T "return t\n  :limit(1)\n  :widnow(1)", "E104:4 a flow has no verb 'widnow' [widnow] "
     "(did you mean 'window'?)"},
    {T "return t:diff(t)", "E108:2 diff is not in this version of tidemill yet [diff]"},
    {T "return t:group_by 'a':filter(print)",
     "E104:2 'filter' cannot follow group_by: agg, process or window does [filter]"},
    {T "return t:group_by 'a':reduce(print)",
     "E108:2 reduce is not in this version of tidemill yet [reduce]"},
    {T "return t:process {}",
     "E104:2 process needs keys: it follows group_by [process] "
     "{flow:group_by(\"key\"):process { … }}"},
    {T "return t:to(tm.stdout()):limit(1)",
     "E104:2 'limit' cannot follow to: an output is the end of a flow [limit]"},
    {"return tm.cvs 'a.csv'", "E104:1 tm has no 'cvs' [cvs] (did you mean 'csv'?)"},
    {"return tm.html 'a.html'", "E108:1 tm.html is not in this version of tidemill yet [html]"},
    {"tm.count():named 'x'", "E104:1 an aggregate has no 'named' [named]"},
    {"tm.mine = 1", "E103:1 tm.mine cannot be set: tm belongs to tidemill [mine]"},
    {T "t.mine = 1", "E103:2 field 'mine' cannot be set: a flow never changes [mine]"},
  };
  EXPECT_ALL(all);
}

Test(script_front, wrong_arguments) {
  const expectation all[] = {
    {T "return t:filter 'a'", "E103:2 filter takes a function of the row, not a string"},
    {T "return t:limit(-1)", "E103:2 limit takes a number of rows, not -1"},
    {T "return t:limit '3'", "E103:2 limit takes a number of rows, not a string"},
    {T "return t:sort()", "E103:2 sort needs the name of a column"},
    {T "return t:sort { a = 'b' }", "E103:2 sort takes a plain list of columns; 'a' names one [a]"},
    {T "return t:drop(5)", "E103:2 drop takes names of columns, not an integer"},
    {T "return t:rename { 'a' }",
     "E103:2 rename takes { new = \"old\" }; 'a' has no new name ['a']"},
    {T "return t:with {}",
     "E103:2 with needs a field: with { total = function(r) … end }"},
    {T "return t:with { x = tm.null }",
     "E103:2 field 'x' of with is null, so its type is unknown [x] "
     "{say the type: x = { tm.null, \"string\" }}"},
    {T "return t:with { x = { 1, 2 } }",
     "E103:2 field 'x' of with is a table; { function, \"type\" } is what it may be [x]"},
    {T "return t:map(5)", "E103:2 map takes a function of the row, not an integer"},
    {T "return t:top(3)", "E103:2 top needs an order: top(10, { by = \"-revenue\" })"},
    {T "return t:union(5)", "E103:2 union takes a flow, not an integer"},
    {T "return t:join(t)",
     "E103:2 join needs its keys in 'on' {on = \"id\", on = { \"id\", left = \"right\" }, "
     "or on = {} for a one-row side}"},
    {T "return t:join(t, { on = 'a', kind = 'outer' })",
     "E103:2 'outer' is no kind of join ['outer'] "
     "{kind is inner, left, right, full, semi or anti}"},
    {T "return t:join(t, { on = 'a', kind = 'lefft' })",
     "E103:2 'lefft' is no kind of join ['lefft'] (did you mean 'left'?) "
     "{kind is inner, left, right, full, semi or anti}"},
    {T "return t:check('x', function(r) end, 'bad.csv')",
     "E103:2 check takes an endpoint, not a string "
     "{an endpoint is made by tm.csv \"path\", tm.jsonl \"path\", tm.stdout() …}"},
    {T "return t:to(t)", "E103:2 tm.rows cannot be written to"},
    {"return tm.stdout():limit(1)", "E103:1 tm.stdout cannot be read from, only written to"},
    {"return tm.csv {}",
     "E103:1 tm.csv needs a path {tm.csv \"data/*.csv\", or tm.csv { path = \"…\" }}"},
    {"return tm.csv { 'a.csv' }",
     "E102:1 entry 1 of tm.csv has no name {options have names, as in { path = \"…\" }}"},
    {"return tm.stdin {}",
     "E103:1 tm.stdin needs a format {tm.stdin { format = \"csv\" }, or \"jsonl\", \"msgpack\", "
     "\"lines\"}"},
    {"return tm.rows { schema = 'a int64', 5 }",
     "E103:1 row 1 of tm.rows is an integer; a row is a table, as { id = 1 }"},
    {"return tm.rows { { a = 1 } }",
     "E103:1 tm.rows needs a schema {tm.rows { schema = \"id int64, name string\", "
     "{ id = 1, name = \"a\" } }}"},
    {T "return t:name(5)", "E103:2 name takes a name, not an integer"},
  };
  EXPECT_ALL(all);
}

Test(script_front, wrong_aggregates) {
  const expectation all[] = {
    {T "return t:agg { tm.sum 'a', a = tm.max 'a' }",
     "E115:2 agg makes two columns 'a' ['a'] {give it a name of its own: tm.max(…):as \"name\"}"},
    {T "return t:group_by 'a':agg { tm.max 'a' }",
     "E115:2 agg makes two columns 'a' ['a'] {give it a name of its own: tm.max(…):as \"name\"}"},
    {T "return t:group_by('a', 'a'):agg { tm.count() }", "E115:2 'a' is twice in group_by [a]"},
    {T "return t:agg { tm.sum(function(r) return 1 end) }",
     "E103:2 tm.sum of a function needs a name {tm.sum(f):as \"name\", or name = tm.sum(f)}"},
    {T "return t:agg { 'a' }",
     "E103:2 entry '1' of agg is a string {an aggregate is made by tm.count(), tm.sum \"x\" …}"},
    {T "return t:agg {}", "E103:2 agg needs an aggregate: agg { tm.count() }"},
    {T "return t:agg { tm.sum(5) }",
     "E103:2 tm.sum takes a column or a function, not an integer"},
    {T "return t:agg { tm.sum('a', { were = print }) }",
     "E102:2 unknown option 'were' of tm.sum [were] (did you mean 'where'?)"},
    {T "return t:agg { tm.quantile('a', 95):as 'p' }",
     "E103:2 tm.quantile takes a share from 0 to 1, as tm.quantile(\"x\", 0.95)"},
    {T "return t:agg { tm.collect 'a' }",
     "E108:2 tm.collect is not in this version of tidemill yet [collect]"},
  };
  EXPECT_ALL(all);
}

Test(script_front, wrong_jobs) {
  const expectation all[] = {
    {T "return tm.batch { name = 'x', t }",
     "E113:2 entry 1 of tm.batch is a flow, not an output "
     "{say where it goes: flow:to(tm.csv \"out/report.csv\")}"},
    {"return tm.batch {}",
     "E111:1 the job has no outputs {an output is a flow with an end: report:to(tm.stdout())}"},
    {T "return tm.batch {\n  t:to(tm.stdout()),\n  schedule = {},\n}",
     "E108:4 option 'schedule' of tm.batch is not in this version of tidemill yet [schedule]"},
    {T "return tm.batch {\n  t:to(tm.stdout()),\n  timeuot = '5m',\n}",
     "E102:4 unknown option 'timeuot' of tm.batch [timeuot] (did you mean 'timeout'?)"},
    {T "return tm.batch { t:to(tm.stdout()), timeout = '5 minutes' }",
     "E103:2 option 'timeout' of tm.batch is a duration, as \"20m\", not '5 minutes' [timeout]"},
    {T "return tm.batch { t:to(tm.stdout()), limits = { row = 5 } }",
     "E103:2 option 'row' of limits is a duration, as \"1s\", not an integer [row]"},
    {T "return tm.batch { t:to(tm.csv 'a.csv'),\n t:to(tm.csv './/a.csv') }",
     "E111:3 two outputs write to './/a.csv' ['.//a.csv'] (the other is at line 2)"},
    {"local bad = tm.csv 'b.csv'\nlocal t = tm.csv { path = 'a.csv', bad = bad }\n"
     "return tm.batch { t:to(bad) }",
     "E111:3 two outputs write to 'b.csv' [b.csv] (the other is at line 1)"},
    {"local t = tm.rows { schema = 'a int64' }:name 'x'\nreturn t:limit(1):name 'x'",
     "E103:2 two steps have the name 'x' [x]"},
    {"return 5", "E113:0 the script returned an integer, not a job "
     "{return a flow, or tm.batch { … }}"},
    {"", "E113:0 the script returned nothing, not a job {return a flow, or tm.batch { … }}"},
    {T "return t:group_by 'a'",
     "E113:0 the script returned a grouped flow, not a job {return a flow, or tm.batch { … }}"},
  };
  EXPECT_ALL(all);
}

Test(script_front, flows_cannot_be_plain_options) {
  const expectation all[] = {
    {T "return tm.csv { path = 'a.csv', bad = t }",
     "E103:1 refused rows go to an endpoint; tm.rows cannot be written to"},
    {T "return tm.csv { path = 'a.csv', null = { { [true] = 1 } } }",
     "E103:2 an option's table has an entry whose key is a boolean"},
    {T "return tm.csv { path = 'a.csv', null = print }",
     "E103:2 a row function must be written in Lua: function(r) … end"},
  };
  EXPECT_ALL(all);
}
