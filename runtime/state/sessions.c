/* state/sessions.c: see sessions.h. The invariant: an open session has an entry in the heap, at or
 * before the time that it ends. Entries are not moved as sessions grow: one that comes too early is
 * put again. One that was left by an earlier session of the same number is early, too. */
#include "state/sessions.h"

#include <assert.h>

#include "state/batch_record.h"

enum { CAPACITY_MIN = 64 };

int tm_sessions_init(tm_sessions *s, tm_budget *budget, const tm_type *key_types,
                     uint32_t key_count, int64_t gap_us, int64_t max_us) {
  *s = (tm_sessions){.budget = budget, .gap_us = gap_us, .max_us = max_us,
                     .first_free = TM_SESSION_NONE};
  if (key_count == 0) return 0;
  s->keys = tm_row_set_create(budget, key_types, key_count, false);
  return s->keys == NULL ? -1 : 0;
}

void tm_sessions_deinit(tm_sessions *s) {
  tm_row_set_destroy(s->keys);
  tm_free(s->budget, s->of_key, s->key_capacity * sizeof *s->of_key);
  tm_free(s->budget, s->all, s->capacity * sizeof *s->all);
  tm_free(s->budget, s->closed, s->closed_capacity * sizeof *s->closed);
  tm_time_heap_deinit(&s->timers, s->budget);
}

static int reserve(tm_budget *budget, void **array, uint32_t *capacity, uint32_t count,
                   size_t width) {
  uint32_t bigger = *capacity < CAPACITY_MIN ? CAPACITY_MIN : *capacity;
  if (count <= *capacity) return 0;
  while (bigger < count) bigger *= 2;
  void *grown = tm_realloc(budget, *array, *capacity * width, bigger * width);
  if (grown == NULL) return -1;
  *array = grown;
  *capacity = bigger;
  return 0;
}

/* ------------------------------------------------------------------ open and closed */

static int64_t plus(int64_t time_us, int64_t length_us) {
  int64_t sum;
  return __builtin_add_overflow(time_us, length_us, &sum) ? TM_TIME_END : sum;
}

int64_t tm_sessions_end(const tm_sessions *s, uint32_t id) {
  const tm_session *session = &s->all[id];
  int64_t end_us = plus(session->last_us, s->gap_us);
  int64_t most_us = s->max_us > 0 ? plus(session->start_us, s->max_us) : TM_TIME_END;
  return end_us < most_us ? end_us : most_us;
}

/* The first time at which it does not take a row any more: a row just the gap away is taken, one
 * just at `max` is not. */
static int64_t due_of(const tm_sessions *s, const tm_session *session) {
  int64_t due_us = plus(plus(session->last_us, s->gap_us), 1);
  int64_t most_us = s->max_us > 0 ? plus(session->start_us, s->max_us) : TM_TIME_END;
  return due_us < most_us ? due_us : most_us;
}

static int close_session(tm_sessions *s, uint32_t id) {
  tm_session *session = &s->all[id];
  assert(session->open);
  if (s->closed_at == s->closed_count) s->closed_at = s->closed_count = 0;
  if (reserve(s->budget, (void **)&s->closed, &s->closed_capacity, s->closed_count + 1,
              sizeof *s->closed) < 0) {
    return -1;
  }
  session->open = false;
  s->of_key[session->key].open = TM_SESSION_NONE;
  s->closed[s->closed_count++] = id;
  return 0;
}

static int open_session(tm_sessions *s, uint32_t key, int64_t time_us, uint32_t *out) {
  uint32_t id = s->first_free;
  if (id == TM_SESSION_NONE) {
    if (reserve(s->budget, (void **)&s->all, &s->capacity, s->count + 1, sizeof *s->all) < 0) {
      return -1;
    }
    id = s->count++;
    s->all[id] = (tm_session){.timers = 0};
  } else {
    s->first_free = s->all[id].next;
  }
  tm_session *session = &s->all[id];
  *session = (tm_session){.start_us = time_us, .last_us = time_us, .key = key,
                          .timers = session->timers, .used = true, .open = true};
  s->of_key[key].open = id;
  s->of_key[key].count++;
  *out = id;
  if (session->timers > 0) return 0;
  session->timers = 1;
  return tm_time_heap_push(&s->timers, s->budget, due_of(s, session), id);
}

void tm_sessions_drop(tm_sessions *s) {
  uint32_t id = s->closed[s->closed_at++], key = s->all[id].key;
  assert(s->all[id].used && !s->all[id].open);
  s->all[id].used = false;
  s->all[id].next = s->first_free;
  s->first_free = id;
  if (--s->of_key[key].count == 0 && s->keys != NULL) tm_row_set_remove(s->keys, key);
}

/* ------------------------------------------------------------------ rows */

static int find_keys(tm_sessions *s, const tm_column *const *keys, const uint32_t *rows,
                     uint32_t count, uint32_t *ids) {
  uint32_t before = s->key_capacity, end = 1;
  if (s->keys == NULL) {
    memset(ids, 0, count * sizeof *ids);
  } else {
    if (tm_row_set_insert(s->keys, keys, rows, count, ids) < 0) return -1;
    end = tm_row_set_end(s->keys);
  }
  if (reserve(s->budget, (void **)&s->of_key, &s->key_capacity, end, sizeof *s->of_key) < 0) {
    return -1;
  }
  for (uint32_t i = before; i < s->key_capacity; i++) {
    s->of_key[i] = (tm_session_key){.open = TM_SESSION_NONE};
  }
  return 0;
}

