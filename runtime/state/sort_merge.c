/* state/sort_merge.c: a k-way merge over sorted runs with a binary heap of cursors. Ties go by the
 * sequence of the batch, then by lane and run, which is the order of arrival. */
#include <string.h>

#include "state/sorter.h"

typedef struct tm_sort_cursor {
  const tm_sorter *sorter;
  const tm_sort_run *run;
  uint32_t at, order; /* order: lane and run, ascending */
} cursor;

static tm_sort_place place_of(const cursor *c) {
  const tm_sort_row *row = &c->run->rows[c->at];
  return (tm_sort_place){c->sorter->batches[row->batch], row->row};
}

static bool before(const tm_sort_spec *spec, const cursor *a, const cursor *b) {
  uint64_t x = a->run->rows[a->at].prefix, y = b->run->rows[b->at].prefix;
  if (x != y) return x < y;
  tm_sort_place p = place_of(a), q = place_of(b);
  int order = tm_sort_compare(spec, p, q, 0, spec->key_count);
  if (order != 0) return order < 0;
  if (p.batch->sequence != q.batch->sequence) return p.batch->sequence < q.batch->sequence;
  return a->order < b->order;
}

static void sift_down(tm_sort_merge *m, uint32_t at) {
  cursor moving = m->heap[at];
  for (;;) {
    uint32_t child = 2 * at + 1;
    if (child >= m->count) break;
    if (child + 1 < m->count && before(m->spec, &m->heap[child + 1], &m->heap[child])) child++;
    if (!before(m->spec, &m->heap[child], &moving)) break;
    m->heap[at] = m->heap[child];
    at = child;
  }
  m->heap[at] = moving;
}

int tm_sort_merge_init(tm_sort_merge *m, tm_budget *budget, const tm_sort_spec *spec,
                       tm_sorter *const *sorters, uint32_t count, tm_error *err) {
  *m = (tm_sort_merge){.budget = budget, .spec = spec};
  for (uint32_t i = 0; i < count; i++) m->capacity += sorters[i]->run_count;
  m->heap = tm_alloc(budget, (m->capacity + 1) * sizeof *m->heap);
  if (m->heap == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  uint32_t order = 0;
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t k = 0; k < sorters[i]->run_count; k++, order++) {
      if (sorters[i]->runs[k].count == 0) continue;
      m->heap[m->count++] = (cursor){sorters[i], &sorters[i]->runs[k], 0, order};
    }
  }
  for (uint32_t i = m->count / 2; i > 0; i--) sift_down(m, i - 1);
  return 0;
}

uint32_t tm_sort_merge_next(tm_sort_merge *m, tm_sort_place *out, uint32_t max) {
  uint32_t n = 0;
  while (n < max && m->count > 0) {
    cursor *top = &m->heap[0];
    out[n++] = place_of(top);
    if (++top->at == top->run->count) m->heap[0] = m->heap[--m->count];
    if (m->count > 1) sift_down(m, 0);
  }
  return n;
}

void tm_sort_merge_deinit(tm_sort_merge *m) {
  if (m->heap != NULL) tm_free(m->budget, m->heap, (m->capacity + 1) * sizeof *m->heap);
  m->heap = NULL;
}

#define GATHER(type_name)                                                                       \
  for (uint32_t i = 0; i < count; i++) {                                                        \
    ((type_name *)c->data)[i] =                                                                 \
        ((const type_name *)places[i].batch->columns[column].data)[places[i].row];              \
  }

static int gather_column(tm_batch *out, uint32_t column, const tm_sort_place *places,
                         uint32_t count) {
  tm_column *c = &out->columns[column];
  bool any = false, nullable = false;
  for (uint32_t i = 0; i < count; i++) {
    any |= places[i].batch->columns[column].data != NULL;
    nullable |= places[i].batch->columns[column].valid != NULL;
  }
  if (!any) return 0; /* nobody needs it */
  if (tm_batch_column(out, column, nullable) < 0) return -1;
  for (uint32_t i = 0; nullable && i < count; i++) {
    c->valid[i] = !tm_column_is_null(&places[i].batch->columns[column], places[i].row);
  }
  switch (tm_type_width(c->type)) {
    case 1: GATHER(uint8_t); break;
    case 4: GATHER(uint32_t); break;
    case 8: GATHER(uint64_t); break;
    default: GATHER(tm_str); break;
  }
  return 0;
}

static tm_origin common_origin(const tm_sort_place *places, uint32_t count) {
  tm_origin origin = places[0].batch->origin;
  for (uint32_t i = 1; i < count; i++) {
    const tm_origin *other = &places[i].batch->origin;
    if (other->source != origin.source) return (tm_origin){.source = UINT32_MAX};
    if (other->file_index != origin.file_index) origin.file = NULL;
  }
  if (origin.file == NULL) origin.file_index = 0;
  return origin;
}

/* Event time rides along, where all rows have it. */
static int gather_times(tm_batch *out, const tm_sort_place *places, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (places[i].batch->times == NULL) return 0;
  }
  out->times = tm_batch_alloc(out, (count + 1) * sizeof *out->times);
  if (out->times == NULL) return -1;
  for (uint32_t i = 0; i < count; i++) out->times[i] = places[i].batch->times[places[i].row];
  return 0;
}

/* The new order is the one that holds from here on: no ordinals. */
tm_batch *tm_sort_gather(tm_budget *budget, const tm_schema *schema, const tm_sort_place *places,
                         uint32_t count) {
  tm_batch *out = tm_batch_create(budget, schema, count);
  if (out == NULL) return NULL;
  for (uint32_t i = 0; i < schema->count; i++) {
    if (count == 0 || gather_column(out, i, places, count) == 0) continue;
    tm_batch_release(out);
    return NULL;
  }
  if (gather_times(out, places, count) < 0) {
    tm_batch_release(out);
    return NULL;
  }
  if (count > 0) out->origin = common_origin(places, count);
  return out;
}
