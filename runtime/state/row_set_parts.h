/* state/row_set_parts.h: what a row set looks like inside; for row_set*.c alone.
 *
 * Rows lie in arrays by id, one a column, in normal form; a slot table finds them. Free ids
 * form a list through `salts`. */
#ifndef TM_STATE_ROW_SET_PARTS_H
#define TM_STATE_ROW_SET_PARTS_H

#include "kernel/hash_rows.h"
#include "state/row_set.h"
#include "state/slab.h"
#include "state/slot_table.h"

enum { TM_ROW_SET_BLOCK = 256 }; /* rows looked up in one go */

typedef struct tm_row_set_column {
  tm_type type;
  bool pair, text;
  bool bits;         /* floats of an exact set: -0 is not 0 */
  void *data;        /* words or pairs, by id */
  uint8_t *valid;    /* by id; NULL while no row had a null here */
  uint32_t capacity, valid_capacity;
} tm_row_set_column;

/* A column of the block that is looked up, dense. */
typedef struct tm_row_set_block {
  const uint64_t *words;
  const tm_str *pairs;
  const uint8_t *valid; /* NULL: no null */
} tm_row_set_block;

struct tm_row_set {
  tm_budget *budget;
  tm_slab slab;         /* of long strings */
  uint32_t end;
  uint32_t free_head;   /* TM_ROW_SET_NONE: no free id */
  uint32_t *salts;      /* by id: upper half of the hash, odd; of a free id the next free one */
  uint8_t *live;        /* by id */
  uint32_t capacity;    /* of both */
  tm_slot_table slots;
  tm_row_set_block *block;
  tm_str *scratch;      /* TM_ROW_SET_BLOCK a column */
  uint8_t *valid_scratch;
  uint32_t column_count;
  tm_row_set_column columns[];
};

/* Hashes of the block out of its columns. */
void tm_row_set_hash(const tm_row_set *set, uint32_t count, uint64_t *hashes);
/* Room for ids below `end`, and for `more` rows in the slots. false: refused. */
bool tm_row_set_reserve(tm_row_set *set, uint32_t end, uint32_t more);
/* Makes the valid array of a column; every row so far is there. false: refused. */
bool tm_row_set_mark_nulls(tm_row_set *set, uint32_t column);

#endif
