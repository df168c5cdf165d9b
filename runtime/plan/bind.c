/* plan/bind.c: see bind.h. Inputs have smaller indexes, so one pass in order meets every input
 * bound. What goes wrong here is told with the script's line and the step's name. */
#include "plan/bind.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "plan/refused.h"
#include "stage/options.h"

enum { VERBS_MAX = 128 };

static const tm_value no_options = {.kind = TM_VALUE_TABLE};

static const tm_rows_facts no_facts = {
  .time = {.kind = TM_NULLTYPE}, .bounded = true, .window_start = -1, .window_end = -1,
};

static void place(tm_error *err, const tm_graph *graph, const tm_bind *bind) {
  if (err->script[0] == '\0') snprintf(err->script, sizeof err->script, "%s", graph->job.script);
  if (err->script_line == 0) err->script_line = bind->script_line;
  if (err->step[0] == '\0' && bind->name != NULL) {
    snprintf(err->step, sizeof err->step, "%s", bind->name);
  }
}

/* The verbs of a role, aliases too, without the planner's own. */
static size_t list_verbs(tm_arena *arena, tm_stage_role role, const char **names) {
  size_t count = 0;
  for (const tm_stage *const *at = tm_stage_table; *at != NULL && count < VERBS_MAX; at++) {
    if (tm_stage_role_of(*at) != role || strcmp((*at)->name, "exchange") == 0) continue;
    names[count++] = (*at)->name;
    for (const char *word = (*at)->aliases; word != NULL && *word != '\0' && count < VERBS_MAX;) {
      size_t size = strcspn(word, " ");
      names[count] = tm_arena_text(arena, word, size);
      count += names[count] != NULL;
      word += size + strspn(word + size, " ");
    }
  }
  return count;
}

static int unknown_verb(const tm_graph *graph, const tm_node *node, tm_error *err) {
  const char *names[VERBS_MAX];
  if (tm_stage_find(node->verb, node->role) != NULL) { /* none of its stages serves this */
    const char *kind = tm_value_text(tm_value_get(node->options, "window"), "kind", NULL);
    return tm_fail(err, TM_E_UNSUPPORTED, "'%s'%s%s%s is not in this version of tidemill yet",
                   node->verb, kind != NULL ? " in a window of kind '" : "",
                   kind != NULL ? kind : " over such rows", kind != NULL ? "'" : "");
  }
  size_t count = list_verbs(graph->arena, node->role, names);
  if (tm_error_nearest(node->verb, names, count) == NULL) {
    return tm_fail(err, TM_E_UNSUPPORTED, "'%s' is not in this version of tidemill yet",
                   node->verb);
  }
  tm_fail(err, TM_E_VERB, "unknown verb '%.60s'", node->verb);
  tm_error_suggest(err, node->verb, names, count);
  return -1;
}

/* The last part of a path without its endings: "out/daily.csv.gz" is "daily"; NULL for a glob. */
static char *stem_of(tm_arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *from = slash == NULL ? path : slash + 1;
  size_t size = strcspn(from, ".");
  if (size == 0) size = strlen(from);
  if (memchr(from, '*', size) != NULL || memchr(from, '?', size) != NULL) return NULL;
  return tm_arena_text(arena, from, size);
}

static bool is_taken(tm_bind *const *nodes, uint32_t count, const char *name) {
  for (uint32_t i = 0; i < count; i++) {
    if (strcmp(nodes[i]->name, name) == 0) return true;
  }
  return false;
}

/* :name, else a file's stem for ends, else the verb; a number is added where it is taken. */
static const char *name_of(const tm_graph *graph, const tm_node *node, tm_bind *const *nodes,
                           uint32_t count) {
  if (node->name != NULL) return node->name;
  const char *base = node->verb;
  const tm_value *path = tm_value_get(node->options, "path");
  if (node->role != TM_ROLE_STEP && path != NULL && path->kind == TM_VALUE_TEXT) {
    const char *standard = node->role == TM_ROLE_SINK ? "stdout" : "stdin";
    const char *stem = stem_of(graph->arena, path->text);
    if (strcmp(path->text, "-") == 0) base = standard;
    else if (stem != NULL) base = stem;
  }
  const char *name = base;
  for (int n = 2; name != NULL && is_taken(nodes, count, name); n++) {
    name = tm_arena_format(graph->arena, "%s %d", base, n);
  }
  return name;
}

static const char *what_of(const tm_graph *graph, const tm_node *node) {
  if (node->role == TM_ROLE_STEP) return node->verb;
  return tm_arena_format(graph->arena, "tm.%s", node->verb);
}

