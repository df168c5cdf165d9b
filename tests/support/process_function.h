/* tests/support/process_function.h: functions of a process step written in C, as the engine sees a
 * script's: two callbacks that see one call each. */
#ifndef TESTS_SUPPORT_PROCESS_FUNCTION_H
#define TESTS_SUPPORT_PROCESS_FUNCTION_H

#include "expr/process.h"
#include "state/keyed_state.h"

typedef struct process_event {
  const tm_process_call *call;
  tm_process_step *step;
  tm_keyed_state *state;
  const tm_column *const *reads; /* of a row: the columns that on_row reads */
  const char *refuse;            /* set: the call is refused with this message */
  tm_reason reason;              /* of a refusal; lua unless set */
  bool no_memory;                /* something was refused: the call ends, the run fails */
} process_event;

typedef struct process_function {
  tm_function_source source; /* first: its address is that of the source of on_row */
  tm_function_source timer_source;
  const char *reads;         /* "a, b": columns of the row */
  void (*on_row)(process_event *event);
  void (*on_timer)(process_event *event);
} process_function;

/* Ready to be options on_row and on_timer (&f.source, &f.timer_source); `line` is where the script
 * would have on_row, on_timer stands in the next one. */
process_function process_function_make(const char *reads, void (*on_row)(process_event *),
                                       void (*on_timer)(process_event *), int line);

/* For callbacks: numbers of the row's columns, by their place in `reads`. */
int64_t process_int(const process_event *event, uint32_t nth);
/* State fields that are int64; 0 where nothing is there. */
int64_t process_state(process_event *event, uint32_t field);
void process_set(process_event *event, uint32_t field, int64_t value);
/* A row of two columns, string and int64. */
void process_emit(process_event *event, const char *text, int64_t value);
/* What set_timer said. */
int process_timer(process_event *event, const char *name, int64_t at_us, bool processing);
void process_cancel(process_event *event, const char *name);
bool process_is(const process_event *event, const char *timer);

#endif
