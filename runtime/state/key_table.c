/* state/key_table.c: the life of a key table: making, growing, reading, saving. Probing is in
 * key_probe.c, the layout in key_slots.h.
 *
 * Growth doubles the slots. Up to TM_KEY_BITS_AT_ONCE that happens inside an insert. Beyond, there
 * is room between wants_growth (half full) and the point at which an insert must grow (three
 * quarters), so that a caller who asks can let it happen in steps. */
#include "state/key_slots.h"

#include <assert.h>

enum {
  CAPACITY_MIN = 64,
  STEP_SLOTS = 1 << 15,        /* moved by one grow_step: well under a millisecond */
};

static tm_key_mode choose_mode(const tm_type *types, uint32_t column_count) {
  if (column_count == 0) return TM_KEY_EMPTY;
  if (column_count > 1) return TM_KEY_ROW;
  switch (tm_type_physical(types[0])) {
    case TM_PHYSICAL_U8:
    case TM_PHYSICAL_I32:
    case TM_PHYSICAL_I64: return TM_KEY_DIRECT;
    case TM_PHYSICAL_F64: return TM_KEY_WORD;
    case TM_PHYSICAL_STR: return TM_KEY_TEXT;
    case TM_PHYSICAL_I128: break;
  }
  return TM_KEY_ROW;
}

static size_t table_bytes(uint32_t column_count) {
  return sizeof(tm_key_table) + column_count * sizeof(tm_key_column);
}

tm_key_table *tm_key_table_create(tm_budget *budget, const tm_type *types,
                                  uint32_t column_count) {
  tm_key_table *table = tm_alloc_zero(budget, table_bytes(column_count));
  if (table == NULL) return NULL;
  table->budget = budget;
  table->mode = choose_mode(types, column_count);
  table->null_id = TM_KEY_NONE;
  table->column_count = column_count;
  bool text = false;
  for (uint32_t c = 0; c < column_count; c++) {
    table->columns[c].type = types[c];
    table->columns[c].pair = tm_key_is_pair(types[c]);
    text |= tm_type_physical(types[c]) == TM_PHYSICAL_STR;
  }
  if (text && (table->heap = tm_text_heap_create(budget)) == NULL) {
    tm_key_table_destroy(table);
    return NULL;
  }
  return table;
}

void tm_key_slots_free(tm_key_table *table, tm_key_slots *slots) {
  if (slots->data == NULL) return;
  tm_free(table->budget, slots->data, tm_key_slots_width(table) << slots->bits);
  *slots = (tm_key_slots){0};
}

void tm_key_table_destroy(tm_key_table *table) {
  if (table == NULL) return;
  tm_budget *budget = table->budget;
  for (uint32_t c = 0; c < table->column_count; c++) {
    tm_key_column *column = &table->columns[c];
    tm_free(budget, column->data, (size_t)table->capacity * (column->pair ? 16 : 8));
    tm_free(budget, column->valid, table->capacity);
  }
  tm_key_slots_free(table, &table->slots);
  tm_key_slots_free(table, &table->old);
  tm_key_direct_free(table);
  tm_text_heap_release(table->heap);
  tm_free(budget, table, table_bytes(table->column_count));
}

uint32_t tm_key_table_count(const tm_key_table *table) { return table->count; }

/* ------------------------------------------------------------------ growth: arrays by id */

/* All arrays grow or none: `capacity` tells the size of each. */
static bool reserve_keys(tm_key_table *table, uint32_t capacity) {
  tm_budget *budget = table->budget;
  for (uint32_t c = 0; c < table->column_count; c++) {
    tm_key_column *column = &table->columns[c];
    size_t width = column->pair ? 16 : 8;
    void *data = tm_realloc(budget, column->data, table->capacity * width, capacity * width);
    uint8_t *valid = NULL;
    if (data != NULL) column->data = data;
    if (data != NULL && column->valid != NULL) {
      valid = tm_realloc(budget, column->valid, table->capacity, capacity);
      if (valid != NULL) column->valid = valid;
    }
    if (data != NULL && (valid != NULL || column->valid == NULL)) {
      if (valid != NULL) memset(valid + table->capacity, 1, capacity - table->capacity);
      continue;
    }
    /* Take the larger arrays back; shrinking is not refused. */
    for (uint32_t i = 0; i <= c; i++) {
      tm_key_column *grown = &table->columns[i];
      size_t w = grown->pair ? 16 : 8;
      if (i < c || data != NULL) {
        grown->data = tm_realloc(budget, grown->data, capacity * w, table->capacity * w);
      }
      if (i < c && grown->valid != NULL) {
        grown->valid = tm_realloc(budget, grown->valid, capacity, table->capacity);
      }
    }
    return false;
  }
  table->capacity = capacity;
  return true;
}

bool tm_key_column_mark_nulls(tm_key_table *table, uint32_t column) {
  tm_key_column *c = &table->columns[column];
  if (c->valid != NULL) return true;
  c->valid = tm_alloc(table->budget, table->capacity);
  if (c->valid == NULL) return false;
  memset(c->valid, 1, table->capacity);
  return true;
}

