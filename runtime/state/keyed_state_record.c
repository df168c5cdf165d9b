/* state/keyed_state_record.c: the state of all keys as a record: each key with its fields, then the
 * timers by the numbers of their keys. What is to be forgotten, and when, follows from the times
 * that are saved. */
#include "kernel/utf8.h"
#include "state/batch_record.h"
#include "state/key_bytes.h"
#include "state/keyed_state_parts.h"

/* ------------------------------------------------------------------ saving */

static void save_cell(tm_type type, const tm_cell *cell, tm_record_writer *w) {
  if (tm_type_physical(type) == TM_PHYSICAL_STR) {
    tm_record_put_bytes(w, tm_str_bytes(&cell->text), cell->text.size);
  } else {
    tm_record_put_bytes(w, cell, tm_type_width(type));
  }
}

static void save_list(const tm_state_field *f, const tm_state_list *list, tm_record_writer *w) {
  tm_record_put(w, list->count);
  for (uint32_t i = 0; i < list->count; i++) {
    tm_cell cell = tm_state_list_get(list, i);
    save_cell(f->type, &cell, w);
    if (list->timed) tm_record_put(w, (uint64_t)tm_state_list_time(list, i));
  }
}

static void save_map(const tm_state_field *f, const tm_text_map *map, tm_record_writer *w) {
  tm_record_put(w, map->count);
  for (uint32_t i = 0; i < UINT32_C(1) << map->bits; i++) {
    const tm_text_entry *entry = &map->entries[i];
    if (!entry->used) continue;
    tm_record_put_bytes(w, tm_str_bytes(&entry->key), entry->key.size);
    save_cell(f->type, &entry->value, w);
    if (f->ttl_us > 0) tm_record_put(w, (uint64_t)entry->written_us);
  }
}

static void save_key(const tm_keyed_state *s, tm_key_entry *entry, tm_record_writer *w) {
  const tm_state_key *key = tm_state_key_of(entry);
  tm_record_put_bytes(w, tm_key_entry_bytes(entry), entry->size);
  for (uint32_t i = 0; i < s->plan->field_count; i++) {
    const tm_state_field *f = &s->plan->fields[i];
    const tm_state_slot *slot = &key->slots[i];
    tm_record_put(w, slot->set);
    if (!slot->set) continue;
    if (f->shape == TM_STATE_LIST) save_list(f, slot->list, w);
    else if (f->shape == TM_STATE_MAP) save_map(f, &slot->map, w);
    else save_cell(f->type, &slot->value, w);
    if (f->shape == TM_STATE_VALUE && f->ttl_us > 0) {
      tm_record_put(w, (uint64_t)slot->written_us);
    }
  }
}

static void save_timers(const tm_keyed_state *s, bool processing, tm_record_writer *w) {
  const tm_timer_heap *heap = &s->timers.heaps[processing];
  tm_record_put(w, heap->count);
  for (uint32_t i = 0; i < heap->count; i++) {
    const tm_timer *timer = heap->places[i].timer;
    size_t size;
    const char *name = tm_timer_name(timer, &size);
    tm_record_put(w, tm_state_key_of(timer->key)->number);
    tm_record_put(w, (uint64_t)timer->at_us);
    tm_record_put_bytes(w, name, size);
  }
}

void tm_keyed_state_save(tm_keyed_state *s, tm_record_writer *w) {
  uint64_t at = 0;
  uint32_t number = 0;
  assert(s->key == NULL && s->keys.count <= UINT32_MAX);
  tm_record_put(w, s->keys.count);
  for (tm_key_entry *entry; (entry = tm_key_map_next(&s->keys, &at)) != NULL;) {
    tm_state_key_of(entry)->number = number++;
    save_key(s, entry, w);
  }
  save_timers(s, false, w);
  save_timers(s, true, w);
}

/* ------------------------------------------------------------------ restoring */

