/* tests/script/script_fixture.h: scripts, graphs and row functions in one line of a test.
 *
 * Scripts are loaded against an engine that has every verb of this version. Texts that come back
 * lie in an arena that goes with the test. */
#ifndef TESTS_SCRIPT_SCRIPT_FIXTURE_H
#define TESTS_SCRIPT_SCRIPT_FIXTURE_H

#include <criterion/criterion.h>

#include "base/bytes.h"
#include "expr/function.h"
#include "script/script.h"
#include "tests/support/rows.h"

extern tm_budget *fixture_budget;
extern tm_arena fixture_arena;

void fixture_setup(void);
void fixture_teardown(void); /* also asserts that every byte was given back */

/* Has every verb of this version, whether its stage is built or not. */
const tm_stage *fixture_stage_find(const char *verb, tm_stage_role role);
/* Opens the text as -e does, with the date 2026-03-14; NULL with err. */
tm_script *fixture_script(const char *text, tm_error *err);
/* The same; asserts that it loads. */
tm_script *fixture_open(const char *text);

/* One line a node: `2 step filter@5 'name' <- 0 1 {f=function@5}`; the job last. */
const char *fixture_graph_text(const tm_graph *graph);
/* Of a script's text; of one that does not load "E104:3 message [token] (note) {help}". */
const char *fixture_graph(const char *text);
const char *fixture_error_text(const tm_error *err);
/* tostring() of a Lua expression as the script loads; a raised error's message after "! ". */
const char *fixture_value(const char *expression);

/* A row function, bound: `text` is a script whose flow's last step holds it in option `option`. */
typedef struct fixture_function {
  tm_script *script;
  tm_function *function;
  const tm_schema *inputs[2];
  uint32_t input_count;
} fixture_function;

/* NULL ddl: no declared types. 0, or -1 with err. */
int fixture_bind(fixture_function *f, const char *lua, const char *input_ddl, tm_shape shape,
                 const char *declared_ddl, tm_error *err);
/* Binds, calls over the rows (as rows_batch has them) and gives back the result as text, a line a
 * row: cells; `dropped`; or `reason: message @line`. A failure is "E307:1 message". */
const char *fixture_call(const char *lua, const char *input_ddl, const char *rows, tm_shape shape,
                         const char *declared_ddl);

#endif
