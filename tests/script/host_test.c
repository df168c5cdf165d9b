/* tests/script/host_test.c: loading: files, modules, parameters, limits, workers, on_done. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "script_fixture.h"

static char folder[64];

static void setup(void) {
  fixture_setup();
  (void)snprintf(folder, sizeof folder, "/tmp/tidemill-script-XXXXXX");
  cr_assert(mkdtemp(folder) != NULL);
  cr_assert_eq(chdir(folder), 0);
}

static void teardown(void) {
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf %s", folder);
  cr_assert_eq(chdir("/"), 0);
  cr_assert_eq(system(command), 0);
  fixture_teardown();
}

TestSuite(script_host, .init = setup, .fini = teardown, .timeout = 60);

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL, "%s", path);
  cr_assert(fputs(text, file) >= 0);
  cr_assert_eq(fclose(file), 0);
}

static tm_script *open_with(const tm_script_options *given, tm_error *err) {
  tm_script_options options = *given;
  options.budget = fixture_budget;
  options.find_stage = fixture_stage_find;
  if (options.date == NULL) options.date = "2026-03-14";
  return tm_script_open(&options, err);
}

/* The graph of main.lua, or its error with the script's name in front. */
static const char *load_file(const char *text) {
  tm_error err = {0};
  write_file("main.lua", text);
  tm_script *script = open_with(&(tm_script_options){.path = "main.lua"}, &err);
  if (script == NULL) {
    return tm_arena_format(&fixture_arena, "%s %s", err.script, fixture_error_text(&err));
  }
  const char *result = fixture_graph_text(tm_script_graph(script));
  tm_script_close(script);
  return result;
}

#define JOB "return tm.batch { tm.rows { schema = x or 'a int64' }:to(tm.stdout()) }"
#define HEAD "local tm <const> = require 'tidemill'\n"

Test(script_host, a_file_returns_a_job) {
  cr_expect_str_eq(load_file("#!/usr/bin/env tidemill\n" HEAD "local x\n" JOB),
                   "0 source rows@4 {rows={}, schema=\"a int64\"}\n1 sink stdout@4 <- 0 {}\n"
                   "job 'main'@4 {}");
  cr_expect_str_eq(load_file(HEAD "return tm.rows { schema = 'a int64' }"),
                   "main.lua E113:0 the script returned a flow, not a job {its last line is: "
                   "return tm.batch { name = \"…\", flow:to(tm.stdout()) }}");
  cr_expect_str_eq(load_file("return tm.batch {}"),
                   "main.lua E114:1 use of an undeclared global 'tm' [tm] "
                   "{begin the script with: local tm <const> = require \"tidemill\"}");
}

Test(script_host, syntax_errors_name_the_line) {
  cr_expect_str_eq(load_file(HEAD "local x = = 3"),
                   "main.lua E107:2 unexpected symbol near '='");
  cr_expect_str_eq(load_file(HEAD "\nlocal x = 3 oops"),
                   "main.lua E107:3 syntax error near <eof>");
  cr_expect_str_eq(load_file(HEAD "return tm.batch { name name }"),
                   "main.lua E107:2 '}' expected near 'name' [name]");
  cr_expect_str_eq(load_file("\x1bLua"),
                   "main.lua E107:0 'main.lua' is bytecode; only text is loaded");
}

Test(script_host, errors_while_loading_name_the_line) {
  cr_expect_str_eq(load_file(HEAD "\nlocal function f(x)\n  return x.y.z\nend\nlocal v = f {}"),
                   "main.lua E107:4 attempt to index a nil value (field 'y') [y]");
  cr_expect_str_eq(load_file(HEAD "error 'own words'"), "main.lua E107:2 own words");
  cr_expect_str_eq(load_file(HEAD "error { 1 }"), "main.lua E107:2 table");
  cr_expect_str_eq(load_file(HEAD "local d = tm.day 'x'"),
                   "main.lua E107:2 'x' is no date (YYYY-MM-DD)");
}

Test(script_host, scripts_that_are_not_there) {
  tm_error err = {0};
  cr_assert(open_with(&(tm_script_options){.path = "no.lua"}, &err) == NULL);
  cr_expect_eq(err.code, TM_E_USAGE);
  cr_expect_str_eq(err.message, "cannot open script 'no.lua': No such file or directory");
  tm_error_clear(&err);
  cr_assert(open_with(&(tm_script_options){.path = "/"}, &err) == NULL);
  cr_expect_str_eq(err.message, "cannot read script '/': it is a folder");
  tm_error_clear(&err);
  cr_assert(open_with(&(tm_script_options){.text = "return 1", .date = "14.03.2026"}, &err) ==
            NULL);
  cr_expect_str_eq(err.message, "'14.03.2026' is no date; write YYYY-MM-DD");
}

