/* io/tcp_output.h: bytes to whoever is connected.
 *
 * Everybody who is there gets all of it, from when they came; while nobody is, it waits. It never
 * blocks: what the sockets do not take waits here, and says `full` beyond a bound. When a reader
 * goes, records that it had not got whole wait for the next, if it was the last. */
#ifndef TM_IO_TCP_OUTPUT_H
#define TM_IO_TCP_OUTPUT_H

#include "io/tcp_address.h"

#include "base/memory.h"

typedef struct tm_tcp_output tm_tcp_output;

typedef struct tm_tcp_output_options {
  bool listens;            /* else it connects, again and again */
  const void *head;        /* what every reader gets first; borrowed */
  size_t head_size;
  /* How many of these bytes, which begin with a record, are whole records. */
  size_t (*whole)(void *context, const char *data, size_t size);
  void *context;
} tm_tcp_output_options;

/* NULL with err: TM_E_SYSTEM. */
tm_tcp_output *tm_tcp_output_open(tm_budget *budget, const tm_tcp_address *address,
                                  const tm_tcp_output_options *options, tm_error *err);
const char *tm_tcp_output_text(const tm_tcp_output *output);
/* Called from any thread when there is room again, or everything has gone. */
void tm_tcp_output_listen(tm_tcp_output *output, void (*wake)(void *waker), void *waker);

/* Whole records. 0; 1: it is full: wait for a wake before the next; -1 with err. */
int tm_tcp_output_write(tm_tcp_output *output, const void *bytes, size_t size, tm_error *err);
/* 0: there is room; 1: a wake will come; -1. */
int tm_tcp_output_room(tm_tcp_output *output, tm_error *err);
/* Nothing more is written. 0: all has gone and connections are closed; 1: a wake will come; -1. */
int tm_tcp_output_finish(tm_tcp_output *output, tm_error *err);
/* Bytes that the sockets took so far; from any thread. */
uint64_t tm_tcp_output_sent(tm_tcp_output *output);
/* What waits cannot be sent: writes why. Returns -1. */
int tm_tcp_output_fail(tm_tcp_output *output, tm_error *err);
void tm_tcp_output_close(tm_tcp_output *output); /* at once. NULL is a no-op */

#endif
