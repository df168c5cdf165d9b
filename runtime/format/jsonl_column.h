/* format/jsonl_column.h: values of JSON documents to columns, by the rules of reference.md. */
#ifndef TM_FORMAT_JSONL_COLUMN_H
#define TM_FORMAT_JSONL_COLUMN_H

#include "format/json_document.h"
#include "format/text_column.h"

/* One column of values: value i is values[i * stride]. Scratch as in tm_text_fields. */
typedef struct tm_jsonl_values {
  const char *data;
  const tm_json_value *values;
  size_t stride;
  uint32_t rows;
  bool utf8;
  uint32_t *begin, *end;
  uint8_t *status, *local;
} tm_jsonl_values;

/* As tm_text_column_read, _check, _make. */
int tm_jsonl_column_read(const tm_text_rules *rules, const tm_jsonl_values *values,
                         tm_batch *batch, uint32_t column, tm_faults *faults);
void tm_jsonl_column_check(const tm_jsonl_values *values, tm_type type, uint32_t column,
                           tm_faults *faults);
int tm_jsonl_column_make(const tm_jsonl_values *values, tm_batch *batch, uint32_t column,
                         bool *borrows);

#endif
