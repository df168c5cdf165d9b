/* base/error.c: the error record and the table of all codes. The first failure wins. */
#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
  EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_EXPECTATION = 3, EXIT_LOCKED = 4, EXIT_INTERRUPTED = 130,
};
enum { WORD_BYTES_MAX = 48 };

static const tm_error_info codes[] = {
  {TM_E_USAGE, EXIT_USAGE, "usage", "a command line that cannot be understood"},
  {TM_E_OPTION, EXIT_USAGE, "option", "an unknown option of a verb or endpoint"},
  {TM_E_VALUE, EXIT_USAGE, "value", "an option with a value of the wrong type or range"},
  {TM_E_VERB, EXIT_USAGE, "verb", "an unknown verb, endpoint, aggregate or tm function"},
  {TM_E_FIELD, EXIT_USAGE, "field", "an unknown column"},
  {TM_E_TYPE, EXIT_USAGE, "type", "types that do not go together"},
  {TM_E_SCRIPT, EXIT_USAGE, "script", "a script that does not load"},
  {TM_E_UNSUPPORTED, EXIT_USAGE, "unsupported", "something that this version does not do yet"},
  {TM_E_PARAM, EXIT_USAGE, "param", "a parameter that is missing, unknown or malformed"},
  {TM_E_SCHEMA, EXIT_USAGE, "schema", "DDL that does not parse, or names an unknown type"},
  {TM_E_OUTPUT, EXIT_USAGE, "output", "two outputs on one path, or none at all"},
  {TM_E_UNTYPED, EXIT_USAGE, "untyped", "a row function whose result type must be declared"},
  {TM_E_JOB, EXIT_USAGE, "job", "a script that returns no job, or one of the wrong form"},
  {TM_E_GLOBAL, EXIT_USAGE, "global", "an undeclared global"},
  {TM_E_COLUMNS, EXIT_USAGE, "columns", "two columns of one name, or sets of columns that differ"},
  {TM_E_IMPURE, EXIT_USAGE, "impure", "a row function that changes what it captured"},
  {TM_E_LOAD_LIMIT, EXIT_USAGE, "load_limit", "a script beyond its limits while it loads"},
  {TM_E_MISSING, EXIT_FAILED, "missing", "a file or folder that is not there"},
  {TM_E_READ, EXIT_FAILED, "read", "a file that cannot be opened or read"},
  {TM_E_CORRUPT, EXIT_FAILED, "corrupt", "truncated or damaged compressed data"},
  {TM_E_FORMAT, EXIT_FAILED, "format", "a file that is not in the format that was named"},
  {TM_E_WRITE, EXIT_FAILED, "write", "an output that cannot be written"},
  {TM_E_MEMORY, EXIT_FAILED, "memory", "more memory than the budget allows"},
  {TM_E_SYSTEM, EXIT_FAILED, "system", "another refusal of the operating system"},
  {TM_E_LOCKED, EXIT_LOCKED, "locked", "state that is locked or incompatible"},
  {TM_E_ROW_FUNCTION, EXIT_FAILED, "row_function", "a row function that raised"},
  {TM_E_ROW, EXIT_FAILED, "row", "a malformed row and no bad endpoint"},
  {TM_E_CHECK, EXIT_EXPECTATION, "check", "a failing check and no bad endpoint"},
  {TM_E_MAX_BAD, EXIT_EXPECTATION, "max_bad", "more bad rows than max_bad allows"},
  {TM_E_OVERFLOW, EXIT_FAILED, "overflow", "a sum that its type cannot hold"},
  {TM_E_LEDGER, EXIT_FAILED, "ledger", "a step whose rows do not balance: a bug in tidemill"},
  {TM_E_ROW_LIMIT, EXIT_FAILED, "row_limit", "a row function beyond its time or memory limit"},
  {TM_E_SCALAR, EXIT_FAILED, "scalar", "a one-row side that has more than one row"},
  {TM_E_TIMEOUT, EXIT_FAILED, "timeout", "a run beyond its timeout"},
  {TM_E_HOOK, EXIT_FAILED, "hook", "an on_done function that raised"},
  {TM_E_INTERRUPTED, EXIT_INTERRUPTED, "interrupted", "a run that was interrupted"},
};

