/* base/env_cgroup.c: how much memory and how many processors the control groups above us allow.
 *
 * /proc/self/cgroup names our group in each hierarchy: "0::/path" in version 2,
 * "5:memory:/path" in version 1. A limit anywhere between that group and the root binds, so the
 * files of every level are read. In a container the path may name a group that is not visible from
 * inside; then only the mounted root has the files, which the walk reaches too. */
#include "base/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 4096, PATH_BYTES_MAX = 4352 };

/* The start of a file as text; false where it cannot be read. */
static bool read_text(const char *path, char *out, size_t room) {
  const tm_env *env = tm_env_get();
  int file = env->open(path, TM_OPEN_READ);
  if (file < 0) return false;
  int64_t size = env->read(file, out, room - 1);
  (void)env->close(file);
  if (size < 0) return false;
  out[size] = '\0';
  return true;
}

/* A number that starts the text; "max", -1 (version 1: no quota) and the like are 0. */
static uint64_t number_at(const char *text) {
  if (text == NULL || text[0] < '0' || text[0] > '9') return 0;
  return strtoull(text, NULL, 10);
}

/* The path of our group. controller NULL: version 2. */
static bool group_path(const char *root, const char *controller, char *out, size_t room) {
  char name[PATH_BYTES_MAX], text[TEXT_BYTES_MAX];
  (void)snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
  if (!read_text(name, text, sizeof text)) return false;
  for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
    next = strchr(line, '\n');
    if (next != NULL) *next++ = '\0';
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL) continue;
    *controllers++ = *path++ = '\0';
    bool found = controller == NULL ? controllers[0] == '\0' : false;
    size_t size = controller == NULL ? 0 : strlen(controller);
    for (char *at = controllers; controller != NULL && at != NULL && !found;) {
      found = strncmp(at, controller, size) == 0 && (at[size] == ',' || at[size] == '\0');
      at = strchr(at, ',');
      if (at != NULL) at++;
    }
    if (!found) continue;
    (void)snprintf(out, room, "%s", path);
    return true;
  }
  return false;
}

/* Calls `look` with the text of `file` in our group and in each above it. */
static void walk(const char *root, const char *controller, const char *file,
                 void (*look)(const char *folder, const char *text, uint64_t *least),
                 uint64_t *least) {
  char group[TEXT_BYTES_MAX], folder[PATH_BYTES_MAX * 2], path[PATH_BYTES_MAX * 3];
  char text[TEXT_BYTES_MAX];
  if (!group_path(root, controller, group, sizeof group)) return;
  for (;;) {
    size_t size = strlen(group);
    while (size > 0 && group[size - 1] == '/') group[--size] = '\0';
    (void)snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s%s%s", root,
                   controller == NULL ? "" : "/", controller == NULL ? "" : controller, group);
    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    if (read_text(path, text, sizeof text)) look(folder, text, least);
    char *slash = strrchr(group, '/');
    if (slash == NULL) return;
    *slash = '\0';
  }
}

static void keep_least(uint64_t value, uint64_t *least) {
  if (value > 0 && (*least == 0 || value < *least)) *least = value;
}

static void look_memory(const char *folder, const char *text, uint64_t *least) {
  (void)folder;
  keep_least(number_at(text), least);
}

uint64_t tm_cgroup_memory_bytes(const char *root) {
  uint64_t least = 0;
  walk(root, NULL, "memory.max", look_memory, &least);
  walk(root, "memory", "memory.limit_in_bytes", look_memory, &least);
  return least;
}

/* Parts of a processor count as a whole one. */
static void keep_cpus(uint64_t quota, uint64_t period, uint64_t *least) {
  if (quota > 0 && period > 0) keep_least((quota + period - 1) / period, least);
}

static void look_cpu(const char *folder, const char *text, uint64_t *least) {
  (void)folder; /* version 2: "quota period", or "max period" */
  const char *space = strchr(text, ' ');
  keep_cpus(number_at(text), number_at(space == NULL ? NULL : space + 1), least);
}

static void look_cpu_quota(const char *folder, const char *text, uint64_t *least) {
  char path[PATH_BYTES_MAX * 3], period[TEXT_BYTES_MAX];
  (void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (read_text(path, period, sizeof period)) keep_cpus(number_at(text), number_at(period), least);
}

uint32_t tm_cgroup_cpu_count(const char *root) {
  uint64_t least = 0;
  walk(root, NULL, "cpu.max", look_cpu, &least);
  walk(root, "cpu", "cpu.cfs_quota_us", look_cpu_quota, &least);
  return least > UINT32_MAX ? UINT32_MAX : (uint32_t)least;
}
