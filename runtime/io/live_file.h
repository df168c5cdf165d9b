/* io/live_file.h: a file that is read while it is written: in place, under its name.
 *
 * What was written is in the file after flush, and on the disk after seal. Compressed by its
 * ending; what is added to a compressed file is a member of its own. One writer at a time: a second
 * one is refused. */
#ifndef TM_IO_LIVE_FILE_H
#define TM_IO_LIVE_FILE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct tm_live_file tm_live_file;

typedef enum tm_live_mode {
  TM_LIVE_REPLACES, /* what was there is gone */
  TM_LIVE_ADDS,     /* behind what is there; a last line without its end gets one */
  TM_LIVE_GOES_ON,  /* the same, but such a line was torn in a crash: it goes */
} tm_live_mode;

/* `kind_of`: whose ending says how it is compressed; path and that are borrowed. Makes missing
 * folders. 0 or -1: TM_E_WRITE, TM_E_LOCKED. */
int tm_live_file_open(tm_live_file **out, tm_budget *budget, const char *path, const char *kind_of,
                      tm_live_mode mode, tm_error *err);
bool tm_live_file_is_empty(const tm_live_file *file); /* nothing was there, or written */
bool tm_live_file_waits(const tm_live_file *file);    /* something was written and not flushed */
int tm_live_file_write(tm_live_file *file, const void *bytes, size_t size, tm_error *err);
int tm_live_file_flush(tm_live_file *file, tm_error *err);
/* No more is written. */
int tm_live_file_seal(tm_live_file *file, tm_error *err);
void tm_live_file_close(tm_live_file *file); /* NULL is a no-op */

#endif
