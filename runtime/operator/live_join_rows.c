/* operator/live_join_rows.c: the rows that a live join keeps: chains of equal keys, the newest row
 * first; an index by all columns where rows may be taken back; rows by time where they expire.
 *
 * A key is there as long as a row of either side has it. Equal rows of a side that may take them
 * back are one row with a weight; where rows are final each is kept by itself, which costs no look
 * at its columns. */
#include "operator/live_join.h"

#include <assert.h>
#include <string.h>

#include "kernel/cast.h"
#include "kernel/hash_rows.h"

enum { EXPIRE_ROWS = 4096 };

typedef tm_live_join live_join;
typedef tm_live_side live_side;
typedef tm_live_row live_row;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

/* ---------------------------------------------------------------- life */

static tm_row_set *make_keys(const live_join *j) {
  tm_type types[TM_JOIN_KEYS_MAX];
  const tm_join_keys *keys = &j->plan->join.keys[0];
  for (uint32_t i = 0; i < keys->count; i++) types[i] = keys->types->fields[i].type;
  return tm_row_set_create(j->env.budget, types, keys->count, false);
}

int tm_live_join_rows_init(tm_live_join *j, tm_error *err) {
  tm_budget *budget = j->env.budget;
  j->time_parts[0] = j->time_parts[1] = (tm_tuple_part){.type = tm_type_of(TM_INT64)};
  tm_tuple_init(&j->time_spec, j->time_parts, 2);
  bool done = (j->keys = make_keys(j)) != NULL;
  for (uint32_t side = 0; side < 2; side++) {
    live_side *s = &j->sides[side];
    s->index.budget = budget;
    const uint8_t *kept = j->plan->join.kept[side];
    done &= tm_row_pool_init(&s->pool, budget, j->env.bind->inputs[side], kept,
                             sizeof(live_row)) == 0;
    if (j->plan->ttl_us > 0 && done) {
      s->times = tm_multiset_pool_create(budget, &j->time_spec);
      done = s->times != NULL;
    }
  }
  return done ? 0 : no_memory(err);
}

void tm_live_join_rows_deinit(tm_live_join *j) {
  for (uint32_t side = 0; side < 2; side++) {
    live_side *s = &j->sides[side];
    tm_row_pool_deinit(&s->pool);
    tm_slot_table_deinit(&s->index);
    tm_multiset_pool_destroy(s->times);
    tm_free(j->env.budget, s->heads, s->capacity * sizeof *s->heads);
  }
  tm_row_set_destroy(j->keys);
}

static bool grow_heads(live_join *j, live_side *s, uint32_t keys) {
  if (keys <= s->capacity) return true;
  uint32_t capacity = s->capacity == 0 ? 64 : s->capacity;
  while (capacity < keys) capacity *= 2;
  uint32_t *grown = tm_realloc(j->env.budget, s->heads, s->capacity * sizeof *grown,
                               capacity * sizeof *grown);
  if (grown == NULL) return false;
  memset(grown + s->capacity, 0xff, (capacity - s->capacity) * sizeof *grown); /* TM_POOL_NONE */
  s->heads = grown;
  s->capacity = capacity;
  return true;
}

bool tm_live_join_grow(tm_live_join *j, uint32_t keys) {
  return grow_heads(j, &j->sides[0], keys) && grow_heads(j, &j->sides[1], keys);
}

int tm_live_join_settle(tm_live_join *j) {
  int more = tm_row_set_settle_step(j->keys);
  for (uint32_t side = 0; side < 2 && more == 0; side++) {
    more = tm_slot_table_settle_step(&j->sides[side].index);
  }
  return more;
}

/* ---------------------------------------------------------------- keys of a batch */

/* The key columns in the types in which both sides compare; what is converted is the owner's. */
static bool convert_keys(const live_join *j, tm_batch *owner, const tm_column **columns) {
  const tm_batch *batch = j->probe.batch;
  const tm_join_keys *keys = &j->plan->join.keys[j->probe.port];
  for (uint32_t i = 0; i < keys->count; i++) {
    if (tm_cast_widen(owner, i, &batch->columns[keys->columns[i]]) < 0) return false;
    columns[i] = &owner->columns[i];
  }
  return true;
}

