// Kernels that move channels within a pixel: shuffles, and two images joined channel by channel.
#ifndef CKERNELS_CHANNELS_H
#define CKERNELS_CHANNELS_H

#include <stdint.h>

/// Two images of `channels` channels whose channels alternate in a third of twice as many, which lies
/// in two halves: channel 2c is first[c], channel 2c + 1 second[c].
typedef struct {
  float *first, *second;
  float *low, *high;  // the third's channels below and from `channels` on
  intptr_t stride;    // floats from pixel to pixel in low and in high
  intptr_t pixels;
  intptr_t channels;  // even
} interleave_job;

/// low, high = first and second
void interleave(const interleave_job *job);
/// first, second = low and high
void deinterleave(const interleave_job *job);

/// y[p][c · groups + k] = x[p][k · (channels / groups) + c]
void shuffle_channels(
    const float *x, intptr_t pixels, intptr_t channels, intptr_t groups, float *y);

/// Two images and the one that holds the channels of the first, then those of the second.
typedef struct {
  float *first, *second, *joined;
  const float *y;  // separating: the joined image's rectified value, or NULL
  intptr_t pixels, first_channels, second_channels;
  int rectify;  // joining
} join_job;

/// joined = first and second, rectified if wanted
void join_channels(const join_job *job);
/// first, second = joined, where y > 0 (everywhere without it), else 0
void separate_channels(const join_job *job);

#endif
