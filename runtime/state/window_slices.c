/* state/window_slices.c: slices by time, which rows they take, and how they are kept. What is made
 * of them is in window_tell.c; see window_slices.h.
 *
 * Tables of slices that are gone are cleared and used again: a window costs by its groups, and a
 * table that is used again is in the cache. */
#include "state/window_parts.h"

#include <assert.h>
#include <string.h>

enum { ROOM_MIN = 16, ITEMS_MAX = 1 << 28 };

int tm_window_no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "windows: out of memory");
}

/* ---------------------------------------------------------------- life */

tm_window_judge *tm_window_slices_judge(tm_window_slices *s) { return &s->judge; }

bool tm_window_shape_counts(const tm_window_shape *shape) {
  bool anew = shape->lateness_us > 0 || shape->early_us > 0;
  return tm_window_shape_overlaps(shape) || anew || shape->fill;
}

static bool has_values(const tm_group_plan *plan) {
  for (uint32_t i = 0; i < plan->part_count; i++) {
    if (plan->parts[i].kind == TM_PART_VALUES) return true;
  }
  return false;
}

tm_window_slices *tm_window_slices_create(tm_budget *budget, const tm_group_plan *plan,
                                          const uint8_t *needed, const tm_window_shape *shape,
                                          tm_error *err) {
  tm_window_slices *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) {
    tm_window_no_memory(err);
    return NULL;
  }
  assert(plan->counted || !tm_window_shape_counts(shape));
  s->budget = budget;
  s->plan = plan;
  s->needed = needed;
  s->shape = shape;
  s->copies = !has_values(plan);
  tm_window_judge_init(&s->judge, shape);
  s->ticked_us = TM_TIME_NONE;
  s->scratch = tm_group_scratch_create(budget, plan);
  bool done = s->scratch != NULL;
  if (done && tm_window_shape_overlaps(shape)) {
    s->span = tm_window_span_create(budget, plan, needed, shape->fill, err);
    done = s->span != NULL;
  }
  if (done && shape->fill) {
    s->known = tm_key_table_create(budget, plan->key_types, plan->key_count);
    done = s->known != NULL;
  }
  if (done) return s;
  tm_window_no_memory(err);
  tm_window_slices_destroy(s);
  return NULL;
}

void tm_window_slices_destroy(tm_window_slices *s) {
  if (s == NULL) return;
  tm_budget *budget = s->budget;
  for (uint32_t i = s->head; i < s->end; i++) {
    tm_slice *one = s->items[i];
    if (s->span != NULL) tm_window_span_forget(s->span, &one->in);
    tm_group_table_destroy(one->table);
    tm_free(budget, one, sizeof *one);
  }
  tm_group_table_destroy(s->made);
  tm_group_table_destroy(s->old);
  tm_window_span_destroy(s->span);
  for (uint32_t i = 0; i < s->spare_count; i++) tm_group_table_destroy(s->spare[i]);
  tm_group_scratch_destroy(s->scratch);
  tm_key_table_destroy(s->known);
  tm_free(budget, s->items, s->room * sizeof *s->items);
  tm_free(budget, s->told, s->told_room * sizeof *s->told);
  tm_free(budget, s->fresh, s->fresh_room * sizeof *s->fresh);
  tm_free(budget, s, sizeof *s);
}

/* ---------------------------------------------------------------- tables */

tm_group_table *tm_window_new_table(tm_window_slices *s, tm_error *err) {
  if (s->spare_count > 0) return s->spare[--s->spare_count];
  tm_group_table *table = tm_group_table_create(s->budget, s->plan, s->needed, err);
  if (table == NULL) return NULL;
  tm_group_table_start_small(table);
  tm_group_table_share_scratch(table, s->scratch);
  return table;
}

/* One that cannot be cleared for want of memory just goes. */
void tm_window_free_table(tm_window_slices *s, tm_group_table *taken) {
  tm_error ignored = {0};
  bool keep = s->spare_count < TM_WINDOW_SPARE && !tm_group_table_is_roomy(taken);
  if (keep && tm_group_table_clear(taken, &ignored) == 0) s->spare[s->spare_count++] = taken;
  else tm_group_table_destroy(taken);
}

/* ---------------------------------------------------------------- the list */

