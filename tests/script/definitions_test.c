/* tests/script/definitions_test.c: lua/tidemill.d.lua against what scripts really find, both ways.
 *
 * What there is comes from a script that walks tm and asks the front end for its verbs; it hands
 * the names out as the rows of its graph. What is annotated is read out of the embedded file. */
#include <stdio.h>

#include "script/embedded.h"
#include "script_fixture.h"
#include "stage/end_options.h"

TestSuite(script_definitions, .init = fixture_setup, .fini = fixture_teardown);

enum { NAMES_MAX = 256, NAME_BYTES = 96 };

typedef struct names {
  size_t count;
  char text[NAMES_MAX][NAME_BYTES];
} names;

static void add(names *list, const char *prefix, const char *name, size_t size) {
  cr_assert_lt(list->count, NAMES_MAX);
  (void)snprintf(list->text[list->count++], NAME_BYTES, "%s%.*s", prefix, (int)size, name);
}

static bool has(const names *list, const char *name) {
  for (size_t i = 0; i < list->count; i++) {
    if (strcmp(list->text[i], name) == 0) return true;
  }
  return false;
}

static void expect_same(const names *annotated, const names *offered) {
  for (size_t i = 0; i < annotated->count; i++) {
    cr_expect(has(offered, annotated->text[i]), "%s is annotated and not offered",
              annotated->text[i]);
  }
  for (size_t i = 0; i < offered->count; i++) {
    cr_expect(has(annotated, offered->text[i]), "%s is offered and not annotated",
              offered->text[i]);
  }
}

/* ------------------------------------------------------------------ what is annotated */

static const char *definitions(void) {
  for (const tm_embedded *at = tm_embedded_lua; at->name != NULL; at++) {
    if (strcmp(at->name, "tidemill.d") == 0) return at->bytes;
  }
  cr_assert(false, "tidemill.d.lua is not embedded");
  return NULL;
}

static const char *next_line(const char *at) {
  at += strcspn(at, "\n");
  return *at == '\n' ? at + 1 : at;
}

static bool starts(const char *line, const char *with) {
  return strncmp(line, with, strlen(with)) == 0;
}

/* Functions as "tm.csv", "Flow:filter"; fields of the class tidemill as "tm.date". */
static void read_functions(names *out) {
  bool is_tm = false;
  for (const char *line = definitions(); *line != '\0'; line = next_line(line)) {
    if (starts(line, "---@class ")) is_tm = starts(line, "---@class tidemill\n");
    if (is_tm && starts(line, "---@field ")) {
      line += strlen("---@field ");
      add(out, "tm.", line, strcspn(line, " ?"));
    }
    if (starts(line, "function ")) {
      line += strlen("function ");
      add(out, "", line, strcspn(line, "("));
    }
  }
}

/* The named fields of a class and of those that it is made from. */
static void read_fields(const char *class, names *out) {
  char head[NAME_BYTES];
  int size = snprintf(head, sizeof head, "---@class tidemill.%s", class);
  for (const char *line = definitions(); *line != '\0'; line = next_line(line)) {
    if (!starts(line, head) || (line[size] != '\n' && line[size] != ':')) continue;
    if (line[size] == ':') {
      char parent[NAME_BYTES];
      const char *name = strstr(line + size, "tidemill.") + strlen("tidemill.");
      (void)snprintf(parent, sizeof parent, "%.*s", (int)strcspn(name, "\n ,"), name);
      read_fields(parent, out);
    }
    for (line = next_line(line); starts(line, "---@"); line = next_line(line)) {
      const char *field = line + strlen("---@field ");
      if (starts(line, "---@field ") && *field != '[') add(out, "", field, strcspn(field, " ?"));
    }
    return;
  }
  cr_assert(false, "no class %s", class);
}

/* ------------------------------------------------------------------ what is offered */

static void read_offered(const char *script, names *out) {
  tm_script *s = fixture_open(script);
  const tm_value *rows = tm_value_get(tm_script_graph(s)->nodes[0].options, "rows");
  for (size_t i = 0; i < rows->item_count; i++) {
    const char *name = tm_value_text(&rows->items[i], "name", "?");
    add(out, "", name, strlen(name));
  }
  tm_script_close(s);
}

