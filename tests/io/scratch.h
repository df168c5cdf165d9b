/* tests/io/scratch.h: files for a test, in a folder of its own that goes with the test. */
#ifndef TESTS_IO_SCRATCH_H
#define TESTS_IO_SCRATCH_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_folder[64];

static inline void scratch_setup(void) {
  strcpy(scratch_folder, "/tmp/tidemill-test-XXXXXX");
  cr_assert_not_null(mkdtemp(scratch_folder));
}

static inline void scratch_teardown(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -r '%s'", scratch_folder);
  cr_assert_eq(system(command), 0);
}

/* From a ring of eight. */
static inline const char *scratch_path(const char *name) {
  static char paths[8][200];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
  return path;
}

static inline const char *scratch_write(const char *name, const void *bytes, size_t size) {
  const char *path = scratch_path(name);
  char folder[200];
  strcpy(folder, path);
  for (char *at = folder + strlen(scratch_folder) + 1; (at = strchr(at, '/')) != NULL; at++) {
    *at = '\0';
    mkdir(folder, 0777);
    *at = '/';
  }
  FILE *file = fopen(path, "wb");
  cr_assert_not_null(file);
  cr_assert_eq(fwrite(bytes, 1, size, file), size);
  fclose(file);
  return path;
}

static inline const char *scratch_text(const char *name, const char *text) {
  return scratch_write(name, text, strlen(text));
}

/* NUL-terminated, from malloc; NULL where there is no such file. */
static inline char *scratch_read(const char *name) {
  FILE *file = fopen(scratch_path(name), "rb");
  if (file == NULL) return NULL;
  char *text = calloc(1, 1 << 20);
  size_t size = fread(text, 1, (1 << 20) - 1, file);
  text[size] = '\0';
  fclose(file);
  return text;
}

#endif