/* Cutting a text to its field must not leave half a character behind. */
static void trim_character(char *text, size_t written, size_t room) {
  if (written < room) return;
  size_t end = strlen(text), start = end;
  while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
  if (start == 0) return;
  unsigned char lead = (unsigned char)text[start - 1];
  size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (end - (start - 1) < whole) text[start - 1] = '\0';
}

static void copy_text(char *out, size_t room, const char *text) {
  int written = snprintf(out, room, "%s", text);
  trim_character(out, (size_t)written, room);
}

int tm_fail(tm_error *err, tm_error_code code, const char *format, ...) {
  if (err == NULL || err->code != TM_E_NONE) return -1;
  err->code = (int)code;
  va_list args;
  va_start(args, format);
  int written = vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  if (written > 0) trim_character(err->message, (size_t)written, sizeof err->message);
  return -1;
}

void tm_error_clear(tm_error *err) { *err = (tm_error){0}; }

int tm_error_help(tm_error *err, const char *format, ...) {
  if (err == NULL || err->code == TM_E_NONE) return -1;
  size_t used = strlen(err->help);
  if (used > 0 && used + 1 < sizeof err->help) {
    err->help[used++] = '\n';
    err->help[used] = '\0';
  }
  va_list args;
  va_start(args, format);
  int written = vsnprintf(err->help + used, sizeof err->help - used, format, args);
  va_end(args);
  if (written > 0) trim_character(err->help + used, (size_t)written, sizeof err->help - used);
  return -1;
}

void tm_error_token(tm_error *err, const char *token, const char *note) {
  if (err == NULL || err->code == TM_E_NONE) return;
  if (token != NULL) copy_text(err->token, sizeof err->token, token);
  if (note != NULL) copy_text(err->note, sizeof err->note, note);
}

/* ------------------------------------------------------------------ did you mean */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c; }

static int least(int a, int b) { return a < b ? a : b; }

/* Edit distance with swaps of neighbours (optimal string alignment), blind to case. */
static int distance(const char *a, size_t a_size, const char *b, size_t b_size) {
  int rows[3][WORD_BYTES_MAX + 1];
  int *before = rows[0], *last = rows[1], *now = rows[2];
  for (size_t j = 0; j <= b_size; j++) last[j] = (int)j;
  for (size_t i = 1; i <= a_size; i++) {
    now[0] = (int)i;
    for (size_t j = 1; j <= b_size; j++) {
      bool same = lower(a[i - 1]) == lower(b[j - 1]);
      now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + !same);
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        now[j] = least(now[j], before[j - 2] + 1);
      }
    }
    int *spare = before;
    before = last;
    last = now;
    now = spare;
  }
  return last[b_size];
}

const char *tm_error_nearest(const char *word, const char *const *names, size_t count) {
  size_t size = strlen(word);
  if (size == 0 || size > WORD_BYTES_MAX) return NULL;
  /* A third of the letters may be wrong: one in short words, but never the only letter. */
  int most = size < 2 ? 0 : size < 6 ? 1 : (int)(size / 3);
  const char *best = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t other = strlen(names[i]);
    if (other == 0 || other > WORD_BYTES_MAX) continue;
    int far = distance(word, size, names[i], other);
    if (far > most || (size_t)far >= other) continue;
    if (best != NULL && far == most) continue; /* the first of equals */
    best = names[i];
    most = far;
    if (far == 0) break;
  }
  return best;
}

void tm_error_suggest(tm_error *err, const char *word, const char *const *names, size_t count) {
  if (err == NULL || err->code == TM_E_NONE) return;
  copy_text(err->token, sizeof err->token, word);
  const char *name = tm_error_nearest(word, names, count);
  if (name != NULL) (void)snprintf(err->note, sizeof err->note, "did you mean '%s'?", name);
}

/* ------------------------------------------------------------------ codes */

const tm_error_info *tm_error_list(size_t index) {
  return index < sizeof codes / sizeof codes[0] ? &codes[index] : NULL;
}

int tm_error_exit(int code) {
  if (code == TM_E_NONE) return 0;
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    if (codes[i].code == code) return codes[i].exit;
  }
  return EXIT_FAILED;
}
