/* io/source_files.c: see source_files.h. */
#include "io/source_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/glob.h"

static const char null_folder[] = "__HIVE_DEFAULT_PARTITION__";

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "paths: out of memory"); }

const char *tm_source_files_date(tm_arena *arena, const char *path, const char *date) {
  static const char word[] = "{date}";
  size_t hits = 0, date_size = date != NULL ? strlen(date) : 0;
  for (const char *at = path; date != NULL && (at = strstr(at, word)) != NULL; at++) hits++;
  if (hits == 0) return path;
  char *out = tm_arena_alloc(arena, strlen(path) + hits * date_size + 1), *to = out;
  if (out == NULL) return NULL;
  while (*path != '\0') {
    if (strncmp(path, word, sizeof word - 1) == 0) {
      memcpy(to, date, date_size);
      to += date_size;
      path += sizeof word - 1;
    } else {
      *to++ = *path++;
    }
  }
  *to = '\0';
  return out;
}

/* ---------------------------------------------------------------- finding */

typedef struct finder {
  tm_arena *arena;
  const char *date;
  const char **paths;
  size_t count, capacity;
  tm_error *err;
} finder;

static int add(finder *f, const char *path) {
  if (f->count == f->capacity) {
    size_t capacity = f->capacity == 0 ? 16 : f->capacity * 2;
    const char **grown = tm_arena_alloc(f->arena, capacity * sizeof *grown);
    if (grown == NULL) return no_memory(f->err);
    if (f->count > 0) memcpy(grown, f->paths, f->count * sizeof *grown);
    f->paths = grown;
    f->capacity = capacity;
  }
  f->paths[f->count++] = path;
  return 0;
}

static int add_pattern(finder *f, const char *text) {
  const char *pattern = tm_source_files_date(f->arena, text, f->date);
  const char *const *found;
  size_t count;
  if (pattern == NULL) return no_memory(f->err);
  if (*pattern == '\0') return tm_fail(f->err, TM_E_VALUE, "the path is empty");
  if (!tm_glob_is_pattern(pattern)) return add(f, pattern);
  /* A file whose name has such characters is itself meant. */
  tm_file_info info;
  if (tm_env_get()->stat(pattern, &info) == 0) return add(f, pattern);
  if (tm_glob_expand(f->arena, pattern, &found, &count, f->err) < 0) return -1;
  if (count == 0) return tm_fail(f->err, TM_E_MISSING, "no file matches %s", pattern);
  for (size_t i = 0; i < count; i++) {
    if (add(f, found[i]) < 0) return -1;
  }
  return 0;
}

static int add_value(finder *f, const tm_value *v) {
  if (v == NULL || v->kind == TM_VALUE_NIL) {
    tm_fail(f->err, TM_E_VALUE, "a source needs a path");
    return tm_error_help(f->err, "a file, a list or a glob; \"-\" is stdin");
  }
  if (v->kind == TM_VALUE_TEXT) return add_pattern(f, v->text);
  if (v->kind != TM_VALUE_TABLE || v->pair_count > 0 || v->item_count == 0) {
    return tm_fail(f->err, TM_E_VALUE, "a path is a string or a list of them, not a %s",
                   v->kind == TM_VALUE_TABLE ? "table" : tm_value_kind_name(v->kind));
  }
  for (size_t i = 0; i < v->item_count; i++) {
    if (v->items[i].kind != TM_VALUE_TEXT) {
      return tm_fail(f->err, TM_E_VALUE, "a path is a string, not a %s",
                     tm_value_kind_name(v->items[i].kind));
    }
    if (add_pattern(f, v->items[i].text) < 0) return -1;
  }
  return 0;
}

static int compare_paths(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Opening tells whether it is there, no folder, and ours to read. Pipes are left alone. */
static int probe(finder *f, tm_source_file *file) {
  const tm_env *env = tm_env_get();
  tm_file_info info;
  if (strcmp(file->path, "-") == 0) return 0;
  if (env->stat(file->path, &info) == 0) {
    if (info.kind == TM_FILE_PIPE || info.kind == TM_FILE_TERMINAL) return 0;
    file->size = info.kind == TM_FILE_REGULAR ? info.size : 0;
  }
  tm_input *in;
  if (tm_input_open(&in, f->arena->budget, file->path, NULL, f->err) < 0) return -1;
  tm_input_close(in);
  return 0;
}

int tm_source_files_find(tm_arena *arena, const tm_value *path, const char *date,
                         tm_source_files *out, tm_error *err) {
  finder f = {.arena = arena, .date = date, .err = err};
  if (add_value(&f, path) < 0) return -1;
  qsort(f.paths, f.count, sizeof *f.paths, compare_paths);
  out->items = tm_arena_zero(arena, f.count * sizeof *out->items);
  out->count = 0;
  if (out->items == NULL) return no_memory(err);
  for (size_t i = 0; i < f.count; i++) {
    if (i > 0 && strcmp(f.paths[i], f.paths[i - 1]) == 0) continue;
    tm_source_file *file = &out->items[out->count++];
    file->path = f.paths[i];
    file->name = strcmp(file->path, "-") == 0 ? "stdin" : file->path;
    if (probe(&f, file) < 0) return -1;
  }
  return 0;
}

/* ---------------------------------------------------------------- folders that are columns */

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* In place; %41 becomes A. */
static void decode_percents(char *text) {
  char *to = text;
  for (const char *at = text; *at != '\0'; at++) {
    int high = *at == '%' ? hex_digit(at[1]) : -1;
    int low = high >= 0 ? hex_digit(at[2]) : -1;
    if (low >= 0 && (high | low) != 0) {
      *to++ = (char)(high << 4 | low);
      at += 2;
    } else {
      *to++ = *at;
    }
  }
  *to = '\0';
}

const char *tm_source_files_partition(tm_arena *arena, const char *path, const char *name,
                                      bool *out_found) {
  size_t size = strlen(name);
  *out_found = false;
  for (const char *at = path; at != NULL; at = strchr(at, '/')) {
    if (*at == '/') at++;
    const char *end = strchr(at, '/');
    if (end == NULL) return NULL; /* the file's own name is no folder */
    if (strncmp(at, name, size) != 0 || at[size] != '=') continue;
    *out_found = true;
    const char *value = at + size + 1;
    char *text = tm_arena_alloc(arena, (size_t)(end - value) + 1 + 64);
    if (text == NULL) return NULL;
    memset(text, 0, (size_t)(end - value) + 1 + 64); /* readable beyond, as fields are */
    memcpy(text, value, (size_t)(end - value));
    decode_percents(text);
    return strcmp(text, null_folder) == 0 ? NULL : text;
  }
  return NULL;
}
