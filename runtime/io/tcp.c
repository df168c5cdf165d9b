/* io/tcp.c: see tcp.h.
 *
 * A connector goes round: resolve, try each address, wait, again. The pause grows from 50 ms to
 * 5 s, and starts anew once a connection has held for a second. What is wrong is said at once, then
 * every half minute, and when it is over.
 *
 * `pending` counts handles that are not closed and requests that have not answered: destroy waits
 * until there are none, for libuv still writes to them. */
#include "io/tcp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "kernel/print.h"

enum {
  BACKLOG = 511,
  PAUSE_MIN_MS = 50,
  PAUSE_MAX_MS = 5000,
  HELD_US = 1000 * 1000,      /* a connection that held so long was a good one */
  SAY_US = 30 * 1000 * 1000,
};

struct tm_tcp {
  tm_budget *budget;
  tm_loop *loop;
  tm_tcp_address address;
  tm_tcp_events events;
  bool listens, ending;
  bool closed_door;      /* a connector that is not to connect again */
  char text[TM_TCP_TEXT_MAX];
  tm_tcp_peer *peers;
  uv_tcp_t listener;
  /* A connector. */
  uv_timer_t timer;
  uv_getaddrinfo_t resolving;
  bool resolves;         /* its answer is awaited */
  uv_connect_t connecting;
  struct addrinfo *found, *trying;
  int64_t pause_ms;
  int64_t connected_us, said_us; /* monotonic */
  tm_mutex mutex;
  tm_cond cond;
  uint32_t pending;      /* under the mutex */
  int64_t absent_us;     /* under the mutex: wall clock since when there is no peer; 0: there is */
  char reason[128];      /* under the mutex */
};

static void try_again(tm_tcp *t, const char *reason);

/* ---------------------------------------------------------------- what is pending */

static void hold(tm_tcp *t) {
  tm_env_get()->mutex_lock(&t->mutex);
  t->pending++;
  tm_env_get()->mutex_unlock(&t->mutex);
}

static void let_go(tm_tcp *t) {
  tm_env_get()->mutex_lock(&t->mutex);
  assert(t->pending > 0);
  if (--t->pending == 0) tm_env_get()->cond_broadcast(&t->cond);
  tm_env_get()->mutex_unlock(&t->mutex);
}

static void on_handle_closed(uv_handle_t *handle) { let_go(handle->data); }

/* ---------------------------------------------------------------- peers */

static tm_tcp_peer *peer_create(tm_tcp *t) {
  tm_tcp_peer *p = tm_alloc_zero(t->budget, sizeof *p);
  if (p == NULL) return NULL;
  int error = uv_tcp_init(tm_loop_uv(t->loop), &p->handle);
  if (error != 0) {
    tm_free(t->budget, p, sizeof *p);
    return NULL;
  }
  p->tcp = t;
  p->handle.data = p;
  hold(t);
  return p;
}

static void on_peer_closed(uv_handle_t *handle) {
  tm_tcp_peer *p = handle->data;
  tm_tcp *t = p->tcp;
  if (p->owner != NULL && t->events.freed != NULL) t->events.freed(t->events.context, p);
  tm_free(t->budget, p, sizeof *p);
  let_go(t);
}

static void unlink_peer(tm_tcp_peer *p) {
  if (p->previous != NULL) p->previous->next = p->next;
  else p->tcp->peers = p->next;
  if (p->next != NULL) p->next->previous = p->previous;
}

void tm_tcp_peer_close(tm_tcp_peer *p, int error) {
  tm_tcp *t = p->tcp;
  if (p->closing) return;
  bool was_open = p->open;
  p->closing = true;
  p->open = false;
  if (was_open) {
    t->events.closed(t->events.context, p, error);
    unlink_peer(p);
  }
  uv_close((uv_handle_t *)&p->handle, on_peer_closed);
  if (!was_open || t->listens || t->ending || t->closed_door) return;
  int64_t held_us = tm_env_get()->monotonic_us() - t->connected_us;
  if (held_us >= HELD_US) t->pause_ms = PAUSE_MIN_MS;
  try_again(t, error == 0 ? "closed by the other side" : uv_strerror(error));
}

