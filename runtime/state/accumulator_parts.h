/* state/accumulator_parts.h: the classes of parts; for accumulator*.c alone. */
#ifndef TM_STATE_ACCUMULATOR_PARTS_H
#define TM_STATE_ACCUMULATOR_PARTS_H

#include "state/accumulator.h"
#include "state/text_heap.h"

extern const tm_part_class tm_part_class_count, tm_part_class_seen; /* accumulator.c */
extern const tm_part_class tm_part_class_sum, tm_part_class_wide_sum;
extern const tm_part_class tm_part_class_float;
extern const tm_part_class tm_part_class_extreme, tm_part_class_text_extreme;
extern const tm_part_class tm_part_class_pick;
extern const tm_part_class tm_part_class_values;
extern const tm_part_class tm_part_class_distinct;

enum { TM_PART_BLOCK = 512 }; /* rows that a loop with scratch on the stack takes in one go */

/* Both parts' own way to put entries into a column; `seen` as in tm_part_read. */
int tm_part_read_extreme(const tm_part *part, uint32_t first, uint32_t count, const uint8_t *seen,
                         tm_batch *out, uint32_t column);
int tm_part_read_pick(const tm_part *part, uint32_t first, uint32_t count, tm_batch *out,
                      uint32_t column);
const int64_t *tm_part_distinct_counts(const tm_part *part);

/* Keeps a string in *heap in place of *old (which may be NULL), whose bytes are garbage from then
 * on. *live counts the bytes in use. false: refused. */
bool tm_part_keep_text(tm_text_heap *heap, uint64_t *live, const tm_str *text, tm_str *old);
/* An empty one in place of *heap, which batches may still hold. false: refused. */
bool tm_part_new_heap(tm_budget *budget, tm_text_heap **heap);
/* More than half of the heap, and more than a megabyte, is garbage. */
bool tm_part_heap_is_stale(const tm_text_heap *heap, uint64_t live);

#endif
