// All kernels of one level. The including file defines LEVEL, LEVEL_NAME, LEVEL_FUSED and
// LEVEL_REGISTERS (how many vector registers there are), and has
// pushed the level's target attribute.

// Fused only where the source says FMA, so that AVX2, AVX-512 and NEON give the same bits.
#pragma STDC FP_CONTRACT OFF

// No v16 crosses a real call: every function that takes or returns one is always inlined.
#pragma clang diagnostic ignored "-Wpsabi"

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define FN(name) JOIN(name, LEVEL)

#include "vectors.h"

#include "channels_body.h"
#include "elementwise_body.h"
#include "normalization_body.h"
#include "pool_body.h"

// Each uses what stands in those before it.
#include "convolution_body.h"
#include "gradient_body.h"
#include "winograd_body.h"
#include "depthwise3_body.h"
#include "depthwise_body.h"

const kernel_table JOIN(kernels, LEVEL) = {
    .name = LEVEL_NAME,
#define KERNEL_ENTRY(result, name, parameters, arguments) .name = FN(name),
    EACH_KERNEL(KERNEL_ENTRY)
#undef KERNEL_ENTRY
};
