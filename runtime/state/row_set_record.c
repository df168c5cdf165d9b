/* state/row_set_record.c: a row set as a record: which ids are in, then the rows a column at a time
 * in blocks. Slots are made anew. */
#include "state/row_set_parts.h"

#include <assert.h>

/* The next ids that are in, from *at on. */
static uint32_t next_ids(const tm_row_set *set, uint32_t *at, uint32_t *ids) {
  uint32_t count = 0;
  for (; *at < set->end && count < TM_ROW_SET_BLOCK; (*at)++) {
    if (set->live[*at]) ids[count++] = *at;
  }
  return count;
}

static void save_column(const tm_row_set_column *column, const uint32_t *ids, uint32_t count,
                        tm_record_writer *writer) {
  uint8_t valid[TM_ROW_SET_BLOCK];
  uint64_t words[TM_ROW_SET_BLOCK];
  tm_record_put(writer, column->valid != NULL);
  for (uint32_t i = 0; i < count && column->valid != NULL; i++) valid[i] = column->valid[ids[i]];
  if (column->valid != NULL) tm_record_put_bytes(writer, valid, count);
  if (column->text) {
    const tm_str *texts = column->data;
    for (uint32_t i = 0; i < count; i++) {
      tm_record_put_bytes(writer, tm_str_bytes(&texts[ids[i]]), texts[ids[i]].size);
    }
    return;
  }
  for (uint32_t half = 0; half < (column->pair ? 2u : 1u); half++) {
    for (uint32_t i = 0; i < count; i++) {
      words[i] = column->pair ? ((const tm_str *)column->data)[ids[i]].words[half]
                              : ((const uint64_t *)column->data)[ids[i]];
    }
    tm_record_put_bytes(writer, words, count * sizeof *words);
  }
}

void tm_row_set_save(const tm_row_set *set, tm_record_writer *writer) {
  uint32_t ids[TM_ROW_SET_BLOCK], at = 0, count;
  tm_record_put(writer, set->end);
  tm_record_put_bytes(writer, set->live, set->end);
  while ((count = next_ids(set, &at, ids)) > 0) {
    for (uint32_t c = 0; c < set->column_count; c++) {
      save_column(&set->columns[c], ids, count, writer);
    }
  }
}

/* ------------------------------------------------------------------ restoring */

/* Rows of the block at their ids, and in set->block for their hashes. -1: memory. */
static int restore_column(tm_row_set *set, uint32_t c, const uint32_t *ids, uint32_t count,
                          tm_record_reader *reader) {
  tm_row_set_column *column = &set->columns[c];
  tm_row_set_block *block = &set->block[c];
  uint8_t *valid = set->valid_scratch + (size_t)c * TM_ROW_SET_BLOCK;
  tm_str *scratch = set->scratch + (size_t)c * TM_ROW_SET_BLOCK;
  *block = (tm_row_set_block){.words = (const uint64_t *)scratch, .pairs = scratch};
  if (tm_record_get(reader, 1)) {
    tm_record_get_bytes(reader, valid, count);
    if (!tm_row_set_mark_nulls(set, c)) return -1;
    for (uint32_t i = 0; i < count; i++) {
      if (valid[i] > 1) reader->failed = true;
      column->valid[ids[i]] = valid[i] == 1;
    }
    if (memchr(valid, 0, count) != NULL) block->valid = valid;
  }
  if (column->text) {
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
      size_t size = 0;
      const char *bytes = (const char *)tm_record_view(reader, &size);
      if (reader->failed || (block->valid != NULL && !valid[i] && size > 0)) {
        reader->failed = true;
        return 0;
      }
      scratch[i] = tm_str_make(size > 0 ? bytes : "", size);
      if (!tm_slab_keep(&set->slab, &scratch[i], (tm_str *)column->data + ids[i])) return -1;
    }
    return 0;
  }
  uint64_t words[TM_ROW_SET_BLOCK];
  for (uint32_t half = 0; half < (column->pair ? 2u : 1u); half++) {
    tm_record_get_bytes(reader, words, count * sizeof *words);
    for (uint32_t i = 0; i < count; i++) {
      if (column->pair) scratch[i].words[half] = words[i];
      else ((uint64_t *)scratch)[i] = words[i];
      if (column->pair) ((tm_str *)column->data)[ids[i]].words[half] = words[i];
      else ((uint64_t *)column->data)[ids[i]] = words[i];
    }
  }
  return 0;
}

static void link_ids(tm_row_set *set, const uint32_t *ids, uint32_t count) {
  uint64_t hashes[TM_ROW_SET_BLOCK];
  tm_row_set_hash(set, count, hashes);
  for (uint32_t i = 0; i < count; i++) {
    set->salts[ids[i]] = tm_slot_salt(hashes[i]);
    tm_slot_table_insert(&set->slots, set->salts[ids[i]], ids[i]);
  }
}

/* Ids below the end that no row has; how many have one. */
static uint32_t restore_free(tm_row_set *set, tm_record_reader *reader) {
  uint32_t count = 0;
  for (uint32_t id = set->end; id-- > 0;) {
    if (set->live[id] > 1) reader->failed = true;
    set->live[id] = set->live[id] != 0;
    count += set->live[id];
    if (set->live[id]) continue;
    set->salts[id] = set->free_head;
    set->free_head = id;
  }
  return count;
}

int tm_row_set_restore(tm_row_set *set, tm_record_reader *reader) {
  assert(set->end == 0);
  uint32_t ids[TM_ROW_SET_BLOCK], at = 0, count;
  uint32_t end = (uint32_t)tm_record_get(reader, TM_ROW_SET_MAX - TM_ROW_SET_BLOCK);
  if (end > (size_t)(reader->end - reader->at)) reader->failed = true; /* a byte an id */
  if (reader->failed) return 0;
  if (end > 0 && !tm_row_set_reserve(set, end, 0)) return -1;
  set->end = end;
  tm_record_get_bytes(reader, set->live, end);
  uint32_t rows = restore_free(set, reader);
  if (set->column_count == 0 && rows > 1) reader->failed = true;
  if (end > 0 && !tm_row_set_reserve(set, end, rows)) return -1;
  while (!reader->failed && (count = next_ids(set, &at, ids)) > 0) {
    for (uint32_t c = 0; c < set->column_count && !reader->failed; c++) {
      if (restore_column(set, c, ids, count, reader) < 0) return -1;
    }
    if (!reader->failed) link_ids(set, ids, count);
  }
  return 0;
}
