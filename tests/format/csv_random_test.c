/* tests/format/csv_random_test.c: random text against a reader that is written as plainly as can
 * be, with the text cut at every place. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/format/rig.h"

enum { FIELDS_MAX = 64, FIELD_MAX = 4096 };

/* ---------------------------------------------------------------- the reference */

typedef struct naive {
  const tm_format_options *o;
  const char *at, *end;
  unsigned columns;
  rows_list rows, refused;
  int line;
} naive;

typedef struct naive_field { char text[FIELD_MAX]; size_t size; bool quoted; } naive_field;

static naive_field fields[FIELDS_MAX];

/* One field; false: it is malformed. */
static bool naive_read_field(naive *n, naive_field *f) {
  const tm_format_options *o = n->o;
  f->size = 0;
  f->quoted = n->at < n->end && o->quote != 0 && *n->at == o->quote;
  bool well = true;
  if (f->quoted) {
    bool closed = false;
    n->at++;
    while (n->at < n->end && !closed) {
      bool next = n->at + 1 < n->end;
      if (o->escape != 0 && *n->at == o->escape && next &&
          (n->at[1] == o->quote || n->at[1] == o->escape)) {
        f->text[f->size++] = n->at[1];
        n->at += 2;
      } else if (*n->at == o->quote && next && n->at[1] == o->quote) {
        f->text[f->size++] = o->quote;
        n->at += 2;
      } else if (*n->at == o->quote) {
        closed = true;
        n->at++;
      } else {
        n->line += *n->at == '\n';
        f->text[f->size++] = *n->at++;
      }
    }
    well = closed;
    if (n->end - n->at >= 2 && n->at[0] == '\r' && n->at[1] == '\n') n->at++;
    while (n->at < n->end && *n->at != o->delimiter && *n->at != '\n') {
      well = false;
      n->at++;
    }
  } else {
    while (n->at < n->end && *n->at != o->delimiter && *n->at != '\n') f->text[f->size++] =
        *n->at++;
    bool ends_line = n->at == n->end || *n->at == '\n';
    if (ends_line && f->size > 0 && f->text[f->size - 1] == '\r') f->size--;
  }
  f->text[f->size] = '\0';
  return well;
}

static void naive_add(rows_list *list, int line, const char *word, const char *text, size_t size) {
  char *out = malloc(size + 64);
  int head = sprintf(out, "%d %s ", line, word);
  memcpy(out + head, text, size);
  out[head + (int)size] = '\0';
  rows_list_add(list, out);
}

static void naive_row(naive *n, unsigned count) {
  char *out = malloc(FIELD_MAX * 8), *to = out;
  for (unsigned i = 0; i < count; i++) {
    if (i > 0) *to++ = '|';
    bool null = fields[i].size == 0 && !fields[i].quoted;
    for (uint32_t k = 0; k < n->o->null_count && !fields[i].quoted; k++) {
      null |= strcmp(fields[i].text, n->o->nulls[k]) == 0;
    }
    to += null ? sprintf(to, "null") : sprintf(to, "'%s'", fields[i].text);
  }
  *to = '\0';
  rows_list_add(&n->rows, out);
}

static void naive_record(naive *n) {
  const char *begin = n->at;
  int line = n->line;
  if (n->o->comment != 0 && *n->at == n->o->comment) {
    while (n->at < n->end && *n->at != '\n') n->at++;
    if (n->at < n->end) n->at++;
    n->line++;
    return;
  }
  unsigned count = 0;
  bool well = true, more = true;
  while (more) {
    well &= naive_read_field(n, &fields[count < FIELDS_MAX ? count : FIELDS_MAX - 1]);
    count++;
    more = n->at < n->end && *n->at == n->o->delimiter;
    if (more) n->at++;
  }
  const char *end = n->at;
  if (n->at < n->end) n->at++;
  n->line++;
  if (end > begin && end == n->end && end[-1] == '\n') end--; /* in a quote that is never closed */
  if (end > begin && end[-1] == '\r') end--;
  const naive_field *last = &fields[(count < FIELDS_MAX ? count : FIELDS_MAX) - 1];
  bool empty = last->size == 0 && !last->quoted;
  if (count == 1 && empty && n->columns > 1) return;
  if (count == n->columns + 1 && empty) count--;
  if (!well) naive_add(&n->refused, line, "quote", begin, (size_t)(end - begin));
  else if (count != n->columns) naive_add(&n->refused, line, "ragged", begin,
                                          (size_t)(end - begin));
  else naive_row(n, count);
}

