// Batch normalisation over the pixels of some images, per channel. Per-channel arrays are padded to
// whole blocks of 16 floats.
#ifndef CKERNELS_NORMALIZATION_H
#define CKERNELS_NORMALIZATION_H

#include <stdint.h>

/// One image's moments about its own first pixel: sum[c] = Σ (x − x₀), square[c] = Σ (x − x₀)².
/// The shift keeps a mean that is large against the deviations from cancelling the variance; a first
/// pixel that is itself many deviations off costs digits again (5e-5 of the variance at six of them,
/// 1024 pixels).
void norm_moments(
    const float *x, intptr_t pixels, intptr_t channels, float *sum, float *square);

/// The mean and the sum of squared deviations over all images, from each image's moments (rows of
/// `row` floats) and first pixel, added in image order in double precision.
void norm_merge(
    const float *sum, const float *square, intptr_t row, const float *x, intptr_t images,
    intptr_t pixels, intptr_t channels, double *mean, double *deviation);

typedef struct {
  const float *x;
  const float *addend;  // added before rectification, or NULL
  float *y;
  intptr_t pixels, channels;
  const float *scale, *shift;
  int rectify;
} norm_job;

/// y = x · scale + shift [+ addend], rectified if wanted.
void norm_apply(const norm_job *job);

typedef struct {
  const float *x;
  const float *gradient;  // at the output
  const float *y;         // the output, where an addend went into it; else NULL
  float *masked;          // receives the gradient before the rectifier, or NULL
  float *input_gradient;
  intptr_t pixels, channels;
  const float *scale, *shift, *mean;
  const float *gradient_mean;  // per channel: mean of the masked gradient
  const float *slope;          // per channel: mean of masked · (x − mean), over the variance
  int rectify;
} norm_gradient_job;

/// One image's sum[c] = Σ g and product[c] = Σ g · (x − mean), g = the gradient where the output was
/// positive (everywhere without a rectifier).
void norm_gradient_sums(const norm_gradient_job *job, float *sum, float *product);

/// input_gradient = scale · (g − gradient_mean − slope · (x − mean)).
void norm_gradient_apply(const norm_gradient_job *job);

#endif
