// Winograd's F(4×4, 3×3). Transforms run over a register of channels at once; between them stands
// one small matrix product per plane.
//
// The interpolation points are 0, ±√½, ±√2 and ∞: their polynomial x(x² − ½)(x² − 2) has small
// coefficients. Against double precision the results are off by 0.6e-6 (16 channels) to 1.7e-6 (256)
// of their norm, where the usual points 0, ±1, ±2 and ∞ give 1.1e-6 to 4.6e-6.
#define WINOGRAD_P 0.70710678f  // √½
#define WINOGRAD_Q 1.41421356f  // √2

/// Bᵀ·d: six inputs and outputs.
INLINE void FN(winograd_b)(const WV *d, WV *out) {
  WV even = WV_FMA(-2.0f, d[2], d[4]), odd = WV_FMA(-2.0f, d[1], d[3]);
  WV even2 = WV_FMA(-0.5f, d[2], d[4]), odd2 = WV_FMA(-0.5f, d[1], d[3]);
  out[0] = WV_FMA(-2.5f, d[2], d[0] + d[4]);
  out[1] = WV_FMA(WINOGRAD_P, odd, even);
  out[2] = WV_FMA(-WINOGRAD_P, odd, even);
  out[3] = WV_FMA(WINOGRAD_Q, odd2, even2);
  out[4] = WV_FMA(-WINOGRAD_Q, odd2, even2);
  out[5] = WV_FMA(-2.5f, d[3], d[1] + d[5]);
}

/// Aᵀ·m: six inputs, four outputs.
INLINE void FN(winograd_a)(const WV *m, WV *out) {
  WV near = m[1] + m[2], lean = m[1] - m[2], far = m[3] + m[4], tilt = m[3] - m[4];
  out[0] = m[0] + near + far;
  out[1] = WV_FMA(WINOGRAD_Q, tilt, (WV)WINOGRAD_P * lean);
  out[2] = WV_FMA(2.0f, far, (WV)0.5f * near);
  out[3] = WV_FMA(2 * WINOGRAD_Q, tilt, WV_FMA(0.5f * WINOGRAD_P, lean, m[5]));
}

/// A·g: four inputs, six outputs.
INLINE void FN(winograd_at)(const WV *g, WV *out) {
  WV even = WV_FMA(0.5f, g[2], g[0]), odd = WV_FMA(0.5f, g[3], g[1]);
  WV even2 = WV_FMA(2.0f, g[2], g[0]), odd2 = WV_FMA(2.0f, g[3], g[1]);
  out[0] = g[0];
  out[1] = WV_FMA(WINOGRAD_P, odd, even);
  out[2] = WV_FMA(-WINOGRAD_P, odd, even);
  out[3] = WV_FMA(WINOGRAD_Q, odd2, even2);
  out[4] = WV_FMA(-WINOGRAD_Q, odd2, even2);
  out[5] = g[3];
}

/// Where a tile lies: its first output pixel, and which of the `size` × `size` pixels around it are
/// inside the image.
typedef struct {
  intptr_t pixel;
  int top, bottom, left, right, whole;
} FN(winograd_place);

/// `border`: how many pixels above and left of the outputs count as the tile's.
INLINE FN(winograd_place) FN(winograd_find)(
    const winograd_tiles *t, intptr_t tile, const int border, const int size) {
  intptr_t per_image = (intptr_t)t->tiles_down * t->tiles_across;
  intptr_t image = tile / per_image, rest = tile % per_image;
  int y = (int)(rest / t->tiles_across) * winograd_tile - border;
  int x = (int)(rest % t->tiles_across) * winograd_tile - border;
  FN(winograd_place) place = {
      .pixel = (image * t->height + y) * t->width + x,
      .top = y < 0 ? -y : 0,
      .left = x < 0 ? -x : 0,
      .bottom = t->height - y < size ? t->height - y : size,
      .right = t->width - x < size ? t->width - x : size,
  };
  place.whole =
      place.top == 0 && place.left == 0 && place.bottom == size && place.right == size;
  return place;
}

/// How much of a tile exists: all of it, all its channels but not all its pixels, or neither.
enum { FN(winograd_whole), FN(winograd_edge), FN(winograd_rest) };

#define WINOGRAD_CASE(place, n, RUN)                 \
  if ((n) < FN(wv_lanes)) {                          \
    RUN(FN(winograd_rest));                          \
  } else if ((place).whole) {                        \
    RUN(FN(winograd_whole));                         \
  } else {                                           \
    RUN(FN(winograd_edge));                          \
  }

