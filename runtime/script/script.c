/* script/script.c: opening a script, from options to a graph.
 *
 * Order: text, date and parameters; the main state; the chunk runs and returns a job (or, inline,
 * a flow); the front end lays the job out; the builder makes the graph. The front end keeps the
 * job for on_done. */
#include "script/script.h"

#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/zone.h"
#include "kernel/calendar.h"
#include "kernel/parse.h"
#include "script/loader.h"
#include "script/plan_builder.h"
#include "script/sandbox.h"

#define FRONT_END "tidemill.layout"

static int out_of_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "out of memory for the script");
}

/* ------------------------------------------------------------------ what the run was given */

static int set_date(tm_script *script, const char *date, tm_error *err) {
  if (date == NULL) {
    const tm_zone *zone = tm_zone_local(err);
    if (zone == NULL) return -1;
    script->date_days = (int32_t)tm_zone_day_at(zone, tm_env_get()->wall_us()) - 1;
  } else if (strlen(date) != 10 ||
             tm_parse_date(date, strlen(date), &script->date_days) != TM_PARSE_OK) {
    return tm_fail(err, TM_E_USAGE, "'%.40s' is no date; write YYYY-MM-DD", date);
  }
  tm_civil civil = tm_calendar_civil(script->date_days);
  script->date = tm_arena_format(&script->arena, "%04d-%02d-%02d", civil.year, civil.month,
                                 civil.day);
  return script->date == NULL ? out_of_memory(err) : 0;
}

static int set_params(tm_script *script, const tm_script_options *options, tm_error *err) {
  tm_script_param *params =
      tm_arena_zero(&script->arena, (options->param_count + 1) * sizeof *params);
  if (params == NULL) return out_of_memory(err);
  for (size_t i = 0; i < options->param_count; i++) {
    const tm_script_param *given = &options->params[i];
    params[i].name = tm_arena_text(&script->arena, given->name, strlen(given->name));
    params[i].value = tm_arena_text(&script->arena, given->value, strlen(given->value));
    if (params[i].name == NULL || params[i].value == NULL) return out_of_memory(err);
  }
  script->params = params;
  script->param_count = options->param_count;
  return 0;
}

static int set_text(tm_script *script, const tm_script_options *options, tm_error *err) {
  tm_arena *arena = &script->arena;
  if (options->text != NULL) {
    script->name = options->path == NULL ? "-e" : "stdin";
    script->size = strlen(options->text);
    script->text = tm_arena_text(arena, options->text, script->size);
    script->inline_text = true;
  } else {
    bool is_stdin = strcmp(options->path, "-") == 0;
    script->name = is_stdin ? "stdin" : tm_arena_text(arena, options->path, strlen(options->path));
    script->inline_text = is_stdin;
    if (script->name == NULL) return out_of_memory(err);
    if (tm_loader_read(arena, options->path, &script->text, &script->size, err) < 0) return -1;
  }
  script->folder = script->inline_text ? "." : tm_loader_folder(arena, script->name);
  script->chunk = tm_arena_format(arena, "%c%s", script->inline_text ? '=' : '@', script->name);
  if (script->text == NULL || script->folder == NULL || script->chunk == NULL) {
    return out_of_memory(err);
  }
  script->map = tm_source_map_create(arena, script->text, script->size);
  return script->map == NULL ? out_of_memory(err) : 0;
}

/* ------------------------------------------------------------------ loading */

