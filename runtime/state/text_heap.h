/* state/text_heap.h: bytes of the strings that state keeps, in chunks that never move.
 *
 * A string copied in stays where it is until the heap goes, so state may hold plain tm_str views.
 * The heap is reference-counted: a batch that goes out with such views pins it, and so costs no
 * copy. Only one thread may add; any thread may read what was added before it got the heap. */
#ifndef TM_STATE_TEXT_HEAP_H
#define TM_STATE_TEXT_HEAP_H

#include "base/memory.h"
#include "column/batch.h"
#include "column/str.h"

typedef struct tm_text_chunk tm_text_chunk;

typedef struct tm_text_heap {
  int references; /* atomic */
  tm_budget *budget;
  tm_text_chunk *chunks; /* newest first */
  char *at, *end;
  uint64_t bytes; /* handed out */
} tm_text_heap;

/* One reference; NULL when out of memory. */
tm_text_heap *tm_text_heap_create(tm_budget *budget);
tm_text_heap *tm_text_heap_retain(tm_text_heap *heap);
void tm_text_heap_release(tm_text_heap *heap); /* NULL is a no-op */
/* Keeps the heap until the batch goes. 0 or -1 (memory). */
int tm_text_heap_pin(tm_text_heap *heap, tm_batch *batch);
/* Room for `size` bytes; NULL when refused. */
char *tm_text_heap_alloc(tm_text_heap *heap, size_t size);

/* A string of the same bytes that owns nothing outside the heap. false: refused. */
static inline bool tm_text_heap_keep(tm_text_heap *heap, const tm_str *in, tm_str *out) {
  tm_str kept = *in;
  if (kept.size > TM_STR_INLINE) {
    char *copy = tm_text_heap_alloc(heap, kept.size);
    if (copy == NULL) return false;
    memcpy(copy, in->pointer, kept.size);
    kept.pointer = copy;
  }
  *out = kept;
  return true;
}

#endif
