// Thin tensors in panels, and the products between thin tensors and L channels of a wide one.
//
// A panel holds PIXELS pixels of a thin tensor of k channels, a channel after the other: [k4][PIXELS], k4 the next
// multiple of 4; what is beyond k channels or beyond the last pixel is 0. Wide tensors never exist whole: a slab
// [pixels][L] holds L of their channels in cache.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "vectors.hpp"

static constexpr int up(int a, int b) { return (a + b - 1) / b * b; }

// Scratch memory of one call; one a thread, kept from call to call.
class Arena {
 public:
  void reset() {
    used_ = 0;
    if (blocks_.size() > 1) {  // next time in one piece
      size_t total = 0;
      for (auto& block : blocks_) total += block.size;
      blocks_.clear();
      add(total);
    }
  }
  float* floats(size_t n) {
    size_t bytes = (n * sizeof(float) + 2 * 64) / 64 * 64;  // and one vector more, which loads may touch
    if (blocks_.empty() || used_ + bytes > blocks_.back().size) {
      add(std::max<size_t>(bytes, 1 << 20));
      used_ = 0;
    }
    float* place = (float*)(blocks_.back().start + used_);
    used_ += bytes;
    return place;
  }
  float* zeros(size_t n) {
    float* place = floats(n);
    std::fill_n(place, n, 0.f);
    return place;
  }

 private:
  struct Block {
    std::unique_ptr<char[]> memory;
    char* start;
    size_t size;
  };
  void add(size_t size) {
    Block block{std::make_unique<char[]>(size + 64), nullptr, size};
    block.start = (char*)(((uintptr_t)block.memory.get() + 63) / 64 * 64);
    blocks_.push_back(std::move(block));
  }
  std::vector<Block> blocks_;
  size_t used_ = 0;
};

inline thread_local Arena arena;

// Rows [n][k] without gaps, `end` behind the last float that may be read.
struct Rows {
  const float *data, *end;
  int k;

  // L channels of a row from `column` on, those that are `kept`, and zeros.
  INLINE Vector at(size_t row, int column, Mask kept) const {
    const float* p = data + row * k + column;
    Vector v{};
    if (__builtin_expect(p + L <= end, 1))
      v = load(p);
    else
      std::memcpy(&v, p, std::min<size_t>(L, end - p) * sizeof(float));
    return (Vector)((Mask)v & kept);
  }
  Mask kept(int column) const { return first_lanes(k - column); }
};

// Panels of n rows: out = f(row, column, lanes that are channels). What is beyond n is 0; f gives 0 beyond k.
template <class F>
static INLINE void pack(int n, int k, float* out, F f) {
  const int k4 = up(k, 4);
  for (int j = 0; j < k; j += L) {
    const Mask kept = first_lanes(k - j);
    const int channels = std::min(L, k4 - j);
    for (int p = 0; p < n; p += PIXELS)
      for (int half = 0; half < PIXELS; half += L) {
        const int rows = std::min(L, n - p - half);
        Vector v[L] = {};
        if (rows == L)
#pragma GCC unroll 16
          for (int i = 0; i < L; i++) v[i] = f(p + half + i, j, kept);
        else
          for (int i = 0; i < rows; i++) v[i] = f(p + half + i, j, kept);
        transpose(v);
        float* o = out + (size_t)p * k4 + half + j * PIXELS;
        if (channels == L)
#pragma GCC unroll 16
          for (int c = 0; c < L; c++) store(o + c * PIXELS, v[c]);
        else
          for (int c = 0; c < channels; c++) store(o + c * PIXELS, v[c]);
      }
  }
}

// Sums of every channel over the pixels of n rows' panels, added to `sums`.
static void add_sums(const float* panels, int n, int k, double* sums) {
  const int k4 = up(k, 4);
  for (int j = 0; j < k; j++) {
    Vector s{};
    for (int p = 0; p < n; p += PIXELS)
      for (int half = 0; half < PIXELS; half += L) s += load(panels + (size_t)p * k4 + j * PIXELS + half);
    for (int l = 0; l < L; l++) sums[j] += s[l];
  }
}

// Subtract the mean of every channel from the n pixels of the panels; what pads them stays 0.
static void centre(float* panels, int n, int k, const double* mean) {
  const int k4 = up(k, 4);
  for (int p = 0; p < n; p += PIXELS)
    for (int j = 0; j < k; j++) {
      float* o = panels + (size_t)p * k4 + j * PIXELS;
      float m = (float)mean[j];
      if (p + PIXELS <= n)
        for (int half = 0; half < PIXELS; half += L) store(o + half, load(o + half) - all(m));
      else
        for (int i = 0; i < n - p; i++) o[i] -= m;
    }
}

// products[i][j] += sum over pixels of channel i times channel j, [k][k], both halves.
static void add_products(const float* panels, int n, int k, double* products) {
  const int k4 = up(k, 4);
  for (int i = 0; i < k; i += 4)
    for (int j = 0; j < i + 4; j += 2) {
      Vector s[4][2] = {};
      for (int p = 0; p < n; p += PIXELS)
        for (int half = 0; half < PIXELS; half += L) {
          const float* x = panels + (size_t)p * k4 + half;
          Vector y[2] = {load(x + j * PIXELS), load(x + (j + 1) * PIXELS)};
#pragma GCC unroll 4
          for (int a = 0; a < 4; a++) {
            Vector z = load(x + (i + a) * PIXELS);
            s[a][0] += z * y[0];
            s[a][1] += z * y[1];
          }
        }
      for (int a = 0; a < 4; a++)
        for (int b = 0; b < 2; b++)
          if (i + a < k && j + b <= i + a) {
            double total = 0;
            for (int l = 0; l < L; l++) total += s[a][b][l];
            products[(size_t)(i + a) * k + j + b] += total;
            if (j + b < i + a) products[(size_t)(j + b) * k + i + a] += total;
          }
    }
}

