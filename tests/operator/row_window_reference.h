/* tests/operator/row_window_reference.h: windows that follow the rows, the plain way, and what both
 * session_test.c and sliding_test.c need for their cases. */
#ifndef TESTS_OPERATOR_ROW_WINDOW_REFERENCE_H
#define TESTS_OPERATOR_ROW_WINDOW_REFERENCE_H

#include "tests/operator/agg_reference.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

/* Columns at (event time), k, n, i, j, f, d, e, s, b. Times rise by about `step`, each moved back
 * by up to `disorder`; unique: no time is there twice. */
tm_batch *row_window_table(tm_budget *budget, tm_arena *arena, uint32_t rows, int64_t step,
                           int64_t disorder, uint32_t distinct, bool unique, uint64_t seed);

/* What a script would say: agg { … } of those keys, in that window. */
tm_value row_window_options(tm_arena *arena, tm_value window, const char *const *keys,
                            uint32_t key_count, const agg_spec *specs, uint32_t spec_count);

/* Keys, window_start, window_end, aggregates of each session. Rows come as from time_order. */
void row_window_sessions(const harness_case *c, const char *const *keys, uint32_t key_count,
                         int64_t gap_us, int64_t max_us, const agg_spec *specs,
                         uint32_t spec_count, rows_list *out);
/* Each row, then window_start, window_end and the aggregates of the rows of its key in
 * (time - span, time]. */
void row_window_slides(const harness_case *c, const char *const *keys, uint32_t key_count,
                       int64_t span_us, const agg_spec *specs, uint32_t spec_count,
                       rows_list *out);

/* Of all types; and those that go by place, for tables whose times are unique. */
extern const agg_spec row_window_specs[], row_window_picks[];
extern const uint32_t row_window_spec_count, row_window_pick_count;

#endif
