/* state/key_probe.c: finding and inserting keys, a block of rows at a time.
 *
 * One loop a mode, each compiled twice: `add` is a constant. Where slots outgrow the caches, a
 * block first asks for all the lines that it will need. In ROW mode a block walks to the first
 * slot whose salt fits, for every row; then keys are compared a column at a time, and the few rows
 * that met another key of the same salt walk on. */
#include "state/key_slots.h"

#include <assert.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { PREFETCH_BYTES = 512 * 1024 }; /* smaller slots are in the L2 cache anyway */

/* A block of rows: `rows`, or first … first+count-1. */
typedef struct probe {
  const tm_column *const *columns; /* table->column_count of them */
  const uint32_t *rows;
  uint32_t first, count;
  const uint64_t *hashes;   /* NULL: not made yet */
  uint32_t *ids;
} probe;

/* A column from the block's first row on, or with rows listed, as it is. */
static ALWAYS_INLINE tm_column probe_column(const probe *p, uint32_t column) {
  return p->rows != NULL ? *p->columns[column] : tm_key_part(p->columns[column], p->first);
}

static bool is_far(const tm_key_table *table) {
  return tm_key_slots_width(table) << table->slots.bits > PREFETCH_BYTES;
}

/* ------------------------------------------------------------------ null keys of one column */

/* The id of the null key; TM_KEY_NONE where it is not to be added, or memory is refused. */
static uint32_t null_key(tm_key_table *table, bool add) {
  if (table->null_id != TM_KEY_NONE || !add) return table->null_id;
  if (!tm_key_column_mark_nulls(table, 0)) return TM_KEY_NONE;
  uint32_t id = table->count++;
  memset((char *)table->columns[0].data + (size_t)id * (table->columns[0].pair ? 16 : 8), 0,
         table->columns[0].pair ? 16 : 8);
  table->columns[0].valid[id] = 0;
  table->null_id = id;
  return id;
}

/* ------------------------------------------------------------------ DIRECT */

/* Rows done: fewer than count where a page, or memory, is missing. */
static ALWAYS_INLINE uint32_t direct_loop(tm_key_table *table, const uint64_t *restrict words,
                                          const uint8_t *valid, uint32_t from, uint32_t count,
                                          uint32_t *restrict ids, const bool add) {
  uint32_t *const *pages = table->pages;
  uint64_t page_first = (uint64_t)table->page_first, page_count = table->page_count;
  for (uint32_t i = from; i < count; i++) {
    if (valid != NULL && !valid[i]) {
      ids[i] = null_key(table, add);
      if (add && ids[i] == TM_KEY_NONE) return i;
      continue;
    }
    uint64_t page = (uint64_t)((int64_t)words[i] >> TM_KEY_PAGE_BITS) - page_first;
    if (__builtin_expect(page >= page_count, 0)) {
      if (add) return i;
      ids[i] = TM_KEY_NONE;
      continue;
    }
    uint32_t *slot = &pages[page][words[i] & ((1 << TM_KEY_PAGE_BITS) - 1)];
    if (add && __builtin_expect(*slot == 0, 0)) {
      if (tm_key_direct_missing(pages[page])) return i;
      ((uint64_t *)table->columns[0].data)[table->count] = words[i];
      *slot = ++table->count;
    }
    ids[i] = *slot - 1; /* 0 becomes TM_KEY_NONE */
  }
  return count;
}

/* ------------------------------------------------------------------ WORD */

static ALWAYS_INLINE bool word_loop(tm_key_table *table, const uint64_t *restrict words,
                                    const uint8_t *valid, uint32_t from, uint32_t count,
                                    uint32_t *restrict ids, const bool add) {
  tm_word_slot *slots = table->slots.data;
  uint64_t *keys = table->columns[0].data;
  uint32_t shift = 64 - table->slots.bits;
  uint32_t mask = (uint32_t)((UINT64_C(1) << table->slots.bits) - 1);
  bool far = is_far(table);
  uint32_t homes[TM_KEY_BLOCK];
  for (uint32_t i = from; i < count; i++) homes[i] = (uint32_t)(tm_hash_u64(words[i]) >> shift);
  for (uint32_t i = from; far && i < count; i++) __builtin_prefetch(&slots[homes[i]]);
  for (uint32_t i = from; i < count; i++) {
    if (valid != NULL && !valid[i]) {
      ids[i] = null_key(table, add);
      if (add && ids[i] == TM_KEY_NONE) return false;
      continue;
    }
    uint64_t word = words[i];
    uint32_t at = homes[i];
    while (slots[at].id1 != 0 && slots[at].word != word) at = (at + 1) & mask;
    if (add && slots[at].id1 == 0) {
      keys[table->count] = word;
      slots[at] = (tm_word_slot){word, ++table->count, 0};
    }
    ids[i] = slots[at].id1 - 1;
  }
  return true;
}