/* All of these: 0, or -1: out of memory; what is malformed is in reader->failed. A cell that is
 * restored owns its string, unless the reader has failed. */

static int restore_text(tm_keyed_state *s, bool utf8, tm_str *out, tm_record_reader *r) {
  size_t size;
  const char *bytes = (const char *)tm_record_view(r, &size);
  if (!r->failed && utf8 && !tm_utf8_valid(bytes, size)) r->failed = true;
  if (r->failed) return 0;
  tm_cell in = {.text = tm_str_make(bytes, size)}, copy;
  if (!tm_cell_copy(s->budget, tm_type_of(TM_BYTES), &in, &copy)) return -1;
  *out = copy.text;
  return 0;
}

static int restore_cell(tm_keyed_state *s, tm_type type, tm_cell *out, tm_record_reader *r) {
  *out = (tm_cell){.wide = 0};
  if (tm_type_physical(type) == TM_PHYSICAL_STR) {
    return restore_text(s, type.kind == TM_STRING, &out->text, r);
  }
  tm_record_get_bytes(r, out, tm_type_width(type));
  if (type.kind == TM_BOOL && out->bytes[0] > 1) r->failed = true;
  return 0;
}

static int64_t restore_time(const tm_state_field *f, tm_record_reader *r) {
  return f->ttl_us > 0 ? (int64_t)tm_record_get(r, UINT64_MAX) : 0;
}

static int restore_list(tm_keyed_state *s, const tm_state_field *f, tm_state_slot *slot,
                        tm_record_reader *r) {
  uint32_t count = (uint32_t)tm_record_get(r, UINT32_MAX);
  if (count == 0) r->failed = true; /* a field that is set has something */
  slot->list = tm_state_list_create(s->budget, f->type, f->ttl_us > 0);
  if (slot->list == NULL) return -1;
  for (uint32_t i = 0; i < count && !r->failed; i++) {
    tm_cell cell;
    if (!tm_state_list_reserve(slot->list, s->budget)) return -1;
    if (restore_cell(s, f->type, &cell, r) < 0) return -1;
    if (r->failed) return 0;
    tm_state_list_set(slot->list, i, &cell, restore_time(f, r));
    slot->list->mixed = slot->list->timed;
  }
  return 0;
}

static int restore_entry(tm_keyed_state *s, const tm_state_field *f, tm_text_map *map,
                         tm_record_reader *r) {
  tm_str key;
  tm_cell value;
  if (!tm_text_map_reserve(map, s->budget) || restore_text(s, true, &key, r) < 0) return -1;
  if (r->failed) return 0;
  const tm_cell name = {.text = key};
  int done = tm_text_map_find(map, &key) == NULL ? restore_cell(s, f->type, &value, r) : 0;
  if (done < 0 || r->failed || tm_text_map_find(map, &key) != NULL) {
    tm_cell_free(s->budget, tm_type_of(TM_STRING), &name);
    r->failed = true;
    return done;
  }
  tm_text_map_put(map, key, value, restore_time(f, r));
  return 0;
}

static int restore_map(tm_keyed_state *s, const tm_state_field *f, tm_state_slot *slot,
                       tm_record_reader *r) {
  uint32_t count = (uint32_t)tm_record_get(r, UINT32_MAX);
  if (count == 0) r->failed = true;
  for (uint32_t i = 0; i < count && !r->failed; i++) {
    if (restore_entry(s, f, &slot->map, r) < 0) return -1;
  }
  return 0;
}

static int restore_field(tm_keyed_state *s, tm_state_key *key, uint32_t field,
                         tm_record_reader *r) {
  const tm_state_field *f = &s->plan->fields[field];
  tm_state_slot *slot = &key->slots[field];
  if (!tm_record_get(r, 1) || r->failed) return 0;
  slot->written_us = INT64_MIN; /* of lists and maps: not known yet */
  if (f->shape == TM_STATE_LIST) {
    if (restore_list(s, f, slot, r) < 0) return -1;
  } else if (f->shape == TM_STATE_MAP) {
    if (restore_map(s, f, slot, r) < 0) return -1;
  } else {
    if (restore_cell(s, f->type, &slot->value, r) < 0) return -1;
    if (r->failed) return 0;
    slot->written_us = restore_time(f, r);
  }
  tm_state_set_used(key, slot, true);
  return 0;
}

