/* tests/support/harness_parts.h: what the files of the harness share: batches in, batches out. */
#ifndef TESTS_SUPPORT_HARNESS_PARTS_H
#define TESTS_SUPPORT_HARNESS_PARTS_H

#include "base/env.h"
#include "tests/support/stage_harness.h"

enum { HARNESS_FAILURE_MAX = 600 };

/* harness_time.c ------------------------------------------------------------------------------- */

/* The rows of a port in the order in which they come, and their time. */
typedef struct harness_rows {
  const tm_batch *table;
  uint32_t *rows;    /* numbers in the table, `count` of them */
  uint32_t count;
  int64_t *times;    /* by number in the table; NULL: rows have none */
  int64_t *marks;    /* the same; NULL: none is behind */
  int64_t *clock;    /* by place: how far a watermark may have come behind that row */
} harness_rows;

/* facts_in, before the bind. */
void harness_facts(const harness_case *c, tm_bind *bind);
/* Everything in the arena. */
harness_rows harness_rows_of(const tm_bind *bind, const harness_case *c, uint32_t port,
                             const uint8_t *needed, tm_arena *arena);

/* harness_input.c ---------------------------------------------------------------------------- */

typedef struct harness_input {
  tm_batch *batch;
  int64_t clock_us; /* how far a watermark may have come behind it */
  bool shared;      /* the harness holds it too */
  uint64_t digest;  /* of a shared one, as it was given */
} harness_input;

/* The rows at places [from, from + count). `needed` has a byte a column; the others get no data. */
harness_input harness_input_make(tm_budget *budget, const harness_rows *rows, uint32_t from,
                                 uint32_t count, const uint8_t *needed, const harness_case *c,
                                 uint32_t port, bool odd, rows_random *random);
/* The batch is ready: notes what it looks like. */
void harness_input_seal(harness_input *input);
/* Lets go of what the harness holds. false: somebody wrote to it. */
bool harness_input_release(harness_input *input);

/* harness_output.c --------------------------------------------------------------------------- */

/* Whether a batch is sound and agrees with the bind; else why not, in `failure`. */
bool harness_output_check(const tm_bind *bind, const tm_batch *batch, char *failure);
/* Whether its times and weights are; *last is the time of the last row so far, `watermark_us` the
 * one that was given last. */
bool harness_output_check_time(const harness_case *c, const tm_bind *bind, const tm_batch *batch,
                               int64_t watermark_us, int64_t *last, char *failure);
/* Its rows as result.rows has them. */
void harness_output_add(const harness_case *c, const tm_batch *batch, const uint8_t *needed,
                        rows_list *to);
/* "+1 row" … to net rows, sorted. In `failure`: one is taken back before it was given. */
void harness_output_consolidate(rows_list *rows, char *failure);

typedef struct harness_held {
  tm_batch *batch;
  const uint8_t *needed;
  rows_list texts;
} harness_held;

/* Takes the batch and notes its rows. */
void harness_held_take(harness_held *held, tm_batch *taken, const uint8_t *needed);
/* Releases it. false: it changed meanwhile. */
bool harness_held_release(harness_held *held);

/* stage_harness.c: a run ------------------------------------------------------------------------
 * */

enum { HARNESS_HELD = 3 };

typedef struct harness_port {
  harness_input *queue;
  uint32_t count, capacity, next;
  bool told;
  int64_t clock_us;     /* how far time may have come, after what was pushed */
  int64_t watermark_us; /* that the stage was told last */
} harness_port;

typedef struct harness harness;

typedef struct harness_lane {
  harness *run;
  tm_stage_env env;
  void *self;
  bool open, woken;
  tm_flow flow;
  tm_ledger ledger;
  harness_port ports[HARNESS_PORTS];
  rows_list rows, rejects, lates;
  int64_t watermark_us; /* that the stage gave last */
  int64_t last_time_us; /* of the last row that it gave */
  harness_held held[HARNESS_HELD];
  uint32_t held_next;
  uint64_t sequence;   /* of the last batch given */
  uint64_t calls;
  tm_arena scratch;    /* of tm_out */
  tm_bytes saved;
  rows_random random;
  tm_error err;
  char failure[HARNESS_FAILURE_MAX]; /* what the test must say; empty: nothing */
  tm_thread thread;
} harness_lane;

struct harness {
  const harness_case *c;
  const harness_mode *mode;
  tm_budget *plan_budget, *input_budget, *budget;
  tm_arena arena;      /* of the plan */
  tm_job_info job;
  tm_bind bind;
  void *shared;
  bool is_shared;
  harness_lane lanes[HARNESS_LANES];
  rows_random random;
  uint64_t calls;
  bool failed;
  /* on threads */
  tm_mutex mutex;
  tm_cond cond;
  uint32_t generation, finished;
  int stop;
};

/* share() and open() in every lane; close() and unshare(). */
int harness_open(harness *h, tm_error *err);
void harness_close(harness *h);
/* Into lane->saved of every lane; back from there. 0, or -1 with err. */
int harness_save(harness *h, tm_error *err);
int harness_restore(harness *h, tm_error *err);

/* harness_bind.c ------------------------------------------------------------------------------- */

/* What the stage needs of each input, a byte a column, in the arena. */
void harness_find_needs(const tm_bind *bind, tm_arena *arena, uint8_t **in);

/* harness_damage.c ----------------------------------------------------------------------------- */

/* Tries to restore damaged forms of the state that is in lane->saved; leaves every lane closed. */
void harness_try_damage(harness *h);

#endif
