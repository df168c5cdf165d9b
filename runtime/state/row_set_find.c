/* state/row_set_find.c: looking rows up, a block at a time.
 *
 * First every row of the block walks to the first slot whose salt fits; a new row comes in there
 * and then, so that one like it further down finds it. Then the rows that met a salt of theirs are
 * compared with what they met, a column at a time. The few that met another row of the same salt
 * are looked up one by one. */
#include "state/row_set_parts.h"

#include <assert.h>

enum { PREFETCH_BITS = 16 }; /* fewer slots are in the cache anyway */

/* ------------------------------------------------------------------ the block */

/* The bits of floats, but every NaN the same. */
static const uint64_t *exact_words(const tm_column *column, const uint32_t *rows, uint32_t count,
                                   uint64_t *out) {
  const double *values = column->data;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = rows == NULL ? i : rows[i];
    bool there = column->valid == NULL || column->valid[row];
    double value = there ? values[row] : 0;
    memcpy(&out[i], &value, sizeof value);
    if (value != value) out[i] = tm_key_float(value);
  }
  return out;
}

/* Rows first …+count-1 of the call into set->block. */
static void open_block(tm_row_set *set, const tm_column *const *columns, const uint32_t *rows,
                       uint32_t first, uint32_t count) {
  for (uint32_t c = 0; c < set->column_count; c++) {
    tm_column in = *columns[c];
    const uint32_t *listed = rows == NULL ? NULL : rows + first;
    if (rows == NULL) in = tm_key_part(&in, first);
    tm_row_set_block *block = &set->block[c];
    tm_str *scratch = set->scratch + (size_t)c * TM_ROW_SET_BLOCK;
    block->valid = tm_key_valid(&in, listed, count,
                                set->valid_scratch + (size_t)c * TM_ROW_SET_BLOCK);
    uint64_t *words = (uint64_t *)scratch;
    if (set->columns[c].pair) block->pairs = tm_key_pairs(&in, listed, count, scratch);
    else if (set->columns[c].bits) block->words = exact_words(&in, listed, count, words);
    else block->words = tm_key_words(&in, listed, count, words);
  }
}

void tm_row_set_hash(const tm_row_set *set, uint32_t count, uint64_t *hashes) {
  if (set->column_count == 0) tm_hash_rows(NULL, 0, NULL, count, hashes);
  for (uint32_t c = 0; c < set->column_count; c++) {
    const tm_row_set_block *block = &set->block[c];
    if (set->columns[c].pair) {
      tm_hash_pairs(set->columns[c].type, block->pairs, block->valid, count, c == 0, hashes);
    } else {
      tm_hash_words(block->words, block->valid, count, c == 0, hashes);
    }
  }
}

/* ------------------------------------------------------------------ comparing */

static bool texts_differ(const tm_str *a, const tm_str *b) {
  uint64_t differs = (a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]);
  return differs != 0 && !tm_str_equal(a, b);
}

static bool is_null(const uint8_t *valid, uint32_t at) { return valid != NULL && !valid[at]; }

static bool is_row(const tm_row_set *set, uint32_t id, uint32_t i) {
  for (uint32_t c = 0; c < set->column_count; c++) {
    const tm_row_set_column *column = &set->columns[c];
    const tm_row_set_block *block = &set->block[c];
    if (is_null(column->valid, id) != is_null(block->valid, i)) return false;
    if (column->text) {
      if (texts_differ((tm_str *)column->data + id, &block->pairs[i])) return false;
    } else if (column->pair) {
      if (memcmp((tm_str *)column->data + id, &block->pairs[i], sizeof(tm_str)) != 0) return false;
    } else if (((uint64_t *)column->data)[id] != block->words[i]) {
      return false;
    }
  }
  return true;
}

/* Marks those of the known rows whose column is not that of the row they met. */
static void compare_column(const tm_row_set *set, uint32_t c, const uint32_t *ids,
                           const uint8_t *known, uint32_t known_count, uint8_t *differs) {
  const tm_row_set_column *column = &set->columns[c];
  const tm_row_set_block *block = &set->block[c];
  if (column->valid != NULL || block->valid != NULL) {
    for (uint32_t n = 0; n < known_count; n++) {
      uint32_t i = known[n];
      differs[i] |= is_null(column->valid, ids[i]) != is_null(block->valid, i);
    }
  }
  if (column->text) {
    const tm_str *kept = column->data;
    for (uint32_t n = 0; n < known_count; n++) {
      differs[known[n]] |= texts_differ(&kept[ids[known[n]]], &block->pairs[known[n]]);
    }
  } else if (column->pair) {
    const tm_str *kept = column->data;
    for (uint32_t n = 0; n < known_count; n++) {
      const tm_str *a = &kept[ids[known[n]]], *b = &block->pairs[known[n]];
      differs[known[n]] |= ((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1])) != 0;
    }
  } else {
    const uint64_t *kept = column->data;
    for (uint32_t n = 0; n < known_count; n++) {
      differs[known[n]] |= kept[ids[known[n]]] != block->words[known[n]];
    }
  }
}

/* ------------------------------------------------------------------ coming in */

