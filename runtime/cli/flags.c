/* cli/flags.c: see flags.h. A flag is --name VALUE or --name=VALUE; a flag that a later version has
 * is refused by name, never ignored. Values are checked here, so commands only read them. */
#include "cli/flags.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/value.h"
#include "kernel/parse.h"

enum { WORKERS_MAX = 256, MANY = 1000000000 };

typedef struct flag {
  const char *name, *value; /* value: its word in help; NULL: none is taken */
  const char *commands;     /* that take it */
  const char *help;
  const char *later;        /* what has to come first; NULL: works */
} flag;

static const flag flags_table[] = {
  {"param", "NAME=VALUE", "run check explain prove", "a parameter of the script; may be repeated",
   NULL},
  {"date", "YYYY-MM-DD", "run check explain prove", "the logical date; the day before by default",
   NULL},
  {"as", "batch|stream", "run check explain", "run as a batch or as a stream", NULL},
  {"workers", "N", "run check explain", "threads; one a processor by default", NULL},
  {"memory", "SIZE", "run prove", "budget, as 512M or 4G; 80 % of the machine by default", NULL},
  {"format", "table|csv|json", "run explain", "how stdout is written", NULL},
  {"summary", "FILE", "run", "write what the run did as JSON", NULL},
  {"no-lift", NULL, "run explain prove", "run every row function in Lua", NULL},
  {"orders", "N", "prove", "so many orders of arrival; 8", NULL},
  {"seed", "N", "prove", "another seed, other orders; 1", NULL},
  {"dry-run", NULL, "run", "do all but run; write nothing", NULL},
  {"color", "auto|always|never", "run check explain prove", "colours of messages", NULL},
  {"from", "T", "run", "only rows from this event time on, as 2026-03-01T06:00:00Z", NULL},
  {"to", "T", "run", "only rows before this event time", NULL},
  {"follow", NULL, "run explain check", "as a stream that goes on with what files grow by", NULL},
  {"state", "DIR", "run", "state folder", "state comes with streams and schedules"},
  {NULL, NULL, NULL, NULL, NULL},
};

static bool is_word(const char *words, const char *word, char separator) {
  size_t size = strlen(word);
  for (const char *at = words; *at != '\0';) {
    const char *end = strchr(at, separator);
    size_t length = end == NULL ? strlen(at) : (size_t)(end - at);
    if (length == size && memcmp(at, word, size) == 0) return true;
    at += length + (end != NULL);
  }
  return false;
}

static int unknown_flag(const tm_cli_command *command, const char *name, tm_error *err) {
  const char *names[32];
  size_t count = 0;
  for (const flag *f = flags_table; f->name != NULL && count < 32; f++) {
    if (is_word(f->commands, command->name, ' ')) names[count++] = f->name;
  }
  tm_fail(err, TM_E_USAGE, "unknown flag '--%.60s' of tidemill %s", name, command->name);
  const char *nearest = tm_error_nearest(name, names, count);
  if (nearest != NULL) return tm_error_help(err, "did you mean --%s?", nearest), -1;
  return tm_error_help(err, "tidemill help %s lists its flags", command->name), -1;
}

static int bad_value(const flag *f, const char *value, tm_error *err) {
  return tm_fail(err, TM_E_USAGE, "--%s wants %s, not '%.60s'", f->name, f->value, value);
}

static int add_param(tm_cli_flags *flags, char *value, tm_error *err) {
  char *equals = strchr(value, '=');
  if (equals == NULL || equals == value) {
    return tm_fail(err, TM_E_USAGE, "--param wants NAME=VALUE, not '%.60s'", value);
  }
  if (flags->param_count == CLI_PARAMS_MAX) return tm_fail(err, TM_E_USAGE, "too many --param");
  *equals = '\0';
  flags->params[flags->param_count++] = (tm_script_param){value, equals + 1};
  return 0;
}

static bool is_date(const char *text) {
  int year, month, day, used = 0;
  if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3) return false;
  return used == 10 && text[10] == '\0' && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static int set_number(const flag *f, const char *value, int most, uint32_t *out, tm_error *err) {
  char *end;
  long number = strtol(value, &end, 10);
  if (*end != '\0' || end == value || number < 1 || number > most) {
    return tm_fail(err, TM_E_USAGE, "--%s wants a number from 1 to %d, not '%.60s'", f->name,
                   most, value);
  }
  *out = (uint32_t)number;
  return 0;
}

