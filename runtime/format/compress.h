/* format/compress.h: gzip and zstd, as streams.
 *
 * Reading goes through all members (frames) of a file, one behind the other; a file that ends
 * inside one is truncated. Memory of the libraries is charged to the budget. */
#ifndef TM_FORMAT_COMPRESS_H
#define TM_FORMAT_COMPRESS_H

#include "base/bytes.h"
#include "base/error.h"

typedef enum tm_compression { TM_COMPRESSION_NONE, TM_COMPRESSION_GZIP, TM_COMPRESSION_ZSTD }
    tm_compression;

enum { TM_COMPRESSION_MAGIC = 4 }; /* bytes to look at */

tm_compression tm_compression_of_bytes(const void *bytes, size_t size);
tm_compression tm_compression_of_path(const char *path); /* by its ending: .gz .zst */
const char *tm_compression_name(tm_compression kind);

typedef struct tm_decompress tm_decompress;

tm_decompress *tm_decompress_create(tm_budget *budget, tm_compression kind, tm_error *err);
/* Takes from in[0 … in_size-1], writes up to out_size. 0, or -1: damaged data (TM_E_CORRUPT, the
 * file named), or no memory. */
int tm_decompress_run(tm_decompress *d, const char *file, const void *in, size_t in_size,
                      size_t *out_taken, void *out, size_t out_size, size_t *out_made,
                      tm_error *err);
/* May the file end here? */
bool tm_decompress_is_complete(const tm_decompress *d);
void tm_decompress_destroy(tm_decompress *d);

typedef struct tm_compress tm_compress;

tm_compress *tm_compress_create(tm_budget *budget, tm_compression kind, tm_error *err);
/* Appends what comes out to `out`; `last` ends the stream. 0 or -1. */
int tm_compress_run(tm_compress *c, const void *in, size_t size, bool last, tm_bytes *out,
                    tm_error *err);
/* Everything that went in can be read from what has come out; the stream goes on. */
int tm_compress_flush(tm_compress *c, tm_bytes *out, tm_error *err);
void tm_compress_destroy(tm_compress *c);

#endif
