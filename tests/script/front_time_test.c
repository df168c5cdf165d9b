/* tests/script/front_time_test.c: event time, windows and the verbs that need an order in time, as
 * graphs; and what is wrong with them. */
#include "script_fixture.h"

TestSuite(script_front_time, .init = fixture_setup, .fini = fixture_teardown);

#define T "local t = tm.rows { schema = 'a int64' }\n"

typedef struct expectation { const char *script, *graph; } expectation;

/* The node behind `t`, or the error of the script, which returns `script` called on t. */
static const char *step_of(const char *script) {
  const char *text = tm_arena_format(&fixture_arena, T "return t:%s", script);
  const char *actual = fixture_graph(text);
  const char *line = strstr(actual, "\n1 step ");
  if (line == NULL) return actual;
  line += strlen("\n1 step ");
  return tm_arena_text(&fixture_arena, line, strcspn(line, "\n"));
}

static void expect_steps(const expectation *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *actual = step_of(all[i].script);
    cr_expect_str_eq(actual, all[i].graph, "%s\n  gives     %s\n  expected  %s", all[i].script,
                     actual, all[i].graph);
  }
}
#define EXPECT_STEPS(all) expect_steps(all, sizeof(all) / sizeof *(all))

static void expect_graphs(const expectation *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *actual = fixture_graph(all[i].script);
    cr_expect_str_eq(actual, all[i].graph, "%s\n  gives     %s\n  expected  %s", all[i].script,
                     actual, all[i].graph);
  }
}
#define EXPECT_GRAPHS(all) expect_graphs(all, sizeof(all) / sizeof *(all))

#define COUNT "aggs={{agg=\"count\", as=\"count\"}}, keys={}, "

Test(script_front_time, windows) {
  const expectation all[] = {
    {"window(tm.tumbling '1m'):agg { tm.count() }",
     "agg@2 <- 0 {" COUNT "window={kind=\"tumbling\", size=\"1m\"}}"},
    {"window(tm.tumbling('1d', { tz = 'Europe/Berlin' })):agg { tm.count() }",
     "agg@2 <- 0 {" COUNT "window={kind=\"tumbling\", size=\"1d\", tz=\"Europe/Berlin\"}}"},
    {"window(tm.hopping('10m', tm.minutes(1))):agg { tm.count() }",
     "agg@2 <- 0 {" COUNT "window={kind=\"hopping\", size=\"10m\", slide=60000000us}}"},
    {"window(tm.cumulate('1d', '1h', { time = tm.processing_time })):agg { tm.count() }",
     "agg@2 <- 0 {" COUNT "window={kind=\"cumulate\", processing=true, size=\"1d\", "
     "step=\"1h\"}}"},
    {"window(tm.sliding '10m'):agg { tm.count() }",
     "agg@2 <- 0 {" COUNT "window={kind=\"sliding\", span=\"10m\"}}"},
    {"window(tm.session('5m', { max = '8h' })):agg { tm.count() }",
     "agg@2 <- 0 {" COUNT "window={gap=\"5m\", kind=\"session\", max=\"8h\"}}"},
    {"window(tm.count_window(100)):agg { tm.count() }",
     "agg@2 <- 0 {" COUNT "window={kind=\"count\", n=100}}"},
    {"group_by('a', 'b'):window(tm.tumbling '1m', { lateness = '5s', emit = 'early 10s', "
     "fill = true }):agg { n = tm.count() }",
     "agg@2 <- 0 {aggs={{agg=\"count\", as=\"n\"}}, emit=\"early 10s\", fill=true, "
     "keys={\"a\", \"b\"}, lateness=\"5s\", window={kind=\"tumbling\", size=\"1m\"}}"},
    {"window(tm.tumbling '1m'):top(3, { by = '-a' })",
     "top@2 <- 0 {by={\"-a\"}, n=3, window={kind=\"tumbling\", size=\"1m\"}}"},
    {"group_by 'b':window(tm.tumbling '1m'):top(3, { by = '-a' })",
     "top@2 <- 0 {by={\"-a\"}, n=3, per={\"b\"}, window={kind=\"tumbling\", size=\"1m\"}}"},
    {"group_by 'b':window(tm.tumbling '1m'):top(3, { by = '-a', per = { 'c' }, rank = 'r' })",
     "top@2 <- 0 {by={\"-a\"}, n=3, per={\"c\"}, rank=\"r\", "
     "window={kind=\"tumbling\", size=\"1m\"}}"},
  };
  EXPECT_STEPS(all);
}

