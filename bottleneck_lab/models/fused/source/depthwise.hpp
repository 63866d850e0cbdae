// The 3x3 depthwise convolution of L channels of one image, and its two gradients.
//
// Images are [H][W][L]; a padded one is [H + 2][W + 2][L] with a border of zeros. Weights are [9][L].
#pragma once
#include "vectors.hpp"

// each(pixel, sum over the taps) for every output pixel [OH][OW] of a padded image of width W.
template <int STRIDE, class Each>
static INLINE void depthwise(const float* padded, int W, int OH, int OW, const float* weights, Each each) {
  constexpr int AT_ONCE = 4, TAPS = (AT_ONCE - 1) * STRIDE + 3;
  Vector w[9];
  for (int i = 0; i < 9; i++) w[i] = load(weights + i * L);
  const size_t row = (size_t)(W + 2) * L;
  for (int y = 0; y < OH; y++) {
    const float* top = padded + y * STRIDE * row;
    int x = 0;
    for (; x + AT_ONCE <= OW; x += AT_ONCE) {
      Vector sum[AT_ONCE] = {};
#pragma GCC unroll 3
      for (int ky = 0; ky < 3; ky++) {
        const float* q = top + ky * row + (size_t)x * STRIDE * L;
#pragma GCC unroll 16
        for (int tap = 0; tap < TAPS; tap++) {
          Vector in = load(q + tap * L);
#pragma GCC unroll 4
          for (int i = 0; i < AT_ONCE; i++) {
            const int kx = tap - i * STRIDE;
            if (kx >= 0 && kx < 3) sum[i] += in * w[ky * 3 + kx];
          }
        }
      }
#pragma GCC unroll 4
      for (int i = 0; i < AT_ONCE; i++) each(y * OW + x + i, sum[i]);
    }
    for (; x < OW; x++) {
      Vector sum{};
      for (int ky = 0; ky < 3; ky++)
        for (int kx = 0; kx < 3; kx++)
          sum += load(top + ky * row + (size_t)(x * STRIDE + kx) * L) * w[ky * 3 + kx];
      each(y * OW + x, sum);
    }
  }
}

// Stride 1, from the padded gradient of the output: weight_gradient[9][L] += ..., then image[pixel] becomes
// each(image[pixel], gradient of the pixel). `flipped` are the weights from last to first.
template <class Each>
static INLINE void depthwise_backward_1(float* image, const float* padded, int H, int W, const float* flipped,
                                        float* weight_gradient, Each each) {
  const size_t row = (size_t)(W + 2) * L;
  Vector g[9];
  for (int i = 0; i < 9; i++) g[i] = load(weight_gradient + i * L);
  for (int y = 0; y < H; y++) {
    const float *e = image + (size_t)y * W * L, *q = padded + y * row;
    for (int x = 0; x < W; x++, e += L, q += L) {
      Vector in = load(e);
#pragma GCC unroll 3
      for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
        for (int kx = 0; kx < 3; kx++) g[8 - ky * 3 - kx] += in * load(q + ky * row + kx * L);
    }
  }
  for (int i = 0; i < 9; i++) store(weight_gradient + i * L, g[i]);
  depthwise<1>(padded, W, H, W, flipped, [&](int pixel, Vector gradient) INLINED {
    float* e = image + (size_t)pixel * L;
    store(e, each(load(e), gradient));
  });
}

// The same at stride 2: four pixels of the image, of all parities, see up to four of the output.
template <class Each>
static INLINE void depthwise_backward_2(float* image, const float* padded, int H, int W, int OH, int OW,
                                        const float* weights, float* weight_gradient, Each each) {
  const size_t row = (size_t)(OW + 2) * L;
  Vector g[9];
  for (int i = 0; i < 9; i++) g[i] = load(weight_gradient + i * L);
  auto w = [&](int i) INLINED { return load(weights + i * L); };
  for (int y = 0; y < OH; y++)
    for (int x = 0; x < OW; x++) {
      const float* q = padded + (y + 1) * row + (size_t)(x + 1) * L;
      const Vector d00 = load(q), d01 = load(q + L), d10 = load(q + row), d11 = load(q + row + L);
      float* e = image + ((size_t)2 * y * W + 2 * x) * L;
      const bool right = 2 * x + 1 < W, below = 2 * y + 1 < H;
      const Vector e00 = load(e);
      g[4] += e00 * d00;
      store(e, each(e00, d00 * w(4)));
      if (right) {
        const Vector e01 = load(e + L);
        g[3] += e01 * d01;
        g[5] += e01 * d00;
        store(e + L, each(e01, d01 * w(3) + d00 * w(5)));
      }
      if (!below) continue;
      e += (size_t)W * L;
      const Vector e10 = load(e);
      g[1] += e10 * d10;
      g[7] += e10 * d00;
      store(e, each(e10, d10 * w(1) + d00 * w(7)));
      if (right) {
        const Vector e11 = load(e + L);
        g[0] += e11 * d11;
        g[2] += e11 * d10;
        g[6] += e11 * d01;
        g[8] += e11 * d00;
        store(e + L, each(e11, d11 * w(0) + d10 * w(2) + (d01 * w(6) + d00 * w(8))));
      }
    }
  for (int i = 0; i < 9; i++) store(weight_gradient + i * L, g[i]);
}
