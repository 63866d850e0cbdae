// Forward and backward of an inverted residual up to and including the norm of its projection, in training.
//
// Of the wide tensors only the depthwise output is kept. The expansion's statistics follow from its thin input; the
// expansion itself, and all gradients of wide tensors, are made slab by slab (L channels of a tile of images) in
// cache, where they are needed.
#include "depthwise.hpp"
#include "norms.hpp"

namespace {

// As in fused/functions.py. Images are [N][H][W][channels].
struct Block {
  int64_t N, H, W, inputs, inner, outputs, stride, expands;
  float low[2], high[2];  // of the activations after expansion and depthwise convolution
  const float* weights[3];  // of expansion, depthwise convolution and projection
  Norm norms[3];
};

struct Gradients {
  float* x;
  float *weights[3], *gamma[3], *beta[3];
};

// How the work is cut: tiles of T images, slabs of L channels.
struct Cut {
  int N, H, W, OH, OW, k, C, m, k4, m4, kv, mv, slabs, T, tiles;
  int in_pixels, out_pixels, in_rows, out_rows;  // of a tile; rows: pixels, rounded up to whole panels

  explicit Cut(const Block& b)
      : N(b.N), H(b.H), W(b.W), OH((b.H + b.stride - 1) / b.stride), OW((b.W + b.stride - 1) / b.stride),
        k(b.inputs), C(b.inner), m(b.outputs), k4(up(k, 4)), m4(up(m, 4)), kv(up(k, L)), mv(up(m, L)),
        slabs(up(C, L) / L), T(std::min(N, up(64, H * W) / (H * W))), tiles(up(N, T) / T),
        in_pixels(T * H * W), out_pixels(T * OH * OW), in_rows(up(in_pixels, PIXELS)),
        out_rows(up(out_pixels, PIXELS)) {}

  int images(int tile) const { return std::min(T, N - tile * T); }
  int outputs(int tile) const { return images(tile) * OH * OW; }  // pixels
  double in_count() const { return (double)N * H * W; }
  double out_count() const { return (double)N * OH * OW; }
  size_t wide(int tile, int slab) const { return ((size_t)tile * slabs + slab) * out_rows * L; }
  size_t projected(int tile) const { return (size_t)tile * out_rows * mv; }
};

// What backward needs besides tensors, as one array of doubles.
struct Statistics {
  double *mean_x, *covariance, *inverse_std_1, *mean_2, *inverse_std_2, *mean_3, *inverse_std_3;

  Statistics(const Cut& c, double* at)
      : mean_x(at), covariance(mean_x + c.k), inverse_std_1(covariance + (size_t)c.k * c.k),
        mean_2(inverse_std_1 + c.C), inverse_std_2(mean_2 + c.C), mean_3(inverse_std_2 + c.C),
        inverse_std_3(mean_3 + c.m) {}

  static size_t size(const Cut& c) { return c.k + (size_t)c.k * c.k + 3 * (size_t)c.C + 2 * (size_t)c.m; }
};

// Where pixel p of a tile lies in a tile with borders; what pads the last panel goes behind it.
int* bordered(int T, int H, int W, int rows) {
  int* place = (int*)arena.floats(rows);
  int p = 0;
  for (int t = 0; t < T; t++)
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++) place[p++] = ((t * (H + 2) + y + 1) * (W + 2) + x + 1) * L;
  for (; p < rows; p++) place[p] = T * (H + 2) * (W + 2) * L;
  return place;
}

float* bordered_slab(int T, int H, int W) { return arena.zeros(((size_t)T * (H + 2) * (W + 2) + 1) * L); }

float* taps(const Cut& c, const float* weights, bool flipped) {  // [slabs][9][L]
  float* packed = arena.zeros((size_t)c.slabs * 9 * L);
  for (int ch = 0; ch < c.C; ch++)
    for (int i = 0; i < 9; i++) packed[(ch / L * 9 + i) * L + ch % L] = weights[ch * 9 + (flipped ? 8 - i : i)];
  return packed;
}

// Two vectors of channels, scale and shift, padded to whole slabs.
struct Affine {
  float *scale, *shift;
  explicit Affine(int channels) : scale(arena.zeros(up(channels, L))), shift(arena.zeros(up(channels, L))) {}
  void set(int c, double a, double b) { scale[c] = (float)a, shift[c] = (float)b; }
};

