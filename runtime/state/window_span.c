/* state/window_span.c: see window_span.h. Work goes in chunks of groups, all parts of a chunk after
 * each other. */
#include "state/window_span.h"

#include <assert.h>
#include <string.h>

enum {
  CHUNK = 2048,      /* groups in one step */
  DEAD_FREE = 1024,  /* groups without rows that do not matter */
  ROOM_MIN = 16,
};

/* How a part follows slices that come and go. */
typedef enum manner {
  MANNER_NONE,     /* not needed */
  MANNER_SUM,      /* what was merged is taken back */
  MANNER_STACKS,   /* front and back */
  MANNER_GATHERED, /* from all slices, for each result */
} manner;

typedef enum settling { SETTLE_IDLE, SETTLE_REMAKE, SETTLE_STACKS, SETTLE_VALUES, SETTLE_SEAL }
    settling;

struct tm_window_span {
  tm_budget *budget;
  const tm_group_plan *plan;
  const uint8_t *needed;
  manner *manners;         /* by part, */
  tm_part **front, **back; /* and so are these: of MANNER_STACKS */
  bool stacks, gathers, keeps_groups;
  tm_group_table *table;
  tm_span_slice **members; /* in order: head … end-1 */
  uint32_t head, end, room;
  /* what takes more than one step */
  bool flipping;
  settling settling;
  uint32_t at, member;
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "windows: out of memory"); }

/* ---------------------------------------------------------------- life */

static manner manner_of(tm_part_kind kind) {
  switch (kind) {
    case TM_PART_ROWS:
    case TM_PART_NULLS:
    case TM_PART_SUM:
    case TM_PART_PRODUCTS:
    case TM_PART_FLOATS:
    case TM_PART_FLOAT_PRODUCTS:
    case TM_PART_DISTINCT: return MANNER_SUM;
    case TM_PART_LEAST:
    case TM_PART_GREATEST:
    case TM_PART_FIRST:
    case TM_PART_LAST:
    case TM_PART_ARG_LEAST:
    case TM_PART_ARG_GREATEST: return MANNER_STACKS;
    case TM_PART_VALUES: return MANNER_GATHERED;
    case TM_PART_SEEN: break;
  }
  assert(!"plans of spans count rows");
  return MANNER_NONE;
}

/* An empty table that can be read at once: what is merged into it later needs no sealing. */
static tm_group_table *create_table(tm_window_span *s, tm_error *err) {
  tm_group_table *table = tm_group_table_create(s->budget, s->plan, s->needed, err);
  if (table == NULL) return NULL;
  tm_part *const *parts = tm_group_table_parts(table);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (parts[i] != NULL) parts[i]->counts = true;
  }
  int more;
  do more = tm_group_table_seal_step(table, false, err);
  while (more > 0);
  if (more == 0) return table;
  tm_group_table_destroy(table);
  return NULL;
}

static bool create_stacks(tm_window_span *s) {
  tm_part *const *parts = tm_group_table_parts(s->table);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (parts[i] == NULL) continue;
    s->manners[i] = manner_of(s->plan->parts[i].kind);
    s->gathers |= s->manners[i] == MANNER_GATHERED;
    if (s->manners[i] != MANNER_STACKS) continue;
    s->stacks = true;
    s->front[i] = tm_part_create(s->budget, &s->plan->parts[i]);
    s->back[i] = tm_part_create(s->budget, &s->plan->parts[i]);
    if (s->front[i] == NULL || s->back[i] == NULL) return false;
  }
  return true;
}

static bool grow_stacks(tm_window_span *s) {
  uint32_t groups = tm_group_table_count(s->table);
  for (uint32_t i = 0; s->stacks && i < s->plan->part_count; i++) {
    if (s->manners[i] != MANNER_STACKS) continue;
    if (!tm_part_grow(s->front[i], groups) || !tm_part_grow(s->back[i], groups)) return false;
  }
  return true;
}

