/* script/worker.c: one lane's host of row functions. */
#include "script/script.h"

int tm_script_worker_start(tm_script *script, tm_worker **out, tm_error *err) {
  (void)script, (void)err;
  *out = NULL;
  return 0;
}
void tm_script_worker_stop(tm_worker *worker) { (void)worker; }
