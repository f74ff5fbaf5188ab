// Chooses the best level this processor has, once, and sends every call there.

#include <stdatomic.h>
#include <string.h>

#include "kernel_table.h"

static _Atomic(const kernel_table *) chosen;

typedef struct {
  const kernel_table *levels[4];  // best first, ending in NULL
} supported_levels;

/// The levels this processor can run.
static supported_levels supported(void) {
  supported_levels found = {{NULL}};
  int count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx2 && avx512) found.levels[count++] = &kernels_avx512;
  if (avx2) found.levels[count++] = &kernels_avx2;
#endif
  found.levels[count++] = &kernels_baseline;
  return found;
}

static const kernel_table *level(void) {
  const kernel_table *table = atomic_load_explicit(&chosen, memory_order_acquire);
  if (table) return table;
  table = supported().levels[0];  // the same for every thread that comes here first
  atomic_store_explicit(&chosen, table, memory_order_release);
  return table;
}

const char *kernel_level_name(void) { return level()->name; }

int kernel_level_cap(const char *name) {
  const char *order[] = {"avx512", "avx2", "baseline"};
  int cap = 0;
  while (cap < 3 && strcmp(order[cap], name) != 0) cap++;
  if (cap == 3) return 0;
  supported_levels found = supported();
  for (const kernel_table *const *table = found.levels; *table; table++) {
    int rank = 0;
    while (strcmp(order[rank], (*table)->name) != 0) rank++;
    if (rank < cap) continue;
    atomic_store_explicit(&chosen, *table, memory_order_release);
    break;
  }
  return 1;
}

#define KERNEL_DEFINITION(result, name, parameters, arguments) \
  result name parameters { return level()->name arguments; }
EACH_KERNEL(KERNEL_DEFINITION)
