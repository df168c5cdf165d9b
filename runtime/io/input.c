/* io/input.c: see input.h. Without compression bytes go straight into the caller's memory. */
#include "io/input.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/env.h"
#include "format/compress.h"

enum { RAW_BYTES = 128 << 10, STDIN_FILE = 0 };

struct tm_input {
  tm_budget *budget;
  const char *path;  /* for messages; the caller's */
  int file;          /* -1: only the head */
  bool owns_file, pipe;
  bool started, ended; /* compression is known; the file has no more bytes */
  uint8_t *raw;
  size_t raw_capacity, raw_at, raw_size;
  uint64_t bytes;        /* read of the file */
  tm_decompress *decompress;
};

static const char *shown(const char *path) { return strcmp(path, "-") == 0 ? "stdin" : path; }

static int fail_open(const char *path, int error, tm_error *err) {
  if (error == -ENOENT || error == -ENOTDIR) {
    return tm_fail(err, TM_E_MISSING, "%s: no such file", path);
  }
  return tm_fail(err, TM_E_READ, "%s: %s", path, tm_env_error_text(error));
}

/* Stdin has one reader in a process; atomic. */
static int stdin_taken;

static int open_file(tm_input *in, const char *path, tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_file_info info;
  bool standard = strcmp(path, "-") == 0;
  if (standard && __atomic_exchange_n(&stdin_taken, 1, __ATOMIC_ACQ_REL) != 0) {
    return tm_fail(err, TM_E_READ, "stdin has two readers; it can be read once");
  }
  in->file = standard ? STDIN_FILE : env->open(path, TM_OPEN_READ);
  if (in->file < 0) return fail_open(path, in->file, err);
  in->owns_file = !standard;
  int known = env->stat_file(in->file, &info);
  if (known < 0) return fail_open(shown(path), known, err);
  if (info.kind == TM_FILE_FOLDER) {
    tm_fail(err, TM_E_READ, "%s is a folder", shown(path));
    return tm_error_help(err, "a glob reads the files in it: \"%s/*\"", path);
  }
  in->pipe = info.kind != TM_FILE_REGULAR;
  if (!in->pipe) env->advise_sequential(in->file);
  return 0;
}

static int take_head(tm_input *in, const tm_input_head *head) {
  in->file = head->whole ? -1 : head->file;
  in->owns_file = head->file != STDIN_FILE && head->file >= 0 && !head->whole;
  in->pipe = true;
  in->ended = head->whole;
  if (head->size == 0) return 0;
  in->raw_capacity = head->size > RAW_BYTES ? head->size : RAW_BYTES;
  in->raw = tm_alloc(in->budget, in->raw_capacity);
  if (in->raw == NULL) return -1;
  memcpy(in->raw, head->bytes, head->size);
  in->raw_size = head->size;
  return 0;
}

int tm_input_open(tm_input **out, tm_budget *budget, const char *path, const tm_input_head *head,
                  tm_error *err) {
  tm_input *in = tm_alloc_zero(budget, sizeof *in);
  if (in == NULL) return tm_fail(err, TM_E_MEMORY, "%s: out of memory", path);
  in->budget = budget;
  in->path = shown(path);
  in->file = -1;
  int done = head == NULL ? open_file(in, path, err) : take_head(in, head);
  if (done < 0) {
    tm_input_close(in);
    return tm_fail(err, TM_E_MEMORY, "%s: out of memory", path);
  }
  *out = in;
  return 0;
}

void tm_input_close(tm_input *in) {
  if (in == NULL) return;
  if (in->owns_file && in->file >= 0) tm_env_get()->close(in->file);
  if (in->raw != NULL) tm_free(in->budget, in->raw, in->raw_capacity);
  tm_decompress_destroy(in->decompress);
  tm_free(in->budget, in, sizeof *in);
}

uint64_t tm_input_bytes(const tm_input *in) { return in->bytes; }

bool tm_input_is_pipe(const tm_input *in) { return in->pipe; }

int tm_input_file(const tm_input *in) { return in->file; }

/* As tm_input_read, but of the file itself. */
static int64_t read_file(tm_input *in, void *out, size_t size, int64_t wait_us, tm_error *err) {
  const tm_env *env = tm_env_get();
  if (in->ended || in->file < 0) return 0;
  if (in->pipe && wait_us >= 0) {
    int ready = env->wait_readable(in->file, wait_us);
    if (ready == 0 || ready == -EINTR) return TM_INPUT_LATER;
  }
  int64_t got = env->read(in->file, out, size);
  if (got < 0) return tm_fail(err, TM_E_READ, "%s: %s", in->path, tm_env_error_text((int)got));
  if (got == 0) in->ended = true;
  in->bytes += (uint64_t)got;
  return got;
}

/* More raw bytes behind those that are there. */
static int64_t fill_raw(tm_input *in, int64_t wait_us, tm_error *err) {
  if (in->raw == NULL) {
    in->raw = tm_alloc(in->budget, RAW_BYTES);
    if (in->raw == NULL) return tm_fail(err, TM_E_MEMORY, "%s: out of memory", in->path);
    in->raw_capacity = RAW_BYTES;
  }
  if (in->raw_at == in->raw_size) in->raw_at = in->raw_size = 0;
  assert(in->raw_size < in->raw_capacity);
  int64_t got = read_file(in, in->raw + in->raw_size, in->raw_capacity - in->raw_size, wait_us,
                          err);
  if (got > 0) in->raw_size += (size_t)got;
  return got;
}

/* Can these bytes be the beginning of a compressed file? A pipe's first line may be shorter than
 * what it takes to know. */
