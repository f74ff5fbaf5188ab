// Depthwise convolution with 3×3 kernels, padding 1 and stride 1 or 2, the kind that networks use:
// four neighbouring outputs at a time share their inputs and weights. Taps are summed in order, rows
// before columns; columns outside the image are read as zeros.

enum { FN(strip) = 4 };

/// One row of channels c..<c+n at column x of an image row, zeros outside the image.
INLINE WV FN(depthwise_at)(
    const float *row, int x, int width, intptr_t channels, intptr_t c, intptr_t n, const int inside) {
  if (!inside && (x < 0 || x >= width)) return 0;
  const float *p = row + x * channels + c;
  return n >= FN(wv_lanes) ? WV_LOAD(p) : WV_LOAD_PART(p, n);
}

/// The rows of the kernel that meet the image at output row oy.
#define DEPTHWISE_ROWS(job, oy, top, bottom)                                              \
  int top = (oy) == 0 ? 1 : 0;                                                            \
  int bottom = (job)->height + 1 - (oy) * (job)->strides < 3                              \
                   ? (job)->height + 1 - (oy) * (job)->strides                            \
                   : 3;

/// Outputs ox..<ox+count of a row; `turned`: with the kernel turned by 180°.
INLINE void FN(depthwise_strip)(
    const depthwise_job *job, int oy, int ox, intptr_t c, intptr_t n, int top, int bottom,
    const int stride, const int count, const int turned, const int inside) {
  intptr_t channels = job->channels;
  WV sum[FN(strip)];
  UNROLL for (int i = 0; i < count; i++) sum[i] = 0;
  for (int kh = top; kh < bottom; kh++) {
    const float *row = job->source + (intptr_t)(oy * stride - 1 + kh) * job->width * channels;
    const float *w = job->weights + (turned ? 2 - kh : kh) * 3 * channels + c;
    WV weight[3];
    UNROLL for (int k = 0; k < 3; k++) {
      const float *at = w + (turned ? 2 - k : k) * channels;
      weight[k] = n >= FN(wv_lanes) ? WV_LOAD(at) : WV_LOAD_PART(at, n);
    }
    UNROLL for (int j = 0; j < (count - 1) * stride + 3; j++) {
      WV v = FN(depthwise_at)(row, ox * stride - 1 + j, job->width, channels, c, n, inside);
      UNROLL for (int i = 0; i < count; i++) {
        int k = j - i * stride;
        if (k >= 0 && k < 3) sum[i] = FMA(v, weight[k], sum[i]);
      }
    }
  }
  float *target = job->target + ((intptr_t)oy * job->output_width + ox) * channels + c;
  UNROLL for (int i = 0; i < count; i++) {
    WV v = sum[i];
    if (job->scale) {
      v = FMA(v, WV_LOAD(job->scale + c), WV_LOAD(job->shift + c));
    } else if (job->shift) {
      v += WV_LOAD(job->shift + c);
    }
    if (job->rectify) v = v < 0.0f ? (WV)0.0f : v;
    if (n >= FN(wv_lanes)) {
      WV_STORE(target + i * channels, v);
    } else {
      WV_STORE_PART(target + i * channels, v, n);
    }
  }
}

INLINE void FN(depthwise3)(const depthwise_job *job, const int stride, const int turned) {
  for (int oy = 0; oy < job->output_height; oy++) {
    DEPTHWISE_ROWS(job, oy, top, bottom)
    for (int ox = 0; ox < job->output_width;) {
      int four = job->output_width - ox >= FN(strip);
      int inside = ox > 0 && (ox + FN(strip) - 1) * stride + 1 < job->width;
      EACH_WV(c, n, job->channels, job->channels) {
        if (!four) {
          FN(depthwise_strip)(job, oy, ox, c, n, top, bottom, stride, 1, turned, 0);
        } else if (inside) {
          FN(depthwise_strip)(job, oy, ox, c, n, top, bottom, stride, FN(strip), turned, 1);
        } else {
          FN(depthwise_strip)(job, oy, ox, c, n, top, bottom, stride, FN(strip), turned, 0);
        }
      }
      ox += four ? FN(strip) : 1;
    }
  }
}

/// One output row's sums for one register of channels: three taps of each of `rows` kernel rows stay
/// in registers.
INLINE void FN(depthwise3_weights)(
    const depthwise_job *job, int oy, int top, intptr_t c, intptr_t n, const int stride,
    const int rows) {
  intptr_t channels = job->channels, line = job->width * channels;
  const float *gradient = job->output + (intptr_t)oy * job->output_width * channels + c;
  const float *row = job->source + (intptr_t)(oy * stride - 1 + top) * line;
  float *target = job->target + top * 3 * channels + c;
  WV sum[9];
  UNROLL for (int k = 0; k < 3 * rows; k++)
    sum[k] = n >= FN(wv_lanes) ? WV_LOAD(target + k * channels)
                               : WV_LOAD_PART(target + k * channels, n);
  for (int ox = 0; ox < job->output_width; ox++) {
    const float *at = gradient + ox * channels;
    WV g = n >= FN(wv_lanes) ? WV_LOAD(at) : WV_LOAD_PART(at, n);
    int x = ox * stride - 1;
    if (x >= 0 && x + 2 < job->width) {
      UNROLL for (int k = 0; k < 3 * rows; k++)
        sum[k] = FMA(FN(depthwise_at)(row + k / 3 * line, x + k % 3, job->width, channels, c, n, 1), g, sum[k]);
    } else {
      UNROLL for (int k = 0; k < 3 * rows; k++)
        sum[k] = FMA(FN(depthwise_at)(row + k / 3 * line, x + k % 3, job->width, channels, c, n, 0), g, sum[k]);
    }
  }
  UNROLL for (int k = 0; k < 3 * rows; k++) {
    if (n >= FN(wv_lanes)) {
      WV_STORE(target + k * channels, sum[k]);
    } else {
      WV_STORE_PART(target + k * channels, sum[k], n);
    }
  }
}

INLINE void FN(depthwise3_gradient)(const depthwise_job *job, const int stride) {
  for (int oy = 0; oy < job->output_height; oy++) {
    DEPTHWISE_ROWS(job, oy, top, bottom)
    EACH_WV(c, n, job->channels, job->channels) {
      switch (bottom - top) {
        case 3: FN(depthwise3_weights)(job, oy, top, c, n, stride, 3); break;
        case 2: FN(depthwise3_weights)(job, oy, top, c, n, stride, 2); break;
        default: FN(depthwise3_weights)(job, oy, top, c, n, stride, 1); break;
      }
    }
  }
}