tm_window_span *tm_window_span_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, bool keeps_groups, tm_error *err) {
  assert(plan->counted);
  tm_window_span *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) {
    no_memory(err);
    return NULL;
  }
  uint32_t parts = plan->part_count;
  s->budget = budget;
  s->plan = plan;
  s->needed = needed;
  s->keeps_groups = keeps_groups;
  s->manners = tm_alloc_zero(budget, parts * sizeof *s->manners);
  s->front = tm_alloc_zero(budget, parts * sizeof *s->front);
  s->back = tm_alloc_zero(budget, parts * sizeof *s->back);
  s->table = create_table(s, err);
  if (s->manners != NULL && s->front != NULL && s->back != NULL && s->table != NULL &&
      create_stacks(s) && grow_stacks(s)) {
    return s;
  }
  no_memory(err);
  tm_window_span_destroy(s);
  return NULL;
}

void tm_window_span_destroy(tm_window_span *s) {
  if (s == NULL) return;
  uint32_t parts = s->plan->part_count;
  for (uint32_t i = 0; i < parts; i++) {
    if (s->front != NULL) tm_part_destroy(s->front[i]);
    if (s->back != NULL) tm_part_destroy(s->back[i]);
  }
  tm_group_table_destroy(s->table);
  tm_free(s->budget, s->manners, parts * sizeof *s->manners);
  tm_free(s->budget, s->front, parts * sizeof *s->front);
  tm_free(s->budget, s->back, parts * sizeof *s->back);
  tm_free(s->budget, s->members, s->room * sizeof *s->members);
  tm_free(s->budget, s, sizeof *s);
}

tm_group_table *tm_window_span_table(tm_window_span *s) { return s->table; }

static void free_after(tm_window_span *s, tm_span_slice *slice) {
  if (slice->after == NULL) return;
  for (uint32_t i = 0; i < s->plan->part_count; i++) tm_part_destroy(slice->after[i]);
  tm_free(s->budget, slice->after, s->plan->part_count * sizeof *slice->after);
  slice->after = NULL;
}

void tm_window_span_forget(tm_window_span *s, tm_span_slice *slice) {
  free_after(s, slice);
  tm_free(s->budget, slice->to, slice->count * sizeof *slice->to);
  slice->to = NULL;
  slice->at = 0;
  slice->in = false;
}

/* ---------------------------------------------------------------- members */

/* Slices mostly come in order. */
static bool add_member(tm_window_span *s, tm_span_slice *slice) {
  if (s->end == s->room) {
    uint32_t count = s->end - s->head, room = count * 2 < ROOM_MIN ? ROOM_MIN : count * 2;
    tm_span_slice **members = tm_alloc(s->budget, room * sizeof *members);
    if (members == NULL) return false;
    if (count > 0) memcpy(members, s->members + s->head, count * sizeof *members);
    tm_free(s->budget, s->members, s->room * sizeof *members);
    s->members = members;
    s->head = 0;
    s->end = count;
    s->room = room;
  }
  uint32_t at = s->end++;
  for (; at > s->head && s->members[at - 1]->order > slice->order; at--) {
    s->members[at] = s->members[at - 1];
  }
  s->members[at] = slice;
  return true;
}

static void remove_member(tm_window_span *s, const tm_span_slice *slice) {
  uint32_t at = s->head;
  while (s->members[at] != slice) at++;
  for (; at > s->head; at--) s->members[at] = s->members[at - 1];
  s->head++;
}

tm_span_slice *tm_window_span_oldest(const tm_window_span *s) {
  return s->head < s->end ? s->members[s->head] : NULL;
}

tm_span_slice *tm_window_span_newest(const tm_window_span *s) {
  return s->head < s->end ? s->members[s->end - 1] : NULL;
}

/* ---------------------------------------------------------------- pieces of slices */

static uint32_t chunk_of(uint32_t count, uint32_t at) {
  return count - at < CHUNK ? count - at : CHUNK;
}

/* Numbers of the groups at … at+count-1 of a slice. */
static const uint32_t *ids_of(const tm_span_slice *slice, uint32_t at, uint32_t count,
                              uint32_t *scratch) {
  if (slice->ids != NULL) return slice->ids + at;
  for (uint32_t i = 0; i < count; i++) scratch[i] = at + i;
  return scratch;
}

static bool merge(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
                  uint32_t count) {
  uint64_t at = 0;
  int more;
  do more = part->class->merge(part, from, ids, to, count, 0, &at);
  while (more > 0);
  return more == 0;
}

static bool unmerge(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
                    uint32_t count) {
  uint64_t at = 0;
  int more;
  do more = part->class->unmerge(part, from, ids, to, count, &at);
  while (more > 0);
  return more == 0;
}

