/* tests/support/row_function.h: row functions written in C, as the engine sees a script's.
 *
 * A test describes what the function reads and makes and gives a callback that sees one row. */
#ifndef TESTS_SUPPORT_ROW_FUNCTION_H
#define TESTS_SUPPORT_ROW_FUNCTION_H

#include "expr/function.h"

typedef struct row_call {
  const tm_batch *batch;     /* of one input, or the columns of both, left ones first */
  uint32_t row;
  const tm_column *const *reads; /* the columns that it reads, in the order of its description */
  tm_column *results;
  tm_arena *arena;
  bool keep;                 /* ROW: set to false where nil is returned */
  const char *refuse;        /* set: the row is refused with this message */
  tm_reason reason;          /* of a refusal; lua unless set */
} row_call;

typedef struct row_function {
  tm_function_source source; /* first: its address is that of the source */
  const char *reads;         /* "a, b": columns by name; of the right side "r.b" */
  const char *makes;         /* DDL; NULL: one bool (TRUTH), or what was declared (VALUE) */
  void (*call)(row_call *call);
  bool raises;
  bool seen_worker;          /* set once a call came with the worker of `worker` */
  const void *worker;        /* expected; NULL: any */
} row_function;

/* Ready to be an option; `line` is where the script would have it. */
row_function row_function_make(const char *reads, const char *makes, void (*call)(row_call *),
                               bool raises, int line);

/* For callbacks. */
static inline bool row_is_null(const row_call *call, uint32_t nth) {
  return tm_column_is_null(call->reads[nth], call->row);
}
/* Integers, dates, timestamps, bools and short decimals (digits). */
int64_t row_int(const row_call *call, uint32_t nth);
double row_float(const row_call *call, uint32_t nth);
const tm_str *row_text(const row_call *call, uint32_t nth);
void row_set_null(row_call *call, uint32_t result);
void row_set_int(row_call *call, uint32_t result, int64_t value);
void row_set_float(row_call *call, uint32_t result, double value);
void row_set_text(row_call *call, uint32_t result, const char *text);

#endif
