// The kernels for AVX2 with FMA.

#include "kernel_table.h"

#if defined(__x86_64__)

#define LEVEL avx2
#define LEVEL_NAME "avx2"
#define LEVEL_FUSED 1
#define LEVEL_REGISTERS 16

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "level_body.h"
#pragma clang attribute pop

#endif