/* Pushes require(name). */
static void push_required(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

/* Runs the script and leaves the layout of what it returned on the stack. */
static void push_layout(lua_State *L, const tm_script *script) {
  if (script->inline_text) {
    /* The declaration shares the first line with the text, whose lines stay what they are. */
    lua_pushfstring(L, "local tm <const> = ...; %s", script->text);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    tm_loader_compile(L, text, size, script->chunk);
    push_required(L, "tidemill");
    lua_call(L, 1, LUA_MULTRET);
  } else {
    tm_loader_compile(L, script->text, script->size, script->chunk);
    lua_call(L, 0, LUA_MULTRET);
  }
  int base = script->inline_text ? 3 : 2; /* the context and, inline, the text lie below */
  lua_settop(L, base);
  push_required(L, FRONT_END);
  lua_getfield(L, -1, "lay_out");
  lua_pushvalue(L, base);
  lua_pushboolean(L, script->inline_text);
  lua_call(L, 2, 1);
}

typedef struct load { tm_script *script; tm_graph *graph; uint32_t functions; } load;

static int load_body(lua_State *L) {
  load *l = lua_touserdata(L, 1);
  push_layout(L, l->script);
  l->functions = tm_plan_builder_build(L, l->graph);
  return 0;
}

int tm_script_load(tm_script *script, tm_host *host, tm_graph *graph, uint32_t *out_functions,
                   tm_error *err) {
  load l = {.script = script, .graph = graph};
  if (tm_host_call(host, TM_HOST_LOAD, script->load_us, load_body, &l, err) < 0) return -1;
  if (out_functions != NULL) *out_functions = l.functions;
  return 0;
}

static int check_params(const tm_script *script, tm_error *err) {
  enum { NAMES_MAX = 64 };
  const char *names[NAMES_MAX];
  size_t count = 0;
  for (const tm_declared *d = script->declared; d != NULL && count < NAMES_MAX; d = d->next) {
    names[count++] = d->name;
  }
  for (size_t i = 0; i < script->param_count; i++) {
    const char *name = script->params[i].name;
    const tm_declared *d = script->declared;
    while (d != NULL && strcmp(d->name, name) != 0) d = d->next;
    if (d != NULL) continue;
    tm_fail(err, TM_E_PARAM, "the script has no parameter '%.60s'", name);
    const char *near = tm_error_nearest(name, names, count);
    if (near != NULL) tm_error_help(err, "did you mean '%s'?", near);
    else if (count == 0) tm_error_help(err, "it takes none");
    (void)snprintf(err->script, sizeof err->script, "%s", script->name);
    return -1;
  }
  return 0;
}

static void set_limits(tm_script *script) {
  const tm_value *limits = tm_value_get(script->graph.job_options, "limits");
  const tm_value *row = tm_value_get(limits, "row");
  int64_t us;
  if (row == NULL) return;
  if (row->kind == TM_VALUE_DURATION) script->row_us = row->integer;
  else if (row->kind == TM_VALUE_TEXT && tm_duration_parse(row->text, row->size, &us) == 0) {
    script->row_us = us;
  }
}

static int open_script(tm_script *script, const tm_script_options *options, tm_error *err) {
  if (set_date(script, options->date, err) < 0) return -1;
  if (set_params(script, options, err) < 0) return -1;
  if (set_text(script, options, err) < 0) return -1;
  script->watchdog = tm_watchdog_create(script->budget, err);
  if (script->watchdog == NULL) return -1;
  script->main = tm_host_create(script, false, err);
  if (script->main == NULL) return -1;
  if (tm_graph_init(&script->graph, &script->arena) < 0) return out_of_memory(err);
  script->graph.job.script = script->name;
  script->graph.job.date = script->date;
  if (tm_script_load(script, script->main, &script->graph, &script->function_count, err) < 0) {
    return -1;
  }
  if (check_params(script, err) < 0) return -1;
  script->hash = tm_graph_hash(&script->graph);
  set_limits(script);
  return 0;
}

tm_script *tm_script_open(const tm_script_options *options, tm_error *err) {
  tm_budget *budget = tm_budget_create(options->budget, "script", 0);
  tm_script *script = budget == NULL ? NULL : tm_alloc_zero(budget, sizeof *script);
  if (script == NULL) {
    tm_budget_destroy(budget);
    out_of_memory(err);
    return NULL;
  }
  script->budget = budget;
  tm_arena_init(&script->arena, budget);
  script->no_lift = options->no_lift;
  script->memory_bytes = options->memory_bytes > 0 ? options->memory_bytes : TM_HOST_MEMORY_BYTES;
  script->load_us = options->load_us > 0 ? options->load_us : TM_HOST_LOAD_US;
  script->row_us = TM_HOST_ROW_US;
  script->find_stage = options->find_stage != NULL ? options->find_stage : tm_stage_find;
  if (open_script(script, options, err) < 0) {
    tm_script_close(script);
    return NULL;
  }
  return script;
}

void tm_script_close(tm_script *script) {
  if (script == NULL) return;
  tm_budget *budget = script->budget;
  tm_host_destroy(script->main);
  tm_watchdog_destroy(script->watchdog);
  tm_arena_deinit(&script->arena);
  tm_free(budget, script, sizeof *script);
  tm_budget_destroy(budget);
}

tm_graph *tm_script_graph(tm_script *script) { return &script->graph; }

/* ------------------------------------------------------------------ on_done */

typedef struct done { const tm_script *script; const tm_script_run *run; } done;

static void push_run(lua_State *L, const done *d) {
  const tm_script_run *run = d->run;
  lua_newtable(L);
  lua_pushstring(L, d->script->date);
  lua_setfield(L, -2, "date");
  lua_pushstring(L, d->script->graph.job.pipeline);
  lua_setfield(L, -2, "job");
  lua_pushstring(L, run->status);
  lua_setfield(L, -2, "status");
  lua_pushnumber(L, run->seconds);
  lua_setfield(L, -2, "seconds");
  lua_pushinteger(L, (lua_Integer)run->rows_in);
  lua_setfield(L, -2, "rows_in");
  lua_pushinteger(L, (lua_Integer)run->rows_out);
  lua_setfield(L, -2, "rows_out");
  lua_pushinteger(L, (lua_Integer)run->rejected);
  lua_setfield(L, -2, "rejected");
  lua_newtable(L); /* rows: by the name of the output */
  lua_newtable(L); /* outputs: in the job's order */
  for (size_t i = 0; i < run->output_count; i++) {
    const tm_script_output *output = &run->outputs[i];
    lua_pushinteger(L, (lua_Integer)output->rows);
    lua_setfield(L, -3, output->name);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, output->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, output->path);
    lua_setfield(L, -2, "path");
    lua_pushinteger(L, (lua_Integer)output->rows);
    lua_setfield(L, -2, "rows");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -3, "outputs");
  lua_setfield(L, -2, "rows");
}

static int done_body(lua_State *L) {
  const done *d = lua_touserdata(L, 1);
  push_required(L, FRONT_END);
  lua_getfield(L, -1, "on_done");
  if (lua_isnil(L, -1)) return 0;
  push_run(L, d);
  lua_call(L, 1, 0);
  return 0;
}

int tm_script_on_done(tm_script *script, const tm_script_run *run, tm_error *err) {
  done d = {.script = script, .run = run};
  return tm_host_call(script->main, TM_HOST_HOOK, script->load_us, done_body, &d, err);
}
