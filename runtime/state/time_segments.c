/* state/time_segments.c: see time_segments.h. */
#include "state/time_segments.h"

#include <assert.h>

enum {
  HOLD_ROWS = 256,   /* batches of so many rows are held as they are */
  ROOM_MIN = 64, ROOM_MAX = 1024, /* rows of a segment that is filled */
  THIN = 4,          /* a segment is thin when fewer than one of so many rows is alive */
  THIN_ROWS = 16384, /* dead rows that do not matter */
};

void tm_time_segments_init(tm_time_segments *s, tm_budget *budget, const tm_schema *schema,
                           const uint8_t *needed) {
  *s = (tm_time_segments){.budget = budget, .schema = schema, .needed = needed,
                          .open = TM_TIME_SEGMENT_NONE, .first_free = TM_TIME_SEGMENT_NONE};
}

void tm_time_segments_deinit(tm_time_segments *s) {
  for (uint32_t i = 0; i < s->count; i++) tm_batch_release(s->all[i].batch);
  tm_free(s->budget, s->all, s->capacity * sizeof *s->all);
  s->all = NULL;
  s->count = s->capacity = 0;
}

static bool is_needed(const tm_time_segments *s, uint32_t column) {
  return s->needed == NULL || s->needed[column];
}

/* ------------------------------------------------------------------ slots */

/* Takes the batch. TM_TIME_SEGMENT_NONE when out of memory, the batch released. */
static uint32_t add_segment(tm_time_segments *s, tm_batch *taken, uint32_t used) {
  uint32_t at = s->first_free;
  if (at == TM_TIME_SEGMENT_NONE) {
    if (s->count == s->capacity) {
      uint32_t capacity = s->capacity == 0 ? 8 : 2 * s->capacity;
      void *grown = tm_realloc(s->budget, s->all, s->capacity * sizeof *s->all,
                               capacity * sizeof *s->all);
      if (grown == NULL) {
        tm_batch_release(taken);
        return TM_TIME_SEGMENT_NONE;
      }
      s->all = grown;
      s->capacity = capacity;
    }
    at = s->count++;
  } else {
    s->first_free = s->all[at].next_free;
  }
  s->all[at] = (tm_time_segment){.batch = taken, .used = used, .live = used};
  s->used += used;
  s->live += used;
  return at;
}

static void free_segment(tm_time_segments *s, uint32_t at) {
  tm_time_segment *segment = &s->all[at];
  assert(segment->live == 0 && segment->batch != NULL);
  s->used -= segment->used;
  tm_batch_release(segment->batch);
  *segment = (tm_time_segment){.next_free = s->first_free};
  s->first_free = at;
  if (s->open == at) s->open = TM_TIME_SEGMENT_NONE;
}

void tm_time_segments_drop(tm_time_segments *s, const tm_time_row *rows, uint32_t count) {
  s->live -= count;
  for (uint32_t i = 0; i < count; i++) {
    tm_time_segment *segment = &s->all[rows[i].segment];
    segment->live--;
    bool filling = rows[i].segment == s->open && segment->used < s->open_room;
    if (segment->live == 0 && !filling) free_segment(s, rows[i].segment);
  }
}

/* ------------------------------------------------------------------ the open segment */

static int open_columns(const tm_time_segments *s, tm_batch *batch) {
  for (uint32_t c = 0; c < s->schema->count; c++) {
    const tm_type type = s->schema->fields[c].type;
    if (!is_needed(s, c) || type.kind == TM_NULLTYPE) continue;
    if (tm_batch_column(batch, c, !type.not_null) < 0) return -1;
  }
  if (!s->weights) return 0;
  batch->weights = tm_batch_alloc(batch, batch->rows * sizeof *batch->weights);
  return batch->weights == NULL ? -1 : 0;
}

