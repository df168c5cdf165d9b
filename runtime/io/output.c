/* io/output.c: see output.h. */
#include "io/output.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"
#include "format/compress.h"
#include "store/durable_write.h"

enum { STDOUT_FILE = 1, BUFFER_BYTES = 64 << 10 };

struct tm_output {
  tm_budget *budget;
  const char *path;
  tm_durable_write *file; /* NULL: stdout */
  tm_compress *compress;
  tm_bytes buffer;
  bool holds;             /* stdout, but another output writes to it now */
  bool closed, sealed;
};

/* The output that writes to stdout as it goes; atomic. */
static tm_output *streaming;

static int no_memory(const tm_output *o, tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "%s: out of memory", o->path);
}

static int open_file(tm_output *o, tm_error *err) {
  tm_compression kind = tm_compression_of_path(o->path);
  if (tm_durable_write_open(&o->file, o->budget, o->path, err) < 0) return -1;
  if (kind == TM_COMPRESSION_NONE) return 0;
  o->compress = tm_compress_create(o->budget, kind, err);
  return o->compress == NULL ? -1 : 0;
}

int tm_output_open(tm_output **out, tm_budget *budget, const char *path, tm_error *err) {
  tm_output *o = tm_alloc_zero(budget, sizeof *o);
  if (o == NULL) return tm_fail(err, TM_E_MEMORY, "%s: out of memory", path);
  o->budget = budget;
  o->path = path;
  tm_bytes_init(&o->buffer, budget);
  if (strcmp(path, "-") != 0) {
    if (open_file(o, err) < 0) {
      tm_output_close(o);
      return -1;
    }
  } else {
    tm_output *nobody = NULL;
    o->path = "stdout";
    o->holds = !__atomic_compare_exchange_n(&streaming, &nobody, o, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE);
  }
  *out = o;
  return 0;
}

void tm_output_go_live(tm_output *o) { o->holds = false; }

void tm_output_close(tm_output *o) {
  if (o == NULL) return;
  tm_output *self = o;
  __atomic_compare_exchange_n(&streaming, &self, NULL, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  tm_durable_write_close(o->file);
  tm_compress_destroy(o->compress);
  tm_bytes_deinit(&o->buffer);
  tm_free(o->budget, o, sizeof *o);
}

/* What is buffered goes out. */
static int flush(tm_output *o, tm_error *err) {
  size_t size = o->buffer.size;
  tm_bytes_clear(&o->buffer);
  if (size == 0 || o->closed) return o->closed ? TM_OUTPUT_CLOSED : 0;
  if (o->file != NULL) return tm_durable_write_write(o->file, o->buffer.data, size, err);
  int written = tm_env_write_all(STDOUT_FILE, o->buffer.data, size);
  if (written == 0) return 0;
  if (written == -EPIPE) {
    o->closed = true;
    return TM_OUTPUT_CLOSED;
  }
  return tm_fail(err, TM_E_WRITE, "stdout: %s", tm_env_error_text(written));
}

int tm_output_write(tm_output *o, const void *bytes, size_t size, tm_error *err) {
  if (o->compress != NULL) {
    if (tm_compress_run(o->compress, bytes, size, false, &o->buffer, err) < 0) return -1;
  } else if (!tm_bytes_append(&o->buffer, bytes, size)) {
    return no_memory(o, err);
  }
  return !o->holds && o->buffer.size >= BUFFER_BYTES ? flush(o, err) : 0;
}

int tm_output_flush(tm_output *o, tm_error *err) { return o->holds ? 0 : flush(o, err); }

int tm_output_seal(tm_output *o, tm_error *err) {
  if (o->sealed) return 0;
  o->sealed = true;
  if (o->compress != NULL &&
      tm_compress_run(o->compress, NULL, 0, true, &o->buffer, err) < 0) {
    return -1;
  }
  if (o->holds) return 0;
  int done = flush(o, err);
  if (done < 0) return -1;
  return o->file != NULL ? tm_durable_write_seal(o->file, err) : done;
}

int tm_output_publish(tm_output *o, tm_error *err) {
  if (o->file != NULL) return tm_durable_write_publish(o->file, err);
  return o->holds && flush(o, err) < 0 ? -1 : 0;
}
