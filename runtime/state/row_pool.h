/* state/row_pool.h: rows that come and go one by one, addressed by a 32-bit id: page << 9 | slot.
 *
 * A row is a record of fixed size: a head of the caller's, then the values of its columns beside
 * each other, so that a row is read with one or two cache lines. Its long strings lie in one block
 * of their own. A slot that is freed is used again, a page without rows goes: what the pool costs
 * follows the rows that are in it. Rows are copied in and out, so nobody holds memory of another.
 * In an empty pool ids ascend as rows come. */
#ifndef TM_STATE_ROW_POOL_H
#define TM_STATE_ROW_POOL_H

#include <assert.h>

#include "column/batch.h"

enum { TM_PAGE_BITS = 9, TM_PAGE_ROWS = 1 << TM_PAGE_BITS, TM_PAGES_MAX = 1 << 23 };
#define TM_POOL_NONE UINT32_MAX

typedef struct tm_row_page {
  char *rows;              /* NULL: there is no such page */
  uint32_t live;
  uint32_t used;           /* slots that ever were in use; those behind it are fresh */
  uint32_t free;           /* a slot that was freed; TM_POOL_NONE: none */
  uint32_t next, previous; /* pages with room */
} tm_row_page;

typedef struct tm_row_pool {
  tm_budget *budget;
  const tm_schema *schema;
  uint32_t row_bytes, text_at;
  uint32_t *values;        /* per column: where its value lies in a row; 0: not kept */
  uint32_t *valids;        /* per column: where the byte lies that says it is there; 0: none */
  tm_row_page *pages;
  uint32_t page_count, page_capacity;
  uint32_t roomy;          /* first page with room */
  uint32_t gone;           /* a page number that is free, linked by `next` */
  uint64_t rows;
} tm_row_pool;

/* `head_bytes` (a multiple of 16) are the caller's, zeros at first. kept: a byte a column; NULL:
 * all. 0 or -1 (memory; deinit is still due). */
int tm_row_pool_init(tm_row_pool *pool, tm_budget *budget, const tm_schema *schema,
                     const uint8_t *kept, uint32_t head_bytes);
void tm_row_pool_deinit(tm_row_pool *pool);
/* Copies rows rows[i] of the batch; ids[i] becomes where. 0 or -1 (memory; nothing is in then). */
int tm_row_pool_insert(tm_row_pool *pool, const tm_batch *batch, const uint32_t *rows,
                       uint32_t count, uint32_t *ids);
void tm_row_pool_remove(tm_row_pool *pool, uint32_t id);
/* out.column[at[i]] (at NULL: i) = column of row ids[i]; TM_POOL_NONE gives null where may_miss.
 * Long strings are copied into the batch. 0 or -1 (memory). */
int tm_row_pool_gather(const tm_row_pool *pool, uint32_t column, const uint32_t *ids,
                       const uint32_t *at, uint32_t count, bool may_miss, tm_batch *out,
                       uint32_t out_column);

static inline void *tm_row_pool_head(const tm_row_pool *pool, uint32_t id) {
  const tm_row_page *page = &pool->pages[id >> TM_PAGE_BITS];
  return page->rows + (size_t)(id & (TM_PAGE_ROWS - 1)) * pool->row_bytes;
}

#endif