/* Row i of the block at a free id, TM_ROW_SET_NONE where memory is refused. */
static uint32_t store(tm_row_set *set, uint32_t i, uint32_t salt) {
  uint32_t id = set->free_head;
  if (id != TM_ROW_SET_NONE) set->free_head = set->salts[id];
  else id = set->end++;
  for (uint32_t c = 0; c < set->column_count; c++) {
    tm_row_set_column *column = &set->columns[c];
    const tm_row_set_block *block = &set->block[c];
    bool null = is_null(block->valid, i);
    if (null && !tm_row_set_mark_nulls(set, c)) return TM_ROW_SET_NONE;
    if (column->valid != NULL) column->valid[id] = !null;
    if (!column->pair) {
      ((uint64_t *)column->data)[id] = block->words[i];
    } else if (!column->text) {
      ((tm_str *)column->data)[id] = block->pairs[i];
    } else if (!tm_slab_keep(&set->slab, &block->pairs[i], (tm_str *)column->data + id)) {
      ((tm_str *)column->data)[id] = (tm_str){.words = {0, 0}};
      return TM_ROW_SET_NONE;
    }
  }
  set->salts[id] = salt;
  set->live[id] = 1;
  set->slots.count++;
  return id;
}

/* One row, compared with all of its salt. */
static uint32_t look_up(tm_row_set *set, uint32_t i, uint32_t salt, bool add) {
  uint64_t *slots = set->slots.slots;
  uint32_t mask = tm_slot_mask(&set->slots), at = tm_slot_home(salt, set->slots.bits);
  for (; slots[at] != 0; at = (at + 1) & mask) {
    uint32_t id = (uint32_t)slots[at] - 1;
    if (slots[at] >> 32 == salt && is_row(set, id, i)) return id;
  }
  uint32_t id = add ? store(set, i, salt) : TM_ROW_SET_NONE;
  if (id != TM_ROW_SET_NONE) slots[at] = tm_slot_make(salt, id);
  return id;
}

/* false: memory was refused. */
static bool run_block(tm_row_set *set, uint32_t count, uint32_t *ids, bool add) {
  uint64_t hashes[TM_ROW_SET_BLOCK];
  uint8_t known[TM_ROW_SET_BLOCK], differs[TM_ROW_SET_BLOCK];
  uint32_t known_count = 0, bits = set->slots.bits, mask = tm_slot_mask(&set->slots);
  uint64_t *slots = set->slots.slots;
  tm_row_set_hash(set, count, hashes);
  for (uint32_t i = 0; bits > PREFETCH_BITS && i < count; i++) {
    __builtin_prefetch(&slots[tm_slot_home(tm_slot_salt(hashes[i]), bits)]);
  }
  for (uint32_t i = 0; i < count; i++) {
    uint32_t salt = tm_slot_salt(hashes[i]), at = tm_slot_home(salt, bits);
    while (slots[at] != 0 && slots[at] >> 32 != salt) at = (at + 1) & mask;
    ids[i] = (uint32_t)slots[at] - 1; /* 0 becomes TM_ROW_SET_NONE */
    if (slots[at] != 0) {
      known[known_count++] = (uint8_t)i;
    } else if (add) {
      ids[i] = store(set, i, salt);
      if (ids[i] == TM_ROW_SET_NONE) return false;
      slots[at] = tm_slot_make(salt, ids[i]);
    }
  }
  if (known_count == 0) return true;
  memset(differs, 0, count);
  for (uint32_t c = 0; c < set->column_count; c++) {
    compare_column(set, c, ids, known, known_count, differs);
  }
  for (uint32_t n = 0; n < known_count; n++) {
    uint32_t i = known[n];
    if (!differs[i]) continue;
    ids[i] = look_up(set, i, tm_slot_salt(hashes[i]), add);
    if (add && ids[i] == TM_ROW_SET_NONE) return false;
  }
  return true;
}

int tm_row_set_insert(tm_row_set *set, const tm_column *const *columns, const uint32_t *rows,
                      uint32_t count, uint32_t *ids) {
  for (uint32_t at = 0; at < count; at += TM_ROW_SET_BLOCK) {
    uint32_t block = count - at < TM_ROW_SET_BLOCK ? count - at : TM_ROW_SET_BLOCK;
    uint32_t free = set->end - set->slots.count, fresh = block > free ? block - free : 0;
    if (!tm_row_set_reserve(set, set->end + fresh, block)) return -1;
    open_block(set, columns, rows, at, block);
    if (!run_block(set, block, ids + at, true)) return -1;
  }
  return 0;
}

void tm_row_set_find(tm_row_set *set, const tm_column *const *columns, const uint32_t *rows,
                     uint32_t count, uint32_t *ids) {
  assert(set->slots.old == NULL);
  for (uint32_t at = 0; at < count; at += TM_ROW_SET_BLOCK) {
    uint32_t block = count - at < TM_ROW_SET_BLOCK ? count - at : TM_ROW_SET_BLOCK;
    if (set->slots.bits == 0) {
      for (uint32_t i = 0; i < block; i++) ids[at + i] = TM_ROW_SET_NONE;
      continue;
    }
    open_block(set, columns, rows, at, block);
    (void)run_block(set, block, ids + at, false);
  }
}

/* ------------------------------------------------------------------ leaving */

void tm_row_set_remove(tm_row_set *set, uint32_t id) {
  assert(tm_row_set_has(set, id));
  tm_slot_table_remove(&set->slots, set->salts[id], id);
  for (uint32_t c = 0; c < set->column_count; c++) {
    tm_row_set_column *column = &set->columns[c];
    if (column->text) tm_slab_drop(&set->slab, (tm_str *)column->data + id);
  }
  set->live[id] = 0;
  set->salts[id] = set->free_head;
  set->free_head = id;
}
