/* base/zone_file.c: reads TZif (RFC 8536) and the rule in its footer.
 *
 * Three steps: the 64-bit block (the 32-bit one in old files) becomes a draft, a plain list of
 * transitions; the footer's rule adds the transitions of the years that follow; the draft is packed
 * into one block of memory. Nothing read from the file is trusted: counts are bounded before they
 * are multiplied, indexes are checked once here and never again. */
#include "base/zone_file.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
  HEADER_BYTES = 44,
  TRANSITIONS_MAX = 4096,   /* the richest zone has some 240 */
  TYPES_MAX = 256,
  TEXT_MAX = 512,           /* abbreviations of the file and of the footer */
  FOOTER_MAX = 128,
  NAME_MAX_BYTES = 32,      /* of one abbreviation in a footer */
  OFFSET_MAX_S = 26 * 3600,
  YEAR_MIN = 1900,          /* a rule without any transition before it starts here */
  YEAR_MAX = 9000,          /* a last transition beyond this is damage */
  RULE_YEARS = 404,         /* a year to settle, 400 of the cycle, and one beyond it */
  DRAFT_MAX = 1 + TRANSITIONS_MAX + 2 * RULE_YEARS,
};

typedef struct kind { int32_t offset_s; uint16_t name; } kind;

/* Transitions in the order in which they happen; kinds index into `kinds`. */
typedef struct draft {
  size_t count, kind_count, text_bytes;
  int64_t at_s[DRAFT_MAX];
  uint16_t kind[DRAFT_MAX];
  kind kinds[TYPES_MAX + 2];
  char text[TEXT_MAX];
  int64_t cycle_s;
} draft;

typedef struct counts { uint32_t utc, std, leap, time, type, text; } counts;

typedef enum day_form { DAY_MONTH_WEEK, DAY_JULIAN, DAY_ZERO_BASED } day_form;
typedef struct rule_day { day_form form; int month, week, day; int32_t time_s; } rule_day;
/* A footer: without `changes` only the standard half counts. */
typedef struct rule {
  char std_name[NAME_MAX_BYTES], dst_name[NAME_MAX_BYTES];
  int32_t std_s, dst_s;
  bool changes;
  rule_day dst_from, std_from;
} rule;

static const char *read_file(draft *d, const uint8_t *data, size_t size, tm_error *err);
static const char *read_block(draft *d, const uint8_t *at, const counts *n, size_t time_bytes);
static bool parse_rule(const char *text, rule *out);
static const char *apply_rule(draft *d, const rule *r);
static tm_zone_table *pack(tm_budget *budget, const draft *d, tm_error *err);
static void sort_by_time(draft *d, size_t from);

tm_zone_table *tm_zone_file_parse(tm_budget *budget, const uint8_t *data, size_t size,
                                  tm_error *err) {
  draft *d = tm_alloc_zero(budget, sizeof *d);
  if (d == NULL) {
    tm_fail(err, TM_E_MEMORY, "time zone: out of memory");
    return NULL;
  }
  const char *damage = read_file(d, data, size, err);
  tm_zone_table *table = NULL;
  if (damage != NULL) tm_fail(err, TM_E_CORRUPT, "damaged time zone file: %s", damage);
  else table = pack(budget, d, err);
  tm_free(budget, d, sizeof *d);
  return table;
}

tm_zone_table *tm_zone_file_rule(tm_budget *budget, const char *text, tm_error *err) {
  rule r;
  if (!parse_rule(text, &r)) {
    tm_fail(err, TM_E_VALUE, "'%s' is not a time zone rule", text);
    return NULL;
  }
  draft *d = tm_alloc_zero(budget, sizeof *d);
  if (d == NULL) {
    tm_fail(err, TM_E_MEMORY, "time zone: out of memory");
    return NULL;
  }
  d->cycle_s = INT64_MAX;
  const char *damage = apply_rule(d, &r);
  tm_zone_table *table = NULL;
  if (damage != NULL) tm_fail(err, TM_E_VALUE, "'%s' is not a time zone rule: %s", text, damage);
  else table = pack(budget, d, err);
  tm_free(budget, d, sizeof *d);
  return table;
}

void tm_zone_file_destroy(tm_budget *budget, tm_zone_table *table) {
  if (table != NULL) tm_free(budget, table, table->bytes);
}

/* ---- the file ---- */

static uint32_t be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p) { return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4)); }

