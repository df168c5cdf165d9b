/* kernel/like.h: SQL's LIKE, compiled once.
 *
 * '%' stands for any text, '_' for one character (of UTF-8), every other byte for itself; nothing
 * escapes. A compiled pattern lives in the arena, never changes and may be shared by threads. */
#ifndef TM_KERNEL_LIKE_H
#define TM_KERNEL_LIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "column/str.h"

typedef struct tm_like tm_like;

/* NULL when the arena is out of memory: every text is a pattern. */
const tm_like *tm_like_compile(const char *pattern, size_t size, tm_arena *arena);

bool tm_like_match(const tm_like *like, const char *text, size_t size);

/* out[row] is 1 where values[row] matches, for rows[0 .. count) (rows NULL: row i). 0 where
 * valid[row] is 0; valid NULL: all are. */
void tm_like_match_rows(const tm_like *like, const tm_str *values, const uint8_t *valid,
                        const uint32_t *rows, size_t count, uint8_t *out);

/* Texts that match start with this literal (size 0: with anything): scans may skip by it. */
const char *tm_like_prefix(const tm_like *like, size_t *size);

#endif
