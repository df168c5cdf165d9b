/* tests/stage/constant_test.c: values of the script as columns, their types and conversions. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "stage/constant.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"
#include "tests/support/values.h"

TestSuite(constant, .init = setup, .fini = teardown);

static tm_value decimal(__int128 digits, int scale) {
  return (tm_value){.kind = TM_VALUE_DECIMAL, .decimal = digits, .scale = scale};
}
static tm_value of_kind(tm_value_kind kind, int64_t value) {
  return (tm_value){.kind = kind, .integer = value};
}

/* The type and the cells of a constant; "E106" where it is refused. */
static char *make(tm_value value, const char *wanted) {
  tm_type declared = tm_type_of(TM_NULLTYPE), type;
  tm_error err = {0};
  char text[TM_TYPE_TEXT_MAX], out[256];
  if (wanted != NULL) cr_assert_eq(tm_type_parse(wanted, &declared, &err), 0);
  tm_schema *schema = tm_schema_create(&arena, 1);
  schema->fields[0].name = "c";
  tm_batch *batch = NULL;
  int done = tm_constant_type(&value, "c", declared, &type, &err);
  if (done == 0) {
    schema->fields[0].type = type;
    batch = tm_batch_create(budget, schema, 3);
    done = tm_constant_column(&value, batch, 0, &err);
  }
  if (done < 0) {
    (void)snprintf(out, sizeof out, "E%d", err.code);
  } else {
    char *first = rows_cell_text(&batch->columns[0], 0);
    for (uint32_t i = 1; i < 3; i++) {
      char *next = rows_cell_text(&batch->columns[0], i);
      cr_expect_str_eq(next, first);
      free(next);
    }
    (void)snprintf(out, sizeof out, "%s %s", tm_type_text(type, text), first);
    free(first);
  }
  tm_batch_release(batch);
  return tm_arena_text(&arena, out, strlen(out));
}

Test(constant, has_the_type_of_its_value) {
  cr_expect_str_eq(make(v_bool(true), NULL), "bool not null true");
  cr_expect_str_eq(make(v_int(-5), NULL), "int64 not null -5");
  cr_expect_str_eq(make(v_float(0.25), NULL), "float64 not null 0.25");
  cr_expect_str_eq(make(v_text("a text that is long"), NULL),
                   "string not null 'a text that is long'");
  cr_expect_str_eq(make(v_text(""), NULL), "string not null ''");
  cr_expect_str_eq(make(decimal(-1250, 2), NULL), "decimal(4,2) not null -12.50");
  cr_expect_str_eq(make(decimal(5, 3), NULL), "decimal(3,3) not null 0.005");
  cr_expect_str_eq(make(decimal(0, 0), NULL), "decimal(1,0) not null 0");
  cr_expect_str_eq(make(of_kind(TM_VALUE_DATE, 20000), NULL), "date not null 20000");
  cr_expect_str_eq(make(of_kind(TM_VALUE_TIMESTAMP, 7), NULL), "timestamp not null 7");
  cr_expect_str_eq(make(of_kind(TM_VALUE_DURATION, 60), NULL), "int64 not null 60");
  __int128 wide = (__int128)1 << 100;
  cr_expect_str_eq(make(decimal(wide, 4), NULL),
                   "decimal(31,4) not null 126765060022822940149670320.5376");
}

Test(constant, converts_to_a_declared_type) {
  cr_expect_str_eq(make(v_int(5), "float64"), "float64 5.0");
  cr_expect_str_eq(make(v_int(5), "int32 not null"), "int32 not null 5");
  cr_expect_str_eq(make(v_int(5), "decimal(12,2)"), "decimal(12,2) 5.00");
  cr_expect_str_eq(make(v_int(5), "decimal(30,2)"), "decimal(30,2) 5.00");
  cr_expect_str_eq(make(v_int(5), "timestamp"), "timestamp 5");
  cr_expect_str_eq(make(v_float(4), "int32"), "int32 4");
  cr_expect_str_eq(make(v_float(-4), "int64"), "int64 -4");
  cr_expect_str_eq(make(decimal(15, 1), "decimal(10,3)"), "decimal(10,3) 1.500");
  cr_expect_str_eq(make(v_text("x"), "bytes"), "bytes 'x'");
  cr_expect_str_eq(make(v_nil(), "decimal(10,3)"), "decimal(10,3) null");
  cr_expect_str_eq(make(v_nil(), "string"), "string null");
}

Test(constant, refuses_what_does_not_fit) {
  cr_expect_str_eq(make(v_nil(), NULL), "E112");
  cr_expect_str_eq(make(V_LIST(&arena, v_int(1)), NULL), "E103");
  cr_expect_str_eq(make(v_text("5"), "int64"), "E106");
  cr_expect_str_eq(make(v_float(4.5), "int64"), "E106");
  cr_expect_str_eq(make(v_float(1e30), "int64"), "E106");
  cr_expect_str_eq(make(v_float(3e9), "int32"), "E106");
  cr_expect_str_eq(make(v_int(INT64_C(3000000000)), "int32"), "E106");
  cr_expect_str_eq(make(v_bool(true), "int32"), "E106");
  cr_expect_str_eq(make(decimal(15, 1), "decimal(10,0)"), "E106");
  cr_expect_str_eq(make(decimal(123456, 1), "decimal(4,1)"), "E106");
  cr_expect_str_eq(make(v_int(100000), "decimal(4,1)"), "E106");
  cr_expect_str_eq(make(of_kind(TM_VALUE_DATE, 1), "timestamp"), "E106");
  cr_expect_str_eq(make(v_nil(), "int64 not null"), "E106");
}
