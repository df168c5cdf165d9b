/* connector/scan.c: files, pipes and stdin as rows: tm.csv, tm.jsonl, tm.msgpack, tm.lines.
 *
 * All lanes share one block reader, which goes through the files in path order and hands out
 * blocks of whole records with ascending sequences; each lane parses its blocks with a parser of
 * its own. So the rows of a run, and their order by sequence, do not depend on the lanes.
 *
 * Only needed columns are made. Filters that the planner moved here are applied once all columns
 * that can fail have been decoded, so they change nothing about which rows are refused. Where
 * refused rows are wanted (`bad`, on_error = "skip"), every declared column is checked; elsewhere
 * a column that nobody reads is not looked at.
 *
 * In a stream a pipe gives its records as they come: lane 0 alone reads it, and sleeps meanwhile.
 *
 * Without a schema, bind reads the first file's beginning; what it read of a pipe is kept. Once a
 * schema is given, files are not touched before the run. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "format/compress.h"
#include "format/format_options.h"
#include "io/block_reader.h"
#include "io/readable.h"
#include "stage/end_options.h"
#include "stage/parse.h"
#include "state/record.h"

enum {
  PACKED_RATIO = 4, /* guess of how much smaller compressed text is */
  STDIN_FILE = 0,
};

/* Made by bind. */
typedef struct scan_plan {
  tm_reading reading;
  const char *const *partition; /* names of columns that folders give */
  size_t partition_count;
  const char *note;             /* what sniffing left out */
  const tm_source_files *files; /* none yet: they are looked for when the run starts */
} scan_plan;

typedef struct scan_shared {
  tm_budget *budget;
  tm_reading reading;
  tm_source_files files;
  tm_block_reader *reader;
  uint8_t *early;
  bool live;   /* a stream that reads pipes: lane 0 does it, and is woken when there is something */
} scan_shared;

typedef struct scan {
  scan_shared *shared;
  tm_parse parse;
  tm_readable *readable; /* lane 0 of a live one */
} scan;

/* ---------------------------------------------------------------- bind */

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

static const char *first_path(const tm_value *options) {
  const tm_value *path = tm_value_get(options, "path");
  if (path == NULL) return NULL;
  if (path->kind == TM_VALUE_TABLE && path->item_count > 0) path = &path->items[0];
  return path->kind == TM_VALUE_TEXT ? path->text : NULL;
}

static int read_partition(tm_bind *bind, scan_plan *plan, tm_error *err) {
  const tm_value *v = tm_value_get(bind->options, "partition");
  if (v == NULL || v->kind == TM_VALUE_NIL) return 0;
  size_t count = v->kind == TM_VALUE_TABLE ? v->item_count : 1;
  const char **names = tm_arena_alloc(bind->arena, (count + 1) * sizeof *names);
  if (names == NULL) return no_memory(err);
  for (size_t i = 0; i < count; i++) {
    const tm_value *one = v->kind == TM_VALUE_TABLE ? &v->items[i] : v;
    if (one->kind != TM_VALUE_TEXT) {
      return tm_fail(err, TM_E_VALUE, "'partition' lists names of columns");
    }
    names[i] = one->text;
  }
  plan->partition = names;
  plan->partition_count = count;
  return 0;
}

/* The schema with the columns of folders, which are strings where it does not name them. */
static int add_partition(tm_bind *bind, scan_plan *plan, tm_error *err) {
  const tm_schema *from = plan->reading.schema;
  uint32_t more = 0;
  if (plan->partition_count == 0) return 0;
  for (size_t i = 0; i < plan->partition_count; i++) {
    more += tm_schema_find(from, plan->partition[i]) < 0;
  }
  tm_schema *schema = tm_schema_create(bind->arena, from->count + more);
  uint8_t *marks = tm_arena_zero(bind->arena, from->count + more + 1);
  if (schema == NULL || marks == NULL) return no_memory(err);
  memcpy(schema->fields, from->fields, from->count * sizeof *schema->fields);
  uint32_t next = from->count;
  for (size_t i = 0; i < plan->partition_count; i++) {
    int at = tm_schema_find(from, plan->partition[i]);
    if (at < 0) {
      schema->fields[next] = (tm_field){plan->partition[i], tm_type_of(TM_STRING), NULL};
      at = (int)next++;
    }
    marks[at] = 1;
  }
  plan->reading.schema = schema;
  plan->reading.from_path = marks;
  return 0;
}

static bool is_partition(const scan_plan *plan, const char *name) {
  for (size_t i = 0; i < plan->partition_count; i++) {
    if (strcmp(plan->partition[i], name) == 0) return true;
  }
  return false;
}

