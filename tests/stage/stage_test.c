/* tests/stage/stage_test.c: stages are found by verb and role; every descriptor is sound. */
#include <criterion/criterion.h>
#include <string.h>

#include "stage/stage.h"

static const tm_stage *step(const char *verb) { return tm_stage_find(verb, TM_ROLE_STEP); }

Test(stage, is_found_by_verb_and_alias) {
  cr_expect_str_eq(step("filter")->name, "filter");
  cr_expect_str_eq(step("select")->name, "select");
  cr_expect_eq(step("drop"), step("select"));
  cr_expect_eq(step("rename"), step("select"));
  cr_expect_null(step("renam"));
  cr_expect_null(step("drop rename"));
  cr_expect_null(step(""));
}

Test(stage, is_found_by_role) {
  cr_expect_null(tm_stage_find("filter", TM_ROLE_SOURCE));
  cr_expect_null(tm_stage_find("filter", TM_ROLE_SINK));
}

/* What the lane and the planner take for granted. */
Test(stage, descriptors_are_sound) {
  for (const tm_stage *const *at = tm_stage_table; *at != NULL; at++) {
    const tm_stage *s = *at;
    cr_expect_eq(s->size, sizeof(tm_stage), "%s", s->name);
    cr_expect_not_null(s->summary, "%s", s->name);
    cr_expect_not_null(s->bind, "%s", s->name);
    bool source = s->inputs == 0 && !s->sink;
    if (source) {
      cr_expect_not_null(s->resume, "%s: nobody calls a source but by resume()", s->name);
    } else {
      cr_expect_not_null(s->push, "%s", s->name);
      cr_expect_not_null(s->finish, "%s", s->name);
    }
    cr_expect((s->save == NULL) == (s->restore == NULL), "%s", s->name);
    cr_expect((s->share == NULL) == (s->unshare == NULL), "%s", s->name);
    cr_expect((s->open == NULL) == (s->close == NULL), "%s", s->name);
    for (const tm_option *o = s->options; o != NULL && o->name != NULL; o++) {
      cr_expect(o->type != NULL && strlen(o->type) > 0, "%s.%s", s->name, o->name);
    }
  }
}