/* Groups at … at+count-1 of a slice, whose places are known. */
static bool add_chunk(tm_window_span *s, const tm_span_slice *slice, uint32_t at, uint32_t count) {
  uint32_t scratch[CHUNK];
  const uint32_t *ids = ids_of(slice, at, count, scratch), *to = slice->to + at;
  tm_part *const *parts = tm_group_table_parts(s->table);
  tm_part *const *from = tm_group_table_parts(slice->table);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (s->manners[i] == MANNER_SUM && !merge(parts[i], from[i], ids, to, count)) return false;
    if (s->manners[i] == MANNER_STACKS && !merge(s->back[i], from[i], ids, to, count)) {
      return false;
    }
  }
  return true;
}

static bool take_chunk(tm_window_span *s, const tm_span_slice *slice, uint32_t at,
                       uint32_t count) {
  uint32_t scratch[CHUNK], plain[CHUNK];
  const uint32_t *ids = ids_of(slice, at, count, scratch), *to = slice->to + at;
  tm_part *const *parts = tm_group_table_parts(s->table);
  tm_part *const *from = tm_group_table_parts(slice->table);
  for (uint32_t i = 0; i < count; i++) plain[i] = at + i;
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (s->manners[i] == MANNER_SUM && !unmerge(parts[i], from[i], ids, to, count)) return false;
    if (s->manners[i] != MANNER_STACKS) continue;
    if (!s->front[i]->class->clear(s->front[i], to, count) ||
        !merge(s->front[i], slice->after[i], plain, to, count)) {
      return false;
    }
  }
  return true;
}

/* ---------------------------------------------------------------- enter */

/* The places of a chunk: of keys that are new, at the end. */
static int place_chunk(tm_window_span *s, tm_span_slice *slice, uint32_t at, uint32_t count,
                       tm_error *err) {
  uint32_t scratch[CHUNK];
  const uint32_t *ids = ids_of(slice, at, count, scratch);
  const tm_key_table *keys = tm_group_table_keys(slice->table);
  if (tm_group_table_join(s->table, keys, ids, count, slice->to + at, err) < 0) return -1;
  return grow_stacks(s) ? 0 : no_memory(err);
}

int tm_window_span_enter_step(tm_window_span *s, tm_span_slice *slice, tm_error *err) {
  assert(!slice->in && slice->after == NULL);
  if (slice->to == NULL) {
    slice->to = tm_alloc(s->budget, slice->count * sizeof *slice->to);
    if (slice->to == NULL) return no_memory(err);
  }
  if (slice->at < slice->count) {
    uint32_t count = chunk_of(slice->count, slice->at);
    if (place_chunk(s, slice, slice->at, count, err) < 0) return -1;
    if (!add_chunk(s, slice, slice->at, count)) return no_memory(err);
    slice->at += count;
    if (slice->at < slice->count) return 1;
  }
  if (!add_member(s, slice)) return no_memory(err);
  slice->in = true;
  slice->at = 0;
  return 0;
}

int tm_window_span_join(tm_window_span *s, const tm_key_table *keys, tm_error *err) {
  uint32_t plain[CHUNK], to[CHUNK], keys_count = tm_key_table_count(keys);
  for (uint32_t at = 0; at < keys_count; at += CHUNK) {
    uint32_t count = chunk_of(keys_count, at);
    for (uint32_t i = 0; i < count; i++) plain[i] = at + i;
    if (tm_group_table_join(s->table, keys, plain, count, to, err) < 0) return -1;
    if (!grow_stacks(s)) return no_memory(err);
  }
  return 0;
}

/* ---------------------------------------------------------------- leave */

static bool clear_parts(tm_window_span *s, tm_part **parts) {
  uint32_t groups = tm_group_table_count(s->table);
  for (uint32_t i = 0; s->stacks && i < s->plan->part_count; i++) {
    if (s->manners[i] != MANNER_STACKS || groups == 0) continue;
    if (!parts[i]->class->clear(parts[i], NULL, groups)) return false;
  }
  return true;
}

