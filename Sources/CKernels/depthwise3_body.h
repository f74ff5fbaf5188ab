// Depthwise convolution with 3×3 kernels, padding 1 and stride 1 or 2, the kind that networks use:
// four neighbouring outputs at a time share their inputs and weights. Taps are summed in order, rows
// before columns; pixels outside the image are read as zeros.

enum {
  FN(strip) = 4,
  FN(strip_columns) = 9,  // that four outputs read with stride 2
};

/// The pixels that `count` outputs from (oy, ox) on read, found once for all their channels.
typedef struct {
  const float *at[3 * FN(strip_columns)];
} FN(strip_pixels);

INLINE void FN(depthwise_find)(
    const depthwise_job *job, int oy, int ox, const int stride, const int count,
    FN(strip_pixels) *pixels) {
  UNROLL for (int kh = 0; kh < 3; kh++) {
    int y = oy * stride - 1 + kh;
    UNROLL for (int j = 0; j < (count - 1) * stride + 3; j++) {
      int x = ox * stride - 1 + j;
      int inside = y >= 0 && y < job->height && x >= 0 && x < job->width;
      pixels->at[kh * FN(strip_columns) + j] =
          inside ? job->source + ((intptr_t)y * job->width + x) * job->channels : job->zeros;
    }
  }
}

/// Channels c..<c+n of the outputs; `turned`: with the kernel turned by 180°.
INLINE void FN(depthwise_strip)(
    const depthwise_job *job, const FN(strip_pixels) *pixels, float *target, intptr_t c, intptr_t n,
    const int stride, const int count, const int turned) {
  intptr_t channels = job->channels;
  WV sum[FN(strip)];
  UNROLL for (int i = 0; i < count; i++) sum[i] = 0;
  UNROLL for (int kh = 0; kh < 3; kh++) {
    const float *w = job->weights + (turned ? 8 - kh * 3 : kh * 3) * channels + c;
    WV weight[3];
    UNROLL for (int k = 0; k < 3; k++) weight[k] = FN(wv_get)(w + (turned ? -k : k) * channels, n);
    UNROLL for (int j = 0; j < (count - 1) * stride + 3; j++) {
      WV v = FN(wv_get)(pixels->at[kh * FN(strip_columns) + j] + c, n);
      UNROLL for (int i = 0; i < count; i++) {
        int k = j - i * stride;
        if (k >= 0 && k < 3) sum[i] = FMA(v, weight[k], sum[i]);
      }
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    WV v = sum[i];
    if (job->scale) {
      v = FMA(v, WV_LOAD(job->scale + c), WV_LOAD(job->shift + c));
    } else if (job->shift) {
      v += WV_LOAD(job->shift + c);
    }
    if (job->rectify) v = v < 0.0f ? (WV)0.0f : v;
    FN(wv_put)(target + i * channels + c, v, n);
  }
}

/// Adds the products of the same outputs, now gradients, to nine taps' sums.
INLINE void FN(depthwise_strip_weights)(
    const depthwise_job *job, const FN(strip_pixels) *pixels, const float *gradient, intptr_t c,
    intptr_t n, const int stride, const int count) {
  intptr_t channels = job->channels;
  WV g[FN(strip)];
  UNROLL for (int i = 0; i < count; i++) g[i] = FN(wv_get)(gradient + i * channels + c, n);
  UNROLL for (int kh = 0; kh < 3; kh++) {
    float *target = job->target + kh * 3 * channels + c;
    WV sum[3];
    UNROLL for (int k = 0; k < 3; k++) sum[k] = FN(wv_get)(target + k * channels, n);
    UNROLL for (int j = 0; j < (count - 1) * stride + 3; j++) {
      WV v = FN(wv_get)(pixels->at[kh * FN(strip_columns) + j] + c, n);
      UNROLL for (int i = 0; i < count; i++) {
        int k = j - i * stride;
        if (k >= 0 && k < 3) sum[k] = FMA(v, g[i], sum[k]);
      }
    }
    UNROLL for (int k = 0; k < 3; k++) FN(wv_put)(target + k * channels, sum[k], n);
  }
}

/// Calls RUN(c, lanes, count) for every register of channels of every strip of outputs, with
/// `pixels` and the offset `at` of the first output.
#define EACH_STRIP(job, stride, RUN)                                                        \
  for (int oy = 0; oy < (job)->output_height; oy++) {                                       \
    for (int ox = 0; ox < (job)->output_width;) {                                           \
      FN(strip_pixels) pixels;                                                              \
      intptr_t at = ((intptr_t)oy * (job)->output_width + ox) * (job)->channels;            \
      intptr_t whole = (job)->channels / ALL_LANES * ALL_LANES, rest = (job)->channels - whole; \
      if ((job)->output_width - ox >= FN(strip)) {                                          \
        FN(depthwise_find)(job, oy, ox, stride, FN(strip), &pixels);                        \
        for (intptr_t c = 0; c < whole; c += ALL_LANES) RUN(c, ALL_LANES, FN(strip));       \
        if (rest > 0) RUN(whole, rest, FN(strip));                                          \
        ox += FN(strip);                                                                    \
      } else {                                                                              \
        FN(depthwise_find)(job, oy, ox, stride, 1, &pixels);                                \
        for (intptr_t c = 0; c < whole; c += ALL_LANES) RUN(c, ALL_LANES, 1);               \
        if (rest > 0) RUN(whole, rest, 1);                                                  \
        ox += 1;                                                                            \
      }                                                                                     \
    }                                                                                       \
  }

INLINE void FN(depthwise3)(const depthwise_job *job, const int stride, const int turned) {
#define RUN(c, n, count) \
  FN(depthwise_strip)(job, &pixels, job->target + at, c, n, stride, count, turned)
  EACH_STRIP(job, stride, RUN)
#undef RUN
}

INLINE void FN(depthwise3_gradient)(const depthwise_job *job, const int stride) {
#define RUN(c, n, count) \
  FN(depthwise_strip_weights)(job, &pixels, job->output + at, c, n, stride, count)
  EACH_STRIP(job, stride, RUN)
#undef RUN
}
