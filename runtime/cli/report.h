/* cli/report.h: what a run did: the lines on stderr, the progress line, the summary file. */
#ifndef TM_CLI_REPORT_H
#define TM_CLI_REPORT_H

#include "exec/run.h"

/* The progress line, once a run takes longer than a second; erased by tm_cli_report_end. */
void tm_cli_report_progress(const tm_run_progress *progress);
void tm_cli_report_end(void);
/* Steps (on a terminal) and the ledger line. */
void tm_cli_report_done(const tm_plan *plan, const tm_run_result *result, bool steps);
/* Writes the JSON of reference.md. 0, or -1 with err. */
int tm_cli_report_summary(const char *path, const tm_plan *plan, const tm_run_result *result,
                       tm_budget *budget, tm_error *err);
/* Sinks that are outputs: not those of refused rows. */
bool tm_cli_report_is_output(const tm_plan *plan, uint32_t node);
const char *tm_cli_report_path(const tm_bind *bind);

#endif