Affine second_norm(const Cut& c, const Block& b, const Statistics& s) {
  Affine norm(c.C);
  for (int i = 0; i < c.C; i++) {
    const double scale = b.norms[1].gamma[i] * s.inverse_std_2[i];
    norm.set(i, scale, b.norms[1].beta[i] - s.mean_2[i] * scale);
  }
  return norm;
}

FoldedConv folded_expansion(const Cut& c, const Block& b, const Statistics& s) {
  FoldedConv folded(c.C, c.k);
  for (int i = 0; i < c.C; i++)
    folded.set(i, c.k, b.weights[0] + (size_t)i * c.k, b.norms[0].gamma[i] * s.inverse_std_1[i], b.norms[0].beta[i]);
  return folded;
}

Bounds bounds(const Block& b, int which) { return {all(b.low[which]), all(b.high[which])}; }

// A tile of the input: as panels, less the mean, where there is an expansion; as rows [pixel][kv] where there is none.
struct Input {
  const Cut& c;
  Rows rows;
  float* panels = nullptr;  // of all tiles

  Input(const Cut& cut, const float* x)
      : c(cut), rows{x, x + (size_t)cut.N * cut.H * cut.W * cut.k, cut.k},
        panels(arena.floats((size_t)cut.tiles * cut.in_rows * cut.k4)) {}

  int pixels(int tile) const { return c.images(tile) * c.H * c.W; }
  float* tile(int t) const { return panels + (size_t)t * c.in_rows * c.k4; }
  void pack_tile(int t) const {
    const size_t first = (size_t)t * c.in_pixels;
    pack(pixels(t), c.k, tile(t), [&](int p, int j, Mask kept) INLINED { return rows.at(first + p, j, kept); });
  }
  void pack_centred(const double* mean) const {
    for (int t = 0; t < c.tiles; t++) {
      pack_tile(t);
      centre(tile(t), pixels(t), c.k, mean);
    }
  }
  Moments measure(double* mean, double* covariance) const {
    std::fill_n(mean, c.k, 0.0);
    std::fill_n(covariance, (size_t)c.k * c.k, 0.0);
    for (int t = 0; t < c.tiles; t++) {
      pack_tile(t);
      add_sums(tile(t), pixels(t), c.k, mean);
    }
    for (int j = 0; j < c.k; j++) mean[j] /= c.in_count();
    for (int t = 0; t < c.tiles; t++) {
      centre(tile(t), pixels(t), c.k, mean);
      add_products(tile(t), pixels(t), c.k, covariance);
    }
    for (size_t i = 0; i < (size_t)c.k * c.k; i++) covariance[i] /= c.in_count();
    return {mean, covariance};
  }
};

