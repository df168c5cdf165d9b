/* io/live_input.c: see live_input.h.
 *
 * Where the lane is slower than what comes, records of one partition that wait are put together in
 * one block, so that many small reads do not become many small batches. */
#include "io/live_input.h"

#include <string.h>

enum { FIRST_CAPACITY = 16 };

void tm_live_input_init(tm_live_input *q, tm_budget *budget, size_t bytes_max,
                        void (*go_on)(void *producer), void *producer) {
  *q = (tm_live_input){.budget = budget, .bytes_max = bytes_max, .go_on = go_on,
                       .producer = producer};
  tm_env_get()->mutex_init(&q->mutex);
}

static tm_live_item *at(tm_live_input *q, uint32_t nth) {
  return &q->items[(q->first + nth) % q->capacity];
}

void tm_live_input_deinit(tm_live_input *q) {
  for (uint32_t i = 0; i < q->count; i++) tm_block_release(at(q, i)->block);
  tm_free(q->budget, q->items, q->capacity * sizeof *q->items);
  tm_env_get()->mutex_deinit(&q->mutex);
}

void tm_live_input_listen(tm_live_input *q, void (*wake)(void *waker), void *waker) {
  tm_env_get()->mutex_lock(&q->mutex);
  q->wake = wake;
  q->waker = waker;
  tm_env_get()->mutex_unlock(&q->mutex);
}

/* ---------------------------------------------------------------- the producer */

static int grow(tm_live_input *q) {
  uint32_t capacity = q->capacity == 0 ? FIRST_CAPACITY : q->capacity * 2;
  tm_live_item *grown = tm_alloc(q->budget, capacity * sizeof *grown);
  if (grown == NULL) return -1;
  for (uint32_t i = 0; i < q->count; i++) grown[i] = *at(q, i);
  tm_free(q->budget, q->items, q->capacity * sizeof *q->items);
  q->items = grown;
  q->capacity = capacity;
  q->first = 0;
  return 0;
}

/* Puts the records behind those of the last block that waits, where they follow each other. */
static bool merge(tm_live_input *q, const tm_live_item *item) {
  const tm_block *b = item->block;
  if (q->count == 0 || b == NULL) return false;
  tm_live_item *last = at(q, q->count - 1);
  tm_block *to = last->block;
  if (to == NULL || last->ends || last->partition != item->partition) return false;
  if (to->too_long || b->too_long || to->layout != b->layout) return false;
  bool follows = to->offset + to->size == b->offset && to->first_line + to->lines == b->first_line;
  if (!follows) return false;
  if ((size_t)(to->data - to->buffer) + to->size + b->size > to->capacity) return false;
  memcpy(to->data + to->size, b->data, b->size);
  to->size += b->size;
  memset(to->data + to->size, 0, TM_BLOCK_PAD);
  to->lines += b->lines;
  to->flags |= b->flags;
  last->ends = item->ends;
  return true;
}

static int put(tm_live_input *q, const tm_live_item *item) {
  if (merge(q, item)) {
    tm_block_release(item->block);
    return 0;
  }
  if (q->count == q->capacity && grow(q) < 0) {
    tm_block_release(item->block);
    tm_fail(&q->failure, TM_E_MEMORY, "input that waits: out of memory");
    return -1;
  }
  if (item->block != NULL) {
    item->block->sequence = q->sequence++;
    q->bytes += item->block->capacity;
  }
  q->count++;
  *at(q, q->count - 1) = *item;
  return 0;
}

/* Ends the lock; wakes the consumer where it waits. */
static void unlock_and_wake(tm_live_input *q) {
  void (*wake)(void *waker) = q->waiting ? q->wake : NULL;
  void *waker = q->waker;
  q->waiting = false;
  tm_env_get()->mutex_unlock(&q->mutex);
  if (wake != NULL) wake(waker);
}

int tm_live_input_put(tm_live_input *q, const tm_live_item *taken) {
  tm_env_get()->mutex_lock(&q->mutex);
  int done = put(q, taken);
  if (done == 0) {
    done = q->bytes < q->bytes_max;
    q->paused |= !done;
  }
  unlock_and_wake(q);
  return done;
}

void tm_live_input_fail(tm_live_input *q, const tm_error *err) {
  tm_env_get()->mutex_lock(&q->mutex);
  if (q->failure.code == TM_E_NONE) q->failure = *err;
  unlock_and_wake(q);
}

void tm_live_input_end(tm_live_input *q) {
  tm_env_get()->mutex_lock(&q->mutex);
  q->ended = true;
  unlock_and_wake(q);
}

/* ---------------------------------------------------------------- the consumer */

static tm_live_answer take(tm_live_input *q, tm_live_item *out, tm_error *err) {
  if (q->count > 0) {
    *out = *at(q, 0);
    q->first = (q->first + 1) % q->capacity;
    q->count--;
    if (out->block != NULL) q->bytes -= out->block->capacity;
    return TM_LIVE_TAKEN;
  }
  if (q->failure.code != TM_E_NONE) {
    *err = q->failure;
    return TM_LIVE_FAILED;
  }
  if (q->ended) return TM_LIVE_END;
  q->waiting = true;
  return TM_LIVE_LATER;
}

tm_live_answer tm_live_input_take(tm_live_input *q, tm_live_item *out, tm_error *err) {
  tm_env_get()->mutex_lock(&q->mutex);
  tm_live_answer answer = take(q, out, err);
  bool go_on = q->paused && q->bytes <= q->bytes_max / 2;
  if (go_on) q->paused = false;
  tm_env_get()->mutex_unlock(&q->mutex);
  if (go_on && q->go_on != NULL) q->go_on(q->producer);
  return answer;
}
