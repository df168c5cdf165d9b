/* state/join_runs.c: see join_runs.h. The rows of a key are taken off its chain, which has the last
 * first; mostly they lie in order then. Those that do not are sorted by merging. */
#include "state/join_runs.h"

#include <string.h>

enum { STEP_ROWS = 1 << 15, SMALL = 16 };

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

/* ---------------------------------------------------------------- life */

int tm_join_runs_init(tm_join_runs *r, tm_budget *budget, const tm_join_table *table,
                      const tm_join_order *order, tm_error *err) {
  *r = (tm_join_runs){.budget = budget, .table = table, .order = order, .lanes = table->lanes};
  r->parts = tm_alloc_zero(budget, r->lanes * sizeof *r->parts);
  return r->parts == NULL ? no_memory(err) : 0;
}

static void drop_scratch(tm_join_runs *r, tm_join_part *p) {
  tm_free(r->budget, p->scratch, p->scratch_count * sizeof *p->scratch);
  p->scratch = NULL;
  p->scratch_count = 0;
}

void tm_join_runs_deinit(tm_join_runs *r) {
  if (r->parts == NULL) return;
  for (uint32_t i = 0; i < r->lanes; i++) {
    tm_join_part *p = &r->parts[i];
    drop_scratch(r, p);
    if (p->starts == NULL) continue;
    tm_free(r->budget, p->starts, ((size_t)p->keys + 1) * sizeof *p->starts);
    tm_free(r->budget, p->rows, p->count * sizeof *p->rows);
  }
  tm_free(r->budget, r->parts, r->lanes * sizeof *r->parts);
  r->parts = NULL;
}

/* ---------------------------------------------------------------- sorting a key's rows */

static tm_sort_place place_of(const tm_join_runs *r, uint32_t id) {
  return (tm_sort_place){r->table->chunks[id >> TM_CHUNK_BITS].rows, id & (TM_CHUNK_ROWS - 1)};
}

static int compare_ties(const tm_join_runs *r, uint32_t a, uint32_t b) {
  const tm_sort_spec *spec = r->order->ties;
  tm_sort_place x = place_of(r, a), y = place_of(r, b);
  for (uint32_t n = 0; n < spec->key_count; n++) {
    bool no_x = tm_column_is_null(&x.batch->columns[spec->keys[n].column], x.row);
    bool no_y = tm_column_is_null(&y.batch->columns[spec->keys[n].column], y.row);
    if (no_x != no_y) return no_x ? -1 : 1;
    int order = no_x ? 0 : tm_sort_compare(spec, x, y, n, n + 1);
    if (order != 0) return order;
  }
  return tm_sort_compare(spec, x, y, spec->key_count, spec->key_count); /* zeros by their signs */
}

static bool is_less(const tm_join_runs *r, const tm_join_run *a, const tm_join_run *b) {
  if (a->word != b->word) return a->word < b->word;
  return r->order->ties != NULL && compare_ties(r, a->id, b->id) < 0;
}

static bool is_sorted(const tm_join_runs *r, const tm_join_run *rows, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    if (is_less(r, &rows[i], &rows[i - 1])) return false;
  }
  return true;
}