/* ------------------------------------------------------------------ TEXT */

/* What the upper half of a key's slot holds: never 0, so that no empty slot fits it. The bit that
 * this sets is not one of those that choose the home. */
static ALWAYS_INLINE uint64_t salt_of(uint64_t hash) { return hash >> 32 | 1; }

static ALWAYS_INLINE uint64_t salted(uint64_t hash, uint32_t id) {
  return salt_of(hash) << 32 | (id + 1);
}

static void prefetch_salted(const tm_key_table *table, const probe *p, bool keys_too) {
  const uint64_t *slots = table->slots.data;
  uint32_t shift = 64 - table->slots.bits;
  for (uint32_t i = 0; i < p->count; i++) __builtin_prefetch(&slots[p->hashes[i] >> shift]);
  if (!keys_too) return;
  const tm_str *keys = table->columns[0].data;
  for (uint32_t i = 0; i < p->count; i++) {
    uint32_t id1 = (uint32_t)slots[p->hashes[i] >> shift];
    __builtin_prefetch(&keys[id1 == 0 ? 0 : id1 - 1]);
  }
}

/* Beyond the first slot, or not there: the id, TM_KEY_NONE where it is not to be added or memory
 * is refused. */
static __attribute__((noinline)) uint32_t text_far(tm_key_table *table, const tm_str *text,
                                                   uint64_t hash, bool add) {
  uint64_t *slots = table->slots.data, slot;
  tm_str *keys = table->columns[0].data;
  uint32_t mask = (uint32_t)((UINT64_C(1) << table->slots.bits) - 1);
  uint32_t at = (uint32_t)(hash >> (64 - table->slots.bits));
  while ((slot = slots[at]) != 0) {
    uint32_t id = (uint32_t)slot - 1;
    if (slot >> 32 == salt_of(hash) && tm_str_equal(&keys[id], text)) return id;
    at = (at + 1) & mask;
  }
  if (!add || !tm_text_heap_keep(table->heap, text, &keys[table->count])) return TM_KEY_NONE;
  slots[at] = salted(hash, table->count);
  return table->count++;
}

/* hashes NULL: they are made here, which is faster where nothing is to be prefetched. */
static ALWAYS_INLINE bool text_loop(tm_key_table *table, const tm_str *restrict texts,
                                    const uint8_t *valid, const uint64_t *restrict hashes,
                                    uint32_t count, uint32_t *restrict ids, const bool add) {
  const uint64_t *slots = table->slots.data;
  const tm_str *keys = table->columns[0].data;
  const uint32_t shift = 64 - table->slots.bits;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t hash = hashes != NULL ? hashes[i] : tm_hash_str(&texts[i]);
    uint64_t slot = slots[hash >> shift];
    uint32_t id = (uint32_t)slot - 1;
    if (valid != NULL && !valid[i]) {
      id = null_key(table, add);
      if (add && id == TM_KEY_NONE) return false;
    } else if (slot >> 32 != salt_of(hash) || keys[id].words[0] != texts[i].words[0] ||
               keys[id].words[1] != texts[i].words[1]) {
      id = text_far(table, &texts[i], hash, add);
      if (add && id == TM_KEY_NONE) return false;
    }
    ids[i] = id;
  }
  return true;
}

/* ------------------------------------------------------------------ ROW */

/* Rows of the block that the current round is about, as indexes into the block. */
typedef struct row_round {
  uint32_t known_count, new_count;
  uint8_t known[TM_KEY_BLOCK];  /* met a slot of their salt: keys to be compared */
  uint8_t fresh[TM_KEY_BLOCK];  /* got a new id: keys to be stored */
  uint8_t other[TM_KEY_BLOCK];  /* by index: 1 where a compared key differs */
  uint32_t at[TM_KEY_BLOCK];    /* slot that the row has reached */
} row_round;

