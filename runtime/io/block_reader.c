/* io/block_reader.c: see block_reader.h. The files one after another, through one cutter. */
#include "io/block_reader.h"

#include "base/env.h"
#include "io/cutter.h"

enum {
  WAIT_US = 5000, /* for a pipe, before the lane gets a chance to do other things */
  SMALL_BYTES = 16 << 10,
};

struct tm_block_reader {
  tm_budget *budget;
  const tm_reading *reading;
  const tm_source_files *files;
  tm_mutex mutex;
  tm_layout_home home;
  tm_block_pool *pool, *small;
  uint64_t sequence;
  uint32_t file;  /* the file at hand */
  tm_input *input;
  tm_cutter cutter;
  int64_t wait_us;
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
  r->wait_us = WAIT_US;
  tm_env_get()->mutex_init(&r->mutex);
  tm_layout_home_init(&r->home, budget);
  r->pool = tm_block_pool_create(budget, bytes, 2 * lanes + 2);
  r->cutter = (tm_cutter){.budget = budget, .reading = reading, .home = &r->home, .pool = r->pool};
  if (r->pool != NULL) return r;
  tm_block_reader_destroy(r);
  no_memory(err);
  return NULL;
}

int tm_block_reader_go_live(tm_block_reader *r, tm_error *err) {
  r->wait_us = 0;
  r->small = tm_block_pool_create(r->budget, SMALL_BYTES, 8);
  r->cutter.small = r->small;
  return r->small == NULL ? no_memory(err) : 0;
}

int tm_block_reader_file(tm_block_reader *r) {
  tm_env_get()->mutex_lock(&r->mutex);
  int file = r->input == NULL ? -1 : tm_input_file(r->input);
  tm_env_get()->mutex_unlock(&r->mutex);
  return file;
}

void tm_block_reader_destroy(tm_block_reader *r) {
  if (r == NULL) return;
  tm_input_close(r->input);
  tm_cutter_deinit(&r->cutter);
  if (r->pool != NULL) tm_block_pool_destroy(r->pool);
  if (r->small != NULL) tm_block_pool_destroy(r->small);
  tm_layout_home_deinit(&r->home);
  tm_env_get()->mutex_deinit(&r->mutex);
  tm_free(r->budget, r, sizeof *r);
}

/* ---------------------------------------------------------------- files */

static int open_next(tm_block_reader *r, tm_error *err) {
  const tm_source_file *file = &r->files->items[r->file];
  if (tm_input_open(&r->input, r->budget, file->path, file->head, err) < 0) return -1;
  r->cutter.path = file->path;
  r->cutter.name = file->name;
  r->cutter.file_index = r->file;
  tm_cutter_begin(&r->cutter);
  return 0;
}

static void close_file(tm_block_reader *r) {
  r->bytes_before += tm_input_bytes(r->input);
  tm_input_close(r->input);
  r->input = NULL;
  tm_cutter_deinit(&r->cutter);
  r->file++;
}

/* Fills the block as far as there are bytes. TAKEN: there are some, or the file has ended. */
static tm_block_answer fill(tm_block_reader *r, tm_error *err) {
  bool pipe = tm_input_is_pipe(r->input), any = false;
  tm_cutter *c = &r->cutter;
  if (c->ended) return TM_BLOCK_TAKEN;
  do {
    size_t size;
    char *room = tm_cutter_room(c, &size, err);
    if (room == NULL) return TM_BLOCK_FAILED;
    int64_t got = tm_input_read(r->input, room, size, any ? 0 : r->wait_us, err);
    if (got == TM_INPUT_LATER) return any ? TM_BLOCK_TAKEN : TM_BLOCK_LATER;
    if (got < 0) return TM_BLOCK_FAILED;
    tm_cutter_add(c, (size_t)got);
    c->ended = got == 0;
    any = pipe;
  } while (c->used < c->next->capacity && !c->ended);
  return TM_BLOCK_TAKEN;
}

