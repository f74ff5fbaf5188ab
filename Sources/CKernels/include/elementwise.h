// Kernels that meet every element once: rectifier, sums, optimiser, squared error, pools.
#ifndef CKERNELS_ELEMENTWISE_H
#define CKERNELS_ELEMENTWISE_H

#include <stdint.h>

/// y = max(x, 0)
void rectify(const float *x, float *y, intptr_t count);
/// input_gradient = gradient where y > 0, else 0
void rectify_gradient(const float *y, const float *gradient, float *input_gradient, intptr_t count);
/// sum = a + b, rectified if wanted
void add(const float *a, const float *b, float *sum, intptr_t count, int rectify);
/// target[i] += parts[0][i] + parts[1][i] + …, in that order; rows of `row` floats
void add_parts(const float *parts, intptr_t rows, intptr_t row, float *target, intptr_t count);
/// One part's Σ (s − t)² in double precision; gradient = scale · (s − t)
double squared_error(
    const float *s, const float *t, float *gradient, float scale, intptr_t count);

typedef struct {
  float *value, *gradient, *momentum_buffer;
  intptr_t count;
  float learning_rate, momentum, weight_decay;
  int nesterov;
  int first;  // the buffer's contents are undefined: it becomes the gradient
} sgd_job;

/// One step of torch.optim.SGD (coupled weight decay, no dampening); zeroes the gradient.
void sgd_update(const sgd_job *job);

/// Pooling of one H×W×C image by kernel × kernel windows.
typedef struct {
  const float *x;
  const float *gradient;  // at the output; backward only
  float *target;          // forward: the output; backward: the input gradient, zeroed by the call
  intptr_t channels;
  int32_t height, width, output_height, output_width, kernel, strides, padding;
} pool_job;

void max_pool(const pool_job *job);
/// The gradient goes to the first of equal values, rows before columns, as in PyTorch.
void max_pool_gradient(const pool_job *job);
/// Zeros outside the image count: the sum is always divided by kernel².
void average_pool(const pool_job *job);
void average_pool_gradient(const pool_job *job);
/// mean[c] over all pixels of one image
void global_average(const float *x, intptr_t pixels, intptr_t channels, float *mean);
/// sum[c] over all pixels of one image
void channel_sums(const float *x, intptr_t pixels, intptr_t channels, float *sum);

#endif
