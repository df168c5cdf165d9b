/* format/jsonl_template.c: see jsonl_template.h. */
#include "format/jsonl_template.h"

#include <string.h>

enum { HEAD = 16 };

static size_t steps_bytes(void) {
  return (TM_TEMPLATE_STEPS_MAX + 1) * sizeof(tm_template_step);
}

bool tm_template_init(tm_template *t, tm_budget *budget) {
  *t = (tm_template){0};
  t->steps = tm_alloc(budget, steps_bytes());
  t->text = tm_alloc(budget, TM_TEMPLATE_TEXT_MAX + HEAD);
  if (t->steps != NULL && t->text != NULL) return true;
  tm_template_deinit(t, budget);
  return false;
}

void tm_template_deinit(tm_template *t, tm_budget *budget) {
  if (t->steps != NULL) tm_free(budget, t->steps, steps_bytes());
  if (t->text != NULL) tm_free(budget, t->text, TM_TEMPLATE_TEXT_MAX + HEAD);
  *t = (tm_template){0};
}

/* ---------------------------------------------------------------- learning */

void tm_template_begin(tm_template *t, const char *data, uint32_t begin) {
  t->step_count = t->text_size = 0;
  t->usable = true;
  t->data = data;
  t->last_end = begin;
}

void tm_template_unusual(void *context) { ((tm_template *)context)->usable = false; }

static void add_step(tm_template *t, uint32_t begin, uint32_t end, int32_t slot) {
  uint32_t size = end - begin;
  if (!t->usable || t->step_count > TM_TEMPLATE_STEPS_MAX ||
      size > TM_TEMPLATE_TEXT_MAX - t->text_size) {
    t->usable = false;
    return;
  }
  tm_template_step *step = &t->steps[t->step_count++];
  *step = (tm_template_step){.text = t->text_size, .size = size, .slot = slot};
  memcpy(t->text + t->text_size, t->data + begin, size);
  memset(t->text + t->text_size + size, 0, HEAD);
  memcpy(step->head, t->text + t->text_size, HEAD);
  uint32_t in_head = size < HEAD ? size : HEAD;
  memset(step->mask, 0, sizeof step->mask);
  memset(step->mask, 0xff, in_head);
  t->text_size += size;
}

void tm_template_value(void *context, uint32_t begin, uint32_t end, int32_t slot) {
  tm_template *t = context;
  if (t->step_count == TM_TEMPLATE_STEPS_MAX) t->usable = false;
  add_step(t, t->last_end, begin, slot);
  t->last_end = end;
}

void tm_template_finish(tm_template *t, uint32_t end) {
  add_step(t, t->last_end, end, TM_JSON_NONE);
  t->data = NULL;
}

/* ---------------------------------------------------------------- matching */

static inline bool same_text(const tm_template *t, const tm_template_step *step, const char *at) {
  uint64_t head[2];
  memcpy(head, at, HEAD);
  uint64_t differs = ((head[0] ^ step->head[0]) & step->mask[0]) |
                     ((head[1] ^ step->head[1]) & step->mask[1]);
  if (differs != 0) return false;
  return step->size <= HEAD ||
         memcmp(at + HEAD, t->text + step->text + HEAD, step->size - HEAD) == 0;
}

/* 1 where a word may begin so. */
static inline bool is_number_begin(char c) { return c == '-' || (unsigned char)(c - '0') < 10; }

static inline bool is_literal(const char *word, uint32_t size) {
  uint32_t first;
  memcpy(&first, word, 4);
  static const union { char text[4]; uint32_t bits; } yes = {"true"}, no = {"fals"}, nil = {"null"};
  if (size == 4) return first == yes.bits || first == nil.bits;
  return size == 5 && first == no.bits && word[4] == 'e';
}

/* The value at `at`; its end, 0 where it is none. */
static inline uint32_t match_value(const tm_json_text *text, uint32_t at, uint32_t block_end,
                                   int32_t slot, tm_json_value *slots) {
  const char *data = text->data;
  char c = data[at];
  if (c == '"') {
    uint32_t close = tm_json_next_quote(text, at + 1, block_end);
    if (close == UINT32_MAX) return 0;
    if (slot != TM_JSON_NONE) {
      bool escaped = text->has_escapes && tm_json_any(text->escapes, at + 1, close);
      slots[slot] = (tm_json_value){at + 1, close, escaped ? TM_JSON_ESCAPED : TM_JSON_STRING};
    }
    return close + 1;
  }
  uint32_t stop = tm_json_next_stop(text, at);
  if (is_number_begin(c)) {
    if (slot == TM_JSON_NONE) return stop;
    if (!tm_json_is_number(data + at, stop - at)) return 0;
    slots[slot] = (tm_json_value){at, stop, TM_JSON_WORD};
    return stop;
  }
  if (c == '{' || c == '[') {
    tm_json_value value;
    uint32_t after;
    if (tm_json_value_read(text, at, block_end, &value, &after) != NULL) return 0;
    if (slot != TM_JSON_NONE) slots[slot] = value;
    return after;
  }
  if (!is_literal(data + at, stop - at)) return 0;
  if (slot != TM_JSON_NONE) {
    slots[slot] = (tm_json_value){at, stop, c == 'n' ? TM_JSON_NULL : TM_JSON_WORD};
  }
  return stop;
}

bool tm_template_match(const tm_template *t, const tm_json_text *text, uint32_t begin,
                       uint32_t block_end, tm_json_value *slots, uint32_t *out_end) {
  const char *data = text->data;
  uint32_t at = begin, last = t->step_count - 1;
  for (uint32_t i = 0; i < last; i++) {
    const tm_template_step *step = &t->steps[i];
    if (!same_text(t, step, data + at)) return false;
    at += step->size;
    if (at >= block_end) return false;
    at = match_value(text, at, block_end, step->slot, slots);
    if (at == 0) return false;
  }
  if (!same_text(t, &t->steps[last], data + at)) return false;
  at += t->steps[last].size;
  if (at >= block_end || data[at] != '\n') return false;
  /* A string that is never closed would have gone on into the next line. */
  if (memchr(data + begin, '\n', at - begin) != NULL) return false;
  *out_end = at;
  return true;
}