static int restore_key(tm_keyed_state *s, tm_key_entry **out, tm_record_reader *r) {
  size_t size;
  const uint8_t *bytes = tm_record_view(r, &size);
  if (r->failed) return 0;
  uint64_t before = s->keys.count;
  if (!tm_key_bytes_check(bytes, size, s->plan->key_types, s->plan->key_count)) {
    r->failed = true;
    return 0;
  }
  *out = tm_key_map_insert(&s->keys, bytes, size, tm_hash_bytes(bytes, size));
  if (*out == NULL) return -1;
  if (s->keys.count == before) r->failed = true; /* twice */
  for (uint32_t i = 0; i < s->plan->field_count && !r->failed; i++) {
    if (restore_field(s, tm_state_key_of(*out), i, r) < 0) return -1;
  }
  /* The first look at the key finds out what to forget, and when. */
  if (s->ttl_least_us == 0 || tm_state_key_of(*out)->used == 0) return 0;
  return tm_keyed_state_expect_expiry(s, *out, INT64_MIN);
}

static int restore_timers(tm_keyed_state *s, tm_key_entry *const *keys, uint64_t key_count,
                          bool processing, tm_record_reader *r) {
  uint64_t count = tm_record_get(r, UINT32_MAX);
  for (uint64_t i = 0; i < count && !r->failed; i++) {
    uint64_t number = tm_record_get(r, UINT32_MAX);
    int64_t at_us = (int64_t)tm_record_get(r, UINT64_MAX);
    size_t size;
    const char *name = (const char *)tm_record_view(r, &size);
    if (number >= key_count || size > TM_TIMER_NAME_MAX) r->failed = true;
    if (r->failed) return 0;
    tm_timer *timer = tm_timer_queue_insert(&s->timers, keys[number], name, size);
    if (timer == NULL) return -1;
    if (timer->place != TM_TIMER_ASLEEP) {
      r->failed = true;
      return 0;
    }
    tm_timer_queue_set(&s->timers, timer, at_us, processing);
    tm_state_key_of(keys[number])->timers++;
  }
  return 0;
}

static int restore(tm_keyed_state *s, tm_key_entry **keys, uint64_t count, tm_record_reader *r) {
  for (uint64_t i = 0; i < count && !r->failed; i++) {
    if (restore_key(s, &keys[i], r) < 0) return -1;
  }
  if (restore_timers(s, keys, count, false, r) < 0) return -1;
  if (restore_timers(s, keys, count, true, r) < 0) return -1;
  for (uint64_t i = 0; i < count && !r->failed; i++) {
    const tm_state_key *key = tm_state_key_of(keys[i]);
    if (key->used == 0 && key->timers == 0) r->failed = true;
  }
  return 0;
}

int tm_keyed_state_restore(tm_keyed_state *s, tm_record_reader *r, tm_error *err) {
  uint64_t count = tm_record_get(r, UINT32_MAX);
  /* A key has five bytes at least: no need to believe in more. */
  if (count > (uint64_t)(r->end - r->at)) r->failed = true;
  if (r->failed) return tm_record_refuse(err);
  tm_key_entry **keys = tm_alloc(s->budget, count * sizeof *keys);
  if (keys == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory for saved state");
  int done = restore(s, keys, count, r);
  tm_free(s->budget, keys, count * sizeof *keys);
  if (done < 0) return tm_fail(err, TM_E_MEMORY, "out of memory for saved state");
  return r->failed ? tm_record_refuse(err) : 0;
}
