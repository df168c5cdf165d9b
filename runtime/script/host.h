/* script/host.h: one Lua state, its memory, its limits, and the one wall between Lua and C.
 *
 * C enters Lua only through tm_host_try (between enter and leave), so every error of a script ends
 * there as a tm_error. No C frame that a script can unwind holds memory, a lock or a file. Two
 * kinds of errors fly inside: those a script may catch, and aborts (limits, unknown fields of a
 * row, undeclared globals while rows run), which `pcall` passes on. */
#ifndef TM_SCRIPT_HOST_H
#define TM_SCRIPT_HOST_H

#include <lauxlib.h>
#include <lua.h>

#include "base/bytes.h"
#include "script/lua_pool.h"
#include "script/pattern_cache.h"
#include "script/watchdog.h"

#define TM_HOST_MEMORY_BYTES (UINT64_C(1) << 30) /* of one state, unless the options say */
enum { TM_HOST_LOAD_US = 5000000, TM_HOST_ROW_US = 1000000 };

typedef enum tm_host_phase {
  TM_HOST_IDLE,
  TM_HOST_LOAD, /* the script's main chunk, and the layout of its job */
  TM_HOST_PLAN, /* functions are tried out while the plan is bound */
  TM_HOST_ROWS, /* row functions */
  TM_HOST_HOOK, /* on_done */
} tm_host_phase;

typedef struct tm_host {
  lua_State *L;
  tm_lua_pool pool;
  tm_budget *budget;         /* of this state */
  struct tm_script *script;  /* borrowed; shared with the other states, read-only once loaded */
  tm_guard guard;
  tm_host_phase phase;
  int64_t limit_us;          /* of the running call, for messages */
  bool worker;               /* loads again what the main state has loaded: prints nothing */
  bool aborting;             /* an abort is on its way to the wall */
  bool not_pure;             /* tm.now() was called */
  tm_error aborted;          /* what it says */
  tm_error caught;           /* what the last tm_host_try ended with */
  /* Metatables of values: their addresses for quick tests, and references to set them. */
  const void *decimal_type, *date_type, *duration_type;
  int decimal_metatable, date_metatable, duration_metatable;
  int dates;                 /* registry reference: day → its one date value, weak */
  tm_pattern_cache patterns;
  tm_bytes scratch;          /* of C functions that build a text: outlives an error */
  int functions;             /* registry reference: list of the row functions, by number */
} tm_host;

/* A state with the sandbox in it. NULL with err. */
tm_host *tm_host_create(struct tm_script *script, bool worker, tm_error *err);
void tm_host_destroy(tm_host *host);
tm_host *tm_host_of(lua_State *L);

/* Calls into the state happen between these two, on one thread. */
void tm_host_enter(tm_host *host, tm_host_phase phase, int64_t limit_us);
void tm_host_leave(tm_host *host);
/* Runs body(L) with `context` as its light userdata argument 1. 0, or -1 with host->caught
 * written: TM_E_ROW_FUNCTION means that a script raised, any other code is an end of the phase. */
int tm_host_try(tm_host *host, lua_CFunction body, void *context);
/* enter, try, leave; a failure goes to err with the code that fits the phase. */
int tm_host_call(tm_host *host, tm_host_phase phase, int64_t limit_us, lua_CFunction body,
                 void *context, tm_error *err);

/* Inside Lua: pushes an error object for the caller to fill and throw. */
tm_error *tm_host_error_push(lua_State *L);
/* Throws the object on top of the stack; fills in script and line where they are empty. While rows
 * run it is an abort. Never returns. */
int tm_host_throw(lua_State *L);
/* Both in one. */
int tm_host_raise(lua_State *L, tm_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For C functions whose own memory was refused: as Lua's lack of memory. Never returns. */
int tm_host_no_memory(lua_State *L);
/* Is the value at index such an object? */
tm_error *tm_host_error_at(lua_State *L, int index);

/* The innermost frame of a script (main_only: of the main script's own text); 0, or -1 with line 0
 * where tail calls left none. */
int tm_host_where(lua_State *L, bool main_only, tm_error *out);

#endif
