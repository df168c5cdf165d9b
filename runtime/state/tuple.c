/* state/tuple.c: see tuple.h. Signed numbers get their sign flipped, doubles become words in the
 * order -inf … -0 0 … inf NaN, 128 bits are the upper word before the lower; a part that descends
 * is inverted. Strings alone need a look at their bytes. */
#include "state/tuple.h"

#include <assert.h>

#define SIGN (UINT64_C(1) << 63)

static bool is_text(tm_type type) { return tm_type_physical(type) == TM_PHYSICAL_STR; }

static uint32_t words_of(tm_type type) { return tm_type_width(type) == 16 ? 2 : 1; }

void tm_tuple_init(tm_tuple_spec *spec, tm_tuple_part *parts, uint32_t part_count) {
  *spec = (tm_tuple_spec){.parts = parts, .part_count = part_count};
  for (uint32_t i = 0; i < part_count; i++) {
    parts[i].at = spec->words;
    spec->words += parts[i].nullable + words_of(parts[i].type);
    spec->text |= is_text(parts[i].type);
  }
}

/* ------------------------------------------------------------------ values as words */

static uint64_t rank_double(double value, bool folds) {
  uint64_t bits;
  if (value != value) return UINT64_MAX;
  if (folds) value += 0.0; /* -0 becomes 0 */
  memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | SIGN;
}

