/* expr/process.h: the functions of a process step as the engine sees them, whoever wrote them.
 *
 * on_row and on_timer are bound together and called one after another by run(), which asks the step
 * for the next call until there is none. While a call runs it works on the state of one key
 * (state/keyed_state.h), emits rows and sets timers through the step; then it is committed, or, if
 * the function raised, refused: all that it did is taken back. */
#ifndef TM_EXPR_PROCESS_H
#define TM_EXPR_PROCESS_H

#include "expr/function.h"

struct tm_keyed_state;
struct tm_state_plan;

/* What the plan wants. */
typedef struct tm_process_want {
  const tm_schema *input;
  const tm_schema *key;               /* the columns of the key: what on_timer sees */
  const tm_schema *emits;
  const struct tm_state_plan *state;
  bool timed;                         /* rows have event time */
  const char *verb;                   /* for messages */
} tm_process_want;

/* One call. */
typedef struct tm_process_call {
  const tm_batch *batch;              /* the row; for a timer a batch of the key's columns */
  uint32_t row;
  const char *timer;                  /* its name; NULL: this is a row */
  size_t timer_size;
  int64_t time_us;                    /* of the row or timer; TM_TIME_NONE: there is none */
} tm_process_call;

enum {
  TM_TIMER_UNTIMED = 1, /* there is no event time to set it in */
  TM_TIMER_EARLY,       /* it is not later than the timer whose call sets it */
};

/* The step's side. Nothing here raises; -1 is lack of memory. */
typedef struct tm_process_step {
  struct tm_keyed_state *state;       /* on the key of the call, from next to commit or refuse */
  /* The next call; 0: none for now, 1, -1. */
  int (*next)(struct tm_process_step *step, tm_process_call *call);
  void (*commit)(struct tm_process_step *step);
  int (*refuse)(struct tm_process_step *step, tm_reason reason, int script_line,
                const char *message);
  /* A row to emit: fill in every column (data and valid are there), then keep it; one that is not
   * kept is no row. NULL: out of memory. */
  tm_batch *(*open_row)(struct tm_process_step *step, uint32_t *out_row);
  void (*keep_row)(struct tm_process_step *step);
  /* A timer of the key, in place of that of the same name; one of event time that is set before the
   * time of the call comes at that time. 0, -1, TM_TIMER_*. */
  int (*set_timer)(struct tm_process_step *step, const char *name, size_t size, int64_t at_us,
                   bool processing);
} tm_process_step;

typedef struct tm_process tm_process;
struct tm_process {
  const tm_function *on_row, *on_timer; /* for explain; on_timer may be NULL */
  uint32_t column_count;
  const uint32_t *columns;            /* of the input that on_row reads, ascending */
  /* Calls until there is nothing to call for. 0, or -1 with err (limits, memory); the call under
   * way has been neither committed nor refused then. */
  int (*run)(const tm_process *process, void *worker, tm_process_step *step, tm_error *err);
};

#endif
