/* state/group_table.c: grouping rows, one table a lane.
 *
 * A batch becomes group ids (state/key_table.h), and every part adds its rows by these ids. Parts
 * with a filter get the rows that pass, with their ids beside them. Sealing and merging are in
 * group_seal.c, reading and saving in group_read.c. */
#include "state/group_parts.h"

#include <assert.h>
#include <string.h>

enum { ROOM_MAX = 4096 }; /* groups up to which room that is not used does not matter */

int tm_group_no_memory(const tm_group_table *table, tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "%u groups and their aggregates need more than the memory budget",
          tm_group_table_count(table));
  return tm_error_help(err, "give more with --memory, or group by fewer different keys");
}

/* ------------------------------------------------------------------ scratch */

tm_group_scratch *tm_group_scratch_create(tm_budget *budget, const tm_group_plan *plan) {
  tm_group_scratch *scratch = tm_alloc_zero(budget, sizeof *scratch);
  if (scratch == NULL) return NULL;
  scratch->budget = budget;
  scratch->filter_count = plan->filter_count;
  scratch->filters = tm_alloc_zero(budget, plan->filter_count * sizeof *scratch->filters);
  if (scratch->filters != NULL) return scratch;
  tm_free(budget, scratch, sizeof *scratch);
  return NULL;
}

void tm_group_scratch_free(tm_group_scratch *s) {
  size_t bytes = s->rows * sizeof(uint32_t);
  tm_free(s->budget, s->ids, bytes);
  tm_free(s->budget, s->id_of_row, bytes);
  s->ids = s->id_of_row = NULL;
  for (uint32_t i = 0; i < s->filter_count; i++) {
    tm_free(s->budget, s->filters[i].rows, bytes);
    tm_free(s->budget, s->filters[i].groups, bytes);
    s->filters[i] = (tm_group_filtered){0};
  }
  s->rows = 0;
}

void tm_group_scratch_destroy(tm_group_scratch *s) {
  if (s == NULL) return;
  tm_group_scratch_free(s);
  tm_free(s->budget, s->filters, s->filter_count * sizeof *s->filters);
  tm_free(s->budget, s, sizeof *s);
}

bool tm_group_scratch_reserve(tm_group_scratch *s, uint32_t rows) {
  if (rows <= s->rows) return true;
  tm_group_scratch_free(s);
  size_t bytes = rows * sizeof(uint32_t);
  s->rows = rows;
  s->ids = tm_alloc(s->budget, bytes);
  bool done = s->ids != NULL;
  if (done && s->filter_count > 0) {
    s->id_of_row = tm_alloc(s->budget, bytes);
    done = s->id_of_row != NULL;
  }
  for (uint32_t i = 0; done && i < s->filter_count; i++) {
    s->filters[i].rows = tm_alloc(s->budget, bytes);
    s->filters[i].groups = tm_alloc(s->budget, bytes);
    done = s->filters[i].rows != NULL && s->filters[i].groups != NULL;
  }
  if (!done) tm_group_scratch_free(s);
  return done;
}

/* ------------------------------------------------------------------ life */

static bool is_needed(const tm_group_table *table, uint32_t aggregate) {
  return table->needed == NULL || table->needed[aggregate];
}

static bool create_part(tm_group_table *table, uint32_t index) {
  tm_part **part = &table->parts[index];
  if (*part != NULL) return true;
  *part = tm_part_create(table->budget, &table->plan->parts[index]);
  if (*part == NULL) return false;
  if ((*part)->spec->filter >= 0) table->filter_used[(*part)->spec->filter] = true;
  return true;
}

static bool create_parts(tm_group_table *table) {
  const tm_group_plan *plan = table->plan;
  if (plan->counted && !create_part(table, plan->rows)) return false;
  for (uint32_t i = 0; i < plan->aggregate_count; i++) {
    const tm_aggregate *a = &plan->aggregates[i];
    for (uint32_t k = 0; k < a->part_count && is_needed(table, i); k++) {
      if (!create_part(table, a->parts[k])) return false;
    }
  }
  return true;
}

bool tm_group_grow_parts(tm_group_table *table) {
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
  if (!tm_group_grow_parts(table)) return false;
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
  table->scratch = tm_group_scratch_create(budget, plan);
  table->owns_scratch = true;
  table->parts = tm_alloc_zero(budget, plan->part_count * sizeof *table->parts);
  table->filter_used = tm_alloc_zero(budget, plan->filter_count * sizeof *table->filter_used);
  if (table->keys != NULL && table->parts != NULL && table->scratch != NULL &&
      table->filter_used != NULL && create_parts(table) &&
      (plan->key_count > 0 || create_only_group(table))) {
    return table;
  }
  (void)tm_fail(err, TM_E_MEMORY, "out of memory");
  tm_group_table_destroy(table);
  return NULL;
}

void tm_group_table_destroy(tm_group_table *table) {
  if (table == NULL) return;
  tm_budget *budget = table->budget;
  const tm_group_plan *plan = table->plan;
  if (table->owns_scratch) tm_group_scratch_destroy(table->scratch);
  tm_group_reading_free(table);
  for (uint32_t i = 0; table->parts != NULL && i < plan->part_count; i++) {
    tm_part_destroy(table->parts[i]);
  }
  tm_free(budget, table->parts, plan->part_count * sizeof *table->parts);
  tm_free(budget, table->filter_used, plan->filter_count * sizeof *table->filter_used);
  tm_group_buckets_free(table);
  tm_group_merge_free(table);
  tm_selection_destroy(table->selection);
  tm_key_table_destroy(table->keys);
  tm_free(budget, table, sizeof *table);
}

