/* base/zone.c: finds zones by name and answers questions about them.
 *
 * Zones are entries of a hash table that only grows: a reader walks a bucket without a lock, a
 * writer that has read a file puts it at the head with one compare-and-swap, and whoever loses the
 * race drops his copy. Lookups are a binary search over the intervals of zone_file.h; instants
 * beyond them are moved back by whole cycles of 400 years first. */
#include "base/zone.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/zone_file.h"

enum {
  BUCKETS = 256,
  NAME_BYTES = 64,
  PATH_BYTES = 1024,
  FILE_MAX = 1 << 18,
  NAMES_FILE_MAX = 1 << 20, /* tzdata.zi has some 110 KB */
  NAMES_MAX = 4096,
  BLOCK_ROWS = 256,         /* rows whose least and greatest are compared with a hint at once */
};

#define DAY_US (INT64_C(86400) * 1000000)

struct tm_zone {
  tm_zone *next;
  const tm_zone_table *table;
  char name[NAME_BYTES];
};

static int64_t utc_start[] = { INT64_MIN };
static int32_t utc_offset[] = { 0 };
static uint16_t utc_name[] = { 0 };
static char utc_text[] = "UTC";
static const tm_zone_table utc_table = {
  .count = 1, .starts_us = utc_start, .offsets_s = utc_offset, .names = utc_name,
  .abbreviations = utc_text, .cycle_us = INT64_MAX,
};
static const tm_zone utc_zone = { .table = &utc_table, .name = "UTC" };

static _Atomic(tm_zone *) buckets[BUCKETS];
static _Atomic(tm_budget *) zones_budget;

static const tm_zone *load(const char *name, const char *path, tm_error *err);
static void fail_unknown(const char *name, tm_error *err);

/* ---- finding ---- */

static tm_budget *budget_get(void) {
  tm_budget *have = atomic_load(&zones_budget);
  if (have != NULL) return have;
  tm_budget *made = tm_budget_create(NULL, "zones", 0);
  if (made == NULL) return NULL;
  if (atomic_compare_exchange_strong(&zones_budget, &have, made)) return made;
  tm_budget_destroy(made);
  return have;
}

static _Atomic(tm_zone *) *bucket_of(const char *name) {
  uint32_t h = 2166136261u;
  for (; *name != 0; name++) h = (h ^ (unsigned char)*name) * 16777619u;
  return &buckets[(h ^ h >> 16) % BUCKETS];
}

static const tm_zone *lookup(const tm_zone *head, const char *name) {
  for (; head != NULL; head = head->next)
    if (strcmp(head->name, name) == 0) return head;
  return NULL;
}

static const char *directory(void) {
  const char *dir = tm_env_get()->variable("TZDIR");
  return dir != NULL && *dir != 0 ? dir : "/usr/share/zoneinfo";
}

static bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A relative path without "..", of the letters that zone names have. */
static bool name_valid(const char *name) {
  size_t size = strlen(name);
  if (size == 0 || size >= NAME_BYTES || name[0] == '/' || name[0] == '.' || strstr(name, ".."))
    return false;
  for (size_t i = 0; i < size; i++)
    if (strchr("_+-/.", name[i]) == NULL && !letter_or_digit(name[i])) return false;
  return true;
}

const tm_zone *tm_zone_utc(void) { return &utc_zone; }

const tm_zone *tm_zone_find(const char *name, tm_error *err) {
  if (strcmp(name, "UTC") == 0) return &utc_zone;
  const tm_zone *found = lookup(atomic_load(bucket_of(name)), name);
  if (found != NULL) return found;
  if (!name_valid(name)) {
    fail_unknown(name, err);
    return NULL;
  }
  char path[PATH_BYTES];
  int size = snprintf(path, sizeof path, "%s/%s", directory(), name);
  if (size < 0 || size >= PATH_BYTES) {
    tm_fail(err, TM_E_VALUE, "the path of the time zone files is too long");
    return NULL;
  }
  return load(name, path, err);
}