static int set_inputs(const tm_graph *graph, tm_bind *bind, const tm_node *node,
                      tm_bind *const *nodes, tm_error *err) {
  int wanted = bind->stage->inputs;
  if (wanted >= 0 && (uint32_t)wanted != node->input_count &&
      !(bind->stage->sink && node->input_count == 0)) {
    return tm_fail(err, TM_E_JOB, "'%s' takes %d inputs, not %u", bind->verb, wanted,
                   node->input_count);
  }
  for (uint32_t i = 0; i < node->input_count; i++) {
    const tm_bind *input = nodes[node->inputs[i]];
    if (input->output == NULL) {
      return tm_fail(err, TM_E_JOB, "step '%s' has no output to read", input->name);
    }
  }
  if (bind->stage->sink && node->input_count == 0) {
    bind->input_count = 1; /* only refused rows come */
    bind->inputs[0] = &tm_refused_visible_schema;
    bind->facts_in[0] = no_facts;
    bind->facts_in[0].bounded = !graph->job.stream;
  }
  return 0;
}

/* How far time has come in two inputs. Without memory for it, as far as in the first. */
static tm_time_reach *join_reach(tm_bind *bind, tm_time_reach *a, tm_time_reach *b) {
  if (a == NULL || b == NULL || a == b) return a != NULL ? a : b;
  tm_time_reach *both = tm_arena_zero(bind->arena, sizeof *both);
  if (both == NULL) return a;
  *both = (tm_time_reach){.latest_us = TM_TIME_NONE, .parts = {a, b}};
  return both;
}

/* What is known of the inputs, before there is a stage. */
static void set_facts(tm_bind *bind, const tm_node *node, tm_bind *const *nodes) {
  tm_rows_facts *out = &bind->facts_out;
  bind->input_count = node->input_count;
  *out = no_facts;
  for (uint32_t i = 0; i < node->input_count; i++) {
    const tm_bind *input = nodes[node->inputs[i]];
    bind->inputs[i] = input->output;
    bind->input_rows[i] = input->rows_estimate;
    bind->facts_in[i] = input->facts_out;
    if (i == 0) *out = input->facts_out;
    out->changelog |= input->facts_out.changelog;
    out->bounded &= input->facts_out.bounded;
    out->live |= input->facts_out.live;
    out->reach = join_reach(bind, out->reach, input->facts_out.reach);
  }
  out->in_time_order &= node->input_count == 1;
  out->window_start = out->window_end = -1;
}

/* Columns of windows go where they pass unchanged; whoever makes windows has said so itself. */
static void pass_windows(tm_bind *bind) {
  const tm_rows_facts *in = &bind->facts_in[0];
  tm_rows_facts *out = &bind->facts_out;
  bool made = out->window_start >= 0 || out->window_end >= 0;
  if (made || bind->input_count != 1 || bind->passes[0] == NULL || bind->output == NULL) return;
  for (uint32_t c = 0; c < bind->output->count; c++) {
    int32_t from = bind->passes[0][c];
    if (from >= 0 && from == in->window_start) out->window_start = (int)c;
    if (from >= 0 && from == in->window_end) out->window_end = (int)c;
  }
}

/* Rows of a source, or of a sort, are first and last by where they stand. */
static void set_placed(tm_bind *bind) {
  bool kept = bind->order == TM_ORDER_KEEPS && bind->input_count > 0 && bind->facts_in[0].placed;
  bind->facts_out.placed = bind->input_count == 0 || bind->order == TM_ORDER_MAKES || kept;
}

/* A source's rows get their time from the step clock, right behind it. */
static int set_time(tm_bind *bind, tm_error *err) {
  const tm_value *time = tm_value_get(bind->options, "time");
  if (bind->input_count > 0 || bind->stage->sink || time == NULL || time->kind == TM_VALUE_NIL) {
    return 0;
  }
  const char *field = time->kind == TM_VALUE_TEXT ? time->text
                                                  : tm_value_text(time, "field", NULL);
  if (field == NULL) {
    tm_fail(err, TM_E_VALUE, "'time' needs its field: time = { field = \"at\" }");
    tm_error_token(err, "time", "");
    return -1;
  }
  int column = tm_schema_require(bind->output, field, err);
  if (column < 0) return -1;
  tm_type type = bind->output->fields[column].type;
  if (type.kind != TM_TIMESTAMP && type.kind != TM_DATE) {
    tm_fail(err, TM_E_TYPE, "event time is a timestamp or a date, and '%s' is not", field);
    tm_error_token(err, field, "");
    return tm_error_help(err, "declare it in the schema: \"%s timestamp\"; numbers count with"
                         " epoch = \"ms\"", field);
  }
  bind->facts_out.time = type;
  bind->facts_out.reach = tm_arena_zero(bind->arena, sizeof *bind->facts_out.reach);
  if (bind->facts_out.reach == NULL) return tm_fail(err, TM_E_MEMORY, "plan: out of memory");
  bind->facts_out.reach->latest_us = TM_TIME_NONE;
  return 0;
}

