/* operator/join_pairs.h: pairs of rows that match, and the batches that they become.
 *
 * One side's rows lie in a batch that probes, the other's are kept and have ids. Pairs are gathered
 * a slice at a time, at most a batch of them, so that a row with a million matches stalls nobody.
 */
#ifndef TM_OPERATOR_JOIN_PAIRS_H
#define TM_OPERATOR_JOIN_PAIRS_H

#include "operator/join_plan.h"
#include "state/row_pool.h"

typedef struct tm_join_pairs {
  const tm_stage_env *env;
  const join_plan *plan;
  uint32_t kept;          /* the port whose rows have ids */
  const tm_chunk *chunks; /* where they lie; or */
  const tm_row_pool *pool; /* where they come and go; the head of a row begins with its time */
  tm_batch *batch;        /* of the other port; borrowed. NULL: no row probes */
  tm_schema *both;        /* columns of both sides, in the batch's arena; NULL: not made yet */
  /* the slice */
  uint32_t *probe;        /* index into the batch's selection; NULL: no room yet */
  uint32_t *rows;         /* row of the batch */
  uint32_t *ids;          /* row that is kept */
  uint32_t count;
} tm_join_pairs;

/* Another batch, or NULL; without pairs yet. */
void tm_join_pairs_begin(tm_join_pairs *pairs, tm_batch *batch);
/* An empty slice with room for `max`. 0, or -1 with err. */
int tm_join_pairs_reserve(tm_join_pairs *pairs, uint32_t max, tm_error *err);
/* Leaves only the pairs for which the condition holds; refuses those for which it raises. */
int tm_join_pairs_where(tm_join_pairs *pairs, tm_out *out, tm_error *err);
/* A batch of the result: rows[i] of the batch with ids[i]; NULL for a side that is missing, all
 * null. NULL with err when out of memory. */
tm_batch *tm_join_pairs_make(const tm_join_pairs *pairs, const uint32_t *rows, const uint32_t *ids,
                             uint32_t count, tm_error *err);

#endif
