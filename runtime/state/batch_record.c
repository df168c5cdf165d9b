/* state/batch_record.c: see batch_record.h. Values go block by block through a buffer on the stack,
 * in the order of the selection; nulls are written as zeros, so that equal rows make equal
 * records. */
#include "state/batch_record.h"

enum { BLOCK_ROWS = 512, WIDTH_MAX = 16 };

int tm_record_refuse(tm_error *err) {
  return tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
}

/* ---------------------------------------------------------------- saving */

static void save_numbers(const tm_batch *batch, const void *data, const uint8_t *valid,
                         size_t width, tm_record_writer *writer) {
  char block[BLOCK_ROWS * WIDTH_MAX];
  for (uint32_t at = 0; at < batch->selected; at += BLOCK_ROWS) {
    uint32_t count = batch->selected - at < BLOCK_ROWS ? batch->selected - at : BLOCK_ROWS;
    for (uint32_t i = 0; i < count; i++) {
      uint32_t row = tm_batch_row(batch, at + i);
      if (valid == NULL || valid[row]) {
        memcpy(block + i * width, (const char *)data + row * width, width);
      } else {
        memset(block + i * width, 0, width);
      }
    }
    tm_record_put_bytes(writer, block, count * width);
  }
}

static void save_texts(const tm_batch *batch, const tm_column *c, tm_record_writer *writer) {
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    const tm_str *s = &((const tm_str *)c->data)[row];
    bool there = !tm_column_is_null(c, row);
    tm_record_put_bytes(writer, there ? tm_str_bytes(s) : "", there ? s->size : 0);
  }
}

static void save_column(const tm_batch *batch, const tm_column *c, tm_record_writer *writer) {
  tm_record_put(writer, c->data != NULL);
  if (c->data == NULL) return;
  tm_record_put(writer, c->valid != NULL);
  if (c->valid != NULL) save_numbers(batch, c->valid, NULL, 1, writer);
  if (tm_type_physical(c->type) == TM_PHYSICAL_STR) {
    save_texts(batch, c, writer);
  } else {
    save_numbers(batch, c->data, c->valid, tm_type_width(c->type), writer);
  }
}

/* Numbers that stand beside the rows. */
static void save_marks(const tm_batch *batch, const void *marks, size_t width,
                       tm_record_writer *writer) {
  tm_record_put(writer, marks != NULL);
  if (marks != NULL) save_numbers(batch, marks, NULL, width, writer);
}

void tm_batch_record_save(const tm_batch *batch, tm_record_writer *writer) {
  tm_record_put(writer, batch->selected);
  tm_record_put(writer, batch->sequence);
  tm_record_put(writer, batch->origin.source);
  tm_record_put(writer, batch->origin.file_index);
  tm_record_put(writer, batch->origin.file != NULL);
  const char *file = batch->origin.file != NULL ? batch->origin.file : "";
  tm_record_put_bytes(writer, file, strlen(file));
  save_marks(batch, batch->ordinals, sizeof *batch->ordinals, writer);
  save_marks(batch, batch->times, sizeof *batch->times, writer);
  save_marks(batch, batch->marks, sizeof *batch->marks, writer);
  save_marks(batch, batch->weights, sizeof *batch->weights, writer);
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    save_column(batch, &batch->columns[i], writer);
  }
}

/* ---------------------------------------------------------------- restoring */

static void restore_numbers(uint32_t rows, void *data, size_t width, tm_record_reader *reader) {
  for (uint32_t at = 0; at < rows; at += BLOCK_ROWS) {
    uint32_t count = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS;
    tm_record_get_bytes(reader, (char *)data + at * width, count * width);
  }
}

static bool at_most_one(const uint8_t *bytes, uint32_t count) {
  uint8_t any = 0;
  for (uint32_t i = 0; i < count; i++) any |= bytes[i];
  return any <= 1;
}

