/* format/jsonl.c: JSON lines: one document a line. The descriptor. */
#include "format/jsonl.h"

#include "format/text_lines.h"

const tm_format tm_format_jsonl = {
  .size = sizeof(tm_format),
  .name = "jsonl",
  .ends_lines = true,
  .sniff = tm_jsonl_sniff,
  .begin = tm_text_lines_begin,
  .split = tm_text_lines_split,
  .parser_create = tm_jsonl_parser_create,
  .parser_begin = tm_jsonl_parser_begin,
  .parser_next = tm_jsonl_parser_next,
  .parser_rest = tm_jsonl_parser_rest,
  .parser_destroy = tm_jsonl_parser_destroy,
  .writer_create = tm_jsonl_writer_create,
  .writer_write = tm_jsonl_writer_write,
  .writer_finish = tm_jsonl_writer_finish,
  .writer_destroy = tm_jsonl_writer_destroy,
};
