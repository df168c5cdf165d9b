/* kernel/accumulate.h: loops that add the values of rows to states by group.
 *
 * A state is a plain array with an entry a group, as the loop's last argument; the caller has made
 * room for every group and set new entries to the neutral value that each loop names. Nulls are
 * passed over. Without groups all rows go to entry 0, which is much faster: nothing is scattered.
 * */
#ifndef TM_KERNEL_ACCUMULATE_H
#define TM_KERNEL_ACCUMULATE_H

#include "column/batch.h"

/* Which rows, and the group of each: row rows[i] (NULL: row i) belongs to groups[i] (NULL: 0). */
typedef struct tm_grouped {
  const uint32_t *rows, *groups;
  uint32_t count;
} tm_grouped;

/* Neutral: 0. Rows; rows whose value is null. */
void tm_accumulate_count(const tm_grouped *in, int64_t *counts);
void tm_accumulate_nulls(const tm_grouped *in, const uint8_t *valid, int64_t *counts);
/* Neutral: 0. Sets 1 where a value is there; valid NULL: all are. */
void tm_accumulate_seen(const tm_grouped *in, const uint8_t *valid, uint8_t *seen);

/* Neutral: 0. Sums of int32, int64 and short decimals, from row number `from` of `in` on. The
 * number of rows done: fewer than in->count where the next would overflow its sum. */
uint32_t tm_accumulate_sum(const tm_grouped *in, const tm_column *values, uint32_t from,
                           int64_t *sums);
/* The same for long decimals, in 128 bits. */
uint32_t tm_accumulate_sum_wide(const tm_grouped *in, const tm_column *values, uint32_t from,
                                __int128 *sums);
/* Products of two columns of int32 where both are there. */
uint32_t tm_accumulate_narrow_products(const tm_grouped *in, const tm_column *a,
                                       const tm_column *b, uint32_t from, int64_t *sums);
/* Of int32, int64 or short decimals. */
uint32_t tm_accumulate_products(const tm_grouped *in, const tm_column *a, const tm_column *b,
                                uint32_t from, __int128 *sums);

/* Least or greatest of bool, int32, date, int64, timestamp, decimals; entries are of the column's
 * own type. Neutral: tm_accumulate_neutral. Floats: NaN is greatest, -0 less than 0, so that the
 * result is the same in any order. */
void tm_accumulate_extreme(const tm_grouped *in, const tm_column *values, bool greatest,
                           void *state);
/* Writes the neutral value of tm_accumulate_extreme to entries from … to-1. */
void tm_accumulate_neutral(tm_type type, bool greatest, void *state, uint32_t from, uint32_t to);

/* Numbers of any type as doubles, correctly rounded: out[i] of row rows[i] (NULL: row i). What is
 * written for a null is any number. */
void tm_accumulate_doubles(const tm_column *values, const uint32_t *rows, uint32_t count,
                           double *out);
/* products[i] + rests[i] is exactly a[i] * b[i]; for enormous numbers the rest is 0. */
void tm_accumulate_float_products(const double *a, const double *b, uint32_t count,
                                  double *products, double *rests);

#endif
