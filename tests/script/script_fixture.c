/* tests/script/script_fixture.c: see the header. */
#include "script_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/print.h"

tm_budget *fixture_budget;
tm_arena fixture_arena;

void fixture_setup(void) {
  fixture_budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&fixture_arena, fixture_budget);
}

void fixture_teardown(void) {
  tm_arena_deinit(&fixture_arena);
  tm_arena_pool_clear();
  tm_budget_destroy(fixture_budget);
}

/* ------------------------------------------------------------------ an engine */

static bool has(const char *const *list, size_t count, const char *verb) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(list[i], verb) == 0) return true;
  }
  return false;
}

const tm_stage *fixture_stage_find(const char *verb, tm_stage_role role) {
  static const char *const sources[] = {"csv",  "jsonl",    "msgpack", "lines",
                                        "rows", "generate", "tail",    "tcp"};
  static const char *const sinks[] = {"csv", "jsonl", "msgpack", "lines", "stdout", "discard"};
  static const char *const steps[] = {
    "filter", "with", "map", "select", "drop", "rename", "check", "union", "limit", "agg",
    "distinct", "sort", "top", "join", "clock", "dedup", "once", "over", "process", "changelog",
    "join_interval", "join_asof", "lookup",
  };
  static const tm_stage stage;
  bool found = role == TM_ROLE_SOURCE ? has(sources, sizeof sources / sizeof *sources, verb)
               : role == TM_ROLE_SINK ? has(sinks, sizeof sinks / sizeof *sinks, verb)
                                      : has(steps, sizeof steps / sizeof *steps, verb);
  return found ? &stage : NULL;
}

tm_script *fixture_script(const char *text, tm_error *err) {
  tm_script_options options = {
      .text = text, .date = "2026-03-14", .budget = fixture_budget,
      .find_stage = fixture_stage_find,
  };
  return tm_script_open(&options, err);
}

tm_script *fixture_open(const char *text) {
  tm_error err = {0};
  tm_script *script = fixture_script(text, &err);
  cr_assert(script != NULL, "%s: %s", text, fixture_error_text(&err));
  return script;
}

/* ------------------------------------------------------------------ graphs as text */

static const char *keep(tm_bytes *bytes) {
  const char *text = tm_arena_text(&fixture_arena, (const char *)bytes->data, bytes->size);
  tm_bytes_deinit(bytes);
  return text;
}

static void value_text(const tm_value *v, tm_bytes *out);

static void table_text(const tm_value *v, tm_bytes *out) {
  const char *between = "";
  tm_bytes_append_text(out, "{");
  for (size_t i = 0; i < v->item_count; i++, between = ", ") {
    tm_bytes_append_text(out, between);
    value_text(&v->items[i], out);
  }
  for (size_t i = 0; i < v->pair_count; i++, between = ", ") {
    tm_bytes_format(out, "%s%s=", between, v->pairs[i].name);
    value_text(&v->pairs[i].value, out);
  }
  tm_bytes_append_text(out, "}");
}

static void value_text(const tm_value *v, tm_bytes *out) {
  char text[TM_PRINT_MAX];
  switch (v->kind) {
    case TM_VALUE_NIL: tm_bytes_append_text(out, "nil"); return;
    case TM_VALUE_BOOL: tm_bytes_append_text(out, v->boolean ? "true" : "false"); return;
    case TM_VALUE_INT: tm_bytes_format(out, "%" PRId64, v->integer); return;
    case TM_VALUE_FLOAT: tm_bytes_append(out, text, tm_print_float64(text, v->number)); return;
    case TM_VALUE_TEXT: tm_bytes_format(out, "\"%s\"", v->text); return;
    case TM_VALUE_TABLE: table_text(v, out); return;
    case TM_VALUE_DECIMAL:
      tm_bytes_append_text(out, "dec ");
      tm_bytes_append(out, text, tm_print_decimal(text, v->decimal, v->scale));
      return;
    case TM_VALUE_DATE:
      tm_bytes_append(out, text, tm_print_date(text, (int32_t)v->integer));
      return;
    case TM_VALUE_TIMESTAMP: tm_bytes_format(out, "at %" PRId64, v->integer); return;
    case TM_VALUE_DURATION: tm_bytes_format(out, "%" PRId64 "us", v->integer); return;
    case TM_VALUE_FUNCTION:
      tm_bytes_format(out, "function@%d", ((tm_function_source *)v->function)->script_line);
      return;
    case TM_VALUE_NODE: tm_bytes_format(out, "#%" PRId64, v->integer); return;
    case TM_VALUE_SECRET: tm_bytes_append_text(out, "***"); return;
  }
}

