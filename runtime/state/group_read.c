/* state/group_read.c: groups of a sealed table as rows; tables as records. */
#include "state/group_parts.h"

#include <assert.h>
#include <string.h>

enum { READ_WORK = 1 << 18 }; /* values that one step of reading looks at */

static bool is_needed(const tm_group_table *table, uint32_t aggregate) {
  return table->needed == NULL || table->needed[aggregate];
}

static bool is_quantile(const tm_aggregate *a) {
  return a->kind == TM_AGGREGATE_MEDIAN || a->kind == TM_AGGREGATE_QUANTILE;
}

void tm_group_reading_free(tm_group_table *table) {
  size_t entries = (size_t)table->read_room * table->plan->aggregate_count;
  tm_free(table->budget, table->quantiles, entries * sizeof *table->quantiles);
  tm_free(table->budget, table->there, entries);
  table->quantiles = NULL;
  table->there = NULL;
  table->read_room = 0;
}

static bool reserve_reading(tm_group_table *table, uint32_t count) {
  if (count <= table->read_room) return true;
  tm_group_reading_free(table);
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
    if (!reserve_reading(table, count)) return tm_group_no_memory(table, err);
    size_t row = (size_t)table->read_aggregate * table->read_room;
    for (; table->read_group < count; table->read_group++) {
      bool there;
      double value = 0;
      if (work == 0) return 1;
      int more = tm_selection_step(table->selection, table->parts[a->parts[0]],
                                   first + table->read_group, a->share, &work, &value, &there);
      if (more < 0) return tm_group_no_memory(table, err);
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
  if (tm_group_table_read_keys(table, first, count, batch) < 0) {
    return tm_group_no_memory(table, err);
  }
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
  if (batch == NULL) return tm_group_no_memory(table, err);
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
  if (!tm_group_grow_parts(table)) return tm_group_no_memory(table, err);
  for (uint32_t i = 0; i < table->plan->part_count && groups > 0; i++) {
    tm_part *part = table->parts[i];
    if (part != NULL && !part->class->restore(part, groups, reader)) {
      return tm_group_no_memory(table, err);
    }
  }
  if (!reader->failed) return 0;
  return tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
}
