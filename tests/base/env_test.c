/* The real environment does what its header says; the virtual one moves only when told. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/env_virtual.h"

static char folder[64];
static const tm_env *env;

static void enter(void) {
  strcpy(folder, "/tmp/tm-env-XXXXXX");
  cr_assert_not_null(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
  env = tm_env_get();
}

static void leave(void) {
  char command[128];
  tm_env_virtual_end();
  snprintf(command, sizeof command, "rm -rf %s", folder);
  cr_assert_eq(system(command), 0);
}

TestSuite(env, .init = enter, .fini = leave);

static void write_file(const char *path, const char *text) {
  int file = env->open(path, TM_OPEN_WRITE | TM_OPEN_CREATE | TM_OPEN_TRUNCATE);
  cr_assert_geq(file, 0);
  cr_assert_eq(tm_env_write_all(file, text, strlen(text)), 0);
  cr_assert_eq(env->close(file), 0);
}

Test(env, files_are_written_read_and_described) {
  char text[32] = "";
  tm_file_info info;
  write_file("a", "hello, mill");
  int file = env->open("a", TM_OPEN_READ);
  cr_expect_eq(env->pread(file, text, 4, 7), 4);
  cr_expect_eq(strcmp(text, "mill"), 0);
  cr_expect_eq(env->read(file, text, 5), 5, "pread moved nothing");
  cr_expect_eq(strncmp(text, "hello", 5), 0);
  cr_expect_eq(tm_env_pread_all(file, text, sizeof text, 2), 9);
  cr_expect_eq(env->pread(file, text, 4, 11), 0, "the end");
  cr_expect_eq(env->stat_file(file, &info), 0);
  cr_expect_eq(info.kind, TM_FILE_REGULAR);
  cr_expect_eq(info.size, 11);
  int64_t age_us = env->wall_us() - info.modified_us;
  cr_expect(age_us > -1000000 && age_us < 60000000);
  cr_expect_eq(env->fsync(file), 0);
  cr_expect_eq(env->close(file), 0);
  file = env->open("a", TM_OPEN_WRITE | TM_OPEN_APPEND);
  cr_expect_eq(env->write(file, "!!", 2), 2);
  cr_expect_eq(env->truncate(file, 12), 0);
  cr_expect_eq(env->close(file), 0);
  cr_expect_eq(env->stat("a", &info), 0);
  cr_expect_eq(info.size, 12);
}

Test(env, failures_are_negative_numbers_with_words) {
  tm_file_info info;
  cr_expect_eq(env->open("none", TM_OPEN_READ), -ENOENT);
  cr_expect_eq(env->stat("none", &info), -ENOENT);
  cr_expect_eq(env->unlink("none"), -ENOENT);
  write_file("a", "x");
  cr_expect_eq(env->open("a", TM_OPEN_WRITE | TM_OPEN_CREATE | TM_OPEN_EXCLUSIVE), -EEXIST);
  cr_expect_eq(env->open("a/b", TM_OPEN_READ), -ENOTDIR);
  cr_expect_eq(env->open("a", TM_OPEN_READ | TM_OPEN_FOLDER), -ENOTDIR);
  char byte;
  int file = env->open(".", TM_OPEN_READ);
  cr_expect_eq(env->read(file, &byte, 1), -EISDIR);
  env->close(file);
  cr_expect_str_eq(tm_env_error_text(-ENOSPC), "No space left on device");
  cr_expect_str_eq(tm_env_error_text(ENOENT), "No such file or directory");
  cr_expect_str_eq(tm_env_error_text(-99999), "Unknown error");
}

static int count_entry(void *context, const char *name) {
  int *seen = context;
  *seen += name[0] == 'f' ? 1 : 100;
  return 0;
}

static int stop_entry(void *context, const char *name) {
  (void)name;
  ++*(int *)context;
  return 7;
}

Test(env, folders_are_made_listed_and_removed) {
  tm_file_info info;
  int seen = 0;
  cr_expect_eq(tm_env_make_folders("x/y//z"), 0);
  cr_expect_eq(tm_env_make_folders("x/y/z"), 0, "again is fine");
  cr_expect_eq(tm_env_make_folders("x/y/z/"), 0);
  cr_expect_eq(env->stat("x/y/z", &info), 0);
  cr_expect_eq(info.kind, TM_FILE_FOLDER);
  write_file("x/f1", ""), write_file("x/f2", "");
  cr_expect_eq(env->list("x", count_entry, &seen), 0);
  cr_expect_eq(seen, 102);
  seen = 0;
  cr_expect_eq(env->list("x", stop_entry, &seen), 7);
  cr_expect_eq(seen, 1);
  cr_expect_eq(env->list("none", count_entry, &seen), -ENOENT);
  cr_expect_eq(tm_env_make_folders("x/f1/deeper"), -ENOTDIR);
  cr_expect_eq(env->rmdir("x"), -ENOTEMPTY);
  cr_expect_eq(env->rmdir("x/y/z"), 0);
  cr_expect_eq(env->rename("x/f1", "x/f2"), 0, "replaces");
  cr_expect_eq(env->stat("x/f1", &info), -ENOENT);
}

Test(env, a_lock_is_had_by_one) {
  int one = env->open("lock", TM_OPEN_WRITE | TM_OPEN_CREATE);
  int two = env->open("lock", TM_OPEN_WRITE | TM_OPEN_CREATE);
  cr_expect_eq(env->lock(one), 0);
  cr_expect_eq(env->lock(two), -EWOULDBLOCK);
  env->close(one);
  cr_expect_eq(env->lock(two), 0, "it went with the descriptor");
  env->close(two);
}

Test(env, pipes_wait_and_time_out) {
  int ends[2];
  tm_file_info info;
  char byte = 0;
  cr_assert_eq(pipe(ends), 0);
  cr_expect_eq(env->stat_file(ends[0], &info), 0);
  cr_expect_eq(info.kind, TM_FILE_PIPE);
  cr_expect_not(env->is_terminal(ends[0]));
  cr_expect_eq(env->terminal_columns(ends[0]), 0);
  cr_expect_eq(env->wait_readable(ends[0], 1000), 0);
  cr_expect_eq(env->write(ends[1], "z", 1), 1);
  cr_expect_eq(env->wait_readable(ends[0], 1000), 1);
  cr_expect_eq(env->read(ends[0], &byte, 1), 1);
  cr_expect_eq(byte, 'z');
  env->close(ends[1]);
  cr_expect_eq(env->wait_readable(ends[0], -1), 1, "an end is readable");
  cr_expect_eq(env->read(ends[0], &byte, 1), 0);
  env->close(ends[0]);
}

Test(env, clocks_run_and_chance_differs) {
  int64_t start = env->monotonic_us();
  env->sleep_us(3000);
  int64_t slept = env->monotonic_us() - start;
  cr_expect_geq(slept, 3000);
  cr_expect_gt(env->wall_us(), INT64_C(1700000000000000));
  cr_expect_gt(env->cpu_us(), 0);
  char one[16], two[16];
  env->random(one, sizeof one), env->random(two, sizeof two);
  cr_expect_neq(memcmp(one, two, sizeof one), 0);
}

Test(env, the_machine_has_something) {
  cr_expect_geq(env->cpu_count(), 1);
  cr_expect_gt(env->memory_limit_bytes(), 16 << 20);
  cr_expect_gt(env->memory_peak_bytes(), 1 << 20);
  cr_expect(env->process_lives(env->process_id()));
  cr_expect_not(env->process_lives(0));
  cr_expect_not(env->process_lives(0x7ffffff0));
  cr_expect_null(env->variable("TM_NO_SUCH_VARIABLE"));
  cr_expect_not_null(env->variable("PATH"));
}

/* ------------------------------------------------------------------ threads */

