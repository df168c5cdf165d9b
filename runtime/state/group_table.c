/* state/group_table.c: grouping rows, one table a lane.
 *
 * A batch becomes group ids (state/key_table.h), and every part adds its rows by these ids. Parts
 * with a filter get the rows that pass, with their ids beside them. After sealing with buckets the
 * ids lie sorted by eight bits of their keys' hashes, so that each lane of a merge takes keys that
 * no other lane has. */
#include "state/group_table.h"

#include <assert.h>
#include <string.h>

enum {
  STEP_KEYS = 1 << 14,   /* keys in one step of sealing */
  MERGE_KEYS = 2048,     /* groups that a merge takes at a time */
  READ_WORK = 1 << 18,   /* values that one step of reading looks at */
  BUCKET_SHIFT = 24,     /* bits of the hash that choose a bucket: not those of slot or salt */
};

typedef struct filtered { /* the rows of a filter, with their groups */
  uint32_t *rows, *groups; /* scratch */
  tm_grouped in;           /* in it, or as the batch has them where all rows pass */
} filtered;

typedef enum seal_phase { SEAL_PARTS, SEAL_HASH, SEAL_PLACE, SEAL_DONE } seal_phase;

struct tm_group_table {
  tm_budget *budget;
  const tm_group_plan *plan;
  const uint8_t *needed;
  tm_key_table *keys;
  tm_part **parts;       /* of the plan; NULL: not needed */
  uint64_t arrived;      /* rows of all batches, selected or not */
  bool *filter_used;
  /* scratch for a batch */
  uint32_t scratch_rows;
  uint32_t *ids;         /* by number of the row; beside them by row where there are filters */
  uint32_t *id_of_row;
  filtered *filters;
  /* sealing */
  seal_phase phase;
  uint32_t at, part_at;
  uint64_t *hashes;      /* by id, until the ids are in place */
  uint32_t *bucket_ids;  /* sorted by bucket, */
  uint64_t *bucket_hashes; /* with the hashes beside them */
  uint32_t starts[TM_GROUP_BUCKETS + 1], ends[TM_GROUP_BUCKETS];
  uint32_t sealed_keys;
  /* merging: position within the buckets of the other table */
  uint32_t merge_at, merge_part, merge_before, merge_count;
  bool merging, merge_inserted;
  uint64_t merge_part_at;
  uint32_t *merge_to;
  /* reading */
  tm_selection *selection;
  double *quantiles;     /* an aggregate after the other, read_room entries each */
  uint8_t *there;
  uint32_t read_room, read_aggregate, read_group;
};

static int no_memory(const tm_group_table *table, tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "%u groups and their aggregates need more than the memory budget",
          tm_group_table_count(table));
  return tm_error_help(err, "give more with --memory, or group by fewer different keys");
}

/* ------------------------------------------------------------------ life */

static bool is_needed(const tm_group_table *table, uint32_t aggregate) {
  return table->needed == NULL || table->needed[aggregate];
}

static bool create_parts(tm_group_table *table) {
  const tm_group_plan *plan = table->plan;
  for (uint32_t i = 0; i < plan->aggregate_count; i++) {
    const tm_aggregate *a = &plan->aggregates[i];
    for (uint32_t k = 0; k < a->part_count && is_needed(table, i); k++) {
      tm_part **part = &table->parts[a->parts[k]];
      if (*part != NULL) continue;
      *part = tm_part_create(table->budget, &plan->parts[a->parts[k]]);
      if (*part == NULL) return false;
      if ((*part)->spec->filter >= 0) table->filter_used[(*part)->spec->filter] = true;
    }
  }
  return true;
}

static bool grow_parts(tm_group_table *table) {
  uint32_t groups = tm_group_table_count(table);
  for (uint32_t i = 0; i < table->plan->part_count; i++) {
    if (table->parts[i] != NULL && !tm_part_grow(table->parts[i], groups)) return false;
  }
  return true;
}

