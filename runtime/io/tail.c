/* io/tail.c: see tail.h.
 *
 * Files stand in a list: those that have no name any more first, as they lost it, then by path. The
 * one at hand is read to its end before the next, at first whatever its size, later for a turn at
 * most, so that one that grows fast does not keep the others waiting. */
#include "io/tail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/glob.h"
#include "base/log.h"
#include "format/compress.h"

enum {
  READ_BYTES = 256 << 10,
  SMALL_BYTES = 16 << 10,
  POOLED = 4,
  TURN_BYTES = 4 << 20,
  LOOK_US = 20 * 1000,         /* at sizes */
  SEARCH_US = 250 * 1000,      /* for files */
  SEARCH_SHARE = 20,           /* of the time at most one part goes into that */
  LAST_BYTES = TM_TAIL_LAST,
  LINGER_US = 5 * 1000 * 1000, /* a file without a name may still grow: its writer has it open */
};

typedef struct tailed {
  struct tailed *next;
  const char *path;     /* in the arena */
  int file;
  uint64_t device, inode;
  uint64_t position;    /* of the next byte to read */
  char last[LAST_BYTES]; /* those before it, `last_size` of them: they stay while a file grows */
  size_t last_size;
  int64_t modified_us;
  uint32_t number;
  tm_cutter cutter;
  bool seen;            /* during a search: some path leads to it */
  bool nameless;        /* no path does */
  bool known;           /* something of it was given out */
  int64_t quiet_us;     /* nameless: since when it has not grown */
} tailed;

struct tm_tail {
  tm_budget *budget;
  const tm_reading *reading;
  const tm_tail_options *options;
  tm_block_pool *pool, *small;
  tm_layout_home home;
  tm_arena paths;
  tailed *files;
  tailed *at;           /* the one at hand; NULL: a new round begins */
  uint64_t turn_bytes;  /* read of it in this round */
  bool moved;           /* something was read in this round */
  bool caught_up;       /* one round found nothing more */
  bool searched;
  int64_t search_us;    /* when to look for files again */
  uint64_t sequence;
  uint32_t next_number;
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "tail: out of memory"); }

static int fail_read(const char *path, int error, tm_error *err) {
  return tm_fail(err, TM_E_READ, "%s: %s", path, tm_env_error_text(error));
}

/* ---------------------------------------------------------------- open, close */

tm_tail *tm_tail_open(tm_budget *budget, const tm_reading *reading, const tm_tail_options *options,
                      tm_error *err) {
  tm_tail *t = tm_alloc_zero(budget, sizeof *t);
  if (t == NULL) {
    no_memory(err);
    return NULL;
  }
  t->budget = budget;
  t->reading = reading;
  t->options = options;
  tm_layout_home_init(&t->home, budget);
  tm_arena_init(&t->paths, budget);
  t->pool = tm_block_pool_create(budget, READ_BYTES, POOLED);
  t->small = tm_block_pool_create(budget, SMALL_BYTES, POOLED);
  if (t->pool != NULL && t->small != NULL) return t;
  tm_tail_close(t);
  no_memory(err);
  return NULL;
}

static void tailed_destroy(tm_tail *t, tailed *f) {
  if (f->file >= 0) tm_env_get()->close(f->file);
  tm_cutter_deinit(&f->cutter);
  tm_free(t->budget, f, sizeof *f);
}

void tm_tail_close(tm_tail *t) {
  if (t == NULL) return;
  for (tailed *f = t->files, *next; f != NULL; f = next) {
    next = f->next;
    tailed_destroy(t, f);
  }
  if (t->pool != NULL) tm_block_pool_destroy(t->pool);
  if (t->small != NULL) tm_block_pool_destroy(t->small);
  tm_layout_home_deinit(&t->home);
  tm_arena_deinit(&t->paths);
  tm_free(t->budget, t, sizeof *t);
}

/* ---------------------------------------------------------------- reading a file */

static void remember(tailed *f, const char *bytes, size_t size) {
  if (size >= LAST_BYTES) {
    f->last_size = LAST_BYTES;
    memcpy(f->last, bytes + size - LAST_BYTES, LAST_BYTES);
    return;
  }
  size_t kept = f->last_size + size > LAST_BYTES ? LAST_BYTES - size : f->last_size;
  memmove(f->last, f->last + f->last_size - kept, kept);
  memcpy(f->last + kept, bytes, size);
  f->last_size = kept + size;
}

