/* io/output.h: where the bytes of a result go: a file, which appears whole or not at all, or
 * stdout.
 *
 * A file is compressed by its ending, written beside its target and moved there by publish. Stdout
 * is written as bytes come; but of several outputs on stdout only the first, the others keep their
 * bytes until publish, so that they come one after another. */
#ifndef TM_IO_OUTPUT_H
#define TM_IO_OUTPUT_H

#include "base/error.h"
#include "base/memory.h"

enum { TM_OUTPUT_CLOSED = 1 };

typedef struct tm_output tm_output;

/* path "-" is stdout. 0 or -1: TM_E_WRITE. */
int tm_output_open(tm_output **out, tm_budget *budget, const char *path, tm_error *err);
/* Of an output that has no end, before the first write: nothing is kept, outputs on stdout take
 * turns, a flush each. */
void tm_output_go_live(tm_output *output);
/* 0; TM_OUTPUT_CLOSED: nobody reads stdout any more; -1. */
int tm_output_write(tm_output *output, const void *bytes, size_t size, tm_error *err);
/* What was written so far is handed to the system. As write. */
int tm_output_flush(tm_output *output, tm_error *err);
/* No more will be written: all that can fail is done. As write. */
int tm_output_seal(tm_output *output, tm_error *err);
/* Makes a sealed output visible. 0 or -1. */
int tm_output_publish(tm_output *output, tm_error *err);
/* Before publish: throws it away. NULL is a no-op. */
void tm_output_close(tm_output *output);

#endif
