/* operator/live_join.h: the state of a join in which both sides come and go.
 * Used by live_join.c, which runs, live_join_rows.c, which keeps the rows, and live_join_state.c,
 * which saves and restores. */
#ifndef TM_OPERATOR_LIVE_JOIN_H
#define TM_OPERATOR_LIVE_JOIN_H

#include "operator/join_pairs.h"
#include "state/multiset.h"
#include "state/row_pool.h"
#include "state/row_set.h"
#include "state/slot_table.h"

typedef struct tm_live_join_plan {
  join_plan join;    /* first */
  int64_t ttl_us;    /* 0: rows are kept for ever */
  bool retracts[2];  /* rows of a side may be taken back */
  bool tracks[2];    /* what matches a row of a side is counted: it comes out by itself or not */
} tm_live_join_plan;

/* The head of a row that is kept: what the pool holds before its columns. */
typedef struct tm_live_row {
  int64_t time_us;         /* first: join_pairs reads it */
  int64_t weight;          /* how often it is there; 0: the slot is free */
  int64_t met;             /* weights of the rows that match it, where the side is tracked */
  uint32_t key;
  uint32_t next, previous; /* rows of the key; TM_POOL_NONE: none */
  uint32_t salt;           /* of all its columns, where rows may be taken back */
  uint32_t touch;          /* number among the rows that the batch meets, if it is one of them */
  uint32_t place;          /* number in the saved state, while that is written */
} tm_live_row;

typedef struct tm_live_side {
  tm_row_pool pool;
  tm_slot_table index;     /* rows by what they hold, where they may be taken back */
  uint32_t *heads;         /* by key: its newest row */
  uint32_t capacity;       /* keys */
  int64_t weight;          /* of all rows that ever came */
  tm_multiset_pool *times; /* (time, id), where rows expire */
  tm_multiset by_time;
} tm_live_side;

typedef enum tm_live_phase {
  LIVE_PAIRS, /* pairs of the batch with rows of the other side */
  LIVE_ROWS,  /* rows of the batch that come out by themselves */
  LIVE_KEPT,  /* rows of the other side that do so no more, or again */
  LIVE_STORE, /* the batch joins its side */
} tm_live_phase;

/* A row of the other side that the batch meets. */
typedef struct tm_live_touch { int64_t before; uint32_t id, unused; } tm_live_touch;

/* The batch that is being taken in. Arrays lie in its arena. */
typedef struct tm_live_probe {
  tm_batch *batch;         /* NULL: none is */
  uint32_t port;
  tm_live_phase phase;
  uint32_t *keys;          /* per selected row; TM_ROW_SET_NONE: a null key, it matches nothing */
  int64_t *met;            /* per selected row: weights of what matches it */
  uint32_t at;             /* PAIRS: row whose matches are next, */
  uint32_t next;           /* and the first of them, */
  bool started;            /* unless the row is still to be begun */
  tm_live_touch *touches;
  uint32_t touch_count, touch_capacity;
  uint32_t given;          /* KEPT: touches that are done */
} tm_live_probe;

typedef struct tm_live_join {
  tm_stage_env env;
  const tm_live_join_plan *plan;
  tm_row_set *keys;
  tm_live_side sides[2];
  int64_t watermarks_us[2];
  bool ended[2];
  int64_t told_us;         /* watermark that was given last */
  tm_live_probe probe;
  tm_join_pairs pairs;
  tm_tuple_spec time_spec;
  tm_tuple_part time_parts[2];
} tm_live_join;

static inline tm_live_row *tm_live_join_row(const tm_live_join *j, uint32_t side, uint32_t id) {
  return tm_row_pool_head(&j->sides[side].pool, id);
}

/* live_join_rows.c ---------------------------------------------------------------------------- */

int tm_live_join_rows_init(tm_live_join *join, tm_error *err);
void tm_live_join_rows_deinit(tm_live_join *join);
/* Keys of the batch that probes, and room beside them. 0, or -1 with err. */
int tm_live_join_find_keys(tm_live_join *join, tm_error *err);
/* Room for the heads of the chains of that many keys. false: memory. */
bool tm_live_join_grow(tm_live_join *join, uint32_t keys);
/* The batch joins its side: rows come in, or go. 0, or -1 with err (TM_E_LEDGER). */
int tm_live_join_store(tm_live_join *join, tm_error *err);
/* Links a row, whose head has weight, met, time and key, into its side. 0 or -1 (memory). */
int tm_live_join_link(tm_live_join *join, uint32_t side, uint32_t id);
/* Forgets some rows that are too old. 1: there are more, 0: no. */
int tm_live_join_expire(tm_live_join *join);
/* A bounded piece of what growth leaves behind: 1: call again, 0: done, -1: memory. */
int tm_live_join_settle(tm_live_join *join);

/* live_join.c --------------------------------------------------------------------------------- */

/* The batch (owned; consumed) is the one that probes, at its beginning. 0, or -1 with err. */
int tm_live_join_begin(tm_live_join *join, uint32_t port, tm_batch *taken, tm_error *err);
/* Notes that the batch meets the row. false: memory. */
bool tm_live_join_touch(tm_live_join *join, uint32_t id, int64_t before);

/* live_join_state.c --------------------------------------------------------------------------- */

int tm_live_join_save(void *self, tm_bytes *out, tm_error *err);
int tm_live_join_restore(void *self, const void *bytes, size_t size, tm_error *err);

#endif