Test(script_front_time, wrong_windows) {
  const expectation all[] = {
    {"window '1m'", "E103:2 window takes a window, not a string "
     "{tm.tumbling \"1m\", tm.hopping(\"10m\", \"1m\"), tm.session \"5m\" …}"},
    {"window(tm.tumbling '0s')",
     "E103:2 tm.tumbling takes a duration above 0, as \"10m\" as its size, not '0s'"},
    {"window(tm.hopping '5m')",
     "E103:2 tm.hopping takes a duration above 0, as \"10m\" as its slide, not nothing"},
    {"window(tm.tumbling('1m', '10s'))",
     "E103:2 tm.tumbling takes its options in a table, not a string"},
    {"window(tm.tumbling('1m', {}, 5))", "E103:2 tm.tumbling takes 1 value and a table of options"},
    {"window(tm.tumbling('1m', { zone = 'UTC' }))",
     "E102:2 unknown option 'zone' of tm.tumbling [zone]"},
    {"window(tm.tumbling('1m', { tz = 'Europe/Berlim' }))",
     "E103:2 option 'tz' of tm.tumbling is a time zone, as \"Europe/Berlin\", not 'Europe/Berlim' "
     "[tz]"},
    {"window(tm.session('1m', { max = -1 }))",
     "E103:2 option 'max' of tm.session is a duration above 0, as \"10m\", not an integer [max]"},
    {"window(tm.sliding(tm.months(1)))",
     "E103:2 tm.sliding takes a duration above 0, as \"10m\" as its span, not a duration"},
    {"window(tm.count_window(0))",
     "E103:2 tm.count_window takes a number of rows, at least 1 as its n, not an integer"},
    {"window(tm.tumbling '1m', { latness = '5s' })",
     "E102:2 unknown option 'latness' of window [latness] (did you mean 'lateness'?)"},
    {"window(tm.tumbling '1m', { lateness = '-5s' })",
     "E103:2 option 'lateness' of window is a duration, as \"5m\", not '-5s' [lateness]"},
    {"window(tm.session '1m', { lateness = '5s' })",
     "E103:2 option 'lateness' of window is for tumbling, hopping and cumulate, not session "
     "[lateness]"},
    {"window(tm.tumbling '1m', { late = 'late.csv' })",
     "E103:2 option 'late' of window is an endpoint, not 'late.csv' [late]"},
    {"window(tm.tumbling '1m', { emit = '10s' })",
     "E103:2 option 'emit' of window is \"early 10s\" with any duration, not '10s' [emit]"},
    {"window(tm.tumbling '1m', { fill = 0 })",
     "E103:2 option 'fill' of window is true or false, not an integer [fill]"},
    {"window(tm.tumbling '1m', { fill = true }):top(1, { by = 'a' })",
     "E103:2 option 'fill' of window is for agg: an empty window has no top"},
    {"window(tm.tumbling '1m'):filter(print)",
     "E104:2 'filter' cannot follow window: agg or top does [filter]"},
    {"window(tm.tumbling '1m'):name 'x'",
     "E104:2 'name' cannot follow window: agg or top does [name]"},
    {"window(tm.tumbling '1m'):agg { window_end = tm.max 'a' }",
     "E115:2 agg makes two columns 'window_end' [window_end] "
     "{give it a name of its own: tm.max(…):as \"name\"}"},
    {"group_by 'window_start':window(tm.tumbling '1m'):agg { tm.count() }",
     "E115:2 window makes two columns 'window_start' [window_start] "
     "{without a window, group_by(\"window_start\") groups by one before}"},
    {"window(tm.count_window(5)):agg { partial = tm.count() }",
     "E115:2 agg makes two columns 'partial' [partial] "
     "{give it a name of its own: tm.count(…):as \"name\"}"},
    {"window(tm.tumbling '1m')", "E113:0 the script returned a window of a flow, not a job "
     "{return a flow, or tm.batch { … }}"},
  };
  EXPECT_STEPS(all);
}

