/* state/multiset_tree.c: B+ trees that grow and shrink (R. Bayer, E. McCreight, "Organization and
 * Maintenance of Large Ordered Indexes", 1972; counts below each child make places in the order
 * quick to find).
 *
 * On the way down to where a tuple goes, every full node is split, so that a split never climbs. A
 * leaf to which values come in order is not halved: the next one begins empty. A node that is less
 * than a quarter full joins a neighbour where both fit into half a node and more. */
#include "state/multiset_nodes.h"

#include <assert.h>

typedef tm_multiset_pool pool_t;
typedef tm_multiset_inner inner_t;
typedef tm_multiset_leaf leaf_t;

static size_t key_bytes(const pool_t *pool) { return pool->spec.words * sizeof(uint64_t); }

static void set_key(const pool_t *pool, inner_t *inner, uint32_t at, const uint64_t *key) {
  memcpy(tm_multiset_key(pool, inner, at), key, key_bytes(pool));
}

static inner_t *new_inner(pool_t *pool) {
  inner_t *inner = tm_slab_alloc(&pool->slab, tm_multiset_inner_bytes(pool));
  if (inner != NULL) *inner = (inner_t){0};
  return inner;
}

static leaf_t *new_leaf(pool_t *pool) {
  leaf_t *leaf = tm_slab_alloc(&pool->slab, tm_multiset_leaf_bytes(pool, pool->leaf_max));
  if (leaf != NULL) *leaf = (leaf_t){0};
  return leaf;
}

static uint64_t leaf_total(const pool_t *pool, const leaf_t *leaf) {
  uint64_t total = 0;
  for (uint32_t i = 0; i < leaf->count; i++) {
    total += *tm_multiset_times(pool, tm_multiset_entry(pool, leaf, i));
  }
  return total;
}

static uint64_t inner_total(const pool_t *pool, const inner_t *inner) {
  const uint64_t *totals = tm_multiset_totals(pool, inner);
  uint64_t total = 0;
  for (uint32_t i = 0; i < inner->count; i++) total += totals[i];
  return total;
}

/* Copies slots from …+count-1 of one inner node to slot `to` of another, or the same. */
static void move_slots(const pool_t *pool, inner_t *into, uint32_t to, const inner_t *from,
                       uint32_t at, uint32_t count) {
  memmove(tm_multiset_children(into) + to, tm_multiset_children(from) + at,
          count * sizeof(void *));
  memmove(tm_multiset_totals(pool, into) + to, tm_multiset_totals(pool, from) + at,
          count * sizeof(uint64_t));
  memmove(tm_multiset_key(pool, into, to), tm_multiset_key(pool, from, at),
          count * key_bytes(pool));
}

/* ------------------------------------------------------------------ growing */

static void insert_child(const pool_t *pool, inner_t *inner, uint32_t at, void *child,
                         uint64_t total, const uint64_t *key) {
  assert(inner->count < pool->inner_max);
  move_slots(pool, inner, at + 1, inner, at, inner->count - at);
  tm_multiset_children(inner)[at] = child;
  tm_multiset_totals(pool, inner)[at] = total;
  set_key(pool, inner, at, key);
  inner->count++;
}

/* `tuple` is about to come in; where it goes behind all of the leaf, nothing is moved. */
static int split_leaf(pool_t *pool, inner_t *parent, uint32_t at, const uint64_t *tuple) {
  leaf_t *left = tm_multiset_children(parent)[at], *right = new_leaf(pool);
  if (right == NULL) return -1;
  size_t stride = tm_multiset_stride(pool);
  const uint64_t *last = tm_multiset_entry(pool, left, left->count - 1);
  bool behind = tm_tuple_compare(&pool->spec, last, tuple) < 0;
  uint32_t stay = behind ? left->count : left->count / 2;
  right->count = left->count - stay;
  left->count = stay;
  memcpy(right->entries, tm_multiset_entry(pool, left, stay),
         right->count * stride * sizeof(uint64_t));
  uint64_t total = leaf_total(pool, right);
  tm_multiset_totals(pool, parent)[at] -= total;
  insert_child(pool, parent, at + 1, right, total, behind ? tuple : right->entries);
  return 0;
}

