/* tests/operator/over_reference.h: over, once more and as plainly as can be: for each row all the
 * rows before it are gone through again. */
#ifndef TESTS_OPERATOR_OVER_REFERENCE_H
#define TESTS_OPERATOR_OVER_REFERENCE_H

#include "tests/support/stage_harness.h"

typedef struct over_column {
  const char *fn, *of; /* of NULL: none */
  int n;               /* of lag and lead */
  int rows;            /* 0: no frame of rows */
  int64_t range_us;    /* -1: no range */
} over_column;

enum { OVER_COLUMNS = 12 };

typedef struct over_case {
  const char *per;     /* "k s"; NULL: one partition */
  const char *by;      /* "-v at": a batch's order; NULL: event time, else the table's */
  int64_t session_us;  /* 0: none */
  over_column columns[OVER_COLUMNS]; /* ends with an fn of NULL */
} over_case;

/* The options as a script has them; columns are named c0, c1 … */
tm_value over_options(tm_arena *arena, const over_case *o);
/* What rows of the case's table become, in their order. */
void over_expect(const harness_case *c, const over_case *o, rows_list *out);

#endif
