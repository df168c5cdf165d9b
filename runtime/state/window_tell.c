/* state/window_tell.c: windows put together from slices, in the order in which they end.
 *
 * A window that does not overlap others is its slice. Others are the span once the slices before
 * them have left and theirs have entered. Windows that can be told anew are remembered with the
 * round of sealing up to which they told slices: what they are now differs from what they were in
 * the groups of slices that were sealed later, and only these are made, as they were and as they
 * are. */
#include "state/window_parts.h"

#include <assert.h>
#include <string.h>

enum { CHUNK = 2048, BESIDE_MAX = 4 /* slices of one kind that are merged into one beyond that */ };

/* ---------------------------------------------------------------- which window is next */

/* The first window with rows that has not fired. */
static bool next_with_rows(tm_window_slices *s, tm_window *out) {
  bool any = false;
  uint32_t i = s->head;
  if (s->judge.fired.end_us != TM_TIME_NONE) {
    i = tm_window_lower_bound(s, tm_window_judge_next(&s->judge, s->judge.fired).start_us);
  }
  for (; i < s->end; i++) {
    const tm_slice *one = s->items[i];
    tm_window w = tm_window_judge_after(&s->judge, one->time.start_us, s->judge.fired.end_us);
    if (any && !tm_window_is_after(*out, w)) break; /* nor has a later slice an earlier one */
    if (one->floor_us >= w.end_us) {
      w = tm_window_judge_after(&s->judge, one->time.start_us, one->floor_us);
    }
    if (!any || tm_window_is_after(*out, w)) *out = w;
    any = true;
    if (s->span == NULL) break;
  }
  return any;
}

/* Where windows are filled all come that lie between windows with rows. */
static bool next_window(tm_window_slices *s, tm_window *out) {
  bool any = next_with_rows(s, out), first = s->judge.fired.end_us == TM_TIME_NONE;
  if (s->known != NULL && tm_key_table_count(s->known) > 0 && !first) {
    bool idle = s->shape->fill_idle && s->judge.watermark_us != TM_TIME_END;
    tm_window next = tm_window_judge_next(&s->judge, s->judge.fired);
    if (any ? tm_window_is_after(*out, next) : idle) *out = next;
    any = any || idle;
  }
  return any && out->end_us <= s->judge.watermark_us;
}

int64_t tm_window_slices_come_to(const tm_window_slices *s) {
  int64_t come_us = tm_window_less(s->judge.watermark_us, s->shape->lateness_us);
  bool held = s->known != NULL && tm_key_table_count(s->known) > 0 && !s->shape->fill_idle;
  if (!held || s->judge.fired.end_us == TM_TIME_NONE) return come_us;
  tm_window_regions regions = {{0}, {0}};
  int64_t next_us = tm_window_grid_next(&s->shape->grid, s->judge.fired, &regions).end_us - 1;
  return next_us < come_us ? next_us : come_us;
}

/* ---------------------------------------------------------------- sealing */

static int seal_step(tm_window_slices *s, tm_slice *one, tm_error *err) {
  int more = tm_group_table_seal_step(one->table, false, err);
  if (more == 0) one->seal = s->seals;
  return more;
}

static int seal_all(tm_group_table *table, tm_error *err) {
  int more;
  do more = tm_group_table_seal_step(table, false, err);
  while (more > 0);
  return more;
}

static int seal_item(tm_window_slices *s, tm_slice *one, tm_error *err) {
  if (one->seal != 0) return 0;
  one->seal = s->seals;
  return seal_all(one->table, err);
}

/* ---------------------------------------------------------------- remembering what was told */

static tm_told *find_told(tm_window_slices *s, tm_window window) {
  for (uint32_t i = s->told_count; i > 0; i--) {
    tm_told *one = &s->told[i - 1];
    if (one->window.start_us == window.start_us && one->window.end_us == window.end_us) return one;
    if (tm_window_is_after(window, one->window)) break;
  }
  return NULL;
}

