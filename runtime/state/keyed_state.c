/* state/keyed_state.c: calls on keys, the journal that takes a call back, and forgetting.
 *
 * Before something changes, what was there goes to the journal, with all that it owns: for a value
 * once a call, for lists and maps an entry an operation (one that a call empties goes there whole).
 * Room in the journal is had before anything changes. Undoing needs no memory, since nothing
 * shrinks meanwhile. What expires does so by time alone, whether or not a call is taken back. */
#include "state/keyed_state_parts.h"

enum { UNDOS_MIN = 16, EXPIRE_SHARE = 8 };

/* ------------------------------------------------------------------ life */

void tm_keyed_state_init(tm_keyed_state *s, tm_budget *budget, const tm_state_plan *plan) {
  size_t payload = sizeof(tm_state_key) + plan->field_count * sizeof(tm_state_slot);
  *s = (tm_keyed_state){.budget = budget, .plan = plan};
  tm_key_map_init(&s->keys, budget, (uint32_t)((payload + 15) / 16 * 16));
  tm_timer_queue_init(&s->timers, budget);
  tm_timer_queue_init(&s->expiries, budget);
  for (uint32_t i = 0; i < plan->field_count; i++) {
    int64_t ttl_us = plan->fields[i].ttl_us;
    if (ttl_us > 0 && (s->ttl_least_us == 0 || ttl_us < s->ttl_least_us)) s->ttl_least_us = ttl_us;
  }
}

void tm_keyed_state_free_slot(tm_keyed_state *s, uint32_t field, tm_state_slot *slot) {
  const tm_state_field *f = tm_state_field_of(s, field);
  switch (f->shape) {
    case TM_STATE_VALUE:
      if (slot->set) tm_cell_free(s->budget, f->type, &slot->value);
      break;
    case TM_STATE_LIST: tm_state_list_destroy(slot->list, s->budget, f->type); break;
    case TM_STATE_MAP: tm_text_map_free(&slot->map, s->budget, f->type); break;
  }
}

static void free_slots(tm_keyed_state *s, tm_state_key *key) {
  for (uint32_t i = 0; i < s->plan->field_count; i++) {
    tm_keyed_state_free_slot(s, i, &key->slots[i]);
  }
}

static void free_key(tm_keyed_state *s, tm_key_entry *entry) {
  tm_state_key *key = tm_state_key_of(entry);
  free_slots(s, key);
  if (key->expires) {
    tm_timer_queue_remove(&s->expiries, tm_timer_queue_find(&s->expiries, entry, "", 0));
  }
  tm_key_map_remove(&s->keys, entry);
}

void tm_keyed_state_deinit(tm_keyed_state *s) {
  uint64_t at = 0;
  if (s->key != NULL) tm_keyed_state_rollback(s);
  for (tm_key_entry *entry; (entry = tm_key_map_next(&s->keys, &at)) != NULL;) {
    free_slots(s, tm_state_key_of(entry));
  }
  tm_key_map_deinit(&s->keys);
  tm_timer_queue_deinit(&s->timers);
  tm_timer_queue_deinit(&s->expiries);
  tm_free(s->budget, s->undos, s->undo_capacity * sizeof *s->undos);
  *s = (tm_keyed_state){.budget = s->budget, .plan = s->plan};
}

/* ------------------------------------------------------------------ what is too old */

void tm_keyed_state_expire_slot(tm_keyed_state *s, tm_state_key *key, uint32_t field,
                                int64_t now_us) {
  const tm_state_field *f = tm_state_field_of(s, field);
  tm_state_slot *slot = &key->slots[field];
  int64_t from_us = tm_state_alive_from(now_us, f->ttl_us);
  if (f->ttl_us == 0 || !slot->set || slot->written_us >= from_us) return;
  if (f->shape == TM_STATE_VALUE) {
    tm_cell_free(s->budget, f->type, &slot->value);
    tm_state_set_used(key, slot, false);
  } else if (f->shape == TM_STATE_LIST) {
    tm_state_list_expire(slot->list, s->budget, f->type, from_us, &slot->written_us);
    tm_state_set_used(key, slot, slot->list->count > 0);
  } else {
    tm_text_map_expire(&slot->map, s->budget, f->type, from_us, &slot->written_us);
    tm_state_set_used(key, slot, slot->map.count > 0);
  }
}

int tm_keyed_state_expect_expiry(tm_keyed_state *s, tm_key_entry *entry, int64_t at_us) {
  tm_state_key *key = tm_state_key_of(entry);
  tm_timer *timer = tm_timer_queue_insert(&s->expiries, entry, "", 0);
  if (timer == NULL) return -1;
  if (!key->expires || at_us < timer->at_us) {
    tm_timer_queue_set(&s->expiries, timer, at_us, false);
  }
  key->expires = true;
  return 0;
}

