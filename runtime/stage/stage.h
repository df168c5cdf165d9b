/* stage/stage.h: the protocol between a stage and the lane that drives it.
 *
 * A stage is one step of a pipeline: a source (no inputs), an operator, or a sink (no output).
 * It knows neither its neighbours nor threads: the lane calls it, every batch comes back through
 * `out`, and each call answers in one of four words or with an error.
 *
 * Life: bind (once a plan) → share (once a run) → open (once a lane) → restore? → push, resume,
 * advance, save, finish in any sensible order → close (legal in every state; it is the cancel)
 * → unshare. Instances of the lanes run at the same time and meet only in the shared object. */
#ifndef TM_STAGE_STAGE_H
#define TM_STAGE_STAGE_H

#include "base/bytes.h"
#include "stage/bind.h"
#include "stage/out.h"

typedef enum tm_flow {
  TM_FLOW_FAILED = -1, /* err is written; only close follows */
  TM_FLOW_INPUT = 0,   /* wants input (on the ports that wants() names) */
  TM_FLOW_MORE,        /* call resume() again soon: more output, or it merely yields */
  TM_FLOW_BLOCKED,     /* call resume() after a wake; takes no input meanwhile */
  TM_FLOW_FINISHED,    /* never emits again, needs nothing more; the lane stops feeding it */
} tm_flow;

enum { TM_YIELD_US = 5000 };

/* What an instance gets at open; borrowed until close. */
typedef struct tm_stage_env {
  const tm_bind *bind;
  tm_budget *budget;
  uint32_t lane, lanes;
  void *worker;                /* the lane's host for row functions */
  void *shared;                /* what share() made; NULL without */
  tm_ledger *ledger;           /* of this instance; the lane counts `in` and `passed` */
  const int *draining;         /* atomic; once set, a source takes no new morsel and finishes */
  void (*wake)(void *waker);   /* from any thread: every blocked instance gets a resume() */
  /* The same at that time of the monotonic clock, once; may come earlier. */
  void (*wake_at)(void *waker, int64_t monotonic_us);
  void *waker;
} tm_stage_env;

typedef struct tm_option {
  const char *name;
  const char *type;    /* of: bool int float text duration size function list table flow any,
                          alternatives joined by '|': "text|list" */
  const char *initial; /* the default as text, for docs; NULL: none */
  const char *help;
  const char *later;   /* not done in this version: refused with this text; NULL: works */
} tm_option;

typedef struct tm_stage {
  size_t size;                 /* sizeof(tm_stage) */
  const char *name;            /* the verb */
  const char *aliases;         /* other verbs that it serves, space separated; NULL: none */
  const char *summary;
  int inputs;                  /* 0 source, 1, 2; -1: any number from 1 */
  bool sink;
  bool takes_filters;          /* a source that applies bind->pushed itself */
  bool listens;                /* resume() comes after a wake even while it wants input */
  const tm_option *options;    /* ends with a NULL name; NULL: any (it checks them itself) */
  /* One verb may have several stages: the one that serves what the bind says (options, job, facts,
   * final_only) is taken. NULL: all. */
  bool (*serves)(const tm_bind *bind);
  /* Types and everything that can be wrong, before any row. 0 or -1. */
  int (*bind)(tm_bind *bind, tm_error *err);
  /* Which input columns are needed, given which output columns are: needed_in[port][column] = 1.
   * NULL: by `passes` where given, else all. Filters that it evaluates itself count. */
  void (*need)(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *needed_in);
  int (*share)(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out_shared,
               tm_error *err);
  int (*open)(const tm_stage_env *env, void **out_self, tm_error *err);
  /* Right after open, and in every lane before any other call to any of them; the bytes are those
   * of the same lane, and there are as many lanes as there were. The lane then goes on with the
   * word that the instance answered last; one that was blocked gets a resume(). */
  int (*restore)(void *self, const void *bytes, size_t size, tm_error *err);
  /* `taken` is consumed on every path. */
  tm_flow (*push)(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err);
  tm_flow (*resume)(void *self, tm_out *out, tm_error *err);
  /* Time has come to watermark_us on that port: no row that comes later is less, but late ones.
   * Once its own output has come as far, out->watermark_us says so, in this or a later call. The
   * end of a port is no advance: finish() is. NULL: the least over its ports goes on by itself. */
  tm_flow (*advance)(void *self, uint32_t port, int64_t watermark_us, tm_out *out, tm_error *err);
  /* Appends the state of this instance, its part of the shared object included; between any two
   * calls, also once it has finished. NULL: stateless. */
  int (*save)(void *self, tm_bytes *out, tm_error *err);
  /* No more input on that port. Once all ports ended: FINISHED when everything is out. */
  tm_flow (*finish)(void *self, uint32_t port, tm_out *out, tm_error *err);
  /* Mask of ports on which input is welcome now; NULL: all. */
  uint32_t (*wants)(void *self);
  /* Nobody reads its output any more: the other lanes may have to know. NULL: nothing to do. */
  void (*cancel)(void *self);
  void (*close)(void *self);
  void (*unshare)(void *shared);
  /* A source: how far it has come, in units of its own; total 0: unknown. From any thread. */
  void (*measure)(void *shared, uint64_t *done, uint64_t *total);
  /* A sink: does all of publishing that can fail for want of space; every sink is sealed before the
   * first is published. NULL: nothing. */
  int (*seal)(void *shared, tm_error *err);
  /* A sink: makes its output visible, once the whole run has succeeded; or throws it away. */
  int (*publish)(void *shared, bool commit, tm_error *err);
} tm_stage;

/* The table that the build generates from the file names of operator/ and connector/; ends with
 * NULL. */
extern const tm_stage *const tm_stage_table[];
/* One verb may name a source and a sink ("csv"). */
typedef enum tm_stage_role { TM_ROLE_SOURCE, TM_ROLE_STEP, TM_ROLE_SINK } tm_stage_role;
tm_stage_role tm_stage_role_of(const tm_stage *stage);
const tm_stage *tm_stage_find(const char *verb, tm_stage_role role); /* any; NULL: none */
const tm_stage *tm_stage_find_for(const char *verb, tm_stage_role role, const tm_bind *bind);

#endif