/* Sniffed columns that folders give are theirs, whatever the file says. */
static const tm_schema *without_partition(tm_arena *arena, const scan_plan *plan,
                                          const tm_schema *sniffed) {
  tm_schema *out = tm_schema_create(arena, sniffed->count);
  if (out == NULL) return NULL;
  out->count = 0;
  for (uint32_t i = 0; i < sniffed->count; i++) {
    const tm_field *field = &sniffed->fields[i];
    if (!is_partition(plan, field->name)) out->fields[out->count++] = *field;
  }
  return out;
}

static int find_files(const tm_bind *bind, tm_source_files *out, tm_error *err) {
  return tm_source_files_find(bind->arena, tm_value_get(bind->options, "path"), bind->job->date,
                              out, err);
}

/* Schema and options from the first file. What was read of a pipe stays with the file. */
static int sniff(tm_bind *bind, scan_plan *plan, tm_source_files *files, tm_error *err) {
  const char *data;
  size_t size;
  bool whole;
  tm_sniffed found;
  tm_reading *r = &plan->reading;
  tm_source_file *file = &files->items[0];
  if (tm_input_sample(bind->arena, file->path, TM_SNIFF_BYTES, &data, &size, &whole, &file->head,
                      err) < 0 ||
      r->format->sniff(bind->arena, &r->options, NULL, file->name, data, size, whole, &found,
                       err) < 0) {
    return -1;
  }
  r->options = found.options;
  r->schema = found.schema;
  plan->note = found.note;
  if (plan->partition_count > 0) r->schema = without_partition(bind->arena, plan, found.schema);
  return r->schema == NULL ? no_memory(err) : 0;
}

/* Rows by the size of the files and of the first file's first records. */
static uint64_t estimate(const tm_bind *bind, const scan_plan *plan, const tm_source_files *files) {
  uint64_t bytes = 0, records = 1;
  for (uint32_t i = 0; i < files->count; i++) {
    bool packed = tm_compression_of_path(files->items[i].path) != TM_COMPRESSION_NONE;
    bytes += files->items[i].size * (packed ? PACKED_RATIO : 1);
  }
  if (bytes == 0) return 0;
  tm_arena scratch;
  tm_error ignored = {0};
  const char *data;
  size_t size = 0;
  bool whole;
  const tm_input_head *head;
  tm_arena_init(&scratch, bind->budget);
  if (files->items[0].size > 0 &&
      tm_input_sample(&scratch, files->items[0].path, TM_SNIFF_BYTES / 4, &data, &size, &whole,
                      &head, &ignored) == 0) {
    bool lines = plan->reading.format->ends_lines;
    for (size_t i = 0; lines && i < size; i++) records += data[i] == '\n';
    if (!plan->reading.format->ends_lines) records += size / 64;
  }
  tm_arena_deinit(&scratch);
  return size == 0 ? 0 : bytes * records / size + 1;
}

static const char *describe(const tm_bind *bind, const scan_plan *plan,
                            const tm_source_files *files) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < files->count; i++) bytes += files->items[i].size;
  const char *first = files->count > 0 ? files->items[0].name : first_path(bind->options);
  const char *more = files->count > 1 ? tm_arena_format(bind->arena, " and %u more, %.1f MB",
                                                        files->count - 1, (double)bytes / 1e6)
                                      : "";
  const char *note = plan->note != NULL ? plan->note : "";
  return tm_arena_format(bind->arena, "%s%s%s%s", first != NULL ? first : "", more,
                         *note != '\0' ? "; " : "", note);
}

static int bind_columns(tm_bind *bind, scan_plan *plan, tm_source_files *files, tm_error *err) {
  tm_reading *r = &plan->reading;
  const char *ddl = tm_value_text(bind->options, "schema", NULL);
  tm_error missing = {0};
  if (strcmp(r->format->name, "lines") == 0) ddl = "line string";
  if (ddl != NULL) {
    r->schema = tm_schema_parse(bind->arena, ddl, err);
    if (r->schema == NULL) return -1;
    if (r->options.delimiter == 0) r->options.delimiter = ',';
    /* Only for estimates: whether they are there, the run will tell. */
    if (find_files(bind, files, &missing) < 0) files->count = 0;
  } else if (find_files(bind, files, err) < 0 || sniff(bind, plan, files, err) < 0) {
    return -1;
  }
  return add_partition(bind, plan, err);
}

