/* state/slab.c: see slab.h. Chunks grow from 1 KiB to 256 KiB, so that small state stays small. */
#include "state/slab.h"

#include <assert.h>

enum { CHUNK_MIN = 1024, CHUNK_MAX = 256 * 1024, FIRST_CLASSES = 4, STEP = 16 };

struct tm_slab_chunk {
  tm_slab_chunk *next;
  size_t bytes; /* of the whole block */
};

struct tm_slab_large {
  tm_slab_large *next, *before;
  size_t bytes; /* of the whole block */
  size_t unused;
};

/* 16 32 48 64, then four steps from each power of two to the next. */
static uint32_t class_of(size_t bytes, size_t *out_size) {
  if (bytes <= FIRST_CLASSES * STEP) {
    uint32_t class = bytes == 0 ? 0 : (uint32_t)((bytes - 1) / STEP);
    *out_size = (class + 1) * (size_t)STEP;
    return class;
  }
  uint32_t power = 63 - (uint32_t)__builtin_clzll(bytes - 1), shift = power - 2;
  uint32_t step = (uint32_t)((bytes - 1) >> shift) & 3;
  *out_size = ((bytes - 1) >> shift << shift) + ((size_t)1 << shift);
  return FIRST_CLASSES + (power - 6) * 4 + step;
}

void tm_slab_init(tm_slab *slab, tm_budget *budget) { *slab = (tm_slab){.budget = budget}; }

void tm_slab_deinit(tm_slab *slab) {
  for (tm_slab_chunk *chunk = slab->chunks, *next; chunk != NULL; chunk = next) {
    next = chunk->next;
    tm_free(slab->budget, chunk, chunk->bytes);
  }
  for (tm_slab_large *large = slab->large, *next; large != NULL; large = next) {
    next = large->next;
    tm_free(slab->budget, large, large->bytes);
  }
  *slab = (tm_slab){.budget = slab->budget};
}

static bool add_chunk(tm_slab *slab) {
  size_t bytes = CHUNK_MIN;
  while (bytes < CHUNK_MAX && bytes < slab->bytes / 2) bytes *= 2;
  if (bytes < 2 * TM_SLAB_MAX && slab->bytes > 0) bytes = 2 * TM_SLAB_MAX;
  tm_slab_chunk *chunk = tm_alloc(slab->budget, bytes);
  if (chunk == NULL) return false;
  *chunk = (tm_slab_chunk){slab->chunks, bytes};
  slab->chunks = chunk;
  slab->bytes += bytes;
  slab->at = (char *)(chunk + 1);
  slab->end = (char *)chunk + bytes;
  return true;
}

static void *alloc_large(tm_slab *slab, size_t bytes) {
  tm_slab_large *large = tm_alloc(slab->budget, sizeof *large + bytes);
  if (large == NULL) return NULL;
  *large = (tm_slab_large){slab->large, NULL, sizeof *large + bytes, 0};
  if (slab->large != NULL) slab->large->before = large;
  slab->large = large;
  return large + 1;
}

static void free_large(tm_slab *slab, void *block) {
  tm_slab_large *large = (tm_slab_large *)block - 1;
  if (large->before != NULL) large->before->next = large->next;
  else slab->large = large->next;
  if (large->next != NULL) large->next->before = large->before;
  tm_free(slab->budget, large, large->bytes);
}

void *tm_slab_alloc(tm_slab *slab, size_t bytes) {
  size_t size;
  if (bytes > TM_SLAB_MAX) return alloc_large(slab, bytes);
  uint32_t class = class_of(bytes, &size);
  void *block = slab->free[class];
  if (block != NULL) {
    memcpy(&slab->free[class], block, sizeof block);
    return block;
  }
  while ((size_t)(slab->end - slab->at) < size) {
    if (!add_chunk(slab)) return NULL;
  }
  block = slab->at;
  slab->at += size;
  return block;
}

void tm_slab_free(tm_slab *slab, void *block, size_t bytes) {
  size_t size;
  if (bytes > TM_SLAB_MAX) {
    free_large(slab, block);
    return;
  }
  uint32_t class = class_of(bytes, &size);
  assert(class < TM_SLAB_CLASSES);
  memcpy(block, &slab->free[class], sizeof block);
  slab->free[class] = block;
}