enum { HANDOVERS = 1000 };
static struct { tm_mutex mutex; tm_cond cond; int turn, done; } game;

static void take_turns(void *context) {
  int me = *(int *)context;
  for (int i = 0; i < HANDOVERS; i++) {
    env->mutex_lock(&game.mutex);
    while (game.turn != me) env->cond_wait(&game.cond, &game.mutex);
    game.turn = !me;
    game.done++;
    env->cond_broadcast(&game.cond);
    env->mutex_unlock(&game.mutex);
  }
}

Test(env, threads_hand_over) {
  tm_thread threads[2];
  int names[2] = {0, 1};
  env->mutex_init(&game.mutex);
  env->cond_init(&game.cond);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(env->thread_create(&threads[i], take_turns, &names[i]), 0);
  }
  for (int i = 0; i < 2; i++) env->thread_join(&threads[i]);
  cr_expect_eq(game.done, 2 * HANDOVERS);
  env->mutex_lock(&game.mutex);
  int64_t deadline_us = env->monotonic_us() + 2000;
  cr_expect_eq(env->cond_wait_until(&game.cond, &game.mutex, deadline_us), -ETIMEDOUT);
  cr_expect_geq(env->monotonic_us(), deadline_us);
  env->mutex_unlock(&game.mutex);
  env->cond_deinit(&game.cond);
  env->mutex_deinit(&game.mutex);
}

