/* operator/join_run.h: the state of a running join: of one lane, and what the lanes share.
 * join_build.c makes the side that is kept, join.c and lookup.c probe it, join_state.c saves and
 * restores. */
#ifndef TM_OPERATOR_JOIN_RUN_H
#define TM_OPERATOR_JOIN_RUN_H

#include "operator/join_pairs.h"
#include "stage/gate.h"

typedef struct tm_join_shared {
  tm_budget *budget;
  tm_join_table table;
  tm_join_runs runs;  /* where the plan wants an order */
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

/* How the rows of a batch find their matches. */
typedef struct tm_join tm_join;
typedef struct tm_join_match {
  /* Makes join->heads: the first match of every row; after a restore, the next one of where it was.
   * 0, or -1 with err. */
  int (*find)(tm_join *join, tm_error *err);
  /* The next pairs, at most `max`; join->at comes behind the last row once there are no more. */
  void (*fill)(tm_join *join, uint32_t max);
} tm_join_match;

struct tm_join {
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
  const tm_join_match *match;
  uint32_t *heads;       /* per selected row: its next match; NULL: to be found again */
  uint32_t *ends;        /* of matches that lie next to each other (join_runs.h): where they end, */
  uint32_t *parts;       /* and in which part */
  uint8_t *met;          /* per selected row: it has a match */
  uint32_t at;
  bool resumes;          /* restored: at_head is the next match of row `at` */
  uint32_t at_head;
  tm_join_pairs pairs;   /* of the batch */
};

/* join_build.c ---------------------------------------------------------------------------------*/

int tm_join_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                  tm_error *err);
void tm_join_unshare(void *shared);
int tm_join_open(const tm_stage_env *env, void **out, tm_error *err);
void tm_join_close(void *self);
uint32_t tm_join_wants(void *self);
/* A batch of the side that is kept. */
tm_flow tm_join_copy(tm_join *join, tm_batch *taken, tm_error *err);
tm_flow tm_join_end_copy(tm_join *join, tm_error *err);
/* On to the phase in which batches probe: INPUT once all lanes are there. */
tm_flow tm_join_resume_build(tm_join *join, tm_error *err);

/* join.c --------------------------------------------------------------------------------------*/

/* tm_join_open for stages that push, resume and finish as verb join does. */
int tm_join_open_chains(const tm_stage_env *env, void **out, tm_error *err);
tm_flow tm_join_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err);
tm_flow tm_join_resume(void *self, tm_out *out, tm_error *err);
tm_flow tm_join_finish(void *self, uint32_t port, tm_out *out, tm_error *err);

/* join_state.c ---------------------------------------------------------------------------------*/

/* One array of all parts, and the check of a one-row side; by one lane alone. 0 or -1. */
int tm_join_lay_out(tm_join *join, tm_error *err);
int tm_join_save(void *self, tm_bytes *out, tm_error *err);
int tm_join_restore(void *self, const void *bytes, size_t size, tm_error *err);

#endif
