/* state/sessions.h: which session of its key a row belongs to, for rows in time order.
 *
 * A session is a number, that of the state of its aggregates (live_states.h); it is given again
 * once the session is gone. A session is open until a row comes that is too late for it, or time
 * has passed its end: then it is closed, and waits to be taken. Its end shows when it is closed:
 * the gap after its last row, or `max` after its first one if that is earlier. */
#ifndef TM_STATE_SESSIONS_H
#define TM_STATE_SESSIONS_H

#include "state/row_set.h"
#include "state/time_heap.h"

#define TM_SESSION_NONE UINT32_MAX

typedef struct tm_session {
  int64_t start_us, last_us; /* of its first and last row */
  uint32_t key;              /* its id in `keys` */
  uint32_t next;             /* of a free one, the next free one */
  uint32_t timers;           /* entries of the heap that name it */
  bool used, open;
} tm_session;

typedef struct tm_session_key {
  uint32_t open;  /* its open session; TM_SESSION_NONE */
  uint32_t count; /* sessions, open or closed */
} tm_session_key;

typedef struct tm_sessions {
  tm_budget *budget;
  int64_t gap_us, max_us;    /* max_us 0: there is none */
  tm_row_set *keys;          /* NULL: all rows are of one key */
  tm_session_key *of_key;    /* by id of the key */
  uint32_t key_capacity;
  tm_session *all;
  uint32_t count, capacity, first_free;
  uint32_t *closed;          /* those closed_at … closed_count-1 wait */
  uint32_t closed_at, closed_count, closed_capacity;
  tm_time_heap timers;       /* when an open session ends, at the earliest */
} tm_sessions;

/* 0, or -1 (memory; deinit is still due). */
int tm_sessions_init(tm_sessions *sessions, tm_budget *budget, const tm_type *key_types,
                     uint32_t key_count, int64_t gap_us, int64_t max_us);
void tm_sessions_deinit(tm_sessions *sessions);

/* The session of row rows[i] (NULL: i), of `count` rows in time order, to ids[i]. times is by row.
 * Sessions that rows came too late for are closed. 0 or -1 (memory). */
int tm_sessions_add(tm_sessions *sessions, const tm_column *const *keys, const int64_t *times,
                    const uint32_t *rows, uint32_t count, uint32_t *ids);
/* Closes sessions that end before time_us, until about `max` wait to be taken. Whether all that
 * were due are closed; -1: memory. */
int tm_sessions_advance(tm_sessions *sessions, int64_t time_us, uint32_t max);
static inline uint32_t tm_sessions_closed(const tm_sessions *sessions) {
  return sessions->closed_count - sessions->closed_at;
}
/* Where a closed session ends. */
int64_t tm_sessions_end(const tm_sessions *sessions, uint32_t id);
/* The first of those that are closed is gone. */
void tm_sessions_drop(tm_sessions *sessions);
/* A large set of keys takes a while to grow; as tm_row_set_settle_step(). */
int tm_sessions_settle_step(tm_sessions *sessions);

/* Calls state() for each session, in the same order both times; restore() into fresh ones. Either
 * is 0, or -1 with err. */
typedef int (*tm_session_visit)(void *context, uint32_t id, tm_error *err);
int tm_sessions_save(const tm_sessions *sessions, tm_record_writer *writer, tm_session_visit state,
                     void *context, tm_error *err);
int tm_sessions_restore(tm_sessions *sessions, tm_record_reader *reader, tm_session_visit state,
                        void *context, tm_error *err);

#endif