/* Endpoints of late rows are sinks that nobody else writes to, at any depth of options. */
Test(script_front_time, late_rows) {
  const expectation all[] = {
    {"local late = tm.jsonl 'late.jsonl'\n"
     "local t = tm.csv { path = 'a.csv', partitions = 'files', time = { field = 'at', "
     "out_of_order = '30s', idle = false, ahead = '2h', late = late } }\n"
     "return t:window(tm.tumbling '1m', { late = late }):agg { tm.count() }",
     "0 sink jsonl@1 {path=\"late.jsonl\"}\n"
     "1 source csv@2 {partitions=\"files\", path=\"a.csv\", time={ahead=\"2h\", field=\"at\", "
     "idle=false, late=#0, out_of_order=\"30s\"}}\n"
     "2 step agg@3 <- 1 {" COUNT "late=#0, window={kind=\"tumbling\", size=\"1m\"}}\n"
     "3 sink stdout@0 <- 2 {}\njob 'inline'@0 {}"},
    {"return tm.rows { schema = 'at timestamp', time = { field = 'at', late = tm.discard() }, "
     "{ at = 5 } }",
     "0 sink discard@1 {}\n"
     "1 source rows@1 {rows={{at=5}}, schema=\"at timestamp\", time={field=\"at\", late=#0}}\n"
     "2 sink stdout@0 <- 1 {}\njob 'inline'@0 {}"},
    {"return tm.jsonl { path = 'a.jsonl', time = 'at' }",
     "0 source jsonl@1 {path=\"a.jsonl\", time={field=\"at\"}}\n"
     "1 sink stdout@0 <- 0 {}\njob 'inline'@0 {}"},
    {"local t = tm.rows { schema = 'a int64' }\n"
     "return t:lookup(t, { on = 'a', miss = tm.discard() })",
     "0 source rows@1 {rows={}, schema=\"a int64\"}\n1 sink discard@2 {}\n"
     "2 step lookup@2 <- 0 0 {miss=#1, on={{left=\"a\", right=\"a\"}}}\n"
     "3 sink stdout@0 <- 2 {}\njob 'inline'@0 {}"},
    {"local late = tm.jsonl 'late.jsonl'\n"
     "local t = tm.csv { path = 'a.csv', time = { field = 'at', late = late } }\n"
     "return tm.batch { t:to(late) }",
     "E111:3 two outputs write to 'late.jsonl' [late.jsonl] (the other is at line 1)"},
  };
  EXPECT_GRAPHS(all);
}

