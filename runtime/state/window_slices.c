/* state/window_slices.c: see window_slices.h.
 *
 * Slices lie sorted by time in an array, the oldest at `head`. The two stacks are cuts of it: those
 * from head to mid have `suffix`, the merge of themselves with all up to mid; those from mid to
 * back_end are in `back`. A window that starts behind mid makes the stacks anew. Only parts whose
 * merges are independent of what is merged later can lie in stacks; others are merged for each
 * window from their slices. */
#include "state/window_slices.h"

#include <assert.h>
#include <string.h>

enum { ROOM_MIN = 16, SLICES_MAX = 1 << 28 };

typedef struct slice {
  tm_window time;
  int64_t floor_us;       /* of an extra: only windows that end later take it in */
  tm_group_table *table;
  tm_group_table *suffix; /* NULL, or as above */
  bool sealed;
} slice;

typedef struct slice_list { slice *items; uint32_t head, end, room; } slice_list;

typedef enum phase { IDLE, SEALING, FLIPPING, MERGING, RESULT, READY } phase;

struct tm_window_slices {
  tm_budget *budget;
  const tm_group_plan *plan;
  const uint8_t *needed;
  const tm_window_shape *shape;
  bool overlap, stacks;
  tm_window_regions regions;
  slice_list regular, extra;
  uint32_t found;          /* index of the regular slice that was asked for last */
  int64_t watermark_us;
  int64_t fired_us;        /* end of the window that was fired last */
  /* the stacks */
  uint32_t mid, back_end;
  tm_group_table *back;
  /* the window that is being made */
  phase phase;
  tm_window window;
  uint32_t first, last, at; /* its regular slices: first … last - 1 */
  int part;                /* of what is merged at `at` */
  tm_group_table *result;
  bool owns_result;
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "windows: out of memory"); }

/* ---------------------------------------------------------------- life */

/* Parts whose entries are numbers of their own. */
static bool is_flat(const tm_group_plan *plan) {
  for (uint32_t i = 0; i < plan->part_count; i++) {
    switch (plan->parts[i].kind) {
      case TM_PART_ROWS: case TM_PART_NULLS: case TM_PART_SEEN: case TM_PART_SUM:
      case TM_PART_PRODUCTS: case TM_PART_FLOATS: case TM_PART_FLOAT_PRODUCTS: break;
      case TM_PART_LEAST: case TM_PART_GREATEST:
        if (tm_type_physical(plan->parts[i].type) != TM_PHYSICAL_STR) break;
        return false;
      default: return false;
    }
  }
  return true;
}

tm_window_slices *tm_window_slices_create(tm_budget *budget, const tm_group_plan *plan,
                                          const uint8_t *needed, const tm_window_shape *shape,
                                          tm_error *err) {
  tm_window_slices *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) {
    no_memory(err);
    return NULL;
  }
  s->budget = budget;
  s->plan = plan;
  s->needed = needed;
  s->shape = shape;
  s->overlap = !shape->instants && shape->grid.kind != TM_WINDOW_TUMBLING;
  s->stacks = s->overlap && is_flat(plan);
  s->watermark_us = s->fired_us = TM_TIME_NONE;
  return s;
}

static void slice_deinit(slice *one) {
  tm_group_table_destroy(one->suffix);
  tm_group_table_destroy(one->table);
}

static void list_deinit(tm_budget *budget, slice_list *list) {
  for (uint32_t i = list->head; i < list->end; i++) slice_deinit(&list->items[i]);
  tm_free(budget, list->items, list->room * sizeof *list->items);
  *list = (slice_list){0};
}

void tm_window_slices_destroy(tm_window_slices *s) {
  if (s == NULL) return;
  if (s->owns_result) tm_group_table_destroy(s->result);
  tm_group_table_destroy(s->back);
  list_deinit(s->budget, &s->regular);
  list_deinit(s->budget, &s->extra);
  tm_free(s->budget, s, sizeof *s);
}

/* ---------------------------------------------------------------- lists */

