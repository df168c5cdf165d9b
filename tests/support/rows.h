/* tests/support/rows.h: tables for tests: batches from text, at random, and rows back as text.
 *
 * A table is one batch that owns everything in it. As text a row is its cells with '|' between
 * them; null is `null`, a string stands in single quotes. Lists of rows live on the plain heap, so
 * that neither budgets nor planted failures see them. */
#ifndef TESTS_SUPPORT_ROWS_H
#define TESTS_SUPPORT_ROWS_H

#include "column/batch.h"

/* ---------------------------------------------------------------- lists of texts */

typedef struct rows_list {
  char **texts;
  size_t count, capacity;
} rows_list;

void rows_list_add(rows_list *list, char *taken);
/* The selected rows, in order. Columns with needed[i] == 0 are written as `-`; NULL: none is. */
void rows_list_add_batch(rows_list *list, const tm_batch *batch, const uint8_t *needed);
void rows_list_append(rows_list *list, const rows_list *more);    /* copies */
void rows_list_sort(rows_list *list);
void rows_list_clear(rows_list *list); /* frees everything */
/* Where the lists differ, a test assertion fails and shows the first difference. */
void rows_list_expect(const rows_list *actual, const rows_list *expected, const char *label);
/* The same without regard to order. */
void rows_list_expect_set(const rows_list *actual, const rows_list *expected, const char *label);

/* ---------------------------------------------------------------- rows and cells */

char *rows_cell_text(const tm_column *column, uint32_t row); /* from malloc */
char *rows_text(const tm_batch *batch, uint32_t row, const uint8_t *needed); /* from malloc */

/* Asserts that the DDL is right. */
tm_schema *rows_schema(tm_arena *arena, const char *ddl);
/* Rows are lines, cells have '|' between them; strings may be written without quotes, dates and
 * timestamps are numbers of days and microseconds. */
tm_batch *rows_batch(tm_budget *budget, const tm_schema *schema, const char *text);
/* Columns with a valid array unless not_null; values undefined. */
tm_batch *rows_blank(tm_budget *budget, const tm_schema *schema, uint32_t rows);
/* Sets a cell from text as above. */
void rows_set(tm_batch *batch, uint32_t column, uint32_t row, const char *text);

/* ---------------------------------------------------------------- at random */

typedef struct rows_random { uint64_t state; } rows_random;

static inline rows_random rows_seed(uint64_t seed) {
  return (rows_random){seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
}
uint64_t rows_next(rows_random *random);
uint32_t rows_below(rows_random *random, uint32_t limit); /* 0 where limit is 0 */
static inline bool rows_chance(rows_random *random, uint32_t percent) {
  return rows_below(random, 100) < percent;
}

typedef struct rows_flavour {
  uint32_t distinct;     /* values a column; 0: 10 */
  uint32_t null_percent; /* of columns that may be null */
  bool odd;              /* extremes, NaN, -0, odd text; else value k is the number k in any type */
} rows_flavour;

tm_batch *rows_random_table(tm_budget *budget, const tm_schema *schema, uint32_t rows,
                            rows_random *random, rows_flavour flavour);

#endif
