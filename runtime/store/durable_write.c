/* store/durable_write.c: write beside, fsync, rename, fsync the folder.
 *
 * The hidden file is `.NAME.tm-XXXXXXXXXXXXXXXX.tmp` in the target's folder (a rename does not
 * cross file systems). Its writer holds a lock on it until close. A lock dies with its process, so
 * a hidden file whose lock can be had belongs to nobody and is removed at the next open of the
 * same target; process ids would lie, between containers and after a restart.
 * Between creating a file and locking it a cleaner may take it for an orphan: who finds its own
 * file gone after locking starts again with another name. */
#include "store/durable_write.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"

enum {
  PATH_BYTES_MAX = 4096,
  NAME_BYTES_KEPT = 200, /* of the target's name: names end at 255 */
  TRIES_MAX = 16,
};

static const char marker[] = ".tm-", ending[] = ".tmp";

typedef enum state { WRITING, SEALED, PUBLISHED, BROKEN } state;

struct tm_durable_write {
  tm_budget *budget;
  state state;
  bool direct;      /* a pipe or device: no hidden file */
  int file;
  int folders_made; /* how many of the last folders in `folder` were made by us */
  uint64_t size;
  char asked[PATH_BYTES_MAX];  /* the path as the caller gave it, for messages */
  char target[PATH_BYTES_MAX]; /* links resolved */
  char folder[PATH_BYTES_MAX]; /* of the target; "." if it names none */
  char hidden[PATH_BYTES_MAX];
};

static int fail(tm_durable_write *w, int error, tm_error *err) {
  w->state = BROKEN;
  (void)tm_fail(err, TM_E_WRITE, "cannot write '%s': %s", w->asked, tm_env_error_text(error));
  if (error == -ENOSPC || error == -EDQUOT) {
    (void)tm_error_help(err, "free some space and run again");
  }
  return -1;
}

/* ------------------------------------------------------------------ folders */

/* The part of a path before its last name. */
static void folder_of(const char *path, char *out) {
  const char *slash = strrchr(path, '/');
  size_t size = slash == NULL ? 0 : (size_t)(slash - path);
  if (slash == NULL) memcpy(out, ".", 2);
  else if (size == 0) memcpy(out, "/", 2);
  else memcpy(out, path, size), out[size] = '\0';
}

/* Shortens a folder to the one above it; false at the top. */
static bool go_up(char *folder) {
  char *slash = strrchr(folder, '/');
  if (slash == NULL || slash == folder) return false;
  *slash = '\0';
  return true;
}

static int make_folders(tm_durable_write *w) {
  char folder[PATH_BYTES_MAX];
  tm_file_info info;
  int missing = 0;
  memcpy(folder, w->folder, sizeof folder);
  while (tm_env_get()->stat(folder, &info) == -ENOENT) {
    missing++;
    if (!go_up(folder)) break;
  }
  int error = missing == 0 ? 0 : tm_env_make_folders(w->folder);
  if (error == 0) w->folders_made = missing;
  return error;
}

/* Empty ones only: others may have come to use them. */
static void unmake_folders(tm_durable_write *w) {
  char folder[PATH_BYTES_MAX];
  memcpy(folder, w->folder, sizeof folder);
  for (; w->folders_made > 0; w->folders_made--) {
    if (tm_env_get()->rmdir(folder) != 0 || !go_up(folder)) break;
  }
  w->folders_made = 0;
}

static int sync_folder(const char *folder) {
  const tm_env *env = tm_env_get();
  int file = env->open(folder, TM_OPEN_READ | TM_OPEN_FOLDER);
  if (file < 0) return file;
  int error = env->fsync(file);
  (void)env->close(file);
  return error == -EINVAL ? 0 : error; /* a file system without that notion */
}

/* The folder that names the file, and above it those that name folders that we made. */
static int sync_folders(const tm_durable_write *w) {
  char folder[PATH_BYTES_MAX];
  memcpy(folder, w->folder, sizeof folder);
  int error = sync_folder(folder);
  for (int made = 0; error == 0 && made < w->folders_made; made++) {
    error = sync_folder(go_up(folder) ? folder : folder[0] == '/' ? "/" : ".");
  }
  return error;
}

/* ------------------------------------------------------------------ the hidden file */

static const char *name_of(const tm_durable_write *w) {
  const char *slash = strrchr(w->target, '/');
  return slash == NULL ? w->target : slash + 1;
}

/* What all hidden files of this target start with. */
static int hidden_stem(const tm_durable_write *w, char *out, size_t room) {
  return snprintf(out, room, ".%.*s%s", NAME_BYTES_KEPT, name_of(w), marker);
}

static int remove_if_orphan(void *context, const char *name) {
  const tm_durable_write *w = context;
  const tm_env *env = tm_env_get();
  char stem[NAME_BYTES_KEPT + 16], path[PATH_BYTES_MAX + 256];
  size_t size = strlen(name), stem_size = (size_t)hidden_stem(w, stem, sizeof stem);
  if (size < stem_size + sizeof ending || strncmp(name, stem, stem_size) != 0) return 0;
  if (strcmp(name + size - (sizeof ending - 1), ending) != 0) return 0;
  (void)snprintf(path, sizeof path, "%s/%s", w->folder, name);
  int file = env->open(path, TM_OPEN_WRITE);
  if (file < 0) return 0;
  if (env->lock(file) == 0) (void)env->unlink(path);
  (void)env->close(file);
  return 0;
}

