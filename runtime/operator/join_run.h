/* operator/join_run.h: the state of a running join: of one lane, and what the lanes share.
 * Used by join.c, which runs, and join_state.c, which saves and restores. */
#ifndef TM_OPERATOR_JOIN_RUN_H
#define TM_OPERATOR_JOIN_RUN_H

#include "operator/join_plan.h"
#include "stage/gate.h"

typedef struct tm_join_shared {
  tm_budget *budget;
  tm_join_table table;
  tm_gate copied, built, probed;
  int laid_out;       /* atomic: 1 once the parts are one array */
  /* only while a state is restored: */
  uint32_t restored;  /* lanes so far */
  uint32_t *rebuild;  /* per lane: chunks that were in its partition */
  uint8_t *marks;     /* row id → a probe had met it; NULL: nobody has told */
  uint64_t mark_count;
} tm_join_shared;

typedef enum tm_join_phase {
  JOIN_COPY,    /* takes the build side */
  JOIN_LAY_OUT, /* waits until all lanes have theirs */
  JOIN_BUILD,   /* makes the table of its partition of keys */
  JOIN_PROBE,   /* takes the other side, once all partitions are made */
  JOIN_DRAIN,   /* gives out rows of the build side */
} tm_join_phase;

/* Pairs of rows that match. */
typedef struct tm_join_slice {
  uint32_t *probe; /* index into the selection of the probing batch; NULL: not made yet */
  uint32_t *rows;  /* row of the probing batch */
  uint32_t *ids;   /* row of the build side */
  uint32_t count;
} tm_join_slice;

typedef struct tm_join {
  tm_stage_env env;
  const join_plan *plan;
  tm_join_shared *shared;
  tm_join_table *table;
  tm_join_phase phase;
  bool track;            /* marks rows of the build side */
  uint32_t chunk;        /* next one to build, or to give out */
  uint32_t row;          /* next row of the chunk to give out */
  /* the batch that probes, and how far it is */
  tm_batch *batch;
  uint32_t *heads;       /* per selected row: its next match; NULL: to be found again */
  uint8_t *met;          /* per selected row: it has a match */
  uint32_t at;
  bool resumes;          /* restored: at_head is the next match of row `at` */
  uint32_t at_head;
  tm_join_slice slice;   /* scratch of the batch */
  tm_schema *pairs;      /* columns of both sides, in the batch's arena; NULL: not made yet */
} tm_join;

/* One array of all parts, and the check of a one-row side; by one lane alone. 0 or -1. */
int tm_join_lay_out(tm_join *join, tm_error *err);
int tm_join_save(void *self, tm_bytes *out, tm_error *err);
int tm_join_restore(void *self, const void *bytes, size_t size, tm_error *err);

#endif