static volatile sig_atomic_t signals;
static void on_signal(int signal) {
  (void)signal;
  signals++;
}

static void wait_for_signal(void *context) {
  tm_thread *self = context;
  env->thread_self(self);
  for (int i = 0; i < 2000 && signals == 0; i++) env->sleep_us(1000);
}

Test(env, a_signal_reaches_the_thread_it_is_meant_for) {
  tm_thread thread, self;
  cr_expect_eq(env->signal_handle(SIGUSR1, on_signal), 0);
  cr_assert_eq(env->thread_create(&thread, wait_for_signal, &self), 0);
  cr_expect_eq(env->thread_signal(&thread, SIGUSR1), 0);
  env->thread_join(&thread);
  cr_expect_eq(signals, 1);
  cr_expect_eq(env->signal_handle(SIGUSR1, NULL), 0);
}

/* ------------------------------------------------------------------ the virtual one */

Test(env, virtual_time_moves_when_told) {
  tm_env_virtual_start(1000000, 1);
  const tm_env *v = tm_env_get();
  cr_expect_str_eq(v->name, "virtual");
  cr_expect_eq(v->monotonic_us(), 0);
  cr_expect_eq(v->wall_us(), 1000000);
  tm_env_virtual_advance(INT64_C(3600000000));
  v->sleep_us(5);
  cr_expect_eq(v->monotonic_us(), INT64_C(3600000005));
  cr_expect_eq(v->wall_us(), INT64_C(3601000005));
  char one[16], again[16];
  v->random(one, sizeof one);
  tm_env_virtual_start(0, 1);
  v->random(again, sizeof again);
  cr_expect_eq(memcmp(one, again, sizeof one), 0, "the same seed, the same chance");
}

static void advance_an_hour(void *context) {
  (void)context;
  env->sleep_us(2000);
  tm_env_virtual_advance(INT64_C(3600000000));
}

Test(env, a_virtual_wait_ends_with_virtual_time) {
  tm_env_virtual_start(0, 1);
  const tm_env *v = tm_env_get();
  tm_mutex mutex;
  tm_cond cond;
  tm_thread thread;
  v->mutex_init(&mutex);
  v->cond_init(&cond);
  cr_assert_eq(v->thread_create(&thread, advance_an_hour, NULL), 0);
  v->mutex_lock(&mutex);
  int result;
  while ((result = v->cond_wait_until(&cond, &mutex, INT64_C(3600000000))) == 0) {
  }
  cr_expect_eq(result, -ETIMEDOUT);
  v->mutex_unlock(&mutex);
  v->thread_join(&thread);
  v->cond_deinit(&cond);
  v->mutex_deinit(&mutex);
}

