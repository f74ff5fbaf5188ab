// The kernels of one level, and the list of them all: one line here per kernel.
#ifndef CKERNELS_KERNEL_TABLE_H
#define CKERNELS_KERNEL_TABLE_H

#include <stddef.h>

#include "kernels.h"

#define EACH_KERNEL(K)                                                                        \
  K(void, conv_run, (const conv_job *job), (job))                                             \
  K(void, conv_gradient_run, (const conv_gradient_job *job), (job))                           \
  K(void, pointwise_gradient, (const pointwise_gradient_job *job), (job))                     \
  K(void, conv_pack_block,                                                                    \
    (const float *s, intptr_t stride, intptr_t channels, intptr_t pixels, float *t),          \
    (s, stride, channels, pixels, t))                                                         \
  K(void, winograd_input, (const winograd_tiles *tiles), (tiles))                             \
  K(void, winograd_output_gradient, (const winograd_tiles *tiles), (tiles))                   \
  K(void, winograd_output,                                                                    \
    (const winograd_tiles *tiles, intptr_t first, intptr_t last, const winograd_finish *f),   \
    (tiles, first, last, f))                                                                  \
  K(void, winograd_multiply, (const winograd_product *job), (job))                            \
  K(void, winograd_accumulate, (const winograd_accumulation *job), (job))                     \
  K(void, winograd_weights,                                                                   \
    (const float *w, intptr_t inputs, intptr_t first, intptr_t last, int rotated, float *t),  \
    (w, inputs, first, last, rotated, t))                                                     \
  K(void, winograd_weight_gradient,                                                           \
    (const float *t, intptr_t parts, intptr_t part, intptr_t inputs, intptr_t first,          \
     intptr_t last, float *gradient),                                                         \
    (t, parts, part, inputs, first, last, gradient))                                          \
  K(void, depthwise_forward, (const depthwise_job *job), (job))                               \
  K(void, depthwise_input_gradient, (const depthwise_job *job), (job))                        \
  K(void, depthwise_weight_gradient, (const depthwise_job *job), (job))                       \
  K(void, norm_moments,                                                                       \
    (const float *x, intptr_t pixels, intptr_t channels, float *sum, float *square),          \
    (x, pixels, channels, sum, square))                                                       \
  K(void, norm_apply, (const norm_job *job), (job))                                           \
  K(void, norm_gradient_sums, (const norm_gradient_job *job, float *sum, float *product),     \
    (job, sum, product))                                                                      \
  K(void, norm_gradient_apply, (const norm_gradient_job *job), (job))                         \
  K(void, rectify, (const float *x, float *y, intptr_t count), (x, y, count))                 \
  K(void, rectify_gradient,                                                                   \
    (const float *y, const float *gradient, float *input_gradient, intptr_t count),           \
    (y, gradient, input_gradient, count))                                                     \
  K(void, add, (const float *a, const float *b, float *sum, intptr_t count, int rectify),     \
    (a, b, sum, count, rectify))                                                              \
  K(void, add_parts,                                                                          \
    (const float *parts, intptr_t rows, intptr_t row, float *target, intptr_t count),         \
    (parts, rows, row, target, count))                                                        \
  K(double, squared_error,                                                                    \
    (const float *s, const float *t, float *gradient, float scale, intptr_t count),           \
    (s, t, gradient, scale, count))                                                           \
  K(void, sgd_update, (const sgd_job *job), (job))                                            \
  K(void, interleave, (const interleave_job *job), (job))                                     \
  K(void, deinterleave, (const interleave_job *job), (job))                                   \
  K(void, shuffle_channels,                                                                   \
    (const float *x, intptr_t pixels, intptr_t channels, intptr_t groups, float *y),          \
    (x, pixels, channels, groups, y))                                                         \
  K(void, join_channels, (const join_job *job), (job))                                        \
  K(void, separate_channels, (const join_job *job), (job))                                    \
  K(void, max_pool, (const pool_job *job), (job))                                             \
  K(void, max_pool_gradient, (const pool_job *job), (job))                                    \
  K(void, average_pool, (const pool_job *job), (job))                                         \
  K(void, average_pool_gradient, (const pool_job *job), (job))                                \
  K(void, global_average,                                                                     \
    (const float *x, intptr_t pixels, intptr_t channels, float *mean),                        \
    (x, pixels, channels, mean))                                                              \
  K(void, channel_sums, (const float *x, intptr_t pixels, intptr_t channels, float *sum),     \
    (x, pixels, channels, sum))

typedef struct {
  const char *name;
#define KERNEL_FIELD(result, name, parameters, arguments) result(*name) parameters;
  EACH_KERNEL(KERNEL_FIELD)
#undef KERNEL_FIELD
} kernel_table;

extern const kernel_table kernels_baseline;
#if defined(__x86_64__)
extern const kernel_table kernels_avx2;
extern const kernel_table kernels_avx512;
#endif

#endif