/* The one group that there is without keys, before any row. */
static bool create_only_group(tm_group_table *table) {
  uint32_t id;
  if (tm_key_table_insert(table->keys, NULL, NULL, 1, NULL, &id) < 0) return false;
  if (!grow_parts(table)) return false;
  for (uint32_t i = 0; i < table->plan->part_count; i++) {
    tm_part *part = table->parts[i];
    if (part == NULL || part->spec->kind != TM_PART_SEEN) continue;
    if (!tm_part_seen_none(part)) return false;
  }
  return true;
}

tm_group_table *tm_group_table_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, tm_error *err) {
  tm_group_table *table = tm_alloc_zero(budget, sizeof *table);
  if (table == NULL) {
    tm_fail(err, TM_E_MEMORY, "out of memory");
    return NULL;
  }
  table->budget = budget;
  table->plan = plan;
  table->needed = needed;
  table->keys = tm_key_table_create(budget, plan->key_types, plan->key_count);
  table->parts = tm_alloc_zero(budget, plan->part_count * sizeof *table->parts);
  table->filters = tm_alloc_zero(budget, plan->filter_count * sizeof *table->filters);
  table->filter_used = tm_alloc_zero(budget, plan->filter_count * sizeof *table->filter_used);
  if (table->keys != NULL && table->parts != NULL && table->filters != NULL &&
      table->filter_used != NULL && create_parts(table) &&
      (plan->key_count > 0 || create_only_group(table))) {
    return table;
  }
  (void)tm_fail(err, TM_E_MEMORY, "out of memory");
  tm_group_table_destroy(table);
  return NULL;
}

static void free_scratch(tm_group_table *table) {
  size_t bytes = table->scratch_rows * sizeof(uint32_t);
  tm_free(table->budget, table->ids, bytes);
  tm_free(table->budget, table->id_of_row, bytes);
  table->ids = table->id_of_row = NULL;
  for (uint32_t i = 0; table->filters != NULL && i < table->plan->filter_count; i++) {
    tm_free(table->budget, table->filters[i].rows, bytes);
    tm_free(table->budget, table->filters[i].groups, bytes);
    table->filters[i] = (filtered){0};
  }
  table->scratch_rows = 0;
}

static void free_reading(tm_group_table *table) {
  size_t entries = (size_t)table->read_room * table->plan->aggregate_count;
  tm_free(table->budget, table->quantiles, entries * sizeof *table->quantiles);
  tm_free(table->budget, table->there, entries);
  table->quantiles = NULL;
  table->there = NULL;
  table->read_room = 0;
}

void tm_group_table_destroy(tm_group_table *table) {
  if (table == NULL) return;
  tm_budget *budget = table->budget;
  const tm_group_plan *plan = table->plan;
  free_scratch(table);
  free_reading(table);
  for (uint32_t i = 0; table->parts != NULL && i < plan->part_count; i++) {
    tm_part_destroy(table->parts[i]);
  }
  tm_free(budget, table->parts, plan->part_count * sizeof *table->parts);
  tm_free(budget, table->filters, plan->filter_count * sizeof *table->filters);
  tm_free(budget, table->filter_used, plan->filter_count * sizeof *table->filter_used);
  tm_free(budget, table->hashes, table->sealed_keys * sizeof *table->hashes);
  tm_free(budget, table->bucket_ids, table->sealed_keys * sizeof *table->bucket_ids);
  tm_free(budget, table->bucket_hashes, table->sealed_keys * sizeof *table->bucket_hashes);
  tm_free(budget, table->merge_to, MERGE_KEYS * sizeof *table->merge_to);
  tm_selection_destroy(table->selection);
  tm_key_table_destroy(table->keys);
  tm_free(budget, table, sizeof *table);
}

uint32_t tm_group_table_count(const tm_group_table *table) {
  return tm_key_table_count(table->keys);
}

/* ------------------------------------------------------------------ adding */