static int list_grow(tm_budget *budget, slice_list *list) {
  uint32_t count = list->end - list->head;
  uint32_t room = list->room == 0 ? ROOM_MIN : count * 2 > list->room ? list->room * 2 : list->room;
  slice *grown = tm_alloc(budget, room * sizeof *grown);
  if (grown == NULL) return -1;
  if (count > 0) memcpy(grown, list->items + list->head, count * sizeof *grown);
  tm_free(budget, list->items, list->room * sizeof *list->items);
  *list = (slice_list){grown, 0, count, room};
  return 0;
}

static void drop_back(tm_window_slices *s) {
  tm_group_table_destroy(s->back);
  s->back = NULL;
}

/* A new slice at place `at`. NULL with err. */
static slice *list_insert(tm_window_slices *s, slice_list *list, uint32_t at, tm_window time,
                          int64_t floor_us, tm_error *err) {
  uint32_t place = at - list->head;
  tm_group_table *table = tm_group_table_create(s->budget, s->plan, s->needed, err);
  if (table == NULL) return NULL;
  if (list->end == list->room) {
    uint32_t moved = list->head;
    if (list_grow(s->budget, list) < 0) {
      tm_group_table_destroy(table);
      no_memory(err);
      return NULL;
    }
    if (list == &s->regular) { /* the list begins at 0 again */
      bool stale = s->mid < moved; /* what is in back is partly gone */
      if (stale) drop_back(s);
      s->mid = stale ? 0 : s->mid - moved;
      s->back_end = stale ? 0 : s->back_end - moved;
    }
  }
  at = list->head + place;
  memmove(list->items + at + 1, list->items + at, (list->end - at) * sizeof *list->items);
  list->items[at] = (slice){.time = time, .floor_us = floor_us, .table = table};
  list->end++;
  return &list->items[at];
}

