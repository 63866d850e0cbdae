// Forward and backward of a convolution, batch norm and clamp, in training: a stem (3x3) or a head (1x1).
//
// Only the output is kept. The convolution is one of 1x1 on rows: pixels, or (3x3) the nine pixels around each.
#include "norms.hpp"

namespace {

// As in fused/functions.py. Images are [N][H][W][channels].
struct Conv {
  int64_t N, H, W, inputs, outputs, stride, kernel;
  float low, high;
  const float* weights;  // [outputs][kernel][kernel][inputs]
  Norm norm;
};

struct ConvGradients {
  float *x, *weights, *gamma, *beta;  // x: null where it is not wanted
};

constexpr int CHUNK = 128;  // rows at a time

// The rows of the convolution, in panels of CHUNK rows.
struct Patches {
  const Conv& b;
  int OH, OW, k, k4, C, slabs, n, chunks;
  float *panels, *row;

  explicit Patches(const Conv& conv)
      : b(conv), OH((b.H + b.stride - 1) / b.stride), OW((b.W + b.stride - 1) / b.stride),
        k(b.inputs * b.kernel * b.kernel), k4(up(k, 4)), C(b.outputs), slabs(up(C, L) / L), n(b.N * OH * OW),
        chunks(up(n, CHUNK) / CHUNK), panels(arena.floats((size_t)up(n, CHUNK) * k4)),
        row(arena.floats((size_t)CHUNK * k)) {}

  int rows(int chunk) const { return std::min(CHUNK, n - chunk * CHUNK); }
  float* chunk(int i) const { return panels + (size_t)i * CHUNK * k4; }

  void pack_all(const float* x) const {
    for (int i = 0; i < chunks; i++) {
      const float* from = x + (size_t)i * CHUNK * k;
      const float* end = x + (size_t)n * k;
      if (b.kernel != 1) {
        gather(x, i);
        from = row, end = row + (size_t)CHUNK * k;
      }
      const Rows rows_of{from, end, k};
      pack(rows(i), k, chunk(i), [&](int p, int j, Mask kept) INLINED { return rows_of.at(p, j, kept); });
    }
  }

