/* io/loop.h: a thread that watches sockets, with one libuv loop.
 *
 * Handles belong to its thread: others post tasks to it. The owner closes all of its handles (in a
 * task) before it destroys the loop. */
#ifndef TM_IO_LOOP_H
#define TM_IO_LOOP_H

#include "base/error.h"
#include "base/memory.h"

struct uv_loop_s;

typedef struct tm_loop tm_loop;

/* Lies still from a post until it has run; zeroed but for run and context. */
typedef struct tm_loop_task {
  void (*run)(void *context);
  void *context;
  struct tm_loop_task *next;
  bool posted;
} tm_loop_task;

/* NULL with err: TM_E_SYSTEM, TM_E_MEMORY. */
tm_loop *tm_loop_create(tm_budget *budget, tm_error *err);
struct uv_loop_s *tm_loop_uv(tm_loop *loop); /* on its thread */
/* Runs it on the loop's thread, soon; once, however often it is posted before. From any thread. */
void tm_loop_post(tm_loop *loop, tm_loop_task *task);
/* The same, and waits until it has run. Not from the loop's thread. */
void tm_loop_call(tm_loop *loop, void (*run)(void *context), void *context);
/* Waits until the last handle is closed. NULL is a no-op. */
void tm_loop_destroy(tm_loop *loop);

#endif
