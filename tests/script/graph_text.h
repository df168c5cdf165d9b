/* tests/script/graph_text.h: a script loaded against an engine that has every verb, as text.
 *
 * One line a node: `2 step filter@5 "name" <- 0 1 {f=function@5}`; the job last. */
#ifndef TM_TESTS_SCRIPT_GRAPH_TEXT_H
#define TM_TESTS_SCRIPT_GRAPH_TEXT_H

#include "base/bytes.h"
#include "script/script.h"

/* Has every verb of this version, whether its stage is built or not. */
const tm_stage *tm_test_stage_find(const char *verb, tm_stage_role role);
/* Opens the text as -e does; NULL with err. */
tm_script *tm_test_script(tm_budget *budget, const char *text, tm_error *err);
void tm_test_graph_text(const tm_graph *graph, tm_bytes *out);

#endif
