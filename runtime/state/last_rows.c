/* state/last_rows.c: see last_rows.h. The invariant: the list ascends by time, and a key's number
 * names its newest row of the list, or a node that is another's by now, which the stamp tells. */
#include "state/last_rows.h"

#include <assert.h>

#include "state/batch_record.h"

enum { SAVED_ROWS = 2048, IN_BATCH = UINT32_MAX - 1, STAMP_MASK = 0x7fffffff };

/* A node whose row is still in the batch that is being added has where.segment == IN_BATCH. */

int tm_last_rows_init(tm_last_rows *l, tm_budget *budget, const tm_schema *schema,
                      const uint8_t *needed, const uint32_t *keys, const tm_type *key_types,
                      uint32_t key_count, int64_t within_us) {
  *l = (tm_last_rows){.keys = keys, .key_count = key_count, .first_free = TM_LAST_NONE,
                      .oldest = TM_LAST_NONE, .newest = TM_LAST_NONE};
  tm_time_segments_init(&l->segments, budget, schema, needed);
  l->segments.copies = true;
  l->key_columns = tm_alloc(budget, key_count * sizeof *l->key_columns);
  if (l->key_columns == NULL) return -1;
  return tm_recent_keys_init(&l->recent, budget, key_types, key_count, within_us);
}

void tm_last_rows_deinit(tm_last_rows *l) {
  tm_budget *budget = l->segments.budget;
  tm_free(budget, l->nodes, l->node_capacity * sizeof *l->nodes);
  tm_free(budget, l->replaced, l->replaced_capacity * sizeof *l->replaced);
  tm_free(budget, l->key_columns, l->key_count * sizeof *l->key_columns);
  tm_recent_keys_deinit(&l->recent);
  tm_time_segments_deinit(&l->segments);
  l->nodes = NULL;
  l->replaced = NULL;
  l->key_columns = NULL;
  l->node_capacity = l->replaced_capacity = 0;
}

/* ------------------------------------------------------------------ the list */

static int reserve(tm_budget *budget, void **array, uint32_t *capacity, uint32_t count,
                   size_t width) {
  uint32_t bigger = *capacity < 64 ? 64 : *capacity;
  if (count <= *capacity) return 0;
  while (bigger < count) bigger *= 2;
  void *grown = tm_realloc(budget, *array, *capacity * width, bigger * width);
  if (grown == NULL) return -1;
  *array = grown;
  *capacity = bigger;
  return 0;
}

/* A node at the end of the list; there is room. */
static uint32_t append(tm_last_rows *l, tm_time_row where) {
  uint32_t at = l->first_free;
  if (at == TM_LAST_NONE) {
    at = l->node_count++;
    l->nodes[at].stamp = 0;
  } else {
    l->first_free = l->nodes[at].newer;
  }
  tm_last_node *node = &l->nodes[at];
  *node = (tm_last_node){.where = where, .older = l->newest, .newer = TM_LAST_NONE,
                         .stamp = node->stamp};
  if (l->newest != TM_LAST_NONE) l->nodes[l->newest].newer = at;
  else l->oldest = at;
  l->newest = at;
  l->added++;
  return at;
}

static void unlink_node(tm_last_rows *l, uint32_t at) {
  tm_last_node *node = &l->nodes[at];
  if (node->older != TM_LAST_NONE) l->nodes[node->older].newer = node->newer;
  else l->oldest = node->newer;
  if (node->newer != TM_LAST_NONE) l->nodes[node->newer].older = node->older;
  else l->newest = node->older;
  node->newer = l->first_free;
  node->stamp = (node->stamp + 1) & STAMP_MASK;
  l->first_free = at;
}

static int64_t name_of(const tm_last_rows *l, uint32_t at) {
  return (int64_t)((uint64_t)l->nodes[at].stamp << 32 | at);
}

/* The node that a key's number names, if it is still in the list. */
static uint32_t node_of(const tm_last_rows *l, int64_t name) {
  if (name == TM_KEYS_NONE) return TM_LAST_NONE;
  uint32_t at = (uint32_t)name;
  return at < l->node_count && l->nodes[at].stamp == (uint64_t)name >> 32 ? at : TM_LAST_NONE;
}

/* ------------------------------------------------------------------ adding */

typedef struct adding {
  const tm_batch *batch;
  const uint32_t *ids;   /* of the rows with a key, in order */
  uint32_t id_count, id_at;
  int64_t superseded;    /* rows of the batch itself */
} adding;

