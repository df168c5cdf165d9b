/* base/ring.c: a bounded queue under one mutex.
 *
 * Items are batches of thousands of rows, so a lock per item costs nothing that shows. Waiters are
 * counted: a signal is sent only where somebody waits. */
#include "base/ring.h"

#include <assert.h>

#include "base/env.h"

struct tm_ring {
  tm_budget *budget;
  tm_mutex mutex;
  tm_cond not_empty, not_full;
  uint32_t capacity, first, count, poppers, pushers; /* the last two: waiting */
  bool closed;
  void *items[];
};

static size_t ring_bytes(uint32_t capacity) {
  return sizeof(tm_ring) + capacity * sizeof(void *);
}

tm_ring *tm_ring_create(tm_budget *budget, uint32_t capacity) {
  assert(capacity > 0);
  tm_ring *ring = tm_alloc_zero(budget, ring_bytes(capacity));
  if (ring == NULL) return NULL;
  const tm_env *env = tm_env_get();
  ring->budget = budget;
  ring->capacity = capacity;
  env->mutex_init(&ring->mutex);
  env->cond_init(&ring->not_empty);
  env->cond_init(&ring->not_full);
  return ring;
}

void tm_ring_destroy(tm_ring *ring) {
  if (ring == NULL) return;
  assert(ring->count == 0 && ring->poppers == 0 && ring->pushers == 0);
  const tm_env *env = tm_env_get();
  env->cond_deinit(&ring->not_full);
  env->cond_deinit(&ring->not_empty);
  env->mutex_deinit(&ring->mutex);
  tm_free(ring->budget, ring, ring_bytes(ring->capacity));
}

/* Both with the mutex held and room, or an item, there. */
static void put(tm_ring *ring, void *item) {
  assert(item != NULL);
  uint32_t at = ring->first + ring->count;
  ring->items[at < ring->capacity ? at : at - ring->capacity] = item;
  ring->count++;
  if (ring->poppers > 0) tm_env_get()->cond_signal(&ring->not_empty);
}

static void *get(tm_ring *ring) {
  void *item = ring->items[ring->first];
  ring->first = ring->first + 1 == ring->capacity ? 0 : ring->first + 1;
  ring->count--;
  if (ring->pushers > 0) tm_env_get()->cond_signal(&ring->not_full);
  return item;
}

bool tm_ring_try_push(tm_ring *ring, void *item) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&ring->mutex);
  bool room = !ring->closed && ring->count < ring->capacity;
  if (room) put(ring, item);
  env->mutex_unlock(&ring->mutex);
  return room;
}

bool tm_ring_push(tm_ring *ring, void *item) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&ring->mutex);
  ring->pushers++;
  while (!ring->closed && ring->count == ring->capacity) {
    env->cond_wait(&ring->not_full, &ring->mutex);
  }
  ring->pushers--;
  bool open = !ring->closed;
  if (open) put(ring, item);
  env->mutex_unlock(&ring->mutex);
  return open;
}

void *tm_ring_try_pop(tm_ring *ring) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&ring->mutex);
  void *item = ring->count > 0 ? get(ring) : NULL;
  env->mutex_unlock(&ring->mutex);
  return item;
}

void *tm_ring_pop_until(tm_ring *ring, int64_t deadline_us) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&ring->mutex);
  ring->poppers++;
  bool in_time = true;
  while (ring->count == 0 && !ring->closed && in_time) {
    if (deadline_us == INT64_MAX) {
      env->cond_wait(&ring->not_empty, &ring->mutex);
    } else {
      in_time = env->cond_wait_until(&ring->not_empty, &ring->mutex, deadline_us) == 0;
    }
  }
  ring->poppers--;
  void *item = ring->count > 0 ? get(ring) : NULL;
  env->mutex_unlock(&ring->mutex);
  return item;
}

void *tm_ring_pop(tm_ring *ring) { return tm_ring_pop_until(ring, INT64_MAX); }

void tm_ring_close(tm_ring *ring) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&ring->mutex);
  ring->closed = true;
  env->cond_broadcast(&ring->not_empty);
  env->cond_broadcast(&ring->not_full);
  env->mutex_unlock(&ring->mutex);
}

bool tm_ring_closed(tm_ring *ring) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&ring->mutex);
  bool closed = ring->closed;
  env->mutex_unlock(&ring->mutex);
  return closed;
}

uint32_t tm_ring_count(tm_ring *ring) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&ring->mutex);
  uint32_t count = ring->count;
  env->mutex_unlock(&ring->mutex);
  return count;
}
