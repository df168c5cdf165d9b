/* tests/script/lift_harness.h: functions of a script, compiled and in the VM, over the same rows.
 *
 * A harness is one script whose functions are the fields of a `with`; each is bound in a shape, run
 * by its trees over a batch of awkward values, and by the VM over the same batch. */
#ifndef TM_TESTS_SCRIPT_LIFT_HARNESS_H
#define TM_TESTS_SCRIPT_LIFT_HARNESS_H

#include "expr/function.h"
#include "script/script.h"

/* What a script's functions find; the fields of rows are in lift_harness.c. */
extern const char tm_lift_prelude[];
extern const char tm_lift_schema[];

typedef struct tm_lift_harness {
  tm_budget *budget;
  tm_arena arena;
  tm_script *script;
  const tm_schema *schema;
  const tm_value *functions; /* the options of `with` */
} tm_lift_harness;

typedef enum tm_lift_verdict {
  TM_LIFT_SAME,      /* lifted, and every decided row equals the VM's */
  TM_LIFT_VM,        /* not lifted; why says so */
  TM_LIFT_ERROR,     /* a plan error; err says which */
  TM_LIFT_DIFFERS,   /* a bug; why tells the row */
} tm_lift_verdict;

typedef struct tm_lift_report {
  tm_lift_verdict verdict;
  uint32_t rows, missed, refused; /* refused: by the VM, all of them missed */
  bool may_raise;
  char why[1200];
  tm_error err;
  char text[400];    /* the trees */
  char types[200];   /* of the result, as DDL */
} tm_lift_report;

/* A script of `functions`, each "function(r) … end", named f0000 … */
void tm_lift_harness_init(tm_lift_harness *h, const char *const *functions, uint32_t count);
void tm_lift_harness_deinit(tm_lift_harness *h);
/* declared: DDL, or NULL. inputs: 1, or 2 (the same rows on both sides, the right ones turned). */
void tm_lift_harness_run(tm_lift_harness *h, uint32_t nth, tm_shape shape, uint32_t inputs,
                         const char *declared, const tm_batch *batch, tm_lift_report *out);
/* Awkward rows by the harness's schema (twice its columns for two inputs). `nulls`: per mille. */
tm_batch *tm_lift_rows(tm_lift_harness *h, uint32_t inputs, uint32_t rows, uint64_t seed,
                       uint32_t nulls, bool selection);

#endif