/* ------------------------------------------------------------------ growth: slots */

static void move_word_slots(const tm_word_slot *from, uint64_t count, const tm_key_slots *to) {
  tm_word_slot *slots = to->data;
  uint32_t mask = (uint32_t)((UINT64_C(1) << to->bits) - 1);
  for (uint64_t i = 0; i < count; i++) {
    if (from[i].id1 == 0) continue;
    uint32_t at = (uint32_t)(tm_hash_u64(from[i].word) >> (64 - to->bits));
    while (slots[at].id1 != 0) at = (at + 1) & mask;
    slots[at] = from[i];
  }
}

static void move_salted_slots(const uint64_t *from, uint64_t count, const tm_key_slots *to) {
  uint64_t *slots = to->data;
  uint32_t mask = (uint32_t)((UINT64_C(1) << to->bits) - 1);
  for (uint64_t i = 0; i < count; i++) {
    if (from[i] == 0) continue;
    uint32_t at = (uint32_t)(from[i] >> (64 - to->bits));
    while (slots[at] != 0) at = (at + 1) & mask;
    slots[at] = from[i];
  }
}

/* Moves some of the old slots; true when none is left. */
static bool move_slots(tm_key_table *table, uint64_t slots_max) {
  if (table->old.data == NULL) return true;
  uint64_t left = (UINT64_C(1) << table->old.bits) - table->old_next;
  uint64_t count = left < slots_max ? left : slots_max;
  if (table->mode == TM_KEY_WORD) {
    move_word_slots((tm_word_slot *)table->old.data + table->old_next, count, &table->slots);
  } else {
    move_salted_slots((uint64_t *)table->old.data + table->old_next, count, &table->slots);
  }
  table->old_next += count;
  if (count < left) return false;
  tm_key_slots_free(table, &table->old);
  return true;
}

bool tm_key_slots_grow(tm_key_table *table, uint32_t bits) {
  assert(table->old.data == NULL && bits > table->slots.bits && bits < 32);
  void *data = tm_alloc_zero(table->budget, tm_key_slots_width(table) << bits);
  if (data == NULL) return false;
  table->old = table->slots;
  table->old_next = 0;
  table->slots = (tm_key_slots){data, bits};
  return true;
}

/* Keys that the slots should hold at most. The fewer the keys, the emptier the slots: a collision
 * costs a mispredicted branch, and only slots in use take room in a cache. */
uint64_t tm_key_slots_comfortable(const tm_key_table *table, uint32_t bits) {
  if (table->small && bits <= 12) return UINT64_C(1) << (bits - 2);
  return UINT64_C(1) << (bits <= 12 ? bits - 4 : bits <= 14 ? bits - 3 : bits <= 16 ? bits - 2
                                                                                    : bits - 1);
}

static bool reserve_slots(tm_key_table *table, uint32_t more) {
  (void)move_slots(table, UINT64_MAX);
  uint64_t wanted = (uint64_t)table->count + more;
  uint32_t bits = table->slots.bits;
  if (table->slots.data != NULL) {
    bool fine = wanted <= UINT64_C(3) << (bits - 2);
    if (bits <= TM_KEY_BITS_AT_ONCE) fine = table->count <= tm_key_slots_comfortable(table, bits);
    if (fine && wanted < UINT64_C(1) << bits) return true;
    if (tm_key_direct_from_words(table)) return true;
  }
  uint32_t least = table->small ? TM_KEY_BITS_SMALL : TM_KEY_BITS_MIN;
  if (bits < least) bits = least - 1;
  do bits++;
  while (table->count >= tm_key_slots_comfortable(table, bits) || wanted >= UINT64_C(1) << bits);
  if (!tm_key_slots_grow(table, bits)) return false;
  return move_slots(table, UINT64_MAX);
}

static bool has_slots(const tm_key_table *table) {
  return table->mode != TM_KEY_EMPTY && table->mode != TM_KEY_DIRECT;
}

bool tm_key_table_reserve(tm_key_table *table, uint32_t more) {
  uint64_t wanted = (uint64_t)table->count + more;
  if (wanted > TM_KEY_COUNT_MAX) return false;
  if (wanted > table->capacity) {
    uint64_t capacity = table->capacity < CAPACITY_MIN ? CAPACITY_MIN : table->capacity;
    while (capacity < wanted) capacity *= 2;
    if (!reserve_keys(table, (uint32_t)capacity)) return false;
  }
  return !has_slots(table) || reserve_slots(table, more);
}

bool tm_key_table_wants_growth(const tm_key_table *table) {
  if (table->old.data != NULL) return true;
  if (!has_slots(table) || table->slots.data == NULL || table->slots.bits >= 31) return false;
  return table->count > tm_key_slots_comfortable(table, table->slots.bits);
}

int tm_key_table_grow_step(tm_key_table *table) {
  if (table->old.data == NULL) {
    if (!tm_key_table_wants_growth(table) || tm_key_direct_from_words(table)) return 0;
    if (!tm_key_slots_grow(table, table->slots.bits + 1)) return -1;
  }
  return move_slots(table, STEP_SLOTS) ? 0 : 1;
}

