/* kernel/key_words.c: loops that bring key columns into normal form, and back. */
#include "kernel/key_words.h"

#include <assert.h>

/* One loop a physical type, each in a dense and a gathered form. */
#define WIDEN(type_name, convert)                                                               \
  do {                                                                                          \
    const type_name *restrict in = column->data;                                                \
    if (rows == NULL) {                                                                         \
      for (uint32_t i = 0; i < count; i++) out[i] = convert(in[i]);                             \
    } else {                                                                                    \
      for (uint32_t i = 0; i < count; i++) out[i] = convert(in[rows[i]]);                       \
    }                                                                                           \
  } while (0)

#define AS_SIGNED(value) ((uint64_t)(int64_t)(value))

static void widen(const tm_column *column, const uint32_t *restrict rows, uint32_t count,
                  uint64_t *restrict out) {
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: WIDEN(uint8_t, AS_SIGNED); return;
    case TM_PHYSICAL_I32: WIDEN(int32_t, AS_SIGNED); return;
    case TM_PHYSICAL_I64: WIDEN(int64_t, AS_SIGNED); return;
    case TM_PHYSICAL_F64: WIDEN(double, tm_key_float); return;
    case TM_PHYSICAL_I128:
    case TM_PHYSICAL_STR: break;
  }
  assert(!"a column of pairs has no words");
}

const uint64_t *tm_key_words(const tm_column *column, const uint32_t *rows, uint32_t count,
                             uint64_t *scratch) {
  const uint8_t *valid = column->valid;
  if (rows == NULL && valid == NULL && tm_type_physical(column->type) == TM_PHYSICAL_I64) {
    return column->data;
  }
  widen(column, rows, count, scratch);
  if (valid == NULL) return scratch;
  if (rows == NULL) {
    for (uint32_t i = 0; i < count; i++) scratch[i] = valid[i] ? scratch[i] : 0;
  } else {
    for (uint32_t i = 0; i < count; i++) scratch[i] = valid[rows[i]] ? scratch[i] : 0;
  }
  return scratch;
}

const tm_str *tm_key_pairs(const tm_column *column, const uint32_t *rows, uint32_t count,
                           tm_str *scratch) {
  const tm_str *restrict in = column->data;
  const uint8_t *valid = column->valid;
  tm_str *restrict out = scratch;
  assert(tm_key_is_pair(column->type));
  if (rows == NULL && valid == NULL) return in;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = rows == NULL ? i : rows[i];
    uint64_t mask = valid == NULL || valid[row] ? UINT64_MAX : 0;
    out[i].words[0] = in[row].words[0] & mask;
    out[i].words[1] = in[row].words[1] & mask;
  }
  return scratch;
}

const uint8_t *tm_key_valid(const tm_column *column, const uint32_t *rows, uint32_t count,
                            uint8_t *scratch) {
  const uint8_t *valid = column->valid;
  if (valid == NULL) return NULL;
  if (rows != NULL) {
    for (uint32_t i = 0; i < count; i++) scratch[i] = valid[rows[i]];
    valid = scratch;
  }
  return memchr(valid, 0, count) == NULL ? NULL : valid;
}

void tm_key_words_write(tm_type type, const uint64_t *words, uint32_t count, void *out) {
  switch (tm_type_physical(type)) {
    case TM_PHYSICAL_U8:
      for (uint32_t i = 0; i < count; i++) ((uint8_t *)out)[i] = (uint8_t)words[i];
      return;
    case TM_PHYSICAL_I32:
      for (uint32_t i = 0; i < count; i++) ((int32_t *)out)[i] = (int32_t)words[i];
      return;
    case TM_PHYSICAL_I64:
    case TM_PHYSICAL_F64: memcpy(out, words, count * sizeof *words); return;
    case TM_PHYSICAL_I128:
    case TM_PHYSICAL_STR: break;
  }
  assert(!"a column of pairs has no words");
}
