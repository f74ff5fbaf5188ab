// Which instruction set the kernels use.
#ifndef CKERNELS_KERNEL_LEVEL_H
#define CKERNELS_KERNEL_LEVEL_H

/// The name of the level in use: "avx512", "avx2" or "baseline".
const char *kernel_level_name(void);

/// Uses at most the level of this name; 0 for an unknown name, which changes nothing. Call it
/// before any kernel runs.
int kernel_level_cap(const char *name);

#endif