/* ------------------------------------------------------------------ reading */

static void read_words(const tm_key_column *column, const uint32_t *ids, uint32_t count,
                       tm_type type, void *out) {
  uint64_t words[TM_KEY_BLOCK];
  const uint64_t *from = column->data;
  size_t width = tm_type_width(type);
  for (uint32_t at = 0; at < count; at += TM_KEY_BLOCK) {
    uint32_t block = count - at < TM_KEY_BLOCK ? count - at : TM_KEY_BLOCK;
    for (uint32_t i = 0; i < block; i++) words[i] = from[ids[at + i]];
    tm_key_words_write(type, words, block, (char *)out + at * width);
  }
}

static void read_pairs(const tm_key_column *column, uint32_t first, const uint32_t *ids,
                       uint32_t count, tm_str *out) {
  const tm_str *from = column->data;
  if (ids == NULL) {
    memcpy(out, from + first, count * sizeof *out);
  } else {
    for (uint32_t i = 0; i < count; i++) out[i] = from[ids[i]];
  }
}

int tm_key_table_read(const tm_key_table *table, uint32_t column, uint32_t first,
                      const uint32_t *ids, uint32_t count, tm_batch *out, uint32_t out_column) {
  const tm_key_column *from = &table->columns[column];
  tm_column *to = &out->columns[out_column];
  bool text = tm_type_physical(from->type) == TM_PHYSICAL_STR;
  assert(tm_type_physical(from->type) == tm_type_physical(to->type));
  if (tm_batch_column(out, out_column, from->valid != NULL) < 0) return -1;
  if (text && tm_text_heap_pin(table->heap, out) < 0) return -1;
  if (from->pair) {
    read_pairs(from, first, ids, count, to->data);
  } else if (ids == NULL) {
    tm_key_words_write(from->type, (uint64_t *)from->data + first, count, to->data);
  } else {
    read_words(from, ids, count, from->type, to->data);
  }
  if (from->valid == NULL) return 0;
  if (ids == NULL) {
    memcpy(to->valid, from->valid + first, count);
  } else {
    for (uint32_t i = 0; i < count; i++) to->valid[i] = from->valid[ids[i]];
  }
  return 0;
}

/* A key column as a column of values: words read as int64, whatever they mean. */
static tm_column as_column(const tm_key_column *column, uint32_t first) {
  tm_column view = {.type = column->pair ? column->type : tm_type_of(TM_INT64)};
  view.data = (char *)column->data + (size_t)first * (column->pair ? 16 : 8);
  view.valid = column->valid == NULL ? NULL : column->valid + first;
  return view;
}

tm_column tm_key_table_view(const tm_key_table *table, uint32_t column) {
  return as_column(&table->columns[column], 0);
}

void tm_key_table_hashes(const tm_key_table *table, uint32_t first, uint32_t count,
                         uint64_t *hashes) {
  if (table->column_count == 0) tm_hash_rows(NULL, 0, NULL, count, hashes);
  for (uint32_t c = 0; c < table->column_count; c++) {
    tm_column view = as_column(&table->columns[c], first);
    if (table->columns[c].pair) {
      tm_hash_pairs(view.type, view.data, view.valid, count, c == 0, hashes);
    } else {
      tm_hash_words(view.data, view.valid, count, c == 0, hashes);
    }
  }
}

enum { COLUMNS_ON_STACK = 32 };

/* Keys of another table, where they lie there. */
static int from_table(tm_key_table *table, const tm_key_table *from, const uint32_t *from_ids,
                      uint32_t count, const uint64_t *hashes, uint32_t *ids, bool insert) {
  assert(table->column_count == from->column_count);
  uint32_t columns = from->column_count;
  tm_column few[COLUMNS_ON_STACK];
  const tm_column *pointers[COLUMNS_ON_STACK] = {NULL};
  size_t bytes = columns * (sizeof *few + sizeof *pointers);
  bool many = columns > COLUMNS_ON_STACK;
  tm_column *views = many ? tm_alloc(table->budget, bytes) : few;
  if (views == NULL) return -1;
  const tm_column **each = many ? (const tm_column **)(views + columns) : pointers;
  for (uint32_t c = 0; c < columns; c++) {
    views[c] = as_column(&from->columns[c], 0);
    each[c] = &views[c];
  }
  int result = 0;
  if (insert) result = tm_key_table_insert(table, each, from_ids, count, hashes, ids);
  else tm_key_table_find(table, each, from_ids, count, hashes, ids);
  if (many) tm_free(table->budget, views, bytes);
  return result;
}

int tm_key_table_insert_from(tm_key_table *table, const tm_key_table *from,
                             const uint32_t *from_ids, uint32_t count, const uint64_t *hashes,
                             uint32_t *ids) {
  return from_table(table, from, from_ids, count, hashes, ids, true);
}

int tm_key_table_find_from(const tm_key_table *table, const tm_key_table *from,
                           const uint32_t *from_ids, uint32_t count, uint32_t *ids) {
  return from_table((tm_key_table *)table, from, from_ids, count, NULL, ids, false);
}
