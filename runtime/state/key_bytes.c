/* state/key_bytes.c: a byte that tells nulls, then the value: numbers big-endian with their sign
 * turned, strings with every 0 as 0 255 and 0 0 behind the last byte. */
#include "state/key_bytes.h"

#include <assert.h>

#include "kernel/key_words.h"
#include "kernel/utf8.h"

enum { THERE = 1, WORD_BYTES = 8, WIDE_BYTES = 16 };
#define TOP_BIT (UINT64_C(1) << 63)

/* ------------------------------------------------------------------ writing */

static void put_word(uint8_t *out, uint64_t word) {
  for (int i = WORD_BYTES - 1; i >= 0; i--, word >>= 8) out[i] = (uint8_t)word;
}

static uint64_t get_word(const uint8_t *in) {
  uint64_t word = 0;
  for (int i = 0; i < WORD_BYTES; i++) word = word << 8 | in[i];
  return word;
}

static uint64_t float_word(double value) {
  uint64_t bits = tm_key_float(value); /* NaN is positive, and so the greatest */
  return bits & TOP_BIT ? ~bits : bits | TOP_BIT;
}

static bool write_text(const tm_str *text, tm_bytes *out) {
  const char *bytes = tm_str_bytes(text), *end = bytes + text->size;
  if (!tm_bytes_reserve(out, text->size + 3)) return false;
  out->data[out->size++] = THERE;
  while (bytes < end) {
    const char *zero = memchr(bytes, 0, (size_t)(end - bytes));
    size_t plain = (size_t)((zero == NULL ? end : zero) - bytes);
    if (!tm_bytes_append(out, bytes, plain)) return false;
    bytes += plain;
    if (zero == NULL) break;
    if (!tm_bytes_append(out, "\0\xff", 2)) return false;
    bytes++;
  }
  return tm_bytes_append(out, "\0\0", 2);
}

static uint64_t word_of(const tm_column *column, uint32_t row) {
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: return ((const uint8_t *)column->data)[row] ^ TOP_BIT;
    case TM_PHYSICAL_I32:
      return (uint64_t)(int64_t)((const int32_t *)column->data)[row] ^ TOP_BIT;
    case TM_PHYSICAL_F64: return float_word(((const double *)column->data)[row]);
    default: return (uint64_t)((const int64_t *)column->data)[row] ^ TOP_BIT;
  }
}

static bool write_number(const tm_column *column, uint32_t row, tm_bytes *out) {
  if (!tm_bytes_reserve(out, 1 + WIDE_BYTES)) return false;
  uint8_t *at = out->data + out->size;
  *at++ = THERE;
  if (tm_type_physical(column->type) == TM_PHYSICAL_I128) {
    unsigned __int128 wide = (unsigned __int128)((const __int128 *)column->data)[row];
    put_word(at, (uint64_t)(wide >> 64) ^ TOP_BIT);
    put_word(at + WORD_BYTES, (uint64_t)wide);
    at += WIDE_BYTES;
  } else {
    put_word(at, word_of(column, row));
    at += WORD_BYTES;
  }
  out->size = (size_t)(at - out->data);
  return true;
}

bool tm_key_bytes_write(const tm_column *const *columns, uint32_t count, uint32_t row,
                        tm_bytes *out) {
  tm_bytes_clear(out);
  return tm_key_bytes_append(columns, count, row, out);
}

bool tm_key_bytes_append(const tm_column *const *columns, uint32_t count, uint32_t row,
                         tm_bytes *out) {
  for (uint32_t i = 0; i < count; i++) {
    const tm_column *column = columns[i];
    bool done;
    if (column->type.kind == TM_NULLTYPE || tm_column_is_null(column, row)) {
      done = tm_bytes_append_byte(out, 0);
    } else if (tm_type_physical(column->type) == TM_PHYSICAL_STR) {
      done = write_text(&((const tm_str *)column->data)[row], out);
    } else {
      done = write_number(column, row, out);
    }
    if (!done) return false;
  }
  return true;
}

/* ------------------------------------------------------------------ reading */

typedef struct reading { const uint8_t *at, *end; } reading;

/* The size of a string without its escapes; -1: it has no end, or an odd byte behind a 0. */
static int64_t measure_text(const reading *r) {
  int64_t size = 0;
  for (const uint8_t *at = r->at; at < r->end; at++, size++) {
    if (*at != 0) continue;
    if (++at == r->end) return -1;
    if (*at == 0) return size;
    if (*at != 0xff) return -1;
  }
  return -1;
}

