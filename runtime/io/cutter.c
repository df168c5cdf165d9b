/* io/cutter.c: see cutter.h.
 *
 * `next` is the block under construction: it holds what came but was not handed out. Once it has
 * whole records it goes out, and the rest of its bytes move to a fresh one; few records are copied
 * into a small block instead, so that a waiting event does not hold the memory of a large one. A
 * record that does not fit makes the block grow; one beyond the limit goes out cut, marked
 * too_long, and its rest is thrown away. */
#include "io/cutter.h"

#include <assert.h>

#include "io/source_files.h"

enum {
  TOO_LONG_SHOWN = 4096,   /* of a record that is too long */
  SKIP_CONTEXT = 64,       /* bytes that stay when a too long record is thrown away */
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

/* ---------------------------------------------------------------- layouts */

typedef struct tm_known_layout {
  const tm_layout *layout;
  struct tm_known_layout *next;
} tm_known_layout;

void tm_layout_home_init(tm_layout_home *home, tm_budget *budget) {
  tm_arena_init(&home->arena, budget);
  tm_arena_init(&home->scratch, budget);
  home->known = NULL;
}

void tm_layout_home_deinit(tm_layout_home *home) {
  tm_arena_deinit(&home->arena);
  tm_arena_deinit(&home->scratch);
}

static bool same(const tm_layout *a, const tm_layout *b, uint32_t columns) {
  if (a->field_count != b->field_count || (a->field_of == NULL) != (b->field_of == NULL)) {
    return false;
  }
  return a->field_of == NULL ||
         memcmp(a->field_of, b->field_of, columns * sizeof *a->field_of) == 0;
}

/* The known one that is the same, or a copy that stays. NULL when out of memory. */
static const tm_layout *keep(tm_layout_home *home, const tm_layout *layout, uint32_t columns) {
  for (const tm_known_layout *k = home->known; k != NULL; k = k->next) {
    if (same(k->layout, layout, columns)) return k->layout;
  }
  tm_layout *copy = tm_arena_zero(&home->arena, sizeof *copy);
  tm_known_layout *known = tm_arena_alloc(&home->arena, sizeof *known);
  int32_t *field_of = tm_arena_alloc(&home->arena, (columns + 1) * sizeof *field_of);
  if (copy == NULL || known == NULL || field_of == NULL) return NULL;
  copy->field_count = layout->field_count;
  if (layout->field_of != NULL) {
    memcpy(field_of, layout->field_of, columns * sizeof *field_of);
    copy->field_of = field_of;
  }
  *known = (tm_known_layout){copy, home->known};
  home->known = known;
  return copy;
}

/* The same with the values that the folders of this file give. */
static const tm_layout *with_values(tm_cutter *c, const tm_layout *from, tm_error *err) {
  const tm_reading *reading = c->reading;
  tm_arena *arena = &c->home->arena;
  tm_layout *layout = tm_arena_alloc(arena, sizeof *layout);
  const char **values = tm_arena_zero(arena, (reading->schema->count + 1) * sizeof *values);
  if (layout == NULL || values == NULL) {
    no_memory(err);
    return NULL;
  }
  for (uint32_t i = 0; i < reading->schema->count; i++) {
    if (!reading->from_path[i]) continue;
    const char *name = reading->schema->fields[i].name;
    bool found;
    values[i] = tm_source_files_partition(arena, c->path, name, &found);
    if (found) continue;
    tm_fail(err, TM_E_FORMAT, "%s: no folder '%s=…' gives the partition column", c->path, name);
    return NULL;
  }
  *layout = *from;
  layout->values = values;
  return layout;
}

int tm_cutter_head(tm_cutter *c, tm_error *err) {
  const tm_layout *layout = NULL;
  uint64_t lines = 0;
  const tm_reading *r = c->reading;
  if (c->next == NULL && !c->ended) return 0;
  tm_arena_reset(&c->home->scratch);
  int done = r->format->begin(r, &c->home->scratch, c->name, c->next == NULL ? "" : c->next->buffer,
                              c->used, c->ended, &layout, &c->start, &lines, err);
  if (done <= 0) {
    c->start = 0;
    return done;
  }
  layout = keep(c->home, layout, r->schema->count);
  if (layout == NULL) return no_memory(err);
  if (r->from_path != NULL && (layout = with_values(c, layout, err)) == NULL) return -1;
  c->line += lines;
  c->layout = layout;
  return 1;
}

/* ---------------------------------------------------------------- bytes */

void tm_cutter_begin(tm_cutter *c) {
  c->layout = NULL;
  c->line = 1;
  c->ended = c->skipping = false;
  c->used = c->start = 0;
  c->offset = 0;
  c->split = (tm_split){0};
  assert(c->next == NULL);
}

void tm_cutter_deinit(tm_cutter *c) {
  tm_block_release(c->next);
  c->next = NULL;
  tm_free(c->budget, c->masks, c->masks_capacity * sizeof *c->masks);
  c->masks = NULL;
  c->masks_capacity = 0;
}

/* Twice as much, but not more than a record may have: then it is known to be too long. */
static int grow(tm_cutter *c, tm_error *err) {
  size_t capacity = c->next->capacity * 2, most = c->start + c->reading->record_bytes_max;
  if (capacity > most && most > c->next->capacity) capacity = most;
  if (tm_block_grow(c->next, c->used, capacity) < 0) return no_memory(err);
  return 0;
}

char *tm_cutter_room(tm_cutter *c, size_t *out_size, tm_error *err) {
  if (c->next == NULL && (c->next = tm_block_create(c->pool, 0)) == NULL) {
    no_memory(err);
    return NULL;
  }
  if (c->used == c->next->capacity && grow(c, err) < 0) return NULL;
  *out_size = c->next->capacity - c->used;
  return c->next->buffer + c->used;
}

void tm_cutter_rest(tm_cutter *c) {
  if (c->next == NULL || c->used > c->start) return;
  c->offset += c->used;
  c->used = c->start = 0;
  tm_block_release(c->next);
  c->next = NULL;
}

static int find_records(tm_cutter *c, tm_error *err) {
  size_t size = c->used - c->start;
  size_t words = (size / 64 + 2) * 2;
  if (words > c->masks_capacity) {
    tm_free(c->budget, c->masks, c->masks_capacity * sizeof *c->masks);
    c->masks_capacity = 0;
    c->masks = tm_alloc(c->budget, words * sizeof *c->masks);
    if (c->masks == NULL) return no_memory(err);
    c->masks_capacity = words;
  }
  char *data = c->next->buffer + c->start;
  memset(data + size, 0, TM_BLOCK_PAD);
  c->split.masks = c->masks;
  c->reading->format->split(c->reading, &c->split, data, size);
  return 0;
}

static int fail_format(const tm_cutter *c, tm_error *err) {
  return tm_fail(err, TM_E_FORMAT, "%s, byte %llu: %s", c->name,
                 (unsigned long long)(c->offset + c->start + c->split.whole), c->split.wrong);
}

/* The file has ended: a text gets its last line end and is whole. Elsewhere a record may be cut
 * off, which is told once those before it are out. */
static int end_records(tm_cutter *c, tm_error *err) {
  char *data = c->next->buffer + c->start;
  size_t size = c->used - c->start;
  if (!c->reading->format->ends_lines) {
    if (c->split.whole < size && c->split.wrong == NULL) {
      c->split.wrong = "the file ends inside of a record";
    }
    return 0;
  }
  if (size > 0 && data[size - 1] != '\n') {
    if (c->used == c->next->capacity && grow(c, err) < 0) return -1;
    c->next->buffer[c->used++] = '\n';
    if (find_records(c, err) < 0) return -1;
    size++;
  }
  c->split.whole = size;
  return 0;
}

/* ---------------------------------------------------------------- handing out */

static void describe(tm_cutter *c, tm_block *b, size_t size) {
  b->size = size;
  b->layout = c->layout;
  b->file = c->name;
  b->file_index = c->file_index;
  b->first_line = c->line;
  b->lines = c->split.lines;
  b->flags = c->split.flags;
  b->offset = c->offset + c->start;
}

/* The rest of the block, from `from` on, begins a fresh one. */
static int move_rest(tm_cutter *c, size_t from, tm_error *err) {
  size_t rest = c->used - from;
  tm_block *fresh = NULL;
  if (rest > 0 || (!c->ended && c->small == NULL)) {
    fresh = tm_block_create(c->pool, rest);
    if (fresh == NULL) return no_memory(err);
    memcpy(fresh->buffer, c->next->buffer + from, rest);
  }
  c->next = fresh;
  c->offset += from;
  c->used = rest;
  c->start = 0;
  c->split = (tm_split){0};
  return 0;
}

static tm_cut hand_out(tm_cutter *c, size_t size, tm_block **out, tm_error *err) {
  tm_block *b = c->next;
  uint64_t lines = c->split.lines;
  b->data = b->buffer + c->start;
  describe(c, b, size);
  if (move_rest(c, c->start + size, err) < 0) return TM_CUT_FAILED;
  c->line += lines;
  /* Behind the records there may be the beginning of the next, which went along. */
  memset(b->data + b->size, 0, TM_BLOCK_PAD);
  *out = b;
  return TM_CUT_BLOCK;
}

static void drop_front(tm_cutter *c, size_t from) {
  memmove(c->next->buffer, c->next->buffer + from, c->used - from);
  c->offset += from;
  c->used -= from;
  c->start = 0;
  c->split = (tm_split){0};
}

/* Few records go out as a copy. Nothing is copied when out of memory. */
static tm_cut hand_out_copy(tm_cutter *c, size_t size, tm_block **out, tm_error *err) {
  tm_block *b = tm_block_create(c->small, size);
  if (b == NULL) return (tm_cut)no_memory(err);
  memcpy(b->buffer, c->next->buffer + c->start, size);
  memset(b->buffer + size, 0, TM_BLOCK_PAD);
  describe(c, b, size);
  c->line += c->split.lines;
  drop_front(c, c->start + size);
  *out = b;
  return TM_CUT_BLOCK;
}

/* The beginning of a record that is too long; the split goes on in a buffer of its last bytes. */
static tm_cut hand_out_cut(tm_cutter *c, tm_block **out, tm_error *err) {
  tm_block *b = tm_block_create(c->pool, TOO_LONG_SHOWN);
  if (b == NULL) return (tm_cut)no_memory(err);
  size_t size = c->used - c->start < TOO_LONG_SHOWN ? c->used - c->start : TOO_LONG_SHOWN;
  memcpy(b->buffer, c->next->buffer + c->start, size);
  memset(b->buffer + size, 0, TM_BLOCK_PAD);
  describe(c, b, size);
  b->lines = 0;
  b->flags = 0;
  b->too_long = true;
  c->skipping = true;
  *out = b;
  return TM_CUT_BLOCK;
}

/* Throws away what is known to belong to the record, but for a few bytes that the split may look
 * back at. */
static void skip_scanned(tm_cutter *c) {
  size_t data = c->used - c->start;
  size_t scanned = c->split.scanned < data ? c->split.scanned : data;
  size_t drop = scanned > SKIP_CONTEXT ? scanned - SKIP_CONTEXT : 0;
  memmove(c->next->buffer, c->next->buffer + c->start + drop, data - drop);
  c->offset += c->start + drop;
  c->used = data - drop;
  c->start = 0;
  c->split.scanned -= drop;
  c->split.start = 0;
}

/* Goes on behind a record that was too long. BLOCK: it has ended. */
static tm_cut skip_record(tm_cutter *c, tm_error *err) {
  c->split.first_only = true;
  if (find_records(c, err) < 0) return TM_CUT_FAILED;
  if (c->split.whole == 0 && !c->ended) {
    skip_scanned(c);
    return TM_CUT_MORE;
  }
  size_t from = c->split.whole > 0 ? c->start + c->split.whole : c->used;
  c->line += c->split.lines;
  c->skipping = false;
  drop_front(c, from);
  return TM_CUT_BLOCK;
}

static tm_cut begin(tm_cutter *c, tm_error *err) {
  int begun = tm_cutter_head(c, err);
  if (begun < 0) return TM_CUT_FAILED;
  if (begun == 0 && c->used >= c->reading->record_bytes_max) {
    return (tm_cut)tm_fail(err, TM_E_FORMAT, "%s: its header has no end", c->name);
  }
  return begun == 0 ? TM_CUT_MORE : TM_CUT_BLOCK;
}

tm_cut tm_cutter_take(tm_cutter *c, tm_block **out, tm_error *err) {
  *out = NULL;
  if (c->layout == NULL) {
    tm_cut begun = begin(c, err);
    if (begun != TM_CUT_BLOCK) return begun;
  }
  if (c->next == NULL) return c->ended ? TM_CUT_END : TM_CUT_MORE;
  if (c->skipping) {
    tm_cut skipped = skip_record(c, err);
    if (skipped != TM_CUT_BLOCK) return skipped;
  }
  if (find_records(c, err) < 0) return TM_CUT_FAILED;
  if (c->ended && end_records(c, err) < 0) return TM_CUT_FAILED;
  size_t size = c->split.whole;
  if (size == 0 && c->split.wrong != NULL) return (tm_cut)fail_format(c, err);
  if (size > 0) {
    bool few = c->small != NULL && size * 4 <= c->next->capacity;
    return few ? hand_out_copy(c, size, out, err) : hand_out(c, size, out, err);
  }
  if (c->ended) return TM_CUT_END;
  if (c->used - c->start < c->reading->record_bytes_max) return TM_CUT_MORE;
  return hand_out_cut(c, out, err);
}

/* ---------------------------------------------------------------- places */

bool tm_cutter_place_of(const tm_cutter *c, tm_cutter_place *out) {
  *out = (tm_cutter_place){.line = 1};
  if (c->layout == NULL) return false;
  size_t there = c->used - c->start, seen = c->skipping ? c->split.scanned : 0;
  out->offset = c->offset + c->start + (seen < there ? seen : there);
  out->line = c->line;
  out->skipping = c->skipping;
  out->state = c->split.state;
  out->left = c->split.left;
  return true;
}

void tm_cutter_jump(tm_cutter *c, const tm_cutter_place *place) {
  c->used = c->start = 0;
  c->offset = place->offset;
  c->line = place->line;
  c->skipping = place->skipping != 0;
  c->split = (tm_split){.state = (uint32_t)place->state, .left = place->left};
}

tm_block *tm_cutter_restore(const tm_cutter *c, const tm_block *like, const void *bytes,
                            size_t size, tm_error *err) {
  tm_block *b = tm_block_create(c->pool, size);
  size_t mask_bytes = (size / 64 + 2) * 2 * sizeof(uint64_t);
  uint64_t *masks = tm_alloc(c->budget, mask_bytes);
  if (b != NULL && masks != NULL) {
    tm_split split = {.masks = masks};
    memcpy(b->buffer, bytes, size);
    memset(b->buffer + size, 0, TM_BLOCK_PAD);
    c->reading->format->split(c->reading, &split, b->buffer, size);
    b->size = size;
    b->layout = c->layout;
    b->file = c->name;
    b->file_index = c->file_index;
    b->first_line = like->first_line;
    b->lines = split.lines;
    b->flags = split.flags;
    b->offset = like->offset;
    b->sequence = like->sequence;
    b->first_batch = like->first_batch;
    b->told = like->told;
  } else {
    no_memory(err);
    tm_block_release(b);
    b = NULL;
  }
  tm_free(c->budget, masks, mask_bytes);
  return b;
}
