/* stage/end_options.c: see end_options.h. */
#include "stage/end_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/options.h"

#define PATH {"path", "text|list", NULL, "a file, a list or a glob; \"-\" is stdin or stdout", NULL}
#define SCHEMA {"schema", "text", NULL, "the columns: \"id int64 not null, at timestamp\"", NULL}
#define REFUSED                                                                                  \
  {"bad", "flow", NULL, "endpoint of rows that do not parse", NULL},                             \
  {"max_bad", "text|int|float", NULL, "more refused rows than this fail the run: 10, \"0.1%\"",  \
   NULL},                                                                                        \
  {"on_error", "text", "fail", "\"skip\" drops and counts rows that do not parse", NULL}
#define TIME                                                                                     \
  {"time", "text|table", NULL,                                                                   \
   "event time: \"at\", or { field, out_of_order = \"5s\", idle, ahead, late }", NULL},            \
  {"partitions", "text", NULL, "\"files\": each file has a watermark of its own", NULL}
#define EPOCH {"epoch", "text", NULL, "numbers are timestamps that count s, ms or us", NULL}
#define END {NULL, NULL, NULL, NULL, NULL}

enum { OPTIONS_MAX = 32 };

static const tm_option csv[] = {
  PATH, SCHEMA, REFUSED, TIME, EPOCH,
  {"delimiter", "text", ",", "between fields; sniffed without a schema", NULL},
  {"quote", "text", "\"", "around fields; \"\" is none", NULL},
  {"header", "bool", "true", "the first line names the columns", NULL},
  {"null", "text|list", NULL, "words that mean null where they are not quoted", NULL},
  {"escape", "text", NULL, "before a quote in a quoted field", NULL},
  {"comment", "text", NULL, "lines that begin with it are skipped", NULL},
  {"partition", "text|list", NULL, "columns that folders give: dt=2026-03-14/", NULL},
  END,
};
static const tm_option jsonl[] = {PATH, SCHEMA, REFUSED, TIME, EPOCH, END};
static const tm_option msgpack[] = {PATH, SCHEMA, REFUSED, TIME, EPOCH, END};
static const tm_option lines[] = {PATH, REFUSED, TIME, END};

const tm_option *tm_end_options_of(const char *format) {
  static const struct { const char *name; const tm_option *options; } all[] = {
    {"csv", csv}, {"jsonl", jsonl}, {"msgpack", msgpack}, {"lines", lines},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (strcmp(all[i].name, format) == 0) return all[i].options;
  }
  return NULL;
}

/* Ends that carry any format have its options and some of their own, and lack others. */
static const tm_option format_option[] = {
  {"format", "text", NULL, "csv, jsonl, msgpack or lines", NULL}, END,
};
static const tm_option tail[] = {
  {"from", "text", "start", "\"end\" passes over what files hold at the beginning", NULL}, END,
};
static const tm_option tcp[] = {
  {"listen", "text", NULL, "\"HOST:PORT\" to take connections at; port 0 is any", NULL},
  {"connect", "text", NULL, "\"HOST:PORT\" to connect to, again and again", NULL},
  END,
};
static const struct { const char *verb; const tm_option *more; const char *less[4]; } carriers[] = {
  {"tail", tail, {"partition", NULL}},
  {"tcp", tcp, {"path", "partition", "partitions", NULL}},
};

static bool is_one_of(const char *name, const char *const *names) {
  for (; *names != NULL; names++) {
    if (strcmp(*names, name) == 0) return true;
  }
  return false;
}

const tm_option *tm_end_options_carried(tm_arena *arena, const char *verb, const char *format) {
  const tm_option *of_format = tm_end_options_of(format);
  static const char *const none[] = {NULL};
  const tm_option *lists[] = {of_format, NULL, format_option};
  const char *const *less = none;
  for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++) {
    if (strcmp(carriers[i].verb, verb) != 0) continue;
    lists[1] = carriers[i].more;
    less = carriers[i].less;
  }
  if (lists[1] == NULL) return of_format;
  tm_option *out = tm_arena_zero(arena, OPTIONS_MAX * sizeof *out), *to = out;
  for (size_t i = 0; out != NULL && i < 3; i++) {
    for (const tm_option *o = lists[i]; o->name != NULL; o++) {
      if (!is_one_of(o->name, less)) *to++ = *o;
    }
  }
  return out;
}

