/* script/source_map.h: where in a script's text a call stands, so that messages can point at it.
 *
 * Lua knows only the line on which a whole chain of calls begins, and after a tail call not even
 * that. The map is the script's names and strings with their lines and the depth of brackets;
 * given a verb and the place of the step before it, the call's own place is found again. It only
 * serves messages: a place that cannot be found is 0, and the caller keeps the line it has. */
#ifndef TM_SCRIPT_SOURCE_MAP_H
#define TM_SCRIPT_SOURCE_MAP_H

#include "base/memory.h"

typedef struct tm_source_map tm_source_map;

/* Borrows the text. NULL when out of memory. Malformed text gives a map of what was understood. */
tm_source_map *tm_source_map_create(tm_arena *arena, const char *text, size_t size);

/* The place of `.verb` or `:verb`, the first from `line` on; where `after` (a place) stands at or
 * beyond that line, the first behind it at the same depth of brackets. 0: none. */
uint32_t tm_source_map_call(const tm_source_map *map, const char *verb, int line, uint32_t after);
/* The place of the last `.verb` or `:verb` of the text. 0: none. */
uint32_t tm_source_map_last(const tm_source_map *map, const char *verb);
/* The line of a place, 0 for 0. */
int tm_source_map_line(const tm_source_map *map, uint32_t place);
/* The line on which `word` stands among the arguments of the call at `place`, 0: not there.
 * *out_quote (may be NULL) is the quote around it, '\0' where it is a name. */
int tm_source_map_argument(const tm_source_map *map, uint32_t place, const char *word,
                           char *out_quote);

#endif
