/* expr/evaluate_time.c: parts of dates and instants, and days and months added to dates.
 *
 * An instant is UTC; with a zone its parts are those of the clock there. */
#include "expr/loops.h"

#include "base/zone.h"
#include "kernel/calendar.h"

TM_INLINE int64_t year_of(int32_t day) { return tm_calendar_civil(day).year; }
TM_INLINE int64_t month_of(int32_t day) { return tm_calendar_civil(day).month; }
TM_INLINE int64_t day_of_month(int32_t day) { return tm_calendar_civil(day).day; }
TM_INLINE int64_t weekday_of(int32_t day) { return tm_calendar_weekday(day); }

TM_DEFINE_UNARY(year_loop, int32_t, int64_t, year_of(x))
TM_DEFINE_UNARY(month_loop, int32_t, int64_t, month_of(x))
TM_DEFINE_UNARY(day_of_month_loop, int32_t, int64_t, day_of_month(x))
TM_DEFINE_UNARY(weekday_loop, int32_t, int64_t, weekday_of(x))
TM_DEFINE_UNARY(hour_loop, int64_t, int64_t, tm_calendar_hour_of_us(x))
TM_DEFINE_UNARY(minute_loop, int64_t, int64_t, tm_calendar_minute_of_us(x))
TM_DEFINE_UNARY(second_loop, int64_t, int64_t, tm_calendar_second_of_us(x))
TM_DEFINE_UNARY(day_loop, int64_t, int32_t, tm_calendar_day_of_us(x))
TM_DEFINE_BINARY(days_between, int32_t, int32_t, int64_t, (int64_t)x - y)

static tm_unary_loop *part_loop(tm_expr_op op) {
  switch (op) {
    case TM_X_YEAR: return year_loop;
    case TM_X_MONTH: return month_loop;
    case TM_X_DAY_OF_MONTH: return day_of_month_loop;
    case TM_X_WEEKDAY: return weekday_loop;
    case TM_X_HOUR: return hour_loop;
    case TM_X_MINUTE: return minute_loop;
    case TM_X_SECOND: return second_loop;
    default: return day_loop;
  }
}

/* What the clock of the zone shows, for every row of the slice: no instant is out of range. */
static int to_local(tm_eval *e, const tm_zone *zone, tm_rows *set, tm_vec *a) {
  int64_t *local = tm_eval_buffer(e, 8);
  if (local == NULL) return -1;
  const int64_t *utc = a->data;
  if (a->constant) {
    tm_zone_to_local_rows(zone, utc, local, 1);
  } else if (set->rows == NULL) {
    tm_zone_to_local_rows(zone, utc, local, e->total);
  } else {
    tm_zone_hint hint = {0};
    for (uint32_t k = 0; k < set->count; k++) {
      uint32_t row = set->rows[k];
      int64_t offset = tm_zone_offset_hint(zone, utc[row], &hint);
      local[row] = (int64_t)((uint64_t)utc[row] + (uint64_t)(offset * 1000000));
    }
  }
  if (a->data_owned != 0) tm_eval_buffer_release(e, a->data_owned, a->data);
  a->data = local;
  a->data_owned = 8;
  return 0;
}

static int part_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0};
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  if (x->aux != NULL && to_local(e, x->aux, set, &a) != 0) return -1;
  int status = tm_eval_unary_loop(e, part_loop((tm_expr_op)x->op), x->op == TM_X_DAY_OF ? 4 : 8,
                                  set, &a, out);
  tm_vec_release(e, &a);
  return status;
}

/* One row's sum; false where it is no date of the calendar from year 1 to 9999. */
static bool add_to_date(tm_expr_op op, int32_t day, int64_t count, int32_t *out) {
  int64_t sum;
  if (op == TM_X_ADD_MONTHS) {
    if (tm_calendar_add_months(day, count, out) != 0) return false;
    sum = *out;
  } else {
    if (__builtin_add_overflow((int64_t)day, count, &sum)) return false;
  }
  if (sum < TM_CALENDAR_DAY_MIN || sum > TM_CALENDAR_DAY_MAX) return false;
  *out = (int32_t)sum;
  return true;
}

static int sum_rows(tm_eval *e, tm_expr_op op, tm_rows *set, const tm_vec *a, const tm_vec *b,
                    tm_vec *out) {
  const int32_t *days = a->data;
  const int64_t *counts = b->data;
  int32_t *to = tm_vec_make(e, out, 4);
  uint8_t *bad = tm_eval_marks(e);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    int32_t sum = 0;
    bad[row] = !add_to_date(op, days[a->constant ? 0 : row], counts[b->constant ? 0 : row], &sum);
    to[row] = sum;
  }
  return tm_eval_drop_marks(e, set, bad);
}

int tm_eval_time(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  if (x->child_count == 1) return part_value(e, x, set, out);
  tm_vec a, b;
  if (tm_eval_operands(e, x, set, &a, &b) != 0) return -1;
  int status = x->op == TM_X_DAYS_BETWEEN
                   ? tm_eval_binary_loop(e, days_between, 4, 8, set, &a, &b, out)
                   : sum_rows(e, (tm_expr_op)x->op, set, &a, &b, out);
  tm_vec_release(e, &a);
  tm_vec_release(e, &b);
  return status;
}
