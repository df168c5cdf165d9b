/* operator/join_plan.h: what a hash join knows before it runs: sides, keys, columns of the result.
 * Shared by join.c, which runs, and join_plan.c, which binds. */
#ifndef TM_OPERATOR_JOIN_PLAN_H
#define TM_OPERATOR_JOIN_PLAN_H

#include "expr/function.h"
#include "stage/stage.h"
#include "state/join_table.h"

typedef enum join_kind {
  JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL, JOIN_SEMI, JOIN_ANTI,
} join_kind;

/* A column of the result. A key of one name on both sides has both, else one is -1. */
typedef struct join_column { int32_t left, right; } join_column;

typedef struct join_plan {
  join_kind kind;
  uint32_t build;            /* the port whose rows are kept: 1, or 0 where the left is smaller */
  tm_join_keys keys[2];
  bool scalar;               /* on = {}: at most one row on the right */
  join_column *columns;      /* of the result */
  tm_function *where;        /* over the columns of both sides, left ones first; NULL: none */
  uint8_t *kept;             /* per column of the build side: needed after the probe */
  bool outer_left, outer_right; /* rows without a match come out too */
} join_plan;

int tm_join_bind(tm_bind *bind, tm_error *err);
void tm_join_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);

#endif