/* Bytes that are there now, into its cutter. The number, 0 at its end, or -1. */
static int64_t read_some(tailed *f, tm_error *err) {
  size_t size;
  char *room = tm_cutter_room(&f->cutter, &size, err);
  if (room == NULL) return -1;
  int64_t got = tm_env_get()->pread(f->file, room, size, f->position);
  if (got < 0) return fail_read(f->path, (int)got, err);
  tm_cutter_add(&f->cutter, (size_t)got);
  f->position += (uint64_t)got;
  remember(f, room, (size_t)got);
  return got;
}

static void start_over(tailed *f) {
  tm_log(TM_LOG_WARNING, "%s was truncated: it is read from its start again", f->path);
  tm_cutter_deinit(&f->cutter);
  tm_cutter_begin(&f->cutter);
  f->position = 0;
  f->last_size = 0;
}

/* Are the bytes before the position those that were read? Else it was written anew. */
static bool is_what_it_was(const tailed *f) {
  char now[LAST_BYTES];
  if (f->last_size == 0) return true;
  int64_t got = tm_env_get()->pread(f->file, now, f->last_size, f->position - f->last_size);
  return got == (int64_t)f->last_size && memcmp(now, f->last, f->last_size) == 0;
}

/* 1: it has grown; 0: it has not; -1. One that was truncated is read from its start. */
static int has_grown(tailed *f, tm_error *err) {
  tm_file_info info;
  int known = tm_env_get()->stat_file(f->file, &info);
  if (known < 0) return fail_read(f->path, known, err);
  bool touched = info.modified_us != f->modified_us || info.size > f->position;
  if (info.size < f->position || (touched && !is_what_it_was(f))) start_over(f);
  f->modified_us = info.modified_us;
  return info.size > f->position;
}

/* Its head, which says how its records lie. 1; 0: it is not whole yet; -1. */
static int read_head(tailed *f, uint64_t size, tm_error *err) {
  int begun = 0;
  while (begun == 0 && f->position < size) {
    int64_t got = read_some(f, err);
    if (got < 0) return -1;
    if (got == 0) break;
    begun = tm_cutter_head(&f->cutter, err);
  }
  return begun;
}

/* Goes to the end of what is there now, past the rest of a line that is not whole yet. */
static int go_to_end(tailed *f, uint64_t size, tm_error *err) {
  int begun = read_head(f, size, err);
  if (begun <= 0) return begun; /* its head is not whole: there is nothing to pass over */
  tm_cutter_place place = {.line = f->cutter.line, .offset = f->cutter.start};
  if (size > place.offset) {
    size_t before = size < LAST_BYTES ? (size_t)size : LAST_BYTES;
    int64_t got = tm_env_get()->pread(f->file, f->last, before, size - before);
    if (got < 0) return fail_read(f->path, (int)got, err);
    f->last_size = (size_t)got;
    place.offset = size;
    place.skipping = f->cutter.reading->format->ends_lines && got > 0 && f->last[got - 1] != '\n';
  }
  tm_cutter_jump(&f->cutter, &place);
  f->position = place.offset;
  return 0;
}

/* ---------------------------------------------------------------- finding files */

static tailed *find(const tm_tail *t, const tm_file_info *info) {
  for (tailed *f = t->files; f != NULL; f = f->next) {
    if (f->device == info->device && f->inode == info->inode) return f;
  }
  return NULL;
}

static void insert(tm_tail *t, tailed *f) {
  tailed **at = &t->files;
  while (*at != NULL && ((*at)->nameless || strcmp((*at)->path, f->path) < 0)) at = &(*at)->next;
  f->next = *at;
  *at = f;
}

static void take_out(tm_tail *t, tailed *f) {
  tailed **at = &t->files;
  while (*at != f) at = &(*at)->next;
  *at = f->next;
  if (t->at == f) t->at = f->next;
}

/* A name that stays; the same text is kept once. */
static const char *keep_path(tm_tail *t, const char *path) {
  for (const tailed *f = t->files; f != NULL; f = f->next) {
    if (strcmp(f->path, path) == 0) return f->path;
  }
  return tm_arena_text(&t->paths, path, strlen(path));
}

