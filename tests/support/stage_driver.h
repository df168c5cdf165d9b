/* tests/support/stage_driver.h: one instance of a stage, driven step by step: for what a test wants
 * to see at a certain moment, and for long runs. The harness (stage_harness.h) is for the rest. */
#ifndef TESTS_SUPPORT_STAGE_DRIVER_H
#define TESTS_SUPPORT_STAGE_DRIVER_H

#include "tests/support/stage_harness.h"

typedef struct stage_driver {
  tm_budget *budget;    /* of the stage and what it gives */
  tm_arena arena;       /* of the bind */
  tm_arena scratch;     /* of rejects, until the next call */
  tm_bind bind;
  tm_ledger ledger;
  tm_stage_env env;
  void *self;
  tm_out out;           /* of the last call; `main` is in `rows` already */
  rows_list rows;       /* all that was given; as result.rows of the harness */
  bool quiet;           /* rows are not kept as text */
  uint64_t given;       /* rows */
  int64_t watermark_us; /* given last */
  const harness_case *c;
} stage_driver;

/* Binds and opens; every failure is the test's. */
stage_driver *stage_driver_open(const harness_case *c);
/* Each goes on with resume() as long as the stage wants that. `taken` gets what clock would give:
 * times out of the case's column, and marks, `mark_us` for every row. */
void stage_driver_push(stage_driver *d, tm_batch *taken, int64_t mark_us);
void stage_driver_advance(stage_driver *d, int64_t watermark_us);
void stage_driver_finish(stage_driver *d);
/* A new life out of what is saved. */
void stage_driver_restart(stage_driver *d);
void stage_driver_close(stage_driver *d);

#endif