template <int STRIDE>
void forward(const Block& b, const float* x, float* wide, float* projected, double* statistics, float* y) {
  const Cut c(b);
  const Statistics s(c, statistics);
  const Input input(c, x);
  FoldedConv expansion(0, 0);
  if (b.expands) {
    input.measure(s.mean_x, s.covariance);
    std::vector<double> w(c.k);
    for (int i = 0; i < c.C; i++) {
      double mean = 0;
      for (int j = 0; j < c.k; j++) w[j] = b.weights[0][(size_t)i * c.k + j], mean += w[j] * s.mean_x[j];
      s.inverse_std_1[i] = b.norms[0].observe(i, mean, variance_of(w.data(), c.k, s.covariance), c.in_count());
    }
    expansion = folded_expansion(c, b, s);
  }

  // Expand and filter; sums of the depthwise output, less a first guess of its mean.
  const float* filters = taps(c, b.weights[1], false);
  float* expanded = bordered_slab(c.T, c.H, c.W);
  const int* place = bordered(c.T, c.H, c.W, c.in_rows);
  float* guess = arena.zeros((size_t)c.slabs * L);
  std::vector<double> sum((size_t)c.slabs * L, 0.0), square((size_t)c.slabs * L, 0.0);
  const Bounds first = bounds(b, 0), second = bounds(b, 1);
  const int border = (c.H + 2) * (c.W + 2) * L;
  for (int t = 0; t < c.tiles; t++)
    for (int slab = 0; slab < c.slabs; slab++) {
      const int pixels = input.pixels(t), images = c.images(t), outputs = c.outputs(t);
      if (b.expands)
        combine(input.tile(t), pixels, c.k, expansion.weights + (size_t)slab * c.k * L, expansion.bias + slab * L,
                [&](int p, Vector(&v)[PIXELS]) INLINED {
                  const Bounds here = reload(first);
#pragma GCC unroll 16
                  for (int i = 0; i < PIXELS; i++) store(expanded + place[p + i], clamp(v[i], here));
                });
      else
        for (int p = 0; p < pixels; p++)
          store(expanded + place[p],
                input.rows.at((size_t)t * c.in_pixels + p, slab * L, input.rows.kept(slab * L)));
      float* out = wide + c.wide(t, slab);
      const float* w = filters + (size_t)slab * 9 * L;
      if (t == 0) {
        Vector total{};
        depthwise<STRIDE>(expanded, c.W, c.OH, c.OW, w, [&](int, Vector v) INLINED { total += v; });
        store(guess + slab * L, total * all(1.f / (c.OH * c.OW)));
      }
      const Vector about = load(guess + slab * L);
      Vector total{}, squares{};
      for (int i = 0; i < images; i++)
        depthwise<STRIDE>(expanded + i * border, c.W, c.OH, c.OW, w, [&](int p, Vector v) INLINED {
          store(out + (size_t)(i * c.OH * c.OW + p) * L, v);
          const Vector u = v - about;
          total += u;
          squares += u * u;
        });
      std::fill(out + (size_t)outputs * L, out + (size_t)c.out_rows * L, 0.f);
      for (int l = 0; l < L; l++) sum[slab * L + l] += total[l], square[slab * L + l] += squares[l];
    }
  for (int i = 0; i < c.C; i++) {
    const double off = sum[i] / c.out_count();
    s.mean_2[i] = guess[i] + off;
    s.inverse_std_2[i] = b.norms[1].observe(
        i, s.mean_2[i], std::max(0.0, square[i] / c.out_count() - off * off), c.out_count());
  }

  // Normalise, clamp and project; sums of the projection.
  const Affine norm = second_norm(c, b, s);
  float* weights = arena.zeros((size_t)c.slabs * L * c.mv);
  for (int i = 0; i < c.C; i++)
    for (int j = 0; j < c.m; j++) weights[(size_t)i * c.mv + j] = b.weights[2][(size_t)j * c.C + i];
  float* slab_in = arena.floats((size_t)c.out_rows * L);
  std::vector<double> mean(c.mv, 0.0), variance(c.mv, 0.0);
  for (int t = 0; t < c.tiles; t++) {
    const int pixels = c.outputs(t), rows = up(pixels, PIXELS);
    float* out = projected + c.projected(t);
    for (int slab = 0; slab < c.slabs; slab++) {
      const float* d = wide + c.wide(t, slab);
      const Vector scale = load(norm.scale + slab * L), shift = load(norm.shift + slab * L);
      for (int p = 0; p < rows; p++) store(slab_in + p * L, clamp(load(d + p * L) * scale + shift, second));
      spread(slab_in, pixels, std::min(L, c.C - slab * L), weights + (size_t)slab * L * c.mv, c.mv, out, slab == 0);
    }
    for (int v = 0; v < c.mv; v += L) {
      Vector total{};
      for (int p = 0; p < pixels; p++) total += load(out + (size_t)p * c.mv + v);
      for (int l = 0; l < L; l++) mean[v + l] += total[l];
    }
  }
  for (double& value : mean) value /= c.out_count();
  for (int v = 0; v < c.mv; v += L) {
    Vector about;
    for (int l = 0; l < L; l++) about[l] = (float)mean[v + l];
    for (int t = 0; t < c.tiles; t++) {
      const float* out = projected + c.projected(t) + v;
      Vector squares{};
      for (int p = 0; p < c.outputs(t); p++) {
        const Vector u = load(out + (size_t)p * c.mv) - about;
        squares += u * u;
      }
      for (int l = 0; l < L; l++) variance[v + l] += squares[l];
    }
  }
  Affine last(c.m);
  for (int j = 0; j < c.m; j++) {
    s.mean_3[j] = mean[j];
    s.inverse_std_3[j] = b.norms[2].observe(j, mean[j], variance[j] / c.out_count(), c.out_count());
    const double scale = b.norms[2].gamma[j] * s.inverse_std_3[j];
    last.set(j, scale, b.norms[2].beta[j] - mean[j] * scale);
  }
  float* rows = arena.floats((size_t)c.out_rows * c.mv);
  const float* end = y + (size_t)c.N * c.OH * c.OW * c.m;
  for (int t = 0; t < c.tiles; t++) {
    const int pixels = c.outputs(t);
    const float* p = projected + c.projected(t);
    for (int v = 0; v < c.mv; v += L) {
      const Vector scale = load(last.scale + v), shift = load(last.shift + v);
      for (int i = 0; i < pixels; i++)
        store(rows + (size_t)i * c.mv + v, load(p + (size_t)i * c.mv + v) * scale + shift);
    }
    unpad(rows, pixels, c.mv, c.m, y + (size_t)t * c.out_pixels * c.m, end);
  }
}

