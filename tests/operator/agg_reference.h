/* tests/operator/agg_reference.h: aggregates the plain way: lists of rows, sorted and added up. */
#ifndef TESTS_OPERATOR_AGG_REFERENCE_H
#define TESTS_OPERATOR_AGG_REFERENCE_H

#include "tests/support/row_function.h"
#include "tests/support/rows.h"

typedef struct agg_spec {
  const char *agg, *of, *by, *as;
  double q;
  bool q_given;
  row_function *where, *of_function;
  void (*where_holds)(
      row_call *); /* marks that `where` is "n is even", which the reference knows */
  const char *of_value;            /* the function is `factor` times this column of int32 */
  int factor;
} agg_spec;

/* The rows that agg makes of the selected rows, in any order. Ordinals are row numbers. */
void agg_reference(const tm_batch *table, const char *const *keys, uint32_t key_count,
                   const agg_spec *specs, uint32_t spec_count, rows_list *out);

#endif
