// The weight gradient: a block of rows (tap, input channel) × 16 output channels stays in registers
// while the pixels of some rows of an image go by. Those rows (8 KiB of either side) stay in the
// first cache while all taps and channels use them.

enum { FN(chunk_pixels) = 128 };

/// One pixel for the taps in `first..<last` of a row of three and two channels; x is the pixel of
/// the first tap of the row, `next[t]` the distance of tap t from it, `one` is 1.
INLINE void FN(three_taps)(
    v16 *sum, const float *x, const intptr_t *next, intptr_t one, v16 dy, const int first,
    const int last) {
  UNROLL for (int tap = first; tap < last; tap++) {
    const float *at = x + next[tap];
    sum[tap * 2] = FMA((v16)(at[0]), dy, sum[tap * 2]);
    sum[tap * 2 + 1] = FMA((v16)(at[one]), dy, sum[tap * 2 + 1]);
  }
}

/// Kernel width 3, stride 1, padding 1, width ≥ 2, an even number of channels: three taps of two
/// channels share each output vector, and the image's edges leave a tap out.
static void FN(gradient_rows_of_three)(
    const conv_gradient_job *job, const float *x, const float *dy, int from, int to) {
  intptr_t xs = job->source_stride, ys = job->output_stride;
  int width = job->width;
  // Seeing that neighbours share loads, the compiler would merge them and broadcast by shuffles,
  // which made this loop half as fast (43 instead of 90 GF/s on a Zen 3 core).
  intptr_t next[3] = {0, hidden(xs), hidden(2 * xs)}, one = hidden(1);
  for (int kh = 0; kh < job->kernel_height; kh++) {
    int first = from > job->padding - kh ? from : job->padding - kh;
    int last = job->height + job->padding - kh;
    if (last > to) last = to;
    if (first >= last) continue;
    for (intptr_t c = 0; c < job->inputs; c += 2) {
      float *g = job->gradient + kh * 3 * job->gradient_tap + c * conv_lanes;
      v16 sum[6];
      UNROLL for (int i = 0; i < 6; i++)
        sum[i] = load16(g + (i / 2) * job->gradient_tap + (i & 1) * conv_lanes);
      for (int y = first; y < last; y++) {
        const float *xr = x + ((intptr_t)(y + kh - job->padding) * width - 1) * xs + c;
        const float *yr = dy + (intptr_t)y * width * ys;
        FN(three_taps)(sum, xr, next, one, load16(yr), 1, 3);
        xr += xs, yr += ys;
#pragma clang loop vectorize(disable) unroll(disable)
        for (int i = 2; i < width; i++, xr += xs, yr += ys)
          FN(three_taps)(sum, xr, next, one, load16(yr), 0, 3);
        FN(three_taps)(sum, xr, next, one, load16(yr), 0, 2);
      }
      UNROLL for (int i = 0; i < 6; i++)
        store16(g + (i / 2) * job->gradient_tap + (i & 1) * conv_lanes, sum[i]);
    }
  }
}

/// One tap and `rows` channels from `c` on.
INLINE void FN(gradient_tap)(
    const conv_gradient_job *job, const float *x, const float *dy, int kh, int kw, int first_row,
    int last_row, int first, int last, intptr_t c, const int rows) {
  float *g = job->gradient + (kh * job->kernel_width + kw) * job->gradient_tap + c * conv_lanes;
  intptr_t xs = job->source_stride * job->strides, ys = job->output_stride;
  v16 sum[6];
  UNROLL for (int i = 0; i < rows; i++) sum[i] = load16(g + i * conv_lanes);
  for (int y = first_row; y < last_row; y++) {
    intptr_t row = (intptr_t)(y * job->strides + kh - job->padding) * job->width;
    const float *xr = x + (row + first * job->strides + kw - job->padding) * job->source_stride + c;
    const float *yr = dy + ((intptr_t)y * job->output_width + first) * ys;
#pragma clang loop vectorize(disable) unroll(disable)
    for (int i = first; i < last; i++, xr += xs, yr += ys) {
      v16 out = load16(yr);
      UNROLL for (int r = 0; r < rows; r++) sum[r] = FMA((v16)(xr[r]), out, sum[r]);
    }
  }
  UNROLL for (int i = 0; i < rows; i++) store16(g + i * conv_lanes, sum[i]);
}

/// The outputs 0..<count whose tap `k` lies inside 0..<size.
INLINE void FN(reach)(int k, int size, int count, int strides, int padding, int *first, int *last) {
  int low = padding - k, high = size + padding - k;
  *first = low <= 0 ? 0 : (low + strides - 1) / strides;
  int end = high <= 0 ? 0 : (high + strides - 1) / strides;
  *last = end < count ? end : count;
}

static void FN(gradient_tap_by_tap)(
    const conv_gradient_job *job, const float *x, const float *dy, int from, int to) {
  for (int kh = 0; kh < job->kernel_height; kh++) {
    int top, bottom;
    FN(reach)(kh, job->height, job->output_height, job->strides, job->padding, &top, &bottom);
    if (top < from) top = from;
    if (bottom > to) bottom = to;
    if (top >= bottom) continue;
    for (int kw = 0; kw < job->kernel_width; kw++) {
      int left, right;
      FN(reach)(kw, job->width, job->output_width, job->strides, job->padding, &left, &right);
      if (left >= right) continue;
#define ROWS(n) FN(gradient_tap)(job, x, dy, kh, kw, top, bottom, left, right, c, n)
      for (intptr_t c = 0; c < job->inputs;) {
        intptr_t rest = job->inputs - c;
        // 16 channels go as 6 + 5 + 5: six rows fill the registers, four would wait for them.
        int rows = rest >= 6 ? (rest == 10 ? 5 : 6) : (int)rest;
        switch (rows) {
          case 6: ROWS(6); break;
          case 5: ROWS(5); break;
          case 4: ROWS(4); break;
          case 3: ROWS(3); break;
          case 2: ROWS(2); break;
          default: ROWS(1); break;
        }
        c += rows;
      }
#undef ROWS
    }
  }
}

static void FN(conv_gradient_run)(const conv_gradient_job *job) {
  int three = job->kernel_width == 3 && job->strides == 1 && job->padding == 1 && job->width >= 2 &&
              job->output_width == job->width && job->inputs % 2 == 0;
  int rows = FN(chunk_pixels) / job->output_width;
  if (rows < 1) rows = 1;
  for (intptr_t image = 0; image < job->images; image++) {
    const float *x = job->source + image * job->source_image;
    const float *dy = job->output + image * job->output_image;
    for (int from = 0; from < job->output_height; from += rows) {
      int to = from + rows < job->output_height ? from + rows : job->output_height;
      if (three) {
        FN(gradient_rows_of_three)(job, x, dy, from, to);
      } else {
        FN(gradient_tap_by_tap)(job, x, dy, from, to);
      }
    }
  }
}

static void FN(conv_pack_block)(
    const float *source, intptr_t source_stride, intptr_t channels, intptr_t pixels, float *target) {
  if (channels >= conv_lanes) {
    for (intptr_t p = 0; p < pixels; p++)
      store16(target + p * conv_lanes, load16(source + p * source_stride));
  } else {
    for (intptr_t p = 0; p < pixels; p++)
      store16(target + p * conv_lanes, load_part(source + p * source_stride, channels));
  }
}