static void name_peer(tm_tcp_peer *p) {
  struct sockaddr_storage address;
  int size = sizeof address;
  char host[64] = "?";
  unsigned port = 0;
  if (uv_tcp_getpeername(&p->handle, (struct sockaddr *)&address, &size) == 0) {
    bool six = address.ss_family == AF_INET6;
    if (six) uv_ip6_name((struct sockaddr_in6 *)&address, host, sizeof host);
    else uv_ip4_name((struct sockaddr_in *)&address, host, sizeof host);
    port = ntohs(six ? ((struct sockaddr_in6 *)&address)->sin6_port
                     : ((struct sockaddr_in *)&address)->sin_port);
    snprintf(p->name, sizeof p->name, six ? "tcp [%s]:%u" : "tcp %s:%u", host, port);
  } else {
    snprintf(p->name, sizeof p->name, "tcp %s", p->tcp->address.text);
  }
}

/* The connection stands. */
static void peer_opened(tm_tcp_peer *p) {
  tm_tcp *t = p->tcp;
  uv_tcp_nodelay(&p->handle, 1);
  if (t->listens) name_peer(p);
  else snprintf(p->name, sizeof p->name, "tcp %s", t->address.text);
  if (t->events.opened(t->events.context, p) < 0) {
    tm_tcp_peer_close(p, 0);
    if (!t->listens) try_again(t, "out of memory");
    return;
  }
  p->open = true;
  p->next = t->peers;
  if (t->peers != NULL) t->peers->previous = p;
  t->peers = p;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
  tm_tcp_peer *p = handle->data;
  size_t size = 0;
  (void)suggested;
  char *room = p->closing ? NULL
                          : p->tcp->events.room(p->tcp->events.context, p, &size);
  *out = uv_buf_init(room, room == NULL ? 0 : (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
  tm_tcp_peer *p = stream->data;
  (void)buffer;
  if (got > 0) p->tcp->events.came(p->tcp->events.context, p, (size_t)got);
  else if (got == UV_ENOBUFS) uv_read_stop(stream);
  else if (got < 0) tm_tcp_peer_close(p, got == UV_EOF ? 0 : (int)got);
}

void tm_tcp_peer_read(tm_tcp_peer *p, bool on) {
  if (p->closing) return;
  if (on) uv_read_start((uv_stream_t *)&p->handle, give_room, on_read);
  else uv_read_stop((uv_stream_t *)&p->handle);
}

void tm_tcp_each(tm_tcp *t, void (*visit)(void *context, tm_tcp_peer *peer), void *context) {
  for (tm_tcp_peer *p = t->peers, *next; p != NULL; p = next) {
    next = p->next;
    visit(context, p);
  }
}

/* ---------------------------------------------------------------- a listener */

static void on_connection(uv_stream_t *listener, int status) {
  tm_tcp *t = listener->data;
  if (status < 0) {
    tm_log(TM_LOG_WARNING, "tcp %s: a connection was not taken: %s", t->text, uv_strerror(status));
    return;
  }
  tm_tcp_peer *p = peer_create(t);
  if (p == NULL) {
    tm_log(TM_LOG_WARNING, "tcp %s: a connection was not taken: out of memory", t->text);
    return;
  }
  int error = uv_accept(listener, (uv_stream_t *)&p->handle);
  if (error == 0) peer_opened(p);
  else tm_tcp_peer_close(p, error);
}

/* The address that a listener has, with the port that it got. */
static void note_text(tm_tcp *t) {
  struct sockaddr_storage address;
  int size = sizeof address;
  char host[64];
  if (uv_tcp_getsockname(&t->listener, (struct sockaddr *)&address, &size) != 0) return;
  if (address.ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
    uv_ip6_name(six, host, sizeof host);
    snprintf(t->text, sizeof t->text, "[%s]:%u", host, ntohs(six->sin6_port));
  } else {
    const struct sockaddr_in *four = (struct sockaddr_in *)&address;
    uv_ip4_name(four, host, sizeof host);
    snprintf(t->text, sizeof t->text, "%s:%u", host, ntohs(four->sin_port));
  }
}

static int resolve_now(tm_tcp *t) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  int error = uv_getaddrinfo(tm_loop_uv(t->loop), &t->resolving, NULL, t->address.host,
                             t->address.port, &hints);
  t->found = error == 0 ? t->resolving.addrinfo : NULL;
  return error;
}

static void forget_addresses(tm_tcp *t) {
  if (t->found != NULL) uv_freeaddrinfo(t->found);
  t->found = t->trying = NULL;
}

/* "localhost" may be two addresses: that of version 4 then, which everybody tries. */
static const struct addrinfo *address_to_bind(const tm_tcp *t) {
  for (const struct addrinfo *a = t->found; a != NULL; a = a->ai_next) {
    if (a->ai_family == AF_INET) return a;
  }
  return t->found;
}

static int begin_listening(tm_tcp *t) {
  int error = resolve_now(t);
  if (error != 0) return error;
  error = uv_tcp_init(tm_loop_uv(t->loop), &t->listener);
  if (error != 0) return error;
  t->listener.data = t;
  hold(t);
  error = uv_tcp_bind(&t->listener, address_to_bind(t)->ai_addr, 0);
  if (error == 0) error = uv_listen((uv_stream_t *)&t->listener, BACKLOG, on_connection);
  if (error == 0) note_text(t);
  else uv_close((uv_handle_t *)&t->listener, on_handle_closed);
  return error;
}

/* ---------------------------------------------------------------- a connector */

static void say_absence(tm_tcp *t, bool first) {
  char absence[256];
  int64_t now_us = tm_env_get()->monotonic_us();
  if (!first && now_us - t->said_us < SAY_US) return;
  t->said_us = now_us;
  tm_tcp_absence(t, absence, sizeof absence);
  tm_log(TM_LOG_WARNING, "tcp %s: no connection%s; trying again", t->text, absence);
}

static void note_absence(tm_tcp *t, const char *reason) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&t->mutex);
  bool first = t->absent_us == 0;
  if (first) t->absent_us = env->wall_us();
  snprintf(t->reason, sizeof t->reason, "%s", reason);
  env->mutex_unlock(&t->mutex);
  say_absence(t, first);
}

