/* script/loader.h: text of scripts and modules, from files, stdin or the binary. */
#ifndef TM_SCRIPT_LOADER_H
#define TM_SCRIPT_LOADER_H

#include "script/session.h"

enum { TM_LOADER_BYTES_MAX = 16 * 1024 * 1024 };

/* The whole file ("-": stdin) into the arena, with a NUL behind it. 0, or -1 with err. */
int tm_loader_read(tm_arena *arena, const char *path, const char **out_text, size_t *out_size,
                   tm_error *err);
/* The folder of a path, "." where it names none. NULL when out of memory. */
const char *tm_loader_folder(tm_arena *arena, const char *path);
/* Pushes the compiled text, or raises TM_E_SCRIPT with the line of the mistake. */
void tm_loader_compile(lua_State *L, const char *text, size_t size, const char *chunk);

#endif
