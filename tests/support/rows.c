/* tests/support/rows.c: see rows.h. */
#include "rows.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/cell_text.h"

enum { CELL_MAX = 8192, SHOWN_MAX = 400 };

/* ---------------------------------------------------------------- lists of texts */

void rows_list_add(rows_list *list, char *taken) {
  cr_assert_not_null(taken);
  if (list->count == list->capacity) {
    list->capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
    list->texts = realloc(list->texts, list->capacity * sizeof *list->texts);
    cr_assert_not_null(list->texts);
  }
  list->texts[list->count++] = taken;
}

void rows_list_add_batch(rows_list *list, const tm_batch *batch, const uint8_t *needed) {
  for (uint32_t i = 0; i < batch->selected; i++) {
    rows_list_add(list, rows_text(batch, tm_batch_row(batch, i), needed));
  }
}

void rows_list_append(rows_list *list, const rows_list *more) {
  for (size_t i = 0; i < more->count; i++) rows_list_add(list, strdup(more->texts[i]));
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void rows_list_sort(rows_list *list) {
  if (list->count > 1) qsort(list->texts, list->count, sizeof *list->texts, compare_texts);
}

void rows_list_clear(rows_list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->texts[i]);
  free(list->texts);
  *list = (rows_list){0};
}

void rows_list_expect(const rows_list *actual, const rows_list *expected, const char *label) {
  size_t at = 0;
  while (at < actual->count && at < expected->count &&
         strcmp(actual->texts[at], expected->texts[at]) == 0) {
    at++;
  }
  if (at == actual->count && at == expected->count) return;
  cr_assert_fail("%s: %zu rows, expected %zu; row %zu is %.*s, expected %.*s", label,
                 actual->count, expected->count, at, SHOWN_MAX,
                 at < actual->count ? actual->texts[at] : "(none)", SHOWN_MAX,
                 at < expected->count ? expected->texts[at] : "(none)");
}

void rows_list_expect_set(const rows_list *actual, const rows_list *expected, const char *label) {
  rows_list a = {0}, b = {0};
  rows_list_append(&a, actual);
  rows_list_append(&b, expected);
  rows_list_sort(&a);
  rows_list_sort(&b);
  rows_list_expect(&a, &b, label);
  rows_list_clear(&a);
  rows_list_clear(&b);
}

/* ---------------------------------------------------------------- rows and cells */

char *rows_cell_text(const tm_column *column, uint32_t row) {
  char text[TM_PRINT_MAX];
  if (column->data == NULL && column->type.kind != TM_NULLTYPE) return strdup("-");
  if (column->type.kind == TM_NULLTYPE || tm_column_is_null(column, row)) return strdup("null");
  if (tm_type_physical(column->type) == TM_PHYSICAL_STR) {
    const tm_str *s = &((const tm_str *)column->data)[row];
    char *quoted = malloc(s->size + 3);
    cr_assert_not_null(quoted);
    quoted[0] = '\'';
    memcpy(quoted + 1, tm_str_bytes(s), s->size);
    for (uint32_t i = 1; i <= s->size; i++) {
      if (quoted[i] == '\0') quoted[i] = '\1'; /* so that it stays one C string */
    }
    quoted[s->size + 1] = '\'';
    quoted[s->size + 2] = '\0';
    return quoted;
  }
  tm_column plain = *column; /* dates and timestamps as numbers, which rows_set() reads back */
  if (plain.type.kind == TM_DATE) plain.type = tm_type_of(TM_INT32);
  if (plain.type.kind == TM_TIMESTAMP) plain.type = tm_type_of(TM_INT64);
  size_t size = tm_cell_text_print(&plain, row, text);
  return strndup(text, size);
}

char *rows_text(const tm_batch *batch, uint32_t row, const uint8_t *needed) {
  char *line = strdup("");
  size_t used = 0;
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    bool wanted = needed == NULL || needed[i];
    char *cell = wanted ? rows_cell_text(&batch->columns[i], row) : strdup("-");
    size_t size = strlen(cell);
    line = realloc(line, used + size + 2);
    cr_assert_not_null(line);
    if (i > 0) line[used++] = '|';
    memcpy(line + used, cell, size + 1);
    used += size;
    free(cell);
  }
  return line;
}

