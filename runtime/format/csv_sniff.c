/* format/csv_sniff.c: delimiter, names and types from the beginning of a file.
 *
 * The delimiter is the one that gives most records the same number of fields, more than one; then
 * the one with more fields. Records that are cut off by the end of the sample do not count. */
#include "format/csv.h"
#include "format/guess.h"
#include "format/text_column.h"
#include "kernel/utf8.h"

enum { JUDGED_RECORDS = 200 };

static const char candidates[] = ",;\t|";

typedef struct sample {
  const char *at;
  size_t left;
  bool whole;
} sample;

/* The next record with fields; 1, 0 at the end, -1. */
static int next_record(tm_arena *arena, const tm_format_options *o, sample *s,
                       tm_csv_record *out) {
  for (;;) {
    int got = tm_csv_record_read(arena, o, s->at, s->left, s->whole, out);
    if (got <= 0) return got;
    s->at += out->size;
    s->left -= out->size;
    if (!out->comment && !out->blank) break;
  }
  const tm_csv_field *last = &out->fields[out->count - 1];
  out->last_empty = out->count > 1 && last->size == 0 && !last->quoted;
  return 1;
}

/* How many records have as many fields as the first; 0 where that is one field. */
static int64_t judge(tm_arena *scratch, tm_format_options o, sample s, uint32_t *out_fields) {
  int64_t same = 0, all = 0;
  tm_csv_record r;
  int got;
  *out_fields = 0;
  while (all < JUDGED_RECORDS && (got = next_record(scratch, &o, &s, &r)) != 0) {
    if (got < 0) return -1;
    if (all++ == 0) *out_fields = r.count;
    same += r.count == *out_fields && !r.malformed;
  }
  if (*out_fields < 2) return 0;
  return same * 1000 / all;
}

static int find_delimiter(tm_budget *budget, tm_format_options *o, sample s, tm_error *err) {
  int64_t best = 0;
  uint32_t best_fields = 0;
  char found = ',';
  for (const char *c = candidates; *c != '\0'; c++) {
    tm_arena scratch;
    uint32_t fields;
    tm_arena_init(&scratch, budget);
    o->delimiter = *c;
    int64_t score = judge(&scratch, *o, s, &fields);
    tm_arena_deinit(&scratch);
    if (score < 0) return tm_fail(err, TM_E_MEMORY, "sniffing: out of memory");
    if (score < best || (score == best && fields <= best_fields)) continue;
    best = score;
    best_fields = fields;
    found = *c;
  }
  o->delimiter = found;
  return 0;
}

static bool is_null(const tm_format_options *o, const tm_csv_field *f) {
  if (f->size == 0) return true;
  for (uint32_t i = 0; !f->quoted && i < o->null_count; i++) {
    if (tm_text_is_word(f->text, f->size, o->nulls[i])) return true;
  }
  return false;
}

static void guess_record(const tm_format_options *o, const tm_csv_record *r, tm_guess *guesses,
                         uint32_t count) {
  if (r->malformed || r->count < count || r->count > count + 1) return;
  for (uint32_t i = 0; i < count; i++) {
    const tm_csv_field *f = &r->fields[i];
    if (!is_null(o, f)) tm_guess_add(&guesses[i], f->text, f->size);
  }
}

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "sniffing: out of memory"); }

/* Names from the header, or by number. */
static int name_columns(tm_arena *arena, const tm_csv_record *first, bool header, const char *file,
                        tm_schema **out, tm_error *err) {
  uint32_t count = first->count - first->last_empty;
  const char **names = tm_arena_alloc(arena, count * sizeof *names);
  tm_schema *schema = tm_schema_create(arena, count);
  if (names == NULL || schema == NULL) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    names[i] = header ? first->fields[i].text : "";
    if (tm_utf8_valid(names[i], strlen(names[i]))) continue;
    return tm_fail(err, TM_E_FORMAT, "%s: the header is no UTF-8 text; is this a CSV file?", file);
  }
  if (tm_guess_names(arena, names, count) < 0) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) schema->fields[i].name = names[i];
  *out = schema;
  return 0;
}

static int sniff_columns(tm_arena *arena, tm_arena *scratch, const tm_format_options *o,
                         const char *file, sample s, tm_schema **out, tm_error *err) {
  tm_csv_record r;
  int got = next_record(arena, o, &s, &r);
  if (got < 0) return no_memory(err);
  if (got == 0 && !s.whole) return tm_guess_fail_long(file, err);
  if (got == 0) {
    tm_fail(err, TM_E_FORMAT, "%s is empty: there is nothing to sniff a schema from", file);
    return tm_error_help(err, "give it one: schema = \"id int64, name string\"");
  }
  if (name_columns(arena, &r, o->header, file, out, err) < 0) return -1;
  uint32_t count = (*out)->count;
  tm_guess *guesses = tm_arena_zero(arena, count * sizeof *guesses);
  if (guesses == NULL) return no_memory(err);
  if (!o->header) guess_record(o, &r, guesses, count);
  while ((got = next_record(scratch, o, &s, &r)) > 0) guess_record(o, &r, guesses, count);
  if (got < 0) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    (*out)->fields[i].type = tm_guess_type(&guesses[i]);
  }
  return 0;
}

int tm_csv_sniff(tm_arena *arena, const tm_format_options *options, const tm_schema *schema,
                 const char *file, const char *data, size_t size, bool whole, tm_sniffed *out,
                 tm_error *err) {
  static const char bom[] = "\xef\xbb\xbf";
  size_t skip = size >= 3 && memcmp(data, bom, 3) == 0 ? 3 : 0;
  sample s = {data + skip, size - skip, whole};
  *out = (tm_sniffed){.schema = schema, .options = *options};
  if (out->options.delimiter == 0 && schema != NULL) out->options.delimiter = ',';
  if (out->options.delimiter == 0 &&
      find_delimiter(arena->budget, &out->options, s, err) < 0) {
    return -1;
  }
  if (schema != NULL) return 0;
  if (memchr(data, '\0', size) != NULL) {
    return tm_fail(err, TM_E_FORMAT, "%s holds NUL bytes: it is no CSV file", file);
  }
  tm_arena scratch;
  tm_schema *found = NULL;
  tm_arena_init(&scratch, arena->budget);
  int done = sniff_columns(arena, &scratch, &out->options, file, s, &found, err);
  tm_arena_deinit(&scratch);
  out->schema = found;
  return done;
}