int tm_sessions_add(tm_sessions *s, const tm_column *const *keys, const int64_t *times,
                    const uint32_t *rows, uint32_t count, uint32_t *ids) {
  if (count == 0) return 0;
  if (find_keys(s, keys, rows, count, ids) < 0) return -1;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t key = ids[i], id = s->of_key[key].open;
    int64_t time_us = times[rows == NULL ? i : rows[i]];
    if (id != TM_SESSION_NONE && time_us >= due_of(s, &s->all[id])) {
      if (close_session(s, id) < 0) return -1;
      id = TM_SESSION_NONE;
    }
    if (id == TM_SESSION_NONE && open_session(s, key, time_us, &id) < 0) return -1;
    s->all[id].last_us = time_us;
    ids[i] = id;
  }
  return 0;
}

int tm_sessions_advance(tm_sessions *s, int64_t time_us, uint32_t max) {
  while (s->timers.count > 0 && s->timers.places[0].time_us <= time_us) {
    if (tm_sessions_closed(s) >= max) return 0;
    uint32_t id = tm_time_heap_pop(&s->timers, s->budget).id;
    tm_session *session = &s->all[id];
    session->timers--;
    if (!session->open) continue;
    int64_t due_us = due_of(s, session);
    if (due_us <= time_us) {
      if (close_session(s, id) < 0) return -1;
    } else if (session->timers == 0) {
      session->timers = 1;
      if (tm_time_heap_push(&s->timers, s->budget, due_us, id) < 0) return -1;
    }
  }
  return 1;
}

int tm_sessions_settle_step(tm_sessions *s) {
  return s->keys == NULL ? 0 : tm_row_set_settle_step(s->keys);
}

/* ------------------------------------------------------------------ saving */

static int save_one(const tm_sessions *s, uint32_t id, tm_record_writer *writer,
                    tm_session_visit state, void *context, tm_error *err) {
  const tm_session *session = &s->all[id];
  tm_record_put(writer, 1);
  tm_record_put(writer, session->open);
  tm_record_put(writer, (uint64_t)session->start_us);
  tm_record_put(writer, (uint64_t)session->last_us);
  tm_record_put(writer, session->key);
  return state(context, id, err);
}

/* Those that wait first, in their order. */
int tm_sessions_save(const tm_sessions *s, tm_record_writer *writer, tm_session_visit state,
                     void *context, tm_error *err) {
  tm_record_put(writer, s->keys != NULL);
  if (s->keys != NULL) tm_row_set_save(s->keys, writer);
  for (uint32_t i = s->closed_at; i < s->closed_count; i++) {
    if (save_one(s, s->closed[i], writer, state, context, err) < 0) return -1;
  }
  for (uint32_t id = 0; id < s->count; id++) {
    if (!s->all[id].used || !s->all[id].open) continue;
    if (save_one(s, id, writer, state, context, err) < 0) return -1;
  }
  tm_record_put(writer, 0);
  return 0;
}

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "out of memory while restoring state");
}

/* As open_session() and close_session() made it. */
static int restore_one(tm_sessions *s, tm_record_reader *reader, uint32_t keys, uint32_t *out,
                       tm_error *err) {
  bool open = tm_record_get(reader, 1);
  int64_t start_us = (int64_t)tm_record_get(reader, UINT64_MAX);
  int64_t last_us = (int64_t)tm_record_get(reader, UINT64_MAX);
  uint32_t key = (uint32_t)tm_record_get(reader, keys - 1);
  bool there = !reader->failed && (s->keys == NULL || tm_row_set_has(s->keys, key));
  if (!there || last_us < start_us || s->of_key[key].open != TM_SESSION_NONE) {
    return tm_record_refuse(err);
  }
  if (open_session(s, key, start_us, out) < 0) return no_memory(err);
  s->all[*out].last_us = last_us;
  return open || close_session(s, *out) == 0 ? 0 : no_memory(err);
}

int tm_sessions_restore(tm_sessions *s, tm_record_reader *reader, tm_session_visit state,
                        void *context, tm_error *err) {
  bool keyed = tm_record_get(reader, 1);
  if (reader->failed || keyed != (s->keys != NULL)) return tm_record_refuse(err);
  if (keyed && tm_row_set_restore(s->keys, reader) < 0) return no_memory(err);
  if (reader->failed) return tm_record_refuse(err);
  uint32_t keys = keyed ? tm_row_set_end(s->keys) : 1;
  if (reserve(s->budget, (void **)&s->of_key, &s->key_capacity, keys, sizeof *s->of_key) < 0) {
    return no_memory(err);
  }
  for (uint32_t i = 0; i < s->key_capacity; i++) {
    s->of_key[i] = (tm_session_key){.open = TM_SESSION_NONE};
  }
  while (tm_record_get(reader, 1)) {
    uint32_t id;
    if (keys == 0) return tm_record_refuse(err);
    if (restore_one(s, reader, keys, &id, err) < 0 || state(context, id, err) < 0) return -1;
  }
  /* A key without a session would never leave. */
  for (uint32_t key = 0; keyed && key < keys; key++) {
    if (tm_row_set_has(s->keys, key) && s->of_key[key].count == 0) return tm_record_refuse(err);
  }
  return 0;
}
