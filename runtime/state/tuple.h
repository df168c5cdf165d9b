/* state/tuple.h: a few values of a row as words that compare: what ordered state is made of.
 *
 * Each part of a tuple is a column: a number in a form in which words order as values do (two words
 * where it has 128 bits), or a string as a tm_str. A part that may be null has a word before it:
 * nulls come last, whichever way the part is ordered. NaN is greatest; -0 is less than 0, or the
 * same where the part folds zeros. Equal tuples are equal words, but for strings, which are equal
 * by their bytes. */
#ifndef TM_STATE_TUPLE_H
#define TM_STATE_TUPLE_H

#include "column/batch.h"
#include "state/record.h"
#include "state/slab.h"

typedef struct tm_tuple_part {
  tm_type type;
  bool descending;
  bool nullable;
  bool folds;    /* floats: -0 is 0 */
  uint32_t at;   /* first word, that of null included; made by tm_tuple_init */
} tm_tuple_part;

typedef struct tm_tuple_spec {
  tm_tuple_part *parts; /* the caller's, as long as the spec */
  uint32_t part_count;
  uint32_t words;       /* of a tuple */
  bool text;            /* some part is a string */
} tm_tuple_spec;

void tm_tuple_init(tm_tuple_spec *spec, tm_tuple_part *parts, uint32_t part_count);
/* Parts from …+count-1; columns[i] is of part i. Strings stay where they are. */
void tm_tuple_write_parts(const tm_tuple_spec *spec, uint32_t from, uint32_t count,
                          const tm_column *const *columns, uint32_t row, uint64_t *out);
static inline void tm_tuple_write(const tm_tuple_spec *spec, const tm_column *const *columns,
                                  uint32_t row, uint64_t *out) {
  tm_tuple_write_parts(spec, 0, spec->part_count, columns, row, out);
}
/* The same of many rows, of a spec that has one part of one word: out[i] of rows[i] (NULL: row i);
 * anything for a null. */
void tm_tuple_write_words(const tm_tuple_spec *spec, const tm_column *column, const uint32_t *rows,
                          uint32_t count, uint64_t *out);
int tm_tuple_compare_texts(const tm_tuple_spec *spec, const uint64_t *a, const uint64_t *b,
                           uint32_t parts);
/* Parts from …+count-1 of many tuples into rows at[i] (NULL: i) of an output column whose data is
 * there (with valid where a part is null); NULL tuples are passed over. Long strings are copied
 * into the batch. 0 or -1 (memory). */
int tm_tuple_read(const tm_tuple_spec *spec, uint32_t part, const uint64_t *const *tuples,
                  const uint32_t *at, uint32_t count, tm_batch *out, uint32_t column);

/* The number of a part of floats that ascends. */
double tm_tuple_double(uint64_t word);

/* Strings into blocks of their own, and back. false: refused; nothing is kept then. */
bool tm_tuple_keep(const tm_tuple_spec *spec, uint64_t *tuple, tm_slab *slab);
void tm_tuple_drop(const tm_tuple_spec *spec, const uint64_t *tuple, tm_slab *slab);

void tm_tuple_save(const tm_tuple_spec *spec, const uint64_t *tuple, tm_record_writer *writer);
/* Strings stay in the record. What does not fit is in reader->failed. */
void tm_tuple_restore(const tm_tuple_spec *spec, uint64_t *out, tm_record_reader *reader);

/* By the first `parts` parts: <0, 0, >0. */
static inline int tm_tuple_compare_parts(const tm_tuple_spec *spec, const uint64_t *a,
                                         const uint64_t *b, uint32_t parts) {
  if (spec->text) return tm_tuple_compare_texts(spec, a, b, parts);
  uint32_t words = parts < spec->part_count ? spec->parts[parts].at : spec->words;
  for (uint32_t i = 0; i < words; i++) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

static inline int tm_tuple_compare(const tm_tuple_spec *spec, const uint64_t *a,
                                   const uint64_t *b) {
  if (spec->words == 1) return a[0] < b[0] ? -1 : a[0] > b[0];
  return tm_tuple_compare_parts(spec, a, b, spec->part_count);
}

#endif
