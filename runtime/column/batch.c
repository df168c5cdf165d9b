/* column/batch.c: the life of batches: counted references, pins, derived headers, copies.
 *
 * The header itself is allocated from the budget, everything else from the batch's arena. A
 * release on the last reference lets go of the pins in reverse order, then of the arena. */
#include "column/batch.h"

#include <assert.h>

tm_batch *tm_batch_create(tm_budget *budget, const tm_schema *schema, uint32_t rows) {
  tm_batch *batch = tm_alloc(budget, sizeof *batch);
  if (batch == NULL) return NULL;
  *batch = (tm_batch){.references = 1, .schema = schema, .rows = rows, .selected = rows,
                      .origin = {.source = UINT32_MAX}};
  tm_arena_init(&batch->arena, budget);
  uint32_t columns = schema->count > 0 ? schema->count : 1;
  batch->columns = tm_arena_zero(&batch->arena, columns * sizeof *batch->columns);
  if (batch->columns == NULL) {
    tm_batch_release(batch);
    return NULL;
  }
  for (uint32_t i = 0; i < schema->count; i++) batch->columns[i].type = schema->fields[i].type;
  return batch;
}

tm_batch *tm_batch_retain(tm_batch *batch) {
  __atomic_add_fetch(&batch->references, 1, __ATOMIC_RELAXED);
  return batch;
}

void tm_batch_release(tm_batch *batch) {
  if (batch == NULL) return;
  int left = __atomic_sub_fetch(&batch->references, 1, __ATOMIC_ACQ_REL);
  assert(left >= 0);
  if (left > 0) return;
  for (uint32_t i = batch->pin_count; i > 0; i--) {
    batch->pins[i - 1].release(batch->pins[i - 1].object);
  }
  tm_budget *budget = batch->arena.budget;
  tm_arena_deinit(&batch->arena);
  tm_free(budget, batch, sizeof *batch);
}

int tm_batch_pin(tm_batch *batch, void *object, void (*release)(void *)) {
  if (batch->pin_count == batch->pin_capacity) {
    uint32_t capacity = batch->pin_capacity == 0 ? 4 : batch->pin_capacity * 2;
    tm_pin *pins = tm_arena_alloc(&batch->arena, capacity * sizeof *pins);
    if (pins == NULL) return -1;
    if (batch->pin_count > 0) memcpy(pins, batch->pins, batch->pin_count * sizeof *pins);
    batch->pins = pins;
    batch->pin_capacity = capacity;
  }
  batch->pins[batch->pin_count++] = (tm_pin){object, release};
  return 0;
}

static void release_batch(void *object) { tm_batch_release(object); }

int tm_batch_pin_batch(tm_batch *batch, tm_batch *other) {
  if (tm_batch_pin(batch, other, release_batch) < 0) return -1;
  tm_batch_retain(other);
  return 0;
}

tm_batch *tm_batch_derive(tm_batch *base, tm_budget *budget, const tm_schema *schema) {
  tm_batch *batch = tm_batch_create(budget, schema, base->rows);
  if (batch == NULL) return NULL;
  if (tm_batch_pin_batch(batch, base) < 0) {
    tm_batch_release(batch);
    return NULL;
  }
  batch->selected = base->selected;
  batch->selection = base->selection;
  batch->weights = base->weights;
  batch->ordinals = base->ordinals;
  batch->times = base->times;
  batch->marks = base->marks;
  batch->origin = base->origin;
  batch->sequence = base->sequence;
  return batch;
}

tm_batch *tm_batch_own(tm_batch *taken, tm_budget *budget) {
  if (__atomic_load_n(&taken->references, __ATOMIC_ACQUIRE) == 1) return taken;
  tm_batch *own = tm_batch_derive(taken, budget, taken->schema);
  if (own != NULL) {
    memcpy(own->columns, taken->columns, taken->schema->count * sizeof *own->columns);
    own->ends_partition = taken->ends_partition;
  }
  tm_batch_release(taken);
  return own;
}

void *tm_batch_alloc(tm_batch *batch, size_t bytes) { return tm_arena_alloc(&batch->arena, bytes); }

/* Room for whole vectors: kernels may read (never rely on) up to 64 bytes beyond the last value. */
enum { COLUMN_SLACK = 64 };

int tm_batch_column(tm_batch *batch, uint32_t column, bool nullable) {
  tm_column *c = &batch->columns[column];
  c->data = tm_arena_alloc(&batch->arena, batch->rows * tm_type_width(c->type) + COLUMN_SLACK);
  c->valid = NULL;
  if (c->data == NULL) return -1;
  if (!nullable) return 0;
  c->valid = tm_arena_alloc(&batch->arena, batch->rows + COLUMN_SLACK);
  if (c->valid == NULL) return -1;
  memset(c->valid, 1, batch->rows);
  return 0;
}

bool tm_batch_text(tm_batch *batch, const char *text, size_t size, tm_str *out) {
  if (size > TM_STR_INLINE) {
    char *copy = tm_arena_alloc(&batch->arena, size);
    if (copy == NULL) return false;
    memcpy(copy, text, size);
    text = copy;
  }
  *out = tm_str_make(text, size);
  return true;
}

#define GATHER(type_name)                                                                       \
  do {                                                                                          \
    const type_name *from = in->data;                                                           \
    type_name *to = c->data;                                                                    \
    for (uint32_t i = 0; i < count; i++) to[i] = from[rows[i]];                                 \
  } while (0)

#define GATHER_MISSING(type_name)                                                               \
  do {                                                                                          \
    const type_name *from = in->data;                                                           \
    type_name *to = c->data;                                                                    \
    for (uint32_t i = 0; i < count; i++) {                                                      \
      if (rows[i] == UINT32_MAX) memset(&to[i], 0, sizeof to[i]);                               \
      else to[i] = from[rows[i]];                                                               \
    }                                                                                           \
  } while (0)

