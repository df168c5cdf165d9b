/* tests/operator/window_reference.h: windows the plain way: every row once for each of its windows,
 * with the bounds as columns, for a reference that groups by them. */
#ifndef TESTS_OPERATOR_WINDOW_REFERENCE_H
#define TESTS_OPERATOR_WINDOW_REFERENCE_H

#include "kernel/window_grid.h"
#include "tests/support/rows.h"

typedef struct window_shape {
  const char *time;       /* column of event time: timestamp or date */
  tm_window_kind kind;
  int64_t size_us, step_us;
  const tm_zone *zone;    /* NULL: none */
  bool stream;            /* rows may be late, in the order of the table */
  int64_t out_of_order_us, lateness_us;
  int64_t early_us;       /* told early: makes no difference in the end */
  bool final_only;
} window_shape;

/* The rows in order of time, of equal times in order of the table; columns window_start and
 * window_end behind the others. Strings stay those of the table. Rows in no window that is open to
 * them go to `late`, as results of the harness have them, with the columns that are `needed`
 * ("a b"). */
tm_batch *window_reference_expand(const tm_batch *table, const window_shape *shape,
                                  tm_arena *arena, const char *needed, rows_list *late);

#endif