/* Creates and locks a file under a new name. The descriptor, or an error. */
static int create_hidden(tm_durable_write *w) {
  const tm_env *env = tm_env_get();
  char stem[NAME_BYTES_KEPT + 16];
  (void)hidden_stem(w, stem, sizeof stem);
  for (int tries = 0; tries < TRIES_MAX; tries++) {
    uint64_t chance;
    tm_file_info ours, there;
    env->random(&chance, sizeof chance);
    int size = snprintf(w->hidden, sizeof w->hidden, "%s/%s%016llx%s", w->folder, stem,
                        (unsigned long long)chance, ending);
    if (size >= (int)sizeof w->hidden) return -ENAMETOOLONG;
    int file = env->open(w->hidden, TM_OPEN_WRITE | TM_OPEN_CREATE | TM_OPEN_EXCLUSIVE);
    if (file == -EEXIST) continue;
    if (file < 0) return file;
    int locked = env->lock(file);
    /* A file system without locks is written to all the same; its orphans stay. */
    bool alone = locked != -EWOULDBLOCK && env->stat_file(file, &ours) == 0 &&
                 env->stat(w->hidden, &there) == 0 && ours.inode == there.inode;
    if (alone) return file;
    (void)env->unlink(w->hidden);
    (void)env->close(file);
  }
  return -EAGAIN;
}

/* ------------------------------------------------------------------ open */

/* Looks at what is there. TM_FILE_REGULAR also where nothing is. */
static int look_at_target(tm_durable_write *w, tm_file_info *info, bool *out_exists) {
  const tm_env *env = tm_env_get();
  *out_exists = false;
  if (env->is_link(w->asked)) {
    int error = env->real_path(w->asked, w->target, sizeof w->target);
    if (error != 0 && error != -ENOENT) return error; /* one that leads nowhere is replaced */
  }
  folder_of(w->target, w->folder);
  int error = env->stat(w->target, info);
  if (error == -ENOENT) {
    *info = (tm_file_info){.kind = TM_FILE_REGULAR};
    return 0;
  }
  if (error != 0) return error;
  *out_exists = true;
  if (info->kind == TM_FILE_FOLDER) return -EISDIR;
  if (info->kind != TM_FILE_REGULAR) return 0;
  int file = env->open(w->target, TM_OPEN_WRITE); /* a file that forbids writing is respected */
  if (file < 0) return file;
  (void)env->close(file);
  return 0;
}

static int prepare(tm_durable_write *w) {
  const tm_env *env = tm_env_get();
  tm_file_info info;
  bool exists;
  int error = look_at_target(w, &info, &exists);
  if (error != 0) return error;
  if (name_of(w)[0] == '\0') return -EISDIR;
  if (info.kind != TM_FILE_REGULAR) {
    w->direct = true;
    w->file = env->open(w->target, TM_OPEN_WRITE);
    return w->file < 0 ? w->file : 0;
  }
  error = make_folders(w);
  if (error != 0) return error;
  (void)env->list(w->folder, remove_if_orphan, w); /* orphans that stay do no harm */
  w->file = create_hidden(w);
  if (w->file < 0) return w->file;
  return exists ? env->set_mode(w->file, info.mode) : 0;
}

int tm_durable_write_open(tm_durable_write **out, tm_budget *budget, const char *path,
                          tm_error *err) {
  *out = NULL;
  tm_durable_write *w = tm_alloc_zero(budget, sizeof *w);
  if (w == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory while opening '%s'", path);
  w->budget = budget;
  w->file = -1;
  int size = snprintf(w->asked, sizeof w->asked, "%s", path);
  memcpy(w->target, w->asked, sizeof w->target);
  int error = size >= (int)sizeof w->asked ? -ENAMETOOLONG : size == 0 ? -ENOENT : prepare(w);
  if (error != 0) {
    (void)fail(w, error, err);
    tm_durable_write_close(w);
    return -1;
  }
  *out = w;
  return 0;
}

/* ------------------------------------------------------------------ write, seal, publish, close */

int tm_durable_write_write(tm_durable_write *w, const void *bytes, size_t size, tm_error *err) {
  assert(w->state == WRITING);
  int error = tm_env_write_all(w->file, bytes, size);
  if (error != 0) return fail(w, error, err);
  w->size += size;
  return 0;
}

int tm_durable_write_seal(tm_durable_write *w, tm_error *err) {
  if (w->state == SEALED) return 0;
  assert(w->state == WRITING);
  int error = w->direct ? 0 : tm_env_get()->fsync(w->file);
  if (error != 0) return fail(w, error, err);
  w->state = SEALED;
  return 0;
}

int tm_durable_write_publish(tm_durable_write *w, tm_error *err) {
  if (tm_durable_write_seal(w, err) != 0) return -1;
  if (!w->direct) {
    int error = tm_env_get()->rename(w->hidden, w->target);
    if (error != 0) return fail(w, error, err);
    w->hidden[0] = '\0'; /* from here on there is nothing to take back */
    error = sync_folders(w);
    w->folders_made = 0;
    if (error != 0) return fail(w, error, err);
  }
  w->state = PUBLISHED;
  return 0;
}

void tm_durable_write_close(tm_durable_write *w) {
  if (w == NULL) return;
  const tm_env *env = tm_env_get();
  if (w->file >= 0) {
    /* Unlinked while still locked: no cleaner can be in between. */
    if (!w->direct && w->hidden[0] != '\0') (void)env->unlink(w->hidden);
    (void)env->close(w->file);
  }
  unmake_folders(w);
  tm_free(w->budget, w, sizeof *w);
}

uint64_t tm_durable_write_size(const tm_durable_write *w) { return w->size; }