/* A date is its midnight; without an offset it is UTC. */
static bool parse_time(const char *text, int64_t *out_us) {
  int offset;
  if (tm_parse_timestamp(text, strlen(text), out_us, &offset) < 0) return false;
  if (offset != TM_PARSE_NO_OFFSET) *out_us -= (int64_t)offset * 1000000;
  return true;
}

static int set_flag(const flag *f, char *value, tm_cli_flags *flags, tm_error *err) {
  if (f->later != NULL) {
    tm_fail(err, TM_E_UNSUPPORTED, "--%s is not in this version of tidemill yet", f->name);
    return tm_error_help(err, "%s", f->later), -1;
  }
  if (strcmp(f->name, "param") == 0) return add_param(flags, value, err);
  if (strcmp(f->name, "as") == 0) {
    flags->as = value;
    return is_word(f->value, value, '|') ? 0 : bad_value(f, value, err);
  }
  if (strcmp(f->name, "workers") == 0) {
    return set_number(f, value, WORKERS_MAX, &flags->workers, err);
  }
  if (strcmp(f->name, "orders") == 0) return set_number(f, value, MANY, &flags->orders, err);
  if (strcmp(f->name, "seed") == 0) return set_number(f, value, MANY, &flags->seed, err);
  if (strcmp(f->name, "date") == 0) {
    flags->date = value;
    return is_date(value) ? 0 : bad_value(f, value, err);
  }
  if (strcmp(f->name, "memory") == 0) {
    bool good = tm_size_parse(value, strlen(value), &flags->memory_bytes) == 0;
    return good && flags->memory_bytes > 0 ? 0 : bad_value(f, value, err);
  }
  if (strcmp(f->name, "from") == 0) {
    flags->has_from = true;
    return parse_time(value, &flags->from_us) ? 0 : bad_value(f, value, err);
  }
  if (strcmp(f->name, "to") == 0) {
    flags->has_to = true;
    return parse_time(value, &flags->to_us) ? 0 : bad_value(f, value, err);
  }
  if (strcmp(f->name, "follow") == 0) return flags->follow = true, 0;
  if (strcmp(f->name, "summary") == 0) return flags->summary = value, 0;
  if (strcmp(f->name, "no-lift") == 0) return flags->no_lift = true, 0;
  if (strcmp(f->name, "dry-run") == 0) return flags->dry_run = true, 0;
  if (strcmp(f->name, "format") == 0) flags->format = value;
  if (strcmp(f->name, "color") == 0) flags->color = value;
  return 0;
}

static int check_format(const tm_cli_command *command, const tm_cli_flags *flags, tm_error *err) {
  if (flags->color != NULL && !is_word("auto|always|never", flags->color, '|')) {
    return tm_fail(err, TM_E_USAGE, "--color wants auto|always|never, not '%.60s'", flags->color);
  }
  const char *formats = strcmp(command->name, "explain") == 0 ? "text|json" : "table|csv|json";
  if (flags->format == NULL || is_word(formats, flags->format, '|')) return 0;
  return tm_fail(err, TM_E_USAGE, "--format wants %s, not '%.60s'", formats, flags->format);
}

static int parse_flag(const tm_cli_command *command, int count, char **arguments, int *at,
                      tm_cli_flags *flags, tm_error *err) {
  char *name = arguments[*at] + 2, *equals = strchr(name, '=');
  char word[64];
  size_t size = equals == NULL ? strlen(name) : (size_t)(equals - name);
  snprintf(word, sizeof word, "%.*s", (int)size, name);
  for (const flag *f = flags_table; f->name != NULL; f++) {
    if (strcmp(f->name, word) != 0 || !is_word(f->commands, command->name, ' ')) continue;
    if (f->value == NULL) {
      if (equals != NULL) return tm_fail(err, TM_E_USAGE, "--%s takes no value", f->name);
      return set_flag(f, NULL, flags, err);
    }
    if (equals != NULL) return set_flag(f, equals + 1, flags, err);
    if (*at + 1 >= count) return tm_fail(err, TM_E_USAGE, "--%s wants %s", f->name, f->value);
    return set_flag(f, arguments[++*at], flags, err);
  }
  return unknown_flag(command, word, err);
}