static bool make_room(tm_window_slices *s) {
  if (s->end < s->room) return true;
  uint32_t count = s->end - s->head, room = count * 2 < ROOM_MIN ? ROOM_MIN : count * 2;
  tm_slice **items = tm_alloc(s->budget, room * sizeof *items);
  if (items == NULL) return false;
  if (count > 0) memcpy(items, s->items + s->head, count * sizeof *items);
  tm_free(s->budget, s->items, s->room * sizeof *items);
  s->items = items;
  s->head = 0;
  s->end = count;
  s->room = room;
  return true;
}

uint32_t tm_window_lower_bound(const tm_window_slices *s, int64_t time_us) {
  uint32_t low = s->head, high = s->end;
  if (low < high && s->items[high - 1]->time.start_us < time_us) return high;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (s->items[middle]->time.start_us < time_us) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Behind those that start with it or before. NULL with err. */
static tm_slice *add_item(tm_window_slices *s, tm_window time, int64_t floor_us, tm_error *err) {
  tm_group_table *table = make_room(s) ? tm_window_new_table(s, err) : NULL;
  tm_slice *one = table == NULL ? NULL : tm_alloc_zero(s->budget, sizeof *one);
  if (one == NULL) {
    tm_group_table_destroy(table);
    tm_window_no_memory(err);
    return NULL;
  }
  one->time = time;
  one->floor_us = floor_us;
  one->last = tm_window_judge_last(&s->judge, time);
  one->table = table;
  one->behind = time.start_us < s->judge.fired.end_us || floor_us != TM_TIME_NONE;
  s->behind += one->behind;
  uint32_t at = s->end++;
  for (; at > s->head && s->items[at - 1]->time.start_us > time.start_us; at--) {
    s->items[at] = s->items[at - 1];
  }
  s->items[at] = one;
  return one;
}

/* Mostly the oldest go. */
void tm_window_free_item(tm_window_slices *s, uint32_t index) {
  tm_slice *one = s->items[index];
  assert(!one->in.in && !one->fresh);
  s->behind -= one->behind;
  if (s->found == one) s->found = NULL;
  if (s->span != NULL) tm_window_span_forget(s->span, &one->in);
  tm_window_free_table(s, one->table);
  tm_free(s->budget, one, sizeof *one);
  for (; index > s->head; index--) s->items[index] = s->items[index - 1];
  s->head++;
}

/* ---------------------------------------------------------------- tables for rows */

/* It belongs to a window that has fired, and can be told anew. */
static int note_fresh(tm_window_slices *s, tm_slice *one, tm_error *err) {
  if (one->fresh || s->shape->lateness_us == 0) return 0;
  tm_window first = tm_window_judge_after(&s->judge, one->time.start_us, one->floor_us);
  if (first.end_us > s->judge.watermark_us) return 0;
  if (s->fresh_count == s->fresh_room) {
    uint32_t room = s->fresh_room < ROOM_MIN ? ROOM_MIN : s->fresh_room * 2;
    tm_slice **grown = tm_realloc(s->budget, s->fresh, s->fresh_room * sizeof *grown,
                                  room * sizeof *grown);
    if (grown == NULL) return tm_window_no_memory(err);
    s->fresh = grown;
    s->fresh_room = room;
  }
  s->fresh[s->fresh_count++] = one;
  one->fresh = true;
  return 0;
}

tm_group_table *tm_window_slices_find(tm_window_slices *s, tm_window time, int64_t mark_us,
                                      tm_error *err) {
  int64_t floor_us = tm_window_judge_floor(&s->judge, time, mark_us);
  tm_slice *one = s->found;
  if (one == NULL || one->time.start_us != time.start_us || one->floor_us != floor_us ||
      one->seal != 0) {
    one = NULL;
    for (uint32_t i = tm_window_lower_bound(s, time.start_us); i < s->end && one == NULL; i++) {
      tm_slice *item = s->items[i];
      if (item->time.start_us != time.start_us) break;
      if (item->floor_us == floor_us && item->seal == 0) one = item;
    }
    if (one == NULL) one = add_item(s, time, floor_us, err);
    if (one == NULL) return NULL;
    s->found = one;
  }
  return note_fresh(s, one, err) < 0 ? NULL : one->table;
}

/* ---------------------------------------------------------------- saving */

static void save_window(tm_window window, tm_record_writer *w) {
  tm_record_put(w, (uint64_t)window.start_us);
  tm_record_put(w, (uint64_t)window.end_us);
}

static tm_window restore_window(tm_record_reader *r) {
  tm_window window;
  window.start_us = (int64_t)tm_record_get(r, UINT64_MAX);
  window.end_us = (int64_t)tm_record_get(r, UINT64_MAX);
  return window;
}

void tm_window_slices_save(const tm_window_slices *s, tm_record_writer *w) {
  tm_record_put(w, (uint64_t)s->judge.watermark_us);
  save_window(s->judge.fired, w);
  tm_record_put(w, s->seals);
  tm_record_put(w, s->end - s->head);
  for (uint32_t i = s->head; i < s->end; i++) {
    const tm_slice *one = s->items[i];
    save_window(one->time, w);
    tm_record_put(w, (uint64_t)one->floor_us);
    tm_record_put(w, one->seal);
    tm_record_put(w, one->fresh);
    tm_group_table_save(one->table, w);
  }
  tm_record_put(w, s->told_count);
  for (uint32_t i = 0; i < s->told_count; i++) {
    save_window(s->told[i].window, w);
    tm_record_put(w, s->told[i].seal);
  }
  tm_record_put(w, (uint64_t)s->ticked_us);
  tm_record_put(w, s->ticks);
  save_window(s->tick, w);
  if (s->known != NULL) tm_key_table_save(s->known, w);
}

/* A slice that was sealed is sealed again, at once: a restore may take its time. */
static int restore_item(tm_window_slices *s, tm_record_reader *r, tm_error *err) {
  tm_window time = restore_window(r);
  int64_t floor_us = (int64_t)tm_record_get(r, UINT64_MAX);
  uint64_t sealed = tm_record_get(r, s->seals);
  bool fresh = tm_record_get(r, 1);
  bool sound = time.start_us < time.end_us && !r->failed;
  if (sound) {
    tm_window slice = tm_window_judge_slice(&s->judge, time.start_us);
    sound = slice.start_us == time.start_us && slice.end_us == time.end_us;
  }
  if (sound && s->end > s->head) {
    sound = s->items[s->end - 1]->time.start_us <= time.start_us;
  }
  if (!sound) {
    r->failed = true;
    return 0;
  }
  tm_slice *one = add_item(s, time, floor_us, err);
  if (one == NULL || tm_group_table_restore(one->table, r, err) < 0) return -1;
  one->seal = sealed;
  int more = sealed > 0;
  while (more > 0) more = tm_group_table_seal_step(one->table, false, err);
  if (more < 0) return -1;
  return fresh ? note_fresh(s, one, err) : 0;
}

static int restore_told(tm_window_slices *s, tm_record_reader *r, tm_error *err) {
  uint64_t count = tm_record_get(r, ITEMS_MAX);
  if (count > (uint64_t)(r->end - r->at) / 27) r->failed = true; /* three numbers each */
  if (r->failed || count == 0) return 0;
  s->told = tm_alloc(s->budget, count * sizeof *s->told);
  if (s->told == NULL) return tm_window_no_memory(err);
  s->told_room = (uint32_t)count;
  for (; s->told_count < count; s->told_count++) {
    tm_told *one = &s->told[s->told_count];
    one->window = restore_window(r);
    one->seal = tm_record_get(r, s->seals);
    if (one->window.start_us >= one->window.end_us) r->failed = true;
  }
  return 0;
}

int tm_window_slices_restore(tm_window_slices *s, tm_record_reader *r, tm_error *err) {
  s->judge.watermark_us = (int64_t)tm_record_get(r, UINT64_MAX);
  s->judge.fired = restore_window(r);
  s->seals = tm_record_get(r, UINT64_MAX);
  uint64_t count = tm_record_get(r, ITEMS_MAX);
  for (uint64_t i = 0; i < count && !r->failed; i++) {
    if (restore_item(s, r, err) < 0) return -1;
  }
  if (restore_told(s, r, err) < 0) return -1;
  s->ticked_us = (int64_t)tm_record_get(r, UINT64_MAX);
  s->ticks = tm_record_get(r, 1);
  s->tick = restore_window(r);
  if (s->known == NULL || r->failed) return 0;
  return tm_key_table_restore(s->known, r, err);
}