/// One column of a tile, zeros outside the image.
INLINE void FN(winograd_column)(
    const winograd_tiles *t, const FN(winograd_place) *place, int x, intptr_t c, intptr_t n,
    const int exists, const int size, WV *d) {
  const float *p = t->image + (place->pixel + x) * t->channels + c;
  intptr_t line = t->width * t->channels;
  if (exists == FN(winograd_whole)) {
    UNROLL for (int y = 0; y < size; y++) d[y] = WV_LOAD(p + y * line);
    return;
  }
  UNROLL for (int y = 0; y < size; y++) d[y] = 0;
  if (x < place->left || x >= place->right) return;
  UNROLL for (int y = 0; y < size; y++) {
    if (y < place->top || y >= place->bottom) continue;
    d[y] = exists == FN(winograd_edge) ? WV_LOAD(p + y * line) : n > 0 ? WV_LOAD_PART(p + y * line, n) : (WV)0.0f;
  }
}

INLINE void FN(winograd_input_block)(
    const winograd_tiles *t, const FN(winograd_place) *place, intptr_t c, intptr_t n,
    const int exists, float *target) {
  WV half[36];
  UNROLL for (int x = 0; x < 6; x++) {
    WV d[6], out[6];
    FN(winograd_column)(t, place, x, c, n, exists, 6, d);
    FN(winograd_b)(d, out);
    UNROLL for (int y = 0; y < 6; y++) half[y * 6 + x] = out[y];
  }
  const intptr_t plane = t->plane;
  UNROLL for (int y = 0; y < 6; y++) {
    WV out[6];
    FN(winograd_b)(half + y * 6, out);
    UNROLL for (int x = 0; x < 6; x++, target += plane) WV_STORE(target, out[x]);
  }
}

/// Runs over a row of channels: n of a register's lanes are inside.
#define EACH_WV(c, n, channels, rows)                                       \
  for (intptr_t c = 0, n;                                                   \
       n = channels - c < FN(wv_lanes) ? channels - c : FN(wv_lanes), c < rows; \
       c += FN(wv_lanes))

static void FN(winograd_input)(const winograd_tiles *t) {
  for (intptr_t i = 0; i < t->count; i++) {
    FN(winograd_place) place = FN(winograd_find)(t, t->first + i, 1, 6);
    float *target = t->planes + i * t->row;
    EACH_WV(c, n, t->channels, t->row) {
#define RUN(exists) FN(winograd_input_block)(t, &place, c, n, exists, target + c)
      WINOGRAD_CASE(place, n, RUN)
#undef RUN
    }
  }
}

INLINE void FN(winograd_gradient_block)(
    const winograd_tiles *t, const FN(winograd_place) *place, intptr_t c, intptr_t n,
    const int exists, float *target) {
  WV half[24];
  UNROLL for (int x = 0; x < 4; x++) {
    WV g[4], out[6];
    FN(winograd_column)(t, place, x, c, n, exists, 4, g);
    FN(winograd_at)(g, out);
    UNROLL for (int y = 0; y < 6; y++) half[y * 4 + x] = out[y];
  }
  const intptr_t plane = t->plane;
  UNROLL for (int y = 0; y < 6; y++) {
    WV out[6];
    FN(winograd_at)(half + y * 4, out);
    UNROLL for (int x = 0; x < 6; x++, target += plane) WV_STORE(target, out[x]);
  }
}

static void FN(winograd_output_gradient)(const winograd_tiles *t) {
  for (intptr_t i = 0; i < t->count; i++) {
    FN(winograd_place) place = FN(winograd_find)(t, t->first + i, 0, 4);
    float *target = t->planes + i * t->row;
    EACH_WV(c, n, t->channels, t->row) {
#define RUN(exists) FN(winograd_gradient_block)(t, &place, c, n, exists, target + c)
      WINOGRAD_CASE(place, n, RUN)
#undef RUN
    }
  }
}

INLINE WV FN(winograd_finished)(
    const winograd_finish *finish, WV v, intptr_t c, intptr_t at, intptr_t n) {
  if (finish->scale) {
    v = FMA(v, WV_LOAD(finish->scale + c), WV_LOAD(finish->shift + c));
  } else if (finish->shift) {
    v += WV_LOAD(finish->shift + c);
  }
  if (finish->addend)
    v += n == FN(wv_lanes) ? WV_LOAD(finish->addend + at)
                           : WV_LOAD_PART(finish->addend + at, n);
  if (!finish->rectify) return v;
  return v < 0.0f ? (WV)0.0f : v;  // a NaN stays one
}