static int remember(tm_window_slices *s, tm_window window, tm_error *err) {
  tm_told *found = find_told(s, window);
  if (found != NULL) {
    found->seal = s->seals;
    return 0;
  }
  if (s->told_count == s->told_room) {
    uint32_t room = s->told_room < 16 ? 16 : s->told_room * 2;
    tm_told *grown = tm_realloc(s->budget, s->told, s->told_room * sizeof *grown,
                                room * sizeof *grown);
    if (grown == NULL) return tm_window_no_memory(err);
    s->told = grown;
    s->told_room = room;
  }
  uint32_t at = s->told_count++;
  for (; at > 0 && tm_window_is_after(s->told[at - 1].window, window); at--) {
    s->told[at] = s->told[at - 1];
  }
  s->told[at] = (tm_told){window, s->seals};
  return 0;
}

/* Those that have fired and are closed now. */
static void forget_closed(tm_window_slices *s) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < s->told_count; i++) {
    tm_window window = s->told[i].window;
    bool fired = !tm_window_is_after(window, s->judge.fired);
    bool closed = window.end_us <= tm_window_less(s->judge.watermark_us, s->shape->lateness_us);
    if (!fired || !closed) s->told[kept++] = s->told[i];
  }
  s->told_count = kept;
}

/* ---------------------------------------------------------------- changes */

/* Groups of `from` that the table has, too: ids[i] are those, to[i] the table's. */
static int meet(const tm_group_table *table, const tm_group_table *from, uint32_t first,
                uint32_t count, uint32_t *ids, uint32_t *to) {
  uint32_t plain[CHUNK], found[CHUNK];
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++) plain[i] = first + i;
  if (tm_key_table_find_from(tm_group_table_keys(from), tm_group_table_keys(table), plain, count,
                             found) < 0) {
    return -1;
  }
  for (uint32_t i = 0; i < count; i++) {
    ids[kept] = found[i];
    to[kept] = first + i;
    kept += found[i] != TM_KEY_NONE;
  }
  return (int)kept;
}

/* The groups of `from`, with what they are where `values`. */
static int add_groups(tm_group_table *table, const tm_group_table *from, bool values,
                      tm_error *err) {
  uint32_t ids[CHUNK], to[CHUNK], groups = tm_group_table_count(from);
  for (uint32_t at = 0; at < groups; at += CHUNK) {
    uint32_t count = groups - at < CHUNK ? groups - at : CHUNK;
    for (uint32_t i = 0; i < count; i++) ids[i] = at + i;
    if (tm_group_table_join(table, tm_group_table_keys(from), ids, count, to, err) < 0) return -1;
    if (values && tm_group_table_take_in(table, from, ids, to, count, err) < 0) return -1;
  }
  return 0;
}

/* What the table's groups are in `from`. */
static int add_values(tm_group_table *table, const tm_group_table *from, tm_error *err) {
  uint32_t ids[CHUNK], to[CHUNK], groups = tm_group_table_count(table);
  for (uint32_t at = 0; at < groups; at += CHUNK) {
    uint32_t count = groups - at < CHUNK ? groups - at : CHUNK;
    int met = meet(table, from, at, count, ids, to);
    if (met < 0) return tm_window_no_memory(err);
    if (tm_group_table_take_in(table, from, ids, to, (uint32_t)met, err) < 0) return -1;
  }
  return 0;
}

/* Two tables that get their keys in the same way number them in the same way. */
static tm_group_table *change_table(tm_window_slices *s, tm_error *err) {
  tm_group_table *table = tm_group_table_create(s->budget, s->plan, s->needed, err);
  if (table != NULL) tm_group_table_start_small(table);
  return table;
}

/* Slices of a window that it has told, or that it has not; all are sealed. */
static int each_slice(tm_window_slices *s, tm_window window, uint64_t told, bool newer,
                      tm_group_table *table,
                      int (*take)(tm_group_table *, const tm_group_table *, tm_error *),
                      tm_error *err) {
  uint32_t end = tm_window_lower_bound(s, window.end_us);
  for (uint32_t i = tm_window_lower_bound(s, window.start_us); i < end; i++) {
    const tm_slice *one = s->items[i];
    if (!tm_window_holds(window, one) || (one->seal > told) != newer) continue;
    if (take(table, one->table, err) < 0) return -1;
  }
  return 0;
}

