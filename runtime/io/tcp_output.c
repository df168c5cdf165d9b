/* io/tcp_output.c: see tcp_output.h.
 *
 * A reader that keeps up costs the lane one system call: it writes to the socket itself. What the
 * socket does not take goes to the reader's `waits`, from where the loop's thread takes it to
 * `going`, which libuv writes; while something is on its way, the lane only appends. `going` begins
 * with a whole record, so that what a vanished reader did not get whole can be found.
 *
 * Everything here is under the mutex, but for libuv's work on `going`. The lane writes to a
 * descriptor only under it, and `closed` takes the reader away before the descriptor goes. */
#include "io/tcp_output.h"

#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/env.h"
#include "base/log.h"
#include "format/block.h"
#include "io/tcp.h"

enum { WAITING_MAX = 1 << 20 };

typedef struct reader {
  struct reader *next;
  tm_tcp_peer *peer;
  int file;
  tm_bytes going, waits;
  size_t sent;         /* of going, by direct writes: before libuv began */
  bool writing;        /* libuv has going */
  bool shutting;       /* the last that it gets */
  uv_write_t request;
  uv_shutdown_t shutdown;
  tm_tcp_output *output;
} reader;

struct tm_tcp_output {
  tm_budget *budget;
  tm_tcp_output_options options;
  tm_loop *loop;
  tm_tcp *tcp;
  tm_loop_task kick;   /* readers that have something to send */
  tm_mutex mutex;
  reader *readers;
  tm_bytes waits;      /* for a first reader */
  uint64_t sent;
  bool waiting;        /* the lane wants a wake */
  bool finishing, closing;
  int failed;          /* a negative errno: out of memory on the loop's thread */
  void (*wake)(void *waker);
  void *waker;
  char ignored[4096];  /* what readers say */
};

static void lock(tm_tcp_output *o) { tm_env_get()->mutex_lock(&o->mutex); }
static void unlock(tm_tcp_output *o) { tm_env_get()->mutex_unlock(&o->mutex); }

/* ---------------------------------------------------------------- how much waits */

static size_t waiting_of(const reader *r) { return r->going.size - r->sent + r->waits.size; }

static bool is_full(const tm_tcp_output *o) {
  if (o->waits.size >= WAITING_MAX) return true;
  for (const reader *r = o->readers; r != NULL; r = r->next) {
    if (waiting_of(r) >= WAITING_MAX) return true;
  }
  return false;
}

static bool is_done(const tm_tcp_output *o) {
  return o->readers == NULL && o->waits.size == 0;
}

/* Ends the lock; wakes the lane if what it waits for has come. */
static void unlock_and_wake(tm_tcp_output *o) {
  bool come = o->failed < 0 || (o->finishing ? is_done(o) : !is_full(o));
  void (*wake)(void *waker) = o->waiting && come ? o->wake : NULL;
  if (wake != NULL) o->waiting = false;
  void *waker = o->waker;
  unlock(o);
  if (wake != NULL) wake(waker);
}

/* ---------------------------------------------------------------- sending */

static void send_rest(reader *r);

static void on_written(uv_write_t *request, int status) {
  reader *r = request->data;
  tm_tcp_output *o = r->output;
  if (r->peer == NULL) return; /* closed, and looked after */
  if (status < 0) {
    tm_tcp_peer_close(r->peer, status);
    return;
  }
  lock(o);
  o->sent += r->going.size - r->sent;
  tm_bytes_clear(&r->going);
  r->sent = 0;
  r->writing = false;
  send_rest(r);
  unlock_and_wake(o);
}

static void on_shut_down(uv_shutdown_t *request, int status) {
  reader *r = request->data;
  (void)status;
  if (r->peer != NULL) tm_tcp_peer_close(r->peer, 0);
}

/* Under the mutex: gives libuv what there is; after the last of it, the end. */
static void send_rest(reader *r) {
  if (r->writing || r->shutting) return;
  if (r->going.size == 0) {
    tm_bytes empty = r->going;
    r->going = r->waits;
    r->waits = empty;
  }
  uv_stream_t *stream = (uv_stream_t *)&r->peer->handle;
  if (r->going.size > r->sent) {
    uv_buf_t buffer = uv_buf_init((char *)r->going.data + r->sent,
                                  (unsigned)(r->going.size - r->sent));
    r->request.data = r;
    r->writing = uv_write(&r->request, stream, &buffer, 1, on_written) == 0;
  } else if (r->output->finishing) {
    r->shutdown.data = r;
    r->shutting = uv_shutdown(&r->shutdown, stream, on_shut_down) == 0;
  }
}

