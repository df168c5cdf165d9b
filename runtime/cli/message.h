/* cli/message.h: errors as people read them: where, what, which record, what to do, what was
 * kept. */
#ifndef TM_CLI_MESSAGE_H
#define TM_CLI_MESSAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* Colours by --color, NO_COLOR and what the stream is. */
bool tm_cli_message_colored(const char *color, int file);
/* Prints to stderr. `text` is the script where it came from -e or stdin, else NULL. */
void tm_cli_message_print(const tm_error *err, const char *color, const char *text);

#endif
