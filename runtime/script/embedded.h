/* script/embedded.h: the Lua files that travel inside the binary.
 *
 * The build makes the table from lua/ and stdlib/: lua/tidemill.lua is "tidemill",
 * lua/tidemill/flow.lua is "tidemill.flow", lua/tidemill.d.lua is "tidemill.d", and stdlib/foo.lua
 * is "tidemill.foo". Sorted by name; the bytes are the file's, with a NUL behind them. */
#ifndef TM_SCRIPT_EMBEDDED_H
#define TM_SCRIPT_EMBEDDED_H

#include <stddef.h>

typedef struct tm_embedded {
  const char *name;  /* the name that `require` takes; NULL ends the table */
  const char *bytes;
  size_t size;       /* without the NUL */
} tm_embedded;

extern const tm_embedded tm_embedded_lua[];

#endif
