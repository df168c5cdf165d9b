/* script/row_function.c: the script's functions behind the interface of expr/function.h. */
#include "script/row_function.h"

int tm_row_function_bind(const tm_function_source *source, const tm_function_want *want,
                         tm_arena *arena, tm_function **out, tm_error *err) {
  (void)source, (void)want, (void)arena, (void)out;
  return tm_fail(err, TM_E_UNSUPPORTED, "row functions are not done yet");
}