const tm_format *tm_end_options_format(const tm_bind *bind, tm_error *err) {
  static const char *const names[] = {"csv", "jsonl", "msgpack", "lines"};
  enum { NAMES = sizeof names / sizeof *names };
  const char *format = tm_value_text(bind->options, "format", NULL);
  for (size_t i = 0; format != NULL && i < NAMES; i++) {
    if (strcmp(names[i], format) == 0) return tm_format_find(format);
  }
  if (format == NULL) {
    tm_fail(err, TM_E_VALUE, "tm.%s needs a format", bind->verb);
  } else {
    tm_fail(err, TM_E_VALUE, "'%.60s' is no format of tm.%s", format, bind->verb);
    tm_error_suggest(err, format, names, NAMES);
  }
  tm_error_help(err, "format = \"csv\", \"jsonl\", \"msgpack\" or \"lines\"");
  return NULL;
}

static int refuse(const tm_value *v, const char *name, const char *what, tm_error *err) {
  tm_fail(err, TM_E_VALUE, "option '%s' is %s", name, what);
  if (v->script_line > 0) err->script_line = v->script_line;
  tm_error_token(err, name, "");
  return -1;
}

static bool is_share_or_count(const tm_value *v) {
  if (v->kind == TM_VALUE_INT) return v->integer >= 0;
  if (v->kind == TM_VALUE_FLOAT) return v->number >= 0;
  if (v->kind != TM_VALUE_TEXT) return false;
  char *end;
  double number = strtod(v->text, &end);
  bool ends = *end == '\0' || (*end == '%' && end[1] == '\0' && number <= 100);
  return end != v->text && ends && number >= 0;
}

/* Without the path as it was written, which the front end adds. */
static const tm_value *as_given(const tm_bind *bind) {
  const tm_value *options = bind->options;
  if (tm_value_get(options, TM_DATED_PATH) == NULL) return options;
  tm_value *out = tm_arena_alloc(bind->arena, sizeof *out);
  tm_pair *pairs = tm_arena_alloc(bind->arena, options->pair_count * sizeof *pairs);
  if (out == NULL || pairs == NULL) return NULL;
  *out = *options;
  out->pairs = pairs;
  out->pair_count = 0;
  for (size_t i = 0; i < options->pair_count; i++) {
    if (strcmp(options->pairs[i].name, TM_DATED_PATH) != 0) {
      pairs[out->pair_count++] = options->pairs[i];
    }
  }
  return out;
}

int tm_end_options_check(const tm_bind *bind, const char *format, tm_error *err) {
  const tm_option *table = tm_end_options_carried(bind->arena, bind->verb, format);
  const tm_value *options = as_given(bind);
  char what[32];
  if (table == NULL || options == NULL) return tm_fail(err, TM_E_MEMORY, "options: out of memory");
  snprintf(what, sizeof what, "tm.%s", bind->verb);
  if (tm_options_check(table, options, what, err) < 0) return -1;
  const tm_value *on_error = tm_value_get(bind->options, "on_error");
  if (on_error != NULL && on_error->kind == TM_VALUE_TEXT && strcmp(on_error->text, "skip") != 0 &&
      strcmp(on_error->text, "fail") != 0) {
    return refuse(on_error, "on_error", "\"fail\" or \"skip\"", err);
  }
  const tm_value *max_bad = tm_value_get(bind->options, "max_bad");
  if (max_bad != NULL && max_bad->kind != TM_VALUE_NIL && !is_share_or_count(max_bad)) {
    return refuse(max_bad, "max_bad", "a count of rows or a share, as \"0.1%\"", err);
  }
  return 0;
}
