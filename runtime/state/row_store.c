/* state/row_store.c: see row_store.h. */
#include "state/row_store.h"

#include <string.h>

void tm_row_store_init(tm_row_store *store, tm_budget *budget, const tm_schema *schema,
                       const uint8_t *needed) {
  *store = (tm_row_store){.budget = budget, .schema = schema, .needed = needed};
}

static void chunk_deinit(tm_row_store *s, tm_chunk *chunk) {
  tm_batch_release(chunk->rows);
  tm_free(s->budget, chunk->hashes, TM_CHUNK_ROWS * sizeof *chunk->hashes);
  tm_free(s->budget, chunk->usable, TM_CHUNK_ROWS);
}

static bool chunk_init(tm_row_store *s, tm_chunk *chunk) {
  *chunk = (tm_chunk){
    .rows = tm_batch_create(s->budget, s->schema, TM_CHUNK_ROWS),
    .hashes = tm_alloc(s->budget, TM_CHUNK_ROWS * sizeof *chunk->hashes),
    .usable = tm_alloc(s->budget, TM_CHUNK_ROWS),
  };
  bool done = chunk->rows != NULL && chunk->hashes != NULL && chunk->usable != NULL;
  for (uint32_t i = 0; done && i < s->schema->count; i++) {
    if (s->needed != NULL && !s->needed[i]) continue;
    done = tm_batch_column(chunk->rows, i, !s->schema->fields[i].type.not_null) == 0;
  }
  if (!done) chunk_deinit(s, chunk);
  return done;
}

static tm_chunk *open_chunk(tm_row_store *s) {
  if (s->chunk_count > 0 && s->chunks[s->chunk_count - 1].count < TM_CHUNK_ROWS) {
    return &s->chunks[s->chunk_count - 1];
  }
  if (s->chunk_count == s->chunk_capacity) {
    uint32_t capacity = s->chunk_capacity == 0 ? 8 : s->chunk_capacity * 2;
    if (capacity > TM_CHUNKS_MAX) return NULL;
    tm_chunk *grown = tm_realloc(s->budget, s->chunks, s->chunk_capacity * sizeof *grown,
                                 capacity * sizeof *grown);
    if (grown == NULL) return NULL;
    s->chunks = grown;
    s->chunk_capacity = capacity;
  }
  if (!chunk_init(s, &s->chunks[s->chunk_count])) return NULL;
  return &s->chunks[s->chunk_count++];
}

#define COPY(type_name)                                                                         \
  for (uint32_t i = 0; i < count; i++) {                                                        \
    ((type_name *)to->data)[base + i] =                                                         \
        ((const type_name *)from->data)[tm_batch_row(batch, first + i)];                        \
  }

static bool copy_texts(tm_batch *rows, tm_column *to, uint32_t base, uint32_t count) {
  tm_str *values = (tm_str *)to->data + base;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) {
    bool there = to->valid == NULL || to->valid[base + i];
    if (there && values[i].size > TM_STR_INLINE) bytes += values[i].size;
  }
  if (bytes == 0) return true;
  char *heap = tm_batch_alloc(rows, bytes);
  if (heap == NULL) return false;
  for (uint32_t i = 0; i < count; i++) {
    bool there = to->valid == NULL || to->valid[base + i];
    if (!there || values[i].size <= TM_STR_INLINE) continue;
    memcpy(heap, values[i].pointer, values[i].size);
    values[i].pointer = heap;
    heap += values[i].size;
  }
  return true;
}

static bool copy_column(tm_chunk *chunk, const tm_batch *batch, uint32_t column, uint32_t first,
                        uint32_t count) {
  const tm_column *from = &batch->columns[column];
  tm_column *to = &chunk->rows->columns[column];
  uint32_t base = chunk->count;
  if (from->data == NULL) return true;
  for (uint32_t i = 0; to->valid != NULL && i < count; i++) {
    to->valid[base + i] = !tm_column_is_null(from, tm_batch_row(batch, first + i));
  }
  switch (tm_type_width(to->type)) {
    case 1: COPY(uint8_t); break;
    case 4: COPY(uint32_t); break;
    case 8: COPY(uint64_t); break;
    default: COPY(tm_str); break;
  }
  return tm_type_physical(to->type) != TM_PHYSICAL_STR ||
         copy_texts(chunk->rows, to, base, count);
}

