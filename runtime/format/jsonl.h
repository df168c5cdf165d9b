/* format/jsonl.h: what the files of JSON lines share. */
#ifndef TM_FORMAT_JSONL_H
#define TM_FORMAT_JSONL_H

#include "format/format.h"

tm_writer *tm_jsonl_writer_create(const tm_writing *writing, tm_error *err);
int tm_jsonl_writer_write(tm_writer *writer, const tm_batch *batch, tm_bytes *out, tm_error *err);
int tm_jsonl_writer_finish(tm_writer *writer, tm_bytes *out, tm_error *err);
void tm_jsonl_writer_destroy(tm_writer *writer);

#endif