const char *fixture_graph_text(const tm_graph *graph) {
  static const char *const roles[] = {"source", "step", "sink"};
  tm_bytes out;
  tm_bytes_init(&out, fixture_budget);
  for (uint32_t i = 0; i < graph->count; i++) {
    const tm_node *node = &graph->nodes[i];
    tm_bytes_format(&out, "%u %s %s@%d", i, roles[node->role], node->verb, node->script_line);
    if (node->name != NULL) tm_bytes_format(&out, " '%s'", node->name);
    if (node->input_count > 0) tm_bytes_append_text(&out, " <-");
    for (uint32_t k = 0; k < node->input_count; k++) {
      tm_bytes_format(&out, " %u", node->inputs[k]);
    }
    tm_bytes_append_text(&out, " ");
    value_text(node->options, &out);
    tm_bytes_append_text(&out, "\n");
  }
  tm_bytes_format(&out, "job '%s'@%d ", graph->job.pipeline, graph->job_line);
  value_text(graph->job_options, &out);
  return keep(&out);
}

const char *fixture_error_text(const tm_error *err) {
  tm_bytes out;
  tm_bytes_init(&out, fixture_budget);
  tm_bytes_format(&out, "E%d:%d %s", err->code, err->script_line, err->message);
  if (err->token[0] != '\0') tm_bytes_format(&out, " [%s]", err->token);
  if (err->note[0] != '\0') tm_bytes_format(&out, " (%s)", err->note);
  if (err->help[0] != '\0') tm_bytes_format(&out, " {%s}", err->help);
  return keep(&out);
}

const char *fixture_graph(const char *text) {
  tm_error err = {0};
  tm_script *script = fixture_script(text, &err);
  if (script == NULL) return fixture_error_text(&err);
  const char *result = fixture_graph_text(tm_script_graph(script));
  tm_script_close(script);
  return result;
}

const char *fixture_value(const char *expression) {
  tm_error err = {0};
  tm_bytes text;
  tm_bytes_init(&text, fixture_budget);
  tm_bytes_format(&text,
                  "local ok, v = pcall(function() return %s end)\n"
                  "v = tostring(v)\n"
                  "if not ok then v = '! ' .. v:gsub('^%%-e:1: ', '') end\n"
                  "return tm.rows { schema = v }", expression);
  tm_script *script = fixture_script(tm_bytes_c_string(&text), &err);
  tm_bytes_deinit(&text);
  if (script == NULL) return fixture_error_text(&err);
  const tm_value *options = tm_script_graph(script)->nodes[0].options;
  const char *value = tm_value_text(options, "schema", "?");
  const char *result = tm_arena_text(&fixture_arena, value, strlen(value));
  tm_script_close(script);
  return result;
}

/* ------------------------------------------------------------------ row functions */

int fixture_bind(fixture_function *f, const char *lua, const char *input_ddl, tm_shape shape,
                 const char *declared_ddl, tm_error *err) {
  tm_bytes text;
  tm_bytes_init(&text, fixture_budget);
  tm_bytes_format(&text, "%s\nreturn tm.rows { schema = 'a int64' }:filter(f)", lua);
  *f = (fixture_function){.script = fixture_script(tm_bytes_c_string(&text), err)};
  tm_bytes_deinit(&text);
  if (f->script == NULL) return -1;
  const tm_value *source = tm_value_get(tm_script_graph(f->script)->nodes[1].options, "f");
  const char *second = strchr(input_ddl, '|'); /* two inputs: DDL | DDL */
  size_t first_size = second == NULL ? strlen(input_ddl) : (size_t)(second - input_ddl);
  f->inputs[0] = rows_schema(&fixture_arena,
                             tm_arena_text(&fixture_arena, input_ddl, first_size));
  f->input_count = 1;
  if (second != NULL) f->inputs[f->input_count++] = rows_schema(&fixture_arena, second + 1);
  const tm_schema *declared = NULL;
  if (declared_ddl != NULL) declared = rows_schema(&fixture_arena, declared_ddl);
  tm_function_want want = {
      .shape = shape, .input_count = f->input_count, .inputs = {f->inputs[0], f->inputs[1]},
      .declared = declared, .verb = "map",
      .name = shape == TM_SHAPE_VALUE && declared != NULL ? declared->fields[0].name : NULL,
  };
  const tm_function_source *function = source->function;
  return function->bind(function, &want, &fixture_arena, &f->function, err);
}

