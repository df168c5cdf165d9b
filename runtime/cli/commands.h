/* cli/commands.h: one function a command; the answer is the exit status of the process. */
#ifndef TM_CLI_COMMANDS_H
#define TM_CLI_COMMANDS_H

#include "cli/flags.h"

int tm_cli_run(const tm_cli_flags *flags);
int tm_cli_check(const tm_cli_flags *flags);
int tm_cli_explain(const tm_cli_flags *flags);
int tm_cli_prove(const tm_cli_flags *flags);
int tm_cli_help(const tm_cli_flags *flags);
int tm_cli_version(const tm_cli_flags *flags);

#endif
