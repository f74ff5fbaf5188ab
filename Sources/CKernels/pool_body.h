// Pooling of one image, 16 channels at a time.

/// Calls BODY for every output pixel with the window's bounds inside the image in y0..<y1, x0..<x1.
#define EACH_WINDOW(job, BODY)                                                            \
  for (int oy = 0; oy < job->output_height; oy++) {                                       \
    int y0 = oy * job->strides - job->padding, y1 = y0 + job->kernel;                     \
    if (y0 < 0) y0 = 0;                                                                   \
    if (y1 > job->height) y1 = job->height;                                               \
    for (int ox = 0; ox < job->output_width; ox++) {                                      \
      int x0 = ox * job->strides - job->padding, x1 = x0 + job->kernel;                   \
      if (x0 < 0) x0 = 0;                                                                 \
      if (x1 > job->width) x1 = job->width;                                               \
      intptr_t out = ((intptr_t)oy * job->output_width + ox) * channels;                  \
      EACH_BLOCK(c, n) { BODY }                                                           \
    }                                                                                     \
  }

#define EACH_TAP(job) \
  for (int y = y0; y < y1; y++) \
    for (intptr_t x = x0, at = ((intptr_t)y * job->width + x0) * channels + c; x < x1; x++, at += channels)

static void FN(max_pool)(const pool_job *job) {
  intptr_t channels = job->channels;
  EACH_WINDOW(job, {
    v16 best = -__builtin_inff();
    EACH_TAP(job) {
      v16 v = FN(get)(job->x + at, n);
      best = ((v > best) | (v != v)) ? v : best;  // a NaN must come through, as in PyTorch
    }
    FN(put)(job->target + out + c, best, n);
  })
}

static void FN(max_pool_gradient)(const pool_job *job) {
  intptr_t channels = job->channels;
  __builtin_memset(
      job->target, 0, (size_t)(job->height * (intptr_t)job->width * channels) * sizeof(float));
  EACH_WINDOW(job, {
    v16 best = -__builtin_inff();
    EACH_TAP(job) {
      v16 v = FN(get)(job->x + at, n);
      best = ((v > best) | (v != v)) ? v : best;
    }
    v16 rest = FN(get)(job->gradient + out + c, n);
    EACH_TAP(job) {
      v16 here = FN(get)(job->x + at, n) == best ? rest : (v16)0.0f;
      FN(put)(job->target + at, FN(get)(job->target + at, n) + here, n);
      rest = FN(get)(job->x + at, n) == best ? (v16)0.0f : rest;
    }
  })
}

static void FN(average_pool)(const pool_job *job) {
  intptr_t channels = job->channels;
  v16 share = 1.0f / (float)(job->kernel * job->kernel);
  EACH_WINDOW(job, {
    v16 sum = 0;
    EACH_TAP(job) sum += FN(get)(job->x + at, n);
    FN(put)(job->target + out + c, sum * share, n);
  })
}

static void FN(average_pool_gradient)(const pool_job *job) {
  intptr_t channels = job->channels;
  v16 share = 1.0f / (float)(job->kernel * job->kernel);
  __builtin_memset(
      job->target, 0, (size_t)(job->height * (intptr_t)job->width * channels) * sizeof(float));
  EACH_WINDOW(job, {
    v16 g = FN(get)(job->gradient + out + c, n) * share;
    EACH_TAP(job) FN(put)(job->target + at, FN(get)(job->target + at, n) + g, n);
  })
}

static void FN(channel_sums)(const float *x, intptr_t pixels, intptr_t channels, float *sum) {
  EACH_BLOCK(c, n) {
    v16 s = 0;
    for (intptr_t p = 0; p < pixels; p++) s += FN(get)(x + p * channels + c, n);
    FN(put)(sum + c, s, n);
  }
}

static void FN(global_average)(const float *x, intptr_t pixels, intptr_t channels, float *mean) {
  FN(channel_sums)(x, pixels, channels, mean);
  float share = 1.0f / (float)pixels;
  for (intptr_t c = 0; c < channels; c++) mean[c] *= share;
}
