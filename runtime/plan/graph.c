/* plan/graph.c: a growing array of nodes, and a hash by which two loads are compared. */
#include "plan/graph.h"

#include <string.h>

#include "base/hash.h"

enum { FIRST_CAPACITY = 32 };

int tm_graph_init(tm_graph *graph, tm_arena *arena) {
  *graph = (tm_graph){.arena = arena, .capacity = FIRST_CAPACITY};
  graph->nodes = tm_arena_zero(arena, FIRST_CAPACITY * sizeof *graph->nodes);
  return graph->nodes == NULL ? -1 : 0;
}

int tm_graph_add(tm_graph *graph, const tm_node *node, tm_error *err) {
  if (node->input_count > TM_PORTS_MAX) {
    return tm_fail(err, TM_E_JOB, "'%s' has more than %d inputs", node->verb, TM_PORTS_MAX);
  }
  if (graph->count == graph->capacity) {
    tm_node *grown = tm_arena_zero(graph->arena, 2 * graph->capacity * sizeof *grown);
    if (grown == NULL) return tm_fail(err, TM_E_MEMORY, "graph: out of memory");
    memcpy(grown, graph->nodes, graph->count * sizeof *grown);
    graph->nodes = grown;
    graph->capacity *= 2;
  }
  graph->nodes[graph->count] = *node;
  return (int)graph->count++;
}

static uint64_t hash_text(uint64_t hash, const char *text) {
  return text == NULL ? tm_hash_combine(hash, 1)
                      : tm_hash_combine(hash, tm_hash_bytes(text, strlen(text)));
}

static uint64_t hash_value(uint64_t hash, const tm_value *v) {
  hash = tm_hash_combine(hash, (uint64_t)v->kind);
  switch (v->kind) {
    case TM_VALUE_NIL:
    case TM_VALUE_FUNCTION: return hash;
    case TM_VALUE_BOOL: return tm_hash_combine(hash, v->boolean);
    case TM_VALUE_FLOAT: return tm_hash_combine(hash, tm_hash_bytes(&v->number, sizeof v->number));
    case TM_VALUE_DECIMAL:
      hash = tm_hash_combine(hash, (uint64_t)v->scale);
      return tm_hash_combine(hash, tm_hash_bytes(&v->decimal, sizeof v->decimal));
    case TM_VALUE_TEXT:
    case TM_VALUE_SECRET: return tm_hash_combine(hash, tm_hash_bytes(v->text, v->size));
    case TM_VALUE_INT:
    case TM_VALUE_DATE:
    case TM_VALUE_TIMESTAMP:
    case TM_VALUE_DURATION:
    case TM_VALUE_NODE: return tm_hash_combine(hash, (uint64_t)v->integer);
    case TM_VALUE_TABLE: break;
  }
  for (size_t i = 0; i < v->item_count; i++) hash = hash_value(hash, &v->items[i]);
  for (size_t i = 0; i < v->pair_count; i++) {
    hash = hash_value(hash_text(hash, v->pairs[i].name), &v->pairs[i].value);
  }
  return hash;
}

uint64_t tm_graph_hash(const tm_graph *graph) {
  uint64_t hash = graph->count;
  for (uint32_t i = 0; i < graph->count; i++) {
    const tm_node *n = &graph->nodes[i];
    hash = hash_text(hash, n->verb);
    hash = hash_text(hash, n->name);
    hash = tm_hash_combine(hash, (uint64_t)n->script_line);
    for (uint32_t k = 0; k < n->input_count; k++) hash = tm_hash_combine(hash, n->inputs[k]);
    if (n->options != NULL) hash = hash_value(hash, n->options);
  }
  return hash;
}
