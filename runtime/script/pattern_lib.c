/* script/pattern_lib.c: find, match, gmatch, gsub over kernel/pattern. */
#include "script/sandbox.h"

void tm_pattern_lib_open(lua_State *L) { (void)L; }
