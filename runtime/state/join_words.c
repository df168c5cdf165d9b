/* state/join_words.c: values as words that order; see join_runs.h. */
#include <string.h>

#include "kernel/cast.h"
#include "kernel/key_words.h"
#include "state/join_runs.h"

static int64_t float_word(double value) {
  int64_t word = (int64_t)tm_key_float(value); /* NaN is positive, and so the greatest */
  return word < 0 ? word ^ INT64_MAX : word;
}

static int64_t text_word(const tm_str *s) {
  uint64_t word = 0;
  memcpy(&word, tm_str_bytes(s), s->size < 8 ? s->size : 8);
  return (int64_t)(__builtin_bswap64(word) ^ UINT64_C(1) << 63);
}

#define WORDS(type_name, expression)                                                            \
  for (uint32_t i = 0; i < rows; i++) {                                                         \
    const type_name value = ((const type_name *)column->data)[i];                               \
    out[i] = (int64_t)(expression);                                                             \
  }

/* Dead rows' strings point nowhere. */
static void write_texts(const tm_column *column, const tm_batch *of, int64_t *out) {
  for (uint32_t i = 0; i < of->selected; i++) {
    uint32_t row = tm_batch_row(of, i);
    bool there = !tm_column_is_null(column, row);
    out[row] = there ? text_word(&((const tm_str *)column->data)[row]) : 0;
  }
}

static void write_words(const tm_column *column, const tm_batch *of, int64_t *out) {
  uint32_t rows = of->rows;
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: WORDS(uint8_t, value); break;
    case TM_PHYSICAL_I32: WORDS(int32_t, value); break;
    case TM_PHYSICAL_I64: WORDS(int64_t, value); break;
    case TM_PHYSICAL_F64: WORDS(double, float_word(value)); break;
    case TM_PHYSICAL_I128: WORDS(__int128, value >> 64); break;
    case TM_PHYSICAL_STR: write_texts(column, of, out); break;
  }
}

int tm_join_words(tm_budget *budget, const tm_join_order *order, const tm_batch *batch,
                  uint32_t column, int64_t *out) {
  tm_batch *owner = tm_batch_create(budget, order->type, batch->rows);
  int done = owner == NULL ? -1 : tm_cast_widen(owner, 0, &batch->columns[column]);
  if (done == 0) write_words(&owner->columns[0], batch, out);
  tm_batch_release(owner);
  return done;
}
