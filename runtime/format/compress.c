/* format/compress.c: see compress.h. Both libraries get allocators that charge the budget; each
 * block remembers its size in the 16 bytes before it. */
#define ZSTD_STATIC_LINKING_ONLY /* for an allocator of one's own */
#include "format/compress.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { GZIP_WINDOW = 15 + 16, GZIP_LEVEL = 6, ZSTD_LEVEL = 3, HEADER_BYTES = 16 };
enum { CHUNK_BYTES = 64 << 10 };

/* ---------------------------------------------------------------- memory */

static void *lend(void *budget, size_t bytes) {
  char *block = tm_alloc(budget, bytes + HEADER_BYTES);
  if (block == NULL) return NULL;
  memcpy(block, &bytes, sizeof bytes);
  return block + HEADER_BYTES;
}

static void give_back(void *budget, void *at) {
  if (at == NULL) return;
  char *block = (char *)at - HEADER_BYTES;
  size_t bytes;
  memcpy(&bytes, block, sizeof bytes);
  tm_free(budget, block, bytes + HEADER_BYTES);
}

static void *lend_gzip(void *budget, unsigned count, unsigned size) {
  return lend(budget, (size_t)count * size);
}

static ZSTD_customMem zstd_memory(tm_budget *budget) {
  return (ZSTD_customMem){lend, give_back, budget};
}

/* ---------------------------------------------------------------- kinds */

tm_compression tm_compression_of_bytes(const void *bytes, size_t size) {
  const uint8_t *b = bytes;
  if (size >= 2 && b[0] == 0x1f && b[1] == 0x8b) return TM_COMPRESSION_GZIP;
  if (size < 4) return TM_COMPRESSION_NONE;
  uint32_t magic = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                   (uint32_t)b[3] << 24;
  bool zstd = magic == ZSTD_MAGICNUMBER || (magic & 0xfffffff0) == ZSTD_MAGIC_SKIPPABLE_START;
  return zstd ? TM_COMPRESSION_ZSTD : TM_COMPRESSION_NONE;
}

static bool has_ending(const char *path, const char *ending) {
  size_t size = strlen(path), tail = strlen(ending);
  return size > tail && strcmp(path + size - tail, ending) == 0;
}

tm_compression tm_compression_of_path(const char *path) {
  if (has_ending(path, ".gz")) return TM_COMPRESSION_GZIP;
  if (has_ending(path, ".zst")) return TM_COMPRESSION_ZSTD;
  return TM_COMPRESSION_NONE;
}

const char *tm_compression_name(tm_compression kind) {
  static const char *const names[] = {"none", "gzip", "zstd"};
  return names[kind];
}

/* ---------------------------------------------------------------- reading */

struct tm_decompress {
  tm_budget *budget;
  tm_compression kind;
  z_stream gzip;
  ZSTD_DStream *zstd;
  bool complete; /* between members */
  bool padding;  /* zeros behind the last gzip member, as tapes and some tools leave them */
};

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "compression: out of memory");
}

tm_decompress *tm_decompress_create(tm_budget *budget, tm_compression kind, tm_error *err) {
  tm_decompress *d = tm_alloc_zero(budget, sizeof *d);
  if (d == NULL) {
    no_memory(err);
    return NULL;
  }
  d->budget = budget;
  d->kind = kind;
  bool done;
  if (kind == TM_COMPRESSION_GZIP) {
    d->gzip = (z_stream){.zalloc = lend_gzip, .zfree = give_back, .opaque = budget};
    done = inflateInit2(&d->gzip, GZIP_WINDOW) == Z_OK;
    if (!done) d->kind = TM_COMPRESSION_NONE;
  } else {
    d->zstd = ZSTD_createDStream_advanced(zstd_memory(budget));
    done = d->zstd != NULL;
  }
  if (done) return d;
  tm_decompress_destroy(d);
  no_memory(err);
  return NULL;
}

