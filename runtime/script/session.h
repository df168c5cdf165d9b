/* script/session.h: a loaded script, as the files of this room see it (others: script.h).
 *
 * Everything here is written while the main state loads and read-only from then on, so that
 * workers may read it at the same time. */
#ifndef TM_SCRIPT_SESSION_H
#define TM_SCRIPT_SESSION_H

#include "plan/graph.h"
#include "script/host.h"
#include "script/script.h"
#include "script/source_map.h"

/* A Lua file that the script required, kept so that all workers load the same bytes. */
typedef struct tm_module {
  struct tm_module *next;
  const char *name, *path;
  const char *text;
  size_t size;
} tm_module;

/* A parameter that the script asked for. */
typedef struct tm_declared {
  struct tm_declared *next;
  const char *name;
} tm_declared;

struct tm_script {
  tm_budget *budget;          /* of everything here */
  tm_arena arena;
  const char *name;           /* for messages: the path, "-e" or "stdin" */
  const char *folder;         /* of the script; "." */
  const char *chunk;          /* name of the main chunk: "@path" or "=-e" */
  const char *text;
  size_t size;
  bool inline_text;           /* -e and stdin: `tm` is a local, a flow may be returned */
  bool no_lift;
  const tm_source_map *map;
  const tm_script_param *params;
  size_t param_count;
  int32_t date_days;          /* logical date */
  const char *date;
  uint64_t memory_bytes;
  int64_t load_us;
  int64_t row_us;             /* limits.row of the job */
  const tm_stage *(*find_stage)(const char *verb, tm_stage_role role);
  tm_module *modules;
  tm_declared *declared;
  tm_watchdog *watchdog;
  tm_host *main;
  tm_graph graph;
  uint64_t hash;              /* of the graph, which every worker must find again */
  uint32_t function_count;
};

/* Runs the script's text in the host and builds its graph (script.c). 0, or -1 with err. */
int tm_script_load(tm_script *script, tm_host *host, tm_graph *graph, uint32_t *out_functions,
                   tm_error *err);

#endif