static bool reserve_scratch(tm_group_table *table, uint32_t rows) {
  if (rows <= table->scratch_rows) return true;
  free_scratch(table);
  const tm_group_plan *plan = table->plan;
  size_t bytes = rows * sizeof(uint32_t);
  table->scratch_rows = rows;
  table->ids = tm_alloc(table->budget, bytes);
  table->id_of_row = tm_alloc(table->budget, plan->filter_count > 0 ? bytes : 0);
  bool done = table->ids != NULL && table->id_of_row != NULL;
  if (plan->filter_count == 0) { /* sizes are those of scratch_rows, or nothing is there */
    tm_free(table->budget, table->id_of_row, 0);
    table->id_of_row = NULL;
  }
  for (uint32_t i = 0; done && i < plan->filter_count; i++) {
    table->filters[i].rows = tm_alloc(table->budget, bytes);
    table->filters[i].groups = tm_alloc(table->budget, bytes);
    done = table->filters[i].rows != NULL && table->filters[i].groups != NULL;
  }
  if (!done) free_scratch(table);
  return done;
}

/* The rows of a filter, with their groups beside them. */
static void apply_filter(tm_group_table *table, uint32_t index, const tm_group_rows *in) {
  const tm_group_filter *filter = &table->plan->filters[index];
  filtered *f = &table->filters[index];
  const uint32_t *rows = in->rows;
  const uint8_t *valid[2];
  for (int k = 0; k < 2; k++) {
    valid[k] = filter->not_null[k] < 0 ? NULL : in->inputs[filter->not_null[k]]->valid;
  }
  if (filter->function < 0 && valid[0] == NULL && valid[1] == NULL) {
    f->in = (tm_grouped){rows, table->ids, in->count};
    return;
  }
  uint32_t count = in->count, kept = 0;
  if (filter->function >= 0) {
    rows = in->filter_rows[filter->function];
    count = in->filter_counts[filter->function];
  }
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = rows == NULL ? i : rows[i];
    f->rows[kept] = row;
    f->groups[kept] = table->id_of_row[row];
    kept += (valid[0] == NULL || valid[0][row]) && (valid[1] == NULL || valid[1][row]);
  }
  f->in = (tm_grouped){f->rows, f->groups, kept};
}

static bool add_to_part(tm_group_table *table, tm_part *part, const tm_group_rows *in,
                        uint32_t groups_before) {
  const tm_part_spec *spec = part->spec;
  tm_part_rows rows = {
    .rows = {in->rows, table->plan->key_count == 0 ? NULL : table->ids, in->count},
    .value = spec->input < 0 ? NULL : in->inputs[spec->input],
    .by = spec->by < 0 ? NULL : in->inputs[spec->by],
    .groups_before = groups_before,
    .row_count = in->row_count,
    .times = in->times,
    .ordinals = in->ordinals,
    .place = in->place,
    .arrival = table->arrived,
  };
  if (spec->filter >= 0) {
    rows.rows = table->filters[spec->filter].in;
    if (table->plan->key_count == 0) rows.rows.groups = NULL;
  }
  return part->class->add(part, &rows);
}

int tm_group_table_add(tm_group_table *table, const tm_group_rows *in, tm_error *err) {
  assert(table->phase == SEAL_PARTS && table->part_at == 0 && "nothing is added after sealing");
  const tm_group_plan *plan = table->plan;
  uint32_t before = tm_group_table_count(table);
  if (!reserve_scratch(table, in->row_count)) return no_memory(table, err);
  if (plan->key_count > 0) {
    if (tm_key_table_insert(table->keys, in->keys, in->rows, in->count, NULL, table->ids) < 0 ||
        !grow_parts(table)) {
      return no_memory(table, err);
    }
  } else if (plan->filter_count > 0) {
    memset(table->ids, 0, in->count * sizeof *table->ids);
  }
  for (uint32_t i = 0; plan->filter_count > 0 && i < in->count; i++) {
    table->id_of_row[in->rows == NULL ? i : in->rows[i]] = table->ids[i];
  }
  for (uint32_t i = 0; i < plan->filter_count; i++) {
    if (table->filter_used[i]) apply_filter(table, i, in);
  }
  for (uint32_t i = 0; i < plan->part_count; i++) {
    if (table->parts[i] != NULL && !add_to_part(table, table->parts[i], in, before)) {
      return no_memory(table, err);
    }
  }
  table->arrived += in->row_count;
  return 0;
}

