/* io/tcp.h: connections, accepted or made, for those of this room that read or write them.
 *
 * Everything happens on the loop's thread, but for create and destroy. A listener has any number
 * of peers; a connector has one, and makes it again when it is gone, at growing intervals. */
#ifndef TM_IO_TCP_H
#define TM_IO_TCP_H

#include <uv.h>

#include "io/loop.h"
#include "io/tcp_address.h"

typedef struct tm_tcp tm_tcp;

typedef struct tm_tcp_peer {
  uv_tcp_t handle;
  tm_tcp *tcp;
  struct tm_tcp_peer *next, *previous;
  char name[TM_TCP_TEXT_MAX + 8]; /* "tcp 127.0.0.1:5123": the other side */
  void *owner;                    /* whatever the events want to know of it */
  bool open, closing;
} tm_tcp_peer;

typedef struct tm_tcp_events {
  void *context;
  /* A new connection, which is not read from yet. -1: it is closed at once, without a word. */
  int (*opened)(void *context, tm_tcp_peer *peer);
  char *(*room)(void *context, tm_tcp_peer *peer, size_t *out_size); /* NULL: no more is read */
  void (*came)(void *context, tm_tcp_peer *peer, size_t size);
  /* It is gone, or was closed by tm_tcp_peer_close; error 0: in good order, else one of libuv's.
   * The handle still is what it was during the call. */
  void (*closed)(void *context, tm_tcp_peer *peer, int error);
  /* After `closed`, once all of its requests have answered: its owner can go. NULL: nothing. */
  void (*freed)(void *context, tm_tcp_peer *peer);
} tm_tcp_events;

/* Binds the port, or looks whether the host has an address. events is copied. NULL with err. */
tm_tcp *tm_tcp_create(tm_budget *budget, tm_loop *loop, const tm_tcp_address *address, bool listens,
                      const tm_tcp_events *events, tm_error *err);
/* Closes all peers, each with its event. Waits until they are closed. NULL is a no-op. */
void tm_tcp_destroy(tm_tcp *tcp);
/* No new connections, old ones stay. */
void tm_tcp_close_door(tm_tcp *tcp);
const char *tm_tcp_text(const tm_tcp *tcp); /* "127.0.0.1:5123", of a listener with its port */
/* Since when a connector has no peer, as " since 2026-03-14T01:30:00Z (connection refused)"; "" if
 * it has one. From any thread. */
void tm_tcp_absence(tm_tcp *tcp, char *out, size_t size);

void tm_tcp_peer_read(tm_tcp_peer *peer, bool on);
void tm_tcp_peer_close(tm_tcp_peer *peer, int error);
/* For each peer that is open. */
void tm_tcp_each(tm_tcp *tcp, void (*visit)(void *context, tm_tcp_peer *peer), void *context);

#endif
