/* state/join_table.c: see join_table.h. */
#include "state/join_table.h"

#include <assert.h>
#include <string.h>

#include "kernel/cast.h"
#include "kernel/hash_rows.h"
#include "state/join_runs.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

int tm_join_table_init(tm_join_table *t, tm_budget *budget, uint32_t lanes,
                       const tm_schema *schema, const uint8_t *needed, tm_error *err) {
  *t = (tm_join_table){.budget = budget, .lanes = lanes};
  t->stores = tm_alloc_zero(budget, lanes * sizeof *t->stores);
  t->partitions = tm_alloc_zero(budget, lanes * sizeof *t->partitions);
  if (t->stores == NULL || t->partitions == NULL) return no_memory(err);
  for (uint32_t i = 0; i < lanes; i++) tm_row_store_init(&t->stores[i], budget, schema, needed);
  return 0;
}

/* The key columns of a batch in the types of the comparison, and the hashes of its selected rows.
 * The batch `keys_out` owns what had to be converted. */
typedef struct keyed {
  tm_batch *owner;
  const tm_column **columns;
  uint64_t *hashes;
  uint8_t *usable;
} keyed;

static bool convert(keyed *k, const tm_batch *batch, const tm_join_keys *keys) {
  for (uint32_t i = 0; i < keys->count; i++) {
    const tm_column *in = &batch->columns[keys->columns[i]];
    assert(in->data != NULL);
    if (tm_cast_widen(k->owner, i, in) < 0) return false;
    k->columns[i] = &k->owner->columns[i];
  }
  return true;
}

static void mark_usable(keyed *k, const tm_batch *batch, const tm_join_keys *keys) {
  memset(k->usable, 1, batch->selected);
  for (uint32_t i = 0; i < keys->count; i++) {
    const uint8_t *valid = k->columns[i]->valid;
    if (valid == NULL) continue;
    for (uint32_t n = 0; n < batch->selected; n++) {
      k->usable[n] &= valid[tm_batch_row(batch, n)];
    }
  }
}

static int keyed_init(keyed *k, tm_budget *budget, const tm_batch *batch,
                      const tm_join_keys *keys, tm_error *err) {
  k->owner = tm_batch_create(budget, keys->types, batch->rows);
  if (k->owner == NULL) return no_memory(err);
  k->columns = tm_batch_alloc(k->owner, (keys->count + 1) * sizeof *k->columns);
  k->hashes = tm_batch_alloc(k->owner, (batch->selected + 1) * sizeof *k->hashes);
  k->usable = tm_batch_alloc(k->owner, batch->selected + 1);
  if (k->columns == NULL || k->hashes == NULL || k->usable == NULL ||
      !convert(k, batch, keys)) {
    tm_batch_release(k->owner);
    return no_memory(err);
  }
  tm_hash_rows(k->columns, keys->count, batch->selection, batch->selected, k->hashes);
  mark_usable(k, batch, keys);
  return 0;
}

/* The words of rows that were appended last, `from` on. */
static int set_words(tm_join_table *t, tm_row_store *store, uint64_t from, const tm_batch *batch,
                     tm_batch *owner) {
  int64_t *words = batch->times;
  if (t->order->column >= 0) {
    uint32_t column = (uint32_t)t->order->column;
    words = tm_batch_alloc(owner, (batch->rows + 1) * sizeof *words);
    if (words == NULL || tm_join_words(t->budget, t->order, batch, column, words) < 0) return -1;
  }
  for (uint32_t i = 0; i < batch->selected; i++) {
    tm_chunk *chunk = &store->chunks[(from + i) >> TM_CHUNK_BITS];
    if (chunk->words == NULL) {
      chunk->words = tm_batch_alloc(chunk->rows, TM_CHUNK_ROWS * sizeof *chunk->words);
      if (chunk->words == NULL) return -1;
    }
    chunk->words[(from + i) & (TM_CHUNK_ROWS - 1)] = words[tm_batch_row(batch, i)];
  }
  return 0;
}

int tm_join_table_append(tm_join_table *t, uint32_t lane, const tm_batch *batch,
                         const tm_join_keys *keys, tm_error *err) {
  keyed k;
  if (keyed_init(&k, t->budget, batch, keys, err) < 0) return -1;
  tm_row_store *store = &t->stores[lane];
  uint64_t from = store->rows;
  int done = tm_row_store_append(store, batch, k.hashes, k.usable, err);
  if (done == 0 && t->order != NULL && set_words(t, store, from, batch, k.owner) < 0) {
    done = no_memory(err);
  }
  tm_batch_release(k.owner);
  return done;
}

