/* format/csv.h: what the files of CSV share: records one at a time, where they end, the rules.
 *
 * A quote opens a quoted field only as the field's first character; anywhere else in a bare field
 * it is text. In a quoted field a doubled quote (or, where there is an escape, that and a quote) is
 * a quote. What follows the closing quote must be a delimiter or the end of the line. */
#ifndef TM_FORMAT_CSV_H
#define TM_FORMAT_CSV_H

#include "format/format.h"

enum { TM_CSV_QUOTES = 1 }; /* flag of a block: it holds quote characters or comments */

typedef struct tm_csv_field {
  const char *text; /* without quotes; ends with a NUL */
  size_t size;
  bool quoted;
} tm_csv_field;

typedef struct tm_csv_record {
  tm_csv_field *fields;
  uint32_t count;
  bool malformed;  /* text behind a closing quote, or a quote that is never closed */
  bool blank, comment;
  bool last_empty; /* of several fields the last is bare and empty (only set by sniffing) */
  size_t size;     /* with its line end */
  uint64_t lines;  /* line ends in it */
} tm_csv_record;

/* The record that data begins with, its fields in the arena. 1; 0: more bytes are needed (never
 * when `whole`); -1: out of memory. */
int tm_csv_record_read(tm_arena *arena, const tm_format_options *options, const char *data,
                       size_t size, bool whole, tm_csv_record *out);

void tm_csv_split(const tm_reading *reading, tm_split *split, const char *data, size_t size);

int tm_csv_sniff(tm_arena *arena, const tm_format_options *options, const tm_schema *schema,
                 const char *file, const char *data, size_t size, bool whole, tm_sniffed *out,
                 tm_error *err);
int tm_csv_begin(const tm_reading *reading, tm_arena *arena, const char *file, const char *data,
                 size_t size, bool whole, const tm_layout **out, size_t *out_skip,
                 uint64_t *out_lines, tm_error *err);

tm_parser *tm_csv_parser_create(const tm_reading *reading, tm_budget *budget,
                                const tm_parser_hooks *hooks, tm_error *err);
int tm_csv_parser_begin(tm_parser *parser, tm_block *block, tm_error *err);
int tm_csv_parser_next(tm_parser *parser, tm_batch **out, tm_error *err);
const tm_block *tm_csv_parser_rest(const tm_parser *parser, tm_parser_rest *out);
void tm_csv_parser_destroy(tm_parser *parser);

tm_writer *tm_csv_writer_create(const tm_writing *writing, tm_error *err);
int tm_csv_writer_write(tm_writer *writer, const tm_batch *batch, tm_bytes *out, tm_error *err);
int tm_csv_writer_finish(tm_writer *writer, tm_bytes *out, tm_error *err);
void tm_csv_writer_destroy(tm_writer *writer);

/* Is the escape in front of `quote` itself escaped? true: the quote is text. */
static inline bool tm_csv_is_escaped(const char *field, const char *quote, char escape) {
  size_t run = 0;
  while (quote - run > field && quote[-1 - (ptrdiff_t)run] == escape) run++;
  return run % 2 == 1;
}

#endif
