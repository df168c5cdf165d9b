/* exec/refuse.h: refused rows on their way: to an endpoint as rows, or into a run's message. */
#ifndef TM_EXEC_REFUSE_H
#define TM_EXEC_REFUSE_H

#include "plan/plan.h"

/* The rejects of one call as a batch of tm_plan_refused_schema(). NULL when out of memory. */
tm_batch *tm_refuse_batch(tm_budget *budget, const tm_plan *plan, const tm_bind *bind,
                          const tm_out *out);
/* Script, line and name of a step into err, where it does not have them. */
void tm_refuse_place(tm_error *err, const tm_plan *plan, const tm_bind *bind);
/* The message for a refused row that no endpoint takes. */
void tm_refuse_error(tm_error *err, const tm_plan *plan, const tm_bind *bind,
                     const tm_reject *reject);

#endif