int tm_join_table_gather(tm_join_table *t, const tm_join_keys *keys, bool track, tm_error *err) {
  for (uint32_t i = 0; i < t->lanes; i++) {
    t->chunk_count += t->stores[i].chunk_count;
    t->rows += t->stores[i].rows;
  }
  if (t->chunk_count >= TM_CHUNKS_MAX) {
    return tm_fail(err, TM_E_MEMORY, "join: more than 4 billion rows on the side that is kept");
  }
  size_t ids = (size_t)t->chunk_count * TM_CHUNK_ROWS;
  t->chunks = tm_alloc(t->budget, (t->chunk_count + 1) * sizeof *t->chunks);
  t->next = tm_alloc(t->budget, (ids + 1) * sizeof *t->next);
  if (track) t->matched = tm_alloc_zero(t->budget, ids + 1);
  if (t->chunks == NULL || t->next == NULL || (track && t->matched == NULL)) return no_memory(err);
  uint32_t at = 0;
  for (uint32_t i = 0; i < t->lanes; i++) {
    const tm_row_store *store = &t->stores[i];
    for (uint32_t c = 0; c < store->chunk_count; c++) t->chunks[at++] = store->chunks[c];
  }
  tm_type types[TM_JOIN_KEYS_MAX];
  assert(keys->count <= TM_JOIN_KEYS_MAX);
  for (uint32_t i = 0; i < keys->count; i++) types[i] = keys->types->fields[i].type;
  for (uint32_t i = 0; i < t->lanes; i++) {
    t->partitions[i].unique = true;
    t->partitions[i].keys = tm_key_table_create(t->budget, types, keys->count);
    if (t->partitions[i].keys == NULL) return no_memory(err);
  }
  return 0;
}

/* High bits, since the table of keys uses the low ones. */
static uint32_t partition_of(const tm_join_table *t, uint64_t hash) {
  return t->lanes == 1 ? 0 : (uint32_t)((hash >> 48) % t->lanes);
}

static bool grow_heads(tm_join_table *t, tm_join_partition *p, uint32_t count) {
  if (count <= p->head_capacity) return true;
  uint32_t capacity = p->head_capacity == 0 ? 1024 : p->head_capacity;
  while (capacity < count) capacity *= 2;
  uint32_t *grown = tm_realloc(t->budget, p->heads, p->head_capacity * sizeof *grown,
                               capacity * sizeof *grown);
  if (grown == NULL) return false;
  memset(grown + p->head_capacity, 0xff, (capacity - p->head_capacity) * sizeof *grown);
  p->heads = grown; /* TM_ROW_NONE: no row yet */
  p->head_capacity = capacity;
  return true;
}

/* New keys have no row yet; their ids do not always come in the order of the rows. */
static void link_rows(tm_join_table *t, tm_join_partition *p, uint32_t chunk, const uint32_t *rows,
                      const uint32_t *ids, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = chunk << TM_CHUNK_BITS | rows[i], head = p->heads[ids[i]];
    p->unique &= head == TM_ROW_NONE;
    t->next[row] = head;
    p->heads[ids[i]] = row;
  }
}

int tm_join_table_build(tm_join_table *t, uint32_t lane, uint32_t chunk, const tm_join_keys *keys,
                        tm_error *err) {
  tm_chunk *c = &t->chunks[chunk];
  tm_join_partition *p = &t->partitions[lane];
  uint32_t rows[TM_CHUNK_ROWS / 8], ids[TM_CHUNK_ROWS / 8];
  uint64_t hashes[TM_CHUNK_ROWS / 8];
  keyed k = {.owner = tm_batch_create(t->budget, keys->types, c->rows->rows)};
  if (k.owner == NULL) return no_memory(err);
  k.columns = tm_batch_alloc(k.owner, (keys->count + 1) * sizeof *k.columns);
  int done = k.columns != NULL && convert(&k, c->rows, keys) ? 0 : no_memory(err);
  for (uint32_t from = 0; done == 0 && from < c->count; from += TM_CHUNK_ROWS / 8) {
    uint32_t count = 0;
    uint32_t end = from + TM_CHUNK_ROWS / 8 < c->count ? from + TM_CHUNK_ROWS / 8 : c->count;
    for (uint32_t i = from; i < end; i++) {
      rows[count] = i;
      hashes[count] = c->hashes[i];
      count += c->usable[i] && partition_of(t, c->hashes[i]) == lane;
    }
    if (tm_key_table_insert(p->keys, k.columns, rows, count, hashes, ids) < 0 ||
        !grow_heads(t, p, tm_key_table_count(p->keys))) {
      done = no_memory(err);
      break;
    }
    link_rows(t, p, chunk, rows, ids, count);
    p->rows += count;
  }
  tm_batch_release(k.owner);
  return done;
}

