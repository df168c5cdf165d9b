/* state/keyed_state_fields.c: reading and changing what a key has, within a call. */
#include "state/keyed_state_parts.h"

/* A field is about to be written: its key will have to forget it. 0 or -1. */
static int expect_field_expiry(tm_keyed_state *s, uint32_t field) {
  int64_t ttl_us = tm_state_field_of(s, field)->ttl_us;
  if (ttl_us == 0) return 0;
  return tm_keyed_state_expect_expiry(s, s->key, tm_state_expires_at(s->now_us, ttl_us));
}

/* ------------------------------------------------------------------ values */

const tm_cell *tm_keyed_state_value(const tm_keyed_state *s, uint32_t field) {
  const tm_state_slot *slot = tm_state_slot_of(s, field);
  int64_t ttl_us = s->plan->fields[field].ttl_us;
  if (!slot->set) return NULL;
  if (ttl_us > 0 && slot->written_us < tm_state_alive_from(s->now_us, ttl_us)) return NULL;
  return &slot->value;
}

int tm_keyed_state_set(tm_keyed_state *s, uint32_t field, const tm_cell *value) {
  const tm_state_field *f = tm_state_field_of(s, field);
  tm_state_slot *slot = tm_state_slot_of(s, field);
  tm_cell copy = {.wide = 0};
  assert(f->shape == TM_STATE_VALUE);
  if (tm_keyed_state_reserve_undo(s) < 0 || expect_field_expiry(s, field) < 0) return -1;
  if (value != NULL && !tm_cell_copy(s->budget, f->type, value, &copy)) return -1;
  if (!slot->noted) {
    tm_state_undo *u = tm_keyed_state_note(s, UNDO_VALUE, field);
    u->cell = slot->value;
    u->set = slot->set;
    u->time_us = slot->written_us;
    slot->noted = true;
  } else if (slot->set) {
    tm_cell_free(s->budget, f->type, &slot->value);
  }
  slot->value = copy;
  slot->written_us = s->now_us;
  tm_state_set_used(tm_state_key_of(s->key), slot, value != NULL);
  return 0;
}

int tm_keyed_state_clear(tm_keyed_state *s, uint32_t field) {
  const tm_state_field *f = tm_state_field_of(s, field);
  tm_state_slot *slot = tm_state_slot_of(s, field);
  if (f->shape == TM_STATE_VALUE) return tm_keyed_state_set(s, field, NULL);
  if (tm_keyed_state_reserve_undo(s) < 0) return -1;
  if (slot->noted) {
    tm_keyed_state_free_slot(s, field, slot);
  } else {
    tm_undo_kind kind = f->shape == TM_STATE_LIST ? UNDO_LIST : UNDO_MAP;
    tm_state_undo *u = tm_keyed_state_note(s, kind, field);
    u->set = slot->set;
    if (f->shape == TM_STATE_LIST) u->list = slot->list;
    else u->map = slot->map;
    slot->noted = true;
  }
  if (f->shape == TM_STATE_LIST) slot->list = NULL;
  else slot->map = (tm_text_map){0};
  tm_state_set_used(tm_state_key_of(s->key), slot, false);
  return 0;
}

/* ------------------------------------------------------------------ lists */

static void mark_written(tm_keyed_state *s, tm_state_slot *slot, bool set) {
  if (!slot->set) slot->written_us = s->now_us;
  tm_state_set_used(tm_state_key_of(s->key), slot, set);
}

uint32_t tm_keyed_state_list_count(tm_keyed_state *s, uint32_t field) {
  const tm_state_slot *slot = tm_state_slot_of(s, field);
  tm_keyed_state_expire_slot(s, tm_state_key_of(s->key), field, s->now_us);
  return slot->list == NULL ? 0 : slot->list->count;
}

const void *tm_keyed_state_list_at(tm_keyed_state *s, uint32_t field, uint32_t index) {
  if (index >= tm_keyed_state_list_count(s, field)) return NULL;
  return tm_state_list_at(tm_state_slot_of(s, field)->list, index);
}

