/* format/assemble.h: the order in which the columns of a batch are made; the same for every format.
 *
 * 1. every column that can fail is read or checked, 2. rows at fault are refused, 3. the filters
 * narrow the selection, 4. strings that no filter read are made for the rows that are left. So
 * filters never change which rows are refused, and strings that nobody gets are never made. */
#ifndef TM_FORMAT_ASSEMBLE_H
#define TM_FORMAT_ASSEMBLE_H

#include "format/format.h"
#include "format/text_column.h"

/* What a parser does for the rows of one batch, a column at a time. */
typedef struct tm_assembly {
  const tm_reading *reading;
  const tm_parser_hooks *hooks;
  tm_block *block;
  uint64_t number; /* of the batch within its block */
  uint8_t *fault_reasons; /* scratch: room for every row */
  uint32_t *fault_columns;
  void *parser;
  /* As tm_text_column_read, _check, _make. */
  int (*read)(void *parser, tm_batch *batch, uint32_t column, tm_faults *faults);
  void (*check)(void *parser, const tm_batch *batch, uint32_t column, tm_faults *faults);
  int (*make)(void *parser, tm_batch *batch, uint32_t column, bool *borrows);
  /* Hands a row at fault to the hooks. 0 or -1. */
  int (*refuse)(void *parser, uint32_t row, const tm_faults *faults, tm_error *err);
  void (*lines)(void *parser, uint64_t *out, uint32_t rows);
} tm_assembly;

/* Fills an empty batch. 0 or -1. */
int tm_assemble(const tm_assembly *assembly, tm_batch *batch, tm_error *err);

/* Text for the strings of any column? Then a block's UTF-8 matters. */
bool tm_assemble_wants_strings(const tm_reading *reading);

#endif
