// Direct convolution on N×H×W×C images: what one call of a kernel works on.
#ifndef CKERNELS_CONVOLUTION_H
#define CKERNELS_CONVOLUTION_H

#include <stdint.h>

enum {
  conv_lanes = 16,       // output channels of one weight block
  depthwise_taps = 49,    // the most taps that a depthwise kernel may have
  conv_tile_pixels = 6,  // output pixels that one register tile holds: 6 × 16 fill AVX2's registers
};

/// Up to six output pixels and the taps that reach them.
///
/// A plain tile's pixels all have the same taps; pixel i reads source[i] + displacement[first + k]
/// under tap[first + k]. A mixed tile (mixed ≥ 0) names its sources one by one, -1 outside the image.
typedef struct {
  int32_t pixels;
  int32_t taps;
  int32_t first;
  int32_t mixed;
  int32_t target[conv_tile_pixels];
  int32_t source[conv_tile_pixels];
} conv_tile;

/// The tiles of one image or group of images, in units of pixels; the same for all calls of a shape.
typedef struct {
  const conv_tile *tiles;
  intptr_t count;
  const int32_t *tap;
  const int32_t *displacement;
  const int32_t *sources;
  const float *zeros;  // as many as a pixel has channels
} conv_plan;

/// target[p][o] = Σ_taps Σ_c source[p + tap][c] · weights[o / 16][tap][c][o % 16], each output
/// element summed in the order tap, channel by fused multiply-adds; then, where given, · scale[o],
/// + shift[o], + addend[p][o], max(·, 0).
typedef struct {
  const conv_plan *plan;
  const float *source;
  intptr_t source_stride;  // floats from pixel to pixel
  intptr_t inputs;         // channels summed over
  const float *weights;
  intptr_t weight_block;  // floats from one block of 16 output channels to the next
  float *target;
  intptr_t target_stride;
  intptr_t outputs;
  const float *scale;   // padded to blocks of 16, or NULL
  const float *shift;   // padded to blocks of 16, or NULL
  const float *addend;  // lies like target, or NULL
  int rectify;
} conv_job;

void conv_run(const conv_job *job);

/// gradient[tap][c][o] += Σ_images Σ_p source[p + tap][c] · output[p][o] for one block of up to 16
/// input channels and one of 16 output channels, summed in the order image, row, column.
typedef struct {
  const float *source;  // images × height × width pixels
  intptr_t source_stride, source_image;
  const float *output;  // images × output_height × output_width pixels, 16 lanes each
  intptr_t output_stride, output_image;
  intptr_t images;
  int32_t height, width, output_height, output_width;
  int32_t kernel, strides, padding;
  intptr_t inputs;
  float *gradient;
  intptr_t gradient_tap;  // floats from tap to tap
} conv_gradient_job;

void conv_gradient_run(const conv_gradient_job *job);

/// gradient[o / 16][c][o % 16] += Σ_p source[p][c] · output[p][o], the pixels in order.
typedef struct {
  const float *source, *output;
  intptr_t source_stride, output_stride;  // floats from pixel to pixel
  intptr_t pixels, inputs, outputs;
  float *gradient;
} pointwise_gradient_job;

void pointwise_gradient(const pointwise_gradient_job *job);

/// target[p][0..<16] = source[p][0..<channels], zeros behind.
void conv_pack_block(
    const float *source, intptr_t source_stride, intptr_t channels, intptr_t pixels, float *target);

/// Weights [outputs / 16][tap][inputs][16] → [inputs / 16][tap][outputs][16], padding zero, for the
/// input blocks first..<last.
void conv_transpose_weights(
    const float *weights, intptr_t taps, intptr_t inputs, intptr_t outputs, intptr_t first,
    intptr_t last, float *transposed);

/// Depthwise convolution: every channel its own kernel, weights[tap][channel].
typedef struct {
  const float *source;  // forward: height × width; input gradient: output_height × output_width
  const float *weights;
  const float *output;  // weight gradient: output_height × output_width
  float *target;
  intptr_t channels;
  int32_t height, width, output_height, output_width;
  int32_t kernel, strides, padding;
  const float *zeros;          // as many as there are channels
  const float *scale, *shift;  // forward only, or NULL
  int rectify;
} depthwise_job;

void depthwise_forward(const depthwise_job *job);
void depthwise_input_gradient(const depthwise_job *job);
/// Adds one image's weight gradient to target[tap][channel].
void depthwise_weight_gradient(const depthwise_job *job);

#endif
