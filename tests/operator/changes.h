/* tests/operator/changes.h: random changelogs for tests: rows of a table that come and go, and what
 * is left of them. */
#ifndef TESTS_OPERATOR_CHANGES_H
#define TESTS_OPERATOR_CHANGES_H

#include "tests/support/rows.h"

typedef struct changes {
  tm_batch *table;    /* a row a change */
  int32_t *weights;   /* of the changes */
  uint32_t *sources;  /* rows of the base table */
  const tm_batch *base;
} changes;

/* `count` changes: a row of the base comes, or one that is there goes, `back` percent of them; now
 * and then two of the same at once. */
changes changes_make(tm_budget *budget, const tm_batch *base, uint32_t count, uint32_t back,
                     uint64_t seed);
void changes_clear(changes *c);
/* The rows that are left after the first `upto` changes, sorted by their columns. */
tm_batch *changes_net(tm_budget *budget, const changes *c, uint32_t upto);
/* Rows of a table, in that order, in a table of their own. */
tm_batch *changes_pick(tm_budget *budget, const tm_batch *table, const uint32_t *rows,
                       uint32_t count);

#endif