static bool create_after(tm_window_span *s, tm_span_slice *slice) {
  slice->after = tm_alloc_zero(s->budget, s->plan->part_count * sizeof *slice->after);
  for (uint32_t i = 0; slice->after != NULL && i < s->plan->part_count; i++) {
    if (s->manners[i] != MANNER_STACKS) continue;
    slice->after[i] = tm_part_create(s->budget, &s->plan->parts[i]);
    if (slice->after[i] == NULL || !tm_part_grow(slice->after[i], slice->count)) return false;
  }
  return slice->after != NULL;
}

/* Notes what groups are without the slice, which is what front has so far; then it joins front. */
static bool flip_chunk(tm_window_span *s, tm_span_slice *slice, uint32_t at, uint32_t count) {
  uint32_t scratch[CHUNK], plain[CHUNK];
  const uint32_t *ids = ids_of(slice, at, count, scratch), *to = slice->to + at;
  tm_part *const *from = tm_group_table_parts(slice->table);
  for (uint32_t i = 0; i < count; i++) plain[i] = at + i;
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (s->manners[i] != MANNER_STACKS) continue;
    if (!merge(slice->after[i], s->front[i], to, plain, count) ||
        !merge(s->front[i], from[i], ids, to, count)) {
      return false;
    }
  }
  return true;
}

/* Makes all slices the front, from the newest to the oldest. */
static int flip_step(tm_window_span *s, tm_error *err) {
  if (!s->flipping) {
    for (uint32_t i = s->head; i < s->end; i++) free_after(s, s->members[i]);
    if (!clear_parts(s, s->front)) return no_memory(err);
    s->member = s->end;
    s->at = 0;
    s->flipping = true;
  }
  if (s->member > s->head) {
    tm_span_slice *slice = s->members[s->member - 1];
    if (s->at == 0 && !create_after(s, slice)) return no_memory(err);
    uint32_t count = chunk_of(slice->count, s->at);
    if (!flip_chunk(s, slice, s->at, count)) return no_memory(err);
    s->at += count;
    if (s->at < slice->count) return 1;
    s->at = 0;
    s->member--;
    return 1;
  }
  if (!clear_parts(s, s->back)) return no_memory(err);
  s->flipping = false;
  return 0;
}

int tm_window_span_leave_step(tm_window_span *s, tm_span_slice *slice, tm_error *err) {
  assert(slice->in);
  if (s->flipping || (s->stacks && slice->after == NULL)) {
    int more = flip_step(s, err);
    return more == 0 ? 1 : more;
  }
  if (slice->at < slice->count) {
    uint32_t count = chunk_of(slice->count, slice->at);
    if (!take_chunk(s, slice, slice->at, count)) return no_memory(err);
    slice->at += count;
    if (slice->at < slice->count) return 1;
  }
  remove_member(s, slice);
  tm_window_span_forget(s, slice);
  return 0;
}

/* ---------------------------------------------------------------- made anew */

static bool is_stale(const tm_window_span *s) {
  uint32_t groups = tm_group_table_count(s->table), dead = 0;
  tm_part *const *parts = tm_group_table_parts(s->table);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (parts[i] != NULL && tm_part_is_stale(parts[i])) return true;
  }
  if (groups <= DEAD_FREE || s->keeps_groups) return false;
  const int64_t *rows = tm_group_table_rows(s->table);
  for (uint32_t i = 0; i < groups; i++) dead += rows[i] == 0;
  return dead > DEAD_FREE && dead > groups / 2;
}

static int remake_start(tm_window_span *s, tm_error *err) {
  if (!clear_parts(s, s->front) || !clear_parts(s, s->back)) return no_memory(err);
  for (uint32_t i = s->head; i < s->end; i++) free_after(s, s->members[i]);
  tm_group_table_destroy(s->table);
  s->table = create_table(s, err);
  s->member = s->head;
  s->at = 0;
  s->settling = SETTLE_REMAKE;
  return s->table == NULL ? -1 : 1;
}

static int remake_step(tm_window_span *s, tm_error *err) {
  if (s->member == s->end) return 0;
  tm_span_slice *slice = s->members[s->member];
  uint32_t count = chunk_of(slice->count, s->at);
  if (place_chunk(s, slice, s->at, count, err) < 0) return -1;
  if (!add_chunk(s, slice, s->at, count)) return no_memory(err);
  s->at += count;
  if (s->at < slice->count) return 1;
  s->at = 0;
  s->member++;
  return 1;
}

/* ---------------------------------------------------------------- the result */

