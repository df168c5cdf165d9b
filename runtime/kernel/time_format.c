/* kernel/time_format.c: strftime, compiled.
 *
 * A format becomes a list of parts: a directive, or a stretch of text. %F and %T are written out as
 * the parts they stand for. A value is taken apart once, as far as the parts ask for it (a civil
 * date costs a few nanoseconds, an abbreviation a search), then the parts print what they need. */
#include "kernel/time_format.h"

#include <string.h>

#include "kernel/calendar.h"

enum {
  YEAR_BYTES = 8,  /* -5877641 is the longest */
  NAME_BYTES = 9,  /* Wednesday, September */
  ZONE_BYTES = 40, /* longer abbreviations are cut */
};

typedef struct part {
  char letter; /* of the directive; 0: text */
  uint32_t size;
  const char *text;
} part;

struct tm_time_format {
  size_t bytes_max;
  bool wants_civil, wants_weekday, wants_week;
  uint32_t count;
  part parts[];
};

/* A value taken apart. */
typedef struct moment {
  int32_t days, weekday; /* this and the next two only where a part asks for it */
  tm_civil civil;
  int32_t iso_year, iso_week;
  int32_t second, micros; /* of the day, of the second */
  int32_t offset_s;
  const tm_zone *zone;
  int64_t utc_us;
} moment;

static const char *const month_names[] = { "January", "February", "March", "April", "May", "June",
  "July", "August", "September", "October", "November", "December" };
static const char *const weekday_names[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
  "Saturday", "Sunday" };

/* ---- compiling ---- */

/* Bytes that a directive prints at most, 0 where the letter is none. */
static size_t letter_bytes(char letter) {
  switch (letter) {
  case 'Y': case 'G': return YEAR_BYTES;
  case 'A': case 'B': return NAME_BYTES;
  case 'Z': return ZONE_BYTES;
  case 'f': return 6;
  case 'z': return 5;
  case 'j': case 'a': case 'b': return 3;
  case 'm': case 'd': case 'e': case 'H': case 'I': case 'M': case 'S': case 'p': case 'y':
  case 'V': return 2;
  case 'u': case 'w': return 1;
  default: return 0;
  }
}

static void add_part(tm_time_format *f, char letter, const char *text, size_t size) {
  f->parts[f->count++] = (part){ letter, (uint32_t)size, text };
  f->bytes_max += letter == 0 ? size : letter_bytes(letter);
  if (letter == 0) return;
  f->wants_civil = f->wants_civil || strchr("YymdejbBGV", letter) != NULL;
  f->wants_weekday = f->wants_weekday || strchr("aAuwGV", letter) != NULL;
  f->wants_week = f->wants_week || letter == 'G' || letter == 'V';
}

static void fail_letter(tm_error *err, const char *at, const char *end) {
  if (at == end) {
    tm_fail(err, TM_E_VALUE, "time format ends with '%%'");
  } else {
    size_t size = 1; /* the whole character, if it is none of ASCII */
    while (at + size < end && ((unsigned char)at[size] & 0xc0) == 0x80 && size < 4) size++;
    tm_fail(err, TM_E_VALUE, "'%%%.*s' is not a directive of a time format", (int)size, at);
  }
  tm_error_help(err, "directives are %%Y %%y %%m %%d %%e %%j %%F %%H %%I %%p %%M %%S %%f %%T %%a "
                     "%%A %%u %%w %%b %%B %%G %%V %%z %%Z %%%%");
}

const tm_time_format *tm_time_format_compile(const char *format, size_t size, tm_arena *arena,
                                             tm_error *err) {
  /* "%F" is two bytes and five parts. */
  size_t parts_max = size < UINT32_MAX / 3 ? size * 3 + 1 : 0;
  char *text = tm_arena_text(arena, format, size);
  tm_time_format *f = text == NULL || parts_max == 0
                          ? NULL : tm_arena_zero(arena, sizeof *f + parts_max * sizeof(part));
  if (f == NULL) {
    tm_fail(err, TM_E_MEMORY, "time format: out of memory");
    return NULL;
  }
  const char *at = text, *end = text + size;
  while (at < end) {
    const char *mark = memchr(at, '%', (size_t)(end - at));
    if (mark == NULL) mark = end;
    if (mark > at) add_part(f, 0, at, (size_t)(mark - at));
    if (mark == end) break;
    at = mark + 1;
    const char *stands_for = "";
    if (at < end && *at == 'F') stands_for = "Y-m-d";
    else if (at < end && *at == 'T') stands_for = "H:M:S";
    if (*stands_for != 0) {
      for (int i = 0; i < 5; i++) {
        bool is_text = i % 2 == 1;
        add_part(f, is_text ? 0 : stands_for[i], is_text ? stands_for + i : NULL, 1);
      }
    } else if (at < end && *at == '%') {
      add_part(f, 0, at, 1);
    } else if (at < end && letter_bytes(*at) > 0) {
      add_part(f, *at, NULL, 0);
    } else {
      fail_letter(err, at, end);
      return NULL;
    }
    at++;
  }
  return f;
}

size_t tm_time_format_bytes_max(const tm_time_format *format) { return format->bytes_max; }

/* ---- printing ---- */

