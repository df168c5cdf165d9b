/* kernel/pattern.h: the patterns of Lua 5.4's string library, with a bound on the work.
 *
 * A pattern is compiled once and matched often; a program never changes, lives in its arena and
 * may be shared by threads. Results are those of string.find, match, gmatch and gsub, to the byte
 * and to the error: as there, a malformed part of a pattern is an error only once a match gets
 * there. Beyond `steps_max` a search gives up, where Lua would go on for years. No locale plays a
 * part. */
#ifndef TM_KERNEL_PATTERN_H
#define TM_KERNEL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/memory.h"

enum { TM_PATTERN_CAPTURES_MAX = 32 };

typedef struct tm_pattern tm_pattern;

typedef enum tm_pattern_status {
  TM_PATTERN_NONE = 0,
  TM_PATTERN_FOUND = 1,
  TM_PATTERN_LIMIT = -1, /* steps_max is used up */
  TM_PATTERN_ERROR = -2, /* what Lua would raise: match->error */
  TM_PATTERN_MEMORY = -3, /* no room for a result */
} tm_pattern_status;

typedef enum tm_pattern_use {
  TM_PATTERN_FIND,   /* find: as match, but a lone ')' is a character, not an error */
  TM_PATTERN_SEARCH, /* match, gsub: a '^' in front is an anchor */
  TM_PATTERN_EACH,   /* gmatch: it is a character like others */
} tm_pattern_use;

#define TM_PATTERN_POSITION (SIZE_MAX - 1) /* size of "()": its value is start + 1 */
#define TM_PATTERN_UNFINISHED SIZE_MAX     /* "(" without ")": an error for whoever looks at it */

typedef struct tm_pattern_capture { size_t start, size; } tm_pattern_capture;

typedef struct tm_pattern_match {
  size_t start, end;  /* of the whole, end exclusive */
  uint32_t count;     /* captures; with none, find gives none and match gives the whole */
  const char *error;  /* of TM_PATTERN_ERROR; lives as long as the program */
  tm_pattern_capture captures[TM_PATTERN_CAPTURES_MAX];
} tm_pattern_match;

/* NULL when the arena is out of memory. */
const tm_pattern *tm_pattern_compile(const char *pattern, size_t size, tm_pattern_use use,
                                     tm_arena *arena);
/* The error that waits in a malformed pattern, NULL where there is none. Unfinished captures are
 * found here too. */
const char *tm_pattern_malformed(const tm_pattern *pattern);
/* How many captures every match has. */
uint32_t tm_pattern_capture_count(const tm_pattern *pattern);
/* The pattern is plain text, which is all that matches it; NULL if it is more. */
const char *tm_pattern_literal(const tm_pattern *pattern, size_t *size);

/* The first match at or behind `init` (<= size). */
tm_pattern_status tm_pattern_find(const tm_pattern *pattern, const char *text, size_t size,
                                  size_t init, uint64_t steps_max, tm_pattern_match *match);
/* TM_PATTERN_FOUND, or TM_PATTERN_ERROR for a capture that was never closed: what find, match and
 * gmatch ask before they return captures. */
tm_pattern_status tm_pattern_check_captures(tm_pattern_match *match);
/* Lua's `init` (from 1, negative from the end) as an offset. false: beyond the end, no match. */
bool tm_pattern_init(int64_t init, size_t size, size_t *offset);

/* All matches, one after the other, as gmatch and gsub take them: none ends where the one before
 * it ended. steps is what is left of the bound. */
typedef struct tm_pattern_cursor {
  const tm_pattern *pattern;
  const char *text;
  size_t size;
  size_t at;       /* the end of the last match: gsub copies from here to the next one's start */
  size_t last_end; /* SIZE_MAX at first */
  uint64_t steps;
  bool done;
} tm_pattern_cursor;

void tm_pattern_cursor_init(tm_pattern_cursor *cursor, const tm_pattern *pattern,
                            const char *text, size_t size, size_t init, uint64_t steps_max);
tm_pattern_status tm_pattern_next(tm_pattern_cursor *cursor, tm_pattern_match *match);

/* Appends a replacement string for a match: %0 to %9 are the captures, %% is a percent sign.
 * TM_PATTERN_FOUND, _ERROR or _MEMORY. */
tm_pattern_status tm_pattern_expand(const char *replacement, size_t replacement_size,
                                    const char *text, tm_pattern_match *match, tm_bytes *out);
/* string.gsub with a string: appends the result to out, counts replacements; count_max -1 is all.
 * TM_PATTERN_FOUND, _LIMIT, _ERROR (*error is set) or _MEMORY. */
tm_pattern_status tm_pattern_replace(const tm_pattern *pattern, const char *text, size_t size,
                                     const char *replacement, size_t replacement_size,
                                     int64_t count_max, uint64_t steps_max, tm_bytes *out,
                                     int64_t *count, const char **error);

#endif
