/* base/glob.c: wildcards, one component of the pattern after the other.
 *
 * expand() holds the path so far and the pattern that is left. A plain component is appended; one
 * with wildcards lists the folder and goes on with every name that matches. What is collected is
 * sorted at the end, for a folder's order is the file system's whim. */
#include "base/glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"

enum { PATH_BYTES_MAX = 4096, FOLDERS_DEEP_MAX = 64 };

typedef struct search {
  tm_arena *arena;
  tm_bytes paths; /* of const char * */
  tm_error *err;
  char path[PATH_BYTES_MAX];
} search;

/* The component whose matches are being listed. */
typedef struct listing {
  search *search;
  const char *component, *rest; /* rest NULL: the last one */
  size_t path_size;
  int depth;
} listing;

static int expand(search *search, size_t path_size, const char *pattern, int depth);

bool tm_glob_is_pattern(const char *path) { return strpbrk(path, "*?[\\") != NULL; }

/* One character against the set at `set` (behind the bracket). *end: behind the set; NULL where it
 * has no end, and the bracket is an ordinary character. */
static bool in_set(const char *set, char c, const char **end) {
  bool negated = *set == '!' || *set == '^', found = false;
  const char *at = set + negated, *first = at;
  for (; *at != '\0' && (*at != ']' || at == first); at++) {
    char low = *at, high = *at;
    if (at[1] == '-' && at[2] != ']' && at[2] != '\0') {
      high = at[2];
      at += 2;
    }
    if ((unsigned char)low <= (unsigned char)c && (unsigned char)c <= (unsigned char)high) {
      found = true;
    }
  }
  *end = *at == ']' ? at + 1 : NULL;
  return found != negated;
}

/* After a mismatch only the last star can take one more character, so time is bounded by the
 * product of both lengths. */
bool tm_glob_match(const char *pattern, const char *name) {
  const char *star = NULL, *resume = NULL;
  if (name[0] == '.' && pattern[0] != '.' && !(pattern[0] == '\\' && pattern[1] == '.')) {
    return false;
  }
  while (*name != '\0') {
    const char *end = NULL;
    bool fits = false;
    if (*pattern == '*') {
      star = ++pattern;
      resume = name;
      continue;
    }
    if (*pattern == '?') {
      fits = true;
      end = pattern + 1;
    } else if (*pattern == '[') {
      fits = in_set(pattern + 1, *name, &end);
    }
    if (end == NULL && *pattern != '\0') {
      if (*pattern == '\\' && pattern[1] != '\0') pattern++;
      fits = *pattern == *name;
      end = pattern + 1;
    }
    if (fits && *pattern != '\0') {
      pattern = end;
      name++;
    } else if (star != NULL) {
      pattern = star;
      name = ++resume;
    } else {
      return false;
    }
  }
  while (*pattern == '*') pattern++;
  return *pattern == '\0';
}

static int out_of_memory(search *search) {
  return tm_fail(search->err, TM_E_MEMORY, "out of memory while listing files");
}

static int found(search *search, size_t path_size) {
  const char *path = tm_arena_text(search->arena, search->path, path_size);
  if (path == NULL || !tm_bytes_append(&search->paths, &path, sizeof path)) {
    return out_of_memory(search);
  }
  return 0;
}

/* Appends a name to the path; the new size, or 0 where it is too long for any file system. */
static size_t append(search *search, size_t path_size, const char *name, size_t size) {
  bool slash = path_size > 0 && search->path[path_size - 1] != '/';
  if (path_size + slash + size + 1 > PATH_BYTES_MAX) return 0;
  if (slash) search->path[path_size++] = '/';
  memcpy(search->path + path_size, name, size);
  search->path[path_size + size] = '\0';
  return path_size + size;
}

static bool is_folder(const char *path) {
  tm_file_info info;
  return tm_env_get()->stat(path, &info) == 0 && info.kind == TM_FILE_FOLDER;
}