void tm_decompress_destroy(tm_decompress *d) {
  if (d == NULL) return;
  if (d->kind == TM_COMPRESSION_GZIP) inflateEnd(&d->gzip);
  if (d->zstd != NULL) ZSTD_freeDStream(d->zstd);
  tm_free(d->budget, d, sizeof *d);
}

static int damaged(const char *file, const char *kind, const char *what, tm_error *err) {
  return tm_fail(err, TM_E_CORRUPT, "%s: damaged %s data (%s)", file, kind, what);
}

/* Between two members: goes on to the next, or takes the zeros that pad the file. */
static int next_member(tm_decompress *d, const char *file, const uint8_t *in, size_t size,
                       size_t *taken, tm_error *err) {
  while (*taken < size && in[*taken] == 0) {
    d->padding = true;
    (*taken)++;
  }
  if (*taken == size) return 0;
  if (d->padding || in[*taken] != 0x1f) {
    return damaged(file, "gzip", "other bytes follow the last member", err);
  }
  if (inflateReset(&d->gzip) != Z_OK) return no_memory(err);
  d->complete = false;
  return 0;
}

static int run_gzip(tm_decompress *d, const char *file, const uint8_t *in, size_t in_size,
                    size_t *taken, uint8_t *out, size_t out_size, size_t *made, tm_error *err) {
  /* Once without input too: output may still be held back. */
  while (*made < out_size) {
    if (d->complete) {
      if (next_member(d, file, in, in_size, taken, err) < 0) return -1;
      if (d->complete) return 0;
    }
    size_t give = in_size - *taken < UINT32_MAX ? in_size - *taken : UINT32_MAX;
    size_t room = out_size - *made < UINT32_MAX ? out_size - *made : UINT32_MAX;
    d->gzip.next_in = (uint8_t *)(uintptr_t)in + *taken;
    d->gzip.avail_in = (uInt)give;
    d->gzip.next_out = out + *made;
    d->gzip.avail_out = (uInt)room;
    int result = inflate(&d->gzip, Z_NO_FLUSH);
    *taken += give - d->gzip.avail_in;
    *made += room - d->gzip.avail_out;
    d->complete = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR) return no_memory(err);
    if (result == Z_BUF_ERROR) return 0; /* nothing to do without more input */
    if (result != Z_OK && result != Z_STREAM_END) {
      return damaged(file, "gzip", d->gzip.msg != NULL ? d->gzip.msg : "invalid", err);
    }
  }
  return 0;
}

static int run_zstd(tm_decompress *d, const char *file, const void *in, size_t in_size,
                    size_t *taken, void *out, size_t out_size, size_t *made, tm_error *err) {
  ZSTD_inBuffer from = {in, in_size, *taken};
  ZSTD_outBuffer to = {out, out_size, *made};
  if (d->complete && in_size == 0) return 0; /* a call would begin the next frame */
  size_t before;
  do {
    before = from.pos + to.pos;
    size_t result = ZSTD_decompressStream(d->zstd, &to, &from);
    if (ZSTD_isError(result)) {
      *taken = from.pos;
      *made = to.pos;
      if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) return no_memory(err);
      return damaged(file, "zstd", ZSTD_getErrorName(result), err);
    }
    d->complete = result == 0;
  } while (from.pos < from.size && to.pos < to.size && from.pos + to.pos > before);
  *taken = from.pos;
  *made = to.pos;
  return 0;
}

int tm_decompress_run(tm_decompress *d, const char *file, const void *in, size_t in_size,
                      size_t *out_taken, void *out, size_t out_size, size_t *out_made,
                      tm_error *err) {
  *out_taken = *out_made = 0;
  return d->kind == TM_COMPRESSION_GZIP
             ? run_gzip(d, file, in, in_size, out_taken, out, out_size, out_made, err)
             : run_zstd(d, file, in, in_size, out_taken, out, out_size, out_made, err);
}

