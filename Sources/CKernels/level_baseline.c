// The kernels for any processor; on arm64 this is NEON, which has fused multiply-add.

#include "kernel_table.h"

#define LEVEL baseline
#define LEVEL_NAME "baseline"
#if defined(__aarch64__)
#define LEVEL_FUSED 1
#define LEVEL_REGISTERS 32
#else
#define LEVEL_FUSED 0
#define LEVEL_REGISTERS 16
#endif

#include "level_body.h"
