/* base/env.c: which environment is in force, and what can be said with its functions alone. */
#define _GNU_SOURCE
#include "base/env.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { PATH_BYTES_MAX = 4096 };

static const tm_env *_Atomic current = &tm_env_posix;

const tm_env *tm_env_get(void) { return atomic_load_explicit(&current, memory_order_relaxed); }
void tm_env_set(const tm_env *env) { atomic_store(&current, env == NULL ? &tm_env_posix : env); }

const char *tm_env_error_text(int error) {
  const char *text = strerrordesc_np(error < 0 ? -error : error);
  return text == NULL ? "Unknown error" : text;
}

int tm_env_write_all(int file, const void *bytes, size_t size) {
  const tm_env *env = tm_env_get();
  const char *at = bytes;
  while (size > 0) {
    int64_t written = env->write(file, at, size);
    if (written == -EINTR) continue;
    if (written < 0) return (int)written;
    if (written == 0) return -EIO; /* a file that takes nothing would loop for ever */
    at += written;
    size -= (size_t)written;
  }
  return 0;
}

int64_t tm_env_pread_all(int file, void *out, size_t size, uint64_t offset) {
  const tm_env *env = tm_env_get();
  char *at = out;
  size_t got = 0;
  while (got < size) {
    int64_t read = env->pread(file, at + got, size - got, offset + got);
    if (read < 0) return read;
    if (read == 0) break;
    got += (size_t)read;
  }
  return (int64_t)got;
}

int tm_env_make_folders(const char *path) {
  const tm_env *env = tm_env_get();
  char folder[PATH_BYTES_MAX];
  size_t size = strlen(path);
  if (size >= sizeof folder) return -ENAMETOOLONG;
  memcpy(folder, path, size + 1);
  for (size_t i = 1; i <= size; i++) {
    if (folder[i] != '/' && folder[i] != '\0') continue;
    folder[i] = '\0';
    tm_file_info info;
    if (env->stat(folder, &info) != 0) {
      int error = env->mkdir(folder);
      if (error != 0 && error != -EEXIST) return error;
    } else if (info.kind != TM_FILE_FOLDER) {
      return -ENOTDIR;
    }
    if (i < size) folder[i] = '/';
  }
  return 0;
}