Test(script_host, modules) {
  cr_assert_eq(mkdir("lib", 0700), 0);
  cr_assert_eq(mkdir("lua_modules", 0700), 0);
  write_file("tables.lua", "local tm = require 'tidemill'\nlocal t = {}\n"
             "function t.one() return tm.rows { schema = 'a int64' } end\nreturn t");
  write_file("lib/deep.lua", "return { name = ..., x = 'b int64' }");
  write_file("lua_modules/rock.lua",
             "own_global = 5\nif not jit then other = 1 end\nreturn own_global");
  write_file("strict.lua", "own_global = 5");
  write_file("broken.lua", "\nlocal x = )");
  write_file("raises.lua", "\n\nerror 'in a module'");
  write_file("loop.lua", "return require 'loop'");
  /* A flow made in a module stands where the script called the module. */
  cr_expect_str_eq(load_file(HEAD "local tables = require 'tables'\n\n"
                             "return tm.batch { tables.one():limit(require 'rock')"
                             ":to(tm.stdout()) }"),
                   "0 source rows@4 {rows={}, schema=\"a int64\"}\n1 step limit@4 <- 0 {n=5}\n"
                   "2 sink stdout@4 <- 1 {}\njob 'main'@4 {}");
  cr_expect_str_eq(load_file(HEAD "local deep = require 'lib.deep'\nlocal x = deep.x\n"
                             "assert(deep.name == 'lib.deep' and require 'lib.deep' == deep)\n"
                             JOB),
                   "0 source rows@5 {rows={}, schema=\"b int64\"}\n1 sink stdout@5 <- 0 {}\n"
                   "job 'main'@5 {}");
  cr_expect_str_eq(load_file("require 'strict'"),
                   "strict.lua E114:1 assignment to an undeclared global 'own_global' [own_global] "
                   "{scripts have no globals: write local own_global = …}");
  cr_expect_str_eq(load_file("require 'broken'"), "broken.lua E107:2 unexpected symbol near ')'");
  cr_expect_str_eq(load_file("require 'raises'"), "raises.lua E107:3 in a module");
  cr_expect_str_eq(load_file("require 'loop'"),
                   "loop.lua E107:1 module 'loop' requires itself, directly or through others");
  cr_expect_str_eq(load_file("\nlocal x = require 'nowhere'"),
                   "main.lua E107:2 module 'nowhere' is not there [nowhere] {modules are files "
                   "beside the script (nowhere.lua) or rocks in lua_modules/}");
  cr_expect_str_eq(load_file("local x = require 'tidemil'"),
                   "main.lua E107:1 module 'tidemil' is not there [tidemil] (did you mean "
                   "'tidemill'?) {modules are files beside the script (tidemil.lua) or rocks in "
                   "lua_modules/}");
  cr_expect_str_eq(load_file("local kafka = require 'tidemill.kafka'"),
                   "main.lua E108:1 module 'tidemill.kafka' is not in this version of tidemill yet "
                   "[tidemill.kafka]");
}

static const char *with_params(const char *text, const tm_script_param *params, size_t count) {
  tm_error err = {0};
  tm_script *script = open_with(
      &(tm_script_options){.text = text, .params = params, .param_count = count}, &err);
  if (script == NULL) return fixture_error_text(&err);
  const tm_value *options = tm_script_graph(script)->nodes[0].options;
  const char *value = tm_value_text(options, "schema", "?");
  const char *result = tm_arena_text(&fixture_arena, value, strlen(value));
  tm_script_close(script);
  return result;
}

