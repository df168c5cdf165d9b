/* format/msgpack_column.c: values of MessagePack to columns, one value at a time. Texts are taken
 * for numbers and times where JSON lines take them. */
#include <math.h>

#include "format/exact_number.h"
#include "format/msgpack.h"
#include "kernel/number_text.h"
#include "kernel/utf8.h"

enum { FITS = -1 }; /* else a tm_reason */

static int fault_of(int parsed) {
  switch (parsed) {
    case TM_PARSE_OK: return FITS;
    case TM_PARSE_RANGE: return TM_REASON_RANGE;
    case TM_PARSE_SCALE: return TM_REASON_SCALE;
    default: return TM_REASON_TYPE;
  }
}

static inline const char *text_of(const tm_msgpack_values *v, const tm_msgpack_value *value) {
  return (const char *)v->data + value->begin;
}

static int store_exact(const tm_msgpack_value *value, tm_type type, void *out) {
  char text[TM_PRINT_MAX];
  size_t size;
  if (value->kind == TM_MSGPACK_INT) size = tm_print_int64(text, value->integer);
  else if (value->kind == TM_MSGPACK_UINT) {
    size = tm_print_decimal(text, (__int128)value->natural, 0);
  } else if (value->number - value->number == 0) size = tm_print_float64(text, value->number);
  else return TM_REASON_TYPE;
  return fault_of(tm_exact_number_store(text, size, type, out));
}

static int store_number(const tm_msgpack_values *v, const tm_msgpack_value *value, tm_type type,
                        void *out) {
  const char *text = text_of(v, value);
  size_t size = value->end - value->begin;
  if (value->kind == TM_MSGPACK_STR) {
    if (type.kind == TM_INT32) return fault_of(tm_parse_int32(text, size, out));
    if (type.kind == TM_INT64) return fault_of(tm_parse_int64(text, size, out));
    return fault_of(type.precision <= TM_DECIMAL_SHORT
                        ? tm_parse_decimal64(text, size, type.precision, type.scale, out)
                        : tm_parse_decimal128(text, size, type.precision, type.scale, out));
  }
  if (value->kind == TM_MSGPACK_INT && type.kind == TM_INT64) {
    *(int64_t *)out = value->integer;
    return FITS;
  }
  if (value->kind < TM_MSGPACK_INT || value->kind > TM_MSGPACK_FLOAT) return TM_REASON_TYPE;
  return store_exact(value, type, out);
}

static int store_float(const tm_msgpack_value *value, double *out) {
  switch (value->kind) {
    case TM_MSGPACK_INT: *out = (double)value->integer; return FITS;
    case TM_MSGPACK_UINT: *out = (double)value->natural; return FITS;
    case TM_MSGPACK_FLOAT: *out = value->number; return FITS;
    default: return TM_REASON_TYPE;
  }
}

static int store_epoch(const tm_msgpack_values *v, const tm_msgpack_value *value, int64_t *out) {
  if (v->epoch_digits < 0) return TM_REASON_TYPE;
  tm_type us = tm_type_decimal(TM_DECIMAL_SHORT, 6 - v->epoch_digits);
  return store_exact(value, us, out);
}

static int store_text_time(const tm_msgpack_values *v, const tm_msgpack_value *value, tm_type type,
                           int64_t *out) {
  int offset, fault = fault_of(tm_parse_timestamp(text_of(v, value), value->end - value->begin,
                                                  out, &offset));
  if (fault != FITS) return fault;
  if (offset != TM_PARSE_NO_OFFSET) *out -= (int64_t)offset * 1000000;
  else if (type.zone != NULL && tm_zone_to_utc(type.zone, *out, out) == TM_ZONE_GAP) {
    return TM_REASON_ZONE_GAP;
  }
  return FITS;
}

static int store_time(const tm_msgpack_values *v, const tm_msgpack_value *value, tm_type type,
                      int64_t *out) {
  static const int faults[] = {FITS, TM_REASON_SCALE, TM_REASON_RANGE};
  switch (value->kind) {
    case TM_MSGPACK_STR: return store_text_time(v, value, type, out);
    case TM_MSGPACK_TIME: {
      int done = tm_msgpack_time(v->data, value, out);
      return done < 0 ? TM_REASON_TYPE : faults[done];
    }
    case TM_MSGPACK_INT:
    case TM_MSGPACK_UINT:
    case TM_MSGPACK_FLOAT: return store_epoch(v, value, out);
    default: return TM_REASON_TYPE;
  }
}

