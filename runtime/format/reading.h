/* format/reading.h: what reading a source needs to know, and the state of splitting its files. */
#ifndef TM_FORMAT_READING_H
#define TM_FORMAT_READING_H

#include "base/bytes.h"
#include "column/batch.h"
#include "format/block.h"

typedef struct tm_format tm_format;

enum {
  TM_RECORD_BYTES_MAX = 16 << 20, /* a longer record is refused as too_long */
  TM_SNIFF_BYTES = 64 << 10,
  TM_EPOCH_NONE = -1,
};

/* What a script said of a format. Texts live in the plan. */
typedef struct tm_format_options {
  char delimiter;  /* 0: not given */
  char quote, escape, comment; /* 0: none */
  bool header;
  const char *const *nulls; /* words that mean null where they are not quoted */
  uint32_t null_count;
  int epoch_digits; /* of a second, that numbers as timestamps count: 0, 3, 6; else TM_EPOCH_NONE */
} tm_format_options;

/* All that reading a source needs to know; read-only while it runs. */
typedef struct tm_reading {
  const tm_format *format;
  tm_format_options options;
  const tm_schema *schema;
  const uint8_t *from_path; /* per column: 1 where folders give its value; NULL: none */
  const uint8_t *needed;    /* per column; NULL: all */
  const uint8_t *early;     /* per column: a filter reads it; NULL: none */
  bool filters;             /* hooks->filter does something */
  bool check_all;           /* columns that nobody needs are checked too */
  bool ordinals;            /* batches carry line numbers */
  uint32_t source;          /* of tm_origin */
  uint32_t batch_rows;
  size_t block_bytes, record_bytes_max;
} tm_reading;

static inline bool tm_reading_checks(const tm_reading *r, uint32_t column) {
  return r->check_all || r->needed == NULL || r->needed[column] != 0;
}
static inline bool tm_reading_needs(const tm_reading *r, uint32_t column) {
  return r->needed == NULL || r->needed[column] != 0;
}

/* The state of splitting a block: zeroed at its first record. */
typedef struct tm_split {
  size_t scanned;  /* bytes that earlier calls looked at */
  uint32_t state;  /* the format's own */
  size_t start;    /* where the record at hand begins */
  uint64_t open_lines;
  size_t whole;    /* answer: bytes of whole records */
  uint64_t lines;  /* answer: how much to count the line (or record) on after them */
  uint32_t flags;  /* answer: for the parser */
  bool first_only; /* stop at the end of the first record */
  uint64_t left;   /* the format's own: what the record at hand still has to come */
  const char *wrong; /* answer: why nothing can be read behind `whole`; NULL: all is well */
  uint64_t *masks; /* scratch of the caller: 2 words for each 64 bytes begun, and 2 more */
} tm_split;

#endif
