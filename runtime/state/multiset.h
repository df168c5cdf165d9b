/* state/multiset.h: ordered sets of values that may be there several times: what min, max, median
 * and a top need where rows can be taken back.
 *
 * A pool serves many sets (a group each) of tuples of one spec. A set is 24 bytes that lie wherever
 * the caller wants and begin as zeros. Few values are one sorted array; many are a B+ tree whose
 * inner nodes count what is below them, so that any place in the order is found in logarithmic
 * time. All memory is the pool's: sets need no closing. Memory that is refused is -1; the pool can
 * then only be destroyed. */
#ifndef TM_STATE_MULTISET_H
#define TM_STATE_MULTISET_H

#include "state/tuple.h"

typedef struct tm_multiset {
  void *root;        /* NULL: empty */
  uint64_t total;    /* all counts together */
  uint32_t distinct; /* different tuples */
  uint16_t capacity; /* of a set that is one array */
  uint8_t height;    /* 0: one array */
} tm_multiset;

typedef struct tm_multiset_pool {
  tm_tuple_spec spec;
  tm_slab slab;
  uint32_t leaf_max, inner_max; /* entries of a leaf, children of an inner node */
  uint64_t *scratch;            /* a tuple on its way in */
} tm_multiset_pool;

/* The spec's parts live as long as the pool. NULL when out of memory. */
tm_multiset_pool *tm_multiset_pool_create(tm_budget *budget, const tm_tuple_spec *spec);
void tm_multiset_pool_destroy(tm_multiset_pool *pool); /* with all sets; NULL is a no-op */

/* Strings of the tuple are copied. 0 or -1 (memory). */
int tm_multiset_add(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *tuple,
                    uint64_t count);
/* false, and nothing changed, where the tuple is not there so often. */
bool tm_multiset_remove(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *tuple,
                        uint64_t count);
/* The same; where the tuple leaves for good *left is set and its words go to `out`: its strings are
 * the caller's, to be given back with tm_tuple_drop(&pool->spec, out, &pool->slab). */
bool tm_multiset_take(tm_multiset_pool *pool, tm_multiset *set, const uint64_t *tuple,
                      uint64_t count, uint64_t *out, bool *left);
void tm_multiset_clear(tm_multiset_pool *pool, tm_multiset *set);

/* What these give stays until the set changes. NULL: the set is empty, or place >= total. */
uint64_t tm_multiset_count(const tm_multiset_pool *pool, const tm_multiset *set,
                           const uint64_t *tuple); /* how often it is there */
const uint64_t *tm_multiset_least(const tm_multiset_pool *pool, const tm_multiset *set);
const uint64_t *tm_multiset_greatest(const tm_multiset_pool *pool, const tm_multiset *set);
/* The tuple at a place in the order, 0 for the least, each counted as often as it is there. */
const uint64_t *tm_multiset_at(const tm_multiset_pool *pool, const tm_multiset *set,
                               uint64_t place);

enum { TM_MULTISET_HEIGHT = 16 };

/* Walks a set that does not change, from the least on. */
typedef struct tm_multiset_cursor {
  const tm_multiset_pool *pool;
  const void *nodes[TM_MULTISET_HEIGHT]; /* from the leaf up */
  uint32_t at[TM_MULTISET_HEIGHT];
  uint32_t height;
} tm_multiset_cursor;

tm_multiset_cursor tm_multiset_open(const tm_multiset_pool *pool, const tm_multiset *set);
/* The next tuple and how often it is there; NULL at the end. */
const uint64_t *tm_multiset_next(tm_multiset_cursor *cursor, uint64_t *out_count);

void tm_multiset_save(const tm_multiset_pool *pool, const tm_multiset *set,
                      tm_record_writer *writer);
/* Into an empty set. 0 or -1 (memory); what does not fit is in reader->failed. */
int tm_multiset_restore(tm_multiset_pool *pool, tm_multiset *set, tm_record_reader *reader);

#endif