/* Makes sure that there is an open segment with room for a row. */
static int open_segment(tm_time_segments *s) {
  if (s->open != TM_TIME_SEGMENT_NONE) {
    if (s->all[s->open].used < s->open_room) return 0;
    if (s->all[s->open].live == 0) free_segment(s, s->open);
  }
  uint32_t room = s->open_room == 0 ? ROOM_MIN : 2 * s->open_room;
  room = room > ROOM_MAX ? ROOM_MAX : room;
  tm_batch *batch = tm_batch_create(s->budget, s->schema, room);
  if (batch == NULL) return -1;
  if (open_columns(s, batch) < 0) {
    tm_batch_release(batch);
    return -1;
  }
  uint32_t at = add_segment(s, batch, 0);
  if (at == TM_TIME_SEGMENT_NONE) return -1;
  s->open = at;
  s->open_room = room;
  return 0;
}

static int copy_text(tm_batch *to, const tm_column *in, uint32_t row, tm_str *out) {
  const tm_str *text = &((const tm_str *)in->data)[row];
  return tm_batch_text(to, tm_str_bytes(text), text->size, out) ? 0 : -1;
}

static int copy_cell(tm_batch *to, uint32_t column, uint32_t to_row, const tm_column *in,
                     uint32_t row) {
  tm_column *c = &to->columns[column];
  bool null = tm_column_is_null(in, row);
  if (c->valid != NULL) c->valid[to_row] = !null;
  if (null) return 0;
  switch (tm_type_width(c->type)) {
    case 1: ((uint8_t *)c->data)[to_row] = ((const uint8_t *)in->data)[row]; return 0;
    case 4: ((uint32_t *)c->data)[to_row] = ((const uint32_t *)in->data)[row]; return 0;
    case 8: ((uint64_t *)c->data)[to_row] = ((const uint64_t *)in->data)[row]; return 0;
    default: break;
  }
  if (tm_type_physical(c->type) == TM_PHYSICAL_STR) {
    return copy_text(to, in, row, &((tm_str *)c->data)[to_row]);
  }
  ((__int128 *)c->data)[to_row] = ((const __int128 *)in->data)[row];
  return 0;
}

static int copy_row(tm_time_segments *s, const tm_batch *from, uint32_t row, tm_time_row *out) {
  if (open_segment(s) < 0) return -1;
  tm_time_segment *segment = &s->all[s->open];
  tm_batch *to = segment->batch;
  for (uint32_t c = 0; c < s->schema->count; c++) {
    if (to->columns[c].data == NULL) continue;
    if (copy_cell(to, c, segment->used, &from->columns[c], row) < 0) return -1;
  }
  if (s->weights) to->weights[segment->used] = from->weights == NULL ? 1 : from->weights[row];
  out->segment = s->open;
  out->row = segment->used++;
  segment->live++;
  s->used++;
  s->live++;
  return 0;
}

/* ------------------------------------------------------------------ adding */

static int hold_whole(tm_time_segments *s, tm_batch *batch, const uint32_t *rows, uint32_t count,
                      tm_time_row *out) {
  uint32_t at = add_segment(s, tm_batch_retain(batch), count);
  if (at == TM_TIME_SEGMENT_NONE) return -1;
  for (uint32_t i = 0; i < count; i++) {
    out[i].segment = at;
    out[i].row = rows[i];
  }
  return 0;
}

/* A copy that pins nothing, without columns that nobody needs. */
static int hold_copy(tm_time_segments *s, tm_batch *batch, const uint32_t *rows, uint32_t count,
                     tm_time_row *out) {
  tm_batch *view = tm_batch_derive(batch, s->budget, s->schema);
  if (view == NULL) return -1;
  for (uint32_t c = 0; c < s->schema->count; c++) {
    if (is_needed(s, c)) view->columns[c] = batch->columns[c];
  }
  view->ordinals = NULL;
  view->marks = NULL;
  view->selected = count;
  view->selection = (uint32_t *)rows; /* only read */
  tm_batch *copy = tm_batch_compact(view, s->budget);
  tm_batch_release(view);
  if (copy == NULL) return -1;
  uint32_t at = add_segment(s, copy, count);
  if (at == TM_TIME_SEGMENT_NONE) return -1;
  for (uint32_t i = 0; i < count; i++) {
    out[i].segment = at;
    out[i].row = i;
  }
  return 0;
}