/* Rows without a null among their keys, and where they stand in the selection. */
static uint32_t list_usable(const live_join *j, const tm_column *const *columns, uint32_t *rows,
                            uint32_t *places) {
  const tm_batch *batch = j->probe.batch;
  uint32_t count = 0, keys = j->plan->join.keys[0].count;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    bool usable = true;
    for (uint32_t k = 0; k < keys; k++) usable &= !tm_column_is_null(columns[k], row);
    rows[count] = row;
    places[count] = i;
    count += usable;
  }
  return count;
}

static bool find_keys(live_join *j, tm_batch *owner) {
  tm_live_probe *p = &j->probe;
  const tm_column *columns[TM_JOIN_KEYS_MAX];
  size_t room = p->batch->selected + (size_t)1;
  uint32_t *rows = tm_batch_alloc(owner, room * sizeof *rows);
  uint32_t *places = tm_batch_alloc(owner, room * sizeof *places);
  uint32_t *ids = tm_batch_alloc(owner, room * sizeof *ids);
  if (rows == NULL || places == NULL || ids == NULL || !convert_keys(j, owner, columns)) {
    return false;
  }
  uint32_t count = list_usable(j, columns, rows, places);
  if (tm_row_set_insert(j->keys, columns, rows, count, ids) < 0) return false;
  for (uint32_t i = 0; i < p->batch->selected; i++) p->keys[i] = TM_ROW_SET_NONE;
  for (uint32_t i = 0; i < count; i++) p->keys[places[i]] = ids[i];
  return tm_live_join_grow(j, tm_row_set_end(j->keys));
}

int tm_live_join_find_keys(tm_live_join *j, tm_error *err) {
  const tm_schema *types = j->plan->join.keys[0].types;
  tm_batch *owner = tm_batch_create(j->env.budget, types, j->probe.batch->rows);
  bool done = owner != NULL && find_keys(j, owner);
  tm_batch_release(owner);
  return done ? 0 : no_memory(err);
}

/* ---------------------------------------------------------------- chains */

static void time_tuple(const live_row *row, uint32_t id, uint64_t out[2]) {
  out[0] = (uint64_t)row->time_us ^ (uint64_t)1 << 63; /* as tuple.h has an int64 */
  out[1] = id;
}

int tm_live_join_link(tm_live_join *j, uint32_t side, uint32_t id) {
  live_side *s = &j->sides[side];
  live_row *row = tm_live_join_row(j, side, id);
  row->previous = TM_POOL_NONE;
  row->next = s->heads[row->key];
  if (row->next != TM_POOL_NONE) tm_live_join_row(j, side, row->next)->previous = id;
  s->heads[row->key] = id;
  if (j->plan->retracts[side]) {
    if (!tm_slot_table_reserve(&s->index, 1)) return -1;
    tm_slot_table_insert(&s->index, row->salt, id);
  }
  if (s->times == NULL) return 0;
  uint64_t tuple[2];
  time_tuple(row, id, tuple);
  return tm_multiset_add(s->times, &s->by_time, tuple, 1);
}

static void forget(live_join *j, uint32_t side, uint32_t id) {
  live_side *s = &j->sides[side];
  live_row *row = tm_live_join_row(j, side, id);
  if (row->previous == TM_POOL_NONE) s->heads[row->key] = row->next;
  else tm_live_join_row(j, side, row->previous)->next = row->next;
  if (row->next != TM_POOL_NONE) tm_live_join_row(j, side, row->next)->previous = row->previous;
  if (j->plan->retracts[side]) tm_slot_table_remove(&s->index, row->salt, id);
  if (s->times != NULL) {
    uint64_t tuple[2];
    time_tuple(row, id, tuple);
    (void)tm_multiset_remove(s->times, &s->by_time, tuple, 1);
  }
  row->weight = 0; /* the slot is free */
  tm_row_pool_remove(&s->pool, id);
}

/* A key that no row has any more goes. */
static void forget_key(live_join *j, uint32_t key) {
  if (!tm_row_set_has(j->keys, key)) return;
  if (j->sides[0].heads[key] != TM_POOL_NONE || j->sides[1].heads[key] != TM_POOL_NONE) return;
  tm_row_set_remove(j->keys, key);
}