 private:
  // The pixels around each of a chunk's rows, zeros beyond the border.
  void gather(const float* x, int i) const {
    const int in = (int)b.inputs, edge = (int)b.kernel, margin = edge / 2;
    for (int r = 0; r < rows(i); r++) {
      const int at = i * CHUNK + r, image = at / (OH * OW), y = at / OW % OH, left = at % OW;
      float* out = row + (size_t)r * k;
      for (int ky = 0; ky < edge; ky++)
        for (int kx = 0; kx < edge; kx++, out += in) {
          const int64_t h = y * b.stride + ky - margin, w = left * b.stride + kx - margin;
          if (h >= 0 && h < b.H && w >= 0 && w < b.W)
            std::memcpy(out, x + ((image * b.H + h) * b.W + w) * in, in * sizeof(float));
          else
            std::fill_n(out, in, 0.f);
        }
    }
  }
};

// What backward needs besides tensors, as one array of doubles.
struct Statistics {
  double *mean, *covariance, *inverse_std;
  Statistics(int k, double* at) : mean(at), covariance(at + k), inverse_std(covariance + (size_t)k * k) {}
};

void forward(const Conv& b, const float* x, double* statistics, float* y) {
  const Patches r(b);
  const Statistics s(r.k, statistics);
  r.pack_all(x);
  std::fill_n(s.mean, r.k, 0.0);
  std::fill_n(s.covariance, (size_t)r.k * r.k, 0.0);
  for (int i = 0; i < r.chunks; i++) add_sums(r.chunk(i), r.rows(i), r.k, s.mean);
  for (int j = 0; j < r.k; j++) s.mean[j] /= r.n;
  for (int i = 0; i < r.chunks; i++) {
    centre(r.chunk(i), r.rows(i), r.k, s.mean);
    add_products(r.chunk(i), r.rows(i), r.k, s.covariance);
  }
  for (size_t j = 0; j < (size_t)r.k * r.k; j++) s.covariance[j] /= r.n;
  FoldedConv folded(r.C, r.k);
  std::vector<double> w(r.k);
  for (int c = 0; c < r.C; c++) {
    double mean = 0;
    for (int j = 0; j < r.k; j++) w[j] = b.weights[(size_t)c * r.k + j], mean += w[j] * s.mean[j];
    s.inverse_std[c] = b.norm.observe(c, mean, variance_of(w.data(), r.k, s.covariance), r.n);
    folded.set(c, r.k, b.weights + (size_t)c * r.k, b.norm.gamma[c] * s.inverse_std[c], b.norm.beta[c]);
  }
  const Bounds bounds{all(b.low), all(b.high)};
  for (int i = 0; i < r.chunks; i++)
    for (int slab = 0; slab < r.slabs; slab++) {
      const int channels = std::min(L, r.C - slab * L), rows = r.rows(i);
      float* out = y + (size_t)i * CHUNK * r.C + slab * L;
      combine(r.chunk(i), rows, r.k, folded.weights + (size_t)slab * r.k * L, folded.bias + slab * L,
              [&](int p, Vector(&v)[PIXELS]) INLINED {
                const Bounds here = reload(bounds);
                for (int j = 0; j < std::min(PIXELS, rows - p); j++) {
                  const Vector value = clamp(v[j], here);
                  std::memcpy(out + (size_t)(p + j) * r.C, &value, channels * sizeof(float));
                }
              });
    }
}

void backward(const Conv& b, const float* dy, const float* x, const float* y, double* statistics,
              const ConvGradients& g) {
  const Patches r(b);
  const Statistics s(r.k, statistics);
  r.pack_all(x);
  for (int i = 0; i < r.chunks; i++) centre(r.chunk(i), r.rows(i), r.k, s.mean);
  const int kv = up(r.k, L);
  float *outer = arena.zeros((size_t)r.slabs * r.k4 * L), *back = arena.zeros((size_t)r.slabs * L * kv);
  for (int c = 0; c < r.C; c++)
    for (int j = 0; j < r.k; j++)
      back[(size_t)c * kv + j] = (float)(b.norm.gamma[c] * s.inverse_std[c] * b.weights[(size_t)c * r.k + j]);
  float* slab_values = arena.floats((size_t)CHUNK * L);
  float* dx = g.x ? arena.floats((size_t)up(r.n, CHUNK) * kv) : nullptr;
  std::vector<double> sum((size_t)r.slabs * L, 0.0);
  const Bounds bounds{all(b.low), all(b.high)};
  const Rows gradient{dy, dy + (size_t)r.n * r.C, r.C}, output{y, y + (size_t)r.n * r.C, r.C};
  for (int i = 0; i < r.chunks; i++)
    for (int slab = 0; slab < r.slabs; slab++) {
      const Mask kept = gradient.kept(slab * L);
      const int rows = r.rows(i);
      Vector total{};
      for (int p = 0; p < rows; p++) {
        const size_t at = (size_t)i * CHUNK + p;
        const Vector q = gate(output.at(at, slab * L, kept), bounds, gradient.at(at, slab * L, kept));
        total += q;
        store(slab_values + p * L, q);
      }
      for (int p = rows; p < up(rows, PIXELS); p++) store(slab_values + p * L, Vector{});
      for (int l = 0; l < L; l++) sum[slab * L + l] += total[l];
      add_outer(r.chunk(i), rows, r.k, slab_values, outer + (size_t)slab * r.k4 * L);
      if (dx)
        spread(slab_values, rows, std::min(L, r.C - slab * L), back + (size_t)slab * L * kv, kv,
               dx + (size_t)i * CHUNK * kv, slab == 0);
    }
  float *matrix = dx ? arena.zeros((size_t)r.k * kv) : nullptr, *constant = arena.zeros(kv);
  convolution_norm_backward(r.C, r.k, r.n, b.weights, b.norm, s.inverse_std, s.covariance, sum.data(), outer,
                            g.weights, g.gamma, g.beta, kv, matrix, constant);
  if (!dx) return;
  for (int i = 0; i < r.chunks; i++) {
    float* rows = dx + (size_t)i * CHUNK * kv;
    add_affine(r.chunk(i), r.rows(i), r.k, matrix, constant, kv, rows);
    unpad(rows, r.rows(i), kv, r.k, g.x + (size_t)i * CHUNK * r.k, g.x + (size_t)r.n * r.k);
  }
}

}  // namespace

// Doubles of the statistics that are kept.
EXPORT int64_t conv_norm_size(const Conv* b) {
  const int64_t k = b->inputs * b->kernel * b->kernel;
  return k + k * k + b->outputs;
}

// 0, or 1 where there is not enough memory.
EXPORT int conv_norm_forward(const Conv* b, const float* x, double* statistics, float* y) {
  try {
    arena.reset();
    forward(*b, x, statistics, y);
    ++*b->norm.batches;
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

EXPORT int conv_norm_backward(const Conv* b, const float* dy, const float* x, const float* y, double* statistics,
                       const ConvGradients* gradients) {
  try {
    arena.reset();
    backward(*b, dy, x, y, statistics, *gradients);
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}
