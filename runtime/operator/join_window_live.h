/* operator/join_window_live.h: the state of a join in windows where rows come and go.
 * Used by join_window_live.c, which runs, join_window_rows.c, which keeps the rows, and
 * join_window_state.c, which saves and restores. */
#ifndef TM_OPERATOR_JOIN_WINDOW_LIVE_H
#define TM_OPERATOR_JOIN_WINDOW_LIVE_H

#include "operator/join_pairs.h"
#include "operator/join_window_plan.h"
#include "state/row_pool.h"

/* The head of a row that is kept. */
typedef struct window_row {
  int64_t time_us;
  int64_t closed_us;   /* windows that end at or before it are closed to the row */
  tm_key_entry *key;   /* NULL: a key is null */
  uint32_t next;       /* in its slice */
  uint32_t match;      /* of the right side: the next of its key in the window that fires */
  uint8_t fired;       /* of the left side: a window that it is in has fired */
  uint8_t met;         /* of the right side: it has a match in the window that fires */
  uint8_t unused[14];
} window_row;

typedef struct window_key {  /* payload of an entry */
  uint64_t fire;       /* the window that fired last with a right row of the key, by number */
  uint32_t first;      /* that row; its matches follow */
  uint32_t rows;       /* of both sides that have the key */
} window_key;

/* Rows of a stretch of time in which no window begins or ends. */
typedef struct window_slice {
  tm_window span;
  uint32_t first[2], last[2];
} window_slice;

/* Rows of a side of the window that fires, one after another. */
typedef struct window_cursor {
  uint32_t slice;      /* index */
  uint32_t id;         /* the next row; TM_POOL_NONE: those of the slice are through */
  bool begun;          /* in that slice */
} window_cursor;

typedef enum window_phase {
  FIRE_NONE,           /* no window fires */
  FIRE_LINK,           /* right rows of a key are linked */
  FIRE_LEFT,           /* left rows look for theirs, a batch of them at a time */
  FIRE_RIGHT,          /* right rows without a match come out */
  FIRE_DROP,           /* rows that no later window has go */
} window_phase;

typedef struct join_window {
  tm_stage_env env;
  const tm_join_window_plan *plan;
  tm_window_regions regions;
  tm_key_map keys;
  tm_row_pool pools[2];
  window_slice *slices;  /* in order of time */
  uint32_t slice_count, slice_capacity;
  int64_t watermarks_us[2];
  bool ended[2];
  int64_t told_us;
  /* the window that fires, or the last one that did */
  tm_window window;
  bool has_fired;
  uint64_t fire;         /* its number */
  window_phase phase;
  window_cursor cursor;
  uint64_t counted;      /* rows of the phase so far; LEFT: before the batch */
  uint32_t linked;       /* right rows with a key */
  /* LEFT: rows that look */
  uint32_t *ids;         /* of the left pool; room for batch_rows */
  uint8_t *met;
  uint32_t count, at;    /* at: the row that looks */
  uint32_t match;        /* its next match */
  uint32_t seen;         /* its matches so far */
  bool placed;           /* match is good */
  tm_join_pairs pairs;   /* its batch is ours */
} join_window;

static inline window_row *tm_window_row(const join_window *w, uint32_t port, uint32_t id) {
  return tm_row_pool_head(&w->pools[port], id);
}
static inline window_key *tm_window_key(tm_key_entry *entry) { return tm_key_entry_payload(entry); }
static inline uint32_t tm_window_batch_rows(const join_window *w) {
  uint32_t rows = w->env.bind->job->batch_rows;
  return rows < TM_BATCH_ROWS ? rows : TM_BATCH_ROWS;
}

/* join_window_rows.c -------------------------------------------------------------------------- */

int tm_join_window_rows_init(join_window *w, tm_error *err);
void tm_join_window_rows_deinit(join_window *w);
/* Drops the late rows of a batch (owned), tells them; closed_us by place in its selection, from
 * `closed` (room for all). 0, or -1 with err. */
int tm_join_window_drop_late(join_window *w, uint32_t port, tm_batch *batch, int64_t *closed,
                             tm_out *out, tm_error *err);
/* Keeps the rows of a batch that may come out. 0, or -1 with err. */
int tm_join_window_keep(join_window *w, uint32_t port, tm_batch *batch, const int64_t *closed,
                        tm_error *err);
/* The next window that fires becomes w->window; false: none, as far as time has come. */
bool tm_join_window_next(join_window *w);
void tm_join_window_begin(join_window *w, window_phase phase);
/* The next row of a side in the window that fires; TM_POOL_NONE: there is none. *work counts rows
 * that were looked at. */
uint32_t tm_join_window_step(join_window *w, uint32_t port, uint32_t *work);
/* A right row joins those of its key. 0, or -1 with err: it must not be there. */
int tm_join_window_link(join_window *w, uint32_t id, tm_error *err);
/* Rows that no window has behind the one that fired, as much as a call may: true once all have
 * gone. */
bool tm_join_window_drop(join_window *w);

/* join_window_live.c -------------------------------------------------------------------------- */

/* The next left rows that look become a batch. 0, or -1 with err. */
int tm_join_window_gather(join_window *w, tm_error *err);
void tm_join_window_end_batch(join_window *w);

/* join_window_state.c ------------------------------------------------------------------------- */

int tm_join_window_save(void *self, tm_bytes *out, tm_error *err);
int tm_join_window_restore(void *self, const void *bytes, size_t size, tm_error *err);

#endif
