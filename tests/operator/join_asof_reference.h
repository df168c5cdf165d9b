/* tests/operator/join_asof_reference.h: which row an as-of join takes, by looking at all of
 * them. */
#ifndef TESTS_OPERATOR_JOIN_ASOF_REFERENCE_H
#define TESTS_OPERATOR_JOIN_ASOF_REFERENCE_H

#include "tests/operator/join_reference.h"

typedef struct asof_wish {
  const char *by[2];       /* columns of the left and of the right */
  int64_t tolerance;       /* in units of the column; negative: none */
  const uint8_t *needed;   /* per column of the right side: ties go by it; NULL: by all */
} asof_wish;

/* For join_wish.also, with an asof_wish as its context: the right row is the one that is taken. */
bool join_asof_takes(const join_wish *wish, uint32_t left, uint32_t right);

#endif