double tm_tuple_double(uint64_t rank) {
  uint64_t bits = rank >> 63 ? rank & ~SIGN : ~rank;
  if (rank == UINT64_MAX) bits = UINT64_C(0x7ff8000000000000);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void write_value(const tm_tuple_part *part, const void *data, uint32_t row, uint64_t *out) {
  const uint64_t flip = part->descending ? UINT64_MAX : 0;
  switch (tm_type_physical(part->type)) {
    case TM_PHYSICAL_U8: out[0] = ((const uint8_t *)data)[row] ^ flip; return;
    case TM_PHYSICAL_I32:
      out[0] = ((uint64_t)(int64_t)((const int32_t *)data)[row] ^ SIGN) ^ flip;
      return;
    case TM_PHYSICAL_I64: out[0] = (((const uint64_t *)data)[row] ^ SIGN) ^ flip; return;
    case TM_PHYSICAL_F64:
      out[0] = rank_double(((const double *)data)[row], part->folds) ^ flip;
      return;
    case TM_PHYSICAL_I128: {
      __int128 value = ((const __int128 *)data)[row];
      out[0] = ((uint64_t)(value >> 64) ^ SIGN) ^ flip;
      out[1] = (uint64_t)value ^ flip;
      return;
    }
    case TM_PHYSICAL_STR: memcpy(out, &((const tm_str *)data)[row], sizeof(tm_str)); return;
  }
}

void tm_tuple_write_parts(const tm_tuple_spec *spec, uint32_t from, uint32_t count,
                          const tm_column *const *columns, uint32_t row, uint64_t *out) {
  for (uint32_t i = from; i < from + count; i++) {
    const tm_tuple_part *part = &spec->parts[i];
    const tm_column *column = columns[i];
    uint64_t *to = out + part->at;
    bool null = tm_column_is_null(column, row);
    assert(part->nullable || !null);
    if (part->nullable) *to++ = null;
    if (null) memset(to, 0, words_of(part->type) * sizeof *to);
    else write_value(part, column->data, row, to);
  }
}

#define WORDS(type_name, convert)                                                               \
  do {                                                                                          \
    const type_name *restrict in = column->data;                                                \
    for (uint32_t i = 0; i < count; i++) {                                                      \
      uint32_t row = rows == NULL ? i : rows[i];                                                \
      out[i] = convert(in[row]) ^ flip;                                                         \
    }                                                                                           \
  } while (0)
#define AS_SIGNED(value) ((uint64_t)(int64_t)(value) ^ SIGN)
#define AS_DOUBLE(value) rank_double(value, folds)

void tm_tuple_write_words(const tm_tuple_spec *spec, const tm_column *column, const uint32_t *rows,
                          uint32_t count, uint64_t *restrict out) {
  const tm_tuple_part *part = &spec->parts[0];
  const uint64_t flip = part->descending ? UINT64_MAX : 0;
  const bool folds = part->folds;
  assert(spec->part_count == 1 && spec->words == 1);
  switch (tm_type_physical(part->type)) {
    case TM_PHYSICAL_U8: WORDS(uint8_t, (uint64_t)); return;
    case TM_PHYSICAL_I32: WORDS(int32_t, AS_SIGNED); return;
    case TM_PHYSICAL_I64: WORDS(int64_t, AS_SIGNED); return;
    case TM_PHYSICAL_F64: WORDS(double, AS_DOUBLE); return;
    case TM_PHYSICAL_I128:
    case TM_PHYSICAL_STR: assert(!"more than a word");
  }
}

int tm_tuple_compare_texts(const tm_tuple_spec *spec, const uint64_t *a, const uint64_t *b,
                           uint32_t parts) {
  for (uint32_t i = 0; i < parts; i++) {
    const tm_tuple_part *part = &spec->parts[i];
    const uint64_t *x = a + part->at, *y = b + part->at;
    if (part->nullable) {
      if (*x != *y) return *x < *y ? -1 : 1;
      x++;
      y++;
    }
    if (x[0] == y[0] && (words_of(part->type) == 1 || x[1] == y[1])) continue;
    if (is_text(part->type)) {
      tm_str s, t;
      memcpy(&s, x, sizeof s);
      memcpy(&t, y, sizeof t);
      int order = tm_str_compare(&s, &t);
      if (order != 0) return part->descending ? -order : order;
      continue;
    }
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : 1;
  }
  return 0;
}

/* ------------------------------------------------------------------ words as values */

static void read_number(const tm_tuple_part *part, const uint64_t *from, void *data,
                        uint32_t row) {
  const uint64_t flip = part->descending ? UINT64_MAX : 0, word = from[0] ^ flip;
  switch (tm_type_physical(part->type)) {
    case TM_PHYSICAL_U8: ((uint8_t *)data)[row] = (uint8_t)word; return;
    case TM_PHYSICAL_I32: ((int32_t *)data)[row] = (int32_t)(int64_t)(word ^ SIGN); return;
    case TM_PHYSICAL_I64: ((uint64_t *)data)[row] = word ^ SIGN; return;
    case TM_PHYSICAL_F64: ((double *)data)[row] = tm_tuple_double(word); return;
    case TM_PHYSICAL_I128:
      ((__int128 *)data)[row] =
          (__int128)((unsigned __int128)(word ^ SIGN) << 64 | (from[1] ^ flip));
      return;
    case TM_PHYSICAL_STR: return;
  }
}

static bool read_text(const uint64_t *from, tm_batch *out, tm_column *column, uint32_t row) {
  tm_str text;
  memcpy(&text, from, sizeof text);
  if (text.size <= TM_STR_INLINE) {
    ((tm_str *)column->data)[row] = text;
    return true;
  }
  return tm_batch_text(out, text.pointer, text.size, &((tm_str *)column->data)[row]);
}

int tm_tuple_read(const tm_tuple_spec *spec, uint32_t part_index, const uint64_t *const *tuples,
                  const uint32_t *at, uint32_t count, tm_batch *out, uint32_t column_index) {
  const tm_tuple_part *part = &spec->parts[part_index];
  tm_column *column = &out->columns[column_index];
  bool text = is_text(part->type);
  assert(tm_type_physical(part->type) == tm_type_physical(column->type));
  for (uint32_t i = 0; i < count; i++) {
    if (tuples[i] == NULL) continue;
    const uint64_t *from = tuples[i] + part->at;
    uint32_t row = at == NULL ? i : at[i];
    if (part->nullable && *from++ != 0) {
      column->valid[row] = 0;
      memset((char *)column->data + row * tm_type_width(column->type), 0,
             tm_type_width(column->type));
    } else if (!text) {
      read_number(part, from, column->data, row);
    } else if (!read_text(from, out, column, row)) {
      return -1;
    }
  }
  return 0;
}

/* ------------------------------------------------------------------ strings of their own */

static uint64_t *text_at(const tm_tuple_part *part, uint64_t *tuple) {
  return tuple + part->at + part->nullable;
}

bool tm_tuple_keep(const tm_tuple_spec *spec, uint64_t *tuple, tm_slab *slab) {
  for (uint32_t i = 0; spec->text && i < spec->part_count; i++) {
    if (!is_text(spec->parts[i].type)) continue;
    uint64_t *at = text_at(&spec->parts[i], tuple);
    tm_str text;
    memcpy(&text, at, sizeof text);
    if (text.size <= TM_STR_INLINE) continue;
    if (tm_slab_keep(slab, &text, &text)) {
      memcpy(at, &text, sizeof text);
      continue;
    }
    while (i-- > 0) {
      if (!is_text(spec->parts[i].type)) continue;
      memcpy(&text, text_at(&spec->parts[i], tuple), sizeof text);
      tm_slab_drop(slab, &text);
    }
    return false;
  }
  return true;
}

void tm_tuple_drop(const tm_tuple_spec *spec, const uint64_t *tuple, tm_slab *slab) {
  for (uint32_t i = 0; spec->text && i < spec->part_count; i++) {
    const tm_tuple_part *part = &spec->parts[i];
    if (!is_text(part->type)) continue;
    tm_str text;
    memcpy(&text, tuple + part->at + part->nullable, sizeof text);
    tm_slab_drop(slab, &text);
  }
}

/* ------------------------------------------------------------------ saving */

void tm_tuple_save(const tm_tuple_spec *spec, const uint64_t *tuple, tm_record_writer *writer) {
  for (uint32_t i = 0; i < spec->part_count; i++) {
    const tm_tuple_part *part = &spec->parts[i];
    const uint64_t *from = tuple + part->at;
    if (part->nullable) {
      tm_record_put(writer, *from);
      if (*from++ != 0) continue;
    }
    if (is_text(part->type)) {
      tm_str text;
      memcpy(&text, from, sizeof text);
      tm_record_put_bytes(writer, tm_str_bytes(&text), text.size);
    } else {
      for (uint32_t w = 0; w < words_of(part->type); w++) tm_record_put(writer, from[w]);
    }
  }
}

void tm_tuple_restore(const tm_tuple_spec *spec, uint64_t *out, tm_record_reader *reader) {
  memset(out, 0, spec->words * sizeof *out);
  for (uint32_t i = 0; i < spec->part_count && !reader->failed; i++) {
    const tm_tuple_part *part = &spec->parts[i];
    uint64_t *to = out + part->at;
    if (part->nullable) {
      *to = tm_record_get(reader, 1);
      if (*to++ != 0) continue;
    }
    if (is_text(part->type)) {
      size_t size = 0;
      const char *bytes = (const char *)tm_record_view(reader, &size);
      tm_str text = tm_str_make(reader->failed ? "" : bytes, reader->failed ? 0 : size);
      memcpy(to, &text, sizeof text);
    } else {
      for (uint32_t w = 0; w < words_of(part->type); w++) to[w] = tm_record_get(reader, UINT64_MAX);
    }
  }
}
