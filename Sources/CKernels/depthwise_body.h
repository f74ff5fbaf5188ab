// Depthwise convolution of one image: the vector runs over channels, the taps are summed in order.

/// The outputs, kernel taps and inputs of one output row or column meet where
/// input = output · strides + tap − padding.
#define TAPS(out, size, kernel, first, last)                      \
  int first = job->padding - (out) * job->strides;                \
  int last = (size) + first;                                      \
  if (first < 0) first = 0;                                       \
  if (last > (kernel)) last = (kernel);

/// Whether depthwise3_body.h computes this shape.
INLINE int FN(is_depthwise3)(const depthwise_job *job) {
  return job->kernel == 3 && job->padding == 1 &&
         (job->strides == 1 || job->strides == 2);
}

static void FN(depthwise_forward)(const depthwise_job *job) {
  if (FN(is_depthwise3)(job)) {
    if (job->strides == 1) {
      FN(depthwise3)(job, 1, 0);
    } else {
      FN(depthwise3)(job, 2, 0);
    }
    return;
  }
  intptr_t channels = job->channels;
  for (int oy = 0; oy < job->output_height; oy++) {
    TAPS(oy, job->height, job->kernel, top, bottom)
    for (int ox = 0; ox < job->output_width; ox++) {
      TAPS(ox, job->width, job->kernel, left, right)
      float *target = job->target + ((intptr_t)oy * job->output_width + ox) * channels;
      intptr_t y = (intptr_t)oy * job->strides - job->padding;
      intptr_t x = (intptr_t)ox * job->strides - job->padding;
      EACH_BLOCK(c, n) {
        v16 sum = 0;
        for (int kh = top; kh < bottom; kh++) {
          const float *s = job->source + ((y + kh) * job->width + x) * channels + c;
          const float *w = job->weights + (intptr_t)kh * job->kernel * channels + c;
          for (int kw = left; kw < right; kw++)
            sum = FMA(FN(get)(s + kw * channels, n), FN(get)(w + kw * channels, n), sum);
        }
        if (job->scale) {
          sum = FMA(sum, load16(job->scale + c), load16(job->shift + c));
        } else if (job->shift) {
          sum += load16(job->shift + c);
        }
        if (job->rectify) sum = rectified(sum);
        FN(put)(target + c, sum, n);
      }
    }
  }
}

/// The outputs and taps that one input meets.
typedef struct {
  const float *gradient, *weight;
} FN(meeting);

static void FN(depthwise_input_gradient)(const depthwise_job *job) {
  if (FN(is_depthwise3)(job) && job->strides == 1) {
    FN(depthwise3)(job, 1, 1);
    return;
  }
  intptr_t channels = job->channels;
  int s = job->strides;
  for (int y = 0; y < job->height; y++) {
    for (int x = 0; x < job->width; x++) {
      FN(meeting) meetings[depthwise_taps];
      int count = 0;
      for (int kh = (y + job->padding) % s; kh < job->kernel && kh <= y + job->padding; kh += s) {
        int oy = (y + job->padding - kh) / s;
        if (oy >= job->output_height) continue;
        for (int kw = (x + job->padding) % s; kw < job->kernel && kw <= x + job->padding; kw += s) {
          int ox = (x + job->padding - kw) / s;
          if (ox >= job->output_width) continue;
          meetings[count].gradient =
              job->source + ((intptr_t)oy * job->output_width + ox) * channels;
          meetings[count++].weight =
              job->weights + ((intptr_t)kh * job->kernel + kw) * channels;
        }
      }
      float *target = job->target + ((intptr_t)y * job->width + x) * channels;
      EACH_BLOCK(c, n) {
        v16 sum = 0;
        for (int i = 0; i < count; i++)
          sum = FMA(FN(get)(meetings[i].gradient + c, n), FN(get)(meetings[i].weight + c, n), sum);
        FN(put)(target + c, sum, n);
      }
    }
  }
}

static void FN(depthwise_weight_gradient)(const depthwise_job *job) {
  intptr_t channels = job->channels;
  if (FN(is_depthwise3)(job)) {
    if (job->strides == 1) {
      FN(depthwise3_gradient)(job, 1);
    } else {
      FN(depthwise3_gradient)(job, 2);
    }
    return;
  }
  for (int kh = 0; kh < job->kernel; kh++) {
    int top, bottom;
    FN(reach)(kh, job->height, job->output_height, job->strides, job->padding, &top, &bottom);
    for (int kw = 0; kw < job->kernel; kw++) {
      int left, right;
      FN(reach)(kw, job->width, job->output_width, job->strides, job->padding, &left, &right);
      float *target = job->target + ((intptr_t)kh * job->kernel + kw) * channels;
      EACH_BLOCK(c, n) {
        v16 sum = FN(get)(target + c, n);
        for (int oy = top; oy < bottom; oy++) {
          intptr_t row = (intptr_t)(oy * job->strides + kh - job->padding) * job->width;
          for (int ox = left; ox < right; ox++) {
            intptr_t at = (row + ox * job->strides + kw - job->padding) * channels + c;
            intptr_t out = ((intptr_t)oy * job->output_width + ox) * channels + c;
            sum = FMA(FN(get)(job->source + at, n), FN(get)(job->output + out, n), sum);
          }
        }
        FN(put)(target + c, sum, n);
      }
    }
  }
}