// each(first pixel, sums), a panel at a time: sums[pixel] = init + sum over j of thin[pixel][j] weights[j][L].
template <class Each>
static INLINE void combine(const float* panels, int n, int k, const float* weights, const float* init,
                           Each each) {
  const int k4 = up(k, 4);
  for (int p = 0; p < n; p += PIXELS) {
    const float* x = panels + (size_t)p * k4;
    Vector sum[PIXELS];
#pragma GCC unroll 16
    for (int i = 0; i < PIXELS; i++) sum[i] = load(init);
    for (int j = 0; j < k; j++, x += PIXELS) {
      Vector w = load(weights + j * L);
#pragma GCC unroll 16
      for (int i = 0; i < PIXELS; i++) sum[i] += w * all(x[i]);
    }
    each(p, sum);
  }
}

// products[J][L] += sum over pixels of thin[pixel][J] slab[pixel][L].
template <int J>
static INLINE void add_outer_rows(const float* panels, int n, int k4, const float* slab, float* products) {
  Vector sum[J];
#pragma GCC unroll 16
  for (int j = 0; j < J; j++) sum[j] = load(products + j * L);
  for (int p = 0; p < n; p += PIXELS) {
    const float* x = panels + (size_t)p * k4;
#pragma GCC unroll 2
    for (int i = 0; i < PIXELS; i++) {
      Vector t = load(slab + (size_t)(p + i) * L);
#pragma GCC unroll 16
      for (int j = 0; j < J; j++) sum[j] += t * all(x[j * PIXELS + i]);
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < J; j++) store(products + j * L, sum[j]);
}

// products[k4][L] += thin^T slab, over the pixels of n rows' panels.
static void add_outer(const float* panels, int n, int k, const float* slab, float* products) {
  const int k4 = up(k, 4);
  for (int j = 0; j < k4;) {
    const int left = k4 - j;
    const float* x = panels + j * PIXELS;
    float* o = products + j * L;
    if (left == 4) {
      add_outer_rows<4>(x, n, k4, slab, o), j += 4;
    } else if (left == 8 || left == 16) {
      add_outer_rows<8>(x, n, k4, slab, o), j += 8;
    } else {
      add_outer_rows<12>(x, n, k4, slab, o), j += 12;
    }
  }
}

// PIXEL_COUNT pixels times VECTORS vectors of `spread`.
template <int PIXEL_COUNT, int VECTORS>
static INLINE void spread_block(const float* slab, int channels, const float* weights, int kv, float* out, bool first) {
  Vector sum[PIXEL_COUNT][VECTORS];
#pragma GCC unroll 16
  for (int i = 0; i < PIXEL_COUNT; i++)
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; v++) sum[i][v] = first ? Vector{} : load(out + i * kv + v * L);
  for (int c = 0; c < channels; c++) {
    Vector w[VECTORS];
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; v++) {
      w[v] = load(weights + c * kv + v * L);
      KEEP(w[v]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < PIXEL_COUNT; i++) {
      const Vector t = all(slab[i * L + c]);
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; v++) sum[i][v] += w[v] * t;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < PIXEL_COUNT; i++)
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; v++) store(out + i * kv + v * L, sum[i][v]);
}

// out[pixel][kv] (or, at first, nothing) + sum over c < channels of slab[pixel][c] weights[c][kv], kv vectors wide.
static void spread(const float* slab, int n, int channels, const float* weights, int kv, float* out, bool first) {
  int v = 0;
  for (; v + 2 * L <= kv; v += 2 * L)
    for (int p = 0; p < n; p += PIXELS / 2)
      spread_block<PIXELS / 2, 2>(slab + (size_t)p * L, channels, weights + v, kv, out + (size_t)p * kv + v, first);
  for (; v < kv; v += L)
    for (int p = 0; p < n; p += PIXELS)
      spread_block<PIXELS, 1>(slab + (size_t)p * L, channels, weights + v, kv, out + (size_t)p * kv + v, first);
}

// out[pixel][kv] += constant[kv] + sum over j of thin[pixel][j] matrix[j][kv].
static void add_affine(const float* panels, int n, int k, const float* matrix, const float* constant, int kv,
                       float* out) {
  const int k4 = up(k, 4);
  for (int v = 0; v < kv; v += L)
    for (int p = 0; p < n; p += PIXELS) {
      const float* x = panels + (size_t)p * k4;
      float* o = out + (size_t)p * kv + v;
      Vector sum[PIXELS];
#pragma GCC unroll 16
      for (int i = 0; i < PIXELS; i++) sum[i] = load(o + i * kv) + load(constant + v);
      for (int j = 0; j < k; j++, x += PIXELS) {
        Vector w = load(matrix + (size_t)j * kv + v);
#pragma GCC unroll 16
        for (int i = 0; i < PIXELS; i++) sum[i] += w * all(x[i]);
      }
#pragma GCC unroll 16
      for (int i = 0; i < PIXELS; i++) store(o + i * kv, sum[i]);
    }
}

// Rows [n][kv] to rows [n][k] without gaps. A vector may reach into the next row, which is written after it.
static void unpad(const float* in, int n, int kv, int k, float* out, const float* end) {
  for (int i = 0; i < n; i++)
    for (int v = 0; v < k; v += L) {
      float* o = out + (size_t)i * k + v;
      if (o + L <= end)
        store(o, load(in + (size_t)i * kv + v));
      else
        std::memcpy(o, in + (size_t)i * kv + v, std::min(L, k - v) * sizeof(float));
    }
}