static void send_all(void *context) {
  tm_tcp_output *o = context;
  lock(o);
  for (reader *r = o->readers; r != NULL; r = r->next) send_rest(r);
  unlock_and_wake(o);
}

/* ---------------------------------------------------------------- readers come and go */

static void reader_destroy(reader *r) {
  tm_bytes_deinit(&r->going);
  tm_bytes_deinit(&r->waits);
  tm_free(r->output->budget, r, sizeof *r);
}

static int opened(void *context, tm_tcp_peer *peer) {
  tm_tcp_output *o = context;
  reader *r = tm_alloc_zero(o->budget, sizeof *r);
  uv_os_fd_t file = -1;
  if (r == NULL) return -1;
  r->peer = peer;
  r->output = o;
  tm_bytes_init(&r->going, o->budget);
  tm_bytes_init(&r->waits, o->budget);
  if (!tm_bytes_append(&r->going, o->options.head, o->options.head_size) ||
      uv_fileno((uv_handle_t *)&peer->handle, &file) != 0) {
    reader_destroy(r);
    return -1;
  }
  r->file = file;
  peer->owner = r;
  tm_tcp_peer_read(peer, true);
  lock(o);
  if (o->readers == NULL) { /* what waited is its */
    tm_bytes empty = r->waits;
    r->waits = o->waits;
    o->waits = empty;
  }
  r->next = o->readers;
  o->readers = r;
  send_rest(r);
  unlock_and_wake(o);
  return 0;
}

/* What readers say is not looked at; but that they go is seen at once. */
static char *room(void *context, tm_tcp_peer *peer, size_t *out_size) {
  tm_tcp_output *o = context;
  (void)peer;
  *out_size = sizeof o->ignored;
  return o->ignored;
}

static void came(void *context, tm_tcp_peer *peer, size_t size) {
  (void)context, (void)peer, (void)size;
}

/* How many bytes of `going` the socket took, as far as is known: of a write that failed it is not.
 */
static size_t taken_of(const reader *r) {
  size_t rest = r->going.size - r->sent;
  if (!r->writing) return r->sent;
  size_t unsent = uv_stream_get_write_queue_size((const uv_stream_t *)&r->peer->handle);
  return unsent == 0 || unsent > rest ? r->sent : r->going.size - unsent;
}

/* The first byte of `going` that the next reader is to get: of the first record that this one did
 * not get whole, and not of the head. */
static size_t rest_of(const tm_tcp_output *o, const reader *r) {
  size_t taken = taken_of(r), head = o->options.head_size, whole = 0;
  bool has_head = head > 0 && r->going.size >= head &&
                  memcmp(r->going.data, o->options.head, head) == 0;
  size_t from = has_head ? head : 0;
  if (taken <= from) return from;
  char *copy = tm_alloc_zero(o->budget, taken - from + TM_BLOCK_PAD);
  if (copy == NULL) return from; /* then it gets some again */
  memcpy(copy, r->going.data + from, taken - from);
  whole = o->options.whole(o->options.context, copy, taken - from);
  tm_free(o->budget, copy, taken - from + TM_BLOCK_PAD);
  return from + whole;
}

/* Under the mutex: the last reader has gone; what it did not get waits for the next. */
static void keep_rest(tm_tcp_output *o, const reader *r) {
  size_t from = r->going.size > 0 ? rest_of(o, r) : 0;
  if (!tm_bytes_append(&o->waits, r->going.data + from, r->going.size - from) ||
      !tm_bytes_append(&o->waits, r->waits.data, r->waits.size)) {
    o->failed = -ENOMEM;
  }
}

static void closed(void *context, tm_tcp_peer *peer, int error) {
  tm_tcp_output *o = context;
  reader *r = peer->owner, **at = &o->readers;
  lock(o);
  while (*at != r) at = &(*at)->next;
  *at = r->next;
  if (r->shutting) tm_tcp_close_door(peer->tcp);
  bool last = o->readers == NULL, quiet = !o->options.listens || r->shutting || o->closing;
  if (last && !r->shutting && !o->closing) keep_rest(o, r);
  r->peer = NULL;
  unlock_and_wake(o);
  if (quiet) return;
  tm_log(TM_LOG_WARNING, "%s has gone%s%s%s", peer->name, error < 0 ? ": " : "",
         error < 0 ? uv_strerror(error) : "", last ? "; rows wait for the next reader" : "");
}

static void freed(void *context, tm_tcp_peer *peer) {
  (void)context;
  reader_destroy(peer->owner);
}

/* ---------------------------------------------------------------- open, close */

