/* state/slab.h: small blocks of many sizes that come and go, out of few requests to a budget.
 *
 * Blocks are rounded up to a class of size (four a doubling) and lie next to each other in chunks;
 * a block that is given back is used again for its class. Chunks go all at once, with the slab.
 * Blocks above TM_SLAB_MAX are the budget's own. Blocks are 16-byte aligned. */
#ifndef TM_STATE_SLAB_H
#define TM_STATE_SLAB_H

#include "base/memory.h"
#include "column/str.h"

enum { TM_SLAB_MAX = 4096, TM_SLAB_CLASSES = 28 };

typedef struct tm_slab_chunk tm_slab_chunk;
typedef struct tm_slab_large tm_slab_large;

typedef struct tm_slab {
  tm_budget *budget;
  tm_slab_chunk *chunks;  /* newest first */
  tm_slab_large *large;
  char *at, *end;         /* of the newest chunk */
  size_t bytes;           /* of all chunks */
  void *free[TM_SLAB_CLASSES];
} tm_slab;

void tm_slab_init(tm_slab *slab, tm_budget *budget);
void tm_slab_deinit(tm_slab *slab); /* every block goes with it */
void *tm_slab_alloc(tm_slab *slab, size_t bytes); /* NULL when refused */
void tm_slab_free(tm_slab *slab, void *block, size_t bytes);

/* A string of the same bytes that owns a block where it is long. false: refused. */
static inline bool tm_slab_keep(tm_slab *slab, const tm_str *in, tm_str *out) {
  tm_str kept = *in;
  if (kept.size > TM_STR_INLINE) {
    char *copy = tm_slab_alloc(slab, kept.size);
    if (copy == NULL) return false;
    memcpy(copy, in->pointer, kept.size);
    kept.pointer = copy;
  }
  *out = kept;
  return true;
}

static inline void tm_slab_drop(tm_slab *slab, const tm_str *kept) {
  if (kept->size > TM_STR_INLINE) tm_slab_free(slab, (void *)(uintptr_t)kept->pointer, kept->size);
}

#endif