int tm_keyed_state_list_put(tm_keyed_state *s, uint32_t field, uint32_t index,
                            const tm_cell *value) {
  const tm_state_field *f = tm_state_field_of(s, field);
  tm_state_slot *slot = tm_state_slot_of(s, field);
  uint32_t count = tm_keyed_state_list_count(s, field);
  tm_cell copy;
  assert(index <= count);
  if (slot->list == NULL) {
    slot->list = tm_state_list_create(s->budget, f->type, f->ttl_us > 0);
    if (slot->list == NULL) return -1;
  }
  if (!tm_state_list_reserve(slot->list, s->budget) || tm_keyed_state_reserve_undo(s) < 0 ||
      expect_field_expiry(s, field) < 0 || !tm_cell_copy(s->budget, f->type, value, &copy)) {
    return -1;
  }
  if (index < count) {
    tm_cell old = tm_state_list_get(slot->list, index);
    if (slot->noted) tm_cell_free(s->budget, f->type, &old);
    tm_state_undo *u = slot->noted ? NULL : tm_keyed_state_note(s, UNDO_LIST_SET, field);
    if (u != NULL) {
      u->cell = old;
      u->index = index;
      u->time_us = tm_state_list_time(slot->list, index);
    }
  } else if (!slot->noted) {
    tm_keyed_state_note(s, UNDO_LIST_APPEND, field);
  }
  tm_state_list_set(slot->list, index, &copy, s->now_us);
  mark_written(s, slot, true);
  return 0;
}

int tm_keyed_state_list_pop(tm_keyed_state *s, uint32_t field) {
  tm_state_slot *slot = tm_state_slot_of(s, field);
  uint32_t count = tm_keyed_state_list_count(s, field);
  assert(count > 0);
  if (tm_keyed_state_reserve_undo(s) < 0) return -1;
  tm_cell old = tm_state_list_get(slot->list, count - 1);
  if (slot->noted) {
    tm_cell_free(s->budget, tm_state_field_of(s, field)->type, &old);
  } else {
    tm_state_undo *u = tm_keyed_state_note(s, UNDO_LIST_POP, field);
    u->cell = old;
    u->time_us = tm_state_list_time(slot->list, count - 1);
  }
  slot->list->count--;
  tm_state_set_used(tm_state_key_of(s->key), slot, count > 1);
  return 0;
}

/* ------------------------------------------------------------------ maps */

uint32_t tm_keyed_state_map_count(tm_keyed_state *s, uint32_t field) {
  tm_keyed_state_expire_slot(s, tm_state_key_of(s->key), field, s->now_us);
  return tm_state_slot_of(s, field)->map.count;
}

static bool is_alive(const tm_keyed_state *s, uint32_t field, const tm_text_entry *entry) {
  int64_t ttl_us = s->plan->fields[field].ttl_us;
  return ttl_us == 0 || entry->written_us >= tm_state_alive_from(s->now_us, ttl_us);
}

const tm_cell *tm_keyed_state_map_at(const tm_keyed_state *s, uint32_t field, const tm_str *key) {
  const tm_text_entry *entry = tm_text_map_find(&tm_state_slot_of(s, field)->map, key);
  return entry == NULL || !is_alive(s, field, entry) ? NULL : &entry->value;
}

const tm_text_entry *tm_keyed_state_map_next(const tm_keyed_state *s, uint32_t field,
                                             uint32_t *at) {
  const tm_text_map *map = &tm_state_slot_of(s, field)->map;
  uint32_t end = map->entries == NULL ? 0 : UINT32_C(1) << map->bits;
  while (*at < end) {
    const tm_text_entry *entry = &map->entries[(*at)++];
    if (entry->used) return entry;
  }
  return NULL;
}

/* An entry that is there gets another value. */
static void change_entry(tm_keyed_state *s, uint32_t field, tm_text_entry *entry,
                         const tm_cell *value) {
  tm_type type = tm_state_field_of(s, field)->type;
  if (tm_state_slot_of(s, field)->noted) {
    tm_cell_free(s->budget, type, &entry->value);
  } else {
    tm_state_undo *u = tm_keyed_state_note(s, UNDO_MAP_SET, field);
    u->key = entry->key;
    u->cell = entry->value;
    u->time_us = entry->written_us;
  }
  entry->value = *value;
  entry->written_us = s->now_us;
}