Test(script_front_time, wrong_event_time) {
  const expectation all[] = {
    {"return tm.csv { path = 'a.csv', time = 5 }",
     "E103:1 option 'time' of tm.csv is a column or a table, not an integer [time]"},
    {"return tm.csv { path = 'a.csv', time = {} }",
     "E103:1 option 'time' of tm.csv needs its field [time] "
     "{time = \"at\", or time = { field = \"at\", … }}"},
    {"return tm.csv { path = 'a.csv', time = { field = 'at', out_of_oder = '5s' } }",
     "E102:1 unknown option 'out_of_oder' of time [out_of_oder] (did you mean 'out_of_order'?)"},
    {"return tm.csv { path = 'a.csv', time = { field = 'at', out_of_order = '-5s' } }",
     "E103:1 option 'out_of_order' of time is a duration, as \"30s\", not '-5s' [out_of_order]"},
    {"return tm.csv { path = 'a.csv', time = { field = 'at', idle = true } }",
     "E103:1 option 'idle' of time is a duration above 0, as \"60s\", or false, not a boolean "
     "[idle]"},
    {"return tm.csv { path = 'a.csv', time = { 'at' } }",
     "E102:1 time takes named options; entry 1 has no name"},
    {"return tm.csv { path = 'a.csv', time = { field = 'at', late = 'x' } }",
     "E103:1 option 'late' of time is an endpoint, not 'x' [late]"},
    {"return tm.csv { path = 'a.csv', partitions = 'file' }",
     "E103:1 option 'partitions' of tm.csv is \"files\", not 'file' ['file'] "
     "(did you mean 'files'?)"},
  };
  EXPECT_GRAPHS(all);
}

Test(script_front_time, verbs) {
  const expectation all[] = {
    {"dedup 'a'", "dedup@2 <- 0 {key={\"a\"}}"},
    {"dedup({ 'a', 'b' }, { within = '1h', keep = 'last', order = 'arrival' })",
     "dedup@2 <- 0 {keep=\"last\", key={\"a\", \"b\"}, order=\"arrival\", within=\"1h\"}"},
    {"once { per = 'a', within = '10m' }", "once@2 <- 0 {per={\"a\"}, within=\"10m\"}"},
    {"over { per = 'a', by = { '-b', 'c' }, session = '30m' }",
     "over@2 <- 0 {by={\"-b\", \"c\"}, columns={}, per={\"a\"}, session=\"30m\"}"},
    {"over { per = 'a', z = tm.row_number(), k = tm.rank(), tm.lag 'x', l = tm.lead('x', 2) }",
     "over@2 <- 0 {columns={{as=\"x\", fn=\"lag\", n=1, of=\"x\"}, {as=\"k\", fn=\"rank\"}, "
     "{as=\"l\", fn=\"lead\", n=2, of=\"x\"}, {as=\"z\", fn=\"row_number\"}}, per={\"a\"}}"},
    {"over { s = tm.sum('x', { rows = 7 }), tm.avg('x', { range = '10m' }), tm.rank() }",
     "over@2 <- 0 {columns={{as=\"x\", fn=\"avg\", of=\"x\", range=\"10m\"}, "
     "{as=\"rank\", fn=\"rank\"}, {as=\"s\", fn=\"sum\", of=\"x\", rows=7}}}"},
    {"group_by 'a':process { emits = 'a int64', on_row = function(r, state, out) end }",
     "process@2 <- 0 {emits=\"a int64\", keys={\"a\"}, on_row=function@2, state={}}"},
    {"group_by('a', 'b'):process { state = { last = 'timestamp', seen = { 'map<string,int64>', "
     "ttl = '1h' } }, emits = 'a int64', on_row = function(r) end, on_timer = function() end }",
     "process@2 <- 0 {emits=\"a int64\", keys={\"a\", \"b\"}, on_row=function@2, "
     "on_timer=function@2, state={last=\"timestamp\", seen={\"map<string,int64>\", "
     "ttl=\"1h\"}}}"},
  };
  EXPECT_STEPS(all);
}