/* ---------------------------------------------------------------- random texts */

static size_t random_text(rows_random *random, const char *alphabet, char *out, size_t size_max) {
  size_t size = rows_below(random, (uint32_t)size_max);
  for (size_t i = 0; i < size; i++) {
    out[i] = alphabet[rows_below(random, (uint32_t)strlen(alphabet))];
  }
  return size;
}

static void compare(const rig *r, unsigned columns, const char *text, size_t size,
                    const char *label) {
  naive n = {.o = &r->options, .at = text, .end = text + size, .columns = columns, .line = 1};
  /* The reader gives the last line its end. */
  char *ended = malloc(size + 2);
  memcpy(ended, text, size);
  if (size > 0 && text[size - 1] != '\n') ended[size++] = '\n';
  n.at = ended;
  n.end = ended + size;
  while (n.at < n.end) naive_record(&n);
  rig_answer a = rig_read(r, text, strlen(text));
  cr_assert_eq(a.err.code, 0, "%s: %s", label, a.err.message);
  rows_list_expect(&a.rows, &n.rows, label);
  /* Refusals of a batch come after those of the walk. */
  rows_list_expect_set(&a.refused, &n.refused, label);
  free(ended);
  rows_list_clear(&n.rows);
  rows_list_clear(&n.refused);
  rig_clear(&a);
}

static void run(const char *alphabet, tm_format_options options, unsigned rounds, uint64_t seed) {
  static const char *const ddl[] = {"a string", "a string, b string",
                                    "a string, b string, c string"};
  const char *given = getenv("TM_TEST_SEED");
  if (given != NULL) seed += 100 * strtoull(given, NULL, 10);
  if (getenv("TM_TEST_LONG") != NULL) rounds *= 20;
  rows_random random = rows_seed(seed);
  rig r = rig_default("csv", NULL);
  r.options = options;
  for (unsigned i = 0; i < rounds; i++) {
    char text[260], label[400];
    size_t size = random_text(&random, alphabet, text, 250);
    text[size] = '\0';
    unsigned columns = 1 + rows_below(&random, 3);
    r.ddl = ddl[columns - 1];
    r.block_bytes = 1 + rows_below(&random, rows_chance(&random, 50) ? 8 : 300);
    r.batch_rows = 1 + rows_below(&random, 6);
    snprintf(label, sizeof label, "seed %d round %u, %u columns, blocks of %zu: %s", (int)seed, i,
             columns, r.block_bytes, text);
    compare(&r, columns, text, size, label);
  }
}

static tm_format_options plain(void) {
  return (tm_format_options){.delimiter = ',', .quote = '"', .epoch_digits = TM_EPOCH_NONE};
}

Test(csv_random, mostly_structure) {
  run("\",\n a", plain(), 4000, 1);
  run("\"\",,\n\n\r\rab", plain(), 4000, 2);
}

Test(csv_random, without_quotes) {
  run("abcdefg,,\n", plain(), 2000, 3);
  tm_format_options o = plain();
  o.quote = 0;
  run("ab\",,\n\r", o, 2000, 4);
}

Test(csv_random, with_an_escape_and_comments) {
  tm_format_options o = plain();
  o.escape = '\\';
  run("\\\\\"\",\n a", o, 4000, 5);
  o.comment = '#';
  run("\\\"\",\n##a", o, 4000, 6);
}

Test(csv_random, with_null_words) {
  static const char *const words[] = {"a", "ab", "-"};
  tm_format_options o = plain();
  o.nulls = words;
  o.null_count = 3;
  run("ab-\",,\n", o, 3000, 7);
}

Test(csv_random, other_delimiters) {
  tm_format_options o = plain();
  o.delimiter = '\t';
  o.quote = '\'';
  run("a\t\t''\n\"", o, 3000, 8);
}

Test(csv_random, one_text_cut_at_every_place) {
  const char *text = "a,b\n\"x\n\",\"\"\"\"\n1,2\r\n\"q\"r,s\n,\n\n\"1,\r\n2\",3,\n";
  rig r = rig_default("csv", "a string, b string");
  r.options = plain();
  for (size_t bytes = 1; bytes <= strlen(text) + 1; bytes++) {
    char label[64];
    r.block_bytes = bytes;
    snprintf(label, sizeof label, "blocks of %zu", bytes);
    compare(&r, 2, text, strlen(text), label);
  }
}
