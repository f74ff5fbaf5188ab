// The most multiply-adds a core can do: what every other speed is a share of.
#ifndef PEAK_KERNEL_PEAK_H
#define PEAK_KERNEL_PEAK_H

#include <stdint.h>

/// Runs `rounds` × 10 vector multiply-adds that do not wait for each other on the calling thread,
/// with the widest vectors of this processor; returns the floating-point operations, two for a
/// multiply-add. `result` receives a number that depends on them all.
double peak_run(intptr_t rounds, float *result);

#endif