static int split_inner(pool_t *pool, inner_t *parent, uint32_t at) {
  inner_t *left = tm_multiset_children(parent)[at], *right = new_inner(pool);
  if (right == NULL) return -1;
  uint32_t stay = left->count / 2;
  right->count = left->count - stay;
  move_slots(pool, right, 0, left, stay, right->count);
  left->count = stay;
  uint64_t total = inner_total(pool, right);
  tm_multiset_totals(pool, parent)[at] -= total;
  insert_child(pool, parent, at + 1, right, total, tm_multiset_key(pool, right, 0));
  return 0;
}

/* A root above the root. */
static int raise_root(pool_t *pool, tm_multiset *set, const uint64_t *first, uint64_t total) {
  inner_t *root = new_inner(pool);
  if (root == NULL || set->height + 1 >= TM_MULTISET_HEIGHT) return -1;
  insert_child(pool, root, 0, set->root, total, first);
  set->root = root;
  set->height++;
  return 0;
}

int tm_multiset_tree_make(tm_multiset_pool *pool, tm_multiset *set) {
  const leaf_t *leaf = set->root;
  assert(set->height == 0 && set->capacity == pool->leaf_max);
  return raise_root(pool, set, leaf->entries, leaf_total(pool, leaf));
}

static uint32_t child_for(const pool_t *pool, const inner_t *inner, const uint64_t *tuple) {
  uint32_t at = inner->count - 1;
  while (at > 0 && tm_tuple_compare(&pool->spec, tm_multiset_key(pool, inner, at), tuple) > 0) {
    at--;
  }
  return at;
}

int tm_multiset_tree_add(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *kept,
                         uint64_t count) {
  inner_t *node = set->root;
  if (node->count == pool->inner_max) {
    if (raise_root(pool, set, tm_multiset_key(pool, node, 0), inner_total(pool, node)) < 0 ||
        split_inner(pool, set->root, 0) < 0) {
      return -1;
    }
    node = set->root;
  }
  for (uint32_t level = set->height;; level--) {
    uint32_t at = child_for(pool, node, kept);
    void *child = tm_multiset_children(node)[at];
    int split = 1; /* it is not full */
    if (level == 1 && ((leaf_t *)child)->count == pool->leaf_max) {
      split = split_leaf(pool, node, at, kept);
    } else if (level > 1 && ((inner_t *)child)->count == pool->inner_max) {
      split = split_inner(pool, node, at);
    }
    if (split < 0) return -1;
    if (split == 0) at = child_for(pool, node, kept);
    child = tm_multiset_children(node)[at];
    tm_multiset_totals(pool, node)[at] += count;
    uint64_t *key = tm_multiset_key(pool, node, at);
    if (tm_tuple_compare(&pool->spec, kept, key) < 0) memcpy(key, kept, key_bytes(pool));
    if (level > 1) {
      node = child;
      continue;
    }
    leaf_t *leaf = child;
    bool found;
    size_t stride = tm_multiset_stride(pool);
    uint64_t *entry = tm_multiset_entry(pool, leaf, tm_multiset_seek(pool, leaf, kept, &found));
    assert(!found);
    memmove(entry + stride, entry,
            (leaf->count * stride - (size_t)(entry - leaf->entries)) * sizeof *entry);
    memcpy(entry, kept, key_bytes(pool));
    *tm_multiset_times(pool, entry) = count;
    leaf->count++;
    return 0;
  }
}

/* ------------------------------------------------------------------ shrinking */

static void remove_child(const pool_t *pool, inner_t *inner, uint32_t at) {
  inner->count--;
  move_slots(pool, inner, at, inner, at + 1, inner->count - at);
}

static bool join_leaves(pool_t *pool, inner_t *parent, uint32_t at) {
  leaf_t *left = tm_multiset_children(parent)[at], *right = tm_multiset_children(parent)[at + 1];
  size_t stride = tm_multiset_stride(pool);
  if (left->count + right->count > pool->leaf_max * 3 / 4) return false;
  memcpy(tm_multiset_entry(pool, left, left->count), right->entries,
         right->count * stride * sizeof(uint64_t));
  left->count += right->count;
  tm_slab_free(&pool->slab, right, tm_multiset_leaf_bytes(pool, pool->leaf_max));
  return true;
}

