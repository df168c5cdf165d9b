/* state/live_states.h: aggregates that begin, take rows in, are read at any time, and end: those of
 * a session, or of the rows that a window slides over.
 *
 * As live_groups.h, but the caller names the states, by small numbers of its own, and says when one
 * ends. Rows that are taken back leave a state in the order in which they came. Where none are, a
 * state can be saved, and read into another one. */
#ifndef TM_STATE_LIVE_STATES_H
#define TM_STATE_LIVE_STATES_H

#include "state/live_groups.h"

typedef struct tm_live_states tm_live_states;

/* needed: a byte an aggregate, NULL: all. Of the options `order` is not used; rows have times.
 * Keys of the plan do not matter. NULL with err. */
tm_live_states *tm_live_states_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, const tm_live_options *options,
                                      tm_error *err);
void tm_live_states_destroy(tm_live_states *states); /* NULL is a no-op */
/* States 0 … end-1 are there; new ones are of no row. 0, or -1 with err. */
int tm_live_states_reserve(tm_live_states *states, uint32_t end, tm_error *err);

/* Takes the rows in; row rows->rows[i] is of state ids[i]. Keys and weights are not looked at. 0,
 * or -1 with err. */
int tm_live_states_add(tm_live_states *states, const tm_live_rows *rows, const uint32_t *ids,
                       tm_error *err);
/* Takes rows back that were taken in. */
int tm_live_states_remove(tm_live_states *states, const tm_live_rows *rows, const uint32_t *ids,
                          tm_error *err);
/* A bounded piece of the work that growth leaves behind, after each batch: 1: call again, 0: done,
 * -1 with err. */
int tm_live_states_settle_step(tm_live_states *states, tm_error *err);
/* Rows that a state is of. */
int64_t tm_live_states_rows(const tm_live_states *states, uint32_t id);
/* Opens the columns of the aggregates, from `column` on, in a batch: those that are needed. 0, or
 * -1 with err. */
int tm_live_states_open(const tm_live_states *states, tm_batch *out, uint32_t column,
                        tm_error *err);
/* Aggregates of the states ids[0 … count-1] into rows first … of these columns. 0, or -1 with
 * err. */
int tm_live_states_read(tm_live_states *states, const uint32_t *ids, uint32_t count, tm_batch *out,
                        uint32_t first, uint32_t column, tm_error *err);
/* The state is of no row again. */
void tm_live_states_drop(tm_live_states *states, uint32_t id);

void tm_live_states_save(const tm_live_states *states, uint32_t id, tm_record_writer *writer);
/* Into a state that is of no row. 0, or -1 with err. */
int tm_live_states_restore(tm_live_states *states, uint32_t id, tm_record_reader *reader,
                           tm_error *err);

#endif
