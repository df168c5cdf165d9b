/* format/jsonl.h: what the files of JSON lines share. */
#ifndef TM_FORMAT_JSONL_H
#define TM_FORMAT_JSONL_H

#include "format/format.h"

int tm_jsonl_sniff(tm_arena *arena, const tm_format_options *options, const tm_schema *schema,
                   const char *file, const char *data, size_t size, bool whole, tm_sniffed *out,
                   tm_error *err);

tm_parser *tm_jsonl_parser_create(const tm_reading *reading, tm_budget *budget,
                                  const tm_parser_hooks *hooks, tm_error *err);
int tm_jsonl_parser_begin(tm_parser *parser, tm_block *block, tm_error *err);
int tm_jsonl_parser_next(tm_parser *parser, tm_batch **out, tm_error *err);
const tm_block *tm_jsonl_parser_rest(const tm_parser *parser, tm_parser_rest *out);
void tm_jsonl_parser_destroy(tm_parser *parser);

tm_writer *tm_jsonl_writer_create(const tm_writing *writing, tm_error *err);
int tm_jsonl_writer_write(tm_writer *writer, const tm_batch *batch, tm_bytes *out, tm_error *err);
int tm_jsonl_writer_finish(tm_writer *writer, tm_bytes *out, tm_error *err);
void tm_jsonl_writer_destroy(tm_writer *writer);

#endif
