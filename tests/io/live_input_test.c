/* tests/io/live_input_test.c: the queue between a source and its lane: order, bounds, wakes. */
#include "io/live_input.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/fixture.h"

TestSuite(live_input, .init = setup, .fini = teardown);

enum { BLOCK = 256 };

static tm_block_pool *pool;
static tm_live_input queue;
static int wakes, go_ons;
static tm_layout layout;

static void on_wake(void *waker) { (*(int *)waker)++; }
static void on_room(void *producer) { (*(int *)producer)++; }

static void start(size_t bytes_max) {
  pool = tm_block_pool_create(budget, BLOCK, 4);
  wakes = go_ons = 0;
  tm_live_input_init(&queue, budget, bytes_max, on_room, &go_ons);
  tm_live_input_listen(&queue, on_wake, &wakes);
}

static void stop(void) {
  tm_live_input_deinit(&queue);
  tm_block_pool_destroy(pool);
}

/* Puts records at `offset` of a partition, which are `lines` lines. */
static int put(uint32_t partition, const char *text, uint64_t offset, uint64_t line) {
  tm_block *b = tm_block_create(pool, 0);
  strcpy(b->buffer, text);
  b->size = strlen(text);
  b->offset = offset;
  b->first_line = line;
  b->layout = &layout;
  for (const char *c = text; *c != '\0'; c++) b->lines += *c == '\n';
  tm_live_item item = {.block = b, .name = "it", .partition = partition};
  return tm_live_input_put(&queue, &item);
}

static void put_end(uint32_t partition) {
  tm_live_item item = {.name = "it", .partition = partition, .ends = true};
  tm_live_input_put(&queue, &item);
}

/* "partition sequence:data" of the next; "-" if there is none. */
static const char *next(void) {
  static char text[600];
  tm_live_item item;
  tm_error err = {0};
  switch (tm_live_input_take(&queue, &item, &err)) {
    case TM_LIVE_LATER: return "later";
    case TM_LIVE_END: return "end";
    case TM_LIVE_FAILED: return strcpy(text, err.message);
    case TM_LIVE_TAKEN: break;
  }
  if (item.block == NULL) {
    sprintf(text, "%u ends", item.partition);
    return text;
  }
  cr_expect_eq(item.block->data[item.block->size], 0);
  sprintf(text, "%u %llu:%.*s%s", item.partition, (unsigned long long)item.block->sequence,
          (int)item.block->size, item.block->data, item.ends ? " ends" : "");
  tm_block_release(item.block);
  return text;
}

Test(live_input, comes_in_order) {
  start(1 << 20);
  put(0, "a\n", 0, 1);
  put(1, "b\n", 0, 1);
  put(0, "c\n", 2, 2);
  put_end(1);
  cr_expect_str_eq(next(), "0 0:a\n");
  cr_expect_str_eq(next(), "1 1:b\n");
  cr_expect_str_eq(next(), "0 2:c\n");
  cr_expect_str_eq(next(), "1 ends");
  cr_expect_str_eq(next(), "later");
  tm_live_input_end(&queue);
  cr_expect_str_eq(next(), "end");
  stop();
}

Test(live_input, what_follows_in_one_partition_waits_in_one_block) {
  start(1 << 20);
  put(3, "a\n", 0, 1);
  put(3, "b\nc\n", 2, 2);
  put(3, "e\n", 9, 9); /* does not follow */
  put(3, "f\n", 11, 10);
  cr_expect_str_eq(next(), "3 0:a\nb\nc\n");
  cr_expect_str_eq(next(), "3 1:e\nf\n");
  cr_expect_str_eq(next(), "later");
  stop();
}

Test(live_input, blocks_that_are_full_or_cut_are_left_alone) {
  start(1 << 20);
  char large[BLOCK];
  memset(large, 'x', sizeof large);
  large[sizeof large - 2] = '\n';
  large[sizeof large - 1] = '\0';
  put(0, large, 0, 1);
  put(0, "b\n", BLOCK - 1, 2);
  cr_expect_eq(queue.count, 2);
  tm_block *b = tm_block_create(pool, 0);
  b->data[0] = 'y';
  b->size = 1;
  b->offset = BLOCK + 1;
  b->first_line = 3;
  b->too_long = true;
  b->layout = &layout;
  tm_live_input_put(&queue, &(tm_live_item){.block = b, .name = "it"});
  cr_expect_eq(queue.count, 3);
  stop();
}

Test(live_input, wakes_who_waits_once) {
  start(1 << 20);
  put(0, "a\n", 0, 1);
  cr_expect_eq(wakes, 0, "nobody waits");
  next();
  cr_expect_str_eq(next(), "later");
  put(0, "b\n", 2, 2);
  put(1, "c\n", 0, 1);
  cr_expect_eq(wakes, 1);
  next();
  next();
  cr_expect_str_eq(next(), "later");
  tm_live_input_end(&queue);
  cr_expect_eq(wakes, 2);
  stop();
}

Test(live_input, is_bounded_and_says_when_there_is_room) {
  start(4 * BLOCK);
  for (uint32_t i = 0; i < 3; i++) cr_expect_eq(put(i, "a\n", 0, 1), 1);
  cr_expect_eq(put(3, "a\n", 0, 1), 0, "it is full");
  cr_expect_eq(put(4, "a\n", 0, 1), 0, "it takes what was read already");
  next();
  next();
  cr_expect_eq(go_ons, 0);
  next();
  cr_expect_eq(go_ons, 1, "half of it is free");
  next();
  next();
  cr_expect_eq(go_ons, 1);
  cr_expect_str_eq(next(), "later");
  stop();
}

Test(live_input, a_failure_comes_behind_what_was_read) {
  start(1 << 20);
  tm_error err = {0};
  put(0, "a\n", 0, 1);
  tm_fail(&err, TM_E_READ, "the cable is out");
  tm_live_input_fail(&queue, &err);
  tm_error second = {0};
  tm_fail(&second, TM_E_READ, "and the light");
  tm_live_input_fail(&queue, &second);
  cr_expect_str_eq(next(), "0 0:a\n");
  cr_expect_str_eq(next(), "the cable is out");
  stop();
}

Test(live_input, out_of_memory_is_a_failure) {
  start(1 << 20);
  tm_block *b = tm_block_create(pool, 0);
  tm_memory_fail_at(1);
  tm_live_item item = {.block = b, .name = "it"};
  cr_expect_eq(tm_live_input_put(&queue, &item), -1);
  tm_memory_fail_at(0);
  cr_expect_str_eq(next(), "input that waits: out of memory");
  stop();
}

Test(live_input, what_nobody_took_goes_with_it) {
  start(1 << 20);
  put(0, "a\n", 0, 1);
  put(1, "b\n", 0, 1);
  stop(); /* teardown asserts that nothing is left */
}