/* TIDEMILL_NO_LIFT=1 is --no-lift, unless the flag was given. */
static int read_environment(const tm_cli_command *command, tm_cli_flags *flags, tm_error *err) {
  tm_cli_flags given = *flags;
  for (const flag *f = flags_table; f->name != NULL; f++) {
    char name[64] = "TIDEMILL_";
    size_t n = strlen(name);
    for (const char *c = f->name; *c != '\0' && n + 1 < sizeof name; c++) {
      name[n++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    }
    name[n] = '\0';
    const char *value = tm_env_get()->variable(name);
    if (value == NULL || *value == '\0' || strcmp(f->name, "param") == 0) continue;
    if (!is_word(f->commands, command->name, ' ') || f->later != NULL) continue;
    if (f->value == NULL && strcmp(value, "0") == 0) continue;
    if (set_flag(f, (char *)value, flags, err) < 0) return -1;
  }
  if (given.date != NULL) flags->date = given.date;
  if (given.as != NULL) flags->as = given.as;
  if (given.format != NULL) flags->format = given.format;
  if (given.summary != NULL) flags->summary = given.summary;
  if (given.color != NULL) flags->color = given.color;
  if (given.workers != 0) flags->workers = given.workers;
  if (given.orders != 0) flags->orders = given.orders;
  if (given.seed != 0) flags->seed = given.seed;
  if (given.memory_bytes != 0) flags->memory_bytes = given.memory_bytes;
  return 0;
}

int tm_cli_flags_parse(const tm_cli_command *command, int count, char **arguments,
                       tm_cli_flags *flags, tm_error *err) {
  bool only_names = false;
  for (int i = 0; i < count; i++) {
    char *word = arguments[i];
    if (!only_names && strcmp(word, "--") == 0) {
      only_names = true;
    } else if (!only_names && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
      flags->help = true;
    } else if (!only_names && strcmp(word, "-e") == 0 &&
               is_word("run check explain prove", command->name, ' ')) {
      if (i + 1 >= count) return tm_fail(err, TM_E_USAGE, "-e wants Lua text");
      flags->text = arguments[++i];
    } else if (!only_names && strncmp(word, "--", 2) == 0) {
      if (parse_flag(command, count, arguments, &i, flags, err) < 0) return -1;
    } else if (!only_names && word[0] == '-' && word[1] != '\0') {
      return tm_fail(err, TM_E_USAGE, "unknown flag '%.60s' of tidemill %s", word, command->name);
    } else if (flags->script_count < CLI_SCRIPTS_MAX) {
      flags->scripts[flags->script_count++] = word;
    }
  }
  if (read_environment(command, flags, err) < 0) return -1;
  return check_format(command, flags, err);
}

void tm_cli_flags_help(const tm_cli_command *command) {
  if (command == NULL) {
    printf("tidemill runs data pipelines written in Lua.\n\nusage: tidemill COMMAND …\n\n");
    for (const tm_cli_command *c = tm_cli_commands; c->name != NULL; c++) {
      if (c->run != NULL) printf("  %-9s %s\n", c->name, c->summary);
    }
    printf("\ntidemill help COMMAND tells more of one.\n");
    return;
  }
  printf("usage: tidemill %s %s\n\n%s\n", command->name, command->arguments, command->summary);
  bool any = false;
  for (const flag *f = flags_table; f->name != NULL; f++) {
    if (!is_word(f->commands, command->name, ' ') || f->later != NULL) continue;
    if (!any) printf("\n");
    any = true;
    char left[64];
    const char *value = f->value == NULL ? "" : f->value;
    if (strcmp(f->name, "format") == 0 && strcmp(command->name, "explain") == 0) {
      value = "text|json";
    }
    snprintf(left, sizeof left, "--%s %s", f->name, value);
    printf("  %-26s %s\n", left, f->help);
  }
}