int tm_group_table_settle_step(tm_group_table *table, tm_error *err) {
  if (!tm_key_table_wants_growth(table->keys)) return 0;
  int more = tm_key_table_grow_step(table->keys);
  return more < 0 ? no_memory(table, err) : more;
}

/* ------------------------------------------------------------------ sealing */

/* One step of one part. */
static int seal_parts(tm_group_table *table, tm_error *err) {
  while (table->part_at < table->plan->part_count) {
    tm_part *part = table->parts[table->part_at];
    int more = part == NULL || part->sealed
                   ? 0 : part->class->seal(part, tm_group_table_count(table));
    if (more < 0) return no_memory(table, err);
    if (more > 0) return 1;
    table->part_at++;
  }
  return 0;
}

static uint32_t bucket_of(uint64_t hash) { return (uint32_t)(hash >> BUCKET_SHIFT) & 255; }

static int seal_start(tm_group_table *table, tm_error *err) {
  uint32_t keys = tm_group_table_count(table);
  free_scratch(table);
  table->sealed_keys = keys;
  table->hashes = tm_alloc(table->budget, keys * sizeof *table->hashes);
  table->bucket_ids = tm_alloc(table->budget, keys * sizeof *table->bucket_ids);
  table->bucket_hashes = tm_alloc(table->budget, keys * sizeof *table->bucket_hashes);
  if (table->hashes == NULL || table->bucket_ids == NULL || table->bucket_hashes == NULL) {
    return no_memory(table, err);
  }
  table->at = 0;
  table->phase = SEAL_HASH;
  return 1;
}

static int seal_hash(tm_group_table *table) {
  uint32_t keys = table->sealed_keys;
  uint32_t end = keys - table->at < STEP_KEYS ? keys : table->at + STEP_KEYS;
  while (table->at < end) {
    uint32_t count = end - table->at < 256 ? end - table->at : 256;
    uint64_t *hashes = table->hashes + table->at;
    tm_key_table_hashes(table->keys, table->at, count, hashes);
    for (uint32_t i = 0; i < count; i++) table->starts[bucket_of(hashes[i]) + 1]++;
    table->at += count;
  }
  if (table->at < keys) return 1;
  for (uint32_t b = 0; b < TM_GROUP_BUCKETS; b++) {
    table->starts[b + 1] += table->starts[b];
    table->ends[b] = table->starts[b];
  }
  table->at = 0;
  table->phase = SEAL_PLACE;
  return 1;
}

static int seal_place(tm_group_table *table) {
  uint32_t keys = table->sealed_keys;
  uint32_t end = keys - table->at < STEP_KEYS ? keys : table->at + STEP_KEYS;
  for (; table->at < end; table->at++) {
    uint64_t hash = table->hashes[table->at];
    uint32_t to = table->ends[bucket_of(hash)]++;
    table->bucket_ids[to] = table->at;
    table->bucket_hashes[to] = hash;
  }
  if (table->at < keys) return 1;
  tm_free(table->budget, table->hashes, keys * sizeof *table->hashes);
  table->hashes = NULL;
  table->phase = SEAL_DONE;
  return 0;
}

int tm_group_table_seal_step(tm_group_table *table, bool buckets, tm_error *err) {
  switch (table->phase) {
    case SEAL_PARTS: {
      int more = seal_parts(table, err);
      if (more != 0) return more;
      if (buckets) return seal_start(table, err);
      free_scratch(table);
      table->phase = SEAL_DONE;
      return 0;
    }
    case SEAL_HASH: return seal_hash(table);
    case SEAL_PLACE: return seal_place(table);
    case SEAL_DONE: break;
  }
  return 0;
}

void tm_group_table_reopen(tm_group_table *table) {
  assert(table->phase == SEAL_DONE && !table->merging);
  tm_free(table->budget, table->bucket_ids, table->sealed_keys * sizeof *table->bucket_ids);
  tm_free(table->budget, table->bucket_hashes, table->sealed_keys * sizeof *table->bucket_hashes);
  table->bucket_ids = NULL;
  table->bucket_hashes = NULL;
  memset(table->starts, 0, sizeof table->starts);
  table->sealed_keys = table->part_at = table->at = 0;
  table->phase = SEAL_PARTS;
}

