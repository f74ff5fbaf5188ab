// Batch normalisation. Sums go channel block by channel block through one image, which the second
// cache holds; everything else goes pixel by pixel.

static void FN(norm_moments)(
    const float *x, intptr_t pixels, intptr_t channels, float *sum, float *square) {
  EACH_BLOCK(c, n) {
    v16 first = FN(get)(x + c, n), s = 0, q = 0, s2 = 0, q2 = 0;
    intptr_t p = 1;
    for (; p + 1 < pixels; p += 2) {
      v16 a = FN(get)(x + p * channels + c, n) - first;
      v16 b = FN(get)(x + (p + 1) * channels + c, n) - first;
      s += a, s2 += b;
      q = FMA(a, a, q), q2 = FMA(b, b, q2);
    }
    if (p < pixels) {
      v16 a = FN(get)(x + p * channels + c, n) - first;
      s += a, q = FMA(a, a, q);
    }
    store16(sum + c, s + s2);
    store16(square + c, q + q2);
  }
}

static void FN(norm_apply)(const norm_job *job) {
  intptr_t channels = job->channels;
  for (intptr_t p = 0; p < job->pixels; p++) {
    EACH_BLOCK(c, n) {
      intptr_t at = p * channels + c;
      v16 v = FMA(FN(get)(job->x + at, n), load16(job->scale + c), load16(job->shift + c));
      if (job->addend) v += FN(get)(job->addend + at, n);
      if (job->rectify) v = rectified(v);
      FN(put)(job->y + at, v, n);
    }
  }
}

/// The gradient before the rectifier at one place.
INLINE v16 FN(masked)(const norm_gradient_job *job, intptr_t at, v16 x, v16 scale, v16 shift, intptr_t n) {
  v16 g = FN(get)(job->gradient + at, n);
  if (!job->rectify) return g;
  v16 y = job->y ? FN(get)(job->y + at, n) : FMA(x, scale, shift);
  return y > 0.0f ? g : (v16)0.0f;
}

static void FN(norm_gradient_sums)(const norm_gradient_job *job, float *sum, float *product) {
  intptr_t channels = job->channels;
  EACH_BLOCK(c, n) {
    v16 scale = load16(job->scale + c), shift = load16(job->shift + c);
    v16 mean = load16(job->mean + c), s = 0, q = 0, s2 = 0, q2 = 0;
    // Two sums each, of even and of odd pixels: one alone would wait for itself.
    for (intptr_t p = 0; p < job->pixels; p += 2) {
      intptr_t at = p * channels + c;
      v16 x = FN(get)(job->x + at, n);
      v16 g = FN(masked)(job, at, x, scale, shift, n);
      if (job->masked) FN(put)(job->masked + at, g, n);
      s += g;
      q = FMA(g, x - mean, q);
      if (p + 1 == job->pixels) break;
      at += channels;
      x = FN(get)(job->x + at, n);
      g = FN(masked)(job, at, x, scale, shift, n);
      if (job->masked) FN(put)(job->masked + at, g, n);
      s2 += g;
      q2 = FMA(g, x - mean, q2);
    }
    store16(sum + c, s + s2);
    store16(product + c, q + q2);
  }
}

static void FN(norm_gradient_apply)(const norm_gradient_job *job) {
  intptr_t channels = job->channels;
  for (intptr_t p = 0; p < job->pixels; p++) {
    EACH_BLOCK(c, n) {
      intptr_t at = p * channels + c;
      v16 scale = load16(job->scale + c);
      v16 x = FN(get)(job->x + at, n);
      v16 g = FN(masked)(job, at, x, scale, load16(job->shift + c), n);
      g -= load16(job->gradient_mean + c);
      g = FMA(load16(job->mean + c) - x, load16(job->slope + c), g);
      FN(put)(job->input_gradient + at, scale * g, n);
    }
  }
}
