/* format/csv.c: comma-separated values (RFC 4180 and its relatives): the descriptor, and the head
 * of a file, where the columns of the schema find their fields. */
#include "format/csv.h"

#include <stdio.h>

#include "format/guess.h"

static const char *source_name(const tm_field *field) {
  return field->path != NULL ? field->path : field->name;
}

/* Names of a header, made to differ. */
typedef struct names { const char **names; uint32_t count; } names;

static int find_field(const names *header, const char *name) {
  for (uint32_t i = 0; i < header->count; i++) {
    if (strcmp(header->names[i], name) == 0) return (int)i;
  }
  return -1;
}

static int missing_column(const names *header, const char *file, const char *name,
                          tm_error *err) {
  tm_fail(err, TM_E_FORMAT, "%s: the header has no column '%.80s'", file, name);
  tm_error_suggest(err, name, header->names, header->count);
  if (header->count == 1) {
    return tm_error_help(err, "the header has one column only, '%.120s': is the delimiter right?",
                         header->names[0]);
  }
  char list[512] = "";
  size_t used = 0;
  for (uint32_t i = 0; i < header->count && used + 3 < sizeof list; i++) {
    int n = snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                     header->names[i]);
    used += n > 0 ? (size_t)n : 0;
  }
  return tm_error_help(err, "it has: %.500s", list);
}

static bool is_from_path(const tm_reading *r, uint32_t column) {
  return r->from_path != NULL && r->from_path[column];
}

/* By name with a header, else by position. */
static int map_columns(const tm_reading *r, const char *file, const names *header,
                       int32_t *field_of, uint32_t *out_count, tm_error *err) {
  uint32_t position = 0;
  for (uint32_t c = 0; c < r->schema->count; c++) {
    const char *name = source_name(&r->schema->fields[c]);
    field_of[c] = -1;
    if (is_from_path(r, c)) continue;
    field_of[c] = header != NULL ? find_field(header, name) : (int32_t)position;
    position++;
    if (field_of[c] < 0) return missing_column(header, file, name, err);
  }
  *out_count = header != NULL ? header->count : position;
  return 0;
}

static int take_names(tm_arena *arena, tm_csv_record *record, names *out, tm_error *err) {
  const tm_csv_field *last = &record->fields[record->count - 1];
  if (record->count > 1 && last->size == 0 && !last->quoted) record->count--;
  out->count = record->count;
  out->names = tm_arena_alloc(arena, record->count * sizeof *out->names);
  for (uint32_t i = 0; out->names != NULL && i < record->count; i++) {
    out->names[i] = record->fields[i].text;
  }
  if (out->names == NULL || tm_guess_names(arena, out->names, out->count) < 0) {
    return tm_fail(err, TM_E_MEMORY, "out of memory");
  }
  return 1;
}

/* Comments and blank lines before the header, then the header. */
static int read_header(const tm_reading *r, tm_arena *arena, const char *file, const char *data,
                       size_t size, bool whole, names *out, size_t *skip, uint64_t *lines,
                       tm_error *err) {
  tm_csv_record record;
  for (;;) {
    if (*skip == size && whole) {
      tm_fail(err, TM_E_FORMAT, "%s is empty: a header line was expected", file);
      return tm_error_help(err, "header = false reads a file without one");
    }
    int got = tm_csv_record_read(arena, &r->options, data + *skip, size - *skip, whole,
                                 &record);
    if (got < 0) return tm_fail(err, TM_E_MEMORY, "out of memory");
    if (got == 0) return 0;
    *skip += record.size;
    *lines += record.lines;
    if (record.blank || record.comment) continue;
    if (record.malformed) {
      return tm_fail(err, TM_E_FORMAT, "%s: the header has a stray quote", file);
    }
    return take_names(arena, &record, out, err);
  }
}

int tm_csv_begin(const tm_reading *r, tm_arena *arena, const char *file, const char *data,
                 size_t size, bool whole, const tm_layout **out, size_t *out_skip,
                 uint64_t *out_lines, tm_error *err) {
  static const char bom[] = "\xef\xbb\xbf";
  if (size < 3 && !whole && memcmp(data, bom, size) == 0) return 0; /* one may be coming */
  size_t skip = size >= 3 && memcmp(data, bom, 3) == 0 ? 3 : 0;
  uint64_t lines = 0;
  names header = {0};
  if (r->options.header) {
    int done = read_header(r, arena, file, data, size, whole, &header, &skip, &lines, err);
    if (done <= 0) return done;
  }
  tm_layout *layout = tm_arena_zero(arena, sizeof *layout);
  int32_t *field_of = tm_arena_alloc(arena, (r->schema->count + 1) * sizeof *field_of);
  if (layout == NULL || field_of == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  if (map_columns(r, file, r->options.header ? &header : NULL, field_of, &layout->field_count,
                  err) < 0) {
    return -1;
  }
  layout->field_of = field_of;
  *out = layout;
  *out_skip = skip;
  *out_lines = lines;
  return 1;
}

const tm_format tm_format_csv = {
  .size = sizeof(tm_format),
  .name = "csv",
  .ends_lines = true,
  .sniff = tm_csv_sniff,
  .begin = tm_csv_begin,
  .split = tm_csv_split,
  .parser_create = tm_csv_parser_create,
  .parser_begin = tm_csv_parser_begin,
  .parser_next = tm_csv_parser_next,
  .parser_rest = tm_csv_parser_rest,
  .parser_destroy = tm_csv_parser_destroy,
  .writer_create = tm_csv_writer_create,
  .writer_write = tm_csv_writer_write,
  .writer_finish = tm_csv_writer_finish,
  .writer_destroy = tm_csv_writer_destroy,
};