static tm_time_row place_of(const adding *a, uint32_t row) {
  const int64_t *times = a->batch->times;
  return (tm_time_row){times == NULL ? 0 : times[row], IN_BATCH, row};
}

static void replace(tm_last_rows *l, adding *a, uint32_t at, int64_t time_us) {
  const tm_last_node *old = &l->nodes[at];
  int64_t within_us = l->recent.within_us;
  if (within_us != TM_KEYS_FOR_EVER &&
      (uint64_t)time_us - (uint64_t)old->where.time_us > (uint64_t)within_us) {
    return;
  }
  if (old->where.segment == IN_BATCH) {
    a->superseded++;
    l->added--;
  } else {
    l->replaced[l->replaced_count++] = old->where;
  }
  unlink_node(l, at);
}

/* Rows `from` … `to`-1 of the selection, whose keys are of one generation. */
static void add_rows(tm_last_rows *l, adding *a, const uint8_t *keyed, uint32_t from,
                     uint32_t to) {
  for (uint32_t i = from; i < to; i++) {
    uint32_t row = tm_batch_row(a->batch, i);
    tm_time_row where = place_of(a, row);
    if (!keyed[row]) {
      l->nodes[append(l, where)].keyless = true;
      continue;
    }
    int64_t *name = &l->recent.now.values[a->ids[a->id_at++]];
    uint32_t old = node_of(l, *name);
    if (old != TM_LAST_NONE) replace(l, a, old, where.time_us);
    *name = name_of(l, append(l, where));
  }
}

/* The rows of the batch that are left move to the segments. */
static int keep_rows(tm_last_rows *l, tm_batch *batch) {
  tm_budget *budget = l->segments.budget;
  uint32_t count = l->added, at = l->newest;
  uint32_t *rows = tm_alloc(budget, count * sizeof *rows);
  tm_time_row *places = tm_alloc(budget, count * sizeof *places);
  int done = rows == NULL || places == NULL ? -1 : 0;
  for (uint32_t i = count; done == 0 && i > 0; i--, at = l->nodes[at].older) {
    rows[i - 1] = l->nodes[at].where.row;
    places[i - 1] = l->nodes[at].where;
  }
  if (done == 0 && count > 0) done = tm_time_segments_add(&l->segments, batch, rows, count, places);
  at = l->newest;
  for (uint32_t i = count; done == 0 && i > 0; i--, at = l->nodes[at].older) {
    l->nodes[at].where = places[i - 1];
  }
  tm_free(budget, rows, count * sizeof *rows);
  tm_free(budget, places, count * sizeof *places);
  return done;
}

/* Takes the rows in as runs of one generation each. with: the rows that have a key. */
static int add_generations(tm_last_rows *l, adding *a, const uint8_t *keyed, const uint32_t *with,
                           uint32_t with_count, uint32_t *ids) {
  const tm_column **keys = l->key_columns;
  uint32_t at = 0;
  for (uint32_t i = 0; i < l->key_count; i++) keys[i] = &a->batch->columns[l->keys[i]];
  a->ids = ids;
  while (with_count > 0) {
    int64_t some = tm_recent_keys_open(&l->recent, a->batch->times, with, with_count);
    if (some < 0) return -1;
    if (tm_recent_keys_insert(&l->recent, keys, with, (uint32_t)some, ids) < 0) return -1;
    uint32_t to = at, last = with[some - 1];
    while (tm_batch_row(a->batch, to) != last) to++;
    a->id_at = 0;
    add_rows(l, a, keyed, at, to + 1);
    at = to + 1;
    with += some;
    with_count -= (uint32_t)some;
  }
  add_rows(l, a, keyed, at, a->batch->selected);
  return 0;
}

int64_t tm_last_rows_add(tm_last_rows *l, tm_batch *batch, const uint8_t *keyed) {
  tm_budget *budget = l->segments.budget;
  adding a = {.batch = batch};
  uint32_t count = batch->selected, with_count = 0;
  assert(l->replaced_count == 0 && "what was replaced is dropped first");
  l->added = 0;
  if (reserve(budget, (void **)&l->nodes, &l->node_capacity, l->node_count + count,
              sizeof *l->nodes) < 0 ||
      reserve(budget, (void **)&l->replaced, &l->replaced_capacity, count,
              sizeof *l->replaced) < 0) {
    return -1;
  }
  uint32_t *with = tm_alloc(budget, 2 * count * sizeof *with);
  if (with == NULL) return -1;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = tm_batch_row(batch, i);
    with[with_count] = row;
    with_count += keyed[row];
  }
  int done = add_generations(l, &a, keyed, with, with_count, with + count);
  tm_free(budget, with, 2 * count * sizeof *with);
  if (done == 0) done = keep_rows(l, batch);
  return done < 0 ? -1 : a.superseded;
}