/* From slot `at` on to one that fits the salt or is empty. */
static ALWAYS_INLINE void row_walk(tm_key_table *table, const probe *p, row_round *round,
                                   uint32_t i, uint32_t at, const bool add) {
  uint64_t *slots = table->slots.data, slot;
  uint32_t mask = (uint32_t)((UINT64_C(1) << table->slots.bits) - 1);
  uint64_t salt = salt_of(p->hashes[i]);
  while ((slot = slots[at]) != 0 && slot >> 32 != salt) at = (at + 1) & mask;
  if (slot != 0) {
    round->known[round->known_count++] = (uint8_t)i;
  } else if (add) {
    slot = slots[at] = salted(p->hashes[i], table->count++);
    round->fresh[round->new_count++] = (uint8_t)i;
  }
  p->ids[i] = (uint32_t)slot - 1;
  round->at[i] = at;
}

/* The first round: nearly always the home fits. */
static ALWAYS_INLINE void row_start(tm_key_table *table, const probe *p, row_round *round,
                                    const bool add) {
  const uint64_t *slots = table->slots.data, *restrict hashes = p->hashes;
  uint32_t *restrict ids = p->ids;
  const uint32_t shift = 64 - table->slots.bits;
  uint32_t known = 0;
  round->new_count = 0;
  for (uint32_t i = 0; i < p->count; i++) {
    uint64_t hash = hashes[i];
    uint32_t at = (uint32_t)(hash >> shift);
    uint64_t slot = slots[at];
    if (__builtin_expect(slot >> 32 == salt_of(hash), 1)) {
      round->known[known++] = (uint8_t)i;
      round->at[i] = at;
      ids[i] = (uint32_t)slot - 1;
    } else {
      round->known_count = known;
      row_walk(table, p, round, i, at, add);
      known = round->known_count;
    }
  }
  round->known_count = known;
  memset(round->other, 0, p->count);
}

/* COMPARE(differs) over the known rows; without the list where that is all of them. */
#define COMPARE(differs)                                                                        \
  do {                                                                                          \
    if (round->known_count == count) {                                                          \
      for (uint32_t i = 0; i < count; i++) round->other[i] |= (differs);                        \
    } else {                                                                                    \
      for (uint32_t n = 0; n < round->known_count; n++) {                                       \
        uint32_t i = round->known[n];                                                           \
        round->other[i] |= (differs);                                                           \
      }                                                                                         \
    }                                                                                           \
  } while (0)

static void compare_words(const uint64_t *restrict keys, const uint64_t *restrict words,
                          const uint32_t *restrict ids, uint32_t count,
                          row_round *restrict round) {
  COMPARE(keys[ids[i]] != words[i]);
}

static ALWAYS_INLINE bool texts_differ(const tm_str *a, const tm_str *b) {
  uint64_t differs = (a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]);
  return __builtin_expect(differs != 0, 0) && !tm_str_equal(a, b);
}

static void compare_texts(const tm_str *restrict keys, const tm_str *restrict texts,
                          const uint32_t *restrict ids, uint32_t count,
                          row_round *restrict round) {
  COMPARE(texts_differ(&keys[ids[i]], &texts[i]));
}

static void compare_i128(const tm_str *restrict keys, const tm_str *restrict pairs,
                         const uint32_t *restrict ids, uint32_t count,
                         row_round *restrict round) {
  COMPARE(keys[ids[i]].words[0] != pairs[i].words[0] || keys[ids[i]].words[1] != pairs[i].words[1]);
}

static void compare_valid(const uint8_t *keys, const uint8_t *valid, const uint32_t *ids,
                          uint32_t count, row_round *round) {
  if (keys == NULL && valid == NULL) return;
  COMPARE((keys == NULL ? 1 : keys[ids[i]]) != (valid == NULL ? 1 : valid[i]));
}

/* Stores the new keys of one column, then compares the known ones: a row may have met a key that
 * came in a row before it. */