static bool may_be_compressed(const uint8_t *bytes, size_t size) {
  static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
  static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18}; /* and fifteen more first bytes */
  if (size == 0) return true;
  size_t more = size < 4 ? size : 4;
  return memcmp(bytes, gzip, size < 2 ? size : 2) == 0 || memcmp(bytes, zstd, more) == 0 ||
         ((bytes[0] & 0xf0) == skippable[0] && memcmp(bytes + 1, skippable + 1, more - 1) == 0);
}

/* Finds out whether the file is compressed. 1, TM_INPUT_LATER or -1. */
static int64_t start(tm_input *in, int64_t wait_us, tm_error *err) {
  while (in->raw_size < TM_COMPRESSION_MAGIC && !in->ended &&
         may_be_compressed(in->raw, in->raw_size)) {
    int64_t got = fill_raw(in, wait_us, err);
    if (got < 0) return got;
    if (got == 0) break;
  }
  tm_compression kind = tm_compression_of_bytes(in->raw, in->raw_size);
  if (kind != TM_COMPRESSION_NONE) {
    in->decompress = tm_decompress_create(in->budget, kind, err);
    if (in->decompress == NULL) return -1;
  }
  in->started = true;
  return 1;
}

static int64_t read_compressed(tm_input *in, void *out, size_t size, int64_t wait_us,
                               tm_error *err) {
  for (;;) {
    size_t taken, made;
    if (in->raw_at == in->raw_size && !in->ended) {
      int64_t got = fill_raw(in, wait_us, err);
      if (got < 0) return got;
    }
    if (tm_decompress_run(in->decompress, in->path, in->raw + in->raw_at,
                          in->raw_size - in->raw_at, &taken, out, size, &made, err) < 0) {
      return -1;
    }
    in->raw_at += taken;
    if (made > 0) return (int64_t)made;
    if (in->raw_at < in->raw_size || !in->ended) continue;
    if (tm_decompress_is_complete(in->decompress)) return 0;
    return tm_fail(err, TM_E_CORRUPT, "%s is truncated: the compressed data has no end", in->path);
  }
}

int64_t tm_input_read(tm_input *in, void *out, size_t size, int64_t wait_us, tm_error *err) {
  assert(size > 0);
  if (!in->started) {
    int64_t done = start(in, wait_us, err);
    if (done < 0) return done;
  }
  if (in->decompress != NULL) return read_compressed(in, out, size, wait_us, err);
  if (in->raw_at == in->raw_size) return read_file(in, out, size, wait_us, err);
  size_t given = in->raw_size - in->raw_at < size ? in->raw_size - in->raw_at : size;
  memcpy(out, in->raw + in->raw_at, given);
  in->raw_at += given;
  return (int64_t)given;
}

/* ---------------------------------------------------------------- a sample */

static int read_up_to(tm_input *in, uint8_t *out, size_t size, size_t *used, tm_error *err) {
  *used = 0;
  while (*used < size) {
    int64_t got = tm_input_read(in, out + *used, size - *used, -1, err);
    if (got < 0) return -1;
    if (got == 0) break;
    *used += (size_t)got;
  }
  return 0;
}

/* The first bytes of a pipe, as they are. */
static int read_head(tm_arena *arena, const tm_input *in, size_t size, tm_input_head *out,
                     tm_error *err) {
  uint8_t *bytes = tm_arena_alloc(arena, size);
  if (bytes == NULL) return tm_fail(err, TM_E_MEMORY, "%s: out of memory", in->path);
  *out = (tm_input_head){.file = in->file, .bytes = bytes};
  while (out->size < size) {
    int64_t got = tm_env_get()->read(in->file, bytes + out->size, size - out->size);
    if (got < 0) return tm_fail(err, TM_E_READ, "%s: %s", in->path, tm_env_error_text((int)got));
    if (got == 0) {
      out->whole = true;
      break;
    }
    out->size += (size_t)got;
  }
  return 0;
}

/* Up to `size` bytes of an open input. `cut`: its compressed data may end anywhere, for it is only
 * the beginning; what came out so far has to do. 1 where these are all, 0 or -1. */
static int sample(tm_arena *arena, tm_input *in, size_t size, bool cut, const char **out_bytes,
                  size_t *out_size, tm_error *err) {
  uint8_t *bytes = tm_arena_alloc(arena, size);
  if (bytes == NULL) return tm_fail(err, TM_E_MEMORY, "%s: out of memory", in->path);
  tm_error failure = {0};
  int done = read_up_to(in, bytes, size, out_size, &failure);
  *out_bytes = (const char *)bytes;
  if (done == 0) return *out_size < size && !cut;
  if (cut && failure.code == TM_E_CORRUPT) return 0;
  *err = failure;
  return -1;
}

int tm_input_sample(tm_arena *arena, const char *path, size_t size, const char **out_bytes,
                    size_t *out_size, bool *out_whole, const tm_input_head **out_head,
                    tm_error *err) {
  tm_input *in = NULL;
  *out_head = NULL;
  if (tm_input_open(&in, arena->budget, path, NULL, err) < 0) return -1;
  bool cut = false;
  if (in->pipe) {
    tm_input_head *head = tm_arena_alloc(arena, sizeof *head);
    if (head == NULL || read_head(arena, in, size, head, err) < 0) {
      tm_input_close(in);
      return tm_fail(err, TM_E_MEMORY, "%s: out of memory", path);
    }
    in->owns_file = false;
    tm_input_close(in);
    tm_input_head only = *head;
    only.whole = true;
    cut = !head->whole;
    *out_head = head;
    if (tm_input_open(&in, arena->budget, path, &only, err) < 0) return -1;
  }
  int whole = sample(arena, in, size, cut, out_bytes, out_size, err);
  tm_input_close(in);
  *out_whole = whole > 0;
  return whole < 0 ? -1 : 0;
}