/* Takes the descriptor, on every path. NULL with err. */
static tailed *tailed_create(tm_tail *t, const char *path, int file, const tm_file_info *info,
                             uint32_t number, tm_error *err) {
  tailed *f = tm_alloc_zero(t->budget, sizeof *f);
  const char *name = f == NULL ? NULL : keep_path(t, path);
  if (name == NULL) {
    tm_env_get()->close(file);
    tm_free(t->budget, f, sizeof *f);
    no_memory(err);
    return NULL;
  }
  *f = (tailed){.path = name, .file = file, .device = info->device, .inode = info->inode,
                .number = number, .seen = true};
  f->cutter = (tm_cutter){.budget = t->budget, .reading = t->reading, .home = &t->home,
                          .pool = t->pool, .small = t->small, .name = name,
                          .file_index = t->options->by_file ? number : 0};
  tm_cutter_begin(&f->cutter);
  return f;
}

static int add(tm_tail *t, const char *path, tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_file_info info = {0};
  int file = env->open(path, TM_OPEN_READ);
  if (file == -ENOENT) return 0; /* it has just gone */
  if (file < 0) return fail_read(path, file, err);
  int known = env->stat_file(file, &info);
  if (known < 0 || find(t, &info) != NULL) {
    env->close(file);
    return known < 0 ? fail_read(path, known, err) : 0;
  }
  tailed *f = tailed_create(t, path, file, &info, t->next_number++, err);
  if (f == NULL) return -1;
  bool at_end = t->options->from_end && !t->searched;
  if (at_end && go_to_end(f, info.size, err) < 0) {
    tailed_destroy(t, f);
    return -1;
  }
  insert(t, f);
  return 0;
}

/* A path that is there. */
static int meet(tm_tail *t, const char *path, tm_error *err) {
  tm_file_info info;
  int known = tm_env_get()->stat(path, &info);
  if (known == -ENOENT || known == -ENOTDIR) return 0;
  if (known < 0) return fail_read(path, known, err);
  if (info.kind != TM_FILE_REGULAR) {
    return info.kind == TM_FILE_FOLDER ? 0 : tm_fail(err, TM_E_READ, "%s is no file", path);
  }
  if (tm_compression_of_path(path) != TM_COMPRESSION_NONE) return 0;
  tailed *f = find(t, &info);
  if (f == NULL) return add(t, path, err);
  f->seen = true;
  if (!f->nameless && strcmp(f->path, path) == 0) return 0;
  const char *name = keep_path(t, path);
  if (name == NULL) return no_memory(err);
  take_out(t, f);
  f->path = f->cutter.name = name;
  f->nameless = false;
  insert(t, f);
  return 0;
}

static int meet_all(tm_tail *t, const char *pattern, tm_error *err) {
  tm_arena scratch;
  const char *const *found;
  size_t count;
  if (!tm_glob_is_pattern(pattern)) return meet(t, pattern, err);
  tm_arena_init(&scratch, t->budget);
  int done = tm_glob_expand(&scratch, pattern, &found, &count, err);
  for (size_t i = 0; done == 0 && i < count; i++) done = meet(t, found[i], err);
  tm_arena_deinit(&scratch);
  return done;
}

/* Which files there are now. Those to which no path leads any more stand first from here on. */
static int search(tm_tail *t, int64_t now_us, tm_error *err) {
  for (tailed *f = t->files; f != NULL; f = f->next) f->seen = false;
  for (size_t i = 0; i < t->options->pattern_count; i++) {
    if (meet_all(t, t->options->patterns[i], err) < 0) return -1;
  }
  tailed *lost = NULL, **last = &lost;
  for (tailed *f = t->files, *next; f != NULL; f = next) {
    next = f->next;
    if (f->seen || f->nameless) continue;
    take_out(t, f);
    f->nameless = true;
    f->quiet_us = now_us;
    *last = f;
    last = &f->next;
    f->next = NULL;
  }
  tailed **at = &t->files;
  while (*at != NULL && (*at)->nameless) at = &(*at)->next;
  *last = *at;
  *at = lost;
  if (!t->searched && t->files == NULL) {
    tm_log(TM_LOG_WARNING, "%s is not there yet: waiting for it", t->options->patterns[0]);
  }
  t->searched = true;
  int64_t end_us = tm_env_get()->monotonic_us();
  int64_t pause_us = (end_us - now_us) * SEARCH_SHARE;
  t->search_us = end_us + (pause_us > SEARCH_US ? pause_us : SEARCH_US);
  return 0;
}

