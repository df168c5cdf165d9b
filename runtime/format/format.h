/* format/format.h: a file format: how its records become batches, and batches its text.
 *
 * Reading has two halves. Splitting finds where records end, in the order of the file, so one
 * thread does it at a time (io/block_reader.h); it is as little work as can be. Parsing turns a
 * block of whole records into batches; every lane has a parser of its own, and no block depends
 * on another. Formats are found by file name: format/csv.c defines tm_format_csv.
 *
 * A malformed record is no error: the parser hands it to the hooks and goes on. */
#ifndef TM_FORMAT_FORMAT_H
#define TM_FORMAT_FORMAT_H

#include "column/reason.h"
#include "format/reading.h"

/* A record that was refused. Texts are only lent. */
typedef struct tm_refusal {
  tm_reason reason;
  const char *message;
  const char *raw;
  size_t raw_size;
  const tm_block *block;
  uint64_t line, offset;
} tm_refusal;

typedef struct tm_parser_hooks {
  void *context;
  int (*refuse)(void *context, const tm_refusal *refusal, tm_error *err);
  /* Narrows the selection of a batch that has its early and its fallible columns. */
  int (*filter)(void *context, tm_batch *batch, tm_error *err);
} tm_parser_hooks;

typedef struct tm_parser tm_parser; /* each format's own */

/* What a parser has not parsed yet of its block. */
typedef struct tm_parser_rest {
  size_t from;         /* in the block's data; at its end: nothing is left */
  uint64_t line;
  uint32_t batches;    /* made of the block so far */
  bool told;           /* malformed records of the rest were refused already */
} tm_parser_rest;

/* Answer of sniffing; texts and schema in the arena. */
typedef struct tm_sniffed {
  const tm_schema *schema;
  tm_format_options options; /* those that were not given are found */
  const char *note;          /* what was left out; NULL: nothing */
} tm_sniffed;

typedef struct tm_writer tm_writer; /* each format's own */

/* What writing needs to know; borrowed. */
typedef struct tm_writing {
  tm_format_options options;
  const tm_schema *schema;
  tm_budget *budget;
  uint32_t width_max; /* table: columns of the terminal; 0: unknown */
  bool live;          /* rows are to be seen as they come: nothing is kept back */
} tm_writing;

struct tm_format {
  size_t size;       /* sizeof(tm_format) */
  const char *name;
  bool ends_lines;   /* text: a last record without a line end gets one */

  /* Options that were not given and, where schema is NULL, the schema, from the first bytes of a
   * file; `whole`: there are no more. 0 or -1: TM_E_FORMAT and the like. */
  int (*sniff)(tm_arena *arena, const tm_format_options *options, const tm_schema *schema,
               const char *file, const char *data, size_t size, bool whole, tm_sniffed *out,
               tm_error *err);
  /* The layout of a file from its first bytes, and how many of them (and line ends) come before
   * the first record. 1: done; 0: needs more bytes; -1: TM_E_FORMAT. */
  int (*begin)(const tm_reading *reading, tm_arena *arena, const char *file, const char *data,
               size_t size, bool whole, const tm_layout **out, size_t *out_skip,
               uint64_t *out_lines, tm_error *err);
  /* Goes on from split->scanned; at least TM_BLOCK_PAD bytes behind `size` are readable. */
  void (*split)(const tm_reading *reading, tm_split *split, const char *data, size_t size);

  tm_parser *(*parser_create)(const tm_reading *reading, tm_budget *budget,
                              const tm_parser_hooks *hooks, tm_error *err);
  /* Takes a reference of its own. 0 or -1. */
  int (*parser_begin)(tm_parser *parser, tm_block *block, tm_error *err);
  /* 1: *out is a batch (without selected rows perhaps); 0: the block is done; -1. */
  int (*parser_next)(tm_parser *parser, tm_batch **out, tm_error *err);
  /* Between two calls: the block at hand (NULL: none) and what is left of it. */
  const tm_block *(*parser_rest)(const tm_parser *parser, tm_parser_rest *out);
  void (*parser_destroy)(tm_parser *parser);

  /* Can these columns be written? 0 or -1; NULL: any can. */
  int (*check_columns)(const tm_schema *schema, tm_error *err);
  tm_writer *(*writer_create)(const tm_writing *writing, tm_error *err);
  /* Appends to `out`. finish comes once, last. 0 or -1. */
  int (*writer_write)(tm_writer *writer, const tm_batch *batch, tm_bytes *out, tm_error *err);
  int (*writer_finish)(tm_writer *writer, tm_bytes *out, tm_error *err);
  void (*writer_destroy)(tm_writer *writer);
};

/* The table that the build generates from format/; NULL ends it. */
extern const tm_format *const tm_formats[];
const tm_format *tm_format_find(const char *name);

#endif