static int take_keys(tm_group_table *table, const tm_group_table *from, tm_error *err) {
  return add_groups(table, from, false, err);
}
static int take_groups(tm_group_table *table, const tm_group_table *from, tm_error *err) {
  return add_groups(table, from, true, err);
}

/* What the window told up to that round, and what it is now, of the groups that came since. */
static int make_change(tm_window_slices *s, tm_window window, uint64_t told, tm_error *err) {
  s->made = change_table(s, err);
  s->old = s->made == NULL ? NULL : change_table(s, err);
  if (s->old == NULL) return -1;
  if (each_slice(s, window, told, true, s->made, take_groups, err) < 0 ||
      each_slice(s, window, told, true, s->old, take_keys, err) < 0 ||
      each_slice(s, window, told, false, s->old, add_values, err) < 0 ||
      seal_all(s->old, err) < 0 || take_groups(s->made, s->old, err) < 0 ||
      seal_all(s->made, err) < 0) {
    return -1;
  }
  s->window = window;
  s->change = true;
  s->phase = TELL_READY;
  return 0;
}

static bool has_newer(tm_window_slices *s, tm_window window, uint64_t told) {
  uint32_t end = tm_window_lower_bound(s, window.end_us);
  for (uint32_t i = tm_window_lower_bound(s, window.start_us); i < end; i++) {
    const tm_slice *one = s->items[i];
    if (tm_window_holds(window, one) && (one->seal == 0 || one->seal > told)) return true;
  }
  return false;
}

static int seal_range(tm_window_slices *s, uint32_t first, uint32_t end, tm_error *err) {
  s->seals++;
  for (uint32_t i = first; i < end; i++) {
    if (seal_item(s, s->items[i], err) < 0) return -1;
  }
  return 0;
}

/* ---------------------------------------------------------------- slices beside each other */

static bool is_beside(const tm_slice *a, const tm_slice *b) {
  return a->time.start_us == b->time.start_us && a->floor_us == b->floor_us && b->seal != 0 &&
         !b->in.in;
}

/* Slices first … end-1, which are alike, become one. */
static int merge_items(tm_window_slices *s, uint32_t first, uint32_t end, tm_error *err) {
  tm_group_table *table = tm_window_new_table(s, err);
  if (table == NULL) return -1;
  for (uint32_t i = first; i < end; i++) {
    if (take_groups(table, s->items[i]->table, err) < 0) {
      tm_group_table_destroy(table);
      return -1;
    }
  }
  if (seal_all(table, err) < 0) {
    tm_group_table_destroy(table);
    return -1;
  }
  tm_slice *last = s->items[end - 1];
  tm_window_free_table(s, last->table);
  last->table = table;
  for (uint32_t n = first; n < end - 1; n++) { /* the list begins later with each that goes */
    tm_window_free_item(s, n);
  }
  return 0;
}

/* Rows that come late now and then would leave a slice each time. Every window that was told has
 * told all of them, or none: else it would not know any more which. */
static int merge_beside(tm_window_slices *s, uint32_t first, uint32_t end, tm_error *err) {
  if (!s->copies) return 0;
  while (first < end) {
    uint32_t run = first;
    while (run < end && is_beside(s->items[first], s->items[run])) run++;
    if (run > first + BESIDE_MAX && merge_items(s, first, run, err) < 0) return -1;
    first = run > first ? run : first + 1;
  }
  return 0;
}

/* ---------------------------------------------------------------- told anew */

static int seal_fresh(tm_window_slices *s, tm_error *err) {
  bool any = false;
  for (uint32_t i = 0; i < s->fresh_count; i++) any |= s->fresh[i]->seal == 0;
  s->seals += any;
  for (uint32_t i = 0; i < s->fresh_count; i++) {
    if (seal_item(s, s->fresh[i], err) < 0) return -1;
  }
  return 0;
}

/* The first window of a slice that has fired, can be told anew, and has not told the slice. One
 * that had no rows when it should have fired has told nothing. */
