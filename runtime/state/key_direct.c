/* state/key_direct.c: integer keys that lie close together: an id is one look into an array.
 *
 * The array is cut into pages, so that it grows without moving, costs nothing where no key is, and
 * may begin anywhere. A page that is not there is the shared page of zeros: looking needs no test.
 * Pages are allowed while there are few of them or enough keys in them; otherwise the table turns
 * to open addressing (WORD). */
#include "state/key_slots.h"

#include <assert.h>

enum {
  PAGE_VALUES = 1 << TM_KEY_PAGE_BITS,
  PAGE_BYTES = PAGE_VALUES * sizeof(uint32_t),
  PAGES_FREE = 16,          /* always fine: a range of 262,144 */
  VALUES_PER_KEY = 8,       /* else this much range a key: as large as slots would be */
  PAGES_MAX = 1 << 18,      /* of the directory: a range of 2^32 */
  LATE_KEYS_MAX = 1 << 19,  /* beyond, coming back from WORD would take too long at once */
};

static uint32_t zero_page[PAGE_VALUES]; /* never written to */

bool tm_key_direct_missing(const uint32_t *page) { return page == zero_page; }

void tm_key_direct_free(tm_key_table *table) {
  for (uint32_t i = 0; i < table->page_count; i++) {
    if (table->pages[i] != zero_page) tm_free(table->budget, table->pages[i], PAGE_BYTES);
  }
  tm_free(table->budget, table->pages, table->page_count * sizeof *table->pages);
  table->pages = NULL;
  table->page_count = table->page_used = 0;
}

static bool to_words(tm_key_table *table) {
  uint32_t bits = TM_KEY_BITS_MIN;
  while (table->count >= tm_key_slots_comfortable(table, bits)) bits++;
  table->mode = TM_KEY_WORD; /* the width of slots follows the mode */
  if (!tm_key_slots_grow(table, bits)) {
    table->mode = TM_KEY_DIRECT;
    return false;
  }
  const uint64_t *words = table->columns[0].data;
  tm_word_slot *slots = table->slots.data;
  uint32_t mask = (uint32_t)((UINT64_C(1) << bits) - 1);
  for (uint32_t id = 0; id < table->count; id++) {
    if (id == table->null_id) continue;
    uint32_t at = (uint32_t)(tm_hash_u64(words[id]) >> (64 - bits));
    while (slots[at].id1 != 0) at = (at + 1) & mask;
    slots[at] = (tm_word_slot){words[id], id + 1, 0};
  }
  tm_key_direct_free(table);
  return true;
}

/* A directory of `count` pages from page `first` on, in which the old one lies. */
static bool set_directory(tm_key_table *table, int64_t first, uint32_t count) {
  uint32_t **pages = tm_alloc(table->budget, count * sizeof *pages);
  if (pages == NULL) return false;
  for (uint32_t i = 0; i < count; i++) pages[i] = zero_page;
  if (table->page_count > 0) {
    memcpy(pages + (table->page_first - first), table->pages, table->page_count * sizeof *pages);
    tm_free(table->budget, table->pages, table->page_count * sizeof *pages);
  }
  table->pages = pages;
  table->page_first = first;
  table->page_count = count;
  return true;
}

/* Doubles the directory at least, on the side on which the page is. false: too far, or refused. */
static bool reach_page(tm_key_table *table, int64_t page) {
  int64_t first = table->page_first, end = first + table->page_count;
  if (table->page_count == 0) return set_directory(table, page, PAGES_FREE);
  if (page >= first && page < end) return true;
  bool below = page < first;
  uint64_t needed = below ? (uint64_t)end - (uint64_t)page : (uint64_t)page - (uint64_t)first + 1;
  if (needed > PAGES_MAX) return false;
  uint32_t count = table->page_count * 2;
  while (count < needed) count *= 2;
  return set_directory(table, below ? end - count : first, count);
}

static bool add_page(tm_key_table *table, int64_t page) {
  uint64_t values = (uint64_t)(table->page_used + 1) * PAGE_VALUES;
  if (table->page_used >= PAGES_FREE && values > (uint64_t)table->count * VALUES_PER_KEY) {
    return false;
  }
  if (!reach_page(table, page)) return false;
  uint32_t **at = &table->pages[page - table->page_first];
  assert(*at == zero_page);
  uint32_t *values_of_page = tm_alloc_zero(table->budget, PAGE_BYTES);
  if (values_of_page == NULL) return false;
  *at = values_of_page;
  table->page_used++;
  return true;
}

bool tm_key_direct_widen(tm_key_table *table, int64_t word) {
  return add_page(table, word >> TM_KEY_PAGE_BITS) || to_words(table);
}

/* The first keys of a range look scattered; by the time that slots must grow, they may not. */
bool tm_key_direct_from_words(tm_key_table *table) {
  if (table->mode != TM_KEY_WORD || table->count > LATE_KEYS_MAX) return false;
  if (table->small && table->count < TM_KEY_SMALL_KEYS) return false;
  if (tm_type_physical(table->columns[0].type) == TM_PHYSICAL_F64) return false;
  const int64_t *words = table->columns[0].data;
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (uint32_t id = 0; id < table->count; id++) {
    if (id == table->null_id) continue;
    low = words[id] < low ? words[id] : low;
    high = words[id] > high ? words[id] : high;
  }
  uint64_t range = (uint64_t)high - (uint64_t)low;
  if (low > high || range >= (uint64_t)table->count * VALUES_PER_KEY) return false;
  assert(table->old.data == NULL && table->pages == NULL);
  for (uint32_t id = 0; id < table->count; id++) {
    if (id == table->null_id) continue;
    int64_t page = words[id] >> TM_KEY_PAGE_BITS;
    uint64_t index = (uint64_t)page - (uint64_t)table->page_first;
    if ((index >= table->page_count || table->pages[index] == zero_page) &&
        !add_page(table, page)) {
      tm_key_direct_free(table);
      return false;
    }
    table->pages[page - table->page_first][words[id] & (PAGE_VALUES - 1)] = id + 1;
  }
  tm_key_slots_free(table, &table->slots);
  table->mode = TM_KEY_DIRECT;
  return true;
}
