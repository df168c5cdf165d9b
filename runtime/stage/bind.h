/* stage/bind.h: what is known of a step before it runs: what the plan gave, what the stage
 * answered, what the optimiser found. Read-only while the plan runs, but for the counters it
 * points to. */
#ifndef TM_STAGE_BIND_H
#define TM_STAGE_BIND_H

#include "base/value.h"
#include "column/batch.h"

struct tm_stage;
struct tm_function;

enum { TM_PORTS_MAX = 16 };

/* What every stage may know of the job; borrowed for as long as the plan. */
typedef struct tm_job_info {
  const char *script;      /* path, for messages and rejects */
  const char *pipeline;    /* name of the job */
  const char *date;        /* logical date, YYYY-MM-DD */
  bool stream;             /* else a batch */
  bool dry_run;
  bool ranged;             /* only rows from from_us on and before to_us, by event time */
  int64_t from_us, to_us;  /* TM_TIME_NONE, TM_TIME_END: no bound */
  const char *stdout_format; /* what tm.stdout() writes: "table", "csv" or "json" */
  uint32_t workers;
  uint32_t batch_rows;     /* target size of batches; TM_BATCH_ROWS unless a test says otherwise */
  uint64_t block_bytes;    /* target size of read blocks */
  uint64_t shuffle_seed;   /* not 0: in a stream, finite sources with event time give their rows in
                              another order that they could have had (prove) */
} tm_job_info;

typedef enum tm_order {
  TM_ORDER_NONE,  /* rows come as they come */
  TM_ORDER_KEEPS, /* row-wise: the order of input 0 holds */
  TM_ORDER_MAKES, /* this stage puts rows in an order that holds from here on */
} tm_order;

/* How far event time has come in the rows of the sources above a step. */
typedef struct tm_time_reach {
  int64_t latest_us;              /* the largest time of a row so far; atomic */
  struct tm_time_reach *parts[2]; /* or that of these two, where several sources meet; else NULL */
} tm_time_reach;

void tm_time_reach_note(tm_time_reach *reach, int64_t time_us); /* NULL is a no-op */
/* TM_TIME_NONE: no row yet, or reach is NULL. */
int64_t tm_time_reach_latest(const tm_time_reach *reach);

/* What is known of the rows of an edge. The plan gives a stage those of its inputs, and takes for
 * its output those of input 0 (changelog and bounded: of all inputs together) unless bind() says
 * otherwise. Columns of windows follow `passes`. */
typedef struct tm_rows_facts {
  tm_type time;          /* of the hidden event time: timestamp or date; TM_NULLTYPE: none */
  bool changelog;        /* rows carry weights: a row may be taken back */
  bool bounded;          /* the input ends by itself */
  bool live;             /* comes as it happens: idle, ahead and the wall clock matter */
  tm_time_reach *reach;  /* of the sources above; NULL: they have no event time */
  bool in_time_order;    /* rows come by event time, and none is behind: out of time_order */
  bool placed;           /* rows come in an order of their own: of a source, a sort */
  int window_start, window_end; /* columns of an upstream window; -1: none */
  bool fixed_windows;    /* all rows of one window_start have one window_end */
} tm_rows_facts;

/* Filled by the plan, completed by bind(), read-only afterwards. */
typedef struct tm_bind {
  /* given */
  const struct tm_stage *stage;
  tm_arena *arena;             /* of the plan */
  tm_budget *budget;
  const tm_job_info *job;
  const char *verb;            /* as the script wrote it */
  const char *name;            /* :name, else made from the verb; unique */
  bool inserted;               /* the planner's own: an exchange, an ordering */
  const tm_value *options;     /* a table; checked against stage->options before bind is called */
  int script_line;
  uint32_t node;               /* index in the plan */
  uint32_t input_count;
  const tm_schema *inputs[TM_PORTS_MAX];
  uint64_t input_rows[TM_PORTS_MAX]; /* estimates, 0 = unknown */
  tm_rows_facts facts_in[TM_PORTS_MAX];
  bool final_only;             /* a stream of bounded input whose sinks want only the net rows: what
                                  would be a changelog may come once, at the end */
  /* answered */
  const tm_schema *output;     /* NULL for a sink */
  void *plan;                  /* what the stage keeps from binding; read-only while it runs */
  tm_rows_facts facts_out;     /* given as above; bind() changes what it changes */
  uint32_t time_order;         /* mask of ports whose rows must come through time_order */
  tm_order order;
  bool single;                 /* wants all rows in lane 0, in order: sinks, limit */
  bool ordered;                /* its result depends on the order of its input (single ones too) */
  bool wants_ordinals;         /* its input must carry ordinals */
  bool rejects;                /* may refuse rows */
  bool chooses;                /* limit, top, sample …: no filter moves across it */
  uint32_t waits[TM_PORTS_MAX]; /* per port: a mask of the ports that end before it is taken. Two
                                   that name each other: one waits while its time is ahead */
  const int32_t *passes[2];    /* per output column: the column of input 0/1 that it is, unchanged,
                                  or -1; NULL: none is. Filters and projections move by it */
  uint64_t rows_estimate;      /* of the output; 0 = unknown */
  const char *detail;          /* a line for explain: "by store, sum(qty)" */
  const char *advice;          /* what check warns of; NULL: nothing */
  int64_t disorder_us;         /* how far its rows may be out of order, as its source says */
  const struct tm_function **functions; /* row functions that were bound, for explain */
  uint32_t function_count, function_capacity;
  /* answered by the optimiser, before open */
  const uint8_t *needed;       /* per output column: 0 = nobody reads it, leave its data NULL */
  const struct tm_function *const *pushed; /* a source: filters to apply before rows leave it */
  uint32_t pushed_count;
  uint64_t *pushed_dropped;    /* per pushed filter the rows that it dropped; added to atomically */
  bool done_elsewhere;         /* a filter that its source applies: rows only pass */
  bool emits_ordinals;         /* a source: somebody wants ordinals */
  bool ordered_input;          /* batches come in order of `sequence`, else in no order at all */
  bool buffers; /* an exchange: a full queue takes more where another lane is awaited */
  const struct tm_bind *rejects_to; /* endpoint of refused rows; NULL: the first fails the run */
  const struct tm_bind *late_to;    /* endpoint of late rows; NULL: counted and warned of */
  bool skip_rejects;           /* on_error = "skip" */
} tm_bind;

/* Notes a bound row function; a stage that binds one itself calls it. 0 or -1 (memory). */
int tm_bind_note(tm_bind *bind, const struct tm_function *function);

#endif
