/* format/text_lines.h: files whose records are lines: how they begin and where they are split. */
#ifndef TM_FORMAT_TEXT_LINES_H
#define TM_FORMAT_TEXT_LINES_H

#include "format/format.h"

/* Behind a byte order mark; an empty layout. As tm_format.begin. */
int tm_text_lines_begin(const tm_reading *reading, tm_arena *arena, const char *file,
                        const char *data, size_t size, bool whole, const tm_layout **out,
                        size_t *out_skip, uint64_t *out_lines, tm_error *err);
void tm_text_lines_split(const tm_reading *reading, tm_split *split, const char *data, size_t size);

#endif
