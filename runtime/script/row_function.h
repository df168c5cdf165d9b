/* script/row_function.h: the script's functions behind the interface of expr/function.h. */
#ifndef TM_SCRIPT_ROW_FUNCTION_H
#define TM_SCRIPT_ROW_FUNCTION_H

#include "expr/function.h"

/* tm_function_source.bind of every function of a script; see function.h. */
int tm_row_function_bind(const tm_function_source *source, const tm_function_want *want,
                         tm_arena *arena, tm_function **out, tm_error *err);

#endif