uint32_t tm_group_table_bucket_count(const tm_group_table *table, uint32_t first, uint32_t end) {
  assert(table->phase == SEAL_DONE && table->bucket_ids != NULL && first <= end);
  return table->starts[end] - table->starts[first];
}

/* ------------------------------------------------------------------ merging */

static int merge_parts(tm_group_table *table, const tm_group_table *from, const uint32_t *ids,
                       uint32_t count, tm_error *err) {
  for (; table->merge_part < table->plan->part_count; table->merge_part++) {
    tm_part *part = table->parts[table->merge_part];
    if (part == NULL) continue;
    int more = part->class->merge(part, from->parts[table->merge_part], ids, table->merge_to,
                                  count, table->merge_before, &table->merge_part_at);
    if (more < 0) return no_memory(table, err);
    if (more > 0) return 1;
    table->merge_part_at = 0;
  }
  return 0;
}

int tm_group_table_merge_step(tm_group_table *table, const tm_group_table *from, uint32_t first,
                              uint32_t end, tm_error *err) {
  assert(from->phase == SEAL_DONE && from->bucket_ids != NULL && first < end);
  if (table->merge_to == NULL) {
    table->merge_to = tm_alloc(table->budget, MERGE_KEYS * sizeof *table->merge_to);
    if (table->merge_to == NULL) return no_memory(table, err);
  }
  if (tm_key_table_wants_growth(table->keys)) {
    int more = tm_key_table_grow_step(table->keys);
    if (more != 0) return more < 0 ? no_memory(table, err) : 1;
  }
  if (!table->merging) table->merge_at = from->starts[first];
  table->merging = true;
  uint32_t last = from->starts[end], left = last - table->merge_at;
  uint32_t count = left < MERGE_KEYS ? left : MERGE_KEYS;
  const uint32_t *ids = from->bucket_ids + table->merge_at;
  if (!table->merge_inserted && count > 0) {
    table->merge_before = tm_group_table_count(table);
    if (tm_key_table_insert_from(table->keys, from->keys, ids, count,
                                 from->bucket_hashes + table->merge_at, table->merge_to) < 0 ||
        !grow_parts(table)) {
      return no_memory(table, err);
    }
    table->merge_inserted = true;
    table->merge_part = 0;
  }
  if (count > 0) {
    int more = merge_parts(table, from, ids, count, err);
    if (more != 0) return more;
  }
  table->merge_inserted = false;
  table->merge_at += count;
  if (table->merge_at < last) return 1;
  table->merging = false;
  return 0;
}

/* ------------------------------------------------------------------ reading */

static bool is_quantile(const tm_aggregate *a) {
  return a->kind == TM_AGGREGATE_MEDIAN || a->kind == TM_AGGREGATE_QUANTILE;
}

static bool reserve_reading(tm_group_table *table, uint32_t count) {
  if (count <= table->read_room) return true;
  free_reading(table);
  size_t entries = (size_t)count * table->plan->aggregate_count;
  table->read_room = count;
  table->quantiles = tm_alloc(table->budget, entries * sizeof *table->quantiles);
  table->there = tm_alloc_zero(table->budget, entries);
  if (table->selection == NULL) table->selection = tm_selection_create(table->budget);
  return table->quantiles != NULL && table->there != NULL && table->selection != NULL;
}

/* Quantiles cost time for every value: they are made first, a piece a step. */
static int select_quantiles(tm_group_table *table, uint32_t first, uint32_t count, tm_error *err) {
  uint64_t work = READ_WORK;
  for (; table->read_aggregate < table->plan->aggregate_count; table->read_aggregate++) {
    const tm_aggregate *a = &table->plan->aggregates[table->read_aggregate];
    if (!is_quantile(a) || !is_needed(table, table->read_aggregate)) continue;
    if (!reserve_reading(table, count)) return no_memory(table, err);
    size_t row = (size_t)table->read_aggregate * table->read_room;
    for (; table->read_group < count; table->read_group++) {
      bool there;
      double value = 0;
      if (work == 0) return 1;
      int more = tm_selection_step(table->selection, table->parts[a->parts[0]],
                                   first + table->read_group, a->share, &work, &value, &there);
      if (more < 0) return no_memory(table, err);
      if (more > 0) return 1;
      table->quantiles[row + table->read_group] = there ? value : 0;
      table->there[row + table->read_group] = there;
    }
    table->read_group = 0;
  }
  return 0;
}

