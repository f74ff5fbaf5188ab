// Winograd's minimal filtering F(4×4, 3×3) (arXiv 1509.09308): a 3×3 convolution with stride 1 and
// padding 1 by a quarter of the multiplications, on tiles of 4×4 output pixels.
#ifndef CKERNELS_WINOGRAD_H
#define CKERNELS_WINOGRAD_H

#include <stdint.h>

enum {
  winograd_tile = 4,    // output pixels of a tile along either side
  winograd_planes = 36  // elements of a transformed tile: 6 × 6
};

/// Some tiles of a batch, and their transform: planes[plane][tile][channel].
///
/// Tiles count through images, rows and columns; those at the right and lower edge may stick out of
/// the image.
typedef struct {
  const float *image;  // the first image of the batch, N×H×W×C; read only
  float *target;       // where tiles become pixels: the first image of the result
  intptr_t channels;   // of the images
  int32_t height, width, tiles_down, tiles_across;
  intptr_t first, count;  // tiles
  float *planes;
  intptr_t plane;  // floats from plane to plane
  intptr_t row;    // floats from tile to tile within a plane: channels rounded up to 16
} winograd_tiles;

/// planes = Bᵀ·d·B of every tile's 6×6 input pixels d; zeros outside the image.
void winograd_input(const winograd_tiles *tiles);
/// planes = A·g·Aᵀ of every tile's 4×4 output gradients g; zeros outside the image.
void winograd_output_gradient(const winograd_tiles *tiles);

/// What is done to the sums before they are stored, in this order: · scale, + shift (both padded
/// to blocks of 16), + addend (lies like the target), max(·, 0).
typedef struct {
  const float *scale, *shift, *addend;
  int rectify;
} winograd_finish;

/// target = Aᵀ·m·A of every tile's planes m, finished, for the channels first..<last.
void winograd_output(
    const winograd_tiles *tiles, intptr_t first, intptr_t last, const winograd_finish *finish);

/// Bytes from..<to that are wanted soon. They are fetched into the caches a few lines at a time
/// beside the arithmetic that comes first: transforms do little with what they read, and would wait
/// for memory.
typedef struct {
  const void *from, *to;
} winograd_span;

enum { winograd_spans = 3 };  // as many are fetched at a time; those that are not wanted are empty

/// One matrix product a plane: product[plane][tile][o] = Σ_c input[plane][tile][c] ·
/// weights[o / 16][plane][c][o % 16], for the blocks first..<last of 16 outputs.
typedef struct {
  const winograd_tiles *input, *product;
  const float *weights;
  intptr_t weight_block;  // floats from one block of 16 outputs to the next
  intptr_t first, last;
  winograd_span soon[winograd_spans];
} winograd_product;

void winograd_multiply(const winograd_product *job);

/// gradient[o / 16][plane][c][o % 16] += Σ_tiles input[plane][tile][c] · output[plane][tile][o], in
/// the order of the tiles, for the planes first..<last.
typedef struct {
  const winograd_tiles *input, *output;
  float *gradient;
  intptr_t gradient_block;
  intptr_t first, last;
  winograd_span soon[winograd_spans];
} winograd_accumulation;

void winograd_accumulate(const winograd_accumulation *job);

/// transformed[o / 16][plane][c][16] = G·w·Gᵀ of weights[o / 16][tap][c][16], for the rows
/// first..<last of 16 outputs: row (o / 16)·inputs + c. `rotated`: w turned by 180°, as the input
/// gradient needs it.
void winograd_weights(
    const float *weights, intptr_t inputs, intptr_t first, intptr_t last, int rotated,
    float *transformed);

/// gradient[o / 16][tap][c][16] += Gᵀ·u·G, where u[o / 16][plane][c][16] is the sum of `parts` arrays
/// `part` floats apart, added in order; for the rows first..<last as above.
void winograd_weight_gradient(
    const float *transformed, intptr_t parts, intptr_t part, intptr_t inputs, intptr_t first,
    intptr_t last, float *gradient);

#endif
