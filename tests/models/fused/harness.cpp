// One step of one block with made-up numbers, for processors that Python does not run on here: prints all results.
#include <cstdio>

#include "inverted_residual.cpp"

int main() {
  const int N = 3, H = 7, W = 5, k = 6, C = 20, m = 9;
  unsigned state = 1;
  auto numbers = [&](size_t n, float scale, float shift) {
    std::vector<float> v(n);
    for (size_t i = 0; i < n; i++) state = state * 1664525u + 1013904223u, v[i] = shift + scale * ((int)state / 2147483648.f);
    return v;
  };
  for (int stride = 1; stride <= 2; stride++)
    for (int expands = 0; expands <= 1; expands++) {
      const int inner = expands ? C : k, OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride;
      Block b{N, H, W, k, inner, m, stride, expands, {0, 0}, {6, 6}, {}, {}};
      std::vector<float> w[3] = {numbers(C * k, 1, 0), numbers(inner * 9, 1, 0), numbers(m * inner, 1, 0)};
      std::vector<float> gamma[3], beta[3], mean[3], var[3], dw[3], dgamma[3], dbeta[3];
      const int channels[3] = {inner, inner, m};
      int64_t batches[3] = {};
      Gradients g{};
      for (int i = 0; i < 3; i++) {
        gamma[i] = numbers(channels[i], .5f, 1), beta[i] = numbers(channels[i], 2, 1);
        mean[i] = numbers(channels[i], 1, 0), var[i] = numbers(channels[i], .5f, 1);
        dw[i].resize(w[i].size()), dgamma[i].resize(gamma[i].size()), dbeta[i].resize(beta[i].size());
        b.weights[i] = w[i].data();
        b.norms[i] = {gamma[i].data(), beta[i].data(), mean[i].data(), var[i].data(), &batches[i], 1e-5, .1};
        g.weights[i] = dw[i].data(), g.gamma[i] = dgamma[i].data(), g.beta[i] = dbeta[i].data();
      }
      auto x = numbers((size_t)N * H * W * k, 2, .3f), dy = numbers((size_t)N * OH * OW * m, 1, 0);
      std::vector<float> y(dy.size()), dx(x.size());
      g.x = dx.data();
      int64_t sizes[3];
      inverted_residual_sizes(&b, sizes);
      std::vector<float> wide(sizes[0]), projected(sizes[1]);
      std::vector<double> statistics(sizes[2]);
      if (inverted_residual_forward(&b, x.data(), wide.data(), projected.data(), statistics.data(), y.data())) return 1;
      if (inverted_residual_backward(&b, dy.data(), x.data(), wide.data(), projected.data(), statistics.data(), &g)) return 1;
      for (auto* each : {&y, &dx, &dw[0], &dw[1], &dw[2], &dgamma[0], &dgamma[1], &dgamma[2], &dbeta[0], &dbeta[1],
                         &dbeta[2], &mean[0], &var[0], &mean[1], &var[1], &mean[2], &var[2]}) {
        for (size_t i = 0; i < each->size(); i++) std::printf("%.9g ", (*each)[i]);
        std::printf("\n");
      }
    }
}