static const char *read_header(const uint8_t *data, size_t size, counts *n) {
  if (size < HEADER_BYTES || memcmp(data, "TZif", 4) != 0) return "it does not start with TZif";
  *n = (counts){ be32(data + 20), be32(data + 24), be32(data + 28), be32(data + 32),
                 be32(data + 36), be32(data + 40) };
  if (n->time > TRANSITIONS_MAX) return "too many transitions";
  if (n->type == 0 || n->type > TYPES_MAX) return "a bad count of types";
  if (n->text == 0 || n->text >= TEXT_MAX - 2 * NAME_MAX_BYTES) return "a bad size of names";
  if (n->std > n->type || n->utc > n->type || n->leap > TRANSITIONS_MAX) return "a bad count";
  return NULL;
}

static size_t block_bytes(const counts *n, size_t time_bytes) {
  return n->time * (time_bytes + 1) + n->type * 6u + n->text + n->leap * (time_bytes + 4) +
         n->std + n->utc;
}

/* What is wrong with the file, or NULL. */
static const char *read_file(draft *d, const uint8_t *data, size_t size, tm_error *err) {
  counts n;
  size_t time_bytes = 4, at = HEADER_BYTES;
  const char *damage = read_header(data, size, &n);
  if (damage != NULL) return damage;
  if (data[4] >= '2') { /* the same again with 64-bit times follows the 32-bit block */
    at += block_bytes(&n, time_bytes);
    if (at > size) return "it ends early";
    damage = read_header(data + at, size - at, &n);
    if (damage != NULL) return damage;
    at += HEADER_BYTES;
    time_bytes = 8;
  }
  size_t bytes = block_bytes(&n, time_bytes);
  if (bytes > size - at) return "it ends early";
  if (n.leap != 0) {
    tm_fail(err, TM_E_UNSUPPORTED, "time zones that count leap seconds are not supported");
    return "it counts leap seconds";
  }
  d->cycle_s = INT64_MAX;
  damage = read_block(d, data + at, &n, time_bytes);
  if (damage != NULL || time_bytes == 4) return damage;

  const uint8_t *footer = data + at + bytes;
  size_t left = size - at - bytes;
  if (left < 2 || footer[0] != '\n') return "its footer is missing";
  const uint8_t *end = memchr(footer + 1, '\n', left - 1);
  if (end == NULL) return "its footer ends early";
  size_t length = (size_t)(end - footer) - 1;
  if (length == 0) return NULL;
  if (length >= FOOTER_MAX) return "its footer is too long";
  char text[FOOTER_MAX];
  memcpy(text, footer + 1, length);
  text[length] = 0;
  rule r;
  if (strlen(text) != length || !parse_rule(text, &r)) return "its footer is no rule";
  return apply_rule(d, &r);
}

static bool letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool name_byte(unsigned char c) {
  return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-';
}

static const char *read_block(draft *d, const uint8_t *at, const counts *n, size_t time_bytes) {
  const uint8_t *times = at, *indexes = times + n->time * time_bytes;
  const uint8_t *types = indexes + n->time, *text = types + n->type * 6u;
  for (size_t i = 0; i < n->text; i++)
    if (text[i] != 0 && !name_byte(text[i])) return "an abbreviation that is no name";
  memcpy(d->text, text, n->text);
  d->text_bytes = n->text;
  d->text[d->text_bytes++] = 0;
  for (size_t i = 0; i < n->type; i++) {
    int32_t offset_s = (int32_t)be32(types + i * 6);
    if (offset_s < -OFFSET_MAX_S || offset_s > OFFSET_MAX_S) return "an offset beyond 26 hours";
    if (types[i * 6 + 4] > 1) return "a flag that is neither 0 nor 1";
    if (types[i * 6 + 5] >= n->text) return "an abbreviation beyond the end";
    d->kinds[d->kind_count++] = (kind){ offset_s, types[i * 6 + 5] };
  }
  d->at_s[0] = INT64_MIN; /* before the first transition the first type holds */
  d->kind[0] = 0;
  d->count = 1;
  for (size_t i = 0; i < n->time; i++) {
    int64_t at_s = time_bytes == 8 ? be64(times + i * 8) : (int32_t)be32(times + i * 4);
    if (indexes[i] >= n->type) return "a type beyond the end";
    if (i > 0 && at_s <= d->at_s[d->count - 1]) return "transitions out of order";
    d->at_s[d->count] = at_s;
    d->kind[d->count++] = indexes[i];
  }
  return NULL;
}

/* ---- the footer ---- */

static bool take_name(const char **at, char *out) {
  const char *p = *at;
  bool quoted = *p == '<';
  size_t size = 0;
  if (quoted) p++;
  while (quoted ? name_byte((unsigned char)*p) : letter((unsigned char)*p)) {
    if (size + 1 >= NAME_MAX_BYTES) return false;
    out[size++] = *p++;
  }
  out[size] = 0;
  if (size < 3 || (quoted && *p++ != '>')) return false;
  *at = p;
  return true;
}

