/* io/tail.h: files that grow, as blocks of whole records.
 *
 * A file is what its (device, inode) says, whatever its name: one that was renamed is read to its
 * end, and goes on being read for some seconds, before it is let go; a new file of the name is read
 * from its start, as is one that was truncated. Patterns are looked at again and again for new
 * files. A last line without its end waits, until its file is let go. Compressed files are passed
 * over. One thread; it never waits. */
#ifndef TM_IO_TAIL_H
#define TM_IO_TAIL_H

#include "format/format.h"
#include "io/live_input.h"

typedef struct tm_tail tm_tail;

typedef struct tm_tail_options {
  const char *const *patterns; /* paths or globs; borrowed */
  size_t pattern_count;
  bool from_end;               /* of files that are there at the beginning */
  bool by_file;                /* each file is a partition, which ends; else there is one */
} tm_tail_options;

/* NULL with err. reading and options are borrowed. A file that is not there yet is waited for. */
tm_tail *tm_tail_open(tm_budget *budget, const tm_reading *reading, const tm_tail_options *options,
                      tm_error *err);
/* TAKEN with an item as of a live input; LATER: nothing yet, ask again at *out_look_us of the
 * monotonic clock; FAILED. It has no end. */
tm_live_answer tm_tail_take(tm_tail *tail, tm_live_item *out, int64_t *out_look_us, tm_error *err);
void tm_tail_close(tm_tail *tail); /* NULL is a no-op; blocks may outlive it */

#endif