static int bind_stage(const tm_graph *graph, const char *what, tm_bind *bind, tm_error *err) {
  if (bind->stage->options != NULL &&
      tm_options_check(bind->stage->options, bind->options, what, err) < 0) {
    return -1;
  }
  if (bind->stage->bind(bind, err) < 0) {
    assert(err->code != TM_E_NONE);
    return -1;
  }
  if (bind->output == NULL || bind->stage->sink) return 0;
  for (uint32_t i = 0; i < bind->output->count; i++) {
    const char *name = bind->output->fields[i].name;
    if ((uint32_t)tm_schema_find(bind->output, name) == i) continue;
    if (bind->stage->inputs != 2) {
      tm_fail(err, TM_E_COLUMNS, "column '%s' comes twice", name);
      tm_error_token(err, name, "");
      return -1;
    }
    tm_fail(err, TM_E_COLUMNS, "%s: both sides have a column '%s'", bind->verb, name);
    return tm_error_help(err, "take = { new = \"%s\" } or prefix renames columns of the right side",
                         name);
  }
  (void)graph;
  return 0;
}

/* Some sink below shows every update: tm.changelog. */
static bool wants_updates(const tm_graph *graph, uint32_t index) {
  uint8_t *below = tm_arena_zero(graph->arena, graph->count + 1);
  if (below == NULL) return true;
  below[index] = 1;
  for (uint32_t i = index; i < graph->count; i++) {
    for (uint32_t k = 0; k < graph->nodes[i].input_count; k++) {
      below[i] |= below[graph->nodes[i].inputs[k]];
    }
    if (below[i] && strcmp(graph->nodes[i].verb, "changelog") == 0) return true;
  }
  return false;
}

static int bind_node(const tm_graph *graph, uint32_t index, tm_budget *budget, tm_bind **nodes,
                     tm_error *err) {
  const tm_node *node = &graph->nodes[index];
  tm_bind *bind = tm_arena_zero(graph->arena, sizeof *bind);
  if (bind == NULL) return tm_fail(err, TM_E_MEMORY, "plan: out of memory");
  nodes[index] = bind;
  *bind = (tm_bind){
    .arena = graph->arena, .budget = budget, .job = &graph->job, .verb = node->verb,
    .options = node->options != NULL ? node->options : &no_options,
    .script_line = node->script_line, .node = index,
  };
  bind->name = name_of(graph, node, nodes, index);
  if (bind->name == NULL) return tm_fail(err, TM_E_MEMORY, "plan: out of memory");
  if (node->name != NULL && is_taken(nodes, index, node->name)) {
    return tm_fail(err, TM_E_COLUMNS, "two steps are named '%s'", node->name);
  }
  set_facts(bind, node, nodes);
  bind->final_only = graph->job.stream && bind->facts_out.bounded && !wants_updates(graph, index);
  bind->stage = tm_stage_find_for(node->verb, node->role, bind);
  if (bind->stage == NULL) return unknown_verb(graph, node, err);
  if (set_inputs(graph, bind, node, nodes, err) < 0 ||
      bind_stage(graph, what_of(graph, node), bind, err) < 0) {
    return -1;
  }
  pass_windows(bind);
  set_placed(bind);
  return set_time(bind, err);
}

int tm_bind_graph(const tm_graph *graph, tm_budget *budget, tm_bind **nodes, tm_error *err) {
  for (uint32_t i = 0; i < graph->count; i++) {
    if (bind_node(graph, i, budget, nodes, err) == 0) continue;
    if (nodes[i] != NULL) place(err, graph, nodes[i]);
    return -1;
  }
  return 0;
}

tm_bind *tm_bind_inserted(const tm_graph *graph, tm_budget *budget, const char *verb,
                          const tm_value *options, const tm_bind *input, tm_error *err) {
  tm_bind *bind = tm_arena_zero(graph->arena, sizeof *bind);
  if (bind == NULL) {
    tm_fail(err, TM_E_MEMORY, "plan: out of memory");
    return NULL;
  }
  *bind = (tm_bind){
    .arena = graph->arena, .budget = budget, .job = &graph->job, .verb = verb, .name = verb,
    .options = options != NULL ? options : &no_options, .script_line = input->script_line,
    .inserted = true,
    .input_count = 1, .inputs = {input->output}, .input_rows = {input->rows_estimate},
    .facts_in = {input->facts_out}, .facts_out = input->facts_out,
  };
  bind->stage = tm_stage_find(verb, TM_ROLE_STEP);
  assert(bind->stage != NULL);
  bind->facts_out.window_start = bind->facts_out.window_end = -1;
  if (bind->stage->bind(bind, err) < 0) return NULL;
  pass_windows(bind);
  set_placed(bind);
  return bind;
}
