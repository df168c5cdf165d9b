/* exec/balance.h: the books of a run: every step balances, and so does every edge. */
#ifndef TM_EXEC_BALANCE_H
#define TM_EXEC_BALANCE_H

#include "exec/run.h"

/* Books what a source dropped for filters that moved into it on those filters, so that the books
 * do not depend on where a filter runs. */
void tm_balance_move_filters(const tm_plan *plan, tm_run_result *result);
/* Books what the planner's own steps refused where people look for it: a clock's on its source,
 * a time_order's on the step behind it. After the check: edges no longer agree. */
void tm_balance_move_inserted(const tm_plan *plan, tm_run_result *result);
/* Rows that a step still held when nobody wanted its output any more (a limit) are filtered. */
void tm_balance_cancelled(const tm_plan *plan, const uint8_t *cancelled, tm_run_result *result);
/* A sink of refused rows: no output. */
bool tm_balance_takes_refused(const tm_plan *plan, const tm_bind *bind);
/* rows_in, rows_out and the total of the run's line. */
void tm_balance_total(const tm_plan *plan, tm_run_result *result);
/* 0, or -1 and TM_E_LEDGER: a bug. */
int tm_balance_check(const tm_plan *plan, const tm_run_result *result, tm_error *err);
/* 0, or -1 and TM_E_MAX_BAD: a source refused more rows than it may. */
int tm_balance_max_bad(const tm_plan *plan, const tm_run_result *result, tm_error *err);

#endif