tm_schema *rows_schema(tm_arena *arena, const char *ddl) {
  tm_error err = {0};
  tm_schema *schema = tm_schema_parse(arena, ddl, &err);
  cr_assert_not_null(schema, "%s: %s", ddl, err.message);
  return schema;
}

tm_batch *rows_blank(tm_budget *budget, const tm_schema *schema, uint32_t rows) {
  tm_batch *batch = tm_batch_create(budget, schema, rows);
  cr_assert_not_null(batch);
  for (uint32_t i = 0; i < schema->count; i++) {
    cr_assert_eq(tm_batch_column(batch, i, !schema->fields[i].type.not_null), 0);
    memset(batch->columns[i].data, 0, rows * tm_type_width(batch->columns[i].type));
  }
  return batch;
}

/* "-12.50" with scale 2 is -1250. */
static __int128 parse_decimal(const char *text, int scale) {
  bool negative = *text == '-';
  __int128 value = 0;
  int behind = -1;
  for (const char *at = text + negative; *at != '\0'; at++) {
    if (*at == '.') {
      behind = 0;
      continue;
    }
    cr_assert(*at >= '0' && *at <= '9', "not a decimal: %s", text);
    value = value * 10 + (*at - '0');
    behind += behind >= 0;
  }
  for (behind = behind < 0 ? 0 : behind; behind < scale; behind++) value *= 10;
  cr_assert_eq(behind, scale, "too many digits: %s", text);
  return negative ? -value : value;
}

static void set_text(tm_batch *batch, tm_column *c, uint32_t row, const char *text) {
  size_t size = strlen(text);
  if (size >= 2 && text[0] == '\'' && text[size - 1] == '\'') {
    text++;
    size -= 2;
  }
  cr_assert(tm_batch_text(batch, text, size, &((tm_str *)c->data)[row]));
}

void rows_set(tm_batch *batch, uint32_t column, uint32_t row, const char *text) {
  tm_column *c = &batch->columns[column];
  bool null = strcmp(text, "null") == 0;
  cr_assert(!null || c->valid != NULL || c->type.kind == TM_NULLTYPE, "a null in '%s'",
            batch->schema->fields[column].name);
  if (c->valid != NULL) c->valid[row] = !null;
  if (null) return;
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: ((uint8_t *)c->data)[row] = strcmp(text, "true") == 0; break;
    case TM_PHYSICAL_I32: ((int32_t *)c->data)[row] = (int32_t)strtol(text, NULL, 10); break;
    case TM_PHYSICAL_I64:
      ((int64_t *)c->data)[row] = c->type.kind == TM_DECIMAL
                                      ? (int64_t)parse_decimal(text, c->type.scale)
                                      : strtoll(text, NULL, 10);
      break;
    case TM_PHYSICAL_F64: ((double *)c->data)[row] = strtod(text, NULL); break;
    case TM_PHYSICAL_I128: ((__int128 *)c->data)[row] = parse_decimal(text, c->type.scale); break;
    case TM_PHYSICAL_STR: set_text(batch, c, row, text); break;
  }
}

static uint32_t count_lines(const char *text) {
  uint32_t lines = 0;
  for (const char *at = text; *at != '\0';) {
    size_t size = strcspn(at, "\n");
    lines++;
    at += size + (at[size] == '\n');
  }
  return lines;
}

tm_batch *rows_batch(tm_budget *budget, const tm_schema *schema, const char *text) {
  tm_batch *batch = rows_blank(budget, schema, count_lines(text));
  const char *at = text;
  for (uint32_t row = 0; row < batch->rows; row++) {
    for (uint32_t i = 0; i < schema->count; i++) {
      char cell[CELL_MAX];
      size_t size = strcspn(at, "|\n");
      cr_assert_lt(size, sizeof cell);
      memcpy(cell, at, size);
      cell[size] = '\0';
      rows_set(batch, i, row, cell);
      at += size;
      cr_assert_eq(*at == '|', i + 1 < schema->count, "row %u has another number of cells", row);
      at += *at != '\0';
    }
  }
  return batch;
}

/* ---------------------------------------------------------------- at random */