static bool first_changed(tm_window_slices *s, const tm_slice *one, tm_window *out,
                          uint64_t *out_seal) {
  int64_t closed_us = tm_window_less(s->judge.watermark_us, s->shape->lateness_us);
  int64_t bound_us = one->floor_us > closed_us ? one->floor_us : closed_us;
  if (one->last.end_us <= bound_us) return false;
  tm_window w = tm_window_judge_after(&s->judge, one->time.start_us, bound_us);
  for (; !tm_window_is_after(w, s->judge.fired) && w.start_us <= one->time.start_us;
       w = tm_window_judge_next(&s->judge, w)) {
    const tm_told *told = find_told(s, w);
    *out = w;
    *out_seal = told == NULL ? 0 : told->seal;
    if (one->seal > *out_seal) return true;
  }
  return false;
}

/* 1: something was done; 0: nothing has changed. */
static int tell_anew(tm_window_slices *s, tm_error *err) {
  if (s->fresh_count == 0) return 0;
  if (seal_fresh(s, err) < 0) return -1;
  for (uint32_t i = 0; i < s->fresh_count; i++) {
    tm_window window;
    uint64_t seal;
    if (!first_changed(s, s->fresh[i], &window, &seal)) continue;
    s->fires = false;
    return make_change(s, window, seal, err) < 0 ? -1 : 1;
  }
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (uint32_t i = 0; i < s->fresh_count; i++) {
    int64_t start_us = s->fresh[i]->time.start_us;
    low = start_us < low ? start_us : low;
    high = start_us > high ? start_us : high;
    s->fresh[i]->fresh = false;
  }
  s->fresh_count = 0;
  if (s->shape->early_us > 0) return 1; /* those that are open have not told the fresh ones */
  uint32_t first = tm_window_lower_bound(s, low), end = tm_window_lower_bound(s, high + 1);
  return merge_beside(s, first, end, err) < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------- told early */

static int64_t tick_of(const tm_window_slices *s) {
  int64_t rest = s->judge.watermark_us % s->shape->early_us;
  return s->judge.watermark_us - (rest < 0 ? rest + s->shape->early_us : rest);
}

/* The open window behind the one that was told last which has something to tell. */
static bool next_early(tm_window_slices *s, tm_window *out) {
  if (s->head == s->end) return false;
  int64_t newest_us = s->items[s->end - 1]->time.start_us;
  tm_window w = s->tick;
  if (w.end_us != TM_TIME_NONE) {
    w = tm_window_judge_next(&s->judge, w);
  } else {
    uint32_t i = s->head;
    while (i < s->end && !tm_window_is_after(s->items[i]->last, s->judge.fired)) i++;
    if (i == s->end) return false;
    w = tm_window_judge_after(&s->judge, s->items[i]->time.start_us, s->judge.fired.end_us);
  }
  for (; w.start_us <= newest_us; w = tm_window_judge_next(&s->judge, w)) {
    const tm_told *told = find_told(s, w);
    s->tick = w;
    if (has_newer(s, w, told == NULL ? 0 : told->seal)) {
      *out = w;
      return true;
    }
    /* Over a stretch without slices. */
    uint32_t next = tm_window_lower_bound(s, w.end_us);
    bool empty = tm_window_lower_bound(s, w.start_us) == next;
    if (!empty || next == s->end) continue;
    w = tm_window_judge_after(&s->judge, s->items[next]->time.start_us, s->judge.fired.end_us);
    if (!has_newer(s, w, find_told(s, w) == NULL ? 0 : find_told(s, w)->seal)) continue;
    *out = s->tick = w;
    return true;
  }
  return false;
}

/* 1: something was done; 0: it is not time, or all is told. */
static int tell_early(tm_window_slices *s, tm_error *err) {
  tm_window w;
  if (s->shape->early_us == 0 || s->judge.watermark_us == TM_TIME_NONE ||
      s->judge.watermark_us == TM_TIME_END) {
    return 0;
  }
  if (!s->ticks) {
    if (tick_of(s) <= s->ticked_us) return 0;
    s->ticks = true;
    s->tick.end_us = TM_TIME_NONE;
    return seal_range(s, s->head, s->end, err) < 0 ? -1 : 1;
  }
  if (next_early(s, &w)) {
    const tm_told *told = find_told(s, w);
    s->fires = false;
    return make_change(s, w, told == NULL ? 0 : told->seal, err) < 0 ? -1 : 1;
  }
  s->ticks = false;
  s->ticked_us = tick_of(s);
  return merge_beside(s, s->head, s->end, err) < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------- fired */

static int complete(tm_window_slices *s, tm_error *err);

/* Groups of the table will be in all windows that follow. */
static int learn(tm_window_slices *s, const tm_group_table *table, tm_error *err) {
  uint32_t plain[CHUNK], to[CHUNK], groups = tm_group_table_count(table);
  for (uint32_t at = 0; at < groups; at += CHUNK) {
    uint32_t count = groups - at < CHUNK ? groups - at : CHUNK;
    for (uint32_t i = 0; i < count; i++) plain[i] = at + i;
    const tm_key_table *keys = tm_group_table_keys(table);
    if (tm_key_table_insert_from(s->known, keys, plain, count, NULL, to) < 0) {
      return tm_window_no_memory(err);
    }
  }
  return 0;
}

static int join_known(tm_window_slices *s, tm_group_table *table, tm_error *err) {
  uint32_t plain[CHUNK], to[CHUNK], known = tm_key_table_count(s->known);
  for (uint32_t at = 0; at < known; at += CHUNK) {
    uint32_t count = known - at < CHUNK ? known - at : CHUNK;
    for (uint32_t i = 0; i < count; i++) plain[i] = at + i;
    if (tm_group_table_join(table, s->known, plain, count, to, err) < 0) return -1;
  }
  return 0;
}

/* One that is alone in its window. */
static int begin_single(tm_window_slices *s, uint32_t index, uint32_t count, tm_error *err) {
  s->single = count == 1 ? s->items[index] : NULL;
  if (s->single == NULL) { /* of filled ones nothing but what was before */
    assert(count == 0 && s->known != NULL);
    s->made = tm_window_new_table(s, err);
    if (s->made == NULL) return -1;
  }
  tm_group_table *table = s->single != NULL ? s->single->table : s->made;
  if (s->known != NULL && (learn(s, table, err) < 0 || join_known(s, table, err) < 0)) return -1;
  s->phase = TELL_SEALING;
  return 0;
}

/* It was told early: only what came since. */
static int begin_told(tm_window_slices *s, tm_window window, const tm_told *told, tm_error *err) {
  uint32_t first = tm_window_lower_bound(s, window.start_us);
  uint64_t seal = told->seal;
  if (seal_range(s, first, tm_window_lower_bound(s, window.end_us), err) < 0) return -1;
  if (has_newer(s, window, seal)) return make_change(s, window, seal, err);
  return complete(s, err);
}

static int begin_window(tm_window_slices *s, tm_window window, tm_error *err) {
  s->window = window;
  s->fires = true;
  const tm_told *told = find_told(s, window);
  if (told != NULL) return begin_told(s, window, told, err);
  s->seals++;
  if (s->span != NULL) {
    s->phase = TELL_LEAVING;
    return 0;
  }
  uint32_t first = tm_window_lower_bound(s, window.start_us);
  return begin_single(s, first, tm_window_lower_bound(s, window.end_us) - first, err);
}

static int leaving_step(tm_window_slices *s, tm_error *err) {
  tm_span_slice *oldest = tm_window_span_oldest(s->span);
  if (oldest == NULL || oldest->order >= s->window.start_us) {
    s->phase = TELL_ENTERING;
    return 1;
  }
  if (oldest->at == 0 && tm_window_span_newest(s->span)->order < s->window.start_us) {
    return tm_window_span_clear(s->span, err) < 0 ? -1 : 1;
  }
  int more = tm_window_span_leave_step(s->span, oldest, err);
  return more < 0 ? -1 : 1;
}

/* The next slice of the window that is not in the span yet; NULL: all are. */
static tm_slice *next_to_enter(tm_window_slices *s) {
  bool all = s->behind > 0 || tm_window_span_newest(s->span) == NULL ||
             s->judge.fired.end_us < s->window.start_us || s->shape->early_us > 0;
  uint32_t end = tm_window_lower_bound(s, s->window.end_us);
  uint32_t i = tm_window_lower_bound(s, all ? s->window.start_us : s->judge.fired.end_us);
  for (; i < end; i++) {
    if (!s->items[i]->in.in && tm_window_holds(s->window, s->items[i])) return s->items[i];
  }
  return NULL;
}

static int entering_step(tm_window_slices *s, tm_error *err) {
  tm_slice *one = next_to_enter(s);
  if (one == NULL) {
    s->phase = TELL_SETTLING;
    return s->known != NULL && tm_window_span_join(s->span, s->known, err) < 0 ? -1 : 1;
  }
  if (one->seal == 0) {
    if (s->known != NULL && learn(s, one->table, err) < 0) return -1;
    return seal_step(s, one, err) < 0 ? -1 : 1;
  }
  if (one->in.table == NULL || one->in.at == 0) {
    one->in.table = one->table;
    one->in.count = tm_group_table_count(one->table);
    one->in.order = one->time.start_us;
  }
  int more = tm_window_span_enter_step(s->span, &one->in, err);
  if (more != 0) return more;
  s->behind -= one->behind;
  one->behind = false;
  if (s->shape->lateness_us == 0 && s->shape->early_us == 0) tm_group_table_freeze(one->table);
  return 1;
}

/* ---------------------------------------------------------------- in turn */

static int idle_step(tm_window_slices *s, tm_error *err) {
  tm_window next = {0, 0};
  int more = tell_anew(s, err);
  if (more != 0) return more;
  if (next_window(s, &next)) return begin_window(s, next, err) < 0 ? -1 : 1;
  return tell_early(s, err);
}

static int tell_step(tm_window_slices *s, tm_error *err) {
  int more;
  switch (s->phase) {
    case TELL_IDLE: return idle_step(s, err);
    case TELL_LEAVING: return leaving_step(s, err);
    case TELL_ENTERING: return entering_step(s, err);
    case TELL_SEALING:
      if (s->single != NULL) more = s->single->seal == 0 ? seal_step(s, s->single, err) : 0;
      else more = tm_group_table_seal_step(s->made, false, err);
      break;
    case TELL_SETTLING: more = tm_window_span_settle_step(s->span, err); break;
    default: return 0;
  }
  if (more == 0) s->phase = TELL_READY;
  return more < 0 ? -1 : 1;
}

int tm_window_slices_tell_step(tm_window_slices *s, tm_window_told *told, tm_error *err) {
  *told = (tm_window_told){.table = NULL};
  int more = s->phase == TELL_READY ? 0 : tell_step(s, err);
  if (more != 0 || s->phase != TELL_READY) return more;
  told->window = s->window;
  told->table = s->made;
  told->old = s->old;
  if (s->single != NULL) told->table = s->single->table;
  else if (s->span != NULL && !s->change && s->made == NULL) {
    told->table = tm_window_span_table(s->span);
  }
  return 0;
}

/* Slices that no window takes in any more. */
static void free_dead(tm_window_slices *s) {
  while (s->head < s->end) {
    const tm_slice *one = s->items[s->head];
    bool open = tm_window_is_after(one->last, s->judge.fired) ||
                one->last.end_us > tm_window_less(s->judge.watermark_us, s->shape->lateness_us);
    if (open || one->in.in || one->fresh) return;
    tm_window_free_item(s, s->head);
  }
}

/* The window has fired. */
static int complete(tm_window_slices *s, tm_error *err) {
  int64_t lateness_us = s->shape->lateness_us;
  s->judge.fired = s->window;
  bool closed = s->judge.fired.end_us <= tm_window_less(s->judge.watermark_us, lateness_us);
  if (lateness_us > 0 && !closed && remember(s, s->window, err) < 0) return -1;
  forget_closed(s);
  bool last = s->head < s->end && !tm_window_is_after(s->items[s->end - 1]->last, s->judge.fired);
  if (last && s->span != NULL && tm_window_span_clear(s->span, err) < 0) return -1;
  free_dead(s);
  return 0;
}

int tm_window_slices_drop(tm_window_slices *s, tm_error *err) {
  assert(s->phase == TELL_READY);
  if (s->change) tm_group_table_destroy(s->made);
  else if (s->made != NULL) tm_window_free_table(s, s->made);
  tm_group_table_destroy(s->old);
  s->made = s->old = NULL;
  s->single = NULL;
  s->change = false;
  s->phase = TELL_IDLE;
  return s->fires ? complete(s, err) : remember(s, s->window, err);
}
