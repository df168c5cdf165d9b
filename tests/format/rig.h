/* tests/format/rig.h: a text through a format, cut into blocks as small as a test wants.
 *
 * It does what io/block_reader.c does, in memory and as plainly as can be. */
#ifndef TESTS_FORMAT_RIG_H
#define TESTS_FORMAT_RIG_H

#include "format/format.h"
#include "tests/support/rows.h"

typedef struct rig {
  const char *format;
  const char *ddl;
  tm_format_options options; /* rig_default() */
  size_t block_bytes;        /* how much is read at a time */
  uint32_t batch_rows;
  const uint8_t *needed, *early;
  bool check_all;
  /* Drops rows; NULL: no filter. */
  void (*filter)(tm_batch *batch);
} rig;

typedef struct rig_answer {
  tm_error err;      /* code 0: it was read to its end */
  rows_list rows;    /* cells with '|' between them, as they are written; strings in quotes */
  rows_list lines;   /* the line of each row, as text */
  rows_list refused; /* "line reason raw" */
  rows_list messages;
  size_t batches, blocks;
} rig_answer;

rig rig_default(const char *format, const char *ddl);
rig_answer rig_read(const rig *r, const char *data, size_t size);
/* The selected rows of a batch, in that form. */
void rig_add_rows(rows_list *list, const tm_batch *batch, const uint8_t *needed);
void rig_clear(rig_answer *answer);

/* Reads a text and compares; '\n' between the lines of `rows` and `refused`. */
void rig_expect(const rig *r, const char *text, const char *rows, const char *refused);
void rig_expect_error(const rig *r, const char *text, tm_error_code code, const char *part);

/* Batches of one table through a writer: malloc'ed, NUL-terminated. */
char *rig_write(const rig *r, const tm_batch *table, size_t *out_size);

#endif