static bool join_inners(pool_t *pool, inner_t *parent, uint32_t at) {
  inner_t *left = tm_multiset_children(parent)[at], *right = tm_multiset_children(parent)[at + 1];
  if (left->count + right->count > pool->inner_max * 3 / 4) return false;
  move_slots(pool, left, left->count, right, 0, right->count);
  left->count += right->count;
  tm_slab_free(&pool->slab, right, tm_multiset_inner_bytes(pool));
  return true;
}

/* The child at `at` is rather empty: with a neighbour, where that fits. */
static void join_child(pool_t *pool, inner_t *parent, uint32_t at, bool leaves) {
  for (int side = 0; side < 2; side++) {
    uint32_t left = at - (uint32_t)side; /* the right neighbour first */
    if ((side == 1 && at == 0) || left + 1 >= parent->count) continue;
    if (!(leaves ? join_leaves(pool, parent, left) : join_inners(pool, parent, left))) continue;
    uint64_t *totals = tm_multiset_totals(pool, parent);
    totals[left] += totals[left + 1];
    remove_child(pool, parent, left + 1);
    return;
  }
}

/* Keys above a node whose first tuple is another now. */
static void rename_first(const pool_t *pool, const tm_multiset *set, tm_multiset_path *path,
                         uint32_t level, const uint64_t *first) {
  for (; level < set->height; level++) {
    set_key(pool, path->nodes[level], path->at[level], first);
    if (path->at[level] > 0) return;
  }
}

void tm_multiset_tree_shrink(tm_multiset_pool *pool, tm_multiset *set, tm_multiset_path *path,
                             tm_multiset_leaf *leaf, bool first) {
  if (first && leaf->count > 0) rename_first(pool, set, path, 0, leaf->entries);
  uint32_t count = leaf->count, full = pool->leaf_max;
  for (uint32_t level = 0; level < set->height && count < full / 4; level++) {
    inner_t *parent = path->nodes[level];
    uint32_t at = path->at[level];
    if (count == 0) {
      size_t bytes = level == 0 ? tm_multiset_leaf_bytes(pool, pool->leaf_max)
                                : tm_multiset_inner_bytes(pool);
      tm_slab_free(&pool->slab, tm_multiset_children(parent)[at], bytes);
      remove_child(pool, parent, at);
      if (at == 0 && parent->count > 0) {
        rename_first(pool, set, path, level + 1, tm_multiset_key(pool, parent, 0));
      }
    } else {
      join_child(pool, parent, at, level == 0);
    }
    count = parent->count;
    full = pool->inner_max;
  }
  while (set->height > 0 && ((inner_t *)set->root)->count <= 1) {
    inner_t *root = set->root;
    set->root = root->count == 1 ? tm_multiset_children(root)[0] : NULL;
    tm_slab_free(&pool->slab, root, tm_multiset_inner_bytes(pool));
    set->height = set->root == NULL ? 0 : set->height - 1;
  }
  if (set->root == NULL) *set = (tm_multiset){0};
}

void tm_multiset_tree_free(tm_multiset_pool *pool, void *node, uint32_t height) {
  if (height == 0) {
    const leaf_t *leaf = node;
    for (uint32_t i = 0; i < leaf->count; i++) {
      tm_tuple_drop(&pool->spec, tm_multiset_entry(pool, leaf, i), &pool->slab);
    }
    tm_slab_free(&pool->slab, node, tm_multiset_leaf_bytes(pool, pool->leaf_max));
    return;
  }
  const inner_t *inner = node;
  for (uint32_t i = 0; i < inner->count; i++) {
    tm_multiset_tree_free(pool, tm_multiset_children(inner)[i], height - 1);
  }
  tm_slab_free(&pool->slab, node, tm_multiset_inner_bytes(pool));
}
