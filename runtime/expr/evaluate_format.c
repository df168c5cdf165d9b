/* expr/evaluate_format.c: numbers and times as text of a chosen form, and texts as values. */
#include "expr/loops.h"

#include <stdio.h>

#include "kernel/calendar.h"
#include "kernel/parse.h"
#include "kernel/time_format.h"

enum { NUMBER_TEXT_MAX = 512, TIME_TEXT_MAX = 1024 };

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* The format was checked when the plan was made: one number, a width and precision of two digits,
 * so even 1e308 fits. A NaN misses, for its sign shows. */
static int number_rows(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  bool real = x->children[0]->type.kind == TM_FLOAT64;
  tm_str *to = tm_vec_make(e, out, 16);
  uint8_t *bad = tm_eval_marks(e);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k), i = a->constant ? 0 : row;
    char text[NUMBER_TEXT_MAX];
    int size;
    if (real) {
      double value = ((const double *)a->data)[i];
      bad[row] = value != value;
      size = snprintf(text, sizeof text, x->aux, value);
    } else {
      size = snprintf(text, sizeof text, x->aux, (long long)((const int64_t *)a->data)[i]);
    }
    if (size < 0 || (size_t)size >= sizeof text) {
      bad[row] = 1;
      size = 0;
    }
    if (!tm_eval_string(e, text, (size_t)size, &to[row])) return -1;
  }
  return tm_eval_drop_marks(e, set, bad);
}
#pragma GCC diagnostic pop

static int time_rows(tm_eval *e, const tm_expr *x, const tm_rows *set, const tm_vec *a,
                     tm_vec *out) {
  const tm_time_form *form = x->aux;
  bool date = x->children[0]->type.kind == TM_DATE;
  tm_zone_hint hint = {0};
  char text[TIME_TEXT_MAX];
  tm_str *to = tm_vec_make(e, out, 16);
  if (to == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k), i = a->constant ? 0 : row;
    size_t size = date ? tm_time_format_date(form->format, ((const int32_t *)a->data)[i], text)
                       : tm_time_format_timestamp(form->format, ((const int64_t *)a->data)[i],
                                                  form->zone, &hint, text);
    if (!tm_eval_string(e, text, size, &to[row])) return -1;
  }
  return 0;
}

/* As the functions of tm read a text; false: the VM says what is wrong with it. */
static bool parse_row(const tm_expr *x, const tm_str *text, void *to, uint32_t row) {
  const char *bytes = tm_str_bytes(text);
  int64_t local_us;
  int offset;
  switch ((tm_kind)x->type.kind) {
    case TM_DATE: return tm_parse_date(bytes, text->size, (int32_t *)to + row) == TM_PARSE_OK;
    case TM_INT64: return tm_parse_int64(bytes, text->size, (int64_t *)to + row) == TM_PARSE_OK;
    case TM_FLOAT64: return tm_parse_float64(bytes, text->size, (double *)to + row) == TM_PARSE_OK;
    default: break;
  }
  if (tm_parse_timestamp(bytes, text->size, &local_us, &offset) != TM_PARSE_OK) return false;
  if (offset != TM_PARSE_NO_OFFSET) {
    ((int64_t *)to)[row] = local_us - (int64_t)offset * TM_CALENDAR_SECOND_US;
    return true;
  }
  const tm_zone *zone = x->aux != NULL ? x->aux : tm_zone_utc();
  return tm_zone_to_utc(zone, local_us, (int64_t *)to + row) != TM_ZONE_GAP;
}

static int parse_rows(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  void *to = tm_vec_make(e, out, tm_type_width(x->type));
  uint8_t *bad = tm_eval_marks(e);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    bad[row] = !parse_row(x, (const tm_str *)a->data + (a->constant ? 0 : row), to, row);
  }
  return tm_eval_drop_marks(e, set, bad);
}

int tm_eval_format(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0};
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  int status = x->op == TM_X_PARSE         ? parse_rows(e, x, set, &a, out)
               : x->op == TM_X_FORMAT_TIME ? time_rows(e, x, set, &a, out)
                                           : number_rows(e, x, set, &a, out);
  tm_vec_release(e, &a);
  return status;
}
