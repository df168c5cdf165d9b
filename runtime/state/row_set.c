/* state/row_set.c: the life of a row set: making, growing, reading. Looking up is in
 * row_set_find.c, saving in row_set_record.c, the layout in row_set_parts.h. */
#include "state/row_set_parts.h"

#include <assert.h>

enum { CAPACITY_MIN = 64 };

static size_t set_bytes(uint32_t column_count) {
  return sizeof(tm_row_set) + column_count * sizeof(tm_row_set_column);
}

static size_t block_bytes(const tm_row_set *set) {
  size_t rows = (size_t)TM_ROW_SET_BLOCK * set->column_count;
  return set->column_count * sizeof *set->block + rows * (sizeof(tm_str) + 1);
}

tm_row_set *tm_row_set_create(tm_budget *budget, const tm_type *types, uint32_t column_count,
                              bool exact) {
  tm_row_set *set = tm_alloc_zero(budget, set_bytes(column_count));
  if (set == NULL) return NULL;
  set->budget = budget;
  set->slots.budget = budget;
  set->free_head = TM_ROW_SET_NONE;
  set->column_count = column_count;
  tm_slab_init(&set->slab, budget);
  for (uint32_t c = 0; c < column_count; c++) {
    set->columns[c].type = types[c];
    set->columns[c].bits = exact && types[c].kind == TM_FLOAT64;
    set->columns[c].pair = tm_key_is_pair(types[c]);
    set->columns[c].text = tm_type_physical(types[c]) == TM_PHYSICAL_STR;
  }
  set->block = tm_alloc(budget, block_bytes(set));
  if (set->block == NULL) {
    tm_row_set_destroy(set);
    return NULL;
  }
  set->scratch = (tm_str *)(void *)(set->block + column_count);
  set->valid_scratch = (uint8_t *)(set->scratch + (size_t)TM_ROW_SET_BLOCK * column_count);
  return set;
}

void tm_row_set_destroy(tm_row_set *set) {
  if (set == NULL) return;
  tm_budget *budget = set->budget;
  for (uint32_t c = 0; c < set->column_count; c++) {
    tm_row_set_column *column = &set->columns[c];
    tm_free(budget, column->data, (size_t)column->capacity * (column->pair ? 16 : 8));
    tm_free(budget, column->valid, column->valid_capacity);
  }
  tm_free(budget, set->salts, set->capacity * sizeof *set->salts);
  tm_free(budget, set->live, set->capacity);
  tm_slot_table_deinit(&set->slots);
  tm_slab_deinit(&set->slab);
  if (set->block != NULL) tm_free(budget, set->block, block_bytes(set));
  tm_free(budget, set, set_bytes(set->column_count));
}

uint32_t tm_row_set_count(const tm_row_set *set) { return set->slots.count; }
uint32_t tm_row_set_end(const tm_row_set *set) { return set->end; }
bool tm_row_set_has(const tm_row_set *set, uint32_t id) {
  return id < set->end && set->live[id];
}

/* ------------------------------------------------------------------ growth */

static bool grow(tm_row_set *set, void *array, size_t width, uint32_t from, uint32_t to) {
  void *old, *grown;
  memcpy(&old, array, sizeof old);
  grown = tm_realloc(set->budget, old, old == NULL ? 0 : from * width, to * width);
  if (grown == NULL) return false;
  memcpy(array, &grown, sizeof grown);
  return true;
}

