/* io/loop.c: see loop.h. Tasks wait in a list under a lock; an async handle makes the thread look
 * at it, and keeps the loop alive until destroy closes it. */
#include "io/loop.h"

#include <assert.h>
#include <uv.h>

#include "base/env.h"

struct tm_loop {
  tm_budget *budget;
  uv_loop_t uv;
  uv_async_t async;
  tm_thread thread;
  tm_mutex mutex;
  tm_cond cond; /* of calls that have run */
  tm_loop_task *first, *last;
  bool ending;
};

/* On the thread: everything that was posted, in order. */
static void run_tasks(uv_async_t *async) {
  tm_loop *loop = async->data;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&loop->mutex);
  while (loop->first != NULL) {
    tm_loop_task *task = loop->first;
    loop->first = task->next;
    if (loop->first == NULL) loop->last = NULL;
    task->posted = false;
    env->mutex_unlock(&loop->mutex);
    task->run(task->context);
    env->mutex_lock(&loop->mutex);
  }
  bool ending = loop->ending;
  env->mutex_unlock(&loop->mutex);
  if (ending && !uv_is_closing((uv_handle_t *)async)) uv_close((uv_handle_t *)async, NULL);
}

static void loop_run(void *context) {
  tm_loop *loop = context;
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  tm_arena_pool_clear();
}

tm_loop *tm_loop_create(tm_budget *budget, tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_loop *loop = tm_alloc_zero(budget, sizeof *loop);
  if (loop == NULL) {
    tm_fail(err, TM_E_MEMORY, "sockets: out of memory");
    return NULL;
  }
  loop->budget = budget;
  int error = uv_loop_init(&loop->uv);
  if (error == 0) {
    error = uv_async_init(&loop->uv, &loop->async, run_tasks);
    if (error != 0) uv_loop_close(&loop->uv);
  }
  if (error != 0) {
    tm_fail(err, TM_E_SYSTEM, "sockets cannot be watched: %s", uv_strerror(error));
    tm_free(budget, loop, sizeof *loop);
    return NULL;
  }
  loop->async.data = loop;
  env->mutex_init(&loop->mutex);
  env->cond_init(&loop->cond);
  error = env->thread_create(&loop->thread, loop_run, loop);
  if (error == 0) return loop;
  uv_close((uv_handle_t *)&loop->async, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  uv_loop_close(&loop->uv);
  env->cond_deinit(&loop->cond);
  env->mutex_deinit(&loop->mutex);
  tm_free(budget, loop, sizeof *loop);
  tm_fail(err, TM_E_SYSTEM, "a thread for sockets cannot start: %s", tm_env_error_text(error));
  return NULL;
}

struct uv_loop_s *tm_loop_uv(tm_loop *loop) { return &loop->uv; }

void tm_loop_post(tm_loop *loop, tm_loop_task *task) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&loop->mutex);
  bool was = task->posted;
  if (!was) {
    task->posted = true;
    task->next = NULL;
    if (loop->last != NULL) loop->last->next = task;
    else loop->first = task;
    loop->last = task;
  }
  env->mutex_unlock(&loop->mutex);
  if (!was) uv_async_send(&loop->async);
}

typedef struct call {
  tm_loop *loop;
  void (*run)(void *context);
  void *context;
  bool done; /* under the mutex */
} call;

static void run_call(void *context) {
  call *c = context;
  tm_loop *loop = c->loop;
  c->run(c->context);
  tm_env_get()->mutex_lock(&loop->mutex);
  c->done = true;
  tm_env_get()->cond_broadcast(&loop->cond);
  tm_env_get()->mutex_unlock(&loop->mutex);
}

void tm_loop_call(tm_loop *loop, void (*run)(void *context), void *context) {
  const tm_env *env = tm_env_get();
  call c = {.loop = loop, .run = run, .context = context};
  tm_loop_task task = {.run = run_call, .context = &c};
  tm_loop_post(loop, &task);
  env->mutex_lock(&loop->mutex);
  while (!c.done) env->cond_wait(&loop->cond, &loop->mutex);
  env->mutex_unlock(&loop->mutex);
}

void tm_loop_destroy(tm_loop *loop) {
  if (loop == NULL) return;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&loop->mutex);
  loop->ending = true;
  env->mutex_unlock(&loop->mutex);
  uv_async_send(&loop->async);
  env->thread_join(&loop->thread);
  int error = uv_loop_close(&loop->uv);
  assert(error == 0); /* a handle was left open */
  (void)error;
  assert(loop->first == NULL);
  env->cond_deinit(&loop->cond);
  env->mutex_deinit(&loop->mutex);
  tm_free(loop->budget, loop, sizeof *loop);
}
