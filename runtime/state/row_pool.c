/* state/row_pool.c: see row_pool.h. A record is: head, the block of long strings and its size,
 * values (widest first, so that each is aligned), a byte for each column that may be null. A slot
 * that is free has no block, and the next free one in the place of the size. */
#include "state/row_pool.h"

#include <string.h>

enum { PART = 256 }; /* rows at a time, whose addresses are at hand */

typedef struct texts { char *block; uint32_t bytes; } texts;

/* ---------------------------------------------------------------- how a row lies */

static uint32_t place_columns(tm_row_pool *p, const uint8_t *kept, uint32_t at) {
  static const size_t widths[] = {16, 8, 4, 1};
  for (int w = 0; w < 4; w++) {
    for (uint32_t i = 0; i < p->schema->count; i++) {
      if ((kept != NULL && !kept[i]) || tm_type_width(p->schema->fields[i].type) != widths[w]) {
        continue;
      }
      p->values[i] = at;
      at += (uint32_t)widths[w];
    }
  }
  for (uint32_t i = 0; i < p->schema->count; i++) {
    if (p->values[i] == 0 || p->schema->fields[i].type.not_null) continue;
    p->valids[i] = at++;
  }
  return at;
}

static size_t places_bytes(const tm_row_pool *p) {
  return (p->schema->count + 1) * sizeof(uint32_t);
}

int tm_row_pool_init(tm_row_pool *p, tm_budget *budget, const tm_schema *schema,
                     const uint8_t *kept, uint32_t head_bytes) {
  assert(head_bytes % 16 == 0);
  *p = (tm_row_pool){.budget = budget, .schema = schema, .roomy = TM_POOL_NONE,
                     .gone = TM_POOL_NONE};
  p->values = tm_alloc_zero(budget, places_bytes(p));
  p->valids = tm_alloc_zero(budget, places_bytes(p));
  if (p->values == NULL || p->valids == NULL) return -1;
  p->text_at = head_bytes;
  uint32_t bytes = place_columns(p, kept, head_bytes + 16);
  p->row_bytes = (bytes + 15) / 16 * 16;
  return 0;
}

static texts *texts_of(const tm_row_pool *p, uint32_t id) {
  return (texts *)((char *)tm_row_pool_head(p, id) + p->text_at);
}

static void free_page(tm_row_pool *p, tm_row_page *page) {
  tm_free(p->budget, page->rows, (size_t)TM_PAGE_ROWS * p->row_bytes);
  page->rows = NULL;
}

void tm_row_pool_deinit(tm_row_pool *p) {
  for (uint32_t n = 0; n < p->page_count; n++) {
    tm_row_page *page = &p->pages[n];
    if (page->rows == NULL) continue;
    for (uint32_t i = 0; i < page->used; i++) { /* a free slot has no block */
      texts *t = texts_of(p, n << TM_PAGE_BITS | i);
      if (t->block != NULL) tm_free(p->budget, t->block, t->bytes);
    }
    free_page(p, page);
  }
  tm_free(p->budget, p->pages, p->page_capacity * sizeof *p->pages);
  if (p->values != NULL) tm_free(p->budget, p->values, places_bytes(p));
  if (p->valids != NULL) tm_free(p->budget, p->valids, places_bytes(p));
  *p = (tm_row_pool){.budget = p->budget};
}

/* ---------------------------------------------------------------- pages with room */

static void link_page(tm_row_pool *p, uint32_t n) {
  p->pages[n].next = p->roomy;
  p->pages[n].previous = TM_POOL_NONE;
  if (p->roomy != TM_POOL_NONE) p->pages[p->roomy].previous = n;
  p->roomy = n;
}

static void unlink_page(tm_row_pool *p, uint32_t n) {
  tm_row_page *page = &p->pages[n];
  if (page->previous == TM_POOL_NONE) p->roomy = page->next;
  else p->pages[page->previous].next = page->next;
  if (page->next != TM_POOL_NONE) p->pages[page->next].previous = page->previous;
}

/* Room for another number of a page. */
static bool grow(tm_row_pool *p) {
  if (p->gone != TM_POOL_NONE || p->page_count < p->page_capacity) return true;
  uint32_t capacity = p->page_capacity == 0 ? 8 : p->page_capacity * 2;
  if (capacity > TM_PAGES_MAX) return false;
  tm_row_page *pages = tm_realloc(p->budget, p->pages, p->page_capacity * sizeof *pages,
                                  capacity * sizeof *pages);
  if (pages == NULL) return false;
  p->pages = pages;
  p->page_capacity = capacity;
  return true;
}