/* ISO weeks belong to the year of their Thursday. */
static void find_week(moment *m) {
  int64_t thursday = (int64_t)m->days - m->weekday + 4;
  bool fits = thursday >= INT32_MIN && thursday <= INT32_MAX;
  m->iso_year = fits ? tm_calendar_civil((int32_t)thursday).year : m->civil.year;
  int64_t year_day = thursday - tm_calendar_days(m->iso_year, 1, 1);
  m->iso_week = (int32_t)(year_day / 7) + 1;
}

static char *put_digits(char *out, uint32_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--, value /= 10) out[i] = (char)('0' + value % 10);
  return out + digits;
}

static inline char *put_two(char *out, int32_t value) {
  out[0] = (char)('0' + value / 10);
  out[1] = (char)('0' + value % 10);
  return out + 2;
}

static char *put_year(char *out, int32_t year) {
  if (year >= 0 && year <= 9999) return put_two(put_two(out, year / 100), year % 100);
  uint32_t value = year < 0 ? 0 - (uint32_t)year : (uint32_t)year;
  int digits = 4;
  for (uint32_t bound = 10000; digits < 7 && value >= bound; bound *= 10) digits++;
  if (year < 0) *out++ = '-';
  return put_digits(out, value, digits);
}

static char *put_text(char *out, const char *text, size_t size) {
  memcpy(out, text, size);
  return out + size;
}

static char *put_zone(char *out, const moment *m) {
  const char *name = m->zone == NULL ? "UTC" : tm_zone_abbreviation_at(m->zone, m->utc_us);
  size_t size = strlen(name);
  return put_text(out, name, size < ZONE_BYTES ? size : ZONE_BYTES);
}

static char *put_offset(char *out, int32_t offset_s) {
  int32_t minutes = offset_s / 60;
  *out++ = minutes < 0 ? '-' : '+';
  if (minutes < 0) minutes = -minutes;
  return put_two(put_two(out, minutes / 60), minutes % 60);
}

static char *put_part(char *out, char letter, const moment *m) {
  int32_t hour = m->second / 3600;
  switch (letter) {
  case 'Y': return put_year(out, m->civil.year);
  case 'y': return put_two(out, (m->civil.year % 100 + 100) % 100);
  case 'm': return put_two(out, m->civil.month);
  case 'd': return put_two(out, m->civil.day);
  case 'e':
    put_two(out, m->civil.day);
    if (m->civil.day < 10) out[0] = ' ';
    return out + 2;
  case 'j':
    return put_digits(out, (uint32_t)(m->days - tm_calendar_days(m->civil.year, 1, 1)) + 1, 3);
  case 'H': return put_two(out, hour);
  case 'I': return put_two(out, hour % 12 == 0 ? 12 : hour % 12);
  case 'p': return put_text(out, hour < 12 ? "AM" : "PM", 2);
  case 'M': return put_two(out, m->second / 60 % 60);
  case 'S': return put_two(out, m->second % 60);
  case 'f': return put_digits(out, (uint32_t)m->micros, 6);
  case 'u': *out = (char)('0' + m->weekday); return out + 1;
  case 'w': *out = (char)('0' + m->weekday % 7); return out + 1;
  case 'a': return put_text(out, weekday_names[m->weekday - 1], 3);
  case 'A': return put_text(out, weekday_names[m->weekday - 1],
                            strlen(weekday_names[m->weekday - 1]));
  case 'b': return put_text(out, month_names[m->civil.month - 1], 3);
  case 'B': return put_text(out, month_names[m->civil.month - 1],
                            strlen(month_names[m->civil.month - 1]));
  case 'G': return put_year(out, m->iso_year);
  case 'V': return put_two(out, m->iso_week);
  case 'z': return put_offset(out, m->offset_s);
  default: return put_zone(out, m); /* Z: compile lets nothing else through */
  }
}

static size_t put_all(const tm_time_format *f, moment *m, char *out) {
  char *at = out;
  if (f->wants_civil) m->civil = tm_calendar_civil(m->days);
  if (f->wants_weekday) m->weekday = tm_calendar_weekday(m->days);
  if (f->wants_week) find_week(m);
  for (uint32_t i = 0; i < f->count; i++) {
    const part *p = &f->parts[i];
    if (p->letter != 0) {
      at = put_part(at, p->letter, m);
    } else if (p->size == 1) {
      *at++ = *p->text;
    } else {
      at = put_text(at, p->text, p->size);
    }
  }
  return (size_t)(at - out);
}

size_t tm_time_format_date(const tm_time_format *format, int32_t days, char *out) {
  moment m = { .days = days };
  return put_all(format, &m, out);
}

size_t tm_time_format_timestamp(const tm_time_format *format, int64_t utc_us, const tm_zone *zone,
                                tm_zone_hint *hint, char *out) {
  moment m = { .zone = zone, .utc_us = utc_us };
  if (zone != NULL) m.offset_s = tm_zone_offset_hint(zone, utc_us, hint);
  /* Day and time are shifted apart, for the sum may lie beyond int64. */
  int64_t time = tm_calendar_time_of_us(utc_us) + (int64_t)m.offset_s * TM_CALENDAR_SECOND_US;
  int32_t step = tm_calendar_day_of_us(time);
  m.days = tm_calendar_day_of_us(utc_us) + step;
  time -= step * TM_CALENDAR_DAY_US;
  m.second = (int32_t)(time / TM_CALENDAR_SECOND_US);
  m.micros = (int32_t)(time % TM_CALENDAR_SECOND_US);
  return put_all(format, &m, out);
}