Test(script_front_time, wrong_verbs) {
  const expectation all[] = {
    {"dedup()", "E103:2 dedup takes names of columns, not nothing"},
    {"dedup('a', { keep = 'lsat' })",
     "E103:2 option 'keep' of dedup is \"first\" or \"last\", not 'lsat' ['lsat'] "
     "(did you mean 'last'?)"},
    {"dedup('a', { witin = '1h' })",
     "E102:2 unknown option 'witin' of dedup [witin] (did you mean 'within'?)"},
    {"once { per = 5 }", "E103:2 option 'per' of once takes names of columns, not an integer"},
    {"once { per = 'a', within = 'x' }",
     "E103:2 option 'within' of once is a duration, as \"1h\", not 'x' [within]"},
    {"over {}", "E103:2 over needs a column {over { per = \"card\", n = tm.row_number() }}"},
    {"over { n = 5 }", "E103:2 entry 'n' of over is an integer [n] "
     "{an aggregate is made by tm.count(), tm.sum \"x\" …}"},
    {"over { x = tm.rank(), tm.sum 'x' }",
     "E115:2 over makes two columns 'x' [x] {give it a name of its own: tm.rank(…):as \"name\"}"},
    {"over { session = '5m', session_id = tm.rank() }",
     "E115:2 over makes two columns 'session_id' [session_id] "
     "{give it a name of its own: tm.rank(…):as \"name\"}"},
    {"over { n = tm.row_number(5) }", "E103:2 tm.row_number takes nothing"},
    {"over { n = tm.lag('a', 0) }",
     "E103:2 tm.lag takes how many rows away, at least 1, not 0"},
    {"over { n = tm.sum('a', { rows = 0 }) }",
     "E103:2 option 'rows' of tm.sum is a number of rows, at least 1, not an integer [rows]"},
    {"over { n = tm.sum('a', { rows = 1, range = '1m' }) }",
     "E103:2 tm.sum has a frame of rows or of a range, not both"},
    {"agg { tm.rank() }", "E103:2 tm.rank belongs to over, not to agg"},
    {"agg { tm.sum('a', { rows = 5 }) }", "E103:2 tm.sum with a frame belongs to over, not to agg"},
    {"group_by 'a':process {}", "E103:2 process needs 'emits' "
     "{process { emits = \"id int64\", on_row = function(r, state, out) … end }}"},
    {"group_by 'a':process { emits = 'a int64' }", "E103:2 process needs 'on_row' "
     "{process { emits = \"id int64\", on_row = function(r, state, out) … end }}"},
    {"group_by 'a':process { emits = 'a int64', on_rows = print }",
     "E102:2 unknown option 'on_rows' of process [on_rows] (did you mean 'on_row'?)"},
    {"group_by 'a':process { emits = 'a int64', on_row = 'x' }",
     "E103:2 option 'on_row' of process is a function of row, state and out, not 'x' [on_row]"},
    {"group_by 'a':process { emits = 'a int64', on_row = print, state = { x = 5 } }",
     "E103:2 state 'x' of process is a type, not an integer [x] "
     "{state = { last = \"timestamp\", seen = { \"int64\", ttl = \"1h\" } }}"},
    {"group_by 'a':process { emits = 'a int64', on_row = print, state = { 'int64' } }",
     "E103:2 entry 1 of state has no name [1] "
     "{state = { last = \"timestamp\", seen = { \"int64\", ttl = \"1h\" } }}"},
    {"group_by 'a':process { emits = 'a int64', on_row = print, "
     "state = { x = { 'int64', tll = '1h' } } }",
     "E102:2 unknown option 'tll' of state 'x' [tll] (did you mean 'ttl'?)"},
  };
  EXPECT_STEPS(all);
}

#define ON_A "on={{left=\"a\", right=\"a\"}}"

