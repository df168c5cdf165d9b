/* state/accumulator.h: one number a group, kept while rows come: a sum, a set, the first value.
 *
 * Aggregates (aggregate.h) are made of these parts, and share them: sum and avg of a column use one
 * sum. A part knows groups as numbers from a key table and keeps an array with an entry a group.
 * Adding rows and merging parts commute with any order of rows, so a result never depends on how
 * rows were spread over lanes. Every call that can take long does a bounded piece of work and says
 * whether there is more. Memory that is refused is -1; the part can then only be closed. */
#ifndef TM_STATE_ACCUMULATOR_H
#define TM_STATE_ACCUMULATOR_H

#include "kernel/accumulate.h"
#include "kernel/moments.h"
#include "state/record.h"

typedef enum tm_part_kind {
  TM_PART_ROWS,     /* rows: int64_t */
  TM_PART_NULLS,    /* rows whose value is null: int64_t */
  TM_PART_SEEN,     /* whether a value is there: uint8_t */
  TM_PART_SUM,      /* of integers and decimals: exact, 160 bits */
  TM_PART_PRODUCTS, /* sum of value * by of integers and short decimals: exact, 160 bits */
  TM_PART_FLOATS,   /* sum of anything as floats: exact */
  TM_PART_FLOAT_PRODUCTS, /* sum of value * by as floats: exact */
  TM_PART_LEAST,    /* of any type */
  TM_PART_GREATEST,
  TM_PART_FIRST,    /* value at the first or last place: in time, else in the source */
  TM_PART_LAST,
  TM_PART_ARG_LEAST, /* value where `by` is least or greatest; the first of them */
  TM_PART_ARG_GREATEST,
  TM_PART_VALUES,   /* all values, for quantiles */
  TM_PART_DISTINCT, /* how many different values: int64_t */
} tm_part_kind;

/* What a part is of. Two parts with equal specs are one. */
typedef struct tm_part_spec {
  tm_part_kind kind;
  int32_t input, by; /* indexes of inputs; -1: none */
  int32_t filter;    /* index of a filter; -1: all rows */
  tm_type type, by_type; /* of the inputs */
} tm_part_spec;

/* Rows of a batch, for one part. */
typedef struct tm_part_rows {
  tm_grouped rows;
  const tm_column *value, *by;  /* NULL where the spec has none */
  uint32_t groups_before;       /* groups that there were before these rows */
  uint32_t row_count;           /* of the columns, whether they count or not */
  const int64_t *times;         /* by row: event time, which is a row's place; NULL: it is */
  const uint64_t *ordinals;     /* by row; NULL: arrival counts */
  uint64_t place;               /* source and file, in order; before the ordinal */
  uint64_t arrival;             /* rows that came before the batch */
} tm_part_rows;

typedef struct tm_part tm_part;

typedef struct tm_part_class {
  size_t size;
  /* Makes entries up to capacity, which only grows; called before the first add. */
  bool (*grow)(tm_part *part, uint32_t capacity);
  bool (*add)(tm_part *part, const tm_part_rows *in);
  /* Entry to[i] takes in entry ids[i] of `from`, a sealed part of the same spec that lives as long
   * as this one. `at` starts at 0 and is the part's own. 1: call again, 0: done, -1: memory. */
  int (*merge)(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
               uint32_t count, uint32_t groups_before, uint64_t *at);
  /* Nothing is added any more; arranges things for merging and reading. As merge. */
  int (*seal)(tm_part *part, uint32_t groups);
  void (*save)(const tm_part *part, uint32_t groups, tm_record_writer *writer);
  /* Into a fresh part grown to `groups`. false when out of memory; reader->failed is the other. */
  bool (*restore)(tm_part *part, uint32_t groups, tm_record_reader *reader);
  void (*close)(tm_part *part);
  /* Entries of those groups (ids NULL: of groups 0 … count-1, all that there are) are as new, and
   * the part is not sealed any more. false: memory. */
  bool (*clear)(tm_part *part, const uint32_t *ids, uint32_t count);
  /* Takes back what merge() of the same arguments gave. NULL: it cannot. As merge. */
  int (*unmerge)(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
                 uint32_t count, uint64_t *at);
} tm_part_class;

/* What every part begins with. */
struct tm_part {
  const tm_part_class *class;
  const tm_part_spec *spec;
  tm_budget *budget;
  uint32_t capacity;
  bool sealed;
  bool counts; /* set before the first merge: DISTINCT counts what it was given, so that merges can
                  be taken back; it then takes no rows */
};

/* NULL when out of memory. The spec lives as long as the part. */
tm_part *tm_part_create(tm_budget *budget, const tm_part_spec *spec);
void tm_part_destroy(tm_part *part); /* NULL is a no-op */

static inline bool tm_part_grow(tm_part *part, uint32_t groups) {
  uint32_t capacity = part->capacity < 16 ? 16 : part->capacity;
  if (groups <= part->capacity) return true;
  while (capacity < groups) capacity *= 2;
  if (!part->class->grow(part, capacity)) return false;
  part->capacity = capacity;
  return true;
}

/* Grows an array of the part (a pointer to its pointer) from part->capacity entries to capacity,
 * the new ones zero. The old array stays on failure. */
bool tm_part_array(const tm_part *part, void *array, size_t width, uint32_t capacity);

/* ------------------------------------------------------------------ reading, by kind */

/* ROWS, NULLS, DISTINCT (sealed). */
const int64_t *tm_part_counts(const tm_part *part);
/* Half of what it keeps, or more, is of merges that were taken back: it should be made anew. */
bool tm_part_is_stale(const tm_part *part);
/* SEEN: NULL where every group has a value. */
const uint8_t *tm_part_seen(const tm_part *part);
/* Of groups that exist without rows (an ungrouped aggregate): none has a value yet. */
bool tm_part_seen_none(tm_part *part);
/* SUM, PRODUCTS: high * 2^128 + low, in two's complement. */
tm_wide_sum tm_part_sum(const tm_part *part, uint32_t group);
/* FLOATS, FLOAT_PRODUCTS: the exact sum as the double nearest to it plus the one nearest to the
 * rest. */
tm_twofold tm_part_float(const tm_part *part, uint32_t group);
/* FLOATS divided by a count above 0. */
double tm_part_float_mean(const tm_part *part, uint32_t group, int64_t count);
/* LEAST, GREATEST, FIRST … ARG_GREATEST: `count` entries from `first` on into rows 0 … of an output
 * column; seen (or NULL) says which are there, where the part itself does not know. Strings stay
 * where they are and are pinned. 0 or -1 (memory). */
int tm_part_read(const tm_part *part, uint32_t first, uint32_t count, const uint8_t *seen,
                 tm_batch *out, uint32_t column);

/* VALUES, sealed: the value at `share` (0 … 1) of a group, interpolated. *work is how many values
 * may
 * be looked at, and counts down; where it does not suffice: 1: call again with the same arguments.
 * 0: done, -1: memory. *there is false where the group has no value. */
typedef struct tm_selection tm_selection;
tm_selection *tm_selection_create(tm_budget *budget);
void tm_selection_destroy(tm_selection *selection); /* NULL is a no-op */
int tm_selection_step(tm_selection *selection, const tm_part *part, uint32_t group, double share,
                      uint64_t *work, double *out, bool *there);

#endif
