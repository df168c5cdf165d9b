/* format/msgpack.h: what the files of MessagePack share: a file is maps, one behind the other.
 *
 * Types that MessagePack lacks are written as strings (decimals, dates), timestamps as its own
 * timestamp extension, bytes as bin. Reading takes texts as JSON lines do. */
#ifndef TM_FORMAT_MSGPACK_H
#define TM_FORMAT_MSGPACK_H

#include "format/format.h"
#include "format/msgpack_document.h"
#include "format/text_column.h"

int tm_msgpack_sniff(tm_arena *arena, const tm_format_options *options, const tm_schema *schema,
                     const char *file, const char *data, size_t size, bool whole, tm_sniffed *out,
                     tm_error *err);

/* One column of values: value i is values[i * stride]. */
typedef struct tm_msgpack_values {
  const uint8_t *data;
  const tm_msgpack_value *values;
  size_t stride;
  uint32_t rows;
  int epoch_digits;
} tm_msgpack_values;

/* As tm_text_column_read, _check, _make. */
int tm_msgpack_column_read(const tm_msgpack_values *values, tm_batch *batch, uint32_t column,
                           tm_faults *faults);
void tm_msgpack_column_check(const tm_msgpack_values *values, tm_type type, uint32_t column,
                             tm_faults *faults);
int tm_msgpack_column_make(const tm_msgpack_values *values, tm_batch *batch, uint32_t column,
                           bool *borrows);

tm_parser *tm_msgpack_parser_create(const tm_reading *reading, tm_budget *budget,
                                    const tm_parser_hooks *hooks, tm_error *err);
int tm_msgpack_parser_begin(tm_parser *parser, tm_block *block, tm_error *err);
int tm_msgpack_parser_next(tm_parser *parser, tm_batch **out, tm_error *err);
const tm_block *tm_msgpack_parser_rest(const tm_parser *parser, tm_parser_rest *out);
void tm_msgpack_parser_destroy(tm_parser *parser);

tm_writer *tm_msgpack_writer_create(const tm_writing *writing, tm_error *err);
int tm_msgpack_writer_write(tm_writer *writer, const tm_batch *batch, tm_bytes *out, tm_error *err);
int tm_msgpack_writer_finish(tm_writer *writer, tm_bytes *out, tm_error *err);
void tm_msgpack_writer_destroy(tm_writer *writer);

#endif
