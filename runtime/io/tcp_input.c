/* io/tcp_input.c: see tcp_input.h. All but open, drain and close runs on the loop's thread. */
#include "io/tcp_input.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "io/cutter.h"
#include "io/tcp.h"

enum {
  WAITING_MAX = 4 << 20,  /* bytes of blocks that wait for the lane */
  READ_BYTES = 64 << 10,
  SMALL_BYTES = 16 << 10, /* of blocks for few records */
  POOLED = 64,
  NAME_BUCKETS = 4096,
};

typedef struct connection {
  tm_cutter cutter;
  uint32_t partition;
  bool known;            /* the lane has seen something of it */
} connection;

/* Names of partitions, each once: rows refer to them as long as the run. */
typedef struct name {
  struct name *next;
  char text[];
} name;

struct tm_tcp_input {
  tm_budget *budget;
  const tm_reading *reading;
  tm_loop *loop;
  tm_tcp *tcp;
  tm_live_input queue;
  tm_loop_task go_on;    /* reading, once there is room again */
  tm_block_pool *pool, *small;
  tm_layout_home home;
  bool paused, drained;
  tm_arena names_arena;
  name *names[NAME_BUCKETS];
  uint32_t *free_numbers; /* of partitions that ended */
  uint32_t free_count, free_capacity, next_number;
};

/* ---------------------------------------------------------------- names and numbers */

static const char *name_of(tm_tcp_input *in, const char *text) {
  size_t size = strlen(text);
  name **bucket = &in->names[tm_hash_bytes(text, size) % NAME_BUCKETS];
  for (name *n = *bucket; n != NULL; n = n->next) {
    if (strcmp(n->text, text) == 0) return n->text;
  }
  name *n = tm_arena_alloc(&in->names_arena, sizeof *n + size + 1);
  if (n == NULL) return NULL;
  memcpy(n->text, text, size + 1);
  n->next = *bucket;
  *bucket = n;
  return n->text;
}

static uint32_t take_number(tm_tcp_input *in) {
  return in->free_count > 0 ? in->free_numbers[--in->free_count] : in->next_number++;
}

/* One that cannot be noted is not used again. */
static void give_number(tm_tcp_input *in, uint32_t number) {
  if (in->free_count == in->free_capacity) {
    uint32_t capacity = in->free_capacity == 0 ? 16 : in->free_capacity * 2;
    uint32_t *grown = tm_realloc(in->budget, in->free_numbers,
                                 in->free_capacity * sizeof *grown, capacity * sizeof *grown);
    if (grown == NULL) return;
    in->free_numbers = grown;
    in->free_capacity = capacity;
  }
  in->free_numbers[in->free_count++] = number;
}

/* ---------------------------------------------------------------- reading */

static void stop_reading(void *context, tm_tcp_peer *peer) {
  (void)context;
  tm_tcp_peer_read(peer, false);
}

static void start_reading(void *context, tm_tcp_peer *peer) {
  (void)context;
  tm_tcp_peer_read(peer, true);
}

static void put(tm_tcp_input *in, const tm_tcp_peer *peer, const tm_live_item *item) {
  if (tm_live_input_put(&in->queue, item) > 0 || in->paused) return;
  in->paused = true;
  tm_tcp_each(peer->tcp, stop_reading, NULL);
}

static void read_on(void *context) {
  tm_tcp_input *in = context;
  if (!in->paused || in->drained) return;
  in->paused = false;
  tm_tcp_each(in->tcp, start_reading, NULL);
}

/* From the lane's thread. */
static void post_go_on(void *context) {
  tm_tcp_input *in = context;
  tm_loop_post(in->loop, &in->go_on);
}

static int opened(void *context, tm_tcp_peer *peer) {
  tm_tcp_input *in = context;
  const char *text = name_of(in, peer->name);
  connection *c = tm_alloc_zero(in->budget, sizeof *c);
  if (c == NULL || text == NULL) {
    tm_free(in->budget, c, sizeof *c);
    return -1;
  }
  c->partition = take_number(in);
  c->cutter = (tm_cutter){.budget = in->budget, .reading = in->reading, .home = &in->home,
                          .pool = in->pool, .small = in->small, .name = text,
                          .file_index = c->partition};
  tm_cutter_begin(&c->cutter);
  peer->owner = c;
  if (!in->paused && !in->drained) tm_tcp_peer_read(peer, true);
  return 0;
}

static char *room(void *context, tm_tcp_peer *peer, size_t *out_size) {
  tm_tcp_input *in = context;
  connection *c = peer->owner;
  tm_error err = {0};
  char *bytes = tm_cutter_room(&c->cutter, out_size, &err);
  if (bytes == NULL) tm_live_input_fail(&in->queue, &err);
  return bytes;
}

