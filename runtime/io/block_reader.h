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
/* Before the first take: pipes are not waited for at all, few records take little memory. */
int tm_block_reader_go_live(tm_block_reader *reader, tm_error *err);
int tm_block_reader_file(tm_block_reader *reader); /* the descriptor that gave LATER; -1: none */
/* Thread-safe. *out has one reference. */
tm_block_answer tm_block_reader_take(tm_block_reader *reader, tm_block **out, tm_error *err);
/* Bytes of the files that were read so far; from any thread. */
uint64_t tm_block_reader_bytes(const tm_block_reader *reader);
/* Where the reader goes on: behind all blocks that it handed out. */
typedef struct tm_block_place {
  uint64_t file, offset, line, sequence;
  uint64_t skipping, state, left; /* within a record that is too long: of the split */
} tm_block_place;

void tm_block_reader_place(tm_block_reader *reader, tm_block_place *out);
/* Goes on there, unless it is behind that place already. 0, or -1: a file that is not there, or a
 * pipe, which cannot be read a second time. */
int tm_block_reader_seek(tm_block_reader *reader, const tm_block_place *place, tm_error *err);
/* A block of bytes that were saved: `like` has its file_index, first_line, offset, sequence,
 * first_batch and told. NULL with err. */
tm_block *tm_block_reader_restore(tm_block_reader *reader, const tm_block *like, const void *bytes,
                                  size_t size, tm_error *err);
/* Blocks may outlive it; their layouts do not. */
void tm_block_reader_destroy(tm_block_reader *reader);

#endif