const tm_zone *tm_zone_local(tm_error *err) {
  const char *name = tm_env_get()->variable("TZ");
  if (name == NULL) {
    const tm_zone *found = lookup(atomic_load(bucket_of("localtime")), "localtime");
    if (found != NULL) return found;
    tm_error ignored = { .code = TM_E_NONE };
    found = load("localtime", "/etc/localtime", &ignored);
    return found != NULL ? found : &utc_zone;
  }
  if (*name == ':') name++;
  if (*name == 0) return &utc_zone;
  tm_error first = { .code = TM_E_NONE };
  const tm_zone *found = *name == '/' && strlen(name) < NAME_BYTES
                             ? load(name, name, err) : tm_zone_find(name, &first);
  if (*name == '/') return found;
  tm_budget *budget = budget_get();
  if (found != NULL || strlen(name) >= NAME_BYTES || budget == NULL)
    return found != NULL ? found : tm_zone_find(name, err);
  tm_error second = { .code = TM_E_NONE };
  tm_zone_table *table = tm_zone_file_rule(budget, name, &second);
  if (table == NULL) return tm_zone_find(name, err);
  tm_zone *zone = tm_alloc_zero(budget, sizeof *zone);
  if (zone == NULL) {
    tm_zone_file_destroy(budget, table);
    tm_fail(err, TM_E_MEMORY, "time zone: out of memory");
    return NULL;
  }
  zone->table = table;
  memcpy(zone->name, name, strlen(name) + 1);
  _Atomic(tm_zone *) *bucket = bucket_of(name);
  zone->next = atomic_load(bucket);
  while (!atomic_compare_exchange_weak(bucket, &zone->next, zone)) continue;
  return zone;
}

const char *tm_zone_name(const tm_zone *zone) { return zone->name; }

/* The whole of a small file; size 0 when it is not there, empty or too large. */
static size_t read_whole(const char *path, uint8_t *out, size_t bytes_max) {
  const tm_env *env = tm_env_get();
  int file = env->open(path, TM_OPEN_READ);
  if (file < 0) return 0;
  size_t size = 0;
  int64_t got = 1;
  while (size < bytes_max && (got = env->read(file, out + size, bytes_max - size)) > 0)
    size += (size_t)got;
  (void)env->close(file);
  return got == 0 ? size : 0;
}

static const tm_zone *load(const char *name, const char *path, tm_error *err) {
  tm_budget *budget = budget_get();
  uint8_t *data = budget == NULL ? NULL : tm_alloc(budget, FILE_MAX);
  tm_zone *zone = budget == NULL ? NULL : tm_alloc_zero(budget, sizeof *zone);
  tm_zone_table *table = NULL;
  const tm_zone *result = NULL;
  if (data == NULL || zone == NULL) {
    tm_fail(err, TM_E_MEMORY, "time zone '%s': out of memory", name);
    goto done;
  }
  size_t size = read_whole(path, data, FILE_MAX);
  if (size < 4 || memcmp(data, "TZif", 4) != 0) { /* zone.tab and its like are no zones either */
    fail_unknown(name, err);
    goto done;
  }
  table = tm_zone_file_parse(budget, data, size, err);
  if (table == NULL) {
    tm_error_help(err, "the file is %s", path);
    goto done;
  }
  zone->table = table;
  memcpy(zone->name, name, strlen(name) + 1);
  _Atomic(tm_zone *) *bucket = bucket_of(name);
  zone->next = atomic_load(bucket);
  do {
    result = lookup(zone->next, name);
    if (result != NULL) goto done; /* another thread was faster */
  } while (!atomic_compare_exchange_weak(bucket, &zone->next, zone));
  result = zone;
  zone = NULL;
  table = NULL;
done:
  if (table != NULL) tm_zone_file_destroy(budget, table);
  if (zone != NULL) tm_free(budget, zone, sizeof *zone);
  if (data != NULL) tm_free(budget, data, FILE_MAX);
  return result;
}

/* ---- names, for messages only ---- */

typedef struct name_list { const char *names[NAMES_MAX]; size_t count; } name_list;

