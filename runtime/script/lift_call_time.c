/* script/lift_call_time.c: calls of tm's functions on dates, instants and durations. */
#include <string.h>

#include "base/zone.h"
#include "kernel/time_format.h"
#include "kernel/utf8.h"
#include "script/lift_call.h"

/* A zone that is absent (UTC: NULL) or constant and known. */
static bool zone_of(tm_call *c, int nth, const tm_zone **out) {
  const tm_str *name;
  *out = NULL;
  if (tm_call_is_absent(c, nth)) return true;
  if (!tm_call_is_constant_text(c, nth, &name)) return false;
  char *text = tm_lift_alloc(c->ctx, name->size + 1);
  memcpy(text, tm_str_bytes(name), name->size);
  tm_error err = {0};
  *out = tm_zone_find(text, &err);
  return *out != NULL;
}

/* The date of a date or instant; NULL: it is neither. */
static const tm_expr *date_arg(tm_call *c) {
  const tm_zone *zone;
  if (tm_call_is_kind(c, 0, TM_DATE)) return tm_call_arg(c, 0);
  if (!tm_call_is_integer(c, 0) || !zone_of(c, 1, &zone)) return NULL;
  const tm_expr *us = tm_call_int(c, 0);
  return tm_expr_make(&c->ctx->pool, TM_X_DAY_OF, tm_type_of(TM_DATE), &us, 1, zone, 0);
}

static tm_sym date_part(tm_call *c, int64_t op) {
  const tm_expr *date = date_arg(c);
  return date == NULL ? tm_call_refuse_typed(c, TM_INT64)
                      : tm_call_unary(c, (tm_expr_op)op, tm_type_of(TM_INT64), date);
}

static tm_sym day_of(tm_call *c, int64_t extra) {
  (void)extra;
  const tm_expr *date = date_arg(c);
  return date == NULL ? tm_call_refuse_typed(c, TM_DATE) : tm_sym_of(date);
}

/* Of a date alone the clock stands at midnight. */
static tm_sym time_part(tm_call *c, int64_t op) {
  const tm_zone *zone;
  if (tm_call_is_kind(c, 0, TM_DATE)) {
    const tm_expr *date = tm_call_arg(c, 0);
    return tm_sym_of(tm_expr_guard(&c->ctx->pool, date, tm_expr_int(&c->ctx->pool, 0)));
  }
  if (!tm_call_is_integer(c, 0) || !zone_of(c, 1, &zone)) return tm_call_refuse_typed(c, TM_INT64);
  const tm_expr *us = tm_call_int(c, 0);
  return tm_sym_of(tm_expr_make(&c->ctx->pool, (tm_expr_op)op, tm_type_of(TM_INT64), &us, 1, zone,
                                0));
}

static tm_sym day(tm_call *c, int64_t extra) {
  (void)extra;
  if (!tm_call_is_text(c, 0)) return tm_call_refuse_typed(c, TM_DATE);
  return tm_call_parse(c, tm_type_of(TM_DATE), NULL);
}

static tm_sym time_of(tm_call *c, int64_t extra) {
  const tm_zone *zone;
  (void)extra;
  if (!tm_call_is_text(c, 0) || !zone_of(c, 1, &zone)) return tm_call_refuse_typed(c, TM_TIMESTAMP);
  return tm_call_parse(c, tm_type_of(TM_TIMESTAMP), zone);
}

enum { TIME_TEXT_MAX = 1024 };

static tm_sym format_time(tm_call *c, int64_t extra) {
  (void)extra;
  const tm_str *text;
  const tm_zone *zone;
  tm_error err = {0};
  bool date = tm_call_is_kind(c, 0, TM_DATE);
  bool time = date || tm_call_is_integer(c, 0);
  if (!time || !tm_call_is_constant_text(c, 1, &text) || !zone_of(c, 2, &zone)) {
    return tm_call_refuse_typed(c, TM_STRING);
  }
  tm_time_form *form = tm_arena_zero(c->ctx->arena, sizeof *form);
  if (form == NULL) tm_lift_fail(c->ctx, TM_E_MEMORY, "out of memory");
  form->zone = zone;
  form->format = tm_time_format_compile(tm_str_bytes(text), text->size, c->ctx->arena, &err);
  bool usable = form->format != NULL && tm_time_format_bytes_max(form->format) <= TIME_TEXT_MAX &&
                tm_utf8_valid(tm_str_bytes(text), text->size);
  if (!usable) return tm_call_refuse_typed(c, TM_STRING);
  const tm_expr *x = date ? tm_call_arg(c, 0) : tm_call_int(c, 0);
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_FORMAT_TIME, tm_type_of(TM_STRING), &x, 1,
                                form, 0));
}

/* Durations whose count varies by row. */
static tm_sym duration(tm_call *c, int64_t unit_us) {
  if (!tm_call_is_integer(c, 0)) return tm_call_refuse(c);
  return (tm_sym){.kind = TM_SYM_DURATION, .unit_us = unit_us, .x = tm_call_int(c, 0)};
}

static tm_sym now(tm_call *c, int64_t extra) {
  (void)extra;
  c->ctx->not_pure = true;
  return tm_lift_give_up_typed(c->ctx, tm_type_of(TM_TIMESTAMP), "calls tm.now");
}

const tm_call_handler tm_call_times[] = {
  {"tm.year", date_part, TM_X_YEAR}, {"tm.month", date_part, TM_X_MONTH},
  {"tm.day_of_month", date_part, TM_X_DAY_OF_MONTH}, {"tm.weekday", date_part, TM_X_WEEKDAY},
  {"tm.day_of", day_of, 0}, {"tm.hour", time_part, TM_X_HOUR},
  {"tm.minute", time_part, TM_X_MINUTE}, {"tm.second", time_part, TM_X_SECOND},
  {"tm.format", format_time, 0}, {"tm.time", time_of, 0}, {"tm.day", day, 0},
  {"tm.microseconds", duration, 1}, {"tm.milliseconds", duration, 1000},
  {"tm.seconds", duration, INT64_C(1000000)}, {"tm.minutes", duration, INT64_C(60000000)},
  {"tm.hours", duration, INT64_C(3600000000)}, {"tm.days", duration, INT64_C(86400000000)},
  {"tm.weeks", duration, INT64_C(604800000000)}, {"tm.months", duration, 0}, {"tm.now", now, 0},
  {NULL, NULL, 0},
};
