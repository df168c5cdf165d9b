/* format/block.h: a piece of a file that holds whole records, and the pool it goes back to.
 *
 * Blocks are reference-counted: the parser and every batch whose strings point into one hold it.
 * TM_BLOCK_PAD zero bytes lie behind the data, so that vectors may read beyond its end. */
#ifndef TM_FORMAT_BLOCK_H
#define TM_FORMAT_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

enum { TM_BLOCK_PAD = 128 };

/* How the records of one file lie; made from its beginning, lives as long as the reader. */
typedef struct tm_layout {
  uint32_t field_count;      /* csv: fields of a record; 0 elsewhere */
  const int32_t *field_of;   /* per column: its field; -1: none */
  const char *const *values; /* per column: its text where the path gives it; NULL: null */
} tm_layout;

typedef struct tm_block_pool tm_block_pool;

typedef struct tm_block {
  uint32_t references;   /* atomic */
  tm_block_pool *pool;
  char *buffer;          /* `capacity` bytes and the pad */
  size_t capacity;
  char *data;            /* within the buffer */
  size_t size;
  const tm_layout *layout;
  const char *file;      /* lives as long as the plan */
  uint32_t file_index;
  uint64_t first_line;   /* line (or number) of the first record, from 1 */
  uint64_t offset;       /* of data in the decompressed file */
  uint64_t sequence;     /* ascending along the source */
  uint64_t lines;        /* what the format's split counted in it */
  uint32_t flags;        /* what it found out */
  bool too_long;         /* the beginning of one record beyond the limit */
  bool told;             /* its malformed records were refused before: they are passed over */
  uint32_t first_batch;  /* number of its first batch: 0, unless a part was parsed before */
} tm_block;

/* Keeps up to `keep` free blocks of `capacity` bytes. NULL when out of memory. */
tm_block_pool *tm_block_pool_create(tm_budget *budget, size_t capacity, uint32_t keep);
/* The pool itself goes when its last block comes back. */
void tm_block_pool_destroy(tm_block_pool *pool);
/* One reference; fields but pool, buffer and capacity zeroed. `capacity` at least that of the
 * pool. NULL when out of memory. */
tm_block *tm_block_create(tm_block_pool *pool, size_t capacity);
/* Room for more; keeps buffer[0 … used-1]. 0 or -1. Only while there is one reference. */
int tm_block_grow(tm_block *block, size_t used, size_t capacity);
tm_block *tm_block_retain(tm_block *block);
void tm_block_release(tm_block *block);
/* As a batch pins it. */
void tm_block_unpin(void *block);

#endif