/* The first regular slice that starts at or after time_us. */
static uint32_t lower_bound(const tm_window_slices *s, int64_t time_us) {
  uint32_t low = s->regular.head, high = s->regular.end;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (s->regular.items[middle].time.start_us < time_us) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* ---------------------------------------------------------------- windows of a slice */

static tm_window first_window(tm_window_slices *s, tm_window slice) {
  return s->overlap ? tm_window_grid_first(&s->shape->grid, slice.start_us, &s->regions) : slice;
}

static int64_t last_end(tm_window_slices *s, tm_window slice) {
  if (!s->overlap) return slice.end_us;
  return tm_window_grid_last(&s->shape->grid, slice.start_us, &s->regions).end_us;
}

/* The first window of a slice that ends after bound_us. There is one. */
static tm_window window_after(tm_window_slices *s, tm_window slice, int64_t bound_us) {
  tm_window w = first_window(s, slice);
  if (w.end_us > bound_us) return w;
  if (s->phase == IDLE && s->window.end_us == bound_us) { /* the one after that of just now */
    tm_window next = tm_window_grid_next(&s->shape->grid, s->window, &s->regions);
    if (next.start_us <= slice.start_us && slice.start_us < next.end_us) return next;
  }
  while (w.end_us <= bound_us) w = tm_window_grid_next(&s->shape->grid, w, &s->regions);
  return w;
}

tm_window tm_window_slices_slice(tm_window_slices *s, int64_t time_us) {
  if (s->shape->instants) {
    return (tm_window){time_us, time_us == INT64_MAX ? time_us : time_us + 1};
  }
  return tm_window_grid_slice(&s->shape->grid, time_us, &s->regions);
}

tm_slice_answer tm_window_slices_judge(tm_window_slices *s, tm_window slice, int64_t mark_us) {
  if (slice.end_us > s->watermark_us && first_window(s, slice).end_us > mark_us) {
    return TM_SLICE_PLAIN;
  }
  int64_t end_us = last_end(s, slice);
  if (end_us <= mark_us) return TM_SLICE_LATE;
  return end_us <= s->watermark_us ? TM_SLICE_AFTER_IDLE : TM_SLICE_EXTRA;
}

/* The end of the last window of a slice that a mark has closed. */
static int64_t closed_by(tm_window_slices *s, tm_window slice, int64_t mark_us) {
  int64_t floor_us = TM_TIME_NONE;
  tm_window w = first_window(s, slice);
  while (w.end_us <= mark_us) {
    floor_us = w.end_us;
    w = tm_window_grid_next(&s->shape->grid, w, &s->regions);
  }
  return floor_us;
}

static slice *find_regular(tm_window_slices *s, tm_window time, tm_error *err) {
  slice_list *list = &s->regular;
  if (s->found >= list->head && s->found < list->end &&
      list->items[s->found].time.start_us == time.start_us) {
    return &list->items[s->found];
  }
  uint32_t at = list->end;
  if (at > list->head && list->items[at - 1].time.start_us >= time.start_us) {
    at = lower_bound(s, time.start_us);
  }
  if (at < list->end && list->items[at].time.start_us == time.start_us) {
    s->found = at;
    return &list->items[at];
  }
  slice *made = list_insert(s, list, at, time, TM_TIME_NONE, err);
  if (made != NULL) s->found = (uint32_t)(made - list->items);
  return made;
}

static slice *find_extra(tm_window_slices *s, tm_window time, int64_t floor_us, tm_error *err) {
  for (uint32_t i = s->extra.head; i < s->extra.end; i++) {
    slice *one = &s->extra.items[i];
    bool same = one->time.start_us == time.start_us && one->floor_us == floor_us;
    if (same && !one->sealed) return one;
  }
  return list_insert(s, &s->extra, s->extra.end, time, floor_us, err);
}

tm_group_table *tm_window_slices_find(tm_window_slices *s, tm_window time, int64_t mark_us,
                                      tm_error *err) {
  bool plain = tm_window_slices_judge(s, time, mark_us) == TM_SLICE_PLAIN;
  slice *found = plain ? find_regular(s, time, err)
                       : find_extra(s, time, closed_by(s, time, mark_us), err);
  return found == NULL ? NULL : found->table;
}

/* ---------------------------------------------------------------- which window is next */

void tm_window_slices_advance(tm_window_slices *s, int64_t watermark_us) {
  if (watermark_us > s->watermark_us) s->watermark_us = watermark_us;
}

static bool is_in(const slice *one, tm_window window) {
  return one->time.start_us >= window.start_us && one->time.start_us < window.end_us &&
         one->floor_us < window.end_us;
}

/* The window that ends first among those that hold something and have not been fired. */
static bool next_window(tm_window_slices *s, tm_window *out) {
  bool any = false;
  if (s->regular.head < s->regular.end) {
    *out = window_after(s, s->regular.items[s->regular.head].time, s->fired_us);
    any = true;
  }
  for (uint32_t i = s->extra.head; i < s->extra.end; i++) {
    const slice *one = &s->extra.items[i];
    int64_t bound_us = one->floor_us > s->fired_us ? one->floor_us : s->fired_us;
    tm_window w = window_after(s, one->time, bound_us);
    if (!any || w.end_us < out->end_us) *out = w;
    any = true;
  }
  return any && out->end_us <= s->watermark_us;
}

static void begin_window(tm_window_slices *s, tm_window window) {
  s->window = window;
  s->first = lower_bound(s, window.start_us);
  s->last = lower_bound(s, window.end_us);
  s->at = s->first;
  s->result = NULL;
  s->owns_result = false;
  s->phase = SEALING;
}

/* ---------------------------------------------------------------- making it */

static int seal(tm_window_slices *s, slice *one, tm_error *err) {
  if (one->sealed) return 0;
  int more = tm_group_table_seal_step(one->table, s->overlap, err);
  if (more != 0) return more;
  one->sealed = true;
  return 1;
}

static int count_extras(const tm_window_slices *s) {
  int count = 0;
  for (uint32_t i = s->extra.head; i < s->extra.end; i++) {
    count += is_in(&s->extra.items[i], s->window);
  }
  return count;
}

/* 1 while something was to be done. */
static int seal_all(tm_window_slices *s, tm_error *err) {
  for (; s->at < s->last; s->at++) {
    int more = seal(s, &s->regular.items[s->at], err);
    if (more != 0) return more;
  }
  for (uint32_t i = s->extra.head; i < s->extra.end; i++) {
    slice *one = &s->extra.items[i];
    int more = is_in(one, s->window) ? seal(s, one, err) : 0;
    if (more != 0) return more;
  }
  return 0;
}

/* Merges all of `from` into *into, which is made where it is not there. */
static int merge(tm_window_slices *s, tm_group_table **into, const tm_group_table *from,
                 tm_error *err) {
  if (*into == NULL) {
    *into = tm_group_table_create(s->budget, s->plan, s->needed, err);
    if (*into == NULL) return -1;
  }
  return tm_group_table_merge_step(*into, from, 0, TM_GROUP_BUCKETS, err);
}

/* Sealed: what comes next. */
static phase after_sealing(tm_window_slices *s) {
  bool alone = s->last - s->first == 1 && count_extras(s) == 0;
  s->part = 0;
  if (alone && (!s->stacks || s->mid == s->back_end)) {
    s->result = s->regular.items[s->first].table;
    return READY;
  }
  if (!s->stacks) {
    s->at = s->first;
    return RESULT;
  }
  if (s->back_end < s->first || s->mid > s->last) { /* nothing in them is of use */
    drop_back(s);
    s->mid = s->back_end = s->first;
  }
  s->at = s->back_end;
  return s->first > s->mid ? FLIPPING : MERGING;
}

/* Suffixes of what lies behind: from the newest to the first of the window. */
static int flip(tm_window_slices *s, tm_error *err) {
  while (s->at > s->first) {
    slice *one = &s->regular.items[s->at - 1];
    if (s->part == 0) {
      int more = merge(s, &one->suffix, one->table, err);
      if (more != 0) return more;
      s->part = 1;
    }
    if (s->part == 1 && s->at < s->back_end) {
      int more = merge(s, &one->suffix, s->regular.items[s->at].suffix, err);
      if (more != 0) return more;
    }
    s->part = 2;
    int more = tm_group_table_seal_step(one->suffix, true, err);
    if (more != 0) return more;
    s->part = 0;
    s->at--;
  }
  drop_back(s);
  s->mid = s->at = s->back_end;
  s->phase = MERGING;
  return 1;
}

/* The slices that came into the window go to the back. */
static int extend_back(tm_window_slices *s, tm_error *err) {
  if (s->part == 0 && s->back_end < s->last && s->back != NULL) tm_group_table_reopen(s->back);
  s->part = 1;
  while (s->back_end < s->last) {
    int more = merge(s, &s->back, s->regular.items[s->back_end].table, err);
    if (more != 0) return more;
    s->back_end++;
  }
  if (s->back != NULL) {
    int more = tm_group_table_seal_step(s->back, true, err);
    if (more != 0) return more;
  }
  bool front = s->first < s->mid, extras = count_extras(s) > 0;
  s->part = 0;
  s->at = s->first;
  s->phase = RESULT;
  if (extras || (front && s->back != NULL)) return 1;
  s->result = front ? s->regular.items[s->first].suffix : s->back;
  s->phase = READY;
  return 1;
}

static int merge_extras(tm_window_slices *s, tm_error *err) {
  for (; s->at < s->extra.end; s->at++) {
    const slice *one = &s->extra.items[s->at];
    int more = is_in(one, s->window) ? merge(s, &s->result, one->table, err) : 0;
    if (more != 0) return more;
  }
  return 0;
}

static int merge_stacks(tm_window_slices *s, tm_error *err) {
  int more = 0;
  if (s->part == 0 && s->first < s->mid) {
    more = merge(s, &s->result, s->regular.items[s->first].suffix, err);
  }
  if (more != 0) return more;
  if (s->part == 0) s->part = 1;
  if (s->part == 1 && s->back != NULL) more = merge(s, &s->result, s->back, err);
  return more;
}

static int merge_slices(tm_window_slices *s, tm_error *err) {
  for (; s->at < s->last; s->at++) {
    int more = merge(s, &s->result, s->regular.items[s->at].table, err);
    if (more != 0) return more;
  }
  return 0;
}

/* part: 0 and 1 regular slices, 2 extras, 3 sealing. */
static int make_result(tm_window_slices *s, tm_error *err) {
  int more = 0;
  s->owns_result = true;
  if (s->part < 2) more = s->stacks ? merge_stacks(s, err) : merge_slices(s, err);
  if (more != 0) return more;
  if (s->part < 2) s->at = s->extra.head;
  if (s->part < 3) {
    s->part = 2;
    more = merge_extras(s, err);
    if (more != 0) return more;
  }
  s->part = 3;
  more = tm_group_table_seal_step(s->result, false, err);
  if (more == 0) s->phase = READY;
  return more == 0 ? 1 : more;
}

int tm_window_slices_fire_step(tm_window_slices *s, tm_window *window, tm_group_table **table,
                               tm_error *err) {
  int more = 0;
  tm_window next = {0, 0};
  *table = NULL;
  switch (s->phase) {
    case IDLE:
      if (!next_window(s, &next)) return 0;
      begin_window(s, next);
      return 1;
    case SEALING:
      more = seal_all(s, err);
      if (more != 0) return more;
      s->phase = after_sealing(s);
      return 1;
    case FLIPPING: return flip(s, err);
    case MERGING: return extend_back(s, err);
    case RESULT: return make_result(s, err);
    case READY: break;
  }
  *window = s->window;
  *table = s->result;
  return 0;
}

/* ---------------------------------------------------------------- after it */

/* Slices that no later window takes in. */
static void drop_dead(tm_window_slices *s) {
  slice_list *list = &s->regular;
  while (list->head < list->end &&
         last_end(s, list->items[list->head].time) <= s->window.end_us) {
    slice_deinit(&list->items[list->head++]);
  }
  uint32_t kept = s->extra.head;
  for (uint32_t i = s->extra.head; i < s->extra.end; i++) {
    slice *one = &s->extra.items[i];
    if (last_end(s, one->time) <= s->window.end_us) slice_deinit(one);
    else s->extra.items[kept++] = *one;
  }
  s->extra.end = kept;
  if (list->head < list->end) return;
  drop_back(s);
  list->head = list->end = s->mid = s->back_end = 0;
}

void tm_window_slices_drop(tm_window_slices *s) {
  assert(s->phase == READY);
  if (s->owns_result) tm_group_table_destroy(s->result);
  s->result = NULL;
  s->owns_result = false;
  s->fired_us = s->window.end_us;
  s->phase = IDLE;
  drop_dead(s);
}

/* ---------------------------------------------------------------- save, restore */

static void save_list(const slice_list *list, tm_record_writer *w) {
  tm_record_put(w, list->end - list->head);
  for (uint32_t i = list->head; i < list->end; i++) {
    const slice *one = &list->items[i];
    tm_record_put(w, (uint64_t)one->time.start_us);
    tm_record_put(w, (uint64_t)one->time.end_us);
    tm_record_put(w, (uint64_t)one->floor_us);
    tm_group_table_save(one->table, w);
  }
}

void tm_window_slices_save(const tm_window_slices *s, tm_record_writer *w) {
  tm_record_put(w, (uint64_t)s->watermark_us);
  tm_record_put(w, (uint64_t)s->fired_us);
  save_list(&s->regular, w);
  save_list(&s->extra, w);
}

static int restore_list(tm_window_slices *s, slice_list *list, tm_record_reader *r,
                        tm_error *err) {
  uint64_t count = tm_record_get(r, SLICES_MAX);
  for (uint64_t i = 0; i < count && !r->failed; i++) {
    tm_window time;
    time.start_us = (int64_t)tm_record_get(r, UINT64_MAX);
    time.end_us = (int64_t)tm_record_get(r, UINT64_MAX);
    int64_t floor_us = (int64_t)tm_record_get(r, UINT64_MAX);
    bool sorted = list != &s->regular || i == 0 ||
                  list->items[list->end - 1].time.start_us < time.start_us;
    if (!sorted || time.end_us <= time.start_us) r->failed = true;
    if (r->failed) break;
    slice *one = list_insert(s, list, list->end, time, floor_us, err);
    if (one == NULL || tm_group_table_restore(one->table, r, err) < 0) return -1;
  }
  return 0;
}

int tm_window_slices_restore(tm_window_slices *s, tm_record_reader *r, tm_error *err) {
  s->watermark_us = (int64_t)tm_record_get(r, UINT64_MAX);
  s->fired_us = (int64_t)tm_record_get(r, UINT64_MAX);
  if (restore_list(s, &s->regular, r, err) < 0) return -1;
  return restore_list(s, &s->extra, r, err);
}