template <int STRIDE>
void backward(const Block& b, const float* dy, const float* x, const float* wide, const float* projected,
              double* statistics, const Gradients& g) {
  const Cut c(b);
  const Statistics s(c, statistics);
  const Bounds first = bounds(b, 0), second = bounds(b, 1);
  const float* zeros = arena.zeros(L);

  // Through the norm of the projection: the gradient of its input is affine in dy and in the input.
  const Rows gradient{dy, dy + (size_t)c.N * c.OH * c.OW * c.m, c.m};
  std::vector<double> sum(c.mv, 0.0), along(c.mv, 0.0);
  for (int v = 0; v < c.mv; v += L) {
    Vector about{};
    for (int l = 0; l < std::min(L, c.m - v); l++) about[l] = (float)s.mean_3[v + l];
    const Mask kept = gradient.kept(v);
    for (int t = 0; t < c.tiles; t++) {
      const float* p = projected + c.projected(t) + v;
      Vector a{}, z{};
      for (int i = 0; i < c.outputs(t); i++) {
        const Vector d = gradient.at((size_t)t * c.out_pixels + i, v, kept);
        a += d;
        z += d * (load(p + (size_t)i * c.mv) - about);
      }
      for (int l = 0; l < L; l++) sum[v + l] += a[l], along[v + l] += z[l];
    }
  }
  Affine of_gradient(c.m), of_input(c.m);  // gradient * of_gradient.scale + input * of_input.scale + shifts
  for (int j = 0; j < c.m; j++) {
    g.beta[2][j] = (float)sum[j];
    g.gamma[2][j] = (float)(along[j] * s.inverse_std_3[j]);
    const double scale = b.norms[2].gamma[j] * s.inverse_std_3[j];
    const double pull = -scale * along[j] * s.inverse_std_3[j] * s.inverse_std_3[j] / c.out_count();
    of_gradient.set(j, scale, -scale * sum[j] / c.out_count());
    of_input.set(j, pull, s.mean_3[j]);
  }
  float* thin = arena.floats((size_t)c.tiles * c.out_rows * c.m4);
  for (int t = 0; t < c.tiles; t++)
    pack(c.outputs(t), c.m, thin + (size_t)t * c.out_rows * c.m4, [&](int p, int j, Mask kept) INLINED {
      const Vector d = gradient.at((size_t)t * c.out_pixels + p, j, kept);
      const Vector v = load(projected + c.projected(t) + (size_t)p * c.mv + j) - load(of_input.shift + j);
      return d * load(of_gradient.scale + j) + load(of_gradient.shift + j) + v * load(of_input.scale + j);
    });

  // Back through the projection, once for what the second norm's backward sums over the batch ...
  const Affine norm = second_norm(c, b, s);
  float* weights = arena.zeros((size_t)c.slabs * c.m * L);  // [slabs][m][L]
  for (int i = 0; i < c.C; i++)
    for (int j = 0; j < c.m; j++)
      weights[((size_t)(i / L) * c.m + j) * L + i % L] = b.weights[2][(size_t)j * c.C + i];
  float* mean_2 = arena.zeros((size_t)c.slabs * L);
  for (int i = 0; i < c.C; i++) mean_2[i] = (float)s.mean_2[i];
  float* slab_values = arena.floats((size_t)std::max(c.in_rows, c.out_rows) * L);
  float* projection_gradient = arena.zeros((size_t)c.slabs * c.m4 * L);
  std::vector<double> sum_2((size_t)c.slabs * L, 0.0), along_2((size_t)c.slabs * L, 0.0);
  for (int t = 0; t < c.tiles; t++)
    for (int slab = 0; slab < c.slabs; slab++) {
      const float* d = wide + c.wide(t, slab);
      const float* dp = thin + (size_t)t * c.out_rows * c.m4;
      struct {
        Vector scale, shift, about;
        Bounds bounds;
      } constants{load(norm.scale + slab * L), load(norm.shift + slab * L), load(mean_2 + slab * L), second};
      Vector sums[2] = {};
      combine(dp, c.outputs(t), c.m, weights + (size_t)slab * c.m * L, zeros, [&](int p, Vector(&v)[PIXELS]) INLINED {
        const auto here = reload(constants);
        Vector total{}, products{};
#pragma GCC unroll 16
        for (int i = 0; i < PIXELS; i++) {
          const Vector value = load(d + (p + i) * L), normed = value * here.scale + here.shift;
          const Vector q = gate(normed, here.bounds, v[i]);
          total += q;
          products += q * (value - here.about);
          store(slab_values + (p + i) * L, clamp(normed, here.bounds));
        }
        sums[0] = reload(sums[0]) + total;
        sums[1] = reload(sums[1]) + products;
      });
      add_outer(dp, c.outputs(t), c.m, slab_values, projection_gradient + (size_t)slab * c.m4 * L);
      for (int l = 0; l < L; l++) sum_2[slab * L + l] += sums[0][l], along_2[slab * L + l] += sums[1][l];
    }
  Affine of_gate(c.C), of_wide(c.C);
  for (int i = 0; i < c.C; i++) {
    for (int j = 0; j < c.m; j++)
      g.weights[2][(size_t)j * c.C + i] = projection_gradient[((size_t)(i / L) * c.m4 + j) * L + i % L];
    g.beta[1][i] = (float)sum_2[i];
    g.gamma[1][i] = (float)(along_2[i] * s.inverse_std_2[i]);
    const double scale = b.norms[1].gamma[i] * s.inverse_std_2[i];
    const double pull = -scale * along_2[i] * s.inverse_std_2[i] * s.inverse_std_2[i] / c.out_count();
    of_gate.set(i, scale, -scale * sum_2[i] / c.out_count() - pull * s.mean_2[i]);
    of_wide.set(i, pull, 0);
  }

  // ... and once more to go on, through the depthwise convolution and, made again, the expansion.
  const Input input(c, x);
  FoldedConv expansion(0, 0);
  float* back = nullptr;  // [C][kv]: from the expansion's output to its input
  if (b.expands) {
    input.pack_centred(s.mean_x);
    expansion = folded_expansion(c, b, s);
    back = arena.zeros((size_t)c.slabs * L * c.kv);
    for (int i = 0; i < c.C; i++)
      for (int j = 0; j < c.k; j++)
        back[(size_t)i * c.kv + j] =
            (float)(b.norms[0].gamma[i] * s.inverse_std_1[i] * b.weights[0][(size_t)i * c.k + j]);
  }
  const float* filters = taps(c, b.weights[1], STRIDE == 1);
  float* filter_gradient = arena.zeros((size_t)c.slabs * 9 * L);
  float* outer = arena.zeros((size_t)c.slabs * c.k4 * L);
  std::vector<double> sum_1((size_t)c.slabs * L, 0.0);
  float* x_gradient = arena.floats((size_t)c.tiles * c.in_rows * c.kv);  // rows [pixel][kv]
  float* filtered = bordered_slab(c.T, c.OH, c.OW);
  const int* place = bordered(c.T, c.OH, c.OW, c.out_rows);
  const int border = (c.OH + 2) * (c.OW + 2) * L;
  for (int t = 0; t < c.tiles; t++)
    for (int slab = 0; slab < c.slabs; slab++) {
      const int pixels = input.pixels(t);
      const float* d = wide + c.wide(t, slab);
      struct {
        Vector scale, shift, of_gate, of_wide, constant;
        Bounds bounds;
      } constants{load(norm.scale + slab * L),    load(norm.shift + slab * L),    load(of_gate.scale + slab * L),
                  load(of_wide.scale + slab * L), load(of_gate.shift + slab * L), second};
      combine(thin + (size_t)t * c.out_rows * c.m4, c.outputs(t), c.m, weights + (size_t)slab * c.m * L, zeros,
              [&](int p, Vector(&v)[PIXELS]) INLINED {
                const auto here = reload(constants);
#pragma GCC unroll 16
                for (int i = 0; i < PIXELS; i++) {
                  const Vector value = load(d + (p + i) * L);
                  const Vector q = gate(value * here.scale + here.shift, here.bounds, v[i]);
                  store(filtered + place[p + i], q * here.of_gate + (value * here.of_wide + here.constant));
                }
              });
      const float* w = filters + (size_t)slab * 9 * L;
      float* w_gradient = filter_gradient + (size_t)slab * 9 * L;
      Vector total{};
      auto through = [&](auto each) INLINED {
        for (int i = 0; i < c.images(t); i++) {
          float* image = slab_values + (size_t)i * c.H * c.W * L;
          const float* padded = filtered + i * border;
          if (STRIDE == 1)
            depthwise_backward_1(image, padded, c.H, c.W, w, w_gradient, each);
          else
            depthwise_backward_2(image, padded, c.H, c.W, c.OH, c.OW, w, w_gradient, each);
        }
      };
      float* dx = x_gradient + (size_t)t * c.in_rows * c.kv;
      if (b.expands) {
        combine(input.tile(t), pixels, c.k, expansion.weights + (size_t)slab * c.k * L,
                expansion.bias + slab * L, [&](int p, Vector(&v)[PIXELS]) INLINED {
                  const Bounds here = reload(first);
#pragma GCC unroll 16
                  for (int i = 0; i < PIXELS; i++) store(slab_values + (p + i) * L, clamp(v[i], here));
                });
        through([&](Vector e, Vector gradient) INLINED {
          const Vector q = gate(e, first, gradient);
          total += q;
          return q;
        });
        for (int l = 0; l < L; l++) sum_1[slab * L + l] += total[l];
        add_outer(input.tile(t), pixels, c.k, slab_values, outer + (size_t)slab * c.k4 * L);
        spread(slab_values, pixels, std::min(L, c.C - slab * L), back + (size_t)slab * L * c.kv, c.kv, dx, slab == 0);
      } else {
        for (int p = 0; p < pixels; p++)
          store(slab_values + p * L,
                input.rows.at((size_t)t * c.in_pixels + p, slab * L, input.rows.kept(slab * L)));
        through([&](Vector, Vector gradient) INLINED { return gradient; });
        for (int p = 0; p < pixels; p++) store(dx + (size_t)p * c.kv + slab * L, load(slab_values + p * L));
      }
    }
  for (int i = 0; i < c.C; i++)
    for (int tap = 0; tap < 9; tap++)
      g.weights[1][i * 9 + tap] = filter_gradient[(i / L * 9 + tap) * L + i % L];

  float *matrix = arena.zeros((size_t)c.k * c.kv), *constant = arena.zeros(c.kv);
  if (b.expands)
    convolution_norm_backward(c.C, c.k, c.in_count(), b.weights[0], b.norms[0], s.inverse_std_1, s.covariance,
                              sum_1.data(), outer, g.weights[0], g.gamma[0], g.beta[0], c.kv, matrix, constant);
  const float* end = g.x + (size_t)c.N * c.H * c.W * c.k;
  for (int t = 0; t < c.tiles; t++) {
    float* dx = x_gradient + (size_t)t * c.in_rows * c.kv;
    if (b.expands) add_affine(input.tile(t), input.pixels(t), c.k, matrix, constant, c.kv, dx);
    unpad(dx, input.pixels(t), c.kv, c.k, g.x + (size_t)t * c.in_pixels * c.k, end);
  }
}

}  // namespace

