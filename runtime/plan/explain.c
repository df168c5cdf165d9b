/* plan/explain.c: see explain.h. Both forms walk the same facts: for every step its inputs, the
 * columns that it gives with their types, which of them are needed, what it does, its functions. */
#include "plan/explain.h"

#include <inttypes.h>
#include <string.h>

#include "expr/function.h"
#include "format/json_text.h"

/* ---------------------------------------------------------------- facts */

static bool is_needed(const tm_bind *bind, uint32_t column) {
  return bind->needed == NULL || bind->needed[column];
}

static uint32_t count_needed(const tm_bind *bind) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < bind->output->count; i++) count += is_needed(bind, i);
  return count;
}

/* Where the script gave a source no schema, the one that was found, ready to paste. */
static bool was_sniffed(const tm_bind *bind) {
  return bind->input_count == 0 && bind->output != NULL &&
         tm_value_get(bind->options, "schema") == NULL;
}

static const char *role_name(const tm_bind *bind) {
  static const char *const names[] = {"source", "step", "sink"};
  return names[tm_stage_role_of(bind->stage)];
}

/* ---------------------------------------------------------------- text */

static const char *kind_text(tm_edge_kind kind) {
  return kind == TM_EDGE_REFUSED ? " (refused)" : kind == TM_EDGE_LATE ? " (late)" : "";
}

static bool text_inputs(const tm_plan *plan, uint32_t node, tm_bytes *out) {
  const char *before = " <- ";
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->to != node) continue;
    if (!tm_bytes_format(out, "%s%s%s%s", before, plan->nodes[e->from]->name,
                         kind_text(e->kind), e->buffering ? " (buffered)" : "")) {
      return false;
    }
    before = ", ";
  }
  return true;
}

/* Steps that give what they take do not repeat it. */
static bool changes_columns(const tm_bind *bind) {
  return bind->input_count == 0 || !tm_schema_equal(bind->inputs[0], bind->output);
}

static bool text_columns(const tm_bind *bind, tm_bytes *out) {
  if (bind->output == NULL || tm_stage_role_of(bind->stage) == TM_ROLE_SINK) return true;
  if (!changes_columns(bind)) return true;
  char *ddl = tm_schema_text(bind->arena, bind->output);
  if (ddl == NULL) return false;
  const char *label = was_sniffed(bind) ? "schema = [[ " : "columns  ";
  if (!tm_bytes_format(out, "      %s%s%s\n", label, ddl, was_sniffed(bind) ? " ]]" : "")) {
    return false;
  }
  uint32_t needed = count_needed(bind);
  if (needed == bind->output->count) return true;
  if (!tm_bytes_format(out, "      needed   %u of %u:", needed, bind->output->count)) return false;
  for (uint32_t i = 0; i < bind->output->count; i++) {
    if (!is_needed(bind, i)) continue;
    if (!tm_bytes_format(out, " %s", bind->output->fields[i].name)) return false;
  }
  return tm_bytes_append_byte(out, '\n');
}

static bool text_functions(const tm_bind *bind, tm_bytes *out) {
  for (uint32_t i = 0; i < bind->function_count; i++) {
    const tm_function *f = bind->functions[i];
    int line = f->source->script_line;
    bool done = f->trees != NULL
                    ? tm_bytes_format(out, "      compiled line %d: %s\n", line,
                                      f->text != NULL ? f->text : "")
                    : tm_bytes_format(out, "      in Lua   line %d: %s\n", line,
                                      f->why != NULL ? f->why : "not compiled");
    if (!done) return false;
  }
  return true;
}

static bool text_node(const tm_plan *plan, uint32_t node, tm_bytes *out) {
  const tm_bind *bind = plan->nodes[node];
  if (!tm_bytes_format(out, "%3u %s", node + 1, bind->name)) return false;
  if (strncmp(bind->name, bind->verb, strlen(bind->verb)) != 0 &&
      !tm_bytes_format(out, " (%s)", bind->verb)) {
    return false;
  }
  if (!text_inputs(plan, node, out)) return false;
  if (bind->script_line > 0 && !tm_bytes_format(out, "   line %d", bind->script_line)) return false;
  if (bind->detail != NULL && !tm_bytes_format(out, "\n      %s", bind->detail)) return false;
  if (bind->pushed_count > 0 &&
      !tm_bytes_format(out, "\n      %u filter%s moved into the scan", bind->pushed_count,
                       bind->pushed_count == 1 ? "" : "s")) {
    return false;
  }
  return tm_bytes_append_byte(out, '\n') && text_columns(bind, out) && text_functions(bind, out);
}