static bool take_number(const char **at, int max, int *out) {
  const char *p = *at;
  int value = 0;
  if (*p < '0' || *p > '9') return false;
  for (; *p >= '0' && *p <= '9'; p++) {
    value = value * 10 + (*p - '0');
    if (value > max) return false;
  }
  *at = p;
  *out = value;
  return true;
}

/* [+-]h[:m[:s]] */
static bool take_time(const char **at, int hours_max, int32_t *out_s) {
  const char *p = *at;
  int sign = 1, parts[3] = { 0, 0, 0 };
  if (*p == '+' || *p == '-') sign = *p++ == '-' ? -1 : 1;
  if (!take_number(&p, hours_max, &parts[0])) return false;
  for (int i = 1; i < 3 && *p == ':'; i++) {
    p++;
    if (!take_number(&p, 59, &parts[i])) return false;
  }
  *at = p;
  *out_s = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
  return true;
}

static bool take_day(const char **at, rule_day *out) {
  const char *p = *at;
  *out = (rule_day){ .time_s = 7200 };
  if (*p == 'M') {
    p++;
    out->form = DAY_MONTH_WEEK;
    if (!take_number(&p, 12, &out->month) || *p++ != '.') return false;
    if (!take_number(&p, 5, &out->week) || *p++ != '.') return false;
    if (!take_number(&p, 6, &out->day) || out->month == 0 || out->week == 0) return false;
  } else {
    out->form = *p == 'J' ? DAY_JULIAN : DAY_ZERO_BASED;
    if (*p == 'J') p++;
    if (!take_number(&p, 365, &out->day)) return false;
    if (out->form == DAY_JULIAN && out->day == 0) return false;
  }
  if (*p == '/') {
    p++;
    if (!take_time(&p, 167, &out->time_s)) return false;
  }
  *at = p;
  return true;
}

static bool parse_rule(const char *text, rule *out) {
  const char *p = text;
  *out = (rule){ .changes = false };
  if (!take_name(&p, out->std_name) || !take_time(&p, 24, &out->std_s)) return false;
  out->std_s = -out->std_s; /* in a rule, west is positive */
  if (*p == 0) return true;
  out->changes = true;
  if (!take_name(&p, out->dst_name)) return false;
  out->dst_s = out->std_s + 3600;
  if (*p != 0 && *p != ',') {
    if (!take_time(&p, 24, &out->dst_s)) return false;
    out->dst_s = -out->dst_s;
  }
  const char *days = *p == 0 ? ",M3.2.0,M11.1.0" : p;
  if (*days++ != ',' || !take_day(&days, &out->dst_from)) return false;
  if (*days++ != ',' || !take_day(&days, &out->std_from)) return false;
  return *days == 0;
}

/* Days since 1970 of the first of a month, Gregorian for ever. */
static int64_t month_start(int64_t year, int month) {
  int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;
  return 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 - 719468;
}

