/* io/live_input.h: blocks that come from outside while a lane works: a queue between the thread
 * that watches a source and the lane that parses what came.
 *
 * It is bounded in bytes: who puts hears when it is to stop reading, and is called once there is
 * room again. Nothing is dropped. One consumer; any number of partitions. */
#ifndef TM_IO_LIVE_INPUT_H
#define TM_IO_LIVE_INPUT_H

#include "base/env.h"
#include "base/error.h"
#include "format/block.h"

typedef struct tm_live_item {
  tm_block *block;     /* NULL: only an end */
  const char *name;    /* of the partition; lives as long as the run */
  uint32_t partition;
  uint32_t number;     /* of a file, whatever its partition; else 0 */
  bool ends;           /* nothing more comes from the partition */
  char wrong[320];     /* why it was given up; "": it was not */
} tm_live_item;

typedef struct tm_live_input {
  tm_budget *budget;
  tm_mutex mutex;
  tm_live_item *items; /* ring */
  uint32_t first, count, capacity;
  size_t bytes, bytes_max;
  uint64_t sequence;
  bool waiting;        /* the consumer wants a wake */
  bool paused;         /* the producer wants to hear of room */
  bool ended;
  tm_error failure;    /* told once the queue is empty */
  void (*wake)(void *waker);
  void *waker;
  void (*go_on)(void *producer);
  void *producer;
} tm_live_input;

typedef enum tm_live_answer {
  TM_LIVE_FAILED = -1,
  TM_LIVE_END = 0,
  TM_LIVE_TAKEN = 1,
  TM_LIVE_LATER = 2, /* the waker is called when there is something */
} tm_live_answer;

/* go_on is called from the consumer's thread, without a lock. */
void tm_live_input_init(tm_live_input *input, tm_budget *budget, size_t bytes_max,
                        void (*go_on)(void *producer), void *producer);
void tm_live_input_deinit(tm_live_input *input);

/* Takes the block, also where it fails. 1: go on reading; 0: stop until go_on is called; -1: out of
 * memory, which the consumer hears of. */
int tm_live_input_put(tm_live_input *input, const tm_live_item *taken);
void tm_live_input_fail(tm_live_input *input, const tm_error *err); /* the first one counts */
void tm_live_input_end(tm_live_input *input); /* nothing more is put */

/* Before the first take. */
void tm_live_input_listen(tm_live_input *input, void (*wake)(void *waker), void *waker);
/* *out owns a reference to its block. Blocks have ascending sequences. */
tm_live_answer tm_live_input_take(tm_live_input *input, tm_live_item *out, tm_error *err);

#endif