Test(script_front_time, joins) {
  const expectation all[] = {
    {"join(t, { on = 'a', window = tm.tumbling '1m', ttl = '1d' })",
     "join@2 <- 0 0 {kind=\"inner\", " ON_A ", ttl=\"1d\", "
     "window={kind=\"tumbling\", size=\"1m\"}}"},
    {"join_interval(t, { on = 'a', from = '-5m', to = 'expires', kind = 'left', prefix = 'b_' })",
     "join_interval@2 <- 0 0 {from=\"-5m\", kind=\"left\", " ON_A ", prefix=\"b_\", "
     "to=\"expires\"}"},
    {"join_interval(t, { on = 'a', from = -tm.minutes(5), to = '0s' })",
     "join_interval@2 <- 0 0 {from=-300000000us, kind=\"inner\", " ON_A ", to=\"0s\"}"},
    {"join_asof(t, { on = 'a' })", "join_asof@2 <- 0 0 {kind=\"left\", " ON_A "}"},
    {"join_asof(t, { on = { 'a', b = 'c' }, by = { at = 'since' }, tolerance = '1h', "
     "kind = 'inner', take = { 'x', y = 'z' } })",
     "join_asof@2 <- 0 0 {by={left=\"at\", right=\"since\"}, kind=\"inner\", "
     "on={{left=\"a\", right=\"a\"}, {left=\"b\", right=\"c\"}}, "
     "take={{from=\"x\", name=\"x\"}, {from=\"z\", name=\"y\"}}, tolerance=\"1h\"}"},
    {"join_asof(t, { on = 'a', by = 'at' })",
     "join_asof@2 <- 0 0 {by=\"at\", kind=\"left\", " ON_A "}"},
    {"lookup(t, { on = 'a', take = 'b', miss = 'keep' })",
     "lookup@2 <- 0 0 {miss=\"keep\", " ON_A ", take={{from=\"b\", name=\"b\"}}}"},
  };
  EXPECT_STEPS(all);
}

Test(script_front_time, wrong_joins) {
  const expectation all[] = {
    {"join(t, { on = 'a', window = '1m' })",
     "E103:2 option 'window' of join is a window of fixed times, not a string [window] "
     "{window = tm.tumbling \"1m\"}"},
    {"join(t, { on = 'a', window = tm.session '1m' })",
     "E103:2 option 'window' of join is a window of fixed times, not session [window] "
     "{window = tm.tumbling \"1m\"}"},
    {"join(t, { on = 'a', ttl = '0s' })",
     "E103:2 option 'ttl' of join is a duration above 0, as \"1d\", not '0s' [ttl]"},
    {"join_interval(t, { on = 'a', from = '-5m' })",
     "E103:2 join_interval needs its bounds: 'to' is missing "
     "{from = \"-5m\", to = \"expires\": durations, or columns of the left side}"},
    {"join_interval(t, { on = 'a', from = 5, to = '5m' })",
     "E103:2 option 'from' of join_interval is a duration or a column, not an integer [from] "
     "{from = \"-5m\", to = \"expires\": durations, or columns of the left side}"},
    {"join_asof(t, { on = 'a', kind = 'full' })",
     "E103:2 'full' is no kind of join_asof ['full'] {kind is left or inner}"},
    {"join_asof(t, { on = 'a', by = { 'a', 'b' } })",
     "E103:2 option 'by' of join_asof is one column, not a table [by] "
     "{by = \"at\", or by = { left = \"right\" }}"},
    {"lookup(t, { on = 'a', miss = 'kep' })",
     "E103:2 option 'miss' of lookup cannot be 'kep' ['kep'] (did you mean 'keep'?) "
     "{miss = \"keep\", \"drop\", or an endpoint; without it such rows go to bad}"},
    {"lookup(5, { on = 'a' })", "E103:2 lookup takes a flow, not an integer"},
  };
  EXPECT_STEPS(all);
}

Test(script_front_time, changelogs) {
  const expectation all[] = {
    {T "return tm.stream { name = 's',\n  t:to(tm.changelog(tm.csv 'a.csv')) }",
     "0 source rows@1 {rows={}, schema=\"a int64\"}\n"
     "1 step changelog@3 <- 0 {}\n"
     "2 sink csv@3 <- 1 {path=\"a.csv\"}\njob 's'@2 {}"},
    {T "return t:to(tm.changelog 'a.csv')",
     "E103:2 tm.changelog takes an endpoint, not a string "
     "{an endpoint is made by tm.csv \"path\", tm.jsonl \"path\", tm.stdout() …}"},
    {T "return t:check('x', print, tm.changelog(tm.stdout()))",
     "E103:2 check takes an endpoint, not a changelog "
     "{an endpoint is made by tm.csv \"path\", tm.jsonl \"path\", tm.stdout() …}"},
    {"return tm.stdout():to(tm.changelog(tm.stdout()))",
     "E103:1 tm.stdout cannot be read from, only written to"},
  };
  EXPECT_GRAPHS(all);
}

