/* script/worker.h: one lane's Lua state, made when its first row needs the VM. */
#ifndef TM_SCRIPT_WORKER_H
#define TM_SCRIPT_WORKER_H

#include "script/session.h"

/* The worker's state, loading the script again the first time. NULL with err: the load failed, or
 * gave another graph than the first one. */
tm_host *tm_worker_host(tm_worker *worker, tm_error *err);

#endif