static int64_t next_expiry(const tm_keyed_state *s, const tm_state_key *key) {
  int64_t next_us = INT64_MAX;
  for (uint32_t i = 0; i < s->plan->field_count; i++) {
    int64_t ttl_us = s->plan->fields[i].ttl_us;
    if (ttl_us == 0 || !key->slots[i].set) continue;
    int64_t at_us = tm_state_expires_at(key->slots[i].written_us, ttl_us);
    if (at_us < next_us) next_us = at_us;
  }
  return next_us;
}

void tm_keyed_state_expire(tm_keyed_state *s, int64_t watermark_us) {
  assert(s->key == NULL);
  for (tm_timer *timer; (timer = tm_timer_queue_first(&s->expiries, false)) != NULL;) {
    if (timer->at_us >= watermark_us) return;
    tm_key_entry *entry = timer->key;
    tm_state_key *key = tm_state_key_of(entry);
    for (uint32_t i = 0; i < s->plan->field_count; i++) {
      tm_keyed_state_expire_slot(s, key, i, watermark_us);
    }
    int64_t next_us = next_expiry(s, key);
    if (key->used == 0 && key->timers == 0) {
      free_key(s, entry);
    } else if (next_us == INT64_MAX) {
      tm_timer_queue_remove(&s->expiries, timer);
      key->expires = false;
    } else {
      /* Entries that expire one after another are forgotten some at a time. */
      int64_t soon_us = tm_state_expires_at(watermark_us, s->ttl_least_us / EXPIRE_SHARE);
      tm_timer_queue_set(&s->expiries, timer, next_us > soon_us ? next_us : soon_us, false);
    }
  }
}

/* ------------------------------------------------------------------ the journal */

int tm_keyed_state_reserve_undo(tm_keyed_state *s) {
  if (s->undo_count < s->undo_capacity) return 0;
  uint32_t capacity = s->undo_capacity == 0 ? UNDOS_MIN : s->undo_capacity * 2;
  tm_state_undo *grown = tm_realloc(s->budget, s->undos, s->undo_capacity * sizeof *grown,
                                    capacity * sizeof *grown);
  if (grown == NULL) return -1;
  s->undos = grown;
  s->undo_capacity = capacity;
  return 0;
}

tm_state_undo *tm_keyed_state_note(tm_keyed_state *s, tm_undo_kind kind, uint32_t field) {
  assert(s->undo_count < s->undo_capacity);
  tm_state_undo *u = &s->undos[s->undo_count++];
  *u = (tm_state_undo){.kind = kind, .field = field};
  return u;
}

void tm_keyed_state_forget(tm_keyed_state *s, const tm_state_undo *u) {
  tm_type type = tm_type_of(TM_NULLTYPE);
  if (u->kind != UNDO_TIMER) type = tm_state_field_of(s, u->field)->type;
  switch (u->kind) {
    case UNDO_VALUE:
      if (u->set) tm_cell_free(s->budget, type, &u->cell);
      break;
    case UNDO_LIST: tm_state_list_destroy(u->list, s->budget, type); break;
    case UNDO_MAP: {
      tm_text_map map = u->map;
      tm_text_map_free(&map, s->budget, type);
      break;
    }
    case UNDO_LIST_SET: case UNDO_LIST_POP: case UNDO_MAP_SET:
      tm_cell_free(s->budget, type, &u->cell);
      break;
    case UNDO_MAP_REMOVE:
      tm_cell_free(s->budget, type, &u->cell);
      tm_cell_free(s->budget, tm_type_of(TM_STRING), &(tm_cell){.text = u->key});
      break;
    case UNDO_LIST_APPEND: case UNDO_MAP_NEW: break;
    case UNDO_TIMER:
      u->timer->noted = false;
      if (u->timer->place == TM_TIMER_ASLEEP) tm_timer_queue_remove(&s->timers, u->timer);
      break;
  }
}

static void undo_map(tm_keyed_state *s, tm_state_slot *slot, const tm_state_undo *u) {
  tm_type type = tm_state_field_of(s, u->field)->type;
  if (u->kind == UNDO_MAP_REMOVE) {
    tm_text_map_put(&slot->map, u->key, u->cell, u->time_us);
    return;
  }
  tm_text_entry *entry = tm_text_map_find(&slot->map, &u->key);
  assert(entry != NULL);
  tm_cell_free(s->budget, type, &entry->value);
  if (u->kind == UNDO_MAP_SET) {
    entry->value = u->cell;
    entry->written_us = u->time_us;
    return;
  }
  tm_str key = entry->key;
  tm_text_map_take(&slot->map, entry);
  tm_cell_free(s->budget, tm_type_of(TM_STRING), &(tm_cell){.text = key});
}