/* ---------------------------------------------------------------- rows by all their columns */

static bool same_cell(const tm_row_pool *pool, const char *kept, uint32_t column,
                      const tm_column *c, uint32_t row) {
  uint32_t place = pool->values[column], valid = pool->valids[column];
  bool null = tm_column_is_null(c, row), kept_null = valid != 0 && !kept[valid];
  if (null || kept_null) return null == kept_null;
  size_t width = tm_type_width(c->type);
  const char *value = (const char *)c->data + row * width;
  if (tm_type_physical(c->type) == TM_PHYSICAL_STR) {
    return tm_str_equal((const tm_str *)(const void *)(kept + place),
                        (const tm_str *)(const void *)value);
  }
  return memcmp(kept + place, value, width) == 0;
}

static bool same_row(const tm_row_pool *pool, uint32_t id, const tm_batch *batch, uint32_t row) {
  const char *kept = tm_row_pool_head(pool, id);
  for (uint32_t c = 0; c < pool->schema->count; c++) {
    if (pool->values[c] != 0 && !same_cell(pool, kept, c, &batch->columns[c], row)) return false;
  }
  return true;
}

/* The row that is kept and equal to a row of the batch; TM_POOL_NONE: there is none. */
static uint32_t find_row(const live_side *s, uint32_t salt, const tm_batch *batch, uint32_t row) {
  const tm_slot_table *t = &s->index;
  if (t->bits == 0) return TM_POOL_NONE;
  uint32_t mask = tm_slot_mask(t), at = tm_slot_home(salt, t->bits);
  for (; t->slots[at] != 0; at = (at + 1) & mask) {
    uint32_t id = (uint32_t)t->slots[at] - 1;
    if (t->slots[at] >> 32 == salt && same_row(&s->pool, id, batch, row)) return id;
  }
  return TM_POOL_NONE;
}

/* Hashes of the kept columns of all selected rows; NULL: memory. */
static uint64_t *hash_rows(live_join *j) {
  tm_live_probe *p = &j->probe;
  const tm_row_pool *pool = &j->sides[p->port].pool;
  tm_batch *batch = p->batch;
  uint64_t *hashes = tm_batch_alloc(batch, (batch->selected + (size_t)1) * sizeof *hashes);
  const tm_column **columns =
      tm_batch_alloc(batch, (batch->schema->count + (size_t)1) * sizeof *columns);
  if (hashes == NULL || columns == NULL) return NULL;
  uint32_t count = 0;
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (pool->values[c] != 0) columns[count++] = &batch->columns[c];
  }
  tm_hash_rows(columns, count, batch->selection, batch->selected, hashes);
  return hashes;
}

/* ---------------------------------------------------------------- a batch joins its side */

static void set_head(live_join *j, uint32_t id, uint32_t nth, int64_t weight, uint32_t salt) {
  const tm_live_probe *p = &j->probe;
  live_row *row = tm_live_join_row(j, p->port, id);
  bool timed = p->batch->times != NULL;
  row->time_us = timed ? p->batch->times[tm_batch_row(p->batch, nth)] : TM_TIME_NONE;
  row->weight = weight;
  row->met = p->met[nth];
  row->key = p->keys[nth];
  row->salt = salt;
}

/* Rows that are final: all at once. */
static int store_final(live_join *j, tm_error *err) {
  tm_live_probe *p = &j->probe;
  live_side *s = &j->sides[p->port];
  size_t room = p->batch->selected + (size_t)1;
  uint32_t *rows = tm_batch_alloc(p->batch, 3 * room * sizeof *rows), count = 0;
  if (rows == NULL) return no_memory(err);
  uint32_t *places = rows + room, *ids = places + room;
  for (uint32_t i = 0; i < p->batch->selected; i++) {
    rows[count] = tm_batch_row(p->batch, i);
    places[count] = i;
    count += p->keys[i] != TM_ROW_SET_NONE;
  }
  if (tm_row_pool_insert(&s->pool, p->batch, rows, count, ids) < 0) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    set_head(j, ids[i], places[i], 1, 0);
    if (tm_live_join_link(j, p->port, ids[i]) < 0) return no_memory(err);
  }
  return 0;
}

