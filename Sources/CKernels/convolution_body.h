// The direct convolution: a tile of up to six output pixels × 16 output channels stays in registers
// while taps and input channels go by; one broadcast input value meets one weight vector.

INLINE void FN(finish)(const conv_job *job, const conv_tile *tile, intptr_t block, v16 *sum, const int pixels) {
  intptr_t first = block * conv_lanes;
  intptr_t valid = job->outputs - first;
  if (job->scale) {
    v16 scale = load16(job->scale + first), shift = load16(job->shift + first);
    UNROLL for (int i = 0; i < pixels; i++) sum[i] = FMA(sum[i], scale, shift);
  } else if (job->shift) {
    v16 shift = load16(job->shift + first);
    UNROLL for (int i = 0; i < pixels; i++) sum[i] += shift;
  }
  if (valid >= conv_lanes) {
    if (job->addend) {
      UNROLL for (int i = 0; i < pixels; i++)
        sum[i] += load16(job->addend + tile->target[i] * job->target_stride + first);
    }
    if (job->rectify) {
      UNROLL for (int i = 0; i < pixels; i++) sum[i] = rectified(sum[i]);
    }
    UNROLL for (int i = 0; i < pixels; i++)
      store16(job->target + tile->target[i] * job->target_stride + first, sum[i]);
    return;
  }
  UNROLL for (int i = 0; i < pixels; i++) {
    intptr_t at = tile->target[i] * job->target_stride + first;
    v16 v = sum[i];
    if (job->addend) v += load_part(job->addend + at, valid);
    if (job->rectify) v = rectified(v);
    store_part(job->target + at, v, valid);
  }
}

INLINE void FN(tile)(const conv_job *job, const conv_tile *tile, intptr_t block, const int pixels) {
  const conv_plan *plan = job->plan;
  const float *weights = job->weights + block * job->weight_block;
  intptr_t inputs = job->inputs, stride = job->source_stride;
  v16 sum[conv_tile_pixels];
  UNROLL for (int i = 0; i < pixels; i++) sum[i] = 0;
  for (int k = 0; k < tile->taps; k++) {
    const float *p[conv_tile_pixels];
    if (tile->mixed < 0) {
      intptr_t move = plan->displacement[tile->first + k];
      UNROLL for (int i = 0; i < pixels; i++) p[i] = job->source + (tile->source[i] + move) * stride;
    } else {
      const int32_t *from = plan->sources + tile->mixed + k * conv_tile_pixels;
      UNROLL for (int i = 0; i < pixels; i++)
        p[i] = from[i] < 0 ? plan->zeros : job->source + from[i] * stride;
    }
    const float *w = weights + plan->tap[tile->first + k] * inputs * conv_lanes;
#pragma clang loop vectorize(disable) unroll(disable)
    for (intptr_t c = 0; c < inputs; c++) {
      v16 weight = load16(w + c * conv_lanes);
      UNROLL for (int i = 0; i < pixels; i++) sum[i] = FMA((v16)(p[i][c]), weight, sum[i]);
    }
  }
  FN(finish)(job, tile, block, sum, pixels);
}

static void FN(conv_run)(const conv_job *job) {
  intptr_t blocks = (job->outputs + conv_lanes - 1) / conv_lanes;
  for (intptr_t block = 0; block < blocks; block++) {
    for (intptr_t t = 0; t < job->plan->count; t++) {
      const conv_tile *tile = &job->plan->tiles[t];
      switch (tile->pixels) {
        case 6: FN(tile)(job, tile, block, 6); break;
        case 5: FN(tile)(job, tile, block, 5); break;
        case 4: FN(tile)(job, tile, block, 4); break;
        case 3: FN(tile)(job, tile, block, 3); break;
        case 2: FN(tile)(job, tile, block, 2); break;
        default: FN(tile)(job, tile, block, 1); break;
      }
    }
  }
}

/// The outputs 0..<count whose tap `k` lies inside 0..<size.
INLINE void FN(reach)(int k, int size, int count, int strides, int padding, int *first, int *last) {
  int low = padding - k, high = size + padding - k;
  *first = low <= 0 ? 0 : (low + strides - 1) / strides;
  int end = high <= 0 ? 0 : (high + strides - 1) / strides;
  *last = end < count ? end : count;
}