bool tm_explain_text(const tm_plan *plan, tm_bytes *out) {
  const tm_job_info *job = &plan->graph->job;
  if (!tm_bytes_format(out, "%s · %s · %u worker%s\n", job->pipeline,
                       job->stream ? "stream" : "batch", job->workers,
                       job->workers == 1 ? "" : "s")) {
    return false;
  }
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (!text_node(plan, i, out)) return false;
  }
  return true;
}

/* ---------------------------------------------------------------- JSON */

static bool json_text(tm_bytes *out, const char *text) {
  if (text == NULL) return tm_bytes_append_text(out, "null");
  return tm_json_text_string(out, text, strlen(text));
}

static bool json_key(tm_bytes *out, const char *key, bool first) {
  return tm_bytes_format(out, "%s\"%s\":", first ? "" : ",", key);
}

static bool json_columns(const tm_bind *bind, tm_bytes *out) {
  if (!json_key(out, "columns", false) || !tm_bytes_append_byte(out, '[')) return false;
  uint32_t count = bind->output == NULL || bind->stage->sink ? 0 : bind->output->count;
  for (uint32_t i = 0; i < count; i++) {
    const tm_field *field = &bind->output->fields[i];
    tm_type type = field->type;
    type.not_null = 0;
    char text[TM_TYPE_TEXT_MAX];
    if (!tm_bytes_append_text(out, i == 0 ? "{\"name\":" : ",{\"name\":") ||
        !json_text(out, field->name) || !json_key(out, "type", false) ||
        !json_text(out, tm_type_text(type, text)) ||
        !tm_bytes_format(out, ",\"not_null\":%s,\"needed\":%s}",
                         field->type.not_null ? "true" : "false",
                         is_needed(bind, i) ? "true" : "false")) {
      return false;
    }
  }
  return tm_bytes_append_byte(out, ']');
}

static bool json_inputs(const tm_plan *plan, uint32_t node, tm_bytes *out) {
  bool first = true;
  if (!json_key(out, "inputs", false) || !tm_bytes_append_byte(out, '[')) return false;
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->to != node) continue;
    if (!tm_bytes_append_text(out, first ? "{\"step\":" : ",{\"step\":") ||
        !json_text(out, plan->nodes[e->from]->name) ||
        !tm_bytes_format(out, ",\"port\":%u,\"refused\":%s,\"late\":%s,\"buffered\":%s}", e->port,
                         e->kind == TM_EDGE_REFUSED ? "true" : "false",
                         e->kind == TM_EDGE_LATE ? "true" : "false",
                         e->buffering ? "true" : "false")) {
      return false;
    }
    first = false;
  }
  return tm_bytes_append_byte(out, ']');
}

static bool json_functions(const tm_bind *bind, tm_bytes *out) {
  if (!json_key(out, "functions", false) || !tm_bytes_append_byte(out, '[')) return false;
  for (uint32_t i = 0; i < bind->function_count; i++) {
    const tm_function *f = bind->functions[i];
    if (!tm_bytes_format(out, "%s{\"line\":%d,\"compiled\":%s,\"why\":", i == 0 ? "" : ",",
                         f->source->script_line, f->trees != NULL ? "true" : "false") ||
        !json_text(out, f->trees != NULL ? NULL : f->why) || !json_key(out, "text", false) ||
        !json_text(out, f->text) || !tm_bytes_append_byte(out, '}')) {
      return false;
    }
  }
  return tm_bytes_append_byte(out, ']');
}

static bool json_node(const tm_plan *plan, uint32_t node, tm_bytes *out) {
  const tm_bind *bind = plan->nodes[node];
  char *ddl = was_sniffed(bind) ? tm_schema_text(bind->arena, bind->output) : NULL;
  return json_key(out, "name", true) && json_text(out, bind->name) &&
         json_key(out, "verb", false) && json_text(out, bind->verb) &&
         json_key(out, "role", false) && json_text(out, role_name(bind)) &&
         tm_bytes_format(out, ",\"line\":%d,\"pushed_filters\":%u", bind->script_line,
                         bind->pushed_count) &&
         json_key(out, "detail", false) && json_text(out, bind->detail) &&
         json_key(out, "sniffed", false) && json_text(out, ddl) &&
         json_inputs(plan, node, out) && json_columns(bind, out) && json_functions(bind, out);
}

bool tm_explain_json(const tm_plan *plan, tm_bytes *out) {
  const tm_job_info *job = &plan->graph->job;
  if (!tm_bytes_append_text(out, "{\"job\":") || !json_text(out, job->pipeline) ||
      !tm_bytes_format(out, ",\"mode\":\"%s\",\"workers\":%u,\"steps\":[",
                       job->stream ? "stream" : "batch", job->workers)) {
    return false;
  }
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (!tm_bytes_append_text(out, i == 0 ? "{" : ",{") || !json_node(plan, i, out) ||
        !tm_bytes_append_byte(out, '}')) {
      return false;
    }
  }
  return tm_bytes_append_text(out, "]}\n");
}
