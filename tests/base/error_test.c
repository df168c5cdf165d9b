/* The error record: the first failure wins, texts are cut at a character, near names are found. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/error.h"

static const char *const options[] = {"path", "delimiter", "quote", "header", "null", "x"};
enum { OPTIONS = sizeof options / sizeof options[0] };

Test(error, the_first_failure_wins) {
  tm_error err = {0};
  cr_expect_eq(tm_fail(&err, TM_E_FIELD, "no column '%s'", "pirce"), -1);
  cr_expect_eq(tm_fail(&err, TM_E_MEMORY, "later"), -1);
  cr_expect_eq(err.code, TM_E_FIELD);
  cr_expect_str_eq(err.message, "no column 'pirce'");
  tm_error_clear(&err);
  cr_expect_eq(err.code, TM_E_NONE);
  cr_expect_str_eq(err.message, "");
  cr_expect_eq(tm_fail(NULL, TM_E_FIELD, "nobody listens"), -1);
}

Test(error, parts_are_added_only_to_a_failure) {
  tm_error err = {0};
  tm_error_help(&err, "help");
  tm_error_token(&err, "token", "note");
  tm_error_suggest(&err, "delimeter", options, OPTIONS);
  cr_expect_str_eq(err.help, "");
  cr_expect_str_eq(err.token, "");
  tm_fail(&err, TM_E_OPTION, "unknown option");
  tm_error_help(&err, "first %d", 1);
  cr_expect_eq(tm_error_help(&err, "second"), -1);
  cr_expect_str_eq(err.help, "first 1\nsecond");
  tm_error_token(&err, "word", NULL);
  cr_expect_str_eq(err.token, "word");
  cr_expect_str_eq(err.note, "");
}

Test(error, long_texts_are_cut_between_characters) {
  char text[2000];
  for (size_t shift = 0; shift < 4; shift++) {
    memset(text, 'a', shift);
    size_t at = shift;
    while (at + 3 < sizeof text) memcpy(text + at, "\xe2\x82\xac", 3), at += 3; /* a euro sign */
    text[at] = '\0';
    tm_error err = {0};
    tm_fail(&err, TM_E_SCRIPT, "%s", text);
    size_t size = strlen(err.message);
    cr_expect_gt(size, sizeof err.message - 5);
    cr_expect_eq((size - shift) % 3, 0, "whole characters only");
  }
  tm_error err = {0};
  tm_fail(&err, TM_E_SCRIPT, "m");
  for (int i = 0; i < 100; i++) tm_error_help(&err, "line %d of the help", i);
  cr_expect_lt(strlen(err.help), sizeof err.help);
}

static const char *near(const char *word) { return tm_error_nearest(word, options, OPTIONS); }

Test(error, near_names) {
  cr_expect_str_eq(near("delimeter"), "delimiter");
  cr_expect_str_eq(near("delmiter"), "delimiter");
  cr_expect_str_eq(near("Delimiter"), "delimiter", "case alone");
  cr_expect_str_eq(near("pahT"), "path", "neighbours swapped");
  cr_expect_str_eq(near("quotes"), "quote");
  cr_expect_null(near("separator"));
  cr_expect_null(near("pbbh"), "two of four is too far");
  cr_expect_null(near(""));
  cr_expect_null(near("y"), "nothing of one letter is near to it");
  cr_expect_null(near("this_word_is_longer_than_every_name_that_anyone_would_ever_use"));
  cr_expect_null(tm_error_nearest("path", NULL, 0));
}

Test(error, a_suggestion_underlines_and_asks) {
  tm_error err = {0};
  tm_fail(&err, TM_E_OPTION, "unknown option");
  tm_error_suggest(&err, "delimeter", options, OPTIONS);
  cr_expect_str_eq(err.token, "delimeter");
  cr_expect_str_eq(err.note, "did you mean 'delimiter'?");
  tm_error other = {0};
  tm_fail(&other, TM_E_OPTION, "unknown option");
  tm_error_suggest(&other, "colour", options, OPTIONS);
  cr_expect_str_eq(other.token, "colour");
  cr_expect_str_eq(other.note, "");
}

/* The contract: 2 for usage and script errors, 1 for failures, 3 for expectations, 4, 130. */
Test(error, exit_statuses) {
  const tm_error_info *info;
  int last = 0;
  size_t count = 0;
  for (; (info = tm_error_list(count)) != NULL; count++) {
    cr_expect_gt(info->code, last, "ascending, none twice");
    last = info->code;
    cr_expect_eq(tm_error_exit(info->code), info->exit);
    if (info->code < 200) cr_expect_eq(info->exit, 2, "%s", info->name);
    cr_expect_gt(strlen(info->summary), 5);
  }
  cr_expect_eq(count, 36, "a code was added: does it have an exit status and a golden test?");
  cr_expect_eq(tm_error_exit(TM_E_NONE), 0);
  cr_expect_eq(tm_error_exit(TM_E_WRITE), 1);
  cr_expect_eq(tm_error_exit(TM_E_ROW), 1);
  cr_expect_eq(tm_error_exit(TM_E_CHECK), 3);
  cr_expect_eq(tm_error_exit(TM_E_MAX_BAD), 3);
  cr_expect_eq(tm_error_exit(TM_E_LOCKED), 4);
  cr_expect_eq(tm_error_exit(TM_E_INTERRUPTED), 130);
  cr_expect_eq(tm_error_exit(12345), 1);
}
