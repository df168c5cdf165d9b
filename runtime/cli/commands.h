/* cli/commands.h: one function a command; the answer is the exit status of the process. */
#ifndef TM_CLI_COMMANDS_H
#define TM_CLI_COMMANDS_H

#include "cli/flags.h"

int cli_run(const cli_flags *flags);
int cli_check(const cli_flags *flags);
int cli_explain(const cli_flags *flags);
int cli_help(const cli_flags *flags);
int cli_version(const cli_flags *flags);

#endif