uint32_t tm_group_table_count(const tm_group_table *table) {
  return tm_key_table_count(table->keys);
}

/* ------------------------------------------------------------------ used again */

void tm_group_table_start_small(tm_group_table *table) {
  if (table->plan->key_count > 0) tm_key_table_start_small(table->keys);
}

void tm_group_table_share_scratch(tm_group_table *table, tm_group_scratch *scratch) {
  assert(table->owns_scratch);
  tm_group_scratch_destroy(table->scratch);
  table->scratch = scratch;
  table->owns_scratch = false;
}

void tm_group_table_freeze(tm_group_table *table) { tm_key_table_freeze(table->keys); }

/* Parts first: they know their groups by how many keys there are. */
int tm_group_table_clear(tm_group_table *table, tm_error *err) {
  uint32_t groups = tm_group_table_count(table);
  bool done = true;
  for (uint32_t i = 0; i < table->plan->part_count; i++) {
    tm_part *part = table->parts[i];
    if (part != NULL && groups > 0) done = part->class->clear(part, NULL, groups) && done;
  }
  done = tm_key_table_clear(table->keys) && done;
  tm_group_buckets_free(table);
  table->phase = SEAL_PARTS;
  table->at = table->part_at = 0;
  table->arrived = 0;
  table->merging = table->merge_inserted = false;
  if (done && table->plan->key_count == 0) done = create_only_group(table);
  return done ? 0 : tm_group_no_memory(table, err);
}

bool tm_group_table_is_roomy(const tm_group_table *table) {
  uint32_t room = 0, groups = tm_group_table_count(table);
  for (uint32_t i = 0; i < table->plan->part_count; i++) {
    const tm_part *part = table->parts[i];
    if (part != NULL && part->capacity > room) room = part->capacity;
  }
  return room > ROOM_MAX && groups < room / 16;
}

/* ------------------------------------------------------------------ adding */

/* The rows of a filter, with their groups beside them. */
static void apply_filter(tm_group_table *table, uint32_t index, const tm_group_rows *in) {
  const tm_group_filter *filter = &table->plan->filters[index];
  tm_group_scratch *scratch = table->scratch;
  tm_group_filtered *f = &scratch->filters[index];
  const uint32_t *rows = in->rows;
  const uint8_t *valid[2];
  for (int k = 0; k < 2; k++) {
    valid[k] = filter->not_null[k] < 0 ? NULL : in->inputs[filter->not_null[k]]->valid;
  }
  if (filter->function < 0 && valid[0] == NULL && valid[1] == NULL) {
    f->in = (tm_grouped){rows, scratch->ids, in->count};
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
    f->groups[kept] = scratch->id_of_row[row];
    kept += (valid[0] == NULL || valid[0][row]) && (valid[1] == NULL || valid[1][row]);
  }
  f->in = (tm_grouped){f->rows, f->groups, kept};
}

static bool add_to_part(tm_group_table *table, tm_part *part, const tm_group_rows *in,
                        uint32_t groups_before) {
  const tm_part_spec *spec = part->spec;
  tm_part_rows rows = {
    .rows = {in->rows, table->plan->key_count == 0 ? NULL : table->scratch->ids, in->count},
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
    rows.rows = table->scratch->filters[spec->filter].in;
    if (table->plan->key_count == 0) rows.rows.groups = NULL;
  }
  return part->class->add(part, &rows);
}

int tm_group_table_add(tm_group_table *table, const tm_group_rows *in, tm_error *err) {
  assert(table->phase == SEAL_PARTS && table->part_at == 0 && "nothing is added after sealing");
  const tm_group_plan *plan = table->plan;
  tm_group_scratch *scratch = table->scratch;
  uint32_t before = tm_group_table_count(table);
  if (!tm_group_scratch_reserve(scratch, in->row_count)) return tm_group_no_memory(table, err);
  if (plan->key_count > 0) {
    if (tm_key_table_insert(table->keys, in->keys, in->rows, in->count, NULL, scratch->ids) < 0 ||
        !tm_group_grow_parts(table)) {
      return tm_group_no_memory(table, err);
    }
  } else if (plan->filter_count > 0) {
    memset(scratch->ids, 0, in->count * sizeof *scratch->ids);
  }
  for (uint32_t i = 0; plan->filter_count > 0 && i < in->count; i++) {
    scratch->id_of_row[in->rows == NULL ? i : in->rows[i]] = scratch->ids[i];
  }
  for (uint32_t i = 0; i < plan->filter_count; i++) {
    if (table->filter_used[i]) apply_filter(table, i, in);
  }
  for (uint32_t i = 0; i < plan->part_count; i++) {
    if (table->parts[i] != NULL && !add_to_part(table, table->parts[i], in, before)) {
      return tm_group_no_memory(table, err);
    }
  }
  table->arrived += in->row_count;
  return 0;
}

int tm_group_table_settle_step(tm_group_table *table, tm_error *err) {
  if (!tm_key_table_wants_growth(table->keys)) return 0;
  int more = tm_key_table_grow_step(table->keys);
  return more < 0 ? tm_group_no_memory(table, err) : more;
}
