/* state/key_slots.h: what a key table looks like inside; for key_table.c and key_probe.c alone.
 *
 * Keys lie in arrays by id, one a column, in normal form (key_words.h). How an id is found depends
 * on the columns:
 *   EMPTY   no columns: id 0.
 *   DIRECT  one column of integers that lie close together: an array by value, in pages.
 *   WORD    one column of words: open addressing, the word itself in the slot.
 *   TEXT    one column of strings: open addressing, a slot is salt and id.
 *   ROW     anything else: the same slots, keys compared a column at a time.
 * DIRECT turns into WORD when its pages become too many for the keys in them, and back where
 * WORD would have to grow and the keys turn out to be close together.
 *
 * Open addressing: 2^bits slots, the home of a key is the top `bits` of its hash, collisions go to
 * the next slot. A salted slot is (upper half of the hash) << 32 | id + 1, so the home of a slot
 * can be told without its key, for any size up to 2^32; an empty slot is 0. */
#ifndef TM_STATE_KEY_SLOTS_H
#define TM_STATE_KEY_SLOTS_H

#include "kernel/hash_rows.h"
#include "state/key_table.h"

enum {
  TM_KEY_BLOCK = 256,       /* rows probed in one go; their hashes and keys stay in the L1 cache */
  TM_KEY_BITS_MIN = 12,
  TM_KEY_BITS_SMALL = 6,    /* of small ones */
  TM_KEY_SMALL_KEYS = 1024, /* what has more is small no longer */
  TM_KEY_PAGE_BITS = 14,
  TM_KEY_BITS_AT_ONCE = 16, /* growing from more slots than that is left to grow_step */
};

typedef enum tm_key_mode {
  TM_KEY_EMPTY, TM_KEY_DIRECT, TM_KEY_WORD, TM_KEY_TEXT, TM_KEY_ROW,
} tm_key_mode;

typedef struct tm_key_column {
  tm_type type;
  bool pair;
  void *data;     /* capacity words or pairs, by id */
  uint8_t *valid; /* by id; NULL while no key has a null here */
} tm_key_column;

typedef struct tm_word_slot {
  uint64_t word;
  uint32_t id1; /* id + 1; 0: empty */
  uint32_t unused;
} tm_word_slot;

typedef struct tm_key_slots {
  void *data; /* tm_word_slot or uint64_t */
  uint32_t bits;
} tm_key_slots;

struct tm_key_table {
  tm_budget *budget;
  tm_text_heap *heap; /* NULL without columns of strings */
  tm_key_mode mode;
  bool small;          /* begins with few slots, and may use pages only once it has many keys */
  uint32_t count, capacity;
  uint32_t null_id;    /* DIRECT, WORD, TEXT: of the null key; TM_KEY_NONE: not seen */
  tm_key_slots slots;  /* WORD, TEXT, ROW; data NULL until the first insert */
  tm_key_slots old;    /* being moved to `slots`, from old_next on; data NULL: nothing to move */
  uint64_t old_next;
  uint32_t **pages;    /* DIRECT: id + 1 by value; what no key is in shares a page of zeros */
  int64_t page_first;  /* value >> TM_KEY_PAGE_BITS of pages[0] */
  uint32_t page_count, page_used;
  uint32_t column_count;
  tm_key_column columns[];
};

static inline size_t tm_key_slots_width(const tm_key_table *table) {
  return table->mode == TM_KEY_WORD ? sizeof(tm_word_slot) : sizeof(uint64_t);
}

/* Room for `more` keys in every array, and in the slots. false when refused. */
bool tm_key_table_reserve(tm_key_table *table, uint32_t more);
/* Writes a null to the valid arrays: makes the one of that column. false when refused. */
bool tm_key_column_mark_nulls(tm_key_table *table, uint32_t column);

/* Slots: free them; keys that 2^bits should hold at most; start to move to 2^bits (false: memory).
 * */
void tm_key_slots_free(tm_key_table *table, tm_key_slots *slots);
uint64_t tm_key_slots_comfortable(const tm_key_table *table, uint32_t bits);
bool tm_key_slots_grow(tm_key_table *table, uint32_t bits);

/* key_direct.c. Makes the page of a value, or turns the table to WORD; false when refused. */
bool tm_key_direct_widen(tm_key_table *table, int64_t word);
/* Whether it is the shared page of zeros. */
bool tm_key_direct_missing(const uint32_t *page);
/* Turns WORD to DIRECT where that is worth it. */
bool tm_key_direct_from_words(tm_key_table *table);
void tm_key_direct_free(tm_key_table *table);

#endif