static void undo_list(tm_keyed_state *s, tm_state_slot *slot, const tm_state_undo *u) {
  tm_state_list *list = slot->list;
  uint32_t index = u->kind == UNDO_LIST_SET ? u->index : list->count - 1;
  if (u->kind != UNDO_LIST_POP) {
    tm_cell cell = tm_state_list_get(list, index);
    tm_cell_free(s->budget, tm_state_field_of(s, u->field)->type, &cell);
  }
  if (u->kind == UNDO_LIST_APPEND) list->count--;
  else if (u->kind == UNDO_LIST_POP) tm_state_list_set(list, list->count, &u->cell, u->time_us);
  else tm_state_list_set(list, index, &u->cell, u->time_us);
}

static void undo_timer(tm_keyed_state *s, const tm_state_undo *u) {
  tm_timer *timer = u->timer;
  bool awake = timer->place != TM_TIMER_ASLEEP;
  timer->noted = false;
  tm_state_key_of(s->key)->timers += (uint32_t)u->set - (uint32_t)awake;
  if (u->set) tm_timer_queue_set(&s->timers, timer, u->time_us, u->processing);
  else tm_timer_queue_remove(&s->timers, timer);
}

static void undo_slot(tm_keyed_state *s, const tm_state_undo *u) {
  tm_state_key *key = tm_state_key_of(s->key);
  tm_state_slot *slot = &key->slots[u->field];
  bool set = u->set;
  switch (u->kind) {
    case UNDO_VALUE:
      tm_keyed_state_free_slot(s, u->field, slot);
      slot->value = u->cell;
      slot->written_us = u->time_us;
      break;
    case UNDO_LIST:
      tm_keyed_state_free_slot(s, u->field, slot);
      slot->list = u->list;
      break;
    case UNDO_MAP:
      tm_keyed_state_free_slot(s, u->field, slot);
      slot->map = u->map;
      break;
    case UNDO_LIST_SET: case UNDO_LIST_APPEND: case UNDO_LIST_POP:
      undo_list(s, slot, u);
      set = slot->list->count > 0;
      break;
    default:
      undo_map(s, slot, u);
      set = slot->map.count > 0;
      break;
  }
  slot->noted = false;
  /* What came back may be older than what is there: look at all of it next time. */
  if (u->kind != UNDO_VALUE) slot->written_us = INT64_MIN;
  tm_state_set_used(key, slot, set);
}

static void end_call(tm_keyed_state *s) {
  tm_key_entry *entry = s->key;
  s->key = NULL;
  s->undo_count = 0;
  const tm_state_key *key = tm_state_key_of(entry);
  if (key->used == 0 && key->timers == 0) free_key(s, entry);
}

int tm_keyed_state_begin(tm_keyed_state *s, const void *key, size_t size, int64_t now_us) {
  assert(s->key == NULL);
  s->key = tm_key_map_insert(&s->keys, key, size, tm_hash_bytes(key, size));
  s->now_us = now_us;
  return s->key == NULL ? -1 : 0;
}

void tm_keyed_state_commit(tm_keyed_state *s) {
  assert(s->key != NULL);
  for (uint32_t i = 0; i < s->undo_count; i++) {
    const tm_state_undo *u = &s->undos[i];
    if (u->kind != UNDO_TIMER) tm_state_slot_of(s, u->field)->noted = false;
    tm_keyed_state_forget(s, u);
  }
  end_call(s);
}

void tm_keyed_state_rollback(tm_keyed_state *s) {
  assert(s->key != NULL);
  for (uint32_t i = s->undo_count; i > 0; i--) {
    const tm_state_undo *u = &s->undos[i - 1];
    if (u->kind == UNDO_TIMER) undo_timer(s, u);
    else undo_slot(s, u);
  }
  end_call(s);
}

/* ------------------------------------------------------------------ timers */

void tm_keyed_state_fire(tm_keyed_state *s, tm_timer *timer, int64_t now_us,
                         tm_timer_text *name) {
  assert(s->key == NULL && timer->place != TM_TIMER_ASLEEP);
  const char *bytes = tm_timer_name(timer, &name->size);
  memcpy(name->bytes, bytes, name->size);
  s->key = timer->key;
  s->now_us = now_us;
  tm_state_key_of(s->key)->timers--;
  tm_timer_queue_remove(&s->timers, timer);
}

uint64_t tm_keyed_state_drop_timers(tm_keyed_state *s) {
  uint64_t dropped = 0;
  for (int processing = 0; processing < 2; processing++) {
    for (tm_timer *t; (t = tm_timer_queue_first(&s->timers, processing)) != NULL; dropped++) {
      tm_key_entry *entry = t->key;
      tm_state_key *key = tm_state_key_of(entry);
      tm_timer_queue_remove(&s->timers, t);
      key->timers--;
      if (key->used == 0 && key->timers == 0) free_key(s, entry);
    }
  }
  return dropped;
}