INLINE void FN(winograd_output_block)(
    const winograd_tiles *t, const FN(winograd_place) *place, intptr_t c, intptr_t n,
    const int exists, const winograd_finish *finish, const float *source) {
  WV half[24];
  UNROLL for (int x = 0; x < 6; x++) {
    WV m[6], out[4];
    UNROLL for (int y = 0; y < 6; y++) m[y] = WV_LOAD(source + (y * 6 + x) * t->plane);
    FN(winograd_a)(m, out);
    UNROLL for (int y = 0; y < 4; y++) half[y * 6 + x] = out[y];
  }
  UNROLL for (int y = 0; y < 4; y++) {
    WV out[4];
    FN(winograd_a)(half + y * 6, out);
    intptr_t line = (place->pixel + y * t->width) * t->channels + c;
    UNROLL for (int x = 0; x < 4; x++) {
      intptr_t at = line + x * t->channels;
      if (exists != FN(winograd_whole) && (y >= place->bottom || x >= place->right)) continue;
      WV v = FN(winograd_finished)(finish, out[x], c, at, n);
      if (exists == FN(winograd_rest)) {
        WV_STORE_PART(t->target + at, v, n);
      } else {
        WV_STORE(t->target + at, v);
      }
    }
  }
}

static void FN(winograd_output)(
    const winograd_tiles *t, intptr_t first, intptr_t last, const winograd_finish *finish) {
  for (intptr_t i = 0; i < t->count; i++) {
    FN(winograd_place) place = FN(winograd_find)(t, t->first + i, 0, 4);
    const float *source = t->planes + i * t->row;
    for (intptr_t c = first; c < last; c += FN(wv_lanes)) {
      intptr_t n = last - c < FN(wv_lanes) ? last - c : FN(wv_lanes);
#define RUN(exists) FN(winograd_output_block)(t, &place, c, n, exists, finish, source + c)
      WINOGRAD_CASE(place, n, RUN)
#undef RUN
    }
  }
}

enum { FN(line) = 64 };  // bytes that a cache fetches together

/// How far the spans of a job are fetched, and how many bytes of each go with one step of it.
typedef struct {
  const char *next[winograd_spans], *end[winograd_spans];
  intptr_t share[winograd_spans];
} FN(fetching);

INLINE FN(fetching) FN(begin_fetching)(const winograd_span *spans, intptr_t steps) {
  FN(fetching) state;
  UNROLL for (int i = 0; i < winograd_spans; i++) {
    state.next[i] = spans[i].from, state.end[i] = spans[i].to;
    intptr_t lines = (state.end[i] - state.next[i] + FN(line) - 1) / FN(line);
    state.share[i] = (lines + steps - 1) / steps * FN(line);
  }
  return state;
}

INLINE void FN(fetch)(FN(fetching) *state) {
  UNROLL for (int i = 0; i < winograd_spans; i++) {
    intptr_t left = state->end[i] - state->next[i];
    intptr_t bytes = state->share[i] < left ? state->share[i] : left;
    for (intptr_t at = 0; at < bytes; at += FN(line)) __builtin_prefetch(state->next[i] + at);
    state->next[i] += bytes;
  }
}

INLINE void FN(winograd_rows)(
    const float *input, intptr_t row, intptr_t inputs, const float *weights, float *product,
    intptr_t product_row, const int rows) {
  v16 sum[6];
  UNROLL for (int i = 0; i < rows; i++) sum[i] = 0;
#pragma clang loop vectorize(disable) unroll(disable)
  for (intptr_t c = 0; c < inputs; c++) {
    v16 weight = load16(weights + c * 16);
    UNROLL for (int i = 0; i < rows; i++) sum[i] = FMA((v16)(input[i * row + c]), weight, sum[i]);
  }
  UNROLL for (int i = 0; i < rows; i++) store16(product + i * product_row, sum[i]);
}

static void FN(winograd_multiply)(const winograd_product *job) {
  const winograd_tiles *in = job->input, *out = job->product;
  intptr_t sixes = (in->count + 5) / 6;
  FN(fetching) fetching =
      FN(begin_fetching)(job->soon, winograd_planes * (job->last - job->first) * sixes);
  for (int plane = 0; plane < winograd_planes; plane++) {
    for (intptr_t block = job->first; block < job->last; block++) {
      const float *w = job->weights + block * job->weight_block + plane * in->channels * 16;
      const float *input = in->planes + plane * in->plane;
      float *product = out->planes + plane * out->plane + block * 16;
      for (intptr_t i = 0; i < in->count; i += 6) {
        const float *x = input + i * in->row;
        float *y = product + i * out->row;
        FN(fetch)(&fetching);
        switch (in->count - i) {
          case 1: FN(winograd_rows)(x, in->row, in->channels, w, y, out->row, 1); break;
          case 2: FN(winograd_rows)(x, in->row, in->channels, w, y, out->row, 2); break;
          case 3: FN(winograd_rows)(x, in->row, in->channels, w, y, out->row, 3); break;
          case 4: FN(winograd_rows)(x, in->row, in->channels, w, y, out->row, 4); break;
          case 5: FN(winograd_rows)(x, in->row, in->channels, w, y, out->row, 5); break;
          default: FN(winograd_rows)(x, in->row, in->channels, w, y, out->row, 6); break;
        }
      }
    }
  }
}

