/* state/key_clear.c: key tables that are used again: all keys go, the room for them stays; and
 * those that are only read any more.
 *
 * What a table costs to clear goes by the keys that it has, not by the keys that it once had: slots
 * are emptied one by one, unless they are so full that wiping all of them is quicker. */
#include "state/key_slots.h"

#include <assert.h>

enum {
  WIPE_WORD = 4,    /* slots a key up to which all are wiped: a single one costs a hash */
  WIPE_SALTED = 32, /* and here a hash of all columns */
};

void tm_key_table_start_small(tm_key_table *table) {
  assert(table->count == 0 && table->slots.data == NULL && table->pages == NULL);
  table->small = true;
  if (table->mode == TM_KEY_DIRECT) table->mode = TM_KEY_WORD;
}

static bool is_full(const tm_key_table *table, uint32_t slots_a_key) {
  return UINT64_C(1) << table->slots.bits <= (uint64_t)table->count * slots_a_key;
}

static void wipe(tm_key_table *table) {
  memset(table->slots.data, 0, tm_key_slots_width(table) << table->slots.bits);
}

static void clear_direct(tm_key_table *table) {
  const int64_t *words = table->columns[0].data;
  for (uint32_t id = 0; id < table->count; id++) {
    if (id == table->null_id) continue;
    int64_t page = (words[id] >> TM_KEY_PAGE_BITS) - table->page_first;
    table->pages[page][words[id] & ((1 << TM_KEY_PAGE_BITS) - 1)] = 0;
  }
}

/* Each key lies behind its home, whatever is empty between by now. */
static void clear_words(tm_key_table *table) {
  if (is_full(table, WIPE_WORD)) {
    wipe(table);
    return;
  }
  const uint64_t *words = table->columns[0].data;
  tm_word_slot *slots = table->slots.data;
  uint32_t mask = (uint32_t)((UINT64_C(1) << table->slots.bits) - 1);
  for (uint32_t id = 0; id < table->count; id++) {
    if (id == table->null_id) continue;
    uint32_t at = (uint32_t)(tm_hash_u64(words[id]) >> (64 - table->slots.bits));
    while (slots[at].id1 != id + 1) at = (at + 1) & mask;
    slots[at].id1 = 0;
  }
}

static void clear_salted(tm_key_table *table) {
  if (is_full(table, WIPE_SALTED)) {
    wipe(table);
    return;
  }
  uint64_t *slots = table->slots.data, hashes[TM_KEY_BLOCK];
  uint32_t mask = (uint32_t)((UINT64_C(1) << table->slots.bits) - 1);
  for (uint32_t first = 0; first < table->count; first += TM_KEY_BLOCK) {
    uint32_t left = table->count - first, count = left < TM_KEY_BLOCK ? left : TM_KEY_BLOCK;
    tm_key_table_hashes(table, first, count, hashes);
    for (uint32_t i = 0; i < count; i++) {
      if (first + i == table->null_id) continue;
      uint32_t at = (uint32_t)(hashes[i] >> (64 - table->slots.bits));
      while ((uint32_t)slots[at] != first + i + 1) at = (at + 1) & mask;
      slots[at] = 0;
    }
  }
}

void tm_key_table_freeze(tm_key_table *table) {
  tm_key_slots_free(table, &table->slots);
  tm_key_slots_free(table, &table->old);
  tm_key_direct_free(table);
}

bool tm_key_table_clear(tm_key_table *table) {
  bool slots = table->slots.data != NULL && table->count > 0, growing = table->old.data != NULL;
  tm_key_slots_free(table, &table->old);
  if (table->mode == TM_KEY_DIRECT && table->pages != NULL) clear_direct(table);
  else if (growing && slots) wipe(table); /* keys that have not moved yet are in no slot */
  else if (table->mode == TM_KEY_WORD && slots) clear_words(table);
  else if (slots) clear_salted(table);
  for (uint32_t c = 0; c < table->column_count; c++) {
    tm_free(table->budget, table->columns[c].valid, table->capacity);
    table->columns[c].valid = NULL;
  }
  table->count = 0;
  table->null_id = TM_KEY_NONE;
  if (table->heap == NULL || table->heap->bytes == 0) return true;
  tm_text_heap *heap = tm_text_heap_create(table->budget);
  if (heap == NULL) return false;
  tm_text_heap_release(table->heap);
  table->heap = heap;
  return true;
}
