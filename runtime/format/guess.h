/* format/guess.h: the types of columns from samples of their texts (reference.md: Sniffing).
 *
 * A guess starts with every type and drops those that a text does not fit; what is left, in the
 * order bool int64 float64 date timestamp, is the type, else it is string. */
#ifndef TM_FORMAT_GUESS_H
#define TM_FORMAT_GUESS_H

#include "column/schema.h"

typedef struct tm_guess {
  uint64_t values;     /* texts that were no null */
  bool not_boolean, not_integer, not_float, not_date, not_timestamp;
  bool has_digits;     /* "nan" alone makes no number */
} tm_guess;

void tm_guess_add(tm_guess *guess, const char *text, size_t size);
tm_type tm_guess_type(const tm_guess *guess);

/* The first record is not whole within the sample: TM_E_FORMAT. -1. */
int tm_guess_fail_long(const char *file, tm_error *err);
/* Makes names differ: a name that was there before gets _1, _2 …; an empty one is column_<n>.
 * 0, or -1: out of memory. */
int tm_guess_names(tm_arena *arena, const char **names, uint32_t count);

#endif
