/* store/durable_write.h: the one way in which a file comes into being.
 *
 * Bytes go to a hidden file beside the target; publish makes them durable and moves them to the
 * target's name in one step, so that a reader, a crash or a `kill -9` sees the old file or the
 * whole new one. Whatever fails, the target is as it was until publish renames.
 *
 * open → write… → seal → publish → close. Seal does everything that can fail for want of space, so
 * a job with several outputs seals all of them before it publishes the first. close is legal in
 * every state; before publish it is the cancel. One thread at a time. */
#ifndef TM_STORE_DURABLE_WRITE_H
#define TM_STORE_DURABLE_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct tm_durable_write tm_durable_write;

/* Makes missing folders (close takes them away again if nothing was published), and removes what
 * dead writers of the same target left. A link is followed; permissions of an existing target are
 * kept. A pipe or device is written to directly, for there is nothing to rename. 0 or -1. */
int tm_durable_write_open(tm_durable_write **out, tm_budget *budget, const char *path,
                          tm_error *err);
int tm_durable_write_write(tm_durable_write *writer, const void *bytes, size_t size,
                           tm_error *err);
/* All bytes are on the disk; nothing more can be written. A failure is final: data that an fsync
 * did not confirm is never trusted to a second one. */
int tm_durable_write_seal(tm_durable_write *writer, tm_error *err);
/* Seals if that was not done. After -1 the target is the old one or the new one, each whole. */
int tm_durable_write_publish(tm_durable_write *writer, tm_error *err);
void tm_durable_write_close(tm_durable_write *writer); /* NULL is a no-op */

uint64_t tm_durable_write_size(const tm_durable_write *writer); /* bytes written so far */

#endif