static int64_t word_value(const uint8_t *at) { return (int64_t)(get_word(at) ^ TOP_BIT); }

static double float_value(const uint8_t *at) {
  uint64_t word = get_word(at);
  return tm_key_to_float(word & TOP_BIT ? word & ~TOP_BIT : ~word);
}

/* A 0 is a character of its own, so that what stands between them is checked by itself. */
static bool check_text(reading *r, tm_type type) {
  int64_t size = measure_text(r);
  if (size < 0 || size > UINT32_MAX) return false;
  for (;;) {
    const uint8_t *zero = memchr(r->at, 0, (size_t)(r->end - r->at));
    if (type.kind == TM_STRING && !tm_utf8_valid((const char *)r->at, (size_t)(zero - r->at))) {
      return false;
    }
    r->at = zero + 2;
    if (zero[1] == 0) return true;
  }
}

static bool check_number(reading *r, tm_type type) {
  tm_physical physical = tm_type_physical(type);
  int size = physical == TM_PHYSICAL_I128 ? WIDE_BYTES : WORD_BYTES;
  if (r->end - r->at < size) return false;
  int64_t value = word_value(r->at);
  bool fits = true;
  if (physical == TM_PHYSICAL_U8) fits = value == 0 || value == 1;
  if (physical == TM_PHYSICAL_I32) fits = value == (int32_t)value;
  if (physical == TM_PHYSICAL_F64) fits = float_word(float_value(r->at)) == get_word(r->at);
  r->at += size;
  return fits;
}

bool tm_key_bytes_check(const uint8_t *bytes, size_t size, const tm_type *types, uint32_t count) {
  reading r = {bytes, bytes + size};
  for (uint32_t i = 0; i < count; i++) {
    if (r.at == r.end || *r.at > THERE) return false;
    bool there = *r.at++ == THERE;
    if (there ? types[i].kind == TM_NULLTYPE : types[i].not_null) return false;
    if (!there) continue;
    bool text = tm_type_physical(types[i]) == TM_PHYSICAL_STR;
    if (!(text ? check_text(&r, types[i]) : check_number(&r, types[i]))) return false;
  }
  return r.at == r.end;
}

static int read_text(reading *r, tm_batch *out, tm_column *column, uint32_t row) {
  int64_t size = measure_text(r);
  assert(size >= 0);
  char *text = tm_batch_alloc(out, (size_t)size + 1);
  if (text == NULL) return -1;
  for (int64_t i = 0; i < size; i++) {
    text[i] = (char)*r->at;
    r->at += *r->at == 0 ? 2 : 1;
  }
  r->at += 2;
  ((tm_str *)column->data)[row] = tm_str_make(text, (size_t)size);
  return 0;
}

static void read_number(reading *r, tm_column *column, uint32_t row) {
  int64_t value = word_value(r->at);
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: ((uint8_t *)column->data)[row] = (uint8_t)value; break;
    case TM_PHYSICAL_I32: ((int32_t *)column->data)[row] = (int32_t)value; break;
    case TM_PHYSICAL_F64: ((double *)column->data)[row] = float_value(r->at); break;
    case TM_PHYSICAL_I128:
      ((__int128 *)column->data)[row] =
          (__int128)((unsigned __int128)(uint64_t)value << 64 | get_word(r->at + WORD_BYTES));
      r->at += WORD_BYTES;
      break;
    default: ((int64_t *)column->data)[row] = value; break;
  }
  r->at += WORD_BYTES;
}

int tm_key_bytes_read(const uint8_t *bytes, size_t size, uint32_t count, tm_batch *out,
                      uint32_t row) {
  reading r = {bytes, bytes + size};
  for (uint32_t i = 0; i < count; i++) {
    tm_column *column = &out->columns[i];
    bool there = *r.at++ == THERE;
    assert(there || column->valid != NULL);
    if (column->valid != NULL) column->valid[row] = there;
    if (!there) continue;
    if (tm_type_physical(column->type) != TM_PHYSICAL_STR) read_number(&r, column, row);
    else if (read_text(&r, out, column, row) < 0) return -1;
  }
  assert(r.at == r.end);
  return 0;
}