/* ------------------------------------------------------------------ leaving */

static int thin_out(tm_last_rows *l) {
  if (!tm_time_segments_are_thin(&l->segments)) return 0;
  for (uint32_t at = l->oldest; at != TM_LAST_NONE; at = l->nodes[at].newer) {
    if (tm_time_segments_move(&l->segments, &l->nodes[at].where) < 0) return -1;
  }
  return 0;
}

void tm_last_rows_forget_keyless(tm_last_rows *l) {
  uint32_t at = l->newest;
  for (uint32_t i = l->added; i > 0; i--) {
    uint32_t older = l->nodes[at].older;
    if (l->nodes[at].keyless) {
      l->replaced[l->replaced_count++] = l->nodes[at].where;
      unlink_node(l, at);
    }
    at = older;
  }
}

int tm_last_rows_drop(tm_last_rows *l) {
  tm_time_segments_drop(&l->segments, l->replaced, l->replaced_count);
  l->replaced_count = 0;
  return thin_out(l);
}

/* Rows of the list from a node on, at most `max` and up to a time, to l->replaced. */
static int list_rows(tm_last_rows *l, uint32_t *at, int64_t last_us, uint32_t max) {
  l->replaced_count = 0;
  if (reserve(l->segments.budget, (void **)&l->replaced, &l->replaced_capacity, max,
              sizeof *l->replaced) < 0) {
    return -1;
  }
  while (*at != TM_LAST_NONE && l->replaced_count < max &&
         l->nodes[*at].where.time_us <= last_us) {
    l->replaced[l->replaced_count++] = l->nodes[*at].where;
    *at = l->nodes[*at].newer;
  }
  return 0;
}

int tm_last_rows_take(tm_last_rows *l, int64_t last_us, uint32_t max, tm_batch **out) {
  uint32_t end = l->oldest;
  *out = NULL;
  if (!tm_last_rows_has(l, last_us)) return 0;
  if (list_rows(l, &end, last_us, max) < 0) return -1;
  *out = tm_time_segments_gather(&l->segments, l->replaced, l->replaced_count);
  if (*out == NULL) return -1;
  while (l->oldest != end) unlink_node(l, l->oldest);
  if (tm_last_rows_drop(l) == 0) return 0;
  tm_batch_release(*out);
  *out = NULL;
  return -1;
}

/* ------------------------------------------------------------------ saving */

void tm_last_rows_save(tm_last_rows *l, tm_record_writer *writer) {
  uint32_t at = l->oldest;
  while (at != TM_LAST_NONE && !writer->failed) {
    tm_batch *batch = NULL;
    if (list_rows(l, &at, TM_TIME_END, SAVED_ROWS) == 0) {
      batch = tm_time_segments_gather(&l->segments, l->replaced, l->replaced_count);
    }
    tm_record_put(writer, 1);
    if (batch != NULL) tm_batch_record_save(batch, writer);
    else writer->failed = true;
    tm_batch_release(batch);
  }
  l->replaced_count = 0;
  tm_record_put(writer, 0);
}

static bool is_whole(const tm_last_rows *l, const tm_batch *batch) {
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    bool needed = l->segments.needed == NULL || l->segments.needed[c];
    if (!needed || batch->schema->fields[c].type.kind == TM_NULLTYPE) continue;
    if (batch->columns[c].data == NULL) return false;
  }
  return batch->times != NULL && batch->weights == NULL && batch->rows > 0;
}

int tm_last_rows_restore(tm_last_rows *l, tm_record_reader *reader, tm_arena *names,
                         tm_batch **out, tm_error *err) {
  *out = NULL;
  if (!tm_record_get(reader, 1)) return 0;
  *out = tm_batch_record_restore(reader, l->segments.budget, l->segments.schema, names, err);
  if (*out == NULL) return -1;
  if (is_whole(l, *out)) return 0;
  tm_batch_release(*out);
  *out = NULL;
  return tm_record_refuse(err);
}
