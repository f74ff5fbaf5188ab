// Element by element, 16 at a time; FN(get) and FN(put) take the rest.

#define EACH_VECTOR(i, n) \
  for (intptr_t i = 0, n; n = count - i < 16 ? count - i : 16, i < count; i += 16)

static void FN(rectify)(const float *x, float *y, intptr_t count) {
  EACH_VECTOR(i, n) FN(put)(y + i, rectified(FN(get)(x + i, n)), n);
}

static void FN(rectify_gradient)(
    const float *y, const float *gradient, float *input_gradient, intptr_t count) {
  EACH_VECTOR(i, n) {
    v16 g = FN(get)(gradient + i, n);
    FN(put)(input_gradient + i, FN(get)(y + i, n) > 0.0f ? g : (v16)0.0f, n);
  }
}

static void FN(add)(const float *a, const float *b, float *sum, intptr_t count, int rectify) {
  EACH_VECTOR(i, n) {
    v16 v = FN(get)(a + i, n) + FN(get)(b + i, n);
    FN(put)(sum + i, rectify ? rectified(v) : v, n);
  }
}

static void FN(add_parts)(
    const float *parts, intptr_t rows, intptr_t row, float *target, intptr_t count) {
  EACH_VECTOR(i, n) {
    v16 v = FN(get)(parts + i, n);
    for (intptr_t r = 1; r < rows; r++) v += FN(get)(parts + r * row + i, n);
    FN(put)(target + i, FN(get)(target + i, n) + v, n);
  }
}

static double FN(squared_error)(
    const float *s, const float *t, float *gradient, float scale, intptr_t count) {
  double sum = 0;
  EACH_VECTOR(i, n) {
    v16 d = FN(get)(s + i, n) - FN(get)(t + i, n);
    FN(put)(gradient + i, d * scale, n);
    v16 q = d * d;
    for (int k = 0; k < 16; k++) sum += (double)q[k];
  }
  return sum;
}

static void FN(sgd_update)(const sgd_job *job) {
  intptr_t count = job->count;
  v16 rate = -job->learning_rate, momentum = job->momentum, decay = job->weight_decay;
  EACH_VECTOR(i, n) {
    v16 w = FN(get)(job->value + i, n);
    v16 g = FMA(w, decay, FN(get)(job->gradient + i, n));
    if (job->momentum_buffer) {
      v16 b = job->first ? g : FMA(FN(get)(job->momentum_buffer + i, n), momentum, g);
      FN(put)(job->momentum_buffer + i, b, n);
      g = job->nesterov ? FMA(b, momentum, g) : b;
    }
    FN(put)(job->value + i, FMA(g, rate, w), n);
    FN(put)(job->gradient + i, (v16)0.0f, n);
  }
}
