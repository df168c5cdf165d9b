/* format/text_lines.c: see text_lines.h. */
#include "format/text_lines.h"

#include "kernel/structural.h"

int tm_text_lines_begin(const tm_reading *reading, tm_arena *arena, const char *file,
                        const char *data, size_t size, bool whole, const tm_layout **out,
                        size_t *out_skip, uint64_t *out_lines, tm_error *err) {
  static const char bom[] = "\xef\xbb\xbf";
  static const tm_layout empty;
  (void)reading, (void)arena, (void)file, (void)err;
  if (size < 3 && !whole && memcmp(data, bom, size) == 0) return 0; /* one may be coming */
  *out = &empty;
  *out_skip = size >= 3 && memcmp(data, bom, 3) == 0 ? 3 : 0;
  *out_lines = 0;
  return 1;
}

void tm_text_lines_split(const tm_reading *reading, tm_split *p, const char *data, size_t size) {
  (void)reading;
  size_t from = p->scanned;
  if (size <= from) return;
  p->scanned = size;
  if (p->first_only) {
    const char *end = memchr(data + from, '\n', size - from);
    size = end == NULL ? from : (size_t)(end + 1 - data);
  }
  size_t last = tm_structural_find_last(data + from, size - from, '\n');
  if (last == SIZE_MAX) return;
  p->lines += tm_structural_count(data + from, size - from, '\n');
  p->whole = from + last + 1;
}
