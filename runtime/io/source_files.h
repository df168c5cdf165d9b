/* io/source_files.h: the files that a source names: one path, a list, globs; "-" is stdin. */
#ifndef TM_IO_SOURCE_FILES_H
#define TM_IO_SOURCE_FILES_H

#include "base/value.h"
#include "io/input.h"

typedef struct tm_source_file {
  const char *path;          /* "-" for stdin */
  const char *name;          /* as messages and rejects show it */
  const tm_input_head *head; /* what was read of it already; NULL: nothing */
  uint64_t size;             /* bytes on disk, 0 where unknown */
} tm_source_file;

typedef struct tm_source_files {
  tm_source_file *items; /* by path, each once */
  uint32_t count;
} tm_source_files;

/* {date} becomes `date`. 0, or -1: TM_E_MISSING (a file or what a glob should match), TM_E_READ (a
 * folder, no permission), TM_E_VALUE (no text). Opens every file once, so that a long run does not
 * end at the last of them. */
int tm_source_files_find(tm_arena *arena, const tm_value *path, const char *date,
                         tm_source_files *out, tm_error *err);
/* The path with {date} replaced; NULL when out of memory. */
const char *tm_source_files_date(tm_arena *arena, const char *path, const char *date);
/* The value of folder `name=value` in a path, percent-decoded; NULL: there is none, or it is the
 * word for null. *out_found tells these apart. */
const char *tm_source_files_partition(tm_arena *arena, const char *path, const char *name,
                                      bool *out_found);

#endif
