/* state/text_heap.c: chunks that grow from 4 KiB to 1 MiB, so that small state stays small. */
#include "state/text_heap.h"

#include <assert.h>

enum { CHUNK_MIN = 4 * 1024, CHUNK_MAX = 1024 * 1024 };

struct tm_text_chunk {
  tm_text_chunk *next;
  size_t bytes; /* of the whole block */
};

tm_text_heap *tm_text_heap_create(tm_budget *budget) {
  tm_text_heap *heap = tm_alloc_zero(budget, sizeof *heap);
  if (heap == NULL) return NULL;
  heap->references = 1;
  heap->budget = budget;
  return heap;
}

tm_text_heap *tm_text_heap_retain(tm_text_heap *heap) {
  __atomic_add_fetch(&heap->references, 1, __ATOMIC_RELAXED);
  return heap;
}

void tm_text_heap_release(tm_text_heap *heap) {
  if (heap == NULL) return;
  int left = __atomic_sub_fetch(&heap->references, 1, __ATOMIC_ACQ_REL);
  assert(left >= 0);
  if (left > 0) return;
  tm_budget *budget = heap->budget;
  for (tm_text_chunk *chunk = heap->chunks, *next; chunk != NULL; chunk = next) {
    next = chunk->next;
    tm_free(budget, chunk, chunk->bytes);
  }
  tm_free(budget, heap, sizeof *heap);
}

static void release_pin(void *heap) { tm_text_heap_release(heap); }

int tm_text_heap_pin(tm_text_heap *heap, tm_batch *batch) {
  if (tm_batch_pin(batch, heap, release_pin) < 0) return -1;
  tm_text_heap_retain(heap);
  return 0;
}

static bool add_chunk(tm_text_heap *heap, size_t size) {
  size_t bytes = CHUNK_MIN;
  while (bytes < CHUNK_MAX && bytes < heap->bytes / 2) bytes *= 2;
  if (bytes < size + sizeof(tm_text_chunk)) bytes = size + sizeof(tm_text_chunk);
  tm_text_chunk *chunk = tm_alloc(heap->budget, bytes);
  if (chunk == NULL) return false;
  *chunk = (tm_text_chunk){heap->chunks, bytes};
  heap->chunks = chunk;
  heap->at = (char *)(chunk + 1);
  heap->end = (char *)chunk + bytes;
  return true;
}

char *tm_text_heap_alloc(tm_text_heap *heap, size_t size) {
  if ((size_t)(heap->end - heap->at) < size && !add_chunk(heap, size)) return NULL;
  char *at = heap->at;
  heap->at += size;
  heap->bytes += size;
  return at;
}
