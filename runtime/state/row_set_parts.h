/* state/row_set_parts.h: what a row set looks like inside; for row_set*.c alone.
 *
 * Rows lie in arrays by id, one a column, in normal form. Open addressing: 2^bits slots, a slot is
 * (upper half of the hash, made odd) << 32 | id + 1, so that its home, the top bits, can be told
 * without the row; an empty slot is 0. A row that leaves closes the gap behind it: there are no
 * graves. Ids that are free form a list through `salts`. */
#ifndef TM_STATE_ROW_SET_PARTS_H
#define TM_STATE_ROW_SET_PARTS_H

#include "kernel/hash_rows.h"
#include "state/row_set.h"
#include "state/slab.h"

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
  uint32_t count, end;
  uint32_t free_head;   /* TM_ROW_SET_NONE: no free id */
  uint32_t *salts;      /* by id: upper half of the hash, odd; of a free id the next free one */
  uint8_t *live;        /* by id */
  uint32_t capacity;    /* of both */
  uint64_t *slots;
  uint32_t bits;        /* 0: no slots yet */
  uint64_t *old;        /* being moved to `slots`, from old_next on; NULL: nothing to move */
  uint32_t old_bits;
  uint64_t old_next;
  tm_row_set_block *block;
  tm_str *scratch;      /* TM_ROW_SET_BLOCK a column */
  uint8_t *valid_scratch;
  uint32_t column_count;
  tm_row_set_column columns[];
};

/* Hashes of the block out of its columns. */
void tm_row_set_hash(const tm_row_set *set, uint32_t count, uint64_t *hashes);
/* Room for ids below `end`, and for as many rows in the slots. false: refused. */
bool tm_row_set_reserve(tm_row_set *set, uint32_t end);
/* Makes the valid array of a column; every row so far is there. false: refused. */
bool tm_row_set_mark_nulls(tm_row_set *set, uint32_t column);

static inline uint32_t tm_row_set_salt(uint64_t hash) { return (uint32_t)(hash >> 32) | 1; }

static inline uint32_t tm_row_set_home(uint32_t salt, uint32_t bits) { return salt >> (32 - bits); }

#endif