Test(script_definitions, functions_and_verbs) {
  names *annotated = tm_arena_zero(&fixture_arena, sizeof *annotated);
  names *offered = tm_arena_zero(&fixture_arena, sizeof *offered);
  read_functions(annotated);
  read_offered("local rows = { schema = 'name string' }\n"
               "local function add(prefix, list) for _, name in ipairs(list) do "
               "rows[#rows + 1] = { name = prefix .. name } end end\n"
               "local found = {} for name in pairs(tm) do found[#found + 1] = name end\n"
               "add('tm.', found)\n"
               "local verbs, grouped, windowed = require 'tidemill.flow'.verbs()\n"
               "add('Flow:', verbs) add('Grouped:', grouped) add('Windowed:', windowed)\n"
               "add('Aggregate:', require 'tidemill.aggregates'.methods())\n"
               "add('Output:', { 'name' })\n"
               "return tm.rows(rows)", offered);
  expect_same(annotated, offered);
}

/* Options of ends are those of the stages; what only later versions do is not annotated. */
Test(script_definitions, options_of_ends) {
  static const struct { const char *format, *class; } ends[] = {
    {"csv", "CsvOptions"}, {"jsonl", "JsonlOptions"}, {"msgpack", "MsgpackOptions"},
    {"lines", "LinesOptions"},
  };
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    names *annotated = tm_arena_zero(&fixture_arena, sizeof *annotated);
    names *offered = tm_arena_zero(&fixture_arena, sizeof *offered);
    read_fields(ends[i].class, annotated);
    const tm_option *option = tm_end_options_of(ends[i].format);
    cr_assert(option != NULL);
    for (; option->name != NULL; option++) {
      if (option->later == NULL) add(offered, "", option->name, strlen(option->name));
    }
    expect_same(annotated, offered);
  }
}

/* Options that the front end checks itself: each is taken, with a value that is surely wrong only
 * its value is refused. */
Test(script_definitions, options_of_jobs) {
  static const struct { const char *class, *form; } tables[] = {
    {"Job", "return tm.batch { %s = 0.5, tm.rows { schema = 'a int64' }:to(tm.stdout()) }"},
    {"Job", "return tm.stream { %s = 0.5, tm.rows { schema = 'a int64' }:to(tm.stdout()) }"},
    {"Limits", "return tm.batch { limits = { %s = 0.5 }, "
               "tm.rows { schema = 'a int64' }:to(tm.stdout()) }"},
    {"AggregateOptions", "return tm.rows { schema = 'a int64' }:agg { tm.sum('a', { %s = 0.5 }) }"},
    {"TimeOptions", "return tm.csv { path = 'a', time = { %s = 0.5 } }"},
    {"AlignedOptions", "return tm.tumbling('1m', { %s = 0.5 })"},
    {"AlignedOptions", "return tm.hopping('2m', '1m', { %s = 0.5 })"},
    {"AlignedOptions", "return tm.cumulate('2m', '1m', { %s = 0.5 })"},
    {"WindowOptions", "return tm.sliding('1m', { %s = 0.5 })"},
    {"SessionOptions", "return tm.session('1m', { %s = 0.5 })"},
    {"WindowVerbOptions", "return tm.rows { schema = 'a int64' }:window(tm.tumbling '1m', "
                          "{ %s = 0.5 })"},
    {"DedupOptions", "return tm.rows { schema = 'a int64' }:dedup('a', { %s = 0.5 })"},
    {"OnceOptions", "return tm.rows { schema = 'a int64' }:once { %s = 0.5 }"},
    {"OverOptions", "return tm.rows { schema = 'a int64' }:over { %s = 0.5 }"},
    {"ProcessOptions", "return tm.rows { schema = 'a int64' }:group_by 'a':process { %s = 0.5 }"},
  };
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    names *annotated = tm_arena_zero(&fixture_arena, sizeof *annotated);
    read_fields(tables[i].class, annotated);
    cr_assert_gt(annotated->count, 0);
    for (size_t k = 0; k < annotated->count; k++) {
      tm_error err = {0};
      const char *script = tm_arena_format(&fixture_arena, tables[i].form, annotated->text[k]);
      cr_assert(fixture_script(script, &err) == NULL, "%s", script);
      cr_expect_eq(err.code, TM_E_VALUE, "%s: %s", script, fixture_error_text(&err));
    }
  }
}

Test(script_definitions, fields_of_values) {
  names *date = tm_arena_zero(&fixture_arena, sizeof *date);
  read_fields("Date", date);
  cr_assert_eq(date->count, 3);
  for (size_t i = 0; i < date->count; i++) {
    const char *expression = tm_arena_format(&fixture_arena, "math.type(tm.date.%s)",
                                             date->text[i]);
    cr_expect_str_eq(fixture_value(expression), "integer", "%s", expression);
  }
}

/* The file is Lua that editors can read. */
Test(script_definitions, the_file_is_lua) {
  const char *text = tm_arena_format(&fixture_arena, "type(load([==[%s]==]))", definitions());
  cr_expect_str_eq(fixture_value(text), "function");
}
