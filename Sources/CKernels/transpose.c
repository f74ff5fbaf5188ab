// Once per step and layer, so plain loops: 16 × 16 blocks, read in rows.

#include <string.h>

#include "convolution.h"

void conv_transpose_weights(
    const float *weights, intptr_t taps, intptr_t inputs, intptr_t outputs, intptr_t first,
    intptr_t last, float *transposed) {
  for (intptr_t block = first; block < last; block++) {
    intptr_t lanes = inputs - block * conv_lanes;
    if (lanes > conv_lanes) lanes = conv_lanes;
    float *target = transposed + block * taps * outputs * conv_lanes;
    if (lanes < conv_lanes) memset(target, 0, (size_t)(taps * outputs * conv_lanes) * sizeof *target);
    for (intptr_t o = 0; o < outputs; o += conv_lanes) {
      intptr_t rows = outputs - o < conv_lanes ? outputs - o : conv_lanes;
      for (intptr_t tap = 0; tap < taps; tap++) {
        const float *s =
            weights + ((o / conv_lanes * taps + tap) * inputs + block * conv_lanes) * conv_lanes;
        float *t = target + (tap * outputs + o) * conv_lanes;
        for (intptr_t c = 0; c < lanes; c++)
          for (intptr_t r = 0; r < rows; r++) t[r * conv_lanes + c] = s[c * conv_lanes + r];
      }
    }
  }
}
