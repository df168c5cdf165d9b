/* state/keyed_state.h: what the functions of a process step keep a key: values, lists and maps of
 * fixed types, and timers.
 *
 * Everything that changes does so between begin() and commit() or rollback(), which takes back all
 * that the call changed, and cannot fail. A key whose state is empty and that has no timers is
 * freed then. What has a `ttl` is there as long as the time of the call is at most `ttl` later than
 * when it was written; times of calls never go back. */
#ifndef TM_STATE_KEYED_STATE_H
#define TM_STATE_KEYED_STATE_H

#include "state/record.h"
#include "state/state_list.h"
#include "state/timer_queue.h"

typedef enum tm_state_shape { TM_STATE_VALUE, TM_STATE_LIST, TM_STATE_MAP } tm_state_shape;

typedef struct tm_state_field {
  const char *name;
  tm_state_shape shape;
  tm_type type;    /* of the value, or of each of them */
  int64_t ttl_us;  /* 0: for ever */
} tm_state_field;

typedef struct tm_state_plan {
  uint32_t key_count, field_count;
  const tm_type *key_types;
  const tm_state_field *fields;
} tm_state_plan;

typedef struct tm_state_slot {
  union {
    tm_cell value;
    tm_state_list *list;
    tm_text_map map;
  };
  int64_t written_us; /* of lists and maps: none of theirs is earlier */
  bool set;           /* a value is there, a list or map is not empty */
  bool noted;         /* what was there before this call is in the journal, whole */
} tm_state_slot;

/* Of each key; the payload of its entry. */
typedef struct tm_state_key {
  uint32_t used;    /* slots that are set */
  uint32_t timers;
  uint32_t number;  /* while saving */
  bool expires;     /* it is in `expiries` */
  tm_state_slot slots[];
} tm_state_key;

typedef struct tm_keyed_state {
  tm_budget *budget;
  const tm_state_plan *plan;
  tm_key_map keys;
  tm_timer_queue timers;
  tm_timer_queue expiries; /* a nameless one a key that has something to forget */
  int64_t ttl_least_us;    /* of all fields; 0: none has one */
  /* the call under way */
  tm_key_entry *key;       /* NULL: none */
  int64_t now_us;
  struct tm_state_undo *undos;
  uint32_t undo_count, undo_capacity;
} tm_keyed_state;

void tm_keyed_state_init(tm_keyed_state *state, tm_budget *budget, const tm_state_plan *plan);
void tm_keyed_state_deinit(tm_keyed_state *state);

/* ------------------------------------------------------------------ a call */

/* `key` as tm_key_bytes_write has it. 0, or -1: out of memory. */
int tm_keyed_state_begin(tm_keyed_state *state, const void *key, size_t size, int64_t now_us);
/* Either ends it. */
void tm_keyed_state_commit(tm_keyed_state *state);
void tm_keyed_state_rollback(tm_keyed_state *state);

/* All that changes something: 0, or -1: out of memory, and nothing has changed. Cells are copied
 * in, strings too; those that come out are good until the next change. */

/* A field of one value. NULL: it is not there. */
const tm_cell *tm_keyed_state_value(const tm_keyed_state *state, uint32_t field);
int tm_keyed_state_set(tm_keyed_state *state, uint32_t field, const tm_cell *value);

/* A field that is a list, counted from 0. put: index is at most the count. */
uint32_t tm_keyed_state_list_count(tm_keyed_state *state, uint32_t field);
const void *tm_keyed_state_list_at(tm_keyed_state *state, uint32_t field, uint32_t index);
int tm_keyed_state_list_put(tm_keyed_state *state, uint32_t field, uint32_t index,
                            const tm_cell *value);
int tm_keyed_state_list_pop(tm_keyed_state *state, uint32_t field); /* it is not empty */

/* A field that is a map. NULL: the key is not there. */
uint32_t tm_keyed_state_map_count(tm_keyed_state *state, uint32_t field);
const tm_cell *tm_keyed_state_map_at(const tm_keyed_state *state, uint32_t field,
                                     const tm_str *key);
int tm_keyed_state_map_put(tm_keyed_state *state, uint32_t field, const tm_str *key,
                           const tm_cell *value);
int tm_keyed_state_map_remove(tm_keyed_state *state, uint32_t field, const tm_str *key);
/* The next entry from *at (0 at first) on, after a count; in no order. NULL: the end. */
const tm_text_entry *tm_keyed_state_map_next(const tm_keyed_state *state, uint32_t field,
                                             uint32_t *at);

/* Any field becomes empty. */
int tm_keyed_state_clear(tm_keyed_state *state, uint32_t field);

/* A timer of the key; the name has at most TM_TIMER_NAME_MAX bytes. */
int tm_keyed_state_timer(tm_keyed_state *state, const char *name, size_t size, int64_t at_us,
                         bool processing);
int tm_keyed_state_cancel(tm_keyed_state *state, const char *name, size_t size);

/* ------------------------------------------------------------------ between calls */

/* A timer fires: it is gone, its name is in *name, and a call on its key begins at now_us. */
typedef struct tm_timer_text { char bytes[TM_TIMER_NAME_MAX]; size_t size; } tm_timer_text;
void tm_keyed_state_fire(tm_keyed_state *state, tm_timer *timer, int64_t now_us,
                         tm_timer_text *name);
/* No call comes before watermark_us any more: forgets what no call can see, in pieces. */
void tm_keyed_state_expire(tm_keyed_state *state, int64_t watermark_us);
/* All timers that are left are gone; how many. */
uint64_t tm_keyed_state_drop_timers(tm_keyed_state *state);

/* In keyed_state_record.c. Restores into one that has nothing yet; 0, or -1 with err. */
void tm_keyed_state_save(tm_keyed_state *state, tm_record_writer *writer);
int tm_keyed_state_restore(tm_keyed_state *state, tm_record_reader *reader, tm_error *err);

#endif