static void note_presence(tm_tcp *t) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&t->mutex);
  int64_t absent_us = t->absent_us;
  t->absent_us = 0;
  env->mutex_unlock(&t->mutex);
  if (absent_us == 0) return;
  tm_log(TM_LOG_WARNING, "tcp %s: connected after %.1f s", t->text,
         (double)(env->wall_us() - absent_us) / 1e6);
}

void tm_tcp_absence(tm_tcp *t, char *out, size_t size) {
  char at[TM_PRINT_MAX + 1];
  out[0] = '\0';
  tm_env_get()->mutex_lock(&t->mutex);
  if (t->absent_us != 0) {
    at[tm_print_timestamp(at, t->absent_us / 1000000 * 1000000, 0, true)] = '\0';
    snprintf(out, size, " since %s (%s)", at, t->reason);
  }
  tm_env_get()->mutex_unlock(&t->mutex);
}

static void try_next_address(tm_tcp *t);

static void on_connected(uv_connect_t *request, int status) {
  tm_tcp_peer *p = request->data;
  tm_tcp *t = p->tcp;
  if (status == 0 && !t->ending && !p->closing) {
    forget_addresses(t);
    t->connected_us = tm_env_get()->monotonic_us();
    note_presence(t);
    peer_opened(p);
    let_go(t);
    return;
  }
  tm_tcp_peer_close(p, status);
  if (t->trying->ai_next == NULL || t->ending) {
    forget_addresses(t);
    if (!t->ending) try_again(t, uv_strerror(status));
  } else {
    t->trying = t->trying->ai_next;
    try_next_address(t);
  }
  let_go(t);
}

static void try_next_address(tm_tcp *t) {
  tm_tcp_peer *p = peer_create(t);
  int error = UV_ENOMEM;
  if (p != NULL) {
    t->connecting.data = p;
    error = uv_tcp_connect(&t->connecting, &p->handle, t->trying->ai_addr, on_connected);
    if (error == 0) {
      hold(t);
      return;
    }
    tm_tcp_peer_close(p, error);
  }
  forget_addresses(t);
  try_again(t, uv_strerror(error));
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
  tm_tcp *t = request->data;
  t->resolves = false;
  if (t->ending) {
    uv_freeaddrinfo(found);
  } else if (status != 0) {
    try_again(t, uv_strerror(status));
  } else {
    t->found = t->trying = found;
    try_next_address(t);
  }
  let_go(t);
}

static void connect_now(uv_timer_t *timer) {
  tm_tcp *t = timer->data;
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  t->resolving.data = t;
  hold(t);
  int error = uv_getaddrinfo(tm_loop_uv(t->loop), &t->resolving, on_resolved, t->address.host,
                             t->address.port, &hints);
  t->resolves = error == 0;
  if (t->resolves) return;
  let_go(t);
  try_again(t, uv_strerror(error));
}

