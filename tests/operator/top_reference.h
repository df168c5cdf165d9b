/* tests/operator/top_reference.h: the first rows of groups, by sorting and counting. */
#ifndef TESTS_OPERATOR_TOP_REFERENCE_H
#define TESTS_OPERATOR_TOP_REFERENCE_H

#include "tests/support/reference.h"
#include "tests/support/rows.h"

typedef struct top_wish {
  const tm_batch *table;
  int64_t n;
  const reference_key *keys; /* per, then by */
  uint32_t per, count;
  bool all_ties, ranked;
} top_wish;

/* The rank of a row is one more than the rows before it in its group, ties by `by` aside. */
rows_list top_reference(const top_wish *wish);

#endif