static bool add_page(tm_row_pool *p) {
  if (!grow(p)) return false;
  char *rows = tm_alloc(p->budget, (size_t)TM_PAGE_ROWS * p->row_bytes);
  if (rows == NULL) return false;
  uint32_t n = p->gone != TM_POOL_NONE ? p->gone : p->page_count++;
  if (n == p->gone) p->gone = p->pages[n].next;
  p->pages[n] = (tm_row_page){.rows = rows, .free = TM_POOL_NONE};
  link_page(p, n);
  return true;
}

/* A slot with a head of zeros; TM_POOL_NONE: out of memory. */
static uint32_t take_slot(tm_row_pool *p) {
  if (p->roomy == TM_POOL_NONE && !add_page(p)) return TM_POOL_NONE;
  uint32_t n = p->roomy;
  tm_row_page *page = &p->pages[n];
  uint32_t slot = page->free;
  if (slot == TM_POOL_NONE) slot = page->used++;
  else page->free = texts_of(p, n << TM_PAGE_BITS | slot)->bytes;
  page->live++;
  p->rows++;
  if (page->live == TM_PAGE_ROWS) unlink_page(p, n);
  uint32_t id = n << TM_PAGE_BITS | slot;
  memset(tm_row_pool_head(p, id), 0, p->text_at + sizeof(texts));
  return id;
}

/* A page that has become empty goes, unless it is the only one with room: a few rows that come and
 * go shall not cost a page each time. */
void tm_row_pool_remove(tm_row_pool *p, uint32_t id) {
  uint32_t n = id >> TM_PAGE_BITS;
  tm_row_page *page = &p->pages[n];
  assert(page->live > 0);
  texts *t = texts_of(p, id);
  if (t->block != NULL) tm_free(p->budget, t->block, t->bytes);
  *t = (texts){.bytes = page->free};
  page->free = id & (TM_PAGE_ROWS - 1);
  if (page->live == TM_PAGE_ROWS) link_page(p, n);
  page->live--;
  p->rows--;
  bool only = p->roomy == n && page->next == TM_POOL_NONE;
  if (page->live > 0 || only) return;
  unlink_page(p, n);
  free_page(p, page);
  page->next = p->gone;
  p->gone = n;
}

/* ---------------------------------------------------------------- rows in */

#define PUT(type_name)                                                                          \
  for (uint32_t i = 0; i < count; i++) {                                                        \
    *(type_name *)(at[i] + place) = ((const type_name *)from->data)[rows[i]];                   \
  }

static void put_column(const tm_row_pool *p, uint32_t column, const tm_column *from,
                       const uint32_t *rows, uint32_t count, char *const *at) {
  uint32_t place = p->values[column], valid = p->valids[column];
  for (uint32_t i = 0; valid != 0 && i < count; i++) {
    at[i][valid] = from->data != NULL && !tm_column_is_null(from, rows[i]);
  }
  if (from->data == NULL) return;
  switch (tm_type_width(p->schema->fields[column].type)) {
    case 1: PUT(uint8_t); break;
    case 4: PUT(uint32_t); break;
    case 8: PUT(uint64_t); break;
    default: PUT(tm_str); break;
  }
}

static bool is_text(const tm_row_pool *p, uint32_t column) {
  return p->values[column] != 0 &&
         tm_type_physical(p->schema->fields[column].type) == TM_PHYSICAL_STR;
}

/* The string of a row where it is long; NULL where not. */
static tm_str *long_text(const tm_row_pool *p, uint32_t column, char *row) {
  if (!is_text(p, column)) return NULL;
  tm_str *s = (tm_str *)(row + p->values[column]);
  bool there = p->valids[column] == 0 || row[p->valids[column]];
  return there && s->size > TM_STR_INLINE ? s : NULL;
}

/* Long strings of a row, which are another's, into a block of its own. */
static bool own_texts(const tm_row_pool *p, char *row) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < p->schema->count; i++) {
    const tm_str *s = long_text(p, i, row);
    if (s != NULL) bytes += s->size;
  }
  if (bytes == 0) return true;
  char *block = bytes > UINT32_MAX ? NULL : tm_alloc(p->budget, bytes);
  if (block == NULL) return false;
  *(texts *)(row + p->text_at) = (texts){block, (uint32_t)bytes};
  for (uint32_t i = 0; i < p->schema->count; i++) {
    tm_str *s = long_text(p, i, row);
    if (s == NULL) continue;
    memcpy(block, s->pointer, s->size);
    s->pointer = block;
    block += s->size;
  }
  return true;
}