/* Names in the text of tzdata.zi: "Z name …" defines a zone, "L target name" another name. */
static void list_names(char *text, size_t size, name_list *out) {
  char *line = text, *end = text + size;
  while (line < end && out->count < NAMES_MAX) {
    char *stop = memchr(line, '\n', (size_t)(end - line));
    if (stop == NULL) break;
    *stop = 0;
    if ((line[0] == 'Z' || line[0] == 'L') && line[1] == ' ') {
      char *name = line + 2;
      if (line[0] == 'L') name = strchr(name, ' ') == NULL ? NULL : strchr(name, ' ') + 1;
      if (name != NULL) {
        name[strcspn(name, " ")] = 0;
        out->names[out->count++] = name;
      }
    }
    line = stop + 1;
  }
}

static bool same_word(const char *a, const char *b) {
  for (; *a != 0 && *b != 0; a++, b++) {
    int x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a == ' ' ? '_' : *a;
    int y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b == ' ' ? '_' : *b;
    if (x != y) return false;
  }
  return *a == *b;
}

/* "berlin" means Europe/Berlin, and so does "europe/berlin". */
static const char *same_place(const char *word, const name_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    const char *name = list->names[i], *city = strrchr(name, '/');
    if (same_word(word, name) || (city != NULL && same_word(word, city + 1))) return name;
  }
  return NULL;
}

static void fail_unknown(const char *name, tm_error *err) {
  tm_fail(err, TM_E_VALUE, "unknown time zone '%.100s'", name);
  tm_budget *budget = budget_get();
  if (budget == NULL) return;
  char *text = tm_alloc(budget, NAMES_FILE_MAX);
  name_list *list = tm_alloc_zero(budget, sizeof *list);
  char path[PATH_BYTES];
  int size = snprintf(path, sizeof path, "%s/tzdata.zi", directory());
  if (text != NULL && list != NULL && size > 0 && size < PATH_BYTES) {
    list_names(text, read_whole(path, (uint8_t *)text, NAMES_FILE_MAX), list);
    const char *place = same_place(name, list);
    if (place != NULL) {
      char note[sizeof err->note];
      (void)snprintf(note, sizeof note, "did you mean '%s'?", place);
      tm_error_token(err, name, note);
    } else {
      tm_error_suggest(err, name, list->names, list->count);
    }
  }
  bool none = list == NULL || list->count == 0;
  if (list != NULL) tm_free(budget, list, sizeof *list);
  if (text != NULL) tm_free(budget, text, NAMES_FILE_MAX);
  if (none)
    tm_error_help(err, "no list of zones in %s: is the package tzdata installed?", directory());
  else
    tm_error_help(err, "zones are named as Europe/Berlin or America/New_York");
}

const char *tm_zone_version(void) {
  static _Thread_local char version[32];
  static const char start[] = "# version ";
  size_t prefix = sizeof start - 1;
  char path[PATH_BYTES], line[64] = "";
  memcpy(version, "unknown", 8);
  int size = snprintf(path, sizeof path, "%s/tzdata.zi", directory());
  int file = size < 0 || size >= PATH_BYTES ? -1 : tm_env_get()->open(path, TM_OPEN_READ);
  if (file < 0) return version;
  int64_t got = tm_env_pread_all(file, line, sizeof line - 1, 0);
  (void)tm_env_get()->close(file);
  if (got > 0 && strncmp(line, start, prefix) == 0) {
    size_t length = strcspn(line + prefix, "\r\n");
    if (length > 0 && length < sizeof version) {
      memcpy(version, line + prefix, length);
      version[length] = 0;
    }
  }
  return version;
}

/* ---- questions ---- */

