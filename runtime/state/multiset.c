/* state/multiset.c: see multiset.h. Sets that are one array, and all that only looks; what changes
 * a tree is in multiset_tree.c. */
#include "state/multiset_nodes.h"

#include <assert.h>

enum { NODE_BYTES = 1024, INNER_BYTES = 3072, LEAF_LEAST = 8, LEAF_MOST = 64, INNER_MOST = 32 };

/* ------------------------------------------------------------------ life */

static uint32_t clamp(size_t value, uint32_t least, uint32_t most) {
  return value < least ? least : value > most ? most : (uint32_t)value;
}

tm_multiset_pool *tm_multiset_pool_create(tm_budget *budget, const tm_tuple_spec *spec) {
  tm_multiset_pool *pool = tm_alloc_zero(budget, sizeof *pool);
  if (pool == NULL) return NULL;
  size_t words = spec->words;
  pool->spec = *spec;
  pool->scratch = tm_alloc(budget, words * sizeof *pool->scratch);
  if (pool->scratch == NULL) {
    tm_free(budget, pool, sizeof *pool);
    return NULL;
  }
  size_t entry = (words + 1) * sizeof(uint64_t);
  pool->leaf_max = clamp((NODE_BYTES - sizeof(tm_multiset_leaf)) / entry, LEAF_LEAST, LEAF_MOST);
  pool->inner_max = clamp(INNER_BYTES / (entry + sizeof(void *)), LEAF_LEAST, INNER_MOST);
  tm_slab_init(&pool->slab, budget);
  return pool;
}

void tm_multiset_pool_destroy(tm_multiset_pool *pool) {
  if (pool == NULL) return;
  tm_budget *budget = pool->slab.budget;
  tm_slab_deinit(&pool->slab);
  tm_free(budget, pool->scratch, pool->spec.words * sizeof *pool->scratch);
  tm_free(budget, pool, sizeof *pool);
}

void tm_multiset_clear(tm_multiset_pool *pool, tm_multiset *set) {
  if (set->height > 0) {
    tm_multiset_tree_free(pool, set->root, set->height);
  } else if (set->root != NULL) {
    const tm_multiset_leaf *leaf = set->root;
    for (uint32_t i = 0; i < leaf->count; i++) {
      tm_tuple_drop(&pool->spec, tm_multiset_entry(pool, leaf, i), &pool->slab);
    }
    tm_slab_free(&pool->slab, set->root, tm_multiset_leaf_bytes(pool, set->capacity));
  }
  *set = (tm_multiset){0};
}

/* ------------------------------------------------------------------ finding */

uint32_t tm_multiset_seek(const tm_multiset_pool *pool, const tm_multiset_leaf *leaf,
                          const uint64_t *tuple, bool *found) {
  uint32_t low = 0, high = leaf->count;
  *found = false;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    int order = tm_tuple_compare(&pool->spec, tm_multiset_entry(pool, leaf, middle), tuple);
    if (order < 0) low = middle + 1;
    else high = middle;
    *found |= order == 0;
  }
  return low;
}