int tm_keyed_state_map_put(tm_keyed_state *s, uint32_t field, const tm_str *key,
                           const tm_cell *value) {
  const tm_state_field *f = tm_state_field_of(s, field);
  tm_state_slot *slot = tm_state_slot_of(s, field);
  tm_text_entry *entry = tm_text_map_find(&slot->map, key);
  tm_cell copy, name;
  /* Old entries make room before the table grows; looking for them all the time would be slow. */
  if (entry == NULL && tm_text_map_is_full(&slot->map)) {
    tm_keyed_state_expire_slot(s, tm_state_key_of(s->key), field, s->now_us);
  }
  if (tm_keyed_state_reserve_undo(s) < 0 || expect_field_expiry(s, field) < 0) return -1;
  if (entry == NULL && !tm_text_map_reserve(&slot->map, s->budget)) return -1;
  if (!tm_cell_copy(s->budget, f->type, value, &copy)) return -1;
  if (entry != NULL) {
    change_entry(s, field, entry, &copy);
    return 0;
  }
  if (!tm_cell_copy(s->budget, tm_type_of(TM_STRING), &(tm_cell){.text = *key}, &name)) {
    tm_cell_free(s->budget, f->type, &copy);
    return -1;
  }
  if (!slot->noted) tm_keyed_state_note(s, UNDO_MAP_NEW, field)->key = name.text;
  tm_text_map_put(&slot->map, name.text, copy, s->now_us);
  mark_written(s, slot, true);
  return 0;
}

int tm_keyed_state_map_remove(tm_keyed_state *s, uint32_t field, const tm_str *key) {
  tm_state_slot *slot = tm_state_slot_of(s, field);
  tm_text_entry *entry = tm_text_map_find(&slot->map, key);
  if (entry == NULL) return 0;
  if (tm_keyed_state_reserve_undo(s) < 0) return -1;
  tm_text_entry taken = *entry;
  tm_text_map_take(&slot->map, entry);
  tm_state_undo removed = {.kind = UNDO_MAP_REMOVE, .field = field, .cell = taken.value,
                           .key = taken.key, .time_us = taken.written_us};
  if (slot->noted) tm_keyed_state_forget(s, &removed);
  else *tm_keyed_state_note(s, UNDO_MAP_REMOVE, field) = removed;
  tm_state_set_used(tm_state_key_of(s->key), slot, slot->map.count > 0);
  return 0;
}

/* ------------------------------------------------------------------ timers */

static void note_timer(tm_keyed_state *s, tm_timer *timer) {
  if (timer->noted) return;
  tm_state_undo *u = tm_keyed_state_note(s, UNDO_TIMER, 0);
  u->timer = timer;
  u->set = timer->place != TM_TIMER_ASLEEP;
  u->time_us = timer->at_us;
  u->processing = timer->processing;
  timer->noted = true;
}

int tm_keyed_state_timer(tm_keyed_state *s, const char *name, size_t size, int64_t at_us,
                         bool processing) {
  assert(s->key != NULL);
  if (tm_keyed_state_reserve_undo(s) < 0) return -1;
  tm_timer *timer = tm_timer_queue_insert(&s->timers, s->key, name, size);
  if (timer == NULL) return -1;
  note_timer(s, timer);
  if (timer->place == TM_TIMER_ASLEEP) tm_state_key_of(s->key)->timers++;
  tm_timer_queue_set(&s->timers, timer, at_us, processing);
  return 0;
}

int tm_keyed_state_cancel(tm_keyed_state *s, const char *name, size_t size) {
  tm_timer *timer = tm_timer_queue_find(&s->timers, s->key, name, size);
  if (timer == NULL || timer->place == TM_TIMER_ASLEEP) return 0;
  if (tm_keyed_state_reserve_undo(s) < 0) return -1;
  note_timer(s, timer);
  tm_timer_queue_cancel(&s->timers, timer);
  tm_state_key_of(s->key)->timers--;
  return 0;
}
