/* state/selection.c: quantiles of a group by selecting, not sorting.
 *
 * The group's values are copied, then quickselect narrows the range in which the wanted rank lies.
 * Its partition moves elements without a branch that data decides. Values equal to the pivot go
 * right; where nothing is less than it, a second pass puts them left, so that columns of few
 * different values stay linear. Every loop can stop after some items and go on in the next call. */
#include "state/accumulator_values.h"

#include <assert.h>
#include <math.h>

enum {
  SORTED_BELOW = 16, /* ranges that are sorted by insertion */
  GROUP_WORK = 16,   /* what a group costs beside its values */
};

typedef enum phase { PHASE_START, PHASE_COPY, PHASE_PIVOT, PHASE_PARTITION, PHASE_NEXT } phase;

struct tm_selection {
  tm_budget *budget;
  uint64_t *values;
  uint64_t room, count;
  phase phase;
  uint32_t run;         /* COPY: the run, and how much of it is copied */
  uint64_t run_at;
  uint64_t rank;        /* wanted: the value at this place, were they sorted */
  uint64_t left, right; /* the place lies within [left, right) */
  uint64_t pivot, at, middle;
  bool equals;          /* partition by <= instead of < */
  uint64_t next;        /* NEXT: least of the values behind the rank */
};

tm_selection *tm_selection_create(tm_budget *budget) {
  tm_selection *s = tm_alloc_zero(budget, sizeof *s);
  if (s != NULL) s->budget = budget;
  return s;
}

void tm_selection_destroy(tm_selection *selection) {
  if (selection == NULL) return;
  tm_budget *budget = selection->budget;
  tm_free(budget, selection->values, selection->room * sizeof *selection->values);
  tm_free(budget, selection, sizeof *selection);
}

static bool reserve(tm_selection *s, uint64_t count) {
  if (count <= s->room) return true;
  uint64_t room = s->room < 1024 ? 1024 : s->room;
  while (room < count) room *= 2;
  tm_free(s->budget, s->values, s->room * sizeof *s->values);
  s->values = tm_alloc(s->budget, room * sizeof *s->values);
  s->room = s->values == NULL ? 0 : room;
  return s->values != NULL;
}

/* Copies up to *work values; true when all are there. */
static bool copy(tm_selection *s, const tm_part *part, uint32_t group, uint64_t *work) {
  const uint64_t *run;
  uint64_t size;
  while (tm_values_run(part, group, s->run, &run, &size)) {
    uint64_t count = size - s->run_at < *work ? size - s->run_at : *work;
    memcpy(s->values + s->at, run + s->run_at, count * sizeof *run);
    s->at += count;
    s->run_at += count;
    *work -= count;
    if (s->run_at < size) return false;
    s->run++;
    s->run_at = 0;
  }
  return true;
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t low = a < b ? a : b, high = a < b ? b : a;
  return c < low ? low : c > high ? high : c;
}

static void choose_pivot(tm_selection *s) {
  const uint64_t *v = s->values + s->left;
  uint64_t n = s->right - s->left, step = n / 9;
  if (n < 128) {
    s->pivot = middle_of(v[0], v[n / 2], v[n - 1]);
  } else {
    s->pivot = middle_of(middle_of(v[0], v[step], v[2 * step]),
                         middle_of(v[3 * step], v[4 * step], v[5 * step]),
                         middle_of(v[6 * step], v[7 * step], v[8 * step]));
  }
  s->at = s->middle = s->left;
  s->equals = false;
}

static void sort_range(uint64_t *values, uint64_t count) {
  for (uint64_t i = 1; i < count; i++) {
    uint64_t value = values[i], to = i;
    for (; to > 0 && values[to - 1] > value; to--) values[to] = values[to - 1];
    values[to] = value;
  }
}

