/* script/loader.c: require, and the compiling of text.
 *
 * A module is looked for in the binary, then on package.path: the script's folder, lua_modules/
 * beside the script and in the working directory, LUA_PATH. The main state keeps the bytes of every
 * file in the session; workers load those, so that a file that changes meanwhile changes nothing.
 * Modules of lua_modules/ are others' code: they get globals of their own instead of errors. */
#include "script/loader.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "script/embedded.h"
#include "script/sandbox.h"

static const char core_key; /* registry: the table that embedded modules get */

enum { READ_BYTES = 64 * 1024, EMBEDDED_MAX = 64, PATH_BYTES = 4096 };

/* ------------------------------------------------------------------ files */

static int read_all(int file, tm_bytes *out, const char *path, tm_error *err) {
  const tm_env *env = tm_env_get();
  for (;;) {
    if (!tm_bytes_reserve(out, READ_BYTES)) return tm_fail(err, TM_E_MEMORY, "out of memory");
    int64_t got = env->read(file, out->data + out->size, READ_BYTES);
    if (got < 0) {
      return tm_fail(err, TM_E_READ, "cannot read '%.200s': %s", path,
                     tm_env_error_text((int)got));
    }
    if (got == 0) return 0;
    out->size += (size_t)got;
    if (out->size > TM_LOADER_BYTES_MAX) {
      return tm_fail(err, TM_E_SCRIPT, "'%.200s' is too long for a script (16 MiB at most)", path);
    }
  }
}

static int open_file(const char *path, int *out, tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_file_info info;
  *out = env->open(path, TM_OPEN_READ);
  if (*out < 0) {
    return tm_fail(err, TM_E_USAGE, "cannot open script '%.200s': %s", path,
                   tm_env_error_text(*out));
  }
  if (env->stat_file(*out, &info) == 0 && info.kind == TM_FILE_FOLDER) {
    env->close(*out);
    return tm_fail(err, TM_E_USAGE, "cannot read script '%.200s': it is a folder", path);
  }
  return 0;
}

int tm_loader_read(tm_arena *arena, const char *path, const char **out_text, size_t *out_size,
                   tm_error *err) {
  bool is_stdin = strcmp(path, "-") == 0;
  int file = 0;
  tm_bytes bytes;
  if (!is_stdin && open_file(path, &file, err) < 0) return -1;
  tm_bytes_init(&bytes, arena->budget);
  int failed = read_all(file, &bytes, is_stdin ? "stdin" : path, err);
  if (!is_stdin) tm_env_get()->close(file);
  if (failed == 0) {
    *out_text = tm_arena_text(arena, bytes.size == 0 ? "" : (const char *)bytes.data, bytes.size);
    *out_size = bytes.size;
    if (*out_text == NULL) failed = tm_fail(err, TM_E_MEMORY, "out of memory");
  }
  tm_bytes_deinit(&bytes);
  return failed;
}

const char *tm_loader_folder(tm_arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL) return tm_arena_text(arena, ".", 1);
  return tm_arena_text(arena, path, slash == path ? 1 : (size_t)(slash - path));
}

/* ------------------------------------------------------------------ compiling */

/* "orders.lua:7: ')' expected near 'x'" */
static void describe_syntax(tm_error *e, const char *message, const char *chunk) {
  const char *at = message;
  int line = 0, used = 0;
  while ((at = strchr(at, ':')) != NULL) {
    at++;
    if (sscanf(at, "%d: %n", &line, &used) == 1 && used > 0) break;
    used = 0;
  }
  tm_fail(e, TM_E_SCRIPT, "%s", used > 0 ? at + used : message);
  (void)snprintf(e->script, sizeof e->script, "%s", chunk + 1);
  e->script_line = used > 0 ? line : 0;
  const char *near = strstr(e->message, "near '");
  size_t size = near == NULL ? 0 : strlen(near + 6);
  /* A mark alone stands on many a line more than once. */
  if (size > 2 && near[6 + size - 1] == '\'' && size <= sizeof e->token) {
    memcpy(e->token, near + 6, size - 1);
    e->token[size - 1] = '\0';
  }
}

