// Joins the images' moments (Chan, Golub, LeVeque 1979: total = within + between) in double
// precision, in image order; the same at every level.

#include "normalization.h"

#pragma STDC FP_CONTRACT OFF

void norm_merge(
    const float *sum, const float *square, intptr_t row, const float *x, intptr_t images,
    intptr_t pixels, intptr_t channels, double *mean, double *deviation) {
  double n = (double)pixels;
  for (intptr_t c = 0; c < channels; c++) mean[c] = deviation[c] = 0;
  for (intptr_t i = 0; i < images; i++) {
    const float *first = x + i * pixels * channels, *s = sum + i * row, *q = square + i * row;
    for (intptr_t c = 0; c < channels; c++) {
      mean[c] += (double)first[c] + (double)s[c] / n;
      deviation[c] += (double)q[c] - (double)s[c] * (double)s[c] / n;
    }
  }
  for (intptr_t c = 0; c < channels; c++) mean[c] /= (double)images;
  for (intptr_t i = 0; i < images; i++) {
    const float *first = x + i * pixels * channels, *s = sum + i * row;
    for (intptr_t c = 0; c < channels; c++) {
      double d = (double)first[c] + (double)s[c] / n - mean[c];
      deviation[c] += n * d * d;
    }
  }
}
