/* base/error.h: the one record in which an expected failure is told.
 *
 * A function that can fail returns a negative int and writes the record once, where the failure
 * happened; callers above add what they know (script line, step) only where it is still empty.
 * The code decides the exit status; error.c holds the table of all codes. */
#ifndef TM_BASE_ERROR_H
#define TM_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tm_error_code {
  TM_E_NONE = 0,
  /* 1xx: usage, script or plan; nothing ran; exit status 2 */
  TM_E_USAGE = 101,     /* command line that cannot be understood */
  TM_E_OPTION = 102,    /* unknown option of a verb or endpoint */
  TM_E_VALUE = 103,     /* option with a value of the wrong type or range */
  TM_E_VERB = 104,      /* unknown verb, endpoint, aggregate or tm.* function */
  TM_E_FIELD = 105,     /* unknown column */
  TM_E_TYPE = 106,      /* types that do not go together, known before any row */
  TM_E_SCRIPT = 107,    /* script that does not load: syntax, or an error while it runs */
  TM_E_UNSUPPORTED = 108, /* part of tidemill that this version does not do yet */
  TM_E_PARAM = 109,     /* parameter missing, unknown or malformed */
  TM_E_SCHEMA = 110,    /* DDL that does not parse, or names an unknown type */
  TM_E_OUTPUT = 111,    /* two outputs on one path, or none at all */
  TM_E_UNTYPED = 112,   /* a row function whose result type must be declared */
  TM_E_JOB = 113,       /* script that returns no job, or one of the wrong form */
  TM_E_GLOBAL = 114,    /* assignment to, or use of, an undeclared global */
  TM_E_COLUMNS = 115,   /* two columns of one name, or sets of columns that differ */
  TM_E_IMPURE = 116,    /* row function that changes what it captured */
  TM_E_LOAD_LIMIT = 117, /* script that took too long or too much memory to load */
  /* 2xx: the world outside; exit status 1 */
  TM_E_MISSING = 201,   /* file or folder that is not there, or a glob that matches nothing */
  TM_E_READ = 202,      /* cannot be opened or read: permission, a folder, an I/O error */
  TM_E_CORRUPT = 203,   /* truncated or damaged compressed data */
  TM_E_FORMAT = 204,    /* not the format that was named, or a header without a column */
  TM_E_WRITE = 205,     /* cannot be written: full disk, permission */
  TM_E_MEMORY = 206,    /* beyond the memory budget */
  TM_E_SYSTEM = 207,    /* any other refusal of the operating system */
  TM_E_LOCKED = 208,    /* state locked or incompatible; exit status 4 */
  /* 3xx: rows; exit status 1, or 3 where an expectation failed */
  TM_E_ROW_FUNCTION = 301, /* a row function raised */
  TM_E_ROW = 302,       /* malformed row and no `bad` endpoint */
  TM_E_CHECK = 303,     /* a check failed and no endpoint takes the row; exit status 3 */
  TM_E_MAX_BAD = 304,   /* more bad rows than max_bad allows; exit status 3 */
  TM_E_OVERFLOW = 305,  /* a sum that its type cannot hold */
  TM_E_LEDGER = 306,    /* a step whose rows do not balance: a bug in tidemill */
  TM_E_ROW_LIMIT = 307, /* row function beyond its time or memory limit */
  TM_E_SCALAR = 308,    /* a one-row side that has more than one row */
  TM_E_TIMEOUT = 309,   /* run beyond its timeout */
  TM_E_HOOK = 310,      /* on_done raised */
  TM_E_INTERRUPTED = 401, /* Ctrl-C or SIGTERM; exit status 130 or 143 */
} tm_error_code;

typedef struct tm_error {
  int code;               /* a tm_error_code; TM_E_NONE while nothing failed */
  char message[512];      /* one sentence, no final stop */
  char script[256];       /* path of the script, empty if unknown */
  int script_line;        /* 0 if unknown */
  char step[64];          /* name of the step, empty if unknown */
  char token[64];         /* what to underline in the script's line */
  char note[96];          /* said beside the underline: did you mean 'delimiter'? */
  char record_file[256];  /* where the offending row came from */
  uint64_t record_line;   /* 1 for the first line; 0 if unknown */
  char record[512];       /* the row, cut to fit */
  char help[768];         /* what to do about it; may hold several lines */
  char kept[160];         /* what was kept or published; empty: the program says it */
} tm_error;

/* Writes code and message, leaves the rest empty; returns -1 for `return tm_fail(…)`.
 * The first failure wins: a record that already holds a code is left alone. */
int tm_fail(tm_error *err, tm_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void tm_error_clear(tm_error *err);

/* Each adds one part to a record that holds a code; format strings as printf. */
int tm_error_help(tm_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tm_error_token(tm_error *err, const char *token, const char *note);
/* "did you mean 'x'?" in `note` and the token itself, when one of names is close to the word. */
void tm_error_suggest(tm_error *err, const char *word, const char *const *names, size_t count);
/* The nearest of names by edit distance, NULL where none is close. */
const char *tm_error_nearest(const char *word, const char *const *names, size_t count);

/* Exit status of contract.md for a code. */
int tm_error_exit(int code);
/* Short name ("option") and summary of every code, for docs and tests; NULL beyond the end. */
typedef struct tm_error_info { int code, exit; const char *name, *summary; } tm_error_info;
const tm_error_info *tm_error_list(size_t index);

#endif