void tm_loader_compile(lua_State *L, const char *text, size_t size, const char *chunk) {
  if (size > 0 && text[0] == '#') { /* "#!/usr/bin/env tidemill": the line stays, as a comment */
    size_t line = strcspn(text, "\n");
    text += line;
    size -= line;
  }
  int status = luaL_loadbufferx(L, text, size, chunk, "t");
  if (status == LUA_OK) return;
  if (status == LUA_ERRMEM) lua_error(L);
  const char *message = lua_tostring(L, -1);
  tm_error *e = tm_host_error_push(L);
  if (size > 0 && text[0] == LUA_SIGNATURE[0]) {
    tm_fail(e, TM_E_SCRIPT, "'%s' is bytecode; only text is loaded", chunk + 1);
    (void)snprintf(e->script, sizeof e->script, "%s", chunk + 1);
  } else {
    describe_syntax(e, message, chunk);
  }
  tm_host_throw(L);
}

/* load(text or function, name, mode, env): text only, whatever the mode says. */
static int load(lua_State *L) {
  lua_settop(L, 4);
  if (lua_isfunction(L, 1)) {
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (;;) {
      lua_pushvalue(L, 1);
      lua_call(L, 0, 1);
      if (lua_isnil(L, -1) || lua_rawlen(L, -1) == 0) break;
      luaL_checktype(L, -1, LUA_TSTRING);
      luaL_addvalue(&text);
    }
    lua_pop(L, 1);
    luaL_pushresult(&text);
    lua_replace(L, 1);
  }
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  const char *chunk = luaL_optstring(L, 2, "=(load)");
  if (luaL_loadbufferx(L, text, size, chunk, "t") != LUA_OK) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  if (!lua_isnil(L, 4)) {
    lua_pushvalue(L, 4);
    if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);
  }
  return 1;
}

/* ------------------------------------------------------------------ require */

static void push_core(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &core_key);
  tm_core_fill(L);
}

/* Pushes the chunk and its arguments; false: the binary has no such module. */
static bool push_embedded(lua_State *L, const char *name) {
  for (const tm_embedded *at = tm_embedded_lua; at->name != NULL; at++) {
    if (strcmp(at->name, name) != 0) continue;
    const char *chunk = lua_pushfstring(L, "=(%s)", name);
    tm_loader_compile(L, at->bytes, at->size, chunk);
    lua_remove(L, -2);
    lua_pushstring(L, name);
    push_core(L);
    return true;
  }
  return false;
}

static const tm_module *known_module(const tm_script *script, const char *name) {
  for (const tm_module *m = script->modules; m != NULL; m = m->next) {
    if (strcmp(m->name, name) == 0) return m;
  }
  return NULL;
}

static const tm_module *add_module(lua_State *L, const char *name, const char *path) {
  tm_script *script = tm_host_of(L)->script;
  tm_module *m = tm_arena_zero(&script->arena, sizeof *m);
  tm_error failure = {0};
  if (m != NULL) {
    m->name = tm_arena_text(&script->arena, name, strlen(name));
    m->path = tm_arena_text(&script->arena, path, strlen(path));
  }
  if (m == NULL || m->name == NULL || m->path == NULL) luaL_error(L, "not enough memory");
  if (tm_loader_read(&script->arena, path, &m->text, &m->size, &failure) < 0) {
    *tm_host_error_push(L) = failure;
    tm_host_throw(L);
  }
  m->next = script->modules;
  script->modules = m;
  return m;
}

/* One template of package.path with the name put in; the file if it is there. */
static bool try_path(lua_State *L, const char *path, size_t size, const char *name,
                     char out[PATH_BYTES]) {
  tm_file_info info;
  const char *file = luaL_gsub(L, name, ".", "/");
  lua_pushlstring(L, path, size);
  const char *full = luaL_gsub(L, lua_tostring(L, -1), "?", file);
  int written = snprintf(out, PATH_BYTES, "%s", strncmp(full, "./", 2) == 0 ? full + 2 : full);
  lua_pop(L, 3);
  return written < PATH_BYTES && tm_env_get()->stat(out, &info) == 0 &&
         info.kind == TM_FILE_REGULAR;
}

