/* format/jsonl.c: JSON lines: one document a line. The descriptor. */
#include "format/jsonl.h"

const tm_format tm_format_jsonl = {
  .size = sizeof(tm_format),
  .name = "jsonl",
  .ends_lines = true,
  .writer_create = tm_jsonl_writer_create,
  .writer_write = tm_jsonl_writer_write,
  .writer_finish = tm_jsonl_writer_finish,
  .writer_destroy = tm_jsonl_writer_destroy,
};