static int64_t add_wrapping(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

static int64_t add_saturating(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t floor_day(int64_t us) { return us / DAY_US - (us % DAY_US < 0); }

/* An instant beyond the table comes back into it; *shift_us is how far it was moved. */
static int64_t fold(const tm_zone_table *t, int64_t utc_us, int64_t *shift_us) {
  *shift_us = 0;
  if (utc_us < t->cycle_us || utc_us - t->cycle_us < TM_ZONE_CYCLE_US) return utc_us;
  *shift_us = (utc_us - t->cycle_us) / TM_ZONE_CYCLE_US * TM_ZONE_CYCLE_US;
  return utc_us - *shift_us;
}

/* The last interval that starts at or before a (folded) instant. */
static size_t interval_of(const tm_zone_table *t, int64_t utc_us) {
  const int64_t *base = t->starts_us;
  for (size_t n = t->count; n > 1;) {
    size_t half = n / 2;
    base += base[half] <= utc_us ? half : 0;
    n -= half;
  }
  return (size_t)(base - t->starts_us);
}

static int64_t end_of(const tm_zone_table *t, size_t i) {
  return i + 1 < t->count ? t->starts_us[i + 1] : INT64_MAX;
}

int32_t tm_zone_offset_at(const tm_zone *zone, int64_t utc_us) {
  int64_t shift_us;
  utc_us = fold(zone->table, utc_us, &shift_us);
  return zone->table->offsets_s[interval_of(zone->table, utc_us)];
}

const char *tm_zone_abbreviation_at(const tm_zone *zone, int64_t utc_us) {
  int64_t shift_us;
  utc_us = fold(zone->table, utc_us, &shift_us);
  return zone->table->abbreviations + zone->table->names[interval_of(zone->table, utc_us)];
}

int32_t tm_zone_offset_find(const tm_zone *zone, int64_t utc_us, tm_zone_hint *hint) {
  const tm_zone_table *t = zone->table;
  int64_t shift_us;
  size_t i = interval_of(t, fold(t, utc_us, &shift_us));
  *hint = (tm_zone_hint){ zone, add_saturating(t->starts_us[i], shift_us),
                          add_saturating(end_of(t, i), shift_us), t->offsets_s[i] };
  return hint->offset_s;
}

int64_t tm_zone_next_transition(const tm_zone *zone, int64_t utc_us) {
  const tm_zone_table *t = zone->table;
  int64_t shift_us;
  size_t i = interval_of(t, fold(t, utc_us, &shift_us));
  int32_t offset_s = t->offsets_s[i];
  while (i + 1 < t->count && t->offsets_s[i + 1] == offset_s) i++;
  return add_saturating(end_of(t, i), shift_us);
}

/* Every interval that could hold the local time is tried in order of time: the first that does is
 * the answer, a second one makes it an overlap. Where none does, the time lies between two. */
tm_zone_fit tm_zone_to_utc_find(const tm_zone *zone, int64_t local_us, int64_t *utc_us,
                                tm_zone_hint *hint) {
  const tm_zone_table *t = zone->table;
  int64_t least_us = (int64_t)t->offset_min_s * 1000000;
  int64_t most_us = (int64_t)t->offset_max_s * 1000000;
  int64_t shift_us, early_us = fold(t, add_saturating(local_us, -most_us), &shift_us);
  int64_t local = add_wrapping(local_us, -shift_us), late_us = add_saturating(local, -least_us);
  size_t i = interval_of(t, early_us), found = SIZE_MAX, after = SIZE_MAX;
  int fits = 0;
  for (; i < t->count && t->starts_us[i] <= late_us; i++) {
    int64_t at_us = add_saturating(local, -(int64_t)t->offsets_s[i] * 1000000);
    if (at_us >= t->starts_us[i] && (at_us < end_of(t, i) || i + 1 == t->count)) {
      if (fits++ == 0) found = i;
    } else if (at_us < t->starts_us[i] && after == SIZE_MAX) {
      after = i;
    }
  }
  if (fits == 0) {
    assert(after != SIZE_MAX);
    *utc_us = add_saturating(t->starts_us[after], shift_us);
    return TM_ZONE_GAP;
  }
  *utc_us = add_saturating(local_us, -(int64_t)t->offsets_s[found] * 1000000);
  /* Here the offset is the only one for as long as no neighbour, however shifted, reaches in. */
  int64_t from_us = add_saturating(t->starts_us[found], most_us);
  int64_t to_us = add_saturating(end_of(t, found), least_us);
  if (shift_us == 0 && from_us < to_us)
    *hint = (tm_zone_hint){ zone, from_us, to_us, t->offsets_s[found] };
  return fits > 1 ? TM_ZONE_OVERLAP : TM_ZONE_OK;
}

tm_zone_fit tm_zone_to_utc(const tm_zone *zone, int64_t local_us, int64_t *utc_us) {
  tm_zone_hint hint = { .zone = NULL };
  return tm_zone_to_utc_find(zone, local_us, utc_us, &hint);
}

int64_t tm_zone_day_start(const tm_zone *zone, int64_t days) {
  int64_t local_us, utc_us;
  if (__builtin_mul_overflow(days, DAY_US, &local_us)) return days < 0 ? INT64_MIN : INT64_MAX;
  (void)tm_zone_to_utc(zone, local_us, &utc_us); /* a gap gives the first instant after it */
  return utc_us;
}

int64_t tm_zone_day_at(const tm_zone *zone, int64_t utc_us) {
  int64_t offset_us = (int64_t)tm_zone_offset_at(zone, utc_us) * 1000000;
  int64_t day = floor_day(add_saturating(utc_us, offset_us));
  while (tm_zone_day_start(zone, day + 1) <= utc_us && day < INT64_MAX / DAY_US) day++;
  return day;
}

/* ---- columns ---- */

/* Sums of sign bits instead of comparisons, which few machines have for 64 bits at a time. A value
 * so far out that a difference wraps has the other one negative; bounds are cut so that a value
 * between them never wraps. */
static bool all_within(const int64_t *values, size_t rows, const tm_zone_hint *hint) {
  const int64_t far = INT64_C(1) << 61;
  uint64_t from = (uint64_t)(hint->from_us > -far ? hint->from_us : -far);
  uint64_t last = (uint64_t)(hint->to_us < far ? hint->to_us : far) - 1, outside = 0;
  for (size_t i = 0; i < rows; i++)
    outside |= ((uint64_t)values[i] - from) | (last - (uint64_t)values[i]);
  return outside >> 63 == 0;
}

void tm_zone_to_local_rows(const tm_zone *zone, const int64_t *utc_us, int64_t *local_us,
                           size_t rows) {
  tm_zone_hint hint = { .zone = NULL };
  for (size_t at = 0; at < rows; at += BLOCK_ROWS) {
    size_t n = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS;
    int64_t shift_us = (int64_t)tm_zone_offset_hint(zone, utc_us[at], &hint) * 1000000;
    if (all_within(utc_us + at, n, &hint)) {
      for (size_t i = at; i < at + n; i++) local_us[i] = add_wrapping(utc_us[i], shift_us);
      continue;
    }
    for (size_t i = at; i < at + n; i++) {
      int64_t offset_us = (int64_t)tm_zone_offset_hint(zone, utc_us[i], &hint) * 1000000;
      local_us[i] = add_wrapping(utc_us[i], offset_us);
    }
  }
}

size_t tm_zone_to_utc_rows(const tm_zone *zone, const int64_t *local_us, int64_t *utc_us,
                           uint8_t *fits, size_t rows) {
  tm_zone_hint hint = { .zone = NULL };
  size_t gaps = 0;
  for (size_t at = 0; at < rows; at += BLOCK_ROWS) {
    size_t n = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS;
    int64_t first_us;
    (void)tm_zone_to_utc_hint(zone, local_us[at], &first_us, &hint);
    if (all_within(local_us + at, n, &hint)) {
      int64_t shift_us = -(int64_t)hint.offset_s * 1000000;
      for (size_t i = at; i < at + n; i++) utc_us[i] = add_wrapping(local_us[i], shift_us);
      memset(fits + at, TM_ZONE_OK, n);
      continue;
    }
    for (size_t i = at; i < at + n; i++) {
      fits[i] = (uint8_t)tm_zone_to_utc_hint(zone, local_us[i], &utc_us[i], &hint);
      gaps += fits[i] == TM_ZONE_GAP;
    }
  }
  return gaps;
}
