/* cli/capture.h: what the runs of one script give, caught in a temporary folder instead of where
 * the script says, and compared as sorted sets of lines.
 *
 * Every sink of the graph, stdout and endpoints of refused rows too, becomes a file of JSON lines
 * in the folder: a line is a row. Nothing of the script's own ends is opened.
 *
 * Of refused rows the place where they came from (source, file, line, offset) is not compared: it
 * is told as far as it is known, and steps that put rows in order know less of it. */
#ifndef TM_CLI_CAPTURE_H
#define TM_CLI_CAPTURE_H

#include "base/bytes.h"
#include "plan/graph.h"

typedef struct tm_capture_line { const char *text; size_t size; } tm_capture_line;

/* The rows of one output, sorted. */
typedef struct tm_capture_lines {
  tm_bytes text;
  tm_capture_line *lines;
  size_t count;
} tm_capture_lines;

typedef struct tm_captured {
  char name[64];       /* as the script calls it */
  bool refused;        /* an endpoint of refused rows */
} tm_captured;

typedef struct tm_capture {
  tm_budget *budget;
  char *folder;
  size_t folder_bytes;
  uint32_t count;      /* outputs: sinks in the graph's order */
  uint32_t capacity;
  tm_captured *outputs;
} tm_capture;

/* Makes the folder, below TMPDIR or /tmp. 0, or -1 with err; close() in any case. */
int tm_capture_open(tm_capture *capture, tm_budget *budget, tm_error *err);
void tm_capture_close(tm_capture *capture); /* takes the folder away, with what is in it */
/* Turns the sinks of a graph that is not planned yet. Graphs of one script are alike. */
int tm_capture_redirect(tm_capture *capture, tm_graph *graph, tm_error *err);
/* Reads what the last run gave and deletes it: `count` outputs. 0, or -1 with err, all cleared. */
int tm_capture_take(tm_capture *capture, tm_capture_lines *out, tm_error *err);
void tm_capture_clear(const tm_capture *capture, tm_capture_lines *lines);

enum { TM_CAPTURE_SHOWN = 3 };

/* How two sets of lines differ: the first lines that only one of them has. */
typedef struct tm_capture_difference {
  size_t only_a, only_b, both;
  tm_capture_line a[TM_CAPTURE_SHOWN], b[TM_CAPTURE_SHOWN];
} tm_capture_difference;

/* true: they are equal. */
bool tm_capture_compare(const tm_capture_lines *a, const tm_capture_lines *b,
                        tm_capture_difference *out);

#endif
