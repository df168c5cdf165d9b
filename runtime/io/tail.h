/* io/tail.h: files that grow, as blocks of whole records.
 *
 * A file is what its (device, inode) says, whatever its name: one that was renamed is read to its
 * end, and goes on being read for some seconds, before it is let go; a new file of the name is read
 * from its start, as is one that was truncated. Patterns are looked at again and again for new
 * files. A last line without its end waits, until its file is let go. Compressed files are passed
 * over. One thread; it never waits. */
#ifndef TM_IO_TAIL_H
#define TM_IO_TAIL_H

#include "io/cutter.h"
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
/* Saving: where each file goes on, behind all that was taken. The last bytes before that place tell
 * whether it still is the file that it was. */
enum { TM_TAIL_LAST = 32 };
typedef struct tm_tail_place {
  const char *path;
  uint64_t device, inode;
  uint32_t number;
  bool known;          /* something of it was taken */
  bool begun;          /* else it is read from its start */
  tm_cutter_place at;
  char last[TM_TAIL_LAST];
  size_t last_size;
} tm_tail_place;

typedef struct tm_tail_progress {
  uint64_t sequence;
  uint32_t next_number, file_count;
} tm_tail_progress;

tm_tail_progress tm_tail_progress_of(const tm_tail *tail);
/* 0, or -1: the file cannot be read. */
int tm_tail_place_of(const tm_tail *tail, uint32_t nth, tm_tail_place *out, tm_error *err);
/* Before the first take: progress, then the places. 1: it goes on there; 0: the file is not there
 * any more, or another one, which is said; -1. */
void tm_tail_go_on(tm_tail *tail, const tm_tail_progress *progress);
int tm_tail_seek(tm_tail *tail, const tm_tail_place *place, tm_error *err);
/* A block of bytes that were saved, of a file that was found: `like` has first_line, offset,
 * sequence, first_batch and told. NULL with err; NULL without: it was not found. */
tm_block *tm_tail_block(tm_tail *tail, uint32_t number, const tm_block *like, const void *bytes,
                        size_t size, tm_error *err);
void tm_tail_close(tm_tail *tail); /* NULL is a no-op; blocks may outlive it */

#endif
