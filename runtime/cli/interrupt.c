/* cli/interrupt.c: see interrupt.h. */
#include "cli/interrupt.h"

#include <signal.h>

#include "base/env.h"

static int first, second;

const int *const tm_cli_interrupted = &first;
const int *const tm_cli_interrupted_again = &second;

static void on_signal(int signal_number) {
  if (__atomic_load_n(&first, __ATOMIC_ACQUIRE) != 0) {
    __atomic_store_n(&second, 1, __ATOMIC_RELEASE);
  }
  __atomic_store_n(&first, signal_number, __ATOMIC_RELEASE);
}

void tm_cli_interrupt_catch(void) {
  tm_env_get()->signal_handle(SIGINT, on_signal);
  tm_env_get()->signal_handle(SIGTERM, on_signal);
}

int tm_cli_interrupt_exit(const tm_error *err) {
  int signal_number = __atomic_load_n(&first, __ATOMIC_ACQUIRE);
  if (err->code == TM_E_INTERRUPTED) return signal_number == SIGTERM ? 143 : 130;
  return tm_error_exit(err->code);
}
