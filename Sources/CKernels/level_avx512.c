// The kernels for AVX-512.

#include "kernel_table.h"

#if defined(__x86_64__)

#define LEVEL avx512
#define LEVEL_NAME "avx512"
#define LEVEL_FUSED 1
#define LEVEL_REGISTERS 32

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#include "level_body.h"
#pragma clang attribute pop

#endif
