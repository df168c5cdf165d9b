/* io/rolling.c: see rolling.h.
 *
 * A part is renamed, and the folder synced, like any output; where the name is taken by a file that
 * is to stay, the part's bytes are added to that file instead. A part that a crash left is gone on
 * with; a compressed one cannot be: it stays where it is, and the new one has a number. */
#include "io/rolling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/glob.h"
#include "base/log.h"
#include "format/compress.h"
#include "io/live_file.h"
#include "io/source_files.h"
#include "kernel/parse.h"
#include "kernel/print.h"

enum { OPEN_MAX = 32, COPY_BYTES = 64 << 10, PARTS_MAX = 1000, DATE_SIZE = 10 };

typedef struct day_file {
  struct day_file *next;
  int32_t day;
  bool published;     /* it has its name: for rows that came after that */
  bool touched;       /* there is a part, of ours */
  bool adopted;       /* which another run began, and nobody has looked at yet */
  const char *path, *part;
  tm_live_file *file; /* NULL: not open now */
  uint64_t used;      /* when, for who is to be closed */
  tm_arena arena;     /* of the paths */
} day_file;

struct tm_rolling {
  tm_budget *budget;
  tm_rolling_options options;
  day_file *days;
  uint32_t open;
  uint64_t clock;
  int64_t published_day; /* days before it have their names: what comes for them is put behind */
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "writing: out of memory"); }

static int fail(const char *path, int error, tm_error *err) {
  return tm_fail(err, TM_E_WRITE, "cannot write '%s': %s", path, tm_env_error_text(error));
}

static void close_day(tm_rolling *r, day_file *d) {
  if (d->file == NULL) return;
  tm_live_file_close(d->file);
  d->file = NULL;
  r->open--;
}

static void day_destroy(tm_rolling *r, day_file *d) {
  close_day(r, d);
  tm_arena_deinit(&d->arena);
  tm_free(r->budget, d, sizeof *d);
}

void tm_rolling_destroy(tm_rolling *r) {
  if (r == NULL) return;
  for (day_file *d = r->days, *next; d != NULL; d = next) {
    next = d->next;
    day_destroy(r, d);
  }
  tm_free(r->budget, r, sizeof *r);
}

/* ---------------------------------------------------------------- a day */

static bool is_there(const char *path) {
  tm_file_info info;
  return tm_env_get()->stat(path, &info) == 0;
}

/* NAME.part; of a compressed file one that is not there yet. NULL when out of memory. */
static const char *part_of(tm_rolling *r, day_file *d) {
  const char *part = tm_arena_format(&d->arena, "%s.part", d->path);
  bool packed = tm_compression_of_path(d->path) != TM_COMPRESSION_NONE;
  if (!packed || !r->options.adds || part == NULL || !is_there(part)) return part;
  tm_log(TM_LOG_WARNING, "%s was left by a run that was cut off; it stays as it is", part);
  for (int i = 2; part != NULL && i < PARTS_MAX && is_there(part); i++) {
    part = tm_arena_format(&d->arena, "%s.part%d", d->path, i);
  }
  return part;
}

static day_file *day_create(tm_rolling *r, int32_t day, tm_error *err) {
  char text[TM_PRINT_MAX + 1];
  day_file *d = tm_alloc_zero(r->budget, sizeof *d);
  if (d != NULL) {
    text[tm_print_date(text, day)] = '\0';
    d->day = day;
    d->published = day < r->published_day;
    tm_arena_init(&d->arena, r->budget);
    d->path = tm_source_files_date(&d->arena, r->options.path, text);
    d->part = d->path == NULL || d->published ? d->path : part_of(r, d);
    if (d->part != NULL) {
      d->next = r->days;
      r->days = d;
      return d;
    }
    day_destroy(r, d);
  }
  no_memory(err);
  return NULL;
}

