/* state/slot_table.h: numbers found by hashes: the open addressing of row sets and row indexes.
 *
 * 2^bits slots; a slot is (upper half of the hash, made odd) << 32 | id + 1, so that its home, the
 * top bits, can be told without what the id stands for; an empty slot is 0. Collisions go to the
 * next slot. What leaves closes the gap behind it: there are no graves. Whoever looks an id up
 * compares what has its salt. */
#ifndef TM_STATE_SLOT_TABLE_H
#define TM_STATE_SLOT_TABLE_H

#include "base/memory.h"

typedef struct tm_slot_table {
  tm_budget *budget;
  uint64_t *slots;
  uint32_t bits;     /* 0: no slots yet */
  uint32_t count;
  uint64_t *old;     /* being moved to `slots`, from old_next on; NULL: nothing to move */
  uint32_t old_bits;
  uint64_t old_next;
} tm_slot_table;

static inline uint32_t tm_slot_salt(uint64_t hash) { return (uint32_t)(hash >> 32) | 1; }
static inline uint32_t tm_slot_home(uint32_t salt, uint32_t bits) { return salt >> (32 - bits); }
static inline uint64_t tm_slot_make(uint32_t salt, uint32_t id) {
  return (uint64_t)salt << 32 | (id + 1);
}
static inline uint32_t tm_slot_mask(const tm_slot_table *table) {
  return (uint32_t)(((uint64_t)1 << table->bits) - 1);
}

void tm_slot_table_deinit(tm_slot_table *table);
/* Slots for `more` ids beyond those that are in; nothing is left to move. false: refused. */
bool tm_slot_table_reserve(tm_slot_table *table, uint32_t more);
/* A bounded piece of growth: 1: more to do, 0: done, -1: memory. Between the steps no other call
 * but deinit. Who does not call it waits within a reserve. */
int tm_slot_table_settle_step(tm_slot_table *table);
/* There is room. */
void tm_slot_table_insert(tm_slot_table *table, uint32_t salt, uint32_t id);
/* It is in. */
void tm_slot_table_remove(tm_slot_table *table, uint32_t salt, uint32_t id);

#endif