/* The last child whose first tuple is not greater, else the first. */
static uint32_t child_of(const tm_multiset_pool *pool, const tm_multiset_inner *inner,
                         const uint64_t *tuple) {
  uint32_t low = 0, high = inner->count - 1;
  while (low < high) {
    uint32_t middle = (low + high + 1) / 2;
    if (tm_tuple_compare(&pool->spec, tm_multiset_key(pool, inner, middle), tuple) <= 0) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

tm_multiset_leaf *tm_multiset_descend(const tm_multiset_pool *pool, const tm_multiset *set,
                                      const uint64_t *tuple, tm_multiset_path *path) {
  void *node = set->root;
  for (uint32_t level = set->height; level-- > 0;) {
    path->nodes[level] = node;
    path->at[level] = child_of(pool, node, tuple);
    node = tm_multiset_children(node)[path->at[level]];
  }
  return node;
}

uint64_t tm_multiset_count(const tm_multiset_pool *pool, const tm_multiset *set,
                           const uint64_t *tuple) {
  tm_multiset_path path;
  bool found = false;
  if (set->root == NULL) return 0;
  const tm_multiset_leaf *leaf = tm_multiset_descend(pool, set, tuple, &path);
  uint32_t at = tm_multiset_seek(pool, leaf, tuple, &found);
  return found ? *tm_multiset_times(pool, tm_multiset_entry(pool, leaf, at)) : 0;
}

const uint64_t *tm_multiset_least(const tm_multiset_pool *pool, const tm_multiset *set) {
  const void *node = set->root;
  if (node == NULL) return NULL;
  for (uint32_t level = set->height; level > 0; level--) node = tm_multiset_children(node)[0];
  return tm_multiset_entry(pool, node, 0);
}

const uint64_t *tm_multiset_greatest(const tm_multiset_pool *pool, const tm_multiset *set) {
  const void *node = set->root;
  if (node == NULL) return NULL;
  for (uint32_t level = set->height; level > 0; level--) {
    node = tm_multiset_children(node)[((const tm_multiset_inner *)node)->count - 1];
  }
  return tm_multiset_entry(pool, node, ((const tm_multiset_leaf *)node)->count - 1);
}

const uint64_t *tm_multiset_at(const tm_multiset_pool *pool, const tm_multiset *set,
                               uint64_t place) {
  const void *node = set->root;
  if (place >= set->total) return NULL;
  for (uint32_t level = set->height; level > 0; level--) {
    const uint64_t *totals = tm_multiset_totals(pool, node);
    uint32_t at = 0;
    while (place >= totals[at]) place -= totals[at++];
    node = tm_multiset_children(node)[at];
  }
  uint64_t *entry = tm_multiset_entry(pool, node, 0);
  while (place >= *tm_multiset_times(pool, entry)) {
    place -= *tm_multiset_times(pool, entry);
    entry += tm_multiset_stride(pool);
  }
  return entry;
}

/* ------------------------------------------------------------------ walking */

/* Leftmost nodes from level `level` down; the node of that level is there. */
static void walk_down(tm_multiset_cursor *cursor, uint32_t level) {
  for (; level > 0; level--) {
    cursor->nodes[level - 1] =
        tm_multiset_children(cursor->nodes[level])[cursor->at[level]];
    cursor->at[level - 1] = 0;
  }
}

tm_multiset_cursor tm_multiset_open(const tm_multiset_pool *pool, const tm_multiset *set) {
  tm_multiset_cursor cursor = {.pool = pool, .height = set->height};
  cursor.nodes[set->height] = set->root;
  if (set->root != NULL) walk_down(&cursor, set->height);
  return cursor;
}

const uint64_t *tm_multiset_next(tm_multiset_cursor *cursor, uint64_t *out_count) {
  const tm_multiset_leaf *leaf = cursor->nodes[0];
  if (leaf == NULL) return NULL;
  if (cursor->at[0] == leaf->count) {
    uint32_t level = 1;
    while (level <= cursor->height &&
           cursor->at[level] + 1 == ((const tm_multiset_inner *)cursor->nodes[level])->count) {
      level++;
    }
    if (level > cursor->height) return NULL;
    cursor->at[level]++;
    walk_down(cursor, level);
    leaf = cursor->nodes[0];
  }
  uint64_t *entry = tm_multiset_entry(cursor->pool, leaf, cursor->at[0]++);
  *out_count = *tm_multiset_times(cursor->pool, entry);
  return entry;
}

/* ------------------------------------------------------------------ adding and removing */

/* An array of that many entries, in place of the one that the set has. 0 or -1 (memory). */
static int resize(tm_multiset_pool *pool, tm_multiset *set, uint32_t capacity) {
  tm_multiset_leaf *leaf = tm_slab_alloc(&pool->slab, tm_multiset_leaf_bytes(pool, capacity));
  if (leaf == NULL) return -1;
  tm_multiset_leaf *old = set->root;
  leaf->count = old == NULL ? 0 : old->count;
  leaf->unused = 0;
  if (old != NULL) {
    memcpy(leaf->entries, old->entries,
           leaf->count * tm_multiset_stride(pool) * sizeof(uint64_t));
    tm_slab_free(&pool->slab, old, tm_multiset_leaf_bytes(pool, set->capacity));
  }
  set->root = leaf;
  set->capacity = (uint16_t)capacity;
  return 0;
}

static void put(tm_multiset_pool *pool, tm_multiset_leaf *leaf, uint32_t at, const uint64_t *kept,
                uint64_t count) {
  size_t stride = tm_multiset_stride(pool);
  uint64_t *entry = tm_multiset_entry(pool, leaf, at);
  memmove(entry + stride, entry, (leaf->count - at) * stride * sizeof *entry);
  memcpy(entry, kept, pool->spec.words * sizeof *entry);
  *tm_multiset_times(pool, entry) = count;
  leaf->count++;
}

static int add_new(tm_multiset_pool *pool, tm_multiset *set, uint32_t at, const uint64_t *tuple,
                   uint64_t count) {
  if (set->distinct == UINT32_MAX) return -1;
  memcpy(pool->scratch, tuple, pool->spec.words * sizeof *tuple);
  if (!tm_tuple_keep(&pool->spec, pool->scratch, &pool->slab)) return -1;
  set->distinct++;
  set->total += count;
  if (set->height == 0 && (set->root == NULL || set->distinct > set->capacity)) {
    uint32_t capacity = set->root == NULL ? 1 : 2 * (uint32_t)set->capacity;
    if (capacity > pool->leaf_max) capacity = pool->leaf_max;
    if (capacity > set->capacity && resize(pool, set, capacity) < 0) return -1;
    if (set->distinct > capacity && tm_multiset_tree_make(pool, set) < 0) return -1;
  }
  if (set->height > 0) return tm_multiset_tree_add(pool, set, pool->scratch, count);
  put(pool, set->root, at, pool->scratch, count);
  return 0;
}

int tm_multiset_add(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *tuple,
                    uint64_t count) {
  tm_multiset_path path;
  bool found = false;
  uint32_t at = 0;
  if (count == 0) return 0;
  tm_multiset_leaf *leaf = NULL;
  if (set->root != NULL) {
    leaf = tm_multiset_descend(pool, set, tuple, &path);
    at = tm_multiset_seek(pool, leaf, tuple, &found);
  }
  if (!found) return add_new(pool, set, at, tuple, count);
  *tm_multiset_times(pool, tm_multiset_entry(pool, leaf, at)) += count;
  for (uint32_t level = 0; level < set->height; level++) {
    tm_multiset_totals(pool, path.nodes[level])[path.at[level]] += count;
  }
  set->total += count;
  return 0;
}

/* A set that is one array, and lost an entry. Smaller is no must: memory may be refused. */
static void shrink(tm_multiset_pool *pool, tm_multiset *set) {
  if (set->distinct == 0) {
    tm_slab_free(&pool->slab, set->root, tm_multiset_leaf_bytes(pool, set->capacity));
    *set = (tm_multiset){0};
  } else if (set->capacity >= 8 && set->distinct <= set->capacity / 4u) {
    (void)resize(pool, set, set->capacity / 2u);
  }
}

/* What leaves is in pool->scratch, with its strings. */
static bool take(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *tuple, uint64_t count,
                 bool *left) {
  tm_multiset_path path;
  bool found = false;
  *left = false;
  if (set->root == NULL) return count == 0;
  tm_multiset_leaf *leaf = tm_multiset_descend(pool, set, tuple, &path);
  uint32_t at = tm_multiset_seek(pool, leaf, tuple, &found);
  if (!found) return count == 0;
  size_t stride = tm_multiset_stride(pool);
  uint64_t *entry = tm_multiset_entry(pool, leaf, at), *times = tm_multiset_times(pool, entry);
  if (*times < count) return false;
  *times -= count;
  set->total -= count;
  for (uint32_t level = 0; level < set->height; level++) {
    tm_multiset_totals(pool, path.nodes[level])[path.at[level]] -= count;
  }
  if (*times > 0) return true;
  /* `tuple` may be the entry itself. Keys above hold its strings until the tree has shrunk. */
  memcpy(pool->scratch, entry, pool->spec.words * sizeof *entry);
  leaf->count--;
  set->distinct--;
  memmove(entry, entry + stride, (leaf->count - at) * stride * sizeof *entry);
  if (set->height > 0) tm_multiset_tree_shrink(pool, set, &path, leaf, at == 0);
  else shrink(pool, set);
  *left = true;
  return true;
}

bool tm_multiset_remove(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *tuple,
                        uint64_t count) {
  bool left;
  if (!take(pool, set, tuple, count, &left)) return false;
  if (left) tm_tuple_drop(&pool->spec, pool->scratch, &pool->slab);
  return true;
}

bool tm_multiset_take(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *tuple,
                      uint64_t count, uint64_t *out, bool *left) {
  if (!take(pool, set, tuple, count, left)) return false;
  if (*left) memcpy(out, pool->scratch, pool->spec.words * sizeof *out);
  return true;
}

/* ------------------------------------------------------------------ saving */

void tm_multiset_save(const tm_multiset_pool *pool, const tm_multiset *set,
                      tm_record_writer *writer) {
  tm_multiset_cursor cursor = tm_multiset_open(pool, set);
  const uint64_t *tuple;
  uint64_t count;
  tm_record_put(writer, set->distinct);
  while ((tuple = tm_multiset_next(&cursor, &count)) != NULL) {
    tm_tuple_save(&pool->spec, tuple, writer);
    tm_record_put(writer, count);
  }
}

int tm_multiset_restore(tm_multiset_pool *pool, tm_multiset *set, tm_record_reader *reader) {
  assert(set->root == NULL);
  uint64_t distinct = tm_record_get(reader, UINT32_MAX - 1);
  size_t bytes = pool->spec.words * sizeof(uint64_t);
  uint64_t *tuple = tm_alloc(pool->slab.budget, bytes);
  int done = tuple == NULL ? -1 : 0;
  for (uint64_t i = 0; done == 0 && i < distinct && !reader->failed; i++) {
    tm_tuple_restore(&pool->spec, tuple, reader);
    uint64_t count = tm_record_get(reader, INT64_MAX);
    const uint64_t *last = tm_multiset_greatest(pool, set);
    if (count == 0 || set->total > INT64_MAX - count ||
        (last != NULL && tm_tuple_compare(&pool->spec, last, tuple) >= 0)) {
      reader->failed = true;
    }
    if (!reader->failed) done = tm_multiset_add(pool, set, tuple, count);
  }
  tm_free(pool->slab.budget, tuple, bytes);
  return done;
}
