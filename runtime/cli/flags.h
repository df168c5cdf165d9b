/* cli/flags.h: one table of commands and flags; parsing, help and completion come from it. */
#ifndef TM_CLI_FLAGS_H
#define TM_CLI_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "script/script.h"

enum { CLI_PARAMS_MAX = 256, CLI_SCRIPTS_MAX = 1024 };

typedef struct tm_cli_flags {
  const char *scripts[CLI_SCRIPTS_MAX];
  size_t script_count;
  const char *text;        /* of -e */
  tm_script_param params[CLI_PARAMS_MAX];
  size_t param_count;
  const char *date, *as, *format, *summary, *color;
  uint32_t workers;        /* 0: one a processor */
  uint32_t orders, seed;   /* of prove; 0: not given */
  uint64_t memory_bytes;   /* 0: 80 % of what there is */
  bool no_lift, dry_run, help, follow;
  bool has_from, has_to;
  int64_t from_us, to_us;
} tm_cli_flags;

typedef struct tm_cli_command {
  const char *name, *arguments, *summary;
  int (*run)(const tm_cli_flags *flags); /* exit status; NULL: a later version has it */
} tm_cli_command;

extern const tm_cli_command tm_cli_commands[];
const tm_cli_command *tm_cli_command_find(const char *name);

/* Arguments behind the command's name, then TIDEMILL_<FLAG> for those that were not given.
 * 0, or -1 with TM_E_USAGE. */
int tm_cli_flags_parse(const tm_cli_command *command, int count, char **arguments,
                       tm_cli_flags *flags, tm_error *err);
/* Help of one command, or of all where it is NULL, to stdout. */
void tm_cli_flags_help(const tm_cli_command *command);

#endif