static bool has_texts(const tm_row_pool *p) {
  for (uint32_t i = 0; i < p->schema->count; i++) {
    if (is_text(p, i)) return true;
  }
  return false;
}

static bool insert_part(tm_row_pool *p, const tm_batch *batch, const uint32_t *rows,
                        uint32_t count, const uint32_t *ids, bool texts_too) {
  char *at[PART];
  for (uint32_t i = 0; i < count; i++) at[i] = tm_row_pool_head(p, ids[i]);
  for (uint32_t i = 0; i < p->schema->count; i++) {
    if (p->values[i] != 0) put_column(p, i, &batch->columns[i], rows, count, at);
  }
  for (uint32_t i = 0; texts_too && i < count; i++) {
    if (!own_texts(p, at[i])) return false;
  }
  return true;
}

int tm_row_pool_insert(tm_row_pool *p, const tm_batch *batch, const uint32_t *rows,
                       uint32_t count, uint32_t *ids) {
  bool texts_too = has_texts(p), done = true;
  uint32_t taken = 0;
  for (; done && taken < count; taken += done) {
    ids[taken] = take_slot(p);
    done = ids[taken] != TM_POOL_NONE;
  }
  for (uint32_t i = 0; done && i < count; i += PART) {
    uint32_t part = count - i < PART ? count - i : PART;
    done = insert_part(p, batch, rows + i, part, ids + i, texts_too);
  }
  if (done) return 0;
  for (uint32_t i = taken; i > 0; i--) tm_row_pool_remove(p, ids[i - 1]);
  return -1;
}

/* ---------------------------------------------------------------- rows out */

#define GET(type_name)                                                                          \
  for (uint32_t i = 0; i < count; i++) {                                                        \
    type_name *to = &((type_name *)c->data)[at != NULL ? at[i] : i];                            \
    if (may_miss && ids[i] == TM_POOL_NONE) memset(to, 0, sizeof *to);                          \
    else *to = *(const type_name *)((const char *)tm_row_pool_head(p, ids[i]) + place);         \
  }

static bool is_long(const tm_column *c, uint32_t row) {
  return (c->valid == NULL || c->valid[row]) && ((const tm_str *)c->data)[row].size > TM_STR_INLINE;
}

static bool own_long(tm_batch *out, tm_column *c, const uint32_t *at, uint32_t count) {
  tm_str *values = c->data;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = at != NULL ? at[i] : i;
    if (is_long(c, row)) bytes += values[row].size;
  }
  char *block = bytes == 0 ? NULL : tm_batch_alloc(out, bytes);
  if (bytes > 0 && block == NULL) return false;
  for (uint32_t i = 0; bytes > 0 && i < count; i++) {
    uint32_t row = at != NULL ? at[i] : i;
    if (!is_long(c, row)) continue;
    memcpy(block, values[row].pointer, values[row].size);
    values[row].pointer = block;
    block += values[row].size;
  }
  return true;
}

int tm_row_pool_gather(const tm_row_pool *p, uint32_t column, const uint32_t *ids,
                       const uint32_t *at, uint32_t count, bool may_miss, tm_batch *out,
                       uint32_t out_column) {
  tm_column *c = &out->columns[out_column];
  uint32_t place = p->values[column], valid = p->valids[column];
  assert(place != 0);
  if (tm_batch_column(out, out_column, may_miss || valid != 0) < 0) return -1;
  for (uint32_t i = 0; c->valid != NULL && i < count; i++) {
    bool there = !may_miss || ids[i] != TM_POOL_NONE;
    if (there && valid != 0) there = ((const char *)tm_row_pool_head(p, ids[i]))[valid] != 0;
    c->valid[at != NULL ? at[i] : i] = there;
  }
  switch (tm_type_width(c->type)) {
    case 1: GET(uint8_t); break;
    case 4: GET(uint32_t); break;
    case 8: GET(uint64_t); break;
    default: GET(tm_str); break;
  }
  bool text = tm_type_physical(c->type) == TM_PHYSICAL_STR;
  return !text || own_long(out, c, at, count) ? 0 : -1;
}
