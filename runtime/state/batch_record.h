/* state/batch_record.h: the rows of a batch as a record, and back.
 *
 * Only selected rows are kept; what dead rows and nulls hold is not. Sequence, origin, ordinals,
 * times, marks and weights stay; columns without data come back without data. */
#ifndef TM_STATE_BATCH_RECORD_H
#define TM_STATE_BATCH_RECORD_H

#include "column/batch.h"
#include "state/record.h"

void tm_batch_record_save(const tm_batch *batch, tm_record_writer *writer);
/* A batch of `schema` that owns all it has, but for the name of its file, which lies in `names`,
 * an arena that lives as long as the plan. NULL with err: out of memory, or malformed. */
tm_batch *tm_batch_record_restore(tm_record_reader *reader, tm_budget *budget,
                                  const tm_schema *schema, tm_arena *names, tm_error *err);

/* TM_E_LOCKED, for whoever finds that what a record says cannot be; returns -1. */
int tm_record_refuse(tm_error *err);

#endif
