/* plan/outputs.c: see outputs.h. Paths are compared as text: with the date put in, without `.` and
 * doubled slashes. Links are not followed, for the files may not be there yet. */
#include "plan/outputs.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 4096 };

static void append(char out[PATH_MAX_BYTES], size_t *size, const char *text, size_t count) {
  for (size_t i = 0; i < count && *size + 1 < PATH_MAX_BYTES; i++) out[(*size)++] = text[i];
  out[*size] = '\0';
}

static void normalise(const char *path, const char *date, char out[PATH_MAX_BYTES]) {
  size_t size = 0;
  out[0] = '\0';
  for (const char *at = path; *at != '\0';) {
    bool begins = size == 0 || out[size - 1] == '/';
    if (date != NULL && strncmp(at, "{date}", 6) == 0) {
      append(out, &size, date, strlen(date));
      at += 6;
    } else if (at[0] == '/' && size > 0 && out[size - 1] == '/') {
      at++;
    } else if (begins && at[0] == '.' && at[1] == '/') {
      at += 2;
    } else {
      append(out, &size, at++, 1);
    }
  }
}

static const char *path_of(const tm_node *node) {
  if (node->role != TM_ROLE_SINK) return NULL;
  const char *path = tm_value_text(node->options, "path", NULL);
  return path == NULL || strcmp(path, "-") == 0 ? NULL : path;
}

static int fail_at(const tm_graph *graph, const tm_node *node, tm_error *err) {
  snprintf(err->script, sizeof err->script, "%s", graph->job.script);
  err->script_line = node->script_line;
  return -1;
}

int tm_outputs_check(const tm_graph *graph, tm_error *err) {
  bool any = false;
  char mine[PATH_MAX_BYTES], other[PATH_MAX_BYTES];
  for (uint32_t i = 0; i < graph->count; i++) {
    const tm_node *node = &graph->nodes[i];
    any |= node->role == TM_ROLE_SINK && node->input_count > 0;
    const char *path = path_of(node);
    if (path == NULL) continue;
    normalise(path, graph->job.date, mine);
    for (uint32_t k = 0; k < i; k++) {
      const char *before = path_of(&graph->nodes[k]);
      if (before == NULL) continue;
      normalise(before, graph->job.date, other);
      if (strcmp(mine, other) != 0) continue;
      tm_fail(err, TM_E_OUTPUT, "two outputs write to '%.200s'", mine);
      tm_error_token(err, path, "");
      tm_error_help(err, "the other one is on line %d; union joins rows of one shape",
                    graph->nodes[k].script_line);
      return fail_at(graph, node, err);
    }
  }
  if (any) return 0;
  tm_fail(err, TM_E_OUTPUT, "job '%.60s' has no output", graph->job.pipeline);
  tm_error_help(err, "give it one: tm.batch { name = …, flow:to(tm.stdout()) }");
  snprintf(err->script, sizeof err->script, "%s", graph->job.script);
  err->script_line = graph->job_line;
  return -1;
}
