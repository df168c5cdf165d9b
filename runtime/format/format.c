/* format/format.c: finding a format by its name. */
#include "format/format.h"

#include <string.h>

const tm_format *tm_format_find(const char *name) {
  for (const tm_format *const *at = tm_formats; *at != NULL; at++) {
    if (strcmp((*at)->name, name) == 0) return *at;
  }
  return NULL;
}