static const tm_schema *joined(const fixture_function *f) {
  if (f->input_count == 1) return f->inputs[0];
  tm_schema *schema = tm_schema_create(&fixture_arena, f->inputs[0]->count + f->inputs[1]->count);
  memcpy(schema->fields, f->inputs[0]->fields, f->inputs[0]->count * sizeof *schema->fields);
  memcpy(schema->fields + f->inputs[0]->count, f->inputs[1]->fields,
         f->inputs[1]->count * sizeof *schema->fields);
  return schema;
}

/* Days and microseconds as numbers, the rest as rows_cell_text has it. */
static void cell_text(const tm_column *column, uint32_t row, tm_bytes *out) {
  if (tm_column_is_null(column, row)) {
    tm_bytes_append_text(out, "null");
  } else if (column->type.kind == TM_DATE) {
    tm_bytes_format(out, "%d", ((const int32_t *)column->data)[row]);
  } else if (column->type.kind == TM_TIMESTAMP) {
    tm_bytes_format(out, "%" PRId64, ((const int64_t *)column->data)[row]);
  } else {
    char *cell = rows_cell_text(column, row);
    tm_bytes_append_text(out, cell);
    free(cell);
  }
}

static void row_text(const tm_function *function, const tm_result *result, uint32_t row,
                     tm_bytes *out) {
  for (uint32_t i = 0; i < result->error_count; i++) {
    const tm_row_error *e = &result->errors[i];
    if (e->row != row) continue;
    tm_bytes_format(out, "%s: %s @%d\n", tm_reason_name(e->reason), e->message, e->script_line);
    return;
  }
  if (result->keep != NULL && !result->keep[row]) {
    tm_bytes_append_text(out, "dropped\n");
    return;
  }
  for (uint32_t i = 0; i < function->result->count; i++) {
    if (i > 0) tm_bytes_append_text(out, "|");
    cell_text(&result->columns[i], row, out);
  }
  tm_bytes_append_text(out, "\n");
}

/* In a worker of its own, as a run has it. */
static int call(const fixture_function *f, const tm_batch *batch, tm_result *result,
                tm_error *err) {
  tm_worker *worker;
  uint32_t *rows = tm_arena_alloc(&fixture_arena, (batch->rows + 1) * sizeof *rows);
  for (uint32_t i = 0; i < batch->rows; i++) rows[i] = i;
  cr_assert_eq(tm_script_worker_start(f->script, &worker, err), 0);
  int status = f->function->call(f->function, worker, batch, rows, batch->rows, result, err);
  tm_script_worker_stop(worker);
  return status;
}

const char *fixture_call(const char *lua, const char *input_ddl, const char *rows, tm_shape shape,
                         const char *declared_ddl) {
  fixture_function f;
  tm_error err = {0};
  tm_bytes out;
  if (fixture_bind(&f, lua, input_ddl, shape, declared_ddl, &err) < 0) {
    tm_script_close(f.script);
    return fixture_error_text(&err);
  }
  tm_batch *batch = rows_batch(fixture_budget, joined(&f), rows);
  tm_result result = {.arena = &fixture_arena};
  result.columns = tm_arena_zero(&fixture_arena,
                                 (f.function->result->count + 1) * sizeof *result.columns);
  int status = call(&f, batch, &result, &err);
  tm_bytes_init(&out, fixture_budget);
  for (uint32_t row = 0; row < batch->rows && status == 0; row++) {
    row_text(f.function, &result, row, &out);
  }
  tm_batch_release(batch);
  tm_script_close(f.script);
  if (status < 0) {
    tm_bytes_deinit(&out);
    return fixture_error_text(&err);
  }
  return keep(&out);
}