int tm_time_segments_add(tm_time_segments *s, tm_batch *batch, const uint32_t *rows, uint32_t count,
                         tm_time_row *out) {
  if (count >= HOLD_ROWS) {
    bool whole = !s->copies && count >= batch->rows / 2;
    return whole ? hold_whole(s, batch, rows, count, out) : hold_copy(s, batch, rows, count, out);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (copy_row(s, batch, rows[i], &out[i]) < 0) return -1;
  }
  return 0;
}

/* ------------------------------------------------------------------ moving */

bool tm_time_segments_are_thin(const tm_time_segments *s) {
  return s->used - s->live > (THIN - 1) * s->live + THIN_ROWS;
}

int tm_time_segments_move(tm_time_segments *s, tm_time_row *row) {
  const tm_time_segment *segment = &s->all[row->segment];
  if (row->segment == s->open || segment->live >= segment->used / THIN) return 0;
  tm_time_row old = *row;
  if (copy_row(s, segment->batch, row->row, row) < 0) return -1;
  tm_time_segments_drop(s, &old, 1);
  return 0;
}

/* ------------------------------------------------------------------ gathering */

/* Segments of one gather, numbered as they appear. */
typedef struct gathering {
  tm_time_segments *segments;
  const tm_time_row *rows;
  uint32_t count;
  uint32_t *locals;     /* a row: which of the batches */
  tm_batch **batches;
  const void **data;    /* of one column, a batch */
  bool *pinned;
  uint32_t batch_count;
  tm_batch *out;
} gathering;

static int begin_gathering(gathering *g) {
  tm_time_segments *s = g->segments;
  uint32_t count = g->count;
  g->locals = tm_batch_alloc(g->out, (count + 1) * sizeof *g->locals);
  if (g->locals == NULL) return -1;
  s->stamp++;
  for (uint32_t i = 0; i < count; i++) {
    tm_time_segment *segment = &s->all[g->rows[i].segment];
    if (segment->stamp != s->stamp) {
      segment->stamp = s->stamp;
      segment->local = g->batch_count++;
    }
    g->locals[i] = segment->local;
  }
  g->batches = tm_batch_alloc(g->out, (g->batch_count + 1) * sizeof(tm_batch *));
  g->data = tm_batch_alloc(g->out, (g->batch_count + 1) * sizeof(void *));
  g->pinned = tm_batch_alloc(g->out, g->batch_count + 1);
  if (g->batches == NULL || g->data == NULL || g->pinned == NULL) return -1;
  memset(g->pinned, 0, g->batch_count);
  for (uint32_t i = 0; i < count; i++) g->batches[g->locals[i]] = s->all[g->rows[i].segment].batch;
  return 0;
}

#define GATHER(type_name)                                                                       \
  for (uint32_t i = 0; i < g->count; i++) {                                                     \
    ((type_name *)c->data)[i] = ((const type_name *)g->data[g->locals[i]])[g->rows[i].row];     \
  }

static int gather_texts(gathering *g, tm_column *c) {
  for (uint32_t i = 0; i < g->count; i++) {
    if (c->valid != NULL && !c->valid[i]) continue;
    uint32_t local = g->locals[i];
    const tm_str text = ((const tm_str *)g->data[local])[g->rows[i].row];
    ((tm_str *)c->data)[i] = text;
    if (text.size <= TM_STR_INLINE || g->pinned[local]) continue;
    if (tm_batch_pin_batch(g->out, g->batches[local]) < 0) return -1;
    g->pinned[local] = true;
  }
  return 0;
}

