/* format/jsonl_wants.h: the names that a schema looks for, as a tree by their paths. */
#ifndef TM_FORMAT_JSONL_WANTS_H
#define TM_FORMAT_JSONL_WANTS_H

#include "format/format.h"
#include "format/json_document.h"

typedef struct tm_jsonl_wants {
  tm_json_want root;
  uint32_t slot_count;
  int32_t *slot_of; /* per column; TM_JSON_NONE where it is not read */
} tm_jsonl_wants;

/* Of the columns that are checked. `a.b` is b within a, and also the name "a.b". 0, or -1: out of
 * memory. */
int tm_jsonl_wants_build(tm_arena *arena, const tm_reading *reading, tm_jsonl_wants *out);

#endif
