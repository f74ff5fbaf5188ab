// The weight gradient: a block of rows (tap, input channel) × 16 output channels stays in registers
// while the pixels of a chunk go by: some rows of an image, or several small images. A chunk (8 KiB
// of either side) stays in the first cache while all taps and channels use it.

enum { FN(chunk_pixels) = 128 };

/// Rows from..<to of each of some images; x and dy are those of the first.
typedef struct {
  const float *x, *dy;
  intptr_t images;
  int from, to;
} FN(chunk);

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
    const conv_gradient_job *job, const FN(chunk) *chunk) {
  intptr_t xs = job->source_stride, ys = job->output_stride;
  int from = chunk->from, to = chunk->to;
  int width = job->width;
  // Seeing that neighbours share loads, the compiler would merge them and broadcast by shuffles,
  // which made this loop half as fast (43 instead of 90 GF/s on a Zen 3 core).
  intptr_t next[3] = {0, hidden(xs), hidden(2 * xs)}, one = hidden(1);
  for (int kh = 0; kh < job->kernel; kh++) {
    int first = from > job->padding - kh ? from : job->padding - kh;
    int last = job->height + job->padding - kh;
    if (last > to) last = to;
    if (first >= last) continue;
    for (intptr_t c = 0; c < job->inputs; c += 2) {
      float *g = job->gradient + kh * 3 * job->gradient_tap + c * conv_lanes;
      v16 sum[6];
      UNROLL for (int i = 0; i < 6; i++)
        sum[i] = load16(g + (i / 2) * job->gradient_tap + (i & 1) * conv_lanes);
      for (intptr_t image = 0; image < chunk->images; image++) {
        const float *x = chunk->x + image * job->source_image + c;
        const float *dy = chunk->dy + image * job->output_image;
        for (int y = first; y < last; y++) {
          const float *xr = x + ((intptr_t)(y + kh - job->padding) * width - 1) * xs;
          const float *yr = dy + (intptr_t)y * width * ys;
          FN(three_taps)(sum, xr, next, one, load16(yr), 1, 3);
          xr += xs, yr += ys;
#pragma clang loop vectorize(disable) unroll(disable)
          for (int i = 2; i < width; i++, xr += xs, yr += ys)
            FN(three_taps)(sum, xr, next, one, load16(yr), 0, 3);
          FN(three_taps)(sum, xr, next, one, load16(yr), 0, 2);
        }
      }
      UNROLL for (int i = 0; i < 6; i++)
        store16(g + (i / 2) * job->gradient_tap + (i & 1) * conv_lanes, sum[i]);
    }
  }
}

/// One tap, the outputs it reaches, and the first of its channels.
typedef struct {
  int kh, kw, top, bottom, left, right;
  intptr_t channel;
} FN(reached);

INLINE void FN(gradient_tap)(
    const conv_gradient_job *job, const FN(chunk) *chunk, const FN(reached) *at, const int rows) {
  float *g = job->gradient + (at->kh * job->kernel + at->kw) * job->gradient_tap +
             at->channel * conv_lanes;
  intptr_t xs = job->source_stride * job->strides, ys = job->output_stride;
  v16 sum[6];
  UNROLL for (int i = 0; i < rows; i++) sum[i] = load16(g + i * conv_lanes);
  for (intptr_t image = 0; image < chunk->images; image++) {
    const float *x = chunk->x + image * job->source_image + at->channel;
    const float *dy = chunk->dy + image * job->output_image;
    for (int y = at->top; y < at->bottom; y++) {
      intptr_t row = (intptr_t)(y * job->strides + at->kh - job->padding) * job->width;
      const float *xr =
          x + (row + at->left * job->strides + at->kw - job->padding) * job->source_stride;
      const float *yr = dy + ((intptr_t)y * job->output_width + at->left) * ys;
#pragma clang loop vectorize(disable) unroll(disable)
      for (int i = at->left; i < at->right; i++, xr += xs, yr += ys) {
        v16 out = load16(yr);
        UNROLL for (int r = 0; r < rows; r++) sum[r] = FMA((v16)(xr[r]), out, sum[r]);
      }
    }
  }
  UNROLL for (int i = 0; i < rows; i++) store16(g + i * conv_lanes, sum[i]);
}

static void FN(gradient_tap_by_tap)(const conv_gradient_job *job, const FN(chunk) *chunk) {
  FN(reached) at;
  for (at.kh = 0; at.kh < job->kernel; at.kh++) {
    FN(reach)
    (at.kh, job->height, job->output_height, job->strides, job->padding, &at.top, &at.bottom);
    if (at.top < chunk->from) at.top = chunk->from;
    if (at.bottom > chunk->to) at.bottom = chunk->to;
    if (at.top >= at.bottom) continue;
    for (at.kw = 0; at.kw < job->kernel; at.kw++) {
      FN(reach)
      (at.kw, job->width, job->output_width, job->strides, job->padding, &at.left, &at.right);
      if (at.left >= at.right) continue;
      for (at.channel = 0; at.channel < job->inputs;) {
        intptr_t rest = job->inputs - at.channel;
        // 16 channels go as 6 + 5 + 5: six rows fill the registers, four would wait for them.
        int rows = rest >= 6 ? (rest == 10 ? 5 : 6) : (int)rest;
        switch (rows) {
          case 6: FN(gradient_tap)(job, chunk, &at, 6); break;
          case 5: FN(gradient_tap)(job, chunk, &at, 5); break;
          case 4: FN(gradient_tap)(job, chunk, &at, 4); break;
          case 3: FN(gradient_tap)(job, chunk, &at, 3); break;
          case 2: FN(gradient_tap)(job, chunk, &at, 2); break;
          default: FN(gradient_tap)(job, chunk, &at, 1); break;
        }
        at.channel += rows;
      }
    }
  }
}