static int scan_bind(tm_bind *bind, tm_error *err) {
  scan_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  tm_source_files *files = tm_arena_zero(bind->arena, sizeof *files);
  if (plan == NULL || files == NULL) return no_memory(err);
  tm_reading *r = &plan->reading;
  r->format = tm_format_find(bind->verb);
  assert(r->format != NULL && r->format->begin != NULL);
  if (tm_end_options_check(bind, bind->verb, err) < 0 ||
      tm_format_options_read(bind->arena, bind->options, first_path(bind->options), &r->options,
                             err) < 0 ||
      read_partition(bind, plan, err) < 0 || bind_columns(bind, plan, files, err) < 0) {
    return -1;
  }
  r->batch_rows = bind->job->batch_rows;
  r->block_bytes = bind->job->block_bytes;
  r->record_bytes_max = TM_RECORD_BYTES_MAX;
  bind->plan = plan;
  bind->output = r->schema;
  bind->order = TM_ORDER_MAKES;
  bind->rejects = true;
  bind->rows_estimate = estimate(bind, plan, files);
  bind->detail = describe(bind, plan, files);
  plan->files = files;
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* ---------------------------------------------------------------- share */

static void scan_unshare(void *object) {
  scan_shared *s = object;
  tm_block_reader_destroy(s->reader);
  tm_free(s->budget, s->early, s->reading.schema->count + 1);
  tm_free(s->budget, s, sizeof *s);
}

/* Does reading them wait for others? */
static bool has_pipes(const tm_source_files *files) {
  const tm_env *env = tm_env_get();
  for (uint32_t i = 0; i < files->count; i++) {
    const tm_source_file *file = &files->items[i];
    tm_file_info info;
    bool standard = strcmp(file->path, "-") == 0;
    int known = standard ? env->stat_file(STDIN_FILE, &info) : env->stat(file->path, &info);
    if (file->head != NULL || (known == 0 && info.kind != TM_FILE_REGULAR)) return true;
  }
  return false;
}

static int scan_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                      tm_error *err) {
  const scan_plan *plan = bind->plan;
  scan_shared *s = tm_alloc_zero(budget, sizeof *s);
  uint8_t *early = tm_alloc_zero(budget, plan->reading.schema->count + 1);
  if (s == NULL || early == NULL) {
    tm_free(budget, s, sizeof *s);
    tm_free(budget, early, plan->reading.schema->count + 1);
    return no_memory(err);
  }
  s->budget = budget;
  s->early = early;
  s->reading = plan->reading;
  tm_parse_complete(&s->reading, bind, early);
  s->files = *plan->files;
  if ((s->files.count == 0 && find_files(bind, &s->files, err) < 0) ||
      (s->reader = tm_block_reader_create(budget, &s->reading, &s->files, lanes, err)) == NULL) {
    scan_unshare(s);
    return -1;
  }
  s->live = bind->job->stream && has_pipes(&s->files);
  if (s->live && tm_block_reader_go_live(s->reader, err) < 0) {
    scan_unshare(s);
    return -1;
  }
  *out = s;
  return 0;
}

/* ---------------------------------------------------------------- open, resume, close */

static void scan_close(void *self) {
  scan *s = self;
  tm_budget *budget = s->parse.env.budget;
  tm_readable_destroy(s->readable);
  tm_parse_close(&s->parse);
  tm_free(budget, s, sizeof *s);
}

static int scan_open(const tm_stage_env *env, void **out, tm_error *err) {
  scan *s = tm_alloc_zero(env->budget, sizeof *s);
  if (s == NULL) return no_memory(err);
  s->shared = env->shared;
  bool listens = s->shared->live && env->lane == 0;
  if (tm_parse_open(&s->parse, env, &s->shared->reading, err) < 0 ||
      (listens && (s->readable = tm_readable_create(env->budget, env->wake, env->waker, err)) ==
                      NULL)) {
    scan_close(s);
    return -1;
  }
  *out = s;
  return 0;
}

/* A block for the parser. MORE: it has one, or may have the next time. */
static tm_flow take_block(scan *s, tm_out *out, tm_error *err) {
  tm_block *block = NULL;
  if (__atomic_load_n(s->parse.env.draining, __ATOMIC_ACQUIRE)) return TM_FLOW_FINISHED;
  tm_block_answer answer = tm_block_reader_take(s->shared->reader, &block, err);
  if (answer == TM_BLOCK_FAILED) return TM_FLOW_FAILED;
  if (answer == TM_BLOCK_END) return TM_FLOW_FINISHED;
  if (answer == TM_BLOCK_LATER) {
    if (s->readable == NULL) return TM_FLOW_MORE;
    tm_readable_ask(s->readable, tm_block_reader_file(s->shared->reader));
    return TM_FLOW_BLOCKED;
  }
  return tm_parse_begin(&s->parse, block, out, err) < 0 ? TM_FLOW_FAILED : TM_FLOW_MORE;
}

