/* state/row_store.h: rows kept as columns, addressed by a 32-bit id: chunk << 14 | row.
 *
 * Rows are copied in, strings too, so nothing of a batch is held. Chunks never move, so a store
 * that no longer grows may be read by all threads. */
#ifndef TM_STATE_ROW_STORE_H
#define TM_STATE_ROW_STORE_H

#include "column/batch.h"

enum { TM_CHUNK_BITS = 14, TM_CHUNK_ROWS = 1 << TM_CHUNK_BITS, TM_CHUNKS_MAX = 1 << 18 };
#define TM_ROW_NONE UINT32_MAX

typedef struct tm_chunk {
  tm_batch *rows;    /* TM_CHUNK_ROWS of room, `count` in use */
  uint64_t *hashes;  /* of the keys, as the caller gave them */
  uint8_t *usable;   /* 0: a key is null, the row matches nothing */
  int64_t *words;    /* of a value by which rows are put in order; NULL: not wanted */
  uint32_t count;
} tm_chunk;

typedef struct tm_row_store {
  tm_budget *budget;
  const tm_schema *schema;
  const uint8_t *needed;  /* per column: 0 = not kept; NULL: all are */
  tm_chunk *chunks;
  uint32_t chunk_count, chunk_capacity;
  uint64_t rows;
} tm_row_store;

void tm_row_store_init(tm_row_store *store, tm_budget *budget, const tm_schema *schema,
                       const uint8_t *needed);
/* hashes and usable have an entry for each selected row, in order. Where the batch has times, they
 * are kept beside the rows (chunk.rows->times). 0, or -1 with err. */
int tm_row_store_append(tm_row_store *store, const tm_batch *batch, const uint64_t *hashes,
                        const uint8_t *usable, tm_error *err);
void tm_row_store_deinit(tm_row_store *store);

/* out.column[at[i]] (at NULL: i) = column of row ids[i]; TM_ROW_NONE gives null where may_miss.
 * Strings stay views. 0 or -1 (memory). */
int tm_row_store_gather(const tm_chunk *chunks, uint32_t column, const uint32_t *ids,
                        const uint32_t *at, uint32_t count, bool may_miss, tm_batch *out,
                        uint32_t out_column);
/* Event times of rows; TM_TIME_NONE of those that came without. */
void tm_row_store_times(const tm_chunk *chunks, const uint32_t *ids, uint32_t count, int64_t *out);

#endif
