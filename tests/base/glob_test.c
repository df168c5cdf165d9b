/* Wildcards against the C library's fnmatch and glob where these mean the same. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env_virtual.h"
#include "base/glob.h"

static char folder[64];
static tm_budget *budget;
static tm_arena arena;

static void enter(void) {
  strcpy(folder, "/tmp/tm-glob-XXXXXX");
  cr_assert_not_null(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
  cr_assert_eq(system("mkdir -p in/2026/01 in/2026/02 in/.hidden && cd in && "
                      "touch a.csv b.csv ab.csv a.txt .a.csv '[x].csv' 'sp ace.csv' "
                      "2026/01/a.csv 2026/01/b.csv 2026/02/a.csv 2026/x.csv .hidden/a.csv "
                      "&& ln -s .. 2026/up && ln -s . self && ln -s . other"), 0);
  budget = tm_budget_create(NULL, "glob", 0);
  tm_arena_init(&arena, budget);
}

static void leave(void) {
  char command[128];
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
  snprintf(command, sizeof command, "rm -rf %s", folder);
  cr_assert_eq(system(command), 0);
}

TestSuite(glob, .init = enter, .fini = leave);

Test(glob, names_match_as_fnmatch_says) {
  static const char *const pieces[] = {"a", "b", "*", "?", "[ab]", "[!a]", "[a-c]", "]", ".",
                                       "[]b]", "-", "\\*", "\\a", "**", "c"};
  static const char letters[] = "abc.-]*[";
  uint64_t seed = 5;
  for (int round = 0; round < 200000; round++) {
    char pattern[64] = "", name[16] = "";
    for (int i = 0; i < 6; i++) {
      seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
      if ((int)(seed >> 60) > 11) break;
      strcat(pattern, pieces[(seed >> 40) % (sizeof pieces / sizeof pieces[0])]);
      if (i < 5) name[strlen(name)] = letters[(seed >> 50) % (sizeof letters - 1)];
    }
    if (name[0] == '\0') continue;
    bool expected = fnmatch(pattern, name, FNM_PERIOD) == 0;
    cr_assert_eq(tm_glob_match(pattern, name), expected, "'%s' of '%s'", pattern, name);
  }
}

Test(glob, a_bracket_without_end_is_a_character) {
  cr_expect(tm_glob_match("[ab", "[ab"));
  cr_expect(tm_glob_match("*[", "x["));
  cr_expect_not(tm_glob_match("[ab", "a"));
}

Test(glob, many_stars_take_no_time) {
  char name[256];
  memset(name, 'a', 255);
  name[255] = '\0';
  cr_expect_not(tm_glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

/* What expand() gives, joined by blanks. */
static const char *expand(const char *pattern) {
  static char joined[4096];
  const char *const *paths;
  size_t count;
  tm_error err = {0};
  joined[0] = '\0';
  cr_assert_eq(tm_glob_expand(&arena, pattern, &paths, &count, &err), 0, "%s", err.message);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) strcat(joined, " ");
    strcat(joined, paths[i]);
  }
  return joined;
}

Test(glob, paths_match_as_the_library_says) {
  static const char *const patterns[] = {
    "in/*.csv", "in/?.csv", "in/[ab].csv", "in/*", "*", "in/*/*.csv", "in/2026/*/a.csv",
    "in/2026/0[12]/*.csv", "in/.*.csv", "in/\\[x\\].csv", "in/none/*.csv", "none/*", "in/a.csv/*",
    "*/*/*/*", "./in/a*.csv", "in/../in/a*.csv",
  };
  char absolute[128];
  snprintf(absolute, sizeof absolute, "%s/in/*.csv", folder);
  for (size_t i = 0; i <= sizeof patterns / sizeof patterns[0]; i++) {
    const char *pattern = i == 0 ? absolute : patterns[i - 1];
    char expected[4096] = "";
    glob_t library;
    if (glob(pattern, 0, NULL, &library) == 0) {
      for (size_t k = 0; k < library.gl_pathc; k++) {
        if (k > 0) strcat(expected, " ");
        strcat(expected, library.gl_pathv[k]);
      }
      globfree(&library);
    }
    cr_expect_str_eq(expand(pattern), expected, "%s", pattern);
  }
}

Test(glob, two_stars_are_any_folders) {
  cr_expect_str_eq(expand("in/**/a.csv"), "in/2026/01/a.csv in/2026/02/a.csv in/a.csv");
  cr_expect_str_eq(expand("**/b.csv"), "in/2026/01/b.csv in/b.csv");
  cr_expect_str_eq(expand("in/2026/**/*.csv"),
                   "in/2026/01/a.csv in/2026/01/b.csv in/2026/02/a.csv in/2026/x.csv");
  cr_expect_str_eq(expand("**/01/*"), "in/2026/01/a.csv in/2026/01/b.csv");
  cr_expect_str_eq(expand("in/**/**/x.csv"), "in/2026/x.csv", "once");
  cr_expect_str_eq(expand("in/2026/01/**"), "in/2026/01/a.csv in/2026/01/b.csv");
}

Test(glob, a_plain_path_is_given_back) {
  cr_expect(tm_glob_is_pattern("a*"));
  cr_expect_not(tm_glob_is_pattern("in/a.csv"));
  cr_expect_str_eq(expand("no/such/file"), "no/such/file");
}

/* Refused by a planted fault, for to root nothing is forbidden. */
Test(glob, a_folder_that_cannot_be_read_is_an_error) {
  const char *const *paths;
  size_t count;
  tm_error err = {0};
  tm_env_virtual_start(0, 1);
  tm_env_virtual_fail(TM_ENV_LIST, 1, -EACCES, false);
  cr_expect_eq(tm_glob_expand(&arena, "in/*.csv", &paths, &count, &err), -1);
  cr_expect_eq(err.code, TM_E_READ);
  cr_expect_str_eq(err.message, "cannot list the folder 'in': Permission denied");
  tm_env_virtual_end();
}