static void insertion_sort(const tm_join_runs *r, tm_join_run *rows, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    tm_join_run row = rows[i];
    uint32_t at = i;
    for (; at > 0 && is_less(r, &row, &rows[at - 1]); at--) rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

/* Stable, bottom up. */
static void merge_sort(const tm_join_runs *r, tm_join_run *rows, tm_join_run *other,
                       uint32_t count) {
  for (uint32_t i = 0; i < count; i += SMALL) {
    insertion_sort(r, rows + i, count - i < SMALL ? count - i : SMALL);
  }
  for (uint32_t width = SMALL; width < count; width *= 2) {
    for (uint32_t i = 0; i < count; i += 2 * width) {
      uint32_t middle = i + width < count ? i + width : count;
      uint32_t end = i + 2 * width < count ? i + 2 * width : count;
      uint32_t a = i, b = middle;
      for (uint32_t at = i; at < end; at++) {
        bool right = a == middle || (b < end && is_less(r, &rows[b], &rows[a]));
        other[at] = right ? rows[b++] : rows[a++];
      }
    }
    memcpy(rows, other, count * sizeof *rows);
  }
}

static int sort_key(tm_join_runs *r, tm_join_part *p, tm_join_run *rows, uint32_t count,
                    tm_error *err) {
  if (is_sorted(r, rows, count)) return 0;
  if (count > p->scratch_count) {
    drop_scratch(r, p);
    p->scratch = tm_alloc(r->budget, count * sizeof *p->scratch);
    if (p->scratch == NULL) return no_memory(err);
    p->scratch_count = count;
  }
  merge_sort(r, rows, p->scratch, count);
  return 0;
}

/* ---------------------------------------------------------------- making a part */

static int begin_part(tm_join_runs *r, tm_join_part *p, const tm_join_partition *of,
                      tm_error *err) {
  p->keys = tm_key_table_count(of->keys);
  p->count = of->rows;
  p->starts = tm_alloc(r->budget, ((size_t)p->keys + 1) * sizeof *p->starts);
  p->rows = tm_alloc(r->budget, p->count * sizeof *p->rows);
  if (p->starts != NULL && p->rows != NULL) return 0;
  if (p->starts != NULL) tm_free(r->budget, p->starts, ((size_t)p->keys + 1) * sizeof *p->starts);
  if (p->rows != NULL) tm_free(r->budget, p->rows, p->count * sizeof *p->rows);
  *p = (tm_join_part){.starts = NULL};
  return no_memory(err);
}

/* false: the value is null. */
static bool word_of(const tm_join_runs *r, uint32_t id, int64_t *out) {
  const tm_chunk *chunk = &r->table->chunks[id >> TM_CHUNK_BITS];
  uint32_t row = id & (TM_CHUNK_ROWS - 1);
  if (r->order->column >= 0 && tm_column_is_null(&chunk->rows->columns[r->order->column], row)) {
    return false;
  }
  *out = chunk->words[row];
  return true;
}

static uint32_t take_chain(const tm_join_runs *r, uint32_t head, tm_join_run *rows) {
  uint32_t count = 0;
  for (uint32_t id = head; id != TM_ROW_NONE; id = r->table->next[id]) {
    int64_t word;
    if (word_of(r, id, &word)) rows[count++] = (tm_join_run){.word = word, .id = id};
  }
  for (uint32_t a = 0, b = count; a + 1 < b; a++) { /* the first first */
    tm_join_run swap = rows[a];
    rows[a] = rows[--b];
    rows[b] = swap;
  }
  return count;
}

int tm_join_runs_step(tm_join_runs *r, uint32_t lane, tm_error *err) {
  tm_join_part *p = &r->parts[lane];
  const tm_join_partition *of = &r->table->partitions[lane];
  if (p->done) return 0;
  if (p->starts == NULL && begin_part(r, p, of, err) < 0) return -1;
  uint32_t end = p->next_row + STEP_ROWS;
  for (; p->next_key < p->keys && p->next_row < end; p->next_key++) {
    tm_join_run *rows = p->rows + p->next_row;
    uint32_t count = take_chain(r, of->heads[p->next_key], rows);
    p->starts[p->next_key] = p->next_row;
    if (sort_key(r, p, rows, count, err) < 0) return -1;
    p->next_row += count;
  }
  if (p->next_key < p->keys) return 1;
  p->starts[p->keys] = p->next_row;
  drop_scratch(r, p);
  p->done = true;
  return 0;
}

uint32_t tm_join_runs_below(const tm_join_run *rows, uint32_t count, int64_t word) {
  uint32_t from = 0, to = count;
  while (from < to) {
    uint32_t middle = from + (to - from) / 2;
    if (rows[middle].word < word) from = middle + 1;
    else to = middle;
  }
  return from;
}