/* Everything that is whole goes to the lane. false: the connection is no use any more. */
static bool hand_over(tm_tcp_input *in, const tm_tcp_peer *peer, tm_error *err) {
  connection *c = peer->owner;
  tm_live_item item = {.name = c->cutter.name, .partition = c->partition};
  for (;;) {
    switch (tm_cutter_take(&c->cutter, &item.block, err)) {
      case TM_CUT_BLOCK:
        c->known = true;
        put(in, peer, &item);
        break;
      case TM_CUT_MORE:
        tm_cutter_rest(&c->cutter);
        return true;
      case TM_CUT_END: return true;
      case TM_CUT_FAILED: return false;
    }
  }
}

/* What is no format costs the connection, and is told with its end; the rest is the engine's. */
static void give_up(tm_tcp_input *in, const tm_tcp_peer *peer, const tm_error *err) {
  connection *c = peer->owner;
  if (err->code != TM_E_FORMAT) {
    tm_live_input_fail(&in->queue, err);
    return;
  }
  tm_live_item item = {.name = c->cutter.name, .partition = c->partition, .ends = true};
  snprintf(item.wrong, sizeof item.wrong, "%.319s", err->message);
  c->known = false;
  put(in, peer, &item);
}

static void came(void *context, tm_tcp_peer *peer, size_t size) {
  tm_tcp_input *in = context;
  connection *c = peer->owner;
  tm_error err = {0};
  tm_cutter_add(&c->cutter, size);
  if (hand_over(in, peer, &err)) return;
  c->cutter.ended = true;
  tm_cutter_deinit(&c->cutter);
  give_up(in, peer, &err);
  tm_tcp_peer_close(peer, 0);
}

/* An orderly end makes the last line whole; what a lost connection left is no record. */
static void closed(void *context, tm_tcp_peer *peer, int error) {
  tm_tcp_input *in = context;
  connection *c = peer->owner;
  tm_error err = {0};
  bool begun = c->cutter.used > c->cutter.start;
  if (error == 0 && begun && !c->cutter.ended && !in->drained) {
    c->cutter.ended = true;
    if (!hand_over(in, peer, &err)) give_up(in, peer, &err);
  }
  if (c->known) {
    tm_live_item end = {.name = c->cutter.name, .partition = c->partition, .ends = true};
    put(in, peer, &end);
  }
  give_number(in, c->partition);
  tm_cutter_deinit(&c->cutter);
  tm_free(in->budget, c, sizeof *c);
  peer->owner = NULL;
}

/* ---------------------------------------------------------------- open, close */

tm_tcp_input *tm_tcp_input_open(tm_budget *budget, const tm_reading *reading,
                                const tm_tcp_address *address, bool listens, tm_error *err) {
  tm_tcp_input *in = tm_alloc_zero(budget, sizeof *in);
  if (in == NULL) {
    tm_fail(err, TM_E_MEMORY, "tcp %s: out of memory", address->text);
    return NULL;
  }
  in->budget = budget;
  in->reading = reading;
  in->go_on = (tm_loop_task){.run = read_on, .context = in};
  tm_live_input_init(&in->queue, budget, WAITING_MAX, post_go_on, in);
  tm_layout_home_init(&in->home, budget);
  tm_arena_init(&in->names_arena, budget);
  in->pool = tm_block_pool_create(budget, READ_BYTES, POOLED);
  in->small = tm_block_pool_create(budget, SMALL_BYTES, POOLED);
  if (in->pool == NULL || in->small == NULL) {
    tm_fail(err, TM_E_MEMORY, "tcp %s: out of memory", address->text);
  } else if ((in->loop = tm_loop_create(budget, err)) != NULL) {
    tm_tcp_events events = {.context = in, .opened = opened, .room = room, .came = came,
                            .closed = closed};
    tm_tcp *tcp = tm_tcp_create(budget, in->loop, address, listens, &events, err);
    if (tcp != NULL) {
      in->tcp = tcp;
      return in;
    }
  }
  tm_tcp_input_close(in);
  return NULL;
}

const char *tm_tcp_input_text(const tm_tcp_input *in) { return tm_tcp_text(in->tcp); }
tm_live_input *tm_tcp_input_queue(tm_tcp_input *in) { return &in->queue; }

static void drain_on_loop(void *context) {
  tm_tcp_input *in = context;
  in->drained = true;
  tm_tcp_close_door(in->tcp);
  tm_tcp_each(in->tcp, stop_reading, NULL);
  tm_live_input_end(&in->queue);
}

void tm_tcp_input_drain(tm_tcp_input *in) { tm_loop_call(in->loop, drain_on_loop, in); }

void tm_tcp_input_close(tm_tcp_input *in) {
  if (in == NULL) return;
  tm_tcp_destroy(in->tcp);
  tm_loop_destroy(in->loop);
  tm_live_input_deinit(&in->queue);
  if (in->pool != NULL) tm_block_pool_destroy(in->pool);
  if (in->small != NULL) tm_block_pool_destroy(in->small);
  tm_layout_home_deinit(&in->home);
  tm_arena_deinit(&in->names_arena);
  tm_free(in->budget, in->free_numbers, in->free_capacity * sizeof *in->free_numbers);
  tm_free(in->budget, in, sizeof *in);
}