// Floats of a vector: 4 says that the processor has neither AVX2 nor AVX-512 (or is an Arm).
EXPORT int lanes() { return L; }

// Floats of the depthwise output, floats of the projection, doubles of the statistics that are kept.
EXPORT void inverted_residual_sizes(const Block* b, int64_t* sizes) {
  const Cut c(*b);
  sizes[0] = (int64_t)c.wide(c.tiles, 0);
  sizes[1] = (int64_t)c.projected(c.tiles);
  sizes[2] = (int64_t)Statistics::size(c);
}

// 0, or 1 where there is not enough memory.
EXPORT int inverted_residual_forward(const Block* b, const float* x, float* wide, float* projected, double* statistics,
                              float* y) {
  try {
    arena.reset();
    (b->stride == 1 ? forward<1> : forward<2>)(*b, x, wide, projected, statistics, y);
    for (int i = b->expands ? 0 : 1; i < 3; i++) ++*b->norms[i].batches;
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

EXPORT int inverted_residual_backward(const Block* b, const float* dy, const float* x, const float* wide,
                               const float* projected, double* statistics, const Gradients* gradients) {
  try {
    arena.reset();
    (b->stride == 1 ? backward<1> : backward<2>)(*b, dy, x, wide, projected, statistics, *gradients);
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}
