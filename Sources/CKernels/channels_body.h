// Channels moved within a pixel. A run of 16 or more floats ends in a vector that overlaps the one
// before it, so that it leaves no rest.

#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define LOW_PAIRS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_PAIRS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

/// The steps of 16 through a run of 16 or more, the last one back from its end; none in a shorter run.
#define EACH_16(i, count)                              \
  for (intptr_t i = 0; (count) >= 16 && i < (count);   \
       i = i + 16 < (count) && i + 32 > (count) ? (count)-16 : i + 16)
/// The single steps through a run shorter than 16.
#define EACH_OF_FEW(i, count) for (intptr_t i = 0; (count) < 16 && i < (count); i++)

INLINE void FN(interleave_run)(const float *a, const float *b, float *y, intptr_t count) {
  EACH_16(i, count) {
    v16 va = load16(a + i), vb = load16(b + i);
    store16(y + 2 * i, __builtin_shufflevector(va, vb, LOW_PAIRS));
    store16(y + 2 * i + 16, __builtin_shufflevector(va, vb, HIGH_PAIRS));
  }
  EACH_OF_FEW(i, count) {
    y[2 * i] = a[i];
    y[2 * i + 1] = b[i];
  }
}

INLINE void FN(deinterleave_run)(const float *y, float *a, float *b, intptr_t count) {
  EACH_16(i, count) {
    v16 low = load16(y + 2 * i), high = load16(y + 2 * i + 16);
    store16(a + i, __builtin_shufflevector(low, high, EVEN_LANES));
    store16(b + i, __builtin_shufflevector(low, high, ODD_LANES));
  }
  EACH_OF_FEW(i, count) {
    a[i] = y[2 * i];
    b[i] = y[2 * i + 1];
  }
}

static void FN(interleave)(const interleave_job *job) {
  intptr_t half = job->channels / 2;
  for (intptr_t p = 0; p < job->pixels; p++) {
    const float *a = job->first + p * job->channels, *b = job->second + p * job->channels;
    FN(interleave_run)(a, b, job->low + p * job->stride, half);
    FN(interleave_run)(a + half, b + half, job->high + p * job->stride, half);
  }
}

static void FN(deinterleave)(const interleave_job *job) {
  intptr_t half = job->channels / 2;
  for (intptr_t p = 0; p < job->pixels; p++) {
    float *a = job->first + p * job->channels, *b = job->second + p * job->channels;
    FN(deinterleave_run)(job->low + p * job->stride, a, b, half);
    FN(deinterleave_run)(job->high + p * job->stride, a + half, b + half, half);
  }
}

/// One pixel's rows × columns numbers in the order of the columns. With either size known the
/// compiler moves vectors.
INLINE void FN(transpose_pixel)(const float *x, intptr_t rows, intptr_t columns, float *y) {
  for (intptr_t c = 0; c < columns; c++) {
    for (intptr_t r = 0; r < rows; r++) y[c * rows + r] = x[r * columns + c];
  }
}

static void FN(shuffle_channels)(
    const float *restrict x, intptr_t pixels, intptr_t channels, intptr_t groups,
    float *restrict y) {
  intptr_t each = channels / groups;
  for (intptr_t p = 0; p < pixels; p++, x += channels, y += channels) {
    if (groups == 3) {
      FN(transpose_pixel)(x, 3, each, y);
    } else if (each == 3) {
      FN(transpose_pixel)(x, groups, 3, y);
    } else {
      FN(transpose_pixel)(x, groups, each, y);
    }
  }
}

INLINE void FN(move_run)(const float *x, float *y, intptr_t count, int rectify) {
  EACH_16(i, count) {
    v16 v = load16(x + i);
    store16(y + i, rectify ? rectified(v) : v);
  }
  EACH_OF_FEW(i, count) y[i] = rectify && x[i] < 0 ? 0 : x[i];
}

INLINE void FN(masked_run)(const float *g, const float *y, float *x, intptr_t count) {
  EACH_16(i, count) store16(x + i, load16(y + i) > 0.0f ? load16(g + i) : (v16)0.0f);
  EACH_OF_FEW(i, count) x[i] = y[i] > 0 ? g[i] : 0;
}

static void FN(join_channels)(const join_job *job) {
  intptr_t m = job->first_channels, n = job->second_channels;
  for (intptr_t p = 0; p < job->pixels; p++) {
    float *joined = job->joined + p * (m + n);
    FN(move_run)(job->first + p * m, joined, m, job->rectify);
    FN(move_run)(job->second + p * n, joined + m, n, job->rectify);
  }
}

static void FN(separate_channels)(const join_job *job) {
  intptr_t m = job->first_channels, n = job->second_channels;
  for (intptr_t p = 0; p < job->pixels; p++) {
    const float *joined = job->joined + p * (m + n);
    if (job->y) {
      const float *y = job->y + p * (m + n);
      FN(masked_run)(joined, y, job->first + p * m, m);
      FN(masked_run)(joined + m, y + m, job->second + p * n, n);
    } else {
      FN(move_run)(joined, job->first + p * m, m, 0);
      FN(move_run)(joined + m, job->second + p * n, n, 0);
    }
  }
}