/* Rows that came before the first with a time have none. */
static bool copy_times(tm_chunk *chunk, const tm_batch *batch, uint32_t first, uint32_t count) {
  tm_batch *rows = chunk->rows;
  if (batch->times == NULL && rows->times == NULL) return true;
  if (rows->times == NULL) {
    rows->times = tm_batch_alloc(rows, TM_CHUNK_ROWS * sizeof *rows->times);
    if (rows->times == NULL) return false;
    for (uint32_t i = 0; i < chunk->count; i++) rows->times[i] = TM_TIME_NONE;
  }
  int64_t *to = rows->times + chunk->count;
  for (uint32_t i = 0; i < count; i++) {
    to[i] = batch->times != NULL ? batch->times[tm_batch_row(batch, first + i)] : TM_TIME_NONE;
  }
  return true;
}

int tm_row_store_append(tm_row_store *s, const tm_batch *batch, const uint64_t *hashes,
                        const uint8_t *usable, tm_error *err) {
  for (uint32_t first = 0; first < batch->selected;) {
    tm_chunk *chunk = open_chunk(s);
    if (chunk == NULL) return tm_fail(err, TM_E_MEMORY, "join: out of memory");
    uint32_t room = TM_CHUNK_ROWS - chunk->count, left = batch->selected - first;
    uint32_t count = left < room ? left : room;
    for (uint32_t i = 0; i < s->schema->count; i++) {
      if (s->needed != NULL && !s->needed[i]) continue;
      if (copy_column(chunk, batch, i, first, count)) continue;
      return tm_fail(err, TM_E_MEMORY, "join: out of memory");
    }
    if (!copy_times(chunk, batch, first, count)) {
      return tm_fail(err, TM_E_MEMORY, "join: out of memory");
    }
    memcpy(chunk->hashes + chunk->count, hashes + first, count * sizeof *hashes);
    memcpy(chunk->usable + chunk->count, usable + first, count);
    chunk->count += count;
    s->rows += count;
    first += count;
  }
  return 0;
}

void tm_row_store_deinit(tm_row_store *s) {
  for (uint32_t i = 0; i < s->chunk_count; i++) chunk_deinit(s, &s->chunks[i]);
  tm_free(s->budget, s->chunks, s->chunk_capacity * sizeof *s->chunks);
  s->chunks = NULL;
  s->chunk_count = s->chunk_capacity = 0;
}

#define GATHER(type_name)                                                                       \
  for (uint32_t i = 0; i < count; i++) {                                                        \
    uint32_t id = ids[i], slot = at != NULL ? at[i] : i;                                        \
    if (may_miss && id == TM_ROW_NONE) {                                                        \
      memset(&((type_name *)c->data)[slot], 0, sizeof(type_name));                              \
      continue;                                                                                 \
    }                                                                                           \
    const type_name *from = chunks[id >> TM_CHUNK_BITS].rows->columns[column].data;             \
    ((type_name *)c->data)[slot] = from[id & (TM_CHUNK_ROWS - 1)];                              \
  }

static void gather_valid(const tm_chunk *chunks, uint32_t column, const uint32_t *ids,
                         const uint32_t *at, uint32_t count, tm_column *c) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t id = ids[i], slot = at != NULL ? at[i] : i;
    if (id == TM_ROW_NONE) {
      c->valid[slot] = 0;
      continue;
    }
    const tm_column *from = &chunks[id >> TM_CHUNK_BITS].rows->columns[column];
    c->valid[slot] = !tm_column_is_null(from, id & (TM_CHUNK_ROWS - 1));
  }
}

int tm_row_store_gather(const tm_chunk *chunks, uint32_t column, const uint32_t *ids,
                        const uint32_t *at, uint32_t count, bool may_miss, tm_batch *out,
                        uint32_t out_column) {
  tm_column *c = &out->columns[out_column];
  bool nullable = may_miss;
  if (!nullable && count > 0) { /* chunks of one store are alike */
    nullable = chunks[ids[0] >> TM_CHUNK_BITS].rows->columns[column].valid != NULL;
  }
  if (tm_batch_column(out, out_column, nullable) < 0) return -1;
  if (nullable) gather_valid(chunks, column, ids, at, count, c);
  switch (tm_type_width(c->type)) {
    case 1: GATHER(uint8_t); break;
    case 4: GATHER(uint32_t); break;
    case 8: GATHER(uint64_t); break;
    default: GATHER(tm_str); break;
  }
  return 0;
}

void tm_row_store_times(const tm_chunk *chunks, const uint32_t *ids, uint32_t count,
                        int64_t *out) {
  for (uint32_t i = 0; i < count; i++) {
    const int64_t *times = chunks[ids[i] >> TM_CHUNK_BITS].rows->times;
    out[i] = times != NULL ? times[ids[i] & (TM_CHUNK_ROWS - 1)] : TM_TIME_NONE;
  }
}