static bool row_column(tm_key_table *table, uint32_t column, const probe *p, row_round *round) {
  tm_str pair_scratch[TM_KEY_BLOCK];
  uint64_t word_scratch[TM_KEY_BLOCK];
  uint8_t valid_scratch[TM_KEY_BLOCK];
  const tm_column part = probe_column(p, column), *in = &part;
  tm_key_column *keys = &table->columns[column];
  const uint8_t *valid = tm_key_valid(in, p->rows, p->count, valid_scratch);
  if (round->new_count > 0 && valid != NULL && !tm_key_column_mark_nulls(table, column)) {
    return false;
  }
  for (uint32_t n = 0; n < round->new_count && keys->valid != NULL; n++) {
    uint32_t i = round->fresh[n];
    keys->valid[p->ids[i]] = valid == NULL ? 1 : valid[i];
  }
  compare_valid(keys->valid, valid, p->ids, p->count, round);
  if (!keys->pair) {
    const uint64_t *words = tm_key_words(in, p->rows, p->count, word_scratch);
    uint64_t *to = keys->data;
    for (uint32_t n = 0; n < round->new_count; n++) {
      to[p->ids[round->fresh[n]]] = words[round->fresh[n]];
    }
    compare_words(to, words, p->ids, p->count, round);
    return true;
  }
  const tm_str *pairs = tm_key_pairs(in, p->rows, p->count, pair_scratch);
  tm_str *to = keys->data;
  bool text = tm_type_physical(keys->type) == TM_PHYSICAL_STR;
  for (uint32_t n = 0; n < round->new_count; n++) {
    uint32_t i = round->fresh[n];
    if (!text) to[p->ids[i]] = pairs[i];
    else if (!tm_text_heap_keep(table->heap, &pairs[i], &to[p->ids[i]])) return false;
  }
  if (text) compare_texts(to, pairs, p->ids, p->count, round);
  else compare_i128(to, pairs, p->ids, p->count, round);
  return true;
}

/* New keys whose columns could not all be stored must not stay: nothing was compared with them
 * outside this block. */
static void row_forget(tm_key_table *table, const row_round *round) {
  uint64_t *slots = table->slots.data;
  for (uint32_t n = round->new_count; n > 0; n--) slots[round->at[round->fresh[n - 1]]] = 0;
  table->count -= round->new_count;
}

static ALWAYS_INLINE bool row_loop(tm_key_table *table, const probe *p, const bool add) {
  row_round round;
  row_start(table, p, &round, add);
  for (;;) {
    for (uint32_t c = 0; c < table->column_count && round.known_count + round.new_count > 0; c++) {
      if (row_column(table, c, p, &round)) continue;
      row_forget(table, &round);
      return false;
    }
    if (memchr(round.other, 1, p->count) == NULL) return true;
    uint8_t again[TM_KEY_BLOCK];
    uint32_t again_count = 0;
    for (uint32_t i = 0; i < p->count; i++) {
      again[again_count] = (uint8_t)i;
      again_count += round.other[i];
    }
    round.known_count = round.new_count = 0;
    memset(round.other, 0, p->count);
    uint32_t mask = (uint32_t)((UINT64_C(1) << table->slots.bits) - 1);
    for (uint32_t n = 0; n < again_count; n++) {
      row_walk(table, p, &round, again[n], (round.at[again[n]] + 1) & mask, add);
    }
  }
}

/* ------------------------------------------------------------------ blocks */

static ALWAYS_INLINE bool direct_block(tm_key_table *table, const probe *p, const bool add) {
  uint64_t scratch[TM_KEY_BLOCK];
  uint8_t valid_scratch[TM_KEY_BLOCK];
  const tm_column column = probe_column(p, 0);
  const uint64_t *words = tm_key_words(&column, p->rows, p->count, scratch);
  const uint8_t *valid = tm_key_valid(&column, p->rows, p->count, valid_scratch);
  uint32_t done = 0;
  while (table->mode == TM_KEY_DIRECT) {
    done = valid == NULL ? direct_loop(table, words, NULL, done, p->count, p->ids, add)
                         : direct_loop(table, words, valid, done, p->count, p->ids, add);
    if (done == p->count) return true;
    if (valid != NULL && !valid[done]) return false; /* no memory for the null */
    if (!tm_key_direct_widen(table, (int64_t)words[done])) return false;
    if (table->mode == TM_KEY_WORD && !tm_key_table_reserve(table, p->count)) return false;
  }
  return word_loop(table, words, valid, done, p->count, p->ids, add);
}

