// Vectors of 16 floats, spelt once for all levels: one AVX-512 register, two of AVX2, four of NEON.
// Included once per level, between the push and the pop of the level's target attribute.

typedef float v16 __attribute__((ext_vector_type(16)));
typedef float v8 __attribute__((ext_vector_type(8)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

#if LEVEL_FUSED
#define FMA(a, b, c) __builtin_elementwise_fma((a), (b), (c))
#else
// Without the instruction an fma is a library call, a hundred times slower.
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

INLINE v16 load16(const float *p) {
  v16 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store16(float *p, v16 v) { __builtin_memcpy(p, &v, sizeof v); }

INLINE v8 load8(const float *p) {
  v8 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store8(float *p, v8 v) { __builtin_memcpy(p, &v, sizeof v); }

#if defined(__x86_64__) && LEVEL_FUSED
typedef int32_t v8i __attribute__((ext_vector_type(8)));

/// Set in the first `count` of 8 lanes; a count beyond 8 or below 0 sets all or none.
INLINE v8i first_lanes(intptr_t count) {
  const v8i lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  return lanes < (v8i)(int32_t)count;
}

/// The first `count` lanes, zeros behind; nothing is read beyond them.
INLINE v8 load_part8(const float *p, intptr_t count) {
  return (v8)__builtin_ia32_maskloadps256((const void *)p, first_lanes(count));
}

INLINE v16 load_part(const float *p, intptr_t count) {
  v8 low = load_part8(p, count), high = load_part8(p + 8, count - 8);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
#else
/// The first `count` lanes, zeros behind.
INLINE v16 load_part(const float *p, intptr_t count) {
  v16 v = 0;
  __builtin_memcpy(&v, p, (size_t)count * sizeof(float));
  return v;
}

INLINE v8 load_part8(const float *p, intptr_t count) {
  v8 v = 0;
  __builtin_memcpy(&v, p, (size_t)count * sizeof(float));
  return v;
}
#endif

/// The last `count & 7` lanes, in pieces of fixed size: a copy of variable size is a call, and AVX2's
/// store under a mask is slow on AMD's processors.
INLINE void store_tail(float *p, const float *lanes, intptr_t count) {
  if (count & 4) __builtin_memcpy(p, lanes, 16), p += 4, lanes += 4;
  if (count & 2) __builtin_memcpy(p, lanes, 8), p += 2, lanes += 2;
  if (count & 1) *p = *lanes;
}

/// The first `count` lanes, below 16.
INLINE void store_part(float *p, v16 v, intptr_t count) {
  float lanes[16];
  __builtin_memcpy(lanes, &v, sizeof v);
  const float *from = lanes;
  if (count & 8) __builtin_memcpy(p, from, 32), p += 8, from += 8;
  store_tail(p, from, count);
}

/// The first `count` lanes, below 8.
INLINE void store_part8(float *p, v8 v, intptr_t count) {
  float lanes[8];
  __builtin_memcpy(lanes, &v, sizeof v);
  store_tail(p, lanes, count);
}

/// max(v, 0), but a NaN stays one: a network that has diverged must show it.
INLINE v16 rectified(v16 v) { return v < 0.0f ? (v16)0.0f : v; }

/// The same number, of which the compiler no longer knows where it comes from.
INLINE intptr_t hidden(intptr_t value) {
  __asm__("" : "+r"(value));
  return value;
}

/// Channels from c on, 16 at a time; n of them, fewer in the last block.
#define EACH_BLOCK(c, n) \
  for (intptr_t c = 0, n; n = channels - c < 16 ? channels - c : 16, c < channels; c += 16)

INLINE v16 FN(get)(const float *p, intptr_t n) { return n == 16 ? load16(p) : load_part(p, n); }

INLINE void FN(put)(float *p, v16 v, intptr_t n) {
  if (n == 16) {
    store16(p, v);
  } else {
    store_part(p, v, n);
  }
}

/// What a step over many values at once holds in a register: with v16 the six inputs and outputs of a
/// Winograd transform would not fit AVX2's.
#if LEVEL_REGISTERS < 32
typedef v8 FN(wv);
enum { FN(wv_lanes) = 8 };
#define WV_LOAD load8
#define WV_STORE store8
#define WV_LOAD_PART load_part8
#define WV_STORE_PART store_part8
#else
typedef v16 FN(wv);
enum { FN(wv_lanes) = 16 };
#define WV_LOAD load16
#define WV_STORE store16
#define WV_LOAD_PART load_part
#define WV_STORE_PART store_part
#endif
#define WV FN(wv)
#define WV_FMA(a, b, c) FMA((WV)(a), (b), (c))

/// How many lanes of a register hold channels; a constant where all do.
#define ALL_LANES ((intptr_t)FN(wv_lanes))

INLINE WV FN(wv_get)(const float *p, intptr_t n) {
  return n == ALL_LANES ? WV_LOAD(p) : WV_LOAD_PART(p, n);
}

INLINE void FN(wv_put)(float *p, WV v, intptr_t n) {
  if (n == ALL_LANES) {
    WV_STORE(p, v);
  } else {
    WV_STORE_PART(p, v, n);
  }
}