uint64_t rows_next(rows_random *random) {
  uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

uint32_t rows_below(rows_random *random, uint32_t limit) {
  return limit == 0 ? 0 : (uint32_t)(rows_next(random) % limit);
}

static void odd_text(uint32_t k, char *out, size_t room) {
  static const char *const texts[] = {
    "", " ", "a", "abcd", "abcdefgh", "abcdefghijkl", "abcdefghijklm", "abcdefghijkln",
    "abcd efgh ijkl mnop", "\xc3\xa9t\xc3\xa9", "\xf0\x9f\x8c\x8a", "null", "Z", "zz\"q,uo|te",
  };
  enum { TEXTS = sizeof texts / sizeof *texts };
  if (k < TEXTS) (void)snprintf(out, room, "%s", texts[k]);
  else (void)snprintf(out, room, "a rather long text that ends in %u", k);
}

static int64_t odd_integer(uint32_t k, int64_t least, int64_t most) {
  const int64_t numbers[] = {0, -1, 1, least, most, least + 1, most - 1, 255, 256, -256, 65536};
  enum { NUMBERS = sizeof numbers / sizeof *numbers };
  return k < NUMBERS ? numbers[k] : (int64_t)k - 20;
}

static double odd_float(uint32_t k) {
  const double numbers[] = {0.0, -0.0, NAN, -NAN, INFINITY, -INFINITY, 5e-324, 1e300, -1e300, 0.1};
  enum { NUMBERS = sizeof numbers / sizeof *numbers };
  return k < NUMBERS ? numbers[k] : (double)k / 4 - 5;
}

static __int128 odd_decimal(uint32_t k, int precision) {
  __int128 most = 1;
  for (int i = 0; i < precision; i++) most *= 10;
  most -= 1;
  const __int128 numbers[] = {0, -1, 1, most, -most, most - 1, most / 3, -most / 7};
  enum { NUMBERS = sizeof numbers / sizeof *numbers };
  return k < NUMBERS ? numbers[k] : (__int128)k - 20;
}

static void set_random(tm_batch *batch, uint32_t column, uint32_t row, uint32_t k, bool odd) {
  tm_column *c = &batch->columns[column];
  __int128 scale = 1;
  for (int i = 0; i < c->type.scale; i++) scale *= 10;
  __int128 decimal = odd ? odd_decimal(k, c->type.precision) : (__int128)k * scale;
  char text[64];
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: ((uint8_t *)c->data)[row] = k & 1; break;
    case TM_PHYSICAL_I32: {
      bool date = c->type.kind == TM_DATE;
      int64_t most = date ? 2932896 : INT32_MAX, least = date ? -719162 : INT32_MIN;
      ((int32_t *)c->data)[row] = (int32_t)(odd ? odd_integer(k, least, most) : k);
      break;
    }
    case TM_PHYSICAL_I64: {
      bool time = c->type.kind == TM_TIMESTAMP;
      int64_t most = time ? INT64_C(253402300799000000) : INT64_MAX,
              least = time ? -most : INT64_MIN;
      int64_t plain = odd ? odd_integer(k, least, most) : (int64_t)k;
      ((int64_t *)c->data)[row] = c->type.kind == TM_DECIMAL ? (int64_t)decimal : plain;
      break;
    }
    case TM_PHYSICAL_F64: ((double *)c->data)[row] = odd ? odd_float(k) : (double)k; break;
    case TM_PHYSICAL_I128: ((__int128 *)c->data)[row] = decimal; break;
    case TM_PHYSICAL_STR:
      if (odd) odd_text(k, text, sizeof text);
      else (void)snprintf(text, sizeof text, k % 3 == 0 ? "key %u" : "a long key, number %u", k);
      cr_assert(tm_batch_text(batch, text, strlen(text), &((tm_str *)c->data)[row]));
      break;
  }
}

tm_batch *rows_random_table(tm_budget *budget, const tm_schema *schema, uint32_t rows,
                            rows_random *random, rows_flavour flavour) {
  uint32_t distinct = flavour.distinct == 0 ? 10 : flavour.distinct;
  tm_batch *batch = rows_blank(budget, schema, rows);
  for (uint32_t i = 0; i < schema->count; i++) {
    tm_column *c = &batch->columns[i];
    for (uint32_t row = 0; row < rows; row++) {
      set_random(batch, i, row, rows_below(random, distinct), flavour.odd);
      if (c->valid == NULL) continue;
      if (rows_chance(random, flavour.null_percent)) {
        c->valid[row] = 0;
        memset((char *)c->data + row * tm_type_width(c->type), 0, tm_type_width(c->type));
      }
    }
  }
  return batch;
}
