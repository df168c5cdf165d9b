/* state/key_record.c: a key table as a record: its keys in order of their ids, column by column in
 * blocks, from which inserting them again makes the same ids. */
#include "state/key_slots.h"

#include <assert.h>

enum { BLOCK_KEYS = 1024 };

static void save_texts(const tm_str *texts, uint32_t count, tm_record_writer *writer) {
  uint32_t sizes[BLOCK_KEYS] = {0};
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; i++) total += sizes[i] = texts[i].size;
  tm_record_put_bytes(writer, sizes, count * sizeof *sizes);
  tm_record_put(writer, total);
  for (uint32_t i = 0; i < count && total > 0; i++) {
    tm_record_put_bytes(writer, tm_str_bytes(&texts[i]), texts[i].size);
  }
}

void tm_key_table_save(const tm_key_table *table, tm_record_writer *writer) {
  tm_record_put(writer, table->count);
  for (uint32_t at = 0; at < table->count && table->column_count > 0; at += BLOCK_KEYS) {
    uint32_t count = table->count - at < BLOCK_KEYS ? table->count - at : BLOCK_KEYS;
    for (uint32_t c = 0; c < table->column_count; c++) {
      const tm_key_column *column = &table->columns[c];
      tm_record_put(writer, column->valid != NULL);
      if (column->valid != NULL) tm_record_put_bytes(writer, column->valid + at, count);
      if (!column->pair) {
        tm_record_put_bytes(writer, (uint64_t *)column->data + at, count * sizeof(uint64_t));
      } else if (tm_type_physical(column->type) == TM_PHYSICAL_STR) {
        save_texts((tm_str *)column->data + at, count, writer);
      } else {
        tm_record_put_bytes(writer, (tm_str *)column->data + at, count * sizeof(tm_str));
      }
    }
  }
}

/* Strings stay in the record: inserting copies them. */
static bool restore_texts(tm_str *texts, const uint8_t *valid, uint32_t count,
                          tm_record_reader *reader) {
  uint32_t sizes[BLOCK_KEYS];
  uint64_t total = 0;
  tm_record_get_bytes(reader, sizes, count * sizeof *sizes);
  for (uint32_t i = 0; i < count; i++) total += sizes[i];
  if (tm_record_get(reader, UINT32_MAX * (uint64_t)BLOCK_KEYS) != total) return false;
  for (uint32_t i = 0; i < count; i++) {
    size_t size = 0;
    const uint8_t *bytes = total > 0 ? tm_record_view(reader, &size) : NULL;
    if (size != sizes[i] || (valid != NULL && !valid[i] && size > 0)) return false;
    texts[i] = tm_str_make(size > 0 ? (const char *)bytes : "", size);
  }
  return true;
}

typedef struct restore_column {
  tm_column column;
  tm_str values[BLOCK_KEYS];
  uint8_t valid[BLOCK_KEYS];
} restore_column;

static bool restore_block(const tm_key_table *table, restore_column *columns, uint32_t count,
                          tm_record_reader *reader) {
  for (uint32_t c = 0; c < table->column_count; c++) {
    const tm_key_column *key = &table->columns[c];
    restore_column *to = &columns[c];
    to->column.type = key->pair ? key->type : tm_type_of(TM_INT64);
    to->column.data = to->values;
    to->column.valid = tm_record_get(reader, 1) ? to->valid : NULL;
    if (to->column.valid != NULL) tm_record_get_bytes(reader, to->valid, count);
    for (uint32_t i = 0; i < count && to->column.valid != NULL; i++) {
      if (to->valid[i] > 1) return false;
    }
    if (key->pair && tm_type_physical(key->type) == TM_PHYSICAL_STR) {
      if (!restore_texts(to->values, to->column.valid, count, reader)) return false;
    } else {
      tm_record_get_bytes(reader, to->values, count * (key->pair ? 16 : 8));
    }
  }
  return !reader->failed;
}

/* Only one by one is it certain that keys of several columns get their ids in order. */
static int insert_in_order(tm_key_table *table, const tm_column *const *each, uint32_t count) {
  uint32_t ids[BLOCK_KEYS], first = table->count;
  uint32_t step = table->mode == TM_KEY_ROW ? 1 : count;
  for (uint32_t row = 0; row < count; row += step) {
    int result = step == count ? tm_key_table_insert(table, each, NULL, count, NULL, ids)
                               : tm_key_table_insert(table, each, &row, 1, NULL, ids);
    if (result < 0) return -1;
    if (table->count != first + row + step) return 1;
  }
  return 0;
}

int tm_key_table_restore(tm_key_table *table, tm_record_reader *reader, tm_error *err) {
  assert(table->count == 0);
  uint32_t count = (uint32_t)tm_record_get(reader, TM_KEY_COUNT_MAX);
  uint32_t columns = table->column_count;
  size_t bytes = columns * (sizeof(restore_column) + sizeof(tm_column *)) + 1;
  restore_column *scratch = tm_alloc(table->budget, bytes);
  if (scratch == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory while restoring state");
  const tm_column **each = (const tm_column **)(scratch + columns);
  for (uint32_t c = 0; c < columns; c++) each[c] = &scratch[c].column;
  int result = 0;
  if (columns == 0 && count > 1) reader->failed = true;
  while (table->count < count && result == 0 && !reader->failed) {
    uint32_t block = count - table->count < BLOCK_KEYS ? count - table->count : BLOCK_KEYS;
    if (!restore_block(table, scratch, block, reader)) {
      reader->failed = true;
      break;
    }
    int inserted = insert_in_order(table, each, block);
    if (inserted < 0) result = tm_fail(err, TM_E_MEMORY, "out of memory while restoring state");
    if (inserted > 0) reader->failed = true; /* a key came twice */
  }
  tm_free(table->budget, scratch, bytes);
  if (result == 0 && reader->failed) {
    result = tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
  }
  return result;
}