Test(env, planted_faults_strike_where_they_should) {
  tm_env_virtual_start(0, 1);
  env = tm_env_get();
  int file = env->open("a", TM_OPEN_WRITE | TM_OPEN_CREATE);
  tm_env_virtual_fail(TM_ENV_WRITE, 2, -ENOSPC, false);
  cr_expect_eq(env->write(file, "1", 1), 1);
  cr_expect_eq(env->write(file, "2", 1), -ENOSPC);
  cr_expect_eq(env->write(file, "3", 1), 1);
  cr_expect_eq(tm_env_virtual_count(TM_ENV_WRITE), 3);
  tm_env_virtual_fail(TM_ENV_ANY, 1, -EIO, true);
  cr_expect_eq(env->fsync(file), -EIO);
  cr_expect_eq(env->rename("a", "b"), -EIO);
  cr_expect_eq(env->close(file), -EIO);
  tm_env_virtual_fail(TM_ENV_ANY, 0, 0, false);
  tm_file_info info;
  cr_expect_eq(env->stat("a", &info), 0);
  cr_expect_eq(info.size, 2);
}

Test(env, short_writes_are_finished) {
  tm_env_virtual_start(0, 1);
  env = tm_env_get();
  tm_env_virtual_short(3);
  write_file("a", "twelve bytes");
  char text[13] = "";
  int file = env->open("a", TM_OPEN_READ);
  cr_expect_eq(env->pread(file, text, 12, 0), 3);
  cr_expect_eq(tm_env_pread_all(file, text, 12, 0), 12);
  cr_expect_str_eq(text, "twelve bytes");
  env->close(file);
  cr_expect_eq(tm_env_virtual_count(TM_ENV_WRITE), 4);
}

/* ------------------------------------------------------------------ control groups */

static void write_in(const char *path, const char *text) {
  char above[256];
  snprintf(above, sizeof above, "%s", path);
  *strrchr(above, '/') = '\0';
  cr_assert_eq(tm_env_make_folders(above), 0);
  write_file(path, text);
}

Test(env, limits_of_control_groups_version_2) {
  write_in("root/proc/self/cgroup", "0::/jobs/nightly\n");
  cr_expect_eq(tm_cgroup_memory_bytes("root"), 0, "no files, no limit");
  write_in("root/sys/fs/cgroup/jobs/nightly/memory.max", "max\n");
  cr_expect_eq(tm_cgroup_memory_bytes("root"), 0);
  write_in("root/sys/fs/cgroup/jobs/memory.max", "2147483648\n");
  cr_expect_eq(tm_cgroup_memory_bytes("root"), UINT64_C(2147483648), "one above binds too");
  write_in("root/sys/fs/cgroup/memory.max", "1048576\n");
  cr_expect_eq(tm_cgroup_memory_bytes("root"), 1048576);
  write_in("root/sys/fs/cgroup/jobs/nightly/cpu.max", "max 100000\n");
  cr_expect_eq(tm_cgroup_cpu_count("root"), 0);
  write_in("root/sys/fs/cgroup/jobs/cpu.max", "250000 100000\n");
  cr_expect_eq(tm_cgroup_cpu_count("root"), 3, "two and a half are three");
}

Test(env, limits_of_control_groups_version_1) {
  write_in("root/proc/self/cgroup", "7:cpuset:/x\n5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n");
  write_in("root/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096000\n");
  write_in("root/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
  write_in("root/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  cr_expect_eq(tm_cgroup_memory_bytes("root"), 4096000);
  cr_expect_eq(tm_cgroup_cpu_count("root"), 0);
  write_in("root/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  write_in("root/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  cr_expect_eq(tm_cgroup_cpu_count("root"), 1, "half a processor is one");
  cr_expect_eq(tm_cgroup_memory_bytes("nowhere"), 0);
}