static void gather_valid(const tm_column *in, tm_column *c, const uint32_t *rows, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    c->valid[i] = rows[i] == UINT32_MAX ? 0 : in->valid == NULL ? 1 : in->valid[rows[i]];
  }
}

int tm_column_gather(tm_batch *out, uint32_t column, const tm_column *in, const uint32_t *rows,
                     uint32_t count, bool may_miss) {
  tm_column *c = &out->columns[column];
  assert(out->rows >= count);
  if (in->data == NULL && !may_miss) {
    c->data = NULL;
    c->valid = NULL;
    return 0;
  }
  if (tm_batch_column(out, column, may_miss || in->valid != NULL) < 0) return -1;
  if (c->valid != NULL) gather_valid(in, c, rows, count);
  size_t width = tm_type_width(c->type);
  assert(width == tm_type_width(in->type));
  if (may_miss) {
    if (width == 1) GATHER_MISSING(uint8_t);
    else if (width == 4) GATHER_MISSING(uint32_t);
    else if (width == 8) GATHER_MISSING(uint64_t);
    else GATHER_MISSING(tm_str);
  } else {
    if (width == 1) GATHER(uint8_t);
    else if (width == 4) GATHER(uint32_t);
    else if (width == 8) GATHER(uint64_t);
    else GATHER(tm_str);
  }
  return 0;
}

/* Strings of a gathered column still point into the source: give them bytes of their own. */
static int own_strings(tm_batch *batch, tm_column *c, uint32_t count) {
  tm_str *values = c->data;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (tm_column_is_null(c, i)) continue;
    if (values[i].size > TM_STR_INLINE) bytes += values[i].size;
  }
  if (bytes == 0) return 0;
  char *to = tm_arena_alloc(&batch->arena, bytes);
  if (to == NULL) return -1;
  for (uint32_t i = 0; i < count; i++) {
    if (tm_column_is_null(c, i) || values[i].size <= TM_STR_INLINE) continue;
    memcpy(to, values[i].pointer, values[i].size);
    values[i].pointer = to;
    to += values[i].size;
  }
  return 0;
}

static int compact_columns(tm_batch *out, const tm_batch *batch, const uint32_t *rows) {
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    const tm_column *in = &batch->columns[i];
    out->columns[i].type = in->type;
    if (in->data == NULL) continue;
    if (tm_column_gather(out, i, in, rows, batch->selected, false) < 0) return -1;
    if (tm_type_physical(in->type) != TM_PHYSICAL_STR) continue;
    if (own_strings(out, &out->columns[i], batch->selected) < 0) return -1;
  }
  return 0;
}

/* The values of the selected rows, next to each other; NULL stays NULL. */
static int compact_words(tm_batch *out, const int64_t *in, const uint32_t *rows, int64_t **to) {
  if (in == NULL) return 0;
  int64_t *values = tm_arena_alloc(&out->arena, (out->rows + 1) * sizeof *values);
  if (values == NULL) return -1;
  for (uint32_t i = 0; i < out->rows; i++) values[i] = in[rows[i]];
  *to = values;
  return 0;
}

static int compact_marks(tm_batch *out, const tm_batch *batch, const uint32_t *rows) {
  if (compact_words(out, (const int64_t *)batch->ordinals, rows, (int64_t **)&out->ordinals) < 0 ||
      compact_words(out, batch->times, rows, &out->times) < 0 ||
      compact_words(out, batch->marks, rows, &out->marks) < 0) {
    return -1;
  }
  if (batch->weights == NULL) return 0;
  out->weights = tm_arena_alloc(&out->arena, (batch->selected + 1) * sizeof *out->weights);
  if (out->weights == NULL) return -1;
  for (uint32_t i = 0; i < batch->selected; i++) out->weights[i] = batch->weights[rows[i]];
  return 0;
}

tm_batch *tm_batch_compact(const tm_batch *batch, tm_budget *budget) {
  tm_batch *out = tm_batch_create(budget, batch->schema, batch->selected);
  if (out == NULL) return NULL;
  out->origin = batch->origin;
  out->sequence = batch->sequence;
  out->ends_partition = batch->ends_partition;
  const uint32_t *rows = batch->selection;
  uint32_t *every = NULL;
  size_t every_bytes = (batch->rows + 1) * sizeof *every;
  if (rows == NULL) {
    every = tm_alloc(budget, every_bytes);
    for (uint32_t i = 0; every != NULL && i < batch->rows; i++) every[i] = i;
    rows = every;
  }
  bool done = rows != NULL && compact_columns(out, batch, rows) == 0 &&
              compact_marks(out, batch, rows) == 0;
  if (every != NULL) tm_free(budget, every, every_bytes);
  if (done) return out;
  tm_batch_release(out);
  return NULL;
}

size_t tm_batch_bytes(const tm_batch *batch) {
  size_t bytes = sizeof *batch;
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    const tm_column *c = &batch->columns[i];
    if (c->data == NULL) continue;
    bytes += batch->rows * tm_type_width(c->type) + (c->valid != NULL ? batch->rows : 0);
    if (tm_type_physical(c->type) != TM_PHYSICAL_STR) continue;
    const tm_str *values = c->data;
    for (uint32_t n = 0; n < batch->selected; n++) {
      uint32_t row = tm_batch_row(batch, n);
      if (tm_column_is_null(c, row)) continue;
      if (values[row].size > TM_STR_INLINE) bytes += values[row].size;
    }
  }
  return bytes;
}