Test(script_front_time, streams) {
  static const char *const kinds[] = {"batch", "stream"};
  for (int i = 0; i < 2; i++) {
    tm_script *s = fixture_open(tm_arena_format(&fixture_arena, T
        "return tm.%s { name = 'j', timeout = '1h', t:to(tm.stdout()) }", kinds[i]));
    cr_expect_eq(tm_script_graph(s)->job.stream, i == 1, "%s", kinds[i]);
    tm_script_close(s);
  }
  const expectation all[] = {
    {"return tm.stream {}",
     "E111:1 the job has no outputs {an output is a flow with an end: report:to(tm.stdout())}"},
    {"return tm.stream(5)", "E113:1 tm.stream takes a table, not an integer"},
    {T "return tm.stream {\n  t:to(tm.stdout()),\n  delivery = 'exactly_once',\n}",
     "E108:4 option 'delivery' of tm.stream is not in this version of tidemill yet [delivery]"},
    {T "return tm.stream {\n  t:to(tm.stdout()),\n  checkpoint = { every = '1s' },\n}",
     "E108:4 option 'checkpoint' of tm.stream is not in this version of tidemill yet [checkpoint]"},
    {T "return tm.stream { t }", "E113:2 entry 1 of tm.stream is a flow, not an output "
     "{say where it goes: flow:to(tm.csv \"out/report.csv\")}"},
  };
  EXPECT_GRAPHS(all);
}

/* An engine without a stage has no verb for it, and says that a later one has. */
static const tm_stage *find_without_time(const char *verb, tm_stage_role role) {
  static const char *const later[] = {
    "clock", "dedup", "once", "over", "process", "changelog", "join_interval", "join_asof",
    "lookup",
  };
  for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
    if (strcmp(later[i], verb) == 0) return NULL;
  }
  return fixture_stage_find(verb, role);
}

Test(script_front_time, engine_without_time) {
  const expectation all[] = {
    {"return tm.stream {}", "E108:1 tm.stream is not in this version of tidemill yet [stream]"},
    {"tm.tumbling '1m'", "E108:1 tm.tumbling is not in this version of tidemill yet [tumbling]"},
    {"tm.processing_time:x()",
     "E108:1 tm.processing_time is not in this version of tidemill yet [processing_time]"},
    {"tm.changelog(5)", "E108:1 tm.changelog is not in this version of tidemill yet [changelog]"},
    {"tm.rank()", "E108:1 tm.rank is not in this version of tidemill yet [rank]"},
    {T "return t:window(5)", "E108:2 window is not in this version of tidemill yet [window]"},
    {T "return t:over {}", "E108:2 over is not in this version of tidemill yet [over]"},
    {T "return t:process {}", "E108:2 process is not in this version of tidemill yet [process]"},
    {T "return t:group_by 'a':window(5)",
     "E108:2 window is not in this version of tidemill yet [window]"},
    {T "return t:group_by 'a':process {}",
     "E108:2 process is not in this version of tidemill yet [process]"},
    {T "return t:group_by 'a':limit(5)",
     "E104:2 'limit' cannot follow group_by: agg does [limit]"},
    {T "return t:agg { tm.sum('a', { rows = 5 }) }",
     "E102:2 unknown option 'rows' of tm.sum [rows]"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    tm_error err = {0};
    tm_script_options options = {.text = all[i].script, .budget = fixture_budget,
                                 .date = "2026-03-14", .find_stage = find_without_time};
    cr_assert(tm_script_open(&options, &err) == NULL, "%s", all[i].script);
    const char *actual = fixture_error_text(&err);
    cr_expect_str_eq(actual, all[i].graph, "%s\n  gives     %s\n  expected  %s", all[i].script,
                     actual, all[i].graph);
  }
}
