/* script/sandbox.h: what a script finds in its Lua state.
 *
 * The language's library without what would make a result depend on clock, chance, addresses or
 * the machine (io, os, debug, coroutine, math.random, load of bytecode, finalizers); `pairs` and
 * `next` go in the order of keys; `pcall` passes aborts on; globals must be declared. A guard
 * against mistakes, not a wall against attackers. */
#ifndef TM_SCRIPT_SANDBOX_H
#define TM_SCRIPT_SANDBOX_H

#include <lua.h>
#include <stddef.h>

/* Fills the state, the table of lift_names.h included. Raises. */
void tm_sandbox_open(lua_State *L);

/* tostring() without addresses; pushes the text. May raise where __tostring does. */
const char *tm_sandbox_text(lua_State *L, int index, size_t *out_size);

/* Parts of the sandbox, each in a file of its own; each pushes nothing. */
void tm_order_open(lua_State *L);       /* next, pairs */
void tm_pattern_lib_open(lua_State *L); /* into the string library */
void tm_loader_open(lua_State *L);      /* require, package, load */
void tm_values_open(lua_State *L);      /* metatables of decimal, date, duration, secret */

/* `tm` functions that are made in C, into the table on top of the stack. */
void tm_values_fill(lua_State *L);
void tm_core_fill(lua_State *L);

#endif
