/* base/ring.h: a bounded queue of pointers between threads.
 *
 * Any number of producers and consumers; order is kept. Full is how backpressure shows: try_push
 * answers false, push waits. After close nothing goes in, what is in still comes out. */
#ifndef TM_BASE_RING_H
#define TM_BASE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

typedef struct tm_ring tm_ring;

/* capacity >= 1. NULL when out of memory. */
tm_ring *tm_ring_create(tm_budget *budget, uint32_t capacity);
/* Must be empty (asserted) and without waiters; NULL is a no-op. */
void tm_ring_destroy(tm_ring *ring);
bool tm_ring_try_push(tm_ring *ring, void *item); /* false: full or closed */
bool tm_ring_push(tm_ring *ring, void *item);     /* waits while full; false: closed */
void *tm_ring_try_pop(tm_ring *ring);             /* NULL: empty */
void *tm_ring_pop(tm_ring *ring);                 /* waits while empty; NULL: closed and empty */
/* As pop, but NULL too once the monotonic clock reaches the deadline. */
void *tm_ring_pop_until(tm_ring *ring, int64_t deadline_us);
void tm_ring_close(tm_ring *ring);
bool tm_ring_closed(tm_ring *ring);
uint32_t tm_ring_count(tm_ring *ring);

#endif
