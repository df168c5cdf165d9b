/* io/readable.c: see readable.h. */
#include "io/readable.h"

#include <stdbool.h>

#include "base/env.h"

enum { LOOK_US = 50 * 1000 }; /* how long an end may take */

struct tm_readable {
  tm_budget *budget;
  tm_thread thread;
  tm_mutex mutex;
  tm_cond cond;
  int file;        /* what is asked for; -1: nothing */
  bool ending;
  void (*wake)(void *waker);
  void *waker;
};

/* Under the mutex, which it gives up while it waits. */
static void wait_for(tm_readable *r) {
  const tm_env *env = tm_env_get();
  int file = r->file;
  env->mutex_unlock(&r->mutex);
  int ready = env->wait_readable(file, LOOK_US);
  bool told = ready != 0; /* an error is for the reader to meet */
  env->mutex_lock(&r->mutex);
  if (!told || r->ending) return;
  r->file = -1;
  env->mutex_unlock(&r->mutex);
  r->wake(r->waker);
  env->mutex_lock(&r->mutex);
}

static void run(void *context) {
  tm_readable *r = context;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&r->mutex);
  while (!r->ending) {
    if (r->file < 0) env->cond_wait(&r->cond, &r->mutex);
    else wait_for(r);
  }
  env->mutex_unlock(&r->mutex);
}

tm_readable *tm_readable_create(tm_budget *budget, void (*wake)(void *waker), void *waker,
                                tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_readable *r = tm_alloc_zero(budget, sizeof *r);
  if (r == NULL) {
    tm_fail(err, TM_E_MEMORY, "pipes: out of memory");
    return NULL;
  }
  *r = (tm_readable){.budget = budget, .file = -1, .wake = wake, .waker = waker};
  env->mutex_init(&r->mutex);
  env->cond_init(&r->cond);
  int error = env->thread_create(&r->thread, run, r);
  if (error == 0) return r;
  env->cond_deinit(&r->cond);
  env->mutex_deinit(&r->mutex);
  tm_free(budget, r, sizeof *r);
  tm_fail(err, TM_E_SYSTEM, "a thread for pipes cannot start: %s", tm_env_error_text(error));
  return NULL;
}

void tm_readable_ask(tm_readable *r, int file) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&r->mutex);
  r->file = file;
  env->cond_signal(&r->cond);
  env->mutex_unlock(&r->mutex);
}

void tm_readable_destroy(tm_readable *r) {
  if (r == NULL) return;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&r->mutex);
  r->ending = true;
  env->cond_signal(&r->cond);
  env->mutex_unlock(&r->mutex);
  env->thread_join(&r->thread);
  env->cond_deinit(&r->cond);
  env->mutex_deinit(&r->mutex);
  tm_free(r->budget, r, sizeof *r);
}
