/* state/aggregate.h: what a script calls an aggregate: its name, its types, the parts that it is
 * made of, and its value once the parts are complete.
 *
 * A group plan holds the keys and aggregates of one step. Inputs are columns that the step computes
 * for each batch (a column of the row, or a function's); filters are lists of rows. */
#ifndef TM_STATE_AGGREGATE_H
#define TM_STATE_AGGREGATE_H

#include "state/accumulator.h"

typedef enum tm_aggregate_kind {
  TM_AGGREGATE_COUNT, TM_AGGREGATE_SUM, TM_AGGREGATE_AVG, TM_AGGREGATE_MIN, TM_AGGREGATE_MAX,
  TM_AGGREGATE_FIRST, TM_AGGREGATE_LAST, TM_AGGREGATE_STDDEV, TM_AGGREGATE_VARIANCE,
  TM_AGGREGATE_CORR, TM_AGGREGATE_MEDIAN, TM_AGGREGATE_QUANTILE, TM_AGGREGATE_COUNT_DISTINCT,
  TM_AGGREGATE_ARG_MIN, TM_AGGREGATE_ARG_MAX, TM_AGGREGATE_KINDS,
} tm_aggregate_kind;

enum { TM_AGGREGATE_PARTS_MAX = 6 };

typedef struct tm_aggregate {
  tm_aggregate_kind kind;
  const char *name;          /* of the column that it makes */
  const char *text;          /* "sum(qty)", for messages */
  int32_t input, by, filter; /* indexes in the plan; -1: none */
  tm_type input_type, by_type;
  double share;              /* quantile */
  tm_type type;              /* of the result */
  uint32_t part_count;
  uint32_t parts[TM_AGGREGATE_PARTS_MAX]; /* in the plan; their meaning is the kind's */
} tm_aggregate;

/* Rows that some parts take: those for which a function of the step holds, and in which two inputs
 * are there. */
typedef struct tm_group_filter {
  int32_t function;    /* index of the step's list of rows; -1: all */
  int32_t not_null[2]; /* inputs; -1: any */
} tm_group_filter;

typedef struct tm_group_plan {
  tm_arena *arena;
  uint32_t key_count, aggregate_count, part_count, filter_count;
  const tm_type *key_types;
  tm_aggregate *aggregates;
  tm_part_spec *parts;      /* room for TM_AGGREGATE_PARTS_MAX an aggregate */
  tm_group_filter *filters; /* given are those of functions; room for one more an aggregate */
  bool wants_places;        /* some part goes by the place of a row in its source */
  bool timed;               /* the last key is int64 and no column: it comes as batch->times */
  uint32_t gap;             /* columns between keys and aggregates that the reader leaves alone */
  /* Set before it is completed: groups may lose rows. Then `rows` is the part that counts those of
   * each group, and nothing is told by whether a value was ever seen, but by how many there are. */
  bool counted;
  uint32_t rows;
} tm_group_plan;

/* Keys that are columns; the column of the first aggregate. */
static inline uint32_t tm_group_plan_shown(const tm_group_plan *plan) {
  return plan->key_count - plan->timed;
}
static inline uint32_t tm_group_plan_first(const tm_group_plan *plan) {
  return tm_group_plan_shown(plan) + plan->gap;
}

/* The kind of a name. -1 with TM_E_VERB and a suggestion, or TM_E_UNSUPPORTED. */
int tm_aggregate_find(const char *word, tm_error *err);
/* Whether the kind is of two inputs. */
bool tm_aggregate_wants_by(tm_aggregate_kind kind);
/* Type of the result, out of the types of the inputs; -1 with TM_E_TYPE where they do not fit. */
int tm_aggregate_set_type(tm_aggregate *aggregate, bool grouped, tm_error *err);
/* Fills in parts and filters of a plan whose aggregates are complete. 0 or -1 (memory). */
int tm_group_plan_complete(tm_group_plan *plan, tm_error *err);

/* Values of groups first … first+count-1 into a column of `out`, whose type is the aggregate's.
 * quantiles and there: what was selected for median and quantile, entry i of group first + i.
 * 0, or -1 with err (TM_E_OVERFLOW, TM_E_MEMORY). */
int tm_aggregate_read(const tm_aggregate *aggregate, tm_part *const *parts, uint32_t first,
                      uint32_t count, const double *quantiles, const uint8_t *there,
                      tm_batch *out, uint32_t column, tm_error *err);

#endif
