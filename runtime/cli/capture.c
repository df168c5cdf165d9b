/* cli/capture.c: see capture.h. */
#define _GNU_SOURCE /* memmem */
#include "cli/capture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"

enum { TRIES_MAX = 16, FOLDER_MODE = 0700 };

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

/* ---------------------------------------------------------------- the folder */

/* Rows may be nobody else's business. */
static int make_private(const char *folder) {
  const tm_env *env = tm_env_get();
  int made = env->mkdir(folder);
  if (made < 0) return made;
  int file = env->open(folder, TM_OPEN_FOLDER);
  int done = file < 0 ? file : env->set_mode(file, FOLDER_MODE);
  if (file >= 0) env->close(file);
  if (done < 0) env->rmdir(folder);
  return done;
}

int tm_capture_open(tm_capture *capture, tm_budget *budget, tm_error *err) {
  const tm_env *env = tm_env_get();
  const char *above = env->variable("TMPDIR");
  if (above == NULL || above[0] == '\0') above = "/tmp";
  *capture = (tm_capture){.budget = budget, .folder_bytes = strlen(above) + 64};
  capture->folder = tm_alloc(budget, capture->folder_bytes);
  if (capture->folder == NULL) return no_memory(err);
  int done = -1;
  for (int i = 0; i < TRIES_MAX && done < 0; i++) {
    uint64_t random;
    env->random(&random, sizeof random);
    snprintf(capture->folder, capture->folder_bytes, "%s/tidemill-prove-%016" PRIx64, above,
             random);
    done = make_private(capture->folder);
  }
  if (done == 0) return 0;
  tm_fail(err, TM_E_WRITE, "cannot make a folder in '%.200s': %s", above, tm_env_error_text(done));
  tm_free(budget, capture->folder, capture->folder_bytes);
  capture->folder = NULL;
  return -1;
}

static void path_of(const tm_capture *capture, uint32_t output, char *out, size_t room) {
  snprintf(out, room, "%s/%u.jsonl", capture->folder, output);
}

void tm_capture_close(tm_capture *capture) {
  if (capture->folder == NULL) return;
  size_t room = capture->folder_bytes + 32;
  char *path = tm_alloc(capture->budget, room);
  for (uint32_t i = 0; path != NULL && i < capture->count; i++) {
    path_of(capture, i, path, room);
    tm_env_get()->unlink(path);
  }
  tm_env_get()->rmdir(capture->folder);
  tm_free(capture->budget, path, room);
  tm_free(capture->budget, capture->outputs, capture->capacity * sizeof *capture->outputs);
  tm_free(capture->budget, capture->folder, capture->folder_bytes);
  *capture = (tm_capture){0};
}

/* ---------------------------------------------------------------- the graph */

static int add_output(tm_capture *capture, const tm_node *node, tm_error *err) {
  if (capture->count == capture->capacity) {
    uint32_t capacity = capture->capacity == 0 ? 8 : capture->capacity * 2;
    void *grown = tm_realloc(capture->budget, capture->outputs,
                             capture->capacity * sizeof *capture->outputs,
                             capacity * sizeof *capture->outputs);
    if (grown == NULL) return no_memory(err);
    capture->outputs = grown;
    capture->capacity = capacity;
  }
  const char *name = node->name != NULL ? node->name : tm_value_text(node->options, "path", NULL);
  tm_captured *output = &capture->outputs[capture->count++];
  snprintf(output->name, sizeof output->name, "%s", name != NULL ? name : node->verb);
  output->refused = node->input_count == 0;
  return 0;
}

static int turn(const tm_capture *capture, tm_graph *graph, tm_node *node, uint32_t output,
                tm_error *err) {
  size_t room = capture->folder_bytes + 32;
  char *path = tm_arena_alloc(graph->arena, room);
  tm_pair *pair = tm_arena_zero(graph->arena, sizeof *pair);
  tm_value *options = tm_arena_zero(graph->arena, sizeof *options);
  if (path == NULL || pair == NULL || options == NULL) return no_memory(err);
  path_of(capture, output, path, room);
  pair->name = "path";
  pair->value = (tm_value){.kind = TM_VALUE_TEXT, .text = path, .size = strlen(path)};
  *options = (tm_value){.kind = TM_VALUE_TABLE, .pairs = pair, .pair_count = 1};
  node->verb = "jsonl";
  node->options = options;
  return 0;
}

/* A changelog is compared by its net rows: what would write the changes lets them pass. */
static void settle(tm_node *node) {
  if (node->role == TM_ROLE_STEP && strcmp(node->verb, "changelog") == 0) node->verb = "union";
}

