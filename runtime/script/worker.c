/* script/worker.c: a lane's state. Loading runs the whole script again, from the bytes that the
 * first load kept, and compares graphs by hash: a function is found by its number alone. */
#include "script/worker.h"

#include <inttypes.h>
#include <stdio.h>

struct tm_worker {
  tm_script *script;
  tm_host *host; /* NULL until it is needed */
};

int tm_script_worker_start(tm_script *script, tm_worker **out, tm_error *err) {
  tm_worker *worker = tm_alloc_zero(script->budget, sizeof *worker);
  if (worker == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory for a worker");
  worker->script = script;
  *out = worker;
  return 0;
}

void tm_script_worker_stop(tm_worker *worker) {
  if (worker == NULL) return;
  tm_host_destroy(worker->host);
  tm_free(worker->script->budget, worker, sizeof *worker);
}

static int load_again(tm_script *script, tm_host *host, tm_arena *arena, tm_error *err) {
  tm_graph graph;
  uint32_t functions;
  if (tm_graph_init(&graph, arena) < 0) return tm_fail(err, TM_E_MEMORY, "out of memory");
  graph.job = script->graph.job;
  if (tm_script_load(script, host, &graph, &functions, err) < 0) return -1;
  if (tm_graph_hash(&graph) == script->hash && functions == script->function_count) return 0;
  tm_fail(err, TM_E_SCRIPT, "the script describes another job each time it is loaded");
  (void)snprintf(err->script, sizeof err->script, "%s", script->name);
  return tm_error_help(err, "every worker loads it again: the same text must give the same steps");
}

/* Rows make garbage, and what the script left behind is marked at every cycle of the collector: let
 * some megabytes gather before each. Lua takes at most 1000 per cent. */
static void set_collector(lua_State *L) {
  enum { GARBAGE_KIB = 8192, PAUSE_MIN = 200, PAUSE_MAX = 1000 };
  int live_kib = lua_gc(L, LUA_GCCOUNT);
  int pause = 100 + 100 * (GARBAGE_KIB / (live_kib + 1));
  (void)lua_gc(L, LUA_GCINC, pause < PAUSE_MIN ? PAUSE_MIN : pause > PAUSE_MAX ? PAUSE_MAX : pause,
               0, 0);
}

tm_host *tm_worker_host(tm_worker *worker, tm_error *err) {
  if (worker->host != NULL) return worker->host;
  tm_script *script = worker->script;
  tm_host *host = tm_host_create(script, true, err);
  if (host == NULL) return NULL;
  tm_arena arena;
  tm_arena_init(&arena, script->budget);
  int failed = load_again(script, host, &arena, err);
  tm_arena_deinit(&arena);
  if (failed < 0) {
    tm_host_destroy(host);
    return NULL;
  }
  set_collector(host->L);
  worker->host = host;
  return host;
}
