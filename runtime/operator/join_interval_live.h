/* operator/join_interval_live.h: the state of join_interval where rows come and go.
 * Used by join_interval_live.c, which runs, join_interval_rows.c, which keeps the rows, and
 * join_interval_state.c, which saves and restores. */
#ifndef TM_OPERATOR_JOIN_INTERVAL_LIVE_H
#define TM_OPERATOR_JOIN_INTERVAL_LIVE_H

#include "operator/join_interval_plan.h"
#include "operator/join_pairs.h"
#include "state/row_pool.h"
#include "state/time_heap.h"
#include "state/time_list.h"

/* The head of a row that is kept: what the pool holds before its columns. */
typedef struct interval_row {
  int64_t time_us;         /* first: join_pairs reads it */
  int64_t low_us, high_us; /* of a left row: where its matches lie; high_us of any row: the other
                              side's watermark beyond which nothing can match it */
  tm_key_entry *key;
  uint8_t met;             /* it has a match */
  uint8_t unused[15];
} interval_row;

typedef struct interval_key { tm_time_list rows[2]; } interval_key; /* payload of an entry */

/* The batch that probes, and how far it is. */
typedef struct interval_probe {
  tm_batch *batch;         /* NULL: none does */
  uint32_t port;
  tm_join_key_reader keys;
  /* per selected row, in the batch's arena */
  tm_key_entry **entries;  /* NULL: nobody has its key */
  int64_t *lows, *highs;   /* of a right row, high_us alone: its end */
  uint8_t *usable, *met;   /* no key is null; it has a match */
  uint32_t at;             /* row that is looked at */
  uint32_t seen;           /* rows of the other side within its range so far */
  uint32_t next, end;      /* entries of the list; good where `placed` */
  bool placed;
} interval_probe;

typedef struct interval {
  tm_stage_env env;
  const interval_plan *plan;
  tm_key_map keys;
  tm_row_pool pools[2];
  tm_time_heap ends[2];    /* rows of a side by high_us */
  tm_time_list waiting[2]; /* rows that may yet come out, where a bound is a column: their own times
                              hold the output's back */
  int64_t watermarks_us[2];
  bool ended[2];
  int64_t told_us;         /* watermark that was given last */
  interval_probe probe;
  tm_join_pairs pairs;
} interval;

static inline interval_row *tm_interval_row(const interval *i, uint32_t port, uint32_t id) {
  return tm_row_pool_head(&i->pools[port], id);
}
static inline interval_key *tm_interval_key(tm_key_entry *entry) {
  return tm_key_entry_payload(entry);
}
static inline bool tm_interval_is_half(const interval *i) {
  return i->plan->join.kind == JOIN_SEMI || i->plan->join.kind == JOIN_ANTI;
}

/* join_interval_rows.c ------------------------------------------------------------------------ */

int tm_interval_rows_init(interval *i, tm_error *err);
void tm_interval_rows_deinit(interval *i);
/* Whether the row of a side comes out by itself, met or not: outer and half kinds. */
bool tm_interval_comes_out(const interval *i, uint32_t port, bool met);
/* Keeps rows of the batch that probes: places in its selection. 0, or -1 with err. */
int tm_interval_keep(interval *i, const uint32_t *places, uint32_t count, tm_error *err);
/* The other side's time has passed the row's end. */
bool tm_interval_has_dead(const interval *i, uint32_t port);
/* Takes dead rows of a side out of the lists, books them, and forgets those that do not come out;
 * the others' ids go to `ids`, at most `max`. They are still in the pool. */
uint32_t tm_interval_bury(interval *i, uint32_t port, uint32_t *ids, uint32_t max);
/* A row that is kept has its first match. */
void tm_interval_meet(interval *i, uint32_t port, uint32_t id);
/* A left row's fate is known: it has had a match, or will never have one. */
void tm_interval_settle(interval *i, bool met);
/* How far time has come on the output. */
int64_t tm_interval_watermark(const interval *i);

/* join_interval_state.c ----------------------------------------------------------------------- */

int tm_interval_save(void *self, tm_bytes *out, tm_error *err);
int tm_interval_restore(void *self, const void *bytes, size_t size, tm_error *err);

/* join_interval_live.c ------------------------------------------------------------------------ */

/* A batch begins to probe (owned; consumed). 0, or -1 with err. */
int tm_interval_begin(interval *i, uint32_t port, tm_batch *taken, tm_error *err);
/* No batch probes any more. */
void tm_interval_end(interval *i);

#endif