static void FN(winograd_accumulate)(const winograd_accumulation *job) {
  const winograd_tiles *in = job->input, *out = job->output;
  intptr_t inputs = in->channels, blocks = (out->channels + 15) / 16, sixes = (inputs + 5) / 6;
  FN(fetching) fetching =
      FN(begin_fetching)(job->soon, (job->last - job->first) * blocks * sixes);
  for (intptr_t plane = job->first; plane < job->last; plane++) {
    const float *x = in->planes + plane * in->plane;
    for (intptr_t block = 0; block < blocks; block++) {
      const float *y = out->planes + plane * out->plane + block * 16;
      float *g = job->gradient + block * job->gradient_block + plane * inputs * 16;
      for (intptr_t six = 0; six < sixes; six++) {
        FN(fetch)(&fetching);
        FN(add_six)(x, in->row, inputs, six, y, out->row, 16, in->count, g);
      }
    }
  }
}

/// G·w: three inputs, six outputs.
INLINE void FN(winograd_g)(const v16 *w, v16 *out, const int step) {
  v16 even = FMA((v16)0.5f, w[2 * step], w[0]), even2 = FMA((v16)2.0f, w[2 * step], w[0]);
  out[0] = w[0];
  out[1] = (v16)(-2.0f / 3) * FMA((v16)WINOGRAD_P, w[step], even);
  out[2] = (v16)(-2.0f / 3) * FMA((v16)-WINOGRAD_P, w[step], even);
  out[3] = (v16)(1.0f / 6) * FMA((v16)WINOGRAD_Q, w[step], even2);
  out[4] = (v16)(1.0f / 6) * FMA((v16)-WINOGRAD_Q, w[step], even2);
  out[5] = w[2 * step];
}

/// Gᵀ·u: six inputs, three outputs.
INLINE void FN(winograd_gt)(const v16 *u, v16 *out) {
  v16 near = (v16)(-2.0f / 3) * (u[1] + u[2]), lean = (v16)(-2.0f / 3) * (u[1] - u[2]);
  v16 far = (v16)(1.0f / 6) * (u[3] + u[4]), tilt = (v16)(1.0f / 6) * (u[3] - u[4]);
  out[0] = u[0] + near + far;
  out[1] = FMA((v16)WINOGRAD_Q, tilt, (v16)WINOGRAD_P * lean);
  out[2] = FMA((v16)2.0f, far, FMA((v16)0.5f, near, u[5]));
}

static void FN(winograd_weights)(
    const float *weights, intptr_t inputs, intptr_t first, intptr_t last, int rotated,
    float *transformed) {
  for (intptr_t r = first; r < last; r++) {
    intptr_t block = r / inputs, c = r % inputs;
    const float *source = weights + (block * 9 * inputs + c) * 16;
    float *target = transformed + (block * winograd_planes * inputs + c) * 16;
    v16 w[9], half[18];
    for (int k = 0; k < 9; k++) w[k] = load16(source + (rotated ? 8 - k : k) * inputs * 16);
    UNROLL for (int x = 0; x < 3; x++) {
      v16 out[6];
      FN(winograd_g)(w + x, out, 3);
      UNROLL for (int y = 0; y < 6; y++) half[y * 3 + x] = out[y];
    }
    UNROLL for (int y = 0; y < 6; y++) {
      v16 out[6];
      FN(winograd_g)(half + y * 3, out, 1);
      UNROLL for (int x = 0; x < 6; x++) store16(target + (y * 6 + x) * inputs * 16, out[x]);
    }
  }
}

static void FN(winograd_weight_gradient)(
    const float *transformed, intptr_t parts, intptr_t part, intptr_t inputs, intptr_t first,
    intptr_t last, float *gradient) {
  for (intptr_t r = first; r < last; r++) {
    intptr_t block = r / inputs, c = r % inputs;
    const float *source = transformed + (block * winograd_planes * inputs + c) * 16;
    float *target = gradient + (block * 9 * inputs + c) * 16;
    v16 half[18];
    UNROLL for (int x = 0; x < 6; x++) {
      v16 u[6], out[3];
      UNROLL for (int y = 0; y < 6; y++) {
        const float *at = source + (y * 6 + x) * inputs * 16;
        u[y] = load16(at);
        for (intptr_t p = 1; p < parts; p++) u[y] += load16(at + p * part);
      }
      FN(winograd_gt)(u, out);
      UNROLL for (int y = 0; y < 3; y++) half[y * 6 + x] = out[y];
    }
    UNROLL for (int y = 0; y < 3; y++) {
      v16 out[3];
      FN(winograd_gt)(half + y * 6, out);
      UNROLL for (int x = 0; x < 3; x++) {
        float *at = target + (y * 3 + x) * inputs * 16;
        store16(at, load16(at) + out[x]);
      }
    }
  }
}