static void FN(conv_gradient_run)(const conv_gradient_job *job) {
  int three = job->kernel == 3 && job->strides == 1 && job->padding == 1 && job->width >= 2 &&
              job->output_width == job->width && job->inputs % 2 == 0;
  int rows = FN(chunk_pixels) / job->output_width;
  if (rows < 1) rows = 1;
  intptr_t images = rows / job->output_height;
  if (images < 1) images = 1;
  for (intptr_t image = 0; image < job->images; image += images) {
    FN(chunk) chunk = {
        .x = job->source + image * job->source_image,
        .dy = job->output + image * job->output_image,
        .images = job->images - image < images ? job->images - image : images,
    };
    for (chunk.from = 0; chunk.from < job->output_height; chunk.from += rows) {
      chunk.to = chunk.from + rows;
      if (chunk.to > job->output_height) chunk.to = job->output_height;
      if (three) {
        FN(gradient_rows_of_three)(job, &chunk);
      } else {
        FN(gradient_tap_by_tap)(job, &chunk);
      }
    }
  }
}

INLINE void FN(add_columns)(
    const float *x, intptr_t row, const float *y, intptr_t y_row, intptr_t lanes, intptr_t count,
    float *gradient, const int columns) {
  v16 sum[6];
  UNROLL for (int i = 0; i < columns; i++) sum[i] = load16(gradient + i * 16);
#pragma clang loop vectorize(disable) unroll(disable)
  for (intptr_t p = 0; p < count; p++) {
    v16 g = lanes == 16 ? load16(y + p * y_row) : load_part(y + p * y_row, lanes);
    UNROLL for (int i = 0; i < columns; i++) sum[i] = FMA((v16)(x[p * row + i]), g, sum[i]);
  }
  UNROLL for (int i = 0; i < columns; i++) store16(gradient + i * 16, sum[i]);
}

/// gradient[c][16] += Σ_p x[p][c] · y[p][0..<lanes] for the pixels in order and some of the channels:
/// the part `six` of (inputs + 5) / 6 balanced ones.
INLINE void FN(add_six)(
    const float *x, intptr_t row, intptr_t inputs, intptr_t six, const float *y, intptr_t y_row,
    intptr_t lanes, intptr_t count, float *gradient) {
  intptr_t sixes = (inputs + 5) / 6;
  // 16 channels go as 5 + 5 + 6; a short rest would wait for its own sums.
  intptr_t c = inputs * six / sixes;
  const float *at = x + c;
  float *g = gradient + c * 16;
  switch (inputs * (six + 1) / sixes - c) {
    case 1: FN(add_columns)(at, row, y, y_row, lanes, count, g, 1); break;
    case 2: FN(add_columns)(at, row, y, y_row, lanes, count, g, 2); break;
    case 3: FN(add_columns)(at, row, y, y_row, lanes, count, g, 3); break;
    case 4: FN(add_columns)(at, row, y, y_row, lanes, count, g, 4); break;
    case 5: FN(add_columns)(at, row, y, y_row, lanes, count, g, 5); break;
    default: FN(add_columns)(at, row, y, y_row, lanes, count, g, 6); break;
  }
}

/// The same for all channels.
INLINE void FN(add_products)(
    const float *x, intptr_t row, intptr_t inputs, const float *y, intptr_t y_row, intptr_t lanes,
    intptr_t count, float *gradient) {
  for (intptr_t six = 0; six < (inputs + 5) / 6; six++)
    FN(add_six)(x, row, inputs, six, y, y_row, lanes, count, gradient);
}

enum { FN(pointwise_chunk) = 64 };  // pixels whose channels of both sides stay in the first caches

static void FN(pointwise_gradient)(const pointwise_gradient_job *job) {
  for (intptr_t p = 0; p < job->pixels; p += FN(pointwise_chunk)) {
    intptr_t count = job->pixels - p;
    if (count > FN(pointwise_chunk)) count = FN(pointwise_chunk);
    const float *x = job->source + p * job->source_stride;
    const float *y = job->output + p * job->output_stride;
    float *g = job->gradient;
    intptr_t o = 0;
    for (; o + 16 <= job->outputs; o += 16, g += job->inputs * 16)
      FN(add_products)(x, job->source_stride, job->inputs, y + o, job->output_stride, 16, count, g);
    if (o < job->outputs)
      FN(add_products)
    (x, job->source_stride, job->inputs, y + o, job->output_stride, job->outputs - o, count, g);
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
