// Vectors of L floats, in GCC's and Clang's vector extensions: one source for AVX-512, AVX2 and NEON.
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define INLINE inline __attribute__((always_inline))
#define INLINED __attribute__((always_inline))  // of lambdas
#define EXPORT extern "C" __attribute__((visibility("default")))

// LANES may be given to try the code of another processor on this one, without its instructions.
#if defined(LANES)
#define PLAIN 1
#elif defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

constexpr int L = LANES;
constexpr int PIXELS = L < 8 ? 8 : L;  // of a panel: as many accumulators as hide the latency of an FMA

typedef float Vector __attribute__((vector_size(L * 4)));
typedef int32_t Mask __attribute__((vector_size(L * 4)));
typedef float Unaligned __attribute__((vector_size(L * 4), aligned(4), may_alias));

static INLINE Vector load(const float* p) { return *(const Unaligned*)p; }
static INLINE void store(float* p, Vector v) { *(Unaligned*)p = v; }
static INLINE Vector all(float s) { return s - Vector{}; }

// Clamp to [low, high], and let a gradient pass only between them. NaN passes both, as in PyTorch.
struct Bounds {
  Vector low, high;
};

#if defined(__AVX512F__) && !defined(PLAIN)
static INLINE Vector clamp(Vector v, Bounds b) {
  return (Vector)_mm512_min_ps((__m512)b.high, _mm512_max_ps((__m512)b.low, (__m512)v));
}
static INLINE Vector gate(Vector v, Bounds b, Vector gradient) {
  __mmask16 m = _mm512_cmp_ps_mask((__m512)v, (__m512)b.low, _CMP_NLE_UQ);
  m = _mm512_mask_cmp_ps_mask(m, (__m512)v, (__m512)b.high, _CMP_NGE_UQ);
  return (Vector)_mm512_maskz_mov_ps(m, (__m512)gradient);
}
#else
#if defined(__AVX2__) && !defined(PLAIN)
static INLINE Vector clamp(Vector v, Bounds b) {
  return (Vector)_mm256_min_ps((__m256)b.high, _mm256_max_ps((__m256)b.low, (__m256)v));
}
#elif defined(__ARM_NEON) && !defined(PLAIN)
static INLINE Vector clamp(Vector v, Bounds b) {
  return (Vector)vminq_f32((float32x4_t)b.high, vmaxq_f32((float32x4_t)b.low, (float32x4_t)v));
}
#else
static INLINE Vector clamp(Vector v, Bounds b) {
  v = v < b.low ? b.low : v;
  return v > b.high ? b.high : v;
}
#endif
static INLINE Vector gate(Vector v, Bounds b, Vector gradient) {
  Mask blocked = (v <= b.low) | (v >= b.high);
  return (Vector)((Mask)gradient & ~blocked);
}
#endif

// A copy that is loaded here, and not kept in registers from before: they are for the accumulators of inner loops.
template <class T>
static INLINE T reload(const T& value) {
  const T* p = &value;
  asm volatile("" : "+r"(p));
  return *p;
}

// Keeps a vector that is used often in a register, where GCC would rather load it again for every use.
#if defined(__x86_64__) && !defined(PLAIN)
#define KEEP(v) asm("" : "+v"(v))
#elif defined(__aarch64__) && !defined(PLAIN)
#define KEEP(v) asm("" : "+w"(v))
#else
#define KEEP(v) (void)0
#endif

// All bits of the first n lanes.
static INLINE Mask first_lanes(int n) {
  Mask lane;
  for (int i = 0; i < L; i++) lane[i] = i;
  return lane < n - Mask{};
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLEVECTOR 1
#endif
#endif

// The halves of two vectors, lane by lane in turn: a0 b0 a1 b1 ...
#ifdef SHUFFLEVECTOR
template <int HALF, int... I>
static INLINE Vector interleave(Vector a, Vector b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, ((I & 1) * L + I / 2 + HALF * L / 2)...);
}
#else
template <int HALF, int... I>
static INLINE Vector interleave(Vector a, Vector b, std::integer_sequence<int, I...>) {
  return __builtin_shuffle(a, b, Mask{((I & 1) * L + I / 2 + HALF * L / 2)...});
}
#endif

// Rows become columns: log2(L) rounds, each of which interleaves the first half of the rows with the second.
static INLINE void transpose(Vector (&v)[L]) {
  using Lanes = std::make_integer_sequence<int, L>;
#pragma GCC unroll 4
  for (int round = 1; round < L; round *= 2) {
    Vector w[L];
#pragma GCC unroll 16
    for (int i = 0; i < L / 2; i++) {
      w[2 * i] = interleave<0>(v[i], v[i + L / 2], Lanes{});
      w[2 * i + 1] = interleave<1>(v[i], v[i + L / 2], Lanes{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < L; i++) v[i] = w[i];
  }
}