/* Front and back together, a chunk of groups. */
static bool join_stacks(tm_window_span *s, uint32_t at, uint32_t count) {
  tm_part *const *parts = tm_group_table_parts(s->table);
  uint32_t plain[CHUNK];
  for (uint32_t i = 0; i < count; i++) plain[i] = at + i;
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (s->manners[i] != MANNER_STACKS) continue;
    if (!merge(parts[i], s->front[i], plain, plain, count) ||
        !merge(parts[i], s->back[i], plain, plain, count)) {
      return false;
    }
  }
  return true;
}

static int stacks_step(tm_window_span *s, tm_error *err) {
  uint32_t groups = tm_group_table_count(s->table), count = chunk_of(groups, s->at);
  tm_part *const *parts = tm_group_table_parts(s->table);
  if (s->at == 0 && !clear_parts(s, (tm_part **)parts)) return no_memory(err);
  if (!join_stacks(s, s->at, count)) return no_memory(err);
  s->at += count;
  return s->at < groups;
}

static int values_step(tm_window_span *s, tm_error *err) {
  tm_part *const *parts = tm_group_table_parts(s->table);
  uint32_t scratch[CHUNK];
  const tm_span_slice *slice = s->member < s->end ? s->members[s->member] : NULL;
  uint32_t count = slice == NULL ? 0 : chunk_of(slice->count, s->at);
  const uint32_t *ids = slice == NULL ? NULL : ids_of(slice, s->at, count, scratch);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (s->manners[i] != MANNER_GATHERED) continue;
    bool first = s->member == s->head && s->at == 0;
    if (first && !parts[i]->class->clear(parts[i], NULL, 0)) return no_memory(err);
    if (slice == NULL) continue;
    const tm_part *from = tm_group_table_parts(slice->table)[i];
    if (!merge(parts[i], from, ids, slice->to + s->at, count)) return no_memory(err);
  }
  s->at += count;
  if (slice != NULL && s->at < slice->count) return 1;
  s->at = 0;
  s->member++;
  return s->member < s->end;
}

static int seal_step(tm_window_span *s, tm_error *err) {
  tm_part *const *parts = tm_group_table_parts(s->table);
  for (uint32_t i = 0; i < s->plan->part_count; i++) {
    if (s->manners[i] != MANNER_GATHERED || parts[i]->sealed) continue;
    int more = parts[i]->class->seal(parts[i], tm_group_table_count(s->table));
    if (more < 0) return no_memory(err);
    if (more > 0) return 1;
  }
  return 0;
}

static void start_values(tm_window_span *s) {
  s->settling = s->gathers ? SETTLE_VALUES : SETTLE_IDLE;
  s->member = s->head;
  s->at = 0;
}

static void start_result(tm_window_span *s) {
  s->at = 0;
  if (s->stacks) s->settling = SETTLE_STACKS;
  else start_values(s);
}

int tm_window_span_settle_step(tm_window_span *s, tm_error *err) {
  int more = 0;
  switch (s->settling) {
    case SETTLE_IDLE:
      if (is_stale(s)) more = remake_start(s, err);
      else start_result(s);
      break;
    case SETTLE_REMAKE:
      more = remake_step(s, err);
      if (more == 0) start_result(s);
      break;
    case SETTLE_STACKS:
      more = stacks_step(s, err);
      if (more == 0) start_values(s);
      break;
    case SETTLE_VALUES:
      more = values_step(s, err);
      if (more == 0) s->settling = SETTLE_SEAL;
      break;
    case SETTLE_SEAL:
      more = seal_step(s, err);
      if (more == 0) s->settling = SETTLE_IDLE;
      break;
  }
  if (more < 0) return -1;
  return s->settling == SETTLE_IDLE ? 0 : 1;
}

int tm_window_span_clear(tm_window_span *s, tm_error *err) {
  assert(!s->flipping && s->settling == SETTLE_IDLE);
  if (!clear_parts(s, s->front) || !clear_parts(s, s->back)) return no_memory(err);
  for (uint32_t i = s->head; i < s->end; i++) tm_window_span_forget(s, s->members[i]);
  s->head = s->end = 0;
  if (tm_group_table_clear(s->table, err) < 0) return -1;
  int more;
  do more = tm_group_table_seal_step(s->table, false, err);
  while (more > 0);
  return more;
}