static ALWAYS_INLINE bool text_block(tm_key_table *table, const probe *p, const bool add) {
  tm_str scratch[TM_KEY_BLOCK];
  uint8_t valid_scratch[TM_KEY_BLOCK];
  const tm_column column = probe_column(p, 0);
  const tm_str *texts = tm_key_pairs(&column, p->rows, p->count, scratch);
  const uint8_t *valid = tm_key_valid(&column, p->rows, p->count, valid_scratch);
  uint64_t hashes[TM_KEY_BLOCK];
  probe with = *p;
  if (is_far(table)) {
    if (p->hashes == NULL) {
      tm_hash_pairs(column.type, texts, valid, p->count, true, hashes);
      with.hashes = hashes;
    }
    prefetch_salted(table, &with, true);
  }
  if (with.hashes != NULL) {
    return text_loop(table, texts, valid, with.hashes, p->count, p->ids, add);
  }
  return valid == NULL ? text_loop(table, texts, NULL, NULL, p->count, p->ids, add)
                       : text_loop(table, texts, valid, NULL, p->count, p->ids, add);
}

static ALWAYS_INLINE bool row_block(tm_key_table *table, const probe *p, const bool add) {
  uint64_t hashes[TM_KEY_BLOCK];
  probe with = *p;
  for (uint32_t c = 0; c < table->column_count && p->hashes == NULL; c++) {
    const tm_column column = probe_column(p, c);
    tm_hash_column(&column, p->rows, p->count, c == 0, hashes);
    with.hashes = hashes;
  }
  if (is_far(table)) prefetch_salted(table, &with, false);
  return row_loop(table, &with, add);
}

static ALWAYS_INLINE bool probe_block(tm_key_table *table, const probe *p, const bool add) {
  switch (table->mode) {
    case TM_KEY_DIRECT:
    case TM_KEY_WORD: return direct_block(table, p, add);
    case TM_KEY_TEXT: return text_block(table, p, add);
    case TM_KEY_ROW: return row_block(table, p, add);
    case TM_KEY_EMPTY: break;
  }
  if (add) table->count = 1;
  for (uint32_t i = 0; i < p->count; i++) p->ids[i] = table->count - 1;
  return true;
}

static __attribute__((noinline)) bool insert_block(tm_key_table *table, const probe *p) {
  return probe_block(table, p, true);
}
static __attribute__((noinline)) bool find_block(tm_key_table *table, const probe *p) {
  return probe_block(table, p, false);
}

static int probe_rows(tm_key_table *table, const tm_column *const *columns, const uint32_t *rows,
                      uint32_t count, const uint64_t *hashes, uint32_t *ids, bool add) {
  for (uint32_t c = 0; c < table->column_count; c++) {
    assert(tm_key_is_pair(columns[c]->type) == table->columns[c].pair);
  }
  for (uint32_t at = 0; at < count; at += TM_KEY_BLOCK) {
    uint32_t block = count - at < TM_KEY_BLOCK ? count - at : TM_KEY_BLOCK;
    probe p = {columns, rows == NULL ? NULL : rows + at, at, block,
               hashes == NULL ? NULL : hashes + at, ids + at};
    if (add && !tm_key_table_reserve(table, block)) return -1;
    if (!(add ? insert_block(table, &p) : find_block(table, &p))) return -1;
  }
  return 0;
}

int tm_key_table_insert(tm_key_table *table, const tm_column *const *columns, const uint32_t *rows,
                        uint32_t count, const uint64_t *hashes, uint32_t *ids) {
  return probe_rows(table, columns, rows, count, hashes, ids, true);
}

void tm_key_table_find(const tm_key_table *table, const tm_column *const *columns,
                       const uint32_t *rows, uint32_t count, const uint64_t *hashes,
                       uint32_t *ids) {
  if (table->count == 0) {
    for (uint32_t i = 0; i < count; i++) ids[i] = TM_KEY_NONE;
    return;
  }
  assert(table->old.data == NULL && "a table that is growing cannot be searched");
  (void)probe_rows((tm_key_table *)table, columns, rows, count, hashes, ids, false);
}