static int list(search *search, size_t path_size, int (*entry)(void *context, const char *name),
                listing *listing) {
  search->path[path_size] = '\0';
  int result = tm_env_get()->list(path_size == 0 ? "." : search->path, entry, listing);
  search->path[path_size] = '\0';
  if (result == -ENOENT || result == -ENOTDIR) return 0;
  if (result < 0 && search->err->code == TM_E_NONE) {
    return tm_fail(search->err, TM_E_READ, "cannot list the folder '%s': %s",
                   path_size == 0 ? "." : search->path, tm_env_error_text(result));
  }
  return result;
}

static int matching_entry(void *context, const char *name) {
  const listing *l = context;
  if (!tm_glob_match(l->component, name)) return 0;
  size_t size = append(l->search, l->path_size, name, strlen(name));
  if (size == 0) return 0;
  if (l->rest == NULL) return found(l->search, size);
  return is_folder(l->search->path) ? expand(l->search, size, l->rest, l->depth) : 0;
}

/* `**`: here, and in every folder below. Links are not followed, for they may lead back up.
 * l->component is the pattern from `**` on. */
static int deeper_entry(void *context, const char *name) {
  const listing *l = context;
  if (name[0] == '.') return 0;
  size_t size = append(l->search, l->path_size, name, strlen(name));
  if (size == 0 || tm_env_get()->is_link(l->search->path) || !is_folder(l->search->path)) return 0;
  return expand(l->search, size, l->component, l->depth + 1);
}

static int expand_deep(search *search, size_t path_size, const char *pattern, const char *rest,
                       int depth) {
  if (depth >= FOLDERS_DEEP_MAX) return 0;
  if (expand(search, path_size, rest == NULL ? "*" : rest, depth) != 0) return -1;
  listing deeper = {search, pattern, NULL, path_size, depth};
  return list(search, path_size, deeper_entry, &deeper);
}

static int expand(search *search, size_t path_size, const char *pattern, int depth) {
  while (*pattern == '/') pattern++;
  const char *slash = strchr(pattern, '/');
  size_t size = slash == NULL ? strlen(pattern) : (size_t)(slash - pattern);
  const char *rest = slash;
  while (rest != NULL && *rest == '/') rest++;
  if (rest != NULL && *rest == '\0') rest = NULL;
  char component[PATH_BYTES_MAX];
  if (size >= sizeof component) return 0;
  memcpy(component, pattern, size);
  component[size] = '\0';
  if (strcmp(component, "**") == 0) return expand_deep(search, path_size, pattern, rest, depth);
  if (tm_glob_is_pattern(component)) {
    listing matching = {search, component, rest, path_size, depth};
    return list(search, path_size, matching_entry, &matching);
  }
  size_t longer = append(search, path_size, component, size);
  if (longer == 0) return 0;
  if (rest != NULL) return expand(search, longer, rest, depth);
  tm_file_info info;
  return tm_env_get()->stat(search->path, &info) == 0 ? found(search, longer) : 0;
}

static int compare_paths(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int tm_glob_expand(tm_arena *arena, const char *pattern, const char *const **out_paths,
                   size_t *out_count, tm_error *err) {
  search search = {.arena = arena, .err = err};
  tm_bytes_init(&search.paths, arena->budget);
  int result;
  if (!tm_glob_is_pattern(pattern)) {
    const char *path = tm_arena_text(arena, pattern, strlen(pattern));
    bool kept = path != NULL && tm_bytes_append(&search.paths, &path, sizeof path);
    result = kept ? 0 : out_of_memory(&search);
  } else {
    search.path[0] = '/';
    result = expand(&search, pattern[0] == '/', pattern, 0);
  }
  size_t count = search.paths.size / sizeof(char *), kept = 0;
  const char **paths = NULL;
  if (result == 0) {
    paths = tm_arena_alloc(arena, search.paths.size);
    if (paths == NULL) result = out_of_memory(&search);
  }
  if (result == 0 && count > 0) {
    memcpy(paths, search.paths.data, search.paths.size);
    qsort(paths, count, sizeof *paths, compare_paths);
    for (size_t i = 0; i < count; i++) {
      if (kept == 0 || strcmp(paths[kept - 1], paths[i]) != 0) paths[kept++] = paths[i];
    }
  }
  tm_bytes_deinit(&search.paths);
  if (result != 0) return -1;
  *out_paths = paths;
  *out_count = kept;
  return 0;
}