/* Each array remembers its own size: a refusal half-way leaves all of them sound. */
static bool reserve_ids(tm_row_set *set, uint32_t capacity) {
  for (uint32_t c = 0; c < set->column_count; c++) {
    tm_row_set_column *column = &set->columns[c];
    if (column->capacity < capacity) {
      size_t width = column->pair ? 16 : 8;
      if (!grow(set, &column->data, width, column->capacity, capacity)) return false;
      column->capacity = capacity;
    }
    if (column->valid == NULL || column->valid_capacity >= capacity) continue;
    if (!grow(set, &column->valid, 1, column->valid_capacity, capacity)) return false;
    memset(column->valid + column->valid_capacity, 1, capacity - column->valid_capacity);
    column->valid_capacity = capacity;
  }
  uint32_t *salts = tm_alloc(set->budget, capacity * sizeof *salts);
  if (salts == NULL) return false;
  if (!grow(set, &set->live, 1, set->capacity, capacity)) {
    tm_free(set->budget, salts, capacity * sizeof *salts);
    return false;
  }
  memset(set->live + set->capacity, 0, capacity - set->capacity);
  if (set->end > 0) memcpy(salts, set->salts, set->end * sizeof *salts);
  tm_free(set->budget, set->salts, set->capacity * sizeof *salts);
  set->salts = salts;
  set->capacity = capacity;
  return true;
}

bool tm_row_set_mark_nulls(tm_row_set *set, uint32_t index) {
  tm_row_set_column *column = &set->columns[index];
  if (column->valid != NULL) return true;
  column->valid = tm_alloc(set->budget, column->capacity);
  if (column->valid == NULL) return false;
  memset(column->valid, 1, column->capacity);
  column->valid_capacity = column->capacity;
  return true;
}

bool tm_row_set_reserve(tm_row_set *set, uint32_t end, uint32_t more) {
  if (end > TM_ROW_SET_MAX) return false;
  if (end > set->capacity) {
    uint32_t capacity = set->capacity < CAPACITY_MIN ? CAPACITY_MIN : set->capacity;
    while (capacity < end) capacity *= 2;
    if (!reserve_ids(set, capacity)) return false;
  }
  return tm_slot_table_reserve(&set->slots, more);
}

int tm_row_set_settle_step(tm_row_set *set) { return tm_slot_table_settle_step(&set->slots); }

/* ------------------------------------------------------------------ reading */

#define READ(type_name)                                                                         \
  for (uint32_t i = 0; i < count; i++) {                                                        \
    ((type_name *)to->data)[i] = ids[i] == TM_ROW_SET_NONE ? 0 : (type_name)words[ids[i]];      \
  }

static void read_words(const tm_row_set_column *from, const uint32_t *ids, uint32_t count,
                       tm_column *to) {
  const uint64_t *words = from->data;
  switch (tm_type_width(to->type)) {
    case 1: READ(uint8_t); return;
    case 4: READ(uint32_t); return;
    default: READ(uint64_t); return;
  }
}

/* Long strings get bytes in the batch; a row that comes twice in a row shares them. */
static int read_pairs(const tm_row_set_column *from, const uint32_t *ids, uint32_t count,
                      tm_batch *out, tm_column *to) {
  const tm_str *pairs = from->data;
  tm_str *values = to->data;
  for (uint32_t i = 0; i < count; i++) {
    if (ids[i] == TM_ROW_SET_NONE) {
      values[i] = (tm_str){.words = {0, 0}};
    } else if (i > 0 && ids[i] == ids[i - 1]) {
      values[i] = values[i - 1];
    } else {
      values[i] = pairs[ids[i]];
      if (!from->text || values[i].size <= TM_STR_INLINE) continue;
      if (!tm_batch_text(out, values[i].pointer, values[i].size, &values[i])) return -1;
    }
  }
  return 0;
}

int tm_row_set_read(const tm_row_set *set, uint32_t column, const uint32_t *ids, uint32_t count,
                    bool may_miss, tm_batch *out, uint32_t out_column) {
  const tm_row_set_column *from = &set->columns[column];
  tm_column *to = &out->columns[out_column];
  assert(tm_type_width(to->type) == (from->pair ? 16 : tm_type_width(to->type)));
  if (tm_batch_column(out, out_column, from->valid != NULL || may_miss) < 0) return -1;
  for (uint32_t i = 0; to->valid != NULL && i < count; i++) {
    bool there = ids[i] != TM_ROW_SET_NONE;
    to->valid[i] = there && (from->valid == NULL || from->valid[ids[i]]);
  }
  if (from->pair) return read_pairs(from, ids, count, out, to);
  read_words(from, ids, count, to);
  return 0;
}