static const tm_module *find_module(lua_State *L, const char *name) {
  tm_host *host = tm_host_of(L);
  const tm_module *m = known_module(host->script, name);
  if (m != NULL || host->worker) return m;
  char found[PATH_BYTES];
  int top = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "package");
  lua_getfield(L, -1, "path");
  const char *at = luaL_checkstring(L, -1);
  while (*at != '\0' && m == NULL) {
    size_t size = strcspn(at, ";");
    if (size > 0 && try_path(L, at, size, name, found)) m = add_module(L, name, found);
    at += size + (at[size] == ';');
  }
  lua_settop(L, top);
  return m;
}

static int not_found(lua_State *L, const char *name) {
  static const char *const later[] = {
    "tidemill.kafka", "tidemill.postgres", "tidemill.mqtt", "tidemill.sqlite", "tidemill.kinesis",
    "tidemill.redis", "tidemill.s3", "tidemill.hdfs", "tidemill.avro", "tidemill.protobuf",
  };
  tm_error *e = tm_host_error_push(L);
  for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
    if (strcmp(later[i], name) != 0) continue;
    tm_fail(e, TM_E_UNSUPPORTED, "module '%s' is not in this version of tidemill yet", name);
    tm_error_token(e, name, "");
    return tm_host_throw(L);
  }
  const char *names[EMBEDDED_MAX];
  size_t count = 0;
  for (const tm_embedded *m = tm_embedded_lua; m->name != NULL && count < EMBEDDED_MAX; m++) {
    names[count++] = m->name;
  }
  tm_fail(e, TM_E_SCRIPT, "module '%.100s' is not there", name);
  tm_error_suggest(e, name, names, count);
  tm_error_help(e, "modules are files beside the script (%.100s.lua) or rocks in lua_modules/",
                name);
  return tm_host_throw(L);
}

/* Globals that a foreign module may set: they stay its own. */
static int lenient_index(lua_State *L) {
  lua_pushglobaltable(L);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static void set_own_globals(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, lenient_index);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, LUA_GNAME);
  if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);
}

static void push_file(lua_State *L, const tm_module *m, const char *name) {
  const char *chunk = lua_pushfstring(L, "@%s", m->path);
  tm_loader_compile(L, m->text, m->size, chunk);
  lua_remove(L, -2);
  if (strstr(m->path, "lua_modules/") != NULL) set_own_globals(L);
  lua_pushstring(L, name);
  lua_pushstring(L, m->path);
}

static int require(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, 2, name) != LUA_TNIL) {
    if (lua_touserdata(L, -1) == &core_key) {
      return luaL_error(L, "module '%s' requires itself, directly or through others", name);
    }
    return 1;
  }
  lua_pop(L, 1);
  if (tm_host_of(L)->phase != TM_HOST_LOAD) {
    return luaL_error(L, "module '%s' must be required when the script is loaded", name);
  }
  if (!push_embedded(L, name)) {
    const tm_module *m = find_module(L, name);
    if (m == NULL) return not_found(L, name);
    push_file(L, m, name);
  }
  lua_pushlightuserdata(L, (void *)&core_key); /* under way */
  lua_setfield(L, 2, name);
  lua_call(L, 2, 1);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, name);
  return 1;
}

static void push_path(lua_State *L) {
  const char *folder = tm_host_of(L)->script->folder;
  const char *more = tm_env_get()->variable("LUA_PATH_5_4");
  if (more == NULL) more = tm_env_get()->variable("LUA_PATH");
  lua_pushfstring(L,
                  "%s/?.lua;%s/?/init.lua;"
                  "%s/lua_modules/share/lua/5.4/?.lua;%s/lua_modules/share/lua/5.4/?/init.lua;"
                  "%s/lua_modules/?.lua;"
                  "./lua_modules/share/lua/5.4/?.lua;./lua_modules/share/lua/5.4/?/init.lua;"
                  "./lua_modules/?.lua;%s",
                  folder, folder, folder, folder, folder, more == NULL ? "" : more);
}

void tm_loader_open(lua_State *L) {
  lua_newtable(L);
  push_path(L);
  lua_setfield(L, -2, "path");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "package");
  lua_setfield(L, -2, "loaded");
  lua_setglobal(L, "package");
  lua_pushcfunction(L, require);
  lua_setglobal(L, "require");
  lua_pushcfunction(L, load);
  lua_setglobal(L, "load");
}
