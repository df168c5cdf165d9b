/* operator/join_widen.h: left rows, each with at most one row of the right side: the batch goes on
 * as it is, with the columns of those rows beside its own. */
#ifndef TM_OPERATOR_JOIN_WIDEN_H
#define TM_OPERATOR_JOIN_WIDEN_H

#include "operator/join_plan.h"
#include "state/row_pool.h"

typedef struct tm_join_widen {
  const tm_stage_env *env;
  const join_plan *plan;
  const tm_chunk *chunks;  /* where the right rows lie; or */
  const tm_row_pool *pool; /* where they come and go; the head of a row begins with its time */
  bool later;              /* a right row may be later than its left row: the times are the later */
} tm_join_widen;

/* Whether some id is none: TM_ROW_NONE, which is TM_POOL_NONE too. */
bool tm_join_widen_misses(const uint32_t *ids, uint32_t count);
/* The left rows (owned) that have no right row leave, and `ids` with them. The number of those that
 * left, or -1 (memory). */
int64_t tm_join_widen_drop(tm_batch *batch, uint32_t *ids);
/* ids[i] is of the i-th selected row. A batch that pins `in`; NULL: out of memory. */
tm_batch *tm_join_widen_batch(const tm_join_widen *widen, tm_batch *in, const uint32_t *ids,
                              bool misses);

#endif