static day_file *find(tm_rolling *r, int32_t day, tm_error *err) {
  day_file **at = &r->days;
  for (; *at != NULL; at = &(*at)->next) {
    if ((*at)->day != day) continue;
    day_file *d = *at; /* to the front: rows come for few days at a time */
    *at = d->next;
    d->next = r->days;
    r->days = d;
    return d;
  }
  return day_create(r, day, err);
}

/* The one that was not used for longest gives its descriptor. */
static int close_oldest(tm_rolling *r, tm_error *err) {
  day_file *oldest = NULL;
  for (day_file *d = r->days; d != NULL; d = d->next) {
    if (d->file != NULL && (oldest == NULL || d->used < oldest->used)) oldest = d;
  }
  int done = tm_live_file_seal(oldest->file, err);
  close_day(r, oldest);
  return done;
}

static int open_day(tm_rolling *r, day_file *d, tm_error *err) {
  if (d->file != NULL) return 0;
  if (r->open >= OPEN_MAX && close_oldest(r, err) < 0) return -1;
  bool begins = !d->touched && !d->published;
  tm_live_mode mode = !begins || r->options.adds ? TM_LIVE_GOES_ON : TM_LIVE_REPLACES;
  if (d->published) mode = TM_LIVE_ADDS;
  const char *path = d->published ? d->path : d->part;
  if (tm_live_file_open(&d->file, r->budget, path, d->path, mode, err) < 0) return -1;
  r->open++;
  d->adopted = false;
  if (!d->published) d->touched = true;
  /* The head is there already, where the part is to be added to a file. */
  bool headed = !tm_live_file_is_empty(d->file) ||
                (!d->published && r->options.adds && is_there(d->path));
  return headed ? 0 : tm_live_file_write(d->file, r->options.head, r->options.head_size, err);
}

int tm_rolling_write(tm_rolling *r, int32_t day, const void *bytes, size_t size, tm_error *err) {
  day_file *d = find(r, day, err);
  if (d == NULL || open_day(r, d, err) < 0) return -1;
  d->used = ++r->clock;
  return tm_live_file_write(d->file, bytes, size, err);
}

bool tm_rolling_waits(const tm_rolling *r) {
  bool waits = false;
  for (const day_file *d = r->days; d != NULL; d = d->next) {
    waits |= d->file != NULL && tm_live_file_waits(d->file);
  }
  return waits;
}

int tm_rolling_flush(tm_rolling *r, tm_error *err) {
  for (day_file *d = r->days; d != NULL; d = d->next) {
    if (d->file != NULL && tm_live_file_flush(d->file, err) < 0) return -1;
  }
  return 0;
}

/* ---------------------------------------------------------------- what a crash left */

/* The path as a pattern of its parts, with `date` for {date}. NULL when out of memory. */
static const char *pattern_of(tm_arena *arena, const char *path) {
  static const char special[] = "*?[]\\";
  char *escaped = tm_arena_alloc(arena, 2 * strlen(path) + 1), *to = escaped;
  if (escaped == NULL) return NULL;
  for (; *path != '\0'; path++) {
    if (strchr(special, *path) != NULL) *to++ = '\\';
    *to++ = *path;
  }
  *to = '\0';
  const char *pattern = tm_source_files_date(arena, escaped, "????""-??""-??");
  return pattern == NULL ? NULL : tm_arena_format(arena, "%s.part", pattern);
}

/* Parts of days for which nothing more may come: they are published in their time, too. */
static int adopt(tm_rolling *r, tm_error *err) {
  const char *path = r->options.path, *at = strstr(path, "{date}");
  const char *const *found;
  size_t count;
  tm_arena arena;
  if (at == NULL || tm_compression_of_path(path) != TM_COMPRESSION_NONE) return 0;
  tm_arena_init(&arena, r->budget);
  const char *pattern = pattern_of(&arena, path);
  int done = pattern == NULL ? no_memory(err)
                             : tm_glob_expand(&arena, pattern, &found, &count, err);
  for (size_t i = 0; done == 0 && i < count; i++) {
    int32_t day;
    if (tm_parse_date(found[i] + (at - path), DATE_SIZE, &day) != 0) continue;
    day_file *d = day_create(r, day, err);
    if (d == NULL) done = -1;
    else d->touched = d->adopted = true;
  }
  tm_arena_deinit(&arena);
  return done;
}

