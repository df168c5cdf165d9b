/* cli/interrupt.h: Ctrl-C and SIGTERM: the first asks a run to end, another one ends it at once. */
#ifndef TM_CLI_INTERRUPT_H
#define TM_CLI_INTERRUPT_H

#include "base/error.h"

/* From now on signals are noted. */
void tm_cli_interrupt_catch(void);
/* Atomic: the signal, once it came; 1 once a second one came. */
extern const int *const tm_cli_interrupted;
extern const int *const tm_cli_interrupted_again;
/* The exit status of a command that ended with err: 130 or 143 where a signal ended it. */
int tm_cli_interrupt_exit(const tm_error *err);

#endif
