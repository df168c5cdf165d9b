/* format/jsonl_template.h: the shape that a document shares with the one before it.
 *
 * Lines of one file mostly have the same names in the same order, so what lies between two values
 * (`,"name":`) is the same text in all of them. A template is learnt from a document that was read
 * in full; another is then matched: compare the text between, step over the value, and so on, with
 * no look at names at all. Whatever does not match is read in full, so the template decides
 * nothing about what is valid. */
#ifndef TM_FORMAT_JSONL_TEMPLATE_H
#define TM_FORMAT_JSONL_TEMPLATE_H

#include "base/bytes.h"
#include "format/json_document.h"

enum { TM_TEMPLATE_STEPS_MAX = 128, TM_TEMPLATE_TEXT_MAX = 4096 };

/* A text and the value behind it. The last step is only a text, up to the end of the line. */
typedef struct tm_template_step {
  uint64_t head[2], mask[2]; /* the first 16 bytes of the text */
  uint32_t text;             /* where it lies in `text` */
  uint32_t size;
  int32_t slot;
} tm_template_step;

typedef struct tm_template {
  tm_template_step *steps; /* TM_TEMPLATE_STEPS_MAX + 1; NULL: none yet */
  char *text;              /* TM_TEMPLATE_TEXT_MAX and 16 */
  uint32_t step_count, text_size;
  bool usable;
  uint32_t last_end;       /* while it is learnt: end of the value before */
  const char *data;
} tm_template;

bool tm_template_init(tm_template *t, tm_budget *budget);
void tm_template_deinit(tm_template *t, tm_budget *budget);

/* Learns from the next document: a listener for tm_json_document_read, then finish. */
void tm_template_begin(tm_template *t, const char *data, uint32_t begin);
void tm_template_value(void *t, uint32_t begin, uint32_t end, int32_t slot);
void tm_template_unusual(void *t);
void tm_template_finish(tm_template *t, uint32_t end);

/* Matches the document at `begin`, whose line must end where it does: the values of the slots that
 * the template has are set, *out_end is the line end. false: it is another shape, or malformed. */
bool tm_template_match(const tm_template *t, const tm_json_text *text, uint32_t begin,
                       uint32_t block_end, tm_json_value *slots, uint32_t *out_end);

#endif
