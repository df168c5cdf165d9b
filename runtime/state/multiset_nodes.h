/* state/multiset_nodes.h: nodes of the trees that large multisets are; for multiset*.c alone.
 *
 * A leaf is a sorted array of entries: the words of a tuple, then how often it is there. An inner
 * node has for each child its first tuple (exactly: its strings are those of the leaf's entry) and
 * the sum of the counts below. */
#ifndef TM_STATE_MULTISET_NODES_H
#define TM_STATE_MULTISET_NODES_H

#include "state/multiset.h"

typedef struct tm_multiset_leaf {
  uint32_t count, unused;
  uint64_t entries[];
} tm_multiset_leaf;

typedef struct tm_multiset_inner {
  uint32_t count, unused;
  void *slots[]; /* children, then totals, then keys; see below */
} tm_multiset_inner;

static inline size_t tm_multiset_stride(const tm_multiset_pool *pool) {
  return pool->spec.words + (size_t)1;
}
static inline size_t tm_multiset_leaf_bytes(const tm_multiset_pool *pool, uint32_t capacity) {
  return sizeof(tm_multiset_leaf) + capacity * tm_multiset_stride(pool) * sizeof(uint64_t);
}
static inline uint64_t *tm_multiset_entry(const tm_multiset_pool *pool,
                                          const tm_multiset_leaf *leaf, uint32_t at) {
  return (uint64_t *)(uintptr_t)leaf->entries + at * tm_multiset_stride(pool);
}
static inline uint64_t *tm_multiset_times(const tm_multiset_pool *pool, uint64_t *entry) {
  return entry + pool->spec.words;
}

static inline size_t tm_multiset_inner_bytes(const tm_multiset_pool *pool) {
  return sizeof(tm_multiset_inner) +
         pool->inner_max * (sizeof(void *) + (1 + (size_t)pool->spec.words) * sizeof(uint64_t));
}
static inline void **tm_multiset_children(const tm_multiset_inner *inner) {
  return (void **)(uintptr_t)inner->slots;
}
static inline uint64_t *tm_multiset_totals(const tm_multiset_pool *pool,
                                           const tm_multiset_inner *inner) {
  return (uint64_t *)(uintptr_t)(inner->slots + pool->inner_max);
}
static inline uint64_t *tm_multiset_key(const tm_multiset_pool *pool,
                                        const tm_multiset_inner *inner, uint32_t at) {
  return tm_multiset_totals(pool, inner) + pool->inner_max + at * (size_t)pool->spec.words;
}

/* From the root (level height-1) down to the child of the lowest inner node (level 0). */
typedef struct tm_multiset_path {
  tm_multiset_inner *nodes[TM_MULTISET_HEIGHT];
  uint32_t at[TM_MULTISET_HEIGHT];
} tm_multiset_path;

/* The leaf in which the tuple is, or would be. */
tm_multiset_leaf *tm_multiset_descend(const tm_multiset_pool *pool, const tm_multiset *set,
                                      const uint64_t *tuple, tm_multiset_path *path);
/* The first entry that is not less; *found where it is the tuple. */
uint32_t tm_multiset_seek(const tm_multiset_pool *pool, const tm_multiset_leaf *leaf,
                          const uint64_t *tuple, bool *found);

/* multiset_tree.c: of sets that are no single array. 0 or -1 (memory). */
int tm_multiset_tree_add(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *kept,
                         uint64_t count);
/* The full array becomes the first leaf of a tree. */
int tm_multiset_tree_make(tm_multiset_pool *pool, tm_multiset *set);
/* An entry of the leaf is gone (it was the first: `first`): keys, nodes that are too empty. */
void tm_multiset_tree_shrink(tm_multiset_pool *pool, tm_multiset *set, tm_multiset_path *path,
                             tm_multiset_leaf *leaf, bool first);
void tm_multiset_tree_free(tm_multiset_pool *pool, void *node, uint32_t height);

#endif