/* ---------------------------------------------------------------- taking */

static tm_live_item item_of(const tm_tail *t, tailed *f) {
  f->known = true;
  return (tm_live_item){.name = f->path, .number = f->number,
                        .partition = t->options->by_file ? f->number : 0};
}

static tm_live_answer give(tm_tail *t, tailed *f, tm_block *block, tm_live_item *out) {
  *out = item_of(t, f);
  out->block = block;
  block->sequence = t->sequence++;
  t->moved = true;
  return TM_LIVE_TAKEN;
}

/* What is whole in the cutter. LATER: nothing more. */
static tm_live_answer cut(tm_tail *t, tailed *f, tm_live_item *out, tm_error *err) {
  tm_block *block;
  switch (tm_cutter_take(&f->cutter, &block, err)) {
    case TM_CUT_FAILED: return TM_LIVE_FAILED;
    case TM_CUT_BLOCK: return give(t, f, block, out);
    case TM_CUT_MORE:
    case TM_CUT_END: break;
  }
  return TM_LIVE_LATER;
}

/* A nameless file that has been quiet for long is over: its last line is whole now. */
static tm_live_answer let_go(tm_tail *t, tailed *f, tm_live_item *out, tm_error *err) {
  f->cutter.ended = true;
  if (f->cutter.used > f->cutter.start) {
    tm_live_answer got = cut(t, f, out, err);
    if (got != TM_LIVE_LATER) return got;
  }
  bool tells = f->known && t->options->by_file;
  if (tells) {
    *out = item_of(t, f);
    out->ends = true;
  }
  take_out(t, f);
  tailed_destroy(t, f);
  return tells ? TM_LIVE_TAKEN : TM_LIVE_LATER;
}

/* The next of one file; LATER: its turn is over. */
static tm_live_answer take_of(tm_tail *t, tailed *f, int64_t now_us, tm_live_item *out,
                              tm_error *err) {
  for (;;) {
    if (f->cutter.used > f->cutter.start || f->cutter.ended) {
      tm_live_answer got = cut(t, f, out, err);
      if (got != TM_LIVE_LATER) return got;
    }
    int grown = f->cutter.ended ? 0 : has_grown(f, err);
    if (grown < 0) return TM_LIVE_FAILED;
    if (grown == 0) {
      bool over = f->nameless && now_us - f->quiet_us >= LINGER_US;
      if (over || f->cutter.ended) return let_go(t, f, out, err);
      tm_cutter_rest(&f->cutter);
      return TM_LIVE_LATER;
    }
    if (t->caught_up && t->turn_bytes >= TURN_BYTES) return TM_LIVE_LATER;
    int64_t got = read_some(f, err);
    if (got < 0) return TM_LIVE_FAILED;
    t->turn_bytes += (uint64_t)got;
    t->moved |= got > 0;
    f->quiet_us = now_us;
  }
}

tm_live_answer tm_tail_take(tm_tail *t, tm_live_item *out, int64_t *out_look_us, tm_error *err) {
  int64_t now_us = tm_env_get()->monotonic_us();
  if (now_us >= t->search_us && search(t, now_us, err) < 0) return TM_LIVE_FAILED;
  for (;;) {
    if (t->at == NULL) { /* a round begins */
      t->at = t->files;
      t->moved = false;
      t->turn_bytes = 0;
    }
    while (t->at != NULL) {
      tailed *f = t->at;
      tm_live_answer got = take_of(t, f, now_us, out, err);
      if (got != TM_LIVE_LATER) return got;
      if (t->at == f) t->at = f->next; /* else it was let go */
      t->turn_bytes = 0;
    }
    if (t->moved) continue;
    t->caught_up = true;
    *out_look_us = now_us + LOOK_US;
    return TM_LIVE_LATER;
  }
}

/* ---------------------------------------------------------------- places */

tm_tail_progress tm_tail_progress_of(const tm_tail *t) {
  tm_tail_progress progress = {.sequence = t->sequence, .next_number = t->next_number};
  for (const tailed *f = t->files; f != NULL; f = f->next) progress.file_count++;
  return progress;
}