/* The rows of one partition of a batch: their places and the ids of their keys. The count. */
static uint32_t find_partition(const tm_join_table *t, uint32_t partition, const keyed *k,
                               const tm_batch *batch, uint32_t *places, uint32_t *ids) {
  uint32_t *rows = ids + batch->selected;
  uint64_t *hashes = (uint64_t *)(rows + batch->selected + (batch->selected & 1));
  uint32_t count = 0;
  for (uint32_t n = 0; n < batch->selected; n++) {
    places[count] = n;
    rows[count] = tm_batch_row(batch, n);
    hashes[count] = k->hashes[n];
    count += k->usable[n] && partition_of(t, k->hashes[n]) == partition;
  }
  tm_key_table_find(t->partitions[partition].keys, k->columns, rows, count, hashes, ids);
  return count;
}

/* Room for places, ids, rows and hashes. NULL with err. */
static uint32_t *keyed_scratch(keyed *k, const tm_batch *batch, tm_error *err) {
  size_t words = (size_t)batch->selected * 3 + 2 + 2 * ((size_t)batch->selected + 1);
  uint32_t *scratch = tm_batch_alloc(k->owner, words * sizeof *scratch);
  if (scratch == NULL) no_memory(err);
  return scratch;
}

int tm_join_table_probe(const tm_join_table *t, const tm_batch *batch, const tm_join_keys *keys,
                        uint32_t *rows, tm_error *err) {
  keyed k;
  if (keyed_init(&k, t->budget, batch, keys, err) < 0) return -1;
  uint32_t *places = keyed_scratch(&k, batch, err);
  for (uint32_t i = 0; places != NULL && i < batch->selected; i++) rows[i] = TM_ROW_NONE;
  for (uint32_t p = 0; places != NULL && p < t->lanes; p++) {
    const uint32_t *ids = places + batch->selected, *heads = t->partitions[p].heads;
    uint32_t count = find_partition(t, p, &k, batch, places, places + batch->selected);
    for (uint32_t i = 0; i < count; i++) {
      rows[places[i]] = ids[i] == TM_KEY_NONE ? TM_ROW_NONE : heads[ids[i]];
    }
  }
  tm_batch_release(k.owner);
  return places == NULL ? -1 : 0;
}

int tm_join_table_find(const tm_join_table *t, const tm_batch *batch, const tm_join_keys *keys,
                       uint32_t *partitions, uint32_t *ids, tm_error *err) {
  keyed k;
  if (keyed_init(&k, t->budget, batch, keys, err) < 0) return -1;
  uint32_t *places = keyed_scratch(&k, batch, err);
  for (uint32_t i = 0; places != NULL && i < batch->selected; i++) ids[i] = TM_KEY_NONE;
  for (uint32_t p = 0; places != NULL && p < t->lanes; p++) {
    const uint32_t *found = places + batch->selected;
    uint32_t count = find_partition(t, p, &k, batch, places, places + batch->selected);
    for (uint32_t i = 0; i < count; i++) {
      partitions[places[i]] = p;
      ids[places[i]] = found[i];
    }
  }
  tm_batch_release(k.owner);
  return places == NULL ? -1 : 0;
}

bool tm_join_table_unique(const tm_join_table *t) {
  for (uint32_t i = 0; i < t->lanes; i++) {
    if (!t->partitions[i].unique) return false;
  }
  return true;
}

void tm_join_table_deinit(tm_join_table *t) {
  size_t ids = (size_t)t->chunk_count * TM_CHUNK_ROWS;
  for (uint32_t i = 0; t->partitions != NULL && i < t->lanes; i++) {
    tm_join_partition *p = &t->partitions[i];
    tm_key_table_destroy(p->keys);
    tm_free(t->budget, p->heads, p->head_capacity * sizeof *p->heads);
  }
  for (uint32_t i = 0; t->stores != NULL && i < t->lanes; i++) tm_row_store_deinit(&t->stores[i]);
  tm_free(t->budget, t->chunks, (t->chunk_count + 1) * sizeof *t->chunks);
  tm_free(t->budget, t->next, (ids + 1) * sizeof *t->next);
  if (t->matched != NULL) tm_free(t->budget, t->matched, ids + 1);
  tm_free(t->budget, t->stores, t->lanes * sizeof *t->stores);
  tm_free(t->budget, t->partitions, t->lanes * sizeof *t->partitions);
}
