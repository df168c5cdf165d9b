/* state/join_table.h: the build side of a hash join: rows of all lanes behind one table of keys.
 *
 * Three phases, told apart by the gates of the caller: every lane appends its rows to a store of
 * its own; then each lane builds the partition of keys that is its (rows whose hash says so, of
 * every lane); then the table is frozen and all lanes probe it. Rows of equal keys form a chain. */
#ifndef TM_STATE_JOIN_TABLE_H
#define TM_STATE_JOIN_TABLE_H

#include "state/key_table.h"
#include "state/row_store.h"

enum { TM_JOIN_KEYS_MAX = 64 };

typedef struct tm_join_keys {
  uint32_t count;
  const uint32_t *columns; /* of the side */
  const tm_schema *types;  /* what both sides are compared as, one field a key */
} tm_join_keys;

/* By what the rows of a key are put in order (join_runs.h). */
typedef struct tm_join_order {
  int32_t column;        /* of the side that is kept; -1: event time */
  const tm_schema *type; /* one field: as what values of both sides are compared */
  /* Rows of one value go by these columns, nulls first; NULL: in any order. The first key is the
   * column itself where words do not tell it all. */
  const struct tm_sort_spec *ties;
} tm_join_order;

typedef struct tm_join_partition {
  tm_key_table *keys;
  uint32_t *heads;       /* key id → first row of its chain */
  uint32_t head_capacity;
  uint32_t rows;         /* in all chains */
  bool unique;           /* no key has two rows */
} tm_join_partition;

typedef struct tm_join_table {
  tm_budget *budget;
  uint32_t lanes;
  const tm_join_order *order; /* set by the caller before the first append; NULL: none */
  tm_row_store *stores;  /* one a lane */
  tm_join_partition *partitions;
  tm_chunk *chunks;      /* of all stores, after freeze */
  uint32_t chunk_count;
  uint32_t *next;        /* row id → next row of the chain, or TM_ROW_NONE */
  uint8_t *matched;      /* row id → a probe has met it (atomic bytes) */
  uint64_t rows;
} tm_join_table;

int tm_join_table_init(tm_join_table *table, tm_budget *budget, uint32_t lanes,
                       const tm_schema *schema, const uint8_t *needed, tm_error *err);
/* Phase 1, in the lane: copies the batch. 0, or -1 with err. */
int tm_join_table_append(tm_join_table *table, uint32_t lane, const tm_batch *batch,
                         const tm_join_keys *keys, tm_error *err);
/* Between phases 1 and 2, by one lane alone. 0, or -1 with err. */
int tm_join_table_gather(tm_join_table *table, const tm_join_keys *keys, bool track, tm_error *err);
/* Phase 2: one chunk into the lane's partition. 0, or -1 with err. */
int tm_join_table_build(tm_join_table *table, uint32_t lane, uint32_t chunk,
                        const tm_join_keys *keys, tm_error *err);
/* Phase 3: rows[i] becomes the first matching row of the i-th selected row, or TM_ROW_NONE. */
int tm_join_table_probe(const tm_join_table *table, const tm_batch *batch,
                        const tm_join_keys *keys, uint32_t *rows, tm_error *err);
/* The same, with the key instead of its rows: its partition and its id there, or TM_KEY_NONE. */
int tm_join_table_find(const tm_join_table *table, const tm_batch *batch, const tm_join_keys *keys,
                       uint32_t *partitions, uint32_t *ids, tm_error *err);
bool tm_join_table_unique(const tm_join_table *table);
void tm_join_table_deinit(tm_join_table *table);

static inline void tm_join_table_mark(tm_join_table *table, uint32_t row) {
  if (!__atomic_load_n(&table->matched[row], __ATOMIC_RELAXED)) {
    __atomic_store_n(&table->matched[row], 1, __ATOMIC_RELAXED);
  }
}

#endif