tm_rolling *tm_rolling_create(tm_budget *budget, const tm_rolling_options *options, tm_error *err) {
  tm_rolling *r = tm_alloc_zero(budget, sizeof *r);
  if (r == NULL) {
    no_memory(err);
    return NULL;
  }
  r->budget = budget;
  r->options = *options;
  r->published_day = INT64_MIN;
  if (!options->adds || adopt(r, err) == 0) return r;
  tm_rolling_destroy(r);
  return NULL;
}

/* ---------------------------------------------------------------- publishing */

static int seal_day(tm_rolling *r, day_file *d, tm_error *err) {
  if (d->adopted && open_day(r, d, err) < 0) return -1; /* a line may have been torn */
  if (d->file == NULL) return 0;
  if (tm_live_file_seal(d->file, err) < 0) return -1;
  close_day(r, d);
  return 0;
}

int tm_rolling_seal(tm_rolling *r, int64_t before_day, tm_error *err) {
  for (day_file *d = r->days; d != NULL; d = d->next) {
    if (d->day < before_day && seal_day(r, d, err) < 0) return -1;
  }
  return 0;
}

static void sync_folder_of(const char *path) {
  const tm_env *env = tm_env_get();
  char folder[4096] = ".";
  const char *slash = strrchr(path, '/');
  if (slash != NULL) snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
  int file = env->open(folder, TM_OPEN_READ | TM_OPEN_FOLDER);
  if (file < 0) return;
  (void)env->fsync(file);
  env->close(file);
}

/* Adds the bytes of the part to the file of that name. */
static int add_part(tm_rolling *r, const day_file *d, tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_live_file *to = NULL;
  int from = env->open(d->part, TM_OPEN_READ);
  if (from < 0) return fail(d->part, from, err);
  char *buffer = tm_alloc(r->budget, COPY_BYTES);
  int done = buffer == NULL ? no_memory(err)
                            : tm_live_file_open(&to, r->budget, d->path, "", TM_LIVE_ADDS, err);
  while (done == 0) {
    int64_t got = env->read(from, buffer, COPY_BYTES);
    if (got < 0) done = fail(d->part, (int)got, err);
    if (got <= 0) break;
    done = tm_live_file_write(to, buffer, (size_t)got, err);
  }
  if (done == 0) done = tm_live_file_seal(to, err);
  tm_live_file_close(to);
  tm_free(r->budget, buffer, COPY_BYTES);
  env->close(from);
  if (done == 0) (void)env->unlink(d->part);
  return done;
}

static int publish_day(tm_rolling *r, day_file *d, tm_error *err) {
  if (seal_day(r, d, err) < 0) return -1;
  if (d->published) return 0;
  if (r->options.adds && is_there(d->path)) return add_part(r, d, err);
  int error = tm_env_get()->rename(d->part, d->path);
  if (error < 0) return fail(d->path, error, err);
  sync_folder_of(d->path);
  return 0;
}

int tm_rolling_publish(tm_rolling *r, int64_t before_day, tm_error *err) {
  for (day_file **at = &r->days; *at != NULL;) {
    day_file *d = *at;
    if (d->day >= before_day) {
      at = &d->next;
      continue;
    }
    if (publish_day(r, d, err) < 0) return -1;
    *at = d->next;
    day_destroy(r, d);
  }
  if (before_day > r->published_day) r->published_day = before_day;
  return 0;
}

void tm_rolling_discard(tm_rolling *r) {
  for (day_file *d = r->days; d != NULL; d = d->next) {
    close_day(r, d);
    if (d->touched) (void)tm_env_get()->unlink(d->part);
    d->touched = false;
  }
}
