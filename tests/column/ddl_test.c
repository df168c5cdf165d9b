/* tests/column/ddl_test.c: schemas as text: what parses, what it prints, what is refused how. */
#include <criterion/criterion.h>

#include <string.h>

#include "column/schema.h"

static tm_budget *budget;
static tm_arena arena;

static void setup(void) {
  budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&arena, budget);
}

static void teardown(void) {
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}

TestSuite(ddl, .init = setup, .fini = teardown);

Test(ddl, every_scalar_type_reads_and_prints_the_same) {
  const char *text = "a bool, b int32, c int64 not null, d float64, e decimal(12,2), f string, "
                     "g bytes, h date, i timestamp, j timestamp('Europe/Berlin') not null";
  tm_error err = {0};
  tm_schema *schema = tm_schema_parse(&arena, text, &err);
  cr_assert_not_null(schema, "%s", err.message);
  cr_assert_eq(schema->count, 10);
  cr_assert_eq(schema->fields[4].type.precision, 12);
  cr_assert_eq(schema->fields[4].type.scale, 2);
  cr_assert(schema->fields[2].type.not_null);
  cr_assert_str_eq(tm_zone_name(schema->fields[9].type.zone), "Europe/Berlin");
  cr_assert_str_eq(tm_schema_text(&arena, schema), text);
}

Test(ddl, names_paths_comments_and_case) {
  tm_error err = {0};
  tm_schema *schema = tm_schema_parse(&arena,
                                      "\"Odd \"\"name\" STRING 'user.country' NOT NULL, -- why\n"
                                      " select int64 'it''s', größe decimal(5),", &err);
  cr_assert_not_null(schema, "%s", err.message);
  cr_assert_eq(schema->count, 3);
  cr_assert_str_eq(schema->fields[0].name, "Odd \"name");
  cr_assert_str_eq(schema->fields[0].path, "user.country");
  cr_assert(schema->fields[0].type.not_null);
  cr_assert_str_eq(schema->fields[1].path, "it's");
  cr_assert_eq(schema->fields[2].type.scale, 0);
  cr_assert_str_eq(tm_schema_text(&arena, schema),
                   "\"Odd \"\"name\" string not null 'user.country', select int64 'it''s', "
                   "größe decimal(5,0)");
}

typedef struct refusal { const char *text; int code; const char *says; } refusal;

Test(ddl, what_is_malformed_is_refused_with_its_place) {
  static const refusal cases[] = {
    {"", TM_E_SCHEMA, "no columns"},
    {"a", TM_E_SCHEMA, "expected a type at position 2"},
    {"a int64 b int64", TM_E_SCHEMA, "expected ',' or 'not null'"},
    {"a int64 not", TM_E_SCHEMA, "not null"},
    {"a decimal", TM_E_SCHEMA, "expected '(' after decimal"},
    {"a decimal(39,2)", TM_E_SCHEMA, "precision is 1 to 38"},
    {"a decimal(4,5)", TM_E_SCHEMA, "precision is 1 to 38"},
    {"a decimal(x)", TM_E_SCHEMA, "expected a number"},
    {"a timestamp(Berlin)", TM_E_SCHEMA, "zone in quotes"},
    {"a string 'open", TM_E_SCHEMA, "unfinished '"},
    {"a strng", TM_E_SCHEMA, "unknown type 'strng'"},
    {"a int64, b int64, a string", TM_E_COLUMNS, "'a' comes twice"},
    {"a list<int64>", TM_E_UNSUPPORTED, "list are not in this version"},
    {"1 int64, 2 - int64", TM_E_SCHEMA, "expected a type"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tm_error err = {0};
    cr_assert_null(tm_schema_parse(&arena, cases[i].text, &err), "%s", cases[i].text);
    cr_assert_eq(err.code, cases[i].code, "%s: E%d %s", cases[i].text, err.code, err.message);
    cr_assert_not_null(strstr(err.message, cases[i].says), "%s: %s", cases[i].text, err.message);
  }
}

Test(ddl, an_unknown_type_suggests_the_nearest) {
  tm_error err = {0};
  cr_assert_null(tm_schema_parse(&arena, "a strng", &err));
  cr_assert_str_eq(err.token, "strng");
  cr_assert_not_null(strstr(err.note, "'string'"), "%s", err.note);
}

Test(ddl, one_type_alone) {
  tm_error err = {0};
  tm_type type;
  cr_assert_eq(tm_type_parse("decimal(38,4) not null", &type, &err), 0);
  cr_assert_eq(type.precision, 38);
  cr_assert(type.not_null);
  cr_assert_eq(tm_type_parse("int64, string", &type, &err), -1);
  cr_assert_eq(err.code, TM_E_SCHEMA);
}

Test(ddl, a_missing_column_names_those_that_are_there) {
  tm_error err = {0};
  tm_schema *schema = tm_schema_parse(&arena, "price int64, qty int64", &err);
  cr_assert_eq(tm_schema_require(schema, "qty", &err), 1);
  cr_assert_eq(tm_schema_require(schema, "prise", &err), -1);
  cr_assert_eq(err.code, TM_E_FIELD);
  cr_assert_str_eq(err.message, "unknown column 'prise' (has: price, qty)");
  cr_assert_not_null(strstr(err.note, "'price'"));
}

/* Text of random bytes never crashes the parser, and what it accepts prints and parses again. */
Test(ddl, random_text) {
  static const char *const pieces[] = {"a", " ", "int64", ",", "(", ")", "'", "\"", "decimal(3,1)",
                                       "not", "null", "--", "\n", "timestamp", "9", "_b", "string"};
  uint64_t seed = 42;
  for (int round = 0; round < 20000; round++) {
    char text[256] = "";
    for (int k = 0; k < 12; k++) {
      seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
      strcat(text, pieces[(seed >> 33) % (sizeof pieces / sizeof *pieces)]);
    }
    tm_error err = {0};
    tm_schema *schema = tm_schema_parse(&arena, text, &err);
    if (schema == NULL) {
      cr_assert_neq(err.code, TM_E_NONE);
    } else {
      tm_schema *again = tm_schema_parse(&arena, tm_schema_text(&arena, schema), &err);
      cr_assert_not_null(again, "%s: %s", text, err.message);
      cr_assert(tm_schema_equal(schema, again), "%s", text);
    }
    tm_arena_reset(&arena);
  }
}

Test(ddl, names_of_types_elsewhere_are_known) {
  static const char *const cases[][2] = {
    {"a int", "'int64'"}, {"a TEXT", "'string'"}, {"a boolean", "'bool'"},
    {"a double", "'float64'"}, {"a numeric(4,2)", "'decimal'"}, {"a varchar", "'string'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tm_error err = {0};
    cr_assert_null(tm_schema_parse(&arena, cases[i][0], &err));
    cr_assert_not_null(strstr(err.note, cases[i][1]), "%s: %s", cases[i][0], err.note);
    cr_assert_not_null(strstr(err.help, "timestamp"), "the types are listed");
  }
}