static void try_again(tm_tcp *t, const char *reason) {
  note_absence(t, reason);
  uv_timer_start(&t->timer, connect_now, (uint64_t)t->pause_ms, 0);
  t->pause_ms = t->pause_ms * 2 < PAUSE_MAX_MS ? t->pause_ms * 2 : PAUSE_MAX_MS;
}

/* A name that does not exist is told now; what may come to be is waited for. */
static int begin_connecting(tm_tcp *t) {
  int error = resolve_now(t);
  if (error == UV_EAI_NONAME || error == UV_EAI_NODATA || error == UV_EAI_SERVICE) return error;
  int failed = uv_timer_init(tm_loop_uv(t->loop), &t->timer);
  if (failed != 0) return failed;
  t->timer.data = t;
  hold(t);
  if (error != 0) {
    try_again(t, uv_strerror(error));
  } else {
    t->trying = t->found;
    try_next_address(t);
  }
  return 0;
}

/* ---------------------------------------------------------------- create, destroy */

typedef struct creation {
  tm_tcp *tcp;
  int error;
} creation;

static void create_on_loop(void *context) {
  creation *c = context;
  tm_tcp *t = c->tcp;
  c->error = t->listens ? begin_listening(t) : begin_connecting(t);
  if (t->listens || c->error != 0) forget_addresses(t);
}

static void close_on_loop(void *context) {
  tm_tcp *t = context;
  t->ending = true;
  while (t->peers != NULL) tm_tcp_peer_close(t->peers, 0);
  if (t->listens) {
    tm_tcp_close_door(t);
    return;
  }
  uv_timer_stop(&t->timer);
  uv_close((uv_handle_t *)&t->timer, on_handle_closed);
  if (t->resolves) uv_cancel((uv_req_t *)&t->resolving);
  /* A connection that is being made is no peer yet. */
  if (t->trying != NULL) tm_tcp_peer_close(t->connecting.data, UV_ECANCELED);
}

static void wait_and_free(tm_tcp *t) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&t->mutex);
  while (t->pending > 0) env->cond_wait(&t->cond, &t->mutex);
  env->mutex_unlock(&t->mutex);
  env->cond_deinit(&t->cond);
  env->mutex_deinit(&t->mutex);
  tm_free(t->budget, t, sizeof *t);
}

tm_tcp *tm_tcp_create(tm_budget *budget, tm_loop *loop, const tm_tcp_address *address, bool listens,
                      const tm_tcp_events *events, tm_error *err) {
  tm_tcp *t = tm_alloc_zero(budget, sizeof *t);
  if (t == NULL) {
    tm_fail(err, TM_E_MEMORY, "tcp %s: out of memory", address->text);
    return NULL;
  }
  t->budget = budget;
  t->loop = loop;
  t->address = *address;
  t->events = *events;
  t->listens = listens;
  t->pause_ms = PAUSE_MIN_MS;
  snprintf(t->text, sizeof t->text, "%s", address->text);
  tm_env_get()->mutex_init(&t->mutex);
  tm_env_get()->cond_init(&t->cond);
  creation c = {.tcp = t};
  tm_loop_call(loop, create_on_loop, &c);
  if (c.error == 0) return t;
  wait_and_free(t);
  tm_fail(err, TM_E_SYSTEM, "cannot %s %s: %s", listens ? "listen on" : "connect to",
          address->text, uv_strerror(c.error));
  if (c.error == UV_EADDRINUSE) {
    tm_error_help(err, "another program has the port; port 0 takes one that is free");
  }
  return NULL;
}

static void close_listener(void *context) {
  tm_tcp *t = context;
  uv_handle_t *handle = (uv_handle_t *)&t->listener;
  if (!uv_is_closing(handle)) uv_close(handle, on_handle_closed);
}

void tm_tcp_close_door(tm_tcp *t) {
  if (t->listens) close_listener(t);
  t->closed_door = true;
}

void tm_tcp_destroy(tm_tcp *t) {
  if (t == NULL) return;
  tm_loop_call(t->loop, close_on_loop, t);
  wait_and_free(t);
}

const char *tm_tcp_text(const tm_tcp *t) { return t->text; }
