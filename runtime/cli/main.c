/* cli/main.c: the program: the first word is a command, the table below says which. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "cli/commands.h"
#include "cli/message.h"

const tm_cli_command tm_cli_commands[] = {
    {"run", "SCRIPT | - | -e 'LUA' [flags]", "run a pipeline", tm_cli_run},
    {"check", "SCRIPT… | -e 'LUA' [flags]", "find what is wrong before any row is read",
     tm_cli_check},
    {"explain", "SCRIPT | - | -e 'LUA' [flags]", "show the plan: steps, types, what is compiled",
     tm_cli_explain},
    {"prove", "SCRIPT | -e 'LUA' [flags]",
     "show that batch and stream agree; the script's outputs are not written", tm_cli_prove},
    {"help", "[COMMAND]", "this list, or the flags of a command", tm_cli_help},
    {"version", "", "the version of this program", tm_cli_version},
    {"test", "", "run the tests of a pipeline", NULL},
    {"init", "", "start a project", NULL},
    {"serve", "", "run jobs on their schedules", NULL},
    {"runs", "", "the history of runs", NULL},
    {"logs", "", "the log of a run", NULL},
    {"trigger", "", "run a job now", NULL},
    {"retry", "", "run a failed run again", NULL},
    {"stop", "", "stop a job or a run", NULL},
    {"backfill", "", "run a job over past dates", NULL},
    {"doctor", "", "what a person should look at", NULL},
    {"schedule", "", "the next times of a schedule", NULL},
    {NULL, NULL, NULL, NULL},
};

const tm_cli_command *tm_cli_command_find(const char *name) {
  for (const tm_cli_command *c = tm_cli_commands; c->name != NULL; c++) {
    if (strcmp(c->name, name) == 0) return c;
  }
  return NULL;
}

static int unknown_command(const char *name) {
  tm_error err = {0};
  const char *names[32];
  size_t count = 0;
  for (const tm_cli_command *c = tm_cli_commands; c->name != NULL && count < 32; c++) {
    if (c->run != NULL) names[count++] = c->name;
  }
  tm_fail(&err, TM_E_USAGE, "unknown command '%.60s'", name);
  const char *nearest = tm_error_nearest(name, names, count);
  if (nearest != NULL) tm_error_help(&err, "did you mean 'tidemill %s'?", nearest);
  else tm_error_help(&err, "tidemill help lists the commands");
  tm_cli_message_print(&err, NULL, NULL);
  return tm_error_exit(err.code);
}

int tm_cli_version(const tm_cli_flags *flags) {
  (void)flags;
  printf("tidemill %s\n", TM_VERSION);
  return 0;
}

int tm_cli_help(const tm_cli_flags *flags) {
  if (flags->script_count == 0) {
    tm_cli_flags_help(NULL);
    return 0;
  }
  const tm_cli_command *command = tm_cli_command_find(flags->scripts[0]);
  if (command == NULL || command->run == NULL) return unknown_command(flags->scripts[0]);
  tm_cli_flags_help(command);
  return 0;
}

/* Where one of the three standard files is closed, the first file that a job opened would take its
 * place, and messages would land in it. */
static void hold_standard_files(void) {
  const tm_env *env = tm_env_get();
  int file = 0;
  while (file >= 0 && file <= 2) file = env->open("/dev/null", TM_OPEN_READ);
  if (file > 2) env->close(file);
}

int main(int count, char **arguments) {
  hold_standard_files();
  tm_env_get()->signal_handle(SIGPIPE, SIG_IGN);
  if (count < 2) {
    tm_cli_flags_help(NULL);
    return 2;
  }
  const char *name = arguments[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
  if (strcmp(name, "--version") == 0) name = "version";
  const tm_cli_command *command = tm_cli_command_find(name);
  if (command == NULL) return unknown_command(name);
  tm_error err = {0};
  static tm_cli_flags flags;
  if (command->run == NULL) {
    tm_fail(&err, TM_E_UNSUPPORTED, "tidemill %s is not in this version yet", name);
  } else if (tm_cli_flags_parse(command, count - 2, arguments + 2, &flags, &err) == 0) {
    if (!flags.help) return command->run(&flags);
    tm_cli_flags_help(command);
    return 0;
  }
  tm_cli_message_print(&err, flags.color, NULL);
  return tm_error_exit(err.code);
}