/* 0, or -1 when out of memory. */
static int restore_texts(tm_batch *batch, tm_column *c, tm_record_reader *reader) {
  for (uint32_t i = 0; i < batch->rows; i++) {
    size_t size = 0;
    const uint8_t *bytes = tm_record_view(reader, &size);
    if (reader->failed) return 0;
    if (!tm_batch_text(batch, (const char *)bytes, size, &((tm_str *)c->data)[i])) return -1;
  }
  return 0;
}

/* 0, or -1 when out of memory; what is malformed is in reader->failed. */
static int restore_column(tm_batch *batch, uint32_t column, tm_record_reader *reader) {
  tm_column *c = &batch->columns[column];
  if (!tm_record_get(reader, 1) || reader->failed) return 0;
  bool nullable = tm_record_get(reader, 1);
  if (batch->rows > (size_t)(reader->end - reader->at)) reader->failed = true; /* a byte a row */
  if (reader->failed) return 0;
  if (tm_batch_column(batch, column, nullable) < 0) return -1;
  if (nullable) {
    restore_numbers(batch->rows, c->valid, 1, reader);
    if (!at_most_one(c->valid, batch->rows)) reader->failed = true;
  }
  if (tm_type_physical(c->type) == TM_PHYSICAL_STR) return restore_texts(batch, c, reader);
  restore_numbers(batch->rows, c->data, tm_type_width(c->type), reader);
  if (c->type.kind == TM_BOOL && !at_most_one(c->data, batch->rows)) reader->failed = true;
  return 0;
}

/* Numbers that stand beside the rows. 0 or -1 (memory). */
static int restore_marks(tm_batch *batch, size_t width, void **out, tm_record_reader *reader) {
  if (!tm_record_get(reader, 1)) return 0;
  if (batch->rows > (size_t)(reader->end - reader->at)) reader->failed = true;
  if (reader->failed) return 0;
  *out = tm_batch_alloc(batch, (batch->rows + 1) * width);
  if (*out == NULL) return -1;
  restore_numbers(batch->rows, *out, width, reader);
  return 0;
}

static int restore_origin(tm_batch *batch, tm_arena *names, tm_record_reader *reader) {
  batch->sequence = tm_record_get(reader, UINT64_MAX);
  batch->origin.source = (uint32_t)tm_record_get(reader, UINT32_MAX);
  batch->origin.file_index = (uint32_t)tm_record_get(reader, UINT32_MAX);
  bool named = tm_record_get(reader, 1);
  size_t size = 0;
  const char *file = (const char *)tm_record_view(reader, &size);
  if (!named || reader->failed) return 0;
  batch->origin.file = tm_arena_text(names, file, size);
  return batch->origin.file == NULL ? -1 : 0;
}

tm_batch *tm_batch_record_restore(tm_record_reader *reader, tm_budget *budget,
                                  const tm_schema *schema, tm_arena *names, tm_error *err) {
  uint32_t rows = (uint32_t)tm_record_get(reader, UINT32_MAX - 1);
  tm_batch *batch = tm_batch_create(budget, schema, rows);
  void *ordinals = NULL, *weights = NULL, *times = NULL, *marks = NULL;
  int done = batch == NULL ? -1 : restore_origin(batch, names, reader);
  if (done == 0) done = restore_marks(batch, sizeof *batch->ordinals, &ordinals, reader);
  if (done == 0) done = restore_marks(batch, sizeof *batch->times, &times, reader);
  if (done == 0) done = restore_marks(batch, sizeof *batch->marks, &marks, reader);
  if (done == 0) done = restore_marks(batch, sizeof *batch->weights, &weights, reader);
  for (uint32_t i = 0; i < schema->count && done == 0; i++) {
    done = restore_column(batch, i, reader);
  }
  if (done == 0 && !reader->failed) {
    batch->ordinals = ordinals;
    batch->times = times;
    batch->marks = marks;
    batch->weights = weights;
    return batch;
  }
  tm_batch_release(batch);
  if (done < 0) tm_fail(err, TM_E_MEMORY, "out of memory while restoring state");
  else tm_record_refuse(err);
  return NULL;
}