Test(script_host, parameters) {
#define SHOW(expression) "local v = " expression " return tm.rows { schema = tostring(v) }"
  const tm_script_param x[] = {{"x", "12"}}, d[] = {{"x", "2026-01-31"}}, none[] = {{"", ""}};
  const tm_script_param two[] = {{"x", "1"}, {"x", "2"}}, typo[] = {{"ragne", "1"}};
  cr_expect_str_eq(with_params(SHOW("tm.param 'x' .. 'y'"), x, 1), "12y");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', 1) + 1"), x, 1), "13");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', 1.5) + 1"), x, 1), "13.0");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', tm.dec '1') + 1"), x, 1), "13");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', nil, { type = 'decimal(9,2)' }) + 1"), x, 1),
                   "13.00");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', tm.date) + tm.months(1)"), d, 1),
                   "2026-02-28");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', 7)"), none, 0), "7");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', true)"), two, 2),
                   "E109:1 parameter 'x' is no bool: '2' ['x']");
  cr_expect_str_eq(with_params(SHOW("tm.param 'x'"), none, 0),
                   "E109:1 parameter 'x' is missing ['x'] {give it: --param x=…}");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', nil, { help = 'a number' })"), none, 0),
                   "E109:1 parameter 'x' is missing ['x'] {give it: --param x=… (a number)}");
  cr_expect_str_eq(with_params(SHOW("tm.param('range', 1)"), typo, 1),
                   "E109:0 the script has no parameter 'ragne' {did you mean 'range'?}");
  cr_expect_str_eq(with_params(SHOW("1"), typo, 1),
                   "E109:0 the script has no parameter 'ragne' {it takes none}");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', 1, { type = 'number' })"), x, 1),
                   "E103:1 parameter 'x' cannot be of type 'number' ['number'] {types are text, "
                   "int, float, bool, date, timestamp, duration and decimals}");
  cr_expect_str_eq(with_params(SHOW("tm.param('x', 1, { hlep = 'y' })"), x, 1),
                   "E102:1 unknown option 'hlep' of tm.param [hlep] (did you mean 'help'?)");
}

Test(script_host, environment) {
  cr_assert_eq(setenv("TIDEMILL_TEST_X", "value", 1), 0);
  cr_expect_str_eq(fixture_value("tm.env 'TIDEMILL_TEST_X'"), "value");
  cr_expect_str_eq(fixture_value("tm.env('TIDEMILL_TEST_Y', 'other')"), "other");
  cr_expect_str_eq(fixture_value("tm.env 'TIDEMILL_TEST_Y'"),
                   "! environment variable 'TIDEMILL_TEST_Y' is not set");
  cr_expect_str_eq(fixture_value("tm.secret 'TIDEMILL_TEST_X'"), "***");
  cr_expect_str_eq(fixture_value("tm.secret 'TIDEMILL_TEST_X' .. ''"),
                   "! attempt to concatenate a secret value");
  cr_expect_str_eq(fixture_value("tm.date"), "2026-03-14");
}

Test(script_host, yesterday_is_the_date_without_one) {
  tm_error err = {0};
  tm_script_options options = {
      .text = "return tm.rows { schema = 'a int64' }", .budget = fixture_budget,
      .find_stage = fixture_stage_find,
  };
  cr_assert_eq(setenv("TZ", "UTC", 1), 0);
  time_t before = time(NULL) - 86400;
  tm_script *script = tm_script_open(&options, &err);
  time_t after = time(NULL) - 86400;
  cr_assert(script != NULL, "%s", fixture_error_text(&err));
  char first[16], last[16];
  strftime(first, sizeof first, "%Y-%m-%d", gmtime(&before));
  strftime(last, sizeof last, "%Y-%m-%d", gmtime(&after));
  const char *date = tm_script_graph(script)->job.date;
  cr_expect(strcmp(date, first) == 0 || strcmp(date, last) == 0, "%s", date);
  tm_script_close(script);
}

/* ------------------------------------------------------------------ limits */

static const char *load_limited(const char *text) {
  tm_error err = {0};
  tm_script *script = open_with(
      &(tm_script_options){.text = text, .load_us = 80000, .memory_bytes = 32 << 20}, &err);
  cr_assert(script == NULL, "%s", text);
  return fixture_error_text(&err);
}

Test(script_host, loading_is_bounded) {
  const char *const late = "E117:1 the script took longer than 0.08 s to load";
  cr_expect_str_eq(load_limited("while true do end"), late);
  cr_expect_str_eq(load_limited("while true do pcall(function() while true do end end) end"), late);
  cr_expect_str_eq(load_limited("load('while true do end')()"), late);
  const char *big = load_limited("local x = ('x'):rep(1 << 40)");
  cr_expect_eq(strncmp(big, "E117:", 5), 0, "%s", big);
  cr_expect(strstr(big, "the script needs more than 32 MiB of memory to load") != NULL, "%s", big);
}

Test(script_host, a_budget_above_is_respected) {
  tm_error err = {0};
  tm_budget *small = tm_budget_create(fixture_budget, "small", 8 << 20);
  tm_script_options options = {
      .text = "local t = {} for i = 1, 1e6 do t[i] = i end return tm.rows { schema = 'a int64' }",
      .budget = small, .find_stage = fixture_stage_find,
  };
  cr_assert(tm_script_open(&options, &err) == NULL);
  cr_expect_eq(err.code, TM_E_MEMORY, "%s", fixture_error_text(&err));
  tm_budget_destroy(small);
}