static tm_flow scan_resume(void *self, tm_out *out, tm_error *err) {
  scan *s = self;
  int64_t until_us = tm_env_get()->monotonic_us() + TM_YIELD_US;
  if (s->shared->live && s->parse.env.lane != 0) return TM_FLOW_FINISHED;
  do {
    if (!s->parse.busy) {
      tm_flow flow = take_block(s, out, err);
      if (flow != TM_FLOW_MORE || !s->parse.busy) return flow;
    }
    if (tm_parse_step(&s->parse, out, err) == TM_FLOW_FAILED) return TM_FLOW_FAILED;
  } while (out->main == NULL && out->reject_count == 0 &&
           tm_env_get()->monotonic_us() < until_us);
  return TM_FLOW_MORE;
}

/* Pipes have no size: then nobody knows how far it is. */
static void scan_measure(void *object, uint64_t *done, uint64_t *total) {
  const scan_shared *s = object;
  *done = tm_block_reader_bytes(s->reader);
  *total = 0;
  for (uint32_t i = 0; i < s->files.count; i++) {
    if (s->files.items[i].size == 0) return;
    *total += s->files.items[i].size;
  }
}

/* ---------------------------------------------------------------- save, restore */

/* Where the shared reader goes on, and the bytes of this lane's block that are not parsed yet. */
static int scan_save(void *self, tm_bytes *out, tm_error *err) {
  scan *s = self;
  tm_record_writer w = {.out = out};
  tm_block_place place;
  tm_parser_rest rest;
  tm_block_reader_place(s->shared->reader, &place);
  const uint64_t fields[] = {place.file, place.offset, place.line, place.sequence,
                             place.skipping, place.state, place.left};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) tm_record_put(&w, fields[i]);
  const tm_format *format = s->shared->reading.format;
  const tm_block *b = s->parse.busy ? format->parser_rest(s->parse.parser, &rest) : NULL;
  bool some = b != NULL && rest.from < b->size;
  tm_record_put(&w, some);
  if (!some) return tm_record_end(&w, err);
  const uint64_t block[] = {b->file_index, rest.line, b->offset + rest.from, b->sequence,
                            rest.batches, rest.told, b->size - rest.from};
  for (size_t i = 0; i < sizeof block / sizeof *block; i++) tm_record_put(&w, block[i]);
  tm_record_put_bytes(&w, b->data + rest.from, b->size - rest.from);
  return tm_record_end(&w, err);
}

static int restore_block(scan *s, tm_record_reader *r, tm_error *err) {
  tm_block like = {0};
  like.file_index = (uint32_t)tm_record_get(r, UINT32_MAX);
  like.first_line = tm_record_get(r, UINT64_MAX);
  like.offset = tm_record_get(r, UINT64_MAX);
  like.sequence = tm_record_get(r, UINT32_MAX);
  like.first_batch = (uint32_t)tm_record_get(r, UINT32_MAX);
  like.told = tm_record_get(r, 1) != 0;
  uint64_t size = tm_record_get(r, UINT32_MAX);
  size_t there;
  const uint8_t *bytes = tm_record_view(r, &there);
  if (tm_record_close(r, err) < 0) return -1;
  bool text = s->shared->reading.format->ends_lines;
  if (there != size || size == 0 || (text && bytes[size - 1] != '\n')) {
    return tm_fail(err, TM_E_LOCKED, "saved state does not fit");
  }
  tm_block *b = tm_block_reader_restore(s->shared->reader, &like, bytes, there, err);
  if (b == NULL) return -1;
  tm_error_clear(err);
  /* Nothing is refused here: it was, before the state was saved. */
  return tm_parse_begin(&s->parse, b, NULL, err);
}

static int scan_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  scan *s = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  tm_block_place place = {0};
  uint64_t *const fields[] = {&place.file, &place.offset, &place.line, &place.sequence,
                              &place.skipping, &place.state, &place.left};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    *fields[i] = tm_record_get(&r, UINT64_MAX);
  }
  if (tm_record_get(&r, 1) == 0) {
    if (tm_record_close(&r, err) < 0) return -1;
  } else if (restore_block(s, &r, err) < 0) {
    return -1;
  }
  return tm_block_reader_seek(s->shared->reader, &place, err);
}

const tm_stage tm_stage_scan = {
  .size = sizeof(tm_stage),
  .name = "csv",
  .aliases = "jsonl msgpack lines",
  .summary = "read files, pipes or stdin",
  .inputs = 0,
  .takes_filters = true,
  .bind = scan_bind,
  .share = scan_share,
  .open = scan_open,
  .restore = scan_restore,
  .resume = scan_resume,
  .save = scan_save,
  .close = scan_close,
  .unshare = scan_unshare,
  .measure = scan_measure,
};
