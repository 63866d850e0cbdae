// Batch norm, as far as it is algebra on vectors of channels.
//
// Of a convolution y = W x by pixel, with x centred: mean(y) = W mean(x) and var(y) = diag(W Cov(x) W^T), so that the
// statistics of a wide tensor, and the gradient through them, follow from its thin input.
#pragma once
#include <cmath>

#include "panels.hpp"

// As in fused/functions.py.
struct Norm {
  const float *gamma, *beta;
  float *running_mean, *running_var;
  int64_t* batches;
  double eps, momentum;

  // 1 / standard deviation of channel c; moves the running statistics.
  double observe(int c, double mean, double variance, double count) const {
    running_mean[c] = (float)((1 - momentum) * running_mean[c] + momentum * mean);
    running_var[c] = (float)((1 - momentum) * running_var[c] + momentum * variance * count / (count - 1));
    return 1 / std::sqrt(variance + eps);
  }
};

// Statistics of a thin tensor: mean [k] and covariance [k][k], over n pixels.
struct Moments {
  double *mean, *covariance;
};

// Variance of channel w x, w [k].
static double variance_of(const double* w, int k, const double* covariance) {
  double variance = 0;
  for (int i = 0; i < k; i++) {
    double row = 0;
    for (int j = 0; j < k; j++) row += covariance[(size_t)i * k + j] * w[j];
    variance += row * w[i];
  }
  return std::max(variance, 0.0);  // of a constant channel, rounding may leave less
}

// Weights [C][k] of a 1x1 convolution with its norm folded in, as slabs [C / L][k][L].
struct FoldedConv {
  float *weights, *bias;

  FoldedConv(int C, int k)
      : weights(arena.zeros((size_t)up(C, L) * k)), bias(arena.zeros(up(C, L))) {}

  void set(int c, int k, const float* w, double scale, double shift) {
    for (int j = 0; j < k; j++) weights[((size_t)(c / L) * k + j) * L + c % L] = (float)(scale * w[j]);
    bias[c] = (float)shift;
  }
};

// Backward of conv + norm, from what was summed over pixels of the gradient q behind it: sums[C] of q, and
// products [C / L][k4][L] of x^T q. Gives the gradients of W, gamma and beta, and what is to be added to
// the gradient W^T diag(gamma / std) q of x: matrix[k][kv] x + constant[kv].
static void convolution_norm_backward(int C, int k, double n, const float* W, const Norm& norm,
                                      const double* inverse_std, const double* covariance, const double* sums,
                                      const float* products, float* W_gradient, float* gamma_gradient,
                                      float* beta_gradient, int kv, float* matrix, float* constant) {
  const int k4 = up(k, 4);
  std::vector<double> quadratic((size_t)k * k, 0.0), linear(k, 0.0), w(k), cov_w(k);
  for (int c = 0; c < C; c++) {
    auto product = [&](int j) { return (double)products[((size_t)(c / L) * k4 + j) * L + c % L]; };
    const double scale = norm.gamma[c] * inverse_std[c];
    double along = 0;  // sum of q times the normalised output
    for (int j = 0; j < k; j++) {
      w[j] = W[(size_t)c * k + j];
      cov_w[j] = 0;
      along += product(j) * w[j];
    }
    along *= inverse_std[c];
    gamma_gradient[c] = (float)along;
    beta_gradient[c] = (float)sums[c];
    const double pull = scale * along * inverse_std[c] / n;
    for (int i = 0; i < k; i++)
      for (int j = 0; j < k; j++) cov_w[j] += w[i] * covariance[(size_t)i * k + j];
    for (int j = 0; j < k; j++) {
      W_gradient[(size_t)c * k + j] = (float)(scale * product(j) - pull * n * cov_w[j]);
      linear[j] -= scale * w[j] * sums[c] / n;
    }
    if (matrix)
      for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++) quadratic[(size_t)i * k + j] -= pull * w[i] * w[j];
  }
  if (!matrix) return;
  for (int i = 0; i < k; i++)
    for (int j = 0; j < k; j++) matrix[(size_t)i * kv + j] = (float)quadratic[(size_t)i * k + j];
  for (int j = 0; j < k; j++) constant[j] = (float)linear[j];
}
