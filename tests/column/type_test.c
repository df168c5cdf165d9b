/* tests/column/type_test.c: types by value and which go together. */
#include <criterion/criterion.h>

#include "column/reason.h"
#include "column/type.h"

static tm_type kind(tm_kind k) { return tm_type_of(k); }

Test(type, widths) {
  cr_assert_eq(tm_type_width(kind(TM_BOOL)), 1);
  cr_assert_eq(tm_type_width(kind(TM_INT32)), 4);
  cr_assert_eq(tm_type_width(kind(TM_DATE)), 4);
  cr_assert_eq(tm_type_width(kind(TM_TIMESTAMP)), 8);
  cr_assert_eq(tm_type_width(tm_type_decimal(18, 2)), 8);
  cr_assert_eq(tm_type_width(tm_type_decimal(19, 2)), 16);
  cr_assert_eq(tm_type_width(kind(TM_STRING)), 16);
}

static void unify_to(tm_type a, tm_type b, tm_type want) {
  tm_type out;
  char text[TM_TYPE_TEXT_MAX];
  cr_assert(tm_type_unify(a, b, &out));
  cr_assert(tm_type_equal(out, want), "%s", tm_type_text(out, text));
  cr_assert(tm_type_unify(b, a, &out));
  cr_assert(tm_type_equal(out, want), "the other way: %s", tm_type_text(out, text));
}

Test(type, unify) {
  unify_to(kind(TM_INT32), kind(TM_INT64), kind(TM_INT64));
  unify_to(kind(TM_INT32), kind(TM_INT32), kind(TM_INT32));
  unify_to(kind(TM_INT64), kind(TM_FLOAT64), kind(TM_FLOAT64));
  unify_to(kind(TM_NULLTYPE), kind(TM_STRING), kind(TM_STRING));
  unify_to(tm_type_decimal(12, 2), tm_type_decimal(10, 4), tm_type_decimal(14, 4));
  unify_to(tm_type_decimal(12, 2), kind(TM_INT32), tm_type_decimal(12, 2));
  unify_to(tm_type_decimal(12, 2), kind(TM_INT64), tm_type_decimal(21, 2));
  unify_to(tm_type_decimal(38, 0), tm_type_decimal(38, 38), tm_type_decimal(38, 38));
}

Test(type, what_does_not_go_together) {
  tm_type out;
  cr_assert_not(tm_type_unify(kind(TM_STRING), kind(TM_INT64), &out));
  cr_assert_not(tm_type_unify(kind(TM_STRING), kind(TM_BYTES), &out));
  cr_assert_not(tm_type_unify(kind(TM_DATE), kind(TM_TIMESTAMP), &out));
  cr_assert_not(tm_type_unify(kind(TM_FLOAT64), tm_type_decimal(4, 1), &out));
  cr_assert_not(tm_type_unify(kind(TM_BOOL), kind(TM_INT32), &out));
}

Test(type, not_null_holds_only_where_both_do) {
  tm_type a = kind(TM_INT64), b = kind(TM_INT64), out;
  a.not_null = 1;
  cr_assert(tm_type_unify(a, b, &out));
  cr_assert_not(out.not_null);
  b.not_null = 1;
  cr_assert(tm_type_unify(a, b, &out));
  cr_assert(out.not_null);
  cr_assert(tm_type_unify(a, kind(TM_NULLTYPE), &out));
  cr_assert_not(out.not_null);
}

Test(type, reasons_are_the_words_of_the_reference) {
  cr_assert_str_eq(tm_reason_name(TM_REASON_RAGGED), "ragged");
  cr_assert_str_eq(tm_reason_name(TM_REASON_TOO_LONG), "too_long");
  cr_assert_str_eq(tm_reason_name(TM_REASON_ZONE_GAP), "zone_gap");
  cr_assert_str_eq(tm_reason_name(TM_REASON_LATE_AFTER_IDLE), "late_after_idle");
}
