/* tests/script/graph_text.c: see the header. */
#include "graph_text.h"

#include <inttypes.h>

#include "expr/function.h"
#include "kernel/print.h"

static const char *const sources[] = {"csv", "jsonl", "msgpack", "lines", "rows", "generate"};
static const char *const sinks[] = {"csv", "jsonl", "msgpack", "lines", "stdout", "discard"};
static const char *const steps[] = {
  "filter", "with", "map", "select", "drop", "rename", "check", "union", "limit", "agg", "distinct",
  "sort", "top", "join",
};

static bool has(const char *const *list, size_t count, const char *verb) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(list[i], verb) == 0) return true;
  }
  return false;
}

const tm_stage *tm_test_stage_find(const char *verb, tm_stage_role role) {
  static const tm_stage stage;
  bool found = role == TM_ROLE_SOURCE ? has(sources, sizeof sources / sizeof *sources, verb)
               : role == TM_ROLE_SINK ? has(sinks, sizeof sinks / sizeof *sinks, verb)
                                      : has(steps, sizeof steps / sizeof *steps, verb);
  return found ? &stage : NULL;
}

tm_script *tm_test_script(tm_budget *budget, const char *text, tm_error *err) {
  tm_script_options options = {
      .text = text, .date = "2026-03-14", .budget = budget, .find_stage = tm_test_stage_find,
  };
  return tm_script_open(&options, err);
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

void tm_test_graph_text(const tm_graph *graph, tm_bytes *out) {
  static const char *const roles[] = {"source", "step", "sink"};
  for (uint32_t i = 0; i < graph->count; i++) {
    const tm_node *node = &graph->nodes[i];
    tm_bytes_format(out, "%u %s %s@%d", i, roles[node->role], node->verb, node->script_line);
    if (node->name != NULL) tm_bytes_format(out, " '%s'", node->name);
    if (node->input_count > 0) tm_bytes_append_text(out, " <-");
    for (uint32_t k = 0; k < node->input_count; k++) tm_bytes_format(out, " %u", node->inputs[k]);
    tm_bytes_append_text(out, " ");
    value_text(node->options, out);
    tm_bytes_append_text(out, "\n");
  }
  tm_bytes_format(out, "job '%s'@%d ", graph->job.pipeline, graph->job_line);
  value_text(graph->job_options, out);
  tm_bytes_append_text(out, "\n");
  (void)tm_bytes_c_string(out);
}