int tm_capture_redirect(tm_capture *capture, tm_graph *graph, tm_error *err) {
  bool first = capture->count == 0;
  uint32_t output = 0;
  for (uint32_t i = 0; i < graph->count; i++) {
    tm_node *node = &graph->nodes[i];
    settle(node);
    if (node->role != TM_ROLE_SINK) continue;
    if (first && add_output(capture, node, err) < 0) return -1;
    if (turn(capture, graph, node, output++, err) < 0) return -1;
  }
  return 0;
}

/* ---------------------------------------------------------------- what a run gave */

static int read_file(const char *path, tm_bytes *out, tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_file_info info = {0};
  int file = env->open(path, TM_OPEN_READ);
  int64_t got = file < 0 ? file : env->stat_file(file, &info);
  if (got == 0 && !tm_bytes_reserve(out, info.size + 1)) {
    env->close(file);
    return no_memory(err);
  }
  if (got == 0) got = tm_env_pread_all(file, out->data, info.size, 0);
  if (file >= 0) env->close(file);
  if (got < 0) {
    return tm_fail(err, TM_E_READ, "cannot read '%.200s': %s", path, tm_env_error_text((int)got));
  }
  out->size = (size_t)got;
  return 0;
}

static int compare_lines(const void *a, const void *b) {
  const tm_capture_line *x = a, *y = b;
  int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
  if (order != 0) return order;
  return x->size < y->size ? -1 : x->size > y->size;
}

/* Cuts from each line what lies between the two fields of plan/refused.h. No text of a value can
 * look like them: quotes in it are escaped. */
static void cut_places(tm_capture_lines *out) {
  static const char from[] = ",\"source\":", to[] = ",\"pipeline\":";
  for (size_t i = 0; i < out->count; i++) {
    tm_capture_line *line = &out->lines[i];
    char *at = (char *)line->text, *end = at + line->size;
    char *first = memmem(at, line->size, from, sizeof from - 1);
    char *last = first == NULL ? NULL : memmem(first, (size_t)(end - first), to, sizeof to - 1);
    if (last == NULL) continue;
    memmove(first, last, (size_t)(end - last));
    line->size -= (size_t)(last - first);
  }
}

static int split(const tm_capture *capture, bool refused, tm_capture_lines *out, tm_error *err) {
  const char *at = (const char *)out->text.data, *end = at + out->text.size;
  for (const char *c = at; c < end; c++) out->count += *c == '\n';
  out->lines = tm_alloc(capture->budget, out->count * sizeof *out->lines);
  if (out->lines == NULL) return no_memory(err);
  for (size_t i = 0; i < out->count; i++) {
    const char *next = memchr(at, '\n', (size_t)(end - at));
    out->lines[i] = (tm_capture_line){at, (size_t)(next - at)};
    at = next + 1;
  }
  if (refused) cut_places(out);
  qsort(out->lines, out->count, sizeof *out->lines, compare_lines);
  return 0;
}

int tm_capture_take(tm_capture *capture, tm_capture_lines *out, tm_error *err) {
  int done = 0;
  size_t room = capture->folder_bytes + 32;
  char *path = tm_alloc(capture->budget, room);
  for (uint32_t i = 0; i < capture->count; i++) {
    out[i] = (tm_capture_lines){0};
    tm_bytes_init(&out[i].text, capture->budget);
  }
  if (path == NULL) return no_memory(err);
  for (uint32_t i = 0; i < capture->count && done == 0; i++) {
    path_of(capture, i, path, room);
    done = read_file(path, &out[i].text, err);
    if (done == 0) done = split(capture, capture->outputs[i].refused, &out[i], err);
    tm_env_get()->unlink(path);
  }
  tm_free(capture->budget, path, room);
  if (done < 0) tm_capture_clear(capture, out);
  return done;
}

void tm_capture_clear(const tm_capture *capture, tm_capture_lines *lines) {
  for (uint32_t i = 0; i < capture->count; i++) {
    if (lines[i].lines != NULL) {
      tm_free(capture->budget, lines[i].lines, lines[i].count * sizeof *lines[i].lines);
    }
    if (lines[i].text.budget != NULL) tm_bytes_deinit(&lines[i].text);
    lines[i] = (tm_capture_lines){0};
  }
}

bool tm_capture_compare(const tm_capture_lines *a, const tm_capture_lines *b,
                        tm_capture_difference *out) {
  *out = (tm_capture_difference){0};
  size_t i = 0, k = 0;
  while (i < a->count || k < b->count) {
    int order = i == a->count ? 1 : k == b->count ? -1 : compare_lines(&a->lines[i], &b->lines[k]);
    if (order == 0) {
      out->both++;
      i++;
      k++;
    } else if (order < 0) {
      if (out->only_a < TM_CAPTURE_SHOWN) out->a[out->only_a] = a->lines[i];
      out->only_a++;
      i++;
    } else {
      if (out->only_b < TM_CAPTURE_SHOWN) out->b[out->only_b] = b->lines[k];
      out->only_b++;
      k++;
    }
  }
  return out->only_a + out->only_b == 0;
}
