/* base/glob.h: paths with wildcards.
 *
 * `*` any run of characters and `?` one, within a name; `[a-z]` and `[!a-z]` one of a set; `**` as
 * a whole name any number of folders, but not links to some; `\` takes the next character as it
 * is. A name that starts with a dot is only met by a pattern that does. Matches come sorted by
 * bytes, each once. */
#ifndef TM_BASE_GLOB_H
#define TM_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

bool tm_glob_is_pattern(const char *path); /* holds a wildcard */
/* Of one name, without folders. */
bool tm_glob_match(const char *pattern, const char *name);
/* The paths that match, in the arena; count 0 where nothing does. A path without wildcards is
 * given back whether it is there or not. 0, or -1: a folder that cannot be read (TM_E_READ), or
 * memory. */
int tm_glob_expand(tm_arena *arena, const char *pattern, const char *const **out_paths,
                   size_t *out_count, tm_error *err);

#endif
