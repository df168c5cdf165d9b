/* state/slide_groups.h: keys, and the aggregates of their rows in a window that slides with them.
 *
 * Rows come in time order. Those in the window wait in a queue and leave it as they came; the
 * aggregates of a key take a row in as it comes, and take it back, exactly, as it leaves
 * (live_states.h). Keys do not touch each other, so a batch goes in rounds: in each, every key
 * makes one step, to the next time at which it has rows (slide_steps.h). A batch of many keys is a
 * few rounds of many rows. */
#ifndef TM_STATE_SLIDE_GROUPS_H
#define TM_STATE_SLIDE_GROUPS_H

#include "state/live_states.h"

typedef struct tm_slide_groups tm_slide_groups;

/* Everything lives as long as the groups. The window of time t is (t - span_us, t]. */
typedef struct tm_slide_spec {
  const tm_group_plan *plan;
  const uint8_t *needed;       /* a byte an aggregate; NULL: all */
  const tm_live_options *live;
  int64_t span_us;
  uint32_t input_count, filter_count;
  const tm_type *input_types;
  const uint8_t *used_inputs, *used_filters; /* a byte each */
} tm_slide_spec;

/* The selected rows of a batch, with times. */
typedef struct tm_slide_rows {
  tm_batch *batch;
  const tm_column *const *keys, *const *inputs;
  uint8_t *const *holds;       /* of the filters: a byte a row */
} tm_slide_rows;

/* Aggregates: row slots[row] of `batch`, columns from `column` on, is that of a row. */
typedef struct tm_slide_results {
  tm_batch *batch;             /* the caller's to release */
  uint32_t *slots;             /* in the arena; 0 for rows that are not selected */
} tm_slide_results;

/* NULL with err. */
tm_slide_groups *tm_slide_groups_create(tm_budget *budget, const tm_slide_spec *spec,
                                        tm_error *err);
void tm_slide_groups_destroy(tm_slide_groups *groups); /* NULL is a no-op */

/* Takes rows in, and gives the aggregates of each: no row of their times comes later or came
 * before. What is needed meanwhile is in the arena. 0, or -1 with err. */
int tm_slide_groups_slide(tm_slide_groups *groups, const tm_slide_rows *rows,
                          const tm_schema *schema, uint32_t column, tm_arena *arena,
                          tm_slide_results *out, tm_error *err);
/* Takes rows of one time in, which may be some of those of that time; what they see has left by
 * then. 0, or -1 with err. */
int tm_slide_groups_add(tm_slide_groups *groups, const tm_slide_rows *rows, tm_arena *arena,
                        tm_error *err);
/* Gives the aggregates of rows that were added, of the latest time. Looks at keys only. 0, or -1
 * with err. */
int tm_slide_groups_read(tm_slide_groups *groups, const tm_slide_rows *rows,
                         const tm_schema *schema, uint32_t column, tm_arena *arena,
                         tm_slide_results *out, tm_error *err);
/* Time has come there: rows that no later one sees leave, a piece a call. 1: there are more; 0, or
 * -1 with err. */
int tm_slide_groups_leave(tm_slide_groups *groups, int64_t time_us, tm_arena *arena,
                          tm_error *err);
/* A large set of keys takes a while to grow; as tm_row_set_settle_step(). */
int tm_slide_groups_settle_step(tm_slide_groups *groups, tm_error *err);

void tm_slide_groups_save(tm_slide_groups *groups, tm_record_writer *writer);
/* Into new groups of the same spec. 0, or -1 with err. */
int tm_slide_groups_restore(tm_slide_groups *groups, tm_record_reader *reader, tm_arena *names,
                            tm_arena *arena, tm_error *err);

#endif