tm_tcp_output *tm_tcp_output_open(tm_budget *budget, const tm_tcp_address *address,
                                  const tm_tcp_output_options *options, tm_error *err) {
  tm_tcp_output *o = tm_alloc_zero(budget, sizeof *o);
  if (o == NULL) {
    tm_fail(err, TM_E_MEMORY, "tcp %s: out of memory", address->text);
    return NULL;
  }
  o->budget = budget;
  o->options = *options;
  o->kick = (tm_loop_task){.run = send_all, .context = o};
  tm_bytes_init(&o->waits, budget);
  tm_env_get()->mutex_init(&o->mutex);
  o->loop = tm_loop_create(budget, err);
  if (o->loop != NULL) {
    tm_tcp_events events = {.context = o, .opened = opened, .room = room, .came = came,
                            .closed = closed, .freed = freed};
    o->tcp = tm_tcp_create(budget, o->loop, address, options->listens, &events, err);
    if (o->tcp != NULL) return o;
  }
  tm_tcp_output_close(o);
  return NULL;
}

void tm_tcp_output_close(tm_tcp_output *o) {
  if (o == NULL) return;
  lock(o);
  o->closing = true;
  unlock(o);
  tm_tcp_destroy(o->tcp);
  tm_loop_destroy(o->loop);
  tm_bytes_deinit(&o->waits);
  tm_env_get()->mutex_deinit(&o->mutex);
  tm_free(o->budget, o, sizeof *o);
}

const char *tm_tcp_output_text(const tm_tcp_output *o) { return tm_tcp_text(o->tcp); }

void tm_tcp_output_listen(tm_tcp_output *o, void (*wake)(void *waker), void *waker) {
  lock(o);
  o->wake = wake;
  o->waker = waker;
  unlock(o);
}

/* ---------------------------------------------------------------- the lane */

static int no_memory(const tm_tcp_output *o, tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "tcp %s: out of memory", tm_tcp_text(o->tcp));
}

/* To a reader that has taken all so far, at once. What went wrong the loop's thread will meet. */
static bool write_now(tm_tcp_output *o, reader *r, const void *bytes, size_t size) {
  int64_t written = tm_env_get()->write(r->file, bytes, size);
  size_t taken = written > 0 ? (size_t)written : 0;
  o->sent += taken;
  if (taken == size) return true;
  if (!tm_bytes_append(&r->going, bytes, size)) return false;
  r->sent = taken;
  tm_loop_post(o->loop, &o->kick);
  return true;
}

static bool write_to(tm_tcp_output *o, reader *r, const void *bytes, size_t size) {
  if (r->going.size == 0 && r->waits.size == 0) return write_now(o, r, bytes, size);
  return tm_bytes_append(&r->waits, bytes, size);
}

int tm_tcp_output_write(tm_tcp_output *o, const void *bytes, size_t size, tm_error *err) {
  bool fits = true;
  lock(o);
  if (o->readers == NULL) fits = tm_bytes_append(&o->waits, bytes, size);
  for (reader *r = o->readers; r != NULL && fits; r = r->next) fits = write_to(o, r, bytes, size);
  bool full = is_full(o), failed = o->failed < 0;
  o->waiting = full;
  unlock(o);
  return !fits || failed ? no_memory(o, err) : full;
}

int tm_tcp_output_room(tm_tcp_output *o, tm_error *err) {
  lock(o);
  bool full = is_full(o), failed = o->failed < 0;
  o->waiting = full;
  unlock(o);
  return failed ? no_memory(o, err) : full;
}

int tm_tcp_output_finish(tm_tcp_output *o, tm_error *err) {
  lock(o);
  bool begins = !o->finishing, done = is_done(o), failed = o->failed < 0;
  o->finishing = true;
  o->waiting = !done;
  if (begins && !done) tm_loop_post(o->loop, &o->kick);
  unlock(o);
  return failed ? no_memory(o, err) : !done;
}

uint64_t tm_tcp_output_sent(tm_tcp_output *o) {
  lock(o);
  uint64_t sent = o->sent;
  unlock(o);
  return sent;
}

int tm_tcp_output_fail(tm_tcp_output *o, tm_error *err) {
  char absence[256];
  lock(o);
  size_t waits = o->waits.size;
  bool alone = o->readers == NULL;
  for (const reader *r = o->readers; r != NULL; r = r->next) waits += waiting_of(r);
  unlock(o);
  tm_tcp_absence(o->tcp, absence, sizeof absence);
  if (alone) {
    return tm_fail(err, TM_E_WRITE, "tcp %s: %zu bytes of rows were not sent: no %s%s",
                   tm_tcp_text(o->tcp), waits, o->options.listens ? "reader" : "connection",
                   absence);
  }
  return tm_fail(err, TM_E_WRITE, "tcp %s: %zu bytes of rows were not sent: the reader takes none",
                 tm_tcp_text(o->tcp), waits);
}
