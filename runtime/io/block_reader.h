/* io/block_reader.h: the files of a source as blocks of whole records, shared by all lanes.
 *
 * One lane at a time reads on and finds where records end; blocks carry ascending sequences, so
 * whoever parses them, their order is known. */
#ifndef TM_IO_BLOCK_READER_H
#define TM_IO_BLOCK_READER_H

#include "format/format.h"
#include "io/source_files.h"

typedef struct tm_block_reader tm_block_reader;

typedef enum tm_block_answer {
  TM_BLOCK_FAILED = -1,
  TM_BLOCK_END = 0,
  TM_BLOCK_TAKEN = 1,
  TM_BLOCK_LATER = 2, /* a pipe has nothing yet */
} tm_block_answer;

/* reading and files are borrowed. NULL with err. */
tm_block_reader *tm_block_reader_create(tm_budget *budget, const tm_reading *reading,
                                        const tm_source_files *files, uint32_t lanes,
                                        tm_error *err);
/* Thread-safe. *out has one reference. */
tm_block_answer tm_block_reader_take(tm_block_reader *reader, tm_block **out, tm_error *err);
/* Bytes of the files that were read so far; from any thread. */
uint64_t tm_block_reader_bytes(const tm_block_reader *reader);
/* Blocks may outlive it; their layouts do not. */
void tm_block_reader_destroy(tm_block_reader *reader);

#endif
