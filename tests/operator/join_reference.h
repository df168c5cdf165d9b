/* tests/operator/join_reference.h: what a join gives, by two nested loops. */
#ifndef TESTS_OPERATOR_JOIN_REFERENCE_H
#define TESTS_OPERATOR_JOIN_REFERENCE_H

#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"

enum { INNER, LEFT, RIGHT, FULL, SEMI, ANTI, KINDS, KEYS_MAX = 3 };
extern const char *const join_kinds[KINDS];

enum { JOIN_WINDOWS_MAX = 16 };
typedef struct join_span { int64_t start, end; } join_span;

typedef struct join_wish {
  int kind;
  const tm_batch *left, *right;
  const char *keys[KEYS_MAX][2]; /* left, right; NULL ends */
  bool where;                    /* n < m, of the left and of the right */
  const char *times;             /* the column of event time, of sides that have it; NULL: none */
  const uint8_t *late[2];        /* a byte a row of a side: it is as if it had not come */
  /* What else must hold of a pair; NULL: nothing. */
  bool (*also)(const struct join_wish *wish, uint32_t left, uint32_t right);
  const void *context;           /* of also */
  bool keys_once;                /* no key of the right side is a column of the result */
  /* The windows that a row of a side counts in, at most JOIN_WINDOWS_MAX: both rows must be in one.
   * They are the last two columns, and the last instant is the time. NULL: there are none. */
  uint32_t (*windows)(const struct join_wish *wish, int side, uint32_t row, join_span *out);
} join_wish;

/* Rows of the result as harness_result.rows has them, with times where the wish has them. */
rows_list join_expect(const join_wish *wish, const tm_schema *output);
bool join_keys_match(const join_wish *wish, uint32_t left, uint32_t right);
/* The option `on`, and the condition of `where`. */
tm_value join_on(const join_wish *wish, tm_arena *arena);
tm_value join_where(const join_wish *wish);
/* The schema that a case binds to. */
const tm_schema *join_output(const harness_case *c, tm_arena *arena);
/* A number in a column of 64 bits, dates as days. */
int64_t join_number(const tm_batch *table, const char *column, uint32_t row);
/* Which rows come behind the largest time before them, less the disorder: from malloc. */
uint8_t *join_late_rows(const tm_batch *table, const char *times, int64_t out_of_order_us);

#endif