/* Whatever allocation is refused, loading fails cleanly or works. */
Test(script_host, refused_allocations, .timeout = 240) {
  for (uint64_t nth = 1; nth < 400; nth++) {
    tm_error err = {0};
    tm_memory_fail_at(nth);
    tm_script *script = fixture_script("return tm.rows { schema = 'a int64', { a = 1 } }"
                                       ":filter(function(r) return r.a end)", &err);
    tm_memory_fail_at(0);
    cr_assert((script == NULL) == (err.code != TM_E_NONE), "allocation %d", (int)nth);
    tm_script_close(script);
  }
}

/* ------------------------------------------------------------------ workers and hooks */

Test(script_host, a_worker_that_finds_another_job_stops_the_run) {
  tm_error err = {0};
  cr_assert_eq(setenv("TIDEMILL_TEST_N", "1", 1), 0);
  tm_script *script = fixture_open("local f = function(r) return r.a end\n"
                                   "return tm.rows { schema = 'a int64' }:filter(f)"
                                   ":limit(math.tointeger(os.getenv 'TIDEMILL_TEST_N'))");
  const tm_value *source = tm_value_get(tm_script_graph(script)->nodes[1].options, "f");
  const tm_schema *schema = rows_schema(&fixture_arena, "a int64");
  tm_function_want want = {.shape = TM_SHAPE_TRUTH, .input_count = 1, .inputs = {schema},
                           .verb = "filter"};
  tm_function *function;
  cr_assert_eq(((tm_function_source *)source->function)
                   ->bind(source->function, &want, &fixture_arena, &function, &err), 0);
  tm_batch *batch = rows_batch(fixture_budget, schema, "1");
  tm_column column = {0};
  tm_result result = {.arena = &fixture_arena, .columns = &column};
  const uint32_t rows[] = {0};
  tm_worker *worker;
  cr_assert_eq(setenv("TIDEMILL_TEST_N", "2", 1), 0);
  cr_assert_eq(tm_script_worker_start(script, &worker, &err), 0);
  cr_expect_lt(function->call(function, worker, batch, rows, 1, &result, &err), 0);
  cr_expect_eq(err.code, TM_E_SCRIPT);
  cr_expect_str_eq(err.message, "the script describes another job each time it is loaded");
  tm_error_clear(&err);
  cr_assert_eq(setenv("TIDEMILL_TEST_N", "1", 1), 0);
  cr_expect_eq(function->call(function, worker, batch, rows, 1, &result, &err), 0);
  tm_script_worker_stop(worker);
  tm_batch_release(batch);
  tm_script_close(script);
}

static const tm_script_output outputs[] = {{"big", "out/big.csv", 7}, {"stdout", NULL, 3}};
static const tm_script_run run = {
    .status = "ok", .seconds = 1.5, .rows_in = 20, .rows_out = 10, .rejected = 2,
    .outputs = outputs, .output_count = 2,
};

static int on_done(const char *body, tm_error *err) {
  tm_bytes text;
  tm_bytes_init(&text, fixture_budget);
  tm_bytes_format(&text, "return tm.batch { name = 'j', tm.rows { schema = 'a int64' }"
                  ":to(tm.stdout()), on_done = function(run)\n%s\nend }", body);
  tm_script *script = fixture_open(tm_bytes_c_string(&text));
  tm_bytes_deinit(&text);
  int status = tm_script_on_done(script, &run, err);
  tm_script_close(script);
  return status;
}

Test(script_host, on_done_learns_of_the_run) {
  tm_error err = {0};
  int status = on_done("assert(run.job == 'j' and run.date == '2026-03-14')\n"
                       "assert(run.status == 'ok')\n"
                       "assert(run.seconds == 1.5 and run.rows_in == 20 and run.rows_out == 10)\n"
                       "assert(run.rejected == 2 and run.rows.big == 7 and run.rows.stdout == 3)\n"
                       "assert(#run.outputs == 2 and run.outputs[1].path == 'out/big.csv')\n"
                       "assert(run.outputs[2].name == 'stdout' and run.outputs[2].path == nil)",
                       &err);
  cr_expect_eq(status, 0, "%s", fixture_error_text(&err));
}

Test(script_host, on_done_that_raises) {
  tm_error err = {0};
  cr_expect_lt(on_done("error 'the pager is gone'", &err), 0);
  cr_expect_eq(err.code, TM_E_HOOK);
  cr_expect_str_eq(err.message, "the pager is gone");
  cr_expect_eq(err.script_line, 2);
  tm_error_clear(&err);
  tm_script *script = fixture_open("return tm.rows { schema = 'a int64' }");
  cr_expect_eq(tm_script_on_done(script, &run, &err), 0, "without a hook nothing happens");
  tm_script_close(script);
}
