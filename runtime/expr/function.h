/* expr/function.h: a row function as the engine sees it, whoever wrote it.
 *
 * A script's function arrives as a tm_function_source: something that can be bound to input
 * schemas. Binding gives a tm_function: the columns it reads, the columns it makes with their
 * types, and either a typed tree over columns (compiled) or only a way to be called. A bound
 * function is read-only and shared by all lanes; `worker` is what the running lane's host made
 * (a Lua state of its own). Nobody here knows Lua. */
#ifndef TM_EXPR_FUNCTION_H
#define TM_EXPR_FUNCTION_H

#include "column/batch.h"
#include "column/reason.h"

typedef struct tm_expr tm_expr;
typedef struct tm_function tm_function;
typedef struct tm_function_source tm_function_source;
struct tm_process;
struct tm_process_want;

typedef enum tm_shape {
  TM_SHAPE_TRUTH, /* filter, where, check: one bool column without nulls (Lua's truth) */
  TM_SHAPE_VALUE, /* with, aggregates: one column; nil is null */
  TM_SHAPE_ROW,   /* map: a table becomes a row; nil drops the row */
} tm_shape;

/* What the plan wants of a function. */
typedef struct tm_function_want {
  tm_shape shape;
  uint32_t input_count;       /* 1: f(row); 2: f(left, right) */
  const tm_schema *inputs[2]; /* with two, the batch has the columns of both, left ones first */
  const tm_schema *declared;  /* types that the script gave (one field for VALUE); NULL: infer */
  bool by_value;              /* f(a, b): the columns of inputs[0] are the arguments, not a row */
  const char *verb;           /* for messages: "filter" */
  const char *name;           /* field that it fills, or NULL */
} tm_function_want;

struct tm_function_source {
  const char *script;
  int script_line; /* where the function begins */
  void *context;   /* of the room that made it */
  /* Types, lifts where possible. 0, or -1 with err: unknown field, type error, TM_E_UNTYPED … */
  int (*bind)(const tm_function_source *source, const tm_function_want *want, tm_arena *arena,
              tm_function **out, tm_error *err);
  /* As on_row of a process step (expr/process.h); on_timer may be NULL. */
  int (*bind_process)(const tm_function_source *on_row, const tm_function_source *on_timer,
                      const struct tm_process_want *want, tm_arena *arena,
                      struct tm_process **out, tm_error *err);
};

/* A row that the function refused: it raised, or returned what its column cannot hold. */
typedef struct tm_row_error {
  uint32_t row;
  tm_reason reason;
  int script_line;
  const char *message; /* in the result's arena */
} tm_row_error;

/* Where an evaluation writes: at the row indexes of its input, for the selected rows only. */
typedef struct tm_result {
  tm_arena *arena;     /* columns and text are allocated here; usually the output batch's */
  tm_column *columns;  /* function->result->count of them; the function allocates their data */
  uint8_t *keep;       /* ROW: a byte per row of the input, 0 where the function returned nil;
                          allocated by the function, NULL where every row stays */
  tm_row_error *errors;
  uint32_t error_count, error_capacity;
  const tm_batch *pins; /* the input where a column may borrow its data or bytes, else NULL */
} tm_result;

struct tm_function {
  const tm_function_source *source;
  tm_shape shape;
  const tm_schema *result;   /* columns that it makes, with types and not_null where proved */
  uint32_t column_count;
  const uint32_t *columns;   /* of the input(s) that it reads, ascending */
  bool may_raise;            /* some row may be refused: filters do not move across it */
  bool pure;                 /* same row, same result: no clock, nothing that changes */
  const tm_expr *const *trees; /* one for each result column; NULL: not compiled */
  const tm_expr *keep;       /* ROW: false where nil is returned; NULL: never nil */
  const char *why;           /* not compiled: the construct that stopped it, with its line */
  const char *text;          /* compiled: the trees as text, for explain */
  /* Runs rows of the selection in the VM; complete for every shape. Also takes the rows that a
   * compiled tree could not decide (`guard misses`). 0, or -1 with err (limits, memory).
   * A column whose data is NULL it allocates, with valid unless its type is not_null; one that has
   * data (guard misses) it fills in at `rows` only, valid is then there unless not_null. The same
   * for keep: where it is set, keep[row] is written; where not, it may allocate it (set to 1). */
  int (*call)(const tm_function *function, void *worker, const tm_batch *batch,
              const uint32_t *rows, uint32_t count, tm_result *result, tm_error *err);
};

/* Evaluates over the selected rows of batch: columns where compiled, the VM for the rest.
 * result comes with arena and columns set, the rest zeroed. 0, or -1 with err. */
int tm_function_evaluate(const tm_function *function, void *worker, const tm_batch *batch,
                         tm_result *result, tm_error *err);
/* For a TRUTH function: the selected rows for which it holds, ascending, into rows_out (room for
 * batch->selected), without making a column. Refused rows are in result->errors, not in rows_out.
 * result comes with arena set, the rest zeroed. 0, or -1 with err. */
int tm_function_select(const tm_function *function, void *worker, const tm_batch *batch,
                       uint32_t *rows_out, uint32_t *out_count, tm_result *result, tm_error *err);
/* Appends to result->errors. 0, or -1 when out of memory. */
int tm_result_refuse(tm_result *result, uint32_t row, tm_reason reason, int script_line,
                     const char *message);

#endif
