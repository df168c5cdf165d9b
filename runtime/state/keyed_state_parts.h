/* state/keyed_state_parts.h: the journal of a call, and what its files share; for keyed_state*.c
 * alone. */
#ifndef TM_STATE_KEYED_STATE_PARTS_H
#define TM_STATE_KEYED_STATE_PARTS_H

#include <assert.h>

#include "state/keyed_state.h"

typedef enum tm_undo_kind {
  UNDO_VALUE,       /* the slot held `cell` */
  UNDO_LIST,        /* the whole list was `list` */
  UNDO_MAP,         /* the whole map was `map` */
  UNDO_LIST_SET,    /* entry `index` was `cell` */
  UNDO_LIST_APPEND,
  UNDO_LIST_POP,    /* the last entry was `cell` */
  UNDO_MAP_SET,     /* entry `key`, whose text the map has, was `cell` */
  UNDO_MAP_NEW,
  UNDO_MAP_REMOVE,  /* there was `cell` by `key`, both ours */
  UNDO_TIMER,
} tm_undo_kind;

typedef struct tm_state_undo {
  tm_undo_kind kind;
  uint32_t field, index;
  bool set;         /* the slot was; the timer was awake */
  bool processing;
  union {
    tm_cell cell;
    tm_state_list *list;
    tm_text_map map;
    tm_timer *timer;
  };
  int64_t time_us;
  tm_str key;
} tm_state_undo;

/* Room for one more entry. 0 or -1 (memory). */
int tm_keyed_state_reserve_undo(tm_keyed_state *state);
/* The entry, after reserve. */
tm_state_undo *tm_keyed_state_note(tm_keyed_state *state, tm_undo_kind kind, uint32_t field);
/* Frees what an entry of the journal holds: the call stays. */
void tm_keyed_state_forget(tm_keyed_state *state, const tm_state_undo *undo);

void tm_keyed_state_free_slot(tm_keyed_state *state, uint32_t field, tm_state_slot *slot);
/* Frees what no call from now_us on can see. */
void tm_keyed_state_expire_slot(tm_keyed_state *state, tm_state_key *key, uint32_t field,
                                int64_t now_us);
/* A key will have to forget something then. 0 or -1 (memory). */
int tm_keyed_state_expect_expiry(tm_keyed_state *state, tm_key_entry *entry, int64_t at_us);

static inline const tm_state_field *tm_state_field_of(const tm_keyed_state *s, uint32_t field) {
  assert(field < s->plan->field_count);
  return &s->plan->fields[field];
}

static inline tm_state_key *tm_state_key_of(tm_key_entry *entry) {
  return tm_key_entry_payload(entry);
}

static inline tm_state_slot *tm_state_slot_of(const tm_keyed_state *s, uint32_t field) {
  assert(s->key != NULL);
  return &tm_state_key_of(s->key)->slots[field];
}

static inline void tm_state_set_used(tm_state_key *key, tm_state_slot *slot, bool set) {
  key->used += (uint32_t)set - (uint32_t)slot->set;
  slot->set = set;
}

/* What was written before this is gone at now_us. */
static inline int64_t tm_state_alive_from(int64_t now_us, int64_t ttl_us) {
  return now_us < INT64_MIN + ttl_us ? INT64_MIN : now_us - ttl_us;
}

static inline int64_t tm_state_expires_at(int64_t written_us, int64_t ttl_us) {
  return written_us > INT64_MAX - ttl_us ? INT64_MAX : written_us + ttl_us;
}

#endif