int tm_group_table_read_keys(const tm_group_table *table, uint32_t first, uint32_t count,
                             tm_batch *out) {
  const tm_group_plan *plan = table->plan;
  uint32_t shown = tm_group_plan_shown(plan);
  for (uint32_t k = 0; k < shown; k++) {
    if (tm_key_table_read(table->keys, k, first, NULL, count, out, k) < 0) return -1;
  }
  if (!plan->timed) return 0;
  const tm_column times = tm_key_table_view(table->keys, shown);
  out->times = tm_batch_alloc(out, (count + 1) * sizeof *out->times);
  if (out->times == NULL) return -1;
  if (count > 0) memcpy(out->times, (int64_t *)times.data + first, count * sizeof *out->times);
  return 0;
}

static int read_columns(tm_group_table *table, uint32_t first, uint32_t count, tm_batch *batch,
                        tm_error *err) {
  const tm_group_plan *plan = table->plan;
  if (tm_group_table_read_keys(table, first, count, batch) < 0) return no_memory(table, err);
  for (uint32_t i = 0; i < plan->aggregate_count; i++) {
    size_t row = (size_t)i * table->read_room;
    if (!is_needed(table, i)) continue;
    if (tm_aggregate_read(&plan->aggregates[i], table->parts, first, count,
                          table->quantiles == NULL ? NULL : table->quantiles + row,
                          table->there == NULL ? NULL : table->there + row, batch,
                          tm_group_plan_first(plan) + i, err) < 0) {
      return -1;
    }
  }
  return 0;
}

int tm_group_table_read_step(tm_group_table *table, uint32_t first, uint32_t count,
                             const tm_schema *schema, tm_budget *budget, tm_batch **out,
                             tm_error *err) {
  assert(table->phase == SEAL_DONE && first + count <= tm_group_table_count(table));
  assert(schema->count == tm_group_plan_first(table->plan) + table->plan->aggregate_count);
  int more = select_quantiles(table, first, count, err);
  if (more != 0) return more;
  table->read_aggregate = table->read_group = 0;
  tm_batch *batch = tm_batch_create(budget, schema, count);
  if (batch == NULL) return no_memory(table, err);
  if (read_columns(table, first, count, batch, err) < 0) {
    tm_batch_release(batch);
    return -1;
  }
  *out = batch;
  return 0;
}

/* ------------------------------------------------------------------ saving */

void tm_group_table_save(const tm_group_table *table, tm_record_writer *writer) {
  uint32_t groups = tm_group_table_count(table);
  tm_record_put(writer, table->arrived);
  tm_key_table_save(table->keys, writer);
  for (uint32_t i = 0; i < table->plan->part_count; i++) {
    const tm_part *part = table->parts[i];
    if (part != NULL && groups > 0) part->class->save(part, groups, writer);
  }
}

int tm_group_table_restore(tm_group_table *table, tm_record_reader *reader, tm_error *err) {
  table->arrived = tm_record_get(reader, UINT64_MAX);
  if (table->plan->key_count == 0) {
    if (tm_record_get(reader, 1) != 1) reader->failed = true; /* the only group is there already */
  } else if (tm_key_table_restore(table->keys, reader, err) < 0) {
    return -1;
  }
  uint32_t groups = tm_group_table_count(table);
  if (!grow_parts(table)) return no_memory(table, err);
  for (uint32_t i = 0; i < table->plan->part_count && groups > 0; i++) {
    tm_part *part = table->parts[i];
    if (part != NULL && !part->class->restore(part, groups, reader)) return no_memory(table, err);
  }
  if (!reader->failed) return 0;
  return tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
}