void tm_tail_go_on(tm_tail *t, const tm_tail_progress *progress) {
  t->sequence = progress->sequence;
  t->next_number = progress->next_number;
  t->searched = true; /* what is new since then is read from its start */
}

int tm_tail_place_of(const tm_tail *t, uint32_t nth, tm_tail_place *out, tm_error *err) {
  const tailed *f = t->files;
  while (nth-- > 0) f = f->next;
  *out = (tm_tail_place){.path = f->path, .device = f->device, .inode = f->inode,
                         .number = f->number, .known = f->known};
  out->begun = tm_cutter_place_of(&f->cutter, &out->at);
  uint64_t offset = out->begun ? out->at.offset : 0;
  size_t size = offset < TM_TAIL_LAST ? (size_t)offset : TM_TAIL_LAST;
  int64_t got = size == 0 ? 0 : tm_env_get()->pread(f->file, out->last, size, offset - size);
  if (got < 0) return fail_read(f->path, (int)got, err);
  out->last_size = (size_t)got;
  return 0;
}

typedef struct hunt {
  const tm_tail_place *place;
  const char *folder;
  char path[1024];
  int file; /* -1: not found */
} hunt;

/* Opens it if it is the file of the place. */
static int try_path(hunt *h, const char *path) {
  const tm_env *env = tm_env_get();
  const tm_tail_place *p = h->place;
  tm_file_info info;
  if (env->stat(path, &info) < 0 || info.kind != TM_FILE_REGULAR || info.inode != p->inode ||
      info.device != p->device) {
    return 0;
  }
  h->file = env->open(path, TM_OPEN_READ);
  if (h->file >= 0) (void)snprintf(h->path, sizeof h->path, "%s", path);
  return h->file >= 0;
}

static int try_name(void *context, const char *name) {
  hunt *h = context;
  char path[1024];
  int size = snprintf(path, sizeof path, "%s/%s", h->folder, name);
  return size < (int)sizeof path ? try_path(h, path) : 0;
}

/* Under its own name, or another in its folder: it may have been renamed meanwhile. */
static void find_again(hunt *h) {
  char folder[1024] = ".";
  const char *slash = strrchr(h->place->path, '/');
  if (slash != NULL) {
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - h->place->path) + 1,
                   h->place->path);
  }
  h->folder = folder;
  if (try_path(h, h->place->path) == 0) (void)tm_env_get()->list(folder, try_name, h);
  h->folder = NULL;
}

static bool same_bytes(int file, const tm_tail_place *p) {
  char now[TM_TAIL_LAST];
  if (p->last_size == 0) return true;
  int64_t got = tm_env_get()->pread(file, now, p->last_size, p->at.offset - p->last_size);
  return got == (int64_t)p->last_size && memcmp(now, p->last, p->last_size) == 0;
}

int tm_tail_seek(tm_tail *t, const tm_tail_place *p, tm_error *err) {
  hunt h = {.place = p, .file = -1};
  tm_file_info info = {.device = p->device, .inode = p->inode};
  if (p->last_size > p->at.offset) return tm_fail(err, TM_E_LOCKED, "saved state does not fit");
  find_again(&h);
  if (h.file < 0 || !same_bytes(h.file, p)) {
    if (h.file >= 0) tm_env_get()->close(h.file);
    tm_log(TM_LOG_WARNING, "%s is not the file that it was: what it held behind byte %llu is lost",
           p->path, (unsigned long long)p->at.offset);
    return 0;
  }
  tailed *f = tailed_create(t, h.path, h.file, &info, p->number, err);
  if (f == NULL) return -1;
  f->known = p->known;
  int begun = p->begun ? read_head(f, UINT64_MAX, err) : 0;
  if (begun < 0) {
    tailed_destroy(t, f);
    return -1;
  }
  if (begun > 0) {
    tm_cutter_jump(&f->cutter, &p->at);
    f->position = p->at.offset;
    memcpy(f->last, p->last, p->last_size);
    f->last_size = p->last_size;
  }
  insert(t, f);
  return 1;
}

tm_block *tm_tail_block(tm_tail *t, uint32_t number, const tm_block *like, const void *bytes,
                        size_t size, tm_error *err) {
  const tailed *f = t->files;
  while (f != NULL && f->number != number) f = f->next;
  if (f == NULL || f->cutter.layout == NULL) return NULL;
  return tm_cutter_restore(&f->cutter, like, bytes, size, err);
}
