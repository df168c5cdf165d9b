/* tests/support/reference.h: how values compare, written once more and as plainly as can be, for
 * the references that tests hold results against. */
#ifndef TESTS_SUPPORT_REFERENCE_H
#define TESTS_SUPPORT_REFERENCE_H

#include "column/batch.h"

/* A value as a reference sees it: nulls, numbers of any type, text. */
typedef struct reference_value {
  enum { REFERENCE_NULL, REFERENCE_WHOLE, REFERENCE_FLOAT, REFERENCE_TEXT } kind;
  __int128 whole;   /* integers, dates, times, bools; decimals scaled to `scale` */
  int scale;
  double number;
  tm_str text;
} reference_value;

reference_value reference_read(const tm_batch *table, uint32_t column, uint32_t row);
/* <0, 0, >0; NaN is greatest and equals itself, 0 equals -0, text by bytes. No nulls. Whole values
 * may have different scales, and compare with floats as numbers. */
int reference_compare(const reference_value *a, const reference_value *b);

typedef struct reference_key { uint32_t column; bool descending; } reference_key;

/* Rows a and b by the keys, nulls last both ways. */
int reference_compare_rows(const tm_batch *table, uint32_t a, uint32_t b,
                           const reference_key *keys, uint32_t count);
/* By all columns from left to right, then by the signs of zeros, -0 first. */
int reference_compare_whole(const tm_batch *table, uint32_t a, uint32_t b);
/* Sorts row numbers by insertion: stable. */
typedef int (*reference_order)(const void *context, uint32_t a, uint32_t b);
void reference_sort(uint32_t *rows, uint32_t count, reference_order order, const void *context);

#endif
