/* io/block_reader.c: see block_reader.h.
 *
 * `next` is the block under construction: it holds what was read but not handed out. Once it has
 * whole records it goes out, and the rest of its bytes move to a fresh one. A record that does not
 * fit makes the block grow; one beyond the limit goes out cut, marked too_long, and its rest is
 * read and thrown away. */
#include "io/block_reader.h"

#include <assert.h>

#include "base/env.h"

enum {
  WAIT_US = 5000,          /* for a pipe, before the lane gets a chance to do other things */
  TOO_LONG_SHOWN = 4096,   /* of a record that is too long */
  SKIP_CONTEXT = 64,       /* bytes that stay when a too long record is thrown away */
};

struct tm_block_reader {
  tm_budget *budget;
  const tm_reading *reading;
  const tm_source_files *files;
  tm_mutex mutex;
  tm_arena arena; /* of layouts */
  tm_block_pool *pool;
  uint64_t *masks;
  size_t masks_capacity;
  uint64_t sequence;
  /* The file at hand. */
  uint32_t file;
  tm_input *input;
  const tm_layout *layout; /* NULL: not begun */
  uint64_t line;
  bool ended;
  /* The block under construction: of `used` bytes the first `start` are no records. */
  tm_block *next;
  size_t used, start;
  uint64_t offset; /* of the buffer in the file */
  tm_split split;
  bool skipping;   /* the rest of a record that was too long */
  bool failed;
  uint64_t bytes_before; /* of the files that are done */
  uint64_t bytes;        /* of all; atomic */
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

tm_block_reader *tm_block_reader_create(tm_budget *budget, const tm_reading *reading,
                                        const tm_source_files *files, uint32_t lanes,
                                        tm_error *err) {
  tm_block_reader *r = tm_alloc_zero(budget, sizeof *r);
  if (r == NULL) {
    no_memory(err);
    return NULL;
  }
  size_t bytes = reading->block_bytes > 0 ? reading->block_bytes : 1;
  r->budget = budget;
  r->reading = reading;
  r->files = files;
  tm_env_get()->mutex_init(&r->mutex);
  tm_arena_init(&r->arena, budget);
  r->pool = tm_block_pool_create(budget, bytes, 2 * lanes + 2);
  if (r->pool != NULL) return r;
  tm_block_reader_destroy(r);
  no_memory(err);
  return NULL;
}

void tm_block_reader_destroy(tm_block_reader *r) {
  if (r == NULL) return;
  tm_input_close(r->input);
  tm_block_release(r->next);
  if (r->pool != NULL) tm_block_pool_destroy(r->pool);
  tm_arena_deinit(&r->arena);
  tm_free(r->budget, r->masks, r->masks_capacity * sizeof *r->masks);
  tm_env_get()->mutex_deinit(&r->mutex);
  tm_free(r->budget, r, sizeof *r);
}

/* ---------------------------------------------------------------- files */

static int open_next(tm_block_reader *r, tm_error *err) {
  const tm_source_file *file = &r->files->items[r->file];
  if (tm_input_open(&r->input, r->budget, file->path, file->head, err) < 0) return -1;
  r->layout = NULL;
  r->line = 1;
  r->ended = r->skipping = false;
  r->used = r->start = 0;
  r->offset = 0;
  r->split = (tm_split){0};
  return 0;
}

static void close_file(tm_block_reader *r) {
  r->bytes_before += tm_input_bytes(r->input);
  tm_input_close(r->input);
  r->input = NULL;
  tm_block_release(r->next);
  r->next = NULL;
  r->file++;
}

/* Values that the folders of this file give. */
static int set_values(tm_block_reader *r, const tm_layout *from, tm_error *err) {
  const tm_reading *reading = r->reading;
  tm_layout *layout = tm_arena_alloc(&r->arena, sizeof *layout);
  const char **values = tm_arena_zero(&r->arena, (reading->schema->count + 1) * sizeof *values);
  if (layout == NULL || values == NULL) return no_memory(err);
  const char *path = r->files->items[r->file].path;
  for (uint32_t c = 0; c < reading->schema->count; c++) {
    if (!reading->from_path[c]) continue;
    const char *name = reading->schema->fields[c].name;
    bool found;
    values[c] = tm_source_files_partition(&r->arena, path, name, &found);
    if (found) continue;
    return tm_fail(err, TM_E_FORMAT, "%s: no folder '%s=…' gives the partition column", path, name);
  }
  *layout = *from;
  layout->values = values;
  r->layout = layout;
  return 0;
}

/* What comes before the first record. 1, 0: needs more bytes, -1. */
static int begin_file(tm_block_reader *r, tm_error *err) {
  const tm_layout *layout = NULL;
  uint64_t lines = 0;
  int done = r->reading->format->begin(r->reading, &r->arena, r->files->items[r->file].name,
                                       r->next->buffer, r->used, r->ended, &layout, &r->start,
                                       &lines, err);
  if (done <= 0) return done;
  r->line += lines;
  r->layout = layout;
  if (r->reading->from_path != NULL && set_values(r, layout, err) < 0) return -1;
  return 1;
}

/* ---------------------------------------------------------------- bytes */

/* Fills the block as far as there are bytes. TAKEN: there are some, or the file has ended. */
static tm_block_answer fill(tm_block_reader *r, tm_error *err) {
  if (r->next == NULL) {
    r->next = tm_block_create(r->pool, 0);
    if (r->next == NULL) return (tm_block_answer)no_memory(err);
  }
  bool pipe = tm_input_is_pipe(r->input), any = false;
  while (r->used < r->next->capacity && !r->ended) {
    int64_t got = tm_input_read(r->input, r->next->buffer + r->used, r->next->capacity - r->used,
                                any ? 0 : WAIT_US, err);
    if (got == TM_INPUT_LATER) return any ? TM_BLOCK_TAKEN : TM_BLOCK_LATER;
    if (got < 0) return TM_BLOCK_FAILED;
    r->used += (size_t)got;
    r->ended = got == 0;
    any = pipe;
  }
  return TM_BLOCK_TAKEN;
}

/* Twice as much, but not more than a record may have: then it is known to be too long. */
static int grow(tm_block_reader *r, tm_error *err) {
  size_t capacity = r->next->capacity * 2, most = r->start + r->reading->record_bytes_max;
  if (capacity > most && most > r->next->capacity) capacity = most;
  if (tm_block_grow(r->next, r->used, capacity) < 0) return no_memory(err);
  return 0;
}

static int find_records(tm_block_reader *r, tm_error *err) {
  size_t size = r->used - r->start;
  size_t words = (size / 64 + 2) * 2;
  if (words > r->masks_capacity) {
    tm_free(r->budget, r->masks, r->masks_capacity * sizeof *r->masks);
    r->masks_capacity = 0;
    r->masks = tm_alloc(r->budget, words * sizeof *r->masks);
    if (r->masks == NULL) return no_memory(err);
    r->masks_capacity = words;
  }
  char *data = r->next->buffer + r->start;
  memset(data + size, 0, TM_BLOCK_PAD);
  r->split.masks = r->masks;
  r->reading->format->split(r->reading, &r->split, data, size);
  return 0;
}

static int fail_format(const tm_block_reader *r, tm_error *err) {
  return tm_fail(err, TM_E_FORMAT, "%s, byte %llu: %s", r->files->items[r->file].name,
                 (unsigned long long)(r->offset + r->start + r->split.whole), r->split.wrong);
}

/* The file has ended: a text gets its last line end and is whole. Elsewhere a record may be cut
 * off, which is told once those before it are out. */
static int end_records(tm_block_reader *r, tm_error *err) {
  char *data = r->next->buffer + r->start;
  size_t size = r->used - r->start;
  if (!r->reading->format->ends_lines) {
    if (r->split.whole < size && r->split.wrong == NULL) {
      r->split.wrong = "the file ends inside of a record";
    }
    return 0;
  }
  if (size > 0 && data[size - 1] != '\n') {
    if (r->used == r->next->capacity && grow(r, err) < 0) return -1;
    r->next->buffer[r->used++] = '\n';
    if (find_records(r, err) < 0) return -1;
    size++;
  }
  r->split.whole = size;
  return 0;
}

/* ---------------------------------------------------------------- handing out */

/* The rest of the block, from `from` on, begins a fresh one. */
static int move_rest(tm_block_reader *r, size_t from, tm_error *err) {
  size_t rest = r->used - from;
  tm_block *fresh = NULL;
  if (!r->ended || rest > 0) {
    fresh = tm_block_create(r->pool, rest);
    if (fresh == NULL) return no_memory(err);
    memcpy(fresh->buffer, r->next->buffer + from, rest);
  }
  r->next = fresh;
  r->offset += from;
  r->used = rest;
  r->start = 0;
  r->split = (tm_split){0};
  return 0;
}

static int hand_out(tm_block_reader *r, size_t size, tm_block **out, tm_error *err) {
  tm_block *b = r->next;
  b->data = b->buffer + r->start;
  b->size = size;
  b->layout = r->layout;
  b->file = r->files->items[r->file].name;
  b->file_index = r->file;
  b->first_line = r->line;
  b->lines = r->split.lines;
  b->flags = r->split.flags;
  b->offset = r->offset + r->start;
  b->sequence = r->sequence++;
  r->line += r->split.lines;
  size_t end = r->start + size;
  if (move_rest(r, end, err) < 0) return -1;
  /* Behind the records there may be the beginning of the next, which went along. */
  memset(b->data + b->size, 0, TM_BLOCK_PAD);
  *out = b;
  return 0;
}

/* The beginning of a record that is too long; the split goes on in a buffer of its last bytes. */
static int hand_out_cut(tm_block_reader *r, tm_block **out, tm_error *err) {
  tm_block *whole = r->next, *b = tm_block_create(r->pool, TOO_LONG_SHOWN);
  if (b == NULL) return no_memory(err);
  size_t size = r->used - r->start < TOO_LONG_SHOWN ? r->used - r->start : TOO_LONG_SHOWN;
  memcpy(b->buffer, whole->buffer + r->start, size);
  memset(b->buffer + size, 0, TM_BLOCK_PAD);
  tm_block fields = {.references = 1, .pool = b->pool, .buffer = b->buffer, .data = b->buffer,
                     .capacity = b->capacity, .size = size, .layout = r->layout,
                     .file = r->files->items[r->file].name, .file_index = r->file,
                     .first_line = r->line, .offset = r->offset + r->start,
                     .sequence = r->sequence++, .too_long = true};
  *b = fields;
  r->skipping = true;
  *out = b;
  return 0;
}

/* Throws away what is known to belong to the record, but for a few bytes that the split may look
 * back at. */
static void skip_scanned(tm_block_reader *r) {
  size_t data = r->used - r->start;
  size_t scanned = r->split.scanned < data ? r->split.scanned : data;
  size_t drop = scanned > SKIP_CONTEXT ? scanned - SKIP_CONTEXT : 0;
  memmove(r->next->buffer, r->next->buffer + r->start + drop, data - drop);
  r->offset += r->start + drop;
  r->used = data - drop;
  r->start = 0;
  r->split.scanned -= drop;
  r->split.start = 0;
}

/* Reads on behind a record that was too long. TAKEN: it has ended. LATER: more bytes are needed. */
static tm_block_answer skip_record(tm_block_reader *r, tm_error *err) {
  r->split.first_only = true;
  if (find_records(r, err) < 0) return TM_BLOCK_FAILED;
  if (r->split.whole == 0 && !r->ended) {
    skip_scanned(r);
    return TM_BLOCK_LATER;
  }
  size_t from = r->split.whole > 0 ? r->start + r->split.whole : r->used;
  r->line += r->split.lines;
  r->skipping = false;
  memmove(r->next->buffer, r->next->buffer + from, r->used - from);
  r->offset += from;
  r->used -= from;
  r->start = 0;
  r->split = (tm_split){0};
  return TM_BLOCK_TAKEN;
}

/* What can be done with the bytes at hand: TAKEN with *out or without (call again), LATER: more
 * bytes are needed, END: the file has nothing more. */
static tm_block_answer look(tm_block_reader *r, tm_block **out, tm_error *err) {
  if (r->layout == NULL) {
    int begun = begin_file(r, err);
    if (begun < 0) return TM_BLOCK_FAILED;
    if (begun == 0 && r->used >= r->reading->record_bytes_max) {
      return (tm_block_answer)tm_fail(err, TM_E_FORMAT, "%s: its header has no end",
                                      r->files->items[r->file].name);
    }
    if (begun == 0) return TM_BLOCK_LATER;
  }
  if (r->skipping) return skip_record(r, err);
  if (find_records(r, err) < 0) return TM_BLOCK_FAILED;
  if (r->ended && end_records(r, err) < 0) return TM_BLOCK_FAILED;
  size_t size = r->split.whole;
  if (size == 0 && r->split.wrong != NULL) return (tm_block_answer)fail_format(r, err);
  if (size == 0 && r->ended) return TM_BLOCK_END;
  bool too_long = size == 0 && r->used - r->start >= r->reading->record_bytes_max;
  int done = too_long ? hand_out_cut(r, out, err)
                      : size > 0 ? hand_out(r, size, out, err) : 0;
  if (done < 0) return TM_BLOCK_FAILED;
  return *out != NULL ? TM_BLOCK_TAKEN : TM_BLOCK_LATER;
}

static tm_block_answer take(tm_block_reader *r, tm_block **out, tm_error *err) {
  for (;;) {
    if (r->input == NULL) {
      if (r->file == r->files->count) return TM_BLOCK_END;
      if (open_next(r, err) < 0) return TM_BLOCK_FAILED;
    }
    tm_block_answer got = fill(r, err);
    if (got != TM_BLOCK_TAKEN) return got;
    got = look(r, out, err);
    if (got == TM_BLOCK_FAILED) return got;
    if (*out != NULL) {
      if (r->next == NULL) close_file(r);
      return TM_BLOCK_TAKEN;
    }
    if (got == TM_BLOCK_END) {
      close_file(r);
    } else if (got == TM_BLOCK_LATER && r->used == r->next->capacity && grow(r, err) < 0) {
      return TM_BLOCK_FAILED;
    }
  }
}

tm_block_answer tm_block_reader_take(tm_block_reader *r, tm_block **out, tm_error *err) {
  *out = NULL;
  tm_env_get()->mutex_lock(&r->mutex);
  tm_block_answer answer = r->failed ? TM_BLOCK_END : take(r, out, err);
  uint64_t bytes = r->bytes_before + (r->input == NULL ? 0 : tm_input_bytes(r->input));
  __atomic_store_n(&r->bytes, bytes, __ATOMIC_RELAXED);
  /* Nobody reads on behind a damaged place. */
  if (answer == TM_BLOCK_FAILED) r->failed = true;
  tm_env_get()->mutex_unlock(&r->mutex);
  return answer;
}

uint64_t tm_block_reader_bytes(const tm_block_reader *r) {
  return __atomic_load_n(&r->bytes, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------- saving and restoring */

void tm_block_reader_place(tm_block_reader *r, tm_block_place *out) {
  tm_env_get()->mutex_lock(&r->mutex);
  *out = (tm_block_place){.file = r->file, .line = 1, .sequence = r->sequence};
  if (r->input != NULL && r->layout != NULL) {
    size_t seen = r->skipping ? r->split.scanned : 0;
    out->offset = r->offset + r->start + (seen < r->used - r->start ? seen : r->used - r->start);
    out->line = r->line;
    out->skipping = r->skipping;
    out->state = r->split.state;
    out->left = r->split.left;
  }
  tm_env_get()->mutex_unlock(&r->mutex);
}

/* Opens the file at hand and reads its beginning. */
static int begin_again(tm_block_reader *r, tm_error *err) {
  if (open_next(r, err) < 0) return -1;
  if (tm_input_is_pipe(r->input)) {
    return tm_fail(err, TM_E_LOCKED, "%s is a pipe: it cannot be read a second time",
                   r->files->items[r->file].name);
  }
  for (;;) {
    if (fill(r, err) == TM_BLOCK_FAILED) return -1;
    int begun = begin_file(r, err);
    if (begun != 0) return begun < 0 ? -1 : 0;
    if (r->used == r->next->capacity && grow(r, err) < 0) return -1;
  }
}

static int go_to(tm_block_reader *r, const tm_block_place *place, tm_error *err) {
  if (place->file > r->files->count) return tm_fail(err, TM_E_LOCKED, "saved state does not fit");
  if (r->input != NULL) close_file(r);
  r->file = (uint32_t)place->file;
  r->sequence = place->sequence;
  if (place->offset == 0 || r->file == r->files->count) return 0;
  if (begin_again(r, err) < 0) return -1;
  while (r->offset + r->used < place->offset && !r->ended) {
    r->offset += r->used;
    r->used = 0;
    if (fill(r, err) == TM_BLOCK_FAILED) return -1;
  }
  if (r->offset + r->used < place->offset || place->offset < r->offset + r->start) {
    const char *name = r->files->items[r->file].name;
    return tm_fail(err, TM_E_LOCKED, "%s is not the file that it was", name);
  }
  r->start = (size_t)(place->offset - r->offset);
  r->line = place->line;
  r->skipping = place->skipping != 0;
  r->split.state = (uint32_t)place->state;
  r->split.left = place->left;
  return 0;
}

int tm_block_reader_seek(tm_block_reader *r, const tm_block_place *place, tm_error *err) {
  tm_env_get()->mutex_lock(&r->mutex);
  int done = place->sequence > r->sequence || place->file > r->file ? go_to(r, place, err) : 0;
  if (done < 0) r->failed = true;
  tm_env_get()->mutex_unlock(&r->mutex);
  return done;
}

/* The layout of any file, by a look at its beginning. */
static const tm_layout *layout_of(tm_block_reader *r, uint32_t file, tm_error *err) {
  if (r->file == file && r->layout != NULL) return r->layout;
  tm_block_reader look = {.budget = r->budget, .reading = r->reading, .files = r->files,
                          .pool = r->pool, .file = file, .arena = r->arena};
  int done = begin_again(&look, err);
  const tm_layout *layout = look.layout;
  tm_input_close(look.input);
  tm_block_release(look.next);
  r->arena = look.arena;
  return done < 0 ? NULL : layout;
}

tm_block *tm_block_reader_restore(tm_block_reader *r, const tm_block *like, const void *bytes,
                                  size_t size, tm_error *err) {
  if (like->file_index >= r->files->count) {
    tm_fail(err, TM_E_LOCKED, "saved state does not fit");
    return NULL;
  }
  tm_env_get()->mutex_lock(&r->mutex);
  const tm_layout *layout = layout_of(r, like->file_index, err);
  tm_env_get()->mutex_unlock(&r->mutex);
  tm_block *b = layout == NULL ? NULL : tm_block_create(r->pool, size);
  uint64_t *masks = tm_alloc(r->budget, (size / 64 + 2) * 2 * sizeof *masks);
  if (b != NULL && masks != NULL) {
    tm_split split = {.masks = masks};
    memcpy(b->buffer, bytes, size);
    memset(b->buffer + size, 0, TM_BLOCK_PAD);
    r->reading->format->split(r->reading, &split, b->buffer, size);
    b->size = size;
    b->layout = layout;
    b->file = r->files->items[like->file_index].name;
    b->file_index = like->file_index;
    b->first_line = like->first_line;
    b->lines = split.lines;
    b->flags = split.flags;
    b->offset = like->offset;
    b->sequence = like->sequence;
    b->first_batch = like->first_batch;
    b->told = like->told;
  } else {
    if (err->code == TM_E_NONE) no_memory(err);
    tm_block_release(b);
    b = NULL;
  }
  tm_free(r->budget, masks, (size / 64 + 2) * 2 * sizeof *masks);
  return b;
}
