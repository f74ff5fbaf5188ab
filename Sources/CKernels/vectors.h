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

#if LEVEL_FUSED && defined(__x86_64__)
// Channel counts such as 58 end in a part of a vector at every pixel. AVX2 loads it in one step, where
// a copy of variable size is a call. (Its stores under a mask are slow on AMD.)

typedef float mask_lanes __attribute__((vector_size(32)));
typedef int mask_bits __attribute__((vector_size(32)));

/// Set in the first `count` lanes of 8.
INLINE mask_bits lane_mask(intptr_t count) {
  mask_bits lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  return lanes < (int)count;
}

/// The first `count` lanes, zeros behind.
INLINE v16 load_part(const float *p, intptr_t count) {
  mask_lanes half[2];
  half[0] = __builtin_ia32_maskloadps256((const mask_lanes *)p, lane_mask(count));
  half[1] = __builtin_ia32_maskloadps256((const mask_lanes *)(p + 8), lane_mask(count - 8));
  v16 v;
  __builtin_memcpy(&v, half, sizeof v);
  return v;
}

#else

/// The first `count` lanes, zeros behind.
INLINE v16 load_part(const float *p, intptr_t count) {
  v16 v = 0;
  __builtin_memcpy(&v, p, (size_t)count * sizeof(float));
  return v;
}

#endif

/// In pieces of fixed size, because a copy of variable size is a call.
INLINE void store_part(float *p, v16 v, intptr_t count) {
  float lanes[16];
  __builtin_memcpy(lanes, &v, sizeof v);
  intptr_t i = 0;
  if (count & 8) __builtin_memcpy(p, lanes, 32), i = 8;
  if (count & 4) __builtin_memcpy(p + i, lanes + i, 16), i += 4;
  if (count & 2) __builtin_memcpy(p + i, lanes + i, 8), i += 2;
  if (count & 1) p[i] = lanes[i];
}

/// max(v, 0), but a NaN stays one: a network that has diverged must show it.
INLINE v16 rectified(v16 v) { return v < 0.0f ? (v16)0.0f : v; }

/// The same number, of which the compiler no longer knows where it comes from.
INLINE intptr_t hidden(intptr_t value) {
  __asm__("" : "+r"(value));
  return value;
}
