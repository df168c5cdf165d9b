/* state/live_parts.h: what the aggregates of live groups are made of; for live_*.c alone.
 *
 * All that is kept of a group lies in one piece, its state: a head, then a piece for each part of
 * the plan. A state is bytes: it may be moved, and begins as zeros. */
#ifndef TM_STATE_LIVE_PARTS_H
#define TM_STATE_LIVE_PARTS_H

#include "kernel/exact_sum.h"
#include "state/live_groups.h"
#include "state/multiset.h"
#include "state/row_set.h"

typedef struct tm_live_part tm_live_part;

typedef struct tm_live_head {
  int64_t rows;   /* weights together */
  uint32_t local; /* number among the groups that the batch touches, if it is one of them */
  uint32_t unused;
} tm_live_head;

/* The batch that is being taken in. Rows are by their number among those that count. */
typedef struct tm_live_batch {
  const tm_live_rows *in;
  uint32_t count;
  const uint32_t *group;         /* id of the row's group */
  const uint32_t *local;         /* its number among the touched ones */
  uint32_t touched;
  char *const *states;           /* of the touched groups */
  const int32_t *const *weights; /* by filter + 1: of the rows, 0 where it does not hold; NULL: 1 */
  uint32_t weight_most;          /* no weight is further from 0 */
  const tm_column *time;         /* int64, by row of the columns */
  int64_t *words;                /* scratch: an entry a touched group, */
  tm_wide_sum *wide;             /* and so is this; */
  uint64_t *ranks;               /* and this has one a row */
} tm_live_batch;

typedef enum tm_live_result {
  TM_LIVE_DONE = 0,
  TM_LIVE_MEMORY = -1,
  TM_LIVE_GONE = -2, /* what is to be taken back is not there */
} tm_live_result;

typedef struct tm_live_class {
  size_t size;
  size_t (*state_bytes)(const tm_live_part *part);
  bool (*open)(tm_live_part *part);   /* NULL: nothing to do; false: memory */
  tm_live_result (*apply)(tm_live_part *part, const tm_live_batch *batch);
  void (*drop)(tm_live_part *part, void *state); /* the group is gone; NULL: nothing to free */
  void (*save)(const tm_live_part *part, const void *state, tm_record_writer *writer);
  int (*restore)(tm_live_part *part, void *state, tm_record_reader *reader); /* 0, -1: memory */
  void (*close)(tm_live_part *part);  /* with all its states; NULL: nothing to do */
} tm_live_class;

/* What every part begins with. */
struct tm_live_part {
  const tm_live_class *class;
  const tm_part_spec *spec;
  const tm_live_options *options;
  tm_budget *budget;
  size_t offset; /* in a state */
};

extern const tm_live_class tm_live_counts, tm_live_sums, tm_live_wide_sums; /* live_sums.c */
extern const tm_live_class tm_live_floats, tm_live_float_products;
extern const tm_live_class tm_live_best, tm_live_ordered;                   /* live_picks.c */
extern const tm_live_class tm_live_distinct;                                /* live_pairs.c */
extern const tm_live_class tm_live_sets;                                    /* live_sets.c */
extern const tm_live_class tm_live_deques;                                  /* live_deques.c */

/* What state holds, for live_read.c. */
static inline const void *tm_live_state(const tm_live_part *part, const char *state) {
  return state + part->offset;
}
tm_wide_sum tm_live_sum(const tm_live_part *part, const char *state);
tm_twofold tm_live_float(const tm_live_part *part, const char *state);
double tm_live_float_mean(const tm_live_part *part, const char *state, int64_t count);
/* Of picks: the tuple that is first, NULL: none; and the spec, of which part `value` is what was
 * asked for. Of values: the one at a place of `total`. */
const uint64_t *tm_live_pick(const tm_live_part *part, const char *state);
const tm_tuple_spec *tm_live_pick_spec(const tm_live_part *part, uint32_t *out_value);
/* The same of deques, for those two. */
const uint64_t *tm_live_deque_front(const tm_live_part *part, const char *state);
const tm_tuple_spec *tm_live_deque_spec(const tm_live_part *part, uint32_t *out_value);
uint64_t tm_live_total(const tm_live_part *part, const char *state);
double tm_live_value_at(const tm_live_part *part, const char *state, uint64_t place);

/* Pairs of group and value of one input, counted for each part that counts different values of it.
 * live_pairs.c */
typedef struct tm_live_pairs tm_live_pairs;
tm_live_pairs *tm_live_pairs_create(tm_budget *budget, const tm_live_options *options,
                                    tm_type value); /* NULL: memory */
void tm_live_pairs_destroy(tm_live_pairs *pairs);   /* NULL is a no-op */
bool tm_live_pairs_join(tm_live_pairs *pairs, tm_live_part *part); /* once a part; false: memory */
/* Before the parts take the batch in, and behind them. */
tm_live_result tm_live_pairs_begin(tm_live_pairs *pairs, const tm_live_batch *batch,
                                   tm_arena *scratch);
tm_live_result tm_live_pairs_end(tm_live_pairs *pairs, const tm_live_batch *batch);
int tm_live_pairs_settle_step(tm_live_pairs *pairs);
void tm_live_pairs_save(const tm_live_pairs *pairs, tm_record_writer *writer);
int tm_live_pairs_restore(tm_live_pairs *pairs, tm_record_reader *reader); /* 0, -1: memory */

/* live_read.c: the values of an aggregate, of `count` states into rows at first, first + stride …
 * of an output column that is there. 0, or -1 with err (TM_E_OVERFLOW, TM_E_MEMORY). */
typedef struct tm_live_reading {
  const tm_aggregate *aggregate;
  tm_live_part *const *parts;  /* of the plan */
  char *const *states;
  uint32_t count, first, stride;
  tm_batch *out;
  uint32_t column;
  const uint64_t **tuples;     /* scratch: count entries, */
  uint32_t *rows;              /* and so are these */
} tm_live_reading;

int tm_live_read(const tm_live_reading *reading, tm_error *err);

#endif
