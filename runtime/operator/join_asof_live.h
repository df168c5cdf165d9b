/* operator/join_asof_live.h: the state of join_asof in a stream.
 * Used by join_asof_live.c, which runs, and join_asof_state.c, which saves and restores. */
#ifndef TM_OPERATOR_JOIN_ASOF_LIVE_H
#define TM_OPERATOR_JOIN_ASOF_LIVE_H

#include "operator/join_asof_plan.h"
#include "operator/join_widen.h"
#include "state/row_pool.h"

enum { ASOF_WORK = 4096 }; /* rows that a call looks at */

/* The head of a right row that is kept: the latest of its key. They are linked in order of time. */
typedef struct asof_row {
  int64_t time_us;       /* first: join_widen reads it */
  tm_key_entry *key;
  uint32_t next, previous;
  uint8_t unused[8];
} asof_row;

typedef struct asof_key { uint32_t id; uint32_t unused[3]; } asof_key; /* payload of an entry */

typedef struct asof_waiting {
  tm_batch *batch;
  uint32_t at;           /* rows of its selection that are through */
} asof_waiting;

/* Rows of a side that wait, in order of time. */
typedef struct asof_queue {
  asof_waiting *items;   /* ring */
  uint32_t first, count, capacity;
  uint64_t rows;
  tm_join_key_reader keys; /* of the first batch */
} asof_queue;

typedef struct asof {
  tm_stage_env env;
  const asof_plan *plan;
  tm_key_map keys;
  tm_row_pool pool;
  uint32_t oldest, newest; /* rows of the pool that are the latest of their key */
  asof_queue queues[2];
  int64_t watermarks_us[2];
  int64_t latest_us[2];    /* of the rows that came */
  bool ended[2];
  int64_t told_us;         /* watermark that was given last */
  uint32_t found[ASOF_WORK], found_count; /* what the next left rows find */
  uint32_t gone[ASOF_WORK], gone_count;   /* replaced, but perhaps found before */
} asof;

static inline asof_row *tm_asof_row(const asof *a, uint32_t id) {
  return tm_row_pool_head(&a->pool, id);
}

/* join_asof_live.c ---------------------------------------------------------------------------- */

/* Rows wait (a reference is consumed). 0, or -1 with err. */
int tm_asof_enqueue(asof *a, uint32_t port, tm_batch *taken, tm_error *err);
/* A right row becomes the latest of its key; `keys` reads its batch. 0, or -1 with err. */
int tm_asof_apply(asof *a, tm_join_key_reader *keys, const tm_batch *batch, uint32_t row,
                  tm_error *err);

/* join_asof_state.c --------------------------------------------------------------------------- */

int tm_asof_save(void *self, tm_bytes *out, tm_error *err);
int tm_asof_restore(void *self, const void *bytes, size_t size, tm_error *err);

#endif
