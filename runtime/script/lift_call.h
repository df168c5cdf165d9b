/* script/lift_call.h: what the lift_call*.c files share: a call, its arguments, its handlers.
 *
 * A handler turns one call of a known function into a tree, or gives up. The table of all of them
 * is in lift_call.c. */
#ifndef TM_SCRIPT_LIFT_CALL_H
#define TM_SCRIPT_LIFT_CALL_H

#include "script/lift_parts.h"

typedef struct tm_call {
  tm_lift_ctx *ctx;
  tm_lift_state *state;
  const char *id;
  const tm_sym *args;
  int count;
  tm_sym *results;   /* room for TM_LIFT_RETURNS_MAX; result_count is 1 unless set */
  int result_count;
} tm_call;

typedef struct tm_call_handler {
  const char *id;
  tm_sym (*lift)(tm_call *c, int64_t extra);
  int64_t extra;
} tm_call_handler;

/* Each ends with an empty entry. */
extern const tm_call_handler tm_call_strings[]; /* lift_call_text.c: string.*, tostring … */
extern const tm_call_handler tm_call_patterns[]; /* lift_call_pattern.c: match, gsub */
extern const tm_call_handler tm_call_numbers[]; /* lift_call_number.c: math.*, tm.round … */
extern const tm_call_handler tm_call_times[];   /* lift_call_time.c: tm.year, tm.days … */

/* The function is known, these arguments are not compiled. */
tm_sym tm_call_refuse(tm_call *c);
tm_sym tm_call_refuse_typed(tm_call *c, tm_kind kind);
/* A handler of functions of which only the type of the result is known. */
tm_sym tm_call_known_type(tm_call *c, int64_t kind);

bool tm_call_is_expr(const tm_call *c, int nth); /* a value that is not plainly nil */
bool tm_call_is_absent(const tm_call *c, int nth);
bool tm_call_is_kind(const tm_call *c, int nth, tm_kind kind);
bool tm_call_is_integer(const tm_call *c, int nth); /* timestamps, too */
bool tm_call_is_text(const tm_call *c, int nth);
bool tm_call_is_constant_text(const tm_call *c, int nth, const tm_str **out);

/* The argument, which must not be nil; as int64 (of an integer), as float (of a number). */
const tm_expr *tm_call_arg(tm_call *c, int nth);
const tm_expr *tm_call_int(tm_call *c, int nth);
const tm_expr *tm_call_float(tm_call *c, int nth);
tm_sym tm_call_unary(tm_call *c, tm_expr_op op, tm_type type, const tm_expr *a);
/* lift_call_pattern.c: string.find with a pattern that is more than plain text. */
tm_sym tm_call_find_pattern(tm_call *c);
/* A text read as a value of the type, as files are. */
tm_sym tm_call_parse(tm_call *c, tm_type type, const tm_zone *zone);

#endif