static bool leap_year(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

/* Seconds from 1970 to the moment, on a clock that is `offset_s` ahead of UTC, in UTC. */
static int64_t rule_instant(const rule_day *r, int64_t year, int32_t offset_s) {
  int64_t days = 0;
  if (r->form == DAY_MONTH_WEEK) {
    int64_t first = month_start(year, r->month);
    int64_t next = r->month == 12 ? month_start(year + 1, 1) : month_start(year, r->month + 1);
    int64_t weekday = (first + 4) % 7; /* 1970-01-01 was a Thursday; years here are after 1900 */
    if (weekday < 0) weekday += 7;
    days = first + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
    if (days >= next) days -= 7; /* week 5 is the last one */
  } else {
    days = month_start(year, 1) + r->day;
    if (r->form == DAY_JULIAN && !(leap_year(year) && r->day >= 60)) days--;
  }
  return days * 86400 + r->time_s - offset_s;
}

static uint16_t add_kind(draft *d, const char *name, int32_t offset_s) {
  size_t size = strlen(name) + 1;
  assert(d->text_bytes + size <= TEXT_MAX && d->kind_count < TYPES_MAX + 2);
  memcpy(d->text + d->text_bytes, name, size);
  d->kinds[d->kind_count] = (kind){ offset_s, (uint16_t)d->text_bytes };
  d->text_bytes += size;
  return (uint16_t)d->kind_count++;
}

static const char *apply_rule(draft *d, const rule *r) {
  if (r->std_s < -OFFSET_MAX_S || r->std_s > OFFSET_MAX_S || r->dst_s < -OFFSET_MAX_S ||
      r->dst_s > OFFSET_MAX_S)
    return "an offset beyond 26 hours";
  uint16_t std = add_kind(d, r->std_name, r->std_s);
  if (d->count == 0) {
    d->at_s[0] = INT64_MIN;
    d->kind[0] = std;
    d->count = 1;
  } else if (d->count == 1 && !r->changes) {
    d->kind[0] = std; /* no transition at all: the footer holds for all of time */
  }
  if (!r->changes) return NULL;
  uint16_t dst = add_kind(d, r->dst_name, r->dst_s);
  int64_t last_s = d->at_s[d->count - 1], year = YEAR_MIN;
  if (last_s > month_start(YEAR_MAX, 1) * 86400) return "a transition in the far future";
  while (month_start(year + 1, 1) * 86400 <= last_s) year++;
  size_t from = d->count;
  d->cycle_s = month_start(year + 2, 1) * 86400;
  for (int64_t y = year; y < year + RULE_YEARS; y++) {
    int64_t dst_at = rule_instant(&r->dst_from, y, r->std_s);
    int64_t std_at = rule_instant(&r->std_from, y, r->dst_s);
    bool dst_first = dst_at < std_at;
    int64_t at[2] = { dst_first ? dst_at : std_at, dst_first ? std_at : dst_at };
    uint16_t into[2] = { dst_first ? dst : std, dst_first ? std : dst };
    for (int i = 0; i < 2; i++) {
      if (at[i] <= last_s) continue;
      d->at_s[d->count] = at[i];
      d->kind[d->count++] = into[i];
    }
  }
  sort_by_time(d, from);
  return NULL;
}

/* Stable, over what is nearly in order: a rule's day may spill into the next year. */
static void sort_by_time(draft *d, size_t from) {
  for (size_t i = from + 1; i < d->count; i++) {
    int64_t at_s = d->at_s[i];
    uint16_t k = d->kind[i];
    size_t j = i;
    for (; j > from && d->at_s[j - 1] > at_s; j--) {
      d->at_s[j] = d->at_s[j - 1];
      d->kind[j] = d->kind[j - 1];
    }
    d->at_s[j] = at_s;
    d->kind[j] = k;
  }
}

/* ---- the table ---- */

static int64_t to_us(int64_t seconds) {
  if (seconds > INT64_MAX / 1000000) return INT64_MAX;
  if (seconds < INT64_MIN / 1000000) return INT64_MIN;
  return seconds * 1000000;
}

static tm_zone_table *pack(tm_budget *budget, const draft *d, tm_error *err) {
  size_t starts = (sizeof(tm_zone_table) + 15) & ~(size_t)15;
  size_t offsets = starts + d->count * sizeof(int64_t);
  size_t names = offsets + d->count * sizeof(int32_t);
  size_t text = names + d->count * sizeof(uint16_t);
  size_t bytes = text + d->text_bytes;
  char *block = tm_alloc_zero(budget, bytes);
  if (block == NULL) {
    tm_fail(err, TM_E_MEMORY, "time zone: out of memory");
    return NULL;
  }
  tm_zone_table *t = (tm_zone_table *)block;
  *t = (tm_zone_table){ .starts_us = (int64_t *)(block + starts),
                        .offsets_s = (int32_t *)(block + offsets),
                        .names = (uint16_t *)(block + names), .abbreviations = block + text,
                        .cycle_us = to_us(d->cycle_s), .bytes = bytes };
  memcpy(t->abbreviations, d->text, d->text_bytes);
  for (size_t i = 0; i < d->count; i++) {
    const kind *k = &d->kinds[d->kind[i]];
    int64_t at_us = to_us(d->at_s[i]);
    /* The last of several at one instant holds; one that changes nothing is none. */
    if (t->count > 0 && t->starts_us[t->count - 1] == at_us) t->count--;
    if (t->count > 0 && t->offsets_s[t->count - 1] == k->offset_s &&
        strcmp(t->abbreviations + t->names[t->count - 1], t->abbreviations + k->name) == 0)
      continue;
    t->starts_us[t->count] = at_us;
    t->offsets_s[t->count] = k->offset_s;
    t->names[t->count++] = k->name;
  }
  t->offset_min_s = t->offset_max_s = t->offsets_s[0];
  for (size_t i = 1; i < t->count; i++) {
    if (t->offsets_s[i] < t->offset_min_s) t->offset_min_s = t->offsets_s[i];
    if (t->offsets_s[i] > t->offset_max_s) t->offset_max_s = t->offsets_s[i];
  }
  assert(t->count > 0 && t->starts_us[0] == INT64_MIN);
  return t;
}