static int add_row(live_join *j, uint32_t nth, int64_t weight, uint32_t salt, tm_error *err) {
  tm_live_probe *p = &j->probe;
  live_side *s = &j->sides[p->port];
  uint32_t row = tm_batch_row(p->batch, nth), id = find_row(s, salt, p->batch, row);
  if (id != TM_POOL_NONE) {
    tm_live_join_row(j, p->port, id)->weight += weight;
    return 0;
  }
  if (tm_row_pool_insert(&s->pool, p->batch, &row, 1, &id) < 0) return no_memory(err);
  set_head(j, id, nth, weight, salt);
  return tm_live_join_link(j, p->port, id) < 0 ? no_memory(err) : 0;
}

/* What has expired may still be taken back: then there is nothing left to do. */
static int remove_row(live_join *j, uint32_t nth, int64_t weight, uint32_t salt, tm_error *err) {
  tm_live_probe *p = &j->probe;
  uint32_t row = tm_batch_row(p->batch, nth);
  uint32_t id = find_row(&j->sides[p->port], salt, p->batch, row);
  live_row *kept = id == TM_POOL_NONE ? NULL : tm_live_join_row(j, p->port, id);
  bool there = kept != NULL && kept->weight >= weight;
  if (!there && j->plan->ttl_us == 0) {
    return tm_fail(err, TM_E_LEDGER, "a row is taken back that never came");
  }
  if (kept == NULL) return 0;
  kept->weight -= there ? weight : kept->weight;
  if (kept->weight == 0) forget(j, p->port, id);
  return 0;
}

/* What comes before what goes: within a batch a row may be taken back before it is there. */
static int store_changes(live_join *j, tm_error *err) {
  tm_live_probe *p = &j->probe;
  const uint64_t *hashes = hash_rows(j);
  int done = hashes == NULL ? no_memory(err) : 0;
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; done == 0 && i < p->batch->selected; i++) {
      const int32_t *weights = p->batch->weights;
      int64_t weight = weights == NULL ? 1 : weights[tm_batch_row(p->batch, i)];
      if (p->keys[i] == TM_ROW_SET_NONE || (pass == 0) != (weight > 0)) continue;
      uint32_t salt = tm_slot_salt(hashes[i]);
      done = weight > 0 ? add_row(j, i, weight, salt, err) : remove_row(j, i, -weight, salt, err);
    }
  }
  return done;
}

int tm_live_join_store(tm_live_join *j, tm_error *err) {
  tm_live_probe *p = &j->probe;
  int done = 0;
  /* Once the other side has ended, nothing will ever look for these rows. */
  if (!j->ended[1 - p->port]) {
    done = j->plan->retracts[p->port] ? store_changes(j, err) : store_final(j, err);
  }
  for (uint32_t i = 0; done == 0 && i < p->batch->selected; i++) {
    if (p->keys[i] != TM_ROW_SET_NONE) forget_key(j, p->keys[i]);
  }
  return done;
}

/* ---------------------------------------------------------------- rows that are too old */

int tm_live_join_expire(tm_live_join *j) {
  if (j->plan->ttl_us == 0) return 0;
  int64_t least = j->watermarks_us[0] < j->watermarks_us[1] ? j->watermarks_us[0]
                                                            : j->watermarks_us[1];
  if (least == TM_TIME_NONE || least < TM_TIME_NONE + j->plan->ttl_us) return 0;
  const uint64_t limit = (uint64_t)(least - j->plan->ttl_us) ^ (uint64_t)1 << 63;
  for (uint32_t side = 0, count = 0; side < 2; side++) {
    live_side *s = &j->sides[side];
    const uint64_t *oldest;
    while ((oldest = tm_multiset_least(s->times, &s->by_time)) != NULL && oldest[0] < limit) {
      if (count++ == EXPIRE_ROWS) return 1;
      uint32_t id = (uint32_t)oldest[1], key = tm_live_join_row(j, side, id)->key;
      forget(j, side, id);
      forget_key(j, key);
    }
  }
  return 0;
}