static tm_block_answer take(tm_block_reader *r, tm_block **out, tm_error *err) {
  for (;;) {
    if (r->input == NULL) {
      if (r->file == r->files->count) return TM_BLOCK_END;
      if (open_next(r, err) < 0) return TM_BLOCK_FAILED;
    }
    tm_block_answer got = fill(r, err);
    if (got != TM_BLOCK_TAKEN) return got;
    switch (tm_cutter_take(&r->cutter, out, err)) {
      case TM_CUT_FAILED: return TM_BLOCK_FAILED;
      case TM_CUT_MORE: break;
      case TM_CUT_END: close_file(r); break;
      case TM_CUT_BLOCK:
        (*out)->sequence = r->sequence++;
        if (r->cutter.ended && r->cutter.next == NULL) close_file(r);
        return TM_BLOCK_TAKEN;
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
  tm_cutter_place at;
  tm_env_get()->mutex_lock(&r->mutex);
  *out = (tm_block_place){.file = r->file, .line = 1, .sequence = r->sequence};
  if (r->input != NULL && tm_cutter_place_of(&r->cutter, &at)) {
    out->offset = at.offset;
    out->line = at.line;
    out->skipping = at.skipping;
    out->state = at.state;
    out->left = at.left;
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
    int begun = tm_cutter_head(&r->cutter, err);
    if (begun != 0) return begun < 0 ? -1 : 0;
  }
}

static int go_to(tm_block_reader *r, const tm_block_place *place, tm_error *err) {
  tm_cutter *c = &r->cutter;
  if (place->file > r->files->count) return tm_fail(err, TM_E_LOCKED, "saved state does not fit");
  if (r->input != NULL) close_file(r);
  r->file = (uint32_t)place->file;
  r->sequence = place->sequence;
  if (place->offset == 0 || r->file == r->files->count) return 0;
  if (begin_again(r, err) < 0) return -1;
  while (c->offset + c->used < place->offset && !c->ended) {
    c->offset += c->used;
    c->used = c->start = 0;
    if (fill(r, err) == TM_BLOCK_FAILED) return -1;
  }
  if (c->offset + c->used < place->offset || place->offset < c->offset + c->start) {
    const char *name = r->files->items[r->file].name;
    return tm_fail(err, TM_E_LOCKED, "%s is not the file that it was", name);
  }
  c->start = (size_t)(place->offset - c->offset);
  c->line = place->line;
  c->skipping = place->skipping != 0;
  c->split.state = (uint32_t)place->state;
  c->split.left = place->left;
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
  if (r->file == file && r->cutter.layout != NULL) return r->cutter.layout;
  tm_block_reader look = {.budget = r->budget, .reading = r->reading, .files = r->files,
                          .pool = r->pool, .file = file, .cutter = r->cutter,
                          .wait_us = r->wait_us};
  look.cutter.next = NULL;
  look.cutter.masks = NULL;
  look.cutter.masks_capacity = 0;
  int done = begin_again(&look, err);
  const tm_layout *layout = look.cutter.layout;
  tm_input_close(look.input);
  tm_cutter_deinit(&look.cutter);
  return done < 0 ? NULL : layout;
}

tm_block *tm_block_reader_restore(tm_block_reader *r, const tm_block *like, const void *bytes,
                                  size_t size, tm_error *err) {
  if (like->file_index >= r->files->count) {
    tm_fail(err, TM_E_LOCKED, "saved state does not fit");
    return NULL;
  }
  tm_env_get()->mutex_lock(&r->mutex);
  tm_cutter of = {.budget = r->budget, .reading = r->reading, .pool = r->pool,
                  .name = r->files->items[like->file_index].name, .file_index = like->file_index,
                  .layout = layout_of(r, like->file_index, err)};
  tm_env_get()->mutex_unlock(&r->mutex);
  return of.layout == NULL ? NULL : tm_cutter_restore(&of, like, bytes, size, err);
}
