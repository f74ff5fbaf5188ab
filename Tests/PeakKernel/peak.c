#include "peak.h"

typedef float v4 __attribute__((ext_vector_type(4)));
typedef float v8 __attribute__((ext_vector_type(8)));
typedef float v16 __attribute__((ext_vector_type(16)));

// Ten sums: two multiply-adds a cycle of four cycles each leave none of them waiting, and with both
// factors they fit into sixteen registers.
enum { SUMS = 10 };

#define FUSED(a, b, c) __builtin_elementwise_fma((a), (b), (c))
#define APART(a, b, c) ((a) * (b) + (c))

// The factor is 1 and the addend 0, which the compiler cannot know, so the sums stay what they are.
#define PEAK(name, vector, lanes, multiply_add)                                   \
  static double name(intptr_t rounds, float *result) {                            \
    volatile float one = 1, zero = 0;                                             \
    vector factor = (vector)one, addend = (vector)zero, sums[SUMS];               \
    for (int i = 0; i < SUMS; i++) sums[i] = (vector)(float)(i + 1);              \
    for (intptr_t round = 0; round < rounds; round++) {                           \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < SUMS; i++)           \
          sums[i] = multiply_add(sums[i], factor, addend);                        \
    }                                                                             \
    float total = 0;                                                              \
    for (int i = 0; i < SUMS; i++)                                                \
      for (int lane = 0; lane < lanes; lane++) total += sums[i][lane];            \
    *result = total;                                                              \
    return 2.0 * lanes * SUMS * (double)rounds;                                   \
  }

#if defined(__x86_64__)

PEAK(peak_sse, v4, 4, APART)

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
PEAK(peak_avx2, v8, 8, FUSED)
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma"))), apply_to = function)
PEAK(peak_avx512, v16, 16, FUSED)
#pragma clang attribute pop

double peak_run(intptr_t rounds, float *result) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return peak_avx512(rounds, result);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return peak_avx2(rounds, result);
  return peak_sse(rounds, result);
}

#else

// Four lanes is a register of NEON; elsewhere the compiler makes of it what there is.
#if defined(__aarch64__)
PEAK(peak_vectors, v4, 4, FUSED)
#else
PEAK(peak_vectors, v4, 4, APART)
#endif

double peak_run(intptr_t rounds, float *result) { return peak_vectors(rounds, result); }

#endif