static int store(const tm_msgpack_values *v, const tm_msgpack_value *value, tm_type type,
                 void *out) {
  size_t size = value->end - value->begin;
  switch ((tm_kind)type.kind) {
    case TM_BOOL:
      *(uint8_t *)out = value->boolean;
      return value->kind == TM_MSGPACK_BOOL ? FITS : TM_REASON_TYPE;
    case TM_INT32:
    case TM_INT64:
    case TM_DECIMAL: return store_number(v, value, type, out);
    case TM_FLOAT64: return store_float(value, out);
    case TM_DATE:
      if (value->kind != TM_MSGPACK_STR) return TM_REASON_TYPE;
      return fault_of(tm_parse_date(text_of(v, value), size, out));
    case TM_TIMESTAMP: return store_time(v, value, type, out);
    default: return TM_REASON_TYPE;
  }
}

static int read_bytes(const tm_msgpack_values *v, tm_batch *batch, uint32_t column,
                      tm_faults *faults) {
  tm_column *c = &batch->columns[column];
  for (uint32_t i = 0; i < v->rows; i++) {
    const tm_msgpack_value *value = &v->values[i * v->stride];
    bool there = value->kind == TM_MSGPACK_BIN || value->kind == TM_MSGPACK_STR;
    /* A copy: only strings make a batch hold on to the block. */
    if (!tm_batch_text(batch, text_of(v, value), there ? value->end - value->begin : 0,
                       &((tm_str *)c->data)[i])) {
      return -1;
    }
    if (c->valid != NULL) c->valid[i] = there;
    bool null = value->kind == TM_MSGPACK_NIL;
    if (!there && !null) tm_faults_add(faults, i, TM_REASON_TYPE, column);
    if (null && c->type.not_null) tm_faults_add(faults, i, TM_REASON_NULL, column);
  }
  return 0;
}

int tm_msgpack_column_read(const tm_msgpack_values *v, tm_batch *batch, uint32_t column,
                           tm_faults *faults) {
  tm_column *c = &batch->columns[column];
  size_t width = tm_type_width(c->type);
  if (tm_batch_column(batch, column, !c->type.not_null) < 0) return -1;
  if (c->type.kind == TM_BYTES) return read_bytes(v, batch, column, faults);
  for (uint32_t i = 0; i < v->rows; i++) {
    const tm_msgpack_value *value = &v->values[i * v->stride];
    char *out = (char *)c->data + i * width;
    memset(out, 0, width);
    if (value->kind == TM_MSGPACK_NIL) {
      if (c->valid != NULL) c->valid[i] = 0;
      else tm_faults_add(faults, i, TM_REASON_NULL, column);
      continue;
    }
    int fault = store(v, value, c->type, out);
    if (fault != FITS) tm_faults_add(faults, i, (tm_reason)fault, column);
  }
  return 0;
}

void tm_msgpack_column_check(const tm_msgpack_values *v, tm_type type, uint32_t column,
                             tm_faults *faults) {
  for (uint32_t i = 0; i < v->rows; i++) {
    const tm_msgpack_value *value = &v->values[i * v->stride];
    if (value->kind == TM_MSGPACK_NIL) {
      if (type.not_null) tm_faults_add(faults, i, TM_REASON_NULL, column);
    } else if (value->kind != TM_MSGPACK_STR) {
      tm_faults_add(faults, i, TM_REASON_TYPE, column);
    } else if (!tm_utf8_valid(text_of(v, value), value->end - value->begin)) {
      tm_faults_add(faults, i, TM_REASON_ENCODING, column);
    }
  }
}

int tm_msgpack_column_make(const tm_msgpack_values *v, tm_batch *batch, uint32_t column,
                           bool *borrows) {
  if (tm_batch_column(batch, column, true) < 0) return -1;
  tm_column *c = &batch->columns[column];
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    const tm_msgpack_value *value = &v->values[row * v->stride];
    bool there = value->kind == TM_MSGPACK_STR;
    size_t size = there ? value->end - value->begin : 0;
    c->valid[row] = there;
    ((tm_str *)c->data)[row] = tm_str_make(text_of(v, value), size);
    if (size > TM_STR_INLINE) *borrows = true;
  }
  return 0;
}
