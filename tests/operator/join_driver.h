/* tests/operator/join_driver.h: one instance of a stage of two inputs, fed for a long virtual time,
 * and what it holds meanwhile. */
#ifndef TESTS_OPERATOR_JOIN_DRIVER_H
#define TESTS_OPERATOR_JOIN_DRIVER_H

#include "tests/support/stage_harness.h"

typedef struct join_driver {
  tm_bind bind;
  tm_stage_env env;
  tm_ledger ledger;
  tm_budget *budget;   /* of the stage alone */
  tm_arena *arena;
  tm_arena scratch;
  void *self;
  uint64_t rows;       /* that came out */
  int64_t watermark_us;
  tm_flow flow;
} join_driver;

/* Binds and opens the case, of which only options, schemas and facts count. */
void join_driver_open(join_driver *d, const harness_case *c, tm_arena *arena);
/* A batch of `count` rows of a port; fill() writes a row of it (columns have data and valid). It
 * has times out of the column `at`, and marks `mark_us`. Then time comes to watermark_us. */
typedef void (*join_driver_fill)(tm_batch *batch, uint32_t row, void *context);
void join_driver_push(join_driver *d, uint32_t port, uint32_t count, join_driver_fill fill,
                      void *context, int64_t mark_us, int64_t watermark_us);
/* Both ports end, everything comes out, the books balance; closes it. */
void join_driver_finish(join_driver *d);

#endif
