/* io/live_file.c: see live_file.h. */
#include "io/live_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"
#include "format/compress.h"

enum { BUFFER_BYTES = 64 << 10, CHUNK_BYTES = 4096, PATH_BYTES_MAX = 4096 };

struct tm_live_file {
  tm_budget *budget;
  const char *path;
  tm_compression kind;
  tm_compress *compress; /* NULL: none, or no member was begun */
  tm_bytes buffer;
  int file;
  uint64_t size;         /* of a regular one */
  bool regular, empty, unflushed;
};

static int fail(const tm_live_file *f, int error, tm_error *err) {
  tm_fail(err, TM_E_WRITE, "cannot write '%s': %s", f->path, tm_env_error_text(error));
  if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG) {
    tm_error_help(err, "free some space and run again; what was written before is whole");
  }
  return -1;
}

static int no_memory(const tm_live_file *f, tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "%s: out of memory", f->path);
}

/* ---------------------------------------------------------------- open */

static int make_folder_of(const char *path) {
  char folder[PATH_BYTES_MAX];
  const char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path) return 0;
  if ((size_t)(slash - path) >= sizeof folder) return -ENAMETOOLONG;
  memcpy(folder, path, (size_t)(slash - path));
  folder[slash - path] = '\0';
  return tm_env_make_folders(folder);
}

/* Where the last whole line ends, 0 without any. Or an error. */
static int64_t last_line_end(int file, uint64_t size) {
  char chunk[CHUNK_BYTES];
  while (size > 0) {
    uint64_t from = size > CHUNK_BYTES ? size - CHUNK_BYTES : 0;
    int64_t got = tm_env_pread_all(file, chunk, (size_t)(size - from), from);
    if (got < 0) return got;
    for (int64_t i = got; i > 0; i--) {
      if (chunk[i - 1] == '\n') return (int64_t)from + i;
    }
    size = from;
  }
  return 0;
}

/* What is there ends with a whole line. */
static int mend(tm_live_file *f, const tm_file_info *info, tm_live_mode mode) {
  if (f->kind != TM_COMPRESSION_NONE || info->size == 0) return 0;
  int reading = tm_env_get()->open(f->path, TM_OPEN_READ);
  if (reading < 0) return reading;
  char last = '\n';
  int64_t end = tm_env_get()->pread(reading, &last, 1, info->size - 1);
  if (end > 0 && last != '\n' && mode == TM_LIVE_GOES_ON) end = last_line_end(reading, info->size);
  tm_env_get()->close(reading);
  if (end < 0) return (int)end;
  if (last == '\n') return 0;
  if (mode == TM_LIVE_ADDS) return tm_env_write_all(f->file, "\n", 1);
  f->empty = end == 0;
  return tm_env_get()->truncate(f->file, (uint64_t)end);
}

static int open_file(tm_live_file *f, tm_live_mode mode) {
  const tm_env *env = tm_env_get();
  tm_file_info info;
  int error = make_folder_of(f->path);
  if (error < 0) return error;
  f->file = env->open(f->path, TM_OPEN_WRITE | TM_OPEN_CREATE | TM_OPEN_APPEND);
  if (f->file < 0) return f->file;
  error = env->stat_file(f->file, &info);
  if (error < 0) return error;
  if (info.kind != TM_FILE_REGULAR) return info.kind == TM_FILE_FOLDER ? -EISDIR : 0;
  if (env->lock(f->file) == -EWOULDBLOCK) return -EWOULDBLOCK;
  f->regular = true;
  if (mode == TM_LIVE_REPLACES) return env->truncate(f->file, 0);
  f->empty = info.size == 0;
  error = mend(f, &info, mode);
  if (error == 0) error = env->stat_file(f->file, &info);
  f->size = info.size;
  return error;
}

int tm_live_file_open(tm_live_file **out, tm_budget *budget, const char *path, const char *kind_of,
                      tm_live_mode mode, tm_error *err) {
  tm_live_file *f = tm_alloc_zero(budget, sizeof *f);
  if (f == NULL) return tm_fail(err, TM_E_MEMORY, "%s: out of memory", path);
  f->budget = budget;
  f->path = path;
  f->kind = tm_compression_of_path(kind_of);
  f->empty = true;
  f->file = -1;
  tm_bytes_init(&f->buffer, budget);
  int error = open_file(f, mode);
  if (error == 0) {
    *out = f;
    return 0;
  }
  if (error == -EWOULDBLOCK) tm_fail(err, TM_E_LOCKED, "another run is writing '%s'", path);
  else fail(f, error, err);
  tm_live_file_close(f);
  return -1;
}

void tm_live_file_close(tm_live_file *f) {
  if (f == NULL) return;
  if (f->file >= 0) tm_env_get()->close(f->file);
  tm_compress_destroy(f->compress);
  tm_bytes_deinit(&f->buffer);
  tm_free(f->budget, f, sizeof *f);
}

bool tm_live_file_is_empty(const tm_live_file *f) { return f->empty; }
bool tm_live_file_waits(const tm_live_file *f) { return f->unflushed; }

/* ---------------------------------------------------------------- write */

/* The buffer holds whole records: where it cannot be written whole, none of it stays. */
static int write_out(tm_live_file *f, tm_error *err) {
  size_t size = f->buffer.size;
  tm_bytes_clear(&f->buffer);
  int error = tm_env_write_all(f->file, f->buffer.data, size);
  if (error == 0) {
    f->size += size;
    return 0;
  }
  if (f->regular) (void)tm_env_get()->truncate(f->file, f->size);
  return fail(f, error, err);
}

int tm_live_file_write(tm_live_file *f, const void *bytes, size_t size, tm_error *err) {
  if (size == 0) return 0;
  f->empty = false;
  f->unflushed = true;
  if (f->kind == TM_COMPRESSION_NONE) {
    if (!tm_bytes_append(&f->buffer, bytes, size)) return no_memory(f, err);
  } else {
    if (f->compress == NULL &&
        (f->compress = tm_compress_create(f->budget, f->kind, err)) == NULL) {
      return -1;
    }
    if (tm_compress_run(f->compress, bytes, size, false, &f->buffer, err) < 0) return -1;
  }
  return f->buffer.size >= BUFFER_BYTES ? write_out(f, err) : 0;
}

int tm_live_file_flush(tm_live_file *f, tm_error *err) {
  if (!f->unflushed) return 0;
  if (f->compress != NULL && tm_compress_flush(f->compress, &f->buffer, err) < 0) return -1;
  f->unflushed = false;
  return write_out(f, err);
}

int tm_live_file_seal(tm_live_file *f, tm_error *err) {
  if (f->compress != NULL) {
    if (tm_compress_run(f->compress, NULL, 0, true, &f->buffer, err) < 0) return -1;
    tm_compress_destroy(f->compress);
    f->compress = NULL;
  }
  f->unflushed = false;
  if (write_out(f, err) < 0) return -1;
  int error = tm_env_get()->fsync(f->file);
  return error < 0 && error != -EINVAL && error != -EROFS ? fail(f, error, err) : 0;
}