bool tm_decompress_is_complete(const tm_decompress *d) { return d->complete; }

/* ---------------------------------------------------------------- writing */

struct tm_compress {
  tm_budget *budget;
  tm_compression kind;
  z_stream gzip;
  ZSTD_CStream *zstd;
};

tm_compress *tm_compress_create(tm_budget *budget, tm_compression kind, tm_error *err) {
  tm_compress *c = tm_alloc_zero(budget, sizeof *c);
  if (c == NULL) {
    no_memory(err);
    return NULL;
  }
  c->budget = budget;
  c->kind = kind;
  bool done;
  if (kind == TM_COMPRESSION_GZIP) {
    c->gzip = (z_stream){.zalloc = lend_gzip, .zfree = give_back, .opaque = budget};
    done = deflateInit2(&c->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) ==
           Z_OK;
    if (!done) c->kind = TM_COMPRESSION_NONE;
  } else {
    c->zstd = ZSTD_createCStream_advanced(zstd_memory(budget));
    done = c->zstd != NULL &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1));
  }
  if (done) return c;
  tm_compress_destroy(c);
  no_memory(err);
  return NULL;
}

void tm_compress_destroy(tm_compress *c) {
  if (c == NULL) return;
  if (c->kind == TM_COMPRESSION_GZIP) deflateEnd(&c->gzip);
  if (c->zstd != NULL) ZSTD_freeCStream(c->zstd);
  tm_free(c->budget, c, sizeof *c);
}

typedef enum push { GOES_ON, FLUSHES, ENDS } push;

/* One step into the room that `out` has; *more says whether another is needed. */
static int step_gzip(tm_compress *c, push how, tm_bytes *out, bool *more, tm_error *err) {
  static const int flush[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
  size_t room = out->capacity - out->size;
  if (room > CHUNK_BYTES) room = CHUNK_BYTES;
  c->gzip.next_out = out->data + out->size;
  c->gzip.avail_out = (uInt)room;
  int result = deflate(&c->gzip, flush[how]);
  out->size += room - c->gzip.avail_out;
  if (result == Z_STREAM_ERROR) return no_memory(err);
  *more = how == ENDS ? result != Z_STREAM_END : c->gzip.avail_in > 0 || c->gzip.avail_out == 0;
  return 0;
}

static int step_zstd(tm_compress *c, ZSTD_inBuffer *in, push how, tm_bytes *out, bool *more,
                     tm_error *err) {
  static const ZSTD_EndDirective flush[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
  ZSTD_outBuffer to = {out->data, out->capacity, out->size};
  size_t left = ZSTD_compressStream2(c->zstd, &to, in, flush[how]);
  out->size = to.pos;
  if (ZSTD_isError(left)) return no_memory(err);
  *more = how == GOES_ON ? in->pos < in->size : left > 0;
  return 0;
}

static int run(tm_compress *c, const void *in, size_t size, push how, tm_bytes *out,
               tm_error *err) {
  ZSTD_inBuffer from = {in, size, 0};
  bool more = true;
  c->gzip.next_in = (uint8_t *)(uintptr_t)in;
  c->gzip.avail_in = (uInt)size;
  while (more) {
    if (!tm_bytes_reserve(out, CHUNK_BYTES)) return no_memory(err);
    int done = c->kind == TM_COMPRESSION_GZIP ? step_gzip(c, how, out, &more, err)
                                              : step_zstd(c, &from, how, out, &more, err);
    if (done < 0) return -1;
  }
  return 0;
}

int tm_compress_run(tm_compress *c, const void *in, size_t size, bool last, tm_bytes *out,
                    tm_error *err) {
  return run(c, in, size, last ? ENDS : GOES_ON, out, err);
}

int tm_compress_flush(tm_compress *c, tm_bytes *out, tm_error *err) {
  return run(c, NULL, 0, FLUSHES, out, err);
}