/* Values below the limit come to the front of [from, to); returns where the next would go. */
static uint64_t partition(uint64_t *restrict v, uint64_t from, uint64_t to, uint64_t middle,
                          uint64_t pivot, bool equals) {
  if (equals) {
    for (uint64_t i = from; i < to; i++) {
      uint64_t value = v[i];
      v[i] = v[middle];
      v[middle] = value;
      middle += value <= pivot;
    }
  } else {
    for (uint64_t i = from; i < to; i++) {
      uint64_t value = v[i];
      v[i] = v[middle];
      v[middle] = value;
      middle += value < pivot;
    }
  }
  return middle;
}

/* After a partition: the half in which the rank is; true when values[rank] is right. */
static bool narrow(tm_selection *s) {
  s->phase = PHASE_PIVOT;
  if (s->equals) {
    if (s->rank < s->middle) return true; /* all of [left, middle) equal the pivot */
    s->left = s->middle;
  } else if (s->rank < s->middle) {
    s->right = s->middle;
  } else if (s->middle > s->left) {
    s->left = s->middle;
  } else { /* nothing is less than the pivot */
    s->at = s->middle = s->left;
    s->equals = true;
    s->phase = PHASE_PARTITION;
  }
  return false;
}

/* true when values[rank] is right. */
static bool select_rank(tm_selection *s, uint64_t *work) {
  while (*work > 0) {
    if (s->phase == PHASE_PIVOT) {
      if (s->right - s->left <= SORTED_BELOW) {
        sort_range(s->values + s->left, s->right - s->left);
        return true;
      }
      choose_pivot(s);
      s->phase = PHASE_PARTITION;
    }
    uint64_t count = s->right - s->at < *work ? s->right - s->at : *work;
    s->middle = partition(s->values, s->at, s->at + count, s->middle, s->pivot, s->equals);
    s->at += count;
    *work -= count;
    if (s->at == s->right && narrow(s)) return true;
  }
  return false;
}

static bool find_next(tm_selection *s, uint64_t *work) {
  uint64_t end = s->count - s->at < *work ? s->count : s->at + *work;
  *work -= end - s->at;
  for (; s->at < end; s->at++) s->next = s->values[s->at] < s->next ? s->values[s->at] : s->next;
  return s->at == s->count;
}

static double interpolate(const tm_selection *s, double part) {
  double low = tm_values_double(s->values[s->rank]);
  if (part == 0) return low;
  double high = tm_values_double(s->next);
  if (low == high) return low;
  if (isfinite(low) && isfinite(high) && !isfinite(high - low)) {
    return low * (1 - part) + high * part;
  }
  return low + (high - low) * part;
}

static void start(tm_selection *s, const tm_part *part, uint32_t group) {
  const uint64_t *run;
  uint64_t size;
  s->count = 0;
  for (uint32_t nth = 0; tm_values_run(part, group, nth, &run, &size); nth++) s->count += size;
  s->run = 0;
  s->run_at = s->at = 0;
}

static void spend(uint64_t *work, uint64_t amount) { *work -= amount < *work ? amount : *work; }

int tm_selection_step(tm_selection *s, const tm_part *part, uint32_t group, double share,
                      uint64_t *work, double *out, bool *there) {
  if (s->phase == PHASE_START) {
    start(s, part, group);
    spend(work, GROUP_WORK);
    *there = s->count > 0;
    if (s->count == 0) return 0;
    if (!reserve(s, s->count)) return -1;
    s->phase = PHASE_COPY;
  }
  double place = share * (double)(s->count - 1), whole = floor(place);
  if (s->phase == PHASE_COPY) {
    if (!copy(s, part, group, work)) return 1;
    s->rank = (uint64_t)whole < s->count ? (uint64_t)whole : s->count - 1;
    s->left = 0;
    s->right = s->count;
    s->phase = PHASE_PIVOT;
  }
  if (s->phase == PHASE_PIVOT || s->phase == PHASE_PARTITION) {
    if (!select_rank(s, work)) return 1;
    s->phase = PHASE_NEXT;
    s->at = s->rank + 1;
    s->next = UINT64_MAX;
  }
  if (!find_next(s, work)) return 1;
  if (s->rank + 1 == s->count) s->next = s->values[s->rank];
  *out = interpolate(s, place - whole);
  *there = true;
  s->phase = PHASE_START;
  return 0;
}
