/* cli/status.h: the live lines of a stream on a terminal: steps, rates, who is slow, how far time
 * has come. */
#ifndef TM_CLI_STATUS_H
#define TM_CLI_STATUS_H

#include "base/bytes.h"
#include "exec/run.h"

enum { TM_STATUS_STEPS_MAX = 64 };

/* What was shown last, to make rates of. Starts zeroed. */
typedef struct tm_cli_status {
  int64_t elapsed_us;
  uint64_t rows_in[TM_STATUS_STEPS_MAX], rows_out[TM_STATUS_STEPS_MAX];
  int64_t busy_us[TM_STATUS_STEPS_MAX];
  uint32_t lines; /* on the screen now */
} tm_cli_status;

/* The lines for now, each ending in \n, into `out`; `wall_us` is the time of day. Busy is the share
 * of one worker's time. false when out of memory. */
bool tm_cli_status_text(tm_cli_status *status, const tm_run_progress *progress, int64_t wall_us,
                        tm_bytes *out);

#endif