static int gather_column(gathering *g, uint32_t column) {
  tm_column *c = &g->out->columns[column];
  bool nullable = false, any = false;
  for (uint32_t k = 0; k < g->batch_count; k++) {
    const tm_column *in = &g->batches[k]->columns[column];
    g->data[k] = in->data;
    any |= in->data != NULL;
    nullable |= in->valid != NULL;
  }
  if (!any) return 0;
  if (tm_batch_column(g->out, column, nullable) < 0) return -1;
  for (uint32_t i = 0; nullable && i < g->count; i++) {
    const tm_column *in = &g->batches[g->locals[i]]->columns[column];
    c->valid[i] = !tm_column_is_null(in, g->rows[i].row);
  }
  switch (tm_type_width(c->type)) {
    case 1: GATHER(uint8_t); break;
    case 4: GATHER(uint32_t); break;
    case 8: GATHER(uint64_t); break;
    default:
      if (tm_type_physical(c->type) == TM_PHYSICAL_STR) return gather_texts(g, c);
      GATHER(__int128);
      break;
  }
  return 0;
}

static int gather_hidden(gathering *g) {
  tm_batch *out = g->out;
  out->times = tm_batch_alloc(out, (g->count + 1) * sizeof *out->times);
  if (out->times == NULL) return -1;
  for (uint32_t i = 0; i < g->count; i++) out->times[i] = g->rows[i].time_us;
  out->origin = g->batches[0]->origin;
  for (uint32_t k = 0; k < g->batch_count; k++) {
    const tm_origin *other = &g->batches[k]->origin;
    bool same = other->source == out->origin.source && other->file_index == out->origin.file_index;
    if (!same) out->origin = (tm_origin){.source = UINT32_MAX};
  }
  if (!g->segments->weights) return 0;
  out->weights = tm_batch_alloc(out, (g->count + 1) * sizeof *out->weights);
  if (out->weights == NULL) return -1;
  for (uint32_t i = 0; i < g->count; i++) {
    const int32_t *weights = g->batches[g->locals[i]]->weights;
    out->weights[i] = weights == NULL ? 1 : weights[g->rows[i].row];
  }
  return 0;
}

uint32_t tm_time_segments_slice(const tm_time_segments *s, const tm_time_row *rows,
                                uint32_t count) {
  const tm_batch *batch = s->all[rows[0].segment].batch;
  uint32_t most = batch->rows / 2, n = 1;
  if (batch->times == NULL || count < most) return 0;
  while (n < count && rows[n].segment == rows[0].segment && rows[n].row > rows[n - 1].row) n++;
  return n < most ? 0 : n;
}

static tm_batch *slice(tm_time_segments *s, const tm_time_row *rows, uint32_t count) {
  tm_batch *base = s->all[rows[0].segment].batch;
  tm_batch *out = tm_batch_derive(base, s->budget, s->schema);
  if (out == NULL) return NULL;
  for (uint32_t c = 0; c < s->schema->count; c++) {
    if (is_needed(s, c)) out->columns[c] = base->columns[c];
  }
  out->ordinals = NULL;
  out->marks = NULL;
  out->selected = count;
  out->selection = NULL;
  if (count == base->rows) return out;
  out->selection = tm_batch_alloc(out, (count + 1) * sizeof *out->selection);
  if (out->selection == NULL) {
    tm_batch_release(out);
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) out->selection[i] = rows[i].row;
  return out;
}

tm_batch *tm_time_segments_gather(tm_time_segments *s, const tm_time_row *rows, uint32_t count) {
  assert(count > 0);
  if (tm_time_segments_slice(s, rows, count) == count) return slice(s, rows, count);
  gathering g = {.segments = s, .rows = rows, .count = count};
  g.out = tm_batch_create(s->budget, s->schema, count);
  if (g.out == NULL) return NULL;
  int done = begin_gathering(&g);
  for (uint32_t c = 0; done == 0 && c < s->schema->count; c++) {
    if (is_needed(s, c)) done = gather_column(&g, c);
  }
  if (done == 0 && gather_hidden(&g) == 0) return g.out;
  tm_batch_release(g.out);
  return NULL;
}
