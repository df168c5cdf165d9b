/* operator/join_plan.h: what a join knows before it runs: sides, keys, columns of the result.
 * join_plan.c binds what all verbs of two flows share; each has a struct of its own that begins
 * with a join_plan. */
#ifndef TM_OPERATOR_JOIN_PLAN_H
#define TM_OPERATOR_JOIN_PLAN_H

#include "expr/function.h"
#include "stage/stage.h"
#include "state/join_runs.h"

typedef enum join_kind {
  JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL, JOIN_SEMI, JOIN_ANTI,
} join_kind;

/* A column of the result. A key of one name on both sides has both, else one is -1; both are of
 * what neither has. */
typedef struct join_column { int32_t left, right; } join_column;

typedef struct join_plan {
  join_kind kind;
  const tm_schema *sides[2]; /* of the rows that are joined: the inputs', or with a window behind */
  uint32_t build;            /* the port whose rows are kept: 1, or 0 where the left is smaller */
  tm_join_keys keys[2];
  bool scalar;               /* on = {}: at most one row on the right */
  join_column *columns;      /* of the result */
  tm_function *where;        /* over the columns of both sides, left ones first; NULL: none */
  const tm_join_order *order; /* in which the rows of a key are put, once all are there; or NULL */
  uint8_t *kept[2];          /* per column of a side: needed of a row that is kept */
  bool outer_left, outer_right; /* rows without a match come out too */
  bool side_timed[2], timed; /* rows of a side, of the result have event time */
  bool keeps_marks;          /* row-wise in a stream: a row that is behind and probes stays so */
} join_plan;

/* In what the verbs differ. */
typedef struct join_shape {
  size_t size;       /* of the plan */
  unsigned kinds;    /* a bit for each kind that the script may choose */
  join_kind initial; /* where it does not */
  bool scalar;       /* on = {} wants at most one row on the right */
  bool drops_keys;   /* keys of the right side come only where they are taken */
  const tm_type *window; /* window_start and window_end come last, of that type; NULL: no window */
  bool window_inside; /* the rows of both sides have them behind their own columns, and the first is
                         one more key */
} join_shape;
enum { JOIN_ALL_KINDS = (1 << 6) - 1 };

/* Kind, keys, output, condition, facts and needs. The plan, which is bind->plan too; NULL with
 * err. */
join_plan *tm_join_plan_create(tm_bind *bind, const join_shape *shape, tm_error *err);
/* Columns of an upstream window of the left side stay what they are, where each row comes when its
 * left row comes. */
void tm_join_pass_windows(tm_bind *bind);
/* Whether verb join runs with one side built before the other flows past it: in a batch always; in
 * a stream where the right side is a table that ends, or nobody looks before both have ended. With
 * a window, or where both sides stay alive, other stages serve. */
bool tm_join_builds_first(const tm_bind *bind);
int tm_join_bind(tm_bind *bind, tm_error *err);
/* The side to keep where one is read first: the smaller, as far as sizes are known; else the right
 * one. */
uint32_t tm_join_smaller_side(const tm_bind *bind);
/* For every verb. Also notes which columns of rows that are kept must be there. */
void tm_join_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);

#endif
